//! A whole step of the model as one MLX primitive on the CPU (`native/offprint-kernels`): the model's arrays in, used where
//! they lie; steps out, whose keys and values live behind it. The choice of the next token as another. Knows nothing of
//! checkpoints.

use std::{
    ffi::{CString, c_char, c_void},
    ptr,
};

use mlx_rs::{
    Array, Stream,
    error::{Exception, Result},
};
use mlx_sys::mlx_array;
use offprint_kernels::{
    LayerHandle, MatrixHandle, RopeHandle, Shape, activation, format, offprint_draw, offprint_model,
    offprint_model_free, offprint_past, offprint_past_free, offprint_step,
};

/// Positions are allocated in steps of this many, as the stock cache does.
const STEP: usize = 256;

/// A matrix and its linear layer's bias.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    pub weight: &'a Array,
    /// Scales, biases, group size and bits of a packed one.
    pub affine: Option<(&'a Array, &'a Array, usize, usize)>,
    pub bias: Option<&'a Array>,
    pub rows: usize,
    pub columns: usize,
}

impl Part<'_> {
    fn handle(&self) -> MatrixHandle {
        let of = |array: Option<&Array>| array.map_or(ptr::null_mut(), context);
        let (scales, biases, group, bits, format) = match self.affine {
            Some((scales, biases, group, bits)) => (Some(scales), Some(biases), group, bits, format::AFFINE),
            None => (None, None, 0, 32, format::FLOAT32),
        };
        MatrixHandle {
            weight: context(self.weight),
            scales: of(scales),
            biases: of(biases),
            offset: of(self.bias),
            rows: self.rows as i32,
            columns: self.columns as i32,
            bits: bits as i32,
            group: group as i32,
            format,
        }
    }
}

/// All of a model, borrowed.
#[derive(Debug)]
pub struct Parts<'a> {
    /// Without its ropes, which are `rope`.
    pub shape: Shape,
    pub rope: RopeHandle,
    /// Of each layer.
    pub heads: i32,
    pub kv_heads: i32,
    pub head_dim: i32,
    pub embedding: Part<'a>,
    pub head: Part<'a>,
    /// q, k, v, o, gate, up, down of each layer.
    pub linears: Vec<Part<'a>>,
    /// Two of each layer, then the last.
    pub norms: Vec<&'a Array>,
}

impl Parts<'_> {
    /// One of Llama's.
    fn layer(&self, (linears, norms): (&[Part<'_>], &[&Array])) -> LayerHandle {
        let part = |index: usize| linears.get(index).map_or(MatrixHandle::NONE, Part::handle);
        let norm = |index: usize| norms.get(index).map_or(ptr::null_mut(), |norm| context(norm));
        let none = ptr::null_mut();
        LayerHandle {
            q: part(0),
            k: part(1),
            v: part(2),
            o: part(3),
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            score_scale: 1.0 / (self.head_dim as f32).sqrt(),
            score_cap: 0.0,
            window: 0,
            rope: 0,
            query_gain_beta: 0.0,
            query_gain_positions: 1.0,
            sinks: none,
            q_norm: none,
            k_norm: none,
            norm_span: self.head_dim,
            input_norm: norm(0),
            attention_out_norm: none,
            feed_norm: norm(1),
            feed_out_norm: none,
            parallel: false,
            activation: activation::SILU,
            gate: part(4),
            up: part(5),
            down: part(6),
            experts: ptr::null(),
        }
    }
}

/// The model behind its handle, with the threads that compute it.
#[derive(Debug)]
pub struct Fused {
    handle: *mut c_void,
}

impl Fused {
    /// Takes a share in the arrays, which must be evaluated.
    ///
    /// # Errors
    /// An array of another type or size than its part says; a level that the processor lacks.
    pub fn new(level: &str, threads: u32, parts: &Parts<'_>) -> Result<Self> {
        let level = name(level)?;
        let layers = parts.shape.layers as usize;
        if parts.linears.len() != 7 * layers || parts.norms.len() != 2 * layers + 1 {
            return Err(Exception::custom("the parts are not those of so many layers"));
        }
        let shape = Shape { ropes: &parts.rope, rope_count: 1, ..parts.shape };
        let layers: Vec<_> = parts.linears.chunks(7).zip(parts.norms.chunks(2)).map(|of| parts.layer(of)).collect();
        let norm = parts.norms.last().map_or(ptr::null_mut(), |norm| context(norm));
        let (embedding, head) = (parts.embedding.handle(), parts.head.handle());
        // SAFETY: there are as many layers as the shape says, everything lives through the call, and what the model needs
        // later it takes a share in or copies.
        let handle = told(|error, room| unsafe {
            offprint_model(
                level.as_ptr(),
                threads as i32,
                &shape,
                &embedding,
                &head,
                layers.as_ptr(),
                norm,
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
