//! The tags and texts of a `<math>` element, one by one -> plain text: of its TeX annotation, if it has one, else of its presentation.

use super::math;

/// A part longer than this stands without parentheses, because setting them copies it.
const SHORT: usize = 200;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Sup,
    Sub,
    SubSup,
    Fraction,
    Root,
    Other,
}

#[derive(Default)]
pub struct MathMl {
    /// Open elements: how many children each has, and where it begins in `out`.
    open: Vec<(Kind, usize, usize)>,
    out: String,
    tex: String,
    in_tex: bool,
}

impl MathMl {
    pub fn start(&mut self, name: &[u8], tex: bool) {
        if name == b"annotation" {
            self.in_tex = tex;
        }
        if let Some((kind, children, _)) = self.open.last_mut() {
            *children += 1;
            self.out += match (*kind, *children) {
                (Kind::Sup, 2) | (Kind::SubSup, 3) => "^",
                (Kind::Sub | Kind::SubSup, 2) => "_",
                (Kind::Fraction, 2) => "/",
                _ => "",
            };
        }
        let kind = match name {
            b"msup" | b"mover" => Kind::Sup,
            b"msub" | b"munder" => Kind::Sub,
            b"msubsup" | b"munderover" => Kind::SubSup,
            b"mfrac" => Kind::Fraction,
            b"msqrt" => Kind::Root,
            _ => Kind::Other,
        };
        if kind == Kind::Root {
            self.out.push('√');
        }
        self.open.push((kind, 0, self.out.len()));
    }

    pub fn end(&mut self) {
        self.in_tex = false;
        let Some((kind, _, start)) = self.open.pop() else {
            return;
        };
        let inside = self.open.last().is_some_and(|(parent, ..)| *parent != Kind::Other);
        if (inside || kind == Kind::Root) && self.out.len().saturating_sub(start) < SHORT && start <= self.out.len() {
            let part = self.out.split_off(start);
            self.out += &math::factor(&part);
        }
    }

    pub fn text(&mut self, text: &str, skipped: bool) {
        if self.in_tex {
            self.tex += text;
        } else if !skipped {
            self.out.extend(text.trim().chars().filter(|c| !matches!(c, '\u{2061}'..='\u{2064}')));
        }
    }

    pub fn finish(self) -> String {
        if self.tex.trim().is_empty() { self.out } else { math::plain(&self.tex) }
    }
}
