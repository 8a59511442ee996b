//! Records -> `Summary`. Pure; formats nothing; knows no factor by its name. Standard deviations have ddof = 1.

pub mod contrast;
pub mod drift;
pub mod dual;
pub mod energy;
mod frame;
pub mod gaps;
mod inference;
pub mod label;
pub mod line;
pub mod observation;
pub mod outliers;
pub mod pairs;
pub mod parts;
pub mod quality;
pub mod reference;
pub mod sessions;
pub mod stats;
pub mod tables;
pub mod tails;
mod tally;
pub mod trend;
pub mod variance;

use std::collections::BTreeMap;

use anyhow::Result;
pub use inference::{Inference, Tests, at_reference, infer};
pub use tally::{Seen, Tally};

use crate::{
    factor::{Factor, Level, Role},
    metric::Metric,
    quality::QualityRow,
    record::RunRecord,
    study::Study,
};
use gaps::Gaps;
use observation::Grid;
use parts::Parts;
use quality::Quality;

/// Summarises the measured runs of the study that ended well.
///
/// # Errors
/// None of them did; a row that says `ok` and lacks a time.
pub fn summarise(study: &Study, records: &[RunRecord]) -> Result<Summary> {
    let mut tally = Tally::of(study);
    records.iter().try_for_each(|record| tally.add(record))?;
    tally.finish()
}

/// Everything that tables, figures and claims are made from.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Every factor of the design, those with one level too.
    pub factors: Vec<Factor>,
    /// The cells that have runs.
    pub grid: Grid,
    /// Are prompts of so many tokens, or is there a context of so many?
    pub counted: bool,
    /// Measured runs that ended well, by `run`.
    pub runs: Vec<RunMetrics>,
    /// Runs planned, and those whose row says `failed`.
    pub planned: u32,
    pub failed: u32,
    pub overall: Group,
    /// By factor, one group for each level that has runs, in the order of the levels.
    pub by: Vec<Vec<Group>>,
    /// One a point of the design, in plan order.
    pub cells: Vec<Group>,
    /// How well each model predicts the study's text, where that was measured.
    pub quality: Vec<Quality>,
    pub seen: Seen,
}

impl Summary {
    /// The same with what rows of `quality.jsonl` say.
    ///
    /// # Errors
    /// As [`quality::of`].
    pub fn with_quality(self, study: &Study, rows: &[QualityRow]) -> Result<Summary> {
        Ok(Summary { quality: quality::of(study, rows)?, ..self })
    }

    /// Indices of the factors that have several levels in the design.
    pub fn varying(&self) -> Vec<usize> {
        (0..self.factors.len()).filter(|factor| self.factors[*factor].varies()).collect()
    }

    /// Of these, the ones that the paper compares.
    pub fn compared(&self) -> Vec<usize> {
        self.varying().into_iter().filter(|factor| self.factors[*factor].role == Role::Compared).collect()
    }

    /// The groups of a factor by its name; none where the design has no such factor.
    pub fn by(&self, name: &str) -> &[Group] {
        let place = self.factors.iter().position(|factor| factor.name == name);
        place.map_or(&[], |place| self.by[place].as_slice())
    }

    /// A run's level of a factor (by index).
    pub fn level(&self, run: &RunMetrics, factor: usize) -> &Level {
        &self.factors[factor].levels[self.grid.cells[run.cell][factor]]
    }

    /// Index of the first level of a factor that has runs: what the others are set against.
    pub fn reference(&self, factor: usize) -> Option<usize> {
        self.by[factor].first().map(|group| group.level)
    }
}

/// What is derived from one record (formulas: [`Metric`]).
#[derive(Debug, Clone)]
pub struct RunMetrics {
    pub run: u32,
    pub order: u32,
    pub block: u32,
    pub repeat: u32,
    /// Index into [`Grid::cells`].
    pub cell: usize,
    /// Tokens asked for.
    pub max_tokens: u32,
    pub n_prompt: u32,
    /// Of several requests, their average.
    pub n_gen: f64,
    /// Are its times those of a server's client?
    pub by_client: bool,
    /// In the order of [`Metric::ALL`]; NaN where the run has no such number.
    pub values: [f64; Metric::ALL.len()],
}

impl RunMetrics {
    /// In the metric's unit.
    pub fn value(&self, metric: Metric) -> Option<f64> {
        let value = self.values[metric as usize];
        (!value.is_nan()).then_some(value)
    }
}

/// Runs that share a level of a factor, or a cell, or all runs, with each metric's statistics.
#[derive(Debug, Clone)]
pub struct Group {
    /// The level as it stands in claim ids: `64`, `0.3`, `1`; `overall`; for cells the levels of all that varies, `1.64.0.3`.
    pub key: String,
    /// Index of the level, or of the cell.
    pub level: usize,
    /// Run numbers, ascending.
    pub runs: Vec<u32>,
    /// Times in seconds, rates in tokens per second, memory in bytes. A metric that no run of the group has is absent.
    pub metrics: BTreeMap<Metric, Stats>,
    /// Total tokens / total latency, tok/s: the rate of the group as a whole, beside the mean of rates.
    pub pooled_throughput: f64,
    /// Where the time goes; not of cells.
    pub times: Option<Times>,
}

/// Where the time of some runs goes.
#[derive(Debug, Clone)]
pub struct Times {
    /// `None` where not every run says how long each part took: a server's do not.
    pub parts: Option<Parts>,
    /// `None` where some run does not say when each token came, or where there are no two.
    pub gaps: Option<Gaps>,
}

/// One metric over some runs, in the metric's unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stats {
    pub n: u32,
    pub mean: f64,
    /// Sample standard deviation, ddof = 1; `None` for n = 1.
    pub sd: Option<f64>,
    pub min: f64,
    pub max: f64,
    pub median: f64,
    /// `sd / mean`.
    pub cv: Option<f64>,
    /// Standard error `sd / sqrt(n)`.
    pub se: Option<f64>,
    /// Student's t interval at the study's confidence.
    pub interval: Option<(f64, f64)>,
}
