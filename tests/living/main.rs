//! The page that a paper is read in: its numbers computed again by a second implementation, from the records and the formulas' texts alone;
//! what a browser makes of it; what a hostile one can do. Node and browsers are there where `OFFPRINT_TEST_BROWSERS` says so
//! (`.ci/run` installs them); without, what needs them is not tried, and says so.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // a test may: it fails where it should

mod browsers;
mod numbers;
mod page;
#[path = "../../examples/scale.rs"]
mod scale;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// A folder of programs: `node` and `python` with playwright and websockets; chromium and firefox-esr are the system's.
fn tools() -> Option<PathBuf> {
    let folder = env::var_os("OFFPRINT_TEST_BROWSERS").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("not tried: OFFPRINT_TEST_BROWSERS names no folder with node and python");
    }
    folder
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A paper with the records that it is of.
#[derive(Debug, Clone)]
struct Published {
    paper: PathBuf,
    run: PathBuf,
}

impl Published {
    fn claims(&self) -> Value {
        serde_json::from_str(&fs::read_to_string(self.paper.join("claims.json")).unwrap()).unwrap()
    }

    fn runs(&self) -> PathBuf {
        self.run.join("runs.jsonl")
    }

    fn baseline(&self) -> Option<PathBuf> {
        let inside = fs::read_dir(self.run.join("baseline")).ok()?;
        inside.flatten().map(|entry| entry.path().join("runs.jsonl")).find(|file| file.is_file())
    }
}

/// Every committed paper: the run is the one that its claims name.
fn committed() -> Vec<Published> {
    let projects = [
        ("paper", "results"),
        ("paper-peers", "results"),
        ("paper-servers", "results"),
        ("paper-threads-and-context", "results"),
        ("examples/own-paper/paper", "examples/own-paper/results"),
    ];
    let published = |(paper, results): (&str, &str)| {
        let text = fs::read_to_string(Path::new(paper).join("claims.json")).ok()?;
        let claims: Value = serde_json::from_str(&text).unwrap();
        let run_id = claims["source"]["run_id"].as_str().unwrap().to_owned();
        let studies = fs::read_dir(results).unwrap().flatten().map(|entry| entry.path().join(&run_id));
        let run = studies.into_iter().find(|run| run.is_dir())?;
        Some(Published { paper: paper.into(), run })
    };
    let found: Vec<Published> = projects.into_iter().filter_map(published).collect();
    // A paper that was measured here since may have come in the place of one of them.
    assert!(found.len() > 3, "{found:?}");
    found
}
