//! `distribution`: a histogram of all latencies, stacked by output length, over a strip with every run and the overall mean.

use anyhow::Result;

use super::{
    Labels,
    data::{Data, mean_key, range, shown, stats, thinning_key, unit},
    scale::round_step,
    scene::{Along, Arrange, Axis, Mark, Panel, Scene},
};
use crate::{analysis::RunMetrics, factor::LENGTH, metric::Metric};

pub fn scene(data: &Data, labels: &Labels) -> Result<Scene> {
    let unit = unit(Metric::Latency, data);
    let overall = stats(&data.summary.overall, Metric::Latency)?;
    let interval = overall.interval.map(|(low, high)| (low * unit.factor, high * unit.factor));
    let value = |run: &&RunMetrics| Value {
        at: shown(Metric::Latency, run, &unit),
        level: data.length[&run.run],
        run: run.run,
    };
    let values: Vec<Value> = data.runs.values().map(value).collect();
    let (low, high) = range(values.iter().map(|value| value.at), interval.into_iter());
    let x = Axis::numbers(format!("latency ({})", unit.name), low, high);

    let (bins, width) = histogram(&values, x.range, data.summary.by(LENGTH).len());
    let mut bars = Vec::new();
    let mut tallest = 0;
    for (bin, levels) in bins.into_iter().enumerate() {
        let left = x.range.0 + bin as f64 * width;
        let mut base = 0;
        for (level, runs) in levels.into_iter().enumerate().filter(|(_, runs)| !runs.is_empty()) {
            let top = base + runs.len() as u32;
            let (from, to) = ((left, f64::from(base)), (left + width, f64::from(top)));
            bars.push(Mark::Bar { from, to, level, runs });
            base = top;
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

struct Value {
    at: f64,
    level: usize,
    run: u32,
}

/// Runs by bin and level, and the bins' common width: a round one, for about three times the square root of n bins.
fn histogram(values: &[Value], range: (f64, f64), levels: usize) -> (Vec<Vec<Vec<u32>>>, f64) {
    let wanted = (3.0 * (values.len() as f64).sqrt()).clamp(12.0, 60.0);
    let width = round_step((range.1 - range.0) / wanted);
    let bins = ((range.1 - range.0) / width).ceil().max(1.0) as usize;
    let mut runs = vec![vec![Vec::new(); levels]; bins];
    for value in values {
        let bin = ((value.at - range.0) / width).floor().max(0.0) as usize;
        runs[bin.min(bins - 1)][value.level].push(value.run);
    }
    (runs, width)
}
