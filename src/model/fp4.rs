//! Numbers as four bits (E2M1) with a scale a group: `mxfp4` and `nvfp4` as MLX packs them on a CPU, bit by bit. MLX measures each
//! number against all sixteen values, which takes half a minute for a model of 135 million; here seven comparisons find the same one.
//! Scales, and numbers over them, are computed by MLX's own operations, so their rounding is MLX's.

use mlx_rs::{Array, Dtype, Stream, error::Result, ops};
use mlx_sys::{mlx_from_fp8, mlx_to_fp8};

use crate::{
    model::calls::operation,
    packing::{Mode, Packing},
};

/// Midpoints between the magnitudes 0, 0.5, 1, 1.5, 2, 3, 4, 6; a number on one goes to the smaller.
const MIDPOINTS: [f32; 7] = [0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0];

/// Rows `[rows, columns]` as words `[rows, columns / 8]` and scales `[rows, columns / group]`.
pub fn packed(rows: &Array, packing: Packing) -> Result<Vec<Array>> {
    let (height, columns) = (rows.dim(0), rows.dim(1));
    let group = packing.group_size as i32;
    let groups = rows.as_dtype(Dtype::Float32)?.reshape(&[-1, group])?;
    let of = Array::from_f32;
    let scales = ops::divide(groups.abs()?.max_axis(-1, true)?, of(6.0))?;
    let stream = Stream::thread_local_or_default();
    let (scales, over) = if packing.mode == Mode::Nvfp4 {
        // SAFETY: handles live through the calls.
        let bytes =
            operation("round to eight bits", |result| unsafe { mlx_to_fp8(result, scales.as_ptr(), stream.as_ptr()) })?;
        let over = operation("read eight bits", |result| unsafe {
            mlx_from_fp8(result, bytes.as_ptr(), Dtype::Float32.into(), stream.as_ptr())
        })?;
        // A group too small for its scale is zeros.
        let over = ops::select(ops::eq(&over, of(0.0))?, of(f32::INFINITY), over)?;
        (bytes, over)
    } else {
        let zero = of(0.0);
        let powers = ops::ceil(scales.log2()?)?.as_dtype(Dtype::Int32)?;
        let powers = ops::select(ops::eq(&scales, &zero)?, zero.as_dtype(Dtype::Int32)?, powers)?;
        let over = ops::power(of(2.0), &powers)?;
        (ops::add(&powers, Array::from_int(127))?.as_dtype(Dtype::Uint8)?, over)
    };
    let numbers = ops::divide(&groups, over)?.contiguous()?;
    let scales = scales.reshape(&[height, columns / group])?.contiguous()?;
    mlx_rs::transforms::eval([&numbers, &scales])?;
    Ok(vec![Array::from_slice(&words(numbers.as_slice::<f32>()), &[height, columns / 8]), scales])
}

/// Eight numbers a word, the first in the lowest bits.
fn words(numbers: &[f32]) -> Vec<u32> {
    let word = |eight: &[f32]| {
        eight.iter().rev().fold(0, |word, number| {
            let magnitude: u32 = MIDPOINTS.iter().map(|midpoint| u32::from(number.abs() > *midpoint)).sum();
            let sign = u32::from(*number < 0.0 && magnitude > 0) << 3;
            word << 4 | sign | magnitude
        })
    };
    numbers.chunks_exact(8).map(word).collect()
}

#[cfg(test)]
mod tests {
    use half::f16;
    use mlx_rs::{Device, with_stream};

    use super::*;
    use crate::{model::calls, random::SplitMix64};

    fn differs<T: PartialEq + std::fmt::LowerHex>(found: &[T], expected: &[T], at: &str) {
        assert_eq!(found.len(), expected.len());
        let first = found.iter().zip(expected).position(|(found, expected)| found != expected);
        let said = first.map(|place| format!("{place}: {:x}, and MLX has {:x}", found[place], expected[place]));
        assert_eq!(said, None, "{at}");
    }

    /// Every finite number of 16 bits, random ones of many sizes, midpoints, zeros, and groups of nothing else.
    #[test]
    fn bits_are_those_of_mlx() {
        let stream = Stream::new_with_device(&Device::cpu());
        with_stream(&stream, || {
            let mut random = SplitMix64(7);
            let mut numbers: Vec<f32> = (0..=u16::MAX).map(|bits| f16::from_bits(bits).to_f32()).collect();
            numbers.retain(|number| number.is_finite());
            let midpoints = MIDPOINTS.iter().flat_map(|midpoint| [*midpoint, -midpoint, 6.0, 0.0]);
            numbers.extend(midpoints.cycle().take(4096));
            numbers.extend([0.0; 64]);
            for size in -12..6 {
                let one =
                    |random: &mut SplitMix64| (random.below(1 << 20) as f32 / (1 << 19) as f32 - 1.0) * 2f32.powi(size);
                numbers.extend((0..4096).map(|_| one(&mut random)));
            }
            numbers.truncate(numbers.len() / 256 * 256);
            let rows = Array::from_slice(&numbers, &[numbers.len() as i32 / 256, 256]);
            for (mode, group_size) in [(Mode::Mxfp4, 32), (Mode::Nvfp4, 16)] {
                for dtype in [Dtype::Float32, Dtype::Float16, Dtype::Bfloat16] {
                    let (rows, packing) = (rows.as_dtype(dtype).unwrap(), Packing { mode, group_size, bits: 4 });
                    let [expected, found] = [calls::packed(&rows, packing), packed(&rows, packing)].map(Result::unwrap);
                    let at = format!("{mode:?} {dtype:?}");
                    differs(found[1].as_slice::<u8>(), expected[1].as_slice::<u8>(), &at);
                    differs(found[0].as_slice::<u32>(), expected[0].as_slice::<u32>(), &at);
                }
            }
        });
    }
}
