//! Llama, in mlx-lm's order of operations (`mlx_lm/models/llama.py`). Fields are named by the checkpoint's keys.
//! Token ids in, logits out; knows nothing of sampling. By other kernels than MLX's own, parts of the graph, or all of a step,
//! are computed at once; the numbers are the same up to rounding.

use mlx_rs::{
    Array, Dtype,
    error::{Exception, Result},
    fast, nn, ops,
};
#[cfg(target_os = "linux")]
use offprint_kernels::{RopeHandle, Shape};

#[cfg(target_os = "linux")]
use crate::model::fused::{Fused, Parts};
use crate::model::{
    cache::KvCache,
    checkpoint::Checkpoint,
    config::Config,
    cuda::{self, Cuda, Sizes},
    kernels::{Joined, Kernels},
    linear::{Linear, Matrix, Projections},
    past::Past,
    rope::Rope,
    weights::{LoadError, Weights},
};

type Loaded<T> = std::result::Result<T, LoadError>;

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
    /// `q_proj`, `k_proj`, `v_proj`.
    qkv: Projections,
    o_proj: Linear,
    heads: i32,
    kv_heads: i32,
    head_dim: i32,
}

impl Attention {
    fn load(weights: &mut Weights, config: &Config, path: &str, joined: Joined) -> Loaded<Self> {
        let (hidden, head_dim) = (config.hidden_size, config.head_dim());
        let (heads, kv_heads) = (config.num_attention_heads, config.kv_heads());
        let mut linear =
            |name: &str, shape| Linear::load(weights, config, &format!("{path}.{name}"), shape, config.attention_bias);
        let qkv = vec![
            linear("q_proj", [heads * head_dim, hidden])?,
            linear("k_proj", [kv_heads * head_dim, hidden])?,
            linear("v_proj", [kv_heads * head_dim, hidden])?,
        ];
        Ok(Attention {
            qkv: Projections::new(qkv, joined.qkv)?,
            o_proj: linear("o_proj", [hidden, heads * head_dim])?,
            heads: heads as i32,
            kv_heads: kv_heads as i32,
            head_dim: head_dim as i32,
        })
    }

    /// Queries and keys, rotated, and values: `[1, heads, n, head_dim]` each.
    fn project(&self, x: &Array, rope: &Rope, offset: i32) -> Result<[Array; 3]> {
        let n = x.dim(1);
        let split = |y: Array, heads: i32| y.reshape(&[1, n, heads, self.head_dim])?.transpose_axes(&[0, 2, 1, 3]);
        if let Some(qkv) = self.qkv.joined.as_ref().filter(|_| n == 1) {
            // Heads are rotated alike, so queries and keys are rotated as one.
            let all = split(qkv.apply(x)?, self.heads + 2 * self.kv_heads)?;
            let [rotating, values] = halves(&all, self.heads + self.kv_heads, 1)?;
            let [queries, keys] = halves(&rope.apply(&rotating, offset)?, self.heads, 1)?;
            return Ok([queries, keys, values]);
        }
        let [q_proj, k_proj, v_proj] = &self.qkv.parts[..] else { return Err(miscounted()) };
        let queries = split(q_proj.apply(x)?, self.heads)?;
        let keys = split(k_proj.apply(x)?, self.kv_heads)?;
        let values = split(v_proj.apply(x)?, self.kv_heads)?;
        Ok([rope.apply(&queries, offset)?, rope.apply(&keys, offset)?, values])
    }

    /// `[1, n, hidden]` to the same shape.
    fn apply(&self, x: &Array, rope: &Rope, cache: &mut KvCache) -> Result<Array> {
        let n = x.dim(1);
        let [queries, keys, values] = self.project(x, rope, cache.offset())?;
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

/// The part before `at` of an axis, and the rest.
fn halves(x: &Array, at: i32, axis: i32) -> Result<[Array; 2]> {
    x.split_at_indices(&[at], axis)?.try_into().map_err(|_| miscounted())
}

fn miscounted() -> Exception {
    Exception::custom("parts of another number than their kind has")
}

#[derive(Debug)]
struct Mlp {
    /// `gate_proj`, `up_proj`.
    gate_up: Projections,
    down_proj: Linear,
    inner: i32,
}

impl Mlp {
    fn load(weights: &mut Weights, config: &Config, path: &str, joined: Joined) -> Loaded<Self> {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let mut linear =
            |name: &str, shape| Linear::load(weights, config, &format!("{path}.{name}"), shape, config.mlp_bias);
        let gate_up = vec![linear("gate_proj", [inner, hidden])?, linear("up_proj", [inner, hidden])?];
        Ok(Mlp {
            gate_up: Projections::new(gate_up, joined.gate_up)?,
            down_proj: linear("down_proj", [hidden, inner])?,
            inner: inner as i32,
        })
    }

    fn apply(&self, x: &Array, cuda: Option<&Cuda>) -> Result<Array> {
        let [gate, up] = match (&self.gate_up.joined, cuda) {
            (Some(both), Some(cuda)) if x.dim(1) == 1 => return self.down_proj.apply(&cuda.swiglu(&both.apply(x)?)?),
            (Some(both), None) if x.dim(1) == 1 => halves(&both.apply(x)?, self.inner, 2)?,
            _ => {
                let [gate_proj, up_proj] = &self.gate_up.parts[..] else { return Err(miscounted()) };
                [gate_proj.apply(x)?, up_proj.apply(x)?]
            }
        };
        self.down_proj.apply(&ops::multiply(nn::silu(gate)?, up)?)
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
    fn load(weights: &mut Weights, config: &Config, layer: usize, joined: Joined) -> Loaded<Self> {
        let path = format!("model.layers.{layer}");
        Ok(Block {
            self_attn: Attention::load(weights, config, &format!("{path}.self_attn"), joined)?,
            mlp: Mlp::load(weights, config, &format!("{path}.mlp"), joined)?,
            input_layernorm: RmsNorm::load(weights, config, &format!("{path}.input_layernorm"))?,
            post_attention_layernorm: RmsNorm::load(weights, config, &format!("{path}.post_attention_layernorm"))?,
        })
    }

    /// In this order: q, k, v, o, gate, up, down.
    fn linears(&self) -> impl Iterator<Item = &Linear> {
        let (a, mlp) = (&self.self_attn, &self.mlp);
        a.qkv.parts.iter().chain([&a.o_proj]).chain(&mlp.gate_up.parts).chain([&mlp.down_proj])
    }

    fn norms(&self) -> [&Array; 2] {
        [&self.input_layernorm.weight, &self.post_attention_layernorm.weight]
    }
}

fn unfit(what: &str) -> LoadError {
    let hint = "hint: --stock-kernels computes it by MLX's own, OFFPRINT_KERNELS=qkv,gate_up with joined matrices";
    LoadError::from(format!("offprint's CUDA kernels are not made for {what}\n{hint}"))
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
    /// The whole step at once, on the CPU.
    #[cfg(target_os = "linux")]
    fused: Option<Fused>,
    /// Parts of the graph, on CUDA.
    cuda: Option<Cuda>,
}

impl Llama {
    /// Loads every parameter and evaluates it on the device. `dtype`: cast floating-point tensors; `None` keeps the file's, and so
    /// do our kernels on a CPU for scales. Steps are computed by `kernels`.
    ///
    /// # Errors
    /// [`LoadError`]'s cases, each naming the tensor; kernels that cannot compute it here.
    pub fn load(checkpoint: &Checkpoint, dtype: Option<Dtype>, kernels: &Kernels) -> Loaded<Self> {
        let mut model = Self::assemble(checkpoint, dtype, kernels)?;
        // Loading is lazy, and a prefill that asks for the cache only would leave the last layer unread.
        mlx_rs::transforms::eval(model.arrays())?;
        match kernels {
            Kernels::Stock | Kernels::Joined(_) => {}
            #[cfg(target_os = "linux")]
            Kernels::Ours { level, threads } => {
                let (frequencies, scale) = model.rope.frequencies();
                model.fused = Some(Fused::new(level, *threads, &model.parts(&frequencies, scale))?);
            }
            #[cfg(not(target_os = "linux"))]
            Kernels::Ours { .. } => return Err(Exception::custom("offprint's CPU kernels are for Linux").into()),
            Kernels::Cuda => model.cuda = Some(model.cuda(&checkpoint.config)?),
        }
        Ok(model)
    }

    /// Is every tensor there that the configuration asks for, of its shape and kind, and no other, and are these kernels made for
    /// such a model? Headers are read, weights are not.
    ///
    /// # Errors
    /// [`LoadError`]'s cases, each naming the tensor; kernels that cannot compute it.
    pub fn check(checkpoint: &Checkpoint, kernels: &Kernels) -> Loaded<()> {
        Self::assemble(checkpoint, None, &Kernels::Stock)?;
        let config = &checkpoint.config;
        let [dim, heads, kv_heads] =
            [config.head_dim(), config.num_attention_heads, config.kv_heads()].map(|size| size as i32);
        if matches!(kernels, Kernels::Cuda) && !cuda::fits(dim, heads, kv_heads) {
            return Err(unfit(&format!("{heads} heads of {dim} dimensions, {kv_heads} of them keys'")));
        }
        Ok(())
    }

    /// Every tensor in its place; nothing is evaluated but what is joined.
    fn assemble(checkpoint: &Checkpoint, dtype: Option<Dtype>, kernels: &Kernels) -> Loaded<Self> {
        let config = &checkpoint.config;
        let mut weights = Weights::open(&checkpoint.shards, dtype)?;
        // Level `plain` is for processors that have no instruction for numbers of 16 bits.
        if matches!(kernels, Kernels::Ours { level, .. } if level != "plain") {
            weights.keep_scales();
        }
        if config.tie_word_embeddings {
            weights.discard("lm_head.");
        }
        if matches!(kernels, Kernels::Cuda) {
            weights.unify();
        }
        let (vocabulary, hidden) = (config.vocab_size, config.hidden_size);
        let embed_tokens = Matrix::load(&mut weights, config, "model.embed_tokens", vocabulary, hidden)?;
        let layers = (0..config.num_hidden_layers)
            .map(|layer| Block::load(&mut weights, config, layer, kernels.joined()))
            .collect::<Loaded<Vec<_>>>()?;
        let norm = RmsNorm::load(&mut weights, config, "model.norm")?;
        let lm_head = (!config.tie_word_embeddings)
            .then(|| Linear::load(&mut weights, config, "lm_head", [vocabulary, hidden], false))
            .transpose()?;
        weights.finish()?;
        Ok(Llama {
            dtype: norm.weight.dtype(),
            embed_tokens,
            layers,
            norm,
            lm_head,
            rope: Rope::new(config),
            kv_heads: config.kv_heads() as i32,
            head_dim: config.head_dim() as i32,
            #[cfg(target_os = "linux")]
            fused: None,
            cuda: None,
        })
    }

    /// The CUDA kernels for this model; an error where they are not made for it, since records say who computed.
    fn cuda(&self, config: &Config) -> Loaded<Cuda> {
        let (frequencies, rope_scale) = self.rope.frequencies();
        let sizes = Sizes {
            hidden: config.hidden_size as i32,
            inner: config.intermediate_size as i32,
            heads: config.num_attention_heads as i32,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            eps: self.norm.eps,
            rope_scale,
            dtype: self.dtype,
        };
        Cuda::new(sizes, &frequencies).ok_or_else(|| unfit(&format!("these sizes: {sizes:?}")))
    }

    #[cfg(target_os = "linux")]
    fn parts<'a>(&'a self, frequencies: &[f32], rope_scale: f32) -> Parts<'a> {
        let first = self.layers.first();
        let embedding = self.embed_tokens.part(None);
        Parts {
            shape: Shape {
                hidden: embedding.columns as i32,
                heads: 0,
                vocabulary: embedding.rows as i32,
                layers: self.layers.len() as i32,
                epsilon: self.norm.eps,
                embedding_scale: 1.0,
                residual_scale: 1.0,
                logit_scale: 1.0,
                logit_cap: 0.0,
                layer_norm: false,
                ropes: std::ptr::null(),
                rope_count: 0,
            },
            rope: RopeHandle {
                dims: self.head_dim,
                interleaved: false,
                scale: rope_scale,
                gain: 1.0,
                frequencies: frequencies.as_ptr(),
            },
            heads: first.map_or(0, |block| block.self_attn.heads),
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
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
                self.hidden(ids, caches, None)?;
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
            Past::Stock(caches) => self.graph_logits(ids, caches),
            #[cfg(target_os = "linux")]
            Past::Fused(past) => past.step(ids, true)?.ok_or_else(|| Exception::custom("a step without its logits")),
        }
    }

    /// Ids `[n]` to the last layer's output, normed, `[1, n, hidden]`; the caches grow by `n`.
    fn hidden(&self, ids: &Array, caches: &mut [KvCache], attend: Option<&Cuda>) -> Result<Array> {
        let mut x = self.embed_tokens.rows(ids)?.expand_dims(0)?;
        let place = match (attend, caches.first()) {
            (Some(cuda), Some(cache)) if ids.size() == 1 => Some(cuda.place(cache)),
            _ => None,
        };
        let first = self.layers.first().map_or(&self.norm, |layer| &layer.input_layernorm);
        let mut normed = first.apply(&x)?;
        for (index, (layer, cache)) in self.layers.iter().zip(caches).enumerate() {
            let attended = match (&place, &layer.self_attn.qkv.joined) {
                (Some(place), Some(qkv)) => {
                    layer.self_attn.o_proj.apply(&place.attend(&qkv.apply(&normed)?, cache)?)?
                }
                _ => layer.self_attn.apply(&normed, &self.rope, cache)?,
            };
            (x, normed) = self.add_norm(&x, &attended, &layer.post_attention_layernorm)?;
            let mixed = layer.mlp.apply(&normed, self.cuda.as_ref())?;
            let next = self.layers.get(index + 1).map_or(&self.norm, |next| &next.input_layernorm);
            (x, normed) = self.add_norm(&x, &mixed, next)?;
        }
        Ok(normed)
    }

    /// The residual's next value, and its norm.
    fn add_norm(&self, x: &Array, delta: &Array, norm: &RmsNorm) -> Result<(Array, Array)> {
        if let Some(cuda) = &self.cuda {
            return cuda.add_norm(x, delta, &norm.weight);
        }
        let sum = ops::add(x, delta)?;
        let normed = norm.apply(&sum)?;
        Ok((sum, normed))
    }

    fn graph_logits(&self, ids: &Array, caches: &mut [KvCache]) -> Result<Array> {
        let hidden = self.hidden(ids, caches, self.cuda.as_ref())?;
        match &self.lm_head {
            Some(head) => head.apply(&hidden),
            None => self.embed_tokens.apply(&hidden),
        }
    }

    fn arrays(&self) -> Vec<&Array> {
        let mut arrays = self.embed_tokens.arrays();
        for block in &self.layers {
            arrays.extend(block.linears().flat_map(Linear::arrays));
            let joined = [&block.self_attn.qkv, &block.mlp.gate_up].into_iter().filter_map(|maps| maps.joined.as_ref());
            arrays.extend(joined.flat_map(Linear::arrays));
            arrays.extend(block.norms());
        }
        arrays.push(&self.norm.weight);
        arrays.extend(self.lm_head.iter().flat_map(Linear::arrays));
        arrays
    }
}
