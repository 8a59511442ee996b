//! `offprint paper STUDY`: the runs, unless this very checkout has made them, and then the paper.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::{
    bench::Ended,
    cli::{
        conditions::{self, Conditions},
        report, run,
    },
    digest,
    record::Outcome,
    store::Run,
    study::Study,
};

/// What was run here: one file a study, named by the study's SHA-256 (`.stock` with MLX's own kernels). It is not committed, so
/// results of another machine never count.
const HERE: &str = ".offprint/runs";

/// An execution of a study that was begun here.
#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    folder: PathBuf,
    /// What it was begun under.
    conditions: Conditions,
}

#[derive(Debug, clap::Args)]
pub struct PaperArgs {
    /// The study, a YAML file
    #[arg(default_value = "config/smollm2.yaml")]
    study: PathBuf,
    /// Run the study again, even if this checkout has
    #[arg(long, conflicts_with = "keep")]
    fresh: bool,
    /// Take what this checkout has run even if the program, the kernels or a variable is another by now
    #[arg(long)]
    keep: bool,
    /// On a CPU, compute with MLX's own kernels instead of ours
    #[arg(long)]
    stock_kernels: bool,
    /// Where run folders go
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// Where the paper goes
    #[arg(long, value_name = "DIR", default_value = "paper")]
    out: PathBuf,
}

/// Exit code 1 when a run failed (the paper is written and says so) or the execution was stopped (it is not).
pub fn run(args: PaperArgs) -> Result<ExitCode> {
    let text = fs::read(&args.study)
        .with_context(|| format!("{}\nhint: is the path right? studies are in config/", args.study.display()))?;
    let kernels = if args.stock_kernels { ".stock" } else { "" };
    let marker = Path::new(HERE).join(digest::sha256_hex(&text) + kernels);
    let conditions = conditions::now(&Study::from_file(&args.study)?, args.stock_kernels)?;
    let earlier = if args.fresh { None } else { begun_before(&marker)? };
    let earlier = earlier.filter(|begun| args.keep || as_it_was(begun, &conditions)).map(|begun| begun.folder);
    let of_earlier = earlier.as_deref().and_then(|folder| Run::open(folder).ok()).filter(Run::is_complete);
    let (folder, failed) = match earlier {
        Some(folder) if of_earlier.is_some() => {
            tell!("{}: run here already; --fresh (make paper FRESH=1) runs it again", folder.display());
            let records = of_earlier.iter().flat_map(|run| &run.records);
            (folder, records.filter(|record| record.outcome == Outcome::Failed).count())
        }
        unfinished => {
            let execution =
                run::execute(&args.study, &args.results, unfinished.as_deref(), args.stock_kernels, &mut |folder| {
                    let begun = Begun { folder: folder.to_owned(), conditions: conditions.clone() };
                    let json = serde_json::to_string_pretty(&begun)? + "\n";
                    fs::create_dir_all(HERE)
                        .and_then(|()| fs::write(&marker, json))
                        .with_context(|| format!("{}", marker.display()))
                })?;
            if execution.ended == Ended::Stopped {
                return Ok(ExitCode::from(1));
            }
            (execution.folder, execution.failed)
        }
    };
    report::write_paper(&folder, &args.out)?;
    say!("{}", args.out.join("paper.md").display());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The execution that a marker names, if its folder is still there. Earlier versions wrote the folder alone.
fn begun_before(marker: &Path) -> Result<Option<Begun>> {
    if !marker.is_file() {
        return Ok(None);
    }
    let text = fs::read_to_string(marker).with_context(|| format!("{}", marker.display()))?;
    let of_earlier_version = || Begun { folder: text.trim().into(), conditions: Conditions::new() };
    let begun: Begun = serde_json::from_str(&text).unwrap_or_else(|_| of_earlier_version());
    Ok(Some(begun).filter(|begun| begun.folder.is_dir()))
}

/// Would a run now be made as that one was? If not, that is said.
fn as_it_was(begun: &Begun, now: &Conditions) -> bool {
    let changed = conditions::differences(&begun.conditions, now);
    if !changed.is_empty() {
        tell!(
            "{}: run here under other conditions, so the study is run again: {}\nhint: --keep makes the paper of that run",
            begun.folder.display(),
            changed.join(", ")
        );
    }
    changed.is_empty()
}
