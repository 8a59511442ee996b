//! The linter on small papers with one defect or none, on a manuscript with many, and on our own.

#![allow(clippy::unwrap_used)] // a test may: it fails where it should

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use offprint::lint::{Sure, lint};
use tempfile::TempDir;

/// `rule` for an error, `rule?` for a warning, in the order of lines.
fn rules(text: &str) -> Vec<String> {
    let mark = |sure| if sure == Sure::Error { "" } else { "?" };
    lint(text).iter().map(|finding| format!("{}{}", finding.rule, mark(finding.sure))).collect()
}

#[test]
fn each_small_case_gives_what_it_says_and_no_more() {
    let cases = fs::read_to_string("tests/data/lint_cases.md").unwrap();
    let (mut clean, mut planted, mut wrong) = (0, 0, Vec::new());
    for case in cases.split("%%% ").skip(1) {
        let (head, text) = case.split_once('\n').unwrap();
        let (expected, title) = head.split_once(" | ").unwrap();
        let expected: Vec<String> =
            if expected == "clean" { vec![] } else { expected.split(", ").map(str::to_owned).collect() };
        if expected.is_empty() {
            clean += 1
        } else {
            planted += 1
        };
        if rules(text) != expected {
            wrong.push(format!("{title}: expected {expected:?}, found {:#?}", lint(text)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(clean >= 18 && planted >= 18, "{clean} clean and {planted} planted cases");
}

/// Built around the numbers of the manuscript that this project starts from, whose audit lists what is wrong with them.
#[test]
fn every_contradiction_of_the_first_manuscript_is_found_and_nothing_else() {
    let text = fs::read_to_string("tests/data/lint_manuscript.md").unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&lint(&text)).unwrap());
}

/// Committed executions: of one system with a baseline beside it, and of two systems. What this checkout has measured since, and
/// the paper that it has written of that, is another matter.
const RUNS: [&str; 2] = ["results/smollm2/20261126T114313Z", "results/smollm2-engines/20261126T115335Z"];

/// The paper of a run, made again in a folder of its own; no PDF, as no TeX is to be found.
fn paper(run: &str) -> TempDir {
    let out = tempfile::tempdir().unwrap();
    let mut report = Command::new(env!("CARGO_BIN_EXE_offprint"));
    let output = report.args(["report", "--run", run, "--out"]).arg(out.path()).env("PATH", "").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    out
}

#[test]
fn our_own_papers_are_consistent() {
    for run in RUNS {
        let paper = paper(run);
        for name in ["paper.md", "paper.tex"] {
            let found = lint(&fs::read_to_string(paper.path().join(name)).unwrap());
            assert!(found.is_empty(), "{name} of {run}: {found:#?}");
        }
    }
}

#[test]
fn our_own_documents_are_consistent() {
    for file in ["README.md", "docs/METHODOLOGY.md", "docs/FORMAT.md", "docs/PERFORMANCE.md", "CHANGELOG.md"] {
        let found = lint(&fs::read_to_string(file).unwrap());
        assert!(found.is_empty(), "{file}: {found:#?}");
    }
}

/// Changing any printed mean of our paper's tables must be noticed or change nothing that the paper implies.
#[test]
fn a_falsified_mean_in_our_own_paper_is_found() {
    let paper = fs::read_to_string(paper(RUNS[0]).path().join("paper.md")).unwrap();
    let rows = paper.lines().filter(|line| line.starts_with("| Latency | s |"));
    let means = rows.filter_map(|row| Some((row, row.split('|').nth(3)?.trim())));
    let (row, mean, value) =
        means.filter_map(|(row, mean)| Some((row, mean, mean.parse::<f64>().ok()?))).next().unwrap();
    let false_mean = format!("{:.1}", value * 1.2);
    let falsified = paper.replace(row, &row.replacen(mean, &false_mean, 1));
    let found: Vec<_> = lint(&falsified).iter().map(|finding| finding.rule).collect();
    assert!(found.contains(&"grand-mean") && found.contains(&"cv"), "{found:?}");
}

/// Against itself, so that neither the machine nor what else it does matters: a rule that compares all with all takes a hundred
/// times as long.
#[test]
fn ten_times_the_pages_take_some_ten_times_as_long() {
    let page = fs::read_to_string("tests/data/lint_manuscript.md").unwrap();
    let words = page.split_whitespace().count();
    let pages = |n: usize| page.repeat(n * 500 / words + 1);
    // The fastest of three: what else the machine does only ever adds.
    let taken = |text: &str| -> Duration {
        let once = || {
            let start = Instant::now();
            assert!(!lint(text).is_empty());
            start.elapsed()
        };
        (0..3).map(|_| once()).min().unwrap()
    };
    let (ten, hundred) = (taken(&pages(10)), taken(&pages(100)));
    assert!(hundred < ten * 40, "{hundred:?} for a hundred pages, {ten:?} for ten");
}

#[test]
fn the_verb_prints_findings_and_exits_with_one() {
    let lint =
        |arguments: &[&str]| Command::new(env!("CARGO_BIN_EXE_offprint")).arg("lint").args(arguments).output().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let [bad, good, binary] =
        ["bad.md", "good.tex", "binary.md"].map(|name| folder.path().join(name).display().to_string());
    fs::write(&bad, "first\n\n2 × 3 = 7\n").unwrap();
    fs::write(&good, "$2 \\times 3 = 6$\n").unwrap();
    fs::write(&binary, [0xff, 0xfe, 0x00]).unwrap();

    let found = lint(&[&bad]);
    assert_eq!(found.status.code(), Some(1));
    let text = String::from_utf8(found.stdout).unwrap();
    assert!(text.starts_with(&format!("{bad}:3: error[product] 2 × 3 = 7\n    follows: 6\n")), "{text}");
    let json: serde_json::Value = serde_json::from_slice(&lint(&[&bad, "--json"]).stdout).unwrap();
    assert_eq!((json[0]["line"].as_u64(), json[0]["sure"].as_str()), (Some(3), Some("error")));

    let clean = lint(&[&good]);
    assert_eq!((clean.status.code(), clean.stdout.is_empty()), (Some(0), true));
    for file in [binary, folder.path().join("none.md").display().to_string()] {
        let failed = lint(&[&file]);
        assert_eq!(failed.status.code(), Some(2), "{file}");
        assert!(String::from_utf8(failed.stderr).unwrap().contains(&file));
    }
}
