//! `config.json` -> a description of the decoder, by one strict reader a family. A reader takes the keys that its family has, with
//! its family's defaults, which are mlx-lm's; what it leaves is judged by `Keys`.

mod gemma;
mod hybrid;
mod keys;
mod llama;
mod others;
mod qwen;
pub mod rope;

use anyhow::{Result, anyhow, ensure};
use serde_json::{Map, Value};

use self::keys::Keys;
use crate::model::spec::{
    Activation, Attention, Conversion, Dense, Experts, Feed, Head, Keys as KeysOf, Layer, Mixer, Norm, NormKind, Norms,
    Original, Rope, Spec,
};

/// One architecture.
#[derive(Debug)]
pub struct Reader {
    /// As `config.json` says it.
    pub model_type: &'static str,
    /// Models that people know it by.
    pub models: &'static str,
    read: fn(&Keys<'_>) -> Result<Spec>,
    /// The text model is in `text_config`, under `language_model.`, beside towers that are not read.
    wraps: &'static [&'static str],
}

/// What a reader made of a configuration.
#[derive(Debug)]
pub struct Read {
    pub spec: Spec,
    pub notes: Vec<String>,
    pub ignored_window: Option<usize>,
}

const fn text(model_type: &'static str, models: &'static str, read: fn(&Keys<'_>) -> Result<Spec>) -> Reader {
    Reader { model_type, models, read, wraps: &[] }
}

/// Every architecture that is known, in the order of the README.
pub const READERS: &[Reader] = &[
    text("llama", "Llama 2, 3, 3.1, 3.2, 3.3; SmolLM2; TinyLlama; Hermes; DeepSeek-R1-Distill-Llama", llama::llama),
    text("mistral", "Mistral 7B, Mistral Nemo", llama::mistral),
    text("ministral3", "Ministral 3", llama::ministral3),
    text("smollm3", "SmolLM3", llama::smollm3),
    text("qwen2", "Qwen2, Qwen2.5, QwQ", qwen::qwen2),
    text("qwen3", "Qwen3 0.6B to 32B", qwen::qwen3),
    text("qwen3_moe", "Qwen3 30B-A3B, Qwen3-Coder 30B-A3B", qwen::qwen3_moe),
    text("qwen3_next", "Qwen3-Next, Qwen3-Coder-Next", hybrid::qwen3_next),
    Reader { wraps: &["qwen3_5_text", ""], ..text("qwen3_5", "Qwen3.5, Qwen3.6", hybrid::qwen3_5) },
    Reader {
        wraps: &["qwen3_5_moe_text", ""],
        ..text("qwen3_5_moe", "Qwen3.5 and Qwen3.6 with experts (35B-A3B)", hybrid::qwen3_5)
    },
    text("gemma2", "Gemma 2", gemma::gemma2),
    text("gemma3_text", "Gemma 3 270M, 1B", gemma::gemma3),
    Reader { wraps: &["gemma3_text", ""], ..text("gemma3", "Gemma 3 4B, 12B, 27B", gemma::gemma3) },
    text("gemma4_text", "Gemma 4, its text model", gemma::gemma4),
    Reader { wraps: &["gemma4_text", ""], ..text("gemma4", "Gemma 4 E2B, E4B, 12B, 26B-A4B, 31B", gemma::gemma4) },
    text("gpt_oss", "gpt-oss 20b, 120b", others::gpt_oss),
    text("phi3", "Phi-3, Phi-3.5, Phi-4", others::phi3),
    text("mixtral", "Mixtral", others::mixtral),
    text("granite", "Granite 3", others::granite),
    text("glm4", "GLM-4 0414", others::glm4),
    text("olmo2", "OLMo 2", others::olmo2),
    text("olmo3", "OLMo 3", others::olmo3),
    text("cohere2", "Command R7B, Command A", others::cohere2),
    text("lfm2", "LFM2 350M to 2.6B", hybrid::lfm2),
    text("lfm2_moe", "LFM2 8B-A1B", hybrid::lfm2_moe),
    Reader {
        wraps: &["mistral", "llama", "ministral3", ""],
        ..text("mistral3", "Mistral Small 3, Ministral 3", llama::mistral3)
    },
];

/// Names for a family of its own in mlx-lm (`utils.py`, `MODEL_REMAPPING`).
const ALIASES: &[(&str, &str)] =
    &[("qwen3_5_text", "qwen3_5"), ("qwen3_5_moe_text", "qwen3_5_moe"), ("iquestcoder", "llama")];

/// The reader of a configuration.
///
/// # Errors
/// A `model_type` without one.
pub fn of(config: &Map<String, Value>) -> Result<&'static Reader> {
    let found = match config.get("model_type") {
        Some(Value::String(name)) => {
            let known = ALIASES.iter().find(|(alias, _)| alias == name).map_or(name.as_str(), |(_, known)| known);
            if let Some(reader) = READERS.iter().find(|reader| reader.model_type == known) {
                return Ok(reader);
            }
            format!("`{name}`")
        }
        Some(other) => other.to_string(),
        None => "no such key".to_owned(),
    };
    let inside = config.get("text_config").and_then(|text| text["model_type"].as_str());
    let around = inside.map_or_else(String::new, |name| format!(", which is built around a `{name}` (text_config)"));
    let known: Vec<String> = READERS.iter().map(|reader| format!("`{}`", reader.model_type)).collect();
    Err(anyhow!(
        "model_type: expected one of {}; found {found}{around}\nhint: choose a model of these kinds",
        known.join(", ")
    ))
}

impl Reader {
    /// The description.
    ///
    /// # Errors
    /// Keys that are missing, malformed, or change what is computed and are not honoured.
    pub fn read(&self, config: &Map<String, Value>) -> Result<Read> {
        let inner = config.get("text_config").and_then(Value::as_object).filter(|_| !self.wraps.is_empty());
        let Some(inner) = inner else {
            let mut read = self.read_text(config, "")?;
            if let Some(prefix) = self.prefix_without_tower() {
                read.spec.prefix = prefix;
            }
            return Ok(read);
        };
        let name = inner.get("model_type").and_then(Value::as_str).unwrap_or_default();
        ensure!(
            self.wraps.contains(&name),
            "text_config.model_type: expected one of `{}`, found `{name}`\nhint: choose another checkpoint",
            self.wraps.iter().filter(|name| !name.is_empty()).copied().collect::<Vec<_>>().join("`, `")
        );
        // mlx-lm takes some sizes from the outside.
        let mut merged = inner.clone();
        for key in ["vocab_size", "num_attention_heads", "num_key_value_heads", "tie_word_embeddings"] {
            if let Some(value) = config.get(key).filter(|value| !value.is_null()) {
                merged.entry(key).or_insert_with(|| value.clone());
            }
        }
        let mut read = self.read_text(&merged, "text_config.")?;
        read.spec.prefix = "language_model.";
        read.notes.push(format!(
            "config.json: a `{}` is opened as the text model in it; its towers for pictures and sound are not read",
            self.model_type
        ));
        Ok(read)
    }

    /// Qwen3.5's text models lie under the name that they have inside the whole.
    fn prefix_without_tower(&self) -> Option<&'static str> {
        self.model_type.starts_with("qwen3_5").then_some("language_model.")
    }

    fn read_text(&self, config: &Map<String, Value>, place: &'static str) -> Result<Read> {
        let keys = Keys::new(config, place);
        let spec = (self.read)(&keys)?;
        sound(&spec)?;
        let ignored_window = ignored_window(&keys, &spec);
        let head_dim = spec.layers.iter().find_map(|layer| match &layer.mixer {
            Mixer::Attention(attention) => Some(attention.head_dim),
            Mixer::Delta(_) | Mixer::Conv(_) => None,
        });
        let notes = keys.finish(head_dim.unwrap_or(spec.hidden))?;
        Ok(Read { spec, notes, ignored_window })
    }
}

/// Sizes that fit each other, layer by layer, whichever keys they came from.
fn sound(spec: &Spec) -> Result<()> {
    for (index, layer) in spec.layers.iter().enumerate() {
        if let Mixer::Attention(Attention { heads, kv_heads, head_dim, .. }) = &layer.mixer {
            ensure!(
                heads.is_multiple_of(*kv_heads),
                "layer {index}: {heads} heads cannot share {kv_heads} key-value heads\n{DAMAGED}"
            );
            ensure!(
                head_dim.is_multiple_of(2) && (2..=MOST_DIMS).contains(head_dim),
                "layer {index}: head_dim: expected an even number, 2 to {MOST_DIMS}, found {head_dim}\n{DAMAGED}"
            );
        }
        if let Feed::Experts(Experts { count, top, .. }) | Feed::Beside(_, Experts { count, top, .. }) = &layer.feed {
            ensure!(top <= count, "layer {index}: {top} of {count} experts cannot be chosen\n{DAMAGED}");
        }
    }
    Ok(())
}

/// A window that the file asks for in families in which mlx-lm computes none.
fn ignored_window(keys: &Keys<'_>, spec: &Spec) -> Option<usize> {
    let asked = keys.said("sliding_window").and_then(Value::as_u64).map(|n| n as usize)?;
    let used = keys.said("use_sliding_window").is_none_or(|used| used != false);
    if spec.window().is_some() || !used || keys.said("layer_types").is_some() {
        return None;
    }
    keys.note(format!("config.json: {} = {asked} is not computed, as in mlx-lm", keys.name("sliding_window")));
    Some(asked)
}

/// What most families say under the same names.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    hidden: usize,
    layers: usize,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    inner: usize,
    vocabulary: usize,
    epsilon: f32,
}

impl Sizes {
    /// `head_dim`: has this family such a key? Else it is a head's share of the hidden size.
    fn read(keys: &Keys<'_>, head_dim: bool) -> Result<Self> {
        let (hidden, heads) = (keys.size("hidden_size")?, keys.size("num_attention_heads")?);
        let kv_heads = keys.optional_size("num_key_value_heads")?.unwrap_or(heads);
        let said = if head_dim { keys.optional_size("head_dim")? } else { None };
        let sizes = Sizes {
            hidden,
            layers: keys.size("num_hidden_layers")?,
            heads,
            kv_heads,
            head_dim: said.unwrap_or(hidden / heads),
            inner: keys.size("intermediate_size")?,
            vocabulary: keys.size("vocab_size")?,
            epsilon: keys.number("rms_norm_eps")? as f32,
        };
        sizes.checked()
    }

    /// The same where the family has a default for each; `epsilon`: the key of the norms'.
    fn over(keys: &Keys<'_>, defaults: Sizes, epsilon: &str) -> Result<Self> {
        let sizes = Sizes {
            hidden: keys.size_or("hidden_size", defaults.hidden)?,
            layers: keys.size_or("num_hidden_layers", defaults.layers)?,
            heads: keys.size_or("num_attention_heads", defaults.heads)?,
            kv_heads: keys.size_or("num_key_value_heads", defaults.kv_heads)?,
            head_dim: keys.size_or("head_dim", defaults.head_dim)?,
            inner: keys.size_or("intermediate_size", defaults.inner)?,
            vocabulary: keys.size_or("vocab_size", defaults.vocabulary)?,
            epsilon: keys.number_or(epsilon, f64::from(defaults.epsilon))? as f32,
        };
        sizes.checked()
    }

    fn checked(self) -> Result<Self> {
        let (heads, kv_heads, dim, layers) = (self.heads, self.kv_heads, self.head_dim, self.layers);
        ensure!(
            heads.is_multiple_of(kv_heads),
            "num_key_value_heads: {heads} heads cannot share {kv_heads} key-value heads\n{DAMAGED}"
        );
        ensure!(
            dim.is_multiple_of(2) && (2..=MOST_DIMS).contains(&dim),
            "head_dim: expected an even number, 2 to {MOST_DIMS}, found {dim}\n{DAMAGED}"
        );
        // Before anything is made for each.
        ensure!(layers <= MOST_LAYERS, "num_hidden_layers: expected 1 to {MOST_LAYERS}, found {layers}\n{DAMAGED}");
        Ok(self)
    }

    /// Causal attention over all of the past, rotated by the first of the model's rotations.
    fn attention(&self) -> Attention {
        Attention {
            path: "self_attn",
            output: "o_proj",
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            joined: None,
            qkv_bias: false,
            output_bias: false,
            qk_norm: None,
            value_norm: false,
            gated: false,
            rope: Some(0),
            window: None,
            scale: (self.head_dim as f32).powf(-0.5),
            cap: None,
            sinks: false,
            query_gain: None,
            keys: KeysOf::Own,
        }
    }

    /// `silu(gate) * up`.
    fn dense(&self) -> Dense {
        Dense {
            path: "mlp",
            names: ["gate_proj", "up_proj", "down_proj"],
            joined: None,
            inner: self.inner,
            bias: false,
            activation: Activation::Silu,
        }
    }

    /// As many alike layers as there are.
    fn layers(&self, attention: &Attention, feed: &Feed, norms: Norms) -> Vec<Layer> {
        let layer = Layer { mixer: Mixer::Attention(attention.clone()), feed: feed.clone(), norms, scalar: false };
        vec![layer; self.layers]
    }

    /// A model of these layers, with nothing special about it.
    fn model(&self, layers: Vec<Layer>, ropes: Vec<Rope>, head: Head) -> Spec {
        Spec {
            hidden: self.hidden,
            vocabulary: self.vocabulary,
            layers,
            norm: Norm { kind: NormKind::Rms, epsilon: self.epsilon, less_one: false },
            ropes,
            embedding_scale: 1.0,
            residual_scale: 1.0,
            per_layer: None,
            head,
            logit_scale: 1.0,
            logit_cap: None,
            prefix: "",
            last_norm: "norm",
            original: Original::default(),
            conversion: Conversion::default(),
        }
    }
}

/// What is believed of a file: many times what anybody has built.
const MOST_LAYERS: usize = 4096;
const MOST_DIMS: usize = 1 << 16;
const DAMAGED: &str = "hint: the file is damaged; fetch the checkpoint again";

const SLIDING: &str = "sliding_attention";
const FULL: &str = "full_attention";

/// Which layers attend through a window: as `layer_types` says, or every one but each `pattern`-th; all of the past, without either.
fn sliding(keys: &Keys<'_>, layers: usize, pattern: Option<usize>) -> Result<Vec<bool>> {
    let named = keys.names("layer_types", &[SLIDING, FULL], layers)?;
    Ok(match (named, pattern) {
        (Some(names), _) => names.into_iter().map(|name| name == SLIDING).collect(),
        (None, Some(pattern)) => (1..=layers).map(|layer| layer % pattern != 0).collect(),
        (None, None) => vec![false; layers],
    })
}

/// The head: tied, as the file says or as the family has it.
fn head(keys: &Keys<'_>, tied: bool) -> Result<Head> {
    Ok(if keys.flag_or("tie_word_embeddings", tied)? { Head::Tied } else { Head::Own })
}

/// A key that has to say this, since mlx-lm has it so whatever the file says.
fn activation(keys: &Keys<'_>, known: &[&str]) -> Result<()> {
    for key in ["hidden_act", "hidden_activation"] {
        let Some(value) = keys.said(key) else { continue };
        ensure!(
            value.as_str().is_some_and(|name| known.contains(&name)),
            "{}: expected one of `{}`, found {value}\nhint: choose another checkpoint",
            keys.name(key),
            known.join("`, `")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests;
