//! `offprint report --format FORMAT`: the results as another tool writes them, on standard output.

use std::path::Path;

use anyhow::{Result, ensure};

use serde_json::Value;

use crate::{
    evidence::Evidence,
    export::{aiperf, llama_bench},
};

/// Another tool's way to write results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// As llama-bench -o json
    LlamaBench,
    /// As llama-bench -o jsonl
    LlamaBenchJsonl,
    /// As aiperf's profile_export.jsonl: a line a request
    Aiperf,
}

/// The text; what of the run it does not hold is told.
///
/// # Errors
/// As [`Evidence::open`]; nothing in the run that the format has a place for.
pub(super) fn text(folder: &Path, format: Format) -> Result<String> {
    let Evidence { run, summary, .. } = Evidence::with_rows(folder, None)?;
    if format == Format::Aiperf {
        let lines = aiperf::lines(&run)?;
        let hint =
            "hint: it has a line for each request of a run of several: a study with at_once, per_second or batch";
        ensure!(!lines.is_empty(), "{}: no run has several requests\n{hint}", folder.display());
        return Ok(lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n"));
    }
    let export = llama_bench::entries(&run, &summary)?;
    ensure!(
        !export.entries.is_empty(),
        "{}: no cell is a test of llama-bench's\n\
         hint: it has no servers and no batches; all runs of a cell must have as many prompt tokens, and as many generated",
        folder.display()
    );
    if !export.left_out.is_empty() {
        tell!("left out, since they are no tests of llama-bench's: {}", export.left_out.join(", "));
    }
    Ok(match format {
        Format::LlamaBench => serde_json::to_string_pretty(&export.entries)?,
        Format::LlamaBenchJsonl | Format::Aiperf => {
            export.entries.iter().map(serde_json::to_string).collect::<serde_json::Result<Vec<String>>>()?.join("\n")
        }
    })
}
