//! A disk that is full in the middle of an execution. Two real ways: a limit on file sizes, which every user may set, and
//! a file system of a few pages, where this user may mount one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use offprint::store::Run;

use crate::here::{Here, RUNS, Said, lasting, measured, rows, said};

/// Runs `script` with the binary as `$0`, in the folder of `here`.
fn shell(here: &Here, script: &str) -> Said {
    said(Command::new("sh").args(["-c", script, env!("CARGO_BIN_EXE_offprint")]).current_dir(here.path("")))
}

/// The error says what to do, the journal is readable, and a resume without the limit completes it.
fn is_mended(here: &Here, ended: &Said, cause: &str) {
    assert_eq!(ended.code, Some(2), "{}", ended.err);
    let error: Vec<String> = ended.err.lines().rev().take(3).map(|line| here.plain(line)).collect();
    let [hint, why, what] = error.as_slice() else { panic!("{}", ended.err) };
    assert_eq!(what, "error: results/test/RUN/runs.jsonl: the last run could not be saved; all earlier ones are");
    assert!(why.contains(cause), "{why}");
    assert_eq!(hint, "hint: make space, then run again with --resume");
    let folder = here.only();
    let done = measured(&rows(&folder)).len();
    assert!(done > 0 && done < RUNS, "{done}");
    assert_eq!(rows(&folder).len(), 2 * done, "cut back to whole runs");
    goes_on(here, &folder);
}

fn goes_on(here: &Here, folder: &Path) {
    assert!(!Run::open(folder).unwrap().is_complete());
    let again = here.resume();
    assert_eq!(again.code, Some(0), "{}", again.err);
    let undisturbed = Here::with("fake", "");
    assert_eq!(undisturbed.run().code, Some(0));
    assert_eq!(lasting(folder), lasting(&undisturbed.only()));
}

/// 32 or 16 KiB, as the shell counts: more than environment.json, less than the journal.
const LIMIT: &str = "ulimit -f 32";

#[test]
fn an_append_that_fails_is_cut_back() {
    let here = Here::with("fake", "");
    let ended = shell(&here, &format!("trap '' XFSZ; {LIMIT}; exec \"$0\" run study.yaml"));
    is_mended(&here, &ended, "File too large");
}

/// Where the signal of that limit is not ignored, it ends the runner in the middle of a line.
#[test]
fn an_append_that_kills_leaves_a_readable_journal() {
    let here = Here::with("fake", "");
    let ended = shell(&here, &format!("ulimit -c 0; {LIMIT}; exec \"$0\" run study.yaml"));
    assert_eq!(ended.code, None, "ended by SIGXFSZ, {}", ended.err);
    let folder = here.only();
    let text = fs::read_to_string(folder.join("runs.jsonl")).unwrap();
    assert!(!text.is_empty() && !text.ends_with('\n'), "the limit did not cut a line; this test needs another limit");
    goes_on(&here, &folder);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_file_system_is_cut_back() {
    let here = Here::with("fake", "");
    fs::create_dir(here.path("results")).unwrap();
    let kept: PathBuf = here.path("kept");
    let ended = shell(
        &here,
        "exec unshare -rm sh -c 'mount -t tmpfs -o size=32k none results || exit 99
         \"$0\" run study.yaml; code=$?
         cp -r results kept && exit $code' \"$0\"",
    );
    if !kept.exists() {
        eprintln!("not tried: this user may not mount a file system: {}", ended.err);
        return;
    }
    fs::remove_dir(here.path("results")).unwrap();
    fs::rename(kept, here.path("results")).unwrap();
    is_mended(&here, &ended, "No space left on device");
}
