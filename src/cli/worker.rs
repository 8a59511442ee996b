//! `offprint worker`: one engine behind a pipe, for `offprint run`; `offprint worker check`: does a program speak as one?

use std::{collections::BTreeMap, io, process::ExitCode};

use anyhow::{Result, bail};

use crate::{
    bench::{
        process::Program,
        worker::{self, Verdict},
    },
    study::EngineKind,
};

#[derive(Debug, clap::Args)]
pub struct WorkerArgs {
    #[command(subcommand)]
    check: Option<WorkerVerb>,
    /// The engine behind the pipe
    #[arg(long, value_name = "ENGINE")]
    engine: Option<String>,
    #[arg(long, conflicts_with = "kernels")]
    stock_kernels: bool,
    /// What MLX computes with
    #[arg(long, value_name = "NAME")]
    kernels: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
enum WorkerVerb {
    /// Ask a program all that runs ask of a worker, and what they do not
    Check(CheckArgs),
}

#[derive(Debug, clap::Args)]
struct CheckArgs {
    /// What it is to load: a checkpoint's folder, a GGUF file
    #[arg(long, value_name = "PATH", default_value = "")]
    place: String,
    /// A variable for its environment
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true)]
    command: Vec<String>,
}

/// Serves until the runner closes the pipe; or checks, with exit code 1 when a check fails.
pub fn run(args: WorkerArgs) -> Result<ExitCode> {
    if let Some(WorkerVerb::Check(args)) = args.check {
        return check(args);
    }
    let Some(kind) = args.engine.as_deref().and_then(EngineKind::named) else {
        bail!(
            "expected --engine mlx, llama-cpp or fake, found {:?}\nhint: offprint run starts workers itself; offprint worker check tries a program of yours",
            args.engine.unwrap_or_default()
        );
    };
    let kernels = if args.stock_kernels { Some("stock") } else { args.kernels.as_deref() };
    worker::serve(io::stdout().lock(), kind, kernels, orphaned)?;
    Ok(ExitCode::SUCCESS)
}

fn check(CheckArgs { place, env, command }: CheckArgs) -> Result<ExitCode> {
    let mut variables = BTreeMap::new();
    for pair in &env {
        let Some((name, value)) = pair.split_once('=') else {
            bail!("--env: expected NAME=VALUE, found {pair:?}\nhint: e.g. --env OMP_NUM_THREADS=2");
        };
        variables.insert(name.to_owned(), value.to_owned());
    }
    let program = Program { command, variables, pass: Some(Vec::new()) };
    let mut failed = false;
    for found in worker::check(&program, &place) {
        let verdict = match found.verdict {
            Verdict::Good => "ok",
            Verdict::Note => "note",
            Verdict::Fails => "FAIL",
        };
        failed |= found.verdict == Verdict::Fails;
        say!("{verdict:<5} {:<8} {}", found.name, found.what);
    }
    if failed {
        tell!("it is no worker of {} yet\nhint: docs/WORKER.md has every message", worker::protocol::PROTOCOL);
    }
    Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// The runner is gone: nobody waits for the answer, and a machine under measurement must not be kept busy.
#[expect(clippy::exit, reason = "the engine's thread is in MLX and cannot be asked to return")]
fn orphaned() {
    std::process::exit(0);
}
