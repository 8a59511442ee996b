//! Values -> their statistics, by statrs. The unit is the run; standard deviations have ddof = 1.

use anyhow::Result;
use statrs::statistics::{Data, OrderStatistics, Statistics};

use super::{Stats, tails::quantile_t};

/// The mean, taken of the distances from the smallest value: exact where all values are equal, and precise where they are
/// nearly so.
pub fn mean(values: &[f64]) -> f64 {
    let min = values.min();
    min + values.iter().map(|value| value - min).mean()
}

/// Quantiles at `shares` (definition 8 of Hyndman and Fan 1996: the least dependent on the distribution).
pub fn quantiles<const N: usize>(values: Vec<f64>, shares: [f64; N]) -> [f64; N] {
    let mut data = Data::new(values);
    shares.map(|share| data.quantile(share))
}

/// Statistics of `values`, which must not be empty. Equal values have a deviation of exactly zero.
///
/// # Errors
/// No value, or one that is not finite.
pub fn of(values: &[f64], confidence: f64) -> Result<Stats> {
    let n = values.len();
    let (min, max) = (values.min(), values.max());
    anyhow::ensure!(n > 0 && values.iter().all(|value| value.is_finite()), "{n} values, of which some are not finite");
    let mean = mean(values);
    let sd = (n > 1).then(|| if min == max { 0.0 } else { values.std_dev() });
    let se = sd.map(|sd| sd / (n as f64).sqrt());
    let interval = match se {
        Some(se) => {
            let half = quantile_t(confidence, (n - 1) as f64)? * se;
            Some((mean - half, mean + half))
        }
        None => None,
    };
    Ok(Stats {
        n: n as u32,
        mean,
        sd,
        min,
        max,
        median: Data::new(values.to_vec()).median(),
        cv: sd.filter(|_| mean != 0.0).map(|sd| sd / mean),
        se,
        interval,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 1e-9, "{found} for {expected}");
    }

    /// 2, 4, 4, 4, 5, 5, 7, 9: mean 5, sum of squares 32; t(0.975, 7) = 2.364624251592784 (scipy).
    #[test]
    fn a_textbook_sample() {
        let stats = of(&[2., 4., 4., 4., 5., 5., 7., 9.], 0.95).unwrap();
        assert_eq!((stats.n, stats.mean, stats.min, stats.max, stats.median), (8, 5.0, 2.0, 9.0, 4.5));
        let sd = (32f64 / 7.0).sqrt();
        close(stats.sd.unwrap(), sd);
        close(stats.cv.unwrap(), sd / 5.0);
        close(stats.interval.unwrap().1, 5.0 + 2.364_624_251_592_784 * sd / 8f64.sqrt());
    }

    #[test]
    fn one_value_has_no_spread_and_equal_values_have_none() {
        let one = of(&[3.0], 0.95).unwrap();
        assert_eq!((one.mean, one.sd, one.cv, one.interval), (3.0, None, None, None));
        let equal = of(&[0.1, 0.1, 0.1], 0.95).unwrap();
        assert_eq!((equal.mean, equal.sd, equal.interval), (0.1, Some(0.0), Some((0.1, 0.1))));
        assert!(of(&[], 0.95).is_err() && of(&[f64::NAN], 0.95).is_err());
    }
}
