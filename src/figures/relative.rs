//! A factor's own figure: every run relative to the first level, within cells that agree in all else. What the other factors do, which
//! would hide the effect of this one, is out of the way; a mean is the effect, its interval is that of the paired differences, and both
//! can be held against the study's margin.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::{
    Labels,
    data::{Data, mean_key, percent, thinning_key},
    scene::{Along, Arrange, Axis, Key, Mark, Panel, Sample, Scene, Stroke},
};
use crate::{
    analysis::{Group, RunMetrics, Summary, stats},
    factor::{LENGTH, Role},
    metric::Metric,
};

/// Characters of a level's name beside the axis.
const LONGEST_NAME: usize = 28;

/// The factors that have such a figure: all that vary, but for the output length, whose figure is the fitted line.
pub fn factors(summary: &Summary) -> Vec<usize> {
    let shown = |place: &usize| summary.factors[*place].name != LENGTH && summary.by[*place].len() > 1;
    summary.varying().into_iter().filter(shown).collect()
}

/// What is shown of a factor: the whole response where it is averaged over, its two phases where it is compared.
fn metrics(role: Role, data: &Data) -> Vec<Metric> {
    let wanted = match role {
        Role::Crossed => &[Metric::Latency, Metric::Throughput][..],
        // At most one of the times to a first token is every run's and a server's.
        Role::Compared if data.has(Metric::TtftFromText) => &[Metric::Decode, Metric::TtftFromText],
        Role::Compared => &[Metric::Decode, Metric::Ttft],
    };
    let found: Vec<Metric> = wanted.iter().copied().filter(|metric| data.has(*metric)).collect();
    if found.is_empty() { vec![Metric::Latency] } else { found }
}

pub fn scene(data: &Data, labels: &Labels, place: usize) -> Result<Scene> {
    let (factor, groups) = (&data.summary.factors[place], &data.summary.by[place]);
    let reference = groups.first().context("figures: a factor without levels")?;
    let margin = 100.0 * labels.equivalence_margin;
    let both: Vec<(Metric, BTreeMap<u32, f64>)> = metrics(factor.role, data)
        .into_iter()
        .map(|metric| (metric, relative(data, place, reference, metric)))
        .collect();
    let all = || both.iter().flat_map(|(_, differences)| differences.values());
    let low = all().fold(-1.2 * margin, |low, difference| low.min(*difference));
    let high = all().fold(1.2 * margin, |high, difference| high.max(*difference));
    // What is averaged over is expected around nothing, so its axis is the same on both sides.
    let (low, high) = match factor.role {
        Role::Crossed => (-high.max(-low), high.max(-low)),
        Role::Compared => (low, high),
    };
    // A name may be longer than the figure is high.
    let said = Some(factor.say(&factor.levels[reference.level])).filter(|said| said.chars().count() <= LONGEST_NAME);
    let said = said.unwrap_or_else(|| "the first level".to_owned());
    let y = Axis::numbers(format!("relative to {said} (%)"), low, high);

    let mut panels = Vec::new();
    for (metric, differences) in &both {
        let x = Axis::levels(factor.axis(), groups.iter().map(|group| group.key.as_str()));
        let y = if panels.is_empty() { y.clone() } else { y.clone().hidden() };
        let (low, high) = x.range;
        let mut marks = vec![
            Mark::Band { lower: vec![(low, -margin), (high, -margin)], upper: vec![(low, margin), (high, margin)] },
            Mark::Line { points: vec![(low, 0.0), (high, 0.0)], stroke: Stroke::Thin },
        ];
        for (index, group) in groups.iter().enumerate() {
            let at = index as f64;
            let of = |run: &RunMetrics| differences.get(&run.run).copied();
            marks.push(Mark::Swarm { along: Along::Y, lane: (at - 0.44, at + 0.16), dots: data.dots(group, of) });
            // At the reference every paired difference is zero: there is no effect to estimate.
            if index > 0 {
                marks.extend(effect(data, place, group, differences, labels.confidence, at)?);
            }
        }
        panels.push(Panel { heading: metric.about().label.to_owned(), x, y, weight: 1.0, marks });
    }
    let mut keys = data.length_keys();
    keys.push(mean_key(labels.confidence));
    keys.extend(thinning_key(groups));
    keys.push(Key::new(Sample::Band, format!("±{} % margin", percent(labels.equivalence_margin))));
    Ok(Scene {
        title: "Every run relative to the first level of the factor, within cells that agree in all else".to_owned(),
        arrange: Arrange::Row,
        height: 130.0,
        panels,
        key_title: "output tokens:".into(),
        keys,
        notice: labels.not_a_measurement.clone(),
    })
}

/// Each run's difference from the mean of the cell that it shares all but this factor with, at the reference, in percent of that mean.
/// A run without such a cell has nothing to be compared with.
fn relative(data: &Data, place: usize, reference: &Group, metric: Metric) -> BTreeMap<u32, f64> {
    let grid = &data.summary.grid;
    let value = |run: &RunMetrics| run.value(metric).unwrap_or(f64::NAN);
    let mut base: BTreeMap<Vec<usize>, Vec<f64>> = BTreeMap::new();
    for run in reference.runs.iter().filter_map(|run| data.runs.get(run)) {
        base.entry(grid.others(run.cell, place)).or_default().push(value(run));
    }
    let base: BTreeMap<Vec<usize>, f64> = base.into_iter().map(|(others, values)| (others, mean(&values))).collect();
    let difference = |run: &RunMetrics| {
        let base = *base.get(&grid.others(run.cell, place))?;
        (base > 0.0).then(|| 100.0 * (value(run) / base - 1.0))
    };
    data.runs.values().filter_map(|run| Some((run.run, difference(run)?))).collect()
}

/// The mean over cells of a level's difference, with the interval of paired differences.
fn effect(
    data: &Data,
    place: usize,
    group: &Group,
    differences: &BTreeMap<u32, f64>,
    confidence: f64,
    at: f64,
) -> Result<Option<Mark>> {
    let mut cells: BTreeMap<Vec<usize>, Vec<f64>> = BTreeMap::new();
    for (id, run) in group.runs.iter().filter_map(|run| data.runs.get_key_value(run)) {
        if let Some(difference) = differences.get(id) {
            cells.entry(data.summary.grid.others(run.cell, place)).or_default().push(*difference);
        }
    }
    if cells.is_empty() {
        return Ok(None);
    }
    let means: Vec<f64> = cells.values().map(|differences| mean(differences)).collect();
    let stats = stats::of(&means, confidence)?;
    Ok(Some(Mark::Mean { along: Along::Y, at: at + 0.31, reach: 0.15, mean: stats.mean, interval: stats.interval }))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
