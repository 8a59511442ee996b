//! The planned tensors, packed by MLX in parts of some rows -> files of weights. Rows come straight from the source's files where
//! these have them as they are needed.

use std::{
    collections::BTreeMap,
    ffi::c_void,
    fs::{self, File},
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
};

use ::safetensors::SafeTensors;
use anyhow::{Context, Result, bail};
use half::{bf16, f16};
use mlx_rs::{Array, ArrayElement, Dtype, memory, transforms};
use serde_json::{Map, json};

use super::plan::{Output, Plan, is_float};
use crate::{
    model::{
        Checkpoint,
        calls::{self, Packed},
        fp4,
        safetensors::{Entry, header},
        weights::Weights,
    },
    packing::Mode,
};

/// Bytes of numbers that are packed at a time.
const PART: usize = 32 << 20;
/// A file of weights is at most so large, unless one matrix is larger; mlx-lm's `MAX_FILE_SIZE_GB`.
const FILE: usize = 5 << 30;

/// Matrices that lie in the source's files as they are needed, to be read in parts.
pub(super) struct Origin {
    files: Vec<File>,
    /// By name: file, place in it, shape.
    places: BTreeMap<String, (usize, Range<u64>, Vec<usize>, Dtype)>,
}

impl Origin {
    pub(super) fn open(checkpoint: &Checkpoint) -> Result<Origin> {
        let (mut files, mut places) = (Vec::new(), BTreeMap::new());
        for shard in &checkpoint.shards {
            let context = || format!("{}", shard.display());
            let file = File::open(shard).with_context(context)?;
            // SAFETY: the map is read once, here; a file changed meanwhile gives an error or a wrong header, no more.
            let map = unsafe { memmap2::Mmap::map(&file) }.with_context(context)?;
            let (length, metadata) = SafeTensors::read_metadata(&map).with_context(context)?;
            for (name, info) in metadata.tensors().into_iter().collect::<BTreeMap<_, _>>() {
                let dtype = match info.dtype {
                    ::safetensors::Dtype::F32 => Dtype::Float32,
                    ::safetensors::Dtype::F16 => Dtype::Float16,
                    ::safetensors::Dtype::BF16 => Dtype::Bfloat16,
                    _ => continue,
                };
                let begins = 8 + length as u64;
                let place = begins + info.data_offsets.0 as u64..begins + info.data_offsets.1 as u64;
                places.insert(name, (files.len(), place, info.shape.clone(), dtype));
            }
            files.push(file);
        }
        Ok(Origin { files, places })
    }

    /// Rows of a matrix of floating-point numbers; `None`: the source has no such matrix.
    fn rows(&self, name: &str, shape: &[usize], rows: &Range<usize>) -> Result<Option<Array>> {
        let Some((file, place, _, dtype)) = self.places.get(name).filter(|(_, _, of, _)| of == shape) else {
            return Ok(None);
        };
        let (height, columns) = (shape[..shape.len() - 1].iter().product::<usize>(), shape[shape.len() - 1]);
        let row = (place.end - place.start) as usize / height.max(1);
        let mut bytes = vec![0; row * rows.len()];
        self.files[*file]
            .read_exact_at(&mut bytes, place.start + (row * rows.start) as u64)
            .context(name.to_owned())?;
        let shape = [rows.len() as i32, columns as i32];
        // SAFETY: as many bytes as rows, columns and type ask for; MLX copies them.
        Ok(Some(unsafe { Array::from_raw_data(bytes.as_ptr().cast::<c_void>(), &shape, *dtype) }))
    }
}

pub(super) fn write(
    plan: &Plan<'_>,
    origin: &Origin,
    mut weights: Weights,
    outputs: &[Output],
    to: &Path,
) -> Result<()> {
    let sizes = outputs.iter().map(|output| output.entries.iter().map(Entry::bytes).sum::<Result<usize>>());
    let sizes = sizes.collect::<Result<Vec<_>>>()?;
    let files = files(&sizes);
    let mut index = Map::new();
    for (place, range) in files.iter().enumerate() {
        let name = match files.len() {
            1 => "model.safetensors".to_owned(),
            n => format!("model-{:05}-of-{n:05}.safetensors", place + 1),
        };
        let path = to.join(&name);
        let entries: Vec<Entry> = outputs[range.clone()].iter().flat_map(|output| output.entries.clone()).collect();
        write_file(plan, origin, &mut weights, &outputs[range.clone()], &entries, &path)
            .with_context(|| format!("{}", path.display()))?;
        index.extend(entries.into_iter().map(|entry| (entry.name, json!(name))));
    }
    if files.len() > 1 {
        let index = json!({"metadata": {"total_size": sizes.iter().sum::<usize>()}, "weight_map": index});
        let path = to.join("model.safetensors.index.json");
        fs::write(&path, serde_json::to_string_pretty(&index)?).with_context(|| format!("{}", path.display()))?;
    }
    Ok(())
}

/// Which outputs go into which file.
fn files(sizes: &[usize]) -> Vec<Range<usize>> {
    let (mut files, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (place, size) in sizes.iter().enumerate() {
        if place > start && bytes + size > FILE {
            files.push(start..place);
            (start, bytes) = (place, 0);
        }
        bytes += size;
    }
    files.push(start..sizes.len());
    files
}

fn write_file(
    plan: &Plan<'_>,
    origin: &Origin,
    weights: &mut Weights,
    outputs: &[Output],
    entries: &[Entry],
    path: &Path,
) -> Result<()> {
    let (header, places) = header(entries)?;
    let file = File::create(path)?;
    file.write_all_at(&header, 0)?;
    let mut places = places.into_iter();
    for output in outputs {
        let mut at: Vec<u64> = places.by_ref().take(output.entries.len()).map(|place| place.start).collect();
        tensor(plan, origin, weights, output, &mut |part, array| {
            let bytes = bytes(array)?;
            file.write_all_at(bytes, at[part])?;
            at[part] += bytes.len() as u64;
            Ok(())
        })
        .with_context(|| output.name.clone())?;
        memory::clear_cache()?;
    }
    Ok(file.sync_all()?)
}

/// Hands on what is written of one tensor: the number of its part, and rows of that.
fn tensor(
    plan: &Plan<'_>,
    origin: &Origin,
    weights: &mut Weights,
    output: &Output,
    take: &mut dyn FnMut(usize, &Array) -> Result<()>,
) -> Result<()> {
    let name = &output.name;
    let matrix = name.strip_suffix(".weight").and_then(|path| Some((path, plan.matrices.get(path)?)));
    let Some((path, (stored, to))) = matrix else {
        let array = weights.remove(name).context("gone")?;
        let array = plan.cast(name, array.dtype()).map_or_else(|| Ok(array.clone()), |to| array.as_dtype(to))?;
        let array = array.contiguous()?;
        transforms::eval([&array])?;
        return take(0, &array);
    };
    let whole = weights.get(name).context("gone")?.dtype();
    let numbers = plan.numbers(stored, whole);
    let columns = stored.shape.last().copied().unwrap_or(1);
    let height = stored.shape.iter().product::<usize>() / columns.max(1);
    let array = weights.remove(name).context("gone")?;
    let [scales, biases] = ["scales", "biases"].map(|part| {
        let of_packed = stored.packing.is_some();
        of_packed.then(|| weights.remove(&format!("{path}.{part}"))).flatten()
    });
    let step = (PART / (columns * 4).max(1)).max(1);
    for start in (0..height).step_by(step) {
        let rows = start..height.min(start + step);
        let part = match (stored.packing, origin.rows(name, &stored.shape, &rows)?) {
            (None, Some(part)) => part,
            (None, None) => flat(&array, height, &rows)?,
            (Some(packing), _) => {
                let exact = |array: &Array| -> Result<Array> {
                    let rows = flat(array, height, &rows)?;
                    Ok(if is_float(rows.dtype()) { rows.as_dtype(Dtype::Float32)? } else { rows })
                };
                let scales = exact(scales.as_ref().context("no scales")?)?;
                let biases = biases.as_ref().map(exact).transpose()?;
                let weight = flat(&array, height, &rows)?;
                Packed { weight: &weight, scales: &scales, biases: biases.as_ref(), packing }
                    .unpacked(Some(Dtype::Float32))?
            }
        };
        let part = if part.dtype() == numbers { part } else { part.as_dtype(numbers)? };
        let parts = match to {
            None => vec![part.contiguous()?],
            Some(packing) => match packing.mode {
                Mode::Mxfp4 | Mode::Nvfp4 => fp4::packed(&part, *packing)?,
                Mode::Affine | Mode::Mxfp8 => calls::packed(&part, *packing)?,
            },
        };
        transforms::eval(&parts)?;
        parts.iter().enumerate().try_for_each(|(index, array)| take(index, array))?;
    }
    Ok(())
}

/// Rows of an array whose last axis is a row's, all axes before it counted as one.
fn flat(array: &Array, height: usize, rows: &Range<usize>) -> Result<Array> {
    let last = array.shape().last().copied().unwrap_or(1);
    let flat = array.reshape(&[height as i32, last])?;
    let ids: Vec<i32> = vec![rows.start as i32, rows.end as i32];
    let parts = flat.split_at_indices(&ids, 0)?;
    parts.into_iter().nth(1).context("rows")
}

/// The bytes of an array, row after row.
fn bytes(array: &Array) -> Result<&[u8]> {
    fn of<T: ArrayElement>(array: &Array) -> Result<&[u8]> {
        let numbers = array.try_as_slice::<T>()?;
        // SAFETY: plain numbers are so many bytes, which live as long.
        Ok(unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) })
    }
    match array.dtype() {
        Dtype::Float32 => of::<f32>(array),
        Dtype::Float16 => of::<f16>(array),
        Dtype::Bfloat16 => of::<bf16>(array),
        Dtype::Uint32 => of::<u32>(array),
        Dtype::Uint8 => of::<u8>(array),
        Dtype::Int32 => of::<i32>(array),
        other => bail!("a tensor of type {other:?} has no place in a checkpoint"),
    }
}
