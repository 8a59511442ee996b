//! A straight line through runs: least squares of a metric on the tokens generated, and whether a line is enough.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{
    observation::{Observation, centred, is_rounding, mean, scale, value},
    tails::{above_f, quantile_t},
};

/// `value = intercept + slope x tokens`.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub n: usize,
    /// In the metric's unit.
    pub intercept: Coefficient,
    /// In the metric's unit a token.
    pub slope: Coefficient,
    /// Share of the variance that the line explains; `None` when all values are equal.
    pub r2: Option<f64>,
    /// Standard deviation about the line, with n - 2 degrees of freedom.
    pub residual_sd: f64,
    /// Mean number of tokens: where the line is known best.
    pub centre: f64,
    /// Student's t of the intervals.
    pub t: f64,
    pub lack_of_fit: Option<LackOfFit>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coefficient {
    pub estimate: f64,
    pub se: f64,
    /// At the confidence asked for.
    pub interval: (f64, f64),
}

/// Do the means at each number of tokens miss the line by more than runs scatter about those means?
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LackOfFit {
    pub f: f64,
    pub p: f64,
    /// Numbers of tokens minus 2.
    pub degrees: usize,
    /// Runs minus numbers of tokens.
    pub pure_degrees: usize,
    /// The largest distance of such a mean from the line, in the metric's unit.
    pub farthest: f64,
}

impl Line {
    /// The line at a number of tokens, and the interval of the mean there.
    pub fn at(&self, tokens: f64) -> (f64, (f64, f64)) {
        let value = self.intercept.estimate + self.slope.estimate * tokens;
        let of_mean = self.residual_sd / (self.n as f64).sqrt();
        let of_slope = self.slope.se * (tokens - self.centre);
        // Not `hypot`, which is the C library's: a figure is drawn from this.
        let half = self.t * (of_mean * of_mean + of_slope * of_slope).sqrt();
        (value, (value - half, value + half))
    }
}

/// Fits a line; `None` for fewer than three runs or a single number of tokens.
///
/// # Errors
/// A confidence outside 0..1.
pub fn fit(observations: &[Observation], confidence: f64) -> Result<Option<Line>> {
    let n = observations.len();
    let (x_mean, y_mean) = (mean(observations, |run| run.tokens), mean(observations, value));
    let small = centred(observations, y_mean);
    let centred = || small.iter().map(|run| (run.tokens - x_mean, run.value));
    let sxx: f64 = centred().map(|(x, _)| x * x).sum();
    if n < 3 || sxx == 0.0 {
        return Ok(None);
    }
    let size = scale(observations);
    let clean = |sum: f64| if is_rounding(sum, n, size) { 0.0 } else { sum };
    let slope = centred().map(|(x, y)| x * y).sum::<f64>() / sxx;
    let intercept = y_mean - slope * x_mean;
    let residual = clean(centred().map(|(x, y)| (y - slope * x).powi(2)).sum());
    let total = clean(centred().map(|(_, y)| y * y).sum());
    let sd = (residual / (n - 2) as f64).sqrt();
    let t = quantile_t(confidence, (n - 2) as f64)?;
    let coefficient =
        |estimate: f64, se: f64| Coefficient { estimate, se, interval: (estimate - t * se, estimate + t * se) };
    Ok(Some(Line {
        n,
        intercept: coefficient(intercept, sd * (1.0 / n as f64 + x_mean * x_mean / sxx).sqrt()),
        slope: coefficient(slope, sd / sxx.sqrt()),
        r2: (total > 0.0).then(|| 1.0 - residual / total),
        residual_sd: sd,
        centre: x_mean,
        t,
        lack_of_fit: lack_of_fit(&small, size, |x| slope * (x - x_mean)),
    }))
}

/// The residual's two parts, compared; `None` without a third number of tokens, without replicates, or without any scatter.
fn lack_of_fit(observations: &[Observation], size: f64, line: impl Fn(f64) -> f64) -> Option<LackOfFit> {
    // Tokens are whole and not negative, so their bits sort as they do.
    let mut groups: BTreeMap<u64, Vec<Observation>> = BTreeMap::new();
    for run in observations {
        groups.entry(run.tokens.to_bits()).or_default().push(*run);
    }
    let (n, m) = (observations.len(), groups.len());
    if m < 3 || n == m {
        return None;
    }
    let clean = |sum: f64| if is_rounding(sum, n, size) { 0.0 } else { sum };
    let (mut lack, mut pure, mut farthest) = (0.0, 0.0, 0f64);
    for runs in groups.values() {
        let mean = mean(runs, value);
        let distance = mean - line(runs[0].tokens);
        farthest = farthest.max(distance.abs());
        lack += runs.len() as f64 * distance * distance;
        pure += runs.iter().map(|run| (run.value - mean).powi(2)).sum::<f64>();
    }
    let (lack, pure) = (clean(lack), clean(pure));
    if lack == 0.0 && pure == 0.0 {
        return None;
    }
    let (degrees, pure_degrees) = (m - 2, n - m);
    let f = lack / degrees as f64 / (pure / pure_degrees as f64);
    let p = above_f(f, degrees as f64, pure_degrees as f64)?;
    Some(LackOfFit { f, p, degrees, pure_degrees, farthest })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// x 1, 2, 3, 4 with y 2, 4, 5, 8: slope 1.9, intercept 0, residual sum of squares 0.7, t(0.975, 2) = 4.302652729749462.
    #[test]
    fn the_band_is_narrowest_in_the_middle_and_the_intercept_s_interval_at_zero() {
        let run = |(tokens, value)| Observation { cell: 0, block: 1, order: 0.0, tokens, value };
        let line = fit(&[(1.0, 2.0), (2.0, 4.0), (3.0, 5.0), (4.0, 8.0)].map(run), 0.95).unwrap().unwrap();
        let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found} for {expected}");
        let sd = 0.35f64.sqrt();
        let (value, (low, high)) = line.at(2.5);
        close(value, 4.75);
        close(high - low, 2.0 * 4.302_652_729_749_462 * sd / 2.0);
        let (zero, (low, high)) = line.at(0.0);
        close(zero, line.intercept.estimate);
        close(low, line.intercept.interval.0);
        close(high, line.intercept.interval.1);
    }
}
