//! A paper's file -> its headings, paragraphs and tables in reading order, as plain text, each with its place; and what of it was
//! not read, and why. Nothing is judged here.
//!
//! Plain text is what a reader sees, whatever the markup: `×` for `\times`, `10^5` for a power, `±`, `→`, `≈`, `µ`; U+202F for a thin
//! space, so that digit groups can be told from two numbers. Code, comments, front matter and struck-out text are not the paper's.

mod docx;
mod flow;
mod grid;
mod html;
mod latex;
mod markdown;
mod masked;
mod math;
mod mathml;
mod notebook;
mod open;
mod org;
mod org_inline;
mod pdf;
mod printed;
mod rst;
mod rst_inline;
mod rst_table;
mod typst;

pub use open::{Format, open, read};

/// Where something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// Index into [`Document::files`].
    pub file: usize,
    /// From 1: a line, in a PDF a page, in a DOCX a paragraph, in a notebook a cell.
    pub line: usize,
}

/// A paper.
#[derive(Debug, Default)]
pub struct Document {
    /// The file itself, and then the parts that it takes in.
    pub files: Vec<String>,
    pub blocks: Vec<Block>,
    pub left_out: Vec<LeftOut>,
    pub silenced: Vec<Silence>,
}

/// A piece of a paper.
#[derive(Debug)]
pub enum Block {
    Heading(Text),
    /// A paragraph, a list item, a caption, a footnote.
    Prose(Text),
    Table(Table),
}

/// Plain text that may come of several lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    pub text: String,
    /// Byte offsets in `text`, ascending, and the place of what begins there.
    pub places: Vec<(usize, Place)>,
    /// It is an item of a list.
    pub item: bool,
}

/// A table: every row has as many cells as the header.
#[derive(Debug, Default)]
pub struct Table {
    pub caption: Text,
    /// Of headers over several lines, and of one that spans columns, each column has all, from top to bottom, with a space between.
    pub header: Vec<String>,
    pub rows: Vec<Row>,
}

/// A row of a table.
#[derive(Debug, Default)]
pub struct Row {
    pub place: Place,
    /// A cell that spans columns stands in the first of them; one that spans rows, in each of them.
    pub cells: Vec<String>,
    /// A line was drawn above it.
    pub ruled: bool,
}

/// Something that was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    pub place: Place,
    /// One sentence part, lower case: `\input{../x.tex}: it lies outside of the paper's folder`.
    pub why: String,
}

/// A finding that the author has answered: `<!-- offprint-lint: ignore RULE reason -->`, `% offprint-lint: ignore RULE reason`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Of the comment; it holds for the block that follows, or that it stands in.
    pub place: Place,
    pub rule: String,
    pub reason: String,
}

impl Text {
    /// The place of what stands at a byte offset.
    pub fn place(&self, offset: usize) -> Place {
        let next = self.places.partition_point(|(start, _)| *start <= offset);
        self.places.get(next.saturating_sub(1)).map_or(Place::default(), |(_, place)| *place)
    }

    /// Appends what stands at `place`, with one space between it and what is there.
    pub fn push(&mut self, text: &str, place: Place) {
        let apart = !self.text.is_empty() && !self.text.ends_with(char::is_whitespace);
        if apart && !text.is_empty() && !text.starts_with(char::is_whitespace) {
            self.text.push(' ');
        }
        if self.places.last().is_none_or(|(_, last)| *last != place) {
            self.places.push((self.text.len(), place));
        }
        self.text += text;
    }
}

/// What a comment says to the linter, if it does: the text of the comment without its marks.
pub fn silence(comment: &str, place: Place) -> Option<Silence> {
    let rest = comment.trim().strip_prefix("offprint-lint:")?.trim().strip_prefix("ignore")?;
    let (rule, reason) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
    (!rule.is_empty()).then(|| Silence { place, rule: rule.to_owned(), reason: reason.trim().to_owned() })
}
