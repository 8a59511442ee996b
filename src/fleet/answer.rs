//! What `offprint doctor --json` says: the machine in a few facts, and each check.

use serde::{Deserialize, Serialize};

use super::Build;
use crate::machine::Fact;

/// The schema of an answer.
pub const ANSWER_SCHEMA: &str = "offprint.doctor/1";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// [`ANSWER_SCHEMA`].
    pub schema: String,
    pub build: Build,
    pub chip: Fact<String>,
    pub gpu: Fact<String>,
    pub checks: Vec<Said>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Good,
    /// It will run, but know this.
    Note,
    Fails,
}

impl Verdict {
    /// As a person is shown it.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Good => "ok",
            Verdict::Note => "note",
            Verdict::Fails => "FAIL",
        }
    }
}

/// A check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    pub name: String,
    pub verdict: Verdict,
    pub found: String,
    /// The way out, where it is not good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Said {
    pub fn good(name: &str, found: impl Into<String>) -> Said {
        Said { name: name.to_owned(), verdict: Verdict::Good, found: found.into(), hint: None }
    }

    pub fn note(name: &str, found: impl Into<String>, hint: impl Into<String>) -> Said {
        Said { verdict: Verdict::Note, hint: Some(hint.into()), ..Said::good(name, found) }
    }

    pub fn fails(name: &str, found: impl Into<String>, hint: impl Into<String>) -> Said {
        Said { verdict: Verdict::Fails, hint: Some(hint.into()), ..Said::good(name, found) }
    }
}
