//! `offprint explain` through the binary: a number leads to its formula and its rows, and the rows give the number.

#![allow(clippy::unwrap_used)] // a test may: it fails where it should

use std::process::{Command, Output};

use serde_json::Value;

fn offprint(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_offprint")).args(arguments).output().unwrap()
}

/// A finished fake study's folder.
fn study(folder: &tempfile::TempDir) -> String {
    let results = folder.path().join("results");
    let run = offprint(&["run", "config/fake.yaml", "--results", results.to_str().unwrap()]);
    assert!(run.status.success());
    String::from_utf8(run.stdout).unwrap().trim().to_owned()
}

fn explained(run: &str, what: &str) -> Vec<Value> {
    let output = offprint(&["explain", what, "--run", run, "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_number_leads_to_rows_that_give_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let run = study(&folder);
    let by_id = explained(&run, "latency.mean");
    let claim = &by_id[0];
    let rows = claim["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 16);
    let total: f64 =
        rows.iter().map(|row| (row["load_ns"].as_f64().unwrap() + row["e2e_ns"].as_f64().unwrap()) / 1e9).sum();
    let value = claim["value"].as_f64().unwrap();
    assert!((total / 16.0 / value - 1.0).abs() < 1e-12, "{total} / 16 for {value}");
    assert!(claim["places"].as_array().unwrap().len() >= 3, "abstract, results, discussion");
    assert!(claim["formula"].as_str().unwrap().contains("load + e2e"));

    // As printed, the number finds the same claim, perhaps among others.
    let by_number = explained(&run, claim["text"].as_str().unwrap());
    assert!(by_number.contains(claim));

    let text = offprint(&["explain", "latency.mean", "--run", &run]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.starts_with("latency.mean = ") && text.contains("stands    paper.md:"), "{text}");
}

#[test]
fn what_is_no_claim_is_refused_with_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    let output = offprint(&["explain", "latency.meen", "--run", &study(&folder)]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert!(String::from_utf8(output.stderr).unwrap().contains("did you mean latency.mean,"));
}

/// The printed command, by the real jq where there is one.
#[test]
fn the_recomputation_gives_the_value() {
    if Command::new("jq").arg("--version").output().is_err() {
        eprintln!("jq is not installed: nothing was tried");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = study(&folder);
    for id in ["latency.mean", "latency.sd", "decode.cv", "ttft.se", "by_length.8.throughput.max", "prefill.min"] {
        let claim = &explained(&run, id)[0];
        let output = Command::new("sh").args(["-c", claim["recompute"].as_str().unwrap()]).output().unwrap();
        let again: f64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
        let value = claim["value"].as_f64().unwrap();
        assert!((again / value - 1.0).abs() < 1e-9, "{id}: {again} for {value}");
    }
}

/// What is copied out of the paper, unit and all, leads to the same claim as its id.
#[test]
fn a_number_is_found_as_it_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let run = study(&folder);
    let printed = |id: &str| explained(&run, id)[0]["text"].as_str().unwrap().to_owned();
    let ids = |what: &str| -> Vec<String> {
        explained(&run, what).iter().map(|found| found["id"].as_str().unwrap().to_owned()).collect()
    };
    let decode = printed("decode.mean");
    for what in [
        format!("{decode} tok/s"),
        format!("{decode} tokens per second"),
        format!("{}\u{202f}tok/s", decode.replace('.', ",")),
    ] {
        let found = ids(&what);
        assert!(found.contains(&"decode.mean".to_owned()), "{what}: {found:?}");
        assert!(found.iter().all(|id| explained(&run, id)[0]["unit"] == "tok/s"), "{what}: {found:?}");
    }
    let (low, high) = (printed("latency.ci.low"), printed("latency.ci.high"));
    for what in [format!("{low} to {high} s"), format!("[{low}, {high}]"), format!("{low}–{high}")] {
        let found = ids(&what);
        assert!(["latency.ci.low", "latency.ci.high"].iter().all(|id| found.contains(&(*id).to_owned())), "{found:?}");
    }
    assert!(ids("95 %").contains(&"study.confidence".to_owned()));
    assert_eq!(explained(&run, "complete")[0]["holds"], true);

    let none = offprint(&["explain", "123456.7 tok/s", "--run", &run]);
    let hint = String::from_utf8(none.stderr).unwrap();
    assert_eq!(none.status.code(), Some(1));
    assert!(hint.contains("hint: the numbers next to it are ") && hint.contains(" tok/s ("), "{hint}");
}
