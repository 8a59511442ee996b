//! The linter on small papers with one defect or none, on a manuscript with many, and on our own.

#![allow(clippy::unwrap_used)] // a test may: it fails where it should

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use offprint::lint::{self, Finding, Sure, document};
use tempfile::TempDir;

/// Markdown, or LaTeX if it begins like that.
fn lint(text: &str) -> Vec<Finding> {
    lint::lint(&document::read("paper", text.as_bytes(), None, None).unwrap()).findings
}

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

/// Small papers, each wrong in one place or in none, as its first line says, written without sight of the rules; `dev` and `dev2` are the
/// halves on which these were made. A bound is what was counted.
#[test]
fn small_papers_are_told_apart() {
    for (half, least) in [("dev", 88), ("held", 82), ("dev2", 21), ("held2", 20)] {
        let (mut found, mut missed, mut accused) = (0, Vec::new(), Vec::new());
        let mut papers: Vec<_> =
            fs::read_dir(format!("tests/data/lint/{half}")).unwrap().map(|e| e.unwrap().path()).collect();
        papers.sort();
        for path in papers {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let findings = |path| lint::lint(&document::open(path).unwrap()).findings;
            if name.starts_with("missed-") {
                if findings(&path).is_empty() { missed.push(name) } else { found += 1 }
            } else if name.starts_with("false-") {
                accused.extend(findings(&path).into_iter().map(|finding| format!("{name}: {finding:?}")));
            }
        }
        assert!(accused.is_empty(), "{half}: {accused:#?}");
        assert!(found >= least, "{half}: {found} found, not {}", missed.join(", "));
    }
}

/// Each rule of docs/LINT.md with its two papers: in the first it speaks, in the second nothing does.
#[test]
fn the_document_shows_each_rule_at_work() {
    let text = fs::read_to_string("docs/LINT.md").unwrap();
    let mut shown = Vec::new();
    for section in text.split("\n### `").skip(1) {
        let rule = section.split('`').next().unwrap();
        let papers: Vec<&str> =
            section.split("````markdown\n").skip(1).map(|rest| rest.split("````").next().unwrap()).collect();
        let [speaks, silent] = papers.as_slice() else { panic!("{rule}: two papers") };
        let found = lint(speaks);
        assert!(found.iter().any(|finding| finding.rule == rule), "{rule}: {found:#?}");
        let found = lint(silent);
        assert!(found.is_empty(), "{rule}, which must not: {found:#?}");
        shown.push(rule.to_owned());
    }
    // All that the sources name, which are in SARIF, too.
    let described = fs::read_to_string("src/cli/lint/rules.rs").unwrap();
    let mut names: Vec<String> =
        described.split("    (\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect();
    names.sort();
    shown.sort();
    assert_eq!(shown, names);
}

/// A row more costs what a row costs: a table of ten times the rows, ten times the time, some slack for what else the machine does.
#[test]
fn a_long_table_is_read_in_a_time_that_grows_with_it() {
    let table = |rows: usize| {
        let row = |i: usize| format!("| r{i} | {}.0 | {}.0 | {}.0 | 2.00x |\n", 2 * i + 2, i + 1, i + 7);
        format!(
            "| Row | Old (ms) | New (ms) | Other (ms) | Speedup |\n|---|---|---|---|---|\n{}",
            (0..rows).map(row).collect::<String>()
        )
    };
    let taken = |text: &str| -> Duration {
        let once = || {
            let start = Instant::now();
            assert_eq!(lint(text).len(), 0);
            start.elapsed()
        };
        (0..2).map(|_| once()).min().unwrap()
    };
    let (short, long) = (taken(&table(1_000)), taken(&table(10_000)));
    assert!(long < short * 40, "{long:?} for 10,000 rows, {short:?} for 1,000");
}

/// Built around the numbers of the manuscript that this project starts from, whose audit lists what is wrong with them.
#[test]
fn every_contradiction_of_the_first_manuscript_is_found_and_nothing_else() {
    let text = fs::read_to_string("tests/data/lint_manuscript.md").unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&lint::markdown(&text).findings).unwrap());
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
