//! Every change is noticed: of a byte, by digests and the archive's form; of the content with all digests made to fit, by
//! the plan, by what physics allows, and by making claims and paper again.

use std::{collections::BTreeMap, fs, path::Path};

use offprint::bundle::{Bundle, fixity};
use serde_json::Value;

use super::{check, files, offprint, packed, places, relist, run, small, unpacked};

type Files = BTreeMap<String, Vec<u8>>;

/// Does reading the archive alone, before any content is looked at, find it altered?
fn noticed(archive: &Path) -> bool {
    match Bundle::open(archive) {
        Ok(bundle) => !bundle.problems().is_empty() || !fixity(&bundle).1.is_empty(),
        Err(_) => true,
    }
}

/// A bag with all that a bag has, and little in it.
fn few() -> Files {
    let mut few = files(&small().1);
    few.retain(|path, _| !path.starts_with("data/") || path == "data/bundle.json" || path.ends_with("/study.yaml"));
    relist(&mut few);
    few
}

#[test]
fn every_byte_flipped_every_end_and_every_addition_is_noticed() {
    let (_folder, archive) = packed(&few());
    assert!(!noticed(&archive));
    let good = fs::read(&archive).unwrap();
    let mut missed = Vec::new();
    for at in 0..good.len() {
        for flip in [0x01, 0x20, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[at] ^= flip;
            fs::write(&archive, &bad).unwrap();
            if !noticed(&archive) {
                missed.push((at, flip));
            }
        }
        fs::write(&archive, &good[..at]).unwrap();
        assert!(noticed(&archive), "cut after {at} bytes");
    }
    assert!(missed.is_empty(), "of {} bytes, changes unnoticed at {missed:?}", good.len());
    for more in [&b"\0"[..], b"PK\x05\x06", &good] {
        fs::write(&archive, [&good, more].concat()).unwrap();
        assert!(noticed(&archive));
        fs::write(&archive, [more, &good].concat()).unwrap();
        assert!(noticed(&archive));
    }
}

#[test]
fn bytes_all_over_a_whole_bundle_are_noticed() {
    let (_folder, archive) = packed(&files(&small().1));
    let good = fs::read(&archive).unwrap();
    for at in (0..good.len()).step_by(good.len() / 150) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&archive, &bad).unwrap();
        assert!(noticed(&archive), "byte {at}");
    }
}

#[test]
fn a_missing_an_altered_and_an_unlisted_file_are_all_listed() {
    let mut all = files(&small().1);
    all.remove("data/paper/tables/cells.csv").unwrap();
    all.get_mut("data/README.md").unwrap().push(b'\n');
    all.insert("data/paper/more.txt".into(), b"more\n".to_vec());
    let (_folder, top) = unpacked(&all, "tiny-1.0.0");
    let found = places(&check(&top).problems);
    for expected in [
        "fixity: data/paper/tables/cells.csv",
        "fixity: data/README.md",
        "fixity: data/paper/more.txt",
        "derived: data/README.md",
    ] {
        assert!(found.contains(&expected.to_owned()), "{expected} is not among {found:#?}");
    }
}

/// Changes the rows with `change`, makes the manifests fit, and returns what verify lists.
fn with_rows(change: impl FnOnce(&mut Vec<Value>)) -> Vec<String> {
    with_rows_of(files(&small().1), "/runs.jsonl", change)
}

fn with_rows_of(mut all: Files, file: &str, change: impl FnOnce(&mut Vec<Value>)) -> Vec<String> {
    let (_, rows) = all.iter_mut().find(|(path, _)| path.ends_with(file)).unwrap();
    let mut values: Vec<Value> =
        String::from_utf8(rows.clone()).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    change(&mut values);
    *rows = values.iter().map(|value| format!("{value}\n")).collect::<String>().into_bytes();
    relist(&mut all);
    let (_folder, top) = unpacked(&all, "tiny-1.0.0");
    let problems = check(&top).problems;
    assert!(problems.iter().all(|problem| problem.check.name() != "fixity"), "{problems:?}");
    problems.iter().map(ToString::to_string).collect()
}

fn measured(rows: &mut [Value]) -> &mut Value {
    rows.iter_mut().find(|row| row["phase"] == "measured").unwrap()
}

/// Is there a line with all of the words?
fn has(found: &[String], words: &[&str]) {
    assert!(found.iter().any(|line| words.iter().all(|word| line.contains(word))), "{words:?} in none of {found:#?}");
}

#[test]
fn rows_that_do_not_fit_the_plan_are_listed() {
    let gone = with_rows(|rows| {
        let at = rows.iter().position(|row| row["phase"] == "measured").unwrap();
        rows.remove(at);
    });
    has(&gone, &["plan: "]);
    let doubled = with_rows(|rows| {
        let copy = measured(rows).clone();
        rows.push(copy);
    });
    has(&doubled, &["plan: "]);
    let foreign = with_rows(|rows| measured(rows)["run"] = 900.into());
    has(&foreign, &["plan: ", "900"]);
}

#[test]
fn rows_that_cannot_be_are_listed() {
    type Change = fn(&mut Value);
    let impossible: [(Change, &str); 9] = [
        (|row| row["token_times_ns"].as_array_mut().unwrap().swap(0, 1), "token times that increase"),
        (|row| row["ttft_ns"] = 1.into(), "`ttft_ns` to be the first token's time"),
        (|row| row["e2e_ns"] = 2.into(), "`e2e_ns` to cover tokenising and every token"),
        (|row| row["load_ns"] = u64::MAX.into(), "times below a century"),
        (|row| row["n_gen"] = 5000.into(), "a time for each of 5000 tokens"),
        (|row| row["n_prompt"] = 77.into(), "tokens in every run of this prompt"),
        (|row| row["started_at"] = "yesterday".into(), "`started_at` to be a time"),
        (|row| row["output_sha256"] = "00".into(), "`output_sha256` to be a digest, found \"00\""),
        (|row| row["peak_memory_bytes"] = (1u64 << 60).into(), "the machine's"),
    ];
    let all = with_rows(|rows| {
        // Each in a row of its own: all are found, not the first alone.
        let of = |row: &&mut Value| row["phase"] == "measured";
        for (row, (change, _)) in rows.iter_mut().filter(of).zip(impossible) {
            change(row);
        }
    });
    for (_, expected) in &impossible[..8] {
        has(&all, &["range: data/results/", expected]);
    }
    has(&with_rows(|rows| impossible[8].0(measured(rows))), &["range: data/results/", impossible[8].1]);
}

#[test]
fn another_time_in_a_row_is_found_in_the_claims_and_in_the_paper() {
    let found = with_rows(|rows| {
        let e2e = measured(rows)["e2e_ns"].as_u64().unwrap();
        measured(rows)["e2e_ns"] = (e2e + 1_000_000).into();
    });
    has(&found, &["claims: data/paper/claims.json: latency.mean"]);
    has(&found, &["derived: data/paper/paper.md"]);
}

#[test]
fn a_baseline_in_a_bundle_is_held_to_what_the_run_is_held_to() {
    let (folder, run) = run();
    let said = offprint(folder.path(), &["run", "study.yaml"]);
    let other = folder.path().join(String::from_utf8(said.stdout).unwrap().trim());
    let arguments = ["report", "--run", run.to_str().unwrap(), "--baseline", other.to_str().unwrap()];
    assert!(offprint(folder.path(), &arguments).status.success());
    let archive = folder.path().join("two.zip");
    let arguments =
        ["bundle", "--run", run.to_str().unwrap(), "--version", "1.0.0", "--out", archive.to_str().unwrap()];
    assert!(offprint(folder.path(), &arguments).status.success());
    let report = check(&archive);
    assert!(report.is_fine() && report.rows == 32, "{:?}", report.problems);

    let all = files(&archive);
    let rows = format!("/baseline/{}/runs.jsonl", other.file_name().unwrap().display());
    let slower = with_rows_of(all.clone(), &rows, |rows| {
        let e2e = measured(rows)["e2e_ns"].as_u64().unwrap();
        measured(rows)["e2e_ns"] = (e2e + 1_000_000).into();
    });
    has(&slower, &["claims: data/paper/claims.json: baseline.latency.mean.there"]);
    let backwards = with_rows_of(all.clone(), &rows, |rows| {
        measured(rows)["token_times_ns"].as_array_mut().unwrap().swap(0, 1);
    });
    has(&backwards, &[&rows]);
    let gone = with_rows_of(all, &rows, |rows| {
        let at = rows.iter().position(|row| row["phase"] == "measured").unwrap();
        rows.remove(at);
    });
    has(&gone, &["plan: ", &rows]);
}

#[test]
fn a_number_changed_in_claims_or_paper_is_named() {
    let mut all = files(&small().1);
    let claims = all.get_mut("data/paper/claims.json").unwrap();
    let mut value: Value = serde_json::from_slice(claims).unwrap();
    value["claims"]["latency.mean"]["value"] = 0.001.into();
    *claims = (serde_json::to_string_pretty(&value).unwrap() + "\n").into_bytes();
    let paper = all.get_mut("data/paper/paper.md").unwrap();
    *paper = String::from_utf8(paper.clone()).unwrap().replacen("latency", "Latency", 1).into_bytes();
    relist(&mut all);
    let (_folder, archive) = packed(&all);
    let report = check(&archive);
    let found: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
    has(&found, &["claims: data/paper/claims.json: latency.mean", "0.001"]);
    has(&found, &["derived: data/paper/paper.md", "line "]);
    // As JSON, too, each with file, expectation, finding; and the exit code.
    let said = offprint(Path::new("."), &["verify", "--json", archive.to_str().unwrap()]);
    assert_eq!(said.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&said.stdout).unwrap();
    let first = &json["problems"][0];
    for key in ["check", "file", "expected", "found"] {
        assert!(first[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {first}");
    }
}

#[test]
fn templates_of_others_make_other_papers_and_may_not_run_away() {
    let mut all = files(&small().1);
    let section = all.get_mut("data/templates/sections/00-abstract.md").unwrap();
    section.extend_from_slice(b"{% for i in range(end=1000000000) %}x{% endfor %}");
    relist(&mut all);
    let (_folder, top) = unpacked(&all, "tiny-1.0.0");
    let found: Vec<String> = check(&top).problems.iter().map(ToString::to_string).collect();
    has(&found, &["derived: ", "range"]);
}

/// A page may show any green tick: whose script it runs is said first, whatever else is right.
#[test]
fn a_page_with_a_stranger_s_script_is_told_loudly() {
    let mut all = files(&small().1);
    assert!(check(&packed(&all).1).foreign.is_empty());
    // A project with a page of its own: the page is what its templates give.
    for path in ["data/templates/skins/paper.html", "data/paper/paper.html"] {
        let page = all.get_mut(path).unwrap();
        let text = String::from_utf8(page.clone()).unwrap();
        assert_eq!(text.matches("</body>").count(), 1, "{path}");
        *page = text.replace("</body>", "<script>alert(1)</script></body>").into_bytes();
    }
    relist(&mut all);
    let (_folder, archive) = packed(&all);
    let report = check(&archive);
    assert_eq!(report.foreign, ["data/paper/paper.html", "data/templates/skins/paper.html"]);
    let said = offprint(Path::new("."), &["verify", archive.to_str().unwrap()]);
    let text = String::from_utf8(said.stdout).unwrap();
    assert!(
        text.starts_with("WARNING: data/paper/paper.html runs a script") && text.contains("DO NOT OPEN IT"),
        "{text}"
    );
    let problems: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
    assert!(!problems.iter().any(|problem| problem.contains("data/paper/paper.html")), "{problems:?}");
}
