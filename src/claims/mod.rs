//! Summary -> numbers and predicates, each with its formula, its rounding and the runs behind it.
//! The only place where a number becomes text. Knows nothing of templates.

mod adopt;
pub mod agree;
mod build;
mod consistency;
mod energy;
mod excerpts;
mod engines;
mod facts;
mod formerly;
mod groups;
mod id;
mod inference;
mod judgements;
mod drafts;
mod load;
pub mod own;
mod people;
mod published;
mod quality;
mod ratios;
mod registry;
pub mod rounding;
mod runs;
mod setting;
pub mod words;

use std::collections::BTreeMap;

pub use adopt::adopt;
use anyhow::Result;
pub use build::build;
pub use excerpts::shortened;
pub use id::{Id, Part};
pub use own::Own;
pub use runs::Runs;
pub use words::list;

use serde::{Deserialize, Serialize};

/// The schema of `claims.json`.
pub const CLAIMS_SCHEMA: &str = "offprint.claims/1";

/// `claims.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// [`CLAIMS_SCHEMA`].
    pub schema: String,
    pub source: Source,
    pub claims: BTreeMap<Id, Claim>,
    pub predicates: BTreeMap<Id, Predicate>,
}

impl Claims {
    /// `claims.json`'s bytes: the same claims give the same bytes.
    ///
    /// # Errors
    /// None that a value here can cause.
    pub fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

/// The records that the claims rest on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    pub run_id: String,
    /// SHA-256 of `runs.jsonl`.
    pub sha256: String,
}

/// A value as computed, before rounding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    Integer(i64),
    Number(f64),
    Text(String),
}

/// One number (or fact) that prose may use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    pub value: Value,
    /// `s`, `tok/s`, `bytes`, `1` for a ratio, `` for text.
    pub unit: String,
    /// The value as prose prints it, without unit.
    pub text: String,
    /// Readable by a person: `mean of (load + e2e) over runs`.
    pub formula: String,
    /// `two digits of the standard error`, `exact`, ...
    pub rounding: String,
    /// Number of runs behind it.
    pub n: u32,
    /// `1-18, 37-54`.
    pub runs: Runs,
    /// Runs of the baseline behind it, in its own numbers; absent where there are none.
    #[serde(default, skip_serializing_if = "Runs::is_empty")]
    pub baseline_runs: Runs,
    /// Of a set's claim, the runs behind it by member, `m4/1`, instead of `runs`; absent elsewhere.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub members: BTreeMap<String, Runs>,
}

/// A judgement that a word of prose depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predicate {
    /// `null` is inconclusive.
    pub holds: Option<bool>,
    /// The test's name.
    pub test: String,
    pub statistic: Option<f64>,
    pub p: Option<f64>,
    pub margin: Option<f64>,
    /// The sentence that the judgement allows.
    pub text: String,
}

impl Predicate {
    /// One without numbers.
    pub fn said(holds: Option<bool>, test: &str, text: impl Into<String>) -> Self {
        Predicate { holds, test: test.to_owned(), statistic: None, p: None, margin: None, text: text.into() }
    }
}
