//! What requests wait for at each load: time to the first token and to the whole text, against the requests that were served a second, on
//! logarithmic scales, since systems and loads differ by orders of magnitude. A line joins the levels of a system.

use anyhow::Result;

use super::{
    Labels,
    data::{Data, percent},
    scale::{Tick, number},
    scene::{Along, Arrange, Axis, Key, Mark, Panel, Sample, Scene, Stroke},
};
use crate::{
    analysis::{RunMetrics, Stats, Summary, stats},
    factor::{AT_ONCE, PER_SECOND},
    metric::Metric,
};

/// Does a load vary?
pub fn has(summary: &Summary) -> bool {
    load(summary).is_some()
}

fn load(summary: &Summary) -> Option<usize> {
    let is_load = |place: &usize| [AT_ONCE, PER_SECOND].contains(&summary.factors[*place].name.as_str());
    summary.varying().into_iter().find(is_load)
}

/// The runs of a system at a load.
struct Point<'a> {
    runs: Vec<&'a RunMetrics>,
}

impl Point<'_> {
    fn of(&self, metric: Metric, confidence: f64) -> Result<Option<Stats>> {
        let values: Option<Vec<f64>> = self.runs.iter().map(|run| run.value(metric)).collect();
        values.map(|values| stats::of(&values, confidence)).transpose()
    }
}

/// Points by system: what else is compared tells systems apart; what is crossed is averaged over.
fn systems<'a>(summary: &'a Summary, load: usize) -> Vec<(String, Vec<Point<'a>>)> {
    let others: Vec<usize> = summary.compared().into_iter().filter(|place| *place != load).collect();
    let place = |run: &RunMetrics| -> Vec<usize> {
        others.iter().map(|factor| summary.grid.cells[run.cell][*factor]).collect()
    };
    let mut places: Vec<Vec<usize>> = summary.runs.iter().map(place).collect();
    places.sort();
    places.dedup();
    let said = |levels: &Vec<usize>| {
        let label = |(factor, level): (&usize, &usize)| summary.factors[*factor].levels[*level].label.clone();
        others.iter().zip(levels).map(label).collect::<Vec<_>>().join(", ")
    };
    let points = |levels: &Vec<usize>| {
        let at = |level: usize| {
            let is_there = |run: &&RunMetrics| summary.grid.cells[run.cell][load] == level && place(run) == *levels;
            Point { runs: summary.runs.iter().filter(is_there).collect() }
        };
        (0..summary.factors[load].levels.len()).map(at).filter(|point| !point.runs.is_empty()).collect()
    };
    places.iter().map(|levels| (said(levels), points(levels))).collect()
}

pub fn scene(data: &Data, labels: &Labels) -> Result<Scene> {
    let summary = data.summary;
    let systems = systems(summary, load(summary).unwrap_or_default());
    let mut panels = Vec::new();
    for (metric, heading) in [(Metric::TtftFromText, "First token"), (Metric::WarmLatency, "Whole answer")] {
        panels.extend(panel(&systems, metric, heading, labels.confidence)?);
    }
    let named = systems.iter().enumerate().filter(|(_, (name, _))| !name.is_empty());
    let mut keys: Vec<Key> = named.map(|(place, (name, _))| Key::new(Sample::Curve(place), name.clone())).collect();
    keys.push(Key::new(Sample::Interval, format!("{} % intervals over runs", percent(labels.confidence))));
    Ok(Scene {
        title: "Times of requests against the requests served a second".to_owned(),
        arrange: Arrange::Row,
        height: 170.0,
        panels,
        key_title: String::new(),
        keys,
        notice: labels.not_a_measurement.clone(),
    })
}

/// `None` where some run lacks the metric.
fn panel(
    systems: &[(String, Vec<Point<'_>>)],
    metric: Metric,
    heading: &str,
    confidence: f64,
) -> Result<Option<Panel>> {
    let mut at = Vec::new();
    for (place, (_, points)) in systems.iter().enumerate() {
        for point in points {
            let rate = point.of(Metric::RequestRate, confidence)?;
            let Some((rate, value)) = rate.zip(point.of(metric, confidence)?) else { return Ok(None) };
            at.push((place, rate, value));
        }
    }
    let x = powers("requests served a second", at.iter().map(|(_, rate, _)| rate));
    let y = powers("s", at.iter().map(|(_, _, value)| value));
    let mut marks = Vec::new();
    for place in 0..systems.len() {
        let own: Vec<&(usize, Stats, Stats)> = at.iter().filter(|(of, ..)| *of == place).collect();
        let points = own.iter().map(|(_, rate, value)| (log(rate.mean), log(value.mean))).collect::<Vec<_>>();
        marks.push(Mark::Line { points: points.clone(), stroke: Stroke::Level(place) });
        for (_, rate, value) in own {
            let (reach, level) = (0.0, Some(place));
            if let Some(interval) = inside(value, &y) {
                marks.push(Mark::Interval { along: Along::Y, at: log(rate.mean), reach, interval, level });
            }
            if let Some(interval) = inside(rate, &x) {
                marks.push(Mark::Interval { along: Along::X, at: log(value.mean), reach, interval, level });
            }
        }
        let dots = points.into_iter().map(|(x, y)| (x, y, place)).collect();
        marks.push(Mark::Dots { dots, runs: Vec::new() });
    }
    Ok(Some(Panel { heading: heading.to_owned(), x, y, weight: 1.0, marks }))
}

#[allow(clippy::disallowed_methods, reason = "a position on the page, rounded to hundredths of a point")]
fn log(value: f64) -> f64 {
    value.max(f64::MIN_POSITIVE).log10()
}

/// Powers of ten around the means.
fn powers<'a>(label: &str, stats: impl Iterator<Item = &'a Stats>) -> Axis {
    let logs: Vec<f64> = stats.map(|stats| log(stats.mean)).collect();
    let (low, high) =
        logs.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| (low.min(*at), high.max(*at)));
    let (floor, top) = ((low - 0.1).floor() as i32, (high + 0.1).ceil() as i32);
    let tick = |power: i32| Tick { at: f64::from(power), text: number(10f64.powi(power), (-power).max(0) as usize) };
    Axis {
        label: label.to_owned(),
        range: (f64::from(floor), f64::from(top)),
        ticks: (floor..=top).map(tick).collect(),
        levels: false,
        ragged: false,
        shown: true,
    }
}

/// An interval as far as the axis shows it: zero has no place there.
fn inside(stats: &Stats, axis: &Axis) -> Option<(f64, f64)> {
    let (low, high) = stats.interval?;
    let end = |at: f64| log(at).clamp(axis.range.0, axis.range.1);
    (high > 0.0).then(|| (if low > 0.0 { end(low) } else { axis.range.0 }, end(high)))
}
