//! One claim of one's own -> its number, its interval, and how both came about, in words.

use std::{collections::BTreeMap, rc::Rc};

use super::{
    document::Own,
    estimate::{Estimate, Spread},
    evaluate::{Evaluator, Solved},
    flaw::{self, Flaw},
    interval::{self, Lacking},
    table::Column,
    tree::{Call, Expression, Kind, Operator, Statistic, Word},
    unit,
};
use crate::claims::words::percentage;

/// What a reader is told of a number.
#[derive(Debug)]
pub(super) struct Told {
    pub formula: String,
    /// `95 % … interval`, of the two ends.
    pub interval: String,
    /// Is it a whole number, exactly?
    pub whole: bool,
    /// Is it a share that stands alone?
    pub share: bool,
}

/// Computes a claim.
///
/// # Errors
/// What is wrong with it, at its place; `value` or `paired`, the key, too.
pub(super) fn solve(
    evaluator: &mut Evaluator<'_>,
    own: &Own,
    confidence: f64,
) -> Result<(Solved, Told), (&'static str, Flaw)> {
    let value = |flaw: Flaw| ("value", flaw);
    let inner = own.value.bare();
    let percent = percentage(confidence);
    let written = own.value.to_string();
    if !own.paired.is_empty() {
        return pairs(evaluator, own, confidence);
    }
    let (rows, baseline_runs) = evaluator.rows(&own.value, None).map_err(value)?;
    let mut told = Told { formula: written, interval: String::new(), whole: is_whole(inner), share: false };
    let failed = |error: anyhow::Error| value(not_a_number(inner.at, &error));
    let carried = || Spread::Never(format!("how `{}` varies is not carried along", own.name));
    let (number, kind, ends, spread) = match &inner.kind {
        Kind::Call(call @ Call::Ratio { .. }) => {
            let ratios = evaluator.ratios(inner.at, call, None).map_err(value)?;
            let (number, ends) = interval::paired(&ratios.quotients, true, confidence).map_err(failed)?;
            let of = if ratios.of_runs {
                "pairs of runs of one block"
            } else {
                "pairs of cells that agree in all else, of their means"
            };
            told.formula += &format!(", geometric mean over {} {of}", ratios.quotients.len());
            told.interval = format!("{percent} % Student's t interval, on logarithms");
            (number, unit::BARE, ends, carried())
        }
        Kind::Call(Call::Share { met, given }) => {
            let (share, n) = evaluator.share(inner.at, met, given, None).map_err(value)?;
            told.formula += &format!(", of {n} runs");
            told.interval = format!("{percent} % score interval (Wilson)");
            told.share = true;
            (share, unit::BARE, interval::share(share, n, confidence).map_err(failed)?, carried())
        }
        _ => {
            let Estimate { value: number, kind, spread } = evaluator.value(&own.value, None).map_err(value)?;
            match spread {
                Spread::Never(why) => (number, kind, Err(Lacking { why, always: true }), carried()),
                Spread::By(by) => {
                    told.interval = format!(
                        "{percent} % Student's t interval (delta method over cells' means, Satterthwaite's degrees of freedom)"
                    );
                    let ends = interval::delta(&mut evaluator.table, number, &by, confidence).map_err(failed)?;
                    (number, kind, ends, Spread::By(by))
                }
            }
        }
    };
    let finite = number.is_finite() && ends.as_ref().map_or(true, |ends| ends.iter().all(|end| end.is_finite()));
    if !finite {
        return Err(value(Flaw::new(inner.at, "the number is too large to print", "check the factors")));
    }
    Ok((Solved { value: number, kind, ends, spread, rows: Rc::new(rows), baseline_runs }, told))
}

fn not_a_number(at: usize, error: &anyhow::Error) -> Flaw {
    Flaw::new(at, format!("the interval is no number: {error}"), "is a value of a run zero or negative there?")
}

/// Is it a count, or a sum or an extreme of whole numbers?
fn is_whole(expression: &Expression) -> bool {
    match &expression.kind {
        Kind::Call(Call::Count { .. }) => true,
        Kind::Call(Call::Statistic { statistic: Statistic::Min | Statistic::Max | Statistic::Sum, of, .. }) => {
            Column::named(&of.text).is_some_and(Column::is_whole)
        }
        _ => false,
    }
}

/// The expression once for each combination of levels of the factors that pairs share.
fn pairs(evaluator: &mut Evaluator<'_>, own: &Own, confidence: f64) -> Result<(Solved, Told), (&'static str, Flaw)> {
    let value = |flaw: Flaw| ("value", flaw);
    let inner = own.value.bare();
    let is = |wanted: &[Operator]| match &inner.kind {
        Kind::Chain(_, rest) => rest.iter().any(|(operator, ..)| wanted.contains(operator)),
        _ => false,
    };
    let on_logarithms = is(&[Operator::Over]);
    if !on_logarithms && !is(&[Operator::Minus]) {
        let hint =
            "pairs are of a / b or a - b; leave `paired` out of what is neither (a mean over all runs needs none)";
        return Err(("paired", Flaw::new(0, "what is paired is neither a quotient nor a difference", hint)));
    }
    let mut places = Vec::new();
    for name in &own.paired {
        let word = Word { at: 0, text: name.clone() };
        places.push(super::select::factor(&evaluator.table, &word).map_err(|flaw| ("paired", flaw))?);
    }
    let mut blocks: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
    for (cell, levels) in evaluator.table.summary.grid.cells.iter().enumerate() {
        blocks.entry(places.iter().map(|place| levels[*place]).collect()).or_default().push(cell);
    }
    let (mut values, mut cells, mut kind, mut missing) = (Vec::new(), Vec::new(), unit::BARE, None);
    for block in blocks.values() {
        match evaluator.value(inner, Some(block)) {
            Ok(Estimate { value, kind: of, .. }) => {
                if on_logarithms && value <= 0.0 {
                    let hint = "take the difference, or leave `paired` out";
                    return Err((
                        "value",
                        Flaw::new(inner.at, "a quotient that is not positive has no logarithm", hint),
                    ));
                }
                values.push(value);
                kind = of;
                cells.extend(block);
            }
            Err(flaw) if flaw.kind == flaw::Kind::NoRuns => missing = missing.or(Some(flaw)),
            Err(flaw) => return Err(("value", flaw)),
        }
    }
    let factors = own.paired.join(", ");
    if values.is_empty() {
        let flaw = missing.unwrap_or_else(|| Flaw::new(inner.at, "no run is there", "did runs end well?"));
        let hint = format!(
            "runs of a pair agree in {factors}: has a condition in the expression another level of one of them?"
        );
        return Err(("value", Flaw { what: format!("no pair is complete: {}", flaw.what), hint, ..flaw }));
    }
    let found = interval::paired(&values, on_logarithms, confidence);
    let (number, ends) = found.map_err(|error| value(not_a_number(inner.at, &error)))?;
    cells.sort_unstable();
    let (rows, baseline_runs) = evaluator.rows(inner, Some(&cells)).map_err(value)?;
    let (mean, scale) = if on_logarithms { ("geometric mean", ", on logarithms") } else { ("mean", "") };
    let told = Told {
        formula: format!("{}, {mean} over {} pairs that agree in {factors}", own.value, values.len()),
        interval: format!("{} % Student's t interval{scale}", percentage(confidence)),
        whole: false,
        share: false,
    };
    let why = format!("`{}` is paired, and what is calculated from it has no interval", own.name);
    let rows = Rc::new(rows);
    Ok((Solved { value: number, kind, ends, spread: Spread::Never(why), rows, baseline_runs }, told))
}
