//! `config.json` -> what a Llama computes with. Every key is honoured, known to change nothing, refused, or told.

mod keys;
mod quantization;
mod rope;

use std::{fs, path::Path};

use anyhow::{Context, Result, anyhow, bail, ensure};
pub use quantization::{Affine, Quantization};
pub use rope::RopeScaling;
use serde::Deserialize;
use serde_json::{Map, Value};

/// What `model_type` may be: Mistral's tensors and operations are Llama's.
const KNOWN: [&str; 2] = ["llama", "mistral"];

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
    /// Positions that the model was trained for.
    pub max_position_embeddings: Option<usize>,
    pub rms_norm_eps: f32,
    #[serde(skip)]
    pub rope_theta: f32,
    #[serde(skip)]
    pub rope_scaling: Option<RopeScaling>,
    /// mlx-lm's default for Llama.
    #[serde(default = "yes")]
    pub tie_word_embeddings: bool,
    /// Does the file say so itself?
    #[serde(skip)]
    pub says_tied: bool,
    #[serde(default)]
    pub attention_bias: bool,
    #[serde(default)]
    pub mlp_bias: bool,
    /// One id or a list; `generation_config.json` overrides it.
    #[serde(default)]
    pub eos_token_id: Value,
    #[serde(skip)]
    pub quantization: Option<Quantization>,
    /// Said by whoever makes a checkpoint without meaning; results of it are no measurement.
    #[serde(default, rename = "offprint_random_weights")]
    pub random_weights: bool,
    /// Positions that some layer looks back by, its own included; `None`: all layers see all. A window is not computed here, so
    /// longer sequences are refused.
    #[serde(skip)]
    pub window: Option<usize>,
    /// What the file says and nobody here knows, uses or is sure of.
    #[serde(skip)]
    pub notes: Vec<String>,
}

fn yes() -> bool {
    true
}

impl Config {
    /// Reads and checks `config.json`.
    ///
    /// # Errors
    /// Missing or malformed file, an architecture other than Llama, a quantisation that MLX's affine mode has not, keys that change
    /// what the model computes and are not honoured.
    pub fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file)
            .with_context(|| format!("{}\nhint: a checkpoint is a folder with config.json in it", file.display()))?;
        let value: Value = serde_json::from_str(&text)
            .with_context(|| format!("{}\nhint: fetch the checkpoint again", file.display()))?;
        Config::of(&value).with_context(|| format!("{}", file.display()))
    }

    fn of(value: &Value) -> Result<Self> {
        let mut map = value.as_object().context("expected a JSON object\nhint: fetch the checkpoint again")?.clone();
        // A key that says `null` says nothing.
        map.retain(|_, value| !value.is_null());
        let map = &map;
        architecture(map)?;
        let mut notes = Vec::new();
        // Before the sizes: other tools' files differ in more than their packing.
        let quantization = Quantization::read(map, &mut notes)?;
        let mut config = Config::deserialize(map).map_err(|error| {
            anyhow!("{error}\nhint: the checkpoint is incomplete, or of a kind that is not known here")
        })?;
        config.check()?;
        let (changing, unknown) = keys::judge(map, config.head_dim() as f64);
        ensure!(
            changing.is_empty(),
            "{}: this changes what the model computes and is not honoured here\nhint: choose another checkpoint",
            changing.join(", ")
        );
        notes.extend(unknown.iter().map(|key| format!("config.json: {key} is not known to this program")));
        (config.rope_theta, config.rope_scaling) = rope::read(map, &mut notes)?;
        config.says_tied = map.contains_key("tie_word_embeddings");
        config.quantization = quantization;
        config.window = window(map, config.num_hidden_layers)?;
        Ok(Config { notes, ..config })
    }

    fn check(&self) -> Result<()> {
        let hint = "hint: the file is damaged; fetch the checkpoint again";
        let heads = self.num_attention_heads;
        let kv_heads = self.kv_heads();
        ensure!(
            heads > 0 && kv_heads > 0 && heads.is_multiple_of(kv_heads),
            "num_key_value_heads: {heads} heads cannot share {kv_heads} key-value heads\n{hint}"
        );
        let sizes = [
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("vocab_size", self.vocab_size),
            ("num_hidden_layers", self.num_hidden_layers),
        ];
        for (name, size) in sizes {
            ensure!((1..=1 << 30).contains(&size), "{name}: expected 1 to {}, found {size}\n{hint}", 1 << 30);
        }
        let dim = self.head_dim();
        ensure!(dim > 0 && dim.is_multiple_of(2), "head_dim: expected an even number, found {dim}\n{hint}");
        Ok(())
    }

    pub fn kv_heads(&self) -> usize {
        self.num_key_value_heads.unwrap_or(self.num_attention_heads)
    }

    pub fn head_dim(&self) -> usize {
        self.head_dim.unwrap_or(self.hidden_size / self.num_attention_heads.max(1))
    }

    /// How the module at `path` (`model.layers.0.mlp.up_proj`) is quantised; `None`: it is not.
    pub fn quantization_of(&self, path: &str) -> Option<Affine> {
        self.quantization.as_ref()?.of(path)
    }
}

/// Asked before any other field, which a model of another kind may lack.
fn architecture(config: &Map<String, Value>) -> Result<()> {
    let found = match config.get("model_type") {
        Some(Value::String(name)) if KNOWN.contains(&name.as_str()) => return Ok(()),
        Some(Value::String(name)) => format!("`{name}`"),
        Some(other) => other.to_string(),
        None => "no such key".to_owned(),
    };
    let inside = config.get("text_config").and_then(|text| text["model_type"].as_str());
    let around = inside.map_or_else(String::new, |name| format!(", which is built around a `{name}` (text_config)"));
    bail!(
        "model_type: expected `llama` or `mistral`, found {found}{around}\nhint: this version runs Llama-like models only"
    )
}

/// `sliding_window`, where a layer has it: those that `layer_types` says, or, without that key, all.
fn window(config: &Map<String, Value>, layers: usize) -> Result<Option<usize>> {
    let hint = "hint: choose another checkpoint";
    let said = |key: &str| config.get(key);
    let size = match said("sliding_window") {
        None => None,
        Some(value) => {
            let size = value.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
            Some(size.with_context(|| format!("sliding_window: expected a number above 0, found {value}\n{hint}"))?)
        }
    };
    let Some(types) = said("layer_types") else {
        return Ok(size.filter(|_| said("use_sliding_window").is_none_or(|used| used != false)));
    };
    let types = types.as_array().with_context(|| format!("layer_types: expected a list, found {types}\n{hint}"))?;
    ensure!(
        types.len() == layers,
        "layer_types: expected {layers} of them (num_hidden_layers), found {}\n{hint}",
        types.len()
    );
    let mut sliding = false;
    for kind in types {
        match kind.as_str() {
            Some("full_attention") => {}
            Some("sliding_attention") => sliding = true,
            _ => bail!("layer_types: expected `full_attention` or `sliding_attention`, found {kind}\n{hint}"),
        }
    }
    ensure!(!sliding || size.is_some(), "sliding_window: missing, and layer_types asks for it\n{hint}");
    Ok(size.filter(|_| sliding))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A config of these further keys; `null` removes one.
    fn with(more: Value) -> Result<Config> {
        let mut config = json!({
            "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "intermediate_size": 128,
            "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 288, "rms_norm_eps": 1e-5,
        });
        for (key, value) in more.as_object().unwrap() {
            match value {
                Value::Null => drop(config.as_object_mut().unwrap().remove(key)),
                value => config[key] = value.clone(),
            }
        }
        Config::of(&config)
    }

    #[test]
    fn what_cannot_be_computed_is_refused_by_name() {
        let layer = "model.layers.0.mlp.down_proj";
        let cases = [
            (
                json!({"model_type": "mistral3", "hidden_size": null, "text_config": {"model_type": "mistral"}}),
                "model_type: expected `llama` or `mistral`, found `mistral3`, which is built around a `mistral` (text_config)",
            ),
            (json!({"model_type": null, "hidden_size": null}), "found no such key"),
            (json!({"model_type": 7}), "model_type: expected `llama` or `mistral`, found 7"),
            (json!({"hidden_size": null}), "missing field `hidden_size`"),
            (json!({"hidden_size": "big"}), "expected usize"),
            (json!({"hidden_size": 0}), "hidden_size: expected 1 to"),
            (json!({"num_key_value_heads": 3}), "4 heads cannot share 3"),
            (json!({"head_dim": 15}), "head_dim: expected an even number, found 15"),
            (
                json!({"rope_traditional": true, "hidden_act": "gelu"}),
                "`hidden_act` = \"gelu\", `rope_traditional` = true: this changes",
            ),
            (json!({"final_logit_softcapping": 30.0}), "`final_logit_softcapping` = 30.0"),
            (json!({"rope_scaling": {"type": "yarn", "factor": 4.0}}), "rope_scaling: `yarn` is not known"),
            (json!({"layer_types": ["sliding_attention", "full_attention"]}), "sliding_window: missing"),
            (json!({"layer_types": ["full_attention", "linear_attention"]}), "found \"linear_attention\""),
            (json!({"layer_types": ["full_attention"]}), "layer_types: expected 2 of them"),
            (json!({"sliding_window": 0}), "sliding_window: expected a number above 0"),
            (
                json!({"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128}}),
                "quant_method: the weights were quantised by `gptq`",
            ),
            (
                json!({"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": true}}),
                "quantised by `bitsandbytes`",
            ),
            (json!({"quantization_config": {"quant_method": "fp8"}}), "quantised by `fp8`"),
            (
                json!({"quantization_config": {"quant_method": "compressed-tensors"}}),
                "quantised by `compressed-tensors`",
            ),
            (json!({"quantization_config": {"load_in_4bit": true}}), "quantization_config.group_size: missing"),
            (
                json!({"quantization": {"bits": 4, "group_size": 64, "mode": "mxfp4"}}),
                "quantization.mode: expected `affine`, found `mxfp4`",
            ),
            (
                json!({"quantization": {"bits": 4, "group_size": 64, layer: {"bits": 4, "group_size": 32, "mode": "mxfp4"}}}),
                "quantization.model.layers.0.mlp.down_proj.mode: expected `affine`, found `mxfp4`",
            ),
            (
                json!({"quantization": {"bits": 4, "group_size": 64, layer: {"bits": 7, "group_size": 32}}}),
                "quantization.model.layers.0.mlp.down_proj.bits: expected one of 2, 3, 4, 5, 6, 8, found 7",
            ),
            (
                json!({"quantization": {"bits": 4, "group_size": 16}}),
                "quantization.group_size: expected one of 32, 64, 128, found 16",
            ),
        ];
        for (more, words) in cases {
            let error = format!("{:#}", with(more.clone()).expect_err(&more.to_string()));
            assert!(error.contains(words), "{more}: {error}");
            assert!(error.lines().last().unwrap().starts_with("hint: "), "{more}: {error}");
        }
        let error = Config::of(&json!([])).unwrap_err().to_string();
        assert!(error.starts_with("expected a JSON object\nhint: "), "{error}");
    }

    #[test]
    fn what_is_known_or_changes_nothing_is_silent_and_the_rest_is_told() {
        let silent = json!({
            "architectures": ["LlamaForCausalLM"], "transformers_version": "5.1.0", "dtype": "bfloat16", "hidden_act": "silu",
            "initializer_range": 0.02, "use_cache": true, "pretraining_tp": 1, "attention_dropout": 0.0, "bos_token_id": 1,
            "rope_theta": 500_000, "quantization": {"bits": 5, "group_size": 64, "mode": "affine", "lm_head": true},
            "quantization_config": {"bits": 5, "group_size": 64}, "max_position_embeddings": 2048, "sliding_window": 4096,
        });
        let config = with(silent).unwrap();
        assert_eq!((config.notes, config.window), (vec![], Some(4096)));
        assert_eq!(config.quantization.unwrap().default, Affine { group_size: 64, bits: 5 });
        let told = [
            (json!({"frobnication": 3}), "config.json: `frobnication` is not known to this program"),
            (
                json!({"quantization": {"bits": 4, "group_size": 64, "foo": 3}}),
                "config.json: `quantization.foo` is not known to this program",
            ),
            (
                json!({"rope_scaling": {"factor": 8.0}}),
                "config.json: rope_scaling is of the kind `default`, which uses no `factor` = 8.0",
            ),
        ];
        for (more, words) in told {
            assert_eq!(with(more).unwrap().notes, [words]);
        }
    }

    #[test]
    fn a_window_is_that_of_the_layers_that_have_it() {
        let cases = [
            (json!({}), None),
            (json!({"sliding_window": 8}), Some(8)),
            (json!({"model_type": "mistral", "sliding_window": 8}), Some(8)),
            (json!({"sliding_window": 8, "use_sliding_window": false}), None),
            (json!({"sliding_window": 8, "layer_types": ["full_attention", "full_attention"]}), None),
            (json!({"sliding_window": 8, "layer_types": ["full_attention", "sliding_attention"]}), Some(8)),
        ];
        for (more, window) in cases {
            assert_eq!(with(more.clone()).unwrap().window, window, "{more}");
        }
    }
}
