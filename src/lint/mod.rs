//! Somebody's paper -> the list of contradictions among its own numbers. Knows nothing of our records.
//!
//! Every rule asks what the stated numbers imply, each taken as an interval that correct rounding could have come from, and
//! speaks only when no true values satisfy all of them. What needs an assumption on top is a warning.

pub mod document;
mod grid;
mod label;
mod means;
mod number;
mod numerals;
mod paper;
mod readings;
mod report;
mod rules;
mod sentence;
mod silence;
mod unit;
mod words;

use document::Document;
pub use report::{Agreement, Finding, Report, Sure};

/// Checks a paper. The findings are in the order of its places.
pub fn lint(document: &Document) -> Report {
    rules::all(&paper::Paper::read(document))
}

/// The same of Markdown as it stands.
pub fn markdown(text: &str) -> Report {
    let document = document::read("", text.as_bytes(), Some(document::Format::Markdown), None);
    document.map(|document| lint(&document)).unwrap_or_default()
}
