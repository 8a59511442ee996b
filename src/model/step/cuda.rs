//! CUDA kernels of our own, inside MLX's graph: their source goes to NVRTC through `mlx_fast_cuda_kernel`. Each replaces two
//! or three nodes of MLX, since on a fast GPU a token of a small model costs what its nodes cost on the host.

use std::ffi::{CStr, CString};

use mlx_rs::{
    Array, Dtype, Stream,
    error::{Exception, Result},
};
use mlx_sys::*;

use crate::model::{
    cache::KvCache,
    rope,
    spec::{Activation, Attention, Feed, Keys, Mixer, NormKind, Norms, Spec},
    weights::Loaded,
};

/// Blocks of a large GPU's attention, all heads together: about as many as it has multiprocessors.
const BLOCKS: i32 = 132;
/// Positions that are worth a block of their own: putting two together takes as long as reading some hundred. A head has no more
/// blocks than a block has warps.
const POSITIONS: i32 = 512;
const MOST_SPLITS: i32 = 16;

/// The sizes of a model that its kernels are compiled for.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub hidden: i32,
    pub inner: i32,
    pub heads: i32,
    pub kv_heads: i32,
    pub head_dim: i32,
    /// Are queries and keys normed, a head at a time?
    pub normed: bool,
    /// Of every norm.
    pub eps: f32,
    /// Of positions, before they are rotated by.
    pub rope_scale: f32,
    pub dtype: Dtype,
}

/// The kernels of one model.
#[derive(Debug)]
pub struct Cuda {
    sizes: Sizes,
    /// Radians a position, `[head_dim / 2]`.
    frequencies: Array,
    /// What the blocks of a head leave for the last of them, `[heads * MOST_SPLITS, head_dim + 2]`, and how many have, `[heads]`.
    partial: Array,
    tickets: Array,
    add_norm: Kernel,
    swiglu: Kernel,
    attend: Kernel,
}

/// What the kernels are not made for in this model; `None`: for all of it they are.
pub fn unfit(spec: &Spec) -> Option<String> {
    for layer in &spec.layers {
        if let Mixer::Attention(Attention { head_dim: dim, heads, kv_heads, .. }) = &layer.mixer
            && (dim % 32 != 0 || *dim > 256)
        {
            return Some(format!("{heads} heads of {dim} dimensions, {kv_heads} of them keys'"));
        }
    }
    if spec.norm.kind != NormKind::Rms || spec.residual_scale != 1.0 {
        return Some("LayerNorm and scaled residuals".to_owned());
    }
    for layer in &spec.layers {
        let Mixer::Attention(attention) = &layer.mixer else {
            return Some("layers that are no attention".to_owned());
        };
        let dim = attention.head_dim;
        let plain_rope = attention.rope.and_then(|rope| spec.ropes.get(rope)).is_some_and(|rope| {
            rope.dims == dim && !rope.interleaved && rope.gain == 1.0 && rope::frequencies(rope).is_some()
        });
        let reasons = [
            (attention.value_norm || attention.qk_norm.is_some_and(|norm| norm.whole), "norms over all heads"),
            (attention.gated, "gated attention"),
            (!plain_rope, "this rotation"),
            (attention.window.is_some(), "a sliding window"),
            (attention.cap.is_some() || attention.scale != (dim as f32).powf(-0.5), "these scores"),
            (attention.sinks, "sinks"),
            (attention.query_gain.is_some(), "queries that grow"),
            (attention.keys != Keys::Own, "keys of other layers"),
            (layer.norms != Norms::BEFORE, "norms at these places"),
            (matches!(&layer.feed, Feed::Dense(dense) if dense.activation != Activation::Silu), "this activation"),
            (matches!(&layer.feed, Feed::Beside(..)), "experts beside a dense feed"),
        ];
        if let Some((_, reason)) = reasons.into_iter().find(|(found, _)| *found) {
            return Some(reason.to_owned());
        }
    }
    // They are compiled for one kind of layer.
    let differ = spec.layers.windows(2).any(|pair| pair[0].mixer != pair[1].mixer) || spec.ropes.len() > 1;
    differ.then(|| "layers that differ".to_owned())
}

impl Cuda {
    /// For a model that they are made for.
    ///
    /// # Errors
    /// One that they are not made for; a floating-point type that they do not know.
    pub fn of(spec: &Spec, dtype: Dtype) -> Loaded<Self> {
        let first = spec.layers.first().map(|layer| &layer.mixer);
        let inner = spec.layers.iter().find_map(|layer| match &layer.feed {
            Feed::Dense(dense) => Some(dense.inner),
            Feed::Experts(_) | Feed::Beside(..) => None,
        });
        let sizes = match (first, spec.ropes.first()) {
            (Some(Mixer::Attention(attention)), Some(rope)) => Sizes {
                hidden: spec.hidden as i32,
                // Where all feeds are experts, none.
                inner: inner.unwrap_or(0) as i32,
                normed: attention.qk_norm.is_some(),
                heads: attention.heads as i32,
                kv_heads: attention.kv_heads as i32,
                head_dim: attention.head_dim as i32,
                eps: spec.norm.epsilon,
                rope_scale: rope.scale,
                dtype,
            },
            _ => return Err("offprint's CUDA kernels are not made for this model".to_owned().into()),
        };
        let frequencies = spec.ropes.first().and_then(rope::frequencies).unwrap_or_default();
        let made = Self::new(sizes, &frequencies);
        made.ok_or_else(|| {
            format!("offprint's CUDA kernels are not made for these sizes: {sizes:?}\nhint: --stock-kernels computes it by MLX's own").into()
        })
    }

    /// `None` for a type that the kernels do not know. `frequencies`: radians a position, `[head_dim / 2]`.
    fn new(sizes: Sizes, frequencies: &[f32]) -> Option<Self> {
        let Sizes { hidden, inner, heads, kv_heads, head_dim, normed, eps, rope_scale, dtype } = sizes;
        let kind = match dtype {
            Dtype::Float16 => "__half",
            Dtype::Bfloat16 => "__nv_bfloat16",
            Dtype::Float32 => "float",
            _ => return None,
        };
        // Sizes go into the text, not into template arguments: MLX would put those together anew in each call. They go into
        // the name as well, by which MLX keeps what it has compiled.
        let kernel = |name: &str, inputs: &[&CStr], outputs: &[&CStr], source: &str, constants: String| {
            let tag: String = constants.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
            let define = |line: &str| match line.split_once('=') {
                Some((name, value)) => format!("#define {name} {value}\n"),
                None => String::new(),
            };
            let constants: String = constants.split(' ').map(define).collect();
            let undefine =
                "\n#undef T\n#undef D\n#undef I\n#undef H\n#undef K\n#undef EPS\n#undef SCALE\n#undef NORMED\n";
            Kernel::new(&format!("offprint_{name}_{tag}"), inputs, outputs, &format!("{constants}{source}{undefine}"))
        };
        Some(Cuda {
            sizes,
            frequencies: Array::from_slice(frequencies, &[head_dim / 2]),
            // Filled by the device in its own memory, where counting is fast.
            partial: Array::zeros::<f32>(&[heads * MOST_SPLITS, head_dim + 2]).ok()?,
            tickets: Array::zeros::<i32>(&[heads]).ok()?,
            add_norm: kernel(
                "add_norm",
                &[c"x", c"delta", c"weight"],
                &[c"h", c"y"],
                include_str!("../../../native/cuda/add_norm.cu"),
                format!("T={kind} D={hidden} EPS={eps:e}f"),
            ),
            swiglu: kernel(
                "swiglu",
                &[c"both"],
                &[c"out"],
                include_str!("../../../native/cuda/swiglu.cu"),
                format!("T={kind} I={inner}"),
            ),
            attend: kernel(
                "attend",
                if normed {
                    &[
                        c"qkv",
                        c"keys",
                        c"values",
                        c"frequencies",
                        c"place",
                        c"partial",
                        c"tickets",
                        c"q_norm",
                        c"k_norm",
                    ]
                } else {
                    &[c"qkv", c"keys", c"values", c"frequencies", c"place", c"partial", c"tickets"]
                },
                &[c"out"],
                include_str!("../../../native/cuda/attend.cu"),
                format!(
                    "T={kind} D={head_dim} H={heads} K={kv_heads} SCALE={rope_scale:e}f{}",
                    if normed { format!(" NORMED=1 EPS={eps:e}f") } else { String::new() }
                ),
            ),
        })
    }

    /// `x + delta` and its RMS norm, all `[1, n, hidden]`.
    pub fn add_norm(&self, x: &Array, delta: &Array, weight: &Array) -> Result<(Array, Array)> {
        const BLOCK: i32 = 256;
        let (shape, dtype) = (x.shape(), self.sizes.dtype);
        let config = Config::new(&[(shape, dtype), (shape, dtype)], shape[1] * BLOCK, BLOCK);
        let [h, y] = self.add_norm.apply(&[x, delta, weight], &config)?;
        Ok((h, y))
    }

    /// Is the kernel for `silu(gate) * up` made for so many of both?
    pub fn fits_feed(&self, both: &Array) -> bool {
        both.dim(2) == 2 * self.sizes.inner
    }

    /// `silu(gate) * up` of `[1, n, 2 inner]`, gates first: `[1, n, inner]`.
    pub fn swiglu(&self, both: &Array) -> Result<Array> {
        const BLOCK: i32 = 256;
        let (n, inner) = (both.dim(1), self.sizes.inner);
        let threads = (n * inner + BLOCK - 1) / BLOCK * BLOCK;
        let config = Config::new(&[(&[1, n, inner], self.sizes.dtype)], threads, BLOCK);
        let [out] = self.swiglu.apply(&[both], &config)?;
        Ok(out)
    }

    /// Where the next position goes, the same in each layer's cache.
    pub fn place<'a>(&'a self, cache: &KvCache) -> Place<'a> {
        let past = cache.offset();
        let splits = (past / POSITIONS).min(BLOCKS / self.sizes.heads).clamp(1, MOST_SPLITS);
        Place { cuda: self, array: Array::from_slice(&[past, cache.state()[0].dim(2)], &[2]), splits }
    }
}

/// A position that is computed alone.
#[derive(Debug)]
pub struct Place<'a> {
    cuda: &'a Cuda,
    /// Positions written before, capacity.
    array: Array,
    /// Blocks that share a head's past.
    splits: i32,
}

impl Place<'_> {
    /// Attention in one layer, by the weights of its norms where queries and keys are normed, `[head_dim]` each: `qkv` `[1, 1, (heads + 2 kv_heads) head_dim]`, not rotated, to `[1, 1, heads head_dim]`. The
    /// kernel writes the new key and value where the cache has room for them, so the result must be evaluated: nothing
    /// else makes MLX do it.
    pub fn attend(&self, qkv: &Array, norms: &[&Array], cache: &mut KvCache) -> Result<Array> {
        const BLOCK: i32 = 512;
        let Cuda { sizes: Sizes { heads, head_dim, dtype, .. }, frequencies, partial, tickets, .. } = self.cuda;
        let (heads, head_dim, dtype) = (*heads, *head_dim, *dtype);
        let config = Config::new(&[(&[1, 1, heads * head_dim], dtype)], heads * self.splits * BLOCK, BLOCK);
        let [keys, values] = cache.state();
        let mut inputs = vec![qkv, keys, values, frequencies, &self.array, partial, tickets];
        inputs.extend(norms);
        let [out] = self.cuda.attend.apply(&inputs, &config)?;
        cache.advance()?;
        Ok(out)
    }
}

/// A compiled-on-first-use kernel.
#[derive(Debug)]
struct Kernel(mlx_fast_cuda_kernel);

impl Kernel {
    fn new(name: &str, inputs: &[&CStr], outputs: &[&CStr], source: &str) -> Self {
        // No text of ours holds a NUL.
        let text = |text: &str| CString::new(text).unwrap_or_default();
        let (name, source) = (text(name), text(source));
        // SAFETY: every string and vector outlives the call, which copies them.
        unsafe {
            let names = |names: &[&CStr]| {
                let vector = mlx_vector_string_new();
                for name in names {
                    mlx_vector_string_append_value(vector, name.as_ptr());
                }
                vector
            };
            let (inputs, outputs) = (names(inputs), names(outputs));
            let kernel =
                mlx_fast_cuda_kernel_new(name.as_ptr(), inputs, outputs, source.as_ptr(), c"".as_ptr(), true, 0);
            mlx_vector_string_free(inputs);
            mlx_vector_string_free(outputs);
            Kernel(kernel)
        }
    }

    fn apply<const N: usize>(&self, inputs: &[&Array], config: &Config) -> Result<[Array; N]> {
        let stream = Stream::thread_local_or_default();
        let handles: Vec<mlx_array> = inputs.iter().map(|array| array.as_ptr()).collect();
        // SAFETY: the handles live through the call; what it returns is owned here and freed, the arrays by `Array`.
        unsafe {
            let inputs = mlx_vector_array_new_data(handles.as_ptr(), handles.len());
            let mut outputs = mlx_vector_array_new();
            let done = mlx_fast_cuda_kernel_apply(&mut outputs, self.0, inputs, config.0, stream.as_ptr());
            let mut arrays = Vec::with_capacity(N);
            for index in 0..if done == 0 { N } else { 0 } {
                let mut array = mlx_array_new();
                if mlx_vector_array_get(&mut array, outputs, index) == 0 {
                    arrays.push(Array::from_ptr(array));
                }
            }
            mlx_vector_array_free(inputs);
            mlx_vector_array_free(outputs);
            arrays.try_into().map_err(|_| Exception::custom("a CUDA kernel of offprint could not be queued"))
        }
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        // SAFETY: owned, freed once.
        unsafe { mlx_fast_cuda_kernel_free(self.0) }
    }
}

/// Outputs and threads of one call.
struct Config(mlx_fast_cuda_kernel_config);

impl Config {
    fn new(outputs: &[(&[i32], Dtype)], threads: i32, block: i32) -> Self {
        // SAFETY: a fresh handle; shapes outlive the calls, which copy them and cannot fail on these.
        unsafe {
            let config = mlx_fast_cuda_kernel_config_new();
            for (shape, dtype) in outputs {
                mlx_fast_cuda_kernel_config_add_output_arg(config, shape.as_ptr(), shape.len(), (*dtype).into());
            }
            mlx_fast_cuda_kernel_config_set_grid(config, threads, 1, 1);
            mlx_fast_cuda_kernel_config_set_thread_group(config, block, 1, 1);
            Config(config)
        }
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        // SAFETY: owned, freed once.
        unsafe { mlx_fast_cuda_kernel_config_free(self.0) }
    }
}
