//! `offprint docs claims`: every number and judgement that a study's paper may print, before anything is measured.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use serde::Serialize;

use crate::{
    claims::{Claim, Claims, Id, Predicate},
    project,
    study::Study,
};

#[derive(Debug, clap::Args)]
pub struct DocsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Every id that a section may print, with its unit and formula
    Claims(ClaimsArgs),
}

#[derive(Debug, clap::Args)]
struct ClaimsArgs {
    /// The study; else the project's
    study: Option<PathBuf>,
    /// Only ids that contain this
    #[arg(long, value_name = "TEXT", default_value = "")]
    like: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What a section may name.
#[derive(Debug, Serialize)]
struct Entry<'a> {
    id: &'a str,
    /// `n` prints it, `says` and `holds` ask it.
    function: &'static str,
    unit: &'a str,
    /// A claim's formula, a predicate's test.
    from: &'a str,
}

impl<'a> Entry<'a> {
    fn claim((id, claim): (&'a Id, &'a Claim)) -> Self {
        Entry { id, function: "n", unit: &claim.unit, from: &claim.formula }
    }

    fn predicate((id, predicate): (&'a Id, &'a Predicate)) -> Self {
        Entry { id, function: "says", unit: "", from: &predicate.test }
    }
}

/// Prints the list; exit code 1 when nothing is like what was asked for.
pub fn run(args: DocsArgs) -> Result<ExitCode> {
    let What::Claims(ClaimsArgs { study, like, json }) = args.what;
    let file = study.map_or_else(project::study, Ok)?;
    let study = Study::from_file(&file)?;
    let templates = project::templates(&file, None)?.templates;
    let (_, _, claims) = project::rehearse(&file, &study, templates.claims())?;
    let entries = entries(&claims, &like);
    if json {
        say!("{}", serde_json::to_string_pretty(&entries)?);
    } else {
        for Entry { id, function, unit, from } in &entries {
            say!("{id}\t{function}\t{unit}\t{from}");
        }
    }
    if entries.is_empty() {
        tell!("no id contains `{like}`\nhint: without --like all are listed");
        return Ok(ExitCode::from(1));
    }
    tell!(
        "{} ids; tabs between id, function, unit, formula or test. Those of runs that fail will be missing",
        entries.len()
    );
    Ok(ExitCode::SUCCESS)
}

fn entries<'a>(claims: &'a Claims, like: &str) -> Vec<Entry<'a>> {
    let claim = claims.claims.iter().map(Entry::claim);
    let mut all: Vec<Entry<'_>> = claim.chain(claims.predicates.iter().map(Entry::predicate)).collect();
    all.retain(|entry| entry.id.contains(like));
    all.sort_by_key(|entry| (entry.id, entry.function));
    all
}
