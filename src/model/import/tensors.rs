//! The tensors of a GGUF file, each with its module -> `model.safetensors`, and what `config.json` says of their packing.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::{Context, Result, ensure};
use half::f16;
use serde_json::{Value, json};

use super::{
    architecture::{Architecture, Role, Sizes},
    blocks::{self, GROUP, Kind},
};
use crate::model::{
    gguf::{Storage, TensorInfo},
    safetensors::{self, Entry},
};

/// A tensor with its name in the checkpoint and, for q and k, the heads whose rows are permuted.
pub(super) struct Placed<'a> {
    pub(super) info: &'a TensorInfo,
    pub(super) module: String,
    role: Role,
    permuted_heads: Option<u64>,
}

impl<'a> Placed<'a> {
    pub(super) fn of(info: &'a TensorInfo, architecture: &Architecture, sizes: &Sizes<'_>) -> Result<Self> {
        let found = info.name.strip_suffix(".weight").and_then(|place| architecture.module(place));
        let (module, role) =
            found.with_context(|| format!("tensor `{}` has no place in a {} model", info.name, architecture.name))?;
        let (rank, permuted_heads) = match role {
            Role::Matrix => (2, None),
            Role::Queries => (2, Some(sizes.heads)),
            Role::Keys => (2, Some(sizes.kv_heads)),
            Role::Norm | Role::NormPlusOne => (1, None),
        };
        ensure!(
            info.shape.len() == rank,
            "tensor `{}`: expected {rank} dimensions, found {}",
            info.name,
            info.shape.len()
        );
        let placed = Placed { info, module, role, permuted_heads };
        ensure!(rank == 2 || placed.kind() == Kind::Plain, "tensor `{}`: a norm cannot be quantised", info.name);
        if let Some(heads) = permuted_heads {
            let even = heads.checked_mul(2).is_some_and(|halves| info.shape[0].is_multiple_of(halves));
            ensure!(even, "tensor `{}`: {} rows for {heads} heads", info.name, info.shape[0]);
        }
        Ok(placed)
    }

    fn kind(&self) -> Kind {
        blocks::kind(self.info.storage)
    }

    /// Bits of MLX's affine format; `None`: the tensor is not quantised.
    fn bits(&self) -> Option<usize> {
        match self.kind() {
            Kind::Affine { bits, .. } => Some(bits),
            Kind::Plain | Kind::Spread => None,
        }
    }

    /// The row of the file that holds row `row` of the checkpoint. GGUF interleaves the two halves of each q and k
    /// head for its own rope (llama.cpp's `convert_hf_to_gguf.py`, `permute`); this undoes it.
    fn source_row(&self, row: usize) -> usize {
        let Some(heads) = self.permuted_heads else { return row };
        let dim = self.info.shape[0] as usize / heads as usize;
        let (head, within) = (row / dim, row % dim);
        let (half, i) = (within / (dim / 2), within % (dim / 2));
        head * dim + 2 * i + half
    }

    /// Are the numbers written as they lie in the file?
    fn as_stored(&self) -> Option<&'static str> {
        match self.info.storage {
            _ if self.role == Role::NormPlusOne => None,
            Storage::F32 => Some("F32"),
            Storage::F16 => Some("F16"),
            Storage::BF16 => Some("BF16"),
            _ => None,
        }
    }

    /// The arrays that this tensor becomes: name suffix, dtype, shape.
    fn arrays(&self) -> Vec<(&'static str, &'static str, Vec<u64>)> {
        let shape = &self.info.shape;
        let Kind::Affine { bits, wide } = self.kind() else {
            return vec![("weight", self.as_stored().unwrap_or("F32"), shape.clone())];
        };
        let (rows, columns) = (shape[0], shape[shape.len() - 1]);
        let groups = columns / GROUP as u64;
        let dtype = if wide { "F32" } else { "F16" };
        vec![
            ("weight", "U32", vec![rows, columns * bits as u64 / 32]),
            ("scales", dtype, vec![rows, groups]),
            ("biases", dtype, vec![rows, groups]),
        ]
    }

    /// The bytes of one of [`Placed::arrays`], row by row.
    fn write(&self, file: &[u8], array: &str, out: &mut impl Write) -> Result<()> {
        let bytes = &file[self.info.bytes.clone()];
        let rows = if self.info.shape.len() == 1 { 1 } else { self.info.shape[0] as usize };
        let row_bytes = bytes.len() / rows.max(1);
        for row in 0..rows {
            let at = self.source_row(row) * row_bytes;
            self.write_row(&bytes[at..at + row_bytes], array, out)
                .with_context(|| format!("tensor `{}`, row {row}", self.info.name))?;
        }
        Ok(())
    }

    fn write_row(&self, row: &[u8], array: &str, out: &mut impl Write) -> Result<()> {
        let storage = self.info.storage;
        if self.as_stored().is_some() {
            return Ok(out.write_all(row)?);
        }
        let Kind::Affine { bits, wide } = self.kind() else {
            return blocks::numbers(storage, row, |number| {
                let number = if self.role == Role::NormPlusOne { less_one(number)? } else { number };
                Ok(out.write_all(&number.to_le_bytes())?)
            });
        };
        let (_, block_bytes) = storage.block();
        let float = |out: &mut dyn Write, number: f32, of: f32| -> Result<()> {
            if wide {
                return Ok(out.write_all(&number.to_le_bytes())?);
            }
            let half = f16::from_f32(number);
            ensure!(half.to_f32() == number, "the scale {of} has no exact float16 bias");
            Ok(out.write_all(&half.to_le_bytes())?)
        };
        row.chunks_exact(block_bytes as usize).try_for_each(|block| {
            blocks::groups(storage, block, |group| match array {
                "weight" => Ok(out.write_all(&blocks::packed(&group.quants, bits))?),
                "scales" => float(out, group.scale, group.scale),
                _ => float(out, group.bias, group.scale),
            })
        })
    }
}

/// `weight` of a stored `1 + weight`.
fn less_one(stored: f32) -> Result<f32> {
    let weight = stored - 1.0;
    let exact = f64::from(weight) == f64::from(stored) - 1.0;
    ensure!(exact, "the weight {stored} less 1 has no exact float32");
    Ok(weight)
}

/// Streams the tensors out: a header of names, types and offsets, then their bytes in that order.
pub(super) fn write_safetensors(file: &[u8], tensors: &[Placed<'_>], to: &Path) -> Result<()> {
    let parts = tensors.iter().flat_map(|tensor| {
        tensor.arrays().into_iter().map(|(suffix, dtype, shape)| Entry {
            name: format!("{}.{suffix}", tensor.module),
            dtype,
            shape: shape.into_iter().map(|size| size as usize).collect(),
        })
    });
    let (header, _) = safetensors::header(&parts.collect::<Vec<_>>())?;
    let context = || format!("{}", to.display());
    let mut out = BufWriter::new(File::create(to).with_context(context)?);
    out.write_all(&header).with_context(context)?;
    for tensor in tensors {
        for (suffix, ..) in tensor.arrays() {
            tensor.write(file, suffix, &mut out).with_context(context)?;
        }
    }
    out.into_inner().map_err(|error| error.into_error()).with_context(context)?.sync_all().with_context(context)
}

/// `quantization` of `config.json`: the width that most matrices have, and every module that has another, or none.
pub(super) fn quantization(tensors: &[Placed<'_>]) -> Value {
    let mut widths: BTreeMap<usize, usize> = BTreeMap::new();
    for bits in tensors.iter().filter_map(Placed::bits) {
        *widths.entry(bits).or_default() += 1;
    }
    // Of two that are as frequent, the narrower.
    let Some((most, _)) = widths.iter().rev().max_by_key(|(_, count)| **count) else { return Value::Null };
    let mut quantization = json!({"group_size": GROUP, "bits": most});
    for tensor in tensors.iter().filter(|t| t.info.shape.len() == 2 && t.bits() != Some(*most)) {
        quantization[&tensor.module] = match tensor.bits() {
            Some(bits) => json!({"group_size": GROUP, "bits": bits}),
            None => json!(false),
        };
    }
    quantization
}

/// A note of the modules whose storage MLX cannot hold packed, if there are any.
pub(super) fn spread(tensors: &[Placed<'_>]) -> Option<String> {
    let modules: Vec<&str> = tensors.iter().filter(|t| t.kind() == Kind::Spread).map(|t| t.module.as_str()).collect();
    (!modules.is_empty())
        .then(|| format!("Q6_K has groups of 16, which MLX's affine mode has not: float32 in {}", modules.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_permutation_is_undone() {
        let info =
            TensorInfo { name: "blk.0.attn_q.weight".into(), shape: vec![8, 32], storage: Storage::Q4_1, bytes: 0..0 };
        let module = String::new();
        let placed = Placed { info: &info, module, role: Role::Queries, permuted_heads: Some(2) };
        // llama.cpp stores head rows [0, 2, 1, 3] of (half, i) = [(0,0), (0,1), (1,0), (1,1)].
        assert_eq!((0..8).map(|row| placed.source_row(row)).collect::<Vec<_>>(), [0, 2, 1, 3, 4, 6, 5, 7]);
    }

    #[test]
    fn one_is_taken_away_exactly_or_not_at_all() {
        for stored in [1.0f32, 0.5, 1.0 + f32::EPSILON, 17.25, -3.0, 0.007_812_5] {
            assert_eq!(less_one(stored).unwrap() + 1.0, stored);
        }
        assert!(less_one(0.1).unwrap_err().to_string().contains("no exact float32"));
    }
}
