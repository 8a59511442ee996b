//! `offprint fleet run`: Snakemake's command, printed, and then exactly that.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, anyhow, ensure};

use super::{
    FleetRunArgs, PlanArgs,
    plan::{self, SNAKEFILE},
};

/// Returns only where Snakemake cannot be started: this process becomes it, and its exit code is this one's.
pub(super) fn run(args: &FleetRunArgs) -> Result<ExitCode> {
    let folder = planned(args)?;
    let mut command = Command::new(program(&args.snakemake)?);
    command.args(["--profile", "profile"]).args(&args.words).current_dir(&folder);
    let words: Vec<&str> = args.words.iter().map(String::as_str).collect();
    tell!("cd {} && {} --profile profile {}", folder.display(), args.snakemake.display(), words.join(" "));
    let error = become_it(&mut command);
    Err(error).with_context(|| {
        format!(
            "{}: it cannot be started\nhint: pip install snakemake==9.27.1 snakemake-executor-plugin-slurm==2.8.0, in an environment of its own; --snakemake names the program",
            args.snakemake.display()
        )
    })
}

fn planned(args: &FleetRunArgs) -> Result<PathBuf> {
    if args.fleet.is_dir() {
        ensure!(args.out.is_none(), "--out goes with a file, and {} is a folder", args.fleet.display());
        ensure!(
            args.fleet.join(SNAKEFILE).is_file(),
            "{}: no {SNAKEFILE} there\nhint: offprint fleet plan FLEET.yaml --out {} writes it",
            args.fleet.display(),
            args.fleet.display()
        );
        return Ok(args.fleet.clone());
    }
    plan::plan(&PlanArgs { fleet: args.fleet.clone(), out: args.out.clone(), without_weights: args.without_weights })
}

/// A path with folders in it is meant from here, and the command is started elsewhere.
fn program(named: &Path) -> Result<PathBuf> {
    let is_path = named.components().count() > 1;
    if is_path { std::path::absolute(named).with_context(|| named.display().to_string()) } else { Ok(named.to_owned()) }
}

#[cfg(unix)]
fn become_it(command: &mut Command) -> anyhow::Error {
    use std::os::unix::process::CommandExt;
    anyhow!(command.exec())
}

#[cfg(not(unix))]
fn become_it(_: &mut Command) -> anyhow::Error {
    anyhow!("Snakemake's shells are those of Unix")
}
