//! What a reader has copied out of a paper, `184.2 tok/s`, `25.1 to 27.4`, `p < 0.0001` -> the claims that print so, and the
//! predicates whose sentences do. A number is compared as it is printed, digit by digit, however its groups, its decimals and its
//! minus are written.

use std::collections::BTreeSet;

use crate::claims::{Claim, Claims, Id, Value};

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub claims: Vec<Id>,
    /// Ids of predicates; looked for where no claim fits.
    pub predicates: Vec<Id>,
}

impl Found {
    pub(super) fn is_empty(&self) -> bool {
        self.claims.is_empty() && self.predicates.is_empty()
    }
}

/// Looks for an id first, then for the text as it is printed, then for the numbers in it.
pub(super) fn sought(what: &str, claims: &Claims) -> Found {
    if let Some((id, _)) = claims.claims.get_key_value(what) {
        return Found { claims: vec![id.clone()], ..Found::default() };
    }
    if let Some((id, _)) = claims.predicates.get_key_value(what) {
        return Found { predicates: vec![id.clone()], ..Found::default() };
    }
    let wanted = plain(what);
    let same = |claim: &Claim| {
        let text = plain(&claim.text);
        text == wanted || format!("{text} {}", claim.unit) == wanted || format!("{text}{}", claim.unit) == wanted
    };
    let exact = ids(claims, same);
    if !exact.is_empty() {
        return Found { claims: exact, ..Found::default() };
    }
    let parts: Vec<Printed> = ends(&wanted).iter().filter_map(|part| Printed::read(part)).collect();
    let found = match parts.as_slice() {
        [] => Vec::new(),
        [one] => of(one, claims),
        [low, high] => {
            // An interval's unit stands behind its second end.
            let low = Printed { unit: low.unit.clone().or_else(|| high.unit.clone()), ..low.clone() };
            pairs(&of(&low, claims), &of(high, claims))
        }
        _ => Vec::new(),
    };
    if !found.is_empty() {
        return Found { claims: found, ..Found::default() };
    }
    let says = |text: &str| {
        stands_in(&plain(text), &wanted) || parts.first().is_some_and(|part| parts.len() == 1 && part.stands_in(text))
    };
    if !what.contains(|c: char| c.is_ascii_digit()) {
        return Found::default();
    }
    let texts = ids(claims, |claim| matches!(claim.value, Value::Text(_)) && says(&claim.text));
    let predicates = claims.predicates.iter().filter(|(_, predicate)| says(&predicate.text));
    Found { claims: texts, predicates: predicates.map(|(id, _)| id.clone()).collect() }
}

/// Printed numbers near the one that was looked for, nearest first, with their ids; empty where no number was looked for.
pub(super) fn near(what: &str, claims: &Claims, most: usize) -> Vec<String> {
    let Some(printed) = ends(&plain(what)).first().and_then(|part| Printed::read(part)) else { return Vec::new() };
    let Some(value) = printed.readings.first().and_then(|reading| reading.parse::<f64>().ok()) else {
        return Vec::new();
    };
    let fits = |claim: &Claim| printed.unit.as_ref().is_none_or(|unit| *unit == claim.unit);
    let mut ranked: Vec<(f64, String)> = claims
        .claims
        .iter()
        .filter(|(_, claim)| !matches!(claim.value, Value::Text(_)) && fits(claim))
        .filter_map(|(id, claim)| {
            let other: f64 = Printed::read(&plain(&claim.text))?.readings.first()?.parse().ok()?;
            let apart = (other - value).abs() / other.abs().max(value.abs()).max(f64::MIN_POSITIVE);
            Some((apart, format!("{} {} ({id})", claim.text, claim.unit).replace("  ", " ")))
        })
        .collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.len().cmp(&b.1.len())).then(a.1.cmp(&b.1)));
    ranked.into_iter().take(most).map(|(_, shown)| shown).collect()
}

fn ids(claims: &Claims, fits: impl Fn(&Claim) -> bool) -> Vec<Id> {
    claims.claims.iter().filter(|(_, claim)| fits(claim)).map(|(id, _)| id.clone()).collect()
}

/// The claims that print the number: those of its unit, if a unit is named that any of them has.
fn of(printed: &Printed, claims: &Claims) -> Vec<Id> {
    // An author's own text has words around its numbers: `1.84 times (1.71 to 1.98)`.
    let in_words = |claim: &Claim| {
        let words = matches!(claim.value, Value::Number(_)) && claim.text.contains(char::is_alphabetic);
        words && printed.than.is_none() && printed.stands_in(&claim.text)
    };
    let all = ids(claims, |claim| printed.is(&claim.text) || in_words(claim));
    let same_unit = |id: &&Id| printed.unit.as_deref().is_some_and(|unit| claims.claims[*id].unit == unit);
    let of_unit: Vec<Id> = all.iter().filter(same_unit).cloned().collect();
    if of_unit.is_empty() { all } else { of_unit }
}

/// Of the claims of both ends those that differ in their last part only, such as `x.low` and `x.high`; else all.
fn pairs(low: &[Id], high: &[Id]) -> Vec<Id> {
    let stem = |id: &Id| id.rsplit_once('.').map_or(id.to_string(), |(stem, _)| stem.to_owned());
    let (lows, highs): (BTreeSet<String>, BTreeSet<String>) =
        (low.iter().map(stem).collect(), high.iter().map(stem).collect());
    if low.is_empty() || high.is_empty() {
        return Vec::new();
    }
    let paired: Vec<Id> =
        low.iter().chain(high).filter(|id| lows.contains(&stem(id)) && highs.contains(&stem(id))).cloned().collect();
    if paired.is_empty() { low.iter().chain(high).cloned().collect() } else { paired }
}

/// One way of writing a space, a minus and a multiplication.
fn plain(text: &str) -> String {
    let c = |c: char| match c {
        '\u{a0}' | '\u{2009}' | '\u{202f}' | '\u{2007}' | '\u{200a}' => ' ',
        '−' | '‐' | '‑' => '-',
        '’' => '\'',
        '≤' | '⩽' => '≤',
        other => other,
    };
    text.chars().map(c).collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The two ends of an interval, or a mean and what is behind its `±`; else the whole.
fn ends(text: &str) -> Vec<&str> {
    let inside = text.trim_matches(['[', ']', '(', ')']);
    for between in [" to ", "–", "—", "...", "…", " ± ", "±", "; ", ", ", " and ", " - "] {
        if let Some((low, high)) = inside.split_once(between)
            && [low, high].iter().all(|end| Printed::read(end).is_some())
        {
            return vec![low, high];
        }
    }
    vec![inside]
}

/// A number as somebody wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Printed {
    /// `<`, `>`, `≤` or `≥`, if there is one.
    than: Option<char>,
    /// Its digits, with a point, in each way that the writing can be read.
    readings: Vec<String>,
    /// As claims have it, if one is written.
    unit: Option<String>,
}

impl Printed {
    fn read(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        // `p < 0.0001`, `R² = 0.99`, `≈ 3`
        if let Some((name, after)) = rest.split_once(['<', '>', '≤', '≥', '=', '≈', '~'])
            && name.trim().chars().count() <= 4
            && !name.contains(|c: char| c.is_ascii_digit())
        {
            rest = &rest[rest.len() - after.len() - rest[name.len()..].chars().next()?.len_utf8()..];
        }
        let than = rest.chars().next().filter(|c| "<>≤≥".contains(*c));
        rest = rest.trim_start_matches(['<', '>', '≤', '≥', '=', '≈', '~', ' ', '+']);
        let digits = rest.strip_prefix('-').unwrap_or(rest);
        if !digits.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        // Digits with signs between them.
        let mut end = 0;
        for (at, c) in digits.char_indices() {
            let next = digits[at + c.len_utf8()..].chars().next();
            let between = " .,'".contains(c) && next.is_some_and(|next| next.is_ascii_digit());
            if !(c.is_ascii_digit() || between) {
                break;
            }
            end = at + c.len_utf8();
        }
        let (number, unit) = digits.split_at(end);
        let sign = if rest.starts_with('-') { "-" } else { "" };
        let readings: Vec<String> = readings(number)?.into_iter().map(|reading| format!("{sign}{reading}")).collect();
        Some(Printed { than, readings, unit: unit_of(unit.trim()) })
    }

    /// Does a claim print it?
    fn is(&self, text: &str) -> bool {
        let Some(other) = Printed::read(&plain(text)).filter(|other| other.unit.is_none()) else { return false };
        (self.than.is_none() || self.than == other.than)
            && other.readings.first().is_some_and(|printed| self.readings.contains(printed))
    }

    /// Does it stand in a sentence, as a number of its own?
    fn stands_in(&self, sentence: &str) -> bool {
        let sentence = plain(sentence);
        self.readings.iter().any(|reading| stands_in(&sentence, reading))
    }
}

/// `1,234.5`: 1234.5; `184,2`: 184.2; `1,234`: either; `1 234`: 1234.
fn readings(number: &str) -> Option<Vec<String>> {
    let bare: String = number.chars().filter(|c| ![' ', '\''].contains(c)).collect();
    let (commas, points) = (bare.matches(',').count(), bare.matches('.').count());
    let groups = |separator: char| {
        let mut parts = bare.split(separator);
        parts.next().is_some_and(|first| (1..=3).contains(&first.len())) && parts.all(|part| part.len() == 3)
    };
    let without = |separator: char| bare.replace(separator, "");
    Some(match (commas, points) {
        (0, 0 | 1) => vec![bare],
        (0, _) => vec![without('.')],
        (1, 0) if groups(',') => vec![without(','), bare.replace(',', ".")],
        (1, 0) => vec![bare.replace(',', ".")],
        (_, 0) if groups(',') => vec![without(',')],
        (_, 1) if bare.rfind('.') > bare.rfind(',') => vec![without(',')],
        (1, _) if bare.rfind(',') > bare.rfind('.') => vec![without('.').replace(',', ".")],
        _ => return None,
    })
}

/// A unit in the words of papers -> that of claims. What is none of them is no unit.
fn unit_of(written: &str) -> Option<String> {
    let unit = match written.trim_end_matches(['.', ',', ';', ')']).trim() {
        "" => return None,
        "×" | "x" | "times" | "-fold" | "fold" | "X" => "1",
        "%" | "per cent" | "percent" | "pct" => "%",
        "percentage points" | "points" | "pp" => "points",
        "tok/s" | "tokens/s" | "t/s" | "tokens per second" | "tokens a second" | "tokens/sec" | "tps" => "tok/s",
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "ms" | "millisecond" | "milliseconds" => "ms",
        other => other,
    };
    Some(unit.to_owned())
}

/// Does the sentence hold the text, not as a part of a longer number or word?
fn stands_in(sentence: &str, text: &str) -> bool {
    let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric());
    sentence.match_indices(text).any(|(at, _)| {
        let (before, after) = (&sentence[..at], &sentence[at + text.len()..]);
        let mut following = after.chars();
        let next = following.next();
        // `1.5` does not stand in `1.52`, nor in `21.5`, nor `5` in `1.5` and `5.1`.
        let goes_on =
            inside(next) || (matches!(next, Some('.' | ',')) && following.next().is_some_and(|c| c.is_ascii_digit()));
        let begins_before = inside(before.chars().last())
            || (before.ends_with(['.', ',']) && before.chars().rev().nth(1).is_some_and(|c| c.is_ascii_digit()));
        !text.is_empty() && !goes_on && !begins_before
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::claims::{CLAIMS_SCHEMA, Predicate, Runs, Source};

    fn claims() -> Claims {
        let claim = |(id, text, unit): (&str, &str, &str)| {
            let value = match text.parse() {
                Ok(number) => Value::Number(number),
                Err(_) if text.starts_with(['<', '1', '−']) && !text.contains('m') => Value::Number(0.0),
                Err(_) => Value::Text(text.to_owned()),
            };
            let claim = Claim {
                value,
                unit: unit.to_owned(),
                text: text.to_owned(),
                formula: String::new(),
                rounding: String::new(),
                n: 0,
                runs: Runs::default(),
                baseline_runs: Runs::default(),
                members: BTreeMap::new(),
            };
            (Id::from(id), claim)
        };
        let listed = [
            ("decode.mean", "184.2", "tok/s"),
            ("decode.max", "184.2", "s"),
            ("ratio", "26.2", "1"),
            ("ratio.low", "25.1", "1"),
            ("ratio.high", "27.4", "1"),
            ("other.low", "25.1", "s"),
            ("confidence", "90", "%"),
            ("runs", "90", ""),
            ("large", "1 234", "MiB"),
            ("small", "-0.3", "%"),
            ("p", "< 0.0001", "1"),
            ("parameters", "134.5 million", ""),
            ("lengths", "64, 128 and 256", ""),
        ];
        // Of an author's own: words around the number.
        let own = [("speedup", "1.84 times (1.71 to 1.98)", "1"), ("first", "12.3 ms", "ms")];
        let own = own.map(|(id, text, unit)| {
            let (id, claim) = claim((id, text, unit));
            (id, Claim { value: Value::Number(0.0), ..claim })
        });
        let predicate = Predicate {
            holds: Some(true),
            test: String::new(),
            statistic: None,
            p: None,
            margin: None,
            text: "It misses the line by 0.010 s (p = 0.71), 1.0 % of the mean.".to_owned(),
        };
        Claims {
            schema: CLAIMS_SCHEMA.to_owned(),
            source: Source { run_id: String::new(), sha256: String::new() },
            claims: listed.map(claim).into_iter().chain(own).collect(),
            predicates: BTreeMap::from([("line".into(), predicate)]),
        }
    }

    fn found(what: &str) -> String {
        let Found { claims, predicates } = sought(what, &claims());
        claims.into_iter().chain(predicates).map(|id| id.to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_number_is_found_as_it_is_printed() {
        for (what, ids) in [
            ("ratio", "ratio"),
            ("line", "line"),
            ("184.2", "decode.max decode.mean"),
            ("184.2 tok/s", "decode.mean"),
            ("184.2 tokens per second", "decode.mean"),
            ("184.2tok/s", "decode.mean"),
            ("184,2", "decode.max decode.mean"),
            ("184.2 parsecs", "decode.max decode.mean"),
            ("26.2×", "ratio"),
            ("26.2 times", "ratio"),
            ("26.2-fold", "ratio"),
            ("25.1 to 27.4", "ratio.low ratio.high"),
            ("25.1–27.4", "ratio.low ratio.high"),
            ("[25.1, 27.4]", "ratio.low ratio.high"),
            ("184.2 ± 26.2", "decode.max decode.mean ratio"),
            ("90 %", "confidence"),
            ("90%", "confidence"),
            ("90 per cent", "confidence"),
            ("1 234", "large"),
            ("1234 MiB", "large"),
            ("1,234", "large"),
            ("1\u{202f}234", "large"),
            ("−0.3", "small"),
            ("-0.3 %", "small"),
            ("p < 0.0001", "p"),
            ("<0.0001", "p"),
            ("0.0001", "p"),
            ("134.5 million", "parameters"),
            ("128", "lengths"),
            ("1.84", "speedup"),
            ("1.84 times (1.71 to 1.98)", "speedup"),
            ("1.71", "speedup"),
            ("12.3", "first"),
            ("12.3 ms", "first"),
            ("2.3", ""),
            ("0.010 s", "line"),
            ("p = 0.71", "line"),
            ("1.0 %", "line"),
            ("0.3", ""),
            ("184.20", ""),
            ("84.2", ""),
            ("25.1 to 26.3", ""),
            ("> 0.0001", ""),
            ("nothing", ""),
            ("", ""),
        ] {
            assert_eq!(found(what), ids, "{what}");
        }
    }

    #[test]
    fn near_numbers_are_those_of_the_unit() {
        assert_eq!(near("184.3 tok/s", &claims(), 2), ["184.2 tok/s (decode.mean)"]);
        assert_eq!(near("26", &claims(), 2)[0], "26.2 1 (ratio)");
        assert!(near("latency.meen", &claims(), 3).is_empty());
    }
}
