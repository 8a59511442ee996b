//! The paper through the real binary: from a fake study's records to text, and from a committed run to a typeset page.
#![allow(clippy::unwrap_used)] // a test may: it fails where it should

mod baseline;
mod folder;
mod hostile;
mod letters;
mod people;
mod pictures;
mod published;
mod structure;
mod submission;
mod systems;
mod typeset;
mod typst;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn offprint(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_offprint")).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs a study given as YAML, `study.yaml` in `folder`; the run folder.
fn run(folder: &Path, yaml: &str) -> PathBuf {
    let (study, results) = (folder.join("study.yaml"), folder.join("results"));
    fs::write(&study, yaml).unwrap();
    let output = offprint(&["run", study.to_str().unwrap(), "--results", results.to_str().unwrap()]);
    assert!(output.status.success(), "{}", said(&output));
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

/// Writes the paper of a run folder; the paper's folder.
fn report(folder: &Path, run: &Path) -> PathBuf {
    let out = folder.join("paper");
    let output = offprint(&["report", "--run", run.to_str().unwrap(), "--out", out.to_str().unwrap()]);
    assert!(output.status.success(), "{}", said(&output));
    out
}
