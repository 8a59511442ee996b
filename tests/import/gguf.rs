//! A small Llama of four storages as a GGUF file, for imports without a download.

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
pub const Q4_1: u32 = 3;
pub const Q8_0: u32 = 8;

pub fn text(value: &str) -> Vec<u8> {
    [&8u32.to_le_bytes()[..], &counted(value)].concat()
}

pub fn integer(value: u32) -> Vec<u8> {
    [4u32.to_le_bytes(), value.to_le_bytes()].concat()
}

pub fn float(value: f32) -> Vec<u8> {
    [6u32.to_le_bytes(), value.to_le_bytes()].concat()
}

fn texts(values: &[&str]) -> Vec<u8> {
    let head = [&9u32.to_le_bytes()[..], &8u32.to_le_bytes(), &(values.len() as u64).to_le_bytes()].concat();
    [head, values.iter().flat_map(|value| counted(value)).collect()].concat()
}

fn integers(values: &[i32]) -> Vec<u8> {
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
    /// Weights that differ from each other; scales are small positive float16 numbers.
    fn new(name: &str, shape: Vec<u64>, code: u32) -> Self {
        let count = shape.iter().product::<u64>() as usize;
        let noise = |i: usize| (i as u32).wrapping_mul(2_654_435_761).rotate_left(11) as u8;
        let half = |i: usize| [noise(i), 0x20 | noise(i + 1) & 7];
        let mut bytes = Vec::new();
        match code {
            F32 => bytes.extend((0..count).flat_map(|i| (f32::from(noise(i)) / 64.0).to_le_bytes())),
            F16 => bytes.extend((0..count).flat_map(half)),
            _ => {
                for block in 0..count / 32 {
                    bytes.extend(half(block));
                    if code == Q4_1 {
                        bytes.extend(half(block + 7));
                    }
                    bytes.extend((0..if code == Q4_1 { 16 } else { 32 }).map(|i| noise(block * 32 + i)));
                }
            }
        }
        Tensor { name: format!("{name}.weight"), shape, code, bytes }
    }
}
