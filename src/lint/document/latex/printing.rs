//! What LaTeX's commands make of their arguments when these have ended: numbers and units, accents, powers, fractions.

use super::super::Place;
use super::{End, Reader, units};
use unicode_normalization::UnicodeNormalization;

impl Reader<'_, '_> {
    /// siunitx.
    pub(super) fn number(&mut self, name: &str) -> bool {
        let then = match name {
            "num" | "numlist" | "tablenum" => "",
            "SI" | "qty" | "SIlist" | "qtylist" => "u",
            "numrange" => "n",
            "SIrange" | "qtyrange" => "nu",
            "ang" => {
                self.skip("[");
                let start = self.at();
                self.open_argument(|_| End::Angle(start));
                return true;
            }
            "si" | "unit" => {
                self.skip("[");
                self.open_unit();
                return true;
            }
            _ => return false,
        };
        self.skip("[");
        let start = self.at();
        self.open_argument(|_| End::Number(start, then));
        true
    }

    fn open_unit(&mut self) {
        self.skip("[");
        let start = self.at();
        if self.open_argument(|_| End::Unit(start)) {
            self.units += 1;
            self.math += 1;
        }
    }

    /// An argument of a command that prints it in its own way has ended.
    pub(super) fn end_argument(&mut self, end: End) {
        let place = self.input.place;
        match end {
            End::Accent(mark, start) => {
                let text = accented(self.sink().since(start), mark);
                self.sink().replace(start, &text, place);
            }
            End::Up(start) => self.rewrite(start, |text| match text {
                "∘" | "°" => "°".to_owned(),
                "th" | "st" | "nd" | "rd" | "′" | "†" | "‡" | "" => text.to_owned(),
                _ if text.chars().all(|one| one == '*') => text.to_owned(),
                _ => format!("^{}", in_parentheses(text)),
            }),
            End::Raised(start) => self.rewrite(start, |text| {
                let number = text.starts_with(|one: char| one.is_ascii_digit() || "-−–+".contains(one));
                if number { format!("^{}", text.replace(['−', '–'], "-")) } else { text.to_owned() }
            }),
            End::Root(start) => self.rewrite(start, in_parentheses),
            End::Above(start) => {
                self.rewrite(start, in_parentheses);
                self.emit("/", place);
                let start = self.at();
                self.open_argument(|_| End::Below(start));
            }
            End::Below(start) => self.rewrite(start, in_parentheses),
            End::Angle(start) => self.rewrite(start, units::angle),
            End::Number(start, then) => {
                self.rewrite(start, units::number);
                self.after_number(then, place);
            }
            End::Unit(start) => {
                self.units = self.units.saturating_sub(1);
                self.math = self.math.saturating_sub(1);
                self.rewrite(start, units::written);
            }
            End::Either => drop(self.argument()),
            _ => {}
        }
    }

    fn after_number(&mut self, then: &'static str, place: Place) {
        match then.get(..1) {
            Some("n") => {
                self.emit(" to ", place);
                let start = self.at();
                self.open_argument(|_| End::Number(start, &then[1..]));
            }
            Some(_) => {
                self.emit(" ", place);
                self.open_unit();
            }
            None => {}
        }
    }

    fn rewrite(&mut self, start: usize, how: impl FnOnce(&str) -> String) {
        let place = self.input.place;
        let text = how(self.sink().since(start).trim());
        self.sink().replace(start, &text, place);
    }

    /// A sign between two numbers has a space on both sides or on none; none behind it where nothing stands before it.
    pub(super) fn operator(&mut self, sign: &str, spaced: bool, place: Place) {
        if self.math == 0 {
            return self.emit(sign, place);
        }
        let start = match self.ends.last() {
            Some(End::Math(start) | End::Display(start) | End::Up(start) | End::Down(start)) => *start,
            _ => 0,
        };
        let first = self.sink().since(start).trim().is_empty() && !matches!(self.ends.last(), Some(End::Group));
        let word = sign.is_ascii() && sign.len() > 1;
        let wide = word || spaced || self.sink().ends_blank();
        if wide && !first {
            self.space(place);
        }
        self.emit(sign, place);
        if wide && !first {
            self.space(place);
        }
    }
}

fn accented(text: &str, mark: char) -> String {
    let mut letters = text.chars();
    let first = match letters.next() {
        Some('ı') => 'i',
        Some('ȷ') => 'j',
        Some(first) => first,
        None => return String::new(),
    };
    std::iter::once(first).chain(std::iter::once(mark)).chain(letters).nfc().collect()
}

fn in_parentheses(text: &str) -> String {
    let inner = text.strip_prefix(['-', '−', '+']).unwrap_or(text);
    let whole = inner.chars().all(|one| one.is_alphanumeric() || "._^\u{202f},%\\".contains(one));
    if whole { text.to_owned() } else { format!("({text})") }
}
