//! Statistics of one set of numbers against each other: order, the deviation's bound, the coefficient of variation.

use std::iter;

use super::Paper;
use crate::lint::{
    label::Stat,
    number::{Stated, show},
    readings::Reading,
    report::{Out, Said, Sure},
    sentence::Sentence,
    words::contains_any,
};

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    // A coefficient that is a mean of others is another.
    let averaged = |sentence: &Sentence<'_>| {
        contains_any(&sentence.lower, "cv|coefficient of variation")
            && contains_any(&sentence.lower, "pooled|daily|within each|mean of|per-day|average|root mean square")
    };
    let own = paper.paragraphs.iter().flat_map(|paragraph| &paragraph.sentences).any(averaged);
    for table in &paper.readings {
        let mut found = Vec::new();
        let transposed = table
            .readings
            .iter()
            .any(|reading| reading.stat != table.readings[0].stat && reading.column == table.readings[0].column);
        // The statistics of one quantity: a row, or a column of the transpose.
        let keys: Vec<usize> = if transposed { table.columns() } else { (0..table.source.rows.len()).collect() };
        for key in keys {
            // A gain at each percentile is no percentile.
            if !transposed && compares(table.label(key)) {
                continue;
            }
            let here: Vec<&Reading> = if transposed {
                table.readings.iter().filter(|reading| reading.column == key).collect()
            } else {
                table.row(key).collect()
            };
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
                    &mut found,
                );
            }
        }
        // Columns called `mean` and `max` may be functions, and a percentile of rates may count from the top: then no row is in order.
        let disordered = found.iter().filter(|said: &&Said| said.rule == "order").map(|said| said.place);
        let disordered: std::collections::BTreeSet<_> = disordered.collect();
        let other = disordered.len() >= 2 && disordered.len() == table.source.rows.len();
        let said = found.into_iter().filter(|said| !(other && said.rule == "order" || own && said.rule == "cv"));
        said.for_each(|said| out.push(said));
    }
}

/// A row of changes or ratios between the others.
fn compares(label: &str) -> bool {
    let lower = label.to_lowercase();
    contains_any(
        &lower,
        "improvement|speedup|speed-up|ratio|change|gain|diff|delta|reduction|increase|overhead| vs|relative|saving|δ|slowdown",
    )
}

/// The statistics of one set.
fn set(readings: &[&Reading], found: &mut Vec<Said>) {
    let one = |stat: Stat| {
        let mut found = readings.iter().copied().filter(|reading| reading.stat == stat);
        let first = found.next();
        if found.next().is_some() { None } else { first }
    };
    let n = one(Stat::Count).map(|count| count.value.value).filter(|n| *n >= 2.0);
    order(readings, &one, found);
    let mean = one(Stat::Mean).or_else(|| one(Stat::Value));
    if let (Some(sd), Some(min), Some(max)) = (one(Stat::Sd), one(Stat::Min), one(Stat::Max)) {
        deviation(sd, min, max, one(Stat::Mean), n, found);
    }
    if let (Some(cv), Some(sd), Some(mean)) = (one(Stat::Cv), one(Stat::Sd), mean)
        && mean.value.low() > 0.0
        && sd.value.low() >= 0.0
    {
        let follows = as_deviation(sd).interval().over(mean.value.interval());
        let Some(follows) = follows else { return };
        if !cv.as_ratio().interval().meets(follows) {
            found.push(Said {
                place: cv.place,
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
    let Stated { value, half, .. } = sd.value;
    let rounded = |unit: &f64| value.abs() >= 10.0 * unit && value % unit == 0.0;
    let tens = iter::successors(Some(10.0), |unit| Some(unit * 10.0)).take_while(rounded).last();
    match tens {
        Some(unit) if half == 0.5 => Stated { half: unit / 2.0, ..sd.value },
        _ => sd.value,
    }
}

/// min <= p1 <= ... <= median <= ... <= p99 <= max, and the mean between min and max.
fn order<'a>(readings: &[&'a Reading], one: &impl Fn(Stat) -> Option<&'a Reading>, found: &mut Vec<Said>) {
    let rank = |reading: &&Reading| match reading.stat {
        Stat::Min => Some(0),
        Stat::P(p) => Some(p * 10),
        Stat::Median => Some(500),
        Stat::Max => Some(1000),
        _ => None,
    };
    let mut chain: Vec<(u32, &Reading)> = readings.iter().copied().filter_map(|r| Some((rank(&r)?, r))).collect();
    // `P1` and `P2` are degrees, policies, people.
    const PERCENTILES: [u32; 12] = [1, 5, 10, 20, 25, 75, 80, 90, 95, 98, 99, 50];
    let percentiles = |reading: &Reading| matches!(reading.stat, Stat::P(p) if !PERCENTILES.contains(&p));
    let large = chain.iter().any(|(_, r)| matches!(r.stat, Stat::P(p) if p >= 50));
    chain.retain(|(_, reading)| !percentiles(reading) && (large || !matches!(reading.stat, Stat::P(_))));
    chain.sort_by_key(|(rank, _)| *rank);
    let mut pairs: Vec<[&Reading; 2]> =
        chain.windows(2).filter(|pair| pair[0].0 < pair[1].0).map(|pair| [pair[0].1, pair[1].1]).collect();
    if let Some(mean) = one(Stat::Mean) {
        pairs.extend(one(Stat::Min).map(|min| [min, mean]));
        pairs.extend(one(Stat::Max).map(|max| [mean, max]));
    }
    for [lower, upper] in pairs {
        let percent = |reading: &Reading| reading.text.contains('%');
        if percent(lower) == percent(upper) && lower.value.low() > upper.value.high() + 1e-12 {
            found.push(Said {
                place: upper.place,
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
    found: &mut Vec<Said>,
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
        found.push(Said {
            place: sd.place,
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
            found.push(Said {
                place: sd.place,
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
