//! Servers that we start: what becomes of each, through the program itself. The server is a fake of ours.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use offprint::{
    ranges::Ranges,
    record::{Outcome, Phase, RunRecord},
    store::Run,
};
use tempfile::TempDir;

use super::*;

/// A folder with a study on the fake server in these modes.
fn folder(modes: &str, keys: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/http/fake_server.py");
    let pids = folder.path().join("pids");
    let modes: String = modes.split_whitespace().map(|mode| format!(", {mode}")).collect();
    let text = format!(
        "study: {{name: served}}\nmodels:\n  - id: fake\n    name: A fake\n    engine:\n      name: fake-server\n      http:\n        server: llama-server\n        start: [python3, {script:?}, --port, \"{{port}}\", --pid, {pids:?}{modes}]\n{keys}\nprompts: [\"one two\"]\nbenchmark_settings: {{max_tokens: [4, 8], temperatures: [0], num_runs: 2}}\nexecution: {{timeout_s: 60}}\n"
    );
    let study = folder.path().join("study.yaml");
    fs::write(&study, text).unwrap();
    (folder, study)
}

fn offprint(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_offprint")).args(arguments).current_dir(folder).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs the study, which must work, and gives its records.
fn records(folder: &Path) -> Run {
    let output = offprint(folder, &["run", "study.yaml"]);
    assert!(output.status.code().is_some_and(|code| code < 2), "{}", said(&output));
    Run::open(&folder.join(String::from_utf8_lossy(&output.stdout).trim())).unwrap()
}

fn measured(run: &Run) -> Vec<&RunRecord> {
    run.records.iter().filter(|row| row.phase == Phase::Measured).collect()
}

/// The processes that the server wrote down are gone, or go soon.
fn all_gone(folder: &Path) -> bool {
    let pids = fs::read_to_string(folder.join("pids")).unwrap_or_default();
    let lives = |pid: &str| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // One that has ended and that nobody has asked after is gone, too.
        !stat.is_empty() && !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z')
    };
    (0..300).any(|_| {
        thread::sleep(Duration::from_millis(50));
        !pids.lines().any(lives)
    })
}

#[test]
fn a_study_on_a_server_from_its_runs_to_a_bundle_that_verifies() {
    let (folder, _) = folder("", "");
    let run = records(folder.path());
    let probes: Vec<_> = run.records.iter().filter(|row| row.phase == Phase::Probe).collect();
    assert_eq!((probes.len(), measured(&run).len()), (5, 4));
    let warmup = run.records.iter().find(|row| row.phase == Phase::Warmup).unwrap();
    assert!(warmup.startup_ns > Some(1_000_000), "{warmup:?}");
    for row in measured(&run) {
        assert_eq!((row.outcome, row.n_gen, row.cached_tokens), (Outcome::Ok, Some(row.max_tokens), Some(0)));
        assert_eq!((row.ttft_ns, row.tokenize_ns, row.load_ns, row.startup_ns), (None, None, Some(0), None));
        assert!(row.chunk_times_ns.as_ref().unwrap()[0] > 20_000_000, "a prompt takes the fake 20 ms: {row:?}");
        assert!(row.connect_ns.is_some() && row.client_stall_ns.is_some() && row.done_ns >= row.finish_ns);
    }
    let facts = &run.environment.engines[0];
    assert_eq!((facts.name.as_str(), facts.says["model"].as_str()), ("fake-server", "fake.gguf"));
    assert_eq!(facts.can["cached_at_second_asking"], "0 of 7 tokens");
    let environment = fs::read_to_string(run.folder.join("environment.json")).unwrap();
    assert!(!environment.contains("somebody") && facts.files.contains_key("fake_server.py"), "{environment}");
    // What the preset stands for is in the records' study.
    let study = fs::read_to_string(run.folder.join("study.yaml")).unwrap();
    assert!(study.contains("send: {\"cache_prompt\":false}") && study.contains("length: \"ignore_eos\""), "{study}");
    assert!(all_gone(folder.path()), "the server outlived the study");
    // The paper says what is not known, and everything else follows as ever.
    for arguments in [&["report"][..], &["report", "--check"], &["bundle", "--version", "1.0.0"]] {
        let output = offprint(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", said(&output));
    }
    let paper = fs::read_to_string(folder.path().join("paper/paper.md")).unwrap();
    for words in [
        "begin when a request has been sent",
        "No prompt of fake-server was in its cache",
        "TTFT from text",
        "named and not identified",
    ] {
        assert!(paper.contains(words), "{words}\n{paper}");
    }
    let bundles = fs::read_dir(folder.path().join("results/bundles")).unwrap();
    let bundle = bundles
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|end| end == "zip"))
        .unwrap();
    let output = offprint(folder.path(), &["verify", bundle.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    // A stranger's study asks before it starts programs.
    let output = offprint(folder.path(), &["rerun", bundle.to_str().unwrap()]);
    let words = said(&output);
    assert!(
        output.status.code() == Some(2) && words.contains("--allow-commands") && words.contains("\"python3\""),
        "{words}"
    );
}

#[test]
fn a_server_that_cannot_serve_is_refused_before_the_first_run() {
    for (modes, keys, expected) in [
        ("dies", "", "server: it ended with exit code 1: cannot allocate the weights: out of memory while loading"),
        ("signal", "", "server: it was ended by signal 4 while loading"),
        ("never", "        ready: {within_s: 2}", "server: not ready within 2 s: /health: status 503"),
        ("stranger", "", "is another program's"),
        ("refuses", "", "status 400 invalid_request_error: no such model"),
        ("short", "", "length: 5 of 16 tokens (try another `length`"),
        ("uncounted", "", "count: nobody has counted the tokens"),
        ("caches", "", "cache: 6 of 7 prompt tokens were cached (switch its cache off"),
        ("silent", "", "cache: the server does not say whether it was off"),
    ] {
        let (folder, _) = folder(modes, keys);
        let output = offprint(folder.path(), &["run", "study.yaml"]);
        let words = said(&output);
        assert!(output.status.code() == Some(2) && words.contains(expected), "{modes}: {words}");
        assert!(words.contains("hint: ") && !folder.path().join("results").exists(), "{modes}: {words}");
        if modes == "stranger" {
            // It is none of ours, and lives on: that is what the test made it for.
            let pids = fs::read_to_string(folder.path().join("pids")).unwrap();
            pids.lines().for_each(|pid| drop(Command::new("kill").args(["-9", pid]).stderr(Stdio::null()).status()));
        }
        assert!(all_gone(folder.path()), "{modes}: the server outlived its refusal");
    }
}

#[test]
fn a_cache_that_the_study_allows_is_said() {
    let (folder, _) = folder("caches", "        cache: allowed");
    let run = records(folder.path());
    assert!(measured(&run).iter().all(|row| row.outcome == Outcome::Ok && row.cached_tokens == Some(6)));
}

/// Else a run would end well and could never be bundled.
#[test]
fn what_verify_would_refuse_is_a_failed_run() {
    let (folder, _) = folder("recounts", "");
    let run = records(folder.path());
    let mut ranges = Ranges::new(&run.study, &run.environment);
    assert!(run.records.iter().all(|row| ranges.misfits(row).is_empty()));
    let errors: Vec<Option<&str>> = measured(&run).iter().map(|row| row.error.as_deref()).collect();
    let expected = Some("row: expected 7 tokens in every run of this prompt, found 8");
    assert_eq!(errors, [None, None, expected, expected]);
}

#[test]
fn a_server_that_dies_costs_its_run_and_is_started_again() {
    let (folder, _) = folder("gone", "");
    let run = records(folder.path());
    let outcomes: Vec<Outcome> = measured(&run).iter().map(|row| row.outcome).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Failed).count(), 1, "{outcomes:?}");
    let failed = measured(&run).into_iter().find(|row| row.outcome == Outcome::Failed).unwrap();
    assert!(
        failed.error.as_deref().is_some_and(|error| error.contains("server: it ended with exit code 3")),
        "{failed:?}"
    );
}

#[test]
fn a_port_that_is_taken_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (folder, study) = folder("", &format!("        url: \"http://127.0.0.1:{port}\""));
    let output = offprint(folder.path(), &["run", study.to_str().unwrap()]);
    let words = said(&output);
    assert!(words.contains(&format!("something answers at port {port} already")), "{words}");
}

#[test]
fn a_program_that_is_not_there_is_known_before_anything_is_started() {
    let (folder, study) = folder("", "");
    let text = fs::read_to_string(&study).unwrap().replace("[python3, ", "[no-such-program-here, ");
    fs::write(&study, text).unwrap();
    for verb in ["run", "doctor"] {
        let output = offprint(folder.path(), &[verb, "study.yaml"]);
        let words = said(&output);
        assert!(
            !output.status.success() && words.contains("there is no program `no-such-program-here`"),
            "{verb}: {words}"
        );
    }
}

/// A server repeats what it was handed: in its text, split over two chunks, as a name beside its times, and in its last words.
#[test]
fn a_secret_that_was_handed_on_is_recorded_nowhere() {
    const SECRET: &str = "sk-abc\"def/123";
    let offprint = |verb: &str, keys: &str| {
        let (folder, _) = folder("indiscreet", keys);
        let mut command = Command::new(env!("CARGO_BIN_EXE_offprint"));
        let output =
            command.args([verb, "study.yaml"]).current_dir(folder.path()).env("SERVER_SECRET", SECRET).output();
        (folder, output.unwrap())
    };
    let (folder, output) = offprint("run", "      pass: [SERVER_SECRET]");
    let words = said(&output);
    assert_eq!(output.status.code(), Some(1), "its death is one failed run: {words}");
    let records = folder.path().join(String::from_utf8_lossy(&output.stdout).trim());
    let mut written = words;
    for entry in fs::read_dir(&records).unwrap() {
        written += &fs::read_to_string(entry.unwrap().path()).unwrap_or_default();
    }
    assert!(!written.contains("def/123") && !written.contains("u001b") && !written.contains('\u{1b}'), "{written}");
    let run_of = Run::open(&records).unwrap();
    let rows = measured(&run_of);
    assert!(rows.iter().any(|row| row.output_text.as_deref().is_some_and(|text| text.starts_with("(a secret)"))));
    assert!(rows.iter().any(|row| row.server.keys().any(|name| name.contains("(a secret)"))), "{rows:?}");
    assert!(
        rows.iter().any(|row| row.error.as_deref().is_some_and(|error| error.contains("the key (a secret) is bad")))
    );

    // One that stands in the study would be published with it.
    let keys = "        version: [echo, \"--key=sk-abc\\\"def/123\"]\n      pass: [SERVER_SECRET]";
    for (verb, code) in [("run", 2), ("doctor", 1)] {
        let (_folder, output) = offprint(verb, keys);
        let words = said(&output);
        assert!(output.status.code() == Some(code) && !words.contains("def/123"), "{words}");
        assert!(words.contains("the value of the variable SERVER_SECRET stands in the study"), "{words}");
    }
}

/// What leaves the server's process group ends with it all the same.
#[cfg(target_os = "linux")]
#[test]
fn what_a_server_has_started_does_not_outlive_it() {
    let (folder, _) = folder("helper", "");
    records(folder.path());
    assert!(all_gone(folder.path()), "its helper lives on");
}

/// However we go, what we have started goes, too.
#[cfg(target_os = "linux")]
#[test]
fn a_server_does_not_outlive_us() {
    for (modes, signal) in [("slow", "-9"), ("slow stubborn helper", "-9"), ("slow", "-INT")] {
        let (folder, _) = folder(modes, "");
        let mut command = Command::new(env!("CARGO_BIN_EXE_offprint"));
        command.args(["run", "study.yaml"]).current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let begun = (0..600).any(|_| {
            thread::sleep(Duration::from_millis(50));
            fs::read_to_string(folder.path().join("pids")).is_ok_and(|pids| pids.ends_with('\n'))
        });
        assert!(begun, "the server was never started");
        thread::sleep(Duration::from_millis(500));
        Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        child.wait().unwrap();
        assert!(all_gone(folder.path()), "{modes} {signal}: the server lives on");
    }
}
