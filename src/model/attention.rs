//! Attention of one layer, as the description has it, over keys and values of the past.

use mlx_rs::{
    Array, Dtype,
    error::{Exception, Result},
    fast, ops,
};

use crate::model::{
    cache::KvCache,
    linear::{Linear, Projections, halves},
    norm::Norm,
    past::Memory,
    rope::Rope,
    spec::{self, Keys, QueryGain, Spec},
    step::cuda::Place,
    weights::{Loaded, Source},
};

/// One layer's attention. Names are those of most checkpoints.
#[derive(Debug)]
pub struct Attention {
    pub spec: spec::Attention,
    /// `q_proj`, and `k_proj`, `v_proj` where the layer has its own.
    pub qkv: Projections,
    pub o_proj: Linear,
    pub q_norm: Option<Norm>,
    pub k_norm: Option<Norm>,
    /// `[heads]`.
    pub sinks: Option<Array>,
    epsilon: f32,
}

impl Attention {
    pub fn load(source: &mut Source<'_>, spec: &Spec, layer: usize, of: &spec::Attention, join: bool) -> Loaded<Self> {
        let path = spec.in_layer(layer, of.path);
        let name = |part: &str| format!("{path}.{part}");
        let (hidden, dim) = (spec.hidden, of.head_dim);
        let queries = of.heads * dim * if of.gated { 2 } else { 1 };
        let keys = of.kv_heads * dim;
        let qkv = match (of.joined, of.keys) {
            (Some(joined), _) => {
                let rows = [queries, keys, keys];
                let whole = Linear::load(source, &name(joined), &[rows.iter().sum(), hidden], of.qkv_bias)?;
                Projections::stored(whole, &rows)?
            }
            (None, own) => {
                let names: &[(&str, usize)] = match own {
                    Keys::Own => &[("q_proj", queries), ("k_proj", keys), ("v_proj", keys)],
                    Keys::OwnForBoth => &[("q_proj", queries), ("k_proj", keys)],
                    Keys::Of(_) => &[("q_proj", queries)],
                };
                let part =
                    |(part, rows): &(&str, usize)| Linear::load(source, &name(part), &[*rows, hidden], of.qkv_bias);
                Projections::new(names.iter().map(part).collect::<Loaded<_>>()?, join)?
            }
        };
        let mut norm = |part: &str, heads: usize, whole: bool| {
            Norm::load(source, spec.norm, &name(part), dim * if whole { heads } else { 1 })
        };
        let shared = matches!(of.keys, Keys::Of(_));
        let (q_norm, k_norm) = match of.qk_norm {
            None => (None, None),
            Some(names) => (
                Some(norm(names.query, of.heads, names.whole)?),
                if shared { None } else { Some(norm(names.key, of.kv_heads, names.whole)?) },
            ),
        };
        let o_proj = Linear::load(source, &name(of.output), &[hidden, of.heads * dim], of.output_bias)?;
        let sinks = if of.sinks { Some(source.weights.float(&name("sinks"), &[of.heads as i32])?) } else { None };
        Ok(Attention { spec: of.clone(), qkv, o_proj, q_norm, k_norm, sinks, epsilon: spec.norm.epsilon })
    }

    /// `[1, n, hidden]` to the same shape; the new keys and values go to `own`. `before`: the memories of earlier layers.
    pub fn apply(
        &self,
        x: &Array,
        ropes: &[Rope],
        own: Option<&mut KvCache>,
        before: &[Memory],
        masks: &mut Masks,
    ) -> Result<Array> {
        self.o_proj.apply(&self.over(self.qkv.apply(x)?, ropes, own, before, masks)?)
    }

    /// The same between the matrices: what `qkv` makes of `[1, n, hidden]` to what `o_proj` is applied to.
    pub fn over(
        &self,
        parts: Vec<Array>,
        ropes: &[Rope],
        own: Option<&mut KvCache>,
        before: &[Memory],
        masks: &mut Masks,
    ) -> Result<Array> {
        let rope = self.spec.rope.and_then(|rope| ropes.get(rope));
        let Projected { queries, gate, keys } = self.project(parts, rope, masks)?;
        let cache: &KvCache = match (own, keys, self.spec.keys) {
            (Some(cache), Some((keys, values)), _) => {
                cache.append(&keys, &values)?;
                cache
            }
            (_, None, Keys::Of(layer)) => before
                .get(layer)
                .and_then(Memory::cache)
                .ok_or_else(|| Exception::custom("a layer without its keys"))?,
            _ => return Err(Exception::custom("a layer without a place for its keys")),
        };
        let mixed = self.attend(queries, cache, masks)?;
        let flat = mixed.transpose_axes(&[0, 2, 1, 3])?.reshape(&[1, masks.n, -1])?;
        match gate {
            Some(gate) => ops::multiply(flat, ops::sigmoid(gate)?),
            None => Ok(flat),
        }
    }

    /// The same of one position by a kernel of ours, which writes its key and value itself; `None`: the maps are not joined.
    pub fn at(&self, place: &Place<'_>, x: &Array, own: &mut KvCache) -> Result<Option<Array>> {
        let Some(qkv) = &self.qkv.joined else { return Ok(None) };
        let norms: Vec<&Array> = self.q_norm.iter().chain(&self.k_norm).map(|norm| &norm.weight).collect();
        self.o_proj.apply(&place.attend(&qkv.apply(x)?, &norms, own)?).map(Some)
    }

    /// Queries over all that they see: `[1, heads, n, head_dim]`.
    fn attend(&self, mut queries: Array, cache: &KvCache, masks: &mut Masks) -> Result<Array> {
        let n = queries.dim(2);
        if let Some(gain) = self.spec.query_gain {
            queries = ops::multiply(&queries, gains(gain, masks.offset, n, queries.dtype())?)?;
        }
        let from = masks.first(self.spec.window);
        let (keys, values) = cache.since(from)?;
        if let Some(cap) = self.spec.cap {
            return self.attend_below(cap, &queries, &keys, &values, masks);
        }
        let (scale, sinks) = (self.spec.scale, self.sinks.as_ref());
        match masks.of(self.spec.window)? {
            Mask::None => fast::scaled_dot_product_attention(&queries, &keys, &values, scale, None, sinks),
            Mask::Causal => {
                let causal = fast::ScaledDotProductAttentionMask::Causal;
                fast::scaled_dot_product_attention(&queries, &keys, &values, scale, causal, sinks)
            }
            Mask::Array(mask) => {
                let mask = fast::ScaledDotProductAttentionMask::Array(mask);
                fast::scaled_dot_product_attention(&queries, &keys, &values, scale, mask, sinks)
            }
        }
    }

    /// The same by hand, scores bent below a cap (Gemma 2).
    fn attend_below(
        &self,
        cap: f32,
        queries: &Array,
        keys: &Array,
        values: &Array,
        masks: &mut Masks,
    ) -> Result<Array> {
        let (n, dtype) = (queries.dim(2), queries.dtype());
        let number = |x: f32| Array::from_f32(x).as_dtype(dtype);
        let [kv_heads, dim] = [self.spec.kv_heads, self.spec.head_dim].map(|size| size as i32);
        let shared = (self.spec.heads / self.spec.kv_heads) as i32;
        let queries = ops::multiply(queries, number(self.spec.scale)?)?.reshape(&[1, kv_heads, shared, n, dim])?;
        let scores = ops::matmul(&queries, keys.expand_dims(2)?.transpose_axes(&[0, 1, 2, 4, 3])?)?;
        let mut scores = ops::multiply(ops::tanh(ops::divide(scores, number(cap)?)?)?, number(cap)?)?;
        if n > 1 {
            let mask = masks.array(self.spec.window)?;
            scores = ops::select(mask, scores, number(f32::MIN)?)?;
        }
        let weights = ops::softmax_axis(scores, -1, true)?;
        ops::matmul(weights, values.expand_dims(2)?)?.reshape(&[1, self.spec.heads as i32, n, dim])
    }

    /// What comes from the input: queries and keys, normed and rotated, and values, `[1, heads, n, head_dim]` each.
    fn project(&self, parts: Vec<Array>, rope: Option<&Rope>, masks: &Masks) -> Result<Projected> {
        let Masks { n, offset, .. } = *masks;
        let dim = self.spec.head_dim as i32;
        let (heads, kv_heads) = (self.spec.heads as i32, self.spec.kv_heads as i32);
        let apart = |y: &Array, heads: i32| y.reshape(&[1, n, heads, dim])?.transpose_axes(&[0, 2, 1, 3]);
        let rotated = |y: Array| match rope {
            Some(rope) => rope.apply(&y, offset),
            None => Ok(y),
        };
        if let ([all], None, false) = (&parts[..], self.spec.qk_norm, self.spec.gated)
            && all.dim(2) == (heads + 2 * kv_heads) * dim
        {
            // Heads are rotated alike, so queries and keys are rotated as one.
            let [rotating, values] = halves(&apart(all, heads + 2 * kv_heads)?, heads + kv_heads, 1)?;
            let [queries, keys] = halves(&rotated(rotating)?, heads, 1)?;
            return Ok(Projected { queries, gate: None, keys: Some((keys, values)) });
        }
        let parts = self.qkv.apart(parts)?;
        let whole = self.spec.qk_norm.is_some_and(|norm| norm.whole);
        // Normed before heads are told apart, or after.
        let normed = |y: Array, norm: &Option<Norm>, heads: i32| -> Result<Array> {
            match norm {
                Some(norm) if whole => apart(&norm.apply(&y)?, heads),
                Some(norm) => norm.apply(&y.reshape(&[1, n, heads, dim])?)?.transpose_axes(&[0, 2, 1, 3]),
                None => apart(&y, heads),
            }
        };
        let mut parts = parts.into_iter();
        let mut next = || parts.next();
        let mut queries = next().ok_or_else(|| Exception::custom("a layer without queries"))?;
        let mut gate = None;
        if self.spec.gated {
            let [query, gates] = halves(&queries.reshape(&[1, n, heads, 2 * dim])?, dim, 3)?;
            queries = query.reshape(&[1, n, heads * dim])?;
            gate = Some(gates.reshape(&[1, n, heads * dim])?);
        }
        let queries = rotated(normed(queries, &self.q_norm, heads)?)?;
        let Some(keys) = next() else { return Ok(Projected { queries, gate, keys: None }) };
        let values = next().unwrap_or_else(|| keys.clone());
        let keys = rotated(normed(keys, &self.k_norm, kv_heads)?)?;
        let mut values = apart(&values, kv_heads)?;
        if self.spec.value_norm {
            values = fast::rms_norm(&values, None, self.epsilon)?;
        }
        Ok(Projected { queries, gate, keys: Some((keys, values)) })
    }

    pub fn arrays(&self) -> Vec<&Array> {
        let mut arrays = self.qkv.arrays();
        arrays.extend(self.o_proj.arrays());
        arrays.extend(self.q_norm.iter().chain(&self.k_norm).map(|norm| &norm.weight));
        arrays.extend(&self.sinks);
        arrays
    }
}

struct Projected {
    queries: Array,
    gate: Option<Array>,
    /// With their values; `None`: the layer has none of its own.
    keys: Option<(Array, Array)>,
}

/// Of `n` positions from `offset` on, `[n, 1]`.
fn gains(gain: QueryGain, offset: i32, n: i32, dtype: Dtype) -> Result<Array> {
    let of = |position: i32| 1.0 + gain.beta * (1.0 + (position as f32 / gain.positions).floor()).ln();
    let gains: Vec<f32> = (offset..offset + n).map(of).collect();
    Array::from_slice(&gains, &[n, 1]).as_dtype(dtype)
}

/// What the positions of one step see: made once for all layers of a kind.
#[derive(Debug)]
pub struct Masks {
    /// Positions in the cache before, and in this step.
    pub offset: i32,
    pub n: i32,
    /// By window.
    made: Vec<(Option<usize>, Array)>,
}

enum Mask<'a> {
    None,
    Causal,
    Array(&'a Array),
}

impl Masks {
    pub fn new(offset: i32, n: i32) -> Self {
        Masks { offset, n, made: Vec::new() }
    }

    /// The first position that any of the step's sees.
    fn first(&self, window: Option<usize>) -> i32 {
        window.map_or(0, |window| (self.offset + 1 - window as i32).max(0))
    }

    fn of(&mut self, window: Option<usize>) -> Result<Mask<'_>> {
        if self.n == 1 {
            return Ok(Mask::None);
        }
        match window {
            Some(window) if self.offset + self.n > window as i32 => Ok(Mask::Array(self.array(Some(window))?)),
            _ => Ok(Mask::Causal),
        }
    }

    /// `[n, positions from the first seen]`: true where a position is seen.
    fn array(&mut self, window: Option<usize>) -> Result<&Array> {
        let index = match self.made.iter().position(|(made, _)| *made == window) {
            Some(index) => index,
            None => {
                let end = self.offset + self.n;
                let queries = ops::arange::<i32, i32>(self.offset, end, 1)?.expand_dims(1)?;
                let keys = ops::arange::<i32, i32>(self.first(window), end, 1)?.expand_dims(0)?;
                let mut seen = queries.ge(&keys)?;
                if let Some(window) = window {
                    let last = ops::add(&keys, Array::from_int(window as i32))?;
                    seen = ops::logical_and(seen, queries.lt(&last)?)?;
                }
                self.made.push((window, seen));
                self.made.len() - 1
            }
        };
        Ok(&self.made[index].1)
    }
}
