//! The decoder that a description asks for, in mlx-lm's order of operations. Token ids in, logits out; knows nothing of sampling.
//! By other kernels than MLX's own, parts of the graph, or all of a step, are computed at once; the numbers are the same up to
//! rounding.

use mlx_rs::{
    Array, Dtype,
    error::{Exception, Result},
    ops,
};

#[cfg(target_os = "linux")]
use crate::model::describe;
#[cfg(target_os = "linux")]
use crate::model::step::fused::{self, Fused};
use crate::model::{
    attention::Masks,
    cache::KvCache,
    checkpoint::Checkpoint,
    delta,
    kernels::Kernels,
    layer::{Layer, Mixer},
    linear::{Linear, Matrix},
    norm::{Norm, scaled},
    originals,
    past::{Memory, Past, StockPast},
    rope::Rope,
    spec::{self, Head, Keys, Spec},
    step::cuda::{self, Cuda, Place},
    weights::{Loaded, Parameters, Source, Stored, Weights},
};

/// The whole model.
#[derive(Debug)]
pub struct Decoder {
    spec: Spec,
    embed_tokens: Matrix,
    layers: Vec<Layer>,
    per_layer: Option<PerLayer>,
    norm: Norm,
    /// `None`: the head is the embedding's transpose.
    lm_head: Option<Linear>,
    ropes: Vec<Rope>,
    /// Of activations and the cache.
    dtype: Dtype,
    /// Floating-point tensors were cast to it.
    cast: Option<Dtype>,
    /// What computes.
    kernels: Kernels,
    /// The whole step at once, on the CPU.
    #[cfg(target_os = "linux")]
    fused: Option<Fused>,
    /// Parts of the graph, on CUDA.
    cuda: Option<Cuda>,
}

impl Decoder {
    /// Loads every parameter and evaluates it on the device. `dtype`: cast floating-point tensors; `None` keeps the file's, and so
    /// do our kernels on a CPU for matrices. Steps are computed by `kernels`, or by MLX's own where those are not made for the
    /// model: [`Decoder::kernels`] says by which.
    ///
    /// # Errors
    /// [`crate::model::weights::LoadError`]'s cases, each naming the tensor.
    pub fn load(checkpoint: &Checkpoint, dtype: Option<Dtype>, kernels: &Kernels) -> Loaded<Self> {
        let kernels = if unfit(&checkpoint.config.spec, kernels).is_some() { &Kernels::Stock } else { kernels };
        let (mut model, _) = Self::assemble(checkpoint, dtype, kernels)?;
        // Loading is lazy, and a prefill that asks for the cache only would leave the last layer unread.
        mlx_rs::transforms::eval(model.arrays())?;
        match kernels {
            Kernels::Stock | Kernels::Joined(_) => {}
            #[cfg(target_os = "linux")]
            Kernels::Ours { level, threads } => model.fused = Some(describe::fused(level, *threads, &model.parts())?),
            #[cfg(not(target_os = "linux"))]
            Kernels::Ours { .. } => return Err(Exception::custom("offprint's CPU kernels are for Linux").into()),
            Kernels::Cuda => model.cuda = Some(Cuda::of(&model.spec, model.dtype)?),
        }
        Ok(model)
    }

    /// Is every tensor there that the configuration asks for, of its shape and kind, and no other? What is odd about them, in words,
    /// and whether these kernels are made for such a model. Headers are read, weights are not.
    ///
    /// # Errors
    /// [`crate::model::weights::LoadError`]'s cases, each naming the tensor.
    pub fn check(checkpoint: &Checkpoint, kernels: &Kernels) -> Loaded<Vec<String>> {
        let mut notes = Self::assemble(checkpoint, None, &Kernels::Stock)?.1.notes;
        if let Some(reason) = unfit(&checkpoint.config.spec, kernels) {
            notes.push(format!("computed by MLX's own kernels: offprint's are not made for {reason}"));
        }
        Ok(notes)
    }

    /// Numbers in the model's matrices, norms and biases, from headers; a tied head is counted once.
    ///
    /// # Errors
    /// As [`Decoder::check`].
    pub fn count(checkpoint: &Checkpoint) -> Loaded<Parameters> {
        Ok(Self::assemble(checkpoint, None, &Kernels::Stock)?.1.parameters)
    }

    /// Every tensor of the model in mlx-lm's form, and its matrices, in the order of their modules. Headers are read, weights are not.
    ///
    /// # Errors
    /// As [`Decoder::check`].
    pub fn tensors(checkpoint: &Checkpoint) -> Loaded<(Weights, Vec<Stored>)> {
        let matrices = Self::assemble(checkpoint, None, &Kernels::Stock)?.1.matrices;
        let mut weights = Weights::open(&checkpoint.shards, None)?;
        as_mlx_lm_stores(&mut weights, &checkpoint.config.spec)?;
        Ok((weights, matrices))
    }

    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// What computes: the kernels that were asked for, or MLX's own.
    pub fn kernels(&self) -> &Kernels {
        &self.kernels
    }

    /// Every tensor in its place; nothing is evaluated but what is joined.
    fn assemble(checkpoint: &Checkpoint, dtype: Option<Dtype>, kernels: &Kernels) -> Loaded<(Self, Told)> {
        let config = &checkpoint.config;
        let spec = config.spec.clone();
        let mut weights = Weights::open(&checkpoint.shards, dtype)?;
        // Level `plain` is for processors that have no instruction for numbers of 16 bits.
        if matches!(kernels, Kernels::Ours { level, .. } if level != "plain") {
            weights.keep_matrices();
        }
        let (mut notes, tied) = as_mlx_lm_stores(&mut weights, &spec)?;
        if matches!(kernels, Kernels::Cuda) {
            weights.unify();
        }
        let mut source = Source::new(weights, config.quantization.as_ref());
        let source_ref = &mut source;
        let (vocabulary, hidden) = (spec.vocabulary, spec.hidden);
        let embed_tokens = Matrix::load(source_ref, &spec.path("embed_tokens"), &[vocabulary, hidden])?;
        // A tied one is the head, too.
        if !tied {
            source_ref.parameters.unread += source_ref.weights.bytes;
        }
        let per_layer = spec.per_layer.map(|of| PerLayer::load(source_ref, &spec, of)).transpose()?;
        let layers = (0..spec.layers.len())
            .map(|layer| Layer::load(source_ref, &spec, layer, kernels))
            .collect::<Loaded<Vec<_>>>()?;
        let norm = Norm::load(source_ref, spec.norm, &spec.path(spec.last_norm), hidden)?;
        let lm_head =
            if tied { None } else { Some(Linear::load(source_ref, &head_of(&spec), &[vocabulary, hidden], false)?) };
        source.parameters.read = source.weights.bytes - source.parameters.unread;
        let (parameters, matrices) = (source.parameters, std::mem::take(&mut source.matrices));
        notes.extend(source.finish()?);
        let model = Decoder {
            dtype: norm.weight.dtype(),
            cast: dtype,
            embed_tokens,
            layers,
            per_layer,
            norm,
            lm_head,
            ropes: spec.ropes.iter().map(Rope::new).collect(),
            spec,
            kernels: kernels.clone(),
            #[cfg(target_os = "linux")]
            fused: None,
            cuda: None,
        };
        Ok((model, Told { parameters, matrices, notes }))
    }

    /// An empty past with room for `capacity` positions.
    pub fn past(&self, capacity: usize) -> Result<Past> {
        #[cfg(target_os = "linux")]
        if let Some(fused) = &self.fused {
            return Ok(Past::Fused(fused.past(capacity)?));
        }
        let memory = |layer: &spec::Layer| {
            Ok(match &layer.mixer {
                spec::Mixer::Attention(of) if matches!(of.keys, Keys::Of(_)) => Memory::Shared,
                spec::Mixer::Attention(of) => {
                    Memory::Keys(KvCache::new(of.kv_heads as i32, capacity as i32, of.head_dim as i32, self.dtype)?)
                }
                spec::Mixer::Delta(_) => Memory::Delta(delta::State::default()),
                spec::Mixer::Conv(_) => Memory::Conv(None),
            })
        };
        let layers = self.spec.layers.iter().map(memory).collect::<Result<_>>()?;
        Ok(Past::Stock(StockPast { layers, offset: 0 }))
    }

    /// Appends ids `[n]` to the past and evaluates nothing but that: MLX leaves out the head and what follows the last
    /// layer's keys and values.
    pub fn prefill(&self, ids: &Array, past: &mut Past) -> Result<()> {
        match past {
            Past::Stock(past) => {
                self.hidden(ids, &mut [(past, ids.size())], None)?;
            }
            #[cfg(target_os = "linux")]
            Past::Fused(past) => {
                fused::step(ids, &mut [(past, ids.size())], false)?;
            }
        }
        past.eval()
    }

    /// Ids `[n]` to logits `[1, n, vocabulary]`; the past grows by `n`.
    pub fn logits(&self, ids: &Array, past: &mut Past) -> Result<Array> {
        self.logits_of(ids, &mut [(past, ids.size())])
    }

    /// The same of several sequences in one step: to each past as many of the ids as stand beside it, those of one after the other's.
    /// Weights are read once for all. By our CPU kernels a sequence's logits are to the bit what they are alone, as long as it gets no
    /// more than 8 ids at a time; by MLX's own, up to rounding. There, what a layer remembers is asked one sequence after the other, and
    /// so are gated delta nets and convolutions as a whole; all other products are of all sequences.
    ///
    /// # Errors
    /// No past, or one that no id is for; ids that are more or fewer than the pasts are to grow by; pasts of another model.
    pub fn logits_of(&self, ids: &Array, pasts: &mut [(&mut Past, usize)]) -> Result<Array> {
        let expected: usize = pasts.iter().map(|(_, n)| n).sum();
        if expected != ids.size() || pasts.iter().any(|(_, n)| *n == 0) || pasts.is_empty() {
            let counts: Vec<usize> = pasts.iter().map(|(_, n)| *n).collect();
            return Err(Exception::custom(format!("{} ids for pasts that are to grow by {counts:?}", ids.size())));
        }
        let mut stock = Vec::new();
        #[cfg(target_os = "linux")]
        let mut fused = Vec::new();
        for (past, n) in pasts.iter_mut() {
            match past {
                Past::Stock(past) => stock.push((past, *n)),
                #[cfg(target_os = "linux")]
                Past::Fused(past) => fused.push((past, *n)),
            }
        }
        #[cfg(target_os = "linux")]
        if !fused.is_empty() {
            if !stock.is_empty() {
                return Err(Exception::custom("pasts of several models in one step"));
            }
            return fused::step(ids, &mut fused, true)?.ok_or_else(|| Exception::custom("a step without its logits"));
        }
        let hidden = self.hidden(ids, &mut stock, self.cuda.as_ref())?;
        let mut logits = match &self.lm_head {
            Some(head) => head.apply(&hidden)?,
            None => self.embed_tokens.apply(&hidden)?,
        };
        if self.spec.logit_scale != 1.0 {
            logits = scaled(&logits, self.spec.logit_scale)?;
        }
        match self.spec.logit_cap {
            Some(cap) => scaled(&ops::tanh(scaled(&logits, 1.0 / cap)?)?, cap),
            None => Ok(logits),
        }
    }

    /// Ids `[n]` to the last layer's output, normed, `[1, n, hidden]`; each past grows by as many as stand beside it.
    fn hidden(&self, ids: &Array, pasts: &mut [Part<'_>], attend: Option<&Cuda>) -> Result<Array> {
        let mut x = self.embed_tokens.rows(ids, self.cast)?.expand_dims(0)?;
        if self.spec.embedding_scale != 1.0 {
            x = scaled(&x, self.spec.embedding_scale)?;
        }
        let inputs = self.per_layer.as_ref().map(|per_layer| per_layer.inputs(ids, &x, self.cast)).transpose()?;
        let mut masks: Vec<Masks> = pasts.iter().map(|(past, n)| Masks::new(past.offset, *n as i32)).collect();
        // Of several sequences, blocks that could run at once would share the kernel's memory.
        let place = match (attend, &pasts[..]) {
            (Some(cuda), [(past, 1)]) => past.layers.first().and_then(Memory::cache).map(|cache| cuda.place(cache)),
            _ => None,
        };
        let mut normed = self.next_norm(0).map_or_else(|| Ok(x.clone()), |norm| norm.apply(&x))?;
        for (index, layer) in self.layers.iter().enumerate() {
            let mut mixed = match (&mut *pasts, &mut masks[..]) {
                ([(past, _)], [masks]) => self.mixed(index, &normed, past, masks, place.as_ref())?,
                (pasts, masks) => self.mixed_of(index, &normed, pasts, masks)?,
            };
            let next = self.next_norm(index + 1);
            if layer.parallel {
                mixed = ops::add(mixed, layer.feed.apply(&normed, &x, None)?)?;
                (x, normed) = self.add_norm(&x, &mixed, next)?;
                continue;
            }
            let mixed = self.added(mixed, layer.norms.after_mixer.as_ref())?;
            (x, normed) = self.add_norm(&x, &mixed, layer.norms.before_feed.as_ref())?;
            let fed = layer.feed.apply(&normed, &x, self.cuda.as_ref())?;
            let fed = self.added(fed, layer.norms.after_feed.as_ref())?;
            if layer.per_layer.is_none() && layer.scalar.is_none() {
                (x, normed) = self.add_norm(&x, &fed, next)?;
                continue;
            }
            x = ops::add(&x, &fed)?;
            if let (Some(gate), Some(inputs)) = (&layer.per_layer, &inputs) {
                x = ops::add(&x, gate.apply(&x, &inputs[index])?)?;
            }
            if let Some(scalar) = &layer.scalar {
                x = ops::multiply(&x, scalar)?;
            }
            normed = next.map_or_else(|| Ok(x.clone()), |norm| norm.apply(&x))?;
        }
        for (past, n) in pasts {
            past.offset += *n as i32;
        }
        Ok(normed)
    }

    /// What a layer makes of one sequence's next positions, `[1, n, hidden]`, and of what it remembers.
    fn mixed(
        &self,
        layer: usize,
        x: &Array,
        past: &mut StockPast,
        masks: &mut Masks,
        place: Option<&Place<'_>>,
    ) -> Result<Array> {
        let (before, memory) = past.of_layer(layer)?;
        match (&self.layers[layer].mixer, memory) {
            (Mixer::Attention(attention), memory) => {
                let mut own = memory.cache_mut();
                let at_once = match (place, &mut own) {
                    (Some(place), Some(cache)) => attention.at(place, x, cache)?,
                    _ => None,
                };
                match at_once {
                    Some(mixed) => Ok(mixed),
                    None => attention.apply(x, &self.ropes, own, before, masks),
                }
            }
            (Mixer::Delta(delta), Memory::Delta(state)) => delta.apply(x, state),
            (Mixer::Conv(conv), Memory::Conv(tail)) => conv.apply(x, tail),
            _ => Err(Exception::custom("a layer with another's memory")),
        }
    }

    /// The same of several sequences, whose positions follow each other in `x`. Attention's matrices are multiplied by all at once.
    fn mixed_of(&self, layer: usize, x: &Array, pasts: &mut [Part<'_>], masks: &mut [Masks]) -> Result<Array> {
        let mut end = 0;
        let ends: Vec<i32> = (pasts[..pasts.len() - 1].iter())
            .map(|(_, n)| {
                end += *n as i32;
                end
            })
            .collect();
        let each = pasts.iter_mut().zip(masks);
        let Mixer::Attention(attention) = &self.layers[layer].mixer else {
            let inputs = x.split_at_indices(&ends, 1)?;
            let mixed = (each.zip(&inputs)).map(|(((past, _), masks), x)| self.mixed(layer, x, past, masks, None));
            return ops::concatenate(&mixed.collect::<Result<Vec<_>>>()?, 1);
        };
        let parts = attention.qkv.apply(x)?;
        let apart = parts.iter().map(|part| part.split_at_indices(&ends, 1)).collect::<Result<Vec<_>>>()?;
        let attended = each.enumerate().map(|(index, ((past, _), masks))| {
            let parts = apart.iter().map(|of_each| of_each[index].clone()).collect();
            let (before, memory) = past.of_layer(layer)?;
            attention.over(parts, &self.ropes, memory.cache_mut(), before, masks)
        });
        attention.o_proj.apply(&ops::concatenate(&attended.collect::<Result<Vec<_>>>()?, 1)?)
    }

    /// The norm that the input of layer `index` goes through, or the last.
    fn next_norm(&self, index: usize) -> Option<&Norm> {
        match self.layers.get(index) {
            Some(layer) => layer.norms.before_mixer.as_ref(),
            None => Some(&self.norm),
        }
    }

    /// What a branch adds.
    fn added(&self, mut delta: Array, norm: Option<&Norm>) -> Result<Array> {
        if let Some(norm) = norm {
            delta = norm.apply(&delta)?;
        }
        if self.spec.residual_scale != 1.0 {
            delta = scaled(&delta, self.spec.residual_scale)?;
        }
        Ok(delta)
    }

    /// The residual's next value, and its norm, or itself where there is none.
    fn add_norm(&self, x: &Array, delta: &Array, norm: Option<&Norm>) -> Result<(Array, Array)> {
        if let (Some(cuda), Some(norm)) = (&self.cuda, norm) {
            return cuda.add_norm(x, delta, &norm.weight);
        }
        let sum = ops::add(x, delta)?;
        let normed = norm.map_or_else(|| Ok(sum.clone()), |norm| norm.apply(&sum))?;
        Ok((sum, normed))
    }

    #[cfg(target_os = "linux")]
    fn parts(&self) -> describe::Parts<'_> {
        describe::Parts {
            spec: &self.spec,
            embed_tokens: &self.embed_tokens,
            layers: &self.layers,
            norm: &self.norm,
            lm_head: self.lm_head.as_ref(),
        }
    }

    fn arrays(&self) -> Vec<&Array> {
        let mut arrays = self.embed_tokens.arrays();
        arrays.extend(self.per_layer.iter().flat_map(PerLayer::arrays));
        arrays.extend(self.layers.iter().flat_map(Layer::arrays));
        arrays.push(&self.norm.weight);
        arrays.extend(self.lm_head.iter().flat_map(Linear::arrays));
        arrays
    }
}

/// A past, and how many positions it is to grow by.
type Part<'a> = (&'a mut StockPast, usize);

/// The module of the head's own matrix.
fn head_of(spec: &Spec) -> String {
    format!("{}lm_head", spec.prefix)
}

/// Brings the tensors into mlx-lm's form, without a head that is the embedding's: what was dropped, in words, and whether it is.
fn as_mlx_lm_stores(weights: &mut Weights, spec: &Spec) -> Loaded<(Vec<String>, bool)> {
    let notes = originals::convert(weights, spec)?;
    let head = head_of(spec);
    let tied = match spec.head {
        Head::Tied => true,
        Head::Own => false,
        Head::AsStored => !weights.has(&format!("{head}.weight")),
    };
    if tied {
        weights.discard(&format!("{head}."));
    }
    Ok((notes, tied))
}

/// What putting a model together tells of it.
struct Told {
    parameters: Parameters,
    matrices: Vec<Stored>,
    /// What is odd, in words.
    notes: Vec<String>,
}

/// Why these kernels are not made for a model; `None`: they are.
pub fn unfit(spec: &Spec, kernels: &Kernels) -> Option<String> {
    match kernels {
        Kernels::Stock | Kernels::Joined(_) => None,
        #[cfg(target_os = "linux")]
        Kernels::Ours { .. } => fused::unfit(spec),
        #[cfg(not(target_os = "linux"))]
        Kernels::Ours { .. } => Some("this system".to_owned()),
        Kernels::Cuda => cuda::unfit(spec),
    }
}

/// An embedding of each token for each layer, and the same size projected from the input (Gemma 4).
#[derive(Debug)]
struct PerLayer {
    embed: Matrix,
    projection: Linear,
    norm: Norm,
    size: i32,
}

impl PerLayer {
    fn load(source: &mut Source<'_>, spec: &Spec, of: spec::PerLayer) -> Loaded<Self> {
        let wide = spec.layers.len() * of.size;
        let path = |name: &str| spec.path(name);
        let before = source.weights.bytes;
        let embed = Matrix::load(source, &path("embed_tokens_per_layer"), &[of.vocabulary, wide])?;
        source.parameters.unread += source.weights.bytes - before;
        Ok(PerLayer {
            embed,
            projection: Linear::load(source, &path("per_layer_model_projection"), &[wide, spec.hidden], false)?,
            norm: Norm::load(source, spec.norm, &path("per_layer_projection_norm"), of.size)?,
            size: of.size as i32,
        })
    }

    /// Of each layer `[1, n, size]`. `x`: `[1, n, hidden]`, scaled.
    fn inputs(&self, ids: &Array, x: &Array, cast: Option<Dtype>) -> Result<Vec<Array>> {
        let (n, hidden) = (x.dim(1), x.dim(2));
        let apart = |y: &Array| y.reshape(&[1, n, -1, self.size]);
        let own = apart(&scaled(&self.embed.rows(ids, cast)?, (self.size as f32).sqrt())?)?;
        let projected = apart(&scaled(&self.projection.apply(x)?, (hidden as f32).powf(-0.5))?)?;
        let both = scaled(&ops::add(self.norm.apply(&projected)?, own)?, std::f32::consts::FRAC_1_SQRT_2)?;
        both.split_equal(both.dim(2), 2)?.iter().map(|layer| layer.reshape(&[1, n, self.size])).collect()
    }

    fn arrays(&self) -> Vec<&Array> {
        let mut arrays = self.embed.arrays();
        arrays.extend(self.projection.arrays());
        arrays.push(&self.norm.weight);
        arrays
    }
}
