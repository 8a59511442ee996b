//! Both formats as float32, each by its own definition: GGUF's blocks, and MLX's affine groups.

use std::{collections::BTreeMap, path::Path};

use half::f16;
use offprint::model::{
    Config,
    gguf::{Header, Storage, TensorInfo},
    spec::Mixer,
};
use safetensors::{Dtype, SafeTensors};

fn half(bytes: &[u8]) -> f32 {
    f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()
}

/// A GGUF tensor by the definition of its blocks (ggml's `dequantize_row_q4_1` and `dequantize_row_q8_0`).
pub fn of_gguf(file: &[u8], tensor: &TensorInfo) -> Vec<f32> {
    let bytes = &file[tensor.bytes.clone()];
    match tensor.storage {
        Storage::F32 => bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
        Storage::F16 => bytes.chunks_exact(2).map(half).collect(),
        Storage::Q4_1 => bytes
            .chunks_exact(20)
            .flat_map(|block| {
                let (scale, minimum, quants) = (half(block), half(&block[2..]), &block[4..]);
                let low = quants.iter().map(|byte| byte & 15);
                low.chain(quants.iter().map(|byte| byte >> 4)).map(move |q| scale * f32::from(q) + minimum)
            })
            .collect(),
        Storage::Q8_0 => bytes
            .chunks_exact(34)
            .flat_map(|block| block[2..].iter().map(|byte| half(block) * f32::from(*byte as i8)))
            .collect(),
    }
}

/// A module's weight by MLX's definition of its affine mode (`mlx.core.dequantize`): `scale * q + bias`, each group with
/// its own scale and bias, and the quants of a row packed into 32-bit words from the lowest bits up.
pub fn of_checkpoint(tensors: &SafeTensors<'_>, config: &Config, module: &str) -> Vec<f32> {
    let floats = |name: &str| -> Vec<f32> {
        let tensor = tensors.tensor(&format!("{module}.{name}")).unwrap();
        match tensor.dtype() {
            Dtype::F32 => tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
            Dtype::F16 => tensor.data().chunks_exact(2).map(half).collect(),
            other => panic!("{module}.{name}: {other:?}"),
        }
    };
    let weight = tensors.tensor(&format!("{module}.weight")).unwrap();
    if weight.dtype() != Dtype::U32 {
        return floats("weight");
    }
    let affine = config.quantization_of(module).unwrap();
    let per_word = 32 / affine.bits;
    let words = weight.data().chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let quants =
        words.flat_map(|word| (0..per_word).map(move |i| word >> (i * affine.bits) & ((1 << affine.bits) - 1)));
    let (scales, biases) = (floats("scales"), floats("biases"));
    quants.enumerate().map(|(i, q)| scales[i / affine.group_size] * q as f32 + biases[i / affine.group_size]).collect()
}

/// The checkpoint's name of a GGUF module.
fn module(name: &str) -> String {
    let names = BTreeMap::from([
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

/// Asserts that every weight of the GGUF file has the same bits in the folder that was made of it, that nothing else is
/// there, and gives each GGUF tensor to `seen`, in order of names. Returns how many tensors and weights it compared.
pub fn assert_equal(gguf: &[u8], folder: &Path, mut seen: impl FnMut(&[f32])) -> (usize, usize) {
    let header = Header::parse(gguf).unwrap();
    let config = Config::read(&folder.join("config.json")).unwrap();
    let file = std::fs::read(folder.join("model.safetensors")).unwrap();
    let checkpoint = SafeTensors::deserialize(&file).unwrap();
    let (mut count, mut arrays) = (0, 0);
    let mut tensors: Vec<&TensorInfo> = header.tensors.iter().collect();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    for tensor in &tensors {
        let module = module(&tensor.name);
        let Mixer::Attention(attention) = &config.spec.layers[0].mixer else { panic!("no attention") };
        let expected = of_gguf(gguf, tensor);
        seen(&expected);
        let mut found = of_checkpoint(&checkpoint, &config, &module);
        let columns = tensor.shape[tensor.shape.len() - 1] as usize;
        if module.ends_with("q_proj") {
            found = permuted(&found, attention.heads, columns);
        } else if module.ends_with("k_proj") {
            found = permuted(&found, attention.kv_heads, columns);
        }
        assert_eq!(found.len(), expected.len(), "{module}");
        let differ = found.iter().zip(&expected).position(|(a, b)| a.to_bits() != b.to_bits());
        assert!(differ.is_none(), "{module}, weight {differ:?} of {}", expected.len());
        count += expected.len();
        arrays += if checkpoint.tensor(&format!("{module}.scales")).is_ok() { 3 } else { 1 };
    }
    assert_eq!(checkpoint.len(), arrays, "no array without a tensor");
    (tensors.len(), count)
}
