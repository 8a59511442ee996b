//! A study of several systems: the paper is about the first, compares it with each of the others, and all of it is checked.

use super::*;

/// The fake study, and the same model again on an engine that takes 2 ms a token longer.
fn two(folder: &Path) -> PathBuf {
    let other = "    source: fake\n  - {id: other, name: Other, source: \"fake:pace=2\"}\n";
    let yaml = include_str!("../../config/fake.yaml").replace("    source: fake\n", other);
    run(folder, &yaml)
}

fn claims(paper: &Path) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(paper.join("claims.json")).unwrap()).unwrap()
}

#[test]
fn the_paper_is_about_the_first_and_compares_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let run = two(folder.path());
    let paper = report(folder.path(), &run);
    let all = claims(&paper);
    let (claims, predicates) = (&all["claims"], &all["predicates"]);
    assert_eq!(claims["study.runs"]["value"], 16);
    assert_eq!(claims["system.other.runs"]["value"], 16);
    // The numbers of the paper are those of its own system: runs 1 to 16 of the 32.
    assert_eq!(claims["latency.mean"]["runs"], "1-16");
    assert_eq!(claims["system.other.latency.mean.there"]["runs"], "17-32");
    assert_eq!(claims["system.other.latency.mean.change"]["runs"], "1-32");
    assert!(claims["system.other.latency.mean.change"].get("baseline_runs").is_none());
    let value = |id: &str| claims[id]["value"].as_f64().unwrap();
    assert!((value("latency.mean") / value("system.other.latency.mean.here") - 1.0).abs() < 1e-9);
    let decode = |side: &str| claims[format!("system.other.decode.mean.{side}")]["value"].as_f64().unwrap();
    let ratio = decode("here") / decode("there");
    assert!((decode("change") - ratio).abs() < 1e-3 * ratio, "{ratio}");

    let text = fs::read_to_string(paper.join("paper.md")).unwrap();
    assert!(text.contains("Comparison with other\n") && !text.contains("another execution\n"), "{text}");
    assert!(text.contains("16 of its 16 runs ended well."), "{text}");
    let said = predicates["system.other.decode.differs"]["text"].as_str().unwrap();
    assert_eq!(text.matches(said).count(), 3, "abstract, comparison, conclusion: {said}");
    for format in ["paper.tex", "paper.html"] {
        assert!(fs::read_to_string(paper.join(format)).unwrap().contains("Comparison with other"), "{format}");
    }
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
fn a_system_that_cannot_be_compared_says_why() {
    let replicates = include_str!("../../config/fake.yaml").replace("num_runs: 2", "num_runs: 1");
    for (yaml, source, reason) in [
        (include_str!("../../config/fake.yaml"), "fake:exit=8;fail=16", "None of its runs ended well"),
        (&replicates, "fake:pace=1", "No cell of the design has two runs of each"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let study = folder.path().join("study.yaml");
        let other = format!("    source: fake\n  - {{id: other, name: Other, source: \"{source}\"}}\n");
        fs::write(&study, yaml.replace("    source: fake\n", &other)).unwrap();
        let results = folder.path().join("results");
        let ran = offprint(&["run", study.to_str().unwrap(), "--results", results.to_str().unwrap()]);
        let run = PathBuf::from(String::from_utf8(ran.stdout).unwrap().trim());
        let paper = report(folder.path(), &run);
        let text = fs::read_to_string(paper.join("paper.md")).unwrap();
        assert!(text.contains("Comparison with other\n") && text.contains(reason), "{text}");
        assert!(claims(&paper)["claims"].get("system.other.decode.mean.change").is_none());
        // Two executions of it are compared in what they have.
        let run = run.to_str().unwrap();
        let compared = offprint(&["compare", run, run]);
        let found = String::from_utf8_lossy(&compared.stdout);
        match compared.status.code() {
            Some(0) => assert!(found.contains("`systems not compared` | `other`"), "{found}"),
            _ => assert!(said(&compared).contains("at least two runs"), "{}", said(&compared)),
        }
    }
}
