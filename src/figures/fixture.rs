//! Summaries made by hand for tests: any grid of levels, any spread, no record and no engine behind them.

use super::Labels;
use crate::{
    analysis::{Group, RunMetrics, Seen, Summary, observation::Grid, stats},
    factor::{self, Factor, Known, Level},
    metric::Metric,
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
    fn factors(&self) -> Vec<Factor> {
        let known = |name: &str, levels: Vec<Level>| Known::named(name).unwrap().with(levels);
        vec![
            known(factor::LENGTH, self.lengths.iter().map(|l| Level::number((*l).into())).collect()),
            known(factor::TEMPERATURE, self.temperatures.iter().copied().map(Level::number).collect()),
            known(factor::PROMPT, self.prompts.iter().map(|p| Level::text(p)).collect()),
        ]
    }

    pub fn summary(&self) -> Summary {
        let factors = self.factors();
        let places = (0..self.prompts.len()).flat_map(|p| {
            (0..self.lengths.len()).flat_map(move |l| (0..self.temperatures.len()).map(move |t| vec![l, t, p]))
        });
        let places: Vec<Vec<usize>> = places.collect();
        let (grid, cells) = Grid::of(&[factor::LENGTH, factor::TEMPERATURE, factor::PROMPT], &places);
        let mut runs = Vec::new();
        for (place, cell) in places.iter().zip(cells) {
            for repeat in 1..=self.repeats {
                let (run, length) = (runs.len() as u32 + 1, self.lengths[place[0]]);
                let exact = self.start + self.per_token * f64::from(length) * (1.0 + 0.004 * place[2] as f64);
                let latency = exact * (1.0 + self.spread * noise(run));
                runs.push(metrics(run, cell, length, repeat, latency, self.start));
            }
        }
        let level = |run: &RunMetrics, factor: usize| grid.cells[run.cell][factor];
        let by = |factor: usize| {
            let key = |at: usize| factors[factor].levels[at].key().into_owned();
            let group = |at: usize| group(key(at), at, runs.iter().filter(|run| level(run, factor) == at));
            (0..factors[factor].levels.len()).map(group).collect::<Vec<_>>()
        };
        let cell = |at: usize| {
            let key = [2, 0, 1].map(|f: usize| factors[f].levels[grid.cells[at][f]].key().into_owned()).join(".");
            group(key, at, runs.iter().filter(|run| run.cell == at))
        };
        Summary {
            quality: Vec::new(),
            counted: false,
            planned: runs.len() as u32,
            failed: 0,
            overall: group("overall".into(), 0, runs.iter()),
            by: (0..factors.len()).map(by).collect(),
            cells: (0..grid.cells.len()).map(cell).collect(),
            seen: Seen::default(),
            factors,
            grid,
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

fn metrics(run: u32, cell: usize, length: u32, repeat: u32, latency: f64, start: f64) -> RunMetrics {
    let load = start * 0.6;
    let mut values = [f64::NAN; Metric::ALL.len()];
    for (metric, value) in [
        (Metric::Load, load),
        (Metric::Ttft, load * 0.3),
        (Metric::WarmLatency, latency - load),
        (Metric::Latency, latency),
        (Metric::Throughput, f64::from(length) / latency),
        (Metric::Prefill, 9.0 / (load * 0.3)),
    ] {
        values[metric as usize] = value;
    }
    let order = (run * 29) % 54 + 1;
    RunMetrics {
        run,
        order,
        block: repeat,
        repeat,
        cell,
        max_tokens: length,
        n_prompt: 9,
        n_gen: length.into(),
        by_client: false,
        values,
    }
}

fn group<'a>(key: String, level: usize, runs: impl Iterator<Item = &'a RunMetrics>) -> Group {
    let runs: Vec<&RunMetrics> = runs.collect();
    let of = |metric: Metric| runs.iter().filter_map(|run| run.value(metric)).collect::<Vec<f64>>();
    let known = Metric::ALL.into_iter().map(|metric| (metric, of(metric))).filter(|(_, values)| !values.is_empty());
    Group {
        key,
        level,
        runs: runs.iter().map(|run| run.run).collect(),
        metrics: known.map(|(metric, values)| (metric, stats::of(&values, 0.95).unwrap())).collect(),
        pooled_throughput: 0.0,
        times: None,
    }
}
