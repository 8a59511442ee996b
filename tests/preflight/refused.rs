//! Through the binary: a study that is known to fail is refused before anything is made, and what is odd is recorded.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{study, tiny};

fn offprint(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_offprint"));
    command.args(arguments).current_dir(folder).env_remove("OFFPRINT_KERNELS").env_remove("OFFPRINT_THREADS");
    command.envs(variables.iter().copied()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Exit code 2, these words, a hint and nothing after it, and no file but the study.
fn assert_refused(here: &TempDir, said: &Output, words: &[&str]) {
    let err = text(&said.stderr);
    assert_eq!(said.status.code(), Some(2), "{err}");
    for word in words {
        assert!(err.contains(word), "`{word}` is not in: {err}");
    }
    assert!(err.lines().last().unwrap().starts_with("hint: "), "{err}");
    assert_eq!(err.matches("hint: ").count(), 1, "{err}");
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 1, "nothing was made");
}

fn with_study(text: &str) -> TempDir {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("study.yaml"), text).unwrap();
    here
}

#[test]
fn all_that_is_known_to_fail_is_refused_at_once() {
    let (yarn, key) =
        (tiny(&json!({"rope_scaling": {"type": "spiral", "factor": 4.0}})), tiny(&json!({"hidden_act": "gelu"})));
    let template = tiny(&json!({}));
    fs::write(template.path().join("chat_template.jinja"), "{% frobnicate %}").unwrap();
    let models = [("long", yarn.path()), ("gelu", key.path()), ("chat", template.path())];
    let here = with_study(&study(&models, ", chat_template: true"));
    let words = [
        "study.yaml: it would fail, so nothing was run",
        "long: ",
        "rope_scaling: `spiral` is not known",
        "gelu: ",
        "`hidden_act` = \"gelu\"",
        "chat, prompts 1, 2: the chat template fails: syntax error: unknown statement frobnicate",
        "hint: offprint doctor study.yaml says what to do about each",
    ];
    for verb in ["run", "paper"] {
        assert_refused(&here, &offprint(here.path(), &[verb, "study.yaml"], &[]), &words);
    }
    let doctor = offprint(here.path(), &["doctor", "study.yaml"], &[]);
    let lines = text(&doctor.stdout);
    assert_eq!(doctor.status.code(), Some(1), "{lines}");
    let fails: Vec<&str> = lines.lines().filter(|line| line.starts_with("FAIL")).collect();
    assert_eq!(fails.len(), 3, "{lines}");
    for (fail, words) in
        fails.iter().zip(["model    long: ", "model    gelu: ", "prompt   chat, prompts 1, 2: the chat"])
    {
        assert!(fail.contains(words), "{lines}");
    }
}

#[test]
fn a_choice_in_the_environment_that_cannot_be_is_refused() {
    let folder = tiny(&json!({}));
    let here = with_study(&study(&[("tiny", folder.path())], ""));
    for (variable, value) in [("OFFPRINT_THREADS", "many"), ("OFFPRINT_KERNELS", "avx3")] {
        // Where kernels of ours are none, threads are not asked for.
        let kernels = offprint::model::kernels::levels();
        if variable == "OFFPRINT_THREADS" && kernels.is_empty() {
            continue;
        }
        let said = offprint(here.path(), &["run", "study.yaml"], &[(variable, value)]);
        assert_refused(&here, &said, &[&format!("mlx: {variable}: expected"), &format!("found `{value}`")]);
        let doctor = offprint(here.path(), &["doctor", "study.yaml"], &[(variable, value)]);
        let lines = text(&doctor.stdout);
        assert_eq!(doctor.status.code(), Some(1), "{lines}");
        assert!(lines.contains(&format!("FAIL  engine   mlx: {variable}")), "{lines}");
    }
}

#[test]
fn more_threads_than_processors_are_noted() {
    let usable = std::thread::available_parallelism().unwrap().get();
    if offprint::model::kernels::levels().is_empty() || usable >= 256 {
        eprintln!("not tried: no kernels of ours here, or more processors than threads may be asked for");
        return;
    }
    let folder = tiny(&json!({}));
    let here = with_study(&study(&[("tiny", folder.path())], ""));
    let noted = |threads: usize| {
        let said = offprint(here.path(), &["doctor", "study.yaml"], &[("OFFPRINT_THREADS", &threads.to_string())]);
        text(&said.stdout).contains(&format!(
            "note  threads  OFFPRINT_THREADS: {threads} threads on {usable} usable processors take turns"
        ))
    };
    assert!(noted(usable + 1) && noted(256));
    assert!(!noted(usable) && !noted(1));
}

#[test]
fn options_of_the_fake_engine_that_are_none_are_refused() {
    let here = with_study(&study(&[("tiny", Path::new("x"))], "").replace("path:x", "fake:crash=16"));
    assert_refused(&here, &offprint(here.path(), &["run", "study.yaml"], &[]), &["fake: `crash=16` is no option"]);
}

#[test]
fn what_is_odd_is_told_recorded_and_in_the_paper() {
    let folder = tiny(&json!({"max_position_embeddings": 6, "frobnication": 1}));
    let here = with_study(&study(&[("tiny", folder.path())], ""));
    let said = offprint(here.path(), &["paper", "study.yaml"], &[("OFFPRINT_THREADS", "1")]);
    let err = text(&said.stderr);
    assert_eq!(said.status.code(), Some(0), "{err}");
    let odd = [
        "tiny: config.json: `frobnication` is not known to this program",
        "tiny: prompt 1 has 3 tokens and its answer up to 4: 7 positions, and the model knows 6 (config.json: max_position_embeddings); what it says beyond means nothing",
    ];
    for words in odd {
        assert!(err.contains(&format!("warning: {words}\n  hint: ")), "{err}");
    }
    let run = fs::read_dir(here.path().join("results/test")).unwrap().next().unwrap().unwrap().path();
    let environment: Value = serde_json::from_str(&fs::read_to_string(run.join("environment.json")).unwrap()).unwrap();
    assert_eq!(environment["notes"], json!(odd));
    let paper = fs::read_to_string(here.path().join("paper/paper.md")).unwrap();
    assert!(paper.contains("7 positions, and the model knows 6"), "{paper}");
    let doctor = text(&offprint(here.path(), &["doctor", "study.yaml"], &[]).stdout);
    assert_eq!(
        doctor.lines().filter(|line| line.starts_with("note ") && line.contains(" tiny: ")).count(),
        2,
        "{doctor}"
    );
}

#[test]
fn what_is_not_odd_leaves_no_note() {
    let folder = tiny(&json!({}));
    let here = with_study(&study(&[("tiny", folder.path())], ""));
    let said = offprint(here.path(), &["run", "study.yaml"], &[("OFFPRINT_THREADS", "1")]);
    assert_eq!(said.status.code(), Some(0), "{}", text(&said.stderr));
    assert!(!text(&said.stderr).contains("warning"), "{}", text(&said.stderr));
    let run = here.path().join(text(&said.stdout).trim());
    assert!(!fs::read_to_string(run.join("environment.json")).unwrap().contains("\"notes\""));
    let many =
        offprint(here.path(), &["run", "study.yaml"], &[("OFFPRINT_THREADS", "256"), ("OFFPRINT_KERNELS", "stock")]);
    assert!(!text(&many.stderr).contains("warning"), "no threads of ours: {}", text(&many.stderr));
}
