//! Marks in the text of a paper that say which claim a number is, or which judgement a sentence: letters of Unicode's private area, which
//! no data can bring in. They are taken out of every format but the page, whose numbers answer for themselves.

use crate::claims::{Claims, Id};

const CLAIM: char = '\u{e000}';
const TEXT: char = '\u{e001}';
const END_OF_CLAIM: char = '\u{e002}';
const SENTENCE: char = '\u{e003}';
const END_OF_SENTENCE: char = '\u{e004}';

pub(super) fn is_mark(c: char) -> bool {
    (CLAIM..=END_OF_SENTENCE).contains(&c)
}

/// The text of the claim at a place in their order; nothing where it is empty.
pub(super) fn claim(place: usize, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{CLAIM}{place}{TEXT}{text}{END_OF_CLAIM}") }
}

/// The sentence of the predicate at a place in their order; nothing where it says nothing.
pub(super) fn sentence(place: usize, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{SENTENCE}{place}{TEXT}{text}{END_OF_SENTENCE}") }
}

/// A piece of a text with marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Text(&'a str),
    Begin(Of, usize),
    End(Of),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Claim,
    Sentence,
}

/// Its pieces, in order. What begins in one text may end in another.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(is_mark) {
        if at > 0 {
            found.push(Piece::Text(&rest[..at]));
        }
        let mark = rest[at..].chars().next().unwrap_or(TEXT);
        rest = &rest[at + mark.len_utf8()..];
        let of = if matches!(mark, CLAIM | END_OF_CLAIM) { Of::Claim } else { Of::Sentence };
        match mark {
            CLAIM | SENTENCE => {
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                found.extend(rest[..digits].parse().ok().map(|place| Piece::Begin(of, place)));
                rest = &rest[digits..];
            }
            TEXT => {}
            _ => found.push(Piece::End(of)),
        }
    }
    if !rest.is_empty() {
        found.push(Piece::Text(rest));
    }
    found
}

/// The text as it is printed.
pub(super) fn strip(text: &str) -> String {
    let words =
        pieces(text).into_iter().filter_map(|piece| if let Piece::Text(text) = piece { Some(text) } else { None });
    words.collect()
}

/// Ids by their places.
#[derive(Debug)]
pub(super) struct Ids<'a> {
    pub(super) claims: Vec<&'a Id>,
    pub(super) predicates: Vec<&'a Id>,
}

impl<'a> Ids<'a> {
    pub(super) fn of(claims: &'a Claims) -> Self {
        Ids { claims: claims.claims.keys().collect(), predicates: claims.predicates.keys().collect() }
    }

    pub(super) fn get(&self, of: Of, place: usize) -> Option<&'a Id> {
        let ids = if of == Of::Claim { &self.claims } else { &self.predicates };
        ids.get(place).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_go_as_they_came() {
        let text = format!("a {} b {}{}", claim(12, "3.4"), sentence(0, "It holds."), sentence(1, ""));
        assert_eq!(strip(&text), "a 3.4 b It holds.");
        assert_eq!(
            pieces(&text),
            [
                Piece::Text("a "),
                Piece::Begin(Of::Claim, 12),
                Piece::Text("3.4"),
                Piece::End(Of::Claim),
                Piece::Text(" b "),
                Piece::Begin(Of::Sentence, 0),
                Piece::Text("It holds."),
                Piece::End(Of::Sentence),
            ]
        );
        assert_eq!(strip("no mark"), "no mark");
    }
}
