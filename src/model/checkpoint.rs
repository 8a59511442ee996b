//! A checkpoint folder as mlx-community publishes it: `config.json`, safetensors shards, tokenizer.
//! Opening checks every header and size; nothing is loaded yet.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::{
    digest,
    model::{
        config::Config,
        shards::{self, file_name},
        spec::Head,
    },
};

/// The checksums that an import leaves in its folder.
const CHECKSUMS: &str = "SHA256SUMS";

/// A folder whose files are all there and whole.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    pub folder: PathBuf,
    pub config: Config,
    /// Safetensors files, by name.
    pub shards: Vec<PathBuf>,
    /// End-of-sequence ids that the configuration names; the tokenizer may name one more.
    pub eos: Vec<u32>,
    /// What is there and not read, not known, or not as it seems.
    pub notes: Vec<String>,
}

impl Checkpoint {
    /// Opens a folder.
    ///
    /// # Errors
    /// A missing file, a bad config, a shard whose header does not fit its size.
    pub fn open(folder: &Path) -> Result<Self> {
        ensure!(
            folder.is_dir(),
            "{}: there is no such folder\nhint: a checkpoint is a folder with config.json, tokenizer.json and *.safetensors",
            folder.display()
        );
        let config = Config::read(&folder.join("config.json"))?;
        let tokenizer = folder.join("tokenizer.json");
        let other = ["tokenizer.model", "tekken.json"].into_iter().find(|name| folder.join(name).is_file());
        let other = other.map_or_else(String::new, |name| format!("; {name} is there, and is not read"));
        ensure!(tokenizer.is_file(), "{}: missing{other}\nhint: fetch the checkpoint again", tokenizer.display());
        let mut notes = config.notes.clone();
        let shards = shards::find(folder, &mut notes)?;
        let tensors = shards::tensors(folder, &shards, &mut notes)?;
        if let Some(quantization) = &config.quantization {
            let strangers = quantization.named.keys().filter(|path| !tensors.contains(&format!("{path}.weight")));
            notes.extend(
                strangers.map(|path| format!("config.json: `quantization.{path}` is for no module of the model")),
            );
        }
        if config.spec.head == Head::Tied && !config.says_tied && tensors.contains("lm_head.weight") {
            notes.push("lm_head.weight is there and not used: config.json has no tie_word_embeddings, and without it the head is the embedding's, as in mlx-lm".to_owned());
        }
        let eos = eos(folder, &config, &mut notes)?;
        Ok(Checkpoint { folder: folder.to_owned(), config, shards, eos, notes })
    }

    /// Compares the SHA-256 of each of `files` with the folder's checksums, if it has any: an imported checkpoint does.
    ///
    /// # Errors
    /// A file that is not the one that the checksums were made of.
    pub fn check(&self, files: &BTreeMap<String, String>) -> Result<()> {
        let sums = self.folder.join(CHECKSUMS);
        if !sums.is_file() {
            return Ok(());
        }
        let text = fs::read_to_string(&sums).with_context(|| format!("{}", sums.display()))?;
        for line in text.lines() {
            let Some((expected, name)) = line.split_once("  ") else { bail!("{}: `{line}`", sums.display()) };
            let found = files.get(name).map_or("no file", String::as_str);
            ensure!(
                found == expected,
                "{}: expected SHA-256 {expected}, found {found}\nhint: the file was changed; remove the folder and fetch it again",
                self.folder.join(name).display()
            );
        }
        Ok(())
    }
}

/// Writes the checksums of the files in `folder`, in the form of `sha256sum`.
///
/// # Errors
/// A file that cannot be read or written.
pub(super) fn write_checksums(folder: &Path) -> Result<()> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    paths.retain(|path| path.is_file() && !path.ends_with(CHECKSUMS));
    paths.sort();
    let mut text = String::new();
    for path in &paths {
        let digest = digest::sha256_file(path).with_context(|| format!("{}", path.display()))?;
        text += &format!("{digest}  {}\n", file_name(path));
    }
    let sums = folder.join(CHECKSUMS);
    fs::write(&sums, text).with_context(|| format!("{}", sums.display()))
}

/// Those of `generation_config.json`, where it names any, else those of `config.json`; as mlx-lm reads them.
fn eos(folder: &Path, config: &Config, notes: &mut Vec<String>) -> Result<Vec<u32>> {
    let hint = "hint: fetch the checkpoint again";
    let file = folder.join("generation_config.json");
    let mut of_generation = Value::Null;
    if file.is_file() {
        let text = fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
        match serde_json::from_str::<Value>(&text) {
            // 0 alone says nothing to mlx-lm.
            Ok(generation) if generation["eos_token_id"] == 0 => {}
            Ok(generation) => of_generation = generation["eos_token_id"].clone(),
            Err(error) => notes.push(format!("generation_config.json is not read: {error}")),
        }
    }
    let id = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok());
    let ids = |value: &Value, file: &Path| {
        let found = match value {
            Value::Null => Some(Vec::new()),
            Value::Array(list) => list.iter().map(id).collect(),
            one => id(one).map(|n| vec![n]),
        };
        let file = file.display();
        found.with_context(|| format!("{file}: eos_token_id: expected an id or a list of ids, found {value}\n{hint}"))
    };
    let first = ids(&of_generation, &file)?;
    if first.is_empty() { ids(&config.eos_token_id, &folder.join("config.json")) } else { Ok(first) }
}
