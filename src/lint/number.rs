//! Numbers as a paper states them: a value, and how far rounding can have moved it.

use std::ops::Range;

/// A stated number; the true value lies within `half` of `value` if it was rounded correctly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stated {
    pub value: f64,
    /// Half a unit of the last digit; a whole one where the text says "about".
    pub half: f64,
}

impl Stated {
    pub fn scaled(self, factor: f64) -> Stated {
        Stated { value: self.value * factor, half: self.half * factor }
    }

    pub fn low(self) -> f64 {
        self.value - self.half
    }

    pub fn high(self) -> f64 {
        self.value + self.half
    }
}

/// A closed interval that a true value must lie in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

impl Interval {
    pub fn of(stated: Stated) -> Self {
        Interval { low: stated.low(), high: stated.high() }
    }

    /// Can both be true of one value? A billionth of slack, for binary fractions.
    pub fn meets(self, other: Interval) -> bool {
        let slack = 1e-9 * (1.0 + self.high.abs().max(other.high.abs()));
        self.low <= other.high + slack && other.low <= self.high + slack
    }

    /// The hull of the two.
    pub fn join(self, other: Interval) -> Interval {
        Interval { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// Of two positive intervals.
    pub fn times(self, other: Interval) -> Interval {
        Interval { low: self.low * other.low, high: self.high * other.high }
    }

    /// Of two positive intervals.
    pub fn over(self, other: Interval) -> Interval {
        Interval { low: self.low / other.high, high: self.high / other.low }
    }
}

/// Every number of a text with its place. Signs belong to the number only after a space, a bracket or the start, so
/// ranges (`2–4`) and names (`Llama-3`) keep theirs out; a number glued to a letter before it is a name.
pub fn all(text: &str) -> Vec<(Range<usize>, Stated)> {
    let bytes = text.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() && (bytes[at].is_ascii_digit() || thousands(bytes, start, at)) {
            at += 1;
        }
        let mut decimals = 0;
        if at + 1 < bytes.len() && bytes[at] == b'.' && bytes[at + 1].is_ascii_digit() {
            at += 1;
            while at < bytes.len() && bytes[at].is_ascii_digit() {
                (at, decimals) = (at + 1, decimals + 1);
            }
        }
        let before = text[..start].chars().next_back();
        // `v1.0`, `M4`, `1.2.3`: names and versions.
        if before.is_some_and(|c| c.is_alphabetic() || c == '_') || text[at..].starts_with('_') {
            continue;
        }
        if text[at..].starts_with('.') && text[at + 1..].starts_with(|c: char| c.is_ascii_digit()) {
            while at < bytes.len() && (bytes[at].is_ascii_digit() || bytes[at] == b'.') {
                at += 1;
            }
            continue;
        }
        let Ok(mut value) = text[start..at].replace(',', "").parse::<f64>() else { continue };
        let sign = matches!(before, Some('-' | '−'))
            && text[..start].chars().rev().nth(1).is_none_or(|c| c.is_whitespace() || "([|".contains(c));
        if sign {
            value = -value;
        }
        let about = text[..start].trim_end().ends_with(['~', '≈', '∼'])
            || ["about", "around", "roughly", "approximately", "circa"]
                .iter()
                .any(|w| text[..start].trim_end().ends_with(w));
        let unit = 10f64.powi(-decimals);
        found.push((start..at, Stated { value, half: if about { unit } else { unit / 2.0 } }));
    }
    found
}

/// A comma with three digits after it and one before.
fn thousands(bytes: &[u8], start: usize, at: usize) -> bool {
    let digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    bytes[at] == b',' && at > start && digit(at + 1) && digit(at + 2) && digit(at + 3) && !digit(at + 4)
}

/// Four significant digits, for messages.
pub fn show(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    // The power of ten as formatting finds it, which is exact: a logarithm is the C library's.
    let exponent: i32 = format!("{value:e}").rsplit('e').next().and_then(|power| power.parse().ok()).unwrap_or(0);
    let decimals = (3 - exponent).clamp(0, 12) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// The one number of a table's cell, with a plus-minus part left out; `None` for text or several numbers.
pub fn cell(text: &str) -> Option<Stated> {
    let text = text.split(['±', '(']).next()?.trim().trim_matches('*').trim();
    let numbers = all(text);
    let [(range, stated)] = numbers.as_slice() else { return None };
    let rest = format!("{}{}", &text[..range.start], &text[range.end..]);
    // A unit may follow; words make it prose.
    (rest.chars().filter(|c| c.is_alphabetic()).count() <= 6).then_some(*stated)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<f64> {
        all(text).into_iter().map(|(_, stated)| stated.value).collect()
    }

    #[test]
    fn numbers_are_found_and_names_are_not() {
        assert_eq!(values("from 1.99 to 3.52 s, 1,234 times"), [1.99, 3.52, 1234.0]);
        assert_eq!(values("Llama 3.2 on M4, version 1.2.3, x_1 -5 and 2–4"), [3.2, -5.0, 2.0, 4.0]);
        assert_eq!(values("3, 4,5"), [3.0, 4.0, 5.0]);
    }

    #[test]
    fn trailing_zeros_carry_precision_and_about_widens() {
        assert_eq!(cell("2.70 s").unwrap(), Stated { value: 2.7, half: 0.005 });
        assert_eq!(all("~77%")[0].1.half, 1.0);
        assert_eq!(cell("**2.7** ± 0.3").unwrap().half, 0.05);
        assert_eq!((cell("two 3 four"), cell("1 to 2")), (None, None));
    }
}
