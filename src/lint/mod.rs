//! Somebody's paper -> the list of contradictions among its own numbers. Knows nothing of our records.
//!
//! Every rule asks what the stated numbers imply, each taken as an interval that correct rounding could have come from, and
//! speaks only when no true values satisfy all of them. What needs an assumption on top is a warning.

mod document;
mod number;
mod quantity;
mod rules;
mod tables;

use document::Document;
use serde::Serialize;

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sure {
    /// No correct rounding explains it.
    Error,
    /// It holds unless the paper means something that it does not say.
    Warning,
}

/// One contradiction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// From 1, in the file.
    pub line: usize,
    pub rule: &'static str,
    pub sure: Sure,
    /// What the paper states.
    pub stated: String,
    /// What follows from its other numbers.
    pub follows: String,
    /// The arithmetic or the source of the bound.
    pub why: String,
}

/// Checks a paper, Markdown or LaTeX. The findings are in the order of its lines.
pub fn lint(text: &str) -> Vec<Finding> {
    let document = Document::read(text);
    let tables: Vec<_> = document.tables.iter().filter_map(tables::Table::read).collect();
    let mut findings = rules::all(&document, &tables);
    findings.sort_by(|a, b| (a.line, a.rule, &a.stated).cmp(&(b.line, b.rule, &b.stated)));
    findings.dedup();
    findings
}
