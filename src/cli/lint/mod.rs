//! `offprint lint FILE…`: what papers' own numbers say about each other. Arguments -> papers -> one of three ways to print them.

mod checked;
mod files;
mod json;
mod print;
mod rules;
mod sarif;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;

use crate::lint::document::Format;
use checked::Outcome;

#[derive(Debug, clap::Args)]
pub struct LintArgs {
    /// Papers: Markdown, LaTeX, HTML, reStructuredText, Org, Typst, .ipynb, .docx, .pdf; folders of them; - for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Also list what agrees, what is silenced and why, and all that was not read
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long, conflicts_with = "sarif")]
    json: bool,
    /// Print SARIF 2.1.0, for services that show findings beside the lines
    #[arg(long)]
    sarif: bool,
    /// Read - and the files named here as this, whatever they are called: md, tex, html, rst, org, typ, ipynb, docx, pdf
    #[arg(long, value_name = "KIND", value_parser = format_named)]
    format: Option<Format>,
}

fn format_named(name: &str) -> Result<Format, String> {
    Format::named(name.trim_start_matches('.'))
        .ok_or_else(|| "expected md, tex, html, rst, org, typ, ipynb, docx or pdf".to_owned())
}

/// Prints the findings. Exit code 2 if something could not be read, or else 1 if a finding is an error; warnings alone give 0.
///
/// # Errors
/// None of a paper: what cannot be read is said, and the others are checked.
pub fn run(args: LintArgs) -> Result<ExitCode> {
    let found = files::find(&args.files, args.format);
    if !found.left_out.is_empty() {
        let what: Vec<&str> = found.left_out.iter().copied().collect();
        tell!("left out of folders: {}", what.join(", "));
    }
    quiet_readers();
    let outcomes = checked::check(found.sources);
    if args.sarif {
        say!("{}", serde_json::to_string_pretty(&sarif::log(&outcomes, args.all))?);
    } else if args.json && !args.all && found.one_file {
        if let [Outcome::Paper(paper)] = &outcomes[..] {
            say!("{}", serde_json::to_string_pretty(&paper.report.findings)?);
        }
    } else if args.json {
        say!("{}", serde_json::to_string_pretty(&json::entries(&outcomes, args.all))?);
    }
    for outcome in &outcomes {
        if !args.json && !args.sarif {
            print::findings(outcome, args.all);
        }
        print::how_much(outcome, args.all);
    }
    print::total(&outcomes);
    Ok(ExitCode::from(code(&outcomes)))
}

fn code(outcomes: &[Outcome]) -> u8 {
    let unread = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Unread(_)));
    let wrong = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Paper(paper) if paper.errors() > 0));
    match (unread, wrong) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    }
}

/// What breaks inside of the reader of PDFs is caught there and becomes a sentence: its own words on stderr would be one too many.
fn quiet_readers() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().name() != Some("pdf") {
            usual(info);
        }
    }));
}
