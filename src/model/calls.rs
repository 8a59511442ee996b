//! Calls into mlx-c that mlx-rs has not, or has for one quantisation mode only.

use std::ffi::CString;

use mlx_rs::{
    Array, Dtype, Stream,
    error::{Exception, Result},
};
use mlx_sys::{
    mlx_array, mlx_array_new, mlx_dequantize, mlx_gather_qmm, mlx_optional_dtype, mlx_optional_int, mlx_quantize,
    mlx_quantized_matmul, mlx_slice, mlx_slice_update, mlx_vector_array_free, mlx_vector_array_get,
    mlx_vector_array_new,
};

use crate::packing::{Mode, Packing};

/// A packed matrix, borrowed; `[rows, words]`, or `[experts, rows, words]`.
#[derive(Debug, Clone, Copy)]
pub struct Packed<'a> {
    pub weight: &'a Array,
    pub scales: &'a Array,
    /// Of the affine mode.
    pub biases: Option<&'a Array>,
    pub packing: Packing,
}

/// Group, bits and mode as mlx-c takes them.
fn sizes(packing: Packing) -> (mlx_optional_int, mlx_optional_int, CString) {
    let int = |value: usize| mlx_optional_int { value: value as i32, has_value: true };
    let mode = CString::new(packing.mode.name()).unwrap_or_default();
    (int(packing.group_size), int(packing.bits), mode)
}

/// Rows `[rows, columns]` packed: words `[rows, columns * bits / 32]`, scales `[rows, columns / group]` and, in the affine mode,
/// biases like them.
pub fn packed(rows: &Array, packing: Packing) -> Result<Vec<Array>> {
    let (stream, (group, bits, mode)) = (Stream::thread_local_or_default(), sizes(packing));
    let nothing = Handle::of(None);
    // SAFETY: handles and the mode's name live through the calls; the vector is freed once, its arrays are `Array`s' on success only.
    unsafe {
        let mut parts = mlx_vector_array_new();
        let made =
            mlx_quantize(&mut parts, rows.as_ptr(), group, bits, mode.as_ptr(), nothing.raw, stream.as_ptr()) == 0;
        let part = |index| operation("pack a matrix", |result| mlx_vector_array_get(result, parts, index));
        let count = if packing.mode == Mode::Affine { 3 } else { 2 };
        let arrays =
            if made { (0..count).map(part).collect() } else { Err(Exception::custom("MLX could not pack a matrix")) };
        mlx_vector_array_free(parts);
        arrays
    }
}

impl Packed<'_> {
    fn sizes(&self) -> (mlx_optional_int, mlx_optional_int, CString) {
        sizes(self.packing)
    }

    fn biases(&self) -> Handle<'_> {
        Handle::of(self.biases)
    }

    /// `x @ weight.T`: `[..., columns]` to `[..., rows]`.
    pub fn matmul(&self, x: &Array) -> Result<Array> {
        let (stream, (group, bits, mode)) = (Stream::thread_local_or_default(), self.sizes());
        let (weight, scales, biases) = (self.weight.as_ptr(), self.scales.as_ptr(), self.biases());
        operation("multiply by a packed matrix", |result| {
            // SAFETY: handles, the mode's name and the result live through the call.
            unsafe {
                mlx_quantized_matmul(
                    result,
                    x.as_ptr(),
                    weight,
                    scales,
                    biases.raw,
                    true,
                    group,
                    bits,
                    mode.as_ptr(),
                    stream.as_ptr(),
                )
            }
        })
    }

    /// `x[..., 1, columns] @ weight[experts].T`, an expert an index.
    pub fn gather(&self, x: &Array, experts: &Array, sorted: bool) -> Result<Array> {
        let (stream, (group, bits, mode)) = (Stream::thread_local_or_default(), self.sizes());
        let (weight, scales, biases) = (self.weight.as_ptr(), self.scales.as_ptr(), self.biases());
        let nothing = Handle::of(None);
        operation("multiply by packed experts", |result| {
            // SAFETY: as in `matmul`.
            unsafe {
                mlx_gather_qmm(
                    result,
                    x.as_ptr(),
                    weight,
                    scales,
                    biases.raw,
                    nothing.raw,
                    experts.as_ptr(),
                    true,
                    group,
                    bits,
                    mode.as_ptr(),
                    sorted,
                    stream.as_ptr(),
                )
            }
        })
    }

    /// The numbers, in `dtype`, or in MLX's own choice: that of affine scales, else bfloat16.
    pub fn unpacked(&self, dtype: Option<Dtype>) -> Result<Array> {
        let (stream, (group, bits, mode)) = (Stream::thread_local_or_default(), self.sizes());
        let (weight, scales, biases) = (self.weight.as_ptr(), self.scales.as_ptr(), self.biases());
        let nothing = Handle::of(None);
        let dtype = mlx_optional_dtype { value: dtype.unwrap_or(Dtype::Float32).into(), has_value: dtype.is_some() };
        operation("unpack a matrix", |result| {
            // SAFETY: as in `matmul`.
            unsafe {
                mlx_dequantize(
                    result,
                    weight,
                    scales,
                    biases.raw,
                    group,
                    bits,
                    mode.as_ptr(),
                    nothing.raw,
                    dtype,
                    stream.as_ptr(),
                )
            }
        })
    }
}

/// A handle that may be empty; an empty one is its own to free.
struct Handle<'a> {
    raw: mlx_array,
    _array: Option<&'a Array>,
    _empty: Option<Array>,
}

impl<'a> Handle<'a> {
    fn of(array: Option<&'a Array>) -> Self {
        // SAFETY: a new, empty handle that becomes an `Array`'s, and so is freed once.
        let empty = array.is_none().then(|| unsafe { Array::from_ptr(mlx_array_new()) });
        let raw = array.or(empty.as_ref()).map_or(mlx_array { ctx: std::ptr::null_mut() }, Array::as_ptr);
        Handle { raw, _array: array, _empty: empty }
    }
}

/// Writes positions `from..to` of `[_, _, positions, _]`. The old handle goes before the new one is evaluated, so MLX writes in
/// place. (`mlx_slice_update` itself, since mlx-rs' indexing adds nodes for broadcasting.)
pub fn write_positions(into: &mut Array, update: &Array, from: i32, to: i32) -> Result<()> {
    let shape = into.shape();
    let (start, stop) = ([0, 0, from, 0], [shape[0], shape[1], to, shape[3]]);
    let stream = Stream::thread_local_or_default();
    *into = operation("write into the key-value cache", |result| {
        // SAFETY: four dimensions everywhere; the handles live through the call.
        unsafe {
            mlx_slice_update(
                result,
                into.as_ptr(),
                update.as_ptr(),
                start.as_ptr(),
                4,
                stop.as_ptr(),
                4,
                [1; 4].as_ptr(),
                4,
                stream.as_ptr(),
            )
        }
    })?;
    Ok(())
}

/// Positions `from..to` of `[_, _, positions, _]`, without a copy.
pub fn positions(of: &Array, from: i32, to: i32) -> Result<Array> {
    let shape = of.shape();
    let (start, stop) = ([0, 0, from, 0], [shape[0], shape[1], to, shape[3]]);
    let stream = Stream::thread_local_or_default();
    operation("read the key-value cache", |result| {
        // SAFETY: as in `write_positions`.
        unsafe {
            mlx_slice(result, of.as_ptr(), start.as_ptr(), 4, stop.as_ptr(), 4, [1; 4].as_ptr(), 4, stream.as_ptr())
        }
    })
}

/// What mlx-rs does around each call into mlx-c.
pub(super) fn operation(what: &str, call: impl FnOnce(*mut mlx_array) -> i32) -> Result<Array> {
    // SAFETY: an empty handle, which the call fills; it becomes an `Array` only on success.
    unsafe {
        let mut result = mlx_array_new();
        match call(&mut result) {
            0 => Ok(Array::from_ptr(result)),
            _ => Err(Exception::custom(format!("MLX could not {what}"))),
        }
    }
}
