//! A repository of the Hugging Face hub -> its snapshot in the hub's own cache, through the hf-hub crate, which resumes
//! broken downloads. Around it: the choice of files, the offline mode, and the check of every weight file's SHA-256.
//!
//! `HF_ENDPOINT`, `HF_HOME`, `HF_TOKEN` (or the token file) and `HF_HUB_OFFLINE` mean what they mean to `huggingface_hub`.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use hf_hub::{
    Cache, Repo, RepoType,
    api::{
        RepoInfo,
        sync::{Api, ApiBuilder, ApiError, ApiRepo},
    },
};

use crate::{digest, model::Progress};

/// Fetches what a checkpoint needs of `repository` at `revision`. Returns the snapshot's folder and its commit.
///
/// # Errors
/// No network, 401, 404, a file whose SHA-256 is not the hub's, a snapshot that offline mode does not find.
pub fn fetch(repository: &str, revision: &str, tell: &mut dyn FnMut(Progress)) -> Result<(PathBuf, String)> {
    let cache = Cache::from_env();
    if offline() {
        return cached(&cache, repository, revision);
    }
    let what = format!("hf:{repository}@{revision}");
    tell(Progress::Step(format!("asking the hub for {what}")));
    let (api, info) = ask(&cache, repository, revision)?;
    let at = |revision: &str| Repo::with_revision(repository.to_owned(), RepoType::Model, revision.to_owned());
    // Every file comes from one commit, even if somebody pushes meanwhile.
    let snapshot = cache.repo(at(&info.sha)).pointer_path(&info.sha);
    let repo = api.repo(at(&info.sha));
    for name in info.siblings.iter().map(|file| file.rfilename.as_str()).filter(|name| wanted(name)) {
        if !snapshot.join(name).exists() {
            download(&api, &repo, name, tell).map_err(|error| error.context(format!("{what}: {name}")))?;
        }
    }
    cache.repo(at(revision)).create_ref(&info.sha)?;
    Ok((snapshot, info.sha))
}

/// The commit that `revision` stands for, asked of the hub; nothing is downloaded.
///
/// # Errors
/// No network, 401, 404.
pub fn commit(repository: &str, revision: &str) -> Result<String> {
    ask(&Cache::from_env(), repository, revision).map(|(_, info)| info.sha)
}

/// The snapshot that an earlier fetch left on this machine; the network is not asked.
pub fn snapshot(repository: &str, revision: &str) -> Option<PathBuf> {
    cached(&Cache::from_env(), repository, revision).ok().map(|(folder, _)| folder)
}

fn ask(cache: &Cache, repository: &str, revision: &str) -> Result<(Api, RepoInfo)> {
    let what = format!("hf:{repository}@{revision}");
    let token = env::var("HF_TOKEN").ok().filter(|token| !token.is_empty()).or_else(|| cache.token());
    let api =
        ApiBuilder::from_env().with_token(token).with_retries(3).build().map_err(|error| explain(error, &what))?;
    let repo = Repo::with_revision(repository.to_owned(), RepoType::Model, revision.to_owned());
    let info = api.repo(repo).info().map_err(|error| explain(error, &what))?;
    ensure!(
        !info.sha.is_empty() && info.sha.chars().all(|c| c.is_ascii_hexdigit()),
        "{what}: the hub answers with the commit `{}`\nhint: is HF_ENDPOINT a hub?",
        info.sha
    );
    Ok((api, info))
}

/// `HF_HUB_OFFLINE` as `huggingface_hub` reads it.
fn offline() -> bool {
    env::var("HF_HUB_OFFLINE").is_ok_and(|value| ["1", "ON", "YES", "TRUE"].contains(&value.to_uppercase().as_str()))
}

/// The snapshot that an earlier fetch left in the cache.
fn cached(cache: &Cache, repository: &str, revision: &str) -> Result<(PathBuf, String)> {
    let repo = Repo::with_revision(repository.to_owned(), RepoType::Model, revision.to_owned());
    let config = cache.repo(repo).get("config.json").with_context(|| {
        format!(
            "hf:{repository}@{revision} is not in {} and HF_HUB_OFFLINE is set\nhint: unset HF_HUB_OFFLINE once to fetch it",
            cache.path().display()
        )
    })?;
    let snapshot = config.parent().unwrap_or(&config).to_owned();
    let commit = snapshot.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok((snapshot, commit))
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
    plain && (NAMES.contains(&name) || name.ends_with(".safetensors"))
}

fn download(api: &Api, repo: &ApiRepo, name: &str, tell: &mut dyn FnMut(Progress)) -> Result<()> {
    let metadata = api.metadata(&repo.url(name)).map_err(|error| explain(error, name))?;
    let progress = Told { file: name.to_owned(), done: 0, total: 0, tell };
    let path = repo.download_with_progress(name, progress).map_err(|error| explain(error, name))?;
    verify(&path, metadata.etag(), metadata.size() as u64)
}

/// The hub's entity tag of a large file is its SHA-256; of a small one it is a git hash, and JSON is checked by reading it.
/// A file that fails is removed, so the next fetch starts it anew.
fn verify(path: &Path, etag: &str, size: u64) -> Result<()> {
    let found_size = fs::metadata(path)?.len();
    let expected = (etag.len() == 64 && etag.chars().all(|c| c.is_ascii_hexdigit())).then(|| etag.to_lowercase());
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

/// What the hub's refusal means for a person.
fn explain(error: ApiError, what: &str) -> anyhow::Error {
    let status = match &error {
        ApiError::RequestError(request) => match **request {
            ureq::Error::StatusCode(code) => Some(code),
            _ => None,
        },
        _ => None,
    };
    let hint = match status {
        Some(401 | 403) => {
            "the repository is private or gated: accept its licence on its page, then set HF_TOKEN (a wrong name gives 401 too)"
        }
        Some(404) => "is the name right? `@revision` must be a branch, a tag or a commit",
        Some(_) => "the hub has a problem: try again later, or set HF_ENDPOINT to a mirror",
        None => {
            "is there a network? run again to resume; HF_HUB_OFFLINE=1 uses what is cached; path:FOLDER names a copy"
        }
    };
    anyhow!("{what}: {error}\nhint: {hint}")
}

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
        for name in ["README.md", "original/model.safetensors", "../config.json", ".gitattributes", "pytorch_model.bin"]
        {
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
