//! `distribution`: a histogram of all latencies, stacked by output length, over a strip with every run and the overall mean.

use anyhow::Result;

use super::{
    Labels,
    data::{Data, mean_key, range, shown, stats, thinning_key, unit},
    scale::round_step,
    scene::{Along, Arrange, Axis, Mark, Panel, Scene},
};
use crate::{factor::LENGTH, metric::Metric};

pub fn scene(data: &Data, labels: &Labels) -> Result<Scene> {
    let unit = unit(Metric::Latency, data);
    let overall = stats(&data.summary.overall, Metric::Latency)?;
    let interval = overall.interval.map(|(low, high)| (low * unit.factor, high * unit.factor));
    let values: Vec<(f64, usize)> =
        data.runs.values().map(|run| (shown(Metric::Latency, run, &unit), data.length[&run.run])).collect();
    let (low, high) = range(values.iter().map(|value| value.0), interval.into_iter());
    let x = Axis::numbers(format!("latency ({})", unit.name), low, high);

    let (counts, width) = histogram(&values, x.range, data.summary.by(LENGTH).len());
    let mut bars = Vec::new();
    let mut tallest = 0;
    for (bin, counts) in counts.iter().enumerate() {
        let left = x.range.0 + bin as f64 * width;
        let mut base = 0;
        for (level, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            bars.push(Mark::Bar { from: (left, f64::from(base)), to: (left + width, f64::from(base + count)), level });
            base += count;
        }
        tallest = tallest.max(base);
    }
    let dots = data.dots(&data.summary.overall, |run| Some(shown(Metric::Latency, run, &unit)));
    let strip = vec![
        Mark::Swarm { along: Along::X, lane: (0.6, 1.4), dots },
        Mark::Mean { along: Along::X, at: 0.0, reach: 0.4, mean: overall.mean * unit.factor, interval },
    ];
    let mut keys = data.length_keys();
    keys.push(mean_key(labels.confidence));
    keys.extend(thinning_key([&data.summary.overall]));
    Ok(Scene {
        title: "Distribution of latency over all runs".to_owned(),
        arrange: Arrange::Column,
        height: 150.0,
        panels: vec![
            Panel {
                heading: String::new(),
                x: x.clone().hidden(),
                y: Axis::counts("runs", tallest),
                weight: 3.0,
                marks: bars,
            },
            Panel { heading: String::new(), x, y: Axis::levels("", ["mean", "runs"]), weight: 1.0, marks: strip },
        ],
        key_title: "output tokens:".into(),
        keys,
        notice: labels.not_a_measurement.clone(),
    })
}

/// Runs by bin and level, and the bins' common width: a round one, for about three times the square root of n bins.
fn histogram(values: &[(f64, usize)], range: (f64, f64), levels: usize) -> (Vec<Vec<u32>>, f64) {
    let wanted = (3.0 * (values.len() as f64).sqrt()).clamp(12.0, 60.0);
    let width = round_step((range.1 - range.0) / wanted);
    let bins = ((range.1 - range.0) / width).ceil().max(1.0) as usize;
    let mut counts = vec![vec![0; levels]; bins];
    for (value, level) in values {
        let bin = ((value - range.0) / width).floor().max(0.0) as usize;
        counts[bin.min(bins - 1)][*level] += 1;
    }
    (counts, width)
}
