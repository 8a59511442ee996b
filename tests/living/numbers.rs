//! Every number again, by `templates/living/`: an independent program that reads the formulas.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use offprint::bundle::Bundle;
use serde_json::{Value, json};

use super::{Published, committed, said, tools};

/// What `check.js` found for one paper.
#[derive(Debug, serde::Deserialize)]
struct Found {
    numeric: usize,
    agree: usize,
    other: Vec<String>,
    /// Ids that no rule reads.
    none: Vec<String>,
    /// Those at which it broke down.
    broken: Vec<String>,
}

fn check(node: &Path, claims: &Path, runs: &Path, baseline: Option<&Path>) -> Found {
    let mut command = Command::new(node.join("node"));
    command.arg("tests/living/check.js").arg(claims).arg(runs).args(baseline);
    serde_json::from_str(&said(&mut command)).unwrap()
}

#[test]
fn every_committed_paper_is_computed_again() {
    let Some(node) = tools() else { return };
    for published in committed() {
        let claims = published.paper.join("claims.json");
        let found = check(&node, &claims, &published.runs(), published.baseline().as_deref());
        let paper = published.paper.display();
        assert!(found.other.is_empty() && found.broken.is_empty(), "{paper}: {found:?}");
        assert!(
            found.agree * 100 >= found.numeric * 97,
            "{paper}: {} of {}: {:?}",
            found.agree,
            found.numeric,
            found.none
        );
    }
}

/// Those of earlier versions, too, whose formulas say less; two of them speak of systems in words that are no longer used.
#[test]
fn every_bundle_is_computed_again() {
    let Some(node) = tools() else { return };
    let mut bundles: Vec<PathBuf> =
        fs::read_dir("results/bundles").unwrap().flatten().map(|entry| entry.path()).collect();
    bundles.retain(|path| path.extension().is_some_and(|extension| extension == "zip"));
    assert!(bundles.len() > 5);
    for path in bundles {
        let bundle = Bundle::open(&path).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let take = |wanted: &dyn Fn(&str) -> bool, name: &str| {
            let file = bundle.files().find(|file| wanted(file))?;
            let to = folder.path().join(name);
            fs::write(&to, bundle.read(file).unwrap()).unwrap();
            Some(to)
        };
        let rows = |file: &str| file.ends_with("/runs.jsonl");
        let claims = take(&|file| file.ends_with("/claims.json"), "claims.json").unwrap();
        let runs = take(&|file| rows(file) && !file.contains("/baseline/"), "runs.jsonl").unwrap();
        let baseline = take(&|file| rows(file) && file.contains("/baseline/"), "baseline.jsonl");
        let found = check(&node, &claims, &runs, baseline.as_deref());
        let name = path.display();
        assert!(found.other.is_empty() && found.broken.is_empty(), "{name}: {found:?}");
        let systems = found.none.iter().filter(|id| id.starts_with("system.")).count();
        assert!(found.agree * 100 >= (found.numeric - systems) * 97, "{name}: {found:?}");
    }
}

/// Numbers of one's own, each kind once.
#[test]
fn the_small_language_is_read_again() {
    let Some(node) = tools() else { return };
    let own = fs::read_to_string("tests/data/own_claims.yaml").unwrap();
    let run = Path::new("tests/data/fake_run");
    let evidence = offprint::evidence::Evidence::open(run, Some(&own)).unwrap();
    let (folder, none) = (tempfile::tempdir().unwrap(), ["model", "published", "study", "their_rate"]);
    let claims = folder.path().join("claims.json");
    fs::write(&claims, evidence.claims.to_json().unwrap()).unwrap();
    let found = check(&node, &claims, &run.join("runs.jsonl"), None);
    assert!(found.other.is_empty() && found.broken.is_empty(), "{found:?}");
    // What somebody printed, and settings.
    let family = |id: &str| id.split('.').next().unwrap().to_owned();
    assert!(found.none.iter().all(|id| none.contains(&family(id).as_str())), "{:?}", found.none);
}

/// What is changed is noticed, and only that.
#[test]
fn a_nanosecond_is_noticed() {
    let Some(node) = tools() else { return };
    let published = Published { paper: "paper".into(), run: committed()[0].run.clone() };
    let (folder, baseline) = (tempfile::tempdir().unwrap(), published.baseline());
    let rows: Vec<Value> =
        fs::read_to_string(published.runs()).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut rows = rows.clone();
        change(rows.iter_mut().find(|row| row["phase"] == "measured").unwrap());
        let file = folder.path().join("runs.jsonl");
        fs::write(&file, rows.iter().map(|row| format!("{row}\n")).collect::<String>()).unwrap();
        check(&node, &published.paper.join("claims.json"), &file, baseline.as_deref()).other
    };
    assert!(changed(&|_| ()).is_empty());
    let nanosecond = changed(&|row| row["e2e_ns"] = json!(row["e2e_ns"].as_u64().unwrap() + 1));
    assert!(nanosecond.len() > 50, "{nanosecond:?}");
    let token =
        changed(&|row| row["token_times_ns"][3] = json!(row["token_times_ns"][3].as_u64().unwrap() + 1_000_000));
    assert!(!token.is_empty() && token.iter().all(|id| id.contains("itl")), "{token:?}");

    let mut claims = published.claims();
    claims["claims"]["decode.mean"]["value"] =
        json!(claims["claims"]["decode.mean"]["value"].as_f64().unwrap() * 1.0001);
    let file = folder.path().join("claims.json");
    fs::write(&file, claims.to_string()).unwrap();
    assert_eq!(check(&node, &file, &published.runs(), baseline.as_deref()).other, ["decode.mean"]);
}

/// A run that failed leaves a design that is not balanced: sums of squares are then sequential.
#[test]
fn an_unbalanced_design_is_computed_again() {
    let Some(node) = tools() else { return };
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("20261127T000000Z");
    fs::create_dir(&run).unwrap();
    let from = Path::new("tests/data/fake_run");
    for name in ["study.yaml", "environment.json", "published.yaml"] {
        fs::copy(from.join(name), run.join(name)).unwrap();
    }
    let mut failed = 0;
    let row = |line: &str| {
        let mut row: Value = serde_json::from_str(line).unwrap();
        if row["phase"] == "measured" && (row["run"] == 3 || row["run"] == 8) {
            let gone: BTreeMap<&str, Value> = [
                "n_gen",
                "load_ns",
                "ttft_ns",
                "token_times_ns",
                "e2e_ns",
                "tokenize_ns",
                "finish_reason",
                "output_sha256",
                "output_text",
                "peak_memory_bytes",
            ]
            .into_iter()
            .map(|name| (name, Value::Null))
            .collect();
            gone.into_iter().for_each(|(name, value)| row[name] = value);
            (row["outcome"], row["error"]) = (json!("failed"), json!("a test"));
            failed += 1;
        }
        format!("{row}\n")
    };
    let rows: String = fs::read_to_string(from.join("runs.jsonl")).unwrap().lines().map(row).collect();
    fs::write(run.join("runs.jsonl"), rows).unwrap();
    assert_eq!(failed, 2);
    let evidence = offprint::evidence::Evidence::open(&run, None).unwrap();
    let claims = folder.path().join("claims.json");
    fs::write(&claims, evidence.claims.to_json().unwrap()).unwrap();
    let found = check(&node, &claims, &run.join("runs.jsonl"), None);
    assert!(found.other.is_empty() && found.broken.is_empty(), "{found:?}");
    assert!(!found.none.iter().any(|id| id.starts_with("variance")), "{found:?}");
}
