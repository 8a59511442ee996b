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
        AGAIN,
        conditions::{self, Conditions},
        prose::or_of_project,
        report, run,
    },
    complaint::Complaint,
    digest, project,
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
    /// The study, a YAML file; config/study.yaml, or the only study in config/, unless given
    study: Option<PathBuf>,
    /// Run the study again, even if this checkout has
    #[arg(long, conflicts_with = "keep")]
    fresh: bool,
    /// Take what this checkout has run even if the program, the kernels or a variable is another by now
    #[arg(long)]
    keep: bool,
    /// On a CPU, compute with MLX's own kernels instead of ours
    #[arg(long)]
    stock_kernels: bool,
    /// What a meter at the wall says, a CSV file with the columns time and watts that its program writes meanwhile
    #[arg(long, value_name = "FILE")]
    meter: Option<PathBuf>,
    /// Where run folders go; the project's results/ unless given
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// Where the paper goes; the project's paper/ unless given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What the paper is made from; else the project's templates/, or the built-in ones
    #[arg(long, value_name = "DIR")]
    templates: Option<PathBuf>,
}

/// Exit code 1 when a run failed (the paper is written and says so), 75 when the execution was stopped (it is not).
pub fn run(args: PaperArgs) -> Result<ExitCode> {
    let file = args.study.map_or_else(project::study, Ok)?;
    let [results, out] =
        [(args.results, "results"), (args.out, "paper")].map(|(given, name)| or_of_project(given, name));
    let text = fs::read(&file)
        .with_context(|| format!("{}\nhint: is the path right? studies are in config/", file.display()))?;
    let here = project::here().join(HERE);
    let study = Study::from_file(&file)?;
    let own = run::Own { stock_kernels: args.stock_kernels, meter: args.meter };
    let kernels = if args.stock_kernels { ".stock" } else { "" };
    let marker = here.join(digest::sha256_hex(&text) + kernels);
    let conditions = conditions::now(&study, args.stock_kernels)?;
    let earlier = if args.fresh { None } else { begun_before(&marker)? };
    let earlier = earlier.filter(|begun| args.keep || as_it_was(begun, &conditions)).map(|begun| begun.folder);
    let of_earlier = earlier.as_deref().and_then(|folder| Run::open(folder).ok()).filter(Run::is_complete);
    let (folder, failed) = match earlier {
        Some(folder) if of_earlier.is_some() => {
            let make = if Path::new("Makefile").is_file() { " (make paper FRESH=1)" } else { "" };
            tell!("{}: run here already; --fresh{make} runs it again", folder.display());
            let records = of_earlier.iter().flat_map(|run| &run.records);
            (folder, records.filter(|record| record.outcome == Outcome::Failed).count())
        }
        unfinished => {
            // Hours of runs need not end in a section that names a number which they do not have; but they are worth having.
            let templates = project::templates(&file, args.templates.as_deref())?.templates;
            if let Err(error) = project::proofread(&file, &study, &templates) {
                let fault = Complaint::from(&error);
                tell!("warning: the study is run, but its paper cannot be written as it is: {fault}");
            }
            let execution = run::execute(&file, &results, unfinished.as_deref(), &own, &mut |folder| {
                let begun = Begun { folder: from_root(folder), conditions: conditions.clone() };
                let json = serde_json::to_string_pretty(&begun)? + "\n";
                fs::create_dir_all(&here)
                    .and_then(|()| fs::write(&marker, json))
                    .with_context(|| format!("{}", marker.display()))
            })?;
            if execution.ended == Ended::Stopped {
                return Ok(ExitCode::from(AGAIN));
            }
            (execution.folder, execution.failed)
        }
    };
    report::write_paper(&folder, &out, args.templates.as_deref(), false)?;
    say!("{}", out.join("paper.md").display());
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
    let begun = Begun { folder: project::here().join(begun.folder), ..begun };
    Ok(Some(begun).filter(|begun| begun.folder.is_dir()))
}

/// A run folder as the project's root names it, wherever one works in the project.
fn from_root(folder: &Path) -> PathBuf {
    let is_root = project::here().as_os_str().is_empty();
    if is_root { folder.to_owned() } else { folder.canonicalize().unwrap_or_else(|_| folder.to_owned()) }
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
