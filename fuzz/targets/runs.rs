//! Any bytes as `runs.jsonl` of a small study: refused with a place, or rows that fit the plan, and then everything that is
//! made of rows is made: summary, tables, claims, and a comparison with themselves.
#![no_main]

use std::{path::PathBuf, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use offprint::{
    analysis::{self, tables},
    claims, compare,
    machine::Environment,
    store::{Check, Records, Run},
    study::{Plan, Study},
};

static EMPTY: LazyLock<(Run, Plan)> = LazyLock::new(|| {
    let study = Study::from_str("study.yaml", include_str!("../study.yaml")).unwrap();
    let environment = Environment::from_json("environment.json", include_str!("../environment.json")).unwrap();
    let plan = Plan::of(&study);
    let run = Run {
        folder: PathBuf::from("run"),
        run_id: "run".into(),
        study,
        environment,
        records: Vec::new(),
        measured: 0,
        runs_sha256: String::new(),
        published: None,
        baseline: None,
    };
    (run, plan)
});

fuzz_target!(|bytes: &[u8]| {
    let mut reader = Records::new(PathBuf::from("runs.jsonl"), bytes);
    let mut records = Vec::new();
    for row in reader.by_ref() {
        match row {
            Ok(row) => records.push(row),
            Err(error) => {
                assert!(format!("{error:#}").contains("runs.jsonl:"), "{error:#}");
                return;
            }
        }
    }
    assert_eq!(reader.whole_bytes() + reader.torn().map_or(0, |torn| torn.bytes), bytes.len() as u64);
    let (empty, plan) = &*EMPTY;
    let mut check = Check::new(&empty.study, plan);
    if records.iter().any(|record| !check.row(record).is_empty()) {
        return;
    }
    let run = Run { records, ..empty.clone() };
    let Ok(summary) = analysis::summarise(&run.study, &run.records) else { return };
    let _ = tables::of(&summary);
    if let Ok(claims) = claims::build(&run, &summary) {
        // What is written must read back: no number may be one that JSON cannot say.
        let json = claims.to_json().unwrap();
        assert!(serde_json::from_str::<claims::Claims>(&json).is_ok(), "{json}");
    }
    let other = Run { runs_sha256: "other".into(), ..run.clone() };
    if let Ok(comparison) = compare::compare(&run, &other) {
        let _ = compare::markdown(&comparison);
        let _ = compare::review(comparison);
    }
});
