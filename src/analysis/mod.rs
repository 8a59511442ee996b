//! Records -> `Summary`. Pure; formats nothing. Standard deviations have ddof = 1.

pub mod contrast;
pub mod drift;
pub mod dual;
mod frame;
pub mod gaps;
mod inference;
pub mod line;
mod metrics;
pub mod observation;
pub mod outliers;
pub mod pairs;
pub mod parts;
pub mod stats;
pub mod tables;
pub mod tails;
mod tally;
pub mod variance;

use std::collections::BTreeMap;

use anyhow::Result;
pub use inference::{FITTED, Inference, TESTED, Tests, Times, infer};
pub use metrics::value as metric;
pub use tally::{Seen, Tally};

use crate::{record::RunRecord, study::Study};

use crate::units::{Bytes, Seconds, TokensPerSecond};

/// Names of the metrics, as tables and claims carry them, with their units.
pub const METRICS: [(&str, &str); 9] = [
    ("decode", "tok/s"),
    ("decode_mlxlm", "tok/s"),
    ("latency", "s"),
    ("load", "s"),
    ("peak_memory", "bytes"),
    ("prefill", "tok/s"),
    ("throughput", "tok/s"),
    ("ttft", "s"),
    ("warm_latency", "s"),
];

/// Summarises the measured runs of the study's first model that ended well.
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
    /// Measured runs that ended well, by `run`.
    pub runs: Vec<RunMetrics>,
    /// Runs planned, and those whose row says `failed`.
    pub planned: u32,
    pub failed: u32,
    pub overall: Group,
    /// Ascending by length.
    pub by_length: Vec<Group>,
    /// Ascending by temperature.
    pub by_temperature: Vec<Group>,
    /// In the study's order.
    pub by_prompt: Vec<Group>,
    /// One a point of the design, in plan order.
    pub cells: Vec<Group>,
    /// Where the time goes: `""` is all runs, then `by_length.64.` and the like.
    pub times: BTreeMap<String, Times>,
    pub seen: Seen,
}

/// What is derived from one record (formulas: `docs/METHODOLOGY.md`).
#[derive(Debug, Clone)]
pub struct RunMetrics {
    pub run: u32,
    pub order: u32,
    pub block: u32,
    pub model: String,
    pub prompt_id: String,
    pub max_tokens: u32,
    pub temperature: f64,
    pub repeat: u32,
    pub n_prompt: u32,
    pub n_gen: u32,
    pub load: Seconds,
    pub tokenize: Seconds,
    pub ttft: Seconds,
    /// `e2e`: what a chat user feels.
    pub warm_latency: Seconds,
    /// `load + e2e`: the v1 manuscript's definition.
    pub latency: Seconds,
    /// `n_gen / latency`: the v1 manuscript's definition; not a decode rate.
    pub throughput: TokensPerSecond,
    /// `(n_gen - 1) / (t_last - t_first)`; `None` for one token.
    pub decode: Option<TokensPerSecond>,
    /// `n_gen / (t_last - t_first)`, mlx-lm's formula; never mixed with `decode`.
    pub decode_mlxlm: Option<TokensPerSecond>,
    /// `n_prompt / ttft`.
    pub prefill: TokensPerSecond,
    pub peak_memory: Option<Bytes>,
}

/// Runs that share a level of a factor (or all runs), with each metric's statistics.
#[derive(Debug, Clone)]
pub struct Group {
    /// The level as it stands in claim ids: `64`, `0.3`, `1`; `overall`; for cells `1.64.0.3`.
    pub key: String,
    /// Run numbers, ascending.
    pub runs: Vec<u32>,
    /// Statistics by metric name, ascending: `decode`, `decode_mlxlm`, `latency`, `load`, `peak_memory`, `prefill`, `throughput`, `ttft`, `warm_latency`.
    /// Times in seconds, rates in tokens per second, memory in bytes. A metric that no run of the group has is absent.
    pub metrics: BTreeMap<&'static str, Stats>,
    /// Total tokens / total latency, tok/s: the rate of the group as a whole, beside the mean of rates.
    pub pooled_throughput: f64,
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
