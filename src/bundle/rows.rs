//! `runs.jsonl` of a bundle -> rows, and everything that is wrong with them: form, plan, ranges. Memory is the rows'.

use std::{collections::BTreeSet, path::PathBuf};

use super::{
    label::Label,
    open::{Bundle, most_rows},
    problem::{Check, Problem},
    ranges::Ranges,
};
use crate::{
    machine::Environment,
    record::{Phase, RunRecord},
    store::{self, Records},
    study::{Plan, Study},
};

/// After so many bad lines a file is not one of ours.
const MOST_BAD_LINES: usize = 100;

/// Reads all rows; `usable` says whether numbers may be recomputed from them.
#[derive(Debug)]
pub struct Rows {
    pub records: Vec<RunRecord>,
    pub problems: Vec<Problem>,
    pub usable: bool,
}

/// Checks the rows of a bundle.
pub fn check(bundle: &Bundle, label: &Label, study: &Study, environment: &Environment) -> Rows {
    let file = label.run_file("runs.jsonl");
    let mut rows = Rows { records: Vec::new(), problems: Vec::new(), usable: true };
    let reader = match bundle.reader(&file) {
        Ok(reader) => reader,
        Err(error) => {
            let problem = Problem::new(Check::Schema, &file, "the records", format!("{error:#}"));
            return Rows { problems: vec![problem], usable: false, ..rows };
        }
    };
    let most = most_rows(study);
    let mut ranges = Ranges::new(study, environment);
    let mut reading = Records::new(PathBuf::from(&file), reader);
    while let Some(row) = reading.next() {
        let place = format!("{file}:{}", reading.line());
        match row {
            Ok(row) => {
                let misfits = ranges.misfits(&row);
                let named = misfits.iter().map(|(expected, found)| {
                    Problem::new(Check::Range, &place, format!("run {}: {expected}", row.run), found)
                });
                rows.problems.extend(named);
                // What has more tokens than it may is not kept: memory is bounded by the plan.
                if row.token_times_ns.as_ref().is_none_or(|times| times.len() <= row.max_tokens as usize) {
                    rows.records.push(row);
                } else {
                    rows.usable = false;
                }
            }
            Err(error) => {
                let cause = error.root_cause().to_string();
                let found = cause.lines().next().unwrap_or_default();
                rows.problems.push(Problem::new(Check::Schema, &place, "a row of offprint.run/1", found));
                rows.usable = false;
            }
        }
        if rows.records.len() > most
            || rows.problems.len() > MOST_BAD_LINES * 10
            || (!rows.usable && rows.problems.len() > MOST_BAD_LINES)
        {
            rows.problems.push(Problem::new(
                Check::Schema,
                &place,
                format!("at most {most} rows"),
                "more rows or faults; the rest is not read",
            ));
            rows.usable = false;
            break;
        }
    }
    if let Some(torn) = reading.torn() {
        let found = format!("{} bytes without a line end", torn.bytes);
        rows.problems.push(Problem::new(Check::Schema, format!("{file}:{}", torn.line), "a whole row", found));
        rows.usable = false;
    }
    rows.plan(&file, study);
    rows
}

impl Rows {
    /// Each planned run is there once, in its place, and no other.
    fn plan(&mut self, file: &str, study: &Study) {
        let plan = Plan::of(study);
        for problem in store::problems(study, &plan, &self.records) {
            self.problems.push(Problem::new(Check::Plan, file, "rows as the study plans them", problem));
            self.usable = false;
        }
        let measured: Vec<&RunRecord> = self.records.iter().filter(|row| row.phase == Phase::Measured).collect();
        let present: BTreeSet<u32> = measured.iter().map(|row| row.run).collect();
        for run in plan.runs.iter().filter(|run| !present.contains(&run.run)) {
            let expected = format!("run {}: a measured row", run.run);
            self.problems.push(Problem::new(Check::Plan, file, expected, "none"));
        }
        if !measured.windows(2).all(|pair| pair[0].order < pair[1].order) {
            self.problems.push(Problem::new(Check::Plan, file, "rows in the order of execution", "another order"));
        }
    }
}
