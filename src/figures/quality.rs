//! What a quantization costs and gives: each level's mean divergence from the reference against its decode rate, and against the memory
//! that it needs. A line joins the levels that no other beats in both.

use anyhow::Result;

use super::{
    Labels,
    data::Data,
    scale::{Tick, number, rate_unit, size_unit},
    scene::{Along, Arrange, Axis, Key, Mark, Panel, Sample, Scene, Stroke},
};
use crate::{
    analysis::{Group, Stats, Summary, quality::Estimate},
    factor::QUANTIZATION,
    metric::Metric,
};

/// Has one model several levels beside the first, and does any of them differ from that?
pub fn has(summary: &Summary) -> bool {
    let one_model = summary.quality.windows(2).all(|pair| pair[0].model == pair[1].model);
    let kls: Vec<f64> = points(summary).iter().filter_map(|point| point.kl).map(|kl| kl.value).collect();
    one_model && kls.len() > 1 && kls.iter().any(|kl| *kl > 0.0)
}

/// A level: its place, its runs, and its divergence; none of the reference.
struct Point<'a> {
    level: usize,
    group: &'a Group,
    kl: Option<Estimate>,
}

fn points(summary: &Summary) -> Vec<Point<'_>> {
    let groups = summary.by(QUANTIZATION).iter().enumerate();
    let found = groups.filter_map(|(level, group)| {
        let of = |key: &Option<String>| key.as_deref() == Some(&group.key);
        let quality = summary.quality.iter().find(|quality| of(&quality.quantization))?;
        Some(Point { level, group, kl: quality.measured.against.as_ref().map(|against| against.kl) })
    });
    found.collect()
}

#[allow(clippy::disallowed_methods, reason = "a position on the page, rounded to hundredths of a point")]
fn log(value: f64) -> f64 {
    value.log10()
}

pub fn scene(data: &Data, labels: &Labels) -> Result<Scene> {
    let summary = data.summary;
    let points = points(summary);
    let kls = || points.iter().filter_map(|point| point.kl).map(|kl| kl.value).filter(|kl| *kl > 0.0);
    let (low, high) = (kls().fold(f64::INFINITY, f64::min), kls().fold(0.0, f64::max));
    // The reference has no place on this scale: it stands on a line of its own below all others.
    let (floor, top) = (log(low).floor() as i32 - 1, log(high).ceil() as i32);
    let tick = |power: i32| Tick {
        at: f64::from(power),
        text: if power == floor { "0".to_owned() } else { number(10f64.powi(power), (-power).max(0) as usize) },
    };
    let y = Axis {
        label: "mean KL divergence (nats)".to_owned(),
        range: (f64::from(floor) - 0.3, f64::from(top) + 0.1),
        ticks: (floor..=top).map(tick).collect(),
        levels: false,
        ragged: true,
        shown: true,
    };
    let place = |kl: Option<Estimate>| kl.filter(|kl| kl.value > 0.0).map_or(f64::from(floor), |kl| log(kl.value));
    let mut panels = Vec::new();
    for (metric, heading) in [(Metric::Decode, "Decode rate"), (Metric::PeakMemory, "Peak memory")] {
        let all: Option<Vec<&Stats>> = points.iter().map(|point| point.group.metrics.get(&metric)).collect();
        let Some(all) = all else { continue };
        let largest = all.iter().map(|stats| stats.max).fold(0.0, f64::max);
        let unit = if metric.is_rate() { rate_unit(largest) } else { size_unit(largest) };
        // Ends between ticks, so that the last does not meet the next panel's first.
        let x = Axis::within(format!("{} ({})", metric.about().label, unit.name), 0.0, 1.08 * largest * unit.factor);
        let at: Vec<(f64, f64)> =
            points.iter().zip(&all).map(|(point, stats)| (stats.mean * unit.factor, place(point.kl))).collect();
        let mut marks = vec![Mark::Line { points: front(&at, metric.is_rate()), stroke: Stroke::Thin }];
        for (point, (x, y)) in points.iter().zip(&at) {
            if let Some((low, high)) = point.kl.and_then(|kl| kl.interval).filter(|(low, _)| *low > 0.0) {
                let interval = (log(low), log(high));
                marks.push(Mark::Interval { along: Along::Y, at: *x, reach: 0.0, interval, level: Some(point.level) });
            }
            marks.push(Mark::Dots { dots: vec![(*x, *y, point.level)], runs: Vec::new() });
        }
        let y = if panels.is_empty() { y.clone() } else { y.clone().hidden() };
        panels.push(Panel { heading: heading.to_owned(), x, y, weight: 1.0, marks });
    }
    let label = |point: &Point<'_>| {
        let factor = summary.factors.iter().find(|factor| factor.name == QUANTIZATION);
        factor.map_or_else(String::new, |factor| factor.levels[point.group.level].label.clone())
    };
    let mut keys: Vec<Key> = points.iter().map(|point| Key::new(Sample::Level(point.level), label(point))).collect();
    keys.push(Key::new(Sample::Line(Stroke::Thin), "no other level is better in both"));
    Ok(Scene {
        title: "Divergence from the reference against decode rate and memory, by quantization".to_owned(),
        arrange: Arrange::Row,
        height: 170.0,
        panels,
        key_title: String::new(),
        keys,
        notice: labels.not_a_measurement.clone(),
    })
}

/// The places that no other beats in both, from the best on the axis on. `more`: larger is better.
fn front(at: &[(f64, f64)], more: bool) -> Vec<(f64, f64)> {
    let better = |a: &(f64, f64), b: &(f64, f64)| {
        let along = if more { a.0 >= b.0 } else { a.0 <= b.0 };
        along && a.1 <= b.1 && a != b
    };
    let mut found: Vec<(f64, f64)> =
        at.iter().filter(|point| !at.iter().any(|other| better(other, point))).copied().collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_is_what_nothing_beats() {
        let at = [(10.0, 0.0), (20.0, 1.0), (15.0, 2.0), (30.0, 3.0)];
        assert_eq!(front(&at, true), [(10.0, 0.0), (20.0, 1.0), (30.0, 3.0)]);
        assert_eq!(front(&at, false), [(10.0, 0.0)]);
    }
}
