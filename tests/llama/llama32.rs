//! Llama 3.2 1B Instruct in 4 bits, by shape: its published configuration, weights without meaning.

use std::fs;

use offprint::engine::{Engine, Prompt, Request, Sampling, mlx::Mlx};
use safetensors::Dtype as Stored;
use serde_json::json;

use crate::{checkpoint, mlx};

#[test]
fn a_checkpoint_of_its_shape_loads_and_generates() {
    let _alone = mlx();
    let config = json!({
        "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
        "bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009], "head_dim": 64, "hidden_act": "silu",
        "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 8192, "max_position_embeddings": 131072,
        "mlp_bias": false, "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 16,
        "num_key_value_heads": 8, "pretraining_tp": 1, "quantization": {"group_size": 64, "bits": 4},
        "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
        "transformers_version": "4.45.0.dev0", "use_cache": true, "vocab_size": 128256,
        "rope_scaling": {
            "factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
            "original_max_position_embeddings": 8192, "rope_type": "llama3",
        },
    });
    let folder = tempfile::tempdir().unwrap();
    let tensors = checkpoint::tensors(&config, Stored::F16);
    // Seven matrices of three tensors and two norms a layer; the embedding's three, the last norm.
    assert_eq!(tensors.len(), 16 * (7 * 3 + 2) + 3 + 1);
    checkpoint::write(folder.path(), &config, &tensors, 1);
    drop(tensors);
    // 1,235,814,400 parameters, but for the norms at 4.5 bits.
    let bytes = fs::metadata(folder.path().join("model.safetensors")).unwrap().len();
    assert_eq!(bytes / 1_000_000, 695);

    let mut engine = Mlx::new(folder.path().to_owned());
    engine.load().unwrap();
    let sampling = Sampling { temperature: 0.7, top_p: Some(0.9), min_p: None, top_k: None };
    let request = Request {
        prompt: Prompt::Text("w791 w6864 w315 w9822".into()),
        context: 0,
        batch: 1,
        chat_template: None,
        max_tokens: 3,
        sampling,
        seed: 1,
        stop_on_eos: false,
        draft: None,
    };
    let generation = engine.generate(&request).unwrap();
    assert_eq!((generation.n_prompt, generation.tokens.len()), (4, 3));
    // Weights with float16 scales are 695 MB, 772 where the processor needs them cast; cache and activations add little.
    let peak = generation.peak_memory_bytes.unwrap();
    assert!((695_000_000..850_000_000).contains(&peak), "{peak}");
}
