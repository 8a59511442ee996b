//! One block of a GGUF tensor -> groups of 32 weights as MLX's affine mode has them: whole numbers, a scale and a bias in
//! float32, or, where the groups are smaller than MLX's, the weights themselves. Nothing is rounded: what is computed here
//! is exact in float32, and the tests compare it with float64.
//! Layouts: ggml's `block_q4_0` and its kin (ggml-common.h), and its `dequantize_row_*` (ggml-quants.c).

use std::array;

use anyhow::{Result, ensure};
use half::{bf16, f16};

use crate::model::gguf::Storage;

/// Weights of a group. Every block of GGUF is made of such.
pub(super) const GROUP: usize = 32;

/// Weight `i` is `scale * quants[i] + bias`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Group {
    pub(super) quants: [u8; GROUP],
    pub(super) scale: f32,
    pub(super) bias: f32,
}

/// What becomes of a storage in MLX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Numbers, one by one.
    Plain,
    /// Affine groups of 32 with so many bits a weight. `wide`: scales and biases need float32, not float16.
    Affine { bits: usize, wide: bool },
    /// Groups of 16, which MLX's affine mode has not: numbers in float32.
    Spread,
}

pub(super) fn kind(storage: Storage) -> Kind {
    let affine = |bits, wide| Kind::Affine { bits, wide };
    match storage {
        Storage::F32 | Storage::F16 | Storage::BF16 => Kind::Plain,
        Storage::Q4_0 | Storage::Q4_1 => affine(4, false),
        Storage::Q5_0 | Storage::Q5_1 => affine(5, false),
        Storage::Q8_0 => affine(8, false),
        // A scale is a float16 times a number of 6 bits: 17 significant bits.
        Storage::Q4_K => affine(4, true),
        Storage::Q5_K => affine(5, true),
        Storage::Q6_K => Kind::Spread,
    }
}

/// The groups of one block of a storage whose kind is affine, in order.
///
/// # Errors
/// A scale that is no number.
pub(super) fn groups(storage: Storage, block: &[u8], mut each: impl FnMut(Group) -> Result<()>) -> Result<()> {
    let scale = half(block)?;
    match storage {
        Storage::Q4_0 => each(Group { quants: nibbles(&block[2..]), scale, bias: -8.0 * scale }),
        Storage::Q4_1 => each(Group { quants: nibbles(&block[4..]), scale, bias: half(&block[2..])? }),
        Storage::Q5_0 => each(Group { quants: fifth(&block[6..], &block[2..]), scale, bias: -16.0 * scale }),
        Storage::Q5_1 => each(Group { quants: fifth(&block[8..], &block[4..]), scale, bias: half(&block[2..])? }),
        Storage::Q8_0 => each(Group { quants: array::from_fn(|i| block[2 + i] ^ 0x80), scale, bias: -128.0 * scale }),
        Storage::Q4_K | Storage::Q5_K => {
            let least = half(&block[2..])?;
            let (upper, lower) = block[16..].split_at(if storage == Storage::Q5_K { 32 } else { 0 });
            for n in 0..8 {
                let (of_scale, of_least) = six_bits(&block[4..16], n);
                let quants = array::from_fn(|i| {
                    let byte = lower[n / 2 * GROUP + i];
                    let four = if n.is_multiple_of(2) { byte & 15 } else { byte >> 4 };
                    four | upper.get(i).map_or(0, |bits| (bits >> n & 1) << 4)
                });
                each(Group { quants, scale: scale * f32::from(of_scale), bias: -(least * f32::from(of_least)) })?;
            }
            Ok(())
        }
        Storage::F32 | Storage::F16 | Storage::BF16 | Storage::Q6_K => Ok(()),
    }
}

/// The weights of a row of a storage whose kind is not affine, one by one.
///
/// # Errors
/// A scale that is no number.
pub(super) fn numbers(storage: Storage, row: &[u8], mut each: impl FnMut(f32) -> Result<()>) -> Result<()> {
    match storage {
        Storage::F32 => {
            row.chunks_exact(4).try_for_each(|bytes| each(f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])))
        }
        Storage::F16 => row.chunks_exact(2).try_for_each(|b| each(f16::from_le_bytes([b[0], b[1]]).to_f32())),
        Storage::BF16 => row.chunks_exact(2).try_for_each(|b| each(bf16::from_le_bytes([b[0], b[1]]).to_f32())),
        _ => row.chunks_exact(210).try_for_each(|block| spread(block)?.into_iter().try_for_each(&mut each)),
    }
}

/// A block of Q6_K. A product of 11, 7 and 5 significant bits fits float32's 24.
fn spread(block: &[u8]) -> Result<[f32; 256]> {
    let (lower, rest) = block.split_at(128);
    let (upper, rest) = rest.split_at(64);
    let (scales, scale) = rest.split_at(16);
    let scale = half(scale)?;
    Ok(array::from_fn(|at| {
        // Halves of 128, each in four rows of 32: rows 0 and 2 share nibbles' bytes, and all four those of the upper bits.
        let (part, row, i) = (at / 128, at % 128 / 32, at % 32);
        let byte = lower[part * 64 + row % 2 * 32 + i];
        let four = if row < 2 { byte & 15 } else { byte >> 4 };
        let quant = four | (upper[part * 32 + i] >> (2 * row) & 3) << 4;
        let of_scale = scales[at / 16] as i8;
        scale * f32::from(of_scale) * (f32::from(quant) - 32.0)
    }))
}

fn half(bytes: &[u8]) -> Result<f32> {
    let number = f16::from_le_bytes([bytes[0], bytes[1]]).to_f32();
    ensure!(number.is_finite(), "a block's scale is {number}: the file is damaged");
    Ok(number)
}

/// GGUF keeps weights 0..16 in the low nibbles and 16..32 in the high ones.
fn nibbles(bytes: &[u8]) -> [u8; GROUP] {
    array::from_fn(|i| if i < 16 { bytes[i] & 15 } else { bytes[i - 16] >> 4 })
}

/// Nibbles with a fifth bit each, which lie in order.
fn fifth(bytes: &[u8], bits: &[u8]) -> [u8; GROUP] {
    let four = nibbles(bytes);
    array::from_fn(|i| four[i] | (bits[i / 8] >> (i % 8) & 1) << 4)
}

/// Scale and minimum `n` of 8 in the 12 bytes of a K block (ggml's `get_scale_min_k4`).
fn six_bits(packed: &[u8], n: usize) -> (u8, u8) {
    if n < 4 {
        return (packed[n] & 63, packed[n + 4] & 63);
    }
    (packed[n + 4] & 15 | packed[n - 4] >> 6 << 4, packed[n + 4] >> 4 | packed[n] >> 6 << 4)
}

/// MLX's packing: a stream from the lowest bit on, `bits` a weight; 32 weights fill whole 32-bit words.
pub(super) fn packed(quants: &[u8; GROUP], bits: usize) -> Vec<u8> {
    let (mut bytes, mut waiting, mut held) = (Vec::with_capacity(GROUP / 8 * bits), 0u32, 0);
    for quant in quants {
        waiting |= u32::from(*quant) << held;
        held += bits;
        while held >= 8 {
            bytes.push(waiting as u8);
            (waiting, held) = (waiting >> 8, held - 8);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_of_bits_begins_at_the_lowest() {
        let quants: [u8; GROUP] = array::from_fn(|i| i as u8);
        // 0b00000, 0b00001, 0b00010, 0b00011, ... from the right.
        assert_eq!(packed(&quants, 5)[..5], [0b0010_0000, 0b1000_1000, 0b0100_0001, 0b1000_1010, 0b0011_1001]);
        assert_eq!(packed(&quants, 8), quants);
        let four = packed(&array::from_fn(|i| i as u8 % 16), 4);
        assert_eq!(four[..3], [0x10, 0x32, 0x54]);
        assert_eq!([4, 5, 8].map(|bits| packed(&quants, bits).len()), [16, 20, 32]);
    }

    #[test]
    fn six_bits_are_found_where_they_lie() {
        // Scales 1..=8 times 7, minimums 63 less that: packed by the definition, by hand.
        let (scale, least) = (|n: u8| 7 * (n + 1), |n: u8| 63 - 7 * (n + 1));
        let mut bytes = [0; 12];
        for n in 0..4u8 {
            bytes[n as usize] = scale(n) | scale(n + 4) >> 4 << 6;
            bytes[n as usize + 4] = least(n) | least(n + 4) >> 4 << 6;
            bytes[n as usize + 8] = scale(n + 4) & 15 | (least(n + 4) & 15) << 4;
        }
        for n in 0..8u8 {
            assert_eq!(six_bits(&bytes, n.into()), (scale(n), least(n)), "{n}");
        }
    }
}
