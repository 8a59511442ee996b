//! A computed number -> its claims, in the author's unit and words; and those of other people.

use super::{
    document::{Elsewhere, Own},
    evaluate::Solved,
    flaw::Flaw,
    solve::Told,
    template::Digits,
    tree::End,
    unit::Unit,
    wording,
};
use crate::claims::{
    Claim, Id, Runs, Value,
    rounding::{Decimals, significant, text},
};

/// What a place shows for a number that these runs do not give.
pub(super) const UNKNOWN: &str = "–";

/// A number in its unit, and how it is rounded where nobody says.
#[derive(Debug, Clone)]
pub(super) struct Number {
    pub value: f64,
    pub ends: Option<[f64; 2]>,
    pub unit: Unit,
    rounding: Rounding,
    /// Why there can be no interval, in this study or in any.
    pub never: Option<String>,
}

#[derive(Debug, Clone, Copy)]
enum Rounding {
    Whole,
    /// To two digits of the interval's half width.
    Half(Decimals),
    Three,
}

impl Number {
    /// Somebody else's.
    pub fn theirs(found: &Elsewhere) -> Number {
        Number {
            value: found.value,
            ends: None,
            unit: found.unit.clone(),
            rounding: Rounding::Three,
            never: Some("somebody else printed it without".into()),
        }
    }

    /// # Errors
    /// A unit that does not fit.
    pub fn of(own: &Own, solved: &Solved, told: &Told) -> Result<Number, Flaw> {
        let usual = if told.share { Unit::known("%") } else { None };
        let unit = own.unit.clone().or(usual).unwrap_or_else(|| solved.kind.unit());
        if unit.kind != solved.kind {
            let what = format!("the value is in {}, which is not told in {}", solved.kind, unit.name);
            return Err(Flaw::new(0, what, format!("what fits is {}", solved.kind.fitting())));
        }
        let value = unit.tell(solved.value);
        let ends = solved.ends.as_ref().ok().map(|ends| ends.map(|end| unit.tell(end)));
        let half = ends.map(|[low, high]| (high - low) / 2.0).and_then(|half| Decimals::significant(half, 2));
        let rounding = match half {
            _ if told.whole && value.fract() == 0.0 && value.abs() < 9e15 => Rounding::Whole,
            Some(decimals) => Rounding::Half(decimals),
            None => Rounding::Three,
        };
        let never = solved.ends.as_ref().err().filter(|lacking| lacking.always).map(|lacking| lacking.why.clone());
        Ok(Number { value, ends, unit, rounding, never })
    }

    /// The number itself, or an end of its interval; `None` where there is none.
    pub fn at(&self, end: Option<End>) -> Option<f64> {
        match end {
            None => Some(self.value),
            Some(End::Low) => self.ends.map(|[low, _]| low),
            Some(End::High) => self.ends.map(|[_, high]| high),
        }
    }

    pub fn text(&self, value: f64, digits: Option<Digits>) -> String {
        match (digits, self.rounding) {
            (Some(Digits::Decimals(decimals)), _) => text(value, Decimals(decimals)),
            (Some(Digits::Significant(digits)), _) => significant(value, digits),
            (None, Rounding::Whole) => text(value, Decimals(0)),
            (None, Rounding::Half(decimals)) => text(value, decimals),
            (None, Rounding::Three) => significant(value, 3),
        }
    }

    fn rounding(&self, digits: Option<Digits>) -> String {
        match (digits, self.rounding) {
            (Some(Digits::Decimals(0)), _) => "to whole numbers, as claims.yaml says".to_owned(),
            (Some(Digits::Decimals(1)), _) => "one decimal, as claims.yaml says".to_owned(),
            (Some(Digits::Decimals(n)), _) => format!("{n} decimals, as claims.yaml says"),
            (Some(Digits::Significant(1)), _) => "one significant digit, as claims.yaml says".to_owned(),
            (Some(Digits::Significant(n)), _) => format!("{n} significant digits, as claims.yaml says"),
            (None, Rounding::Whole) => "exact".to_owned(),
            (None, Rounding::Half(_)) => "two digits of the interval's half width".to_owned(),
            (None, Rounding::Three) => "three significant digits".to_owned(),
        }
    }
}

/// The claim, and those of the ends of its interval where it has one.
///
/// # Errors
/// A text that asks for an interval that there can never be.
pub(super) fn claims(
    own: &Own,
    solved: &Solved,
    told: &Told,
    number: &Number,
    runs: &Runs,
) -> Result<Vec<(Id, Claim)>, Flaw> {
    let mut digits = [None; 3];
    if let Some(template) = &own.text {
        wording::units(template, |_, _| Some(number.unit.clone()))?;
        for (at, slot, of) in template.slots() {
            let place = ["value", "low", "high"].iter().position(|name| *name == slot).unwrap_or(0);
            if let Err(lacking) = &solved.ends
                && lacking.always
                && place > 0
            {
                let what = format!("`{}` has no interval: {}", own.name, lacking.why);
                return Err(Flaw::new(at, what, "docs/CLAIMS.md says what has an interval"));
            }
            digits[place] = digits[place].or(of);
        }
    }
    let claim = |value: f64, formula: String, digits: Option<Digits>| {
        let whole = matches!(number.rounding, Rounding::Whole) && digits.is_none();
        Claim {
            value: if whole { Value::Integer(value as i64) } else { Value::Number(value) },
            unit: number.unit.name.clone(),
            text: number.text(value, digits),
            rounding: number.rounding(digits),
            baseline_runs: solved.baseline_runs.clone(),
            ..Claim::of(formula, runs)
        }
    };
    let mut main = claim(number.value, told.formula.clone(), digits[0]);
    if let Some(template) = &own.text {
        main.text = template.fill(|slot, digits| {
            let end = [("low", End::Low), ("high", End::High)].into_iter().find(|(name, _)| *name == slot);
            let value = number.at(end.map(|(_, end)| end));
            value.map_or_else(|| UNKNOWN.to_owned(), |value| number.text(value, digits))
        });
    }
    let id = Id::new(own.name.as_str());
    let mut found = Vec::new();
    for (place, end, which) in [(1, End::Low, "lower"), (2, End::High, "upper")] {
        let Some(value) = number.at(Some(end)) else { continue };
        let formula = format!("{which} end of the {} for: {}", told.interval, told.formula);
        let mut claim = claim(value, formula, digits[place].or(digits[0]));
        // An end is no count, even where it is whole.
        claim.value = Value::Number(value);
        found.push((id.word(end.name()), claim));
    }
    found.push((id, main));
    Ok(found)
}

/// A number that somebody else has printed.
pub(super) fn elsewhere(found: &Elsewhere) -> (Id, Claim) {
    let address = found.url.as_ref().map_or(String::new(), |url| format!(" ({url})"));
    let claim = Claim {
        value: Value::Number(found.value),
        unit: found.unit.name.clone(),
        text: found.printed.clone(),
        rounding: "as it is printed there".to_owned(),
        ..Claim::of(format!("stated by {}{address}", found.source), &Runs::default())
    };
    (Id::new(found.name.as_str()), claim)
}
