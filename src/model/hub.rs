//! A repository of the Hugging Face hub, of a model or of a data set -> its snapshot in the hub's own cache, through the hf-hub
//! crate, which resumes broken downloads. Around it: the choice of files, the offline mode, and the check of every weight file's SHA-256, also
//! of those that an earlier fetch left.
//!
//! `HF_ENDPOINT`, `HF_HOME`, `HF_HUB_CACHE` (or `HUGGINGFACE_HUB_CACHE`), `HF_TOKEN` (or the file at `HF_TOKEN_PATH`) and
//! `HF_HUB_OFFLINE` mean what they mean to `huggingface_hub`.

use std::{
    env, fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use hf_hub::{
    Cache, Repo, RepoType,
    api::sync::{Api, ApiBuilder, ApiError, ApiRepo},
};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    digest,
    model::{Progress, Source},
};

/// A repository at a revision.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) kind: RepoType,
    pub(super) repository: &'a str,
    pub(super) revision: &'a str,
}

impl At<'_> {
    fn model<'a>(repository: &'a str, revision: &'a str) -> At<'a> {
        At { kind: RepoType::Model, repository, revision }
    }

    fn repo(&self, revision: &str) -> Repo {
        Repo::with_revision(self.repository.to_owned(), self.kind, revision.to_owned())
    }

    pub(super) fn what(&self) -> String {
        format!("hf:{}@{}", self.repository, self.revision)
    }

    /// What the hub's refusal means for a person.
    fn explain(&self, error: ApiError, what: &str) -> anyhow::Error {
        let hint = way_out(&error).unwrap_or(match self.kind {
            RepoType::Dataset => NO_TEXT,
            _ => NO_MODEL,
        });
        anyhow!("{what}: {error}\nhint: {hint}")
    }
}

/// What the hub says of a repository at a revision.
#[derive(Debug, Deserialize)]
pub(super) struct Info {
    /// The commit.
    pub(super) sha: String,
    pub(super) siblings: Vec<Sibling>,
    /// The front matter of its `README.md`.
    #[serde(default, rename = "cardData")]
    pub(super) card: Value,
}

#[derive(Debug, Deserialize)]
pub(super) struct Sibling {
    #[serde(rename = "rfilename")]
    pub(super) name: String,
}

/// Fetches what a checkpoint needs of `repository` at `revision`. Returns the snapshot's folder and its commit.
///
/// # Errors
/// No network, 401, 404, a file whose SHA-256 is not the hub's, a snapshot that offline mode does not find.
pub fn fetch(repository: &str, revision: &str, tell: &mut dyn FnMut(Progress)) -> Result<(PathBuf, String)> {
    let at = At::model(repository, revision);
    if offline() {
        let (snapshot, commit) = cached(&at, "config.json")?;
        check_cached(&snapshot)?;
        return Ok((snapshot, commit));
    }
    tell(Progress::Step(format!("asking the hub for {}", at.what())));
    let (api, info) = ask(&at)?;
    let names = info.siblings.iter().map(|file| file.name.as_str()).filter(|name| wanted(name));
    let snapshot = obtain(&at, &api, &info.sha, names, tell)?;
    Ok((snapshot, info.sha))
}

/// Files of a commit, those that are not here yet, in their snapshot.
pub(super) fn obtain<'a>(
    at: &At<'_>,
    api: &Api,
    commit: &str,
    names: impl Iterator<Item = &'a str>,
    tell: &mut dyn FnMut(Progress),
) -> Result<PathBuf> {
    let cache = cache();
    // Every file comes from one commit, even if somebody pushes meanwhile.
    let of_commit = At { revision: commit, ..*at };
    let snapshot = cache.repo(at.repo(commit)).pointer_path(commit);
    let blobs = cache.repo(at.repo(commit)).blob_path("");
    for name in names {
        let path = snapshot.join(name);
        if path.exists() {
            if cached_digest(&path)?.is_none_or(|(expected, found)| expected == found) {
                continue;
            }
            tell(Progress::Step(format!("{name} was changed in the cache: fetching it again")));
            fs::remove_file(&path).with_context(|| format!("{}", path.display()))?;
        }
        download(&of_commit, api, name, &blobs, tell)
            .map_err(|error| error.context(format!("{}: {name}", at.what())))?;
    }
    cache.repo(at.repo(at.revision)).create_ref(commit)?;
    Ok(snapshot)
}

/// The commit that `revision` stands for, asked of the hub; nothing is downloaded.
///
/// # Errors
/// No network, 401, 404.
pub fn commit(repository: &str, revision: &str) -> Result<String> {
    ask(&At::model(repository, revision)).map(|(_, info)| info.sha)
}

/// The snapshot that an earlier fetch left on this machine; the network is not asked.
pub fn snapshot(repository: &str, revision: &str) -> Option<PathBuf> {
    cached(&At::model(repository, revision), "config.json").ok().map(|(folder, _)| folder)
}

/// Every branch or tag in the cache, with the snapshot it stood for when it was fetched.
pub fn snapshots() -> Vec<(Source, PathBuf)> {
    let cache = cache();
    let mut found = Vec::new();
    for folder in entries(cache.path()) {
        let Some((organisation, name)) = folder.strip_prefix("models--").and_then(|rest| rest.split_once("--")) else {
            continue;
        };
        let repository = format!("{organisation}/{name}");
        for revision in entries(&cache.path().join(&folder).join("refs")) {
            // The client also writes one for each commit.
            let commit = revision.len() == 40 && revision.chars().all(|c| c.is_ascii_hexdigit());
            if let Some(snapshot) = snapshot(&repository, &revision).filter(|_| !commit) {
                found.push((Source::Hub { repository: repository.clone(), revision }, snapshot));
            }
        }
    }
    found
}

/// Names in a folder, sorted; none if there is no folder.
fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).map(|entries| entries.flatten().collect()).unwrap_or_else(|_| Vec::new());
    let mut names: Vec<String> =
        entries.into_iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A variable that says something.
fn told(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The hub's folder: named itself, or in the home of everything of the hub's.
fn cache() -> Cache {
    match told("HF_HUB_CACHE").or_else(|| told("HUGGINGFACE_HUB_CACHE")) {
        Some(folder) => Cache::new(folder.into()),
        None => match (told("HF_HOME"), told("XDG_CACHE_HOME")) {
            (None, Some(caches)) => Cache::new(Path::new(&caches).join("huggingface/hub")),
            _ => Cache::from_env(),
        },
    }
}

/// The token lies in the hub's home, wherever the cache is.
fn token() -> Option<String> {
    let in_file = || match told("HF_TOKEN_PATH") {
        Some(file) => fs::read_to_string(file).ok().map(|token| token.trim().to_owned()),
        None => Cache::from_env().token(),
    };
    told("HF_TOKEN").or_else(in_file).filter(|token| !token.is_empty())
}

pub(super) fn ask(at: &At<'_>) -> Result<(Api, Info)> {
    let what = at.what();
    let mut builder = ApiBuilder::from_cache(cache()).with_token(token()).with_retries(3);
    if let Some(endpoint) = told("HF_ENDPOINT") {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
    }
    let api = builder.build().map_err(|error| at.explain(error, &what))?;
    let asked = api.repo(at.repo(at.revision)).info_request().call().and_then(|mut said| said.body_mut().read_json());
    let info: Info = asked.map_err(|error| at.explain(Box::new(error).into(), &what))?;
    ensure!(
        !info.sha.is_empty() && info.sha.chars().all(|c| c.is_ascii_hexdigit()),
        "{what}: the hub answers with the commit `{}`\nhint: is HF_ENDPOINT a hub?",
        info.sha
    );
    Ok((api, info))
}

/// `HF_HUB_OFFLINE` as `huggingface_hub` reads it.
pub(super) fn offline() -> bool {
    env::var("HF_HUB_OFFLINE").is_ok_and(|value| ["1", "ON", "YES", "TRUE"].contains(&value.to_uppercase().as_str()))
}

/// The snapshot that an earlier fetch left in the cache, with `file` in it, and its commit.
pub(super) fn cached(at: &At<'_>, file: &str) -> Result<(PathBuf, String)> {
    let cache = cache();
    let repo = cache.repo(at.repo(at.revision));
    // A commit names its snapshot itself; a branch or a tag has a file that says which commit it was.
    let whole = Some(repo.pointer_path(at.revision).join(file)).filter(|path| path.exists());
    let path = whole.or_else(|| repo.get(file)).with_context(|| {
        format!(
            "{} is not in {} and HF_HUB_OFFLINE is set\nhint: unset HF_HUB_OFFLINE once to fetch it",
            at.what(),
            cache.path().display()
        )
    })?;
    let snapshot = path.ancestors().nth(file.split('/').count()).unwrap_or(&path).to_owned();
    let commit = snapshot.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok((snapshot, commit))
}

/// Compares a snapshot's weight files with their names in the cache. A folder of other origin passes.
///
/// # Errors
/// A file that was changed.
pub fn check_cached(snapshot: &Path) -> Result<()> {
    for entry in fs::read_dir(snapshot).with_context(|| format!("{}", snapshot.display()))? {
        let path = entry?.path();
        if let Some((expected, found)) = cached_digest(&path)? {
            ensure!(
                expected == found,
                "{}: expected SHA-256 {expected}, found {found}\nhint: the file was changed in the cache; fetch it again, without HF_HUB_OFFLINE",
                path.display()
            );
        }
    }
    Ok(())
}

/// The SHA-256 that a weight file of the cache should have and the one it has: the cache keeps a large file under its
/// SHA-256. `None`: a small file, or one that was put there by other means.
pub(super) fn cached_digest(path: &Path) -> Result<Option<(String, String)>> {
    let blob = fs::canonicalize(path).with_context(|| format!("{}", path.display()))?;
    let name = blob.file_name().unwrap_or_default().to_string_lossy();
    let Some(expected) = sha256_of_etag(&name) else { return Ok(None) };
    Ok(Some((expected, digest::sha256_file(&blob).with_context(|| format!("{}", blob.display()))?)))
}

/// The hub's entity tag of a large file is its SHA-256; of a small one it is a git hash.
fn sha256_of_etag(etag: &str) -> Option<String> {
    (etag.len() == 64 && etag.chars().all(|c| c.is_ascii_hexdigit())).then(|| etag.to_lowercase())
}

/// Files of a checkpoint, all at the repository's root.
fn wanted(name: &str) -> bool {
    const NAMES: [&str; 7] = [
        "config.json",
        "generation_config.json",
        "model.safetensors.index.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "chat_template.jinja",
    ];
    let plain = !name.contains(['/', '\\']) && !name.starts_with('.');
    plain && (NAMES.contains(&name) || name.starts_with("model") && name.ends_with(".safetensors"))
}

/// `of`: the repository at the commit.
fn download(of: &At<'_>, api: &Api, name: &str, blobs: &Path, tell: &mut dyn FnMut(Progress)) -> Result<()> {
    let commit = of.revision;
    let repo: ApiRepo = api.repo(of.repo(commit));
    let metadata = api.metadata(&repo.url(name)).map_err(|error| of.explain(error, name))?;
    let hint = "hint: is HF_ENDPOINT a hub?";
    ensure!(
        metadata.commit_hash() == commit,
        "expected a file of commit {commit}, found one of `{}`\n{hint}",
        metadata.commit_hash()
    );
    // The tag becomes the name of a file in the cache.
    let etag = metadata.etag();
    ensure!(!etag.is_empty() && !etag.contains(".."), "`{etag}` is no entity tag\n{hint}");
    // What a download of something else left would be resumed for ever.
    let part = blobs.join(etag).with_extension("part");
    if fs::metadata(&part).is_ok_and(|part| part.len() > metadata.size() as u64) {
        fs::remove_file(&part).with_context(|| format!("{}", part.display()))?;
    }
    let progress = Told { file: name.to_owned(), done: 0, total: 0, tell };
    let path = repo.download_with_progress(name, progress).map_err(|error| of.explain(error, name))?;
    verify(&path, etag, metadata.size() as u64)
}

/// Size and SHA-256; JSON files, which have a git hash only, are checked by reading them. A file that fails is removed,
/// so the next fetch starts it anew.
fn verify(path: &Path, etag: &str, size: u64) -> Result<()> {
    let found_size = fs::metadata(path)?.len();
    let expected = sha256_of_etag(etag);
    let found = digest::sha256_file(path)?;
    if found_size == size && expected.as_ref().is_none_or(|expected| *expected == found) {
        return Ok(());
    }
    if let Ok(blob) = fs::canonicalize(path) {
        let _ = fs::remove_file(blob);
    }
    let _ = fs::remove_file(path);
    bail!(
        "expected {size} bytes with SHA-256 {}, found {found_size} bytes with {found}; the file was removed\n\
         hint: fetch again; if it happens again, the mirror at HF_ENDPOINT is not to be trusted",
        expected.as_deref().unwrap_or("(not given)")
    )
}

/// `None`: the network's affair, as far as one sees.
fn way_out(error: &ApiError) -> Option<&'static str> {
    match error {
        ApiError::TooManyRetries(last) => way_out(last),
        ApiError::LockAcquisition(_) => Some("another process is fetching this file: wait for it, then run again"),
        ApiError::IoError(io)
            if matches!(
                io.kind(),
                ErrorKind::StorageFull
                    | ErrorKind::QuotaExceeded
                    | ErrorKind::PermissionDenied
                    | ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            Some("set HF_HOME to a folder that has room and may be written to; what arrived is kept")
        }
        ApiError::RequestError(request) => match **request {
            ureq::Error::StatusCode(401 | 403) => Some(
                "the repository is private or gated: accept its licence on its page, then set HF_TOKEN (a wrong name gives 401 too)",
            ),
            ureq::Error::StatusCode(404) => Some("is the name right? `@revision` must be a branch, a tag or a commit"),
            ureq::Error::StatusCode(_) => {
                Some("the hub has a problem: try again later, or set HF_ENDPOINT to a mirror")
            }
            _ => None,
        },
        _ => None,
    }
}

const NO_MODEL: &str =
    "is there a network? run again to resume; HF_HUB_OFFLINE=1 uses what is cached; path:FOLDER names a copy";
const NO_TEXT: &str = "is there a network? run again to resume; HF_HUB_OFFLINE=1 uses what is cached; a copy beside the study can be named instead";

/// hf-hub's progress, told onwards.
struct Told<'a> {
    file: String,
    done: u64,
    total: u64,
    tell: &'a mut dyn FnMut(Progress),
}

impl hf_hub::api::Progress for Told<'_> {
    fn init(&mut self, size: usize, _: &str) {
        (self.done, self.total) = (0, size as u64);
    }

    fn update(&mut self, size: usize) {
        self.done += size as u64;
        (self.tell)(Progress::Bytes { file: self.file.clone(), done: self.done, total: self.total });
    }

    fn finish(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_checkpoints_files_are_wanted() {
        for name in ["config.json", "model.safetensors", "model-00001-of-00002.safetensors", "tokenizer.json"] {
            assert!(wanted(name), "{name}");
        }
        for name in [
            "README.md",
            "consolidated.safetensors",
            "original/model.safetensors",
            "../config.json",
            ".gitattributes",
            "pytorch_model.bin",
        ] {
            assert!(!wanted(name), "{name}");
        }
    }

    #[test]
    fn a_wrong_file_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        fs::write(&path, b"abc").unwrap();
        assert!(verify(&path, &digest::sha256_hex(b"abc"), 3).is_ok());
        assert!(verify(&path, &digest::sha256_hex(b"abd"), 3).unwrap_err().to_string().contains("removed"));
        assert!(!path.exists());
    }
}
