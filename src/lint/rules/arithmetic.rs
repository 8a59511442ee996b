//! Arithmetic that a sentence writes out, `3 prompts × 3 lengths × 2 runs = 18 runs`, read as the whole expression or not at all.

use std::sync::LazyLock;

use regex::Regex;

use super::Paper;
use crate::lint::{
    number::{Bound, Interval, show},
    report::{Out, Sure},
    sentence::{Quantity, Sentence},
    unit::Dim,
};

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    for sentence in paper.paragraphs.iter().flat_map(|paragraph| &paragraph.sentences) {
        if sentence.quantities.len() < 2
            || !sentence.text.contains(['=', '≈']) && !sentence.text.contains(['×', '+', '*'])
        {
            continue;
        }
        let tokens = tokens(sentence);
        for at in 0..tokens.len() {
            if let Token::Equals { about } = tokens[at] {
                equation(sentence, &tokens, at, about, out);
            }
        }
    }
}

/// A product of whole numbers with its result: the plan of a crossed design.
pub fn is_design(text: &str) -> bool {
    static DESIGN: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let factor = r"\d[\d,]*(?:\s+[A-Za-z()\-]+){0,4}";
        Regex::new(&format!(r"{factor}(?:\s*[×*·]\s*{factor})+\s*(?:=|≈|equals|gives|makes)\s*\**~?\d")).ok()
    });
    DESIGN.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Token {
    /// Index of a quantity.
    Number(usize),
    Operator(char),
    Open,
    Close,
    Equals {
        about: bool,
    },
    Word,
    /// A stop, a comma: another thought.
    Break,
}

/// What a sentence says, in the words of arithmetic.
fn tokens(sentence: &Sentence<'_>) -> Vec<Token> {
    let mut tokens = Vec::new();
    let (text, mut at, mut next) = (sentence.text, 0, 0);
    while at < text.len() {
        let quantity = sentence.quantities.get(next).filter(|quantity| quantity.range.start <= at);
        if let Some(quantity) = quantity {
            // The sign of a difference is the scanner's sign of a number.
            let signed =
                quantity.number.signed && matches!(tokens.last(), Some(Token::Number(_) | Token::Close | Token::Word));
            if signed {
                tokens.push(Token::Break);
            }
            tokens.push(if quantity.upper.is_some() { Token::Break } else { Token::Number(next) });
            at = quantity.range.end.max(at + 1);
            next += 1;
            while !text.is_char_boundary(at) {
                at += 1;
            }
            continue;
        }
        let Some(c) = text[at..].chars().next() else { break };
        let limit = sentence.quantities.get(next).map_or(text.len(), |quantity| quantity.range.start);
        if c.is_alphabetic() || c == '_' || c.is_ascii_digit() {
            let width = text[at..limit.max(at + 1)]
                .find(|c: char| !(c.is_alphanumeric() || "_-'".contains(c)))
                .unwrap_or(limit.max(at + c.len_utf8()) - at);
            let word = text.get(at..at + width.max(c.len_utf8())).unwrap_or("");
            tokens.push(match word {
                "x" => Token::Operator('×'),
                // `x_3`, `n`: variables.
                word if word.contains('_')
                    || word.chars().any(|c| c.is_ascii_digit())
                    || word.chars().count() == 1 && !word.chars().all(super::super::number::is_cjk) =>
                {
                    Token::Break
                }
                "times" | "by" if matches!(tokens.last(), Some(Token::Number(_))) => Token::Operator('×'),
                "plus" => Token::Operator('+'),
                "equals" | "gives" | "makes" | "ergibt" => Token::Equals { about: false },
                _ => Token::Word,
            });
            at += width.max(c.len_utf8());
            continue;
        }
        at += c.len_utf8();
        tokens.extend(match c {
            '×' | '*' | '·' | '⋅' => Some(Token::Operator('×')),
            '+' => Some(Token::Operator('+')),
            '−' | '-' | '–' if text[at..].starts_with(' ') => Some(Token::Operator('-')),
            '/' | '÷' => Some(Token::Operator('/')),
            '=' => Some(Token::Equals { about: false }),
            '≈' => Some(Token::Equals { about: true }),
            '(' | '[' => Some(Token::Open),
            ')' | ']' => Some(Token::Close),
            '^' | '√' | '<' | '>' | '≤' | '≥' | '±' | '∑' | '→' | '²' | '³' | '!' => Some(Token::Break),
            ',' | ';' | ':' | '.' | '|' | '"' | '“' => Some(Token::Break),
            _ => None,
        });
    }
    tokens
}

/// The expression left of an equals sign, and the number right of it.
fn equation(sentence: &Sentence<'_>, tokens: &[Token], at: usize, about: bool, out: &mut Out<'_>) {
    let Some(Token::Number(result)) = tokens.get(at + 1).copied() else { return };
    // The number that follows must be all of the other side.
    let after = tokens[at + 2..].iter().find(|token| **token != Token::Word);
    if matches!(after, Some(Token::Operator(_) | Token::Open))
        && tokens.get(at + 2) != Some(&Token::Word)
        && !matches!(after, Some(Token::Open))
    {
        return;
    }
    if matches!(tokens.get(at + 2), Some(Token::Operator(_))) {
        return;
    }
    let Some(start) = start(tokens, at) else { return };
    let terms = &tokens[start..at];
    if !terms.iter().any(|token| matches!(token, Token::Operator(_))) {
        return;
    }
    let quantities = &sentence.quantities;
    let mut parser = Parser { tokens: terms, at: 0, quantities };
    let Some(value) = parser.sum().filter(|_| parser.at == terms.len()) else { return };
    let right = &quantities[result];
    if right.number.stated.bound != Bound::Value {
        return;
    }
    let first = terms
        .iter()
        .find_map(|token| if let Token::Number(index) = token { Some(*index) } else { None })
        .unwrap_or(result);
    let range = quantities[first].range.start..right.range.end;
    // Code and formulas run into the words around them.
    let free = |c: Option<char>| {
        c.is_none_or(|c| c.is_whitespace() || "([{*“\"':;,.|)]}”–—→!?".contains(c) || super::super::number::is_cjk(c))
    };
    // `sec:2+2=5` is a name.
    let name = !sentence.text[range.clone()].contains([' ', '\u{a0}', '\u{202f}']);
    if name
        || !free(sentence.text[..range.start].chars().next_back())
        || !free(sentence.text[range.end..].chars().next())
    {
        return;
    }
    let rule =
        if terms.contains(&Token::Operator('+')) || terms.contains(&Token::Operator('-')) { "sum" } else { "product" };
    if agrees(&value, right, about) {
        out.fits(sentence.place(range.start), rule, sentence.quote(range));
        return;
    }
    let follows = show(value.number.middle() / if value.dim == right.unit.dim { right.unit.scale } else { 1.0 });
    let why = if rule == "product" { "the product of the factors" } else { "the sum of the terms" };
    out.wrong(sentence.place(range.start), rule, Sure::Error, [sentence.quote(range), follows, why.into()]);
}

/// Where the expression begins; `None` if something before it belongs to it that was not read.
fn start(tokens: &[Token], at: usize) -> Option<usize> {
    let (mut start, mut depth) = (at, 0_i32);
    let mut words = 0;
    while start > 0 {
        match tokens[start - 1] {
            Token::Close => depth += 1,
            Token::Open if depth == 0 => break,
            Token::Open => depth -= 1,
            Token::Break | Token::Equals { .. } => break,
            Token::Word => {
                words += 1;
                // Words are units if a number stands before them, no more than four.
                let ahead = tokens[..start - 1].iter().rev().take_while(|token| **token == Token::Word).count();
                let owner = tokens[..start - 1 - ahead].last();
                if !matches!(owner, Some(Token::Number(_) | Token::Close)) || words > 4 || ahead + words > 4 {
                    // A variable before an operator is a part that is not known.
                    return (!matches!(tokens.get(start), Some(Token::Operator(_)))).then_some(start);
                }
            }
            Token::Number(_) | Token::Operator(_) => words = 0,
        }
        start -= 1;
        // Two numbers with no operator between are two thoughts.
        if let Token::Number(_) = tokens[start] {
            let next = tokens[start + 1..at].iter().find(|token| **token != Token::Word);
            if matches!(next, Some(Token::Number(_) | Token::Open)) {
                return Some(
                    start + 1 + tokens[start + 1..at].iter().take_while(|token| **token == Token::Word).count(),
                );
            }
        }
    }
    let unread =
        start > 0 && matches!(tokens[start - 1], Token::Break) && matches!(tokens.get(start), Some(Token::Operator(_)));
    (depth == 0 && !unread && !matches!(tokens.get(start), Some(Token::Operator(_)))).then_some(start)
}

/// A value with what it is a value of.
#[derive(Debug, Clone)]
struct Value {
    /// In the base of `dim`.
    number: Interval,
    dim: Dim,
    /// Of the one unit that is in it.
    scale: f64,
}

/// Sums of products, with brackets; no recursion but for those.
struct Parser<'t> {
    tokens: &'t [Token],
    at: usize,
    quantities: &'t [Quantity],
}

impl Parser<'_> {
    fn sum(&mut self) -> Option<Value> {
        let mut value = self.product()?;
        while let Some(Token::Operator(sign @ ('+' | '-'))) = self.tokens.get(self.at).copied() {
            self.at += 1;
            let next = self.product()?;
            let alike = value.dim == next.dim || plain(&value.dim) && plain(&next.dim);
            let lends = (plain(&value.dim) || plain(&next.dim)) && !alike;
            // `2 + 2 billion`: whose billions?
            if lends || !alike || plain(&value.dim) && value.scale != next.scale {
                return None;
            }
            value.number = if sign == '+' { value.number.plus(next.number) } else { value.number.minus(next.number) };
        }
        Some(value)
    }

    fn product(&mut self) -> Option<Value> {
        let mut value = self.factor()?;
        while let Some(Token::Operator(sign @ ('×' | '/'))) = self.tokens.get(self.at).copied() {
            self.at += 1;
            let next = self.factor()?;
            value.number =
                if sign == '×' { value.number.times(next.number) } else { value.number.over(next.number)? };
            if plain(&value.dim) {
                (value.dim, value.scale) = (next.dim, next.scale);
            } else if !plain(&next.dim) {
                // Two units make a third.
                (value.dim, value.scale) = (Dim::Count("?".into()), value.scale * next.scale);
            }
        }
        Some(value)
    }

    fn factor(&mut self) -> Option<Value> {
        let value = match self.tokens.get(self.at)? {
            Token::Number(index) => {
                let quantity = &self.quantities[*index];
                let stated = quantity.number.stated;
                if stated.bound != Bound::Value {
                    return None;
                }
                // A whole number that is written out is meant as it stands.
                let exact = stated.value.fract() == 0.0 && !quantity.number.about;
                let number = if exact { Interval::at(stated.value) } else { stated.interval() };
                let scale = if quantity.unit.dim == Dim::Percent { 0.01 } else { quantity.unit.scale };
                self.at += 1;
                Value { number: number.scaled(scale), dim: quantity.unit.dim.clone(), scale }
            }
            Token::Open => {
                self.at += 1;
                let value = self.sum()?;
                (self.tokens.get(self.at) == Some(&Token::Close)).then_some(())?;
                self.at += 1;
                value
            }
            _ => return None,
        };
        while self.tokens.get(self.at) == Some(&Token::Word) {
            self.at += 1;
        }
        Some(value)
    }
}

fn plain(dim: &Dim) -> bool {
    matches!(dim, Dim::None | Dim::Count(_) | Dim::Factor)
}

/// Can the number be the value, in its unit or another of its kind?
fn agrees(value: &Value, right: &Quantity, about: bool) -> bool {
    let stated = right.number.stated;
    let scale = if right.unit.dim == Dim::Percent { 0.01 } else { right.unit.scale };
    let wide = if about || right.number.about { 0.1 * stated.value.abs() } else { 0.0 };
    let own = Interval { low: stated.cut().low - wide, high: stated.cut().high + wide };
    // Whole numbers make whole numbers, and short ones are not rounded.
    let whole = value.number.low == value.number.high
        && value.number.low.fract() == 0.0
        && stated.value.fract() == 0.0
        && stated.value.abs() < 1e5;
    if whole && wide == 0.0 && value.scale == 1.0 && scale == 1.0 && plain(&value.dim) && plain(&right.unit.dim) {
        return stated.value == value.number.low;
    }
    let fits = |own: Interval, factor: f64| own.scaled(factor).meets(value.number);
    if fits(own, scale)
        || fits(own, 1.0) && plain(&right.unit.dim)
        || fits(own, value.scale)
        || fits(own, value.scale * scale)
    {
        return true;
    }
    // The result is in a unit that the factors do not have: a power of it is between.
    let mixed = value.dim != right.unit.dim;
    let powers = [
        60.0,
        3600.0,
        86_400.0,
        24.0,
        1e3,
        1e6,
        1e9,
        1e12,
        1024.0,
        1_048_576.0,
        1_073_741_824.0,
        100.0,
        8.0,
        8e3,
        8e6,
        8e9,
        30.0,
        365.0,
    ];
    let bytes = matches!(right.unit.dim, Dim::Bytes) || value.dim == Dim::Bytes;
    (mixed || bytes) && powers.iter().any(|power| fits(own, scale * power) || fits(own, scale / power))
}
