//! Conditions -> the runs that they pick. Factors, levels, metrics and units are looked up here.

use super::{
    document::COUNTS,
    flaw::{self, Flaw, did_you_mean},
    table::{Column, Selection, Table, Tested},
    tree::{Comparison, Condition, Level, Test, Word},
    unit::{BARE, TOKENS},
};
use crate::{
    factor::{Factor, Known},
    metric::Metric,
};

/// The runs that meet all of them.
pub(super) fn select(table: &Table<'_>, given: &[Condition]) -> Result<Selection, Flaw> {
    let mut selection = Selection { cells: vec![true; table.cells()], tests: Vec::new() };
    for condition in given {
        let name = condition.name.text.as_str();
        if let Some(place) = table.summary.factors.iter().position(|factor| factor.name == name) {
            let kept = levels(&table.summary.factors[place], condition)?;
            for (cell, keep) in table.summary.grid.cells.iter().zip(&mut selection.cells) {
                *keep &= kept[cell[place]];
            }
        } else if let Some(column) = Column::named(name) {
            selection.tests.push((column, tested(column, condition)?));
        } else {
            let columns = Metric::ALL.iter().map(|metric| metric.name()).chain(COUNTS);
            return Err(no_factor(table, &condition.name, columns.collect()));
        }
    }
    Ok(selection)
}

/// The place of a factor by its name.
pub(super) fn factor(table: &Table<'_>, word: &Word) -> Result<usize, Flaw> {
    let place = table.summary.factors.iter().position(|factor| factor.name == word.text);
    place.ok_or_else(|| no_factor(table, word, Vec::new()))
}

fn no_factor(table: &Table<'_>, word: &Word, others: Vec<&str>) -> Flaw {
    let factors: Vec<&str> = table.factors().into_iter().collect();
    let name = &word.text;
    if Known::named(name).is_some() {
        let what = format!("the study has no factor `{name}`");
        return Flaw::new(word.at, what, format!("its factors are {}", factors.join(", ")));
    }
    let kinds = if others.is_empty() { "factor" } else { "factor or metric" };
    let known = factors.into_iter().chain(others);
    Flaw::new(word.at, format!("there is no {kinds} `{}`", shown(name)), did_you_mean(name, known))
}

/// A metric, or a count that every run has.
pub(super) fn column(table: &Table<'_>, word: &Word) -> Result<Column, Flaw> {
    Column::named(&word.text).ok_or_else(|| {
        let name = &word.text;
        let hint = if table.factors().contains(name.as_str()) {
            format!("`{name}` is a factor: conditions on it stand behind `|`")
        } else {
            did_you_mean(name, Metric::ALL.iter().map(|metric| metric.name()).chain(COUNTS))
        };
        Flaw::new(word.at, format!("there is no metric `{}`", shown(name)), hint)
    })
}

/// By level: does it meet the condition?
fn levels(factor: &Factor, condition: &Condition) -> Result<Vec<bool>, Flaw> {
    match &condition.test {
        Test::Is(comparison @ (Comparison::Equal | Comparison::Unequal), wanted) => {
            let place = level(factor, wanted)?;
            Ok((0..factor.levels.len()).map(|at| (at == place) == (*comparison == Comparison::Equal)).collect())
        }
        Test::Is(comparison, than) => {
            let than = number(factor, than)?.filter(|_| factor.levels.iter().all(|level| level.as_number().is_some()));
            let Some(than) = than else {
                let what =
                    format!("levels of `{}` are not numbers, so `{}` means nothing", factor.name, comparison.sign());
                return Err(Flaw::new(condition.name.at, what, "use `=`, `!=` or `in {…}`"));
            };
            let holds = |level: Option<f64>| level.is_some_and(|level| comparison.holds(level, than));
            Ok(factor.levels.iter().map(|level| holds(level.as_number())).collect())
        }
        Test::In(list) => {
            let mut kept = vec![false; factor.levels.len()];
            for wanted in list {
                kept[level(factor, wanted)?] = true;
            }
            Ok(kept)
        }
    }
}

/// The place of a level.
pub(super) fn level(factor: &Factor, wanted: &Level) -> Result<usize, Flaw> {
    let number = number(factor, wanted)?;
    let is_it = |level: &crate::factor::Level| {
        level.key() == wanted.text || number.is_some_and(|number| level.as_number() == Some(number))
    };
    factor.levels.iter().position(is_it).ok_or_else(|| {
        let keys: Vec<_> = factor.levels.iter().map(|level| level.key()).collect();
        let what = format!("`{}` has no level `{}`", factor.name, shown(&wanted.text));
        Flaw::new(wanted.at, what, did_you_mean(&wanted.text, keys.iter().map(AsRef::as_ref)))
    })
}

/// A level as a number, in the factor's unit.
fn number(factor: &Factor, level: &Level) -> Result<Option<f64>, Flaw> {
    let Some(unit) = &level.unit else { return Ok(level.text.parse().ok()) };
    if unit.kind == TOKENS && factor.unit == "tokens" {
        return Ok(level.text.parse().ok());
    }
    let of = if factor.unit.is_empty() { "no unit".to_owned() } else { factor.unit.clone() };
    let what = format!("levels of `{}` are in {of}, not in {}", factor.name, unit.name);
    Err(Flaw::new(level.at, what, format!("write {}", level.text)))
}

/// A condition on what the run has.
fn tested(column: Column, condition: &Condition) -> Result<Tested, Flaw> {
    let read = |level: &Level| {
        let name = &condition.name.text;
        let number = level.text.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or_else(|| {
            let what = format!("expected a number for `{name}`, found `{}`", shown(&level.text));
            Flaw::new(level.at, what, format!("write it with its unit: {} < 300 {}", name, column.kind().unit().name))
        })?;
        match &level.unit {
            Some(unit) if unit.kind == column.kind() => Ok(unit.take(number)),
            None if [BARE, TOKENS].contains(&column.kind()) => Ok(number),
            other => {
                let found = other.as_ref().map_or("a number without a unit".to_owned(), |unit| unit.name.clone());
                let what = format!("`{name}` is in {}, not {found}", column.kind());
                let hint = format!("write it in {}", column.kind().fitting());
                Err(Flaw::new(level.at, what, hint))
            }
        }
    };
    Ok(match &condition.test {
        Test::Is(comparison, level) => Tested::Is(*comparison, read(level)?),
        Test::In(list) => Tested::In(list.iter().map(read).collect::<Result<_, _>>()?),
    })
}

/// That no run is there for a function.
pub(super) fn no_run(at: usize, what: &str) -> Flaw {
    let hint = "is the combination of levels in the study, and did its runs end well? the `error` of a row says why one failed";
    Flaw::new(at, what, hint).is(flaw::Kind::NoRuns)
}

fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}
