//! What a check found wrong, in one form for people and for programs. Text that came out of a bundle is made harmless
//! here: no control character reaches a terminal, no megabyte reaches a screen.

use std::fmt;

use serde::Serialize;

use crate::seen::seen;

/// Which promise of `docs/VERIFY.md` is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    /// The zip's own form, names and limits.
    Archive,
    /// Bag declaration, manifests, digests; both ways.
    Fixity,
    /// Is each file what its schema says?
    Schema,
    /// Plan against records.
    Plan,
    /// What physics and the clock allow.
    Range,
    /// Every claim, recomputed.
    Claims,
    /// Everything else that is made from the records, made again.
    Derived,
    Signature,
}

impl Check {
    /// As it stands in text and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Check::Archive => "archive",
            Check::Fixity => "fixity",
            Check::Schema => "schema",
            Check::Plan => "plan",
            Check::Range => "range",
            Check::Claims => "claims",
            Check::Derived => "derived",
            Check::Signature => "signature",
        }
    }
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    pub check: Check,
    /// The path inside the bundle, and the place in it where that is known: `data/runs.jsonl:7`.
    pub file: String,
    pub expected: String,
    pub found: String,
}

impl Problem {
    pub fn new(check: Check, file: impl AsRef<str>, expected: impl AsRef<str>, found: impl AsRef<str>) -> Self {
        let [file, expected, found] = [file.as_ref(), expected.as_ref(), found.as_ref()].map(harmless);
        Problem { check, file, expected, found }
    }

    /// What an error found.
    pub fn fault(check: Check, file: impl AsRef<str>, expected: impl AsRef<str>, error: &anyhow::Error) -> Self {
        Problem::new(check, file, expected, Problem::words(error))
    }

    /// An error on one line, without hints, which belong to a whole message's end.
    pub fn words(error: &anyhow::Error) -> String {
        let own = |cause: &(dyn std::error::Error + 'static)| {
            let text = cause.to_string();
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("hint:"));
            lines.collect::<Vec<_>>().join(" ")
        };
        error.chain().map(own).filter(|words| !words.is_empty()).collect::<Vec<_>>().join(": ")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { check, file, expected, found } = self;
        write!(out, "{}: {file}: expected {expected}, found {found}", check.name())
    }
}

/// At most this much of a text is shown, in characters.
const SHOWN: usize = 300;

fn harmless(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(SHOWN)
        .flat_map(|c| {
            // Bidirectional controls and their like reorder what a reader sees.
            let hidden = seen(c) != c;
            let (escaped, plain) = if hidden { (Some(c.escape_unicode()), None) } else { (None, Some(c)) };
            escaped.into_iter().flatten().chain(plain)
        })
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_without_its_hint() {
        let error = anyhow::anyhow!("no data/bundle.json\nhint: is it one?").context("x.zip");
        let problem = Problem::fault(Check::Schema, "x", "a label", &error);
        assert_eq!(problem.to_string(), "schema: x: expected a label, found x.zip: no data/bundle.json");
    }

    #[test]
    fn what_is_shown_is_short_and_cannot_steer_a_terminal() {
        let problem = Problem::new(Check::Archive, "a\u{1b}[2J\n\u{202e}b", "x".repeat(10_000), "naïve");
        assert_eq!(problem.file, "a\\u{1b}[2J\\u{a}\\u{202e}b");
        assert_eq!(problem.expected.chars().count(), SHOWN + 1);
        assert_eq!(problem.found, "naïve");
    }
}
