//! Does a metric change while the study goes on? The slope of runs on their place in the execution, within cells, so that
//! what the factors do drops out.

use anyhow::Result;

use super::{
    observation::{Observation, Replicates, cells, is_rounding, mean, scale},
    tails::{beyond_t, quantile_t},
};

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    pub n: usize,
    /// Runs minus cells minus 1.
    pub degrees: usize,
    /// In the metric's unit a run.
    pub slope: f64,
    pub se: f64,
    /// At the confidence asked for.
    pub interval: (f64, f64),
    /// At 1 - 2 alpha, for a test of equivalence.
    pub narrow: (f64, f64),
    /// Of no slope, two-sided; `None` where nothing scatters.
    pub p: Option<f64>,
    /// Places from the first run to the last.
    pub span: f64,
}

/// The drift; `None` where replicates do not differ in place, or are too few.
///
/// # Errors
/// A confidence outside 0..1.
pub fn of(observations: &[Observation], confidence: f64) -> Result<Option<Drift>> {
    let cells = cells(observations);
    let n = observations.len();
    let mut within = Vec::with_capacity(n);
    for Replicates { runs, mean: y } in cells.values() {
        let x = mean(runs, |run| run.order);
        within.extend(runs.iter().map(|run| (run.order - x, run.value - y)));
    }
    let sxx: f64 = within.iter().map(|(x, _)| x * x).sum();
    if n < cells.len() + 2 || sxx == 0.0 {
        return Ok(None);
    }
    let degrees = n - cells.len() - 1;
    let slope = within.iter().map(|(x, y)| x * y).sum::<f64>() / sxx;
    let residual: f64 = within.iter().map(|(x, y)| (y - slope * x).powi(2)).sum();
    let residual = if is_rounding(residual, n, scale(observations)) { 0.0 } else { residual };
    let se = (residual / degrees as f64 / sxx).sqrt();
    let around = |confidence: f64| -> Result<(f64, f64)> {
        let half = quantile_t(confidence, degrees as f64)? * se;
        Ok((slope - half, slope + half))
    };
    let places = observations.iter().map(|run| run.order);
    let (first, last) = (places.clone().fold(f64::INFINITY, f64::min), places.fold(f64::NEG_INFINITY, f64::max));
    Ok(Some(Drift {
        n,
        degrees,
        slope,
        se,
        interval: around(confidence)?,
        narrow: around(2.0 * confidence - 1.0)?,
        p: if se > 0.0 { beyond_t(slope / se, degrees as f64) } else { None },
        span: last - first,
    }))
}
