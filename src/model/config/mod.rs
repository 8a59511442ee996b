//! `config.json` -> a description of the decoder (`Spec`) and what all checkpoints share. Every key is honoured, known to change
//! nothing, refused, or told.

mod quantization;

use std::{fs, path::Path};

use anyhow::{Context, Result};
pub use quantization::{Quantization, inferred};
use serde_json::{Map, Value};

use crate::model::{readers, spec::Spec};
pub use crate::packing::{Mode, Packing};

/// A configuration, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub model_type: String,
    pub spec: Spec,
    /// Embeddings, and so logits.
    pub vocab_size: usize,
    /// Positions that the model was trained for.
    pub max_position_embeddings: Option<usize>,
    /// Does the file itself say where the head comes from?
    pub says_tied: bool,
    /// One id or a list; `generation_config.json` overrides it.
    pub eos_token_id: Value,
    pub quantization: Option<Quantization>,
    /// How the source of weights that were packed here had them packed; `None`: it had them as numbers, or they were not packed here.
    pub packed_from: Option<String>,
    /// The source that weights packed here are, `quantized:RECIPE:SOURCE`.
    pub packed_as: Option<String>,
    /// Said by whoever makes a checkpoint without meaning; results of it are no measurement.
    pub random_weights: bool,
    /// A window that the file asks for and that neither mlx-lm nor this program computes; `None`: there is none.
    pub ignored_window: Option<usize>,
    /// What the file says and nobody here knows, uses or is sure of.
    pub notes: Vec<String>,
}

impl Config {
    /// Reads and checks `config.json`.
    ///
    /// # Errors
    /// Missing or malformed file, an architecture without a reader, a quantisation that is not MLX's, keys that change what the model
    /// computes and are not honoured.
    pub fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file)
            .with_context(|| format!("{}\nhint: a checkpoint is a folder with config.json in it", file.display()))?;
        let value: Value = serde_json::from_str(&text)
            .with_context(|| format!("{}\nhint: fetch the checkpoint again", file.display()))?;
        Config::of(&value).with_context(|| format!("{}", file.display()))
    }

    /// The same from the file's value.
    ///
    /// # Errors
    /// As [`Config::read`], but for the file.
    pub fn of(value: &Value) -> Result<Self> {
        let map = value.as_object().context("expected a JSON object\nhint: fetch the checkpoint again")?;
        let reader = readers::of(map)?;
        let mut notes = Vec::new();
        // Before the sizes: other tools' files differ in more than their packing.
        let quantization = Quantization::read(map, &mut notes)?;
        let read = reader.read(map)?;
        notes.extend(read.notes);
        let said = |key: &str| said(map, key);
        notes.extend(of_import(map));
        Ok(Config {
            model_type: reader.model_type.to_owned(),
            vocab_size: read.spec.vocabulary,
            max_position_embeddings: said("max_position_embeddings").and_then(Value::as_u64).map(|n| n as usize),
            says_tied: said("tie_word_embeddings").is_some(),
            eos_token_id: said("eos_token_id").cloned().unwrap_or(Value::Null),
            quantization,
            packed_as: said("offprint_quantized")
                .and_then(|made| Some(format!("quantized:{}:{}", made["recipe"].as_str()?, made["of"].as_str()?))),
            packed_from: said("offprint_quantized").and_then(|made| Some(made["of_packing"].as_str()?.to_owned())),
            random_weights: said("offprint_random_weights") == Some(&Value::Bool(true)),
            ignored_window: read.ignored_window,
            spec: read.spec,
            notes,
        })
    }
}

impl Config {
    /// How the file says that the module at `path` (`model.layers.0.mlp.up_proj`) is packed, if its scales are there; `None`: it is
    /// not. Where it says nothing of the module itself, the tensors' shapes decide (see [`inferred`]).
    pub fn quantization_of(&self, path: &str) -> Option<Packing> {
        let quantization = self.quantization.as_ref()?;
        quantization.named.get(path).copied().unwrap_or(Some(quantization.default))
    }
}

/// What an import says of itself: terms of the weights, what it had to choose, and matrices that could not be packed.
fn of_import(map: &Map<String, Value>) -> Vec<String> {
    let licence = said(map, "offprint_licence").map(|licence| {
        let text = |key: &str| licence[key].as_str().unwrap_or("not said");
        format!("the weights are under the {}, {}; the package is {}", text("name"), text("url"), text("package_is"))
    });
    let notes = said(map, "offprint_notes").and_then(Value::as_array).into_iter().flatten();
    let notes = notes.filter_map(Value::as_str).map(|note| format!("import: {note}"));
    let packed = said(map, "offprint_quantized").and_then(|made| made["left"].as_str());
    licence.into_iter().chain(notes).chain(packed.map(str::to_owned)).collect()
}

/// A key of the file, or of the text model in it.
fn said<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    let of = |map: &'a Map<String, Value>| map.get(key).filter(|value| !value.is_null());
    of(map).or_else(|| of(map.get("text_config")?.as_object()?))
}
