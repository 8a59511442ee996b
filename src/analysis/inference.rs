//! Summary -> every test that a judgement in the paper rests on. Pure; judges nothing and formats nothing.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{
    RunMetrics, Summary,
    drift::{self, Drift},
    gaps::Gaps,
    line::{self, Line},
    metrics,
    observation::{self, Observation},
    outliers::{self, Outliers},
    pairs::{self, Equivalence, Rise},
    parts::Parts,
    variance::{self, Variance},
};
use crate::study::Study;

/// The metrics that are tested.
pub const TESTED: [&str; 6] = ["decode", "latency", "load", "throughput", "ttft", "warm_latency"];
/// Those that a line in the number of tokens may describe.
pub const FITTED: [&str; 2] = ["latency", "warm_latency"];

/// All tests of a study.
#[derive(Debug, Clone)]
pub struct Inference {
    /// By metric. A metric that some run lacks (decoding, with one token) is absent.
    pub tests: BTreeMap<&'static str, Tests>,
}

/// What is asked of one metric.
#[derive(Debug, Clone)]
pub struct Tests {
    pub variance: Variance,
    /// Of [`FITTED`] metrics.
    pub line: Option<Line>,
    /// Does it rise from each output length to the next?
    pub rise: Rise,
    pub temperature: Equivalence,
    pub prompt: Equivalence,
    pub drift: Option<Drift>,
    pub outliers: Option<Outliers>,
}

/// Where the time of some runs goes.
#[derive(Debug, Clone)]
pub struct Times {
    pub runs: Vec<u32>,
    pub parts: Parts,
    pub gaps: Option<Gaps>,
}

/// Tests the runs of a summary.
///
/// # Errors
/// A value that is not finite.
pub fn infer(study: &Study, summary: &Summary) -> Result<Inference> {
    let mut tests = BTreeMap::new();
    for metric in TESTED {
        let values: Option<Vec<f64>> = summary.runs.iter().map(|run| metrics::value(run, metric)).collect();
        if let Some(values) = values {
            tests.insert(metric, test(study, summary, metric, &values)?);
        }
    }
    Ok(Inference { tests })
}

fn test(study: &Study, summary: &Summary, metric: &str, values: &[f64]) -> Result<Tests> {
    let confidence = study.statistics.confidence;
    let place = |(run, value): (&RunMetrics, &f64)| observe(study, run, *value);
    let observations: Vec<Observation> = summary.runs.iter().zip(values).map(place).collect();
    let margin = study.statistics.equivalence_margin * observation::mean(&observations, observation::value).abs();
    let line = if FITTED.contains(&metric) { line::fit(&observations, confidence)? } else { None };
    Ok(Tests {
        variance: variance::of(&observations, confidence)?,
        line,
        rise: pairs::rise(&observations, 0, confidence)?,
        temperature: pairs::equivalence(&observations, 1, margin, confidence)?,
        prompt: pairs::equivalence(&observations, 2, margin, confidence)?,
        drift: drift::of(&observations, confidence)?,
        outliers: outliers::of(&observations)?,
    })
}

fn observe(study: &Study, run: &RunMetrics, value: f64) -> Observation {
    // A level that the study has not cannot occur: the store holds rows to the plan.
    fn place<T>(levels: &[T], is_it: impl Fn(&T) -> bool) -> usize {
        levels.iter().position(is_it).unwrap_or(levels.len())
    }
    let settings = &study.settings;
    Observation {
        levels: [
            place(&settings.max_tokens, |length| *length == run.max_tokens),
            place(&settings.temperatures, |temperature| *temperature == run.temperature),
            place(&study.prompts, |prompt| prompt.id == run.prompt_id),
        ],
        order: f64::from(run.order),
        tokens: f64::from(run.n_gen),
        value,
    }
}
