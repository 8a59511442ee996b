//! The documents under our own rule: their tables are what the committed samples give, their prose types no measured number, and what
//! they refer to exists: files, headings, verbs, switches, targets, claims.

#![allow(clippy::unwrap_used)] // a test may: it fails where it should

mod prose;
mod references;
mod tables;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Every document that a person wrote.
fn documents() -> Vec<PathBuf> {
    let mut found = [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "adapters/README.md",
        "native/README.md",
        "python/README.md",
        "python/offprint/README.md",
        "python/offprint-verifier/README.md",
        "benches/peers/README.md",
        "fuzz/README.md",
        "examples/own-paper/README.md",
    ]
    .map(PathBuf::from)
    .to_vec();
    let mut folders = vec![PathBuf::from("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Those that speak of what was measured. A reference shows numbers that nobody measured.
fn of_measurements() -> Vec<PathBuf> {
    let references = [
        "CLAIMS",
        "FIGURES",
        "FLEETS",
        "FORMAT",
        "LINT",
        "LIVING",
        "METHODOLOGY",
        "PAPERS",
        "SERVERS",
        "SUBMISSION",
        "TUTORIAL",
        "VERIFY",
        "WORKER",
    ];
    let references = references.map(|name| format!("docs/{name}.md"));
    let not: Vec<&str> = references.iter().map(String::as_str).chain(["CHANGELOG.md", "fuzz/README.md"]).collect();
    documents().into_iter().filter(|path| !not.iter().any(|other| path == Path::new(other))).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Fails with all that was found, a line each.
fn none(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// Lines with their number that are not made by `make tables`.
fn written(text: &str) -> Vec<(usize, &str)> {
    let mut made = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        made |= line.starts_with("<!-- table: ");
        if !made {
            lines.push((index + 1, line));
        }
        made &= line != "<!-- end -->";
    }
    lines
}
