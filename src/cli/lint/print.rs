//! Papers -> text: findings on stdout; on stderr how much was read, what was not, and the sums.

use super::checked::{Outcome, Paper};
use crate::lint::Sure;

/// How many of the things that were not read are named without `--all`.
const NAMED: usize = 5;

/// What a paper states that does not follow; with `all`, what is silenced and what agrees, too.
pub fn findings(outcome: &Outcome, all: bool) {
    let Outcome::Paper(paper) = outcome else { return };
    for finding in &paper.report.findings {
        let sure = match finding.sure {
            Sure::Error => "error",
            Sure::Warning => "warning",
        };
        said(paper, &finding.file, finding.line, &format!("{sure}[{}]", finding.rule), &finding.stated);
        say!("    follows: {}", plain(&finding.follows));
        say!("    because {}", plain(&finding.why));
    }
    if !all {
        return;
    }
    for (finding, reason) in &paper.report.silenced {
        said(paper, &finding.file, finding.line, &format!("silenced[{}]", finding.rule), &finding.stated);
        say!("    follows: {}", plain(&finding.follows));
        say!("    answered: {}", if reason.is_empty() { "no reason given".to_owned() } else { plain(reason) });
    }
    for agreement in &paper.report.agreed {
        said(paper, &agreement.file, agreement.line, &format!("agrees[{}]", agreement.rule), &agreement.stated);
    }
}

fn said(paper: &Paper, file: &str, line: usize, what: &str, stated: &str) {
    say!("{}: {what} {}", plain(&paper.unit.place(file, line)), plain(stated));
}

/// How much of a paper was read and what was not, or why nothing.
pub fn how_much(outcome: &Outcome, all: bool) {
    let paper = match outcome {
        Outcome::Paper(paper) => paper,
        Outcome::Unread(unread) => {
            tell!("error: {}: {}", plain(&unread.name), plain(&unread.why));
            tell!("hint: {}", plain(&unread.hint));
            return;
        }
    };
    tell!("{}: {}", plain(&paper.name), read(paper));
    let named = if all { paper.left_out.len() } else { NAMED };
    for left in paper.left_out.iter().take(named) {
        tell!("{}: not read: {}", plain(&paper.unit.place(&left.file, left.line)), plain(&left.why));
    }
    if paper.left_out.len() > named {
        tell!("{}: and {} more not read, which --all lists", plain(&paper.name), paper.left_out.len() - named);
    }
}

/// `3 tables (41 rows), 312 numbers, 58 sentences with numbers read; 2 checks agree, 1 error, 0 warnings`
fn read(paper: &Paper) -> String {
    let (read, report) = (&paper.report.read, &paper.report);
    let mut tables = counted(read.tables, "table");
    if read.tables > 0 {
        tables += &format!(" ({})", counted(read.rows, "row"));
    }
    let unclear = read.tables.saturating_sub(read.tables_understood);
    if unclear > 0 {
        tables += &format!(", {unclear} of them not understood");
    }
    let checks = report.agreed.len();
    let silenced =
        if report.silenced.is_empty() { String::new() } else { format!(", {} silenced", report.silenced.len()) };
    let agree = if checks == 1 { "1 check agrees".to_owned() } else { format!("{checks} checks agree") };
    let outcome =
        format!("{agree}, {}, {}{silenced}", counted(paper.errors(), "error"), counted(paper.warnings(), "warning"));
    if read.numbers == 0 && checks + report.findings.len() + report.silenced.len() == 0 {
        return format!("0 numbers read, so nothing was checked ({tables}, 0 sentences with numbers)");
    }
    let numbers = counted(read.numbers, "number");
    format!("{tables}, {numbers}, {} with numbers read; {outcome}", counted(read.sentences, "sentence"))
}

/// Over several papers.
pub fn total(outcomes: &[Outcome]) {
    if outcomes.len() < 2 {
        return;
    }
    let (mut papers, mut errors, mut warnings) = (0, 0, 0);
    for outcome in outcomes {
        if let Outcome::Paper(paper) = outcome {
            (papers, errors, warnings) = (papers + 1, errors + paper.errors(), warnings + paper.warnings());
        }
    }
    let unread =
        if papers < outcomes.len() { format!("; {} not read", outcomes.len() - papers) } else { String::new() };
    tell!("{}: {}, {}{unread}", counted(papers, "paper"), counted(errors, "error"), counted(warnings, "warning"));
}

fn counted(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// On one line, and nothing in it that a terminal would obey: a paper is somebody else's.
fn plain(text: &str) -> String {
    let obeyed = |one: char| one.is_control() || matches!(one, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .map(|one| {
            if one.is_whitespace() && one.is_control() {
                ' '
            } else if obeyed(one) {
                '\u{fffd}'
            } else {
                one
            }
        })
        .collect()
}
