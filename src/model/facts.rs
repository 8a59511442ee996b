//! A checkpoint -> what identifies its weights in records: checksums, sizes, packing.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Context, Result};

use crate::{
    digest,
    machine::CheckpointFacts,
    model::{checkpoint::Checkpoint, decoder::Decoder, shards::file_name},
};

/// What identifies these weights, every file's SHA-256 included. `model` is the study's id, `recipe` the level
/// of its factor `quantization`, `source` as resolved.
///
/// # Errors
/// A file that cannot be read, or that is not the one that the folder's own checksums were made of; tensors that are not the
/// configuration's.
pub fn of(checkpoint: &Checkpoint, model: &str, recipe: Option<&str>, source: &str) -> Result<CheckpointFacts> {
    let mut files = BTreeMap::new();
    let mut weight_bytes = 0;
    let mut entries: Vec<PathBuf> =
        fs::read_dir(&checkpoint.folder)?.map(|e| Ok(e?.path())).collect::<std::io::Result<_>>()?;
    entries.sort();
    // Hidden files are the file system's (`._model.safetensors`, `.DS_Store`), not the model's.
    for path in entries.iter().filter(|path| path.is_file() && !file_name(path).starts_with('.')) {
        files.insert(file_name(path), digest::sha256_file(path).with_context(|| format!("{}", path.display()))?);
        if checkpoint.shards.contains(path) {
            weight_bytes += fs::metadata(path)?.len();
        }
    }
    checkpoint.check(&files)?;
    let counted = Decoder::count(checkpoint).with_context(|| format!("{}", checkpoint.folder.display()))?;
    Ok(CheckpointFacts {
        model: model.to_owned(),
        drafts: false,
        recipe: recipe.map(str::to_owned),
        source: source.to_owned(),
        files,
        weight_bytes,
        parameters: counted.all,
        step_bytes: Some(counted.read),
        active_parameters: (counted.idle > 0).then_some(counted.all - counted.idle),
        quantization: checkpoint.config.quantization.as_ref().map(|quantization| quantization.words()),
        source_quantization: checkpoint.config.packed_from.clone(),
        random_weights: checkpoint.config.random_weights,
    })
}
