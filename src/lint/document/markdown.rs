//! Markdown (CommonMark, GFM's tables, footnotes and strikethrough, math, raw HTML) -> headings, paragraphs, list items and tables.
//! Front matter, code blocks that are no printed tables, comments and struck-out text are left out.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, CowStr, Event, Options, Parser, Tag, TagEnd};

use super::flow::{self, Flow, Lines, Mark};
use super::masked::{self, Math};
use super::{Block, Document, Place, Row, Table, Text, html, math, printed, silence};

/// An image's alternative text of fewer words is a name, not a sentence.
const SENTENCE: usize = 5;

pub fn read(source: &str, file: usize, into: &mut Document) {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    read_with(source, &Lines::of(source, file), into);
}

pub(super) fn read_with(source: &str, lines: &Lines, into: &mut Document) {
    let masked = masked::mask(source);
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_GFM;
    let mut reader = Reader {
        source,
        lines,
        math: masked.math,
        into,
        flow: Flow::default(),
        heading: false,
        items: Vec::new(),
        containers: 0,
        struck: 0,
        images: 0,
        image: Flow::default(),
        captions: Vec::new(),
        table: None,
        code: None,
        printed: false,
        html: None,
        passed: 0,
        no_table_end: false,
    };
    for (event, range) in Parser::new_ext(&masked.text, options).into_offset_iter() {
        if range.start >= reader.passed {
            reader.event(event, range);
        }
    }
    reader.end_block();
}

struct Reader<'a> {
    source: &'a str,
    lines: &'a Lines,
    math: Vec<Math>,
    into: &'a mut Document,
    flow: Flow,
    heading: bool,
    /// For each open list item, whether its first paragraph is still to come.
    items: Vec<bool>,
    /// Quotes, lists, items and footnotes that are open.
    containers: usize,
    struck: usize,
    images: usize,
    image: Flow,
    /// Images' texts that wait for the end of their paragraph.
    captions: Vec<Text>,
    table: Option<Table>,
    /// The text of a code block, if it is math.
    code: Option<Option<String>>,
    /// It may be what a program printed.
    printed: bool,
    html: Option<Html>,
    /// What stands before this offset has been read as HTML.
    passed: usize,
    no_table_end: bool,
}

/// Raw HTML under way, and the line of each of its lines.
#[derive(Default)]
struct Html {
    text: String,
    starts: Vec<(usize, usize)>,
}

impl Reader<'_> {
    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, &range),
            Event::End(tag) => self.end(tag, &range),
            Event::Text(text) => self.text(&text, &range),
            Event::Code(code) if self.struck == 0 => {
                let place = self.lines.at(range.start);
                let code = self.unmasked(code, &range).replace(['\n', '\r'], " ");
                self.here().marked(Mark::Code, code.trim(), place);
            }
            Event::Html(text) => self.raw(&text, &range),
            Event::InlineHtml(_) => self.inline_html(&range),
            Event::SoftBreak | Event::HardBreak => self.here().space(),
            _ => {}
        }
    }

    fn here(&mut self) -> &mut Flow {
        if self.images > 0 { &mut self.image } else { &mut self.flow }
    }

    fn start(&mut self, tag: Tag<'_>, range: &Range<usize>) {
        match tag {
            Tag::Paragraph => self.end_block(),
            Tag::Heading { .. } => {
                self.end_block();
                self.heading = true;
            }
            Tag::BlockQuote(_) | Tag::List(_) => self.open(None),
            Tag::Item => self.open(Some(true)),
            // What a footnote says is no item, even where it stands in one.
            Tag::FootnoteDefinition(_) => self.open(Some(false)),
            Tag::CodeBlock(kind) => {
                self.end_block();
                let math = matches!(&kind, CodeBlockKind::Fenced(name) if name.trim() == "math");
                self.code = Some(math.then(String::new));
                self.printed = match &kind {
                    CodeBlockKind::Fenced(name) => ["", "text", "txt", "console", "output"].contains(&name.trim()),
                    CodeBlockKind::Indented => true,
                };
            }
            Tag::HtmlBlock => self.start_html(range),
            Tag::Table(_) => {
                self.end_block();
                self.flow = Flow::of_cell();
                self.table = Some(Table::default());
            }
            Tag::TableRow => {
                let place = self.lines.at(range.start);
                if let Some(table) = &mut self.table {
                    table.rows.push(Row { place, ..Row::default() });
                }
            }
            Tag::Strikethrough if self.source[range.start..].starts_with("~~") => self.struck += 1,
            Tag::Strikethrough => self.tilde(range),
            Tag::Image { .. } => self.images += 1,
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd, range: &Range<usize>) {
        match tag {
            TagEnd::Paragraph => self.end_block(),
            TagEnd::Heading(_) => {
                self.end_block();
                self.heading = false;
            }
            TagEnd::BlockQuote(_) | TagEnd::List(_) => self.close(false),
            TagEnd::Item | TagEnd::FootnoteDefinition => self.close(true),
            TagEnd::CodeBlock => self.end_code(range),
            TagEnd::HtmlBlock => self.end_html(),
            TagEnd::TableCell => {
                let cell = self.flow.take().text;
                if let Some(table) = &mut self.table {
                    table.rows.last_mut().map_or(&mut table.header, |row| &mut row.cells).push(cell);
                }
            }
            TagEnd::Table => {
                if let Some(table) = self.table.take() {
                    flow::table(table, self.into);
                }
                self.flow = Flow::default();
                self.end_block();
            }
            TagEnd::Strikethrough if self.source[range.start..].starts_with("~~") => {
                self.struck = self.struck.saturating_sub(1);
            }
            TagEnd::Strikethrough => self.tilde(&(range.end.saturating_sub(1)..range.end)),
            TagEnd::Image => self.end_image(),
            _ => {}
        }
    }

    fn open(&mut self, item: Option<bool>) {
        self.end_block();
        self.containers += 1;
        self.items.extend(item);
    }

    fn close(&mut self, item: bool) {
        self.end_block();
        self.containers = self.containers.saturating_sub(1);
        if item {
            self.items.pop();
        }
    }

    fn end_block(&mut self) {
        let heading = self.heading;
        let written = !self.flow.is_empty();
        let item = written && !heading && self.items.last_mut().is_some_and(std::mem::take);
        self.flow.end(&mut self.into.blocks, |mut text| {
            text.item = item;
            if heading { Block::Heading(text) } else { Block::Prose(text) }
        });
        self.into.blocks.extend(self.captions.drain(..).map(Block::Prose));
    }

    /// One tilde, which is "about" more often than it strikes out; Pandoc's `H~2~O` has it too.
    fn tilde(&mut self, range: &Range<usize>) {
        let place = self.lines.at(range.start);
        if self.struck == 0 {
            self.here().add("~", place);
        }
    }

    fn end_image(&mut self) {
        self.images = self.images.saturating_sub(1);
        if self.images == 0 {
            let text = self.image.take();
            if text.text.split_whitespace().count() >= SENTENCE {
                self.captions.push(text);
            }
            self.flow.space();
        }
    }

    fn text(&mut self, text: &str, range: &Range<usize>) {
        if let Some(math) = &mut self.code {
            if let Some(math) = math {
                *math += text;
            }
            return;
        }
        if self.struck > 0 {
            return;
        }
        let place = self.lines.at(range.start);
        // An entity or the like: not what the source says, and no math.
        if text.len() != range.len() {
            self.here().add(text, place);
            return;
        }
        let mut at = range.start;
        let first = self.math.partition_point(|math| math.whole.end <= range.start);
        for index in first..self.math.len() {
            let whole = self.math[index].whole.clone();
            if whole.start >= range.end {
                break;
            }
            self.plain(&text[at - range.start..whole.start.max(at) - range.start], at);
            if whole.start >= range.start {
                let tex = self.tex(index);
                let place = self.lines.at(whole.start);
                self.here().add(&tex, place);
            }
            at = whole.end.min(range.end);
        }
        self.plain(&text[at - range.start..], at);
    }

    /// A piece of math without the marks of the quote that it stands in.
    fn tex(&self, index: usize) -> String {
        let tex = &self.source[self.math[index].tex.clone()];
        if self.containers == 0 || !tex.contains('\n') {
            return math::plain(tex);
        }
        let lines: Vec<&str> = tex.lines().map(|line| line.trim_start_matches([' ', '\t', '>'])).collect();
        math::plain(&lines.join("\n"))
    }

    /// Text as it is, but for Pandoc's powers, `10^5^`.
    fn plain(&mut self, text: &str, offset: usize) {
        let place = self.lines.at(offset);
        let mut rest = text;
        while let Some((before, power)) = rest.split_once('^') {
            let end = power.find(|c: char| !c.is_ascii_digit() && !"-−+".contains(c)).unwrap_or(power.len());
            self.here().add(before, place);
            self.here().add("^", place);
            self.here().add(&power[..end], place);
            rest = &power[end..];
            rest = if end > 0 { rest.strip_prefix('^').unwrap_or(rest) } else { rest };
        }
        self.here().add(rest, place);
    }

    /// What a code span says; math that was seen in it was none.
    fn unmasked(&self, code: CowStr<'_>, range: &Range<usize>) -> String {
        let first = self.math.partition_point(|math| math.whole.end <= range.start);
        let masked = self.math.get(first).is_some_and(|math| math.whole.start < range.end);
        if masked { self.source[range.clone()].trim_matches('`').to_owned() } else { code.into_string() }
    }

    fn end_code(&mut self, range: &Range<usize>) {
        if let Some(Some(tex)) = self.code.take() {
            let place = self.lines.at(range.start);
            self.flow.add(&math::plain(&tex), place);
            self.end_block();
        } else if self.printed {
            self.printed(range);
        }
    }

    /// What a program printed, if it is a table.
    fn printed(&mut self, range: &Range<usize>) {
        let source = &self.source[range.clone()];
        let first = self.lines.at(range.start);
        let fence = |line: &str| line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
        let lines = source.lines().enumerate().filter(|(_, line)| !fence(line));
        let lines: Vec<(&str, Place)> =
            lines.map(|(index, line)| (line, Place { line: first.line + index, ..first })).collect();
        self.into.blocks.extend(printed::table(&lines).map(Block::Table));
    }

    fn inline_html(&mut self, range: &Range<usize>) {
        let place = self.lines.at(range.start);
        let source = &self.source[range.clone()];
        if let Some(comment) = source.strip_prefix("<!--") {
            let comment = comment.strip_suffix("-->").unwrap_or(comment);
            self.into.silenced.extend(silence(comment, place));
            return;
        }
        let closes = source.starts_with("</");
        let name = source.trim_start_matches(['<', '/']);
        let name = &name[..name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len())];
        let mark = match name.to_ascii_lowercase().as_str() {
            "br" | "img" | "hr" => return self.here().space(),
            "del" | "s" | "strike" => {
                self.struck = if closes { self.struck.saturating_sub(1) } else { self.struck + 1 };
                return;
            }
            "sup" => Mark::Sup,
            "sub" => Mark::Sub,
            "code" | "kbd" | "samp" | "tt" => Mark::Code,
            _ => return,
        };
        if closes {
            self.here().finish(mark);
        } else {
            self.here().begin(mark, place);
        }
    }

    fn start_html(&mut self, range: &Range<usize>) {
        self.end_block();
        self.html = Some(Html::default());
        if self.containers > 0 || self.no_table_end {
            return;
        }
        // A blank line within a table ends the block for Markdown, but not the table for its reader.
        if let Some(end) = table_end(&self.source[range.start..], range.len(), &mut self.no_table_end) {
            let whole = range.start..range.start + end;
            let source = self.source;
            self.raw(without_fences(&source[whole.clone()]).as_str(), &(whole.start..whole.start));
            self.end_html();
            self.passed = whole.end;
        }
    }

    fn raw(&mut self, text: &str, range: &Range<usize>) {
        let text = if text.len() == range.len() { &self.source[range.clone()] } else { text };
        let Some(html) = &mut self.html else { return };
        let mut offset = range.start;
        for line in text.split_inclusive('\n') {
            html.starts.push((html.text.len(), self.lines.at(offset).line));
            html.text += line;
            offset += line.len();
        }
    }

    fn end_html(&mut self) {
        if let Some(html) = self.html.take() {
            let file = self.lines.at(0).file;
            html::read_with(&html.text, &Lines::of_pieces(file, html.starts), self.into);
        }
    }
}

/// Where the block ends in which the table ends that the first `block` bytes open, if it is not within them.
fn table_end(source: &str, block: usize, none: &mut bool) -> Option<usize> {
    let (mut depth, mut at) = (0i64, 0);
    while let Some(next) = source[at..].find('<') {
        at += next + 1;
        let rest = source.as_bytes().get(at..).unwrap_or_default();
        let is = |tag: &[u8]| rest.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag));
        if at >= block && depth == 0 {
            return None;
        }
        depth += i64::from(is(b"table")) - i64::from(is(b"/table"));
        if at >= block && depth <= 0 {
            let mut end = at;
            for line in source[at..].split_inclusive('\n') {
                if line.trim().is_empty() {
                    break;
                }
                end += line.len();
            }
            return Some(end);
        }
    }
    *none = depth > 0;
    None
}

/// Blanks Markdown's fenced code within HTML, as it would be read there.
fn without_fences(source: &str) -> String {
    let mut fenced = false;
    let mut out = String::with_capacity(source.len());
    for line in source.split_inclusive('\n') {
        let fence = line.trim_start().starts_with("```");
        if fenced || fence {
            out.extend(std::iter::repeat_n(' ', line.trim_end_matches('\n').len()));
            out += if line.ends_with('\n') { "\n" } else { "" };
        } else {
            out += line;
        }
        fenced ^= fence;
    }
    out
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
    fn blocks_and_lines() {
        assert_eq!(of("# A *b*\n\nSet\n===\none\n**two**three\n"), "H1 A b\nH3 Set\nP5 one twothree\n");
        let mut document = Document::default();
        read("one\ntwo 2 &amp; 3\n", 0, &mut document);
        let Block::Prose(text) = &document.blocks[0] else { panic!() };
        assert_eq!(text.place(0).line, 1);
        assert_eq!(text.place(4).line, 2);
        assert_eq!(text.text, "one two 2 & 3");
    }

    #[test]
    fn items() {
        assert_eq!(of("- a\n  - b\n- c\n\n  d\n\ne"), "I1 a\nI2 b\nI3 c\nP5 d\nP7 e\n");
        assert_eq!(of("> - [ ] a\n> - [x] b\n"), "I1 a\nI2 b\n");
    }

    #[test]
    fn tables() {
        let want = "T a | b\n3 1 | 2\n";
        assert_eq!(of("| a | b |\n|---|---|\n| 1 | 2 |\n"), want);
        assert_eq!(of("a | b\n---|---\n1 | 2\n"), want);
        assert_eq!(of("> | a | b |\n> |---|---|\n> | 1 | 2 |\n"), want);
        assert_eq!(of("1. x\n\n   | a | b |\n   |---|---|\n   | 1 | 2 |\n"), "I1 x\nT a | b\n5 1 | 2\n");
        assert_eq!(
            of("| a | b |\n|-|-|\n| `x \\| = 2` | $3 \\times 4$ \\| **5** |\n"),
            "T a | b\n3 x | = 2 | 3 × 4 | 5\n"
        );
        assert_eq!(of("| a | b |\n|-|-|\n| 1 |\n| 1 | 2 | 3 |\n"), "T a | b\n3 1 |\n4 1 | 2\n");
        assert_eq!(of("| | |\n|-|-|\n| 1 | 2 |\n"), "T  |\n3 1 | 2\n");
    }

    #[test]
    fn inline() {
        assert_eq!(of("a ~~5 of 6~~ b <del>x</del>c"), "P1 a b c\n");
        assert_eq!(
            of("`max_len` is `a = 5` [two words](u) 10<sup>5</sup><br>x 10^5^ 10^6"),
            "P1 max_len is two words 10^5 x 10^5 10^6\n"
        );
        assert_eq!(of("10~20 and 30~40, ~5 and ~6"), "P1 10~20 and 30~40, ~5 and ~6\n");
        assert_eq!(
            of("see ![x](u) ![one two three four five](v) b\n\nc"),
            "P1 see b\nP1 one two three four five\nP3 c\n"
        );
        assert_eq!(of("a[^1] b\n\n[^1]: Of 5 runs.\n"), "P1 a b\nP3 Of 5 runs.\n");
        assert_eq!(of("1\u{a0}000 \u{202f}x"), "P1 1\u{a0}000 \u{202f}x\n");
    }

    #[test]
    fn math_and_money() {
        assert_eq!(
            of("so $x_1 * 2 * y_1 = 5$ costs $5 to $10, $0.50"),
            "P1 so x_1 * 2 * y_1 = 5 costs $5 to $10, $0.50\n"
        );
        assert_eq!(of("$$\n3 \\times 4\n= 12\n$$\n"), "P1 3 × 4 = 12\n");
        assert_eq!(of("> $$\n> 3 \\cdot 4\n> $$\n"), "P1 3 × 4\n");
        assert_eq!(of("```math\n3 \\times 4\n```\n"), "P1 3 × 4\n");
        assert_eq!(of("\\(10^{5}\\) and \\*\n"), "P1 10^5 and *\n");
    }

    #[test]
    fn left_out() {
        assert_eq!(
            of("---\na: 1\n---\n\n    3 + 3 = 7\n\n```\nx\n```\n<pre>\ny\n</pre>\n\nb <!-- c --> d"),
            "P14 b d\n"
        );
        let mut document = Document::default();
        read("a <!-- offprint-lint: ignore x why -->\n\n<!-- offprint-lint: ignore y -->\n", 0, &mut document);
        let lines: Vec<_> = document.silenced.iter().map(|s| (s.rule.as_str(), s.place.line)).collect();
        assert_eq!(lines, [("x", 1), ("y", 3)]);
    }

    #[test]
    fn raw_html() {
        let table = "\n<table><tr><th>a<th>b</tr>\n\n<tr><td>1\n\n```\n3 + 3\n```\n<td>2</tr>\n</table>\n\nafter";
        assert_eq!(of(table), "T a | b\n4 1 | 2\nP12 after\n");
        assert_eq!(of("> <p>a\n> b</p>\n"), "P1 a b\n");
        assert_eq!(of("<table><tr><td>1\n\n*x*\n"), "T 1\nP3 x\n");
    }

    #[test]
    fn depth_does_no_harm() {
        for unit in [
            "> ",
            "- ",
            "1. ",
            "[",
            "![",
            "**a_",
            "`a ``b ",
            "<b>",
            "<table>\n\n",
            "<sup>",
            "$a ",
            "~~a ",
            "[^a]: ",
            "<!-- ",
            "|",
            "\\(",
        ] {
            of(&unit.repeat(50_000));
        }
    }
}
