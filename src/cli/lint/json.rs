//! Papers -> what `--json` lists where it is not just the findings of one paper: an object for each.

use serde::Serialize;

use super::checked::{LeftOut, Outcome, Unit};
use crate::lint::{Agreement, Finding};

/// One paper.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Entry<'a> {
    Paper {
        file: &'a str,
        /// What every `line` counts.
        unit: Unit,
        /// Files that it takes in.
        parts: &'a [String],
        findings: &'a [Finding],
        #[serde(skip_serializing_if = "Option::is_none")]
        agreed: Option<&'a [Agreement]>,
        silenced: Vec<Silenced<'a>>,
        read: Amount<'a>,
    },
    Unread {
        file: &'a str,
        error: &'a str,
        hint: &'a str,
    },
}

/// A finding that a comment answers.
#[derive(Debug, Serialize)]
pub struct Silenced<'a> {
    #[serde(flatten)]
    finding: &'a Finding,
    reason: &'a str,
}

/// How much was read.
#[derive(Debug, Serialize)]
pub struct Amount<'a> {
    tables: usize,
    tables_understood: usize,
    rows: usize,
    numbers: usize,
    sentences: usize,
    left_out: &'a [LeftOut],
}

/// `all`: with what agrees.
pub fn entries(outcomes: &[Outcome], all: bool) -> Vec<Entry<'_>> {
    outcomes.iter().map(|outcome| entry(outcome, all)).collect()
}

fn entry(outcome: &Outcome, all: bool) -> Entry<'_> {
    let paper = match outcome {
        Outcome::Paper(paper) => paper,
        Outcome::Unread(unread) => return Entry::Unread { file: &unread.name, error: &unread.why, hint: &unread.hint },
    };
    let (report, read) = (&paper.report, &paper.report.read);
    Entry::Paper {
        file: &paper.name,
        unit: paper.unit,
        parts: &paper.parts,
        findings: &report.findings,
        agreed: all.then_some(&report.agreed),
        silenced: report.silenced.iter().map(|(finding, reason)| Silenced { finding, reason }).collect(),
        read: Amount {
            tables: read.tables,
            tables_understood: read.tables_understood,
            rows: read.rows,
            numbers: read.numbers,
            sentences: read.sentences,
            left_out: &paper.left_out,
        },
    }
}
