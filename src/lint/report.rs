//! What a linter has to say: contradictions, what agrees, and how much was read.

use serde::Serialize;

use super::document::{Document, Place};

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sure {
    /// No correct rounding, unit or reading explains it.
    Error,
    /// It holds unless the paper means something that it does not say.
    Warning,
}

/// One contradiction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The part of the paper that it stands in, where the paper has several.
    pub file: String,
    /// From 1, in the file; in a PDF the page.
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

/// A statement that was checked and holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Agreement {
    pub file: String,
    pub line: usize,
    pub rule: &'static str,
    pub stated: String,
}

/// Everything about one paper.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    pub findings: Vec<Finding>,
    pub agreed: Vec<Agreement>,
    /// Findings that a comment in the paper answers, with its reason.
    pub silenced: Vec<(Finding, String)>,
    pub read: Read,
}

/// How much was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Read {
    pub tables: usize,
    /// Tables whose numbers could be placed.
    pub tables_understood: usize,
    pub rows: usize,
    pub numbers: usize,
    /// Sentences with a number.
    pub sentences: usize,
    pub left_out: Vec<String>,
}

/// A finding with its place.
#[derive(Debug)]
pub struct Said {
    pub place: Place,
    pub rule: &'static str,
    pub sure: Sure,
    pub stated: String,
    pub follows: String,
    pub why: String,
}

/// Where rules put what they find.
#[derive(Debug)]
pub struct Out<'a> {
    document: &'a Document,
    pub findings: Vec<(Place, Finding)>,
    pub agreed: Vec<(Place, Agreement)>,
}

impl<'a> Out<'a> {
    pub fn new(document: &'a Document) -> Self {
        Out { document, findings: Vec::new(), agreed: Vec::new() }
    }

    fn file(&self, place: Place) -> String {
        self.document.files.get(place.file).cloned().unwrap_or_default()
    }

    pub fn push(&mut self, said: Said) {
        self.wrong(said.place, said.rule, said.sure, [said.stated, said.follows, said.why]);
    }

    /// `said`: what is stated, what follows, and why.
    pub fn wrong(&mut self, place: Place, rule: &'static str, sure: Sure, said: [String; 3]) {
        let [stated, follows, why] = said;
        let file = self.file(place);
        self.findings.push((place, Finding { file, line: place.line, rule, sure, stated, follows, why }));
    }

    pub fn fits(&mut self, place: Place, rule: &'static str, stated: String) {
        let file = self.file(place);
        self.agreed.push((place, Agreement { file, line: place.line, rule, stated }));
    }
}
