//! Results as llama-bench has them, held to the rows themselves: nothing of the program's statistics is asked. The field names are
//! those of tools/llama-bench/llama-bench.cpp of the llama.cpp in llama-cpp-python 0.3.36 (`test::get_fields`).
#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use offprint::{analysis::tables, evidence::Evidence};
use serde_json::Value;

const FIELDS: &str = "build_commit build_number cpu_info gpu_info backends model_filename model_type model_size model_n_params n_batch \
     n_ubatch n_threads cpu_mask cpu_strict poll type_k type_v n_gpu_layers n_cpu_moe split_mode main_gpu no_kv_offload flash_attn \
     devices tensor_split tensor_buft_overrides load_mode lazy_mode embeddings no_op_offload no_host repack fit_target fit_min_ctx \
     n_prompt n_gen n_depth test_time avg_ns stddev_ns avg_ts stddev_ts samples_ns samples_ts";
/// Without these, compare-llama-bench.py refuses a file, and on all but the last three it joins (LLAMA_BENCH_KEY_PROPERTIES).
const KEYS: &str = "cpu_info gpu_info backends n_gpu_layers n_cpu_moe tensor_buft_overrides model_filename model_type n_batch n_ubatch \
     embeddings cpu_mask cpu_strict poll n_threads type_k type_v load_mode no_kv_offload split_mode main_gpu tensor_split flash_attn \
     n_prompt n_gen n_depth fit_target fit_min_ctx build_commit test_time avg_ts";

fn run_of(study: &str) -> PathBuf {
    let folders = fs::read_dir(Path::new("results").join(study)).unwrap();
    folders.map(|entry| entry.unwrap().path()).max().unwrap()
}

fn report(folder: &Path, format: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_offprint"));
    command.args(["report", "--format", format, "--run"]).arg(folder).output().unwrap()
}

/// By the level of every factor: rows that count.
fn rows(folder: &Path) -> BTreeMap<String, Vec<Value>> {
    let mut cells: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in fs::read_to_string(folder.join("runs.jsonl")).unwrap().lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        if row["phase"] == "measured" && row["outcome"] == "ok" {
            cells.entry(row["factors"].to_string()).or_default().push(row);
        }
    }
    cells.values_mut().for_each(|rows| rows.sort_by_key(|row| row["run"].as_u64()));
    cells
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn depth(row: &Value) -> u64 {
    row["factors"]["context"].as_u64().unwrap_or(0)
}

/// n_prompt, n_gen, n_depth and the samples of a cell's two tests.
fn expected(rows: &[Value]) -> [((u64, u64, u64), Vec<u64>); 2] {
    let first = &rows[0];
    let (prompt, generated) = (number(&first["n_prompt"]), number(&first["n_gen"]));
    let prefill = rows.iter().map(|row| number(&row["ttft_ns"])).collect();
    let decode = rows.iter().map(|row| {
        let times = row["token_times_ns"].as_array().unwrap();
        number(times.last().unwrap()) - number(&times[0])
    });
    [((prompt, 0, depth(first)), prefill), ((0, generated - 1, depth(first) + prompt), decode.collect())]
}

fn close(found: &Value, expected: f64) {
    let found = found.as_f64().unwrap();
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{found} for {expected}");
}

#[test]
fn entries_are_what_the_rows_say() {
    for study in ["threads-and-context", "peers"] {
        let folder = run_of(study);
        let output = report(&folder, "llama-bench");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let entries: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        let cells = rows(&folder);
        let mut seen = BTreeSet::new();
        for entry in &entries {
            let runs: Vec<u64> = entry["offprint"]["runs"].as_array().unwrap().iter().map(number).collect();
            let of_runs = |rows: &&Vec<Value>| rows.iter().map(|row| number(&row["run"])).collect::<Vec<_>>() == runs;
            let rows = cells.values().find(of_runs).unwrap();
            let place = (number(&entry["n_prompt"]), number(&entry["n_gen"]), number(&entry["n_depth"]));
            let (_, samples) = expected(rows).into_iter().find(|(expected, _)| *expected == place).unwrap();
            assert_eq!(entry["samples_ns"], Value::from(samples.clone()));
            // As llama-bench computes: every sample is all of its tokens over its time.
            let rates: Vec<f64> = samples.iter().map(|ns| 1e9 * (place.0 + place.1) as f64 / *ns as f64).collect();
            let mean = rates.iter().sum::<f64>() / rates.len() as f64;
            let squares = rates.iter().map(|rate| rate * rate).sum::<f64>();
            let (n, less) = (rates.len() as f64, rates.len() as f64 - 1.0);
            close(&entry["avg_ts"], mean);
            let deviation = (squares / less - mean * mean * n / less).sqrt();
            assert!((entry["stddev_ts"].as_f64().unwrap() - deviation).abs() < 1e-6 * mean, "{entry}");
            for (found, rate) in entry["samples_ts"].as_array().unwrap().iter().zip(&rates) {
                close(found, *rate);
            }
            assert_eq!(number(&entry["avg_ns"]), samples.iter().sum::<u64>() / samples.len() as u64);
            assert!(seen.insert((runs, place)), "once each");
        }
        assert_eq!(seen.len(), 2 * cells.len(), "two tests a cell, and all cells");
    }
}

#[test]
fn fields_are_llama_benchs_and_its_comparison_can_join_on_them() {
    let folder = run_of("threads-and-context");
    let entries: Vec<Value> = serde_json::from_slice(&report(&folder, "llama-bench").stdout).unwrap();
    let lines = String::from_utf8(report(&folder, "llama-bench-jsonl").stdout).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, entries);
    for entry in &entries {
        let fields: BTreeSet<&str> = entry.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, FIELDS.split_whitespace().chain(["offprint"]).collect());
        assert!(KEYS.split_whitespace().all(|key| !entry[key].is_null()), "no null equals another in SQL");
        assert!(entry["offprint"]["differs"].as_str().unwrap().contains("llama-bench"));
        let threads = entry["n_threads"].as_i64().unwrap();
        assert!([1, 2].contains(&threads), "a factor's level");
        let time = entry["test_time"].as_str().unwrap();
        assert!(time.len() == 20 && time.ends_with('Z'), "{time}");
    }
}

#[test]
fn what_it_has_no_test_for_is_left_out_and_said() {
    // A client's times are those of a stream.
    let folder = run_of("servers");
    let output = report(&folder, "llama-bench");
    let entries: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let engines: BTreeSet<String> = entries.iter().map(|entry| entry["offprint"]["engine"].to_string()).collect();
    let all = rows(&folder);
    let (clients, others): (Vec<&Value>, Vec<&Value>) =
        all.values().flatten().partition(|row| row["clock"] == "client");
    assert!(!clients.is_empty() && clients.iter().all(|row| !engines.contains(&row["engine"].to_string())));
    assert_eq!(engines, others.iter().map(|row| row["engine"].to_string()).collect());
    assert!(String::from_utf8(output.stderr).unwrap().contains("left out"));
    let other = report(&run_of("servers"), "llama-stool");
    let error = String::from_utf8(other.stderr).unwrap();
    assert!(!other.status.success() && error.contains("llama-bench-jsonl"), "{error}");
}

/// Names stand where every run is the very test, and in no other row.
#[test]
fn tables_have_llama_benchs_names_where_they_are_exact() {
    let folder = run_of("threads-and-context");
    let tables = tables::of(&Evidence::open(&folder, None).unwrap().summary);
    let table = |name: &str| &tables.iter().find(|table| table.name == name).unwrap().csv;
    let mut labels: BTreeMap<(String, String), usize> = BTreeMap::new();
    for line in table("cells.csv").lines().skip(1) {
        let parts: Vec<&str> = line.split(',').collect();
        assert_eq!(parts.len(), 14);
        let named = ["prefill", "decode"].contains(&parts[1]);
        assert_eq!(named, !parts[13].is_empty(), "{line}");
        if named {
            *labels.entry((parts[1].to_owned(), parts[13].to_owned())).or_default() += 1;
        }
    }
    let mut counted: BTreeMap<(String, String), usize> = BTreeMap::new();
    for rows in rows(&folder).values() {
        let behind = |depth: u64| if depth == 0 { String::new() } else { format!("@d{depth}") };
        let [((prompt, _, before), _), ((_, generated, past), _)] = expected(rows);
        *counted.entry(("prefill".into(), format!("pp{prompt}{}", behind(before)))).or_default() += 1;
        *counted.entry(("decode".into(), format!("tg{generated}{}", behind(past)))).or_default() += 1;
    }
    assert_eq!(labels, counted);
    assert!(labels.contains_key(&("prefill".to_owned(), "pp128@d2048".to_owned())), "{labels:?}");
    // Groups of several prompts and lengths are no test of it; a study of texts has no such column.
    assert!(!table("by_threads.csv").contains("test") && !table("runs.csv").contains("pp128"));
    for table in tables::of(&Evidence::open(&run_of("quantization"), None).unwrap().summary) {
        assert!(!table.csv.lines().next().unwrap().ends_with(",test"), "{}", table.name);
    }
}
