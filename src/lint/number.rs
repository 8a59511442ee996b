//! Text -> the numbers in it: a value, and how far rounding can have moved it. Names, versions, dates and ordinals are none.

use super::words::words as list;
use std::ops::Range;

/// A stated number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stated {
    pub value: f64,
    /// The true value lies within this of `value`, if it was rounded correctly: half a unit of the last digit that counts.
    pub half: f64,
    pub bound: Bound,
}

/// What a sign or a word makes of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bound {
    #[default]
    Value,
    /// `>`, `≥`, `3,000+`, "at least", "over".
    Least,
    /// `<`, `≤`, "at most", "under", "up to".
    Most,
}

/// A number and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub range: Range<usize>,
    pub stated: Stated,
    /// `+` or `-` stands before it.
    pub signed: bool,
    /// "about", `~`.
    pub about: bool,
}

/// How a document writes its decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Decimals {
    #[default]
    Point,
    Comma,
}

impl Stated {
    pub fn exact(value: f64) -> Self {
        Stated { value, half: 0.0, bound: Bound::Value }
    }

    pub fn scaled(self, factor: f64) -> Self {
        Stated { value: self.value * factor, half: self.half * factor.abs(), ..self }
    }

    pub fn low(self) -> f64 {
        self.value - self.half
    }

    pub fn high(self) -> f64 {
        self.value + self.half
    }

    /// What it can stand for.
    pub fn interval(self) -> Interval {
        Interval { low: self.low(), high: self.high() }
    }

    /// The same if digits may have been cut off instead of rounded.
    pub fn cut(self) -> Interval {
        Interval { low: self.value - 2.0 * self.half, high: self.value + 2.0 * self.half }
    }
}

/// A closed interval that a true value must lie in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

impl Interval {
    pub fn at(value: f64) -> Self {
        Interval { low: value, high: value }
    }

    /// Can both be true of one value? A billionth of slack, for binary fractions.
    pub fn meets(self, other: Interval) -> bool {
        let slack = 1e-9 * (self.low.abs().max(self.high.abs()) + other.low.abs().max(other.high.abs()));
        self.low <= other.high + slack && other.low <= self.high + slack
    }

    /// The hull of the two.
    pub fn join(self, other: Interval) -> Interval {
        Interval { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    pub fn plus(self, other: Interval) -> Interval {
        Interval { low: self.low + other.low, high: self.high + other.high }
    }

    pub fn minus(self, other: Interval) -> Interval {
        Interval { low: self.low - other.high, high: self.high - other.low }
    }

    pub fn times(self, other: Interval) -> Interval {
        let ends = [self.low * other.low, self.low * other.high, self.high * other.low, self.high * other.high];
        let low = ends.iter().copied().fold(f64::INFINITY, f64::min);
        Interval { low, high: ends.iter().copied().fold(f64::NEG_INFINITY, f64::max) }
    }

    /// `None` where the divisor can be zero.
    pub fn over(self, other: Interval) -> Option<Interval> {
        let divides = other.low > 0.0 || other.high < 0.0;
        divides.then(|| self.times(Interval { low: 1.0 / other.high, high: 1.0 / other.low }))
    }

    pub fn scaled(self, factor: f64) -> Interval {
        self.times(Interval::at(factor))
    }

    /// Without its sign: `-35 %` in a table is "35 % faster" in prose.
    pub fn size(self) -> Interval {
        if self.high < 0.0 { Interval { low: -self.high, high: -self.low } } else { self }
    }

    pub fn half(self) -> f64 {
        (self.high - self.low) / 2.0
    }

    pub fn middle(self) -> f64 {
        (self.high + self.low) / 2.0
    }
}

/// Does this text write `3,52` or `3.52`? Both can be groups of thousands, so only what cannot is counted.
pub fn decimals(text: &str) -> Decimals {
    let bytes = text.as_bytes();
    let (mut points, mut commas) = (0_usize, 0_usize);
    for (at, byte) in bytes.iter().enumerate() {
        if !matches!(byte, b'.' | b',') || at == 0 || !bytes[at - 1].is_ascii_digit() {
            continue;
        }
        let digits = bytes[at + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
        let after = bytes.get(at + 1 + digits).copied().unwrap_or(b' ');
        let alone = bytes[..at - 1].iter().rev().find(|b| !b.is_ascii_digit()).is_none_or(|b| *b != b',' && *b != b'.');
        let zero = bytes[at - 1] == b'0' && (at == 1 || !bytes[at - 2].is_ascii_digit());
        if digits == 0
            || (digits == 3 && !zero)
            || matches!(after, b'.' | b',' | b'_') && bytes.get(at + 2 + digits).is_some_and(u8::is_ascii_digit)
        {
            continue;
        }
        match byte {
            b'.' if alone => points += 1,
            // `(1,2)` and `1,2,3` are lists.
            b',' if digits <= 2 || zero => commas += 1,
            _ => {}
        }
    }
    if commas > 0 && commas > 2 * points { Decimals::Comma } else { Decimals::Point }
}

/// Every number of a text with its place.
pub fn all(text: &str, decimals: Decimals) -> Vec<Found> {
    let bytes = text.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let fraction = bytes[at] == b'.' && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
        if !(bytes[at].is_ascii_digit() || fraction && before_is_free(text, at)) {
            at += 1;
            continue;
        }
        let start = at;
        let digits = digits(text, start, decimals);
        // `.5` is no number where the comma parts decimals.
        at = digits.end.max(start + 1);
        // `95th` is a place, not an amount.
        let ordinal = list("st|nd|rd|th")
            .any(|end| text[at..].starts_with(end) && !text[at + 2..].starts_with(char::is_alphanumeric));
        if digits.name || ordinal || named_before(text, start) {
            at = at.max(start + 1);
            continue;
        }
        if let Some(number) = finish(text, start, &digits) {
            at = number.range.end;
            found.push(number);
        }
    }
    found
}

/// Digits with their separators.
struct Digits {
    end: usize,
    /// Only digits and a point.
    plain: String,
    fraction: usize,
    /// A version, a date, a time of day, an address.
    name: bool,
}

fn digits(text: &str, start: usize, decimals: Decimals) -> Digits {
    let bytes = text.as_bytes();
    let digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    let (point, comma) = match decimals {
        Decimals::Point => (b'.', b','),
        Decimals::Comma => (b',', b'.'),
    };
    let mut at = start;
    let mut plain = String::new();
    while digit(at) {
        plain.push(bytes[at] as char);
        at += 1;
        if let Some(width) = group(text, start, at, comma) {
            at += width;
        }
    }
    let mut fraction = 0;
    // `0,259` is a decimal in every language.
    let zero = plain == "0" && bytes.get(at).is_some_and(|b| *b == comma);
    if (bytes.get(at).is_some_and(|b| *b == point) || zero) && digit(at + 1) {
        plain.push('.');
        at += 1;
        while digit(at) {
            plain.push(bytes[at] as char);
            (at, fraction) = (at + 1, fraction + 1);
        }
    }
    let mut name = false;
    // `6.405.193`: groups, whatever the decimals are.
    if fraction == 3
        && (1..=3).contains(&(plain.len() - 4))
        && !plain.starts_with('0')
        && bytes.get(at) == Some(&b'.')
        && decimals == Decimals::Point
    {
        let mut end = at;
        while bytes.get(end) == Some(&b'.') && digit(end + 1) && digit(end + 2) && digit(end + 3) && !digit(end + 4) {
            end += 4;
        }
        if end > at && !(bytes.get(end) == Some(&b'.') && digit(end + 1)) {
            let grouped: String = text[start..end].chars().filter(|c| *c != '.').collect();
            return Digits { end, plain: grouped, fraction: 0, name: false };
        }
    }
    // `1.2.3`, `10:30`, `2026-11-26`, `3/4/2025`
    let next = bytes.get(at).copied().unwrap_or(0);
    let whole = fraction == 0;
    let date = matches!(next, b'-' | b'/')
        && whole
        && plain.len() == 4
        && digit(at + 1)
        && digit(at + 2)
        && bytes.get(at + 3) == Some(&next);
    if (next == b'.' && fraction > 0 || next == b':' && whole) && digit(at + 1) || date {
        name = true;
        while digit(at) || bytes.get(at).is_some_and(|b| matches!(b, b'.' | b':' | b'-' | b'/')) && digit(at + 1) {
            at += 1;
        }
    }
    Digits { end: at, plain, fraction, name }
}

/// A separator between groups of three digits at `at`: its width.
fn group(text: &str, start: usize, at: usize, comma: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    let rest = &text[at..];
    let first = rest.chars().next()?;
    let separator = first as u32 == u32::from(comma)
        || matches!(first, '\u{202f}' | '\u{2009}' | '\u{a0}' | ' ' | '\'' | '’' | '_');
    let lead = bytes[start..at].iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let width = first.len_utf8();
    let three = digit(at + width) && digit(at + width + 1) && digit(at + width + 2) && !digit(at + width + 3);
    // Before a first separator one to three digits, no zero first; a plain space could also part two numbers, so no decimals follow.
    let begins = at - start <= 3 && bytes[start] != b'0';
    let fits = three && lead <= 3 && (begins || at - start > 3);
    let spaced =
        first == ' ' && (lead == 0 || bytes.get(at + 4).is_some_and(|b| *b == b'.' || *b == b',' && digit(at + 5)));
    (separator && fits && !spaced).then_some(width)
}

/// The value with its power of ten, its sign and its precision.
fn finish(text: &str, start: usize, digits: &Digits) -> Option<Found> {
    let mut value: f64 =
        if digits.plain.starts_with('.') { format!("0{}", digits.plain) } else { digits.plain.clone() }.parse().ok()?;
    let mut end = digits.end;
    let about = about(&text[..start]);
    let mut half = half(&digits.plain, digits.fraction, about).max(if about { value.abs() * 0.05 } else { 0.0 });
    if let Some((power, width)) = power(&text[end..]) {
        (value, half) = (tens(value, power), tens(half, power));
        end += width;
    } else if let Some((exponent, width)) = exponent(&text[end..]) {
        // 10⁵ and 2^20 are numbers; another base is an expression.
        if digits.fraction > 0 || !matches!(digits.plain.as_str(), "10" | "2") {
            return None;
        }
        (value, half) = (value.powi(exponent), 0.0);
        end += width;
    }
    let before = text[..start].chars().next_back();
    let free = |text: &str| text.chars().next_back().is_none_or(|c| c.is_whitespace() || "([|=,:~≈/*±→>–".contains(c));
    let sign = match before {
        Some(c @ ('-' | '−' | '–' | '+')) if free(&text[..start - c.len_utf8()]) => Some(c),
        _ => None,
    };
    let start = start - sign.map_or(0, char::len_utf8);
    if sign.is_some_and(|c| c != '+') {
        value = -value;
    }
    let plus = text[end..].starts_with('+') && !text[end + 1..].starts_with(|c: char| c.is_ascii_digit());
    let bound = if plus { Bound::Least } else { bound(&text[..start]) };
    Some(Found { range: start..end, stated: Stated { value, half, bound }, signed: sign.is_some(), about })
}

/// Half a unit of the last digit that counts: the zeros that end a whole number may stand for anything, if two digits go before.
fn half(plain: &str, fraction: usize, about: bool) -> f64 {
    let unit = if fraction > 0 {
        10f64.powi(-(fraction as i32))
    } else {
        let significant = plain.trim_start_matches('0').len();
        let zeros = plain.len() - plain.trim_end_matches('0').len();
        10f64.powi(zeros.min(significant.saturating_sub(2)) as i32)
    };
    if about { unit } else { unit / 2.0 }
}

/// Times a power of ten: a division keeps `1.6e-5` what it is.
fn tens(value: f64, power: i32) -> f64 {
    if power < 0 { value / 10f64.powi(-power) } else { value * 10f64.powi(power) }
}

/// `e-5`, ` × 10^5`, `×10⁵`: the power and its width.
fn power(rest: &str) -> Option<(i32, usize)> {
    if rest.starts_with(['e', 'E']) {
        let sign = usize::from(rest[1..].starts_with(['-', '+']));
        let digits = rest[1 + sign..].bytes().take_while(u8::is_ascii_digit).count();
        let width = 1 + sign + digits;
        let power: i32 = rest[1..width].trim_start_matches('+').parse().ok()?;
        return (digits > 0 && digits < 4).then_some((power, width));
    }
    let spaces = rest.len() - rest.trim_start_matches([' ', '\u{a0}', '\u{202f}']).len();
    let sign = rest[spaces..].chars().next().filter(|c| "×x·*".contains(*c))?;
    let after = &rest[spaces + sign.len_utf8()..];
    let more = after.len() - after.trim_start_matches([' ', '\u{a0}', '\u{202f}']).len();
    let ten = after[more..].strip_prefix("10")?;
    // `× 10−5`: the power lost its place.
    let lost = ten.strip_prefix(['−', '-']).filter(|r| r.starts_with(|c: char| c.is_ascii_digit()));
    let (exponent, width) = match lost {
        Some(_) => exponent(&format!("^{ten}")).map(|(e, w)| (e, w - 1))?,
        None => exponent(ten)?,
    };
    Some((exponent, spaces + sign.len_utf8() + more + 2 + width))
}

/// `^5`, `^{-5}`, `⁵`: the exponent and its width.
fn exponent(rest: &str) -> Option<(i32, usize)> {
    let mut digits = String::new();
    let mut width = 0;
    let caret = rest.starts_with('^');
    for c in rest.chars() {
        let plain = match c {
            '^' | '{' if caret && digits.is_empty() => None,
            '(' if caret && digits.is_empty() => None,
            '-' | '−' | '–' if caret && digits.is_empty() => Some('-'),
            c if caret && c.is_ascii_digit() => Some(c),
            '⁻' if !caret && digits.is_empty() => Some('-'),
            c if !caret => {
                Some("⁰¹²³⁴⁵⁶⁷⁸⁹".chars().position(|s| s == c).map(|d| char::from(b'0' + d as u8))?).filter(|_| true)
            }
            _ => break,
        };
        width += c.len_utf8();
        digits.extend(plain);
        if !caret && !rest[width..].starts_with(|c: char| "⁰¹²³⁴⁵⁶⁷⁸⁹".contains(c)) {
            break;
        }
    }
    let value: i32 = digits.parse().ok()?;
    (value.abs() <= 300).then_some((value, width))
}

fn before_is_free(text: &str, at: usize) -> bool {
    text[..at].chars().next_back().is_none_or(|c| c.is_whitespace() || "([|=<>~≈,:-−+".contains(c))
}

/// Glued to a letter, a letter with a hyphen, or a mark of a number that names.
fn named_before(text: &str, start: usize) -> bool {
    let mut before = text[..start].chars().rev();
    match before.next() {
        Some(c) if c.is_alphabetic() => !is_cjk(c),
        Some('_' | '#' | '@' | '\\') => true,
        Some('-' | '‑' | '.') => before.next().is_some_and(|c| c.is_alphabetic() && !is_cjk(c)),
        _ => false,
    }
}

pub fn is_cjk(c: char) -> bool {
    matches!(c, '\u{3000}'..='\u{9fff}' | '\u{ff00}'..='\u{ffef}')
}

const ABOUT: &str =
    "about|around|roughly|approximately|approx.|approx|circa|ca.|etwa|rund|almost|nearly|knapp|约|大约|近";

fn about(before: &str) -> bool {
    let before = before.trim_end().trim_end_matches(['$', '€', '(', '×']).trim_end();
    before.ends_with(['~', '≈', '∼', '≃']) || ends_with_word(before, ABOUT)
}

fn bound(before: &str) -> Bound {
    let before = before.trim_end().trim_end_matches(['$', '€', '£']).trim_end();
    let least = "at least|more than|over|above|exceeds|exceeding|mindestens|über|mehr als|超过|至少";
    let most = "at most|less than|under|below|up to|no more than|within|fewer than|höchstens|unter|bis zu|weniger als|至多|不到|最多|高达|as much as|as many as";
    if before.ends_with(['>', '≥', '⩾', '≳']) && !before.ends_with("->") && !before.ends_with("=>")
        || ends_with_word(before, least)
    {
        Bound::Least
    } else if before.ends_with(['<', '≤', '⩽', '≲']) || ends_with_word(before, most) {
        Bound::Most
    } else {
        Bound::Value
    }
}

/// Does the text end with one of the words, as a word of its own?
fn ends_with_word(text: &str, words: &'static str) -> bool {
    list(words).any(|word| {
        let start = text.len().checked_sub(word.len());
        let tail = start.and_then(|start| text.get(start..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(word))
            && (word.chars().next().is_some_and(is_cjk)
                || start.and_then(|s| text[..s].chars().next_back()).is_none_or(|c| !c.is_alphanumeric()))
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<f64> {
        all(text, decimals(text)).into_iter().map(|found| found.stated.value).collect()
    }

    fn half_of(text: &str) -> f64 {
        all(text, Decimals::Point)[0].stated.half
    }

    #[test]
    fn numbers_are_found_and_names_are_not() {
        assert_eq!(values("from 1.99 to 3.52 s, 1,234 times"), [1.99, 3.52, 1234.0]);
        assert_eq!(values("Llama 3.2 on M4, version 1.2.3, x_1 -5 and 2–4"), [3.2, -5.0, 2.0, 4.0]);
        assert_eq!(values("3, 4, 5 at 10:30 on 2026-11-26, GPT-4"), [3.0, 4.0, 5.0]);
        assert_eq!(values("p = .05, −3, (-2) and a-3"), [0.05, -3.0, -2.0]);
    }

    #[test]
    fn groups_of_digits_and_decimal_commas() {
        assert_eq!(
            values("1 200 and 1\u{202f}200 and 1'200 and 1_200 and 2,073,600"),
            [1200.0, 1200.0, 1200.0, 1200.0, 2_073_600.0]
        );
        assert_eq!(values("stieg von 2,0 auf 3,5 s; 1.234,5 MB; 0,259"), [2.0, 3.5, 1234.5, 0.259]);
        assert_eq!(values("weights (1,2) of 3.5 and 4.5"), [1.0, 2.0, 3.5, 4.5]);
        assert_eq!(values("0,259 beside 1.5"), [0.259, 1.5]);
        assert_eq!(values("stieg von 2,0 auf 3,5 s, siehe .5"), [2.0, 3.5, 5.0]);
    }

    #[test]
    fn powers_of_ten() {
        assert_eq!(
            values("3.2 × 10^3, 2 × 10³, 1.5 × 10^-3, 1.6e-5, 1.6 × 10−5, 10⁵, 2^10"),
            [3200.0, 2000.0, 0.0015, 1.6e-5, 1.6e-5, 1e5, 1024.0]
        );
        assert_eq!(values("1.08^6 = 1.59").last(), Some(&1.59));
        assert_eq!(values("12 × 100"), [12.0, 100.0]);
    }

    #[test]
    fn what_rounding_allows() {
        assert_eq!(
            (half_of("2.70 s"), half_of("47"), half_of("17800"), half_of("100"), half_of("~77%")),
            (0.005, 0.5, 50.0, 5.0, 3.85)
        );
        assert_eq!(all("3,000+ lines", Decimals::Point)[0].stated.bound, Bound::Least);
        assert_eq!(all("up to 5 s", Decimals::Point)[0].stated.bound, Bound::Most);
        assert_eq!(all("a -> 5 s", Decimals::Point)[0].stated.bound, Bound::Value);
    }
}
