//! A study of several systems: the paper is about all of them, sets each against the first, and all of it is checked.

use super::*;

/// The fake study with a second model, made from this source.
fn with(source: &str) -> String {
    let other = format!("    source: fake\n  - {{id: other, name: Other, source: \"{source}\"}}\n");
    include_str!("../../config/fake.yaml").replace("    source: fake\n", &other)
}

/// The fake study, and the same model again on an engine that takes 2 ms a token longer.
fn two(folder: &Path) -> PathBuf {
    run(folder, &with("fake:pace=2"))
}

fn claims(paper: &Path) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(paper.join("claims.json")).unwrap()).unwrap()
}

#[test]
fn the_paper_is_about_all_and_sets_each_against_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let run = two(folder.path());
    let paper = report(folder.path(), &run);
    let all = claims(&paper);
    let (claims, predicates) = (&all["claims"], &all["predicates"]);
    assert_eq!(claims["study.runs"]["value"], 32);
    // Numbers without a level are those of all rows; each model has its own.
    for (id, runs) in [
        ("latency.mean", "1-32"),
        ("by_model.fake.latency.mean", "1-16"),
        ("by_model.other.latency.mean", "17-32"),
        ("vs.model.other.decode.ratio", "1-32"),
    ] {
        assert_eq!(claims[id]["runs"], runs, "{id}");
    }
    assert!(claims.as_object().unwrap().keys().all(|id| !id.starts_with("system.")));
    let value = |id: &str| claims[id]["value"].as_f64().unwrap();
    let mean = (value("by_model.fake.latency.mean") + value("by_model.other.latency.mean")) / 2.0;
    assert!((value("latency.mean") / mean - 1.0).abs() < 1e-9);
    let ratio = value("by_model.other.decode.mean") / value("by_model.fake.decode.mean");
    assert!((value("vs.model.other.decode.ratio") / ratio - 1.0).abs() < 0.01, "{ratio}");
    assert_eq!(predicates["levels.model.complete"]["holds"], true);

    let text = fs::read_to_string(paper.join("paper.md")).unwrap();
    assert!(text.contains("Each level of model against Fake"), "{text}");
    let said = predicates["vs.model.other.decode"]["text"].as_str().unwrap();
    assert!(said.starts_with("Decode rate with Other is "), "{said}");
    assert_eq!(text.matches(said).count(), 3, "abstract, results, conclusion: {said}");
    let beginning = said.split(" (").next().unwrap();
    for format in ["paper.tex", "paper.html"] {
        assert!(fs::read_to_string(paper.join(format)).unwrap().contains(beginning), "{format}: {beginning}");
    }
    assert!(paper.join("tables/by_model.csv").is_file() && paper.join("figures/model.svg").is_file());
}

#[test]
fn a_bundle_of_it_is_checked_and_its_executions_are_compared_system_by_system() {
    let folder = tempfile::tempdir().unwrap();
    let (run, again) = (two(folder.path()), two(folder.path()));
    let zip = folder.path().join("fake-1.0.0.zip");
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let bundled = offprint(&["bundle", "--run", &path(&run), "--version", "1.0.0", "--out", &path(&zip)]);
    assert!(bundled.status.success(), "{}", said(&bundled));
    let verified = offprint(&["verify", &path(&zip)]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    assert!(String::from_utf8_lossy(&verified.stdout).contains("64 rows"), "warm-ups too");

    let compared = offprint(&["compare", &path(&run), &path(&again), "--json"]);
    let comparison: serde_json::Value = serde_json::from_slice(&compared.stdout).unwrap();
    let ids: Vec<&str> =
        comparison["claims"].as_array().unwrap().iter().map(|claim| claim["id"].as_str().unwrap()).collect();
    // Every claim of the one is compared of the other, too: the same claim, or one of the system's own.
    let own = ids.iter().filter(|id| !id.starts_with("system.")).count();
    assert_eq!(ids.iter().filter(|id| id.starts_with("system.other.")).count(), own, "{ids:?}");
    assert_eq!(comparison["outputs"]["compared"], 32);
    assert_eq!(comparison["outputs"]["equal"], 32);
    let same = offprint(&["compare", &path(&run), &path(&run)]);
    assert!(same.status.success(), "an execution is the same as itself in every system");

    // Half of the rows may not be passed off as the other half.
    let rows = fs::read_to_string(run.join("runs.jsonl")).unwrap();
    fs::write(run.join("runs.jsonl"), rows.replace("\"model\":\"other\"", "\"model\":\"fake\"")).unwrap();
    let forged = offprint(&["report", "--run", &path(&run), "--out", &path(&folder.path().join("paper"))]);
    assert_eq!(forged.status.code(), Some(2));
    assert!(said(&forged).contains("`model` is not what the plan says"), "{}", said(&forged));
}

/// What fails of one system is told, and costs the others nothing.
#[test]
fn a_system_that_failed_is_told_and_costs_the_others_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let study = folder.path().join("study.yaml");
    fs::write(&study, with("fake:exit=8;fail=16")).unwrap();
    let results = folder.path().join("results");
    let ran = offprint(&["run", study.to_str().unwrap(), "--results", results.to_str().unwrap()]);
    let run = PathBuf::from(String::from_utf8(ran.stdout).unwrap().trim());
    let paper = report(folder.path(), &run);
    let all = claims(&paper);
    let (claims, predicates) = (&all["claims"], &all["predicates"]);
    let complete = &predicates["levels.model.complete"];
    assert_eq!(complete["holds"], false);
    let said = complete["text"].as_str().unwrap();
    assert_eq!(said, "No run with Other ended well, so nothing is said of it.");
    let text = fs::read_to_string(paper.join("paper.md")).unwrap();
    assert!(text.contains(said), "{text}");
    assert_eq!(claims["by_model.fake.latency.mean"]["runs"], "1-16");
    assert_eq!(claims["latency.mean"]["runs"], "1-16");
    for id in ["vs.model.other.decode.ratio", "by_model.other.latency.mean"] {
        assert!(claims.get(id).is_none(), "{id}");
    }
    // An execution of it is compared in what it has.
    let path = run.to_str().unwrap();
    let compared = offprint(&["compare", path, path]);
    assert!(compared.status.success(), "{}", said_of(&compared));
    assert!(said_of(&compared).contains("`systems not compared` | `other`"), "{}", said_of(&compared));
}

/// Without replicates there is no scatter, but there are cells to pair.
#[test]
fn systems_without_replicates_are_compared_over_cells() {
    let folder = tempfile::tempdir().unwrap();
    let run = run(folder.path(), &with("fake:pace=1").replace("num_runs: 2", "num_runs: 1"));
    let all = claims(&report(folder.path(), &run));
    let formula = all["claims"]["vs.model.other.decode.ratio"]["formula"].as_str().unwrap();
    assert!(formula.contains("over 8 pairs of cells that agree in all else"), "{formula}");
    let path = run.to_str().unwrap();
    let compared = offprint(&["compare", path, path]);
    assert!(said(&compared).contains("at least two runs"), "{}", said(&compared));
}

fn said_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &said(output)
}
