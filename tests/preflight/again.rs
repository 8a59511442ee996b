//! `offprint paper` takes the runs that this checkout has made, if they would be made alike now; if not, it says what is another
//! and runs again.

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use serde_json::json;

use crate::tiny;

const STUDY: &str = "study: {name: test}\nmodels: [{id: tiny, name: Tiny, source: \"SOURCE\"}]\nprompts: [\"w1 w2\"]\n\
                     benchmark_settings: {max_tokens: [4, 8], temperatures: [0], num_runs: 2}\n";

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

struct Here(tempfile::TempDir);

impl Here {
    fn with(source: &str) -> Self {
        let here = Here(tempfile::tempdir().unwrap());
        fs::write(here.0.path().join("study.yaml"), STUDY.replace("SOURCE", source)).unwrap();
        here
    }

    /// What it told, and the folders of runs after it.
    fn paper(&self, more: &[&str], variables: &[(&str, &str)]) -> (String, BTreeSet<PathBuf>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offprint"));
        command.args(["paper", "study.yaml"]).args(more).current_dir(self.0.path());
        for name in ["OFFPRINT_KERNELS", "OFFPRINT_THREADS", "MLX_TRIED"] {
            command.env_remove(name);
        }
        let output = command.envs(variables.iter().copied()).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let folders = fs::read_dir(self.0.path().join("results/test")).unwrap().map(|entry| entry.unwrap().path());
        (said(&output), folders.collect())
    }

    fn marker(&self) -> PathBuf {
        let mut files = fs::read_dir(self.0.path().join(".offprint/runs")).unwrap();
        files.next().unwrap().unwrap().path()
    }
}

/// Another condition: it is named, the study is run again unless that is not wanted, and then the new run is the one of here.
fn runs_again(here: &Here, variables: &[(&str, &str)], words: &str) {
    let (_, before) = here.paper(&["--keep"], &[]);
    let (kept, still) = here.paper(&["--keep"], variables);
    assert!(kept.contains("run here already") && still == before, "{kept}");
    let (told, after) = here.paper(&[], variables);
    assert!(
        told.contains("run here under other conditions, so the study is run again: ") && told.contains(words),
        "{words}: {told}"
    );
    assert!(told.contains("\nhint: --keep makes the paper of that run\n"), "{told}");
    assert_eq!(after.len(), before.len() + 1, "{told}");
    let (again, same) = here.paper(&[], variables);
    assert!(again.contains("run here already") && same == after, "{again}");
}

#[test]
fn runs_of_here_are_taken_while_nothing_is_another() {
    let here = Here::with("fake");
    let (told, first) = here.paper(&[], &[]);
    assert!(!told.contains("run here") && first.len() == 1, "{told}");
    let (told, second) = here.paper(&[], &[]);
    assert!(told.contains("run here already") && second == first, "{told}");
    runs_again(&here, &[("MLX_TRIED", "1")], "MLX_TRIED (was nothing, is 1)");

    // Another program: that of the marker is not this one.
    let text = fs::read_to_string(here.marker()).unwrap();
    let at = text.find("sha256 ").unwrap() + 7;
    fs::write(here.marker(), text.replace(&text[at..at + 64], &"0".repeat(64))).unwrap();
    let (told, _) = here.paper(&[], &[("MLX_TRIED", "1")]);
    assert!(told.contains(&format!("program (was sha256 {}, is sha256 ", "0".repeat(64))), "{told}");

    // An earlier version wrote the folder alone: under what conditions is not known.
    fs::write(here.marker(), first.first().unwrap().display().to_string()).unwrap();
    let (told, _) = here.paper(&[], &[]);
    assert!(told.contains("program (was nothing, is sha256 "), "{told}");
    let (told, after) = here.paper(&["--fresh"], &[]);
    assert!(!told.contains("run here"), "{told}");
    assert_eq!(after.len(), 5, "each of the five executions is kept");
}

#[test]
fn other_kernels_or_threads_make_another_run() {
    let folder = tiny(&json!({}));
    let here = Here::with(&format!("path:{}", folder.path().display()));
    here.paper(&[], &[]);
    runs_again(&here, &[("OFFPRINT_KERNELS", "qkv")], ", is MLX's own, qkv joined");
    if let Some(level) = offprint::model::kernels::levels().first() {
        let variables = [("OFFPRINT_KERNELS", level.as_str()), ("OFFPRINT_THREADS", "1")];
        runs_again(&here, &variables, &format!("is offprint {level}, 1 thread"));
    }
}
