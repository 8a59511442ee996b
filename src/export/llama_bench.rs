//! A run -> what `llama-bench -o json` writes: an entry a test, with its fields, their types and their order. A cell of the design is two
//! tests, as [`Label`] has it; one that is none is left out, by its key.
//!
//! Nanoseconds are those of the rows: a prefill's until the first token is read, which llama-bench does not sample; a generation's from
//! the first token to the last. `avg_ts` and `stddev_ts` are over samples, ddof = 1, 0 of a single one, as there.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::{
    analysis::{Group, Summary, label::Label, stats},
    factor::THREADS,
    machine::{CheckpointFacts, Environment},
    metric::Metric,
    record::{Outcome, Phase, RunRecord},
    store::Run,
    study::ModelSpec,
};

/// The entries, and the keys of cells that are no tests of llama-bench.
#[derive(Debug)]
pub struct Export {
    pub entries: Vec<Entry>,
    pub left_out: Vec<String>,
}

/// Unknown is `null`; but of what `compare-llama-bench.py` joins on an empty text or -1, since in SQL no null equals another.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// This program's.
    build_commit: String,
    build_number: Option<u64>,
    cpu_info: String,
    gpu_info: String,
    backends: String,
    /// The source as resolved: a file's path is nobody's affair.
    model_filename: String,
    model_type: String,
    model_size: Option<u64>,
    model_n_params: Option<u64>,
    n_batch: i64,
    n_ubatch: i64,
    n_threads: i64,
    cpu_mask: &'static str,
    cpu_strict: bool,
    poll: i64,
    type_k: &'static str,
    type_v: &'static str,
    n_gpu_layers: i64,
    n_cpu_moe: i64,
    split_mode: &'static str,
    main_gpu: i64,
    no_kv_offload: bool,
    flash_attn: i64,
    devices: Option<String>,
    tensor_split: &'static str,
    tensor_buft_overrides: &'static str,
    load_mode: &'static str,
    lazy_mode: Option<String>,
    embeddings: bool,
    no_op_offload: Option<i64>,
    no_host: Option<bool>,
    repack: Option<bool>,
    fit_target: i64,
    fit_min_ctx: i64,
    n_prompt: u32,
    n_gen: u32,
    n_depth: u32,
    test_time: String,
    avg_ns: u64,
    stddev_ns: u64,
    avg_ts: f64,
    stddev_ts: f64,
    samples_ns: Vec<u64>,
    samples_ts: Vec<f64>,
    offprint: Ours,
}

/// What llama-bench has no field for.
#[derive(Debug, Clone, Serialize)]
struct Ours {
    version: String,
    study: String,
    run_id: String,
    runs_sha256: String,
    /// Of the cell's claims.
    cell: String,
    engine: String,
    /// Runs, in the order of the samples.
    runs: Vec<u32>,
    /// llama-bench's name of the test.
    test: String,
    differs: &'static str,
}

const PREFILL: &str = "from the ids of the prompt to the first token's on the host: sampling that token is in it, and in llama-bench it is not";
const GENERATION: &str = "from the first token's id on the host to the last's: sampling and reading each token are in it; llama-bench feeds random \
     tokens and does not sample. n_gen is one less than was asked for, and n_depth has the prompt in it";

/// `run` with its rows.
///
/// # Errors
/// A row that its summary has and the run has not.
pub fn entries(run: &Run, summary: &Summary) -> Result<Export> {
    let measured = run.records.iter().filter(|row| row.phase == Phase::Measured && row.outcome == Outcome::Ok);
    let rows: BTreeMap<u32, &RunRecord> = measured.map(|row| (row.run, row)).collect();
    let mut export = Export { entries: Vec::new(), left_out: Vec::new() };
    for cell in &summary.cells {
        let of_cell = cell.runs.iter().map(|run| rows.get(run).copied());
        let of_cell: Vec<&RunRecord> =
            of_cell.collect::<Option<_>>().with_context(|| format!("{}: a row is missing", cell.key))?;
        let before = export.entries.len();
        for metric in [Metric::Prefill, Metric::Decode] {
            if let Some(label) = Label::of(summary, &cell.runs, metric) {
                export.entries.extend(entry(run, cell, &of_cell, label));
            }
        }
        if export.entries.len() == before {
            export.left_out.push(cell.key.clone());
        }
    }
    Ok(export)
}

/// `None`: a row does not say when its tokens came.
fn entry(run: &Run, cell: &Group, rows: &[&RunRecord], label: Label) -> Option<Entry> {
    let first = *rows.first()?;
    let model = run.study.models.iter().find(|model| model.made(first))?;
    let Environment { chip, gpu, git_commit, offprint_version, checkpoints, .. } = &run.environment;
    let facts = checkpoints.iter().find(|facts| facts.is_of(model));
    let samples_ns: Vec<u64> = rows.iter().map(|row| nanoseconds(row, label)).collect::<Option<_>>()?;
    let samples_ts: Vec<f64> = samples_ns.iter().map(|ns| 1e9 * f64::from(label.tokens()) / *ns as f64).collect();
    let times: Vec<f64> = samples_ns.iter().map(|ns| *ns as f64).collect();
    let (n_prompt, n_gen, differs) = match label {
        Label::Prefill { tokens, .. } => (tokens, 0, PREFILL),
        Label::Generation { tokens, .. } => (0, tokens, GENERATION),
    };
    let threads = first.factors.get(THREADS).and_then(|level| level.to_string().parse().ok());
    Some(Entry {
        build_commit: git_commit.value.clone().unwrap_or_else(|| format!("offprint-{offprint_version}")),
        build_number: None,
        cpu_info: chip.value.clone().unwrap_or_default(),
        gpu_info: gpu.value.clone().unwrap_or_default(),
        backends: first.backend.clone(),
        model_filename: facts.map_or_else(String::new, |facts| facts.source.clone()),
        model_type: model_type(model, facts),
        model_size: facts.map(|facts| facts.weight_bytes),
        model_n_params: facts.map(|facts| facts.parameters),
        n_batch: -1,
        n_ubatch: -1,
        n_threads: threads.unwrap_or(-1),
        cpu_mask: "",
        cpu_strict: false,
        poll: -1,
        type_k: "",
        type_v: "",
        n_gpu_layers: -1,
        n_cpu_moe: -1,
        split_mode: "",
        main_gpu: -1,
        no_kv_offload: false,
        flash_attn: -1,
        devices: None,
        tensor_split: "",
        tensor_buft_overrides: "",
        load_mode: "",
        lazy_mode: None,
        embeddings: false,
        no_op_offload: None,
        no_host: None,
        repack: None,
        fit_target: -1,
        fit_min_ctx: -1,
        n_prompt,
        n_gen,
        n_depth: label.depth(),
        test_time: seconds(&first.started_at),
        avg_ns: samples_ns.iter().sum::<u64>() / samples_ns.len() as u64,
        stddev_ns: deviation(&times).round() as u64,
        avg_ts: stats::mean(&samples_ts),
        stddev_ts: deviation(&samples_ts),
        samples_ns,
        samples_ts,
        offprint: Ours {
            version: offprint_version.clone(),
            study: run.study.name.clone(),
            run_id: run.run_id.clone(),
            runs_sha256: run.runs_sha256.clone(),
            cell: cell.key.clone(),
            engine: first.engine.clone(),
            runs: cell.runs.clone(),
            test: label.to_string(),
            differs,
        },
    })
}

fn nanoseconds(row: &RunRecord, label: Label) -> Option<u64> {
    match label {
        Label::Prefill { .. } => row.ttft_ns,
        Label::Generation { .. } => {
            let times = row.token_times_ns.as_ref()?;
            times.last()?.checked_sub(*times.first()?)
        }
    }
    .filter(|time| *time > 0)
}

/// A time as llama-bench writes it, which has no parts of a second.
fn seconds(time: &str) -> String {
    time.split_once('.').map_or_else(|| time.to_owned(), |(whole, _)| format!("{whole}Z"))
}

/// e.g. `SmolLM2-135M-Instruct, 4-bit affine, group 32`.
fn model_type(model: &ModelSpec, facts: Option<&CheckpointFacts>) -> String {
    let packed = facts.and_then(|facts| facts.quantization.as_ref());
    packed.map_or_else(|| model.name.clone(), |packed| format!("{}, {packed}", model.name))
}

/// ddof = 1.
fn deviation(values: &[f64]) -> f64 {
    let mean = stats::mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    if values.len() < 2 { 0.0 } else { (squares / (values.len() - 1) as f64).sqrt() }
}
