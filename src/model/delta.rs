//! Linear attention by the gated delta rule, behind a short convolution (Qwen3-Next, Qwen3.5), as mlx-lm computes it
//! (`mlx_lm/models/gated_delta.py`, `qwen3_next.py`, `qwen3_5.py`): a state a head that decays, and that each position corrects
//! towards its value. MLX 0.32.2 has no operation for it, so a prompt is a loop over its positions.

use mlx_rs::{Array, Dtype, error::Result, fast, nn, ops};

use crate::model::{
    conv::{Tail, Taps},
    linear::{Linear, halves},
    spec::{self, Spec},
    weights::{Loaded, Source},
};

const EPSILON: f32 = 1e-6;

/// What a layer remembers.
#[derive(Debug, Default)]
pub struct State {
    pub tail: Tail,
    /// `[1, value_heads, value_dim, key_dim]`, float32.
    pub memory: Option<Array>,
}

/// One layer.
#[derive(Debug)]
pub struct Delta {
    spec: spec::Delta,
    inputs: Inputs,
    taps: Taps,
    dt_bias: Array,
    /// float32, as stored.
    a_log: Array,
    /// Of the norm before the gate, `[value_dim]`.
    norm: Array,
    epsilon: f32,
    out_proj: Linear,
}

/// Queries, keys and values; gates; rates and decays: each by its matrix, or dealt out by key head.
#[derive(Debug)]
enum Inputs {
    Apart { qkv: Linear, z: Linear, b: Linear, a: Linear },
    Joined { qkvz: Linear, ba: Linear },
}

impl Delta {
    pub fn load(source: &mut Source<'_>, spec: &Spec, layer: usize, of: spec::Delta) -> Loaded<Self> {
        let path = spec.in_layer(layer, of.path);
        let name = |part: &str| format!("{path}.{part}");
        let hidden = spec.hidden;
        let (keys, values) = (of.key_heads * of.key_dim, of.value_heads * of.value_dim);
        let channels = 2 * keys + values;
        let mut linear = |part: &str, rows: usize| Linear::load(source, &name(part), &[rows, hidden], false);
        let inputs = if of.joined {
            Inputs::Joined {
                qkvz: linear("in_proj_qkvz", channels + values)?,
                ba: linear("in_proj_ba", 2 * of.value_heads)?,
            }
        } else {
            Inputs::Apart {
                qkv: linear("in_proj_qkv", channels)?,
                z: linear("in_proj_z", values)?,
                b: linear("in_proj_b", of.value_heads)?,
                a: linear("in_proj_a", of.value_heads)?,
            }
        };
        let weights = &mut source.weights;
        Ok(Delta {
            taps: Taps::load(weights, &name("conv1d"), channels, of.kernel, false)?,
            dt_bias: weights.float(&name("dt_bias"), &[of.value_heads as i32])?,
            a_log: weights.float(&name("A_log"), &[of.value_heads as i32])?.as_dtype(Dtype::Float32)?,
            norm: weights.float(&name("norm.weight"), &[of.value_dim as i32])?,
            out_proj: Linear::load(source, &name("out_proj"), &[hidden, values], false)?,
            epsilon: spec.norm.epsilon,
            spec: of,
            inputs,
        })
    }

    /// `[1, n, hidden]` to the same shape.
    pub fn apply(&self, x: &Array, state: &mut State) -> Result<Array> {
        let n = x.dim(1);
        let spec::Delta { key_heads, value_heads, key_dim, value_dim, .. } = self.spec;
        let [key_heads, value_heads, key_dim, value_dim] =
            [key_heads, value_heads, key_dim, value_dim].map(|size| size as i32);
        let (keys, values) = (key_heads * key_dim, value_heads * value_dim);
        let [qkv, z, b, a] = self.project(x)?;
        let mixed = nn::silu(self.taps.apply(&qkv, &mut state.tail)?)?;
        let parts = mixed.split_at_indices(&[keys, 2 * keys], 2)?;
        let shared = value_heads / key_heads;
        // Of unit length; the scores' scale is in the queries.
        let scale = (key_dim as f32).powf(-0.5);
        let unit = |y: &Array, scale_by: f32| -> Result<Array> {
            let y = fast::rms_norm(y.reshape(&[1, n, key_heads, key_dim])?, None, EPSILON * scale * scale)?;
            let y = ops::multiply(&y, Array::from_f32(scale_by).as_dtype(y.dtype())?)?;
            if shared > 1 { ops::repeat_axis::<f32>(y, shared, 2) } else { Ok(y) }
        };
        let (q, k) = (unit(&parts[0], scale * scale)?, unit(&parts[1], scale)?);
        let v = parts[2].reshape(&[1, n, value_heads, value_dim])?;
        let rate = ops::sigmoid(b)?;
        let decay = ops::negative(ops::multiply(ops::exp(&self.a_log)?, nn::softplus(ops::add(a, &self.dt_bias)?)?)?)?;
        let decay = ops::exp(decay)?;
        let y = recur(&q, &k, &v, &decay, &rate, [value_heads, value_dim, key_dim], &mut state.memory)?;

        let normed = fast::rms_norm(&y, Some(&self.norm), self.epsilon)?.as_dtype(Dtype::Float32)?;
        let gate = nn::silu(z.reshape(&[1, n, value_heads, value_dim])?.as_dtype(Dtype::Float32)?)?;
        let gated = ops::multiply(gate, normed)?.as_dtype(y.dtype())?;
        self.out_proj.apply(&gated.reshape(&[1, n, values])?)
    }

    /// Queries, keys and values `[1, n, channels]`; gates `[1, n, values]`; rates and decays `[1, n, value_heads]`.
    fn project(&self, x: &Array) -> Result<[Array; 4]> {
        let (qkvz, ba) = match &self.inputs {
            Inputs::Apart { qkv, z, b, a } => return Ok([qkv.apply(x)?, z.apply(x)?, b.apply(x)?, a.apply(x)?]),
            Inputs::Joined { qkvz, ba } => (qkvz, ba),
        };
        let n = x.dim(1);
        let [key_heads, key_dim] = [self.spec.key_heads, self.spec.key_dim].map(|size| size as i32);
        let shared = (self.spec.value_heads / self.spec.key_heads) as i32;
        let values = shared * self.spec.value_dim as i32;
        let dealt = |y: Array| y.reshape(&[1, n, key_heads, -1]);
        let parts = dealt(qkvz.apply(x)?)?.split_at_indices(&[key_dim, 2 * key_dim, 2 * key_dim + values], 3)?;
        let flat = |y: &Array| y.reshape(&[1, n, -1]);
        let qkv = ops::concatenate(&[&flat(&parts[0])?, &flat(&parts[1])?, &flat(&parts[2])?], 2)?;
        let [b, a] = halves(&dealt(ba.apply(x)?)?, shared, 3)?;
        Ok([qkv, flat(&parts[3])?, flat(&b)?, flat(&a)?])
    }

    pub fn arrays(&self) -> Vec<&Array> {
        let linears: Vec<&Linear> = match &self.inputs {
            Inputs::Apart { qkv, z, b, a } => vec![qkv, z, b, a, &self.out_proj],
            Inputs::Joined { qkvz, ba } => vec![qkvz, ba, &self.out_proj],
        };
        let mut arrays: Vec<&Array> = linears.into_iter().flat_map(Linear::arrays).collect();
        arrays.extend([&self.dt_bias, &self.a_log, &self.norm]);
        arrays.extend(self.taps.arrays());
        arrays
    }
}

/// The rule, position by position. `q`, `k`: `[1, n, heads, key_dim]`; `v`: `[1, n, heads, value_dim]`; `decay`, `rate`:
/// `[1, n, heads]`. What is read: `[1, n, heads, value_dim]`.
fn recur(
    q: &Array,
    k: &Array,
    v: &Array,
    decay: &Array,
    rate: &Array,
    [heads, value_dim, key_dim]: [i32; 3],
    memory: &mut Option<Array>,
) -> Result<Array> {
    let n = q.dim(1);
    let mut state = match memory.take() {
        Some(state) => state,
        None => ops::zeros_dtype(&[1, heads, value_dim, key_dim], Dtype::Float32)?,
    };
    let steps = |of: &Array| of.split_equal(n, 1);
    let (q, k, v, decay, rate) = (steps(q)?, steps(k)?, steps(v)?, steps(decay)?, steps(rate)?);
    let mut read = Vec::with_capacity(n as usize);
    for t in 0..n as usize {
        let column = |of: &Array| of.reshape(&[1, heads, -1, 1]);
        let (key, query) = (column(&k[t])?, column(&q[t])?);
        state = ops::multiply(state, column(&decay[t])?)?;
        let held = ops::matmul(&state, &key)?;
        let change = ops::multiply(ops::subtract(column(&v[t])?, held)?, column(&rate[t])?)?;
        state = ops::add(state, ops::matmul(change, key.transpose_axes(&[0, 1, 3, 2])?)?)?;
        read.push(ops::matmul(&state, &query)?.reshape(&[1, 1, heads, value_dim])?);
    }
    *memory = Some(state);
    ops::concatenate(&read, 1)?.as_dtype(v[0].dtype())
}
