//! Any bytes as a checkpoint folder: `config.json`, a zero byte, `model.safetensors`. Opened, and identified if it opens.
#![no_main]

use std::{fs, path::PathBuf, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
// The module looks for them here.
use offprint::{digest, machine};

// The module itself, so that no MLX is needed.
#[allow(dead_code)]
#[path = "../../src/model/checkpoint.rs"]
mod checkpoint;

/// One folder a process, in memory where the system has such a place.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let parent = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = parent.join(format!("offprint-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("tokenizer.json"), "{}").unwrap();
    folder
});

fuzz_target!(|bytes: &[u8]| {
    let (config, weights) = match bytes.iter().position(|byte| *byte == 0) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[] as &[u8]),
    };
    fs::write(FOLDER.join("config.json"), config).unwrap();
    fs::write(FOLDER.join("model.safetensors"), weights).unwrap();
    if let Ok(checkpoint) = checkpoint::Checkpoint::open(&FOLDER) {
        let facts = checkpoint.facts("m", "path:here").unwrap();
        assert_eq!(facts.weight_bytes, weights.len() as u64);
    }
});
