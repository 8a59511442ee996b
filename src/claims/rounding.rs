//! A number -> its text. Rounding happens here and nowhere else, in decimal, from the value's exact expansion.

/// Where a number's last digit stands: 2 is hundredths, 0 units, -1 tens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimals(pub i32);

impl Decimals {
    /// So that `x` has `digits` significant digits after rounding; `None` for zero and for what is not finite.
    pub fn significant(x: f64, digits: i32) -> Option<Self> {
        if x == 0.0 || !x.is_finite() {
            return None;
        }
        // Formatting rounds first: 0.0996 to two digits is 1.0e-1, whose exponent is the one that is wanted.
        let scientific = format!("{:.*e}", (digits - 1).max(0) as usize, x);
        let exponent: i32 = scientific.split_once('e')?.1.parse().ok()?;
        Some(Decimals(digits - 1 - exponent))
    }

    /// A mean is known to about its standard error: two significant digits of that; without one, four of the value.
    pub fn of_mean(mean: f64, se: Option<f64>) -> Self {
        let by_error = se.and_then(|se| Decimals::significant(se, 2));
        by_error.or_else(|| Decimals::significant(mean, 4)).unwrap_or(Decimals(0))
    }
}

/// `x` with its last digit at `decimals`.
pub fn text(x: f64, Decimals(decimals): Decimals) -> String {
    if decimals >= 0 {
        let text = format!("{x:.*}", decimals as usize);
        // A rounded zero has no sign.
        return if text.trim_start_matches('-').chars().all(|c| "0.".contains(c)) {
            text.replace('-', "")
        } else {
            text
        };
    }
    let unit = 10f64.powi(-decimals);
    format!("{:.0}", (x / unit).round() * unit)
}

/// `x` to `digits` significant digits.
pub fn significant(x: f64, digits: i32) -> String {
    text(x, Decimals::significant(x, digits).unwrap_or(Decimals(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_keeps_two_digits_of_its_error() {
        let mean = |mean, se| text(mean, Decimals::of_mean(mean, Some(se)));
        assert_eq!(mean(2.6812, 0.0937), "2.681");
        assert_eq!(mean(51.8573, 1.35), "51.9");
        assert_eq!(mean(12345.6, 230.0), "12350");
        assert_eq!(mean(9.9951, 0.0996), "10.00");
        assert_eq!(mean(1.0, 0.0), "1.000");
        assert_eq!(text(128.0, Decimals::of_mean(128.0, None)), "128.0");
    }

    #[test]
    fn significant_digits_at_the_edges() {
        assert_eq!(significant(0.25649, 2), "0.26");
        assert_eq!(significant(0.0996, 2), "0.10");
        assert_eq!(significant(9.996, 3), "10.0");
        assert_eq!(significant(0.0, 2), "0");
        assert_eq!(significant(1e-9, 2), "0.0000000010");
        assert_eq!(significant(123_456_789.0, 2), "120000000");
        assert_eq!(text(-0.0004, Decimals(2)), "0.00");
        // Binary 1.005 lies below the tie, 0.5 and 2.5 are ties and go to even.
        assert_eq!([text(1.005, Decimals(2)), text(0.5, Decimals(0)), text(2.5, Decimals(0))], ["1.00", "0", "2"]);
    }
}
