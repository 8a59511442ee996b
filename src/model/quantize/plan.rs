//! What becomes of each tensor of a checkpoint that is packed anew, and what its `config.json` says: mlx-lm's rules, and no bytes.

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};
use mlx_rs::Dtype;
use serde_json::{Map, Value, json};

use crate::{
    model::{
        Config,
        safetensors::Entry,
        weights::{Stored, Weights},
    },
    packing::{Mode, Packing, Recipe},
};

/// What becomes of each matrix.
pub(super) struct Plan<'a> {
    recipe: Recipe,
    /// How the source has its weights packed, in words.
    source: Option<String>,
    /// Numbers are cast to it before they are packed, and what is not packed, too.
    dtype: Option<Dtype>,
    /// By module: as the source has it, and as it is to be; `None`: numbers.
    pub(super) matrices: BTreeMap<&'a str, (&'a Stored, Option<Packing>)>,
    /// Ends of names of tensors that are not cast.
    uncast: &'static [&'static str],
    /// Columns of matrices that cannot be packed so, and how many those are.
    unfit: BTreeMap<usize, usize>,
}

impl<'a> Plan<'a> {
    pub(super) fn of(
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
    pub(super) fn outputs(&self, weights: &Weights) -> Result<Vec<Output>> {
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
    pub(super) fn numbers(&self, stored: &Stored, dtype: Dtype) -> Dtype {
        self.dtype.unwrap_or(if stored.packing.is_some() { Dtype::Float32 } else { dtype })
    }

    /// What a tensor beside the matrices is cast to.
    pub(super) fn cast(&self, name: &str, from: Dtype) -> Option<Dtype> {
        let to = self.dtype.filter(|_| is_float(from) && !self.uncast.iter().any(|end| name.ends_with(end)))?;
        (to != from).then_some(to)
    }

    /// The source's configuration, with what is quantised how.
    pub(super) fn config(&self, mut config: Map<String, Value>, source: &str) -> Value {
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

pub(super) fn is_float(dtype: Dtype) -> bool {
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
pub(super) struct Output {
    pub(super) name: String,
    pub(super) entries: Vec<Entry>,
}
