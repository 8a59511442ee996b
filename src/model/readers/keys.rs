//! The keys of `config.json`, which a reader takes one by one: what it has taken is honoured. Of the rest some change nothing
//! here, some change what a model computes and are refused unless they say what is done anyway, and those on no list are told,
//! never passed over.

use std::{cell::RefCell, collections::BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};

/// Read by those who use every configuration, whatever its family.
const OF_ALL: &[&str] = &[
    "eos_token_id",
    "max_position_embeddings",
    "model_type",
    "offprint_licence",
    "offprint_notes",
    "offprint_quantized",
    "offprint_random_weights",
    "quantization",
    "quantization_config",
];

/// Names and ids of tokens, bookkeeping, training, and how others generate: none of it changes what a step computes.
const INERT: &[&str] = &[
    "add_cross_attention",
    "architectures",
    "attention_dropout",
    "auto_map",
    "bad_words_ids",
    "begin_suppress_tokens",
    "bos_token_id",
    "cache_implementation",
    "chunk_size_feed_forward",
    "cls_token_id",
    "cross_attention_hidden_size",
    "decoder_start_token_id",
    "diversity_penalty",
    "do_sample",
    "dtype",
    "early_stopping",
    "embd_pdrop",
    "encoder_no_repeat_ngram_size",
    "exponential_decay_length_penalty",
    "finetuning_task",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "hidden_dropout",
    "id2label",
    "image_token_id",
    "initializer_range",
    "is_decoder",
    "is_encoder_decoder",
    "is_llama_config",
    "label2id",
    "length_penalty",
    "mask_token_id",
    "max_length",
    "max_window_layers",
    "min_length",
    "model_max_length",
    "model_name",
    "name_or_path",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_return_sequences",
    "offprint_imported_from",
    "original_max_position_embeddings",
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "pad_token_id",
    "prefix",
    "pretraining_tp",
    "problem_type",
    "pruned_heads",
    "remove_invalid_values",
    "repetition_penalty",
    "resid_pdrop",
    "return_dict",
    "return_dict_in_generate",
    "sep_token_id",
    "suppress_tokens",
    "task_specific_params",
    "temperature",
    "tf_legacy_loss",
    "tie_encoder_decoder",
    "tokenizer_class",
    "top_k",
    "top_p",
    "torch_dtype",
    "torchscript",
    "transformers.js_config",
    "transformers_version",
    "typical_p",
    "unk_token_id",
    "unsloth_fixed",
    "unsloth_version",
    "use_bfloat16",
    "use_cache",
];

/// What a key may say beside `null` without changing anything.
#[derive(Debug, Clone, Copy)]
enum Neutral {
    Null,
    False,
    True,
    Number(f64),
    /// Nothing at all: 0, `false`, an empty list.
    Empty,
    OneOf(&'static [&'static str]),
    /// 1 / √head_dim, by which scores are scaled.
    ScoreScale,
    HeadDim,
}

/// Keys of Llama's kin that change what is computed, with what they say where they do not.
const CHANGING: &[(&str, Neutral)] = &[
    ("activation_function", Neutral::OneOf(&["silu", "swish", "swiglu"])),
    ("alibi", Neutral::False),
    ("attention_bias", Neutral::False),
    ("attention_chunk_size", Neutral::Null),
    ("attention_head_dim", Neutral::HeadDim),
    ("attention_multiplier", Neutral::ScoreScale),
    ("attention_out_bias", Neutral::False),
    ("attn_logit_softcapping", Neutral::Null),
    ("attn_temperature_tuning", Neutral::Empty),
    ("clip_qkv", Neutral::Null),
    ("compression_config", Neutral::Null),
    ("embedding_multiplier", Neutral::Number(1.0)),
    ("final_logit_softcapping", Neutral::Null),
    ("head_dim", Neutral::HeadDim),
    ("head_dim_v", Neutral::HeadDim),
    ("hidden_act", Neutral::OneOf(&["silu", "swish"])),
    ("hidden_activation", Neutral::OneOf(&["silu", "swish"])),
    ("layer_types", Neutral::Empty),
    ("lm_head_bias", Neutral::False),
    ("lm_head_multiplier", Neutral::Number(1.0)),
    ("logit_scale", Neutral::Number(1.0)),
    ("logit_softcapping", Neutral::Null),
    ("logits_scaling", Neutral::Number(1.0)),
    ("mlp_bias", Neutral::False),
    ("mlp_multipliers", Neutral::Empty),
    ("mlp_only_layers", Neutral::Empty),
    ("no_rope_layer_interval", Neutral::Empty),
    ("no_rope_layers", Neutral::Empty),
    ("norm_bias", Neutral::False),
    ("norm_type", Neutral::OneOf(&["rms_norm", "rmsnorm"])),
    ("num_experts", Neutral::Empty),
    ("num_local_experts", Neutral::Empty),
    ("partial_rotary_factor", Neutral::Number(1.0)),
    ("position_embedding_type", Neutral::OneOf(&["rope", "rotary"])),
    ("qk_layernorm", Neutral::False),
    ("qk_norm", Neutral::False),
    ("qkv_bias", Neutral::False),
    ("query_pre_attn_scalar", Neutral::HeadDim),
    ("residual_multiplier", Neutral::Number(1.0)),
    ("rope_interleaved", Neutral::False),
    ("rope_local_base_freq", Neutral::Null),
    ("rope_parameters", Neutral::Null),
    ("rope_pct", Neutral::Number(1.0)),
    ("rope_scaling", Neutral::Null),
    ("rope_theta", Neutral::Null),
    ("rope_traditional", Neutral::False),
    ("rotary_dim", Neutral::HeadDim),
    ("rotary_emb_base", Neutral::Null),
    ("rotary_pct", Neutral::Number(1.0)),
    ("scale_depth", Neutral::Number(1.0)),
    ("scale_emb", Neutral::Number(1.0)),
    ("sliding_window", Neutral::Null),
    ("sliding_window_pattern", Neutral::Empty),
    ("text_config", Neutral::Null),
    ("tie_weights", Neutral::Null),
    ("use_bias", Neutral::False),
    ("use_cross_attention", Neutral::False),
    ("use_parallel_residual", Neutral::False),
    ("parallel_residual", Neutral::False),
    ("use_qk_norm", Neutral::False),
    ("use_rope", Neutral::True),
    ("v_head_dim", Neutral::HeadDim),
    ("vision_config", Neutral::Null),
    ("word_embed_proj_dim", Neutral::Null),
];

impl Neutral {
    fn is(self, value: &Value, head_dim: f64) -> bool {
        let number = |expected: f64| value.as_f64().is_some_and(|n| (n / expected - 1.0).abs() < 1e-6);
        match self {
            Neutral::Null => false,
            Neutral::False => value == false,
            Neutral::True => value == true,
            Neutral::Number(expected) => number(expected),
            Neutral::Empty => {
                value == false || value.as_f64() == Some(0.0) || value.as_array().is_some_and(Vec::is_empty)
            }
            Neutral::OneOf(names) => value.as_str().is_some_and(|name| names.contains(&name)),
            Neutral::ScoreScale => number(head_dim.powf(-0.5)),
            Neutral::HeadDim => number(head_dim),
        }
    }
}

/// The largest size that is believed.
const MOST: usize = 1 << 30;
const DAMAGED: &str = "hint: the file is damaged; fetch the checkpoint again";

/// The keys of one object, and which of them were taken.
#[derive(Debug)]
pub struct Keys<'a> {
    map: &'a Map<String, Value>,
    /// Of the object: `text_config.`, or nothing.
    place: &'static str,
    taken: RefCell<BTreeSet<String>>,
    notes: RefCell<Vec<String>>,
}

impl<'a> Keys<'a> {
    pub fn new(map: &'a Map<String, Value>, place: &'static str) -> Self {
        Keys { map, place, taken: RefCell::default(), notes: RefCell::default() }
    }

    /// The value of a key that is there and not `null`; from now on it counts as honoured.
    pub fn said(&self, key: &str) -> Option<&'a Value> {
        self.taken.borrow_mut().insert(key.to_owned());
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// A key as messages name it.
    pub fn name(&self, key: &str) -> String {
        format!("{}{key}", self.place)
    }

    /// What the records say of the checkpoint.
    pub fn note(&self, text: String) {
        self.notes.borrow_mut().push(text);
    }

    /// A size, 1 to 2^30.
    pub fn size(&self, key: &str) -> Result<usize> {
        self.optional_size(key)?.with_context(|| self.missing(key))
    }

    pub fn size_or(&self, key: &str, default: usize) -> Result<usize> {
        Ok(self.optional_size(key)?.unwrap_or(default))
    }

    pub fn optional_size(&self, key: &str) -> Result<Option<usize>> {
        match self.count_of(key)? {
            Some(0) => bail!("{}: expected 1 to {MOST}, found 0\n{DAMAGED}", self.name(key)),
            found => Ok(found),
        }
    }

    /// A number of things, which may be none.
    pub fn count_or(&self, key: &str, default: usize) -> Result<usize> {
        Ok(self.count_of(key)?.unwrap_or(default))
    }

    fn count_of(&self, key: &str) -> Result<Option<usize>> {
        let Some(value) = self.said(key) else { return Ok(None) };
        let size = value.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= MOST);
        let size =
            size.with_context(|| format!("{}: expected 1 to {MOST}, found {value}\n{DAMAGED}", self.name(key)))?;
        Ok(Some(size))
    }

    /// A number above 0.
    pub fn number(&self, key: &str) -> Result<f64> {
        self.optional_number(key)?.with_context(|| self.missing(key))
    }

    pub fn number_or(&self, key: &str, default: f64) -> Result<f64> {
        Ok(self.optional_number(key)?.unwrap_or(default))
    }

    pub fn optional_number(&self, key: &str) -> Result<Option<f64>> {
        let Some(value) = self.said(key) else { return Ok(None) };
        let found = value.as_f64().filter(|n| n.is_finite() && *n > 0.0);
        found
            .with_context(|| format!("{}: expected a number above 0, found {value}\n{DAMAGED}", self.name(key)))
            .map(Some)
    }

    pub fn flag(&self, key: &str) -> Result<bool> {
        self.optional_flag(key)?.with_context(|| self.missing(key))
    }

    pub fn flag_or(&self, key: &str, default: bool) -> Result<bool> {
        Ok(self.optional_flag(key)?.unwrap_or(default))
    }

    pub fn optional_flag(&self, key: &str) -> Result<Option<bool>> {
        let Some(value) = self.said(key) else { return Ok(None) };
        let found = value.as_bool();
        found.with_context(|| format!("{}: expected true or false, found {value}\n{DAMAGED}", self.name(key))).map(Some)
    }

    /// A list of names, one of `known` each, `length` of them.
    pub fn names(&self, key: &str, known: &[&'static str], length: usize) -> Result<Option<Vec<&'static str>>> {
        let Some(value) = self.said(key) else { return Ok(None) };
        let place = self.name(key);
        let list = value.as_array().with_context(|| format!("{place}: expected a list, found {value}\n{DAMAGED}"))?;
        ensure!(
            list.len() == length,
            "{place}: expected {length} of them, one a layer, found {}\n{DAMAGED}",
            list.len()
        );
        let name = |value: &Value| {
            let found = known.iter().copied().find(|name| value == name);
            found.with_context(|| {
                format!(
                    "{place}: expected one of `{}`, found {value}\nhint: choose another checkpoint",
                    known.join("`, `")
                )
            })
        };
        list.iter().map(name).collect::<Result<Vec<_>>>().map(Some)
    }

    /// A list of numbers of layers, or of flags.
    pub fn counts(&self, key: &str) -> Result<Option<Vec<usize>>> {
        let Some(value) = self.said(key) else { return Ok(None) };
        let count = |value: &Value| value.as_u64().and_then(|n| usize::try_from(n).ok());
        let found: Option<Vec<usize>> = value.as_array().and_then(|list| list.iter().map(count).collect());
        found
            .with_context(|| format!("{}: expected a list of whole numbers, found {value}\n{DAMAGED}", self.name(key)))
            .map(Some)
    }

    pub fn missing(&self, key: &str) -> String {
        format!("{}: missing\nhint: the checkpoint is incomplete, or of a kind that is not known here", self.name(key))
    }

    /// When all is read: refuses what changes the computation and was not taken; tells what nobody here knows.
    /// `head_dim`: of most layers.
    ///
    /// # Errors
    /// Keys that change what the model computes and are not honoured, by name.
    pub fn finish(self, head_dim: usize) -> Result<Vec<String>> {
        let taken = self.taken.into_inner();
        let (changing, unknown) = judge(self.map, &taken, head_dim as f64);
        let named = |keys: Vec<String>| keys.iter().map(|key| format!("{}{key}", self.place)).collect::<Vec<_>>();
        ensure!(
            changing.is_empty(),
            "{}: this changes what the model computes and is not honoured here\nhint: choose another checkpoint",
            named(changing).join(", ")
        );
        let mut notes = self.notes.into_inner();
        notes.extend(named(unknown).iter().map(|key| format!("config.json: {key} is not known to this program")));
        Ok(notes)
    }
}

/// Keys that change what the model computes and were not taken, as `key = value`, and keys that nobody here knows.
fn judge(config: &Map<String, Value>, taken: &BTreeSet<String>, head_dim: f64) -> (Vec<String>, Vec<String>) {
    let (mut changing, mut unknown) = (Vec::new(), Vec::new());
    // A key that says `null` says nothing, and transformers' own begin with `_`.
    let said = config.iter().filter(|(key, value)| !value.is_null() && !key.starts_with('_'));
    for (key, value) in said {
        if taken.contains(key) || OF_ALL.contains(&key.as_str()) || INERT.contains(&key.as_str()) {
            continue;
        }
        match CHANGING.iter().find(|(name, _)| name == key) {
            Some((_, neutral)) if neutral.is(value, head_dim) => {}
            Some(_) => changing.push(format!("`{key}` = {}", short(value))),
            None => unknown.push(format!("`{key}`")),
        }
    }
    (changing, unknown)
}

/// A value as an error shows it.
pub fn short(value: &Value) -> String {
    match value {
        Value::Object(_) => "{…}".to_owned(),
        Value::Array(list) if list.len() > 8 => format!("[{} values]", list.len()),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(config: &Value) -> (Vec<String>, Vec<String>) {
        judge(config.as_object().unwrap(), &BTreeSet::new(), 16.0)
    }

    #[test]
    fn no_key_is_on_two_lists() {
        let mut all: Vec<&str> =
            OF_ALL.iter().chain(INERT).copied().chain(CHANGING.iter().map(|(key, _)| *key)).collect();
        all.sort_unstable();
        let twice: Vec<_> = all.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }

    #[test]
    fn every_changing_key_is_refused_with_a_value_that_changes() {
        for (key, _) in CHANGING {
            for value in [json!(3.25), json!("other"), json!([1])] {
                let config = json!({ *key: value });
                let (changing, unknown) = judged(&config);
                assert!(changing.len() == 1 && changing[0].contains(key) && unknown.is_empty(), "{key} = {value}");
            }
            let null = json!({ *key: null });
            assert_eq!(judged(&null), (vec![], vec![]), "{key}");
        }
    }

    #[test]
    fn neutral_values_pass_and_strangers_are_told() {
        let config = json!({
            "hidden_act": "silu", "partial_rotary_factor": 1, "attention_multiplier": 0.25, "query_pre_attn_scalar": 16,
            "rope_traditional": false, "num_experts": 0, "mlp_only_layers": [], "use_rope": true, "_name_or_path": "x",
            "frobnication": {"a": 1}, "later": null, "rope_scaling": null, "attention_bias": false,
        });
        assert_eq!(judged(&config), (vec![], vec!["`frobnication`".to_owned()]));
    }
}
