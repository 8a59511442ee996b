//! Summaries made by hand for tests: any grid of levels, any spread, no record and no engine behind them.

use std::collections::BTreeMap;

use super::Labels;
use crate::{
    analysis::{Group, RunMetrics, Seen, Summary, stats},
    units::{Seconds, TokensPerSecond},
};

/// A design and how its runs come out.
pub struct Design {
    pub lengths: Vec<u32>,
    pub temperatures: Vec<f64>,
    pub prompts: Vec<String>,
    pub repeats: u32,
    /// Seconds: before the first token, for each token, and the spread between repeats as a share.
    pub start: f64,
    pub per_token: f64,
    pub spread: f64,
}

impl Default for Design {
    /// The manuscript's 54 runs.
    fn default() -> Self {
        Design {
            lengths: vec![64, 128, 256],
            temperatures: vec![0.3, 0.7],
            prompts: ["1", "2", "3"].map(str::to_owned).to_vec(),
            repeats: 3,
            start: 0.9,
            per_token: 0.105,
            spread: 0.02,
        }
    }
}

pub fn labels() -> Labels {
    Labels { not_a_measurement: None, confidence: 0.95, equivalence_margin: 0.02 }
}

impl Design {
    pub fn summary(&self) -> Summary {
        let mut runs = Vec::new();
        for (p, prompt) in self.prompts.iter().enumerate() {
            for length in &self.lengths {
                for temperature in &self.temperatures {
                    for repeat in 1..=self.repeats {
                        let run = runs.len() as u32 + 1;
                        let exact = self.start + self.per_token * f64::from(*length) * (1.0 + 0.004 * p as f64);
                        let latency = exact * (1.0 + self.spread * noise(run));
                        runs.push(metrics(run, prompt, *length, *temperature, repeat, latency, self.start));
                    }
                }
            }
        }
        let by = |key: String, keep: &dyn Fn(&RunMetrics) -> bool| group(key, runs.iter().filter(|run| keep(run)));
        let lengths = self.lengths.iter().map(|l| by(l.to_string(), &|run| run.max_tokens == *l));
        let temperatures = self.temperatures.iter().map(|t| by(t.to_string(), &|run| run.temperature == *t));
        let prompts = self.prompts.iter().map(|p| by(p.clone(), &|run| run.prompt_id == *p));
        let points = self.prompts.iter().flat_map(|p| self.lengths.iter().map(move |l| (p, l)));
        let points = points.flat_map(|(p, l)| self.temperatures.iter().map(move |t| (p, l, t)));
        let cells = points.map(|(p, l, t)| {
            by(format!("{p}.{l}.{t}"), &|run| run.prompt_id == *p && run.max_tokens == *l && run.temperature == *t)
        });
        Summary {
            planned: runs.len() as u32,
            failed: 0,
            overall: by("overall".into(), &|_| true),
            by_length: lengths.collect(),
            by_temperature: temperatures.collect(),
            by_prompt: prompts.collect(),
            cells: cells.collect(),
            times: BTreeMap::new(),
            seen: Seen::default(),
            runs,
        }
    }
}

/// Something between -1 and 1 that looks random and is not.
fn noise(run: u32) -> f64 {
    // Two rounds of a multiplicative hash, each mapped to 0..1.
    let hash = |x: u32| (x ^ (x >> 15)).wrapping_mul(0x2c1b_3c6d) ^ x.rotate_left(11);
    let share = |x: u32| f64::from(hash(hash(x.wrapping_mul(0x9e37_79b9)))) / f64::from(u32::MAX);
    share(run) + share(run + 1_000_000) - 1.0
}

fn metrics(run: u32, prompt: &str, length: u32, temperature: f64, repeat: u32, latency: f64, load: f64) -> RunMetrics {
    let load = load * 0.6;
    RunMetrics {
        run,
        order: (run * 29) % 54 + 1,
        block: repeat,
        model: "m".into(),
        prompt_id: prompt.into(),
        max_tokens: length,
        temperature,
        repeat,
        n_prompt: 9,
        n_gen: length,
        load: Seconds(load),
        tokenize: Seconds(0.0),
        ttft: Seconds(load * 0.3),
        warm_latency: Seconds(latency - load),
        latency: Seconds(latency),
        throughput: TokensPerSecond(f64::from(length) / latency),
        decode: None,
        decode_mlxlm: None,
        prefill: TokensPerSecond(9.0 / (load * 0.3)),
        peak_memory: None,
    }
}

fn group<'a>(key: String, runs: impl Iterator<Item = &'a RunMetrics>) -> Group {
    let runs: Vec<&RunMetrics> = runs.collect();
    let metric =
        |of: fn(&RunMetrics) -> f64| stats::of(&runs.iter().map(|run| of(run)).collect::<Vec<_>>(), 0.95).unwrap();
    let metrics = BTreeMap::from([
        ("latency", metric(|run| run.latency.0)),
        ("load", metric(|run| run.load.0)),
        ("throughput", metric(|run| run.throughput.0)),
        ("ttft", metric(|run| run.ttft.0)),
        ("warm_latency", metric(|run| run.warm_latency.0)),
    ]);
    Group { key, runs: runs.iter().map(|run| run.run).collect(), metrics, pooled_throughput: 0.0 }
}
