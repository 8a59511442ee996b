//! The C interface of `cpp/primitive.cpp`. Handles of arrays and streams are mlx-c's `ctx` pointers; each function that can
//! fail writes a reason into `error`, which has `room` bytes, zero at the end.
#![allow(non_camel_case_types, reason = "names as C has them")]

use std::ffi::{c_char, c_void};

// The library that defines what a primitive derives from.
use mlx_sys as _;

/// A matrix `[rows, columns]`, in one of the formats below. Null where there is none.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct MatrixHandle {
    pub weight: *mut c_void,
    pub scales: *mut c_void,
    pub biases: *mut c_void,
    /// A linear layer's bias, `[rows]`.
    pub offset: *mut c_void,
    pub rows: i32,
    pub columns: i32,
    pub bits: i32,
    pub group: i32,
    /// One of [`format`]'s.
    pub format: i32,
}

/// How a matrix is stored. What is packed is packed as MLX's mode of that name does: `bits` and `group` are the mode's, weights
/// are words of 32 bits. Others have 32 or 16 bits, no group and no scales.
pub mod format {
    /// Bits 2, 3, 4, 5, 6 or 8 in groups of 32, 64 or 128; scales and biases in one floating-point type.
    pub const AFFINE: i32 = 0;
    /// 4 bits in groups of 32; scales are bytes, and there are no biases: here, and in the next two.
    pub const MXFP4: i32 = 1;
    /// 8 bits in groups of 32.
    pub const MXFP8: i32 = 2;
    /// 4 bits in groups of 16.
    pub const NVFP4: i32 = 3;
    pub const FLOAT32: i32 = 4;
    pub const FLOAT16: i32 = 5;
    pub const BFLOAT16: i32 = 6;
}

/// What all layers of a model share. Weights of norms are float32, with whatever is added to them (`1 +`) in them already; biases
/// of linear layers and sinks are float32, too.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub hidden: i32,
    /// Not read: each layer has its own.
    pub heads: i32,
    pub vocabulary: i32,
    pub layers: i32,
    pub epsilon: f32,
    /// What embeddings are multiplied by, and each branch's output before it is added, and logits.
    pub embedding_scale: f32,
    pub residual_scale: f32,
    pub logit_scale: f32,
    /// 0: none; else logits become `tanh(logit / cap) * cap`, after the scale.
    pub logit_cap: f32,
    /// Norms of the hidden state are LayerNorm without a bias, not RMSNorm. Those of queries and keys are RMSNorm always.
    pub layer_norm: bool,
    /// `[rope_count]`, copied.
    pub ropes: *const RopeHandle,
    pub rope_count: i32,
}

/// What a step reads of one sequence.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct PartHandle {
    pub past: *mut c_void,
    /// Of the past's latest step, which comes before this one; null: there was none.
    pub ticket: *mut c_void,
    /// Where the positions begin, at most where the past ends: what is behind is forgotten.
    pub offset: i32,
    pub count: i32,
}

/// A rotation of queries and keys.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct RopeHandle {
    /// How many of a head's dimensions are rotated, the first; the others pass.
    pub dims: i32,
    /// Pairs are `2i, 2i + 1`, not `i, i + dims / 2`.
    pub interleaved: bool,
    /// Positions are multiplied by it.
    pub scale: f32,
    /// The rotated dimensions are multiplied by it.
    pub gain: f32,
    /// `[dims / 2]`, radians a position; copied.
    pub frequencies: *const f32,
}

/// `activation` of a layer: what gate and up become.
pub mod activation {
    /// `silu(gate) * up`
    pub const SILU: i32 = 0;
    /// `gelu(gate) * up`, by tanh.
    pub const GELU: i32 = 1;
    /// gpt-oss: gate at most 7, up within 7; `gate * sigmoid(1.702 * gate) * (up + 1)`.
    pub const CLIPPED: i32 = 2;
}

/// A layer: attention, then a dense or a sparse feed-forward.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct LayerHandle {
    pub q: MatrixHandle,
    pub k: MatrixHandle,
    pub v: MatrixHandle,
    pub o: MatrixHandle,
    pub heads: i32,
    pub kv_heads: i32,
    pub head_dim: i32,
    pub score_scale: f32,
    /// 0: none; else scores become `tanh(score / cap) * cap` before those that are not seen are left out.
    pub score_cap: f32,
    /// How many positions one sees, itself among them; 0: all up to itself.
    pub window: i32,
    /// Index into the ropes; -1: none.
    pub rope: i32,
    /// Not 0: queries are multiplied by `1 + beta * ln(1 + floor(position / positions))`.
    pub query_gain_beta: f32,
    pub query_gain_positions: f32,
    /// `[heads]`: a score more that each query has, without a value. Null: none.
    pub sinks: *mut c_void,
    /// Of queries and keys, before they are rotated. Null: none.
    pub q_norm: *mut c_void,
    pub k_norm: *mut c_void,
    /// `head_dim`: a head at a time. Anything else: all heads at once, `heads * head_dim` of q and `kv_heads * head_dim` of k.
    pub norm_span: i32,
    /// `[hidden]`: before attention and after it, before the feed-forward and after it. Null: none there.
    pub input_norm: *mut c_void,
    pub attention_out_norm: *mut c_void,
    pub feed_norm: *mut c_void,
    pub feed_out_norm: *mut c_void,
    /// Both branches read `input_norm` of the same state; `feed_norm` is not read.
    pub parallel: bool,
    /// One of [`activation`]'s, of experts, too.
    pub activation: i32,
    /// Not read where there are experts.
    pub gate: MatrixHandle,
    pub up: MatrixHandle,
    pub down: MatrixHandle,
    /// Null: dense.
    pub experts: *const ExpertsHandle,
    /// Not 0: no attention but a convolution over so many positions, at most 8, channel by channel. `q` is `[3 * hidden, hidden]`: what goes
    /// in, what gates what comes out, what gates what goes in; `heads` is 3, `kv_heads` 1, `head_dim` the state's size; `k` and `v` are
    /// not read, and `o` is `[hidden, hidden]`.
    pub kernel: i32,
    /// `[kernel]` arrays `[hidden]`, the earliest position's first.
    pub taps: *const *mut c_void,
    /// `[hidden]`, added to each sum. Null: none.
    pub taps_offset: *mut c_void,
}

/// A mixture of experts. An expert's matrix is a run of rows of one matrix, `count` runs of equal length.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ExpertsHandle {
    /// `[count, hidden]`
    pub router: MatrixHandle,
    pub count: i32,
    /// How many experts compute a position.
    pub top: i32,
    /// Weights are a softmax over all experts, of which the highest are taken; else the softmax of the highest.
    pub softmax_first: bool,
    /// The weights taken are divided by their sum.
    pub renormalise: bool,
    /// Instead of softmaxes sigmoids, times `scale`; at most 512 experts then.
    pub sigmoid: bool,
    pub scale: f32,
    /// `[count]`: added to sigmoids before the highest are taken. Null: none.
    pub bias: *mut c_void,
    /// `[count * inner, hidden]`, `[count * inner, hidden]`, `[count * hidden, inner]`.
    pub gate: MatrixHandle,
    pub up: MatrixHandle,
    pub down: MatrixHandle,
    /// An expert that computes every position. A null weight: none.
    pub shared_gate: MatrixHandle,
    pub shared_up: MatrixHandle,
    pub shared_down: MatrixHandle,
    /// `[1, hidden]`: the sigmoid of its product is the shared expert's weight. A null weight: 1.
    pub shared_weight: MatrixHandle,
}

impl LayerHandle {
    /// A layer without anything in it.
    pub const NONE: LayerHandle = LayerHandle {
        q: MatrixHandle::NONE,
        k: MatrixHandle::NONE,
        v: MatrixHandle::NONE,
        o: MatrixHandle::NONE,
        heads: 0,
        kv_heads: 0,
        head_dim: 0,
        score_scale: 1.0,
        score_cap: 0.0,
        window: 0,
        rope: -1,
        query_gain_beta: 0.0,
        query_gain_positions: 1.0,
        sinks: std::ptr::null_mut(),
        q_norm: std::ptr::null_mut(),
        k_norm: std::ptr::null_mut(),
        norm_span: 0,
        input_norm: std::ptr::null_mut(),
        attention_out_norm: std::ptr::null_mut(),
        feed_norm: std::ptr::null_mut(),
        feed_out_norm: std::ptr::null_mut(),
        parallel: false,
        activation: activation::SILU,
        gate: MatrixHandle::NONE,
        up: MatrixHandle::NONE,
        down: MatrixHandle::NONE,
        experts: std::ptr::null(),
        kernel: 0,
        taps: std::ptr::null(),
        taps_offset: std::ptr::null_mut(),
    };
}

impl MatrixHandle {
    /// Where there is no matrix.
    pub const NONE: MatrixHandle = MatrixHandle {
        weight: std::ptr::null_mut(),
        scales: std::ptr::null_mut(),
        biases: std::ptr::null_mut(),
        offset: std::ptr::null_mut(),
        rows: 0,
        columns: 0,
        bits: 32,
        group: 0,
        format: format::FLOAT32,
    };
}

unsafe extern "C" {
    /// The best usable level, or `wanted` (unless empty) where that is usable; else null.
    pub fn offprint_level(wanted: *const c_char) -> *const c_char;

    /// A model over evaluated arrays, which it keeps alive; handles are read and not kept. `norm`: the last, `[hidden]`.
    pub fn offprint_model(
        level: *const c_char,
        threads: i32,
        shape: *const Shape,
        embedding: *const MatrixHandle,
        head: *const MatrixHandle,
        layers: *const LayerHandle,
        norm: *mut c_void,
        error: *mut c_char,
        room: usize,
    ) -> *mut c_void;
    pub fn offprint_model_free(model: *mut c_void);

    /// Keys and values with room for `capacity` positions.
    pub fn offprint_past(model: *mut c_void, capacity: i32, error: *mut c_char, room: usize) -> *mut c_void;
    pub fn offprint_past_free(past: *mut c_void);

    /// A step over `ids` `[n]`: of each of `count` pasts of one model, no past twice, the next positions, those of one after the
    /// other's. `out[0]` becomes the ticket of each of them, `out[1]`, if `logits`, the logits `[1, n, vocabulary]`. Of several pasts each
    /// position's logits are to the bit what they are alone, and so are those of one past of up to 8 positions at a time.
    pub fn offprint_step(
        parts: *const PartHandle,
        count: i32,
        ids: *mut c_void,
        stream: *mut c_void,
        logits: bool,
        out: *mut *mut c_void,
        error: *mut c_char,
        room: usize,
    ) -> bool;

    /// The next token `[1]` from float32 logits `[n]`, by a level as in [`offprint_level`]: the largest at temperature 0, else
    /// the one that MLX's `categorical` draws with this key from those times 1 / temperature, as `[1, n]`.
    pub fn offprint_draw(
        level: *const c_char,
        logits: *mut c_void,
        stream: *mut c_void,
        temperature: f32,
        key: u64,
        error: *mut c_char,
        room: usize,
    ) -> *mut c_void;

    /// `x @ matrix.T` on plain memory, for tests of the kernels: that for vectors, `together` at a time, or (0) that for prompts. Scales and biases are float32 (`stored` 0), float16 (1),
    /// bfloat16 (2), or bytes of mxfp4 and mxfp8 (3) or of nvfp4 (4). `false`: no such level here.
    pub fn offprint_matmul(
        level: *const c_char,
        threads: i32,
        weight: *const c_void,
        scales: *const c_void,
        biases: *const c_void,
        format: i32,
        stored: i32,
        rows: i32,
        columns: i32,
        bits: i32,
        group: i32,
        x: *const f32,
        n: i32,
        together: i32,
        y: *mut f32,
    ) -> bool;
}
