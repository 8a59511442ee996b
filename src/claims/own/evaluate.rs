//! An expression and the table of runs -> a number. Each function of runs is computed once, however often it stands in the file.

use std::{cmp::Reverse, collections::BTreeMap, rc::Rc};

use super::{
    estimate::{Estimate, Misfit, Spread},
    flaw::{self, Flaw},
    interval::{Ends, Lacking},
    select::{column, no_run, select},
    table::{Bits, Column, Moments, Selection, Table},
    tree::{Call, Condition, End, Expression, Kind, Operator, Statistic, Word},
    unit,
};
use crate::{
    analysis::stats,
    claims::{Claims, Runs, Value},
};

/// A claim of one's own that has been computed.
#[derive(Debug, Clone)]
pub(super) struct Solved {
    pub value: f64,
    pub kind: unit::Kind,
    pub ends: Ends,
    /// For what is calculated from it.
    pub spread: Spread,
    pub rows: Rc<Bits>,
    pub baseline_runs: Runs,
}

/// No percentile of fewer runs (docs/METHODOLOGY.md).
const FEWEST_FOR_QUANTILES: usize = 20;

pub(super) struct Evaluator<'a> {
    pub table: Table<'a>,
    pub program: &'a Claims,
    pub own: BTreeMap<String, Solved>,
    calls: BTreeMap<String, Estimate>,
    selections: BTreeMap<String, Rc<Selection>>,
    /// Rows behind functions.
    pub marked: BTreeMap<String, Rc<Bits>>,
    /// Rows and cells that were looked at.
    spent: u64,
}

/// A file may be somebody else's: what it may cost is counted, so that it is refused on every machine or on none. A hundred claims over
/// a million runs look at some 10^8.
const MOST_SPENT: u64 = 10_000_000_000;

/// Of which cells: all, or those of one pair. What pairs give needs no spread of its own.
pub(super) type Scope<'s> = Option<&'s [usize]>;

impl<'a> Evaluator<'a> {
    pub fn of(table: Table<'a>, program: &'a Claims) -> Self {
        Evaluator {
            table,
            program,
            own: BTreeMap::new(),
            calls: BTreeMap::new(),
            selections: BTreeMap::new(),
            marked: BTreeMap::new(),
            spent: 0,
        }
    }

    pub fn value(&mut self, expression: &Expression, scope: Scope<'_>) -> Result<Estimate, Flaw> {
        let at = expression.at;
        match &expression.kind {
            Kind::Number { value, unit: None, .. } => Ok(Estimate::exact(*value, unit::BARE)),
            Kind::Number { value, unit: Some(unit), .. } => Ok(Estimate::exact(unit.take(*value), unit.kind)),
            Kind::Own(name, end) => self.named(at, name, *end, scope),
            Kind::Program(id) => self.program(at, id, scope),
            Kind::Negated(inside) => Ok(self.value(inside, scope)?.negated()),
            Kind::Bracketed(inside) => self.value(inside, scope),
            Kind::Chain(first, rest) => {
                let mut found = self.value(first, scope)?;
                for (operator, at, next) in rest {
                    let other = self.value(next, scope)?;
                    self.spend(*at, if scope.is_some() { 1 } else { self.table.cells() })?;
                    found = found
                        .with(*operator, &other)
                        .map_err(|misfit| told(&misfit, *operator, *at, [&found, &other], next))?;
                }
                Ok(found)
            }
            Kind::Call(call) => self.call(at, call, scope),
        }
    }

    pub fn spend(&mut self, at: usize, cost: usize) -> Result<(), Flaw> {
        self.spent = self.spent.saturating_add(cost as u64);
        if self.spent <= MOST_SPENT {
            return Ok(());
        }
        let hint = "give what is used often a name of its own: it is then computed once";
        Err(Flaw::new(at, "the file asks for more than a paper's numbers need", hint))
    }

    fn named(&self, at: usize, name: &str, end: Option<End>, scope: Scope<'_>) -> Result<Estimate, Flaw> {
        let Some(solved) = self.own.get(name) else {
            // Names are known when a file is read: this one has a fault of its own.
            return Err(Flaw::new(at, format!("`{name}` could not be computed"), format!("mend `{name}` first")));
        };
        if scope.is_some() && !solved.rows.iter().all(|word| *word == 0) {
            let what = format!("`{name}` is one number, and not one for each pair");
            return Err(Flaw::new(at, what, "write the functions themselves, or leave `paired` out"));
        }
        let Some(end) = end else {
            return Ok(Estimate { value: solved.value, kind: solved.kind, spread: solved.spread.clone() });
        };
        match &solved.ends {
            Ok([low, high]) => {
                let value = if end == End::Low { *low } else { *high };
                Ok(Estimate::without_interval(value, solved.kind, "the end of an interval has no interval"))
            }
            Err(Lacking { why, always }) => {
                let what = format!("`{name}` has no interval: {why}");
                let kind = if *always { flaw::Kind::Wrong } else { flaw::Kind::NotKnown };
                Err(Flaw::new(at, what, "docs/CLAIMS.md says what has an interval").is(kind))
            }
        }
    }

    fn program(&self, at: usize, id: &str, scope: Scope<'_>) -> Result<Estimate, Flaw> {
        let Some(claim) = self.program.claims.get(id) else {
            let start = |other: &str| other.bytes().zip(id.bytes()).take_while(|(a, b)| a == b).count();
            let end = |other: &str| other.bytes().rev().zip(id.bytes().rev()).take_while(|(a, b)| a == b).count();
            let nearest =
                self.program.claims.keys().max_by_key(|other| (start(other) + end(other), Reverse(other.len())));
            let hint = nearest.map_or(String::new(), |nearest| format!("did you mean claim('{nearest}')?"));
            let id: String = id.chars().take(80).collect();
            return Err(Flaw::new(at, format!("the program has no claim `{id}`"), hint));
        };
        if scope.is_some() {
            let what = format!("claim('{id}') is one number, and not one for each pair");
            return Err(Flaw::new(at, what, "write the functions themselves, or leave `paired` out"));
        }
        let value = match &claim.value {
            Value::Integer(value) => *value as f64,
            Value::Number(value) => *value,
            Value::Text(_) => {
                let what = format!("claim('{id}') is a text, not a number");
                return Err(Flaw::new(at, what, "texts are for prose: {{ n(id=…) }}"));
            }
        };
        let unit = if claim.unit.is_empty() { Ok(unit::BARE.unit()) } else { unit::Unit::read(&claim.unit) };
        let unit = unit.map_err(|_| {
            let what = format!("claim('{id}') is in {}, with which nothing here calculates", claim.unit);
            Flaw::new(at, what, "write the function that it comes from")
        })?;
        let why = format!("how claim('{id}') varies is not carried along; write the function that it comes from");
        Ok(Estimate::without_interval(unit.take(value), unit.kind, why))
    }

    fn call(&mut self, at: usize, call: &Call, scope: Scope<'_>) -> Result<Estimate, Flaw> {
        if scope.is_some() {
            return self.compute(at, call, scope);
        }
        let key = call.to_string();
        if let Some(known) = self.calls.get(&key) {
            return Ok(known.clone());
        }
        let found = self.compute(at, call, None)?;
        // Derivatives are large to keep, and what has them came from cells and costs little.
        let is_small = match &found.spread {
            Spread::By(columns) => columns.is_empty(),
            Spread::Never(_) => true,
        };
        if is_small {
            self.calls.insert(key, found.clone());
        }
        Ok(found)
    }

    pub fn select(&mut self, given: &[Condition]) -> Result<Rc<Selection>, Flaw> {
        let key = given.iter().map(Condition::to_string).collect::<Vec<_>>().join(", ");
        if let Some(known) = self.selections.get(&key) {
            return Ok(Rc::clone(known));
        }
        let found = Rc::new(select(&self.table, given)?);
        self.selections.insert(key, Rc::clone(&found));
        Ok(found)
    }

    fn compute(&mut self, at: usize, call: &Call, scope: Scope<'_>) -> Result<Estimate, Flaw> {
        self.spend(at, scope.map_or(self.table.cells(), <[usize]>::len))?;
        match call {
            Call::Statistic { statistic, of, given } => self.statistic(at, *statistic, of, given, scope),
            Call::Count { given } => {
                let selection = self.select(given)?;
                self.spend(at, if selection.tests.is_empty() { 0 } else { self.table.size(scope) })?;
                Ok(Estimate::exact(self.table.count(&selection, scope) as f64, unit::BARE))
            }
            Call::Share { met, given } => {
                let (share, _) = self.share(at, met, given, scope)?;
                let why = "a share that stands alone has an interval; what is calculated from it has none";
                Ok(Estimate::without_interval(share, unit::BARE, why))
            }
            Call::Slope { of, factor, given } => self.slope(at, of, factor, given, scope),
            Call::Ratio { .. } => {
                let ratios = self.ratios(at, call, scope)?;
                let (value, _) = super::interval::paired(&ratios.quotients, true, 0.95).map_err(|error| {
                    Flaw::new(at, format!("the ratio is no number: {error}"), "is a value of a run zero or negative?")
                })?;
                let why = "a ratio that stands alone has an interval; what is calculated from it has none";
                Ok(Estimate::without_interval(value, unit::BARE, why))
            }
        }
    }

    /// A share of runs, and of how many.
    pub fn share(
        &mut self,
        at: usize,
        met: &[Condition],
        given: &[Condition],
        scope: Scope<'_>,
    ) -> Result<(f64, f64), Flaw> {
        let (met, given) = (self.select(met)?, self.select(given)?);
        self.spend(at, self.table.size(scope))?;
        let both = Selection {
            cells: met.cells.iter().zip(&given.cells).map(|(a, b)| *a && *b).collect(),
            tests: met.tests.iter().chain(&given.tests).cloned().collect(),
        };
        let all = self.table.count(&given, scope) as f64;
        if all == 0.0 {
            return Err(no_run(at, "no run meets the conditions behind `|`"));
        }
        Ok((self.table.count(&both, scope) as f64 / all, all))
    }

    fn statistic(
        &mut self,
        at: usize,
        statistic: Statistic,
        of: &Word,
        given: &[Condition],
        scope: Scope<'_>,
    ) -> Result<Estimate, Flaw> {
        let column = column(&self.table, of)?;
        let selection = self.select(given)?;
        if self.table.count(&selection, scope) == 0 {
            let at = given.first().map_or(at, |condition| condition.name.at);
            return Err(no_run(at, "no run meets the conditions"));
        }
        let moments = self.table.moments(column);
        let kind = column.kind();
        if matches!(statistic, Statistic::Mean | Statistic::Sd | Statistic::Min | Statistic::Max)
            && selection.tests.is_empty()
        {
            return self.by_cell(at, statistic, of, column, &moments, &selection, scope);
        }
        self.spend(at, self.table.size(scope))?;
        let values = self.table.values(column, &selection, scope);
        if values.is_empty() {
            return Err(lacking(of));
        }
        let n = values.len();
        let value = match statistic {
            Statistic::Mean => stats::mean(&values),
            Statistic::Sum if selection.tests.is_empty() => {
                let spread = self.means(&moments, &selection, scope, n as f64);
                let spread = spread.map_or_else(not_paired, |by| Spread::By(BTreeMap::from([(column, by)])));
                return Ok(Estimate { value: values.iter().sum(), kind, spread });
            }
            Statistic::Sum => values.iter().sum(),
            Statistic::Sd => deviation(at, &values)?,
            Statistic::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
            Statistic::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Statistic::Median => stats::quantiles(values, [0.5])[0],
            Statistic::Quantile(share) => {
                if n < FEWEST_FOR_QUANTILES {
                    let what = format!("a quantile needs {FEWEST_FOR_QUANTILES} runs, and {n} are there");
                    return Err(Flaw::new(at, what, "`median`, `min` and `max` need no more than there are"));
                }
                stats::quantiles(values, [share])[0]
            }
        };
        let why = match statistic {
            Statistic::Mean | Statistic::Sum => "a condition on a metric picks runs by what was measured".to_owned(),
            other => format!("`{}` has none", other.name()),
        };
        Ok(Estimate::without_interval(value, kind, why))
    }

    /// From what is known of cells, without a look at their runs.
    #[expect(clippy::too_many_arguments, reason = "what a statistic is of")]
    fn by_cell(
        &mut self,
        at: usize,
        statistic: Statistic,
        of: &Word,
        column: Column,
        moments: &Moments,
        selection: &Selection,
        scope: Scope<'_>,
    ) -> Result<Estimate, Flaw> {
        let cells: Vec<usize> = self.table.selected(selection, scope).filter(|cell| moments.n[*cell] > 0.0).collect();
        let Some(first) = cells.first() else {
            return Err(lacking(of));
        };
        let n: f64 = cells.iter().map(|cell| moments.n[*cell]).sum();
        let start = moments.mean[*first];
        // Exact where all cells are equal.
        let mean = start + cells.iter().map(|cell| moments.n[*cell] * (moments.mean[*cell] - start)).sum::<f64>() / n;
        let over = |values: &[f64], start: f64, of: fn(f64, f64) -> f64| {
            cells.iter().map(|cell| values[*cell]).fold(start, of)
        };
        let value = match statistic {
            Statistic::Mean => {
                let spread = self.means(moments, selection, scope, 1.0);
                let spread = spread.map_or_else(not_paired, |by| Spread::By(BTreeMap::from([(column, by)])));
                return Ok(Estimate { value: mean, kind: column.kind(), spread });
            }
            Statistic::Min => over(&moments.min, f64::INFINITY, f64::min),
            Statistic::Max => over(&moments.max, f64::NEG_INFINITY, f64::max),
            _ if n < 2.0 => return Err(one_run(at)),
            _ => {
                let apart =
                    |cell: &usize| moments.n[*cell] * (moments.mean[*cell] - mean) * (moments.mean[*cell] - mean);
                let squares: f64 = cells.iter().map(|cell| moments.squares[*cell] + apart(cell)).sum();
                (squares / (n - 1.0)).sqrt()
            }
        };
        let why = format!("`{}` has none", statistic.name());
        Ok(Estimate::without_interval(value, column.kind(), why))
    }

    /// Derivatives of `times` the mean over runs by the mean of each cell; none of a pair.
    fn means(&self, moments: &Moments, selection: &Selection, scope: Scope<'_>, times: f64) -> Option<Vec<f64>> {
        if scope.is_some() {
            return None;
        }
        let mut by = vec![0.0; self.table.cells()];
        let all: f64 = self.table.selected(selection, None).map(|cell| moments.n[cell]).sum();
        self.table.selected(selection, None).for_each(|cell| by[cell] = times * moments.n[cell] / all);
        Some(by)
    }
}

pub(super) fn not_paired() -> Spread {
    Spread::Never("it is one half of a pair".to_owned())
}

/// That no run has the number.
fn lacking(of: &Word) -> Flaw {
    let hint = "not every engine and machine tells it: `null` in runs.jsonl is why";
    Flaw::new(of.at, format!("no run there has the metric `{}`", of.text), hint).is(flaw::Kind::NoRuns)
}

fn one_run(at: usize) -> Flaw {
    Flaw::new(at, "one run is there, and a deviation needs two", "repeat runs: benchmark_settings.num_runs")
}

fn deviation(at: usize, values: &[f64]) -> Result<f64, Flaw> {
    let mean = stats::mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    if values.len() < 2 { Err(one_run(at)) } else { Ok((squares / (values.len() - 1) as f64).sqrt()) }
}

/// Why an operator does not go with what stands beside it.
fn told(misfit: &Misfit, operator: Operator, at: usize, [a, b]: [&Estimate; 2], next: &Expression) -> Flaw {
    let sign = operator.sign();
    match misfit {
        Misfit::Kinds => kinds(at, &format!("`{sign}`"), a.kind, b.kind, next),
        Misfit::Power => {
            Flaw::new(at, format!("`{sign}` gives a unit that nobody uses"), "is it multiplied too often?")
        }
        Misfit::Zero => {
            let is_count = matches!(&next.bare().kind, Kind::Call(Call::Count { .. }));
            let what = if is_count { "division by a count of zero" } else { "division by zero" };
            Flaw::new(at, what, "which runs are behind the divisor? `count(…)` with its conditions tells")
        }
        Misfit::Size => Flaw::new(at, format!("`{sign}` gives a number too large to print"), "check the factors"),
    }
}

/// That two units do not go together.
pub(super) fn kinds(at: usize, sign: &str, a: unit::Kind, b: unit::Kind, next: &Expression) -> Flaw {
    let name =
        |kind: unit::Kind| if kind == unit::BARE { "a number without a unit".to_owned() } else { kind.to_string() };
    let hint = match &next.kind {
        Kind::Number { written, unit: None, .. } => format!("write {written} {}", a.unit().name),
        _ => format!("both sides need one unit: {}", a.fitting()),
    };
    Flaw::new(at, format!("{sign} stands between {} and {}", name(a), name(b)), hint)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{analysis::summarise, claims::build, claims::own::parse, store::Run};

    /// By a count of rows, not by a clock: it is the same file everywhere.
    #[test]
    fn what_costs_too_much_is_refused() {
        let run = Run::open(Path::new("tests/data/fake_run")).unwrap();
        let summary = summarise(&run.study, &run.records).unwrap();
        let program = build(&run, &summary).unwrap();
        let mut evaluator = Evaluator::of(Table::of(&summary), &program);
        let asked = parse::expression("sum(latency) / sum(ttft)").unwrap();
        assert!(evaluator.value(&asked, None).is_ok());
        let cost = evaluator.spent;
        assert!(cost >= 2 * 16, "{cost}");
        evaluator.spent = MOST_SPENT - cost;
        assert!(evaluator.value(&asked, None).is_ok());
        let flaw = evaluator.value(&asked, None).unwrap_err();
        assert!(flaw.what.contains("more than a paper's numbers need") && flaw.at == 0, "{flaw:?}");
    }
}
