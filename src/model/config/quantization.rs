//! `quantization` -> how each module's matrix is packed: as the file says for the module, or as its tensors' shapes say.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};

use crate::packing::{Mode, Packing};

/// A default, and what the file says of single modules (`None`: not quantised).
#[derive(Debug, Clone, PartialEq)]
pub struct Quantization {
    pub default: Packing,
    pub named: BTreeMap<String, Option<Packing>>,
}

const HINT: &str = "hint: choose a checkpoint that was quantised for MLX (mlx-community)";

impl Quantization {
    /// From `quantization`, or from `quantization_config` where there is no other, as mlx-lm reads them. What is there and not
    /// known goes to `notes`.
    pub(super) fn read(config: &Map<String, Value>, notes: &mut Vec<String>) -> Result<Option<Self>> {
        let inner = config.get("text_config").and_then(Value::as_object);
        let there = |map: &'_ Map<String, Value>, name: &str| map.get(name).filter(|value| !value.is_null()).cloned();
        let found = there(config, "quantization")
            .map(|value| ("quantization", value))
            .or_else(|| there(config, "quantization_config").map(|value| ("quantization_config", value)))
            .or_else(|| {
                let value = there(inner?, "quantization_config")?;
                Some(("text_config.quantization_config", value))
            });
        let Some((name, value)) = found else { return Ok(None) };
        let entries =
            value.as_object().with_context(|| format!("{name}: expected an object, found {value}\n{HINT}"))?;
        if let Some(method) = entries.get("quant_method").and_then(Value::as_str) {
            // Two methods that pack as MLX does.
            let mode = [Mode::Mxfp4, Mode::Mxfp8].into_iter().find(|mode| mode.name() == method);
            let Some(mode) = mode else {
                bail!(
                    "{name}.quant_method: the weights were quantised by `{method}`, whose packing is not MLX's\nhint: choose a checkpoint that was quantised for MLX (mlx-community), or convert the original with mlx_lm.convert"
                );
            };
            let bits = if mode == Mode::Mxfp4 { 4 } else { 8 };
            return Ok(Some(Quantization { default: Packing { mode, group_size: 32, bits }, named: BTreeMap::new() }));
        }
        let default = packing(name, entries)?;
        let mut named = BTreeMap::new();
        let known = ["bits", "group_size", "mode"];
        for (path, value) in entries.iter().filter(|(path, _)| !known.contains(&path.as_str())) {
            match value {
                Value::Bool(false) => drop(named.insert(path.clone(), None)),
                Value::Bool(true) => drop(named.insert(path.clone(), Some(default))),
                Value::Object(entries) => {
                    let key = format!("{name}.{path}");
                    named.insert(path.clone(), Some(packing(&key, entries)?));
                    let others = entries.keys().filter(|part| !known.contains(&part.as_str()));
                    notes
                        .extend(others.map(|part| format!("config.json: `{key}.{part}` is not known to this program")));
                }
                _ => notes.push(format!("config.json: `{name}.{path}` is not known to this program")),
            }
        }
        Ok(Some(Quantization { default, named }))
    }

    /// In words, for records.
    pub fn words(&self) -> String {
        let default = Some(self.default);
        let mixed = if self.named.values().any(|named| *named != default) { ", some layers otherwise" } else { "" };
        format!("{}{mixed}", self.default)
    }
}

/// What the shapes of a module's tensors say: `columns` weights a row in `words` words and `scales` scales, which are bytes
/// (`bytes`) in every mode but affine. mlx-lm's `infer_quant_config`.
pub fn inferred(columns: usize, words: usize, scales: usize, bytes: bool) -> Option<Packing> {
    if scales == 0 || !columns.is_multiple_of(scales) || !(words * 32).is_multiple_of(columns) {
        return None;
    }
    let (group_size, bits) = (columns / scales, words * 32 / columns);
    let fits = |mode: &Mode| {
        let (groups, widths) = mode.sizes();
        (*mode == Mode::Affine) != bytes && groups.contains(&group_size) && widths.contains(&bits)
    };
    Mode::ALL.into_iter().find(fits).map(|mode| Packing { mode, group_size, bits })
}

fn packing(name: &str, entries: &Map<String, Value>) -> Result<Packing> {
    // An override without a mode is affine, whatever the default's is.
    let mode = match entries.get("mode") {
        None | Some(Value::Null) => Mode::Affine,
        Some(said) => said.as_str().and_then(Mode::named).with_context(|| {
            let names: Vec<_> = Mode::ALL.iter().map(|mode| format!("`{}`", mode.name())).collect();
            format!("{name}.mode: expected one of {}, found {said}\n{HINT}", names.join(", "))
        })?,
    };
    let (groups, widths) = mode.sizes();
    let size = |key: &str, known: &[usize]| -> Result<usize> {
        let value = entries.get(key).with_context(|| format!("{name}.{key}: missing\n{HINT}"))?;
        let found = value.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| known.contains(n));
        let list: Vec<String> = known.iter().map(usize::to_string).collect();
        let of = if mode == Mode::Affine { String::new() } else { format!(" in mode {}", mode.name()) };
        ensure!(found.is_some(), "{name}.{key}: expected one of {}{of}, found {value}\n{HINT}", list.join(", "));
        found.with_context(|| key.to_owned())
    };
    Ok(Packing { mode, group_size: size("group_size", groups)?, bits: size("bits", widths)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every packing of every mode is told from the shapes alone, as far as they tell it: no two give the same.
    #[test]
    fn shapes_tell_the_packing() {
        for mode in Mode::ALL {
            let (groups, widths) = mode.sizes();
            for (&group_size, &bits) in groups.iter().flat_map(|group| widths.iter().map(move |bits| (group, bits))) {
                let found = inferred(256, 256 * bits / 32, 256 / group_size, mode != Mode::Affine);
                assert_eq!(found, Some(Packing { mode, group_size, bits }));
            }
        }
        assert_eq!(inferred(256, 32, 4, true), None, "bytes for groups of 64");
        assert_eq!(inferred(256, 33, 4, false), None);
        assert_eq!(inferred(256, 32, 0, false), None);
    }
}
