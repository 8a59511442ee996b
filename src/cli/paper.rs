//! `offprint paper STUDY`: the runs, unless this very checkout has made them, and then the paper.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};

use crate::{
    bench::Ended,
    cli::{report, run},
    digest,
    record::Outcome,
    store::Run,
};

/// What was run here: one file a study, named by the study's SHA-256 (`.stock` with MLX's own kernels), holding the run folder. It is not committed, so
/// results of another machine never count.
const HERE: &str = ".offprint/runs";

#[derive(Debug, clap::Args)]
pub struct PaperArgs {
    /// The study, a YAML file
    #[arg(default_value = "config/smollm2.yaml")]
    study: PathBuf,
    /// Run the study again, even if this checkout has
    #[arg(long)]
    fresh: bool,
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
    let earlier =
        if args.fresh { None } else { fs::read_to_string(&marker).ok().map(|folder| PathBuf::from(folder.trim())) };
    let earlier = earlier.filter(|folder| folder.is_dir());
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
                    fs::create_dir_all(HERE)
                        .and_then(|()| fs::write(&marker, folder.display().to_string()))
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
