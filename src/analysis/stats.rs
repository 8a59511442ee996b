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

/// Quantiles at `shares`, which ascend (definition 8 of Hyndman and Fan 1996: the least dependent on the distribution). As statrs computes
/// them; each is looked for above the one before, which halves the work of a report.
pub fn quantiles<const N: usize>(mut values: Vec<f64>, shares: [f64; N]) -> [f64; N] {
    let mut above = 0;
    shares.map(|share| {
        let n = values.len();
        let place = (n as f64 + 1.0 / 3.0) * share + 1.0 / 3.0;
        let rank = place as usize;
        if n == 0 || !(0.0..=1.0).contains(&share) {
            f64::NAN
        } else if rank == 0 || share == 0.0 {
            values.as_slice().min()
        } else if rank >= n || share == 1.0 {
            values.as_slice().max()
        } else {
            let from = above.min(rank - 1);
            let (_, first, rest) = values[from..].select_nth_unstable_by(rank - 1 - from, f64::total_cmp);
            let (first, second) = (*first, rest.iter().copied().min_by(f64::total_cmp).unwrap_or(f64::NAN));
            above = rank - 1;
            first + (place - rank as f64) * (second - first)
        }
    })
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

    /// To the bit what statrs says, for samples of every small size, with ties.
    #[test]
    fn quantiles_are_those_of_statrs() {
        let mut random = crate::random::SplitMix64(8);
        for n in 1..60 {
            let values: Vec<f64> = (0..n).map(|_| random.below(40) as f64 / 7.0).collect();
            let shares = [0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 1.0];
            let mut data = Data::new(values.clone());
            assert_eq!(quantiles(values, shares), shares.map(|share| data.quantile(share)), "{n}");
        }
        assert!(quantiles(Vec::new(), [0.5])[0].is_nan() && quantiles(vec![1.0], [1.5])[0].is_nan());
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
