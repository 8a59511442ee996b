//! What a predicate of one's own asks -> does it hold, and the sentence for that. What these runs do not tell is inconclusive.

use std::collections::BTreeMap;

use super::{
    document::{Judged, SAYS},
    evaluate::{self, Evaluator},
    flaw::{self, Fault, Flaw, did_you_mean},
    tell::{Number, UNKNOWN},
    template::{Digits, Template},
    tree::{Compared, End},
    wording,
};
use crate::claims::{Claims, Predicate, words::sentence};

/// `numbers` are those of the file, `claims` all there are, of the program's too.
///
/// # Errors
/// What is wrong with it.
pub(super) fn judge(
    evaluator: &mut Evaluator<'_>,
    judged: &Judged,
    numbers: &BTreeMap<String, Number>,
    claims: &Claims,
) -> Result<Predicate, Vec<Fault>> {
    let path = |key: &str| format!("predicates.{}.{key}", judged.name);
    let (mut faults, mut unknown) = (Vec::new(), Vec::new());
    let mut ask = |key: &str, asked: &[Compared]| {
        let mut all = Some(true);
        for compared in asked {
            match compare(evaluator, compared) {
                Ok(true) => {}
                Ok(false) => all = Some(false),
                Err(flaw) if flaw.kind == flaw::Kind::NotKnown => {
                    all = all.filter(|all| !all);
                    if !unknown.contains(&flaw.what) {
                        unknown.push(flaw.what);
                    }
                }
                Err(flaw) => faults.push(flaw.of(path(key))),
            }
        }
        all
    };
    let holds = ask("holds", &judged.holds);
    let fails = judged.fails.as_ref().map(|asked| ask("fails", asked));
    for (key, template) in SAYS.iter().zip(&judged.says) {
        for (at, slot, _) in template.iter().flat_map(Template::slots) {
            if !is_known(slot, numbers, claims) {
                let known = numbers.keys().map(String::as_str);
                let flaw = Flaw::new(at, format!("there is no claim `{slot}`"), did_you_mean(slot, known));
                faults.push(flaw.of(path("says") + "." + key));
            } else if let (name, Some(_)) = split(slot)
                && let Some(why) = numbers.get(name).and_then(|number| number.never.as_ref())
            {
                let what = format!("`{name}` has no interval: {why}");
                let flaw = Flaw::new(at, what, "docs/CLAIMS.md says what has an interval");
                faults.push(flaw.of(path("says") + "." + key));
            }
        }
    }
    for (key, template) in SAYS.iter().zip(&judged.says) {
        // Without digits a claim's whole text is put in, words and all; the ends of an interval have none.
        let unit = |slot: &str, digits: bool| {
            let (name, end) = split(slot);
            numbers.get(name).filter(|_| digits || end.is_some()).map(|number| number.unit.clone())
        };
        let checked = template.as_ref().map_or(Ok(()), |template| wording::units(template, unit));
        faults.extend(checked.err().map(|flaw| flaw.of(path("says") + "." + key)));
    }
    if faults.is_empty() && holds == Some(true) && fails == Some(Some(true)) {
        let hint = "the two must exclude each other: `holds: x.low > 1`, `fails: x.high < 1`";
        faults.push(Flaw::new(0, "`holds` and `fails` are both true of these runs", hint).of(path("fails")));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let (verdict, place) = match (holds, fails.flatten()) {
        (Some(true), _) => (Some(true), 0),
        (_, Some(true)) => (Some(false), 1),
        _ => (None, 2),
    };
    let fill = |template: &Template| template.fill(|slot, digits| told(slot, digits, numbers, claims));
    let mut text = judged.says[place].as_ref().map(fill).unwrap_or_default();
    if verdict.is_none() {
        for why in &unknown {
            text += &format!(" {}.", sentence(&why.replace('`', "")));
        }
    }
    let written = |asked: &[Compared]| asked.iter().map(Compared::to_string).collect::<Vec<_>>().join(" and ");
    let fails = judged.fails.as_ref().map_or(String::new(), |fails| format!("; fails where {}", written(fails)));
    Ok(Predicate::said(verdict, &format!("holds where {}{fails}", written(&judged.holds)), text))
}

fn compare(evaluator: &mut Evaluator<'_>, compared: &Compared) -> Result<bool, Flaw> {
    let (left, right) = (evaluator.value(&compared.left, None)?, evaluator.value(&compared.right, None)?);
    if left.kind != right.kind {
        let sign = format!("`{}`", compared.comparison.sign());
        return Err(evaluate::kinds(compared.at, &sign, left.kind, right.kind, &compared.right));
    }
    Ok(compared.comparison.holds(left.value, right.value))
}

/// `speedup`, `speedup.low`.
fn split(slot: &str) -> (&str, Option<End>) {
    for (ending, end) in [(".low", End::Low), (".high", End::High)] {
        if let Some(name) = slot.strip_suffix(ending) {
            return (name, Some(end));
        }
    }
    (slot, None)
}

fn is_known(slot: &str, numbers: &BTreeMap<String, Number>, claims: &Claims) -> bool {
    numbers.contains_key(split(slot).0) || claims.claims.contains_key(slot)
}

/// The text of a claim, or its number to other digits.
fn told(slot: &str, digits: Option<Digits>, numbers: &BTreeMap<String, Number>, claims: &Claims) -> String {
    if let Some(claim) = claims.claims.get(slot).filter(|_| digits.is_none()) {
        return claim.text.clone();
    }
    let (name, end) = split(slot);
    let number = numbers.get(name).filter(|_| digits.is_some());
    let value = number.and_then(|number| Some(number.text(number.at(end)?, digits)));
    value.unwrap_or_else(|| UNKNOWN.to_owned())
}
