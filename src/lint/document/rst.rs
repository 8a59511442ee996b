//! reStructuredText -> headings, paragraphs, list items and tables, line by line. Literal blocks, code, comments and what directives
//! take in are left out. The depth of a line's indentation decides only where a paragraph, a literal block or a directive ends.

use super::flow::{self, Flow, Lines, Source};
use super::rst_inline::inline;
use super::rst_table::{self, Numbered};
use super::{Block, Document, LeftOut, Place, Table, Text, math, printed, silence};

/// Directives whose content is not the paper's text.
const SKIPPED: [&str; 26] = [
    "code-block",
    "code",
    "sourcecode",
    "parsed-literal",
    "literalinclude",
    "raw",
    "highlight",
    "doctest",
    "testcode",
    "testsetup",
    "testoutput",
    "productionlist",
    "toctree",
    "contents",
    "image",
    "meta",
    "graphviz",
    "plot",
    "bibliography",
    "ipython",
    "prompt",
    "tikz",
    "mermaid",
    "index",
    "role",
    "default-role",
];

pub fn read(source: &str, file: usize, into: &mut Document) {
    let lines: Vec<&str> = source.strip_prefix('\u{feff}').unwrap_or(source).lines().collect();
    let mut reader =
        Reader { lines: &lines, file, into, paragraph: Source::default(), item: false, indent: 0, caption: None };
    let mut at = 0;
    while at < lines.len() {
        at = reader.block(at);
    }
    reader.end_block();
    reader.end_caption();
}

struct Reader<'a> {
    lines: &'a [&'a str],
    file: usize,
    into: &'a mut Document,
    paragraph: Source,
    item: bool,
    /// Of the paragraph's lines but the first.
    indent: usize,
    /// Of a `.. table::` that is still to come.
    caption: Option<(String, usize)>,
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// A line that only underlines: one punctuation sign over and over.
fn underline(line: &str) -> Option<char> {
    let line = line.trim_end();
    let sign = line.chars().next().filter(char::is_ascii_punctuation)?;
    (line.len() >= 2 && line.chars().all(|c| c == sign)).then_some(sign)
}

impl<'a> Reader<'a> {
    fn get(&self, at: usize) -> &'a str {
        self.lines.get(at).copied().unwrap_or("")
    }

    fn place(&self, at: usize) -> Place {
        Place { file: self.file, line: at + 1 }
    }

    /// Reads what begins at a line; returns the line after it.
    fn block(&mut self, at: usize) -> usize {
        let line = self.get(at);
        let text = line.trim();
        if text.is_empty() {
            return self.blank(at);
        }
        if text == ".." || text.starts_with(".. ") {
            self.end_block();
            return self.explicit(at);
        }
        if self.paragraph.text.is_empty() {
            if let Some(end) = self.title_or_table(at) {
                return end;
            }
            if text.starts_with(">>> ") {
                return self.while_lines(at, |line| !line.trim().is_empty());
            }
        } else if self.paragraph.starts.len() == 1 && !self.item && self.is_title(at) {
            let title = self.inline_now();
            flow::push(title, Block::Heading, self.into);
            return at + 1;
        }
        self.prose(at);
        at + 1
    }

    fn title_or_table(&mut self, at: usize) -> Option<usize> {
        let title = self.title(at);
        if title.is_some() { title } else { self.table(at) }
    }

    fn is_title(&self, at: usize) -> bool {
        let line = self.get(at);
        let long = self.paragraph.text.trim().chars().count().min(4);
        indent(line) == 0 && underline(line).is_some() && line.trim_end().len() >= long.max(3)
    }

    /// A title between two lines, or a rule.
    fn title(&mut self, at: usize) -> Option<usize> {
        let line = self.get(at);
        let sign = underline(line).filter(|_| line.trim_end().len() >= 3)?;
        let same = underline(self.get(at + 2)).is_some_and(|other| other == sign);
        if same
            && !self.get(at + 1).trim().is_empty()
            && self.get(at + 1).trim_end().len() <= line.trim_end().len()
            && !is_single_table(self, at)
        {
            self.paragraph.push(self.lines[at + 1].trim(), at + 2);
            let title = self.inline_now();
            flow::push(title, Block::Heading, self.into);
            return Some(at + 3);
        }
        (line.trim_end().len() >= 4 && self.get(at + 1).trim().is_empty()).then_some(at + 1)
    }

    fn inline_now(&mut self) -> Text {
        let source = std::mem::take(&mut self.paragraph);
        let mut flow = Flow::default();
        inline(&source.text, &source.lines(self.file), &mut flow);
        flow.take()
    }

    fn prose(&mut self, at: usize) {
        let line = self.lines[at];
        let text = line.trim();
        if let Some(rest) = item(text) {
            self.end_block();
            self.item = true;
            self.indent = indent(line) + text.len() - rest.len();
            self.paragraph.push(rest, at + 1);
            return;
        }
        if !self.paragraph.text.is_empty() && indent(line) != self.indent {
            self.end_block();
        }
        self.indent = indent(line);
        let text = text.strip_prefix("| ").unwrap_or(field(text));
        self.paragraph.push(text, at + 1);
    }

    /// Ends a paragraph; after `::` an indented block follows that is literal.
    fn blank(&mut self, at: usize) -> usize {
        let literal = self.paragraph.text.trim_end().ends_with("::");
        let least = self.literal_indent(at);
        self.end_block();
        if !literal {
            return at + 1;
        }
        let end = self.while_lines(at, |line| line.trim().is_empty() || indent(line) > least);
        let lines: Vec<(&str, Place)> = (at..end).map(|at| (self.get(at), self.place(at))).collect();
        self.into.blocks.extend(printed::table(&lines).map(Block::Table));
        end
    }

    /// What a literal block is indented against: the line before the blank one.
    fn literal_indent(&self, at: usize) -> usize {
        at.checked_sub(1).map_or(0, |before| indent(self.get(before)))
    }

    fn while_lines(&self, at: usize, goes_on: impl Fn(&str) -> bool) -> usize {
        at + self.lines.get(at..).unwrap_or_default().iter().take_while(|line| goes_on(line)).count()
    }

    /// The end of the block that is indented more than the line.
    fn body_end(&self, at: usize) -> usize {
        let least = indent(self.get(at));
        self.while_lines(at + 1, |line| line.trim().is_empty() || indent(line) > least)
    }

    fn end_block(&mut self) {
        let item = std::mem::take(&mut self.item);
        if self.paragraph.text.is_empty() {
            return;
        }
        let end = self.paragraph.text.trim_end().len();
        self.paragraph.text.truncate(end);
        if self.paragraph.text.ends_with("::") {
            let end = self.paragraph.text.len() - 1;
            self.paragraph.text.truncate(end);
            if self.paragraph.text.trim() == ":" {
                self.paragraph = Source::default();
                return;
            }
        }
        let text = self.inline_now();
        if !text.text.is_empty() {
            self.into.blocks.push(Block::Prose(Text { item, ..text }));
        }
    }

    fn end_caption(&mut self) {
        if let Some((caption, at)) = self.caption.take() {
            let text = self.plain(&caption, at);
            flow::push(text, Block::Prose, self.into);
        }
    }

    fn plain(&self, text: &str, at: usize) -> Text {
        let mut flow = Flow::default();
        inline(text, &Lines::fixed(self.place(at)), &mut flow);
        flow.take()
    }

    fn add_table(&mut self, mut table: Table) {
        if let Some((caption, at)) = self.caption.take() {
            table.caption = self.plain(&caption, at);
        }
        flow::table(table, self.into);
    }

    /// A simple or a grid table.
    fn table(&mut self, at: usize) -> Option<usize> {
        let line = self.get(at);
        let margin = indent(line);
        let numbered = |from: usize, to: usize| -> Vec<Numbered> {
            let cut = |line: &str| line.get(margin..).unwrap_or("").trim_end().to_owned();
            (from..to).map(|at| (at + 1, cut(self.get(at)))).collect()
        };
        let text = line.trim();
        if text.starts_with("+-") && text.ends_with('+') {
            let end = self.while_lines(at, |line| line.trim_start().starts_with(['+', '|']));
            let table = rst_table::grid(&numbered(at, end), self.file);
            self.add_table(table);
            return Some(end);
        }
        if !rst_table::is_border(line) || !(text.contains(' ') || is_single_table(self, at)) {
            return None;
        }
        let end = self.simple_end(at);
        let table = rst_table::simple(&numbered(at, end), self.file);
        self.add_table(table);
        Some(end)
    }

    /// The last border is the second or third one, before a blank line.
    fn simple_end(&self, at: usize) -> usize {
        let mut borders = 0;
        for (index, line) in self.lines.iter().enumerate().skip(at) {
            borders += usize::from(rst_table::is_border(line));
            let last = self.get(index + 1).trim().is_empty();
            if borders >= 3 || (borders == 2 && last && rst_table::is_border(line)) {
                return index + 1;
            }
            if index > at && indent(line) < indent(self.get(at)) && !line.trim().is_empty() {
                return index;
            }
        }
        self.lines.len()
    }

    /// What begins with two dots.
    fn explicit(&mut self, at: usize) -> usize {
        let text = self.get(at).trim().get(2..).unwrap_or("").trim();
        let end = self.body_end(at);
        if let Some((note, rest)) = text.strip_prefix('[').and_then(|text| text.split_once(']'))
            && !note.contains(' ')
        {
            self.indent = indent(self.get(at));
            self.paragraph.push(rest.trim(), at + 1);
            return self.join(at + 1, end);
        }
        if text.starts_with('|') || text.starts_with('_') {
            return end;
        }
        let directive =
            text.split_once("::").filter(|(name, _)| !name.is_empty() && !name.contains(char::is_whitespace));
        if let Some((name, rest)) = directive {
            let (name, rest) = (name.to_ascii_lowercase(), rest.trim().to_owned());
            return self.directive(&name, &rest, at, end);
        }
        let comment: Vec<&str> = self.lines[at + 1..end].iter().map(|line| line.trim()).collect();
        let whole = format!("{text} {}", comment.join(" "));
        let place = self.place(at);
        self.into.silenced.extend(silence(&whole, place));
        end
    }

    /// Takes the lines up to the next blank one, or the end, into the paragraph.
    fn join(&mut self, at: usize, end: usize) -> usize {
        let lines = self.lines.get(at..end).unwrap_or_default();
        let end = at + lines.iter().take_while(|line| !line.trim().is_empty()).count();
        for index in at..end {
            self.paragraph.push(self.get(index).trim(), index + 1);
        }
        self.end_block();
        end
    }

    fn directive(&mut self, name: &str, rest: &str, at: usize, end: usize) -> usize {
        let options =
            at + 1 + self.lines[at + 1..end].iter().take_while(|line| line.trim_start().starts_with(':')).count();
        match name {
            "include" => {
                let why = format!("`.. include:: {rest}`: files that an RST file takes in are not read");
                let place = self.place(at);
                self.into.left_out.push(LeftOut { place, why });
                end
            }
            "math" => {
                let body: Vec<&str> = self.lines[options..end].to_vec();
                let mut flow = Flow::default();
                flow.add(&math::plain(&format!("{rest}\n{}", body.join("\n"))), self.place(at));
                flow.end(&mut self.into.blocks, Block::Prose);
                end
            }
            "table" => {
                self.end_caption();
                self.caption = Some((rest.to_owned(), at)).filter(|_| !rest.is_empty());
                options
            }
            "list-table" | "csv-table" => {
                self.end_caption();
                self.caption = Some((rest.to_owned(), at)).filter(|_| !rest.is_empty());
                self.data_table(name, at, options, end);
                end
            }
            _ if SKIPPED.contains(&name) || name.starts_with("auto") => end,
            "figure" | "only" | "container" | "class" | "rst-class" => options,
            _ => {
                if !rest.is_empty() {
                    let text = self.plain(rest, at);
                    flow::push(text, Block::Prose, self.into);
                }
                options
            }
        }
    }

    fn data_table(&mut self, name: &str, at: usize, options: usize, end: usize) {
        let option = |wanted: &str| {
            let mut options = self.lines[at + 1..options].iter();
            options.find_map(|line| line.trim().strip_prefix(wanted)).map(str::trim)
        };
        let header_rows = option(":header-rows:").and_then(|rows| rows.parse().ok()).unwrap_or(0);
        if let Some(source) = option(":file:").or_else(|| option(":url:")) {
            let why = format!("`.. {name}::` of `{source}`: files that an RST file takes in are not read");
            let place = self.place(at);
            self.into.left_out.push(LeftOut { place, why });
            self.caption = None;
            return;
        }
        let body: Vec<Numbered> = (options..end).map(|at| (at + 1, self.get(at).trim().to_owned())).collect();
        let body: Vec<Numbered> = body.into_iter().skip_while(|(_, line)| line.is_empty()).collect();
        let table = if name == "list-table" {
            rst_table::list(&body, header_rows, self.file)
        } else {
            let delimiter = match option(":delim:") {
                Some("tab") => '\t',
                Some("space") => ' ',
                other => other.and_then(|text| text.chars().next()).unwrap_or(','),
            };
            rst_table::csv(&body, option(":header:"), header_rows, delimiter, self.file)
        };
        self.add_table(table);
    }
}

/// A table of one column looks like a title between lines, but has two lines or more in it, or three borders.
fn is_single_table(reader: &Reader<'_>, at: usize) -> bool {
    let border = reader.get(at).trim();
    rst_table::is_border(border)
        && reader.get(at + 2).trim() == border
        && reader.lines.iter().skip(at + 3).take_while(|line| !line.trim().is_empty()).any(|line| line.trim() == border)
}

/// A list item's text.
fn item(text: &str) -> Option<&str> {
    let marked = ["- ", "* ", "+ ", "• "].iter().find_map(|mark| text.strip_prefix(mark));
    if let Some(rest) = marked {
        return Some(rest.trim_start());
    }
    let number = text.strip_prefix('(').unwrap_or(text);
    let digits = number.bytes().take_while(|b| b.is_ascii_digit() || *b == b'#').count();
    let rest = number.get(digits..).filter(|_| digits > 0)?;
    rest.strip_prefix(['.', ')']).and_then(|rest| rest.strip_prefix(' ')).map(str::trim_start)
}

/// `:name: text` without its name.
fn field(text: &str) -> &str {
    let Some((name, rest)) = text.strip_prefix(':').and_then(|rest| rest.split_once(": ")) else {
        return text;
    };
    if name.is_empty() || name.contains(['`', ':']) || name.len() > 40 { text } else { rest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::document::flow::shown;

    fn of(source: &str) -> String {
        let mut document = Document::default();
        read(source, 0, &mut document);
        shown(&document)
    }

    #[test]
    fn blocks() {
        assert_eq!(
            of("=====\nTitle\n=====\n\nOne\n---\na\n*b*\n\n----\n\n- c\n  d\n- e\n\n  f\n\n#. g\n"),
            "H2 Title\nH5 One\nP7 a b\nI12 c d\nI14 e\nP16 f\nI18 g\n"
        );
        assert_eq!(of("term\n  what it is\n\n:Author: A B\n"), "P1 term\nP2 what it is\nP4 A B\n");
        assert_eq!(of("a [1]_ b\n\n.. [1] The note\n   goes on\n\nc"), "P1 a b\nP3 The note goes on\nP6 c\n");
    }

    #[test]
    fn left_out() {
        assert_eq!(of("Like this::\n\n  3 + 3 = 7\n\n  4\n\nb\n\n::\n\n  x\n\nc"), "P1 Like this:\nP7 b\nP13 c\n");
        assert_eq!(
            of(
                ".. code-block:: python\n   :linenos:\n\n   3 + 3\n\n.. a comment\n   goes on\n\n.. _t: u\n.. |x| replace:: y\n\nb"
            ),
            "P12 b\n"
        );
        let mut document = Document::default();
        read(".. offprint-lint: ignore r why\n\n.. include:: x.rst\n", 0, &mut document);
        assert_eq!((document.silenced.len(), document.left_out.len()), (1, 1));
    }

    #[test]
    fn directives() {
        assert_eq!(
            of(".. note:: a\n   b\n\n   c\n\n.. math::\n\n   3 \\times 4 = 12\n"),
            "P1 a\nP2 b\nP4 c\nP6 3 × 4 = 12\n"
        );
        assert_eq!(of(".. figure:: a.png\n   :alt: x\n\n   The caption.\n"), "P4 The caption.\n");
    }

    #[test]
    fn tables() {
        assert_eq!(
            of(".. table:: Cost\n\n   ==  ==\n   a   b\n   ==  ==\n   1   2\n   ==  ==\n\nc"),
            "C Cost\nT a | b\n6r 1 | 2\nP9 c\n"
        );
        assert_eq!(of("+---+---+\n| a | b |\n+===+===+\n| 1 | 2 |\n+---+---+\n"), "T a | b\n4r 1 | 2\n");
        assert_eq!(
            of(".. list-table:: X\n   :header-rows: 1\n\n   * - a\n     - b\n   * - 1\n     - 2\n"),
            "C X\nT a | b\n6r 1 | 2\n"
        );
        assert_eq!(of(".. csv-table::\n   :header: a, b\n\n   1, 2\n"), "T a | b\n4r 1 | 2\n");
        assert_eq!(of("===\na\n===\n1\n2\n===\n"), "T a\n4r 1\n5 2\n");
    }

    #[test]
    fn nothing_panics_or_explodes() {
        for source in [
            "..",
            "::",
            ".. [",
            ".. |",
            "..  ::",
            "==",
            "== ==\n",
            "ü\n=",
            "=\n=\n=\n",
            ".. csv-table::",
            ".. list-table:: x\n",
            "+-+",
            "- ",
        ] {
            of(source);
            of(&format!("{source}\n").repeat(20_000));
            of(&(0..300).map(|n| format!("{}{source}\n", " ".repeat(n))).collect::<String>());
        }
    }
}
