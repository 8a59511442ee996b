//! Both formats as float32, each by its own definition: GGUF's blocks, and MLX's affine groups.

use std::{collections::BTreeMap, path::Path};

use half::f16;
use offprint::model::gguf::{Header, Storage, TensorInfo};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

fn half(bytes: &[u8]) -> f64 {
    f16::from_le_bytes([bytes[0], bytes[1]]).to_f64()
}

fn single(bytes: &[u8]) -> f64 {
    f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]).into()
}

fn brain(bytes: &[u8]) -> f64 {
    single(&[0, 0, bytes[0], bytes[1]])
}

/// Number `n` of `bits` bits in a stream from the lowest bit on.
fn bits(stream: &[u8], n: usize, bits: usize) -> u32 {
    (0..bits).map(|i| u32::from(stream[(n * bits + i) / 8] >> ((n * bits + i) % 8) & 1) << i).sum()
}

/// A GGUF tensor by the definition of its blocks (ggml's `dequantize_row_*`), in float64, rounded once.
pub fn of_gguf(file: &[u8], tensor: &TensorInfo) -> Vec<f32> {
    let bytes = &file[tensor.bytes.clone()];
    let (weights, size) = tensor.storage.block();
    let block = |block: &[u8], i: usize| -> f64 {
        // Of `width` weights whose nibbles share `width / 2` bytes, the first half are low.
        let nibble = |bytes: &[u8], i: usize, width: usize| -> f64 {
            let byte = bytes[i / width * width / 2 + i % (width / 2)];
            f64::from(if i % width < width / 2 { byte & 15 } else { byte >> 4 })
        };
        let fifth = |bytes: &[u8]| 16.0 * f64::from(bits(bytes, i, 1));
        // Scale and minimum of group `n` of 8, of 6 bits each.
        let small = |n: usize| -> (f64, f64) {
            let of = |at: usize| u32::from(block[4 + at]);
            let (scale, least) = match n {
                0..4 => (of(n) % 64, of(n + 4) % 64),
                _ => (of(n + 4) % 16 + of(n - 4) / 64 * 16, of(n + 4) / 16 + of(n) / 64 * 16),
            };
            (f64::from(scale), f64::from(least))
        };
        match tensor.storage {
            Storage::F32 => single(block),
            Storage::F16 => half(block),
            Storage::BF16 => brain(block),
            Storage::Q4_0 => half(block) * (nibble(&block[2..], i, 32) - 8.0),
            Storage::Q4_1 => half(block) * nibble(&block[4..], i, 32) + half(&block[2..]),
            Storage::Q5_0 => half(block) * (nibble(&block[6..], i, 32) + fifth(&block[2..6]) - 16.0),
            Storage::Q5_1 => half(block) * (nibble(&block[8..], i, 32) + fifth(&block[4..8])) + half(&block[2..]),
            Storage::Q8_0 => half(block) * f64::from(block[2 + i] as i8),
            Storage::Q4_K => {
                let (scale, least) = small(i / 32);
                half(block) * scale * nibble(&block[16..], i, 64) - half(&block[2..]) * least
            }
            Storage::Q5_K => {
                let (scale, least) = small(i / 32);
                let five = 16.0 * f64::from(block[16 + i % 32] >> (i / 32) & 1);
                half(block) * scale * (nibble(&block[48..], i, 64) + five) - half(&block[2..]) * least
            }
            Storage::Q6_K => {
                let upper = block[128 + i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
                let quant = nibble(block, i, 128) + 16.0 * f64::from(upper) - 32.0;
                half(&block[208..]) * f64::from(block[192 + i / 16] as i8) * quant
            }
        }
    };
    let blocks = bytes.chunks_exact(size as usize);
    blocks.flat_map(|bytes| (0..weights as usize).map(|i| block(bytes, i) as f32).collect::<Vec<_>>()).collect()
}

/// A module's weight by MLX's definition of its affine mode (`mlx.core.dequantize`): `scale * q + bias`, each group with
/// its own scale and bias, and the quants of a row packed into 32-bit words from the lowest bits up.
pub fn of_checkpoint(tensors: &SafeTensors<'_>, config: &Value, module: &str) -> Vec<f32> {
    let floats = |name: &str| -> Vec<f32> {
        let tensor = tensors.tensor(&format!("{module}.{name}")).unwrap();
        let number: (usize, fn(&[u8]) -> f64) = match tensor.dtype() {
            Dtype::F32 => (4, single),
            Dtype::F16 => (2, half),
            Dtype::BF16 => (2, brain),
            other => panic!("{module}.{name}: {other:?}"),
        };
        tensor.data().chunks_exact(number.0).map(|bytes| number.1(bytes) as f32).collect()
    };
    let weight = tensors.tensor(&format!("{module}.weight")).unwrap();
    if weight.dtype() != Dtype::U32 {
        return floats("weight");
    }
    let (group, width) = quantization(config, module).unwrap();
    let (scales, biases) = (floats("scales"), floats("biases"));
    // A row is whole words, so the rows are one stream.
    let quants = (0..scales.len() * group).map(|n| bits(weight.data(), n, width) as f32);
    quants.enumerate().map(|(i, q)| scales[i / group] * q + biases[i / group]).collect()
}

/// Group and bits of a module by `config.json`, as mlx-lm reads it.
pub fn quantization(config: &Value, module: &str) -> Option<(usize, usize)> {
    let all = &config["quantization"];
    let own = all.get(module).unwrap_or(all);
    let number = |key: &str| own.get(key)?.as_u64().map(|n| n as usize);
    number("group_size").zip(number("bits"))
}

/// The checkpoint's name of a GGUF module.
fn module(name: &str, gemma: bool) -> String {
    let mut names = BTreeMap::from([
        ("token_embd", "model.embed_tokens"),
        ("output_norm", "model.norm"),
        ("output", "lm_head"),
        ("attn_q", "self_attn.q_proj"),
        ("attn_k", "self_attn.k_proj"),
        ("attn_v", "self_attn.v_proj"),
        ("attn_output", "self_attn.o_proj"),
        ("attn_norm", "input_layernorm"),
        ("ffn_norm", "post_attention_layernorm"),
        ("ffn_gate", "mlp.gate_proj"),
        ("ffn_up", "mlp.up_proj"),
        ("ffn_down", "mlp.down_proj"),
    ]);
    if gemma {
        names.extend([
            ("attn_q_norm", "self_attn.q_norm"),
            ("attn_k_norm", "self_attn.k_norm"),
            ("post_attention_norm", "post_attention_layernorm"),
            ("ffn_norm", "pre_feedforward_layernorm"),
            ("post_ffw_norm", "post_feedforward_layernorm"),
        ]);
    }
    let parts: Vec<&str> = name.split('.').collect();
    match parts[..] {
        [name, "weight"] => names[name].to_owned(),
        ["blk", layer, name, "weight"] => format!("model.layers.{layer}.{}", names[name]),
        _ => panic!("{name}"),
    }
}

/// What `convert_hf_to_gguf.py` does to q and k: `w.reshape(heads, 2, dim / 2, columns).swapaxes(1, 2).reshape(w.shape)`.
fn permuted(weights: &[f32], heads: usize, columns: usize) -> Vec<f32> {
    let half = weights.len() / columns / heads / 2;
    let mut rows = Vec::with_capacity(weights.len());
    for head in 0..heads {
        for i in 0..half {
            for part in 0..2 {
                rows.extend_from_slice(&weights[((head * 2 + part) * half + i) * columns..][..columns]);
            }
        }
    }
    rows
}

/// Asserts that every weight of the GGUF file is the same number in the folder that was made of it (less 1 for Gemma's norms,
/// and zeros have no sign), that nothing else is there, and gives each GGUF tensor to `seen`, in order of names. Returns how
/// many tensors and weights it compared.
pub fn assert_equal(gguf: &[u8], folder: &Path, mut seen: impl FnMut(&[f32])) -> (usize, usize) {
    let header = Header::parse(gguf).unwrap();
    let gemma = header.text("general.architecture").unwrap() == "gemma3";
    let config: Value = serde_json::from_slice(&std::fs::read(folder.join("config.json")).unwrap()).unwrap();
    let heads = |key: &str| config[key].as_u64().unwrap() as usize;
    let file = std::fs::read(folder.join("model.safetensors")).unwrap();
    let checkpoint = SafeTensors::deserialize(&file).unwrap();
    let (mut count, mut arrays) = (0, 0);
    let mut tensors: Vec<&TensorInfo> = header.tensors.iter().collect();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    for tensor in &tensors {
        let module = module(&tensor.name, gemma);
        let mut expected = of_gguf(gguf, tensor);
        seen(&expected);
        let mut found = of_checkpoint(&checkpoint, &config, &module);
        let columns = tensor.shape[tensor.shape.len() - 1] as usize;
        if gemma && tensor.shape.len() == 1 {
            expected.iter_mut().for_each(|weight| *weight = (f64::from(*weight) - 1.0) as f32);
        } else if !gemma && module.ends_with("q_proj") {
            found = permuted(&found, heads("num_attention_heads"), columns);
        } else if !gemma && module.ends_with("k_proj") {
            found = permuted(&found, heads("num_key_value_heads"), columns);
        }
        assert_eq!(found.len(), expected.len(), "{module}");
        let differ = found.iter().zip(&expected).position(|(a, b)| a != b);
        assert!(differ.is_none(), "{module}, weight {differ:?} of {}", expected.len());
        count += expected.len();
        arrays += if checkpoint.tensor(&format!("{module}.scales")).is_ok() { 3 } else { 1 };
    }
    assert_eq!(checkpoint.len(), arrays, "no array without a tensor");
    (tensors.len(), count)
}
