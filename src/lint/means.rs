//! What goes by the name of a mean: arithmetic, geometric, harmonic, the median; each of intervals, as an interval.

use super::number::Interval;

pub fn arithmetic(values: &[Interval]) -> Interval {
    values.iter().fold(Interval::at(0.0), |sum, value| sum.plus(*value)).scaled(1.0 / values.len() as f64)
}

/// `None` where a value can be zero or less.
#[expect(clippy::disallowed_methods, reason = "held against what is stated within the rounding of its digits")]
pub fn geometric(values: &[Interval]) -> Option<Interval> {
    let of = |end: fn(&Interval) -> f64| {
        (values.iter().map(|value| end(value).ln()).sum::<f64>() / values.len() as f64).exp()
    };
    positive(values).then(|| Interval { low: of(|value| value.low), high: of(|value| value.high) })
}

/// `None` where a value can be zero or less.
pub fn harmonic(values: &[Interval]) -> Option<Interval> {
    let of = |end: fn(&Interval) -> f64| values.len() as f64 / values.iter().map(|value| 1.0 / end(value)).sum::<f64>();
    positive(values).then(|| Interval { low: of(|value| value.low), high: of(|value| value.high) })
}

pub fn median(values: &[Interval]) -> Interval {
    let of = |end: fn(&Interval) -> f64| {
        let mut ends: Vec<f64> = values.iter().map(end).collect();
        ends.sort_by(f64::total_cmp);
        (ends[(ends.len() - 1) / 2] + ends[ends.len() / 2]) / 2.0
    };
    Interval { low: of(|value| value.low), high: of(|value| value.high) }
}

fn positive(values: &[Interval]) -> bool {
    values.iter().all(|value| value.low > 0.0)
}
