//! A checkpoint packed anew: the tensors that mlx-lm's `convert -q` makes of it, bit by bit. Matrices go through in parts of some
//! rows, so that a model that no memory holds is converted, too. MLX packs, on the CPU wherever it is, so that one source gives
//! one result.

use std::{
    collections::BTreeMap,
    ffi::c_void,
    fs::{self, File},
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use ::safetensors::SafeTensors;
use anyhow::{Context, Result, bail, ensure};
use half::{bf16, f16};
use mlx_rs::{Array, ArrayElement, Device, Dtype, Stream, memory, transforms, with_stream};
use serde_json::{Map, Value, json};

use crate::{
    model::{
        Checkpoint, Config,
        calls::{self, Packed},
        checkpoint::write_checksums,
        decoder::Decoder,
        safetensors::{Entry, header},
        shards::file_name,
        weights::{Stored, Weights},
    },
    packing::{Mode, Packing, Recipe},
};

/// Bytes of numbers that are packed at a time.
const PART: usize = 32 << 20;
/// A file of weights is at most so large, unless one matrix is larger; mlx-lm's `MAX_FILE_SIZE_GB`.
const FILE: usize = 5 << 30;
/// Files beside the weights that are weights in another format.
const OTHER_WEIGHTS: [&str; 8] = ["safetensors", "bin", "gguf", "pt", "pth", "onnx", "h5", "msgpack"];

/// Can the source be taken as it is?
pub fn is_already(checkpoint: &Checkpoint, recipe: Recipe) -> bool {
    recipe == Recipe::None && checkpoint.config.quantization.is_none()
}

/// Writes the checkpoint, packed as the recipe says, into the folder `to`, which must exist and be empty. `source`: what it is
/// made of, for its `config.json`.
///
/// # Errors
/// Tensors that are not the configuration's; a recipe that no matrix can have; a disk that is full.
pub fn quantize(checkpoint: &Checkpoint, recipe: Recipe, source: &str, to: &Path) -> Result<()> {
    let config = raw_config(checkpoint)?;
    let (weights, matrices) =
        Decoder::tensors(checkpoint).with_context(|| format!("{}", checkpoint.folder.display()))?;
    let plan = Plan::of(&checkpoint.config, &config, recipe, (&weights, &matrices))?;
    let outputs = plan.outputs(&weights)?;
    // Never a GPU's: its rounding is another.
    let stream = Stream::new_with_device(&Device::cpu());
    let origin = Origin::open(checkpoint)?;
    with_stream(&stream, || write(&plan, &origin, weights, &outputs, to))?;
    let write = |name: &str, value: &Value| -> Result<()> {
        let file = to.join(name);
        fs::write(&file, serde_json::to_string_pretty(value)? + "\n").with_context(|| format!("{}", file.display()))
    };
    copy_others(&checkpoint.folder, to)?;
    write("config.json", &plan.config(config, source))?;
    write_checksums(to)
}

fn raw_config(checkpoint: &Checkpoint) -> Result<Map<String, Value>> {
    let file = checkpoint.folder.join("config.json");
    let text = fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{}", file.display()))
}

/// What becomes of each matrix.
struct Plan<'a> {
    recipe: Recipe,
    /// How the source has its weights packed, in words.
    source: Option<String>,
    /// Numbers are cast to it before they are packed, and what is not packed, too.
    dtype: Option<Dtype>,
    /// By module: as the source has it, and as it is to be; `None`: numbers.
    matrices: BTreeMap<&'a str, (&'a Stored, Option<Packing>)>,
    /// Ends of names of tensors that are not cast.
    uncast: &'static [&'static str],
    /// Columns of matrices that cannot be packed so, and how many those are.
    unfit: BTreeMap<usize, usize>,
}

impl<'a> Plan<'a> {
    fn of(
        config: &Config,
        raw: &Map<String, Value>,
        recipe: Recipe,
        (weights, matrices): (&Weights, &'a [Stored]),
    ) -> Result<Self> {
        let mut unfit = BTreeMap::new();
        let group = match recipe {
            Recipe::None => None,
            Recipe::Uniform(Packing { group_size, .. }) | Recipe::Mixed { group_size, .. } => Some(group_size),
        };
        let mut planned = BTreeMap::new();
        for matrix in matrices {
            let columns = matrix.shape.last().copied().unwrap_or(0);
            // mlx-lm's rule: a matrix whose columns are no whole groups stays as it is.
            let fits = group.is_some_and(|group| columns % group == 0);
            if let (Some(_), false) = (group, fits) {
                *unfit.entry(columns).or_insert(0) += 1;
            }
            let to = fits.then(|| packing(recipe, config, &matrix.path)).flatten();
            if let Some(Packing { group_size, .. }) = to.filter(|to| columns % to.group_size != 0) {
                bail!(
                    "`{}`: {columns} columns are no whole groups of {group_size}, which mlx-lm gives this module whatever the others get\nhint: this model cannot be packed as `{recipe}`",
                    matrix.path
                );
            }
            planned.insert(matrix.path.as_str(), (matrix, to));
        }
        let some = planned.values().any(|(_, to)| to.is_some());
        ensure!(
            some || recipe == Recipe::None,
            "no matrix can be packed as `{recipe}`: their columns ({}) are no whole groups of {}\nhint: choose a smaller group, e.g. 4-g32",
            unfit.keys().map(usize::to_string).collect::<Vec<_>>().join(", "),
            group.unwrap_or_default()
        );
        let dtype = match recipe {
            Recipe::None => None,
            _ => conversion_type(raw).or_else(|| of_scales(weights, matrices)),
        };
        let source = config.quantization.as_ref().map(|quantization| quantization.words());
        Ok(Plan { recipe, source, dtype, matrices: planned, uncast: config.spec.conversion.uncast, unfit })
    }

    /// Every tensor that is to be written, by name.
    fn outputs(&self, weights: &Weights) -> Result<Vec<Output>> {
        let mut outputs = Vec::new();
        for name in weights.names() {
            let Some(array) = weights.get(&name) else { continue };
            let (path, part) = name.rsplit_once('.').unwrap_or((&name, ""));
            let shape: Vec<usize> = array.shape().iter().map(|size| *size as usize).collect();
            let entry = |name: String, dtype: Dtype, shape| -> Result<Entry> {
                Ok(Entry { name, dtype: stored_as(dtype)?, shape })
            };
            match (self.matrices.get(path), part) {
                (Some((stored, _)), "scales" | "biases") if stored.packing.is_some() => {}
                (Some((stored, to)), "weight") => {
                    let numbers = self.numbers(stored, array.dtype());
                    let columns = stored.shape.last().copied().unwrap_or(0);
                    let rows = &stored.shape[..stored.shape.len().saturating_sub(1)];
                    let of = |last: usize| rows.iter().copied().chain([last]).collect::<Vec<_>>();
                    let of_module = |part: &str| format!("{path}.{part}");
                    let entries = match to {
                        None => vec![entry(name.clone(), numbers, stored.shape.clone())?],
                        Some(Packing { mode, group_size, bits }) => {
                            let scales = if *mode == Mode::Affine { numbers } else { Dtype::Uint8 };
                            let mut parts = vec![
                                entry(name.clone(), Dtype::Uint32, of(columns * bits / 32))?,
                                entry(of_module("scales"), scales, of(columns / group_size))?,
                            ];
                            if *mode == Mode::Affine {
                                parts.push(entry(of_module("biases"), scales, of(columns / group_size))?);
                            }
                            parts
                        }
                    };
                    outputs.push(Output { name: name.clone(), entries });
                }
                _ => {
                    let dtype = self.cast(&name, array.dtype()).unwrap_or(array.dtype());
                    outputs.push(Output { name: name.clone(), entries: vec![entry(name.clone(), dtype, shape)?] });
                }
            }
        }
        Ok(outputs)
    }

    /// The type of a matrix's numbers before they are packed. Float32 holds what was packed exactly.
    fn numbers(&self, stored: &Stored, dtype: Dtype) -> Dtype {
        self.dtype.unwrap_or(if stored.packing.is_some() { Dtype::Float32 } else { dtype })
    }

    /// What a tensor beside the matrices is cast to.
    fn cast(&self, name: &str, from: Dtype) -> Option<Dtype> {
        let to = self.dtype.filter(|_| is_float(from) && !self.uncast.iter().any(|end| name.ends_with(end)))?;
        (to != from).then_some(to)
    }

    /// The source's configuration, with what is quantised how.
    fn config(&self, mut config: Map<String, Value>, source: &str) -> Value {
        config.remove("quantization");
        config.remove("quantization_config");
        if let Some(text) = config.get_mut("text_config").and_then(Value::as_object_mut) {
            text.remove("quantization_config");
        }
        let entry = |packing: &Packing| json!({"group_size": packing.group_size, "bits": packing.bits, "mode": packing.mode.name()});
        let default = match self.recipe {
            Recipe::None => None,
            Recipe::Uniform(packing) => Some(packing),
            // mlx-lm's default beside its mixed recipes, which name every module.
            Recipe::Mixed { group_size, .. } => Some(Packing { group_size, ..Mode::Affine.default() }),
        };
        if let Some(default) = default {
            let mut quantization = entry(&default);
            for (path, (_, to)) in &self.matrices {
                match to {
                    Some(packing) if *packing == default => {}
                    Some(packing) => quantization[*path] = entry(packing),
                    None => quantization[*path] = json!(false),
                }
            }
            config.insert("quantization".to_owned(), quantization);
        }
        let dtype = self.dtype.map(|dtype| format!("{dtype:?}").to_lowercase());
        let mut made =
            json!({"recipe": self.recipe.to_string(), "of": source, "of_packing": self.source, "cast_to": dtype});
        if !self.unfit.is_empty() {
            let list: Vec<String> =
                self.unfit.iter().map(|(columns, count)| format!("{count} of {columns} columns")).collect();
            made["left"] = json!(format!(
                "{} of {} matrices are not packed, as mlx-lm leaves them: their rows are no whole groups ({})",
                self.unfit.values().sum::<usize>(),
                self.matrices.len(),
                list.join(", ")
            ));
        }
        config.insert("offprint_quantized".to_owned(), made);
        Value::Object(config)
    }
}

/// How the recipe packs a module; mlx-lm's `quant_predicate` and `mixed_quant_predicate_builder`.
fn packing(recipe: Recipe, config: &Config, path: &str) -> Option<Packing> {
    let affine = |bits, group_size| Some(Packing { mode: Mode::Affine, bits, group_size });
    match recipe {
        Recipe::None => None,
        Recipe::Uniform(packing) => {
            let wide = config.spec.conversion.wide.iter().any(|end| path.ends_with(end));
            if wide { affine(8, 64) } else { Some(packing) }
        }
        Recipe::Mixed { low, high, group_size } => {
            let layers = config.spec.layers.len();
            let layer = path.split('.').find_map(|part| part.parse::<usize>().ok()).unwrap_or(0);
            let eighth = layers / 8;
            let more =
                layer < eighth || layer >= 7 * layers / 8 || layer.checked_sub(eighth).is_some_and(|n| n % 3 == 2);
            let chosen = ["v_proj", "v_a_proj", "v_b_proj", "down_proj"].iter().any(|name| path.contains(name));
            affine(if (more && chosen) || path.contains("lm_head") { high } else { low }, group_size)
        }
    }
}

/// `torch_dtype`, or `text_config.dtype`, as mlx-lm's `convert` reads them.
fn conversion_type(config: &Map<String, Value>) -> Option<Dtype> {
    let said = config.get("torch_dtype").filter(|value| !value.is_null());
    let said = said.or_else(|| config.get("text_config")?.get("dtype"));
    match said?.as_str()? {
        "float16" => Some(Dtype::Float16),
        "bfloat16" => Some(Dtype::Bfloat16),
        "float32" => Some(Dtype::Float32),
        _ => None,
    }
}

/// The type that a packed source's numbers have where nobody says one: that of its scales, so that new ones are like them; MLX's own
/// where those are bytes. `None`: nothing is packed.
fn of_scales(weights: &Weights, matrices: &[Stored]) -> Option<Dtype> {
    let packed = matrices.iter().find(|matrix| matrix.packing.is_some())?;
    let scales = weights.get(&format!("{}.scales", packed.path))?.dtype();
    Some(if is_float(scales) { scales } else { Dtype::Bfloat16 })
}

fn is_float(dtype: Dtype) -> bool {
    [Dtype::Float32, Dtype::Float16, Dtype::Bfloat16].contains(&dtype)
}

fn stored_as(dtype: Dtype) -> Result<&'static str> {
    Ok(match dtype {
        Dtype::Float32 => "F32",
        Dtype::Float16 => "F16",
        Dtype::Bfloat16 => "BF16",
        Dtype::Uint32 => "U32",
        Dtype::Uint8 => "U8",
        Dtype::Int32 => "I32",
        other => bail!("a tensor of type {other:?} has no place in a checkpoint"),
    })
}

/// A tensor of the model and what is written of it.
struct Output {
    name: String,
    entries: Vec<Entry>,
}

/// Matrices that lie in the source's files as they are needed, to be read in parts.
struct Origin {
    files: Vec<File>,
    /// By name: file, place in it, shape.
    places: BTreeMap<String, (usize, Range<u64>, Vec<usize>, Dtype)>,
}

impl Origin {
    fn open(checkpoint: &Checkpoint) -> Result<Origin> {
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

fn write(plan: &Plan<'_>, origin: &Origin, mut weights: Weights, outputs: &[Output], to: &Path) -> Result<()> {
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
            Some(packing) => calls::packed(&part, *packing)?,
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

/// Tokenizer, template, licence: all that is no weights and no configuration.
fn copy_others(from: &Path, to: &Path) -> Result<()> {
    let mut entries: Vec<PathBuf> = fs::read_dir(from)?.map(|e| Ok(e?.path())).collect::<std::io::Result<_>>()?;
    entries.sort();
    for path in entries {
        let name = file_name(&path);
        let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        let made = ["config.json", "SHA256SUMS"].contains(&name.as_str()) || name.ends_with(".index.json");
        if path.is_file() && !name.starts_with('.') && !made && !OTHER_WEIGHTS.contains(&extension.as_str()) {
            fs::copy(&path, to.join(&name)).with_context(|| format!("{}", path.display()))?;
        }
    }
    Ok(())
}
