//! A GGUF file of a Llama-like model -> an MLX checkpoint folder. Lossless: GGUF's Q4_1 and Q8_0 are MLX's affine
//! format in another packing, so every dequantised weight keeps its bits. Other storages are refused, not rounded.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use half::f16;
use serde_json::{Map, Value, json};

use crate::model::{
    checkpoint,
    gguf::{Header, Storage, TensorInfo, Value as Meta},
    terms::Terms,
    vocabulary,
};

/// Both block formats of GGUF have 32 weights a block.
const GROUP: usize = 32;

/// Writes `model.safetensors`, `config.json`, `generation_config.json`, `tokenizer.json`, `tokenizer_config.json` and the
/// checksums of these files, as `sha256sum` has them, into `folder`, which must exist.
///
/// # Errors
/// Not a Llama-like GGUF file, a tensor without a place in the model, a full disk.
pub fn import(gguf: &Path, folder: &Path) -> Result<()> {
    import_under(gguf, folder, None)
}

/// The same for weights under terms that somebody accepted: `config.json` and `offprint.json` name them, and their text,
/// from the folder of the second part, lies beside.
///
/// # Errors
/// As [`import`]; terms without their text.
pub fn import_under(gguf: &Path, folder: &Path, terms: Option<(&Terms, &Path)>) -> Result<()> {
    let hint = "hint: a whole GGUF file of a Llama-like model in F32, F16, Q4_1 and Q8_0 is what can be imported";
    import_llama(gguf, folder, terms).with_context(|| format!("{}\n{hint}", gguf.display()))
}

fn import_llama(gguf: &Path, folder: &Path, terms: Option<(&Terms, &Path)>) -> Result<()> {
    let file = File::open(gguf)?;
    // SAFETY: the file is ours alone while it is imported; were it changed, the checksums of the result would differ.
    let bytes = unsafe { memmap2::Mmap::map(&file) }?;
    let header = Header::parse(&bytes)?;
    let architecture = header.text("general.architecture")?;
    ensure!(architecture == "llama", "general.architecture: expected `llama`, found `{architecture}`");
    if let Ok(scaling) = header.text("llama.rope.scaling.type") {
        ensure!(scaling == "none", "llama.rope.scaling.type: expected `none`, found `{scaling}`");
    }

    let positive = |key: &str| -> Result<u64> {
        let n = header.integer(key)?;
        u64::try_from(n).ok().filter(|n| *n > 0).with_context(|| format!("metadata key `{key}`: {n} is not positive"))
    };
    let heads = positive("llama.attention.head_count")?;
    let kv_key = "llama.attention.head_count_kv";
    let kv_heads = if header.metadata.contains_key(kv_key) { positive(kv_key)? } else { heads };
    let tensors =
        header.tensors.iter().map(|tensor| Placed::of(tensor, heads, kv_heads)).collect::<Result<Vec<_>>>()?;

    write_safetensors(&bytes, &tensors, &folder.join("model.safetensors"))?;
    let write = |name: &str, value: &Value| -> Result<()> {
        let path = folder.join(name);
        fs::write(&path, serde_json::to_string_pretty(value)? + "\n").with_context(|| format!("{}", path.display()))
    };
    let mut config = config(&header, &tensors)?;
    if let Some((terms, from)) = terms {
        config["offprint_licence"] = terms.record();
        terms.write_text(from, folder)?;
        write("offprint.json", &json!({"licence": terms.record()}))?;
    }
    write("config.json", &config)?;
    write(
        "generation_config.json",
        &json!({
            "bos_token_id": header.integer("tokenizer.ggml.bos_token_id").ok(),
            "eos_token_id": header.integer("tokenizer.ggml.eos_token_id").ok(),
        }),
    )?;
    write("tokenizer.json", &vocabulary::tokenizer_json(&header)?)?;
    write("tokenizer_config.json", &vocabulary::tokenizer_config(&header)?)?;
    checkpoint::write_checksums(folder)
}

/// A tensor with its name in the checkpoint and, for q and k, the heads whose rows are permuted.
struct Placed<'a> {
    info: &'a TensorInfo,
    module: String,
    permuted_heads: Option<u64>,
}

impl<'a> Placed<'a> {
    fn of(info: &'a TensorInfo, heads: u64, kv_heads: u64) -> Result<Self> {
        let Some(path) = info.name.strip_suffix(".weight") else {
            bail!("tensor `{}` has no place in a Llama model", info.name);
        };
        let (module, permuted_heads) = match path {
            "token_embd" => ("model.embed_tokens".to_owned(), None),
            "output_norm" => ("model.norm".to_owned(), None),
            "output" => ("lm_head".to_owned(), None),
            _ => {
                let block = path.strip_prefix("blk.").and_then(|rest| rest.split_once('.'));
                let Some((layer, part)) = block.filter(|(layer, _)| layer.parse::<u32>().is_ok()) else {
                    bail!("tensor `{}` has no place in a Llama model", info.name);
                };
                let (place, permuted) = match part {
                    "attn_q" => ("self_attn.q_proj", Some(heads)),
                    "attn_k" => ("self_attn.k_proj", Some(kv_heads)),
                    "attn_v" => ("self_attn.v_proj", None),
                    "attn_output" => ("self_attn.o_proj", None),
                    "attn_norm" => ("input_layernorm", None),
                    "ffn_norm" => ("post_attention_layernorm", None),
                    "ffn_gate" => ("mlp.gate_proj", None),
                    "ffn_up" => ("mlp.up_proj", None),
                    "ffn_down" => ("mlp.down_proj", None),
                    _ => bail!("tensor `{}` has no place in a Llama model", info.name),
                };
                (format!("model.layers.{layer}.{place}"), permuted)
            }
        };
        let placed = Placed { info, module, permuted_heads };
        let rank = if path.ends_with("_norm") { 1 } else { 2 };
        ensure!(
            info.shape.len() == rank,
            "tensor `{}`: expected {rank} dimensions, found {}",
            info.name,
            info.shape.len()
        );
        ensure!(rank == 2 || placed.bits().is_none(), "tensor `{}`: a norm cannot be quantised", info.name);
        if let Some(heads) = permuted_heads {
            let even = heads.checked_mul(2).is_some_and(|halves| info.shape[0].is_multiple_of(halves));
            ensure!(even, "tensor `{}`: {} rows for {heads} heads", info.name, info.shape[0]);
        }
        Ok(placed)
    }

    /// Bits of MLX's affine format; `None`: the tensor is not quantised.
    fn bits(&self) -> Option<usize> {
        match self.info.storage {
            Storage::Q4_1 => Some(4),
            Storage::Q8_0 => Some(8),
            Storage::F32 | Storage::F16 => None,
        }
    }

    /// The row of the file that holds row `row` of the checkpoint. GGUF interleaves the two halves of each q and k
    /// head for its own rope (llama.cpp's `convert_hf_to_gguf.py`, `permute`); this undoes it.
    fn source_row(&self, row: usize) -> usize {
        let Some(heads) = self.permuted_heads else { return row };
        let dim = self.info.shape[0] as usize / heads as usize;
        let (head, within) = (row / dim, row % dim);
        let (half, i) = (within / (dim / 2), within % (dim / 2));
        head * dim + 2 * i + half
    }

    /// The arrays that this tensor becomes: name suffix, dtype, shape.
    fn arrays(&self) -> Vec<(&'static str, &'static str, Vec<u64>)> {
        let shape = &self.info.shape;
        let Some(bits) = self.bits() else {
            let dtype = if self.info.storage == Storage::F32 { "F32" } else { "F16" };
            return vec![("weight", dtype, shape.clone())];
        };
        let (rows, columns) = (shape[0], shape[shape.len() - 1]);
        let groups = columns / GROUP as u64;
        vec![
            ("weight", "U32", vec![rows, columns * bits as u64 / 32]),
            ("scales", "F16", vec![rows, groups]),
            ("biases", "F16", vec![rows, groups]),
        ]
    }

    /// The bytes of one of [`Placed::arrays`], row by row.
    fn write(&self, file: &[u8], array: &str, out: &mut impl Write) -> Result<()> {
        let bytes = &file[self.info.bytes.clone()];
        let rows = if self.info.shape.len() == 1 { 1 } else { self.info.shape[0] as usize };
        let row_bytes = bytes.len() / rows.max(1);
        let (_, block_bytes) = self.info.storage.block();
        for row in 0..rows {
            let at = self.source_row(row) * row_bytes;
            let row = &bytes[at..at + row_bytes];
            if self.bits().is_none() {
                out.write_all(row)?;
                continue;
            }
            for block in row.chunks_exact(block_bytes as usize) {
                match (self.info.storage, array) {
                    (Storage::Q4_1, "weight") => out.write_all(&nibbles_in_order(&block[4..]))?,
                    (Storage::Q8_0, "weight") => out.write_all(&unsigned(&block[2..]))?,
                    (_, "scales") => out.write_all(&block[..2])?,
                    (Storage::Q4_1, _) => out.write_all(&block[2..4])?,
                    _ => out.write_all(&bias_of_signed(&block[..2])?)?,
                }
            }
        }
        Ok(())
    }
}

/// GGUF keeps weights 0..16 in the low nibbles and 16..32 in the high ones; MLX keeps them in order, low nibble first.
fn nibbles_in_order(quants: &[u8]) -> [u8; 16] {
    std::array::from_fn(|i| {
        let weight = |n: usize| if n < 16 { quants[n] & 15 } else { quants[n - 16] >> 4 };
        weight(2 * i) | weight(2 * i + 1) << 4
    })
}

/// Signed bytes to unsigned ones: `q + 128`.
fn unsigned(quants: &[u8]) -> [u8; GROUP] {
    std::array::from_fn(|i| quants[i] ^ 0x80)
}

/// `scale * q == scale * (q + 128) - 128 * scale`; a power of two costs no bits unless float16 overflows.
fn bias_of_signed(scale: &[u8]) -> Result<[u8; 2]> {
    let scale = f16::from_le_bytes([scale[0], scale[1]]);
    let bias = f16::from_f32(scale.to_f32() * -128.0);
    ensure!(bias.to_f32() == scale.to_f32() * -128.0, "the scale {scale} has no exact float16 bias");
    Ok(bias.to_le_bytes())
}

/// Streams the tensors out: a header of names, types and offsets, then their bytes in that order.
fn write_safetensors(file: &[u8], tensors: &[Placed<'_>], to: &Path) -> Result<()> {
    let mut directory = Map::new();
    directory.insert("__metadata__".into(), json!({"format": "mlx"}));
    let mut offset = 0;
    for tensor in tensors {
        for (suffix, dtype, shape) in tensor.arrays() {
            let width = if dtype.ends_with("16") { 2 } else { 4 };
            let end = offset + shape.iter().product::<u64>() * width;
            let name = format!("{}.{suffix}", tensor.module);
            let entry = json!({"dtype": dtype, "shape": shape, "data_offsets": [offset, end]});
            ensure!(directory.insert(name.clone(), entry).is_none(), "`{name}` is there twice");
            offset = end;
        }
    }
    let mut header = serde_json::to_vec(&Value::Object(directory))?;
    header.resize(header.len().div_ceil(8) * 8, b' ');
    let context = || format!("{}", to.display());
    let mut out = BufWriter::new(File::create(to).with_context(context)?);
    out.write_all(&(header.len() as u64).to_le_bytes()).with_context(context)?;
    out.write_all(&header).with_context(context)?;
    for tensor in tensors {
        for (suffix, ..) in tensor.arrays() {
            tensor.write(file, suffix, &mut out).with_context(context)?;
        }
    }
    out.into_inner().map_err(|error| error.into_error()).with_context(context)?.sync_all().with_context(context)
}

/// `config.json`: the model's sizes, and how each module is quantised where it differs from most.
fn config(header: &Header, tensors: &[Placed<'_>]) -> Result<Value> {
    let embedding =
        tensors.iter().find(|t| t.module == "model.embed_tokens").context("tensor `token_embd.weight`: missing")?;
    let mut quantization = json!({"group_size": GROUP, "bits": 4});
    for tensor in tensors.iter().filter(|t| t.info.shape.len() == 2 && t.bits() != Some(4)) {
        quantization[&tensor.module] = match tensor.bits() {
            Some(bits) => json!({"group_size": GROUP, "bits": bits}),
            None => json!(false),
        };
    }
    if tensors.iter().all(|t| t.bits().is_none()) {
        quantization = Value::Null;
    }
    let heads = header.integer("llama.attention.head_count")?;
    let hidden = header.integer("llama.embedding_length")?;
    let theta = header.number("llama.rope.freq_base").unwrap_or(10_000.0);
    Ok(json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": hidden,
        "num_hidden_layers": header.integer("llama.block_count")?,
        "intermediate_size": header.integer("llama.feed_forward_length")?,
        "num_attention_heads": heads,
        "num_key_value_heads": header.integer("llama.attention.head_count_kv").unwrap_or(heads),
        "head_dim": header.integer("llama.rope.dimension_count").unwrap_or(hidden / heads.max(1)),
        "max_position_embeddings": header.integer("llama.context_length").ok(),
        "vocab_size": embedding.info.shape[0],
        // The GGUF file holds a float32, whose shortest decimal is what the authors wrote.
        "rms_norm_eps": shortest(header.number("llama.attention.layer_norm_rms_epsilon")?)?,
        "rope_theta": shortest(theta)?,
        "rope_scaling": null,
        "tie_word_embeddings": !tensors.iter().any(|t| t.module == "lm_head"),
        "bos_token_id": header.integer("tokenizer.ggml.bos_token_id").ok(),
        "eos_token_id": header.integer("tokenizer.ggml.eos_token_id").ok(),
        "quantization": quantization,
        "offprint_imported_from": match header.metadata.get("general.name") {
            Some(Meta::Text(name)) => name.clone(),
            _ => "a GGUF file".into(),
        },
    }))
}

fn shortest(x: f64) -> Result<Value> {
    Ok(serde_json::from_str(&format!("{:?}", x as f32))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nibbles_change_place_and_nothing_else() {
        let quants: Vec<u8> = (0..16).map(|i| (15 - i) << 4 | i).collect();
        let mlx = nibbles_in_order(&quants);
        let unpacked: Vec<u8> = mlx.iter().flat_map(|byte| [byte & 15, byte >> 4]).collect();
        assert_eq!(unpacked, (0..16).chain((0..16).rev()).collect::<Vec<u8>>());
    }

    #[test]
    fn a_signed_byte_keeps_its_value() {
        let scale = f16::from_f32(0.037);
        let bias = f16::from_le_bytes(bias_of_signed(&scale.to_le_bytes()).unwrap()).to_f32();
        for q in i8::MIN..=i8::MAX {
            let byte = unsigned(&[q as u8; 32])[0];
            assert_eq!(scale.to_f32() * f32::from(byte) + bias, scale.to_f32() * f32::from(q));
        }
    }

    #[test]
    fn the_permutation_is_undone() {
        let info =
            TensorInfo { name: "blk.0.attn_q.weight".into(), shape: vec![8, 32], storage: Storage::Q4_1, bytes: 0..0 };
        let placed = Placed::of(&info, 2, 1).unwrap();
        // llama.cpp stores head rows [0, 2, 1, 3] of (half, i) = [(0,0), (0,1), (1,0), (1,1)].
        assert_eq!((0..8).map(|row| placed.source_row(row)).collect::<Vec<_>>(), [0, 2, 1, 3, 4, 6, 5, 7]);
    }
}
