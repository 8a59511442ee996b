//! Rows that were made for a test.

use offprint::{
    record::{FinishReason, Outcome, RunRecord},
    study::{PlannedRun, Study},
};

/// The row of a run that made `n` tokens in `e2e` seconds, all steps alike, or failed. What it took before the first step is the
/// caller's: `load_ns`, `tokenize_ns`.
pub fn row(study: &Study, run: &PlannedRun, n: u32, e2e: f64, failed: bool) -> RunRecord {
    let time = |share: f64| (e2e * share * 1e9) as u64;
    let ok = |value: u64| (!failed).then_some(value);
    let step = |i: u32| time(f64::from(i) / f64::from(n) * 0.99) + 1;
    RunRecord {
        backend: "none".into(),
        started_at: "2026-01-02T03:04:05Z".into(),
        outcome: if failed { Outcome::Failed } else { Outcome::Ok },
        error: failed.then(|| "it was told to".to_owned()),
        n_prompt: (!failed).then_some(5),
        n_gen: (!failed).then_some(n),
        finish_reason: (!failed).then_some(FinishReason::Length),
        load_ns: ok(0),
        tokenize_ns: ok(0),
        ttft_ns: ok(time(0.01)),
        token_times_ns: (!failed).then(|| (1..=n).map(step).collect()),
        e2e_ns: ok(time(1.0)),
        ..run.row(study)
    }
}
