//! The times that records name.

use anyhow::{Context, Result};

pub use crate::ranges::end::instant;
use crate::store::Run;

/// The day of the records, `2026-11-23`: the date of everything that is made from them.
///
/// # Errors
/// `captured_at` is no time.
pub fn date(run: &Run) -> Result<String> {
    Ok(instant(&run.environment.captured_at).context("environment.json: captured_at")?.strftime("%Y-%m-%d").to_string())
}
