//! `offprint guard`: ends what `offprint run` has started, when that is gone.

use std::process::ExitCode;

use anyhow::Result;

use crate::bench::guard;

/// Returns when the pipe closes and everything has ended.
pub fn run() -> Result<ExitCode> {
    guard::serve(std::io::stdin().lock());
    Ok(ExitCode::SUCCESS)
}
