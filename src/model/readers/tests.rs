//! What each reader refuses, honours and tells. That what it honours is computed as mlx-lm computes it is tested on checkpoints
//! (`tests/models`).

use serde_json::{Value, json};

use super::READERS;
use crate::model::config::Config;

/// A Llama's config with these further keys; `null` removes one.
fn with(more: Value) -> anyhow::Result<Config> {
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
    let affine = |more: Value| {
        let mut quantization = json!({"bits": 4, "group_size": 64});
        quantization.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"quantization": quantization})
    };
    let cases = [
        (
            json!({"model_type": "kimi_vl", "text_config": {"model_type": "deepseek_v3"}}),
            "found `kimi_vl`, which is built around a `deepseek_v3` (text_config)",
        ),
        (
            json!({"model_type": "gemma3", "text_config": {"model_type": "llama"}}),
            "text_config.model_type: expected one of `gemma3_text`, found `llama`",
        ),
        (json!({"model_type": null, "hidden_size": null}), "found no such key"),
        (json!({"model_type": 7}), "found 7"),
        (json!({"hidden_size": null}), "hidden_size: missing"),
        (json!({"hidden_size": "big"}), "hidden_size: expected 1 to 1073741824, found \"big\""),
        (json!({"hidden_size": 0}), "hidden_size: expected 1 to"),
        (json!({"num_key_value_heads": 3}), "4 heads cannot share 3"),
        (json!({"head_dim": 15}), "head_dim: expected an even number, 2 to 65536, found 15"),
        (json!({"head_dim": 1 << 30}), "head_dim: expected an even number, 2 to 65536, found 1073741824"),
        (json!({"num_hidden_layers": 1 << 30}), "num_hidden_layers: expected 1 to 4096, found 1073741824"),
        (
            json!({"model_type": "gemma4_text", "num_kv_shared_layers": 0, "sliding_window_pattern": 2, "global_head_dim": 33}),
            "layer 1: head_dim: expected an even number, 2 to 65536, found 33",
        ),
        (
            json!({"model_type": "gemma4_text", "num_kv_shared_layers": 0, "sliding_window_pattern": 2, "attention_k_eq_v": true, "num_global_key_value_heads": 3}),
            "layer 1: 4 heads cannot share 3 key-value heads",
        ),
        (json!({"model_type": "mixtral", "num_experts_per_tok": 9}), "layer 0: 9 of 8 experts cannot be chosen"),
        (json!({"alibi": true, "hidden_act": "gelu"}), "`alibi` = true, `hidden_act` = \"gelu\": this changes"),
        (json!({"final_logit_softcapping": 30.0}), "`final_logit_softcapping` = 30.0"),
        (json!({"model_type": "qwen2", "head_dim": 32}), "`head_dim` = 32"),
        (json!({"model_type": "qwen2", "attention_bias": true}), "`attention_bias` = true"),
        (json!({"model_type": "qwen3"}), "rope_theta: missing"),
        (json!({"model_type": "qwen3", "rope_theta": 1e6}), "tie_word_embeddings: missing"),
        (json!({"model_type": "gpt_oss", "swiglu_limit": 6.0}), "swiglu_limit: expected 7, found 6"),
        (json!({"model_type": "cohere2", "use_parallel_block": false}), "use_parallel_block: expected true"),
        (json!({"model_type": "gemma2", "hidden_act": "silu"}), "hidden_act: expected one of `gelu_pytorch_tanh`"),
        (json!({"model_type": "gemma2", "tie_word_embeddings": false}), "tie_word_embeddings = false"),
        (
            json!({"model_type": "phi3", "rope_scaling": {"type": "yarn", "factor": 4.0}}),
            "`yarn` is not known for this family",
        ),
        (json!({"model_type": "phi3", "partial_rotary_factor": 0.01}), "0 of 16 dimensions cannot be rotated"),
        (json!({"model_type": "smollm3", "no_rope_layers": [1]}), "no_rope_layers: expected 2 of them"),
        (json!({"model_type": "lfm2"}), "block_multiple_of: missing"),
        (json!({"rope_scaling": {"type": "spiral", "factor": 4.0}}), "rope_scaling: `spiral` is not known"),
        (
            json!({"layer_types": ["sliding_attention", "full_attention"]}),
            "layer_types asks for it: sliding_window: missing",
        ),
        (json!({"layer_types": ["full_attention", "linear_attention"]}), "found \"linear_attention\""),
        (json!({"layer_types": ["full_attention"]}), "layer_types: expected 2 of them"),
        (
            json!({"layer_types": ["full_attention", "sliding_attention"], "sliding_window": 0}),
            "sliding_window: expected 1 to",
        ),
        (
            json!({"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128}}),
            "quant_method: the weights were quantised by `gptq`",
        ),
        (
            json!({"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": true}}),
            "quantised by `bitsandbytes`",
        ),
        (json!({"quantization_config": {"quant_method": "fp8"}}), "quantised by `fp8`"),
        (json!({"quantization_config": {"quant_method": "compressed-tensors"}}), "quantised by `compressed-tensors`"),
        (json!({"quantization_config": {"load_in_4bit": true}}), "quantization_config.group_size: missing"),
        (affine(json!({"mode": "mxfp6"})), "quantization.mode: expected one of `affine`, `mxfp4`, `mxfp8`, `nvfp4`"),
        (affine(json!({"mode": "mxfp4"})), "quantization.group_size: expected one of 32 in mode mxfp4, found 64"),
        (
            affine(json!({layer: {"bits": 4, "group_size": 32, "mode": "nvfp4"}})),
            "quantization.model.layers.0.mlp.down_proj.group_size: expected one of 16 in mode nvfp4, found 32",
        ),
        (
            affine(json!({layer: {"bits": 7, "group_size": 32}})),
            "quantization.model.layers.0.mlp.down_proj.bits: expected one of 2, 3, 4, 5, 6, 8, found 7",
        ),
        (affine(json!({"group_size": 16})), "quantization.group_size: expected one of 32, 64, 128, found 16"),
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
        "quantization_config": {"bits": 5, "group_size": 64}, "max_position_embeddings": 2048,
    });
    let config = with(silent).unwrap();
    assert_eq!(config.notes, Vec::<String>::new());
    assert_eq!(config.quantization.unwrap().words(), "5-bit affine, group 64");
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
        (json!({"sliding_window": 4096}), "config.json: sliding_window = 4096 is not computed, as in mlx-lm"),
    ];
    for (more, words) in told {
        assert_eq!(with(more).unwrap().notes, [words]);
    }
}

#[test]
fn a_window_is_that_of_the_layers_that_have_it() {
    let types = json!(["full_attention", "sliding_attention"]);
    let cases = [
        (json!({}), None, None),
        (json!({"sliding_window": 8}), None, Some(8)),
        (json!({"model_type": "mistral", "sliding_window": 8}), None, Some(8)),
        (json!({"sliding_window": 8, "use_sliding_window": false}), None, None),
        (json!({"sliding_window": 8, "layer_types": ["full_attention", "full_attention"]}), None, None),
        (json!({"sliding_window": 8, "layer_types": types}), Some(8), None),
    ];
    for (more, window, ignored) in cases {
        let config = with(more.clone()).unwrap();
        assert_eq!((config.spec.window(), config.ignored_window), (window, ignored), "{more}");
    }
}

#[test]
fn no_architecture_is_there_twice_and_each_says_what_it_is() {
    for (index, reader) in READERS.iter().enumerate() {
        assert!(READERS[..index].iter().all(|other| other.model_type != reader.model_type), "{}", reader.model_type);
        assert!(!reader.models.is_empty());
    }
}
