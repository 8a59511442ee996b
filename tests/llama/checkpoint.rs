//! A configuration -> a checkpoint folder with weights computed from their names, as `tests/oracles/llama_variants.py`
//! computes them.

use std::{collections::BTreeMap, fs, path::Path};

use half::{bf16, f16};
use safetensors::{Dtype, serialize_to_file, tensor::TensorView};
use serde_json::Value;

/// A tensor's bytes, before they are written.
#[derive(Clone)]
pub struct Tensor {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

pub type Tensors = BTreeMap<String, Tensor>;

/// Values of a tensor: packed words, norms from 1 to 2, or -scale to scale.
#[derive(Clone, Copy)]
enum Kind {
    Packed,
    Norm,
    Scale(f32),
}

/// SplitMix64 from the FNV-1a hash of the name.
pub fn random_words(name: &str, count: usize) -> impl Iterator<Item = u64> {
    let seed = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    (1..=count as u64).map(move |i| {
        let mut z = seed.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

fn tensor(name: &str, shape: &[usize], kind: Kind, dtype: Dtype) -> Tensor {
    let words = random_words(name, shape.iter().product());
    let shape = shape.to_vec();
    let value = |word: u64| {
        let byte = (word >> 56) as f32;
        if let Kind::Scale(scale) = kind { (byte - 128.0) / 128.0 * scale } else { (64.0 + byte % 64.0) / 64.0 }
    };
    let (dtype, bytes) = match (kind, dtype) {
        (Kind::Packed, _) => (Dtype::U32, words.flat_map(|word| ((word >> 32) as u32).to_le_bytes()).collect()),
        (_, Dtype::F16) => (dtype, words.flat_map(|word| f16::from_f32(value(word)).to_le_bytes()).collect()),
        (_, Dtype::BF16) => (dtype, words.flat_map(|word| bf16::from_f32(value(word)).to_le_bytes()).collect()),
        _ => (Dtype::F32, words.flat_map(|word| value(word).to_le_bytes()).collect()),
    };
    Tensor { dtype, shape, bytes }
}

/// Every tensor that a model of this `config.json` has.
pub fn tensors(config: &Value, dtype: Dtype) -> Tensors {
    let size = |key: &str| config[key].as_u64().unwrap() as usize;
    let flag = |key: &str| config[key].as_bool().unwrap_or(false);
    let (hidden, inner, vocab, heads) =
        (size("hidden_size"), size("intermediate_size"), size("vocab_size"), size("num_attention_heads"));
    let kv = config["num_key_value_heads"].as_u64().map_or(heads, |n| n as usize);
    let dim = config["head_dim"].as_u64().map_or(hidden / heads, |n| n as usize);
    let quantization = &config["quantization"];

    let mut found = Tensors::new();
    let mut add = |name: String, shape: &[usize], kind| {
        let made = tensor(&name, shape, kind, dtype);
        found.insert(name, made);
    };
    let mut linear = |path: &str, rows: usize, columns: usize, bias: bool| {
        if bias {
            add(format!("{path}.bias"), &[rows], Kind::Scale(0.125));
        }
        let how = quantization.get(path).unwrap_or(quantization);
        let Some(bits) = how.get("bits").and_then(Value::as_u64) else {
            return add(format!("{path}.weight"), &[rows, columns], Kind::Scale(0.125));
        };
        let groups = columns / how["group_size"].as_u64().unwrap() as usize;
        add(format!("{path}.weight"), &[rows, columns * bits as usize / 32], Kind::Packed);
        add(format!("{path}.scales"), &[rows, groups], Kind::Scale(0.5f32.powi(bits as i32 + 2)));
        add(format!("{path}.biases"), &[rows, groups], Kind::Scale(0.0625));
    };

    linear("model.embed_tokens", vocab, hidden, false);
    for layer in 0..size("num_hidden_layers") {
        let module = |name: &str| format!("model.layers.{layer}.{name}");
        let (attention, mlp) = (flag("attention_bias"), flag("mlp_bias"));
        linear(&module("self_attn.q_proj"), heads * dim, hidden, attention);
        linear(&module("self_attn.k_proj"), kv * dim, hidden, attention);
        linear(&module("self_attn.v_proj"), kv * dim, hidden, attention);
        linear(&module("self_attn.o_proj"), hidden, heads * dim, attention);
        linear(&module("mlp.gate_proj"), inner, hidden, mlp);
        linear(&module("mlp.up_proj"), inner, hidden, mlp);
        linear(&module("mlp.down_proj"), hidden, inner, mlp);
    }
    if !flag("tie_word_embeddings") {
        linear("lm_head", vocab, hidden, false);
    }
    for layer in 0..size("num_hidden_layers") {
        for name in ["input_layernorm", "post_attention_layernorm"] {
            add(format!("model.layers.{layer}.{name}.weight"), &[hidden], Kind::Norm);
        }
    }
    add("model.norm.weight".to_owned(), &[hidden], Kind::Norm);
    found
}

/// Writes the folder, its tensors spread over `shards` files.
pub fn write(folder: &Path, config: &Value, tensors: &Tensors, shards: usize) {
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    // Models that see have it among those of the text.
    let words = config["vocab_size"].as_u64().or(config["text_config"]["vocab_size"].as_u64());
    fs::write(folder.join("tokenizer.json"), tokenizer(words.unwrap()).to_string()).unwrap();
    for shard in 0..shards {
        let views =
            tensors.iter().enumerate().filter(|(index, _)| index % shards == shard).map(|(_, (name, tensor))| {
                (name.as_str(), TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes).unwrap())
            });
        let file = match shards {
            1 => "model.safetensors".to_owned(),
            _ => format!("model-{:05}-of-{shards:05}.safetensors", shard + 1),
        };
        serialize_to_file(views, None, &folder.join(file)).unwrap();
    }
    if shards > 1 {
        let place = |index| format!("model-{:05}-of-{shards:05}.safetensors", index % shards + 1);
        let map: BTreeMap<&String, String> = tensors.keys().enumerate().map(|(i, name)| (name, place(i))).collect();
        let index = serde_json::json!({ "weight_map": map });
        fs::write(folder.join("model.safetensors.index.json"), index.to_string()).unwrap();
    }
}

/// A tokenizer of so many words: `w7` is token 7.
pub fn tokenizer(words: u64) -> Value {
    let vocab: BTreeMap<String, u64> = (0..words).map(|id| (format!("w{id}"), id)).collect();
    serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "w0"},
    })
}
