//! A small Llama of four storages and a small Gemma of all of them as GGUF files, for imports without a download.

/// A GGUF file under construction.
#[derive(Debug, Clone, Default)]
pub struct Gguf {
    pub metadata: Vec<(String, Vec<u8>)>,
    pub tensors: Vec<Tensor>,
}

/// `shape` is `[rows, columns]`; `code` is GGUF's number of the storage.
#[derive(Debug, Clone)]
pub struct Tensor {
    pub name: String,
    pub shape: Vec<u64>,
    pub code: u32,
    pub bytes: Vec<u8>,
}

pub const F32: u32 = 0;
pub const F16: u32 = 1;
pub const Q4_0: u32 = 2;
pub const Q4_1: u32 = 3;
pub const Q5_0: u32 = 6;
pub const Q5_1: u32 = 7;
pub const Q8_0: u32 = 8;
pub const Q4_K: u32 = 12;
pub const Q5_K: u32 = 13;
pub const Q6_K: u32 = 14;
pub const BF16: u32 = 30;

/// Weights and bytes a block, and where its float16 numbers lie.
fn block(code: u32) -> (usize, usize, &'static [usize]) {
    match code {
        Q4_0 => (32, 18, &[0]),
        Q4_1 => (32, 20, &[0, 2]),
        Q5_0 => (32, 22, &[0]),
        Q5_1 => (32, 24, &[0, 2]),
        Q8_0 => (32, 34, &[0]),
        Q4_K => (256, 144, &[0, 2]),
        Q5_K => (256, 176, &[0, 2]),
        Q6_K => (256, 210, &[208]),
        _ => panic!("{code}"),
    }
}

pub fn text(value: &str) -> Vec<u8> {
    [&8u32.to_le_bytes()[..], &counted(value)].concat()
}

pub fn integer(value: u32) -> Vec<u8> {
    [4u32.to_le_bytes(), value.to_le_bytes()].concat()
}

pub fn float(value: f32) -> Vec<u8> {
    [6u32.to_le_bytes(), value.to_le_bytes()].concat()
}

pub fn truth(value: bool) -> Vec<u8> {
    [&7u32.to_le_bytes()[..], &[value.into()]].concat()
}

pub fn floats(values: &[f32]) -> Vec<u8> {
    let head = [&9u32.to_le_bytes()[..], &6u32.to_le_bytes(), &(values.len() as u64).to_le_bytes()].concat();
    [head, values.iter().flat_map(|value| value.to_le_bytes()).collect()].concat()
}

pub fn texts(values: &[&str]) -> Vec<u8> {
    let head = [&9u32.to_le_bytes()[..], &8u32.to_le_bytes(), &(values.len() as u64).to_le_bytes()].concat();
    [head, values.iter().flat_map(|value| counted(value)).collect()].concat()
}

pub fn integers(values: &[i32]) -> Vec<u8> {
    let head = [&9u32.to_le_bytes()[..], &5u32.to_le_bytes(), &(values.len() as u64).to_le_bytes()].concat();
    [head, values.iter().flat_map(|value| value.to_le_bytes()).collect()].concat()
}

fn counted(value: &str) -> Vec<u8> {
    [&(value.len() as u64).to_le_bytes()[..], value.as_bytes()].concat()
}

impl Gguf {
    /// One layer, 64 wide, 2 heads that share one key-value head, 4 tokens; an output head of its own.
    pub fn small() -> Self {
        let mut gguf = Gguf::default();
        let tokens = ["<|end|>", "a", "b", "ab"];
        for (key, value) in [
            ("general.architecture", text("llama")),
            ("llama.block_count", integer(1)),
            ("llama.embedding_length", integer(64)),
            ("llama.feed_forward_length", integer(96)),
            ("llama.attention.head_count", integer(2)),
            ("llama.attention.head_count_kv", integer(1)),
            ("llama.attention.layer_norm_rms_epsilon", float(1e-5)),
            ("tokenizer.ggml.model", text("gpt2")),
            ("tokenizer.ggml.pre", text("smollm")),
            ("tokenizer.ggml.tokens", texts(&tokens)),
            ("tokenizer.ggml.token_type", integers(&[3, 1, 1, 1])),
            ("tokenizer.ggml.merges", texts(&["a b"])),
            ("tokenizer.ggml.eos_token_id", integer(0)),
        ] {
            gguf.metadata.push((key.to_owned(), value));
        }
        for (name, shape, code) in [
            ("token_embd", vec![4, 64], Q8_0),
            ("blk.0.attn_norm", vec![64], F32),
            ("blk.0.attn_q", vec![64, 64], Q4_1),
            ("blk.0.attn_k", vec![32, 64], F16),
            ("blk.0.attn_v", vec![32, 64], Q4_1),
            ("blk.0.attn_output", vec![64, 64], Q4_1),
            ("blk.0.ffn_norm", vec![64], F16),
            ("blk.0.ffn_gate", vec![96, 64], Q4_1),
            ("blk.0.ffn_up", vec![96, 64], Q8_0),
            ("blk.0.ffn_down", vec![64, 96], Q4_1),
            ("output_norm", vec![64], F32),
            ("output", vec![4, 64], F32),
        ] {
            gguf.tensors.push(Tensor::new(name, shape, code));
        }
        gguf
    }

    /// Two layers, 256 wide, 2 heads of 32 that share one key-value head, every storage, and a vocabulary of six pieces
    /// and all bytes.
    pub fn gemma3() -> Self {
        let mut gguf = Gguf::default();
        let bytes: Vec<String> = (0..=255).map(|byte| format!("<0x{byte:02X}>")).collect();
        let own = ["<pad>", "<eos>", "<bos>", "<unk>", "<end_of_turn>", "  ", "a", "b", "▁", "ab", "▁ab"];
        let tokens: Vec<&str> = own.into_iter().chain(bytes.iter().map(String::as_str)).collect();
        let types: Vec<i32> = [3, 3, 3, 3, 3, 4, 1, 1, 1, 1, 1].into_iter().chain([6; 256]).collect();
        // A learned piece's score is its rank; llama.cpp's converter gives the rest what it likes.
        let ranks = [-1000.0, -1000.0, -1000.0, -1000.0, -1000.0, -1000.0, -2.0, -3.0, -4.0, -0.0, -1.0];
        let scores: Vec<f32> = ranks.into_iter().chain([0.0; 256]).collect();
        for (key, value) in [
            ("general.architecture", text("gemma3")),
            ("general.name", text("Small")),
            ("gemma3.block_count", integer(2)),
            ("gemma3.context_length", integer(1024)),
            ("gemma3.embedding_length", integer(256)),
            ("gemma3.feed_forward_length", integer(256)),
            ("gemma3.attention.head_count", integer(2)),
            ("gemma3.attention.head_count_kv", integer(1)),
            ("gemma3.attention.key_length", integer(32)),
            ("gemma3.attention.value_length", integer(32)),
            ("gemma3.attention.layer_norm_rms_epsilon", float(1e-6)),
            ("gemma3.attention.sliding_window", integer(16)),
            ("gemma3.rope.freq_base", float(1e6)),
            ("tokenizer.ggml.model", text("llama")),
            ("tokenizer.ggml.pre", text("default")),
            ("tokenizer.ggml.tokens", texts(&tokens)),
            ("tokenizer.ggml.scores", floats(&scores)),
            ("tokenizer.ggml.token_type", integers(&types)),
            ("tokenizer.ggml.bos_token_id", integer(2)),
            ("tokenizer.ggml.eos_token_id", integer(1)),
            ("tokenizer.ggml.unknown_token_id", integer(3)),
            ("tokenizer.ggml.add_bos_token", truth(true)),
            ("tokenizer.ggml.add_space_prefix", truth(false)),
        ] {
            gguf.metadata.push((key.to_owned(), value));
        }
        gguf.tensors.push(Tensor::new("token_embd", vec![tokens.len() as u64, 256], Q8_0));
        gguf.tensors.push(Tensor::new("output_norm", vec![256], F32));
        let storages = [[Q5_0, Q4_0, Q5_1, Q4_1, Q4_K, Q5_K, Q6_K], [F16, BF16, Q8_0, Q5_0, Q5_0, Q5_0, Q4_K]];
        for (layer, codes) in storages.into_iter().enumerate() {
            let matrices = [("attn_q", 64, 256), ("attn_k", 32, 256), ("attn_v", 32, 256), ("attn_output", 256, 64)];
            let matrices = matrices.into_iter().chain(["ffn_gate", "ffn_up", "ffn_down"].map(|name| (name, 256, 256)));
            for ((name, rows, columns), code) in matrices.zip(codes) {
                gguf.tensors.push(Tensor::new(&format!("blk.{layer}.{name}"), vec![rows, columns], code));
            }
            for (name, size, code) in [
                ("attn_norm", 256, F32),
                ("attn_q_norm", 32, F32),
                ("attn_k_norm", 32, F16),
                ("post_attention_norm", 256, BF16),
                ("ffn_norm", 256, F32),
                ("post_ffw_norm", 256, F32),
            ] {
                gguf.tensors.push(Tensor::new(&format!("blk.{layer}.{name}"), vec![size], code));
            }
        }
        gguf
    }

    pub fn set(&mut self, key: &str, value: Vec<u8>) {
        self.metadata.retain(|(found, _)| found != key);
        self.metadata.push((key.to_owned(), value));
    }

    /// Replaces the tensor of this name by one of another shape or storage.
    pub fn replace(&mut self, name: &str, shape: Vec<u64>, code: u32) {
        let tensor = Tensor::new(name, shape, code);
        let place = self.tensors.iter().position(|found| found.name == tensor.name).unwrap();
        self.tensors[place] = tensor;
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut file = b"GGUF\x03\0\0\0".to_vec();
        file.extend((self.tensors.len() as u64).to_le_bytes());
        file.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value) in &self.metadata {
            file.extend(counted(key));
            file.extend(value);
        }
        let mut data = Vec::new();
        for tensor in &self.tensors {
            data.resize(data.len().next_multiple_of(32), 0);
            file.extend(counted(&tensor.name));
            file.extend((tensor.shape.len() as u32).to_le_bytes());
            file.extend(tensor.shape.iter().rev().flat_map(|dim| dim.to_le_bytes()));
            file.extend(tensor.code.to_le_bytes());
            file.extend((data.len() as u64).to_le_bytes());
            data.extend(&tensor.bytes);
        }
        file.resize(file.len().next_multiple_of(32), 0);
        [file, data].concat()
    }
}

impl Tensor {
    /// Weights that differ from each other; scales are small float16 numbers, of a sign where the storage has no sign itself.
    fn new(name: &str, shape: Vec<u64>, code: u32) -> Self {
        let count = shape.iter().product::<u64>() as usize;
        let noise = |i: usize| (i as u32).wrapping_mul(2_654_435_761).rotate_left(11) as u8;
        let half = |i: usize| [noise(i), 0x20 | noise(i + 1) & 7];
        let mut bytes = Vec::new();
        match code {
            F32 => bytes.extend((0..count).flat_map(|i| (f32::from(noise(i)) / 64.0).to_le_bytes())),
            F16 => bytes.extend((0..count).flat_map(half)),
            BF16 => bytes.extend((0..count).flat_map(|i| [noise(i), 0x3f])),
            _ => {
                let (weights, size, scales) = block(code);
                for n in 0..count / weights {
                    let start = bytes.len();
                    bytes.extend((0..size).map(|i| noise(n * weights + i)));
                    for (which, at) in scales.iter().enumerate() {
                        let mut scale = half(n + 7 * which);
                        scale[1] |= if n % 3 == 0 && code != Q8_0 { 0x80 } else { 0 };
                        bytes[start + at..start + at + 2].copy_from_slice(&scale);
                    }
                }
            }
        }
        Tensor { name: format!("{name}.weight"), shape, code, bytes }
    }
}
