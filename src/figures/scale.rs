//! Axes' numbers: from values in base units to a unit that reads well, round ticks and their labels.
//! Powers of ten are parsed from decimal text, never computed with `powf`, so that every machine gets the same ticks.

/// A displayed unit: `shown = base * factor`.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    pub factor: f64,
    pub name: String,
}

/// The unit for times (base: seconds) of which `largest` is the largest.
pub fn time_unit(largest: f64) -> Unit {
    match largest {
        x if x >= 1.0 => power_unit(x, "s"),
        x if x >= 1e-3 => Unit { factor: 1e3, name: "ms".into() },
        x if x >= 1e-6 => Unit { factor: 1e6, name: "µs".into() },
        x if x > 0.0 => Unit { factor: 1e9, name: "ns".into() },
        _ => Unit { factor: 1.0, name: "s".into() },
    }
}

/// The unit for rates (base: tokens per second) of which `largest` is the largest.
pub fn rate_unit(largest: f64) -> Unit {
    power_unit(largest, "tok/s")
}

/// The unit for sizes (base: bytes) of which `largest` is the largest.
pub fn size_unit(largest: f64) -> Unit {
    let units = [(1_099_511_627_776.0, "TiB"), (1_073_741_824.0, "GiB"), (1_048_576.0, "MiB"), (1024.0, "KiB")];
    match units.into_iter().find(|(size, _)| largest >= *size) {
        Some((size, name)) => Unit { factor: 1.0 / size, name: name.into() },
        None => Unit { factor: 1.0, name: "bytes".into() },
    }
}

/// `name` itself where its numbers are of a length that people read, else a power of a thousand of it.
fn power_unit(largest: f64, name: &str) -> Unit {
    if largest == 0.0 || (0.01..1e5).contains(&largest) {
        return Unit { factor: 1.0, name: name.into() };
    }
    let exponent = exponent(largest).div_euclid(3) * 3;
    Unit { factor: power_of_ten(-exponent), name: format!("{} {name}", power_text(exponent)) }
}

/// A place on an axis, and what stands there.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    pub at: f64,
    pub text: String,
}

/// The smallest range of round numbers around `low..=high`, with a tick on each: about `count` of them.
pub fn ticks(low: f64, high: f64, count: usize) -> ((f64, f64), Vec<Tick>) {
    let step = round_step((high - low) / count as f64);
    // The tolerance keeps 0.30000000000000004 from opening a further step.
    let (first, last) = ((low / step + 1e-9).floor() as i64, (high / step - 1e-9).ceil() as i64);
    let decimals = usize::try_from(-exponent(step)).unwrap_or(0);
    // 2.5 has one digit more than its power of ten.
    let decimals =
        decimals + usize::from((step / power_of_ten(exponent(step)) - 2.5).abs() < 1e-9 && exponent(step) < 1);
    let at = |i: i64| i as f64 * step;
    let ticks = (first..=last).map(|i| Tick { at: at(i), text: number(at(i), decimals) }).collect();
    ((at(first), at(last)), ticks)
}

/// The smallest of 1, 2, 2.5, 5 times a power of ten that is at least `rough`.
pub fn round_step(rough: f64) -> f64 {
    let power = power_of_ten(exponent(rough));
    [1.0, 2.0, 2.5, 5.0, 10.0]
        .iter()
        .map(|m| m * power)
        .find(|step| *step >= rough * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

/// Fixed decimals, a true minus sign, and narrow gaps between thousands from five digits on.
pub fn number(value: f64, decimals: usize) -> String {
    let plain = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = plain.split_once('.').map_or((plain.as_str(), None), |(w, f)| (w, Some(f)));
    let mut text = String::new();
    if value < 0.0 && plain.bytes().any(|b| b.is_ascii_digit() && b != b'0') {
        text.push('−');
    }
    for (i, digit) in whole.chars().enumerate() {
        let left = whole.len() - i;
        if whole.len() > 4 && i > 0 && left % 3 == 0 {
            text.push('\u{2009}');
        }
        text.push(digit);
    }
    if let Some(fraction) = fraction {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

/// The decimal exponent of a positive number: 3 for 1234, -2 for 0.05.
pub fn exponent(value: f64) -> i32 {
    format!("{value:e}").split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0)
}

pub fn power_of_ten(exponent: i32) -> f64 {
    format!("1e{exponent}").parse().unwrap_or(1.0)
}

/// `10⁻⁶`
pub fn power_text(exponent: i32) -> String {
    format!("10{}", exponent.to_string().chars().map(superscript).collect::<String>())
}

fn superscript(digit: char) -> char {
    match digit {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit => digit.to_digit(10).and_then(|d| char::from_u32(0x2070 + d)).unwrap_or(digit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(low: f64, high: f64) -> Vec<String> {
        ticks(low, high, 6).1.into_iter().map(|tick| tick.text).collect()
    }

    #[test]
    fn ticks_are_round_and_enclose_the_data() {
        assert_eq!(texts(0.0, 28.3), ["0", "5", "10", "15", "20", "25", "30"]);
        assert_eq!(texts(0.0, 3.91), ["0", "1", "2", "3", "4"]);
        assert_eq!(texts(0.0, 0.3), ["0.00", "0.05", "0.10", "0.15", "0.20", "0.25", "0.30"]);
        assert_eq!(texts(-2.0, 2.0), ["−2", "−1", "0", "1", "2"]);
        assert_eq!(texts(0.0, 1.35), ["0.00", "0.25", "0.50", "0.75", "1.00", "1.25", "1.50"]);
        assert_eq!(texts(0.0, 14.0), ["0.0", "2.5", "5.0", "7.5", "10.0", "12.5", "15.0"]);
        assert_eq!(
            texts(10_000.0, 90_000.0),
            ["0", "20\u{2009}000", "40\u{2009}000", "60\u{2009}000", "80\u{2009}000", "100\u{2009}000"]
        );
    }

    #[test]
    fn every_range_is_enclosed_by_a_few_ticks() {
        for low in [0.0, 1e-9, 0.37, 2.6, 51.9, 1e6] {
            for span in [1e-9, 1e-3, 0.7, 1.0, 3.3, 99.0, 1e7] {
                let high = low + span;
                let ((first, last), ticks) = ticks(low, high, 6);
                assert!(first <= low + 1e-6 * span && last >= high - 1e-6 * span, "{low}..{high}: {first}..{last}");
                assert!((4..=9).contains(&ticks.len()), "{low}..{high}: {ticks:?}");
            }
        }
    }

    #[test]
    fn units_follow_the_size_of_the_numbers() {
        let names = [28.0, 0.4, 2e-4, 3e-8, 0.0, 2e5, 7e9].map(|x| time_unit(x).name);
        assert_eq!(names, ["s", "ms", "µs", "ns", "s", "10³ s", "10⁹ s"]);
        assert_eq!([51.9, 0.002, 1.2e6].map(|x| rate_unit(x).name), ["tok/s", "10⁻³ tok/s", "10⁶ tok/s"]);
        assert_eq!(time_unit(0.4).factor * 0.4, 400.0);
    }

    #[test]
    fn zero_has_no_sign() {
        assert_eq!(number(-0.0, 1), "0.0");
        assert_eq!(number(-0.04, 1), "0.0");
        assert_eq!(number(-1234.5, 1), "−1234.5");
    }
}
