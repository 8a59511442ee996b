//! `fit`: latency of every run against the number of tokens asked for, on a true scale, with the least-squares line and the band
//! of its mean; the dashed line is what the longest length would predict if time were proportional to tokens.

use anyhow::{Context, Result};

use super::{
    Labels,
    data::{Data, level_keys, mean_key, percent, range, shown, stats, thinning_key, unit},
    scene::{Along, Arrange, Axis, Key, Mark, Panel, Sample, Scene, Stroke},
};
use crate::{
    analysis::{Group, at_reference, line},
    factor::{LENGTH, PROMPT},
    metric::Metric,
};

pub fn scene(data: &Data, labels: &Labels) -> Result<Scene> {
    let unit = unit(Metric::Latency, data);
    let groups = data.summary.by(LENGTH);
    let tokens = groups.iter().map(tokens).collect::<Result<Vec<f64>>>()?;
    let longest = tokens.iter().copied().fold(0.0, f64::max);
    // Narrower than the smallest step between lengths, so that neighbours never mix.
    let step = tokens.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(longest, f64::min);
    let lane = (step * 0.8).clamp(0.025 * longest, 0.075 * longest);

    // Dots stand left of their length; the axis begins at zero unless they would stand beyond it.
    let low = tokens.iter().map(|at| at - 1.3 * lane).fold(0.0, f64::min);

    let mut marks = Vec::new();
    let mut means = Vec::new();
    let mut intervals = Vec::new();
    for (group, at) in groups.iter().zip(&tokens) {
        let dots = data.dots_by(group, |run| Some(shown(Metric::Latency, run, &unit)), &data.prompt);
        marks.push(Mark::Swarm { along: Along::Y, lane: (at - lane * 1.15, at - lane * 0.15), dots });
        let stats = stats(group, Metric::Latency)?;
        let interval = stats.interval.map(|(low, high)| (low * unit.factor, high * unit.factor));
        intervals.extend(interval);
        means.push((*at, stats.mean * unit.factor));
        marks.push(Mark::Mean { along: Along::Y, at: *at, reach: lane, mean: stats.mean * unit.factor, interval });
    }
    let (_, high) = range(data.runs.values().map(|run| shown(Metric::Latency, run, &unit)), intervals.into_iter());
    let mut keys = level_keys(data.summary.by(PROMPT));
    keys.push(mean_key(labels.confidence));
    keys.extend(thinning_key(groups));
    let right = 1.04 * longest;
    let mut behind = Vec::new();
    let mut top = high;
    if let Some(line) = line::fit(&at_reference(data.summary, &data.observations(Metric::Latency)), labels.confidence)?
    {
        // Beyond the lengths that were measured the line is a guess; it is drawn from zero because its intercept is spoken of.
        let at = |i: u32| f64::from(i) / 40.0 * longest;
        let band: Vec<(f64, (f64, f64))> = (0..=40).map(|i| (at(i), line.at(at(i)).1)).collect();
        let clipped = |value: f64| (value * unit.factor).max(0.0);
        top = band.iter().map(|(_, (_, up))| up * unit.factor).fold(top, f64::max);
        behind.push(Mark::Band {
            lower: band.iter().map(|(x, (low, _))| (*x, clipped(*low))).collect(),
            upper: band.iter().map(|(x, (_, up))| (*x, clipped(*up))).collect(),
        });
        let ends = [at(0), at(40)].map(|x| (x, clipped(line.at(x).0)));
        behind.push(Mark::Line { points: ends.to_vec(), stroke: Stroke::Thin });
        keys.push(Key::new(Sample::Line(Stroke::Thin), "fitted line"));
        keys.push(Key::new(Sample::Band, format!("its {} % band", percent(labels.confidence))));
    }
    if let Some(last) = means.last().copied().filter(|_| means.len() > 1) {
        behind.push(Mark::Line { points: vec![(0.0, 0.0), last], stroke: Stroke::Dashed });
        keys.push(Key::new(Sample::Line(Stroke::Dashed), "proportional to length"));
    }
    marks.splice(0..0, behind);
    Ok(Scene {
        title: "Latency against output length, with the fitted line".to_owned(),
        arrange: Arrange::Row,
        height: 150.0,
        panels: vec![Panel {
            heading: String::new(),
            x: Axis::places("output length (tokens)", &tokens, (low, right)),
            y: Axis::numbers(format!("latency ({})", unit.name), 0.0, top),
            weight: 1.0,
            marks,
        }],
        key_title: "prompt:".into(),
        keys,
        notice: labels.not_a_measurement.clone(),
    })
}

/// The level of a length group, which is its key.
fn tokens(group: &Group) -> Result<f64> {
    group.key.parse().with_context(|| format!("figures: output length `{}` is not a number", group.key))
}
