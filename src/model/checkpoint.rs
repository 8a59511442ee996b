//! A checkpoint folder as mlx-community publishes it: `config.json`, safetensors shards, tokenizer.
//! Opening checks every header and size; nothing is loaded yet.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::{digest, machine::CheckpointFacts};

/// Set in `config.json` by whoever makes a checkpoint without meaning; results of it are no measurement.
pub const RANDOM_WEIGHTS_KEY: &str = "offprint_random_weights";

/// The checksums that an import leaves in its folder.
const CHECKSUMS: &str = "SHA256SUMS";

/// The Llama fields of `config.json`, under their own names.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Config {
    pub model_type: String,
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    pub intermediate_size: usize,
    pub num_attention_heads: usize,
    pub num_key_value_heads: Option<usize>,
    pub head_dim: Option<usize>,
    pub vocab_size: usize,
    pub rms_norm_eps: f32,
    #[serde(default = "default_rope_theta")]
    pub rope_theta: f32,
    pub rope_scaling: Option<RopeScaling>,
    /// mlx-lm's default for Llama.
    #[serde(default = "yes")]
    pub tie_word_embeddings: bool,
    #[serde(default)]
    pub attention_bias: bool,
    #[serde(default)]
    pub mlp_bias: bool,
    /// One id or a list; `generation_config.json` overrides it.
    #[serde(default)]
    pub eos_token_id: Value,
    #[serde(alias = "quantization_config")]
    pub quantization: Option<Quantization>,
    #[serde(default, rename = "offprint_random_weights")]
    pub random_weights: bool,
}

fn default_rope_theta() -> f32 {
    10_000.0
}

fn yes() -> bool {
    true
}

/// `rope_scaling`; the `llama3` kind stretches slow frequencies by `factor`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct RopeScaling {
    #[serde(alias = "type")]
    pub rope_type: String,
    #[serde(default = "one")]
    pub factor: f32,
    #[serde(default = "one")]
    pub low_freq_factor: f32,
    #[serde(default = "four")]
    pub high_freq_factor: f32,
    #[serde(default = "old_context")]
    pub original_max_position_embeddings: f32,
}

fn one() -> f32 {
    1.0
}

fn four() -> f32 {
    4.0
}

fn old_context() -> f32 {
    8192.0
}

/// Affine quantisation of one layer: `bits` a weight, one scale and bias a `group_size` weights of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Affine {
    pub group_size: usize,
    pub bits: usize,
}

/// `quantization`: a default, and overrides by module path (`false`: not quantised).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Quantization {
    #[serde(flatten)]
    pub default: Affine,
    #[serde(default)]
    pub mode: Option<String>,
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

impl Config {
    /// Reads and checks `config.json`.
    ///
    /// # Errors
    /// Missing or malformed file, an architecture other than Llama, a quantisation that MLX's affine mode has not.
    pub fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
        let mut value: Value = serde_json::from_str(&text).with_context(|| format!("{}", file.display()))?;
        // Where a file has both spellings of a key, mlx-lm reads the first.
        prefer(&mut value, "quantization", "quantization_config");
        if let Some(scaling) = value.get_mut("rope_scaling") {
            prefer(scaling, "type", "rope_type");
        }
        let config = Config::deserialize(value).with_context(|| format!("{}", file.display()))?;
        config.check().with_context(|| format!("{}", file.display()))?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        ensure!(
            ["llama", "mistral"].contains(&self.model_type.as_str()),
            "model_type: expected `llama` or `mistral`, found `{}`\nhint: this version runs Llama-like models only",
            self.model_type
        );
        let heads = self.num_attention_heads;
        let kv_heads = self.kv_heads();
        ensure!(
            heads > 0 && kv_heads > 0 && heads.is_multiple_of(kv_heads),
            "{heads} heads cannot share {kv_heads} key-value heads"
        );
        ensure!(self.hidden_size > 0 && self.vocab_size > 0 && self.num_hidden_layers > 0, "a size is zero");
        ensure!(self.head_dim() > 0 && self.head_dim().is_multiple_of(2), "head_dim {} is not even", self.head_dim());
        if let Some(quantization) = &self.quantization {
            if let Some(mode) = quantization.mode.as_deref().filter(|mode| *mode != "affine") {
                bail!(
                    "quantization.mode: expected `affine`, found `{mode}`\nhint: choose a checkpoint of the affine kind"
                );
            }
            let overrides =
                quantization.rest.keys().map(|path| self.quantization_of(path)).collect::<Result<Vec<_>>>()?;
            for affine in overrides.into_iter().flatten().chain([quantization.default]) {
                ensure!(
                    [32, 64, 128].contains(&affine.group_size),
                    "group_size {}: 32, 64 and 128 are known",
                    affine.group_size
                );
                ensure!([2, 3, 4, 6, 8].contains(&affine.bits), "bits {}: 2, 3, 4, 6 and 8 are known", affine.bits);
            }
        }
        Ok(())
    }

    pub fn kv_heads(&self) -> usize {
        self.num_key_value_heads.unwrap_or(self.num_attention_heads)
    }

    pub fn head_dim(&self) -> usize {
        self.head_dim.unwrap_or(self.hidden_size / self.num_attention_heads.max(1))
    }

    /// How the module at `path` (`model.layers.0.mlp.up_proj`) is quantised; `None`: it is not.
    pub fn quantization_of(&self, path: &str) -> Result<Option<Affine>> {
        let Some(quantization) = &self.quantization else { return Ok(None) };
        match quantization.rest.get(path) {
            Some(Value::Bool(false)) => Ok(None),
            Some(entry @ Value::Object(_)) => {
                Ok(Some(Affine::deserialize(entry).with_context(|| format!("quantization.{path}"))?))
            }
            _ => Ok(Some(quantization.default)),
        }
    }
}

/// Drops `other` where `key` is there.
fn prefer(object: &mut Value, key: &str, other: &str) {
    if let Some(map) = object.as_object_mut().filter(|map| map.contains_key(key)) {
        map.remove(other);
    }
}

/// A folder whose files are all there and whole.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    pub folder: PathBuf,
    pub config: Config,
    /// Safetensors files, by name.
    pub shards: Vec<PathBuf>,
    /// End-of-sequence ids.
    pub eos: Vec<u32>,
}

impl Checkpoint {
    /// Opens a folder.
    ///
    /// # Errors
    /// A missing file, a bad config, a shard whose header does not fit its size.
    pub fn open(folder: &Path) -> Result<Self> {
        ensure!(
            folder.is_dir(),
            "{}: there is no such folder\nhint: a checkpoint is a folder with config.json, tokenizer.json and *.safetensors",
            folder.display()
        );
        let config = Config::read(&folder.join("config.json"))?;
        let tokenizer = folder.join("tokenizer.json");
        ensure!(tokenizer.is_file(), "{}: missing\nhint: fetch the checkpoint again", tokenizer.display());
        let shards = shards(folder)?;
        for shard in &shards {
            check_shard(shard)?;
        }
        let eos = eos(folder, &config)?;
        Ok(Checkpoint { folder: folder.to_owned(), config, shards, eos })
    }

    /// What identifies these weights, every file's SHA-256 included. `model` is the study's id, `source` as resolved.
    ///
    /// # Errors
    /// A file that cannot be read, or that is not the one that the folder's own checksums were made of.
    pub fn facts(&self, model: &str, source: &str) -> Result<CheckpointFacts> {
        let mut files = BTreeMap::new();
        let mut weight_bytes = 0;
        let mut entries: Vec<PathBuf> =
            fs::read_dir(&self.folder)?.map(|e| Ok(e?.path())).collect::<std::io::Result<_>>()?;
        entries.sort();
        for path in entries.iter().filter(|path| path.is_file()) {
            files.insert(file_name(path), digest::sha256_file(path).with_context(|| format!("{}", path.display()))?);
            if self.shards.contains(path) {
                weight_bytes += fs::metadata(path)?.len();
            }
        }
        self.check(&files)?;
        Ok(CheckpointFacts {
            model: model.to_owned(),
            source: source.to_owned(),
            files,
            weight_bytes,
            parameters: self.parameters(),
            quantization: self.config.quantization.as_ref().map(|q| {
                let mixed = if q.rest.values().any(Value::is_object) { ", some layers otherwise" } else { "" };
                format!("{}-bit affine, group {}{mixed}", q.default.bits, q.default.group_size)
            }),
            random_weights: self.config.random_weights,
        })
    }

    /// Compares `files` with the folder's checksums, if it has any: an imported checkpoint does.
    fn check(&self, files: &BTreeMap<String, String>) -> Result<()> {
        let sums = self.folder.join(CHECKSUMS);
        if !sums.is_file() {
            return Ok(());
        }
        let text = fs::read_to_string(&sums).with_context(|| format!("{}", sums.display()))?;
        for line in text.lines() {
            let Some((expected, name)) = line.split_once("  ") else { bail!("{}: `{line}`", sums.display()) };
            let found = files.get(name).map_or("no file", String::as_str);
            ensure!(
                found == expected,
                "{}: expected SHA-256 {expected}, found {found}\nhint: the file was changed; remove the folder and fetch it again",
                self.folder.join(name).display()
            );
        }
        Ok(())
    }

    /// Weights of the model, counted from its configuration (a tied head is counted once).
    fn parameters(&self) -> u64 {
        let c = &self.config;
        let attention = c.hidden_size * c.head_dim() * (2 * c.num_attention_heads + 2 * c.kv_heads());
        let layer = attention + 3 * c.hidden_size * c.intermediate_size + 2 * c.hidden_size;
        let heads = if c.tie_word_embeddings { 1 } else { 2 };
        (layer * c.num_hidden_layers + heads * c.vocab_size * c.hidden_size + c.hidden_size) as u64
    }
}

/// Writes the checksums of the files in `folder`, in the form of `sha256sum`.
///
/// # Errors
/// A file that cannot be read or written.
pub(super) fn write_checksums(folder: &Path) -> Result<()> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    paths.retain(|path| path.is_file() && !path.ends_with(CHECKSUMS));
    paths.sort();
    let mut text = String::new();
    for path in &paths {
        let digest = digest::sha256_file(path).with_context(|| format!("{}", path.display()))?;
        text += &format!("{digest}  {}\n", file_name(path));
    }
    let sums = folder.join(CHECKSUMS);
    fs::write(&sums, text).with_context(|| format!("{}", sums.display()))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The shards that the index names, or the one file, or every `*.safetensors`.
fn shards(folder: &Path) -> Result<Vec<PathBuf>> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let index = folder.join("model.safetensors.index.json");
    let mut names: Vec<String> = if index.is_file() {
        let text = fs::read_to_string(&index).with_context(|| format!("{}", index.display()))?;
        let index: Index = serde_json::from_str(&text).with_context(|| format!("{}", index.display()))?;
        index.weight_map.into_values().collect()
    } else {
        let entries = fs::read_dir(folder)?.map(|e| Ok(e?.file_name().to_string_lossy().into_owned()));
        let all: Vec<String> = entries.collect::<std::io::Result<_>>()?;
        all.into_iter().filter(|name| name.ends_with(".safetensors")).collect()
    };
    names.sort();
    names.dedup();
    ensure!(!names.is_empty(), "{}: no *.safetensors file\nhint: fetch the checkpoint again", folder.display());
    for name in &names {
        ensure!(!name.contains(['/', '\\']), "{}: shard `{name}` lies outside the folder", index.display());
    }
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

/// The header must be valid and the file exactly as long as it says.
fn check_shard(shard: &Path) -> Result<()> {
    let hint = "hint: the file is truncated or damaged; fetch the checkpoint again";
    let file = fs::File::open(shard).with_context(|| format!("{}\n{hint}", shard.display()))?;
    // SAFETY: the map is read once, here; a file changed meanwhile gives an error or a wrong header, no more.
    let map = unsafe { memmap2::Mmap::map(&file) }.with_context(|| format!("{}\n{hint}", shard.display()))?;
    safetensors::SafeTensors::deserialize(&map)
        .map(|_| ())
        .map_err(|error| anyhow::anyhow!("{}: {error}\n{hint}", shard.display()))
}

fn eos(folder: &Path, config: &Config) -> Result<Vec<u32>> {
    let file = folder.join("generation_config.json");
    let mut ids = config.eos_token_id.clone();
    if file.is_file() {
        let text = fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
        let generation: Value = serde_json::from_str(&text).with_context(|| format!("{}", file.display()))?;
        if let Some(value) = generation.get("eos_token_id").filter(|value| !value.is_null()) {
            ids = value.clone();
        }
    }
    let id = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok());
    let found = match &ids {
        Value::Null => Some(Vec::new()),
        Value::Array(list) => list.iter().map(id).collect(),
        one => id(one).map(|n| vec![n]),
    };
    found.with_context(|| format!("{}: eos_token_id: expected an id or a list of ids, found {ids}", folder.display()))
}
