//! Ways of storing numbers: MLX's own `quantize` for the checkpoints made here, and its `dequantize` against a decoder that is
//! nothing but tables.

use std::{ffi::CString, slice};

use mlx_rs::{Array, Dtype, Stream};
use mlx_sys::{
    mlx_array_data_uint8, mlx_array_new, mlx_dequantize, mlx_dtype__MLX_FLOAT32, mlx_optional_dtype, mlx_optional_int,
    mlx_quantize, mlx_vector_array_free, mlx_vector_array_get, mlx_vector_array_new, mlx_vector_array_size,
};
use safetensors::Dtype as Stored;

use crate::{
    checkpoint::{Tensor, random_words},
    golden::Format,
    mlx, values,
};

/// On the CPU everywhere, so that a machine with a GPU makes the same checkpoints.
fn stream() -> Stream {
    Stream::cpu()
}

fn optional(value: usize) -> mlx_optional_int {
    mlx_optional_int { value: value as i32, has_value: true }
}

fn array(tensor: &Tensor) -> Array {
    let shape: Vec<i32> = tensor.shape.iter().map(|size| *size as i32).collect();
    let dtype = match tensor.dtype {
        Stored::BF16 => Dtype::Bfloat16,
        Stored::F16 => Dtype::Float16,
        Stored::F32 => Dtype::Float32,
        Stored::U32 => Dtype::Uint32,
        Stored::U8 => Dtype::Uint8,
        other => panic!("{other:?}"),
    };
    // SAFETY: the bytes are those of such an array, and MLX copies them.
    unsafe { Array::from_raw_data(tensor.bytes.as_ptr().cast(), &shape, dtype) }
}

fn tensor(array: &Array) -> Tensor {
    array.eval().unwrap();
    let dtype = match array.dtype() {
        Dtype::Bfloat16 => Stored::BF16,
        Dtype::Float16 => Stored::F16,
        Dtype::Float32 => Stored::F32,
        Dtype::Uint32 => Stored::U32,
        Dtype::Uint8 => Stored::U8,
        other => panic!("{other:?}"),
    };
    // SAFETY: the array was evaluated, and what `quantize` and `dequantize` return lies in rows without gaps.
    let bytes = unsafe { slice::from_raw_parts(mlx_array_data_uint8(array.as_ptr()), array.nbytes()).to_vec() };
    Tensor { dtype, shape: array.shape().iter().map(|size| *size as usize).collect(), bytes }
}

/// Packed words, scales, and in affine modes biases. (mlx-rs knows affine modes only.)
pub fn quantize(plain: &Tensor, Format(group, bits, mode): &Format) -> Vec<Tensor> {
    let (plain, mode, stream) = (array(plain), CString::new(mode.as_str()).unwrap(), stream());
    // SAFETY: handles are made, used and freed here; the mode's text lives through the call.
    unsafe {
        let (mut parts, none) = (mlx_vector_array_new(), Array::from_ptr(mlx_array_new()));
        let (group, bits) = (optional(*group), optional(*bits));
        let status =
            mlx_quantize(&mut parts, plain.as_ptr(), group, bits, mode.as_ptr(), none.as_ptr(), stream.as_ptr());
        assert_eq!(status, 0);
        let part = |index| {
            let mut found = mlx_array_new();
            assert_eq!(mlx_vector_array_get(&mut found, parts, index), 0);
            tensor(&Array::from_ptr(found))
        };
        let found = (0..mlx_vector_array_size(parts)).map(part).collect();
        mlx_vector_array_free(parts);
        found
    }
}

/// The values as MLX takes them, in float32. (Affine values come in the type of their scales, which is cast first.)
fn dequantize(parts: &[Tensor], Format(group, bits, mode): &Format) -> Vec<f32> {
    let (mode, stream) = (CString::new(mode.as_str()).unwrap(), stream());
    let wide = |part: &Tensor| match part.dtype {
        Stored::BF16 => Array::from_slice(&floats(part), array(part).shape()),
        _ => array(part),
    };
    let parts: Vec<Array> = parts.iter().map(wide).collect();
    // SAFETY: as in `quantize`; an empty handle stands for what is not there.
    let found = unsafe {
        let (mut found, none) = (mlx_array_new(), Array::from_ptr(mlx_array_new()));
        let status = mlx_dequantize(
            &mut found,
            parts[0].as_ptr(),
            parts[1].as_ptr(),
            parts.get(2).unwrap_or(&none).as_ptr(),
            optional(*group),
            optional(*bits),
            mode.as_ptr(),
            none.as_ptr(),
            mlx_optional_dtype { value: mlx_dtype__MLX_FLOAT32, has_value: true },
            stream.as_ptr(),
        );
        assert_eq!(status, 0);
        tensor(&Array::from_ptr(found))
    };
    floats(&found)
}

fn floats(tensor: &Tensor) -> Vec<f32> {
    let pairs = tensor.bytes.chunks_exact(2).map(|two| u16::from_le_bytes(two.try_into().unwrap()));
    match tensor.dtype {
        Stored::F32 => tensor.bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect(),
        Stored::BF16 => pairs.map(|bits| f32::from_bits(u32::from(bits) << 16)).collect(),
        other => panic!("{other:?}"),
    }
}

/// FP4 (E2M1) without its sign.
const E2M1: [f32; 8] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];

fn e2m1(code: u8) -> f32 {
    let value = E2M1[usize::from(code & 7)];
    if code & 8 == 0 { value } else { -value }
}

/// FP8: four bits of exponent, biased by 7, and three of fraction; no infinity. (127 is 480 to MLX; the standard says NaN.)
fn e4m3(code: u8) -> f32 {
    let (exponent, fraction) = (i32::from(code >> 3 & 15), f32::from(code & 7) / 8.0);
    let value = match exponent {
        0 => fraction * 2f32.powi(-6),
        _ => (1.0 + fraction) * 2f32.powi(exponent - 7),
    };
    if code & 128 == 0 { value } else { -value }
}

/// A power of two, biased by 127. (255 is infinity to MLX; the standard, OCP MX 1.0, says NaN. No quantiser writes it.)
fn e8m0(code: u8) -> f32 {
    2f64.powi(i32::from(code) - 127) as f32
}

/// The integers of a stream of bits, lowest first.
fn stream_of(bytes: &[u8], bits: usize) -> Vec<u32> {
    let bit = |at: usize| u32::from(bytes[at / 8] >> (at % 8) & 1);
    (0..bytes.len() * 8 / bits).map(|n| (0..bits).map(|i| bit(n * bits + i) << i).sum()).collect()
}

/// What the parts mean, by tables.
fn decode(parts: &[Tensor], Format(group, bits, mode): &Format) -> Vec<f32> {
    let codes = stream_of(&parts[0].bytes, *bits);
    let scaled = |value: fn(u8) -> f32, scale: fn(u8) -> f32| {
        let scales = parts[1].bytes.iter().map(|code| scale(*code));
        codes.chunks(*group).zip(scales).flat_map(|(codes, s)| codes.iter().map(move |c| value(*c as u8) * s)).collect()
    };
    match mode.as_str() {
        "mxfp4" => scaled(e2m1, e8m0),
        "nvfp4" => scaled(e2m1, e4m3),
        "mxfp8" => scaled(e4m3, e8m0),
        _ => {
            let pairs = floats(&parts[1]).into_iter().zip(floats(&parts[2]));
            codes
                .chunks(*group)
                .zip(pairs)
                .flat_map(|(codes, (s, b))| codes.iter().map(move |c| *c as f32 * s + b))
                .collect()
        }
    }
}

/// Equal to the bit, or both no number.
fn assert_same(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let same = |(f, e): (&f32, &f32)| f == e || f.is_nan() && e.is_nan();
    let other: Vec<usize> = (0..found.len()).filter(|at| !same((&found[*at], &expected[*at]))).collect();
    if let Some(at) = other.first() {
        panic!("{what}: {} differ; value {at} is {}, not {}", other.len(), found[*at], expected[*at]);
    }
}

fn formats() -> impl Iterator<Item = Format> {
    let affine = [2, 3, 4, 5, 6, 8].into_iter().flat_map(|bits| [32, 64, 128].map(|group| (group, bits, "affine")));
    let others = [(32, 4, "mxfp4"), (32, 8, "mxfp8"), (16, 4, "nvfp4")];
    affine.chain(others).map(|(group, bits, mode)| Format(group, bits, mode.to_owned()))
}

#[test]
fn what_mlx_quantised_means_what_the_tables_say() {
    let _alone = mlx();
    for format in formats() {
        let Format(group, bits, mode) = &format;
        for dtype in [Stored::BF16, Stored::F32] {
            let plain = values::tensor("matrix", &[3, 4, 256], dtype);
            let parts = quantize(&plain, &format);
            assert_eq!(parts[0].shape, [3, 4, 256 * bits / 32], "{format:?}");
            assert_eq!(parts[1].shape, [3, 4, 256 / group], "{format:?}");
            let scales = if mode == "affine" { dtype } else { Stored::U8 };
            assert_eq!((parts[1].dtype, parts.len()), (scales, if mode == "affine" { 3 } else { 2 }), "{format:?}");
            assert_same(&dequantize(&parts, &format), &decode(&parts, &format), &format!("{format:?} of {dtype:?}"));
        }
    }
}

/// Every code with every scale, those that no quantiser writes included.
#[test]
fn every_code_and_every_scale_mean_what_the_tables_say() {
    let _alone = mlx();
    for format in formats().filter(|Format(_, _, mode)| mode != "affine") {
        let Format(group, bits, mode) = &format;
        // A row a scale, and in it every code: 256 of 8 bits, or 16 of 4 bits in each of its two places.
        let columns = 256 * 8 / bits;
        let codes: Vec<u8> = (0..=255).cycle().take(256 * columns * bits / 8).collect();
        let scales: Vec<u8> = (0..=255).flat_map(|scale| vec![scale; columns / group]).collect();
        let parts = [
            Tensor { dtype: Stored::U32, shape: vec![256, columns * bits / 32], bytes: codes },
            Tensor { dtype: Stored::U8, shape: vec![256, columns / group], bytes: scales },
        ];
        assert_same(&dequantize(&parts, &format), &decode(&parts, &format), mode);
    }
}

/// Words that no quantiser wrote: every integer of every width, at every place in a word.
#[test]
fn any_packed_words_mean_what_the_tables_say() {
    let _alone = mlx();
    for format in formats().filter(|Format(_, _, mode)| mode == "affine") {
        let Format(group, bits, _) = &format;
        let words = random_words("words", 64 * 256 * bits / 32).flat_map(|word| ((word >> 32) as u32).to_le_bytes());
        // Scales and biases of few bits: products and sums are exact, however they are rounded.
        let parts = [
            Tensor { dtype: Stored::U32, shape: vec![64, 256 * bits / 32], bytes: words.collect() },
            values::tensor("scales", &[64, 256 / group], Stored::BF16),
            values::tensor("biases", &[64, 256 / group], Stored::BF16),
        ];
        assert_same(&dequantize(&parts, &format), &decode(&parts, &format), &format!("{format:?}"));
    }
}
