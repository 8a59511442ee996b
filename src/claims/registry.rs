//! Where claims are put: each with its formula, its rounding and the runs behind it.

use std::collections::BTreeMap;

use super::{
    Claim, Id, Runs, Value,
    rounding::{percent, significant},
    words::percentage,
};
use crate::{machine::Fact, metric::Metric, study::Statistics};

pub(super) const TWO: &str = "two significant digits";
pub(super) const THREE: &str = "three significant digits";
pub(super) const FOUR: &str = "four significant digits";
pub(super) const OF_ERROR: &str = "to two significant digits of the standard error";
pub(super) const PERCENT: &str = "one decimal, below 0.1 two significant digits";
pub(super) const P: &str = "two significant digits, below 0.0001 as a bound";

/// The claims so far.
pub(super) struct Registry {
    pub(super) claims: BTreeMap<Id, Claim>,
    /// All runs that a summary rests on.
    pub(super) all: Runs,
    /// As formulas say them, per cent: the study's confidence, that of intervals for a test of equivalence (1 - 2 alpha), its margin.
    pub(super) levels: Levels,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Levels {
    pub(super) wide: String,
    pub(super) narrow: String,
    pub(super) margin: String,
    of_energy: String,
}

impl Levels {
    pub(super) fn of(statistics: &Statistics) -> Self {
        Levels {
            wide: percentage(statistics.confidence),
            narrow: percentage(2.0 * statistics.confidence - 1.0),
            margin: percentage(statistics.equivalence_margin),
            of_energy: percentage(statistics.margin(Metric::Joules)),
        }
    }

    pub(super) fn margin(&self, metric: Metric) -> &str {
        if metric.is_of_energy() { &self.of_energy } else { &self.margin }
    }

    /// `end of the 95 % t interval`
    pub(super) fn end(&self) -> String {
        format!("end of the {} % t interval", self.wide)
    }
}

/// A number as it is computed and printed.
pub(super) struct Number<'a> {
    pub value: f64,
    pub unit: &'a str,
    pub text: String,
    pub rounding: &'a str,
}

impl Number<'_> {
    /// To so many significant digits.
    pub(super) fn rounded(value: f64, unit: &str, digits: i32) -> Number<'_> {
        let rounding = match digits {
            2 => TWO,
            3 => THREE,
            _ => FOUR,
        };
        Number { value, unit, text: significant(value, digits), rounding }
    }

    /// A share, in per cent.
    pub(super) fn share(share: f64) -> Number<'static> {
        Number { value: 100.0 * share, unit: "%", text: percent(share), rounding: PERCENT }
    }
}

impl Registry {
    pub(super) fn put(&mut self, id: Id, claim: Claim) {
        self.claims.insert(id, claim);
    }

    /// A number that rests on these runs.
    pub(super) fn number_of(&mut self, id: Id, number: Number<'_>, formula: String, runs: &Runs) {
        let Number { value, unit, text, rounding } = number;
        let claim = Claim {
            value: Value::Number(value),
            unit: unit.to_owned(),
            text,
            rounding: rounding.to_owned(),
            ..Claim::of(formula, runs)
        };
        self.put(id, claim);
    }

    /// A number that rests on all runs.
    pub(super) fn number(&mut self, id: Id, number: Number<'_>, formula: String) {
        let all = self.all.clone();
        self.number_of(id, number, formula, &all);
    }

    pub(super) fn two(&mut self, id: Id, value: f64, unit: &str, formula: String) {
        self.number(id, Number::rounded(value, unit, 2), formula);
    }

    /// A text that no run made.
    pub(super) fn fact(&mut self, id: impl Into<Id>, value: &str, formula: &str) {
        self.text_of(id.into(), value, formula, &Runs::default());
    }

    /// A text that rests on these runs.
    pub(super) fn text_of(&mut self, id: Id, value: &str, formula: &str, runs: &Runs) {
        self.put(
            id,
            Claim { value: Value::Text(value.to_owned()), text: value.to_owned(), ..Claim::of(formula, runs) },
        );
    }

    /// A fact of the machine, or why it is not known.
    pub(super) fn maybe<T: ToString>(&mut self, id: &str, fact: &Fact<T>, formula: &str) {
        let value = match (&fact.value, &fact.reason) {
            (Some(value), _) => value.to_string(),
            (None, Some(reason)) => format!("not known ({reason})"),
            (None, None) => "not known".to_owned(),
        };
        self.fact(id, &value, formula);
    }

    pub(super) fn count(&mut self, id: impl Into<Id>, n: u64, formula: &str) {
        self.count_of(id.into(), n, formula, &Runs::default());
    }

    /// A count that rests on these runs.
    pub(super) fn count_of(&mut self, id: Id, n: u64, formula: &str, runs: &Runs) {
        self.put(id, Claim { value: Value::Integer(n as i64), text: n.to_string(), ..Claim::of(formula, runs) });
    }
}

impl Claim {
    /// An exact one without a unit; value and text are still to be said.
    pub fn of(formula: impl Into<String>, runs: &Runs) -> Claim {
        Claim {
            value: Value::Text(String::new()),
            unit: String::new(),
            text: String::new(),
            formula: formula.into(),
            rounding: "exact".to_owned(),
            n: runs.len() as u32,
            runs: runs.clone(),
            baseline_runs: Runs::default(),
            members: BTreeMap::new(),
        }
    }
}
