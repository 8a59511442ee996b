//! What machine this is, asked of the machine itself. Every fact is a value or a reason why it is unknown.
//! Knows nothing of the plan.

use serde::{Deserialize, Serialize};

/// The schema of `environment.json`.
pub const ENVIRONMENT_SCHEMA: &str = "offprint.environment/1";

/// A fact, or why it could not be had.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fact<T> {
    pub value: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

impl<T> Fact<T> {
    pub fn known(value: T) -> Self {
        Fact { value: Some(value), reason: None }
    }

    pub fn unknown(reason: impl Into<String>) -> Self {
        Fact { value: None, reason: Some(reason.into()) }
    }
}

/// `environment.json`: the machine, the software and the checkpoint of one execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// [`ENVIRONMENT_SCHEMA`].
    pub schema: String,
    /// RFC 3339, UTC.
    pub captured_at: String,
    /// The processor's name of itself, e.g. `Apple M4`.
    pub chip: Fact<String>,
    /// e.g. `Mac16,10`; a virtual machine says so.
    pub machine_model: Fact<String>,
    pub arch: String,
    /// Instruction sets that matter for kernels, e.g. `avx2`, `avx512f`, `neon`.
    pub cpu_features: Vec<String>,
    pub physical_cores: Fact<u32>,
    pub logical_cores: Fact<u32>,
    pub performance_cores: Fact<u32>,
    pub efficiency_cores: Fact<u32>,
    /// GPU name where the backend has one.
    pub gpu: Fact<String>,
    pub memory_bytes: Fact<u64>,
    /// e.g. `macOS 26.1`, `Debian GNU/Linux 12 (bookworm)`.
    pub os: Fact<String>,
    pub kernel: Fact<String>,
    /// `ac`, `battery`.
    pub power_source: Fact<String>,
    pub low_power_mode: Fact<bool>,
    pub thermal_state: Fact<String>,
    /// One-minute load average at the start.
    pub load_average: Fact<f64>,
    /// Under a hypervisor?
    pub virtualized: Fact<bool>,
    pub offprint_version: String,
    pub git_commit: Fact<String>,
    pub git_dirty: Fact<bool>,
    pub rustc: String,
    pub cargo_lock_sha256: Fact<String>,
    /// Library versions: `mlx`, `mlx-c`, `mlx-rs`, `tokenizers`, ...
    pub libraries: std::collections::BTreeMap<String, String>,
    /// One entry a model of the study.
    pub checkpoints: Vec<CheckpointFacts>,
}

/// What identifies the weights that ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointFacts {
    /// The model's id in the study.
    pub model: String,
    /// The source as resolved, revision included.
    pub source: String,
    /// SHA-256 by file name.
    pub files: std::collections::BTreeMap<String, String>,
    /// Total bytes of weight files.
    pub weight_bytes: u64,
    pub parameters: u64,
    /// e.g. `4-bit affine, group 64`.
    pub quantization: Option<String>,
    /// Weights without meaning (made for tests): every output marks itself as not a measurement.
    pub random_weights: bool,
}
