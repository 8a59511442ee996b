//! `offprint.worker/1`: what becomes of programs that speak it, well and badly, through the program itself.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod check;
mod document;
mod mlx_lm;
mod runs;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn fake() -> PathBuf {
    root().join("tests/worker/fake_worker.py")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// `offprint worker check` of a command.
fn check(command: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_offprint")).args(["worker", "check", "--"]).args(command).output().unwrap()
}
