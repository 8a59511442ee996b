//! HTML, a file or a piece within Markdown -> headings, paragraphs, list items and tables.
//!
//! Tags are taken as they come, without a tree: what is open is counted, not nested, so that neither depth nor tags that are never
//! closed do harm.

use std::convert::Infallible;

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};

use super::flow::{self, Flow, Lines, Mark};
use super::grid::{self, Cell, Line};
use super::mathml::MathMl;
use super::{Block, Document, Place, Row, silence};

/// What is not the paper's text.
const SKIPPED: [&[u8]; 24] = [
    b"script",
    b"style",
    b"head",
    b"pre",
    b"textarea",
    b"svg",
    b"del",
    b"s",
    b"strike",
    b"template",
    b"noscript",
    b"iframe",
    b"noframes",
    b"noembed",
    b"xmp",
    b"listing",
    b"canvas",
    b"video",
    b"audio",
    b"object",
    b"select",
    b"button",
    b"datalist",
    b"plaintext",
];
const VOID: [&[u8]; 14] = [
    b"area", b"base", b"br", b"col", b"embed", b"hr", b"img", b"input", b"link", b"meta", b"param", b"source",
    b"track", b"wbr",
];
/// What may stand in a head.
const METADATA: [&[u8]; 8] = [b"title", b"meta", b"link", b"base", b"script", b"style", b"noscript", b"template"];
/// Elements that break the text into blocks.
const BLOCKS: [&[u8]; 39] = [
    b"p",
    b"li",
    b"td",
    b"th",
    b"tr",
    b"table",
    b"ul",
    b"ol",
    b"dl",
    b"dd",
    b"dt",
    b"div",
    b"section",
    b"article",
    b"blockquote",
    b"h1",
    b"h2",
    b"h3",
    b"h4",
    b"h5",
    b"h6",
    b"body",
    b"html",
    b"figure",
    b"figcaption",
    b"header",
    b"footer",
    b"main",
    b"nav",
    b"aside",
    b"details",
    b"summary",
    b"form",
    b"fieldset",
    b"address",
    b"center",
    b"hr",
    b"title",
    b"menu",
];

pub fn read(source: &str, file: usize, into: &mut Document) {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    read_with(source, &Lines::of(source, file), into);
}

pub(super) fn read_with(source: &str, lines: &Lines, into: &mut Document) {
    let mut reader = Reader::new(lines, into);
    let mut emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, span: Span<usize>| -> Option<Infallible> {
        reader.event(event, span.start);
        None
    });
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(source, emitter).for_each(drop);
    reader.close_all();
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Heading,
    Prose,
    Item,
}

/// The tag under way.
#[derive(Default)]
struct Tag {
    name: Vec<u8>,
    attribute: Vec<u8>,
    hidden: bool,
    tex: bool,
    columns: Option<usize>,
    rows: Option<usize>,
}

struct Skip {
    name: Vec<u8>,
    /// Elements of the same name that are open.
    depth: usize,
    /// Blocks that were opened within.
    within: [usize; BLOCKS.len()],
}

#[derive(Default)]
struct Grid {
    caption: Flow,
    in_caption: bool,
    lines: Vec<Line>,
    line: Option<Line>,
    cell: Option<(Flow, Cell)>,
    head: bool,
    ruled: bool,
}

struct Reader<'a> {
    lines: &'a Lines,
    into: &'a mut Document,
    flow: Flow,
    kind: Kind,
    tag: Tag,
    skip: Option<Skip>,
    /// A head was left for its title.
    in_head: bool,
    open: [usize; BLOCKS.len()],
    math: Option<(MathMl, Place)>,
    tables: Vec<Grid>,
}

fn block_index(name: &[u8]) -> Option<usize> {
    BLOCKS.iter().position(|known| *known == name)
}

fn number(value: &[u8]) -> Option<usize> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

impl<'a> Reader<'a> {
    fn new(lines: &'a Lines, into: &'a mut Document) -> Self {
        Reader {
            lines,
            into,
            flow: Flow::default(),
            kind: Kind::Prose,
            tag: Tag::default(),
            skip: None,
            in_head: false,
            open: [0; BLOCKS.len()],
            math: None,
            tables: Vec::new(),
        }
    }

    fn event(&mut self, event: CallbackEvent<'_>, offset: usize) {
        match event {
            CallbackEvent::OpenStartTag { name } => self.tag = Tag { name: name.to_vec(), ..Tag::default() },
            CallbackEvent::AttributeName { name } => {
                self.tag.hidden |= name == b"hidden";
                self.tag.attribute = name.to_vec();
            }
            CallbackEvent::AttributeValue { value } => self.attribute(value),
            CallbackEvent::CloseStartTag { self_closing } => {
                let tag = std::mem::take(&mut self.tag);
                self.start(&tag, self_closing, offset);
            }
            CallbackEvent::EndTag { name } => self.end(name),
            CallbackEvent::String { value } => self.text(&String::from_utf8_lossy(value), offset),
            CallbackEvent::Comment { value } => {
                let place = self.lines.at(offset);
                self.into.silenced.extend(silence(&String::from_utf8_lossy(value), place));
            }
            CallbackEvent::Doctype { .. } | CallbackEvent::Error(_) => {}
        }
    }

    fn attribute(&mut self, value: &[u8]) {
        match self.tag.attribute.as_slice() {
            b"colspan" => self.tag.columns = self.tag.columns.or(number(value)),
            b"rowspan" => self.tag.rows = self.tag.rows.or(number(value)),
            b"encoding" => self.tag.tex |= value == b"application/x-tex",
            // KaTeX writes each formula twice; the other one is MathML.
            b"class" => self.tag.hidden |= value == b"katex-html",
            b"style" => {
                let style: Vec<u8> = value.iter().filter(|b| !b.is_ascii_whitespace()).copied().collect();
                self.tag.hidden |= style.windows(12).any(|part| part == b"display:none");
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str, offset: usize) {
        if self.skip.is_some() && self.math.is_none() {
            return;
        }
        if let Some((math, _)) = &mut self.math {
            math.text(text, self.skip.is_some());
            return;
        }
        for (below, line) in text.split('\n').enumerate() {
            let place = self.lines.after(offset, below);
            let flow = self.here();
            if below > 0 {
                flow.space();
            }
            flow.add(line, place);
        }
    }

    /// Where text goes now.
    fn here(&mut self) -> &mut Flow {
        match self.tables.last_mut() {
            Some(grid) if grid.in_caption => &mut grid.caption,
            Some(Grid { cell: Some((flow, _)), .. }) => flow,
            _ => &mut self.flow,
        }
    }

    fn in_cell(&self) -> bool {
        self.tables.last().is_some_and(|grid| grid.in_caption || grid.cell.is_some())
    }

    fn start(&mut self, tag: &Tag, self_closing: bool, offset: usize) {
        let name = tag.name.as_slice();
        if self.skipped_start(tag) {
            return;
        }
        if let Some((math, _)) = &mut self.math {
            if !self_closing {
                math.start(name, tag.tex);
            }
            return;
        }
        let block = block_index(name);
        if let Some(index) = block {
            self.open[index] += 1;
        }
        if (tag.hidden || SKIPPED.contains(&name)) && !VOID.contains(&name) && !(self_closing && name == b"svg") {
            if block.is_some() || name == b"pre" {
                self.break_block(Kind::Prose);
            }
            self.skip = Some(Skip { name: name.to_vec(), depth: 1, within: [0; BLOCKS.len()] });
            return;
        }
        match name {
            b"sup" => self.mark(Mark::Sup, offset),
            b"sub" => self.mark(Mark::Sub, offset),
            b"code" | b"kbd" | b"samp" | b"tt" => self.mark(Mark::Code, offset),
            b"math" => self.math = Some((MathMl::default(), self.lines.at(offset))),
            b"br" | b"wbr" | b"img" => self.here().space(),
            b"table" => self.start_table(),
            b"caption" | b"thead" | b"tbody" | b"tfoot" | b"tr" | b"td" | b"th" => self.table_part(tag, offset),
            b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" | b"title" => self.break_block(Kind::Heading),
            b"li" | b"dd" | b"dt" => self.break_block(Kind::Item),
            _ if block.is_some() => self.break_block(Kind::Prose),
            _ => {}
        }
    }

    /// Whether the tag is within what is skipped.
    fn skipped_start(&mut self, tag: &Tag) -> bool {
        let name = tag.name.as_slice();
        let Some(skip) = &mut self.skip else { return false };
        let block = block_index(name);
        let over = match skip.name.as_slice() {
            b"head" => !METADATA.contains(&name),
            // These need no end tag.
            b"p" => block.is_some(),
            b"li" | b"dd" | b"dt" | b"td" | b"th" | b"tr" => {
                skip.name == name && skip.within.iter().all(|open| *open == 0)
            }
            _ => false,
        };
        if over || (skip.name == b"head" && name == b"title") {
            self.in_head = !over;
            self.skip = None;
            return false;
        }
        skip.depth += usize::from(skip.name == name);
        if let Some(index) = block {
            skip.within[index] += 1;
        }
        true
    }

    fn end(&mut self, name: &[u8]) {
        if self.skipped_end(name) {
            return;
        }
        if let Some((math, _)) = &mut self.math {
            if name != b"math" {
                math.end();
                if block_index(name).is_none() {
                    return;
                }
            }
            self.end_math();
        }
        let block = block_index(name);
        if let Some(index) = block {
            self.open[index] = self.open[index].saturating_sub(1);
        }
        match name {
            b"sup" => self.here().finish(Mark::Sup),
            b"sub" => self.here().finish(Mark::Sub),
            b"code" | b"kbd" | b"samp" | b"tt" => self.here().finish(Mark::Code),
            b"table" => self.end_table(),
            b"caption" | b"td" | b"th" => self.end_cell(),
            b"tr" | b"thead" | b"tbody" | b"tfoot" => self.end_row(),
            _ if block.is_some() => {
                self.break_block(Kind::Prose);
                if !self.in_cell() {
                    self.kind = Kind::Prose;
                }
            }
            _ => {}
        }
        if name == b"title" && std::mem::take(&mut self.in_head) {
            self.skip = Some(Skip { name: b"head".to_vec(), depth: 1, within: [0; BLOCKS.len()] });
        }
    }

    /// Whether the end tag is within what is skipped, or ends it.
    fn skipped_end(&mut self, name: &[u8]) -> bool {
        let Some(skip) = &mut self.skip else { return false };
        if skip.name == name {
            skip.depth -= 1;
            if skip.depth > 0 {
                return true;
            }
            self.skip = None;
            if let Some(index) = block_index(name) {
                self.open[index] = self.open[index].saturating_sub(1);
            }
            return true;
        }
        let Some(index) = block_index(name) else { return true };
        if skip.within[index] > 0 {
            skip.within[index] -= 1;
            return true;
        }
        // An element around it ends: its own end tag was forgotten.
        if self.open[index] == 0 {
            return true;
        }
        self.skip = None;
        false
    }

    fn mark(&mut self, mark: Mark, offset: usize) {
        let place = self.lines.at(offset);
        self.here().begin(mark, place);
    }

    fn end_math(&mut self) {
        if let Some((math, place)) = self.math.take() {
            let text = math.finish();
            self.here().add(&text, place);
        }
    }

    /// Ends the block under way; in a cell it is only a space.
    fn break_block(&mut self, next: Kind) {
        if self.in_cell() {
            self.here().space();
            return;
        }
        let (kind, written) = (self.kind, !self.flow.is_empty());
        self.flow.end(&mut self.into.blocks, |mut text| {
            text.item = kind == Kind::Item;
            if kind == Kind::Heading { Block::Heading(text) } else { Block::Prose(text) }
        });
        // The first paragraph of an item is the item.
        if written || next != Kind::Prose {
            self.kind = next;
        }
    }

    fn start_table(&mut self) {
        self.break_block(Kind::Prose);
        self.tables.push(Grid::default());
    }

    fn table_part(&mut self, tag: &Tag, offset: usize) {
        let place = self.lines.at(offset);
        match tag.name.as_slice() {
            b"td" | b"th" => self.end_cell(),
            _ => self.end_row(),
        }
        let Some(grid) = self.tables.last_mut() else { return };
        match tag.name.as_slice() {
            b"caption" => grid.in_caption = true,
            b"tr" => grid.start_line(place),
            b"td" | b"th" => {
                if grid.line.is_none() {
                    grid.start_line(place);
                }
                let header = tag.name == b"th";
                let (columns, rows) = (tag.columns.unwrap_or(1), tag.rows.unwrap_or(1));
                // A span of no rows reaches down to the end.
                let rows = if rows == 0 { 65_534 } else { rows };
                grid.cell = Some((Flow::of_cell(), Cell { text: String::new(), header, columns, rows }));
            }
            section => {
                grid.head = section == b"thead";
                grid.ruled = !grid.lines.is_empty();
            }
        }
    }

    fn end_cell(&mut self) {
        if let Some(grid) = self.tables.last_mut() {
            grid.in_caption = false;
            if let (Some((mut flow, mut cell)), Some(line)) = (grid.cell.take(), grid.line.as_mut()) {
                cell.text = flow.take().text;
                line.spans.push(cell);
            }
        }
    }

    fn end_row(&mut self) {
        self.end_cell();
        if let Some(grid) = self.tables.last_mut() {
            grid.lines.extend(grid.line.take());
        }
    }

    fn end_table(&mut self) {
        self.end_row();
        let Some(mut grid) = self.tables.pop() else { return };
        let mut table = grid::table(grid.lines);
        table.caption = grid.caption.take();
        flow::table(table, self.into);
    }

    fn close_all(&mut self) {
        self.end_math();
        while !self.tables.is_empty() {
            self.end_table();
        }
        self.break_block(Kind::Prose);
    }
}

impl Grid {
    fn start_line(&mut self, place: Place) {
        let row = Row { place, cells: Vec::new(), ruled: std::mem::take(&mut self.ruled) };
        self.line = Some(Line { row, spans: Vec::new(), head: self.head });
    }
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
            of("<title>T</title><h1>A &amp; B</h1>\n<p>one\ntwo<p>three"),
            "H1 T\nH1 A & B\nP2 one two\nP3 three\n"
        );
        assert_eq!(of("<ul><li>a<li><p>b</p><p>c</p></ul>d"), "I1 a\nI1 b\nP1 c\nP1 d\n");
        assert_eq!(of("<dl><dt>a<dd>b</dl><figure><figcaption>c</figure>"), "I1 a\nI1 b\nP1 c\n");
    }

    #[test]
    fn inline() {
        assert_eq!(of("2 × 10<sup>5</sup> runs<br>and <b>1</b>2&nbsp;ms"), "P1 2 × 10^5 runs and 12\u{a0}ms\n");
        assert_eq!(of("the <code>max_len</code> of <code>a = 5</code> x"), "P1 the max_len of x\n");
        assert_eq!(of("<p>a <del>5 of 6</p><p>b"), "P1 a\nP1 b\n");
    }

    #[test]
    fn left_out() {
        for part in ["pre", "script", "style", "textarea", "svg", "del", "s", "strike", "template"] {
            assert_eq!(of(&format!("<p>a</p><{part}>3 + 3 = 7</{part}><p>b</p>")), "P1 a\nP1 b\n", "{part}");
        }
        assert_eq!(
            of("<head><meta charset=x>gone<style>p{}</style><body>b<div hidden><div>x</div>y</div>c"),
            "P1 b\nP1 c\n"
        );
        assert_eq!(of("a<!-- 3 + 3 = 7 --><p hidden>x<p>y"), "P1 a\nP1 y\n");
    }

    #[test]
    fn comments_silence() {
        let mut document = Document::default();
        read("<p>a\n<!-- offprint-lint: ignore sums it is so -->", 0, &mut document);
        assert_eq!(document.silenced[0].rule, "sums");
        assert_eq!(document.silenced[0].place.line, 2);
    }

    #[test]
    fn tables() {
        let table = "<table><caption>Table 1: <b>x</b></caption><thead><tr><th rowspan=2>M<th colspan=2>T<tr><th>a<th>b</thead>\
            <tbody><tr><td rowspan=2>p<td>1<td><code>x = 2</code><tr><td>3<td>4<tbody><tr><td>q<td colspan=2>5</table>";
        assert_eq!(of(table), "C Table 1: x\nT M | T a | T b\n1r p | 1 | x = 2\n1 p | 3 | 4\n1r q | 5 |\n");
        assert_eq!(of("<table>\n<tr><td>a<td>b\n<tr><td>1</table>"), "T a | b\n3 1 |\n");
        assert_eq!(of("<table><tr><th><th>b<tr><th>r<td>1<td>2</table>"), "T  | b\n1 r | 1\n");
    }

    #[test]
    fn nested_tables_come_one_by_one() {
        let nested = "<table><tr><td>a<td>b<tr><td>c<table><tr><td>x<tr><td>y</table><td>d</table>";
        assert_eq!(of(nested), "T x\n1 y\nT a | b\n1 c | d\n");
    }

    #[test]
    fn mathml() {
        assert_eq!(
            of("<p>a <math><mn>10</mn><mo>=</mo><msup><mn>10</mn><mn>1</mn></msup></math> b"),
            "P1 a 10=10^1 b\n"
        );
        let tex = "<math><semantics><mn>5</mn><annotation encoding=\"application/x-tex\">5 \\times 3</annotation></semantics></math>";
        assert_eq!(of(tex), "P1 5 × 3\n");
    }

    #[test]
    fn depth_and_stray_tags_do_no_harm() {
        for unit in [
            "<div>",
            "<table><tr><td>",
            "<ul><li>",
            "<sup>",
            "<del>",
            "<math><msup>",
            "</p>",
            "</td>",
            "<p hidden>",
            "<",
            "<!--",
            "&#",
            "<head><title>",
        ] {
            of(&unit.repeat(100_000));
        }
    }
}
