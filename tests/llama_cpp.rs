//! llama.cpp as an engine, on the file that the golden model was imported from: `cargo test --features llama-cpp --test
//! llama_cpp`. llama.cpp is loaded once a process, so the engine has one test.
#![cfg(feature = "llama-cpp")]
#![allow(clippy::unwrap_used)]

use std::{fs, path::PathBuf, process::Command};

use offprint::{
    engine::{Engine, Generation, Prompt, Request, Sampling, llama_cpp::LlamaCpp, tokenizer::Tokenizer},
    model::{self, Source},
    record::{FinishReason, Phase, RunRecord},
    study::Told,
};
use serde::Deserialize;

/// What `tests/oracles/golden_tokens.py` writes, in part.
#[derive(Deserialize)]
struct Golden {
    model: String,
    prompts: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    prompt: String,
    prompt_ids: Vec<u32>,
    tokens: Vec<u32>,
}

fn golden() -> (Golden, Source) {
    let golden: Golden = serde_json::from_str(include_str!("data/golden_tokens.json")).unwrap();
    let source = golden.model.parse().unwrap();
    (golden, source)
}

fn gguf(source: &Source) -> PathBuf {
    model::gguf_file(source, &model::cache_dir(), &mut |_| {}).unwrap()
}

fn request(prompt: &str, temperature: f64, max_tokens: u32, seed: u64) -> Request {
    let sampling = Sampling { temperature, top_p: Some(0.95), min_p: None, top_k: Some(40) };
    Request {
        context: 0,
        batch: 1,
        prompt: Prompt::Text(prompt.to_owned()),
        chat_template: None,
        max_tokens,
        sampling,
        seed,
        stop_on_eos: false,
        draft: None,
    }
}

fn sound(made: &Generation, n: u32) {
    assert_eq!(made.tokens.len() as u32, n);
    assert_eq!(made.token_times_ns.len() as u32, n);
    assert!(made.token_times_ns.is_sorted() && made.token_times_ns[0] > 0);
    assert!(made.e2e_ns >= made.tokenize_ns + made.token_times_ns[n as usize - 1]);
    assert_eq!(made.peak_memory_bytes, None);
    assert_eq!(made.finish, FinishReason::Length);
}

#[test]
fn it_answers_as_an_engine_does() {
    let (golden, source) = golden();
    let (checkpoint, _) = model::fetch(&source, &model::cache_dir(), &mut |_| {}).unwrap();
    let tokenizer = Tokenizer::open(&checkpoint.folder, checkpoint.config.vocab_size).unwrap();
    let mut engine = LlamaCpp::new(gguf(&source));
    assert!(engine.generate(&request("x", 0.0, 1, 0)).is_err());
    assert!(engine.load().unwrap() > 0);

    // It rounds activations to 8 bits where mlx-lm does not, so texts part somewhere; not at once, if the model is the same.
    let (mut first, mut shared) = (0, 0);
    for case in &golden.prompts {
        let made = engine.generate(&request(&case.prompt, 0.0, 16, 0)).unwrap();
        sound(&made, 16);
        assert_eq!(made.n_prompt as usize, case.prompt_ids.len(), "{:?}", case.prompt);
        assert_eq!(made.text, tokenizer.decode(&made.tokens).unwrap());
        first += usize::from(made.tokens[0] == case.tokens[0]);
        shared += made.tokens.iter().zip(&case.tokens).take_while(|(a, b)| a == b).count();
    }
    let all = golden.prompts.len();
    assert!(first * 10 >= all * 9, "{first} of {all} first tokens are mlx-lm's");
    assert!(shared * 2 >= all * 16, "{shared} of {} tokens are mlx-lm's", all * 16);

    let mut drawn = |seed| engine.generate(&request("Once upon a time", 0.9, 24, seed)).unwrap().tokens;
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
    assert_ne!(drawn(1), drawn(1 | 1 << 32), "the upper half of a seed counts");

    let long = golden.prompts[0].prompt.repeat(400);
    let made = engine.generate(&request(&long, 0.0, 2, 0)).unwrap();
    sound(&made, 2);
    assert!(made.n_prompt > 2048, "{}", made.n_prompt);

    let stops = Request {
        stop_on_eos: true,
        draft: None,
        ..request("<|im_start|>user\nSay OK.<|im_end|>\n<|im_start|>assistant\n", 0.0, 200, 0)
    };
    let made = engine.generate(&stops).unwrap();
    assert_eq!(made.finish, FinishReason::Stop, "{}", made.text);
    let chat = Request { chat_template: Some(Told::default()), ..request("Say OK.", 0.0, 4, 0) };
    let expected = tokenizer.prompt("Say OK.", Some(&Told::default())).unwrap().len();
    assert_eq!(engine.generate(&chat).unwrap().n_prompt as usize, expected);
}

#[test]
fn a_study_that_names_it_becomes_rows() {
    let folder = tempfile::tempdir().unwrap();
    let (golden, source) = golden();
    gguf(&source);
    let study = folder.path().join("study.yaml");
    fs::write(
        &study,
        format!(
            "study: {{name: bridge}}\nmodels: [{{id: small, name: Small, engine: llama-cpp, source: \"{}\"}}]\nprompts: [\"{}\"]\n\
             benchmark_settings: {{max_tokens: [4], temperatures: [0.0], num_runs: 2, warmup_runs: 1}}\n",
            golden.model, "The capital of France is"
        ),
    )
    .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_offprint"))
        .args(["run", study.to_str().unwrap(), "--results"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let run = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    let rows = run.join("runs.jsonl");
    let rows: Vec<RunRecord> =
        fs::read_to_string(rows).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 4);
    for row in rows {
        assert_eq!(row.engine, "llama-cpp");
        assert!(row.backend.starts_with("llama-cpp-"), "{}", row.backend);
        assert_eq!(row.n_gen, Some(4));
        // A warm-up has no load of its own.
        assert_eq!(row.load_ns.is_some_and(|ns| ns > 0), row.phase == Phase::Measured);
        assert!(row.ttft_ns.is_some_and(|ns| ns > 0));
        assert_eq!(row.peak_memory_bytes, None);
        assert!(row.output_text.is_some_and(|text| text.contains("Paris")));
    }

    let paper = folder.path().join("paper");
    let report = Command::new(env!("CARGO_BIN_EXE_offprint"))
        .args(["report", "--run"])
        .arg(&run)
        .arg("--out")
        .arg(&paper)
        .output();
    let report = report.unwrap();
    assert!(report.status.success(), "{report:?}");
    assert!(fs::read_to_string(paper.join("paper.md")).unwrap().contains("llama.cpp"));
}
