//! Isolation `session`: one process, one load, and the load in nobody's measurement.

use std::fs;

use offprint::record::{Phase, RunRecord};

use crate::here::{Here, RUNS, measured, rows};

fn loads(rows: &[RunRecord], phase: Phase) -> Vec<Option<u64>> {
    rows.iter().filter(|row| row.phase == phase).map(|row| row.load_ns).collect()
}

#[test]
fn a_session_loads_once_and_its_first_warm_up_carries_it() {
    let here = Here::with("fake", "execution: {isolation: session}\n");
    let text =
        fs::read_to_string(here.path("study.yaml")).unwrap().replace("num_runs: 3", "num_runs: 3, warmup_runs: 2");
    fs::write(here.path("study.yaml"), text).unwrap();
    let said = here.run();
    assert_eq!(said.code, Some(0), "{}", said.err);
    let rows = rows(&here.only());
    assert_eq!(measured(&rows), (1..=RUNS as u32).collect::<Vec<_>>());
    assert_eq!(loads(&rows, Phase::Measured), vec![Some(0); RUNS]);
    assert_eq!(loads(&rows, Phase::Warmup), [Some(300_000_000), Some(0)], "before the first run, and never again");
    assert!(rows[..2].iter().all(|row| row.phase == Phase::Warmup));
}

#[test]
fn without_a_warm_up_the_first_run_carries_the_load() {
    let here = Here::with("fake", "execution: {isolation: session}\n");
    let text =
        fs::read_to_string(here.path("study.yaml")).unwrap().replace("num_runs: 3", "num_runs: 3, warmup_runs: 0");
    fs::write(here.path("study.yaml"), text).unwrap();
    assert_eq!(here.run().code, Some(0));
    let loads = loads(&rows(&here.only()), Phase::Measured);
    assert_eq!((loads[0], &loads[1..]), (Some(300_000_000), vec![Some(0); RUNS - 1].as_slice()));
}

/// Blocks go to and fro between systems; each has its own process.
#[test]
fn a_session_of_two_systems_loads_each_once() {
    let here = Here::with("fake", "execution: {isolation: session}\n");
    let text = fs::read_to_string(here.path("study.yaml")).unwrap();
    let mut study: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
    let other = serde_yaml::from_str("{id: other, name: Other, source: fake}").unwrap();
    study["models"].as_sequence_mut().unwrap().push(other);
    fs::write(here.path("study.yaml"), serde_yaml::to_string(&study).unwrap()).unwrap();
    assert_eq!(here.run().code, Some(0));
    let rows = rows(&here.only());
    assert_eq!(loads(&rows, Phase::Measured), vec![Some(0); 2 * RUNS]);
    assert_eq!(loads(&rows, Phase::Warmup), vec![Some(300_000_000); 2]);
}

/// A session that was interrupted loads, and warms up, once more.
#[test]
fn a_session_resumed_loads_again() {
    let here = Here::with("fake:pace=4", "execution: {isolation: session}\n");
    let mut running = here.start(&["run", "study.yaml"]);
    running.until("(5/24)");
    running.kill();
    here.nobody_is_left();
    assert_eq!(here.resume().code, Some(0));
    let rows = rows(&here.only());
    assert_eq!(measured(&rows), (1..=RUNS as u32).collect::<Vec<_>>());
    assert_eq!(loads(&rows, Phase::Measured), vec![Some(0); RUNS]);
    assert_eq!(loads(&rows, Phase::Warmup), vec![Some(300_000_000); 2]);
}
