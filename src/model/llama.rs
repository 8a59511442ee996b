//! Llama, in mlx-lm's order of operations (`mlx_lm/models/llama.py`). Fields are named by the checkpoint's keys.
//! Token ids in, logits out; knows nothing of sampling. On a Linux CPU the whole step may be one primitive instead (`fused`).

use mlx_rs::{Array, Dtype, error::Result, fast, nn, ops};
#[cfg(target_os = "linux")]
use {
    crate::model::{
        fused::{Fused, Part, Parts},
        kernels::Kernels,
    },
    mlx_rs::error::Exception,
    offprint_kernels::Shape,
};

use crate::model::{
    cache::KvCache,
    checkpoint::{Affine, Checkpoint, Config},
    past::Past,
    rope::Rope,
    weights::{WeightError, Weights},
};

/// A matrix, quantised or not: `[outputs, inputs]`.
#[derive(Debug)]
pub enum Matrix {
    Plain { weight: Array },
    Quantized { weight: Array, scales: Array, biases: Array, affine: Affine },
}

impl Matrix {
    fn load(weights: &mut Weights, config: &Config, path: &str, rows: usize, columns: usize) -> Loaded<Self> {
        let name = |part: &str| format!("{path}.{part}");
        let (rows, columns) = (rows as i32, columns as i32);
        // mlx-lm's rule: a module is quantised where its scales are.
        let affine = config.quantization_of(path).map_err(|error| error.to_string())?;
        let Some(affine) = affine.filter(|_| weights.has(&name("scales"))) else {
            return Ok(Matrix::Plain { weight: weights.float(&name("weight"), &[rows, columns])? });
        };
        let (group, bits) = (affine.group_size as i32, affine.bits as i32);
        if columns % group != 0 {
            return Err(format!("`{path}`: {columns} columns are no whole groups of {group}").into());
        }
        Ok(Matrix::Quantized {
            weight: weights.packed(&name("weight"), &[rows, columns * bits / 32])?,
            scales: weights.float(&name("scales"), &[rows, columns / group])?,
            biases: weights.float(&name("biases"), &[rows, columns / group])?,
            affine,
        })
    }

    /// `x @ weight.T`: `[..., inputs]` to `[..., outputs]`.
    fn apply(&self, x: &Array) -> Result<Array> {
        match self {
            Matrix::Plain { weight } => ops::matmul(x, weight.transpose_axes(&[1, 0])?),
            Matrix::Quantized { weight, scales, biases, affine } => {
                ops::quantized_matmul(x, weight, scales, biases, true, affine.group_size as i32, affine.bits as i32)
            }
        }
    }

    /// Rows `ids` as vectors: `[n]` to `[n, inputs]`.
    fn rows(&self, ids: &Array) -> Result<Array> {
        match self {
            Matrix::Plain { weight } => weight.take_axis(ids, 0),
            Matrix::Quantized { weight, scales, biases, affine } => ops::dequantize(
                weight.take_axis(ids, 0)?,
                scales.take_axis(ids, 0)?,
                &biases.take_axis(ids, 0)?,
                affine.group_size as i32,
                affine.bits as i32,
            ),
        }
    }

    /// As the fused step takes it.
    #[cfg(target_os = "linux")]
    fn part<'a>(&'a self, bias: Option<&'a Array>) -> Part<'a> {
        let (weight, affine, columns) = match self {
            Matrix::Plain { weight } => (weight, None, weight.dim(1) as usize),
            Matrix::Quantized { weight, scales, biases, affine: Affine { group_size, bits } } => {
                let columns = weight.dim(1) as usize * 32 / bits;
                (weight, Some((scales, biases, *group_size, *bits)), columns)
            }
        };
        Part { weight, affine, bias, rows: weight.dim(0) as usize, columns }
    }

    fn arrays(&self) -> Vec<&Array> {
        match self {
            Matrix::Plain { weight } => vec![weight],
            Matrix::Quantized { weight, scales, biases, .. } => vec![weight, scales, biases],
        }
    }
}

/// A matrix and, in the rare checkpoint that has one, its bias.
#[derive(Debug)]
struct Linear {
    matrix: Matrix,
    bias: Option<Array>,
}

impl Linear {
    fn load(weights: &mut Weights, config: &Config, path: &str, shape: [usize; 2], bias: bool) -> Loaded<Self> {
        let matrix = Matrix::load(weights, config, path, shape[0], shape[1])?;
        let bias = bias.then(|| weights.float(&format!("{path}.bias"), &[shape[0] as i32])).transpose()?;
        Ok(Linear { matrix, bias })
    }

    fn apply(&self, x: &Array) -> Result<Array> {
        let y = self.matrix.apply(x)?;
        match &self.bias {
            Some(bias) => ops::add(y, bias),
            None => Ok(y),
        }
    }

    fn arrays(&self) -> Vec<&Array> {
        self.matrix.arrays().into_iter().chain(&self.bias).collect()
    }

    #[cfg(target_os = "linux")]
    fn part(&self) -> Part<'_> {
        self.matrix.part(self.bias.as_ref())
    }
}

#[derive(Debug)]
struct RmsNorm {
    weight: Array,
    eps: f32,
}

impl RmsNorm {
    fn load(weights: &mut Weights, config: &Config, path: &str) -> Loaded<Self> {
        let weight = weights.float(&format!("{path}.weight"), &[config.hidden_size as i32])?;
        Ok(RmsNorm { weight, eps: config.rms_norm_eps })
    }

    fn apply(&self, x: &Array) -> Result<Array> {
        fast::rms_norm(x, Some(&self.weight), self.eps)
    }
}

#[derive(Debug)]
struct Attention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    o_proj: Linear,
    heads: i32,
    kv_heads: i32,
    head_dim: i32,
}

impl Attention {
    fn load(weights: &mut Weights, config: &Config, path: &str) -> Loaded<Self> {
        let (hidden, head_dim) = (config.hidden_size, config.head_dim());
        let (heads, kv_heads) = (config.num_attention_heads, config.kv_heads());
        let mut linear =
            |name: &str, shape| Linear::load(weights, config, &format!("{path}.{name}"), shape, config.attention_bias);
        Ok(Attention {
            q_proj: linear("q_proj", [heads * head_dim, hidden])?,
            k_proj: linear("k_proj", [kv_heads * head_dim, hidden])?,
            v_proj: linear("v_proj", [kv_heads * head_dim, hidden])?,
            o_proj: linear("o_proj", [hidden, heads * head_dim])?,
            heads: heads as i32,
            kv_heads: kv_heads as i32,
            head_dim: head_dim as i32,
        })
    }

    /// `[1, n, hidden]` to the same shape.
    fn apply(&self, x: &Array, rope: &Rope, cache: &mut KvCache) -> Result<Array> {
        let n = x.dim(1);
        let split = |y: Array, heads: i32| y.reshape(&[1, n, heads, self.head_dim])?.transpose_axes(&[0, 2, 1, 3]);
        let queries = split(self.q_proj.apply(x)?, self.heads)?;
        let keys = split(self.k_proj.apply(x)?, self.kv_heads)?;
        let values = split(self.v_proj.apply(x)?, self.kv_heads)?;

        let offset = cache.offset();
        let queries = rope.apply(&queries, offset)?;
        let keys = rope.apply(&keys, offset)?;
        let (keys, values) = cache.append(&keys, &values)?;

        let scale = (self.head_dim as f32).powf(-0.5);
        let mixed = if n > 1 {
            let causal = fast::ScaledDotProductAttentionMask::Causal;
            fast::scaled_dot_product_attention(&queries, &keys, &values, scale, causal, None)?
        } else {
            fast::scaled_dot_product_attention(&queries, &keys, &values, scale, None, None)?
        };
        self.o_proj.apply(&mixed.transpose_axes(&[0, 2, 1, 3])?.reshape(&[1, n, self.heads * self.head_dim])?)
    }
}

#[derive(Debug)]
struct Mlp {
    gate_proj: Linear,
    up_proj: Linear,
    down_proj: Linear,
}

impl Mlp {
    fn load(weights: &mut Weights, config: &Config, path: &str) -> Loaded<Self> {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let mut linear =
            |name: &str, shape| Linear::load(weights, config, &format!("{path}.{name}"), shape, config.mlp_bias);
        Ok(Mlp {
            gate_proj: linear("gate_proj", [inner, hidden])?,
            up_proj: linear("up_proj", [inner, hidden])?,
            down_proj: linear("down_proj", [hidden, inner])?,
        })
    }

    fn apply(&self, x: &Array) -> Result<Array> {
        let gate = nn::silu(self.gate_proj.apply(x)?)?;
        self.down_proj.apply(&ops::multiply(gate, self.up_proj.apply(x)?)?)
    }
}

#[derive(Debug)]
struct Block {
    self_attn: Attention,
    mlp: Mlp,
    input_layernorm: RmsNorm,
    post_attention_layernorm: RmsNorm,
}

impl Block {
    fn load(weights: &mut Weights, config: &Config, layer: usize) -> Loaded<Self> {
        let path = format!("model.layers.{layer}");
        Ok(Block {
            self_attn: Attention::load(weights, config, &format!("{path}.self_attn"))?,
            mlp: Mlp::load(weights, config, &format!("{path}.mlp"))?,
            input_layernorm: RmsNorm::load(weights, config, &format!("{path}.input_layernorm"))?,
            post_attention_layernorm: RmsNorm::load(weights, config, &format!("{path}.post_attention_layernorm"))?,
        })
    }

    /// In the order of the checkpoint's kind of module: q, k, v, o, gate, up, down.
    fn linears(&self) -> [&Linear; 7] {
        let (a, mlp) = (&self.self_attn, &self.mlp);
        [&a.q_proj, &a.k_proj, &a.v_proj, &a.o_proj, &mlp.gate_proj, &mlp.up_proj, &mlp.down_proj]
    }

    fn norms(&self) -> [&Array; 2] {
        [&self.input_layernorm.weight, &self.post_attention_layernorm.weight]
    }

    fn apply(&self, x: &Array, rope: &Rope, cache: &mut KvCache) -> Result<Array> {
        let h = ops::add(x, self.self_attn.apply(&self.input_layernorm.apply(x)?, rope, cache)?)?;
        let r = self.mlp.apply(&self.post_attention_layernorm.apply(&h)?)?;
        ops::add(h, r)
    }
}

/// The whole model.
#[derive(Debug)]
pub struct Llama {
    embed_tokens: Matrix,
    layers: Vec<Block>,
    norm: RmsNorm,
    /// `None`: the head is the embedding's transpose.
    lm_head: Option<Linear>,
    rope: Rope,
    kv_heads: i32,
    head_dim: i32,
    dtype: Dtype,
    /// `None`: the graph below, by MLX's own kernels.
    #[cfg(target_os = "linux")]
    fused: Option<Fused>,
}

/// Why a model could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Weights(#[from] WeightError),
    #[error("{0}")]
    Config(String),
}

impl From<String> for LoadError {
    fn from(reason: String) -> Self {
        LoadError::Config(reason)
    }
}

impl From<mlx_rs::error::Exception> for LoadError {
    fn from(error: mlx_rs::error::Exception) -> Self {
        LoadError::Weights(error.into())
    }
}

type Loaded<T> = std::result::Result<T, LoadError>;

impl Llama {
    /// Loads every parameter and evaluates it on the device. `dtype`: cast floating-point tensors; `None` keeps the file's.
    ///
    /// # Errors
    /// [`WeightError`]'s cases, each naming the tensor; a configuration that contradicts itself.
    pub fn load(checkpoint: &Checkpoint, dtype: Option<Dtype>) -> Loaded<Self> {
        let config = &checkpoint.config;
        let mut weights = Weights::open(&checkpoint.shards, dtype)?;
        if config.tie_word_embeddings {
            weights.discard("lm_head.");
        }
        let (vocabulary, hidden) = (config.vocab_size, config.hidden_size);
        let embed_tokens = Matrix::load(&mut weights, config, "model.embed_tokens", vocabulary, hidden)?;
        let layers = (0..config.num_hidden_layers)
            .map(|layer| Block::load(&mut weights, config, layer))
            .collect::<Loaded<Vec<_>>>()?;
        let norm = RmsNorm::load(&mut weights, config, "model.norm")?;
        let lm_head = (!config.tie_word_embeddings)
            .then(|| Linear::load(&mut weights, config, "lm_head", [vocabulary, hidden], false))
            .transpose()?;
        weights.finish()?;
        let model = Llama {
            dtype: norm.weight.dtype(),
            embed_tokens,
            layers,
            norm,
            lm_head,
            rope: Rope::new(config)?,
            kv_heads: config.kv_heads() as i32,
            head_dim: config.head_dim() as i32,
            #[cfg(target_os = "linux")]
            fused: None,
        };
        // Loading is lazy, and a prefill that asks for the cache only would leave the last layer unread.
        mlx_rs::transforms::eval(model.arrays())?;
        Ok(model)
    }

    /// From now on computes each step as one primitive by our kernels, on the CPU. `Stock` changes nothing.
    ///
    /// # Errors
    /// Weights that are not float32 (or packed with float32 scales); a level that the processor lacks.
    #[cfg(target_os = "linux")]
    pub fn fuse(&mut self, kernels: &Kernels) -> Result<()> {
        if let Kernels::Ours { level, threads } = kernels {
            let (frequencies, scale) = self.rope.frequencies();
            self.fused = Some(Fused::new(level, *threads, &self.parts(&frequencies, scale))?);
        }
        Ok(())
    }

    #[cfg(target_os = "linux")]
    fn parts<'a>(&'a self, frequencies: &[f32], rope_scale: f32) -> Parts<'a> {
        let first = self.layers.first();
        let embedding = self.embed_tokens.part(None);
        Parts {
            shape: Shape {
                hidden: embedding.columns as i32,
                inner: first.map_or(0, |block| block.mlp.gate_proj.part().rows as i32),
                heads: first.map_or(0, |block| block.self_attn.heads),
                kv_heads: self.kv_heads,
                head_dim: self.head_dim,
                vocabulary: embedding.rows as i32,
                layers: self.layers.len() as i32,
                epsilon: self.norm.eps,
                rope_scale,
                frequencies: frequencies.as_ptr(),
            },
            embedding,
            head: self.lm_head.as_ref().map_or(embedding, Linear::part),
            linears: self.layers.iter().flat_map(Block::linears).map(Linear::part).collect(),
            norms: self.layers.iter().flat_map(Block::norms).chain([&self.norm.weight]).collect(),
        }
    }

    /// An empty past with room for `capacity` positions.
    pub fn past(&self, capacity: usize) -> Result<Past> {
        #[cfg(target_os = "linux")]
        if let Some(fused) = &self.fused {
            return Ok(Past::Fused(fused.past(capacity)?));
        }
        let cache = |_| KvCache::new(self.kv_heads, capacity as i32, self.head_dim, self.dtype);
        Ok(Past::Stock(self.layers.iter().map(cache).collect::<Result<_>>()?))
    }

    /// Appends ids `[n]` to the past and evaluates nothing but that: MLX leaves out the head and what follows the last
    /// layer's keys and values.
    pub fn prefill(&self, ids: &Array, past: &mut Past) -> Result<()> {
        match past {
            Past::Stock(caches) => {
                self.hidden(ids, caches)?;
            }
            #[cfg(target_os = "linux")]
            Past::Fused(past) => {
                past.step(ids, false)?;
            }
        }
        past.eval()
    }

    /// Ids `[n]` to logits `[1, n, vocabulary]`; the past grows by `n`.
    pub fn logits(&self, ids: &Array, past: &mut Past) -> Result<Array> {
        match past {
            Past::Stock(caches) => self.stock_logits(ids, caches),
            #[cfg(target_os = "linux")]
            Past::Fused(past) => past.step(ids, true)?.ok_or_else(|| Exception::custom("a step without its logits")),
        }
    }

    /// Ids `[n]` to the last layer's output `[1, n, hidden]`; the caches grow by `n`.
    fn hidden(&self, ids: &Array, caches: &mut [KvCache]) -> Result<Array> {
        let mut x = self.embed_tokens.rows(ids)?.expand_dims(0)?;
        for (layer, cache) in self.layers.iter().zip(caches) {
            x = layer.apply(&x, &self.rope, cache)?;
        }
        self.norm.apply(&x)
    }

    fn stock_logits(&self, ids: &Array, caches: &mut [KvCache]) -> Result<Array> {
        let hidden = self.hidden(ids, caches)?;
        match &self.lm_head {
            Some(head) => head.apply(&hidden),
            None => self.embed_tokens.apply(&hidden),
        }
    }

    fn arrays(&self) -> Vec<&Array> {
        let mut arrays = self.embed_tokens.arrays();
        for block in &self.layers {
            arrays.extend(block.linears().into_iter().flat_map(Linear::arrays));
            arrays.extend(block.norms());
        }
        arrays.push(&self.norm.weight);
        arrays.extend(self.lm_head.iter().flat_map(Linear::arrays));
        arrays
    }
}
