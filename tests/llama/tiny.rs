//! A model so small that computing takes next to nothing: what is left of a generation is the host's part.

use std::path::Path;

use offprint::engine::{Engine, Prompt, Request, Sampling, mlx::Mlx};
use safetensors::Dtype;
use serde_json::json;
use tempfile::TempDir;

use crate::checkpoint;

/// Words that it knows: `w0`, `w1`, ...
pub const VOCABULARY: u64 = 96;

/// A checkpoint of two layers, 64 wide; its weights mean nothing.
pub fn folder() -> TempDir {
    let config = json!({
        "model_type": "llama", "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": VOCABULARY, "rms_norm_eps": 1e-5,
        "tie_word_embeddings": false, "quantization": {"group_size": 32, "bits": 4},
    });
    let folder = tempfile::tempdir().unwrap();
    checkpoint::write(folder.path(), &config, &checkpoint::tensors(&config, Dtype::F16), 1);
    folder
}

pub fn engine(folder: &Path) -> Mlx {
    let mut engine = Mlx::new(folder.to_owned());
    assert!(engine.load().unwrap() > 0);
    engine
}

/// Nanoseconds from the prompt's ids to the last of `tokens` tokens.
pub fn generate(engine: &mut Mlx, tokens: u32, temperature: f64) -> u64 {
    let sampling = Sampling { temperature, top_p: None, min_p: None, top_k: None };
    let prompt = "w1 w2 w3 w4".into();
    let request = Request {
        context: 0,
        batch: 1,
        prompt: Prompt::Text(prompt),
        chat_template: None,
        max_tokens: tokens,
        sampling,
        seed: 1,
        stop_on_eos: false,
        draft: None,
    };
    *engine.generate(&request).unwrap().token_times_ns.last().unwrap()
}
