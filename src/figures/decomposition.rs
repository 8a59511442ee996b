//! `decomposition`: what a response's time is spent on, by output length, as times and as shares of the mean latency.

use anyhow::Result;

use super::{
    Labels,
    data::{Data, mean_key, range, stats, unit},
    scene::{Along, Arrange, Axis, Key, Mark, Panel, Sample, Scene},
};
use crate::{analysis::Group, factor::LENGTH, metric::Metric};

/// In the order in which they happen. Tokenising and detokenising take next to nothing and are counted with the last.
/// Each with the level whose look it has: black, orange and blue are farthest apart in grey.
const PARTS: [(&str, usize); 3] = [("loading", 3), ("first token", 1), ("further tokens, text", 0)];

pub fn scene(data: &Data, labels: &Labels) -> Result<Scene> {
    let unit = unit(Metric::Latency, data);
    let groups = data.summary.by(LENGTH);
    let levels = || Axis::levels("output length (tokens)", groups.iter().map(|group| group.key.as_str()));
    let (mut times, mut shares, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for (level, group) in groups.iter().enumerate() {
        let at = level as f64;
        let parts = parts(group)?;
        let latency = stats(group, Metric::Latency)?;
        let interval = latency.interval.map(|(low, high)| (low * unit.factor, high * unit.factor));
        stack(&mut times, (at - 0.32, at + 0.12), parts.map(|part| part * unit.factor));
        let total = parts.iter().sum::<f64>();
        stack(
            &mut shares,
            (at - 0.25, at + 0.25),
            parts.map(|part| if total > 0.0 { 100.0 * part / total } else { 0.0 }),
        );
        times.push(Mark::Mean {
            along: Along::Y,
            at: at + 0.3,
            reach: 0.15,
            mean: latency.mean * unit.factor,
            interval,
        });
        ends.push((latency.mean * unit.factor, interval));
    }
    let (_, high) = range(ends.iter().map(|end| end.0), ends.iter().filter_map(|end| end.1));
    let mut keys: Vec<Key> = PARTS.iter().map(|(name, look)| Key::new(Sample::Bar(*look), *name)).collect();
    keys.push(mean_key(labels.confidence));
    let panel = |y, marks| Panel { heading: String::new(), x: levels(), y, weight: 1.0, marks };
    Ok(Scene {
        title: "Where the time of a response goes, by output length".to_owned(),
        arrange: Arrange::Row,
        height: 120.0,
        panels: vec![
            panel(Axis::numbers(format!("latency ({})", unit.name), 0.0, high), times),
            panel(Axis::numbers("share of latency (%)", 0.0, 100.0), shares),
        ],
        key_title: String::new(),
        keys,
        notice: labels.not_a_measurement.clone(),
    })
}

/// Mean seconds of each part. Means of sums are sums of means, so the parts add up to the mean latency.
fn parts(group: &Group) -> Result<[f64; 3]> {
    let mean = |metric| stats(group, metric).map(|stats| stats.mean);
    let (load, first, warm) = (mean(Metric::Load)?, mean(Metric::Ttft)?, mean(Metric::WarmLatency)?);
    Ok([load, first, (warm - first).max(0.0)])
}

fn stack(marks: &mut Vec<Mark>, (left, right): (f64, f64), parts: [f64; 3]) {
    let mut base = 0.0;
    for ((_, level), part) in PARTS.into_iter().zip(parts) {
        marks.push(Mark::Bar { from: (left, base), to: (right, base + part), level, runs: Vec::new() });
        base += part;
    }
}
