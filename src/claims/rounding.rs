//! A number -> its text. Rounding happens here and nowhere else, in decimal, from the value's exact expansion: half goes to
//! even, and only a value that is exactly half is half.

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
        Some(Decimals(digits - 1 - exponent(x, (digits - 1).max(0) as usize)))
    }

    /// A mean is known to about its standard error: two significant digits of that; without one, four of the value.
    pub fn of_mean(mean: f64, se: Option<f64>) -> Self {
        let by_error = se.and_then(|se| Decimals::significant(se, 2));
        by_error.or_else(|| Decimals::significant(mean, 4)).unwrap_or(Decimals(0))
    }
}

/// The power of ten of `x`, rounded to `after` digits after the first.
fn exponent(x: f64, after: usize) -> i32 {
    let scientific = format!("{x:.after$e}");
    scientific.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0)
}

/// `x` with its last digit at `decimals`.
pub fn text(x: f64, Decimals(decimals): Decimals) -> String {
    let text =
        if decimals >= 0 { format!("{x:.*}", decimals as usize) } else { whole(x, decimals.unsigned_abs() as usize) };
    // A rounded zero has no sign.
    if text.trim_start_matches('-').chars().all(|c| "0.".contains(c)) { text.replace('-', "") } else { text }
}

/// `x` with `zeros` rounded digits before its point.
fn whole(x: f64, zeros: usize) -> String {
    let shown = exact_exponent(x) - zeros as i32;
    let Ok(after) = usize::try_from(shown) else {
        // The first digit stands right of the last place: at most one unit of that is left.
        let one = x.abs() > 5.0 * 10f64.powi(zeros as i32 - 1);
        return if one { format!("{}1{}", if x < 0.0 { "-" } else { "" }, "0".repeat(zeros)) } else { "0".to_owned() };
    };
    let scientific = format!("{x:.after$e}");
    let (digits, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let zeros = power.parse::<usize>().unwrap_or(0).saturating_sub(after);
    format!("{}{}", digits.replace('.', ""), "0".repeat(zeros))
}

/// The power of ten of the first digit of `x`, which is finite.
fn exact_exponent(x: f64) -> i32 {
    // 17 digits tell any two numbers apart, so they never round up to another power.
    exponent(x, 17)
}

/// `x` to `digits` significant digits.
pub fn significant(x: f64, digits: i32) -> String {
    text(x, Decimals::significant(x, digits).unwrap_or(Decimals(0)))
}

/// A share in percent: one decimal, or two significant digits below a tenth.
pub fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent.abs() < 0.1 { significant(percent, 2) } else { text(percent, Decimals(1)) }
}

/// A p value with its relation: `= 0.012`, `< 0.0001`.
pub fn p_value(p: f64) -> String {
    if p < 1e-4 { "< 0.0001".to_owned() } else { format!("= {}", significant(p, 2)) }
}

/// A share near 1, to two significant digits of what it lacks, at most six decimals.
pub fn near_one(share: f64) -> String {
    if share == 1.0 {
        return "1".to_owned();
    }
    let Decimals(decimals) = Decimals::significant(1.0 - share, 2).unwrap_or(Decimals(6));
    text(share, Decimals(decimals.clamp(2, 6)))
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
        assert_eq!(mean(1.4, 1200.0), "0");
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
        assert_eq!(significant(9.99e22, 2), format!("10{}", "0".repeat(22)));
        assert_eq!(significant(1e300, 3), format!("1{}", "0".repeat(300)));
        assert_eq!(significant(5e-324, 1), format!("0.{}5", "0".repeat(323)));
        assert_eq!(text(-0.0004, Decimals(2)), "0.00");
    }

    #[test]
    fn only_an_exact_half_is_a_tie_and_it_goes_to_even() {
        // 9.995 and 1.005 lie below the tie in binary, 0.5, 2.5 and 0.125 are ties.
        assert_eq!([text(9.995, Decimals(2)), text(1.005, Decimals(2))], ["9.99", "1.00"]);
        assert_eq!([text(0.5, Decimals(0)), text(2.5, Decimals(0)), text(0.125, Decimals(2))], ["0", "2", "0.12"]);
        // The same left of the point: 12345 and 12355 to tens, 25 and 35 to tens, 50, 51 and 49 to hundreds.
        let at = |x: f64, zeros: i32| text(x, Decimals(-zeros));
        assert_eq!([at(12345.0, 1), at(12355.0, 1), at(25.0, 1), at(35.0, 1)], ["12340", "12360", "20", "40"]);
        assert_eq!([at(50.0, 2), at(51.0, 2), at(49.0, 2), at(-51.0, 2), at(4.0, 2)], ["0", "100", "0", "-100", "0"]);
        assert_eq!(
            [at(95.0, 1), at(96.0, 1), at(995.0, 1), at(-996.0, 1), at(0.0, 1)],
            ["100", "100", "1000", "-1000", "0"]
        );
    }

    #[test]
    fn shares_and_p_values() {
        assert_eq!([percent(0.9127), percent(0.000_34), percent(0.0), percent(1.0)], ["91.3", "0.034", "0", "100.0"]);
        assert_eq!([p_value(0.0123), p_value(1e-9), p_value(1.0)], ["= 0.012", "< 0.0001", "= 1.0"]);
        assert_eq!([near_one(0.998_712), near_one(1.0), near_one(0.3)], ["0.9987", "1", "0.30"]);
    }
}
