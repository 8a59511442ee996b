//! Runs that fail: each is a row that says why, the execution goes on, and the exit code is 1.

use std::fs;

use offprint::record::{Outcome, Phase, RunRecord};

use crate::here::{Here, RUNS, measured, rows};

/// Executes a study whose runs of 16 tokens fail, and returns their rows after looking at everything else.
fn failures(source: &str, extra: &str) -> Vec<RunRecord> {
    let here = Here::with(source, extra);
    let said = here.run();
    assert_eq!((said.code, here.plain(&said.out).as_str()), (Some(1), "results/test/RUN\n"), "{}", said.err);
    assert!(
        here.plain(&said.err).ends_with("12 of 24 runs failed; their rows in results/test/RUN say why\n"),
        "{}",
        said.err
    );
    let all = rows(&here.only());
    assert_eq!(measured(&all), (1..=RUNS as u32).collect::<Vec<_>>(), "each run has one row, in order");
    for row in &all {
        let fails = row.phase == Phase::Measured && row.max_tokens == 16;
        assert_eq!((row.outcome == Outcome::Failed, row.error.is_some()), (fails, fails), "{row:?}");
    }
    // Nothing is left to do: a failed run was executed, and its row says the same as before.
    let again = here.resume();
    assert_eq!(again.code, Some(1), "{}", again.err);
    assert!(again.err.contains("nothing to do") && again.err.contains("12 of 24 runs failed"), "{}", again.err);
    here.nobody_is_left();
    let failed: Vec<RunRecord> = all.into_iter().filter(|row| row.outcome == Outcome::Failed).collect();
    for row in &failed {
        assert_eq!(
            (row.n_gen, row.ttft_ns, row.e2e_ns, row.load_ns),
            (None, None, None, None),
            "missing is null, never 0"
        );
        assert_eq!((&row.token_times_ns, &row.output_sha256, &row.output_text), (&None, &None, &None));
        assert_eq!(row.backend, "none", "the engine had said what it runs on");
        assert!(said.err.contains(&format!("run {} (", row.run)), "{}", said.err);
    }
    failed
}

fn reasons(failed: &[RunRecord]) -> Vec<&str> {
    let mut reasons: Vec<&str> = failed.iter().filter_map(|row| row.error.as_deref()).collect();
    reasons.sort_unstable();
    reasons.dedup();
    reasons
}

#[test]
fn an_engine_that_refuses_costs_its_runs() {
    let failed = failures("fake:fail=16", "");
    assert_eq!((failed.len(), reasons(&failed)), (12, vec!["the fake engine was told to fail at 16 tokens"]));
}

#[test]
fn a_worker_that_dies_costs_its_runs() {
    let failed = failures("fake:exit=16", "");
    assert_eq!((failed.len(), reasons(&failed)), (12, vec!["the worker was ended by signal 6"]));
}

/// Two runs: the one that answers has the same time for it as the one that never will, so it must be ample on a busy machine.
#[test]
fn a_worker_that_hangs_costs_its_run() {
    let here = Here::with("fake:hang=16", "execution: {timeout_s: 5}\n");
    let study = fs::read_to_string(here.path("study.yaml")).unwrap();
    let study = study.replace(", \"four\"", "").replace("[0, 0.7]", "[0]").replace("num_runs: 3", "num_runs: 1");
    fs::write(here.path("study.yaml"), study).unwrap();
    let said = here.run();
    assert_eq!(said.code, Some(1), "{}", said.err);
    let measured: Vec<RunRecord> = rows(&here.only()).into_iter().filter(|row| row.phase == Phase::Measured).collect();
    let of = |tokens| measured.iter().filter(|row| row.max_tokens == tokens).collect::<Vec<_>>();
    let ([answered], [hung]) = (&of(8)[..], &of(16)[..]) else { panic!("{measured:#?}") };
    assert_eq!((answered.outcome, hung.outcome), (Outcome::Ok, Outcome::Failed));
    assert_eq!(hung.error.as_deref(), Some("the run took longer than execution.timeout_s allows"));
    assert_eq!((hung.n_gen, hung.e2e_ns, hung.backend.as_str()), (None, None, "none"));
    assert_eq!(here.resume().code, Some(1), "a failed run was executed");
    here.nobody_is_left();
}

/// In a session the crash takes the process with it: the next run has a new one.
#[test]
fn a_session_goes_on_in_a_new_worker() {
    let failed = failures("fake:exit=16", "execution: {isolation: session}\n");
    assert_eq!((failed.len(), reasons(&failed)), (12, vec!["the worker was ended by signal 6"]));
}

#[test]
fn an_engine_that_cannot_be_is_refused_before_anything_is_made() {
    let here = Here::with("fake:crash=16", "");
    let said = here.run();
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{}", said.err);
    assert!(said.err.contains("fake: `crash=16` is no option of the fake engine"), "{}", said.err);
    assert!(said.err.lines().last().unwrap().starts_with("hint: fail=N, exit=N"), "{}", said.err);
    assert!(here.folders().is_empty());
}

/// What only a load shows is one refusal, before anything is made, and names each system that does not load.
#[test]
fn a_system_that_does_not_load_is_refused_before_anything_is_made() {
    let here = Here::with("fake", "");
    let study = std::fs::read_to_string(here.path("study.yaml")).unwrap();
    let two = study
        .replace("source: \"fake\"}]", "source: \"fake\"}, {id: broken, name: Broken, source: \"fake:broken=1\"}]");
    assert_ne!(study, two);
    std::fs::write(here.path("study.yaml"), two).unwrap();
    let said = here.run();
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{}", said.err);
    assert!(said.err.contains("\n  broken: it does not load: the fake engine was told not to load\n"), "{}", said.err);
    assert!(said.err.ends_with("\nhint: leave out broken=1\n") && !said.err.contains("tiny: "), "{}", said.err);
    assert!(here.folders().is_empty());
    here.nobody_is_left();
}
