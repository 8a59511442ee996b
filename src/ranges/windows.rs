//! A row's energy held against its line of `energy.jsonl`, its window against the run's own times and against the other windows.

use super::end::{Misfit, instant};
use crate::{
    factor::{BATCH, Value},
    record::{Answered, Outcome, Phase, RunRecord},
    study::Study,
};

/// `started_at` is rounded to the millisecond, and was read a moment before the clock that windows count from.
const ROUNDING_NS: i128 = 2_000_000;

/// What windows must share: one ends before another begins.
#[derive(Debug, Clone, Default)]
pub(super) struct Windows {
    /// Begin and end in Unix nanoseconds, by run.
    seen: Vec<(i128, i128, u32)>,
}

impl Windows {
    pub(super) fn misfits(&mut self, row: &RunRecord, study: &Study) -> Vec<Misfit> {
        let mut found = Vec::new();
        let mut expect = |holds: bool, expected: &str, value: String| {
            if !holds {
                found.push((expected.to_owned(), value));
            }
        };
        let Some(asked) = &study.energy else { return found };
        let own = if asked.window_s.is_some() { Phase::Energy } else { Phase::Measured };
        if row.phase != own {
            let none = matches!(row.phase, Phase::Measured) || row.energy.is_none();
            expect(
                row.energy_j.is_none() && none,
                "`energy_j` in rows of windows alone",
                format!("{:?}", row.energy_j),
            );
            return found;
        }
        let Some(line) = &row.energy else {
            let well = row.outcome == Outcome::Ok;
            expect(!well, "a line of energy.jsonl for a row that ended well", "none".to_owned());
            return found;
        };
        let joules = line.used().map(|used| used.joules);
        expect(
            row.energy_j == joules,
            &format!("`energy_j` as its line has it, {joules:?}"),
            format!("{:?}", row.energy_j),
        );
        expect(line.order == row.order, &format!("the order of its row, {}", row.order), line.order.to_string());
        let domain = asked.domain.is_none_or(|domain| domain == line.domain);
        expect(domain, "the domain that the study names", line.domain.to_string());
        // A line that ends before it begins was refused when it was read.
        let lasts = line.end_ns.saturating_sub(line.start_ns);
        // The fake engine makes its times up.
        let whole = row.e2e_ns.filter(|_| !study.is_fake()).unwrap_or(0);
        expect(lasts >= whole, &format!("a window that covers its run's {whole} ns"), lasts.to_string());
        if let Some(window_s) = asked.window_s {
            expect(lasts as f64 >= window_s * 1e9, &format!("a window of {window_s} s at least"), lasts.to_string());
            let tokens = row.n_gen.map(u64::from);
            expect(tokens == Some(line.n_gen), "tokens as its line has them", format!("{tokens:?}, {}", line.n_gen));
        } else {
            let (requests, tokens) = answered(row);
            let asked = format!("the run's own requests and tokens, {requests} and {tokens}");
            let fits = (u64::from(line.requests), line.n_gen) == (requests, tokens);
            expect(fits, &asked, format!("{} and {}", line.requests, line.n_gen));
        }
        if let Ok(began) = instant(&row.started_at) {
            let at = |ns: u64| began.as_nanosecond() + i128::from(ns);
            let (begin, end) = (at(line.start_ns), at(line.end_ns));
            let apart =
                |(other, over, _): &&(i128, i128, u32)| begin + ROUNDING_NS >= *over || end <= *other + ROUNDING_NS;
            if let Some((_, _, other)) = self.seen.iter().find(|other| !apart(other)) {
                expect(false, "a window beside those of other runs", format!("one that run {other}'s overlaps"));
            }
            self.seen.push((begin, end, row.run));
        }
        found
    }
}

/// Of a measured row; an engine that is given a batch as one request says the tokens of one text.
fn answered(row: &RunRecord) -> (u64, u64) {
    if row.load.is_some() {
        let well = row.requests.iter().filter(|request| request.outcome == Answered::Ok);
        let tokens = well.clone().map(|request| u64::from(request.n_gen.unwrap_or(0))).sum();
        return (well.count() as u64, tokens);
    }
    let batch = match row.factors.get(BATCH) {
        Some(Value::Number(batch)) => *batch as u64,
        _ => 1,
    };
    (batch, batch * u64::from(row.n_gen.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::energy::{Domain, EnergyRow};

    fn study(energy: &str) -> Study {
        let text = format!(
            "models: [{{id: a, name: A, source: fake}}]\nprompts: [p]\nbenchmark_settings: {{max_tokens: [3], temperatures: [0], num_runs: 9}}\n{energy}"
        );
        Study::from_str("s", &text).unwrap()
    }

    fn row(phase: Phase) -> RunRecord {
        let line = EnergyRow::example();
        RunRecord {
            phase,
            energy_j: Some(500.0),
            n_gen: Some(128),
            energy: Some(Box::new(line)),
            started_at: "2026-11-28T13:00:00.500Z".to_owned(),
            ..RunRecord::empty()
        }
    }

    #[test]
    fn a_window_is_its_row_s_and_nobody_else_s() {
        let found = |change: &dyn Fn(&mut RunRecord)| {
            let mut row = row(Phase::Energy);
            change(&mut row);
            let misfits = Windows::default().misfits(&row, &study("energy: {window_s: 10}"));
            misfits.into_iter().map(|(expected, found)| format!("{expected}: {found}")).collect::<Vec<_>>().join("; ")
        };
        fn line(row: &mut RunRecord) -> &mut EnergyRow {
            row.energy.as_mut().unwrap()
        }
        assert_eq!(found(&|_| {}), "");
        for (change, expected) in [
            (
                &(|row: &mut RunRecord| row.energy_j = Some(501.0)) as &dyn Fn(&mut RunRecord),
                "`energy_j` as its line has it",
            ),
            (&|row| row.energy_j = None, "`energy_j` as its line has it, Some(500.0): None"),
            (&|row| row.n_gen = Some(127), "tokens as its line has them: Some(127), 128"),
            (&|row| row.energy = None, "a line of energy.jsonl for a row that ended well"),
            (&|row| line(row).order = 7, "the order of its row"),
            (&|row| line(row).end_ns -= 2_000_000, "a window of 10 s at least"),
            (&|row| row.phase = Phase::Measured, "`energy_j` in rows of windows alone: Some(500.0)"),
        ] {
            assert!(found(change).contains(expected), "{expected}: {}", found(change));
        }
        let other = study("energy: {domain: board, window_s: 10}");
        assert_eq!(Windows::default().misfits(&row(Phase::Energy), &other)[0].1, Domain::Package.to_string());
        let real = Study { models: Vec::new(), ..study("energy: {window_s: 10}") };
        let long = RunRecord { e2e_ns: Some(11_000_000_000), ..row(Phase::Energy) };
        assert!(
            Windows::default().misfits(&long, &real)[0].0.starts_with("a window that covers its run's 11000000000 ns")
        );
        // Around runs there is one request.
        let around = Windows::default().misfits(&row(Phase::Measured), &study("energy: true"));
        assert_eq!(around, [("the run's own requests and tokens, 1 and 128".to_owned(), "8 and 128".to_owned())]);
        let failed = RunRecord { outcome: Outcome::Failed, energy: None, energy_j: None, ..row(Phase::Energy) };
        assert_eq!(Windows::default().misfits(&failed, &study("energy: {window_s: 10}")), []);
    }

    #[test]
    fn windows_do_not_overlap() {
        let study = study("energy: {window_s: 10}");
        let mut windows = Windows::default();
        assert_eq!(windows.misfits(&row(Phase::Energy), &study), []);
        let at =
            |time: &str| RunRecord { run: 2, started_at: format!("2026-11-28T13:00:{time}Z"), ..row(Phase::Energy) };
        assert_eq!(windows.misfits(&at("10.501"), &study), []);
        assert!(windows.misfits(&at("19.000"), &study)[0].1.contains("one that run 2's overlaps"));
    }
}
