//! Org -> headings, paragraphs, list items and tables. Source blocks, comments, drawers and what is not exported are left out.

use super::flow::{self, Flow, Lines, Source};
use super::org_inline::inline;
use super::{Block, Document, LeftOut, Place, Row, Text, silence};

/// Blocks whose text is not the paper's.
const SKIPPED: [&str; 6] = ["src", "example", "export", "comment", "verbatim", "latex"];

pub fn read(source: &str, file: usize, into: &mut Document) {
    let mut reader = Reader::of(file, into);
    for (line, number) in source.strip_prefix('\u{feff}').unwrap_or(source).lines().zip(1..) {
        reader.line(line, number);
    }
    reader.end_block();
    reader.end_caption();
}

struct Reader<'a> {
    file: usize,
    into: &'a mut Document,
    paragraph: Source,
    item: bool,
    table: Vec<(usize, String)>,
    caption: Option<(String, usize)>,
    /// The end of the block or drawer that is skipped, in small letters.
    until: Option<String>,
    /// The level of a heading whose part is not exported.
    hidden: Option<usize>,
}

fn starts_with(line: &str, prefix: &str) -> bool {
    line.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

impl Reader<'_> {
    fn line(&mut self, line: &str, number: usize) {
        let text = line.trim();
        if let Some(end) = &self.until {
            if text.eq_ignore_ascii_case(end) {
                self.until = None;
            }
            return;
        }
        let stars = line.bytes().take_while(|b| *b == b'*').count();
        if stars > 0 && line[stars..].starts_with([' ', '\t']) {
            self.end_block();
            self.heading(line[stars..].trim(), stars, number);
            return;
        }
        if self.hidden.is_some() {
            return;
        }
        if text.starts_with('|') {
            if self.table.is_empty() {
                self.end_block();
            }
            self.table.push((number, text.to_owned()));
        } else if text.is_empty() {
            self.end_block();
        } else if let Some(keyword) = text.strip_prefix("#+") {
            self.keyword(keyword, number);
        } else if text == "#" || text.starts_with("# ") {
            self.end_block();
            self.into.silenced.extend(silence(text[1..].trim(), Place { file: self.file, line: number }));
        } else if is_drawer(text) {
            self.end_block();
            self.until = Some(":end:".to_owned());
        } else if text == ":" || text.starts_with(": ") {
            self.end_block();
        } else {
            self.prose(line, text, number);
        }
    }

    fn prose(&mut self, line: &str, text: &str, number: usize) {
        if !self.table.is_empty() {
            self.end_block();
        }
        let rule = text.len() >= 5 && text.bytes().all(|b| b == b'-');
        if let Some(rest) = item(line) {
            self.end_block();
            self.item = true;
            self.paragraph.push(rest, number);
        } else if rule {
            self.end_block();
        } else if let Some((_, note)) = footnote(line) {
            self.end_block();
            self.paragraph.push(note, number);
        } else {
            self.paragraph.push(text, number);
        }
    }

    fn heading(&mut self, text: &str, level: usize, number: usize) {
        if self.hidden.is_some_and(|hidden| level > hidden) {
            return;
        }
        self.end_caption();
        let (text, tags) = match text.rsplit_once([' ', '\t']) {
            Some((before, tags)) if tags.len() > 2 && tags.starts_with(':') && tags.ends_with(':') => (before, tags),
            _ => (text, ""),
        };
        let text = ["TODO ", "DONE "].iter().find_map(|word| text.strip_prefix(word)).unwrap_or(text).trim();
        let hidden = text == "COMMENT" || text.starts_with("COMMENT ") || tags.contains(":noexport:");
        self.hidden = hidden.then_some(level);
        if !hidden {
            let text = if text.starts_with("[#") { text.split_once(']').map_or(text, |(_, rest)| rest) } else { text };
            let text = self.plain(text, number);
            flow::push(text, Block::Heading, self.into);
        }
    }

    /// `#+NAME: value`
    fn keyword(&mut self, text: &str, number: usize) {
        self.end_block();
        let place = Place { file: self.file, line: number };
        if starts_with(text, "begin_") {
            let name = text[6..].split_whitespace().next().unwrap_or("").to_ascii_lowercase();
            if SKIPPED.contains(&name.as_str()) {
                self.until = Some(format!("#+end_{name}"));
            }
        } else if starts_with(text, "include:") {
            let what = text[8..].trim();
            let why = format!("`#+INCLUDE: {what}`: files that an Org file takes in are not read");
            self.into.left_out.push(LeftOut { place, why });
        } else if starts_with(text, "title:") {
            let text = self.plain(&text[6..], number);
            flow::push(text, Block::Heading, self.into);
        } else if starts_with(text, "caption") {
            self.end_caption();
            self.caption = text.split_once(':').map(|(_, caption)| (caption.trim().to_owned(), number));
        }
    }

    fn plain(&mut self, text: &str, number: usize) -> Text {
        let mut flow = Flow::default();
        inline(text, &Lines::fixed(Place { file: self.file, line: number }), &mut flow);
        flow.take()
    }

    /// A caption that no table follows.
    fn end_caption(&mut self) {
        if let Some((caption, number)) = self.caption.take() {
            let text = self.plain(&caption, number);
            flow::push(text, Block::Prose, self.into);
        }
    }

    fn end_block(&mut self) {
        let paragraph = std::mem::take(&mut self.paragraph);
        let item = std::mem::take(&mut self.item);
        if !paragraph.text.is_empty() {
            self.end_caption();
            let mut flow = Flow::default();
            inline(&paragraph.text, &paragraph.lines(self.file), &mut flow);
            flow.end(&mut self.into.blocks, |text| Block::Prose(Text { item, ..text }));
        }
        if !self.table.is_empty() {
            self.end_table();
        }
    }

    fn end_table(&mut self) {
        let lines = std::mem::take(&mut self.table);
        let (mut rows, mut header) = (Vec::new(), None);
        let mut ruled = false;
        for (number, line) in lines {
            if line.starts_with("|-") {
                if header.is_none() && !rows.is_empty() {
                    header = Some(rows.len());
                }
                ruled = true;
                continue;
            }
            let cells = cells(&line, self.file, number);
            let settings = matches!(cells.first().map(String::as_str), Some("/" | "!" | "^" | "_" | "$"));
            if !settings && !is_width(&cells) {
                let ruled = std::mem::take(&mut ruled) && !rows.is_empty();
                rows.push(Row { place: Place { file: self.file, line: number }, cells, ruled });
            }
        }
        // Rows of numbers above the first line are no header: the line stands above a total.
        let numeric = |row: &Row| row.cells.iter().any(|cell| cell.starts_with(|c: char| c.is_ascii_digit()));
        let most = 1 + rows.iter().skip(1).take_while(|row| !numeric(row)).count();
        let header = header.filter(|header| *header < rows.len() && *header <= most).unwrap_or(1).min(rows.len());
        let body = rows.split_off(header);
        let mut table = flow::with_header(rows.into_iter().map(|row| row.cells).collect(), body);
        if let Some((caption, number)) = self.caption.take() {
            table.caption = self.plain(&caption, number);
        }
        flow::table(table, self.into);
    }
}

impl Reader<'_> {
    fn of(file: usize, into: &mut Document) -> Reader<'_> {
        Reader {
            file,
            into,
            paragraph: Source::default(),
            item: false,
            table: Vec::new(),
            caption: None,
            until: None,
            hidden: None,
        }
    }
}

/// `:NAME:` alone.
fn is_drawer(text: &str) -> bool {
    let name = text.strip_prefix(':').and_then(|rest| rest.strip_suffix(':'));
    name.is_some_and(|name| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "-_".contains(c)))
}

/// A list item's text, without its mark and its box.
fn item(line: &str) -> Option<&str> {
    let text = line.trim_start();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = if digits > 0 {
        text[digits..].strip_prefix(['.', ')'])?
    } else if line.len() > text.len() {
        text.strip_prefix(['-', '+', '*'])?
    } else {
        text.strip_prefix(['-', '+'])?
    };
    if !rest.is_empty() && !rest.starts_with([' ', '\t']) {
        return None;
    }
    let rest = rest.trim();
    let rest = ["[ ] ", "[X] ", "[x] ", "[-] "].iter().find_map(|mark| rest.strip_prefix(mark)).unwrap_or(rest);
    Some(rest)
}

/// `[fn:name] text`
fn footnote(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("[fn:")?.split_once(']').filter(|(name, _)| !name.contains([':', ' ']))
}

fn cells(line: &str, file: usize, number: usize) -> Vec<String> {
    let inner = line.strip_prefix('|').unwrap_or(line);
    let inner = inner.strip_suffix('|').unwrap_or(inner);
    let lines = Lines::fixed(Place { file, line: number });
    let cell = |text: &str| {
        let mut flow = Flow::of_cell();
        inline(text.trim(), &lines, &mut flow);
        flow.take().text
    };
    inner.split('|').map(cell).collect()
}

/// `| <l> | <r10> |` sets columns.
fn is_width(cells: &[String]) -> bool {
    let mut any = false;
    cells.iter().all(|cell| {
        let set = cell.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
        any |= set.is_some();
        cell.is_empty()
            || set.is_some_and(|set| set.trim_start_matches(['l', 'r', 'c']).bytes().all(|b| b.is_ascii_digit()))
    }) && any
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
            of("#+TITLE: T\n* TODO [#A] One :tag:\na\n*b* c\n\n- d\n  - e\n1) [X] f\n\n[fn:1] g"),
            "H1 T\nH2 One\nP3 a b c\nI6 d\nI7 e\nI8 f\nP10 g\n"
        );
        assert_eq!(of("* A :noexport:\nx\n** B\ny\n* C\nz"), "H5 C\nP6 z\n");
    }

    #[test]
    fn left_out() {
        assert_eq!(
            of("a\n#+BEGIN_SRC python\n3 + 3\n* x\n#+end_src\n:PROPERTIES:\n:x: y\n:END:\n: fixed\n# note\nb"),
            "P1 a\nP11 b\n"
        );
        let mut document = Document::default();
        read("# offprint-lint: ignore r why\n#+INCLUDE: \"x.org\"\n", 0, &mut document);
        assert_eq!((document.silenced.len(), document.left_out.len()), (1, 1));
    }

    #[test]
    fn tables() {
        let source = "#+CAPTION: Cost\n|---+---|\n| a | =b = c= |\n|---+---|\n| <l> | |\n| 1 | $3 \\times 4$ |\n|---+---|\n| T | 2 |\n#+TBLFM: $2=1\n";
        assert_eq!(of(source), "C Cost\nT a | b = c\n6r 1 | 3 × 4\n8r T | 2\n");
        assert_eq!(of("| a | b |\n| 1 | 2 |\n| 3 | 4 |\n|-\n| T | 6 |"), "T a | b\n2 1 | 2\n3 3 | 4\n5r T | 6\n");
        assert_eq!(of("| a | b |\n| 1 |\n"), "T a | b\n2 1 |\n");
    }
}
