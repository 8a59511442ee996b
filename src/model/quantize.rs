//! A checkpoint packed anew: the tensors that mlx-lm's `convert -q` makes of it, bit by bit. Matrices go through in parts of some
//! rows, so that a model that no memory holds is converted, too. MLX packs, on the CPU wherever it is, so that one source gives
//! one result.

mod output;
mod plan;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use mlx_rs::{Device, Stream, with_stream};
use output::Origin;
use plan::Plan;
use serde_json::{Map, Value};

use crate::{
    model::{Checkpoint, checkpoint::write_checksums, decoder::Decoder, shards::file_name},
    packing::Recipe,
};

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
    with_stream(&stream, || output::write(&plan, &origin, weights, &outputs, to))?;
    copy_others(&checkpoint.folder, to)?;
    let file = to.join("config.json");
    let text = serde_json::to_string_pretty(&plan.config(config, source))? + "\n";
    fs::write(&file, text).with_context(|| format!("{}", file.display()))?;
    write_checksums(to)
}

fn raw_config(checkpoint: &Checkpoint) -> Result<Map<String, Value>> {
    let file = checkpoint.folder.join("config.json");
    let text = fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{}", file.display()))
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
