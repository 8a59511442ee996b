//! Any text as a study: refused with a place and a hint, or planned.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offprint::study::{Plan, Study};

/// Larger plans are only large.
const MOST_RUNS: u64 = 10_000;

fuzz_target!(|text: &str| match Study::from_str("study.yaml", text) {
    Err(error) => {
        let message = error.to_string();
        assert!(message.starts_with("study.yaml") && message.contains("\nhint: "), "{message}");
    }
    Ok(study) => {
        if study.cells() as u64 * u64::from(study.settings.num_runs) <= MOST_RUNS {
            let plan = Plan::of(&study);
            assert_eq!(plan.runs.len(), study.cells() * study.settings.num_runs as usize);
            assert!(plan.execution().iter().zip(1..).all(|(run, order)| run.order == order));
        }
    }
});
