//! `offprint compare A B`: two executions, claim by claim.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};

use crate::{
    compare::{self, Comparison, Verdict},
    store::Run,
};

#[derive(Debug, clap::Args)]
pub struct CompareArgs {
    /// A run folder
    a: PathBuf,
    /// The run folder that is held against it
    b: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Also write comparison.md, comparison.json and the figure (SVG, PDF, PNG) into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints the comparison; exit code 1 unless every claim is equivalent.
pub fn run(args: CompareArgs) -> Result<ExitCode> {
    let (a, b) = (open(&args.a)?, open(&args.b)?);
    let comparison = compare::compare(&a, &b)?;
    let json = serde_json::to_string_pretty(&comparison)? + "\n";
    let markdown = compare::markdown(&comparison) + &format!("\n{}\n", comparison.summary);
    if let Some(out) = &args.out {
        write(out, "comparison.md", markdown.as_bytes())?;
        write(out, "comparison.json", json.as_bytes())?;
        write_figure(out, &comparison)?;
    }
    let text = if args.json { &json } else { &markdown };
    say!("{}", text.trim_end());
    Ok(if comparison.verdict == Verdict::Equivalent { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// An execution by its folder.
pub(super) fn open(path: &Path) -> Result<Run> {
    Run::open(path)
}

/// `figures/comparison.{svg,pdf,png}` under `out`; returns the SVG.
pub(super) fn write_figure(out: &Path, comparison: &Comparison) -> Result<Vec<u8>> {
    let figure = compare::draw(comparison)?;
    for (extension, bytes) in [("svg", &figure.svg), ("pdf", &figure.pdf), ("png", &figure.png)] {
        write(out, &format!("figures/{}.{extension}", figure.id), bytes)?;
    }
    Ok(figure.svg)
}

/// A file under `out`, whole or not at all.
pub(super) fn write(out: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let path = out.join(name);
    let parent = path.parent().unwrap_or(out);
    fs::create_dir_all(parent).with_context(|| format!("{}", parent.display()))?;
    let making = path.with_extension("tmp");
    fs::write(&making, bytes)
        .and_then(|()| fs::rename(&making, &path))
        .with_context(|| format!("{}\nhint: is the folder writable, and is there space?", path.display()))
}
