//! What is wrong with a study file: where, what was expected, what was found, and the way out.
//! One line for people and editors (`file:line:column: key: ...`), then a `hint:` line.

use std::fmt;

/// A study file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct StudyError {
    /// The file as the user named it.
    pub file: String,
    pub place: Option<Place>,
    pub problem: Problem,
}

/// A position in the file, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path of the key, e.g. `benchmark_settings.temperatures[1]`; empty for the file as a whole.
    pub key: String,
    /// `expected ..., found ...`.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

impl Problem {
    pub(super) fn new(key: impl Into<String>, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Problem { key: key.into(), what: what.into(), hint: hint.into() }
    }
}

impl fmt::Display for StudyError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(Place { line, column }) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        f.write_str(": ")?;
        if !self.problem.key.is_empty() {
            write!(f, "{}: ", self.problem.key)?;
        }
        write!(f, "{}\nhint: {}", self.problem.what, self.problem.hint)
    }
}
