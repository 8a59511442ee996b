//! LaTeX source -> a paper's headings, paragraphs and tables as plain text. One pass over the tokens: what is open (groups,
//! environments, arguments, math) is a list, never a call within a call, so that depth is harmless.

use super::{Block, Document, LeftOut, Place, Table, Text};
use macros::Macros;
use sink::Sink;
use std::borrow::Cow;
use std::collections::HashMap;
use tables::RawTable;
use tokens::{Input, Kind, Token};

mod arguments;
mod definitions;
mod environments;
mod files;
mod macros;
mod printing;
pub(super) mod sink;
pub(super) mod tables;
mod tokens;
pub(super) mod units;
mod words;

/// Gives the name and the text of a file that a paper takes in, or says why not.
type Include<'d> = dyn FnMut(&str) -> Result<(String, String), String> + 'd;

/// What begins where a text of its own is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Own {
    Heading,
    Caption,
    Note,
    Cell,
}

/// Something open, and what is to be done at its end. A number is where it began in the text.
#[derive(Debug)]
enum End {
    Group,
    Environment(Box<str>),
    Table(Box<str>),
    Math(usize),
    /// Math in lines of its own.
    Display(usize),
    Own(Own),
    Accent(char, usize),
    Up(usize),
    Raised(usize),
    Down(usize),
    Root(usize),
    Above(usize),
    Below(usize),
    /// A number of siunitx, and the arguments that follow it: `n` a number, `u` a unit.
    Number(usize, &'static str),
    Angle(usize),
    Unit(usize),
    /// Alternatives: the next argument is left out.
    Either,
}

/// A float, for the captions of its tables.
#[derive(Default)]
struct Float {
    /// Where its first block is.
    first: usize,
    caption: Text,
}

struct Reader<'a, 'd> {
    input: Input<'a>,
    include: &'d mut Include<'d>,
    into: &'d mut Document,
    macros: Macros,
    ends: Vec<End>,
    /// The paragraph, and above it what is open within it.
    sinks: Vec<Sink>,
    tables: Vec<RawTable>,
    floats: Vec<Float>,
    notes: Vec<Text>,
    /// How many of each environment are open.
    open: HashMap<Box<str>, usize>,
    math: usize,
    units: usize,
    /// A line of displayed math is over.
    line_over: bool,
    preamble: bool,
    included: usize,
}

/// Reads a paper, or a part of one. `include` gives the name and the text of a file that it takes in, or says why not.
pub fn read(source: &str, file: usize, include: &mut Include, into: &mut Document) {
    let mut reader = Reader {
        input: Input::default(),
        include,
        into,
        macros: Macros::default(),
        ends: Vec::new(),
        sinks: vec![Sink::default()],
        tables: Vec::new(),
        floats: Vec::new(),
        notes: Vec::new(),
        open: HashMap::new(),
        math: 0,
        units: 0,
        line_over: false,
        preamble: false,
        included: 0,
    };
    reader.preamble = files::has_begin(source);
    reader.macros.read = source.len();
    reader.input.open(Cow::Borrowed(source), file);
    while let Some(token) = reader.input.next() {
        reader.token(token);
    }
    while reader.close_one() {}
    reader.flush();
    let silenced = std::mem::take(&mut reader.input.silenced);
    reader.into.silenced.extend(silenced);
}

/// A Greek letter by its name.
pub(super) fn greek(name: &str) -> Option<&'static str> {
    words::symbol(name).filter(|sign| sign.chars().all(|one| matches!(one, 'α'..='ω' | 'Α'..='Ω' | 'µ' | 'ϑ')))
}

impl Reader<'_, '_> {
    fn left_out(&mut self, place: Place, why: &str) {
        self.into.left_out.push(LeftOut { place, why: why.to_owned() });
    }

    fn sink(&mut self) -> &mut Sink {
        if self.sinks.is_empty() {
            self.sinks.push(Sink::default());
        }
        let last = self.sinks.len() - 1;
        &mut self.sinks[last]
    }

    fn at(&mut self) -> usize {
        self.sink().len()
    }

    fn emit(&mut self, text: &str, place: Place) {
        if self.line_over && !text.trim().is_empty() {
            self.line_over = false;
            let goes_on = text.trim_start().starts_with(|one| "=≈≤≥<>+−-×·/±→~≪≫⇒∝≃≅".contains(one));
            self.sink().end_sentence(!goes_on, place);
        }
        self.sink().add(text, place);
    }

    /// A space, but not at the beginning of math.
    fn space(&mut self, place: Place) {
        let start = match self.ends.last() {
            Some(End::Math(start)) => Some(*start),
            _ => None,
        };
        if start != Some(self.at()) {
            self.sink().add(" ", place);
        }
    }

    fn token(&mut self, token: Token) {
        let place = token.place;
        match token.kind {
            Kind::Command(name) => self.command(&name, token.spaced, place),
            Kind::Text(text) if self.math > 0 => self.emit(&text, place),
            Kind::Text(text) => self.emit(&words::ligatures(&text), place),
            Kind::Space => self.space(place),
            Kind::Par => self.par(place),
            Kind::Open => self.ends.push(End::Group),
            Kind::Close => self.close_brace(),
            Kind::Align => self.align(place),
            Kind::Math => self.dollar(),
            Kind::Display => self.dollars(place),
            Kind::Up if self.math > 0 => {
                let start = self.at();
                self.open_argument(|_| End::Up(start));
            }
            Kind::Down if self.math > 0 => {
                self.emit("_", place);
                let start = self.at();
                self.open_argument(|_| End::Down(start));
            }
            Kind::Up => self.emit("^", place),
            Kind::Down => self.emit("_", place),
            Kind::Param(number) => self.emit(&format!("#{number}"), place),
        }
    }

    /// Opens the argument that follows; one token is put in braces. Without one, nothing is opened.
    fn open_argument(&mut self, end: impl FnOnce(&mut Self) -> End) -> bool {
        let Some(token) = self.next_word() else { return false };
        match &token.kind {
            Kind::Open => {}
            Kind::Par | Kind::Close | Kind::Align | Kind::Math | Kind::Display => {
                self.input.put_back(token);
                return false;
            }
            _ => {
                let place = token.place;
                self.input.put_back(token);
                let mut one = self.argument();
                one.push(Token::new(Kind::Close, place));
                self.input.put_back_all(one);
            }
        }
        let end = end(self);
        self.ends.push(end);
        true
    }

    fn close_brace(&mut self) {
        // What was opened by something else than a brace is not closed by one.
        match self.ends.last() {
            None | Some(End::Environment(_) | End::Table(_) | End::Display(_)) => {}
            Some(_) => drop(self.close_one()),
        }
    }

    /// Ends the innermost that is open.
    fn close_one(&mut self) -> bool {
        let Some(end) = self.ends.pop() else { return false };
        match end {
            End::Group => {}
            End::Environment(name) => self.environment_over(&name),
            End::Table(name) => {
                self.environment_closed(&name);
                self.end_table(&name);
            }
            End::Math(start) => {
                self.math = self.math.saturating_sub(1);
                self.sink().trim_end(start);
            }
            End::Display(start) => self.end_display(start),
            End::Own(own) => self.end_own(own),
            other => self.end_argument(other),
        }
        true
    }

    fn end_own(&mut self, own: Own) {
        let Some(text) = self.sinks.pop().map(Sink::finish) else { return };
        if own == Own::Cell || text.text.is_empty() {
            return;
        }
        if own != Own::Note {
            self.flush();
        }
        match own {
            Own::Heading => self.into.blocks.push(Block::Heading(text)),
            Own::Note => self.notes.push(text),
            _ => {
                if let Some(table) = self.tables.last_mut() {
                    table.caption = text.clone();
                } else if let Some(float) = self.floats.last_mut() {
                    float.caption = text.clone();
                }
                if !self.preamble {
                    self.into.blocks.push(Block::Prose(text));
                }
            }
        }
    }

    fn open_own(&mut self, own: Own) {
        if self.open_argument(|_| End::Own(own)) {
            self.sinks.push(Sink::default());
        }
    }

    /// Ends the paragraph.
    fn flush(&mut self) {
        let Some(paragraph) = self.sinks.first_mut().map(std::mem::take) else { return };
        let text = paragraph.finish();
        let notes = std::mem::take(&mut self.notes);
        if !self.preamble {
            let texts = std::iter::once(text).chain(notes).filter(|text| !text.text.is_empty());
            self.into.blocks.extend(texts.map(Block::Prose));
        }
    }

    fn par(&mut self, place: Place) {
        // A dollar sign without its second one ends with the paragraph.
        while matches!(self.ends.last(), Some(End::Math(_))) {
            self.close_one();
        }
        if self.sinks.len() == 1 {
            self.flush();
        } else {
            self.space(place);
        }
    }

    /// `&`
    fn align(&mut self, place: Place) {
        match self.ends.last() {
            Some(End::Table(_)) => self.end_cell(),
            _ => self.space(place),
        }
    }

    /// `\\`
    fn line_end(&mut self, place: Place) {
        self.star();
        self.brackets();
        match self.ends.last() {
            Some(End::Table(_)) => {
                self.end_cell();
                if let Some(table) = self.tables.last_mut() {
                    table.end_row();
                }
            }
            Some(End::Display(_)) => self.line_over = true,
            Some(End::Environment(name))
                if self.math > 0 && ["aligned", "split", "gathered", "alignedat", "multlined"].contains(&&**name) =>
            {
                self.line_over = true;
            }
            _ => self.sink().add(" ", place),
        }
    }

    fn end_cell(&mut self) {
        let text = std::mem::take(self.sink()).finish();
        if let Some(table) = self.tables.last_mut() {
            table.end_cell(text.text, text.places.first().map(|(_, place)| *place));
        }
    }

    fn end_table(&mut self, name: &str) {
        self.end_cell();
        self.sinks.pop();
        let Some(mut raw) = self.tables.pop() else { return };
        raw.end_row();
        let place = raw.place;
        if name == "array" && !raw.has_columns() {
            let words = raw.words();
            return self.emit(&words, place);
        }
        let (table, cut) = raw.finish();
        self.into.left_out.extend(cut);
        if let Some(table) = table {
            self.put_table(table);
        }
    }

    fn put_table(&mut self, table: Table) {
        self.flush();
        if !self.preamble {
            self.into.blocks.push(Block::Table(table));
        }
    }
}

#[cfg(test)]
mod tests;
