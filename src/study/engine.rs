//! The engines that a study may name, and which factors act on each. What they compute with is `engine`'s affair.

use serde::{Deserialize, Serialize};

use crate::factor::{BATCH, CONTEXT, THREADS};

/// What a model runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineKind {
    Mlx,
    LlamaCpp,
    /// Computes nothing; what comes of it is no measurement.
    Fake,
}

impl EngineKind {
    pub const ALL: [EngineKind; 3] = [EngineKind::Mlx, EngineKind::LlamaCpp, EngineKind::Fake];

    /// As studies and records write it.
    pub fn name(self) -> &'static str {
        match self {
            EngineKind::Mlx => "mlx",
            EngineKind::LlamaCpp => "llama-cpp",
            EngineKind::Fake => "fake",
        }
    }

    /// What prose calls it.
    pub fn label(self) -> &'static str {
        match self {
            EngineKind::Mlx => "MLX",
            EngineKind::LlamaCpp => "llama.cpp",
            EngineKind::Fake => "the fake engine",
        }
    }

    pub fn named(name: &str) -> Option<EngineKind> {
        EngineKind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Largest level of a factor that acts on this engine; `None` where the factor does not act on it at all.
    pub fn most(self, factor: &str) -> Option<f64> {
        let unbounded = Some(f64::INFINITY);
        match (self, factor) {
            (EngineKind::Fake, THREADS | CONTEXT | BATCH) => unbounded,
            (EngineKind::Mlx | EngineKind::LlamaCpp, THREADS | CONTEXT) => unbounded,
            // One request at a time.
            (EngineKind::Mlx | EngineKind::LlamaCpp, BATCH) => Some(1.0),
            _ => None,
        }
    }
}

impl std::fmt::Display for EngineKind {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name())
    }
}
