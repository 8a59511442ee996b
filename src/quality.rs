//! How well a model predicts a text, window by window, and how far a packed one has gone from its reference: rows of `quality.jsonl`.
//! Knows no model and no statistics.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use crate::{digest, study::ModelSpec};

pub const QUALITY_SCHEMA: &str = "offprint.quality/1";
/// Tokens of a window; llama.cpp's.
pub const WINDOW: usize = 512;
/// The first position of a window whose prediction counts: what comes before is there to be read. llama.cpp's half.
pub const FIRST: usize = WINDOW / 2;
/// Predictions of a window that count: those at positions 256 to 510, of the tokens at 257 to 511.
pub const SCORED: usize = WINDOW - FIRST - 1;

/// The text that models were to predict, as records identify it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextFacts {
    /// As the study names it; of the hub, with the commit.
    pub source: String,
    /// Of the text as it was predicted, which the run folder keeps.
    pub sha256: String,
    /// What the data set's card says; [`UNKNOWN`] where it says nothing. Absent of a file of one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
}

/// A licence that nobody states.
pub const UNKNOWN: &str = "unknown";

impl TextFacts {
    /// Are these its bytes?
    ///
    /// # Errors
    /// They are another text's.
    pub fn check(&self, bytes: &[u8]) -> Result<()> {
        let found = digest::sha256_hex(bytes);
        ensure!(
            found == self.sha256,
            "{}: expected a text with SHA-256 {}, found {found}\nhint: the copy was changed; restore it",
            self.source,
            self.sha256
        );
        Ok(())
    }
}

/// One window of the text, read by one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QualityRow {
    /// [`QUALITY_SCHEMA`].
    pub schema: String,
    /// The model's id in the study.
    pub model: String,
    /// The level of that factor, where the study has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantization: Option<String>,
    /// From 1.
    pub window: u32,
    /// SHA-256 of the window's ids, little-endian 32-bit words.
    pub ids_sha256: String,
    /// Negative logarithm of the probability of the token that came, natural; one a scored position.
    pub nll: Vec<f32>,
    /// What is said against the reference, the first level; absent where the model is that itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<Against>,
}

/// A model against its reference, at the same positions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Against {
    /// The reference's level of quantization.
    pub base: String,
    /// The reference's mean of what is `nll` here, over the same positions.
    pub mean_nll: f64,
    /// Kullback-Leibler divergence of the model's distribution from the reference's, nats: the sum of p ln(p / q), p the reference's.
    pub kl: Vec<f32>,
    /// `1` where both find the same token likeliest, else `0`; a digit a position.
    pub same_top: String,
}

impl QualityRow {
    /// Is it this model's?
    pub fn is_of(&self, model: &ModelSpec) -> bool {
        (&self.model, &self.quantization) == (&model.id, &model.quantization)
    }

    /// Is the row one by itself?
    ///
    /// # Errors
    /// Another schema, another number of positions, a number that cannot be.
    pub fn check(&self) -> Result<()> {
        let QualityRow { schema, window, nll, against, .. } = self;
        ensure!(schema == QUALITY_SCHEMA, "schema: expected {QUALITY_SCHEMA}, found {schema}");
        let list = |name: &str, values: &[f32], least: f32| {
            ensure!(
                values.len() == SCORED,
                "window {window}: {name}: expected {SCORED} values, found {}",
                values.len()
            );
            let wrong = values.iter().find(|value| !(value.is_finite() && **value >= least));
            ensure!(wrong.is_none(), "window {window}: {name}: {} cannot be", wrong.unwrap_or(&0.0));
            Ok(())
        };
        list("nll", nll, 0.0)?;
        if let Some(against) = against {
            let mean = against.mean_nll;
            ensure!(mean.is_finite() && mean >= 0.0, "window {window}: mean_nll: {mean} cannot be");
            // A divergence is no less than nothing, but for rounding.
            list("kl", &against.kl, -1e-3)?;
            let fits = against.same_top.len() == SCORED && against.same_top.bytes().all(|digit| b"01".contains(&digit));
            ensure!(fits, "window {window}: same_top: expected {SCORED} digits 0 or 1");
        }
        Ok(())
    }
}
