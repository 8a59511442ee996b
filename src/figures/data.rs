//! Runs and groups as figures want them. A summary in; values by run, levels and ranges out. No statistic is computed here.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

use super::{
    scale::{Unit, rate_unit, time_unit},
    scene::{Dot, Key, Sample},
    swarm::thin,
};
use crate::{
    analysis::{Group, RunMetrics, Stats, Summary, observation::Observation},
    factor::{LENGTH, PROMPT},
    metric::Metric,
};

/// More dots than this in one swarm are drawn as that many, evenly by rank.
pub const MOST_DOTS: usize = 200;

/// A unit in which all runs read well.
pub fn unit(metric: Metric, data: &Data) -> Unit {
    let largest = data.runs.values().filter_map(|run| run.value(metric)).fold(0.0, f64::max);
    if metric.is_rate() { rate_unit(largest) } else { time_unit(largest) }
}

/// A run's value as the axis shows it.
pub fn shown(metric: Metric, run: &RunMetrics, unit: &Unit) -> f64 {
    run.value(metric).unwrap_or(f64::NAN) * unit.factor
}

/// A summary, indexed.
#[derive(Debug)]
pub struct Data<'a> {
    pub summary: &'a Summary,
    pub runs: BTreeMap<u32, &'a RunMetrics>,
    /// Position among the output lengths of each run.
    pub length: BTreeMap<u32, usize>,
    /// Position among the prompts of each run.
    pub prompt: BTreeMap<u32, usize>,
}

impl<'a> Data<'a> {
    /// # Errors
    /// There is nothing to draw, a group names an unknown run, or a value is not a finite number.
    pub fn new(summary: &'a Summary) -> Result<Self> {
        if summary.runs.is_empty() {
            bail!(
                "figures: none of the {} planned runs ended well\nhint: the rows of runs.jsonl say why in `error`",
                summary.planned
            );
        }
        let runs: BTreeMap<u32, &RunMetrics> = summary.runs.iter().map(|run| (run.run, run)).collect();
        for run in runs.values() {
            for metric in [Metric::Latency, Metric::Throughput] {
                let value = run.value(metric).unwrap_or(f64::NAN);
                ensure!(
                    value.is_finite(),
                    "figures: run {}: {} is {value}, expected a finite number",
                    run.run,
                    metric.name()
                );
            }
        }
        let levels = |groups: &[Group]| {
            groups.iter().enumerate().flat_map(|(i, group)| group.runs.iter().map(move |run| (*run, i))).collect()
        };
        let data = Data { summary, length: levels(summary.by(LENGTH)), prompt: levels(summary.by(PROMPT)), runs };
        for run in data.runs.keys() {
            ensure!(data.length.contains_key(run), "figures: run {run} belongs to no output length");
            ensure!(data.prompt.contains_key(run), "figures: run {run} belongs to no prompt");
        }
        Ok(data)
    }

    /// Has every run this metric?
    pub fn has(&self, metric: Metric) -> bool {
        self.runs.values().all(|run| run.value(metric).is_some())
    }

    /// A dot for each run of a group that has a value, coloured by output length; a large group is thinned.
    pub fn dots(&self, group: &Group, value: impl Fn(&RunMetrics) -> Option<f64>) -> Vec<Dot> {
        self.dots_by(group, value, &self.length)
    }

    /// ... coloured by any factor.
    pub fn dots_by(
        &self,
        group: &Group,
        value: impl Fn(&RunMetrics) -> Option<f64>,
        level: &BTreeMap<u32, usize>,
    ) -> Vec<Dot> {
        let dot = |run| Some(Dot { value: value(self.runs.get(run)?)?, level: *level.get(run)?, run: Some(*run) });
        thin(group.runs.iter().filter_map(dot).collect(), MOST_DOTS, |dot| dot.value)
    }

    /// Every run as the tests see it.
    pub fn observations(&self, metric: Metric) -> Vec<Observation> {
        let observe = |run: &&RunMetrics| Observation {
            cell: run.cell,
            block: run.block,
            order: f64::from(run.order),
            tokens: run.n_gen,
            value: run.value(metric).unwrap_or(f64::NAN),
        };
        self.runs.values().map(observe).collect()
    }

    /// Legend entries for the output lengths.
    pub fn length_keys(&self) -> Vec<Key> {
        level_keys(self.summary.by(LENGTH))
    }
}

/// Legend entries for the levels of a factor.
pub fn level_keys(groups: &[Group]) -> Vec<Key> {
    groups.iter().enumerate().map(|(i, group)| Key::new(Sample::Level(i), group.key.clone())).collect()
}

/// The legend entry that says so where groups are too large to draw every run.
pub fn thinning_key<'a>(groups: impl IntoIterator<Item = &'a Group>) -> Option<Key> {
    let thinned = groups.into_iter().any(|group| group.runs.len() > MOST_DOTS);
    thinned.then(|| Key::new(Sample::Nothing, thinning_note(MOST_DOTS)))
}

/// What it says.
pub fn thinning_note(most: usize) -> String {
    format!("{most} runs a group, evenly by rank")
}

/// The legend entry for intervals of what another mark shows: `mean with its 95 % interval`.
pub fn interval_key(confidence: f64, of: &str) -> Key {
    Key::new(Sample::Interval, format!("{of} {} % interval", percent(confidence)))
}

/// The legend entry for means.
pub fn mean_key(confidence: f64) -> Key {
    Key::new(Sample::Mean, format!("mean, {} % interval", percent(confidence)))
}

/// 0.95 -> `95`, 0.975 -> `97.5`.
pub fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A group's statistics of a metric.
pub fn stats(group: &Group, metric: Metric) -> Result<&Stats> {
    group.metrics.get(&metric).with_context(|| format!("figures: group `{}` has no `{}`", group.key, metric.name()))
}

/// The range of an axis for runs and their groups' intervals. It begins at zero when the runs spread widely, and an interval
/// (of a group of two, say) stretches it by no more than the runs' own span: what lies beyond is drawn as an arrow.
pub fn range(values: impl Iterator<Item = f64>, intervals: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    let grow = |(low, high): (f64, f64), (a, b): (f64, f64)| (low.min(a), high.max(b));
    let (low, high) = values.map(|v| (v, v)).fold((f64::INFINITY, f64::NEG_INFINITY), grow);
    let span = if high > low { high - low } else { 0.05 * high.abs() };
    let span = if span > 0.0 { span } else { 1.0 };
    let (wide_low, wide_high) = intervals.fold((low - 0.03 * span, high + 0.03 * span), grow);
    let (low, high) = (wide_low.max(low - span).max(0.0), wide_high.min(high + span));
    if high - low > 0.4 * high { (0.0, high) } else { (low, high) }
}
