//! A project of one's own, through the real binary: from an empty folder to a bundle that verifies, and every way to get it wrong.
#![allow(clippy::unwrap_used)] // a test may: it fails where it should

mod example;
mod faults;
mod honest;
#[cfg(feature = "mlx")]
mod tutorial;
#[cfg(unix)]
mod watch;
mod whole;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

/// The program, started in a folder.
fn offprint(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_offprint")).args(arguments).current_dir(folder).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn data(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Fails with what was said.
fn good(output: Output) -> Output {
    assert!(output.status.success(), "{}{}", data(&output), said(&output));
    output
}

/// A new project whose study is one of the fake engine, not run yet.
struct Project(TempDir);

impl Project {
    fn new(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        good(offprint(folder.path(), &[&["new", "paper-of-mine"], more].concat()));
        let project = Project(folder);
        project.write("config/study.yaml", include_str!("../../config/fake.yaml"));
        project
    }

    fn root(&self) -> PathBuf {
        self.0.path().join("paper-of-mine")
    }

    fn write(&self, path: &str, text: &str) {
        let file = self.root().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap()
    }

    fn change(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "{path} has no `{from}`");
        self.write(path, &text.replace(from, to));
    }

    /// In the root.
    fn offprint(&self, arguments: &[&str]) -> Output {
        offprint(&self.root(), arguments)
    }
}
