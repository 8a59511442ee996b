//! Bundles: made twice the same, accepted by programs that nobody here wrote, and refused, with reasons, after any change.
#![allow(clippy::unwrap_used)] // a test may: it fails where it should

mod altered;
mod editions;
mod foreign;
mod handled;
mod hostile;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod libraries;
mod made;
mod papers;
mod signed;
mod zenodo;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use offprint::bundle::{Bundle, Problem, Report, archive, verify};
use sha2::{Digest, Sha256, Sha512};
use tempfile::TempDir;

/// The program, started where nothing of this repository is.
fn offprint(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_offprint")).args(arguments).current_dir(folder).output().unwrap()
}

/// A run of the fake engine, in a folder of its own.
fn run() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let study = "study: {name: tiny, title: \"A *Study* <of> nothing\", authors: [{name: \"Ada Example\"}, {name: Example Group}]}\n\
                 models: [{id: tiny, name: Tiny, source: fake}]\nprompts: [\"one two three\", \"four\"]\n\
                 benchmark_settings: {max_tokens: [4, 8], temperatures: [0], num_runs: 2, warmup_runs: 1}\nexecution: {seed: 5}\n";
    fs::write(folder.path().join("study.yaml"), study).unwrap();
    let said = offprint(folder.path(), &["run", "study.yaml"]);
    assert!(said.status.success(), "{said:?}");
    let run = folder.path().join(String::from_utf8(said.stdout).unwrap().trim());
    (folder, run)
}

/// The same small bundle for all tests: made once, by the program.
fn small() -> &'static (TempDir, PathBuf) {
    static SMALL: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    SMALL.get_or_init(|| {
        let (folder, run) = run();
        let out = folder.path().join("tiny-1.0.0.zip");
        let said = offprint(
            folder.path(),
            &["bundle", "--run", run.to_str().unwrap(), "--version", "1.0.0", "--out", out.to_str().unwrap()],
        );
        assert!(said.status.success(), "{said:?}");
        (folder, out)
    })
}

/// A bundle's files by path under its folder.
fn files(bundle: &Path) -> BTreeMap<String, Vec<u8>> {
    let bundle = Bundle::open(bundle).unwrap();
    bundle.files().map(|path| (path.to_owned(), bundle.read(path).unwrap())).collect()
}

/// Writes files into a folder `name`, as the archive's unpacking does.
fn unpacked(files: &BTreeMap<String, Vec<u8>>, name: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().join(name);
    for (path, bytes) in files {
        let file = top.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }
    (folder, top)
}

/// Writes files as an archive.
fn packed(files: &BTreeMap<String, Vec<u8>>) -> (TempDir, PathBuf) {
    let named = files.iter().map(|(path, bytes)| (format!("tiny-1.0.0/{path}"), bytes.clone().into())).collect();
    let mut bytes = Vec::new();
    archive::write(&mut bytes, &named).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("x.zip");
    fs::write(&out, bytes).unwrap();
    (folder, out)
}

/// Makes manifests and bag-info fit whatever was changed, as somebody does who wants to deceive.
fn relist(files: &mut BTreeMap<String, Vec<u8>>) {
    files.retain(|path, _| !path.contains("manifest-"));
    let payload: Vec<usize> =
        files.iter().filter(|(path, _)| path.starts_with("data/")).map(|(_, bytes)| bytes.len()).collect();
    let info = String::from_utf8(files["bag-info.txt"].clone()).unwrap();
    let oxum = format!("Payload-Oxum: {}.{}", payload.iter().sum::<usize>(), payload.len());
    let info: Vec<&str> =
        info.lines().map(|line| if line.starts_with("Payload-Oxum") { oxum.as_str() } else { line }).collect();
    files.insert("bag-info.txt".into(), (info.join("\n") + "\n").into_bytes());
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for payload in [true, false] {
        let listed = |digest: &dyn Fn(&[u8]) -> String| {
            let of = files
                .iter()
                .filter(|(path, _)| path.starts_with("data/") == payload && !path.starts_with("tagmanifest"));
            of.map(|(path, bytes)| format!("{}  {path}\n", digest(bytes))).collect::<String>().into_bytes()
        };
        let both = [
            ("sha256", listed(&|bytes| hex(&Sha256::digest(bytes)))),
            ("sha512", listed(&|bytes| hex(&Sha512::digest(bytes)))),
        ];
        for (algorithm, text) in both {
            let prefix = if payload { "" } else { "tag" };
            files.insert(format!("{prefix}manifest-{algorithm}.txt"), text);
        }
    }
}

fn check(bundle: &Path) -> Report {
    verify(&Bundle::open(bundle).unwrap(), None).unwrap()
}

/// `check: file` of each problem.
fn places(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(|problem| format!("{}: {}", problem.check.name(), problem.file)).collect()
}
