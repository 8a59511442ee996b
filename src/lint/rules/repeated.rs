//! A claim that a paper makes twice in the same words, with another number: "2.84× closer to the held-out density" in its summary,
//! "2.48× closer to the held-out density" in a section.

use std::collections::BTreeMap;

use super::Paper;
use crate::lint::{
    document::Place,
    number::{Bound, Stated},
    report::{Out, Sure},
    sentence::{Quantity, Sentence},
    unit::{Dim, Unit},
    words::one_of,
};

/// Words of either side that are compared.
const REACH: usize = 12;
/// Words with a meaning that must be the same around the two numbers.
const ALIKE: usize = 4;
/// So many, and another number among them, are of one thing whatever goes before.
const LONG: usize = 5;
/// What is said more often than this is a series.
const MOST: usize = 3;
/// Words that say nothing by themselves.
const PLAIN: &str = "the|a|an|of|in|on|to|for|and|or|is|are|was|were|be|by|with|at|as|its|our|your|it|this|that|than|from|vs|up|about|around|over|now|also|just|only|roughly|approximately|per|x|s|we|you|can";

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    let mut said: BTreeMap<(String, String), Vec<Claimed>> = BTreeMap::new();
    for (index, paragraph) in paper.paragraphs.iter().enumerate() {
        for sentence in &paragraph.sentences {
            for quantity in sentence.quantities.iter().filter(|quantity| telling(sentence, quantity)) {
                let claimed = Claimed::new(sentence, quantity, index);
                // The words next to it, as most repetitions have them.
                for key in claimed.keys() {
                    said.entry(key).or_default().push(claimed.clone());
                }
            }
        }
    }
    let mut told: Vec<(Place, Place)> = Vec::new();
    for alike in said.values().filter(|alike| (2..=MOST).contains(&alike.len())) {
        for (at, second) in alike.iter().enumerate().skip(1) {
            for first in &alike[..at] {
                if first.contradicts(second) && !told.contains(&(first.place, second.place)) {
                    told.push((first.place, second.place));
                    let said = [second.quote.clone(), format!("{} (line {})", first.quote, first.place.line)];
                    let [stated, follows] = said;
                    let why = "one claim in the same words, with another number".into();
                    out.wrong(second.place, "restated", Sure::Warning, [stated, follows, why]);
                }
            }
        }
    }
}

/// A number that two places would not have by chance.
fn telling(sentence: &Sentence<'_>, quantity: &Quantity) -> bool {
    let digits = sentence.text.get(quantity.number.range.clone()).unwrap_or("");
    let significant = digits.trim_start_matches(['0', '.', '-', '+', '−']).chars().filter(char::is_ascii_digit).count();
    let ratio = matches!(quantity.unit.dim, Dim::Factor | Dim::Percent);
    quantity.upper.is_none()
        && quantity.number.stated.bound == Bound::Value
        && quantity.number.stated.value != 0.0
        && quantity.unit.dim != Dim::None
        && significant >= if ratio { 2 } else { 3 }
}

#[derive(Debug, Clone)]
struct Claimed {
    /// The nearest first.
    before: Vec<String>,
    after: Vec<String>,
    stated: Stated,
    unit: Unit,
    decimals: usize,
    paragraph: usize,
    place: Place,
    quote: String,
}

impl Claimed {
    fn new(sentence: &Sentence<'_>, quantity: &Quantity, paragraph: usize) -> Self {
        let before = sentence.lower.get(..quantity.range.start).map(words).unwrap_or_default();
        let after = sentence.lower.get(quantity.range.end..).map(words).unwrap_or_default();
        let digits = sentence.text.get(quantity.number.range.clone()).unwrap_or("");
        let end = sentence.text[quantity.range.end..].char_indices().nth(40).map_or(sentence.text.len(), |(at, _)| {
            let end = quantity.range.end + at;
            sentence.text[..end].rfind(' ').filter(|space| *space > quantity.range.end).unwrap_or(end)
        });
        Claimed {
            before: before.into_iter().rev().take(REACH).collect(),
            after: after.into_iter().take(REACH).collect(),
            stated: quantity.base(),
            unit: quantity.unit.clone(),
            decimals: digits.split_once('.').map_or(0, |(_, fraction)| fraction.len()),
            paragraph,
            place: sentence.place(quantity.range.start),
            quote: sentence.quote(quantity.range.start..end),
        }
    }

    fn keys(&self) -> Vec<(String, String)> {
        let pair = |words: &[String], side: &str| {
            let [a, b, ..] = words else { return None };
            Some((format!("{side} {:?}", self.unit.dim), format!("{a} {b}")))
        };
        pair(&self.after, "after").into_iter().chain(pair(&self.before, "before")).collect()
    }

    /// The same words around another number, of the same size.
    fn contradicts(&self, other: &Claimed) -> bool {
        let ratio = self.stated.value / other.stated.value;
        let apart = (ratio - 1.0).abs() > 0.04 && !self.stated.cut().meets(other.stated.cut());
        let same = |a: &[String], b: &[String]| a.iter().zip(b).take_while(|(x, y)| x == y).count();
        let (before, after) = (same(&self.before, &other.before), same(&self.after, &other.after));
        let around = || self.before[..before].iter().chain(&self.after[..after]);
        let content = around().filter(|word| !one_of(PLAIN, word)).count();
        let number =
            around().any(|word| word.len() > 1 && word.chars().all(|c| c.is_ascii_digit() || ".x".contains(c)));
        let relative = matches!(self.unit.dim, Dim::Factor | Dim::Percent);
        // What goes before the same words says whose number it is.
        let subject = |claimed: &Claimed| -> Vec<String> {
            let rest = claimed.before[before..].iter();
            rest.filter(|word| !one_of(PLAIN, word)).cloned().collect()
        };
        let (own, others) = (subject(self), subject(other));
        let long = number && content >= LONG;
        let shared = own.is_empty() || others.is_empty() || own.iter().any(|word| others.contains(word));
        let one = long || relative && shared;
        apart
            && (0.5..2.0).contains(&ratio)
            && self.decimals == other.decimals
            && self.unit == other.unit
            && self.paragraph != other.paragraph
            && content >= ALIKE
            && one
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !(c.is_alphanumeric() || ".+#_".contains(c)))
        .map(|word| word.trim_matches('.').to_owned())
        .filter(|word| !word.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    fn found(first: &str, second: &str) -> usize {
        crate::lint::markdown(&format!("## Summary\n\n{first}\n\n## Results\n\n{second}\n")).findings.len()
    }

    #[test]
    fn one_claim_has_one_number() {
        let first = "The flow model is 2.84× closer to the held-out density.";
        assert_eq!(found(first, "The flow model is 2.48× closer to the held-out density (calibrated)."), 1);
        assert_eq!(found(first, "The flow model is 2.84× closer to the held-out density (calibrated)."), 0);
        assert_eq!(found(first, "The spline baseline is 2.48× closer to the held-out density."), 0);
        assert_eq!(
            found("Reduces tokens by 98% (70,000 → 800 tokens).", "Reduces tokens by 98% (70,000 → 674 tokens)."),
            1
        );
    }

    #[test]
    fn names_with_numbers_are_none() {
        let advisory = |id: &str| format!("CVE-2022-{id}: name rebinding in the inspector on some systems (High)");
        assert_eq!(found(&advisory("32212"), &advisory("43548")), 0);
    }
}
