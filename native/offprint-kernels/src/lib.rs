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

/// A model's sizes.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub hidden: i32,
    pub inner: i32,
    pub heads: i32,
    pub kv_heads: i32,
    pub head_dim: i32,
    pub vocabulary: i32,
    pub layers: i32,
    pub epsilon: f32,
    /// Positions are multiplied by it before they are rotated.
    pub rope_scale: f32,
    /// `[head_dim / 2]`, radians a position; copied.
    pub frequencies: *const f32,
}

unsafe extern "C" {
    /// The best usable level, or `wanted` (unless empty) where that is usable; else null.
    pub fn offprint_level(wanted: *const c_char) -> *const c_char;

    /// A model over evaluated arrays, which it keeps alive. `linears`: q, k, v, o, gate, up, down of each layer.
    /// `norms`: two of each layer, then the last.
    pub fn offprint_model(
        level: *const c_char,
        threads: i32,
        shape: *const Shape,
        embedding: *const MatrixHandle,
        head: *const MatrixHandle,
        linears: *const MatrixHandle,
        norms: *const *mut c_void,
        error: *mut c_char,
        room: usize,
    ) -> *mut c_void;
    pub fn offprint_model_free(model: *mut c_void);

    /// Keys and values with room for `capacity` positions.
    pub fn offprint_past(model: *mut c_void, capacity: i32, error: *mut c_char, room: usize) -> *mut c_void;
    pub fn offprint_past_free(past: *mut c_void);

    /// A step over `ids` `[n]` that follows the step whose `ticket` is given (null: the first), at position `offset`.
    /// `out[0]` becomes its ticket, `out[1]`, if `logits`, the logits `[1, n, vocabulary]`.
    pub fn offprint_step(
        past: *mut c_void,
        ids: *mut c_void,
        ticket: *mut c_void,
        stream: *mut c_void,
        offset: i32,
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

    /// `x @ matrix.T` on plain memory, for tests of the kernels; scales and biases are float32 (`stored` 0), float16 (1),
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
        panels: bool,
        y: *mut f32,
    ) -> bool;
}
