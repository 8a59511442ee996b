//! `offprint worker`: one engine behind a pipe, for `offprint run`.

use std::process::ExitCode;

use anyhow::Result;

use crate::bench::worker;

#[derive(Debug, clap::Args)]
pub struct WorkerArgs {
    #[arg(long)]
    stock_kernels: bool,
}

/// Serves until the runner closes the pipe.
pub fn run(args: WorkerArgs) -> Result<ExitCode> {
    worker::serve(std::io::stdout().lock(), args.stock_kernels, orphaned)?;
    Ok(ExitCode::SUCCESS)
}

/// The runner is gone: nobody waits for the answer, and a machine under measurement must not be kept busy.
#[expect(clippy::exit, reason = "the engine's thread is in MLX and cannot be asked to return")]
fn orphaned() {
    std::process::exit(0);
}
