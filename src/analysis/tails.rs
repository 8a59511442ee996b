//! Quantiles and tail areas of t, F and chi-squared, on statrs. Tail areas keep their relative precision however small.

use anyhow::{Context, Result};
use statrs::{
    distribution::{ChiSquared, Continuous, ContinuousCDF, StudentsT},
    function::beta::checked_beta_reg,
};

/// Student's t such that `confidence` of the distribution lies within plus or minus it.
///
/// # Errors
/// Degrees of freedom that are not positive.
pub fn quantile_t(confidence: f64, degrees: f64) -> Result<f64> {
    let distribution = StudentsT::new(0.0, 1.0, degrees).context("Student's t needs positive degrees of freedom")?;
    let mut t = distribution.inverse_cdf(0.5 + confidence / 2.0);
    // statrs inverts to 1e-10 for the degrees of a small study and to 1e-4 for a million; Newton's steps do the rest.
    for _ in 0..3 {
        let above = above_t(t, degrees).context("Student's t needs positive degrees of freedom")?;
        t += (above - (0.5 - confidence / 2.0)) / distribution.pdf(t);
    }
    Ok(t)
}

/// The value below which `share` of chi-squared lies.
///
/// # Errors
/// Degrees of freedom that are not positive.
pub fn quantile_chi_squared(share: f64, degrees: f64) -> Result<f64> {
    let chi_squared = ChiSquared::new(degrees).context("chi-squared needs positive degrees of freedom")?;
    Ok(chi_squared.inverse_cdf(share))
}

/// P(T > t).
pub fn above_t(t: f64, degrees: f64) -> Option<f64> {
    if t.is_infinite() {
        return Some(if t > 0.0 { 0.0 } else { 1.0 });
    }
    let half = 0.5 * checked_beta_reg(degrees / 2.0, 0.5, degrees / (degrees + t * t)).ok()?;
    Some(if t > 0.0 { half } else { 1.0 - half })
}

/// P(|T| > |t|).
pub fn beyond_t(t: f64, degrees: f64) -> Option<f64> {
    above_t(t.abs(), degrees).map(|tail| 2.0 * tail)
}

/// P(F > f).
pub fn above_f(f: f64, between: f64, within: f64) -> Option<f64> {
    if f.is_infinite() {
        return Some(0.0);
    }
    // statrs' own upper tail begins with a difference from 1, which loses small ones.
    checked_beta_reg(within / 2.0, between / 2.0, within / (between * f + within)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 1e-9, "{found:e} for {expected:e}");
    }

    /// scipy.stats.t.ppf at three places.
    #[test]
    fn quantiles_of_t() {
        close(quantile_t(0.95, 2.0).unwrap(), 4.302_652_729_749_462);
        close(quantile_t(0.95, 36.0).unwrap(), 2.028_094_000_980_450_2);
        close(quantile_t(0.99, 10.0).unwrap(), 3.169_272_672_616_95);
        close(quantile_t(0.95, 1e6).unwrap(), 1.959_966_356_814_107);
        assert!(quantile_t(0.95, 0.0).is_err() && quantile_chi_squared(0.5, 0.0).is_err());
    }

    #[test]
    fn tails_at_their_ends() {
        assert_eq!((above_t(f64::INFINITY, 3.0), above_t(f64::NEG_INFINITY, 3.0)), (Some(0.0), Some(1.0)));
        assert_eq!((above_f(f64::INFINITY, 2.0, 3.0), above_f(0.0, 2.0, 3.0)), (Some(0.0), Some(1.0)));
        close(above_t(0.0, 3.0).unwrap(), 0.5);
        close(above_f(1e12, 4.0, 36.0).unwrap(), 2.851_798_070_156_68e-198);
        close(above_t(7.0, 1000.0).unwrap(), 2.343_751_283_385_720_3e-12);
    }
}
