//! A checkpoint folder -> its weight files and the names of the tensors in them. Every header is read; no weights are.
//!
//! As mlx-lm does, `model*.safetensors` are read and nothing else, whatever an index says; what is passed over is told.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, ensure};
use serde::Deserialize;

const INDEX: &str = "model.safetensors.index.json";

/// The weight files, by name. Others that look like weights go to `notes`.
pub(super) fn find(folder: &Path, notes: &mut Vec<String>) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    // Names that begin with a dot are the file system's own.
    paths.retain(|path| file_name(path).ends_with(".safetensors") && !file_name(path).starts_with('.'));
    paths.sort();
    let (shards, others): (Vec<PathBuf>, Vec<PathBuf>) =
        paths.into_iter().partition(|path| file_name(path).starts_with("model"));
    let others: Vec<String> = others.iter().map(|path| file_name(path)).collect();
    ensure!(
        !shards.is_empty(),
        "{}: no file model*.safetensors{}\nhint: fetch the checkpoint again",
        folder.display(),
        if others.is_empty() { String::new() } else { format!(", only {}", others.join(", ")) }
    );
    if !others.is_empty() {
        notes.push(format!("{}: not read, since weights are in model*.safetensors", others.join(", ")));
    }
    Ok(shards)
}

/// A path's last part, for people.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The tensors' names, from headers that are valid and fit their files' lengths.
///
/// # Errors
/// A damaged file; one that the index names and that is not there, if its tensors are nowhere else.
pub(super) fn tensors(folder: &Path, shards: &[PathBuf], notes: &mut Vec<String>) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for shard in shards {
        names.extend(header(shard)?);
    }
    let file = folder.join(INDEX);
    if !file.is_file() {
        return Ok(names);
    }
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let text = fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
    let index: Index = match serde_json::from_str(&text) {
        Ok(index) => index,
        Err(error) => {
            // mlx-lm does not read it at all.
            notes.push(format!("{INDEX} is not read: {error}"));
            return Ok(names);
        }
    };
    let there: BTreeSet<String> = shards.iter().map(|path| file_name(path)).collect();
    let absent: BTreeSet<&String> = index.weight_map.values().filter(|name| !there.contains(*name)).collect();
    let lost = index.weight_map.iter().find(|(tensor, place)| absent.contains(place) && !names.contains(*tensor));
    if let Some((tensor, place)) = lost {
        return Err(anyhow!(
            "{}: missing; {INDEX} says that `{tensor}` is in it\nhint: fetch the checkpoint again",
            folder.join(place).display()
        ));
    }
    if !absent.is_empty() {
        let absent: Vec<&str> = absent.iter().map(|name| name.as_str()).collect();
        notes.push(format!(
            "{INDEX} is stale: it names {}, not there; every tensor is in another file",
            absent.join(", ")
        ));
    }
    let named: BTreeSet<&String> = index.weight_map.values().collect();
    let unnamed: Vec<&str> = there.iter().filter(|name| !named.contains(name)).map(String::as_str).collect();
    if !unnamed.is_empty() {
        notes.push(format!("{INDEX} is stale: it does not name {}, which is read all the same", unnamed.join(", ")));
    }
    Ok(names)
}

fn header(shard: &Path) -> Result<Vec<String>> {
    let hint = "hint: the file is truncated or damaged; fetch the checkpoint again";
    let file = fs::File::open(shard).with_context(|| format!("{}\n{hint}", shard.display()))?;
    // SAFETY: the map is read once, here; a file changed meanwhile gives an error or a wrong header, no more.
    let map = unsafe { memmap2::Mmap::map(&file) }.with_context(|| format!("{}\n{hint}", shard.display()))?;
    let tensors =
        safetensors::SafeTensors::deserialize(&map).map_err(|error| anyhow!("{}: {error}\n{hint}", shard.display()))?;
    Ok(tensors.names().into_iter().map(|name| name.to_string()).collect())
}
