//! The command line: one file per verb; the only place that prints. stdout is data, stderr is talk.
//!
//! A verb returns its exit code: 0 fine, 1 the check said no, [`AGAIN`] where nothing is wrong but the moment. An `Err` is exit code 2:
//! it could not run, and will not the next time. A message names file and key, says what was expected and found, and ends with the way out
//! on a line that begins with `hint:`.

/// A line of data on stdout. A reader that has gone away (`| head`) ends nothing: a measurement may be under way.
macro_rules! say {
    ($($text:tt)*) => {{
        let _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($text)*)));
    }};
}

/// A line of talk on stderr, likewise.
macro_rules! tell {
    ($($text:tt)*) => {{
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{}\n", format_args!($($text)*)));
    }};
}

pub mod bundle;
pub mod compare;
mod compile;
mod conditions;
pub mod docs;
pub mod doctor;
mod docx;
pub mod energy;
pub mod explain;
mod explain_set;
mod export;
mod folder;
pub mod fleet;
mod forecast;
pub mod guard;
pub mod lint;
pub mod merge;
#[cfg(feature = "mlx")]
pub mod model;
mod models;
pub mod new;
pub mod paper;
mod preview;
pub mod progress;
mod prose;
mod set;
mod publish;
#[cfg(feature = "mlx")]
mod quality;
pub mod report;
pub mod rerun;
pub mod run;
pub mod shard;
mod signal;
mod sought;
pub mod submission;
mod text;
mod typeset;
pub mod verify;
mod watch;
pub mod worker;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::complaint::{Complaint, TryAgain};

/// EX_TEMPFAIL of sysexits.h: interrupted, or the machine is too busy or too hot. The same command again goes on.
pub const AGAIN: u8 = 75;

pub(crate) const EXIT_CODES: &str = "Exit codes:
  0   fine
  1   the check said no, or a run failed
  2   it could not run; the same again would fail again
  75  try again: it was interrupted, or the machine is too busy or too hot";

/// Runs an LLM benchmark through MLX and typesets the paper about it.
#[derive(Debug, Parser)]
#[command(name = "offprint", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Begin a project: a study, a paper of your own, what makes and checks it
    New(new::NewArgs),
    /// Execute a study: its runs become a folder under results/
    Run(run::RunArgs),
    /// One whole execution of a study on this machine, for an engine that schedules: the same again goes on
    Shard(shard::ShardArgs),
    /// One study on several machines, in several sessions
    Fleet(fleet::FleetArgs),
    /// Write the paper from the records of a run
    Report(report::ReportArgs),
    /// Execute a study where its results are missing, then write the paper
    Paper(paper::PaperArgs),
    /// Where a number of the paper comes from: formula, runs, raw values
    Explain(explain::ExplainArgs),
    /// What a paper may print, before anything is measured
    Docs(docs::DocsArgs),
    /// Check any paper's numbers against each other
    Lint(lint::LintArgs),
    /// Hold two executions against each other, claim by claim
    Compare(compare::CompareArgs),
    /// Run the design of somebody else's execution here, and say which of its claims come out again
    Rerun(rerun::RerunArgs),
    /// Fetch, import, list or verify models
    #[cfg(feature = "mlx")]
    Model(model::ModelArgs),
    /// Can this machine run the study?
    Doctor(doctor::DoctorArgs),
    /// The paper as a venue takes it: an archive of LaTeX that compiles by itself
    Submission(submission::SubmissionArgs),
    /// Archive a run and its paper under a version, for reviewers
    Bundle(bundle::BundleArgs),
    /// Put executions on several machines together into a set
    Merge(merge::MergeArgs),
    /// Check a bundle: files, records, every number, the paper
    Verify(verify::VerifyArgs),
    /// One engine behind a pipe, which `run` starts; `worker check` tries a program of yours
    Worker(worker::WorkerArgs),
    /// Ends what `run` has started, when that is gone
    #[command(hide = true)]
    Guard,
}

impl Cli {
    /// Calls the verb.
    pub fn run(self) -> Result<ExitCode> {
        match self.verb {
            Verb::New(args) => new::run(args),
            Verb::Docs(args) => docs::run(args),
            Verb::Run(args) => run::run(args),
            Verb::Shard(args) => shard::run(args),
            Verb::Fleet(args) => fleet::run(args),
            Verb::Report(args) if args.watch => watch::run(&args),
            Verb::Report(args) => report::run(args),
            Verb::Paper(args) => paper::run(args),
            Verb::Explain(args) => match &args.set {
                Some(set) => explain_set::explain(set, &args.what, args.templates.as_deref(), args.json),
                None => explain::run(args),
            },
            Verb::Lint(args) => lint::run(args),
            Verb::Compare(args) => compare::run(args),
            Verb::Rerun(args) => rerun::run(args),
            #[cfg(feature = "mlx")]
            Verb::Model(args) => model::run(args),
            Verb::Doctor(args) => doctor::run(args),
            Verb::Submission(args) => submission::run(args),
            Verb::Bundle(args) => bundle::run(args),
            Verb::Merge(args) => merge::run(args),
            Verb::Verify(args) => verify::run(args),
            Verb::Worker(args) => worker::run(args),
            Verb::Guard => guard::run(),
        }
    }
}

/// Of a verb that could not run.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(if TryAgain::is_why(error) { AGAIN } else { 2 })
}

/// Says why a verb could not run: the causes from the outside in, hints last.
pub fn complain(error: &anyhow::Error) {
    let Complaint { causes, hint } = Complaint::from(error);
    tell!("error: {}", causes.join("\n  "));
    if let Some(hint) = hint {
        tell!("hint: {hint}");
    }
}
