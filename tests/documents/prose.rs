//! What stands outside of tables: no measured number, no overlong line, no path of a machine, no contradiction.

use std::{path::PathBuf, process::Command, sync::LazyLock};

use regex::Regex;

use crate::{documents, none, of_measurements, read, written};

/// A number with a unit of rate, time, memory or ratio.
static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    let rates = "tok/s|tokens (?:a|per) second|[kMGT]?B/s|GFLOP/s|GMAC/s";
    let times = "ns|µs|ms|s|min|h|seconds?|minutes?|hours?";
    let others = "%|per cent|times|×|x|MB|MiB|GB|GiB";
    Regex::new(&format!(r"(?:^|[^\w.,-])(\d[\d.,]*(?: to \d[\d.,]*)? ?(?:{rates}|{times}|{others}))(\W.*|$)")).unwrap()
});

/// Each in a line, but for the level of an interval.
fn measured(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(one) = NUMBER.captures(rest) {
        let after = one.get(2).unwrap();
        if !(after.as_str().starts_with(" interval") || after.as_str().starts_with(" bootstrap interval")) {
            found.push(one[1].to_owned());
        }
        rest = &rest[after.start()..];
    }
    found
}

/// Measured numbers that were typed: not in a table that is made, nor in an entry that says that its samples were not kept.
fn typed(name: &str, text: &str) -> Vec<String> {
    let entry = Regex::new(r"(?m)^## ").unwrap();
    let mut begins: Vec<usize> = entry.find_iter(text).map(|heading| heading.start()).collect();
    begins.push(text.len());
    let unkept: Vec<_> = begins
        .windows(2)
        .filter(|ends| name.ends_with("performance/log.md") && text[ends[0]..ends[1]].contains("samples not kept"))
        .map(|ends| text[..ends[0]].lines().count() + 1..=text[..ends[1]].lines().count())
        .collect();
    let mut found = Vec::new();
    for (number, line) in written(text) {
        if !unkept.iter().any(|lines| lines.contains(&number)) {
            found.extend(measured(line).iter().map(|what| format!("{name}:{number}: `{what}` is typed by hand")));
        }
    }
    found
}

#[test]
fn prose_types_no_measured_number() {
    none(of_measurements().iter().flat_map(|path| typed(path.to_str().unwrap(), &read(path))).collect());
}

#[test]
fn a_typed_number_is_found_and_others_are_left_alone() {
    for line in [
        "it does 397 tok/s",
        "2.31 times as fast",
        "(81 % of it)",
        "0.22 s",
        "26.2× as many",
        "in 3 to 5 µs, hardly",
        "41 MB.",
    ] {
        assert_eq!(measured(line).len(), 1, "{line}");
    }
    assert_eq!(measured("5 ms, not 100 ms").len(), 2);
    for line in [
        "a 95 % interval",
        "H100s",
        "2026-11-26",
        "54 runs",
        "x86",
        "16:8 128:64",
        "numbers of 24 bits",
        "2.3.4",
        "8 KB",
    ] {
        assert_eq!(measured(line), [""; 0], "{line}");
    }
    let text = "# Log\n\n3 ms\n\n## A\n\nMeasured once, samples not kept. 5 ms\n\n## B\n\n7 ms\n<!-- table: x -->\n9 ms\n<!-- end -->\n";
    let at =
        |name: &str| typed(name, text).iter().map(|one| one.split(':').nth(1).unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(at("docs/performance/log.md"), ["3", "11"]);
    assert_eq!(at("docs/performance/cpu.md"), ["3", "7", "11"]);
}

#[test]
fn lines_are_for_reading() {
    let long = |path: &PathBuf| {
        let text = read(path);
        let long = written(&text).into_iter().filter(|(_, line)| line.chars().count() > 140 && !line.starts_with('|'));
        long.map(|(number, _)| format!("{}:{number}: more than 140 characters", path.display())).collect::<Vec<_>>()
    };
    none(of_measurements().iter().flat_map(long).collect());
}

#[test]
fn no_document_names_a_path_of_a_machine() {
    let path =
        Regex::new(r"(?:^|[\s`(='\x22])((?:/(?:home|Users|root|work|workspace|mnt|opt|var|srv|data)/|[A-Z]:\\)\S*)")
            .unwrap();
    assert!(
        path.is_match("see `/home/somebody/x`")
            && path.is_match(r"C:\Users")
            && !path.is_match("results/work/x, /tmp/paper")
    );
    let mut found = Vec::new();
    for document in documents() {
        for (index, line) in read(&document).lines().enumerate() {
            // Homebrew's is the same on every Mac.
            let named = path.captures_iter(line).filter(|one| !one[1].starts_with("/opt/homebrew/"));
            found.extend(named.map(|one| format!("{}:{}: {}", document.display(), index + 1, &one[1])));
        }
    }
    none(found);
}

#[test]
fn our_own_linter_finds_no_contradiction_in_them() {
    let lint = |path: &PathBuf| {
        let said = Command::new(env!("CARGO_BIN_EXE_offprint")).arg("lint").arg(path).output().unwrap();
        (!said.status.success()).then(|| String::from_utf8(said.stdout).unwrap())
    };
    none(documents().iter().filter_map(lint).collect());
}
