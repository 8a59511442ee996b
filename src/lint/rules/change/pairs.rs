//! Two numbers of one kind that a sentence sets against each other: `from 2.0 to 3.0 s`, `80 → 60 MB`, `72 s vs 363 s`.

use std::ops::Range;

use super::words;
use crate::lint::{
    number::{Bound, Interval},
    sentence::{Quantity, Sentence},
    unit::Dim,
    words::{one_of, words as list},
};

/// Two numbers of one kind that the sentence sets against each other.
#[derive(Debug, Clone)]
pub struct Pair {
    pub a: Interval,
    pub b: Interval,
    pub dim: Dim,
    pub range: Range<usize>,
    /// The order is one in time or along an axis: `from … to`, an arrow.
    pub(super) directed: bool,
    pub(super) from: bool,
    /// +1 for "rises", -1 for "falls", before it.
    pub(super) verb: i8,
    pub(super) changed: bool,
    pub(super) first: usize,
}

impl Pair {
    /// Of quantities that no words between them join.
    pub(super) fn of(a: &Quantity, b: &Quantity) -> Pair {
        Pair {
            a: a.interval(),
            b: b.interval(),
            dim: a.unit.dim.clone(),
            range: 0..0,
            directed: false,
            from: false,
            verb: 0,
            changed: false,
            first: 0,
        }
    }
}

/// Pairs of quantities with `from … to`, an arrow, `vs` between them.
pub fn pairs(sentence: &Sentence<'_>) -> Vec<Pair> {
    let mut found: Vec<Pair> = Vec::new();
    for (index, two) in sentence.quantities.windows(2).enumerate() {
        let [a, b] = two else { continue };
        if found.last().is_some_and(|last| last.first + 1 == index) || a.upper.is_some() || b.upper.is_some() {
            continue;
        }
        found.extend(pair(sentence, index, a, b));
    }
    found
}

pub(super) fn pair(sentence: &Sentence<'_>, index: usize, a: &Quantity, b: &Quantity) -> Option<Pair> {
    let between = sentence.between(a.range.end, b.range.start);
    let before = &sentence.text[..a.range.start];
    let after = &sentence.text[b.range.end..];
    // Scores out of ten, fractions, dates.
    let fraction = between.trim_start().starts_with('/') || after.starts_with('/') || before.ends_with('/');
    if fraction || between.contains([';', '=']) || between.len() > 60 {
        return None;
    }
    let lead = words(before);
    let tail: Vec<&str> = lead.iter().rev().take(7).map(String::as_str).collect();
    let (from, arrow, versus) = joined(between, before)?;
    let _ = versus;
    let dim = kind(a, b)?;
    let scaled = |quantity: &Quantity, other: &Quantity| {
        let scale = if quantity.unit.dim == Dim::None && quantity.unit.scale == 1.0 {
            other.unit.scale
        } else {
            quantity.unit.scale
        };
        quantity.number.stated.scaled(scale)
    };
    let (first, second) = (scaled(a, b), scaled(b, a));
    if first.bound != Bound::Value || second.bound != Bound::Value || first.low() <= 0.0 || second.low() <= 0.0 {
        return None;
    }
    let stem = |stems: &'static str| {
        tail.iter().take(if from { 7 } else { 5 }).any(|word| list(stems).any(|stem| word.starts_with(stem)))
    };
    let (rises, falls) = (stem(RISES), stem(FALLS));
    Some(Pair {
        a: first.interval(),
        b: second.interval(),
        dim,
        range: a.range.start..b.range.end,
        directed: from || arrow,
        from,
        verb: i8::from(rises) - i8::from(falls),
        changed: rises || falls || stem(OTHERS),
        first: index,
    })
}

/// How two quantities are joined: (from … to, an arrow, versus); `None` if they are not.
pub(super) fn joined(between: &str, before: &str) -> Option<(bool, bool, bool)> {
    let plain = between.trim().trim_matches(['(', ')', '*', '~', '≈', '$', ',']).trim();
    let lower = plain.to_lowercase();
    let arrow = one_of("→|->|-->|=>|⇒|➜|➔|⟶", plain);
    if arrow {
        return Some((false, true, false));
    }
    let last = words(before).into_iter().rev().take(4).collect::<Vec<_>>();
    let from =
        last.iter().any(|word| matches!(word.as_str(), "from" | "von")) || before.trim_end().ends_with(['从', '由']);
    let to: Vec<&str> = lower.split_whitespace().collect();
    let ends = to.last().is_some_and(|word| matches!(*word, "to" | "auf")) && to.len() <= 5 && !lower.contains(',');
    let chinese = plain.len() < 40
        && list("到|至|提升到|降到|降低到|增加到|减少到|降至|升至|提高到|提升至|缩短到|缩短至|增长到|下降到")
            .any(|word| plain.ends_with(word));
    if ends && from || chinese {
        return Some((true, false, false));
    }
    // `cut 2.0 s to 1.0 s`
    if (lower == "to" || lower == "down to" || lower == "up to")
        && last
            .first()
            .is_some_and(|word| list(RISES).chain(list(FALLS)).chain(list(OTHERS)).any(|stem| word.starts_with(stem)))
    {
        return Some((true, false, false));
    }
    let connectors = "vs|vs.|versus|against|compared to|compared with|instead of|rather than|gegenüber|statt|gegen|down from|up from|相比|对比";
    let around = to.len() <= 8
        && !lower.contains(',')
        && !lower.contains(" and ")
        && words(between).iter().all(|word| !word.is_empty());
    (around && has_word(&lower, connectors)).then_some((false, false, true))
}

pub(super) fn has_word(text: &str, names: &'static str) -> bool {
    let padded = format!(" {} ", text.replace(['(', ')', ','], " "));
    list(names).any(|word| padded.contains(&format!(" {word} ")) || !word.is_ascii() && text.contains(word))
}

/// The dimension that both have, where one may have left it to the other.
pub(super) fn kind(a: &Quantity, b: &Quantity) -> Option<Dim> {
    let (first, second) = (&a.unit.dim, &b.unit.dim);
    Some(match (first, second) {
        _ if first == second => first.clone(),
        (Dim::None, other) | (other, Dim::None) if *other != Dim::Factor => other.clone(),
        // `33 ms on A to 20 ms`: nouns are no units where a unit is.
        _ => return None,
    })
}
pub(super) const RISES: &str = "increas|rise|rose|rising|grow|grew|climb|stieg|steigt";
pub(super) const FALLS: &str = "decreas|fall|fell|drop|declin|reduc|shrink|shrank|sank|fiel";
pub(super) const OTHERS: &str = "improv|went|goes|chang|cut|jump|slip|mov|slow|sped|lower|rais|boost|degrad|shr";
