//! What is known before the first run, on checkpoints so small that the test makes them: each fault is found, once, by name,
//! and what is no fault is not. Through the function, and through the binary that refuses.
#![cfg(all(unix, feature = "mlx"))]
#![allow(clippy::unwrap_used)]

#[path = "../llama/checkpoint.rs"]
mod checkpoint;
mod again;
mod faults;
mod refused;

use std::{fs, path::Path};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Words that the tokenizer knows: `w0`, `w1`, ...
const VOCABULARY: u64 = 96;

/// A Llama of two layers that knows 64 positions, with these keys besides; `null` takes a key away.
fn config(more: &Value) -> Value {
    let mut config = json!({
        "model_type": "llama", "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": VOCABULARY, "rms_norm_eps": 1e-5,
        "max_position_embeddings": 64, "tie_word_embeddings": false, "eos_token_id": 1,
    });
    for (key, value) in more.as_object().unwrap() {
        config[key] = value.clone();
        if value.is_null() {
            config.as_object_mut().unwrap().remove(key);
        }
    }
    config
}

/// A checkpoint whose tensors are those of a plain one.
fn tiny(more: &Value) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), more);
    folder
}

fn write(folder: &Path, more: &Value) {
    let config = config(more);
    let mut sizes = config.clone();
    // What is tied only by default has its head in the file.
    sizes["tie_word_embeddings"] = json!(config.get("tie_word_embeddings").is_some_and(|tied| tied == true));
    checkpoint::write(folder, &config, &checkpoint::tensors(&sizes, safetensors::Dtype::F16), 1);
}

/// Changes a JSON file of a folder, which need not be there.
fn edit(folder: &Path, name: &str, change: impl FnOnce(&mut Value)) {
    let file = folder.join(name);
    let mut value = fs::read_to_string(&file).map_or_else(|_| json!({}), |text| serde_json::from_str(&text).unwrap());
    change(&mut value);
    fs::write(file, value.to_string()).unwrap();
}

/// A study of these models (id and folder), with 2 x 3 runs of two prompts; `settings` go into its benchmark settings.
fn study(models: &[(&str, &Path)], settings: &str) -> String {
    let models: Vec<String> = models
        .iter()
        .map(|(id, folder)| format!("{{id: {id}, name: {id}, source: \"path:{}\"}}", folder.display()))
        .collect();
    format!(
        "study: {{name: test}}\nmodels: [{}]\nprompts: [\"w1 w2 w3\", \"w4\"]\n\
         benchmark_settings: {{max_tokens: [4], temperatures: [0], num_runs: 3, warmup_runs: 0{settings}}}\n\
         execution: {{isolation: session}}\n",
        models.join(", ")
    )
}
