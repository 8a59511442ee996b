//! The architectures that can be imported, each as a table: where its tensors go, which of its keys are read, and what
//! `config.json` says. A header, a place's name -> its module; a header -> the model's sizes.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};

use crate::model::gguf::Header;

/// What is done with a tensor on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Matrix,
    /// Rows interleaved a head for llama.cpp's rope; which heads.
    Queries,
    Keys,
    Norm,
    /// llama.cpp stores `1 + weight` (`convert_hf_to_gguf.py`, `norm_shift`); mlx-lm adds the 1 itself.
    NormPlusOne,
}

pub(super) struct Architecture {
    /// `general.architecture`, and the prefix of its keys.
    pub(super) name: &'static str,
    model_type: &'static str,
    class: &'static str,
    /// Tensor of a layer or of the whole model, module, role; of a layer's, what follows `blk.N.` and `model.layers.N.`.
    whole: &'static [(&'static str, &'static str, Role)],
    layer: &'static [(&'static str, &'static str, Role)],
    /// Keys that are read; any other of this architecture's that says something is refused.
    keys: &'static [&'static str],
    /// What only this architecture has in `config.json`; what it assumes goes to the notes.
    own: fn(&Sizes<'_>, &mut Vec<String>) -> Result<Value>,
}

pub(super) static ARCHITECTURES: [Architecture; 2] = [
    Architecture {
        name: "llama",
        model_type: "llama",
        class: "LlamaForCausalLM",
        whole: &[
            ("token_embd", "model.embed_tokens", Role::Matrix),
            ("output_norm", "model.norm", Role::Norm),
            ("output", "lm_head", Role::Matrix),
        ],
        layer: &[
            ("attn_q", "self_attn.q_proj", Role::Queries),
            ("attn_k", "self_attn.k_proj", Role::Keys),
            ("attn_v", "self_attn.v_proj", Role::Matrix),
            ("attn_output", "self_attn.o_proj", Role::Matrix),
            ("attn_norm", "input_layernorm", Role::Norm),
            ("ffn_norm", "post_attention_layernorm", Role::Norm),
            ("ffn_gate", "mlp.gate_proj", Role::Matrix),
            ("ffn_up", "mlp.up_proj", Role::Matrix),
            ("ffn_down", "mlp.down_proj", Role::Matrix),
        ],
        keys: &[
            "attention.head_count",
            "attention.head_count_kv",
            "attention.key_length",
            "attention.layer_norm_rms_epsilon",
            "attention.value_length",
            "block_count",
            "context_length",
            "embedding_length",
            "feed_forward_length",
            "rope.dimension_count",
            "rope.freq_base",
            "rope.scaling.type",
            "vocab_size",
        ],
        own: llama,
    },
    Architecture {
        name: "gemma3",
        model_type: "gemma3_text",
        class: "Gemma3ForCausalLM",
        whole: &[
            ("token_embd", "model.embed_tokens", Role::Matrix),
            ("output_norm", "model.norm", Role::NormPlusOne),
            ("output", "lm_head", Role::Matrix),
        ],
        layer: &[
            ("attn_q", "self_attn.q_proj", Role::Matrix),
            ("attn_k", "self_attn.k_proj", Role::Matrix),
            ("attn_v", "self_attn.v_proj", Role::Matrix),
            ("attn_output", "self_attn.o_proj", Role::Matrix),
            ("attn_q_norm", "self_attn.q_norm", Role::NormPlusOne),
            ("attn_k_norm", "self_attn.k_norm", Role::NormPlusOne),
            ("attn_norm", "input_layernorm", Role::NormPlusOne),
            ("post_attention_norm", "post_attention_layernorm", Role::NormPlusOne),
            ("ffn_norm", "pre_feedforward_layernorm", Role::NormPlusOne),
            ("post_ffw_norm", "post_feedforward_layernorm", Role::NormPlusOne),
            ("ffn_gate", "mlp.gate_proj", Role::Matrix),
            ("ffn_up", "mlp.up_proj", Role::Matrix),
            ("ffn_down", "mlp.down_proj", Role::Matrix),
        ],
        keys: &[
            "attention.head_count",
            "attention.head_count_kv",
            "attention.key_length",
            "attention.layer_norm_rms_epsilon",
            "attention.sliding_window",
            "attention.sliding_window_pattern",
            "attention.value_length",
            "block_count",
            "context_length",
            "embedding_length",
            "feed_forward_length",
            "rope.freq_base",
            "rope.freq_base_swa",
            "rope.scaling.factor",
            "rope.scaling.type",
            "vocab_size",
        ],
        own: gemma3,
    },
];

impl Architecture {
    /// # Errors
    /// An architecture that is not in the table, a key that changes what is computed and is not read here.
    pub(super) fn of(header: &Header) -> Result<&'static Self> {
        let found = header.text("general.architecture")?;
        let Some(known) = ARCHITECTURES.iter().find(|known| known.name == found) else {
            let names: Vec<String> = ARCHITECTURES.iter().map(|known| format!("`{}`", known.name)).collect();
            bail!("general.architecture: expected {}, found `{found}`", names.join(" or "));
        };
        for (key, value) in &header.metadata {
            let own = key.strip_prefix(known.name).and_then(|rest| rest.strip_prefix('.'));
            let strange = own.filter(|own| !known.keys.contains(own) && !value.says_nothing());
            ensure!(
                strange.is_none(),
                "metadata key `{key}`: not known here, and it may change what the model computes"
            );
        }
        Ok(known)
    }

    /// The module that a tensor's place (its name without `.weight`) becomes.
    pub(super) fn module(&self, place: &str) -> Option<(String, Role)> {
        let find = |table: &[(&str, &'static str, Role)], name: &str| {
            table.iter().find(|(known, ..)| *known == name).map(|(_, module, role)| (*module, *role))
        };
        let Some((layer, part)) = place.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) else {
            return find(self.whole, place).map(|(module, role)| (module.to_owned(), role));
        };
        // As Rust would write the number: `01` would be another name of layer 1.
        let layer = layer.parse::<u32>().ok().filter(|n| n.to_string() == layer)?;
        find(self.layer, part).map(|(module, role)| (format!("model.layers.{layer}.{module}"), role))
    }

    /// What `config.json` says of the model's sizes.
    pub(super) fn config(&self, sizes: &Sizes<'_>, notes: &mut Vec<String>) -> Result<Map<String, Value>> {
        let mut config = json!({
            "architectures": [self.class],
            "model_type": self.model_type,
            "hidden_size": sizes.integer("embedding_length")?,
            "num_hidden_layers": sizes.integer("block_count")?,
            "intermediate_size": sizes.integer("feed_forward_length")?,
            "num_attention_heads": sizes.heads,
            "num_key_value_heads": sizes.kv_heads,
            "max_position_embeddings": sizes.maybe("context_length")?,
            // The GGUF file holds a float32, whose shortest decimal is what the authors wrote.
            "rms_norm_eps": shortest(sizes.number("attention.layer_norm_rms_epsilon")?)?,
        });
        let own = (self.own)(sizes, notes)?;
        let all = config.as_object_mut().context("config.json")?;
        all.extend(own.as_object().cloned().unwrap_or_default());
        Ok(std::mem::take(all))
    }
}

/// The numbers of a header under one architecture's prefix.
pub(super) struct Sizes<'a> {
    header: &'a Header,
    name: &'static str,
    pub(super) heads: u64,
    pub(super) kv_heads: u64,
}

impl<'a> Sizes<'a> {
    /// # Errors
    /// Numbers of heads that are none.
    pub(super) fn of(header: &'a Header, architecture: &Architecture) -> Result<Self> {
        let mut sizes = Sizes { header, name: architecture.name, heads: 0, kv_heads: 0 };
        sizes.heads = sizes.positive("attention.head_count")?;
        let key = "attention.head_count_kv";
        sizes.kv_heads = if sizes.has(key) { sizes.positive(key)? } else { sizes.heads };
        Ok(sizes)
    }

    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.name)
    }

    fn has(&self, key: &str) -> bool {
        self.header.metadata.contains_key(&self.key(key))
    }

    fn integer(&self, key: &str) -> Result<i64> {
        self.header.integer(&self.key(key))
    }

    fn number(&self, key: &str) -> Result<f64> {
        self.header.number(&self.key(key))
    }

    fn maybe(&self, key: &str) -> Result<Option<i64>> {
        if self.has(key) { self.integer(key).map(Some) } else { Ok(None) }
    }

    fn positive(&self, key: &str) -> Result<u64> {
        let (key, n) = (self.key(key), self.integer(key)?);
        u64::try_from(n).ok().filter(|n| *n > 0).with_context(|| format!("metadata key `{key}`: {n} is not positive"))
    }

    /// `rope.scaling.type`, `none` where there is none; another than `known` is refused.
    fn scaling(&self, known: &[&'static str]) -> Result<&'a str> {
        let key = self.key("rope.scaling.type");
        if !self.has("rope.scaling.type") {
            return Ok("none");
        }
        let found = self.header.text(&key)?;
        let expected: Vec<String> = known.iter().map(|kind| format!("`{kind}`")).collect();
        ensure!(known.contains(&found), "{key}: expected {}, found `{found}`", expected.join(" or "));
        Ok(found)
    }

    /// `attention.key_length`; values must have that length, too.
    fn head_dim(&self) -> Result<Option<i64>> {
        let dim = self.maybe("attention.key_length")?;
        let (key, of_values) = (self.key("attention.value_length"), self.maybe("attention.value_length")?);
        ensure!(of_values == dim || of_values.is_none(), "{key}: expected {dim:?}, found {of_values:?}");
        Ok(dim)
    }
}

fn llama(sizes: &Sizes<'_>, _: &mut Vec<String>) -> Result<Value> {
    sizes.scaling(&["none"])?;
    let rotated = sizes.maybe("rope.dimension_count")?;
    let dim = sizes.head_dim()?;
    ensure!(
        rotated.is_none() || dim.is_none() || rotated == dim,
        "{}: expected {dim:?}, a whole head, found {rotated:?}",
        sizes.key("rope.dimension_count")
    );
    let even = sizes.integer("embedding_length")? / sizes.heads.max(1) as i64;
    let theta = if sizes.has("rope.freq_base") { sizes.number("rope.freq_base")? } else { 10_000.0 };
    Ok(json!({
        "head_dim": rotated.or(dim).unwrap_or(even),
        "rope_theta": shortest(theta)?,
        "rope_scaling": null,
    }))
}

fn gemma3(sizes: &Sizes<'_>, notes: &mut Vec<String>) -> Result<Value> {
    let key = sizes.key("attention.key_length");
    let dim = sizes.head_dim()?.with_context(|| format!("metadata key `{key}`: expected an integer, found nothing"))?;
    let hidden = sizes.integer("embedding_length")?;
    let layers = sizes.integer("block_count")?;
    let mut assumed = |what: String| notes.push(format!("{what}: not in the file, and so as llama.cpp has it"));
    let pattern = match sizes.maybe("attention.sliding_window_pattern")? {
        Some(pattern) => pattern,
        None => {
            assumed("sliding_window_pattern 6".to_owned());
            6
        }
    };
    let local = if sizes.has("rope.freq_base_swa") {
        sizes.number("rope.freq_base_swa")?
    } else {
        assumed("rope_local_base_freq 10000".to_owned());
        10_000.0
    };
    // llama.cpp knows the 27B by its layers, the only one whose scores are not scaled by its head's size.
    let scalar = if layers == 62 { hidden / sizes.heads as i64 } else { dim };
    assumed(format!("query_pre_attn_scalar {scalar}"));
    let scaling = match sizes.scaling(&["none", "linear"])? {
        "linear" => json!({"rope_type": "linear", "factor": shortest(sizes.number("rope.scaling.factor")?)?}),
        _ => Value::Null,
    };
    Ok(json!({
        "head_dim": dim,
        "query_pre_attn_scalar": scalar,
        "rope_theta": shortest(sizes.number("rope.freq_base")?)?,
        "rope_local_base_freq": shortest(local)?,
        "rope_scaling": scaling,
        "sliding_window": sizes.integer("attention.sliding_window")?,
        "sliding_window_pattern": pattern,
    }))
}

fn shortest(x: f64) -> Result<Value> {
    Ok(serde_json::from_str(&format!("{:?}", x as f32))?)
}
