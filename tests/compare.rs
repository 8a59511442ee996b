//! `offprint compare` through the binary, on the fake engine: what is the same is called so, what is slower is called
//! different in absolute claims and the same in relative ones, and what was made otherwise is named first.
#![allow(clippy::unwrap_used)] // a test may: it fails where it should

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

fn offprint(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_offprint")).args(arguments).current_dir(folder).output().unwrap()
}

/// Executes a study and returns its run folder.
fn execute(folder: &TempDir, name: &str, seed: u32, lengths: &str) -> PathBuf {
    let study = format!(
        "study: {{name: {name}}}\nmodels: [{{id: tiny, name: Tiny, source: fake}}]\n\
         prompts: [\"one two three\", \"four\"]\nexecution: {{seed: {seed}}}\n\
         benchmark_settings: {{max_tokens: {lengths}, temperatures: [0, 0.7], num_runs: 4}}\n"
    );
    fs::write(folder.path().join("study.yaml"), study).unwrap();
    let said = offprint(folder.path(), &["run", "study.yaml"]);
    assert!(said.status.success(), "{said:?}");
    folder.path().join(String::from_utf8(said.stdout).unwrap().trim())
}

/// A copy of a run whose times are all `factor` as long, as if the machine were slower throughout.
fn slower(folder: &TempDir, run: &Path, name: &str, factor: f64) -> PathBuf {
    let copy = folder.path().join(name);
    fs::create_dir(&copy).unwrap();
    for file in ["study.yaml", "environment.json"] {
        fs::copy(run.join(file), copy.join(file)).unwrap();
    }
    let longer = |ns: &Value| Value::from((ns.as_u64().unwrap() as f64 * factor) as u64);
    let rows = fs::read_to_string(run.join("runs.jsonl")).unwrap();
    let rows = rows.lines().map(|line| {
        let mut row: Value = serde_json::from_str(line).unwrap();
        for field in ["load_ns", "tokenize_ns", "ttft_ns", "e2e_ns"] {
            if !row[field].is_null() {
                row[field] = longer(&row[field]);
            }
        }
        row["token_times_ns"] = row["token_times_ns"].as_array().unwrap().iter().map(longer).collect();
        row.to_string() + "\n"
    });
    fs::write(copy.join("runs.jsonl"), rows.collect::<String>()).unwrap();
    copy
}

/// The comparison as JSON, with its exit code.
fn compared(folder: &TempDir, a: &Path, b: &Path) -> (i32, Value) {
    let said = offprint(folder.path(), &["compare", a.to_str().unwrap(), b.to_str().unwrap(), "--json"]);
    let json = serde_json::from_slice(&said.stdout).unwrap_or_else(|_| panic!("{said:?}"));
    (said.status.code().unwrap(), json)
}

fn verdicts(comparison: &Value, sort: &str, scale: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let claims = comparison["claims"].as_array().unwrap().iter();
    let of = claims.filter(|claim| claim["sort"] == sort && claim["scale"] == scale);
    of.map(|claim| (text(&claim["id"]), text(&claim["verdict"]))).collect()
}

#[test]
fn two_executions_of_a_quiet_engine_are_equivalent() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (execute(&folder, "one", 1, "[8, 16, 32]"), execute(&folder, "two", 2, "[8, 16, 32]"));
    let (_, comparison) = compared(&folder, &a, &b);
    let absolute = verdicts(&comparison, "absolute", "ratio");
    // 7 metrics (the fake engine has no memory), 2 by 3 lengths, 2 temperatures and 2 prompts, and the slope.
    assert_eq!(absolute.len(), 7 + 2 * 7 + 1, "{absolute:?}");
    assert!(absolute.iter().all(|(_, verdict)| verdict != "different"), "{absolute:?}");
    let equivalent = absolute.iter().filter(|(_, verdict)| verdict == "equivalent").count();
    assert!(equivalent >= 15, "{absolute:?}");
    assert!(absolute.contains(&("load.mean".to_owned(), "equivalent".to_owned())), "it never varies: {absolute:?}");
    // What was made otherwise: the seed, and so the tokens.
    let differences: Vec<&str> =
        comparison["differences"].as_array().unwrap().iter().map(|d| d["what"].as_str().unwrap()).collect();
    // Where there is a sensor, the machine may have warmed up meanwhile.
    let differences: Vec<&str> = differences.into_iter().filter(|what| *what != "thermal state").collect();
    assert_eq!(differences, ["seed"]);
    assert_eq!(comparison["outputs"]["compared"], 0);

    // Numbers are those of the paper.
    let out = folder.path().join("paper");
    assert!(
        offprint(folder.path(), &["report", "--run", a.to_str().unwrap(), "--out", out.to_str().unwrap()])
            .status
            .success()
    );
    let claims: Value = serde_json::from_str(&fs::read_to_string(out.join("claims.json")).unwrap()).unwrap();
    let mut found = 0;
    for claim in comparison["claims"].as_array().unwrap() {
        if let Some(of_paper) = claims["claims"].get(claim["id"].as_str().unwrap()) {
            let (here, there) = (claim["a"]["value"].as_f64().unwrap(), of_paper["value"].as_f64().unwrap());
            assert!((here / there - 1.0).abs() < 1e-9, "{}: {here} for {there}", claim["id"]);
            found += 1;
        }
    }
    // All absolute ones, and the shares of variance of two metrics by seven terms and the residual.
    assert_eq!(found, 22 + 2 * 8);
}

#[test]
fn a_machine_that_is_slower_throughout_differs_in_absolute_claims_alone() {
    let folder = tempfile::tempdir().unwrap();
    let a = execute(&folder, "one", 1, "[8, 16, 32]");
    let b = slower(&folder, &execute(&folder, "two", 2, "[8, 16, 32]"), "slow", 1.5);
    let (code, comparison) = compared(&folder, &a, &b);
    assert_eq!((code, comparison["verdict"].as_str()), (1, Some("different")));
    for (id, verdict) in verdicts(&comparison, "absolute", "ratio") {
        assert_eq!(verdict, "different", "{id}");
    }
    for scale in ["ratio", "share", "judgement"] {
        let relative = verdicts(&comparison, "relative", scale);
        assert!(!relative.is_empty() && relative.iter().all(|(_, verdict)| verdict != "different"), "{relative:?}");
    }
    let ratios = verdicts(&comparison, "relative", "ratio");
    assert!(ratios.iter().filter(|(_, verdict)| verdict == "equivalent").count() >= 6, "{ratios:?}");

    // The verdict is the same whichever is called A, and the change the other way round.
    let (_, swapped) = compared(&folder, &b, &a);
    for (one, other) in comparison["claims"].as_array().unwrap().iter().zip(swapped["claims"].as_array().unwrap()) {
        assert_eq!((&one["id"], &one["verdict"]), (&other["id"], &other["verdict"]));
        if let (Some(there), Some(back)) = (one["change"]["value"].as_f64(), other["change"]["value"].as_f64()) {
            let sum = if one["scale"] == "ratio" { (1.0 + there) * (1.0 + back) - 1.0 } else { there + back };
            assert!(sum.abs() < 1e-12, "{}: {there} and {back}", one["id"]);
            let (p, q) = (one["change"]["p"].as_f64().unwrap(), other["change"]["p"].as_f64().unwrap());
            assert!((p - q).abs() < 1e-12, "{}: p {p} and {q}", one["id"]);
        }
    }
}

#[test]
fn the_same_records_need_no_test() {
    let folder = tempfile::tempdir().unwrap();
    let a = execute(&folder, "one", 1, "[8, 16]");
    let copy = slower(&folder, &a, "copy", 1.0);
    fs::copy(a.join("runs.jsonl"), copy.join("runs.jsonl")).unwrap();
    let (code, comparison) = compared(&folder, &a, &copy);
    assert_eq!((code, comparison["same_records"].as_bool()), (0, Some(true)), "{}", comparison["summary"]);
    assert_eq!(comparison["outputs"]["compared"], comparison["outputs"]["equal"]);
    assert!(comparison["claims"].as_array().unwrap().iter().all(|claim| claim["verdict"] == "equivalent"));
}

#[test]
fn another_machine_is_named_before_anything_else() {
    let folder = tempfile::tempdir().unwrap();
    let a = execute(&folder, "one", 1, "[8, 16]");
    let b = slower(&folder, &a, "m4", 0.5);
    let environment = fs::read_to_string(b.join("environment.json")).unwrap();
    let mut environment: Value = serde_json::from_str(&environment).unwrap();
    environment["chip"] = serde_json::json!({"value": "Apple M4 | `x` <b>"});
    environment["libraries"]["mlx"] = "9.9.9".into();
    fs::write(b.join("environment.json"), environment.to_string()).unwrap();
    let out = folder.path().join("out");
    let arguments = ["compare", a.to_str().unwrap(), b.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let said = offprint(folder.path(), &arguments);
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    let text = String::from_utf8(said.stdout).unwrap();
    let (chip, claims) = (text.find("Apple M4 \\| 'x' <b>`").unwrap(), text.find("## Absolute claims").unwrap());
    let mlx = text.find("`9.9.9`").unwrap();
    assert!(chip < mlx && mlx < claims, "{text}");
    assert!(text.contains("not a measurement**: made by the fake engine"), "{text}");
    assert!(text.trim_end().lines().last().unwrap().contains("which differ in machine and software"), "{text}");
    assert_eq!(fs::read_to_string(out.join("comparison.md")).unwrap(), text);
    let svg = fs::read_to_string(out.join("figures/comparison.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("#b03a00"), "the figure says that this is no measurement");
    assert!(fs::read(out.join("figures/comparison.png")).unwrap().starts_with(b"\x89PNG"));
}

/// Both call themselves by the same name; what their processors are decides, and silence decides nothing.
#[test]
fn a_processor_of_the_same_name_may_be_another() {
    let folder = tempfile::tempdir().unwrap();
    let a = execute(&folder, "one", 1, "[8, 16]");
    let zen = |name: &str, model: u32, microcode: &str| {
        serde_json::json!({"value": {"name": name, "vendor": "AuthenticAMD", "family": "25", "model": model.to_string(),
            "stepping": "1", "microcode": microcode}})
    };
    let of = |name: &str, processor: Option<Value>| {
        let run = slower(&folder, &a, name, 1.5);
        let file = run.join("environment.json");
        let mut environment: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        environment["chip"] = serde_json::json!({"value": "AMD EPYC"});
        match processor {
            Some(processor) => environment["processor"] = processor,
            None => drop(environment.as_object_mut().unwrap().remove("processor")),
        }
        fs::write(file, environment.to_string()).unwrap();
        run
    };
    let [zen3, again, patched, zen4, old] = [
        of("zen3", Some(zen("Zen 3", 1, "0x1"))),
        of("again", Some(zen("Zen 3", 1, "0x1"))),
        of("patched", Some(zen("Zen 3", 1, "0x2"))),
        of("zen4", Some(zen("Zen 4", 17, "0x1"))),
        of("old", None),
    ];
    // What differs of the machine, and whether that makes it another.
    let told = |b: &Path| -> Vec<(String, String, String, bool)> {
        let (_, comparison) = compared(&folder, &zen3, b);
        let of_machine =
            comparison["differences"].as_array().unwrap().iter().filter(|d| d["kind"] == "machine").cloned();
        let text = |d: &Value, key: &str| d[key].as_str().unwrap().to_owned();
        of_machine.map(|d| (text(&d, "what"), text(&d, "a"), text(&d, "b"), d["other_machine"] == true)).collect()
    };
    let row = |what: &str, a: &str, b: &str, other| vec![(what.to_owned(), a.to_owned(), b.to_owned(), other)];
    let numbers = |name: &str, model| format!("{name} (AuthenticAMD, family 25, model {model}, stepping 1)");
    assert_eq!(told(&again), []);
    assert_eq!(told(&zen4), row("processor", &numbers("Zen 3", 1), &numbers("Zen 4", 17), true));
    assert_eq!(told(&old), row("processor", &numbers("Zen 3", 1), "not known", false));
    assert_eq!(told(&patched), row("microcode", "0x1", "0x2", false));
}

#[test]
fn what_cannot_be_compared_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (execute(&folder, "one", 1, "[8]"), execute(&folder, "two", 1, "[16]"));
    let said = offprint(folder.path(), &["compare", a.to_str().unwrap(), b.to_str().unwrap()]);
    let err = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(2));
    assert!(err.contains("share no cell") && err.contains("\nhint: "), "{err}");
    let said = offprint(folder.path(), &["compare", a.to_str().unwrap(), "nowhere"]);
    assert_eq!(said.status.code(), Some(2));

    // Designs that overlap are compared where they do, and the rest is named.
    let wide = execute(&folder, "wide", 3, "[8, 16]");
    let (_, comparison) = compared(&folder, &a, &wide);
    assert_eq!(comparison["cells"], 4);
    let left = comparison["differences"].as_array().unwrap();
    let left = left.iter().find(|d| d["what"] == "cells not compared").unwrap();
    assert_eq!(left["a"], "1.16.0, 1.16.0.7, 2.16.0, 2.16.0.7");
}

/// Prompts of N tokens are made of one text, so their number is what differs; and levels of further factors are levels.
#[test]
fn other_prompts_of_n_tokens_and_other_levels_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, tokens: u32, factors: &str| {
        let study = format!(
            "study: {{name: {name}}}\nmodels: [{{id: tiny, name: Tiny, source: fake}}]\nprompts: [{{id: p, tokens: {tokens}}}]\n\
             benchmark_settings: {{max_tokens: [4], temperatures: [0], num_runs: 2}}\n{factors}"
        );
        fs::write(folder.path().join("study.yaml"), study).unwrap();
        let said = offprint(folder.path(), &["run", "study.yaml"]);
        assert!(said.status.success(), "{said:?}");
        folder.path().join(String::from_utf8(said.stdout).unwrap().trim())
    };
    let first = run("a", 8, "factors: {context: [0, 512]}\n");
    let second = run("b", 16, "factors: {context: [0, 1024], batch: [1, 2]}\n");
    let (_, comparison) = compared(&folder, &first, &second);
    let told = |what: &str| {
        let all = comparison["differences"].as_array().unwrap();
        let found = all.iter().find(|found| found["what"] == what).unwrap_or_else(|| panic!("{what}: {all:#?}"));
        (found["a"].as_str().unwrap().to_owned(), found["b"].as_str().unwrap().to_owned())
    };
    let tokens = |n: u32| format!("{n} tokens of a text of Offprint's");
    assert_eq!(told("prompt p"), (tokens(8), tokens(16)));
    assert_eq!(told("context"), ("0, 512".to_owned(), "0, 1024".to_owned()));
    assert_eq!(told("batch size"), ("no factor".to_owned(), "1, 2".to_owned()));
}
