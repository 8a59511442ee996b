//! What requests wait for at each load: time to the first token, time to the whole text and the rate after the first, against the
//! requests that were served a second. A line joins the levels of a system.

use anyhow::Result;

use super::{
    Labels,
    data::{Data, percent},
    scale::{rate_unit, time_unit},
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
    for (metric, heading) in [
        (Metric::TtftFromText, "First token"),
        (Metric::WarmLatency, "Whole answer"),
        (Metric::Decode, "Rate after the first"),
    ] {
        panels.extend(panel(&systems, metric, heading, labels.confidence)?);
    }
    let named = systems.iter().enumerate().filter(|(_, (name, _))| !name.is_empty());
    let mut keys: Vec<Key> = named.map(|(place, (name, _))| Key::new(Sample::Curve(place), name.clone())).collect();
    keys.push(Key::new(Sample::Interval, format!("{} % intervals over runs", percent(labels.confidence))));
    Ok(Scene {
        title: "Times and rates of requests against the requests served a second".to_owned(),
        arrange: Arrange::Row,
        height: 150.0,
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
    let largest = |of: fn(&(usize, Stats, Stats)) -> &Stats| {
        at.iter()
            .map(of)
            .map(|stats| stats.interval.map_or(stats.mean, |(_, high)| high.min(2.0 * stats.mean)))
            .fold(0.0, f64::max)
    };
    let top = largest(|(_, _, value)| value);
    let unit = if metric.is_rate() { rate_unit(top) } else { time_unit(top) };
    let x = Axis::about("requests served a second", 0.0, 1.05 * largest(|(_, rate, _)| rate), 4);
    let y = Axis::numbers(unit.name.to_owned(), 0.0, 1.05 * top * unit.factor);
    let mut marks = Vec::new();
    for place in 0..systems.len() {
        let own: Vec<&(usize, Stats, Stats)> = at.iter().filter(|(of, ..)| *of == place).collect();
        let points = own.iter().map(|(_, rate, value)| (rate.mean, value.mean * unit.factor)).collect::<Vec<_>>();
        marks.push(Mark::Line { points: points.clone(), stroke: Stroke::Level(place) });
        for (_, rate, value) in own {
            let reach = 0.0;
            let (middle, level) = (value.mean * unit.factor, Some(place));
            if let Some((low, high)) = value.interval {
                let interval = (low.max(0.0) * unit.factor, (high * unit.factor).min(y.range.1));
                marks.push(Mark::Interval { along: Along::Y, at: rate.mean, reach, interval, level });
            }
            if let Some((low, high)) = rate.interval {
                let interval = (low.max(0.0), high.min(x.range.1));
                marks.push(Mark::Interval { along: Along::X, at: middle, reach, interval, level });
            }
        }
        let dots = points.into_iter().map(|(x, y)| (x, y, place)).collect();
        marks.push(Mark::Dots { dots, runs: Vec::new() });
    }
    Ok(Some(Panel { heading: heading.to_owned(), x, y, weight: 1.0, marks }))
}
