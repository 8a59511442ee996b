//! Run folders that are not as they were left: a torn last line is forgiven, everything else is said, by file and line.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use crate::here::{Here, RUNS, lasting, measured, rows};

/// A finished execution, and the text of its journal.
fn finished() -> (Here, PathBuf, String) {
    let here = Here::with("fake", "");
    assert_eq!(here.run().code, Some(0));
    let journal = here.only().join("runs.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    (here, journal, text)
}

/// What `report --run` and `run --resume` say to a damaged folder; neither may write anything.
fn refusals(here: &Here) -> String {
    let folder = here.only();
    let before: Vec<Vec<u8>> = files(&folder);
    let report = here.call(&["report", "--run", folder.to_str().unwrap()]);
    let resume = here.resume();
    assert_eq!((report.code, resume.code), (Some(2), Some(2)), "{}\n{}", report.err, resume.err);
    assert_eq!((report.out.as_str(), resume.out.as_str()), ("", ""));
    assert_eq!(files(&folder), before, "a damaged folder is left as it is");
    assert!(!here.path("paper").exists(), "no paper is begun");
    // Where in its line something stands depends on how many digits a time has.
    let column = regex::Regex::new(r"at column \d+").unwrap();
    column
        .replace_all(&here.plain(&format!("report: {}resume: {}", report.err, resume.err)), "at column N")
        .into_owned()
}

fn files(folder: &std::path::Path) -> Vec<Vec<u8>> {
    ["study.yaml", "environment.json", "runs.jsonl"].map(|name| fs::read(folder.join(name)).unwrap_or_default()).into()
}

#[test]
fn a_torn_last_line_is_forgiven_wherever_it_is_torn() {
    let (here, journal, text) = finished();
    let expected = lasting(&here.only());
    let last = text.trim_end().rfind('\n').unwrap() + 1;
    let warm_up = text[..last - 1].rfind('\n').unwrap() + 1;
    // All but the newline; a byte; within the warm-up row; nothing of the last run at all; a warm-up row without its run.
    for end in [text.len() - 1, last + 1, warm_up + 100, warm_up, last] {
        fs::write(&journal, &text[..end]).unwrap();
        let said = here.resume();
        assert_eq!(said.code, Some(0), "cut at {end}: {}", said.err);
        assert!(said.err.contains("1 of 24 runs to do"), "cut at {end}: {}", said.err);
        assert_eq!(lasting(&here.only()), expected, "cut at {end}");
    }
    // A report of what is there says that a run is missing.
    fs::write(&journal, &text[..text.len() - 1]).unwrap();
    let report = here.call(&["report", "--run", here.only().to_str().unwrap()]);
    assert_eq!(report.code, Some(0), "{}", report.err);
    let claims: Value = serde_json::from_str(&fs::read_to_string(here.path("paper/claims.json")).unwrap()).unwrap();
    assert_eq!(claims["predicates"]["complete"]["holds"], false);
    assert_eq!(claims["claims"]["study.runs.ok"]["value"], 23);
    // An empty journal: killed before the first run had ended.
    fs::write(&journal, "").unwrap();
    assert_eq!(here.resume().code, Some(0));
    assert_eq!(lasting(&here.only()), expected);
}

#[test]
fn a_bad_line_in_the_middle_is_named() {
    let (here, journal, text) = finished();
    let mut lines: Vec<&str> = text.lines().collect();
    lines[6] = "{\"schema\":\"offprint.run/2\",\"run\":";
    fs::write(&journal, lines.join("\n") + "\n").unwrap();
    insta::assert_snapshot!(refusals(&here));
}

#[test]
fn a_field_that_nobody_knows_is_named() {
    let (here, journal, text) = finished();
    fs::write(&journal, text.replacen("\"energy_j\":null", "\"energy_j\":null,\"mood\":\"good\"", 1)).unwrap();
    insta::assert_snapshot!(refusals(&here));
}

#[test]
fn another_schema_is_named_beside_ours() {
    let (here, journal, text) = finished();
    fs::write(&journal, text.replace("offprint.run/2", "offprint.run/3")).unwrap();
    insta::assert_snapshot!(refusals(&here));
}

#[test]
fn rows_of_another_plan_are_not_mixed_in() {
    let (here, journal, text) = finished();
    let doubled = format!("{text}{}\n", text.lines().last().unwrap());
    fs::write(&journal, doubled).unwrap();
    insta::assert_snapshot!("measured_twice", refusals(&here));
    // What would be cut off before going on stays, too, in a folder that is refused.
    let torn = text.replacen("\"seed\":", "\"seed\":1", 1) + "{\"schema\":";
    fs::write(&journal, torn).unwrap();
    insta::assert_snapshot!("another_seed", refusals(&here));
}

#[test]
fn a_folder_that_lacks_a_file_is_not_ours() {
    let (here, ..) = finished();
    fs::remove_file(here.only().join("study.yaml")).unwrap();
    insta::assert_snapshot!(refusals(&here));
}

#[test]
fn a_foreign_folder_is_not_a_run() {
    let here = Here::with("fake", "");
    fs::create_dir(here.path("holiday")).unwrap();
    fs::write(here.path("holiday/beach.jpg"), "sand").unwrap();
    let said = here.call(&["report", "--run", "holiday"]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    insta::assert_snapshot!(said.err);
    let said = here.call(&["report", "--run", "nowhere"]);
    assert_eq!(said.code, Some(2), "{}", said.err);
}

/// Rows of two machines or builds in one run would be neither's.
#[test]
fn going_on_under_other_conditions_is_refused() {
    let (here, journal, text) = finished();
    fs::write(&journal, &text[..text.len() - 1]).unwrap();
    let file = here.only().join("environment.json");
    let whole = fs::read_to_string(&file).unwrap();
    let environment: Value = serde_json::from_str(&whole).unwrap();
    let mut libraries = environment["libraries"].clone();
    libraries["tera"] = json!("0.0.0");
    let mut others = vec![
        ("chip", json!({"value": "Another"}), "chip"),
        ("memory_bytes", json!({"value": 1}), "memory"),
        ("os", json!({"value": "Another"}), "os"),
        ("offprint_version", json!("0.0.0"), "offprint's version"),
        ("git_commit", json!({"value": "another"}), "offprint's commit"),
        ("libraries", libraries, "tera"),
    ];
    // Where the system tells what processor it is.
    if environment["processor"]["value"].is_object() {
        others.push(("processor", json!({"value": {"vendor": "Another"}}), "processor"));
    }
    for (field, value, named) in others {
        let mut other = environment.clone();
        other[field] = value;
        fs::write(&file, other.to_string()).unwrap();
        let said = here.resume();
        assert_eq!(said.code, Some(2), "{field}: {}", said.err);
        let line = regex::Regex::new(&format!(r"under other conditions: {named}( \(was [^\n]+, is [^\n]+\))?\nhint: "))
            .unwrap();
        assert!(line.is_match(&said.err), "{field}: {}", said.err);
        assert!(fs::read_to_string(&journal).unwrap() == text[..text.len() - 1], "{field}: nothing is cut off");
    }
    // Records from before the processor was asked say nothing against it.
    let mut older = environment.clone();
    older.as_object_mut().unwrap().remove("processor");
    fs::write(&file, older.to_string()).unwrap();
    let said = here.resume();
    assert_eq!(said.code, Some(0), "{}", said.err);
}

/// A foreign folder among the results is no reason to refuse; it is not looked at.
#[test]
fn other_folders_among_the_results_are_left_alone() {
    let here = Here::with("fake", "");
    fs::create_dir_all(here.path("results/test/notes")).unwrap();
    assert_eq!(here.run().code, Some(0));
    assert_eq!(here.resume().code, Some(0));
    fs::remove_dir(here.path("results/test/notes")).unwrap();
    assert_eq!(measured(&rows(&here.only())).len(), RUNS);
}
