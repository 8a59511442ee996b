//! Any bytes as a GGUF file: what is accepted lies within the file.
#![no_main]

use libfuzzer_sys::fuzz_target;

// The module itself, so that no MLX is needed.
#[allow(dead_code)]
#[path = "../../src/model/gguf.rs"]
mod gguf;

fuzz_target!(|bytes: &[u8]| {
    let Ok(header) = gguf::Header::parse(bytes) else { return };
    for tensor in &header.tensors {
        assert!(tensor.bytes.start <= tensor.bytes.end && tensor.bytes.end <= bytes.len(), "{tensor:?}");
    }
});
