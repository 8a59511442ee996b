//! `offprint lint FILE`: what a paper's own numbers say about each other.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};

use crate::lint::{self, Sure};

#[derive(Debug, clap::Args)]
pub struct LintArgs {
    /// A paper in Markdown or LaTeX
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the findings. Exit code 1 if one of them is an error; warnings alone give 0.
///
/// # Errors
/// The file cannot be read, or is not text.
pub fn run(args: LintArgs) -> Result<ExitCode> {
    let bytes = std::fs::read(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    let text = String::from_utf8(bytes).with_context(|| {
        format!("{} is not UTF-8 text\nhint: give the source of the paper, Markdown or LaTeX", args.file.display())
    })?;
    let findings = lint::lint(&text);
    if args.json {
        say!("{}", serde_json::to_string_pretty(&findings)?);
    } else {
        for finding in &findings {
            let sure = match finding.sure {
                Sure::Error => "error",
                Sure::Warning => "warning",
            };
            say!("{}:{}: {sure}[{}] {}", args.file.display(), finding.line, finding.rule, finding.stated);
            say!("    follows: {}", finding.follows);
            say!("    because {}", finding.why);
        }
    }
    let errors = findings.iter().filter(|finding| finding.sure == Sure::Error).count();
    tell!("{errors} errors, {} warnings", findings.len() - errors);
    Ok(if errors > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS })
}
