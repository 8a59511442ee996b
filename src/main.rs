//! The binary: parses, calls a verb, returns its exit code.

use std::process::ExitCode;

use clap::Parser;
use offprint::cli::{Cli, complain, exit_code};

fn main() -> ExitCode {
    Cli::parse().run().unwrap_or_else(|error| {
        complain(&error);
        exit_code(&error)
    })
}
