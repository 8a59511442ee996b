//! A whole step of the model as one MLX primitive on the CPU (`native/offprint-kernels`): the decoder's arrays in, used where
//! they lie; steps out, whose keys and values live behind it. The choice of the next token as another.

use std::{
    ffi::{CString, c_char, c_void},
    ptr,
};

use mlx_rs::{
    Array, Dtype, Stream,
    error::{Exception, Result},
};
use mlx_sys::mlx_array;
use offprint_kernels::{
    ExpertsHandle, LayerHandle, MatrixHandle, RopeHandle, Shape, activation, format, offprint_draw, offprint_model,
    offprint_model_free, offprint_past, offprint_past_free, offprint_step,
};

use crate::model::{
    attention::Attention,
    config::Mode,
    decoder::{Decoder, Layer, Mixer},
    feed::{Dense, Experts, Feed},
    linear::{Linear, Matrix},
    norm::Norm,
    rope,
    spec::{self, Activation, Keys, NormKind, Routing, Spec},
};

/// Positions are allocated in steps of this many, as the stock cache does.
const STEP: usize = 256;

/// What the step is not made for in this model; `None`: for all of it it is.
pub fn unfit(spec: &Spec) -> Option<String> {
    let grows = |rope: &spec::Rope| rope::frequencies(rope).is_none();
    let of_layer = |layer: &spec::Layer| match (&layer.mixer, &layer.feed) {
        (spec::Mixer::Delta(_), _) => Some("gated delta nets"),
        (spec::Mixer::Conv(_), _) => Some("convolutions"),
        (spec::Mixer::Attention(of), _) if of.gated => Some("gated attention"),
        (spec::Mixer::Attention(of), _) if of.value_norm => Some("normed values"),
        (spec::Mixer::Attention(of), _) if of.keys != Keys::Own => Some("keys of other layers"),
        (_, spec::Feed::Beside(..)) => Some("experts beside a dense feed"),
        (_, spec::Feed::Experts(of)) if matches!(of.routing, Routing::Scaled | Routing::Sigmoid { .. }) => {
            Some("this way of choosing experts")
        }
        _ if layer.scalar => Some("layers with a scale of their own"),
        _ => None,
    };
    let reason = match spec.per_layer {
        Some(_) => Some("inputs of each layer"),
        None if spec.ropes.iter().any(grows) => Some("rotations that grow with the sequence"),
        None => spec.layers.iter().find_map(of_layer),
    };
    reason.map(str::to_owned)
}

/// A matrix and its linear layer's bias. Experts' matrices lie one below the other.
fn matrix(matrix: &Matrix, bias: Option<&Array>) -> MatrixHandle {
    let size = |axis: i32, of: &Array| of.dim(axis);
    let handle = |of: Option<&Array>| of.map_or(ptr::null_mut(), context);
    let plain = |weight: &Array, bits: i32, format: i32| MatrixHandle {
        weight: context(weight),
        offset: handle(bias),
        rows: weight.shape().iter().rev().skip(1).product(),
        columns: size(-1, weight),
        bits,
        format,
        ..MatrixHandle::NONE
    };
    match matrix {
        Matrix::Plain { weight } => match weight.dtype() {
            Dtype::Float16 => plain(weight, 16, format::FLOAT16),
            Dtype::Bfloat16 => plain(weight, 16, format::BFLOAT16),
            _ => plain(weight, 32, format::FLOAT32),
        },
        Matrix::Packed { weight, scales, biases, packing } => {
            let format = match packing.mode {
                Mode::Affine => format::AFFINE,
                Mode::Mxfp4 => format::MXFP4,
                Mode::Mxfp8 => format::MXFP8,
                Mode::Nvfp4 => format::NVFP4,
            };
            let bits = packing.bits as i32;
            MatrixHandle {
                scales: context(scales),
                biases: handle(biases.as_ref()),
                group: packing.group_size as i32,
                columns: size(-1, weight) * 32 / bits,
                ..plain(weight, bits, format)
            }
        }
    }
}

fn linear(of: &Linear) -> MatrixHandle {
    matrix(&of.matrix, of.bias.as_ref())
}

fn norm(of: Option<&Norm>) -> *mut c_void {
    of.map_or(ptr::null_mut(), |norm| context(&norm.weight))
}

fn activation(of: Activation) -> i32 {
    match of {
        Activation::Silu => activation::SILU,
        Activation::Gelu => activation::GELU,
        Activation::ClippedSwiglu => activation::CLIPPED,
    }
}

/// Gate, up, down and what is between them.
fn dense(of: &Dense) -> Result<[MatrixHandle; 3]> {
    let [gate, up] = &of.gate_up.parts[..] else { return Err(unexpected()) };
    Ok([linear(gate), linear(up), linear(&of.down_proj)])
}

fn experts(of: &Experts) -> Result<ExpertsHandle> {
    let none = || [MatrixHandle::NONE; 3];
    let [shared_gate, shared_up, shared_down] =
        of.shared.as_ref().map_or_else(|| Ok(none()), |shared| dense(&shared.dense))?;
    let (softmax_first, renormalise) = match of.spec.routing {
        Routing::SoftmaxFirst { renormalise } => (true, renormalise),
        _ => (false, false),
    };
    Ok(ExpertsHandle {
        router: linear(&of.router),
        count: of.spec.count as i32,
        top: of.spec.top as i32,
        softmax_first,
        renormalise,
        gate: linear(&of.gate),
        up: linear(&of.up),
        down: linear(&of.down),
        shared_gate,
        shared_up,
        shared_down,
        shared_weight: of.shared.as_ref().map_or(MatrixHandle::NONE, |shared| linear(&shared.gate)),
    })
}

/// A layer; `sparse`: its experts, where it has any, which have to live as long as the result.
fn layer(of: &Layer, parallel: bool, sparse: Option<&ExpertsHandle>) -> Result<LayerHandle> {
    let Mixer::Attention(attention) = &of.mixer else { return Err(unexpected()) };
    let Attention { spec, qkv, o_proj, q_norm, k_norm, sinks, .. } = &**attention;
    let [q, k, v] = &qkv.parts[..] else { return Err(unexpected()) };
    let ([gate, up, down], activated) = match &of.feed {
        Feed::Dense(of) => (dense(of)?, of.activation),
        Feed::Experts(of) => ([MatrixHandle::NONE; 3], of.spec.activation),
        Feed::Beside(_) => return Err(unexpected()),
    };
    let gain = spec.query_gain.unwrap_or(spec::QueryGain { beta: 0.0, positions: 1.0 });
    Ok(LayerHandle {
        q: linear(q),
        k: linear(k),
        v: linear(v),
        o: linear(o_proj),
        heads: spec.heads as i32,
        kv_heads: spec.kv_heads as i32,
        head_dim: spec.head_dim as i32,
        score_scale: spec.scale,
        score_cap: spec.cap.unwrap_or(0.0),
        window: spec.window.unwrap_or(0) as i32,
        rope: spec.rope.map_or(-1, |rope| rope as i32),
        query_gain_beta: gain.beta,
        query_gain_positions: gain.positions,
        sinks: sinks.as_ref().map_or(ptr::null_mut(), context),
        q_norm: norm(q_norm.as_ref()),
        k_norm: norm(k_norm.as_ref()),
        norm_span: (spec.head_dim * if spec.qk_norm.is_some_and(|norm| norm.whole) { spec.heads } else { 1 }) as i32,
        input_norm: norm(of.norms.before_mixer.as_ref()),
        attention_out_norm: norm(of.norms.after_mixer.as_ref()),
        feed_norm: norm(of.norms.before_feed.as_ref()),
        feed_out_norm: norm(of.norms.after_feed.as_ref()),
        parallel,
        activation: activation(activated),
        gate,
        up,
        down,
        experts: sparse.map_or(ptr::null(), |experts| experts),
    })
}

fn unexpected() -> Exception {
    Exception::custom("offprint's kernels are not made for this model")
}

/// The model behind its handle, with the threads that compute it.
#[derive(Debug)]
pub struct Fused {
    handle: *mut c_void,
}

impl Fused {
    /// Takes a share in the decoder's arrays, which must be evaluated.
    ///
    /// # Errors
    /// An array of another type or size than the description says; a level that the processor lacks.
    pub fn of(level: &str, threads: u32, model: &Decoder) -> Result<Self> {
        let (level, spec) = (name(level)?, &model.spec);
        let frequencies: Vec<Vec<f32>> = spec.ropes.iter().filter_map(rope::frequencies).collect();
        let rope = |(of, frequencies): (&spec::Rope, &Vec<f32>)| RopeHandle {
            dims: of.dims as i32,
            interleaved: of.interleaved,
            scale: of.scale,
            gain: of.gain,
            frequencies: frequencies.as_ptr(),
        };
        let ropes: Vec<RopeHandle> = spec.ropes.iter().zip(&frequencies).map(rope).collect();
        let sparse = model.layers.iter().map(|layer| match &layer.feed {
            Feed::Experts(of) => experts(of).map(Some),
            _ => Ok(None),
        });
        let sparse = sparse.collect::<Result<Vec<_>>>()?;
        let layers = model.layers.iter().zip(&spec.layers).zip(&sparse);
        let layers = layers.map(|((of, spec), sparse)| layer(of, spec.norms.parallel, sparse.as_ref()));
        let layers = layers.collect::<Result<Vec<_>>>()?;
        let shape = Shape {
            hidden: spec.hidden as i32,
            heads: 0,
            vocabulary: spec.vocabulary as i32,
            layers: layers.len() as i32,
            epsilon: spec.norm.epsilon,
            embedding_scale: spec.embedding_scale,
            residual_scale: spec.residual_scale,
            logit_scale: spec.logit_scale,
            logit_cap: spec.logit_cap.unwrap_or(0.0),
            layer_norm: spec.norm.kind == NormKind::Layer,
            ropes: ropes.as_ptr(),
            rope_count: ropes.len() as i32,
        };
        let embedding = matrix(&model.embed_tokens, None);
        let head = model.lm_head.as_ref().map_or(embedding, linear);
        // SAFETY: there are as many layers and ropes as the shape says, everything lives through the call, and what the model
        // needs later it takes a share in or copies.
        let handle = told(|error, room| unsafe {
            offprint_model(
                level.as_ptr(),
                threads as i32,
                &shape,
                &embedding,
                &head,
                layers.as_ptr(),
                context(&model.norm.weight),
                error,
                room,
            )
        })?;
        Ok(Fused { handle })
    }

    /// An empty past with room for at least `capacity` positions.
    pub fn past(&self, capacity: usize) -> Result<FusedPast> {
        let capacity = capacity.div_ceil(STEP).max(1) * STEP;
        // SAFETY: a live model, in which the past takes a share.
        let handle = told(|error, room| unsafe { offprint_past(self.handle, capacity as i32, error, room) })?;
        Ok(FusedPast { handle, capacity, offset: 0, ticket: None })
    }
}

impl Drop for Fused {
    fn drop(&mut self) {
        // SAFETY: made by `offprint_model`, freed once.
        unsafe { offprint_model_free(self.handle) }
    }
}

/// Keys and values of the steps so far, the unevaluated ones included.
#[derive(Debug)]
pub struct FusedPast {
    handle: *mut c_void,
    capacity: usize,
    offset: usize,
    /// Of the latest step: the next one has it as an input, and so comes after it.
    ticket: Option<Array>,
}

impl FusedPast {
    /// Appends ids `[n]`, unsigned 32-bit. Returns their logits `[1, n, vocabulary]`, if asked for; nothing is computed yet.
    pub fn step(&mut self, ids: &Array, logits: bool) -> Result<Option<Array>> {
        let end = self.offset + ids.size();
        if end > self.capacity {
            return Err(Exception::custom(format!("the cache holds {} positions, not {end}", self.capacity)));
        }
        let stream = Stream::thread_local_or_default();
        let ticket = self.ticket.as_ref().map_or(ptr::null_mut(), context);
        let mut out = [ptr::null_mut(); 2];
        // SAFETY: handles live through the call; `out` has room for both arrays.
        told(|error, room| unsafe {
            let made = offprint_step(
                self.handle,
                context(ids),
                ticket,
                stream.as_ptr().ctx,
                self.offset as i32,
                logits,
                out.as_mut_ptr(),
                error,
                room,
            );
            if made { out[0] } else { ptr::null_mut() }
        })?;
        self.offset = end;
        // SAFETY: new handles, which belong to nobody else.
        let [ticket, values] = out.map(|ctx| (!ctx.is_null()).then(|| unsafe { Array::from_ptr(mlx_array { ctx }) }));
        self.ticket = ticket;
        Ok(values)
    }

    /// What to evaluate so that every step so far is done.
    pub fn ticket(&self) -> Option<&Array> {
        self.ticket.as_ref()
    }
}

impl Drop for FusedPast {
    fn drop(&mut self) {
        // SAFETY: made by `offprint_past`, freed once; steps in flight have a share.
        unsafe { offprint_past_free(self.handle) }
    }
}

/// The next token `[1]` from float32 logits `[n]`, unevaluated: the largest at temperature 0, the first of equals; else the
/// one that MLX's `categorical` draws with this key from those times 1 / temperature, as `[1, n]` (from `[n]` MLX draws by
/// another method).
///
/// # Errors
/// Logits of another shape or type; a level that the processor lacks.
pub fn draw(level: &str, logits: &Array, temperature: f32, key: u64) -> Result<Array> {
    let (level, stream) = (name(level)?, Stream::thread_local_or_default());
    // SAFETY: handles live through the call; the new one belongs to nobody else.
    unsafe {
        let ctx = told(|error, room| {
            let stream = stream.as_ptr().ctx;
            offprint_draw(level.as_ptr(), context(logits), stream, temperature, key, error, room)
        })?;
        Ok(Array::from_ptr(mlx_array { ctx }))
    }
}

fn name(level: &str) -> Result<CString> {
    CString::new(level).map_err(|error| Exception::custom(error.to_string()))
}

fn context(array: &Array) -> *mut c_void {
    array.as_ptr().ctx
}

/// A handle, or the reason that the call wrote instead.
fn told(call: impl FnOnce(*mut c_char, usize) -> *mut c_void) -> Result<*mut c_void> {
    let mut reason = [0u8; 256];
    let handle = call(reason.as_mut_ptr().cast(), reason.len());
    if handle.is_null() {
        let reason: Vec<u8> = reason.into_iter().take_while(|byte| *byte != 0).collect();
        return Err(Exception::custom(format!("offprint's kernels: {}", String::from_utf8_lossy(&reason))));
    }
    Ok(handle)
}
