//! The factor `threads` acts by a worker's environment: each level has workers of its own, and a session keeps one a level.

use std::{collections::BTreeSet, sync::atomic::AtomicBool};

use offprint::{
    bench::{Bench, Ended, Place, Programs},
    machine,
    ranges::Ranges,
    record::{Outcome, RunRecord},
    study::{Plan, Study},
};

/// Answers as a worker does; its backend is `THREADS PROCESS`. It computes nothing.
const WORKER: &str = r#"
read -r hello
echo '{"hello":{"protocol":"offprint.worker/1","name":"sh","version":"1","can":{"exact_length":true,"context":true}}}'
read -r load
echo "{\"loaded\":{\"load_ns\":5,\"backend\":\"$OFFPRINT_THREADS $$\"}}"
while read -r request; do
  id=$(printf "%s\n" "$request" | sed 's/.*"generate":{"id":\([0-9]*\).*/\1/')
  [ "$request" = '{"bye":{}}' ] && exit
  echo "{\"generated\":{\"id\":$id,\"n_prompt\":1,\"tokens\":[1],\"n_gen\":1,\"text\":\"x\",\"finish\":\"length\",\"start_ns\":null,\"tokenize_ns\":1,\"token_times_ns\":[2],\"e2e_ns\":3}}"
done
"#;

/// Rows of a study with this factor block and isolation.
fn rows(factors: &str, isolation: &str) -> Vec<RunRecord> {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("worker.sh");
    std::fs::write(&script, WORKER).unwrap();
    // What the runner was told goes to workers too, unless the factor says otherwise.
    let engine = format!("{{name: shell, command: [sh, {script:?}], env: {{OFFPRINT_THREADS: \"7\"}}}}");
    let yaml = format!(
        "models: [{{id: m, name: M, source: \"path:m\", engine: {engine}}}]\nprompts: [a, b]\n\
         benchmark_settings: {{max_tokens: [1], temperatures: [0], num_runs: 3, warmup_runs: 0}}\n\
         execution: {{isolation: {isolation}}}\n{factors}"
    );
    let study = Study::from_str("study.yaml", &yaml).unwrap();
    let (plan, stop) = (Plan::of(&study), AtomicBool::new(false));
    let programs = Programs {
        offprint: env!("CARGO_BIN_EXE_offprint").into(),
        kernels: None,
        variables: Default::default(),
        guard: None,
    };
    let bench = Bench {
        study: &study,
        plan: &plan,
        done: BTreeSet::new(),
        ranges: Ranges::new(&study, &machine::capture(Vec::new())),
        places: vec![Place { opens: "m".to_owned(), folder: None }],
        drafts: Vec::new(),
        programs: &programs,
        gauge: None,
        stop: &stop,
    };
    let mut rows = Vec::new();
    let ended = bench.execute(
        &mut |run| {
            rows.extend_from_slice(run);
            Ok(())
        },
        &mut |_| {},
    );
    assert_eq!(ended.unwrap(), Ended::Complete);
    assert!(rows.iter().all(|row| row.outcome == Outcome::Ok), "{rows:?}");
    rows
}

/// What a row's worker had of threads, and the process that it was.
fn worker(row: &RunRecord) -> (&str, &str) {
    row.backend.split_once(' ').unwrap()
}

#[test]
fn a_worker_has_the_threads_of_its_level() {
    for isolation in ["process", "session"] {
        let rows = rows("factors: {threads: [1, 2]}", isolation);
        assert_eq!(rows.len(), 12);
        for row in &rows {
            assert_eq!(worker(row).0, row.factors["threads"].key(), "{isolation}");
        }
        let levels: BTreeSet<&str> = rows.iter().map(|row| worker(row).0).collect();
        assert_eq!(levels, BTreeSet::from(["1", "2"]));
    }
}

#[test]
fn a_session_keeps_a_worker_a_level_and_loads_it_once() {
    let rows = rows("factors: {threads: [1, 2], context: [0, 8]}", "session");
    let workers: BTreeSet<(&str, &str)> = rows.iter().map(worker).collect();
    assert_eq!(workers.len(), 2, "contexts share a worker: {workers:?}");
    assert_eq!(rows.iter().filter(|row| row.load_ns == Some(5)).count(), 2);
    assert_eq!(rows.iter().filter(|row| row.load_ns == Some(0)).count(), rows.len() - 2);
}

#[test]
fn every_run_has_a_process_of_its_own_where_asked() {
    let rows = rows("factors: {threads: [1, 2]}", "process");
    let processes: BTreeSet<&str> = rows.iter().map(|row| worker(row).1).collect();
    assert_eq!(processes.len(), rows.len());
}

#[test]
fn without_the_factor_a_worker_has_what_the_runner_was_told() {
    assert!(rows("", "process").iter().all(|row| worker(row).0 == "7"));
}
