//! `adapters/mlx_lm.py` with the real mlx-lm: it is a worker, and its greedy tokens are our engine's. Needs an environment with mlx-lm,
//! whose programs are at `OFFPRINT_TEST_ENGINES` (see `.ci/run`).

use std::fs;

use offprint::{
    record::{Phase, RunRecord},
    store::Run,
};

use super::{check::model, *};

#[test]
fn python_s_mlx_lm_is_a_worker_and_says_what_our_engine_says() {
    let Some(bin) = std::env::var_os("OFFPRINT_TEST_ENGINES").map(PathBuf::from) else {
        eprintln!("not tried: OFFPRINT_TEST_ENGINES names no environment with mlx-lm");
        return;
    };
    let Some(place) = model() else { return };
    let (python, adapter) = (bin.join("python3"), root().join("adapters/mlx_lm.py"));
    let output = Command::new(env!("CARGO_BIN_EXE_offprint"))
        .args(["worker", "check", "--place", &place, "--", python.to_str().unwrap(), adapter.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(
        said(&output).contains("mlx-lm-cpu-float32") || said(&output).contains("mlx-lm-metal"),
        "{}",
        said(&output)
    );

    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "study: {{name: beside}}\nmodels:\n  - id: smollm2\n    name: SmolLM2\n    source: \"path:{place}\"\n    engine:\n      - mlx\n      - {{name: mlx-lm, command: [{python:?}, {adapter:?}]}}\nprompts:\n  - \"The capital of France is\"\n  - {{id: long, tokens: 40}}\nbenchmark_settings: {{max_tokens: [12], temperatures: [0], num_runs: 1}}\nfactors: {{context: [0, 16]}}\nexecution: {{isolation: session}}\n"
    );
    fs::write(folder.path().join("study.yaml"), text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_offprint"))
        .args(["run", "study.yaml"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let run = Run::open(&folder.path().join(String::from_utf8_lossy(&output.stdout).trim())).unwrap();
    let rows: Vec<_> = run.records.iter().filter(|row| row.phase == Phase::Measured).collect();
    let of = |engine: &str| rows.iter().copied().filter(|row| row.engine == engine).collect::<Vec<&RunRecord>>();
    let (ours, theirs) = (of("mlx"), of("mlx-lm"));
    assert_eq!((ours.len(), theirs.len()), (4, 4));
    for row in ours {
        let is_same = |other: &&&RunRecord| {
            other.prompt_id == row.prompt_id && other.factors["context"] == row.factors["context"]
        };
        let other = theirs.iter().find(is_same).unwrap();
        assert_eq!((other.n_prompt, &other.output_text), (row.n_prompt, &row.output_text), "prompt {}", row.prompt_id);
        assert_eq!(other.output_sha256, row.output_sha256, "prompt {}", row.prompt_id);
    }
}
