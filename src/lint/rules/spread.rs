//! Statistics of one set of numbers against each other: order, the deviation's bound, the coefficient of variation.

use std::iter;

use super::{Finding, Paper};
use crate::lint::{
    Sure,
    number::{Interval, Stated, show},
    quantity::Stat,
    tables::Reading,
};

pub fn check(paper: &Paper<'_>, findings: &mut Vec<Finding>) {
    for table in paper.tables {
        let transposed = table
            .readings
            .iter()
            .any(|reading| reading.stat != table.readings[0].stat && reading.column == table.readings[0].column);
        // The statistics of one quantity: a row, or a column of the transpose.
        let keys: Vec<usize> = if transposed { table.columns() } else { (0..table.source.rows.len()).collect() };
        for key in keys {
            let here: Vec<&Reading> = table
                .readings
                .iter()
                .filter(|reading| if transposed { reading.column == key } else { reading.row == key })
                .collect();
            let mut names: Vec<_> = here.iter().map(|reading| &reading.quantity).collect();
            names.sort();
            names.dedup();
            for name in names {
                set(
                    &here
                        .iter()
                        .copied()
                        .filter(|reading| reading.quantity == *name || reading.stat == Stat::Count)
                        .collect::<Vec<_>>(),
                    findings,
                );
            }
        }
    }
}

/// The statistics of one set.
fn set(readings: &[&Reading], findings: &mut Vec<Finding>) {
    let one = |stat: Stat| {
        let mut found = readings.iter().copied().filter(|reading| reading.stat == stat);
        let first = found.next();
        if found.next().is_some() { None } else { first }
    };
    let n = one(Stat::Count).map(|count| count.value.value).filter(|n| *n >= 2.0);
    order(readings, &one, findings);
    let mean = one(Stat::Mean).or_else(|| one(Stat::Value));
    if let (Some(sd), Some(min), Some(max)) = (one(Stat::Sd), one(Stat::Min), one(Stat::Max)) {
        deviation(sd, min, max, one(Stat::Mean), n, findings);
    }
    if let (Some(cv), Some(sd), Some(mean)) = (one(Stat::Cv), one(Stat::Sd), mean)
        && mean.value.low() > 0.0
        && sd.value.low() >= 0.0
    {
        let follows = Interval::of(as_deviation(sd)).over(Interval::of(mean.value));
        if !Interval::of(cv.as_ratio()).meets(follows) {
            findings.push(Finding {
                line: cv.line,
                rule: "cv",
                sure: Sure::Error,
                stated: format!("coefficient of variation {}", cv.text),
                follows: format!("{} / {} = {}", sd.text, mean.text, show(sd.value.value / mean.value.value)),
                why: "the coefficient of variation is the standard deviation divided by the mean".into(),
            });
        }
    }
}

/// Deviations are often given to two digits, so 220 may be anything that rounds to it so.
fn as_deviation(sd: &Reading) -> Stated {
    let Stated { value, half } = sd.value;
    let rounded = |unit: &f64| value.abs() >= 10.0 * unit && value % unit == 0.0;
    let tens = iter::successors(Some(10.0), |unit| Some(unit * 10.0)).take_while(rounded).last();
    match tens {
        Some(unit) if half == 0.5 => Stated { value, half: unit / 2.0 },
        _ => sd.value,
    }
}

/// min <= p1 <= ... <= median <= ... <= p99 <= max, and the mean between min and max.
fn order<'a>(readings: &[&'a Reading], one: &impl Fn(Stat) -> Option<&'a Reading>, findings: &mut Vec<Finding>) {
    let rank = |reading: &&Reading| match reading.stat {
        Stat::Min => Some(0),
        Stat::P(p) => Some(p * 10),
        Stat::Median => Some(500),
        Stat::Max => Some(1000),
        _ => None,
    };
    let mut chain: Vec<(u32, &Reading)> = readings.iter().copied().filter_map(|r| Some((rank(&r)?, r))).collect();
    chain.sort_by_key(|(rank, _)| *rank);
    let mut pairs: Vec<[&Reading; 2]> =
        chain.windows(2).filter(|pair| pair[0].0 < pair[1].0).map(|pair| [pair[0].1, pair[1].1]).collect();
    if let Some(mean) = one(Stat::Mean) {
        pairs.extend(one(Stat::Min).map(|min| [min, mean]));
        pairs.extend(one(Stat::Max).map(|max| [mean, max]));
    }
    for [lower, upper] in pairs {
        if lower.value.low() > upper.value.high() + 1e-12 {
            findings.push(Finding {
                line: upper.line,
                rule: "order",
                sure: Sure::Error,
                stated: format!("{} {} and {} {}", name(lower.stat), lower.text, name(upper.stat), upper.text),
                follows: format!("the {} cannot exceed the {}", name(lower.stat), name(upper.stat)),
                why: "minimum, percentiles, maximum stand in this order, and the mean lies between minimum and maximum"
                    .into(),
            });
        }
    }
}

/// A sample deviation (ddof = 1) cannot exceed what half the numbers at each end would give (Popoviciu), nor, with the mean
/// known, sqrt(n/(n-1) (max - mean)(mean - min)) (Bhatia and Davis 2000); nor be less than what one number at each end and
/// the rest between them give. An unknown n is taken as the 2 that allows most.
fn deviation(
    sd: &Reading,
    min: &Reading,
    max: &Reading,
    mean: Option<&Reading>,
    n: Option<f64>,
    findings: &mut Vec<Finding>,
) {
    let (lowest, highest) = (min.value.low(), max.value.high());
    let correction = n.map_or(2.0, |n| n / (n - 1.0));
    let mut bound = (highest - lowest) / 2.0 * correction.sqrt();
    if let Some(mean) = mean {
        let middle = (lowest + highest) / 2.0;
        let at = middle.clamp(mean.value.low(), mean.value.high());
        bound = bound.min((correction * (highest - at).max(0.0) * (at - lowest).max(0.0)).sqrt());
    }
    let stated = as_deviation(sd);
    if stated.low() > bound * (1.0 + 1e-9) + 1e-12 && highest >= lowest {
        findings.push(Finding {
            line: sd.line,
            rule: "sd-range",
            sure: Sure::Error,
            stated: format!("standard deviation {}", sd.text),
            follows: format!("at most {}, since all values lie from {} to {}", show(bound), min.text, max.text),
            why: "values within a range cannot deviate more than half of it on average (Popoviciu; Bhatia and Davis)"
                .into(),
        });
    }
    let range = max.value.low() - min.value.high();
    if let Some(n) = n.filter(|_| range > 0.0) {
        let least = range / (2.0 * (n - 1.0)).sqrt();
        if stated.high() < least * (1.0 - 1e-9) {
            findings.push(Finding {
                line: sd.line,
                rule: "sd-range",
                sure: Sure::Error,
                stated: format!("standard deviation {}", sd.text),
                follows: format!("at least {}, since {n} values reach from {} to {}", show(least), min.text, max.text),
                why: "the two extremes alone give that much".into(),
            });
        }
    }
}

fn name(stat: Stat) -> String {
    match stat {
        Stat::Min => "minimum".into(),
        Stat::Max => "maximum".into(),
        Stat::Mean => "mean".into(),
        Stat::Median => "median".into(),
        Stat::P(p) => format!("percentile {p}"),
        _ => "value".into(),
    }
}
