//! Helpers of the readers: pieces of a source -> [`Text`] with one space between words, places of byte offsets, and tables whose
//! rows all have the header's length.

use super::{Block, Document, LeftOut, Place, Row, Table, Text};

/// Cells that a file may gain by padding. More is an attack (a header of 10^5 columns over 10^5 short rows), not a paper.
const PADDING: usize = 1_000_000;

/// Byte offsets of a source -> places.
pub struct Lines {
    file: usize,
    /// Where each line begins, and its number.
    starts: Vec<(usize, usize)>,
}

impl Lines {
    /// Of a file whose first line is line 1.
    pub fn of(source: &str, file: usize) -> Self {
        let mut starts = vec![(0, 1)];
        starts.extend(source.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1).zip(2..));
        Lines { file, starts }
    }

    /// One place for all.
    pub fn fixed(place: Place) -> Self {
        Lines { file: place.file, starts: vec![(0, place.line)] }
    }

    /// Of a text put together from pieces that begin at these offsets, each on one line of the file.
    pub fn of_pieces(file: usize, starts: Vec<(usize, usize)>) -> Self {
        Lines { file, starts }
    }

    pub fn at(&self, offset: usize) -> Place {
        self.after(offset, 0)
    }

    /// The place `newlines` lines below that of `offset`.
    pub fn after(&self, offset: usize, newlines: usize) -> Place {
        let next = self.starts.partition_point(|(start, _)| *start <= offset);
        let index = (next.saturating_sub(1) + newlines).min(self.starts.len().saturating_sub(1));
        Place { file: self.file, line: self.starts.get(index).map_or(1, |(_, line)| *line) }
    }
}

/// A paragraph's source lines under way.
#[derive(Default)]
pub struct Source {
    pub text: String,
    /// Where each line begins, and its number.
    pub starts: Vec<(usize, usize)>,
}

impl Source {
    pub fn push(&mut self, line: &str, number: usize) {
        self.starts.push((self.text.len(), number));
        self.text += line;
        self.text.push('\n');
    }

    pub fn lines(&self, file: usize) -> Lines {
        Lines { file, starts: self.starts.clone() }
    }
}

/// White space that may collapse; what holds digit groups together may not.
fn collapses(c: char) -> bool {
    c.is_whitespace() && !matches!(c, '\u{a0}' | '\u{2007}' | '\u{2009}' | '\u{202f}')
}

/// Inline marks nested deeper than this are ignored.
const DEEPEST: usize = 16;

/// What the text within an inline mark becomes when it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Code,
    Sup,
    Sub,
}

/// Text under way.
#[derive(Default)]
pub struct Flow {
    base: Piece,
    marks: Vec<(Mark, Piece, Place)>,
    /// A table's cell keeps its code, whatever it is.
    keep_code: bool,
}

#[derive(Default)]
struct Piece {
    text: Text,
    /// White space that is written only when something follows.
    gap: bool,
}

impl Flow {
    pub fn of_cell() -> Self {
        Flow { keep_code: true, ..Flow::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.base.text.text.is_empty() && self.marks.iter().all(|(_, piece, _)| piece.text.text.is_empty())
    }

    fn here(&mut self) -> &mut Piece {
        self.marks.last_mut().map_or(&mut self.base, |(_, piece, _)| piece)
    }

    pub fn space(&mut self) {
        self.here().gap = true;
    }

    /// Appends with no space between.
    pub fn add(&mut self, text: &str, place: Place) {
        self.here().add(text, place);
    }

    pub fn begin(&mut self, mark: Mark, place: Place) {
        if self.marks.len() < DEEPEST {
            self.marks.push((mark, Piece::default(), place));
        }
    }

    /// Ends a mark and those within it; an end with no beginning is none.
    pub fn finish(&mut self, mark: Mark) {
        if self.marks.iter().any(|(open, ..)| *open == mark) {
            while let Some(ended) = self.pop() {
                if ended == mark {
                    break;
                }
            }
        }
    }

    fn pop(&mut self) -> Option<Mark> {
        let (mark, piece, place) = self.marks.pop()?;
        let place = piece.text.places.first().map_or(place, |(_, place)| *place);
        self.marked(mark, &piece.text.text, place);
        Some(mark)
    }

    /// Appends what stands within a mark.
    pub fn marked(&mut self, mark: Mark, text: &str, place: Place) {
        let keep_code = self.keep_code;
        let piece = self.here();
        match mark {
            Mark::Code if keep_code => piece.add(text, place),
            // A name is the paper's word, any other code is not its claim.
            Mark::Code if text.contains(|c: char| c.is_whitespace() || c == '=') => piece.gap = true,
            Mark::Code => piece.add(text, place),
            Mark::Sup | Mark::Sub => piece.lift(mark == Mark::Sup, text, place),
        }
    }

    pub fn take(&mut self) -> Text {
        while self.pop().is_some() {}
        std::mem::take(&mut self.base).text
    }

    /// Ends the block: its text goes to `blocks`, if there is any.
    pub fn end(&mut self, blocks: &mut Vec<Block>, make: impl FnOnce(Text) -> Block) {
        let text = self.take();
        if !text.text.is_empty() {
            blocks.push(make(text));
        }
    }
}

impl Piece {
    fn last(&self) -> Option<char> {
        self.text.text.chars().next_back().filter(|_| !self.gap)
    }

    fn add(&mut self, text: &str, place: Place) {
        let mut rest = text;
        while !rest.is_empty() {
            let word = rest.find(collapses).unwrap_or(rest.len());
            if word > 0 {
                self.word(&rest[..word], place);
            }
            rest = &rest[word..];
            let gap = rest.find(|c| !collapses(c)).unwrap_or(rest.len());
            self.gap |= gap > 0;
            rest = &rest[gap..];
        }
    }

    fn word(&mut self, word: &str, place: Place) {
        if self.gap && !self.text.text.is_empty() {
            self.text.text.push(' ');
        }
        self.gap = false;
        if self.text.places.last().is_none_or(|(_, last)| *last != place) {
            self.text.places.push((self.text.text.len(), place));
        }
        self.text.text += word;
    }

    /// `10^5`, `m^2`; a footnote's number after a full stop goes.
    fn lift(&mut self, up: bool, content: &str, place: Place) {
        let after = self.last();
        let digit = after.is_some_and(|c| c.is_ascii_digit() || c == ')');
        let letter = after.is_some_and(char::is_alphabetic);
        let number = !content.trim().is_empty() && content.chars().all(|c| c.is_ascii_digit() || ", ".contains(c));
        let ordinal = matches!(content.trim(), "th" | "st" | "nd" | "rd");
        match up {
            true if number && !digit && !letter && after.is_some() => return,
            true if (digit || letter) && !ordinal && content.contains(char::is_alphanumeric) => self.add("^", place),
            false if digit && content.starts_with(|c: char| c.is_ascii_digit()) => self.add("_", place),
            _ => {}
        }
        self.add(content, place);
    }
}

/// Makes a table's rows as long as its header and adds it to the document; a table with no text at all is none.
pub fn table(mut table: Table, into: &mut Document) {
    let filled = |cells: &[String]| cells.iter().any(|cell| !cell.is_empty());
    if !filled(&table.header) && !table.rows.iter().any(|row| filled(&row.cells)) {
        return;
    }
    let width = table.header.len();
    let mut padding = 0;
    let mut cut = None;
    for (index, row) in table.rows.iter_mut().enumerate() {
        padding += width.saturating_sub(row.cells.len());
        if padding > PADDING {
            cut = Some((index, row.place));
            break;
        }
        row.cells.resize(width, String::new());
    }
    if let Some((index, place)) = cut {
        table.rows.truncate(index);
        into.left_out.push(LeftOut { place, why: "the rest of a table: it is too wide".to_owned() });
    }
    into.blocks.push(Block::Table(table));
}

/// Header lines and body rows -> a table; with no header line the first row is it.
pub fn with_header(header: Vec<Vec<String>>, mut rows: Vec<Row>) -> Table {
    let mut lines = header.into_iter();
    let mut merged = match lines.next() {
        Some(first) => first,
        None if rows.is_empty() => Vec::new(),
        None => rows.remove(0).cells,
    };
    for line in lines {
        for (column, cell) in line.into_iter().enumerate() {
            if merged.len() <= column {
                merged.push(String::new());
            }
            if !merged[column].is_empty() && !cell.is_empty() {
                merged[column].push(' ');
            }
            merged[column] += &cell;
        }
    }
    Table { caption: Text::default(), header: merged, rows }
}

/// Adds a block, if it has text.
pub fn push(text: Text, make: impl FnOnce(Text) -> Block, into: &mut Document) {
    if !text.text.is_empty() {
        into.blocks.push(make(text));
    }
}

/// `1 cell`, `2 cells`.
pub fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// What a document holds, for the readers' tests: a line a block, with its kind and line number.
#[cfg(test)]
pub fn shown(document: &Document) -> String {
    let mut out = String::new();
    for block in &document.blocks {
        let (kind, text) = match block {
            Block::Heading(text) => ("H", text),
            Block::Prose(text) => (if text.item { "I" } else { "P" }, text),
            Block::Table(table) => {
                if !table.caption.text.is_empty() {
                    out += &format!("C {}\n", table.caption.text);
                }
                out += &format!("T {}\n", table.header.join(" | ").trim_end());
                for row in &table.rows {
                    let rule = if row.ruled { "r" } else { "" };
                    out += format!("{}{rule} {}", row.place.line, row.cells.join(" | ")).trim_end();
                    out.push('\n');
                }
                continue;
            }
        };
        out += &format!("{kind}{} {}\n", text.place(0).line, text.text);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_collapse_but_not_those_in_numbers() {
        let mut flow = Flow::default();
        flow.add("  a \n\t b\u{a0}c 1\u{202f}000  ", Place::default());
        assert_eq!(flow.take().text, "a b\u{a0}c 1\u{202f}000");
    }

    #[test]
    fn places_follow_the_words() {
        let mut flow = Flow::default();
        let at = |line| Place { file: 0, line };
        flow.add("one ", at(1));
        flow.add("two", at(2));
        assert_eq!(flow.take().places, vec![(0, at(1)), (4, at(2))]);
        assert_eq!(Lines::of("a\nb\n", 0).at(2), at(2));
        assert_eq!(Lines::fixed(at(7)).after(90, 3), at(7));
    }

    #[test]
    fn powers_are_marked() {
        let lifted = |before: &str, content: &str| {
            let mut flow = Flow::default();
            flow.add(before, Place::default());
            flow.marked(Mark::Sup, content, Place::default());
            flow.take().text
        };
        assert_eq!(lifted("10", "5"), "10^5");
        assert_eq!(lifted("m", "2"), "m^2");
        assert_eq!(lifted("end.", "12"), "end.");
        assert_eq!(lifted("5", "th"), "5th");
    }

    #[test]
    fn a_wide_table_is_cut() {
        let rows = (0..1000).map(|_| Row { cells: vec!["1".into()], ..Row::default() }).collect();
        let mut document = Document::default();
        table(Table { header: vec!["h".into(); 100_000], rows, ..Table::default() }, &mut document);
        assert_eq!(document.left_out.len(), 1);
    }
}
