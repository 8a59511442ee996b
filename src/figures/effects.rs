//! `latency` and `throughput`: every run and each level's mean with its interval, for the factors that vary, side by side.

use anyhow::Result;

use super::{
    Labels,
    data::{Data, mean_key, range, shown, stats, thinning_key, unit},
    scene::{Along, Arrange, Axis, Mark, Panel, Scene},
};
use crate::{
    analysis::{Group, Stats},
    metric::Metric,
};

/// The scene for a metric.
pub fn scene(data: &Data, labels: &Labels, metric: Metric, title: &'static str) -> Result<Scene> {
    let (unit, summary) = (unit(metric, data), data.summary);
    let factors: Vec<(String, &[Group])> = summary
        .varying()
        .into_iter()
        .map(|place| (summary.factors[place].axis(), summary.by[place].as_slice()))
        .collect();
    let all: Vec<&Stats> = factors
        .iter()
        .flat_map(|(_, groups)| groups.iter())
        .map(|group| stats(group, metric))
        .collect::<Result<_>>()?;
    let intervals =
        all.iter().filter_map(|stats| stats.interval).map(|(low, high)| (low * unit.factor, high * unit.factor));
    let (low, high) = range(data.runs.values().map(|run| shown(metric, run, &unit)), intervals);
    let y = Axis::numbers(format!("{} ({})", metric.about().label, unit.name), low, high);

    let mut panels = Vec::new();
    for (factor, groups) in &factors {
        let mut marks = Vec::new();
        for (level, group) in groups.iter().enumerate() {
            let at = level as f64;
            let dots = data.dots(group, |run| Some(shown(metric, run, &unit)));
            marks.push(Mark::Swarm { along: Along::Y, lane: (at - 0.44, at + 0.16), dots });
            let stats = stats(group, metric)?;
            marks.push(Mark::Mean {
                along: Along::Y,
                at: at + 0.31,
                reach: 0.15,
                mean: stats.mean * unit.factor,
                interval: stats.interval.map(|(low, high)| (low * unit.factor, high * unit.factor)),
            });
        }
        let x = Axis::levels(factor.as_str(), groups.iter().map(|group| group.key.as_str()));
        let y = if panels.is_empty() { y.clone() } else { y.clone().hidden() };
        panels.push(Panel { heading: String::new(), x, y, weight: groups.len() as f64, marks });
    }
    let mut keys = data.length_keys();
    keys.push(mean_key(labels.confidence));
    keys.extend(thinning_key(factors.iter().flat_map(|(_, groups)| groups.iter())));
    Ok(Scene {
        title: title.to_owned(),
        arrange: Arrange::Row,
        height: 140.0,
        panels,
        key_title: "output tokens:".into(),
        keys,
        notice: labels.not_a_measurement.clone(),
    })
}
