//! What an author writes around a number: no digit beside the number's own, and after it no unit but its own.

use std::collections::BTreeSet;

use super::{
    flaw::Flaw,
    template::{Part, Template},
    unit::{Kind, Unit},
};
use crate::claims::words::is_number;

/// Units as people write them out.
const SPOKEN: [(&[&str], &str); 13] = [
    (&["second", "seconds", "sec", "secs"], "s"),
    (&["millisecond", "milliseconds", "msec"], "ms"),
    (&["microsecond", "microseconds", "µs", "μs"], "us"),
    (&["minute", "minutes", "mins"], "min"),
    (&["hour", "hours", "hr", "hrs"], "h"),
    (&["token", "tokens", "toks"], "tok"),
    (&["byte"], "bytes"),
    (&["kilobytes", "KB"], "kB"),
    (&["megabytes"], "MB"),
    (&["gigabytes"], "GB"),
    (&["mebibytes"], "MiB"),
    (&["percent", "per cent"], "%"),
    (&["times", "fold", "x"], "1"),
];

/// Of others, which no number here is in.
const FOREIGN: [&str; 10] =
    ["ns", "nanoseconds", "days", "weeks", "years", "joules", "watts", "TB", "gibibytes", "kibibytes"];

/// Between a unit and what it is divided by.
const PER: [&str; 4] = ["per", "a", "an", "each"];

/// Digits that no place puts in.
///
/// # Errors
/// The first of them.
pub(super) fn numbers(template: &Template) -> Result<(), Flaw> {
    for part in &template.parts {
        let Part::Words(text) = part else { continue };
        if let Some(typed) = words(text).into_iter().find(|word| is_number(word)) {
            let hint = "a text has words and its numbers' places; let a claim compute it, and put that into braces";
            return Err(Flaw::new(0, format!("the number `{typed}` is typed by hand"), hint));
        }
    }
    Ok(())
}

/// The words behind each place, held against the unit that `of` gives for it; `None` where its text has words of its own.
///
/// # Errors
/// The first that names another unit.
pub(super) fn units(template: &Template, of: impl Fn(&str, bool) -> Option<Unit>) -> Result<(), Flaw> {
    for pair in template.parts.windows(2) {
        let [Part::Slot { at, name, digits }, Part::Words(text)] = pair else { continue };
        if let Some(unit) = of(name, digits.is_some()) {
            behind(&unit, text).map_err(|flaw| Flaw { at: *at, ..flaw })?;
        }
    }
    Ok(())
}

/// Words behind a number in this unit.
///
/// # Errors
/// They name another.
pub(super) fn behind(unit: &Unit, text: &str) -> Result<(), Flaw> {
    let own: BTreeSet<&str> = unit.name.split(['/', '*']).collect();
    let words = words(text);
    let (mut named, mut direct) = (BTreeSet::new(), true);
    for word in &words {
        let parts = if *word == "1/s" { vec!["1", "s"] } else { word.split('/').filter_map(unit_named).collect() };
        let other = |part: &&str| !own.contains(part) && (direct || is_like(part, unit.kind));
        if let Some(other) = parts.iter().find(|part| other(part)) {
            return Err(wrong(unit, other));
        }
        direct = direct && (!parts.is_empty() || PER.contains(word));
        if direct {
            named.extend(parts);
        }
    }
    if named.is_empty() || named == own { Ok(()) } else { Err(wrong(unit, words.first().unwrap_or(&""))) }
}

fn wrong(unit: &Unit, found: &str) -> Flaw {
    let name = &unit.name;
    let hint = "name the unit under `unit:`, and it is computed; or write no unit in the text";
    Flaw::new(0, format!("the number is in {name}, and the text says `{found}`"), hint)
}

/// Does it measure what this kind is made of, and so look like its unit wherever it stands?
fn is_like(name: &str, kind: Kind) -> bool {
    Unit::known(name).is_none_or(|other| other.kind == kind && name != "1")
}

fn words(text: &str) -> Vec<&str> {
    let split = text.split(|c: char| c.is_whitespace() || ",;:()[]–—=<>≈~·×".contains(c));
    split
        .map(|word| word.trim_matches(['.', '!', '?', '*', '_', '"', '“', '”', '-']))
        .filter(|word| !word.is_empty())
        .collect()
}

fn unit_named(word: &str) -> Option<&'static str> {
    let spoken =
        SPOKEN.iter().find(|(forms, _)| forms.contains(&word) || forms.contains(&word.to_lowercase().as_str()));
    let known = || Unit::names().find(|name| *name == word && *name != "runs");
    let foreign = || FOREIGN.into_iter().find(|name| *name == word);
    spoken.map(|(_, name)| *name).or_else(known).or_else(foreign)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(unit: &str, text: &str) -> Result<(), String> {
        let template = Template::read(text).unwrap();
        let unit = Unit::read(unit).unwrap();
        let checked = numbers(&template).and_then(|()| units(&template, |_, _| Some(unit.clone())));
        checked.map_err(|flaw| flaw.what)
    }

    #[test]
    fn a_text_keeps_to_its_number_and_its_unit() {
        let fine = [
            ("s", "{value:.2} s"),
            ("s", "about {value} seconds"),
            ("ms", "{low} to {high} ms with float32"),
            ("tok/s", "{value} tok/s"),
            ("tok/s", "{value} tokens per second"),
            ("s/tok", "{value} s a token"),
            ("1/s", "{value} 1/s"),
            ("1", "{value:.2} times ({low} to {high})"),
            ("%", "{value}%"),
            ("1", "{value} runs"),
            ("s", "{value} for all tokens"),
        ];
        for (unit, text) in fine {
            let read = if unit == "1/s" { read(unit, "{value}") } else { read(unit, text) };
            assert_eq!(read, Ok(()), "{unit}: {text}");
        }
        let wrong = [
            ("s", "{value:.2} hours", "the number is in s, and the text says `h`"),
            ("s", "{value} ms", "the number is in s, and the text says `ms`"),
            ("s", "{value} wall-clock minutes", "the number is in s, and the text says `min`"),
            ("s", "{value} tok/s", "the number is in s, and the text says `tok`"),
            ("tok/s", "{value} s", "the number is in tok/s, and the text says `s`"),
            ("%", "{value} times", "the number is in %, and the text says `1`"),
            ("1", "{value} percent", "the number is in 1, and the text says `%`"),
            ("s", "{value} days", "the number is in s, and the text says `days`"),
            ("s", "{value} s, 42 % faster", "the number `42` is typed by hand"),
            ("s", "{value}ms and 3ms", "the number `3ms` is typed by hand"),
        ];
        for (unit, text, what) in wrong {
            assert_eq!(read(unit, text), Err(what.to_owned()), "{text}");
        }
    }
}
