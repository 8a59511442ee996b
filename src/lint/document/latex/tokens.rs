//! LaTeX source -> tokens, cut as TeX cuts it, each with its place. A stack of layers: files, and lists of tokens that were put
//! back (what a macro stands for). Comments end here; one that speaks to the linter is kept aside.

use super::super::{Place, Silence, silence};
use std::borrow::Cow;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Without its backslash: a word, or one character.
    Command(Box<str>),
    Text(Box<str>),
    Space,
    /// A blank line.
    Par,
    Open,
    Close,
    Align,
    /// `$`
    Math,
    /// `$$`
    Display,
    /// `^`
    Up,
    /// `_`
    Down,
    /// `#1` to `#9`
    Param(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: Kind,
    pub place: Place,
    /// Of a command: whitespace followed it.
    pub spaced: bool,
}

/// TeX's states of a line: at its beginning, after something that swallows spaces, amid text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Skipping,
    Middle,
}

struct Source<'a> {
    text: Cow<'a, str>,
    at: usize,
    place: Place,
    state: State,
}

enum Layer<'a> {
    Source(Source<'a>),
    /// Last first.
    Tokens(Vec<Token>),
}

#[derive(Default)]
pub(super) struct Input<'a> {
    layers: Vec<Layer<'a>>,
    pub silenced: Vec<Silence>,
    /// Where the latest token stood.
    pub place: Place,
}

impl Token {
    pub fn new(kind: Kind, place: Place) -> Self {
        Self { kind, place, spaced: false }
    }

    pub fn text(text: &str, place: Place) -> Self {
        Self::new(Kind::Text(text.into()), place)
    }

    pub fn is_text(&self, text: &str) -> bool {
        matches!(&self.kind, Kind::Text(own) if **own == *text)
    }

    /// What it takes up, for limits.
    pub fn size(&self) -> usize {
        match &self.kind {
            Kind::Command(text) | Kind::Text(text) => 16 + text.len(),
            _ => 16,
        }
    }
}

fn is_text(byte: u8) -> bool {
    !matches!(
        byte,
        b'\n'
            | b' '
            | b'\t'
            | b'\r'
            | b'%'
            | b'\\'
            | b'{'
            | b'}'
            | b'&'
            | b'$'
            | b'^'
            | b'_'
            | b'#'
            | b'~'
            | b'['
            | b']'
    )
}

impl Source<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn token(&mut self, silenced: &mut Vec<Silence>) -> Option<Token> {
        loop {
            let byte = *self.text.as_bytes().get(self.at)?;
            let place = self.place;
            let kind = match byte {
                b'\n' => {
                    self.at += 1;
                    self.place.line += 1;
                    match std::mem::replace(&mut self.state, State::New) {
                        State::New => Kind::Par,
                        State::Middle => Kind::Space,
                        State::Skipping => continue,
                    }
                }
                b' ' | b'\t' | b'\r' => {
                    self.at += 1;
                    if self.state != State::Middle {
                        continue;
                    }
                    self.state = State::Skipping;
                    Kind::Space
                }
                b'%' => {
                    self.comment(silenced);
                    continue;
                }
                b'\\' => return Some(self.command()),
                _ => {
                    self.state = State::Middle;
                    match self.ordinary(byte) {
                        Some(kind) => kind,
                        None => continue,
                    }
                }
            };
            return Some(Token::new(kind, place));
        }
    }

    fn comment(&mut self, silenced: &mut Vec<Silence>) {
        let line = self.rest().split('\n').next().unwrap_or("");
        let (length, found) = (line.len(), silence(line.trim_start_matches('%'), self.place));
        silenced.extend(found);
        self.at = (self.at + length + 1).min(self.text.len());
        self.place.line += 1;
        self.state = State::New;
    }

    fn command(&mut self) -> Token {
        let place = self.place;
        self.at += 1;
        let rest = self.rest();
        let letters = rest.bytes().take_while(|byte| byte.is_ascii_alphabetic() || *byte == b'@').count();
        let first = rest.chars().next();
        let length = if letters > 0 { letters } else { first.map_or(0, char::len_utf8) };
        let name: Box<str> = rest.get(..length).unwrap_or("").into();
        let spaced = rest.as_bytes().get(length).is_some_and(u8::is_ascii_whitespace);
        let blank = letters == 0 && first.is_some_and(|first| first.is_ascii_whitespace());
        self.at += length;
        self.state = if letters > 0 || blank { State::Skipping } else { State::Middle };
        if first == Some('\n') {
            self.place.line += 1;
            self.state = State::New;
        }
        Token { kind: Kind::Command(if blank { " ".into() } else { name }), place, spaced }
    }

    fn ordinary(&mut self, byte: u8) -> Option<Kind> {
        let next = self.text.as_bytes().get(self.at + 1).copied();
        let (length, kind) = match byte {
            b'{' => (1, Kind::Open),
            b'}' => (1, Kind::Close),
            b'&' => (1, Kind::Align),
            b'^' => (1, Kind::Up),
            b'_' => (1, Kind::Down),
            b'~' => (1, Kind::Text("\u{a0}".into())),
            b'[' => (1, Kind::Text("[".into())),
            b']' => (1, Kind::Text("]".into())),
            b'$' if next == Some(b'$') => (2, Kind::Display),
            b'$' => (1, Kind::Math),
            b'#' => match next {
                Some(digit @ b'1'..=b'9') => (2, Kind::Param(usize::from(digit - b'0'))),
                _ => {
                    self.at += 1;
                    return None;
                }
            },
            _ => {
                let rest = self.rest();
                let length = rest.bytes().position(|byte| !is_text(byte)).unwrap_or(rest.len());
                (length.max(1), Kind::Text(rest.get(..length).unwrap_or("").into()))
            }
        };
        self.at += length;
        Some(kind)
    }

    /// Goes on behind `length` bytes more.
    fn jump(&mut self, length: usize) {
        let end = (self.at + length).min(self.text.len());
        self.place.line += self.text.as_bytes()[self.at..end].iter().filter(|byte| **byte == b'\n').count();
        self.at = end;
        self.state = State::Middle;
    }
}

impl<'a> Input<'a> {
    pub fn open(&mut self, text: Cow<'a, str>, file: usize) {
        let at = if text.starts_with('\u{feff}') { 3 } else { 0 };
        self.layers.push(Layer::Source(Source { text, at, place: Place { file, line: 1 }, state: State::New }));
    }

    /// How many files are open.
    pub fn depth(&self) -> usize {
        self.layers.iter().filter(|layer| matches!(layer, Layer::Source(_))).count()
    }

    /// Leaves the file that is being read.
    pub fn leave(&mut self) {
        while let Some(Layer::Tokens(_)) = self.layers.pop() {}
    }

    pub fn next(&mut self) -> Option<Token> {
        loop {
            let token = match self.layers.last_mut()? {
                Layer::Source(source) => source.token(&mut self.silenced),
                Layer::Tokens(tokens) => tokens.pop(),
            };
            if let Some(token) = token {
                self.place = token.place;
                return Some(token);
            }
            self.layers.pop();
        }
    }

    pub fn put_back(&mut self, token: Token) {
        match self.layers.last_mut() {
            Some(Layer::Tokens(tokens)) => tokens.push(token),
            _ => self.layers.push(Layer::Tokens(vec![token])),
        }
    }

    /// Reads these next, first to last.
    pub fn put_back_all(&mut self, mut tokens: Vec<Token>) {
        self.drop_empty();
        tokens.reverse();
        if !tokens.is_empty() {
            self.layers.push(Layer::Tokens(tokens));
        }
    }

    fn drop_empty(&mut self) {
        while matches!(self.layers.last(), Some(Layer::Tokens(tokens)) if tokens.is_empty()) {
            self.layers.pop();
        }
    }

    /// The source as it is written from here on, where no macro stands between.
    pub fn raw(&mut self) -> Option<&str> {
        self.drop_empty();
        match self.layers.last() {
            Some(Layer::Source(source)) => Some(source.rest()),
            _ => None,
        }
    }

    /// Goes on behind `length` bytes of [`Self::raw`].
    pub fn jump(&mut self, length: usize) {
        if let Some(Layer::Source(source)) = self.layers.last_mut() {
            source.jump(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(source: &str) -> Vec<Kind> {
        let mut input = Input::default();
        input.open(source.into(), 0);
        std::iter::from_fn(|| input.next()).map(|token| token.kind).collect()
    }

    fn text(text: &str) -> Kind {
        Kind::Text(text.into())
    }

    #[test]
    fn lines_are_cut_as_tex_cuts_them() {
        assert_eq!(kinds("a % b\n  c\n\nd"), [text("a"), Kind::Space, text("c"), Kind::Space, Kind::Par, text("d")]);
        assert_eq!(kinds("\\x  1\\%2"), [Kind::Command("x".into()), text("1"), Kind::Command("%".into()), text("2")]);
        assert_eq!(kinds("a\r\n\r\nb"), [text("a"), Kind::Space, Kind::Par, text("b")]);
    }

    #[test]
    fn comments_to_the_linter_are_kept() {
        let mut input = Input::default();
        input.open("a\n% offprint-lint: ignore ratio as printed\nb".into(), 3);
        while input.next().is_some() {}
        assert_eq!(input.silenced[0].place, Place { file: 3, line: 2 });
        assert_eq!(input.silenced[0].reason, "as printed");
    }

    #[test]
    fn any_end_is_harmless() {
        for source in ["\\", "#", "a\\\u{e9}", "%", "$", "\u{feff}", "\\\n"] {
            kinds(source);
        }
    }
}
