//! The block `factors` of a study file -> factors with their levels. Names are those of the factors that act somewhere and whose levels
//! stand nowhere else in the file; levels are those that every engine of the study can do.

use super::{
    Drafter, ModelSpec,
    demand::{Checked, above_zero, distinct, ensure, in_range, not_empty},
    drafts,
    error::Problem,
    file::Factors,
};
use crate::factor::{DRAFT, Factor, KNOWN, Known, Level, Value};

/// # Errors
/// A factor that is none, or that the study lists elsewhere; a level twice, out of range, or beyond what an engine can do.
pub(super) fn check(Factors(entries): Factors, models: &[ModelSpec], drafters: &[Drafter]) -> Checked<Vec<Factor>> {
    entries.into_iter().map(|(name, levels)| factor(&name, &levels, models, drafters)).collect()
}

fn factor(name: &str, levels: &[Value], models: &[ModelSpec], drafters: &[Drafter]) -> Checked<Factor> {
    let key = format!("factors.{name}");
    let known = known(name, &key)?;
    let (least, most) = known.range.unwrap_or_default();
    not_empty(&key, levels, "list its levels, the reference first")?;
    if name == DRAFT {
        return Ok(known.with(drafts::levels(levels, models, drafters)?));
    }
    let levels = numbers(&key, levels, known.whole)?;
    let levels = levels.as_slice();
    for (i, level) in levels.iter().enumerate() {
        let unit = if known.unit.is_empty() { String::new() } else { format!(" of {}", known.unit) };
        let (key, hint) = (format!("{key}[{i}]"), format!("a level of `{name}` is a number{unit}"));
        if known.whole {
            in_range(&key, level, &f64::from(least), &f64::from(most), &hint)?;
        } else {
            above_zero(&key, level, f64::from(most), &hint)?;
        }
    }
    distinct(&key, levels, f64::to_string, "")?;
    for model in models {
        let of_engine = model.engine.most(name).unwrap_or(0.0);
        for (i, level) in levels.iter().enumerate() {
            let expected = format!("at most {of_engine}, which is what the engine {} can do", model.engine);
            let hint = "take the level out; docs/FORMAT.md lists which engines act on which factor";
            ensure(*level <= of_engine, &format!("{key}[{i}]"), &expected, &level.to_string(), hint)?;
        }
    }
    Ok(known.with(levels.iter().map(|level| Level::number(*level)).collect()))
}

/// Levels that are numbers, whole ones where the factor counts.
fn numbers(key: &str, levels: &[Value], whole: bool) -> Checked<Vec<f64>> {
    let number = |(i, level): (usize, &Value)| {
        let counts = |number: &f64| number.trunc() == *number && (0.0..=f64::from(u32::MAX)).contains(number);
        let number = level.as_number().filter(|number| !whole || counts(number));
        let what = || format!("expected a {}number, found {level}", if whole { "whole " } else { "" });
        number.ok_or_else(|| Problem::new(format!("{key}[{i}]"), what(), "levels of this factor are numbers"))
    };
    levels.iter().enumerate().map(number).collect()
}

/// The factor of this name, if its levels are listed here.
fn known(name: &str, key: &str) -> Checked<&'static Known> {
    let found = KNOWN.iter().find(|known| known.name == name && known.is_listed_there());
    let here: Vec<&str> = KNOWN.iter().filter(|known| known.is_listed_there()).map(|known| known.name).collect();
    let problem = |found: String, hint: String| {
        Problem::new(key, format!("expected one of {}, found {found}", here.join(", ")), hint)
    };
    // `prompts: [...]`, `max_tokens: [...]` and `prompt: [...]` are meant alike.
    let is_elsewhere = |known: &&Known| {
        let listed = known.listed.rsplit('.').next().unwrap_or_default();
        !known.is_listed_there() && [known.name, listed, &format!("{}s", known.name)].contains(&name)
    };
    let elsewhere = KNOWN.iter().find(is_elsewhere);
    found.ok_or_else(|| match elsewhere {
        Some(known) => problem(
            format!("`{name}`, which the study lists elsewhere"),
            format!("its levels are listed as `{}`", known.listed),
        ),
        None => problem(format!("the unknown factor `{name}`"), nearest(name, &here)),
    })
}

fn nearest(name: &str, known: &[&str]) -> String {
    let distance = |other: &&&str| strsim::damerau_levenshtein(name, other);
    match known.iter().min_by_key(distance).filter(|other| distance(other) <= other.len() / 3 + 1) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "a factor needs a place where it acts; docs/FORMAT.md lists those that have one".to_owned(),
    }
}
