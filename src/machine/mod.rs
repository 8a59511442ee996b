//! What machine this is, asked of the machine itself. Every fact is a value or a reason why it is unknown.
//! Knows nothing of the plan.

mod bandwidth;
mod command;
mod engines;
mod library;
mod linux;
mod macos;
pub mod meters;
mod nvidia;
mod processor;
mod resources;
mod session;
mod software;
mod thermal;

use std::path::Path;

use anyhow::{Result, anyhow, ensure};
pub use bandwidth::{Bandwidth, Mover, PASSES};
pub use command::ask;
pub use engines::{EngineFacts, EngineSort, ProgramFacts, identify, program, published_argv};
pub use library::LoadedLibrary;
pub use processor::Processor;
pub use resources::{free_disk, free_memory, load_average};
use serde::{Deserialize, Serialize};

use crate::{energy::SourceFacts, quality::TextFacts, study::ModelSpec};
pub use session::Session;
pub use software::CARGO_LOCK;
pub use thermal::{Thermal, thermal, thermal_reading};

/// The schema of `environment.json`.
pub const ENVIRONMENT_SCHEMA: &str = "offprint.environment/1";

/// A fact, or why it could not be had.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// What tells it from others of that name; records from before it was asked do not have it.
    #[serde(default = "Fact::not_recorded", skip_serializing_if = "Fact::is_not_recorded")]
    pub processor: Fact<Processor>,
    /// e.g. `Mac16,10`; a virtual machine says so.
    pub machine_model: Fact<String>,
    pub arch: String,
    /// Instruction sets that matter for kernels, e.g. `avx2`, `avx512f`, `neon`.
    pub cpu_features: Vec<String>,
    pub physical_cores: Fact<u32>,
    pub logical_cores: Fact<u32>,
    /// Processors that this program may use; fewer than there are where a container or an affinity mask says so.
    pub usable_cores: Fact<u32>,
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
    /// Where energy could be read, and where not; known where the study asks for it, since version 0.8.
    #[serde(default = "Fact::not_recorded", skip_serializing_if = "Fact::is_not_recorded")]
    pub energy_sources: Fact<Vec<SourceFacts>>,
    /// How fast memory is read, before the first run; of a study with `bandwidth`, since version 0.9.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memory_bandwidth: Vec<Bandwidth>,
    pub offprint_version: String,
    pub git_commit: Fact<String>,
    pub git_dirty: Fact<bool>,
    pub rustc: String,
    pub cargo_lock_sha256: Fact<String>,
    /// Library versions: `mlx`, `mlx-c`, `mlx-rs`, `tokenizers`, ...
    pub libraries: std::collections::BTreeMap<String, String>,
    /// The MLX library that is loaded; of a program that has one, since version 0.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mlx_library: Option<LoadedLibrary>,
    /// One entry a model of the study, then one a model that drafts.
    pub checkpoints: Vec<CheckpointFacts>,
    /// Engines that are not compiled in, in the study's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub engines: Vec<EngineFacts>,
    /// The text that models were to predict; of a study with `quality`, since version 0.7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextFacts>,
    /// Which session of which machine it was; absent before version 0.8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Session>,
    /// What was known before the first run to be odd, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What identifies the weights that ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointFacts {
    /// The model's id in the study, or that of one that drafts.
    pub model: String,
    /// It drafts for the study's models.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drafts: bool,
    /// What its weights were packed as here, where the study varies that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// The source as resolved, revision included.
    pub source: String,
    /// SHA-256 by file name.
    pub files: std::collections::BTreeMap<String, String>,
    /// Total bytes of weight files.
    pub weight_bytes: u64,
    pub parameters: u64,
    /// Bytes of weights that a token needs: all but experts that it does not use and tables of which it reads a row. Since version 0.9.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_bytes: Option<u64>,
    /// Of which a token uses so many, where experts are chosen for each; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_parameters: Option<u64>,
    /// e.g. `4-bit affine, group 64`.
    pub quantization: Option<String>,
    /// How the source's own weights are packed, where these were made of them here and the source has them packed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_quantization: Option<String>,
    /// Weights without meaning (made for tests): every output marks itself as not a measurement.
    pub random_weights: bool,
}

impl CheckpointFacts {
    /// The source of what was packed here.
    pub fn unpacked(&self) -> &str {
        let packed = self.recipe.as_ref().and_then(|recipe| self.source.strip_prefix(&format!("quantized:{recipe}:")));
        packed.unwrap_or(&self.source)
    }

    /// Are these the weights of this model of a study?
    pub fn is_of(&self, model: &ModelSpec) -> bool {
        (&self.model, &self.recipe) == (&model.id, &model.quantization)
    }
}

/// What the operating system knows of the machine.
#[derive(Debug)]
struct Hardware {
    chip: Fact<String>,
    processor: Fact<Processor>,
    machine_model: Fact<String>,
    cpu_features: Vec<String>,
    physical_cores: Fact<u32>,
    logical_cores: Fact<u32>,
    performance_cores: Fact<u32>,
    efficiency_cores: Fact<u32>,
    gpu: Fact<String>,
    memory_bytes: Fact<u64>,
    os: Fact<String>,
    kernel: Fact<String>,
    power_source: Fact<String>,
    low_power_mode: Fact<bool>,
    load_average: Fact<f64>,
    virtualized: Fact<bool>,
}

/// Asks the machine. Never fails: what cannot be had says why.
pub fn capture(checkpoints: Vec<CheckpointFacts>) -> Environment {
    let hardware = if cfg!(target_os = "macos") { macos::read(&command::ask) } else { linux::read(Path::new("/")) };
    let software = software::read();
    Environment {
        schema: ENVIRONMENT_SCHEMA.to_owned(),
        captured_at: now(),
        chip: hardware.chip,
        processor: hardware.processor,
        machine_model: hardware.machine_model,
        arch: std::env::consts::ARCH.to_owned(),
        cpu_features: hardware.cpu_features,
        physical_cores: hardware.physical_cores,
        logical_cores: hardware.logical_cores,
        usable_cores: match std::thread::available_parallelism() {
            Ok(cores) => Fact::known(cores.get() as u32),
            Err(error) => Fact::unknown(error.to_string()),
        },
        performance_cores: hardware.performance_cores,
        efficiency_cores: hardware.efficiency_cores,
        gpu: hardware.gpu,
        memory_bytes: hardware.memory_bytes,
        os: hardware.os,
        kernel: hardware.kernel,
        power_source: hardware.power_source,
        low_power_mode: hardware.low_power_mode,
        thermal_state: thermal(),
        load_average: hardware.load_average,
        virtualized: hardware.virtualized,
        energy_sources: Fact::unknown("the study does not ask for energy"),
        memory_bandwidth: Vec::new(),
        offprint_version: env!("CARGO_PKG_VERSION").to_owned(),
        git_commit: software.git_commit,
        git_dirty: software.git_dirty,
        rustc: software.rustc,
        cargo_lock_sha256: software.cargo_lock_sha256,
        libraries: software.libraries,
        #[cfg(feature = "mlx")]
        mlx_library: Some(library::mlx()),
        #[cfg(not(feature = "mlx"))]
        mlx_library: None,
        checkpoints,
        engines: Vec::new(),
        text: None,
        session: Some(Session::here()),
        notes: Vec::new(),
    }
}

/// Is the MLX library that is loaded of the version that this program was linked with?
///
/// # Errors
/// Both versions, and where the file lies: what is called may not be in it, or not be what it was.
#[cfg(feature = "mlx")]
pub fn expect_mlx() -> Result<()> {
    library::expect_version(software::mlx_version().as_deref())
}

/// To the second: nothing here is a measurement.
fn now() -> String {
    let now = jiff::Timestamp::now();
    now.round(jiff::Unit::Second).unwrap_or(now).to_string()
}

const NOT_OURS: &str = "hint: is this a run folder of offprint? one holds study.yaml, environment.json and runs.jsonl";

impl Environment {
    /// Reads `environment.json`, strictly: no unknown field, no missing one. `file` is its name in errors.
    ///
    /// # Errors
    /// Another schema (both are named), or JSON that does not fit the schema.
    pub fn from_json(file: &str, text: &str) -> Result<Environment> {
        #[derive(Deserialize)]
        struct Schema {
            schema: String,
        }
        let misfit = |error| {
            anyhow!(
                "{file}: expected the fields of {ENVIRONMENT_SCHEMA}, found JSON that does not fit: {error}\n{NOT_OURS}"
            )
        };
        // The schema first: of a later one, unknown fields are no news.
        let Schema { schema } = serde_json::from_str(text).map_err(misfit)?;
        ensure!(
            schema == ENVIRONMENT_SCHEMA,
            "{file}: schema: expected {ENVIRONMENT_SCHEMA}, found {schema}\n\
             hint: read it with the version of offprint that wrote it"
        );
        serde_json::from_str(text).map_err(misfit)
    }
}

#[cfg(test)]
impl CheckpointFacts {
    /// For tests.
    pub(crate) fn tiny() -> Self {
        CheckpointFacts {
            model: "tiny".to_owned(),
            drafts: false,
            recipe: None,
            source_quantization: None,
            source: "path:tiny".to_owned(),
            files: [("model.safetensors".to_owned(), "00".repeat(32))].into(),
            weight_bytes: 4,
            parameters: 1,
            step_bytes: Some(4),
            active_parameters: None,
            quantization: None,
            random_weights: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_captured_reads_back_equal() {
        let environment = capture(vec![CheckpointFacts::tiny()]);
        let text = serde_json::to_string_pretty(&environment).unwrap();
        assert_eq!(Environment::from_json("environment.json", &text).unwrap(), environment);
        assert!(environment.logical_cores.value.is_some_and(|cores| cores > 0), "{text}");
        assert!(environment.memory_bytes.value.is_some_and(|bytes| bytes > 1 << 28), "{text}");
    }

    /// Every unknown fact has a reason, and no known one has.
    #[test]
    fn null_comes_with_a_reason() {
        let captured = serde_json::to_value(capture(vec![])).unwrap();
        let facts: Vec<_> =
            captured.as_object().unwrap().values().filter(|field| field.get("value").is_some()).collect();
        assert_eq!(facts.len(), 21);
        assert!(facts.iter().all(|fact| fact["value"].is_null() == fact.get("reason").is_some()), "{facts:#?}");
    }

    #[test]
    fn every_field_is_in_the_format_document() {
        let document = include_str!("../../docs/FORMAT.md");
        let every = || Some("x".to_owned());
        let vendor = "x".to_owned();
        let processor =
            Processor { name: every(), vendor, family: every(), model: every(), stepping: every(), microcode: every() };
        let source = SourceFacts { source: "x".to_owned(), domains: Vec::new(), detail: every(), reason: every() };
        let captured = Environment {
            energy_sources: Fact::known(vec![source]),
            processor: Fact::known(processor),
            memory_bandwidth: vec![Bandwidth { of: Mover::Gpu, how: "x".to_owned(), passes: vec![1] }],
            notes: vec!["odd".to_owned()],
            session: Some(Session::of_fleet("mac-m1", 2)),
            text: Some(TextFacts { source: "x".to_owned(), sha256: "x".to_owned(), licence: every() }),
            ..capture(vec![CheckpointFacts { drafts: true, ..CheckpointFacts::tiny() }])
        };
        let environment = serde_json::to_value(captured).unwrap();
        let source = &environment["energy_sources"]["value"][0];
        let objects = [
            &environment,
            &environment["checkpoints"][0],
            &environment["processor"]["value"],
            &environment["text"],
            &environment["session"],
            source,
        ];
        let fields = objects.map(|object| object.as_object().unwrap().clone());
        for field in fields.iter().flat_map(|object| object.keys()) {
            assert!(document.contains(&format!("`{field}`")), "docs/FORMAT.md lacks {field}");
        }
    }

    /// Records from before the processor was asked for its numbers read as ever, and are written as they were.
    #[test]
    fn an_older_environment_reads_strictly_and_is_written_unchanged() {
        let old = include_str!("../../tests/data/fake_run/environment.json");
        let environment = Environment::from_json("environment.json", old).unwrap();
        assert!(environment.processor.value.is_none());
        assert!(environment.processor.reason.as_ref().is_some_and(|reason| reason.starts_with("not recorded")));
        let again: serde_json::Value = serde_json::to_value(&environment).unwrap();
        assert_eq!(again, serde_json::from_str::<serde_json::Value>(old).unwrap());
    }

    #[test]
    fn another_schema_or_field_is_refused() {
        let text = serde_json::to_string(&capture(vec![])).unwrap();
        let read = |text: String| format!("{:#}", Environment::from_json("environment.json", &text).unwrap_err());
        insta::assert_snapshot!(read(text.replace("offprint.environment/1", "offprint.environment/7")));
        insta::assert_snapshot!(read("{\"schema\": \"offprint.environment/1\", \"host\": \"x\"}".to_owned()));
        insta::assert_snapshot!(read("[]".to_owned()));
    }
}
