//! Intervals of numbers of one's own, at the study's confidence: by the delta method over cells' means, of pairs, of shares.

use std::collections::BTreeMap;

use anyhow::Result;
use statrs::distribution::{ContinuousCDF, Normal};

use super::table::{Column, Table};
use crate::analysis::{stats, tails::quantile_t};

/// Why there is no interval.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lacking {
    pub why: String,
    /// Not for other runs of the same design either.
    pub always: bool,
}

pub(super) type Ends = Result<[f64; 2], Lacking>;

/// A number from cells' means: its standard error to first order, Student's t with Satterthwaite's degrees of freedom (1946).
///
/// # Errors
/// A confidence outside 0..1.
pub(super) fn delta(
    table: &mut Table<'_>,
    value: f64,
    by: &BTreeMap<Column, Vec<f64>>,
    confidence: f64,
) -> Result<Ends> {
    if by.is_empty() {
        return Ok(Err(Lacking { why: "no run is behind it that could scatter".to_owned(), always: true }));
    }
    let columns: Vec<Column> = by.keys().copied().collect();
    let moments: Vec<_> = columns.iter().map(|column| table.moments(*column)).collect();
    let mut variances = vec![0.0; table.cells()];
    for (place, one) in columns.iter().enumerate() {
        for other in &columns[place..] {
            let covariance = table.covariance(*one, *other);
            let twice = if one == other { 1.0 } else { 2.0 };
            for (cell, variance) in variances.iter_mut().enumerate() {
                *variance += twice * by[one][cell] * by[other][cell] * covariance[cell];
            }
        }
    }
    let (mut sum, mut fourth) = (0.0, 0.0);
    for (cell, variance) in variances.iter().enumerate() {
        let used = columns.iter().zip(&moments).filter(|(column, _)| by[*column][cell] != 0.0);
        let Some(n) = used.map(|(_, moments)| moments.n[cell]).reduce(f64::min) else { continue };
        if n < 2.0 {
            let why = "a cell of the design has one run alone there, so how far runs scatter is not known".to_owned();
            return Ok(Err(Lacking { why, always: false }));
        }
        // What is left of columns that vary together may lie below zero by its rounding.
        let variance = variance.max(0.0);
        sum += variance;
        fourth += variance * variance / (n - 1.0);
    }
    let degrees = Some(sum * sum / fourth).filter(|degrees| degrees.is_finite() && *degrees > 0.0);
    let half = match degrees {
        Some(degrees) => quantile_t(confidence, degrees)? * sum.sqrt(),
        None => 0.0,
    };
    Ok(Ok([value - half, value + half]))
}

/// The mean of what pairs give, and Student's t interval; of quotients the geometric mean, on logarithms.
///
/// # Errors
/// A value that is not finite; a confidence outside 0..1.
#[allow(clippy::disallowed_methods, reason = "values are compared to 1e-9, texts have few digits")]
pub(super) fn paired(values: &[f64], on_logarithms: bool, confidence: f64) -> Result<(f64, Ends)> {
    let scale = |value: f64| if on_logarithms { value.ln() } else { value };
    let back = |value: f64| if on_logarithms { value.exp() } else { value };
    let found = stats::of(&values.iter().copied().map(scale).collect::<Vec<f64>>(), confidence)?;
    let ends = found.interval.map(|(low, high)| [back(low), back(high)]);
    let ends = ends.ok_or_else(|| Lacking {
        why: "there is one pair alone, so how far pairs differ is not known".to_owned(),
        always: false,
    });
    Ok((back(found.mean), ends))
}

/// Wilson's score interval (1927) for a share of `n` runs.
///
/// # Errors
/// None that a number of runs can cause.
pub(super) fn share(share: f64, n: f64, confidence: f64) -> Result<Ends> {
    let z = Normal::new(0.0, 1.0)?.inverse_cdf(0.5 + confidence / 2.0);
    let (z2, wide) = (z * z / n, (share * (1.0 - share) + z * z / n / 4.0) / n);
    let (centre, half) = (share + z2 / 2.0, z * wide.sqrt());
    // At the ends the formula gives 0 and 1 up to rounding.
    let low = if share == 0.0 { 0.0 } else { (centre - half) / (1.0 + z2) };
    let high = if share == 1.0 { 1.0 } else { (centre + half) / (1.0 + z2) };
    Ok(Ok([low, high]))
}
