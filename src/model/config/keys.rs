//! The keys of `config.json`: those that this program honours, those that change nothing here, and those that change what a model
//! computes and are refused unless they say what a Llama does anyway. A key on no list is told, never passed over.

use serde_json::{Map, Value};

/// Read and acted upon, by this module or by those who use it.
const HONOURED: &[&str] = &[
    "attention_bias",
    "eos_token_id",
    "head_dim",
    "hidden_size",
    "intermediate_size",
    "layer_types",
    "max_position_embeddings",
    "mlp_bias",
    "model_type",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "offprint_random_weights",
    "quantization",
    "quantization_config",
    "rms_norm_eps",
    "rope_parameters",
    "rope_scaling",
    "rope_theta",
    "sliding_window",
    "tie_word_embeddings",
    "use_sliding_window",
    "vocab_size",
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
    ("head_dim_v", Neutral::HeadDim),
    ("hidden_act", Neutral::OneOf(&["silu", "swish"])),
    ("hidden_activation", Neutral::OneOf(&["silu", "swish"])),
    ("lm_head_bias", Neutral::False),
    ("lm_head_multiplier", Neutral::Number(1.0)),
    ("logit_scale", Neutral::Number(1.0)),
    ("logit_softcapping", Neutral::Null),
    ("logits_scaling", Neutral::Number(1.0)),
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
    ("rope_pct", Neutral::Number(1.0)),
    ("rope_traditional", Neutral::False),
    ("rotary_dim", Neutral::HeadDim),
    ("rotary_emb_base", Neutral::Null),
    ("rotary_pct", Neutral::Number(1.0)),
    ("scale_depth", Neutral::Number(1.0)),
    ("scale_emb", Neutral::Number(1.0)),
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

/// Keys that change what the model computes and are not honoured, as `key = value`, and keys that nobody here knows.
pub(super) fn judge(config: &Map<String, Value>, head_dim: f64) -> (Vec<String>, Vec<String>) {
    let (mut changing, mut unknown) = (Vec::new(), Vec::new());
    // A key that says `null` says nothing, and transformers' own begin with `_`.
    let said = config.iter().filter(|(key, value)| !value.is_null() && !key.starts_with('_'));
    for (key, value) in said {
        if HONOURED.contains(&key.as_str()) || INERT.contains(&key.as_str()) {
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
pub(super) fn short(value: &Value) -> String {
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

    #[test]
    fn no_key_is_on_two_lists() {
        let mut all: Vec<&str> =
            HONOURED.iter().chain(INERT).copied().chain(CHANGING.iter().map(|(key, _)| *key)).collect();
        all.sort_unstable();
        let twice: Vec<_> = all.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }

    #[test]
    fn every_changing_key_is_refused_with_a_value_that_changes() {
        for (key, _) in CHANGING {
            for value in [json!(3.25), json!("other"), json!([1])] {
                let config = json!({ *key: value });
                let (changing, unknown) = judge(config.as_object().unwrap(), 16.0);
                assert!(changing.len() == 1 && changing[0].contains(key) && unknown.is_empty(), "{key} = {value}");
            }
            let null = json!({ *key: null });
            assert_eq!(judge(null.as_object().unwrap(), 16.0), (vec![], vec![]), "{key}");
        }
    }

    #[test]
    fn neutral_values_pass_and_strangers_are_told() {
        let config = json!({
            "hidden_act": "silu", "partial_rotary_factor": 1, "attention_multiplier": 0.25, "query_pre_attn_scalar": 16,
            "rope_traditional": false, "num_experts": 0, "mlp_only_layers": [], "use_rope": true, "_name_or_path": "x",
            "frobnication": {"a": 1}, "later": null,
        });
        assert_eq!(judge(config.as_object().unwrap(), 16.0), (vec![], vec!["`frobnication`".to_owned()]));
    }
}
