//! A small model in memory, all numbers known.

use mlx_rs::Array;
use offprint_kernels::activation;

pub const HIDDEN: usize = 64;
pub const VOCABULARY: usize = 40;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Storage {
    Float32,
    Float16,
    Bfloat16,
    Affine8,
    Mxfp4,
}

/// `[rows, columns]`, and what is added to its products.
#[derive(Debug, Clone)]
pub struct Matrix {
    pub rows: usize,
    pub columns: usize,
    pub storage: Storage,
    pub values: Vec<f32>,
    pub bias: Option<Vec<f32>>,
    /// As MLX packs it; empty where it is not packed.
    pub arrays: Vec<Array>,
}

/// -1 to 1, by a name.
pub fn units(name: &str, n: usize) -> Vec<f32> {
    let mut state = name
        .bytes()
        .fold(0x9e37_79b9_7f4a_7c15_u64, |state, byte| (state ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

impl Matrix {
    pub fn new(rows: usize, columns: usize, name: &str) -> Self {
        let scale = 1.7 / (columns as f32).sqrt();
        let values = units(name, rows * columns).into_iter().map(|unit| unit * scale).collect();
        Matrix { rows, columns, storage: Storage::Float32, values, bias: None, arrays: Vec::new() }
    }

    pub fn biased(&mut self, name: &str) {
        self.bias = Some(units(name, self.rows));
    }

    /// Values become what is stored.
    pub fn store(&mut self, storage: Storage) {
        self.storage = storage;
        let words = |bytes: &[u8]| -> Vec<u32> {
            bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect()
        };
        let (rows, groups) = (self.rows as i32, self.columns as i32 / 32);
        match storage {
            Storage::Float32 => {}
            Storage::Float16 => self.values.iter_mut().for_each(|x| *x = half::f16::from_f32(*x).to_f32()),
            Storage::Bfloat16 => self.values.iter_mut().for_each(|x| *x = half::bf16::from_f32(*x).to_f32()),
            Storage::Affine8 => {
                let (mut bytes, mut scales, mut biases) = (Vec::new(), Vec::new(), Vec::new());
                for group in self.values.chunks_mut(32) {
                    // No two groups alike.
                    let (scale, bias) = (group[0].abs() / 64.0 + 1e-3, -group[1].abs());
                    for x in group {
                        let q = ((*x - bias) / scale).round().clamp(0.0, 255.0);
                        bytes.push(q as u8);
                        *x = q * scale + bias;
                    }
                    scales.push(scale);
                    biases.push(bias);
                }
                self.arrays = vec![
                    Array::from_slice(&words(&bytes), &[rows, groups * 8]),
                    Array::from_slice(&scales, &[rows, groups]),
                    Array::from_slice(&biases, &[rows, groups]),
                ];
            }
            Storage::Mxfp4 => {
                let (mut bytes, mut scales) = (Vec::new(), Vec::new());
                for (index, group) in self.values.chunks_mut(32).enumerate() {
                    let exponent = 122 + index as u8 % 3;
                    let scale = 2f32.powi(i32::from(exponent) - 127);
                    let mut nibbles = Vec::new();
                    for x in group {
                        let sizes = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];
                        let size = (x.abs() / scale).min(6.0);
                        let nearest = (0..8)
                            .min_by(|a, b| (sizes[*a] - size).abs().total_cmp(&(sizes[*b] - size).abs()))
                            .unwrap();
                        nibbles.push(nearest as u8 | if *x < 0.0 { 8 } else { 0 });
                        *x = sizes[nearest] * scale * x.signum();
                    }
                    bytes.extend(nibbles.chunks(2).map(|two| two[0] | two[1] << 4));
                    scales.push(exponent);
                }
                self.arrays = vec![
                    Array::from_slice(&words(&bytes), &[rows, groups * 4]),
                    Array::from_slice(&scales, &[rows, groups]),
                ];
            }
        }
    }
}

#[derive(Debug, Clone)]
pub struct Rope {
    pub dims: usize,
    pub interleaved: bool,
    pub scale: f32,
    pub gain: f32,
    pub frequencies: Vec<f32>,
}

impl Rope {
    pub fn new(dims: usize, base: f32) -> Self {
        let frequencies = (0..dims / 2).map(|i| base.powf(-2.0 * i as f32 / dims as f32)).collect();
        Rope { dims, interleaved: false, scale: 1.0, gain: 1.0, frequencies }
    }
}

#[derive(Debug, Clone)]
pub struct Experts {
    pub router: Matrix,
    pub count: usize,
    pub top: usize,
    pub softmax_first: bool,
    pub renormalise: bool,
    pub gate: Matrix,
    pub up: Matrix,
    pub down: Matrix,
    /// gate, up, down, and the matrix of its weight.
    pub shared: Option<([Matrix; 3], Option<Matrix>)>,
}

impl Experts {
    pub fn new(count: usize, top: usize, inner: usize) -> Self {
        Experts {
            router: Matrix::new(count, HIDDEN, "router"),
            count,
            top,
            softmax_first: true,
            renormalise: true,
            gate: Matrix::new(count * inner, HIDDEN, "experts.gate"),
            up: Matrix::new(count * inner, HIDDEN, "experts.up"),
            down: Matrix::new(count * HIDDEN, inner, "experts.down"),
            shared: None,
        }
    }

    pub fn biases(&mut self) {
        for (index, matrix) in [&mut self.router, &mut self.gate, &mut self.up, &mut self.down].into_iter().enumerate()
        {
            matrix.biased(&format!("experts.bias.{index}"));
        }
    }

    pub fn share(&mut self, inner: usize, weighted: bool) {
        let parts = [(inner, HIDDEN, "gate"), (inner, HIDDEN, "up"), (HIDDEN, inner, "down")];
        let parts = parts.map(|(rows, columns, name)| Matrix::new(rows, columns, &format!("shared.{name}")));
        self.shared = Some((parts, weighted.then(|| Matrix::new(1, HIDDEN, "shared.weight"))));
    }

    pub fn stored_as(&mut self, storage: Storage) {
        [&mut self.router, &mut self.gate, &mut self.up, &mut self.down].into_iter().for_each(|m| m.store(storage));
    }
}

#[derive(Debug, Clone)]
pub struct Layer {
    pub q: Matrix,
    pub k: Matrix,
    pub v: Matrix,
    pub o: Matrix,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub score_scale: f32,
    pub score_cap: f32,
    pub window: usize,
    pub rope: i32,
    /// Beta and positions.
    pub query_gain: (f32, f32),
    pub sinks: Option<Vec<f32>>,
    pub q_norm: Option<Vec<f32>>,
    pub k_norm: Option<Vec<f32>>,
    pub input_norm: Option<Vec<f32>>,
    pub attention_out_norm: Option<Vec<f32>>,
    pub feed_norm: Option<Vec<f32>>,
    pub feed_out_norm: Option<Vec<f32>>,
    pub parallel: bool,
    pub activation: i32,
    pub gate: Matrix,
    pub up: Matrix,
    pub down: Matrix,
    pub experts: Option<Experts>,
}

/// Around 1.
fn norm(name: &str, n: usize) -> Option<Vec<f32>> {
    Some(units(name, n).into_iter().map(|unit| 1.0 + unit / 2.0).collect())
}

impl Layer {
    pub fn new(heads: usize, kv_heads: usize, head_dim: usize, inner: usize, name: &str) -> Self {
        let matrix = |rows, columns, part: &str| Matrix::new(rows, columns, &format!("{name}.{part}"));
        Layer {
            q: matrix(heads * head_dim, HIDDEN, "q"),
            k: matrix(kv_heads * head_dim, HIDDEN, "k"),
            v: matrix(kv_heads * head_dim, HIDDEN, "v"),
            o: matrix(HIDDEN, heads * head_dim, "o"),
            heads,
            kv_heads,
            head_dim,
            score_scale: 1.0 / (head_dim as f32).sqrt(),
            score_cap: 0.0,
            window: 0,
            rope: 0,
            query_gain: (0.0, 1.0),
            sinks: None,
            q_norm: None,
            k_norm: None,
            input_norm: norm(&format!("{name}.input"), HIDDEN),
            attention_out_norm: None,
            feed_norm: norm(&format!("{name}.feed"), HIDDEN),
            feed_out_norm: None,
            parallel: false,
            activation: activation::SILU,
            gate: matrix(inner, HIDDEN, "gate"),
            up: matrix(inner, HIDDEN, "up"),
            down: matrix(HIDDEN, inner, "down"),
            experts: None,
        }
    }

    pub fn biases(&mut self) {
        let all = [&mut self.q, &mut self.k, &mut self.v, &mut self.o, &mut self.gate, &mut self.up, &mut self.down];
        for (index, matrix) in all.into_iter().enumerate() {
            matrix.biased(&format!("bias.{index}"));
        }
    }

    pub fn head_norms(&mut self, all: bool) {
        let of = |heads: usize| if all { heads * self.head_dim } else { self.head_dim };
        (self.q_norm, self.k_norm) = (norm("q_norm", of(self.heads)), norm("k_norm", of(self.kv_heads)));
    }

    pub fn four_norms(&mut self) {
        (self.attention_out_norm, self.feed_out_norm) = (norm("attention_out", HIDDEN), norm("feed_out", HIDDEN));
    }

    pub fn out_norms(&mut self) {
        self.four_norms();
        (self.input_norm, self.feed_norm) = (None, None);
    }

    pub fn stored_as(&mut self, storage: Storage) {
        let all = [&mut self.q, &mut self.k, &mut self.v, &mut self.o, &mut self.gate, &mut self.up, &mut self.down];
        all.into_iter().for_each(|m| m.store(storage));
    }
}

#[derive(Debug, Clone)]
pub struct Model {
    pub epsilon: f32,
    pub embedding_scale: f32,
    pub residual_scale: f32,
    pub logit_scale: f32,
    pub logit_cap: f32,
    pub layer_norm: bool,
    pub ropes: Vec<Rope>,
    pub layers: Vec<Layer>,
    pub embedding: Matrix,
    pub head: Matrix,
    pub norm: Vec<f32>,
}

/// Two layers like Llama's.
pub fn model() -> Model {
    let mut embedding = Matrix::new(VOCABULARY, HIDDEN, "embedding");
    embedding.values.iter_mut().for_each(|x| *x *= 5.0);
    Model {
        epsilon: 1e-5,
        embedding_scale: 1.0,
        residual_scale: 1.0,
        logit_scale: 1.0,
        logit_cap: 0.0,
        layer_norm: false,
        ropes: vec![Rope::new(16, 1e4)],
        layers: vec![Layer::new(4, 2, 16, 96, "first"), Layer::new(4, 2, 16, 96, "second")],
        embedding,
        head: Matrix::new(VOCABULARY, HIDDEN, "head"),
        norm: norm("norm", HIDDEN).unwrap(),
    }
}
