//! A paragraph -> its sentences, each with the quantities that it states.

use std::ops::Range;

use super::{
    document::{Place, Text},
    number::{self, Decimals, Found, Interval, Stated, is_cjk},
    numerals,
    unit::{self, Dim, Unit},
    words::{one_of, words as list},
};

/// A number with its unit.
#[derive(Debug, Clone)]
pub struct Quantity {
    /// With its sign and its unit.
    pub range: Range<usize>,
    pub number: Found,
    /// Of a range, `2–3×`, the other end.
    pub upper: Option<Stated>,
    pub unit: Unit,
}

impl Quantity {
    /// In the unit's base.
    pub fn base(&self) -> Stated {
        self.number.stated.scaled(self.unit.scale)
    }

    pub fn interval(&self) -> Interval {
        self.base().interval()
    }
}

/// A sentence.
#[derive(Debug)]
pub struct Sentence<'a> {
    pub text: &'a str,
    pub lower: String,
    /// Of its first byte in the paragraph.
    pub offset: usize,
    pub quantities: Vec<Quantity>,
    paragraph: &'a Text,
}

impl<'a> Sentence<'a> {
    pub fn place(&self, at: usize) -> Place {
        self.paragraph.place(self.offset + at)
    }

    /// Its parts, where it makes several statements; `None` for the whole.
    pub fn clauses(&self) -> Vec<Option<Sentence<'a>>> {
        let marks = ", but |, while |; |, whereas |, and | while | whereas ";
        let mut cuts: Vec<usize> =
            list(marks).flat_map(|mark| self.text.match_indices(mark).map(|(at, _)| at)).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let claims = self.quantities.iter().filter(|q| matches!(q.unit.dim, Dim::Factor | Dim::Percent)).count();
        if cuts.is_empty() || claims < 2 {
            return vec![None];
        }
        let starts: Vec<usize> = std::iter::once(0).chain(cuts).collect();
        let ends = starts.iter().skip(1).copied().chain([self.text.len()]);
        starts.iter().copied().zip(ends).map(|(start, end)| self.part(start, end)).collect()
    }

    fn part(&self, start: usize, end: usize) -> Option<Sentence<'a>> {
        let text = self.text.get(start..end)?;
        let within = self.quantities.iter().filter(|q| q.range.start >= start && q.range.end <= end);
        let quantities = within
            .map(|q| {
                let mut q = q.clone();
                q.range = q.range.start - start..q.range.end - start;
                q.number.range = q.number.range.start - start..q.number.range.end - start;
                q
            })
            .collect();
        Some(Sentence {
            text,
            lower: text.to_lowercase(),
            offset: self.offset + start,
            quantities,
            paragraph: self.paragraph,
        })
    }

    /// What stands between two quantities, or before the first.
    pub fn between(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or("")
    }

    /// As a message quotes it.
    pub fn quote(&self, range: Range<usize>) -> String {
        let text = self.text.get(range).unwrap_or("").split_whitespace().collect::<Vec<_>>().join(" ");
        text.trim_matches([',', ' ']).to_owned()
    }
}

/// The sentences of a paragraph. A full stop ends one only before a space and a capital, a bracket or the end.
pub fn all(paragraph: &Text, decimals: Decimals) -> Vec<Sentence<'_>> {
    let text = paragraph.text.as_str();
    let (mut found, mut start) = (Vec::new(), 0);
    for (at, mark) in text.match_indices(['.', '?', '!', ';', '。', '；', '！', '？']) {
        let end = at + mark.len();
        let rest = &text[end..];
        let next = rest.trim_start().chars().next();
        if end < start {
            continue;
        }
        while at > start + LONGEST {
            let cut = cut(text, start);
            found.push(read(paragraph, start, cut, decimals));
            start = cut;
        }
        let wide = mark.len() > 1;
        let begins = rest.starts_with([' ', '\u{a0}'])
            && next.is_some_and(|c| {
                c.is_uppercase() || "([*—".contains(c) || is_cjk(c) || c.is_ascii_digit() && mark != "."
            });
        if wide || begins && !(mark == "." && abbreviated(&text[start..at])) {
            found.push(read(paragraph, start, end, decimals));
            start = end;
        }
    }
    while start < text.len() {
        let end = if text.len() > start + LONGEST { cut(text, start) } else { text.len() };
        found.push(read(paragraph, start, end, decimals));
        start = end;
    }
    found
}

/// No statement is longer; what is, is no prose, and rules look at a sentence more than once.
const LONGEST: usize = 1500;

/// The last space within reach of `start`, or the end of its reach.
fn cut(text: &str, start: usize) -> usize {
    let reach = (start + LONGEST..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    text[start..reach].rfind(' ').map_or(reach, |at| start + at + 1)
}

fn abbreviated(before: &str) -> bool {
    let word = before.rsplit(|c: char| c.is_whitespace() || "([".contains(c)).next().unwrap_or("").to_lowercase();
    one_of("vs|e.g|i.e|cf|fig|figs|eq|tab|sec|approx|ca|resp|z.b|d.h|no|al|max|min|avg|abb|ref", &word)
}

fn read(paragraph: &Text, start: usize, end: usize, decimals: Decimals) -> Sentence<'_> {
    let text = &paragraph.text[start..end];
    let lower = text.to_lowercase();
    let quantities = quantities(text, decimals);
    Sentence { text, lower, offset: start, quantities, paragraph }
}

/// The quantities of a text.
pub fn quantities(text: &str, decimals: Decimals) -> Vec<Quantity> {
    let mut found: Vec<Quantity> = Vec::new();
    for number in number::all(text, decimals) {
        let money = text[..number.range.start].ends_with(['$', '€', '£', '¥']);
        let (unit, width) = unit::after(&text[number.range.end..]).unwrap_or((Unit::none(), 0));
        let unit = if money && unit.dim == Dim::None { Unit { dim: Dim::Money, ..unit } } else { unit };
        let range = number.range.start..number.range.end + width;
        // `2–3×`: one quantity with two ends, if the first is the less.
        if let Some(last) = found.last_mut().filter(|last| last.upper.is_none()) {
            let between = text.get(last.range.end..range.start).unwrap_or(";").trim_matches([' ', '\u{a0}', '~', '$']);
            if matches!(between, "±" | "+/-" | "+-") {
                last.number.stated.half = last.number.stated.half.max(number.stated.value.abs());
                (last.unit, last.range.end) = (unit, range.end);
                continue;
            }
            let less = last.number.stated.value < number.stated.value && !last.number.signed;
            // `at 1M — 4.8×`: a dash between two thoughts.
            let dash = between == "—" && text[last.range.end..].starts_with(' ');
            let bare = last.unit.dim == Dim::None && (last.unit.scale == 1.0 || last.unit.scale == unit.scale);
            if matches!(between, "–" | "-" | "—" | "‑" | "…" | "..." | "to" | "bis")
                && less
                && !dash
                && (bare || last.unit == unit)
                && (between != "to" && between != "bis"
                    || is_range(text, last.range.start)
                    || last.unit == unit && is_compared(text, &range, &unit))
            {
                (last.upper, last.unit, last.range.end) = (Some(number.stated), unit, range.end);
                continue;
            }
        }
        found.push(Quantity { range, number, upper: None, unit });
    }
    found.extend(in_words(text));
    found.sort_by_key(|quantity| quantity.range.start);
    found
}

/// `three times`, `sixfold`, `twice`: factors in words, no more exact than a word.
fn in_words(text: &str) -> Vec<Quantity> {
    let lower = text.to_lowercase();
    if lower.len() != text.len() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (name, value) in [("doubled", 2.0), ("tripled", 3.0), ("quadrupled", 4.0), ("halved", 2.0), ("verdoppelt", 2.0)]
    {
        found.extend(lower.match_indices(name).map(|(at, _)| factor(at..at + name.len(), value)));
    }
    for (name, value) in list(numerals::FACTORS).filter_map(|name| Some((name, numerals::cardinal(name)?))) {
        for (at, _) in lower.match_indices(name) {
            let free = lower[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric());
            let rest = &lower[at + name.len()..];
            let tail = list(" times the | times as | times faster| times slower| times more| times less| times fewer| times larger| times smaller| times higher| times lower| times longer| times cheaper|fold|-fold|mal so|-mal").find(|tail| rest.starts_with(*tail));
            if let Some(tail) = tail.filter(|_| free) {
                let width = if tail.starts_with(" times") { 6 } else { tail.len() };
                found.push(factor(at..at + name.len() + width, value));
            }
        }
    }
    found
}

/// No more exact than a word.
fn factor(range: Range<usize>, value: f64) -> Quantity {
    let stated = Stated { value, half: value * 0.12, bound: number::Bound::Value };
    let number = Found { range: range.clone(), stated, signed: false, about: false };
    Quantity { range, number, upper: None, unit: Unit { dim: Dim::Factor, scale: 1.0 } }
}

/// `8.6 % to 35.2 % faster`: of something, not from one to the other.
fn is_compared(text: &str, range: &Range<usize>, unit: &Unit) -> bool {
    let next = text[range.end..].trim_start().split(|c: char| !c.is_alphabetic()).next().unwrap_or("");
    matches!(unit.dim, Dim::Percent | Dim::Factor) && next.len() > 4 && next.ends_with("er")
}

/// `by 2 to 3 ×`: no `from` goes before.
fn is_range(text: &str, start: usize) -> bool {
    let before = text[..start].trim_end().to_lowercase();
    before.ends_with("by")
        || before.ends_with("um")
        || before.ends_with("is")
        || before.ends_with("are")
        || before.ends_with("between")
        || before.strip_suffix("from").is_some_and(|before| {
            let verb = before.trim_end().rsplit(' ').next().unwrap_or("");
            list("rang|vary|vari|span").any(|stem| verb.starts_with(stem))
        })
}
