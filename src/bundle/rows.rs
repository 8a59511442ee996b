//! `runs.jsonl` of a bundle -> what is computed from its rows, and everything that is wrong with them: form, plan, ranges. A row
//! at a time; rows are kept only where somebody needs them.

use std::path::PathBuf;

use super::{
    label::Label,
    open::{Bundle, most_rows},
    problem::{Check, Problem},
    version,
};
use crate::{
    analysis::Tally,
    energy::ENERGY_SCHEMA,
    machine::Environment,
    ranges::Ranges,
    record::{Phase, RunRecord},
    store::{self, Columns, PageRows, Records, energy::Beside},
    study::{Plan, Study},
};

/// After so many bad lines a file is not one of ours.
const MOST_BAD_LINES: usize = 100;

/// What a file of rows is; `usable` says whether numbers may be recomputed from them.
#[derive(Debug)]
pub struct Rows {
    /// Rows that can be read, and those of measured runs.
    pub count: usize,
    pub measured: usize,
    /// Those rows, if they were asked for.
    pub records: Vec<RunRecord>,
    pub tally: Tally,
    pub problems: Vec<Problem>,
    pub usable: bool,
    /// For the paper's page.
    pub page_rows: PageRows,
}

/// Checks the rows of a bundle; with `keep`, keeps them.
pub fn check(bundle: &Bundle, label: &Label, study: &Study, environment: &Environment, keep: bool) -> Rows {
    let file = label.run_file("runs.jsonl");
    let mut rows = Rows {
        count: 0,
        measured: 0,
        records: Vec::new(),
        tally: version::tally(label, study),
        problems: Vec::new(),
        usable: true,
        page_rows: PageRows::None,
    };
    let mut columns = Columns::of(bundle.bytes(&file).unwrap_or(0), study);
    let reader = match bundle.reader(&file) {
        Ok(reader) => reader,
        Err(error) => {
            let problem = Problem::fault(Check::Schema, &file, "the records", &error);
            return Rows { problems: vec![problem], usable: false, ..rows };
        }
    };
    let energy = match bundle.energy(label, study) {
        Ok(energy) => energy,
        Err(error) => {
            let file = label.run_file("energy.jsonl");
            rows.problems.push(Problem::fault(Check::Schema, &file, ENERGY_SCHEMA, &error));
            rows.usable = false;
            Beside::default()
        }
    };
    let most = most_rows(study);
    let mut ranges = Ranges::new(study, environment);
    let plan = Plan::of(study);
    let mut planned = store::Check::new(study, &plan);
    let mut last = None;
    let mut in_order = true;
    let mut reading = Records::new(PathBuf::from(&file), reader);
    while let Some(row) = reading.next() {
        let place = format!("{file}:{}", reading.line());
        match row {
            Ok(row) => {
                let row = energy.beside(row);
                let misfits = ranges.misfits(&row);
                let named = misfits.iter().map(|(expected, found)| {
                    Problem::new(Check::Range, &place, format!("run {}: {expected}", row.run), found)
                });
                rows.problems.extend(named);
                rows.count += 1;
                for problem in planned.row(&row) {
                    rows.problems.push(Problem::new(Check::Plan, &file, "rows as the study plans them", problem));
                    rows.usable = false;
                }
                if row.phase == Phase::Measured {
                    rows.measured += 1;
                    in_order &= last.is_none_or(|last| last < row.order);
                    last = Some(row.order);
                }
                // What has more tokens than it may is not kept: memory is bounded by the plan.
                let fits = row.token_times_ns.as_ref().is_none_or(|times| times.len() <= row.max_tokens as usize);
                rows.usable &= fits;
                if fits && let Err(error) = rows.tally.add(&row) {
                    rows.problems.push(Problem::fault(Check::Schema, &place, "a row with its times", &error));
                    rows.usable = false;
                }
                let added = columns.as_mut().map_or(Ok(()), |columns| columns.add(&row));
                if let Err(error) = added {
                    rows.problems.push(Problem::fault(Check::Schema, &place, "a row", &error));
                }
                if fits && keep {
                    rows.records.push(row);
                }
            }
            Err(error) => {
                let cause = error.root_cause().to_string();
                let found = cause.lines().next().unwrap_or_default();
                rows.problems.push(Problem::new(Check::Schema, &place, "a row of offprint.run/1", found));
                rows.usable = false;
            }
        }
        if rows.count > most
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
    for run in planned.missing() {
        let expected = format!("run {run}: a measured row");
        rows.problems.push(Problem::new(Check::Plan, &file, expected, "none"));
    }
    rows.page_rows = match columns {
        Some(columns) => columns.finish(),
        None => bundle.text(&file).map_or(PageRows::None, PageRows::Text),
    };
    if !in_order {
        rows.problems.push(Problem::new(Check::Plan, &file, "rows in the order of execution", "another order"));
    }
    rows
}
