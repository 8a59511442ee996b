//! `temperature`: every run relative to the lowest temperature, within the same prompt and output length. What length and prompt
//! do, which would hide any effect of temperature, is out of the way; a mean is the effect, its interval is that of the paired
//! differences, and both can be held against the study's margin.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::{
    Labels,
    data::{Data, LATENCY, Metric, THROUGHPUT, mean_key, percent, thinning_key},
    scene::{Along, Arrange, Axis, Key, Mark, Panel, Sample, Scene, Stroke},
};
use crate::analysis::{Group, RunMetrics, stats};

/// Prompt and length: what stays the same while temperature changes.
type Block<'a> = (&'a str, u32);

pub fn scene(data: &Data, labels: &Labels) -> Result<Scene> {
    let groups = &data.summary.by_temperature;
    let reference = groups.first().context("figures: the summary has no temperature")?;
    let margin = 100.0 * labels.equivalence_margin;
    let both = [(LATENCY, "latency"), (THROUGHPUT, "throughput")]
        .map(|(metric, name)| (relative(data, reference, metric), name));
    let all = both.iter().flat_map(|(differences, _)| differences.values());
    let farthest = all.fold(1.2 * margin, |farthest, difference| farthest.max(difference.abs()));
    let y = Axis::numbers(format!("relative to temperature {} (%)", reference.key), -farthest, farthest);

    let mut panels = Vec::new();
    for (differences, heading) in &both {
        let x = Axis::levels("temperature", groups.iter().map(|group| group.key.as_str()));
        let y = if panels.is_empty() { y.clone() } else { y.clone().hidden() };
        let (low, high) = x.range;
        let mut marks = vec![
            Mark::Band { lower: vec![(low, -margin), (high, -margin)], upper: vec![(low, margin), (high, margin)] },
            Mark::Line { points: vec![(low, 0.0), (high, 0.0)], stroke: Stroke::Thin },
        ];
        for (level, group) in groups.iter().enumerate() {
            let at = level as f64;
            let of = |run: &RunMetrics| differences.get(&run.run).copied();
            marks.push(Mark::Swarm { along: Along::Y, lane: (at - 0.44, at + 0.16), dots: data.dots(group, of) });
            // At the reference every paired difference is zero: there is no effect to estimate.
            if level > 0 {
                marks.extend(effect(data, group, differences, labels.confidence, at)?);
            }
        }
        panels.push(Panel { heading, x, y, weight: 1.0, marks });
    }
    let mut keys = data.length_keys();
    keys.push(mean_key(labels.confidence));
    keys.extend(thinning_key(groups));
    keys.push(Key::new(Sample::Band, format!("±{} % margin", percent(labels.equivalence_margin))));
    Ok(Scene {
        title: "Latency and throughput by temperature, relative to the lowest temperature at the same prompt and output length",
        arrange: Arrange::Row,
        height: 130.0,
        panels,
        key_title: "output tokens:".into(),
        keys,
        notice: labels.not_a_measurement.clone(),
    })
}

/// Each run's difference from its block's mean at the reference temperature, in percent of that mean.
/// A run whose block has no run at that temperature has nothing to be compared with.
fn relative(data: &Data, reference: &Group, metric: Metric) -> BTreeMap<u32, f64> {
    let mut base: BTreeMap<Block, Vec<f64>> = BTreeMap::new();
    for run in reference.runs.iter().filter_map(|run| data.runs.get(run)) {
        base.entry(block(run)).or_default().push((metric.of)(run));
    }
    let base: BTreeMap<Block, f64> = base.iter().map(|(block, values)| (*block, mean(values))).collect();
    let difference = |run: &RunMetrics| {
        let base = *base.get(&block(run))?;
        (base > 0.0).then(|| 100.0 * ((metric.of)(run) / base - 1.0))
    };
    data.runs.values().filter_map(|run| Some((run.run, difference(run)?))).collect()
}

/// The mean over blocks of a temperature's difference, with the interval of paired differences.
fn effect(
    data: &Data,
    group: &Group,
    differences: &BTreeMap<u32, f64>,
    confidence: f64,
    at: f64,
) -> Result<Option<Mark>> {
    let mut blocks: BTreeMap<Block, Vec<f64>> = BTreeMap::new();
    for (id, run) in group.runs.iter().filter_map(|run| data.runs.get_key_value(run)) {
        if let Some(difference) = differences.get(id) {
            blocks.entry(block(run)).or_default().push(*difference);
        }
    }
    if blocks.is_empty() {
        return Ok(None);
    }
    let means: Vec<f64> = blocks.values().map(|differences| mean(differences)).collect();
    let stats = stats::of(&means, confidence)?;
    Ok(Some(Mark::Mean { along: Along::Y, at: at + 0.31, reach: 0.15, mean: stats.mean, interval: stats.interval }))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn block(run: &RunMetrics) -> Block<'_> {
    (&run.prompt_id, run.max_tokens)
}
