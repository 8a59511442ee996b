//! A whole step of the model as one MLX primitive on the CPU (`native/offprint-kernels`): arrays in, used where they lie;
//! steps out, whose keys and values live behind it. The choice of the next token as another.

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
    LayerHandle, MatrixHandle, PartHandle, Shape, offprint_draw, offprint_model, offprint_model_free, offprint_past,
    offprint_past_free, offprint_step,
};

use crate::model::{
    rope,
    spec::{self, Keys, Routing, Spec},
};

/// Positions are allocated in steps of this many, as the stock cache does.
const STEP: usize = 256;

/// Experts a token that the step has room for (`kMostTop` of `native/offprint-kernels/cpp/model.hpp`).
const MOST_TOP: usize = 64;

/// Experts of a layer that it has room for where their scores are sigmoids (`kMostExperts` there).
const MOST_EXPERTS: usize = 512;

/// Positions of a convolution that the step has room for (`kMostTaps` there).
const MOST_TAPS: usize = 8;

/// What the step is not made for in this model; `None`: for all of it it is.
pub fn unfit(spec: &Spec) -> Option<String> {
    let grows = |rope: &spec::Rope| rope::frequencies(rope).is_none();
    let of_layer = |layer: &spec::Layer| match (&layer.mixer, &layer.feed) {
        (spec::Mixer::Delta(_), _) => Some("gated delta nets"),
        (spec::Mixer::Conv(of), _) if of.kernel > MOST_TAPS => Some("so long a convolution"),
        (spec::Mixer::Attention(of), _) if of.gated => Some("gated attention"),
        (spec::Mixer::Attention(of), _) if of.value_norm => Some("normed values"),
        (spec::Mixer::Attention(of), _) if of.keys != Keys::Own => Some("keys of other layers"),
        (_, spec::Feed::Beside(..)) => Some("experts beside a dense feed"),
        (_, spec::Feed::Experts(of)) if of.top > MOST_TOP => Some("so many experts a token"),
        (_, spec::Feed::Experts(of)) if of.routing == Routing::Scaled => Some("this way of choosing experts"),
        (_, spec::Feed::Experts(of)) if matches!(of.routing, Routing::Sigmoid { .. }) && of.count > MOST_EXPERTS => {
            Some("so many experts")
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

/// The model behind its handle, with the threads that compute it.
#[derive(Debug)]
pub struct Fused {
    handle: *mut c_void,
}

impl Fused {
    /// Takes a share in the arrays behind the handles, which must be evaluated, and copies what else they point to. `layers`: as
    /// many as the shape says; `norm`: the last.
    ///
    /// # Safety
    /// Every handle is a live array's, or null where the interface allows it; pointers in the shape and in layers point to as much as
    /// they say.
    ///
    /// # Errors
    /// An array of another type or size than the description says; a level that the processor lacks.
    pub unsafe fn new(
        level: &str,
        threads: u32,
        shape: &Shape,
        [embedding, head]: [&MatrixHandle; 2],
        layers: &[LayerHandle],
        norm: *mut c_void,
    ) -> Result<Self> {
        let level = name(level)?;
        // SAFETY: the caller's; what the model needs later it takes a share in or copies.
        let handle = told(|error, room| unsafe {
            offprint_model(level.as_ptr(), threads as i32, shape, embedding, head, layers.as_ptr(), norm, error, room)
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

/// Appends ids `[n]`, unsigned 32-bit, to pasts of one model: to each as many as stand beside it, those of one after the other's.
/// Returns their logits `[1, n, vocabulary]`, if asked for; nothing is computed yet.
pub fn step(ids: &Array, pasts: &mut [(&mut FusedPast, usize)], logits: bool) -> Result<Option<Array>> {
    let part = |(past, count): &(&mut FusedPast, usize)| {
        let end = past.offset + count;
        if end > past.capacity {
            return Err(Exception::custom(format!("the cache holds {} positions, not {end}", past.capacity)));
        }
        Ok(PartHandle {
            past: past.handle,
            ticket: past.ticket.as_ref().map_or(ptr::null_mut(), context),
            offset: past.offset as i32,
            count: *count as i32,
        })
    };
    let parts = pasts.iter().map(part).collect::<Result<Vec<_>>>()?;
    let stream = Stream::thread_local_or_default();
    let mut out = [ptr::null_mut(); 2];
    // SAFETY: handles live through the call; `out` has room for both arrays.
    told(|error, room| unsafe {
        let (ids, stream, count) = (context(ids), stream.as_ptr().ctx, parts.len() as i32);
        let made = offprint_step(parts.as_ptr(), count, ids, stream, logits, out.as_mut_ptr(), error, room);
        if made { out[0] } else { ptr::null_mut() }
    })?;
    // SAFETY: new handles, which belong to nobody else.
    let [ticket, values] = out.map(|ctx| (!ctx.is_null()).then(|| unsafe { Array::from_ptr(mlx_array { ctx }) }));
    for (past, count) in pasts {
        past.offset += *count;
        past.ticket.clone_from(&ticket);
    }
    Ok(values)
}

impl FusedPast {
    /// Positions so far.
    pub fn len(&self) -> usize {
        self.offset
    }

    /// Is it empty?
    pub fn is_empty(&self) -> bool {
        self.offset == 0
    }

    /// Forgets all but the first `n` positions.
    pub(in crate::model) fn truncate(&mut self, n: usize) {
        self.offset = self.offset.min(n);
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
