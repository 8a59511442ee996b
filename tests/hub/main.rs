//! `offprint model fetch hf:…` against a hub on this machine, through the real client: what it fetches, how it goes on
//! after a broken download, and what it says when the hub refuses, errs, or lies.
#![cfg(feature = "mlx")]
#![allow(clippy::unwrap_used)]

#[path = "../llama/checkpoint.rs"]
#[allow(dead_code)]
mod checkpoint;
mod server;
mod texts;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;
use server::{COMMIT, Fault, Hub};
use tempfile::TempDir;

const WEIGHTS: &str = "model-00002-of-00002.safetensors";

/// A hub with one small sharded checkpoint, and an empty cache of our own.
struct Here {
    hub: Hub,
    home: TempDir,
    files: BTreeMap<String, Vec<u8>>,
}

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Here {
    fn new() -> Self {
        let config = json!({
            "model_type": "llama", "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 32, "rms_norm_eps": 1e-5,
        });
        let made = tempfile::tempdir().unwrap();
        checkpoint::write(made.path(), &config, &checkpoint::tensors(&config, safetensors::Dtype::F16), 2);
        let mut files: BTreeMap<String, Vec<u8>> = fs::read_dir(made.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
            .collect();
        for other in [
            "README.md",
            ".gitattributes",
            "pytorch_model.bin",
            "consolidated.safetensors",
            "original/consolidated.safetensors",
        ] {
            files.insert(other.to_owned(), b"not of a checkpoint".to_vec());
        }
        Here { hub: Hub::serve(files.clone()), home: tempfile::tempdir().unwrap(), files }
    }

    fn fetch_with(&self, source: &str, variables: &[(&str, &str)]) -> Said {
        self.model(&["fetch", source], variables)
    }

    fn model(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Said {
        self.offprint(&[&["model"], arguments].concat(), variables)
    }

    fn offprint(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Said {
        let output = Command::new(env!("CARGO_BIN_EXE_offprint"))
            .args(arguments)
            .env("OFFPRINT_CACHE", self.home.path())
            .env_remove("HF_TOKEN")
            .env_remove("HF_HUB_OFFLINE")
            .env_remove("HF_HUB_CACHE")
            .env_remove("HUGGINGFACE_HUB_CACHE")
            .env("HF_HOME", self.home.path())
            .env("HF_ENDPOINT", &self.hub.address)
            .env("NO_PROXY", "127.0.0.1")
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        Said {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn fetch(&self) -> Said {
        self.fetch_with("hf:org/model", &[])
    }

    fn repository(&self) -> PathBuf {
        self.home.path().join("hub/models--org--model")
    }

    fn snapshot(&self) -> PathBuf {
        self.repository().join("snapshots").join(COMMIT)
    }

    /// Every file of a checkpoint is in the snapshot, as it is on the hub, and no other.
    fn assert_whole(&self, said: &Said) {
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert_eq!(Path::new(said.out.trim()), self.snapshot());
        let names: Vec<String> = fs::read_dir(self.snapshot())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(names.len(), 5, "{names:?}");
        for name in names {
            assert!(fs::read(self.snapshot().join(&name)).unwrap() == self.files[&name], "{name}");
        }
    }
}

/// Exit code 2, every text of `words`, and the way out on the last line.
fn assert_refused(said: &Said, words: &[&str]) {
    assert_eq!(said.code, Some(2), "{}{}", said.out, said.err);
    for word in words {
        assert!(said.err.contains(word), "`{word}` is not in: {}", said.err);
    }
    assert!(said.err.lines().last().unwrap().starts_with("hint: "), "{}", said.err);
    assert_eq!(said.out, "");
}

#[test]
fn a_checkpoint_arrives_whole_and_only_once() {
    let here = Here::new();
    let said = here.fetch();
    here.assert_whole(&said);
    assert!(said.err.contains(&format!("hf:org/model@{COMMIT}")), "{}", said.err);
    assert_eq!(fs::read_to_string(here.repository().join("refs/main")).unwrap(), COMMIT);
    assert!(here.hub.requests().iter().all(|request| request.token.is_none()));

    here.assert_whole(&here.fetch());
    let again: Vec<String> = here.hub.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(again, ["/api/models/org/model/revision/main"], "the second fetch only asks for the commit");
}

#[test]
fn a_tag_and_a_commit_are_revisions() {
    let here = Here::new();
    here.assert_whole(&here.fetch_with("hf:org/model@v1", &[]));
    here.assert_whole(&here.fetch_with(&format!("hf:org/model@{COMMIT}"), &[]));
    for revision in ["v1", COMMIT] {
        here.assert_whole(&here.fetch_with(&format!("hf:org/model@{revision}"), &[("HF_HUB_OFFLINE", "1")]));
    }
}

#[test]
fn a_slash_at_the_end_of_the_endpoint_does_not_matter() {
    let here = Here::new();
    let endpoint = format!("{}/", here.hub.address);
    here.assert_whole(&here.fetch_with("hf:org/model", &[("HF_ENDPOINT", &endpoint)]));
}

#[test]
fn the_token_comes_from_the_environment_or_from_its_file() {
    let here = Here::new();
    fs::write(here.home.path().join("token"), "hf_of_the_file\n").unwrap();
    here.assert_whole(&here.fetch());
    let sent = here.hub.requests();
    assert!(sent.iter().any(|request| request.path.contains("/resolve/")));
    let hub = |request: &&server::Request| !request.path.starts_with("/large/");
    assert!(sent.iter().filter(hub).all(|request| request.token.as_deref() == Some("hf_of_the_file")), "{sent:?}");

    here.fetch_with("hf:org/model", &[("HF_TOKEN", "hf_of_the_environment")]);
    assert_eq!(here.hub.requests()[0].token.as_deref(), Some("hf_of_the_environment"));
}

#[test]
fn a_broken_download_goes_on_where_it_broke() {
    let here = Here::new();
    let half = here.files[WEIGHTS].len() / 8;
    here.hub.set_fault(Some(Fault::Breaks { file: WEIGHTS.into(), after: half }));
    assert_refused(&here.fetch(), &[WEIGHTS, "run again to resume"]);
    assert!(!here.snapshot().join(WEIGHTS).exists(), "half a file must not look like a file");
    assert!(!here.repository().join("refs/main").exists(), "half a checkpoint must not look like one");
    let part = fs::read_dir(here.repository().join("blobs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "part"))
        .unwrap();
    let arrived = fs::metadata(part).unwrap().len() as usize;
    assert!(arrived >= half && arrived < here.files[WEIGHTS].len());

    here.hub.set_fault(None);
    here.hub.requests();
    here.assert_whole(&here.fetch());
    let starts: Vec<Option<usize>> = here
        .hub
        .requests()
        .into_iter()
        .filter(|request| request.path == format!("/large/{WEIGHTS}") && request.to.is_none())
        .map(|request| request.from)
        .collect();
    assert_eq!(starts, [Some(arrived)]);
}

#[test]
fn a_line_that_breaks_twice_is_taken_up_again_without_being_asked() {
    let here = Here::new();
    let third = here.files[WEIGHTS].len() / 3 + 1;
    here.hub.set_fault(Some(Fault::Breaks { file: WEIGHTS.into(), after: third }));
    here.assert_whole(&here.fetch());
}

#[test]
fn a_file_with_another_hash_is_not_kept() {
    let here = Here::new();
    here.hub.set_fault(Some(Fault::Altered { file: WEIGHTS.into() }));
    assert_refused(&here.fetch(), &[WEIGHTS, "SHA-256", "removed", "HF_ENDPOINT"]);
    assert!(fs::symlink_metadata(here.snapshot().join(WEIGHTS)).is_err());
    assert_refused(&here.fetch_with("hf:org/model", &[("HF_HUB_OFFLINE", "1")]), &["HF_HUB_OFFLINE"]);

    here.hub.set_fault(None);
    here.assert_whole(&here.fetch());
}

#[test]
fn a_file_that_changed_in_the_cache_is_fetched_again() {
    let here = Here::new();
    here.fetch();
    let blob = fs::canonicalize(here.snapshot().join(WEIGHTS)).unwrap();
    let mut content = fs::read(&blob).unwrap();
    *content.last_mut().unwrap() ^= 1;
    fs::write(&blob, content).unwrap();
    assert_refused(&here.fetch_with("hf:org/model", &[("HF_HUB_OFFLINE", "1")]), &[WEIGHTS, "SHA-256"]);
    here.assert_whole(&here.fetch());
}

#[test]
fn a_leftover_that_is_too_long_does_not_stand_in_the_way() {
    let here = Here::new();
    let blobs = here.repository().join("blobs");
    fs::create_dir_all(&blobs).unwrap();
    let name = offprint::digest::sha256_hex(&here.files[WEIGHTS]);
    fs::write(blobs.join(name + ".part"), vec![0; here.files[WEIGHTS].len() + 1]).unwrap();
    here.assert_whole(&here.fetch());
}

#[test]
fn refusals_say_what_to_do() {
    let here = Here::new();
    for (status, words) in [(401, "HF_TOKEN"), (403, "HF_TOKEN"), (404, "is the name right"), (500, "later")] {
        here.hub.set_fault(Some(Fault::Closed(status)));
        assert_refused(&here.fetch(), &["hf:org/model@main", &status.to_string(), words]);
        here.hub.set_fault(Some(Fault::Refused { file: WEIGHTS.into(), status }));
        assert_refused(&here.fetch(), &[WEIGHTS, &status.to_string(), words]);
    }
    here.hub.set_fault(None);
    assert_refused(
        &here.fetch_with("hf:org/model@nope", &[]),
        &["hf:org/model@nope", "404", "a branch, a tag or a commit"],
    );
}

#[test]
fn a_hub_that_cannot_be_reached_is_said() {
    let here = Here::new();
    let said = here.fetch_with("hf:org/model", &[("HF_ENDPOINT", "http://127.0.0.1:1")]);
    assert_refused(&said, &["hf:org/model@main", "is there a network?"]);
}

#[test]
fn files_of_another_commit_are_refused() {
    let here = Here::new();
    here.hub.set_fault(Some(Fault::OtherCommit));
    assert_refused(&here.fetch(), &[COMMIT, &COMMIT.replace('0', "f")]);
}

#[test]
fn nothing_is_written_outside_the_cache() {
    let here = Here::new();
    here.hub.set_fault(Some(Fault::Climbs { file: WEIGHTS.into() }));
    assert_refused(&here.fetch(), &[WEIGHTS, "../../../escaped"]);
    assert!(!here.home.path().join("escaped").exists());
}

/// The cache may be named itself, by its name of today or by its earlier one; the token stays in the hub's home.
#[test]
fn the_cache_is_where_the_hubs_own_client_has_it() {
    for (name, other) in
        [("HF_HUB_CACHE", None), ("HUGGINGFACE_HUB_CACHE", None), ("HF_HUB_CACHE", Some("HUGGINGFACE_HUB_CACHE"))]
    {
        let here = Here::new();
        fs::write(here.home.path().join("token"), "hf_of_the_file\n").unwrap();
        let cache = tempfile::tempdir().unwrap();
        let mut variables = vec![(name, cache.path().to_str().unwrap())];
        variables.extend(other.map(|other| (other, "/nowhere")));
        let said = here.fetch_with("hf:org/model", &variables);
        assert_eq!(said.code, Some(0), "{}", said.err);
        let snapshot = cache.path().join("models--org--model/snapshots").join(COMMIT);
        assert_eq!(Path::new(said.out.trim()), snapshot);
        assert!(!here.home.path().join("hub").exists(), "nothing lies where it is not looked for");
        assert!(here.hub.requests().iter().any(|request| request.token.as_deref() == Some("hf_of_the_file")));
        variables.push(("HF_HUB_OFFLINE", "1"));
        assert_eq!(Path::new(here.fetch_with("hf:org/model", &variables).out.trim()), snapshot);
    }
}

#[test]
fn offline_mode_asks_nobody() {
    let here = Here::new();
    let offline = [("HF_HUB_OFFLINE", "1")];
    assert_refused(&here.fetch_with("hf:org/model", &offline), &["hf:org/model@main", "HF_HUB_OFFLINE is set"]);
    here.fetch();
    here.hub.requests();
    here.assert_whole(&here.fetch_with("hf:org/model", &offline));
    assert_eq!(here.hub.requests(), []);
}

#[test]
fn what_is_here_is_listed_and_verified() {
    let here = Here::new();
    assert_eq!(here.model(&["list"], &[]).out, "");
    here.fetch();
    here.fetch_with(&format!("hf:org/model@{COMMIT}"), &[]);
    let folder = here.snapshot().display().to_string();
    assert_eq!(here.model(&["list"], &[]).out, format!("hf:org/model@main\t{folder}\n"));

    let said = here.model(&["verify", &folder], &[]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let digest = offprint::digest::sha256_hex(&here.files[WEIGHTS]);
    assert!(said.out.contains(&format!("{digest}  {WEIGHTS}\n")), "{}", said.out);

    let mut content = here.files[WEIGHTS].clone();
    *content.last_mut().unwrap() ^= 1;
    fs::write(here.snapshot().join(WEIGHTS), content).unwrap();
    let said = here.model(&["verify", &folder], &[]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    assert!(said.err.contains(WEIGHTS) && said.err.contains(&digest), "{}", said.err);
}
