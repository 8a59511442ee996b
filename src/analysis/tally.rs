//! Rows, one at a time -> `Summary`. What a row leaves behind is small: its metrics, and its token times in the sums and the
//! distribution of its cell. So a million rows are read in the memory of their metrics.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

use super::{Group, RunMetrics, Summary, Times, frame, gaps::Distribution, metrics, parts::Parts};
use crate::{
    record::{Outcome, Phase, RunRecord},
    study::Study,
};

/// Rows seen so far. Metrics are those of the study's first model; of other models' rows no more is known than that they are.
#[derive(Debug)]
pub struct Tally {
    study: Study,
    runs: Vec<RunMetrics>,
    failed: u32,
    seen: Seen,
    /// By prompt, then by length and the temperature's bits.
    cells: BTreeMap<String, BTreeMap<(u32, u64), Sums>>,
}

/// What the paper says of the rows beside their numbers.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Of the first row of the study's first model, as are the outputs below.
    pub engine: String,
    pub backend: String,
    /// First and last UTC date of all rows.
    pub from: String,
    pub to: String,
    /// Rows of measured runs, the failed ones too.
    pub measured: u32,
    /// Of them, those that ended well.
    pub well: u32,
    /// When the last measured run ended.
    pub ended: Option<jiff::Timestamp>,
    /// The first run that ended well, by prompt, with its output where it has one.
    pub outputs: BTreeMap<String, (u32, Option<String>)>,
}

/// Token times of some runs.
#[derive(Debug, Clone, Default)]
struct Sums {
    parts: Parts,
    gaps: Distribution,
}

impl Tally {
    /// No rows yet.
    pub fn of(study: &Study) -> Self {
        Tally { study: study.alone(0), runs: Vec::new(), failed: 0, seen: Seen::default(), cells: BTreeMap::new() }
    }

    /// Takes a row in.
    ///
    /// # Errors
    /// A row that began at no time, or says `ok` and lacks a time.
    pub fn add(&mut self, record: &RunRecord) -> Result<()> {
        let own = self.study.models.iter().any(|model| model.made(record));
        self.seen.add(record, own)?;
        if record.phase != Phase::Measured || !own {
            return Ok(());
        }
        if record.outcome == Outcome::Failed {
            self.failed += 1;
            return Ok(());
        }
        self.runs.push(metrics::of(record)?);
        let prompt = match self.cells.get_mut(&record.prompt_id) {
            Some(prompt) => prompt,
            None => self.cells.entry(record.prompt_id.clone()).or_default(),
        };
        let sums = prompt.entry((record.max_tokens, record.temperature.to_bits())).or_default();
        sums.parts.add(record);
        sums.gaps.add(record.token_times_ns.as_deref().unwrap_or_default());
        Ok(())
    }

    /// Summarises the runs that ended well.
    ///
    /// # Errors
    /// None of them did.
    pub fn finish(self) -> Result<Summary> {
        let Tally { study, mut runs, failed, seen, cells } = self;
        ensure!(!runs.is_empty(), "no run of the study ended well\nhint: the `error` of each row says why");
        runs.sort_by_key(|run| run.run);
        let grouped = frame::Grouped::of(&runs, study.statistics.confidence)?;
        let mut summary = Summary {
            planned: (study.cells() as u32).saturating_mul(study.settings.num_runs),
            failed,
            overall: grouped.by(&[])?.remove(0),
            by_length: grouped.by(&["max_tokens"])?,
            by_temperature: grouped.by(&["temperature"])?,
            by_prompt: grouped.by(&["prompt_id"])?,
            cells: grouped.by(&["prompt_id", "max_tokens", "temperature"])?,
            runs: Vec::new(),
            times: BTreeMap::new(),
            seen,
        };
        drop(grouped);
        summary.runs = runs;
        summary.times = times(&summary, &cells);
        Ok(summary)
    }
}

impl Seen {
    fn add(&mut self, record: &RunRecord, own: bool) -> Result<()> {
        let date = record.started_at.split('T').next().unwrap_or_default();
        if own && self.engine.is_empty() {
            (self.engine, self.backend) = (record.engine.clone(), record.backend.clone());
        }
        if self.from.is_empty() {
            (self.from, self.to) = (date.to_owned(), date.to_owned());
        }
        if date < self.from.as_str() {
            date.clone_into(&mut self.from);
        }
        if date > self.to.as_str() {
            date.clone_into(&mut self.to);
        }
        if record.phase != Phase::Measured {
            return Ok(());
        }
        self.measured += 1;
        self.ended = self.ended.max(Some(end(record)?));
        if record.outcome == Outcome::Failed {
            return Ok(());
        }
        self.well += 1;
        if !own {
            return Ok(());
        }
        let earlier = self.outputs.get(&record.prompt_id).is_some_and(|(run, _)| *run <= record.run);
        if !earlier {
            self.outputs.insert(record.prompt_id.clone(), (record.run, record.output_text.clone()));
        }
        Ok(())
    }
}

fn end(record: &RunRecord) -> Result<jiff::Timestamp> {
    let start: jiff::Timestamp = record.started_at.parse().with_context(|| {
        format!("run {}: expected a time such as 2026-11-23T18:39:38Z, found {:?}", record.run, record.started_at)
    })?;
    let took = record.load_ns.unwrap_or(0).saturating_add(record.e2e_ns.unwrap_or(0));
    Ok(start.saturating_add(jiff::SignedDuration::from_nanos(i64::try_from(took).unwrap_or(i64::MAX)))?)
}

/// Where the time of each group goes, from that of its cells.
fn times(summary: &Summary, cells: &BTreeMap<String, BTreeMap<(u32, u64), Sums>>) -> BTreeMap<String, Times> {
    let of = |group: &Group, belongs: &dyn Fn(&str, u32, f64) -> bool| {
        let mut sums = Sums::default();
        for (prompt, places) in cells {
            for ((length, temperature), cell) in places {
                if belongs(prompt, *length, f64::from_bits(*temperature)) {
                    sums.parts.merge(&cell.parts);
                    sums.gaps.merge(&cell.gaps);
                }
            }
        }
        Times { runs: group.runs.clone(), parts: sums.parts, gaps: sums.gaps.summary() }
    };
    let mut found = BTreeMap::from([(String::new(), of(&summary.overall, &|_, _, _| true))]);
    for group in &summary.by_length {
        found.insert(format!("by_length.{}.", group.key), of(group, &|_, length, _| length.to_string() == group.key));
    }
    for group in &summary.by_temperature {
        let times = of(group, &|_, _, temperature| temperature.to_string() == group.key);
        found.insert(format!("by_temperature.{}.", group.key), times);
    }
    for group in &summary.by_prompt {
        found.insert(format!("by_prompt.{}.", group.key), of(group, &|prompt, _, _| prompt == group.key));
    }
    found
}
