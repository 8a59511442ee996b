//! `offprint fleet plan | doctor | run`: one study on several machines, in several sessions. The engine that schedules is Snakemake, and
//! it stays in sight: what is planned is a Snakefile, and what is run is a command that is printed first.

mod doctor;
mod plan;
mod run;
mod studies;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Subcommand;

use super::EXIT_CODES;

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct FleetArgs {
    #[command(subcommand)]
    verb: FleetVerb,
}

#[derive(Debug, Subcommand)]
enum FleetVerb {
    /// Write what Snakemake runs: a Snakefile, a profile, the studies, and a lock that says what each execution must be of
    Plan(PlanArgs),
    /// Ask each machine, over its own channel, whether it can run the studies
    Doctor(FleetDoctorArgs),
    /// Run a planned fleet: print Snakemake's command, and become it
    Run(FleetRunArgs),
}

#[derive(Debug, clap::Args)]
pub struct PlanArgs {
    /// Machines, studies, sessions: a YAML file (docs/FLEETS.md)
    fleet: PathBuf,
    /// Where it goes; the file's own name without its ending, beside it, unless given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Fetch no model here; that all machines have the same weights is then known when their bundles are put together
    #[arg(long)]
    without_weights: bool,
}

#[derive(Debug, clap::Args)]
pub struct FleetDoctorArgs {
    /// Machines, studies, sessions: a YAML file (docs/FLEETS.md)
    fleet: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct FleetRunArgs {
    /// The folder of a planned fleet, or the file that it is planned from
    fleet: PathBuf,
    /// Where the plan of a file goes, as with `plan`
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// With a file: as with `plan`
    #[arg(long)]
    without_weights: bool,
    /// The program, where it is not in the PATH
    #[arg(long, value_name = "PROGRAM", default_value = "snakemake")]
    snakemake: PathBuf,
    /// For Snakemake, as they are: -- --unlock
    #[arg(last = true, value_name = "WORDS")]
    words: Vec<String>,
}

/// Calls one of the verbs.
pub fn run(args: FleetArgs) -> Result<ExitCode> {
    match args.verb {
        FleetVerb::Plan(args) => plan::run(&args),
        FleetVerb::Doctor(args) => doctor::run(&args),
        FleetVerb::Run(args) => run::run(&args),
    }
}
