//! `quantization` -> how each module's matrix is packed: a default, and overrides by module.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};

/// Affine quantisation of one layer: `bits` a weight, one scale and bias a `group_size` weights of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Affine {
    pub group_size: usize,
    pub bits: usize,
}

/// A default, and overrides by module path (`None`: not quantised).
#[derive(Debug, Clone, PartialEq)]
pub struct Quantization {
    pub default: Affine,
    pub overrides: BTreeMap<String, Option<Affine>>,
}

const HINT: &str = "hint: choose a checkpoint of the affine kind";

impl Quantization {
    /// From `quantization`, or from `quantization_config` where there is no other, as mlx-lm reads them. What is there and not
    /// known goes to `notes`.
    pub(super) fn read(config: &Map<String, Value>, notes: &mut Vec<String>) -> Result<Option<Self>> {
        let there = |name: &'static str| config.get(name).filter(|value| !value.is_null()).map(|value| (name, value));
        let Some((name, value)) = there("quantization").or_else(|| there("quantization_config")) else {
            return Ok(None);
        };
        let entries =
            value.as_object().with_context(|| format!("{name}: expected an object, found {value}\n{HINT}"))?;
        if let Some(method) = entries.get("quant_method").and_then(Value::as_str) {
            bail!(
                "{name}.quant_method: the weights were quantised by `{method}`, whose packing is not MLX's\nhint: choose a checkpoint that was quantised for MLX (mlx-community), or convert the original with mlx_lm.convert"
            );
        }
        let default = affine(name, entries)?;
        let mut overrides = BTreeMap::new();
        for (path, value) in entries.iter().filter(|(path, _)| !["bits", "group_size", "mode"].contains(&path.as_str()))
        {
            match value {
                Value::Bool(false) => drop(overrides.insert(path.clone(), None)),
                Value::Bool(true) => {}
                Value::Object(entries) => {
                    let key = format!("{name}.{path}");
                    overrides.insert(path.clone(), Some(affine(&key, entries)?));
                    let known = ["bits", "group_size", "mode"];
                    let others = entries.keys().filter(|part| !known.contains(&part.as_str()));
                    notes
                        .extend(others.map(|part| format!("config.json: `{key}.{part}` is not known to this program")));
                }
                _ => notes.push(format!("config.json: `{name}.{path}` is not known to this program")),
            }
        }
        Ok(Some(Quantization { default, overrides }))
    }

    /// How the module at `path` (`model.layers.0.mlp.up_proj`) is packed, if its scales are there; `None`: it is not.
    pub fn of(&self, path: &str) -> Option<Affine> {
        self.overrides.get(path).copied().unwrap_or(Some(self.default))
    }
}

fn affine(name: &str, entries: &Map<String, Value>) -> Result<Affine> {
    // An override without a mode is affine, whatever the default's is.
    match entries.get("mode") {
        None | Some(Value::Null) => {}
        Some(mode) if mode == "affine" => {}
        Some(Value::String(mode)) => bail!("{name}.mode: expected `affine`, found `{mode}`\n{HINT}"),
        Some(mode) => bail!("{name}.mode: expected `affine`, found {mode}\n{HINT}"),
    }
    let size = |key: &str, known: &[usize]| -> Result<usize> {
        let value = entries.get(key).with_context(|| format!("{name}.{key}: missing\n{HINT}"))?;
        let found = value.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| known.contains(n));
        let list: Vec<String> = known.iter().map(usize::to_string).collect();
        ensure!(found.is_some(), "{name}.{key}: expected one of {}, found {value}\n{HINT}", list.join(", "));
        found.with_context(|| key.to_owned())
    };
    Ok(Affine { group_size: size("group_size", &[32, 64, 128])?, bits: size("bits", &[2, 3, 4, 5, 6, 8])? })
}
