//! A DOCX -> its headings, paragraphs and tables. Its archive is opened here, with a limit on what it may inflate to; its XML is
//! read as a stream. A place is the number of a paragraph.

use super::latex::sink::Sink;
use super::latex::tables::RawTable;
use super::{Block, Document, Place, Text};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use std::collections::HashMap;

/// What the parts of a document may inflate to.
const LIMIT: usize = 64 << 20;

pub fn read(bytes: &[u8], file: usize, into: &mut Document) -> Result<(), String> {
    if bytes.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
        return Err("it is encrypted or an old .doc".to_owned());
    }
    let entries = entries(bytes).ok_or("it is no zip archive")?;
    let part =
        |name: &str| entries.iter().find(|entry| entry.name == name.as_bytes()).map(|entry| inflate(bytes, entry));
    let document = part("word/document.xml").ok_or("it has no word/document.xml")??;
    let styles = styles(&part("word/styles.xml").transpose()?.unwrap_or_default());
    let notes = part("word/footnotes.xml").transpose()?.unwrap_or_default();
    let mut footnotes = Document::default();
    let mut walk = Walk::new(file, &styles, HashMap::new());
    walk.read(&notes, &mut footnotes)?;
    let notes = walk.found_notes;
    let mut walk = Walk::new(file, &styles, notes);
    walk.read(&document, into)
}

struct Entry<'a> {
    name: &'a [u8],
    packed: bool,
    encrypted: bool,
    size: usize,
    at: usize,
}

fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let part = bytes.get(at..at.checked_add(length)?)?;
    Some(part.iter().rev().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)))
}

/// The archive's directory, which stands at its end.
fn entries(bytes: &[u8]) -> Option<Vec<Entry<'_>>> {
    let begin = bytes.len().saturating_sub(22 + 0xffff);
    let end = begin + bytes.get(begin..)?.windows(4).rposition(|four| four == b"PK\x05\x06")?;
    let count = number(bytes, end + 10, 2)?;
    let mut at = number(bytes, end + 16, 4)?;
    let mut entries = Vec::new();
    for _ in 0..count {
        if bytes.get(at..at.checked_add(4)?)? != b"PK\x01\x02" {
            return None;
        }
        let name = number(bytes, at + 28, 2)?;
        entries.push(Entry {
            name: bytes.get(at + 46..at + 46 + name)?,
            packed: number(bytes, at + 10, 2)? == 8,
            encrypted: number(bytes, at + 8, 2)? & 1 == 1,
            size: number(bytes, at + 20, 4)?,
            at: number(bytes, at + 42, 4)?,
        });
        at += 46 + name + number(bytes, at + 30, 2)? + number(bytes, at + 32, 2)?;
    }
    Some(entries)
}

fn inflate(bytes: &[u8], entry: &Entry) -> Result<Vec<u8>, String> {
    let data = || {
        let name = number(bytes, entry.at.checked_add(26)?, 2)?;
        let extra = number(bytes, entry.at + 28, 2)?;
        let begin = entry.at + 30 + name + extra;
        bytes.get(begin..begin.checked_add(entry.size)?)
    };
    if entry.encrypted {
        return Err("it is encrypted".to_owned());
    }
    let data = data().ok_or("its archive is cut off")?;
    if !entry.packed {
        return Ok(data.get(..data.len().min(LIMIT)).unwrap_or(data).to_vec());
    }
    miniz_oxide::inflate::decompress_to_vec_with_limit(data, LIMIT).map_err(|error| match error.status {
        miniz_oxide::inflate::TINFLStatus::HasMoreOutput => format!("it inflates to more than {} MiB", LIMIT >> 20),
        _ => "its archive is damaged".to_owned(),
    })
}

fn attribute(tag: &BytesStart, name: &str) -> Option<String> {
    let found = tag.attributes().flatten().find(|one| one.key.as_ref() == name.as_bytes())?;
    Some(String::from_utf8_lossy(&found.value).into_owned())
}

/// Whether a switch such as `<w:strike/>` is on.
fn is_on(tag: &BytesStart) -> bool {
    !matches!(attribute(tag, "w:val").as_deref(), Some("0" | "false" | "none" | "off"))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Heading,
    Caption,
}

fn style(name: &str) -> Option<Style> {
    let name = name.to_lowercase();
    match name.as_str() {
        "title" => Some(Style::Heading),
        _ if name.starts_with("heading") => Some(Style::Heading),
        _ if name.starts_with("caption") => Some(Style::Caption),
        _ => None,
    }
}

/// What the styles are, by their ids: those are in the language of the program, the names are not.
fn styles(xml: &[u8]) -> HashMap<String, Style> {
    let (mut found, mut id) = (HashMap::new(), None);
    let mut reader = Reader::from_reader(xml);
    while let Ok(event) = reader.read_event() {
        match event {
            Event::Eof => break,
            Event::Start(tag) | Event::Empty(tag) => match tag.name().as_ref() {
                b"w:style" => id = attribute(&tag, "w:styleId"),
                b"w:name" => {
                    let style = attribute(&tag, "w:val").as_deref().and_then(style);
                    found.extend(id.take().zip(style));
                }
                _ => {}
            },
            _ => {}
        }
    }
    found
}

/// A paragraph that is open; one may stand within another, in a text box.
#[derive(Default)]
struct Paragraph {
    sink: Sink,
    place: Place,
    style: String,
    item: bool,
    notes: Vec<Text>,
}

struct Walk<'a> {
    file: usize,
    paragraphs: usize,
    styles: &'a HashMap<String, Style>,
    notes: HashMap<String, Text>,
    found_notes: HashMap<String, Text>,
    note: Option<String>,
    open: Vec<Paragraph>,
    /// Depth of tables; only the outermost is one.
    tables: usize,
    table: RawTable,
    cell: Sink,
    spans: usize,
    merged: bool,
    above: Vec<String>,
    row: Vec<String>,
    /// This row is repeated on each page; those before it are.
    head_row: bool,
    head: bool,
    /// Elements within one that is left out.
    skipped: usize,
    struck: bool,
    raised: bool,
    in_text: bool,
    last_caption: Option<Text>,
}

impl<'a> Walk<'a> {
    fn new(file: usize, styles: &'a HashMap<String, Style>, notes: HashMap<String, Text>) -> Self {
        Self {
            file,
            paragraphs: 0,
            styles,
            notes,
            found_notes: HashMap::new(),
            note: None,
            open: Vec::new(),
            tables: 0,
            table: RawTable::default(),
            cell: Sink::default(),
            spans: 1,
            merged: false,
            above: Vec::new(),
            row: Vec::new(),
            head_row: false,
            head: false,
            skipped: 0,
            struck: false,
            raised: false,
            in_text: false,
            last_caption: None,
        }
    }

    fn read(&mut self, xml: &[u8], into: &mut Document) -> Result<(), String> {
        let mut reader = Reader::from_reader(xml);
        loop {
            match reader.read_event() {
                Ok(Event::Start(tag)) if self.skipped > 0 || left_out(tag.name().as_ref()) => self.skipped += 1,
                Ok(Event::End(_)) if self.skipped > 0 => self.skipped -= 1,
                Ok(Event::Eof) => return Ok(()),
                Ok(_) if self.skipped > 0 => {}
                Ok(Event::Start(tag)) => self.start(&tag, into),
                Ok(Event::Empty(tag)) => {
                    // A paragraph, a row or a cell may be empty.
                    if !left_out(tag.name().as_ref()) {
                        self.start(&tag, into);
                        self.end(tag.name().as_ref(), into);
                    }
                }
                Ok(Event::End(tag)) => self.end(tag.name().as_ref(), into),
                Ok(Event::Text(text)) if self.in_text => {
                    let text = text.decode().map_err(|_| "its text is not UTF-8".to_owned())?;
                    self.text(&text);
                }
                Ok(Event::GeneralRef(entity)) if self.in_text => {
                    let named = match &*entity {
                        b"amp" => Some('&'),
                        b"lt" => Some('<'),
                        b"gt" => Some('>'),
                        b"quot" => Some('"'),
                        b"apos" => Some('\''),
                        _ => entity.resolve_char_ref().ok().flatten(),
                    };
                    self.text(named.map(String::from).as_deref().unwrap_or(""));
                }
                Ok(_) => {}
                Err(error) => return Err(format!("its XML is damaged: {error}")),
            }
        }
    }

    fn text(&mut self, text: &str) {
        if self.struck {
            return;
        }
        let power = std::mem::take(&mut self.raised)
            && text.starts_with(|one: char| one.is_ascii_digit() || "-−".contains(one));
        let Some(paragraph) = self.open.last_mut() else { return };
        if power {
            paragraph.sink.add("^", paragraph.place);
        }
        for (at, word) in text.split([' ', '\t', '\n', '\r']).enumerate() {
            if at > 0 {
                paragraph.sink.add(" ", paragraph.place);
            }
            paragraph.sink.add(word, paragraph.place);
        }
    }

    fn start(&mut self, tag: &BytesStart, into: &Document) {
        let value = || attribute(tag, "w:val");
        match tag.name().as_ref() {
            b"w:p" => {
                self.paragraphs += 1;
                let place = Place { file: self.file, line: self.paragraphs };
                self.open.push(Paragraph { place, ..Paragraph::default() });
            }
            b"w:pStyle" => self.change(|open| open.style = value().unwrap_or_default()),
            b"w:numPr" => self.change(|open| open.item = true),
            b"w:r" => (self.struck, self.raised) = (false, false),
            b"w:strike" | b"w:dstrike" => self.struck = is_on(tag),
            b"w:vertAlign" => self.raised = value().as_deref() == Some("superscript"),
            b"w:t" | b"m:t" => self.in_text = true,
            b"w:tab" | b"w:br" | b"w:cr" => self.text(" "),
            b"w:noBreakHyphen" => self.text("-"),
            b"m:sup" => self.text("^"),
            b"m:sub" => self.text("_"),
            b"w:footnoteReference" => {
                let note = attribute(tag, "w:id").and_then(|id| self.notes.remove(&id));
                self.change(|open| open.notes.extend(note));
            }
            b"w:footnote" => self.note = attribute(tag, "w:id"),
            b"w:tbl" => self.start_table(into),
            b"w:tc" if self.tables == 1 => (self.spans, self.merged, self.cell) = (1, false, Sink::default()),
            b"w:tr" if self.tables == 1 => self.head_row = false,
            b"w:tblHeader" if self.tables == 1 => self.head_row = true,
            b"w:gridSpan" if self.tables == 1 => self.spans = value().and_then(|value| value.parse().ok()).unwrap_or(1),
            b"w:vMerge" if self.tables == 1 => self.merged = value().as_deref() != Some("restart"),
            _ => {}
        }
    }

    fn start_table(&mut self, into: &Document) {
        self.tables += 1;
        if self.tables == 1 {
            self.table = RawTable::new(Place { file: self.file, line: self.paragraphs + 1 });
            self.above.clear();
            self.head = false;
            // A caption stands right above.
            let last = into.blocks.last();
            if let (Some(caption), Some(Block::Prose(text))) = (&self.last_caption, last)
                && caption == text
            {
                self.table.caption = text.clone();
            }
        }
    }

    fn change(&mut self, how: impl FnOnce(&mut Paragraph)) {
        if let Some(open) = self.open.last_mut() {
            how(open);
        }
    }

    fn end(&mut self, name: &[u8], into: &mut Document) {
        match name {
            b"w:t" | b"m:t" => self.in_text = false,
            b"m:num" => self.text("/"),
            b"w:p" => self.end_paragraph(into),
            b"w:tc" if self.tables == 1 => self.end_cell(),
            b"w:tr" if self.tables == 1 => {
                self.end_row();
            }
            b"w:tbl" => {
                self.tables = self.tables.saturating_sub(1);
                if self.tables == 0 {
                    let (table, cut) = std::mem::take(&mut self.table).finish();
                    into.left_out.extend(cut);
                    into.blocks.extend(table.map(Block::Table));
                }
            }
            _ => {}
        }
    }

    fn end_paragraph(&mut self, into: &mut Document) {
        let Some(paragraph) = self.open.pop() else { return };
        let item = paragraph.item;
        let mut text = paragraph.sink.finish();
        if text.text.is_empty() {
            return;
        }
        if let Some(note) = &self.note {
            let own = self.found_notes.entry(note.clone()).or_default();
            return own.push(&text.text, paragraph.place);
        }
        if self.tables > 0 {
            self.cell.add(" ", paragraph.place);
            return self.cell.add(&text.text, paragraph.place);
        }
        text.item = item;
        let style = self.styles.get(&paragraph.style).copied().or_else(|| style(&paragraph.style));
        if style == Some(Style::Caption) {
            self.last_caption = Some(text.clone());
        }
        into.blocks.push(if style == Some(Style::Heading) { Block::Heading(text) } else { Block::Prose(text) });
        into.blocks.extend(paragraph.notes.into_iter().map(Block::Prose));
    }

    fn end_row(&mut self) {
        self.above = std::mem::take(&mut self.row);
        if self.head_row {
            self.head = true;
        } else if std::mem::take(&mut self.head) {
            self.table.page_mark("endhead");
        }
        self.table.end_row();
    }

    fn end_cell(&mut self) {
        let text = std::mem::take(&mut self.cell).finish();
        let place = text.places.first().map(|(_, place)| *place);
        let at = self.row.len();
        let text = if self.merged { self.above.get(at).cloned().unwrap_or_default() } else { text.text };
        let columns = self.spans.clamp(1, 1000);
        self.row.push(text.clone());
        self.row.resize(at + columns, String::new());
        self.table.columns = columns;
        self.table.end_cell(text, Some(place.unwrap_or(Place { file: self.file, line: self.paragraphs })));
    }
}

/// What was deleted or moved away, what is shown only by old programs, and what is no text.
fn left_out(name: &[u8]) -> bool {
    matches!(name, b"w:del" | b"w:moveFrom" | b"mc:Fallback" | b"w:instrText" | b"w:delText" | b"w:tabs" | b"w:sectPr")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive of parts that are not packed.
    fn archive(parts: &[(&str, &str)]) -> Vec<u8> {
        let (mut bytes, mut directory) = (Vec::new(), Vec::new());
        let two = |number: usize| [(number & 255) as u8, (number >> 8 & 255) as u8];
        let four = |number: usize| [two(number & 0xffff), two(number >> 16)].concat();
        for (name, text) in parts {
            let sizes =
                [four(0), four(text.len()), four(text.len()), two(name.len()).to_vec(), two(0).to_vec()].concat();
            let begin = bytes.len();
            bytes.extend(
                [
                    b"PK\x03\x04".to_vec(),
                    vec![0; 10],
                    sizes.clone(),
                    name.as_bytes().to_vec(),
                    text.as_bytes().to_vec(),
                ]
                .concat(),
            );
            directory.extend(
                [b"PK\x01\x02".to_vec(), vec![0; 12], sizes, vec![0; 10], four(begin), name.as_bytes().to_vec()]
                    .concat(),
            );
        }
        let end = [
            b"PK\x05\x06".to_vec(),
            vec![0; 6],
            two(parts.len()).to_vec(),
            four(directory.len()),
            four(bytes.len()),
            vec![0; 2],
        ];
        [bytes, directory, end.concat()].concat()
    }

    fn document(body: &str) -> Document {
        let notes =
            "<w:footnotes><w:footnote w:id=\"2\"><w:p><w:r><w:t>A note.</w:t></w:r></w:p></w:footnote></w:footnotes>";
        let styles = "<w:style w:styleId=\"berschrift1\"><w:name w:val=\"heading 1\"/></w:style>";
        let body = format!("<w:document><w:body>{body}</w:body></w:document>");
        let bytes =
            archive(&[("word/styles.xml", styles), ("word/document.xml", &body), ("word/footnotes.xml", notes)]);
        let mut into = Document::default();
        read(&bytes, 0, &mut into).expect("a document");
        into
    }

    fn paragraph(style: &str, text: &str) -> String {
        format!("<w:p><w:pPr><w:pStyle w:val=\"{style}\"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>")
    }

    #[test]
    fn paragraphs_and_notes() {
        let power = "<w:p><w:r><w:t>10</w:t></w:r><w:r><w:rPr><w:vertAlign w:val=\"superscript\"/></w:rPr><w:t>5</w:t></w:r>\
            <w:del><w:r><w:delText>old</w:delText></w:r></w:del><w:r><w:t xml:space=\"preserve\"> a &lt; b</w:t></w:r>\
            <w:r><w:rPr><w:strike/></w:rPr><w:t>x</w:t></w:r><w:r><w:footnoteReference w:id=\"2\"/></w:r></w:p>";
        let read = document(&(paragraph("berschrift1", "One") + "<w:p/>" + power));
        assert!(matches!(&read.blocks[0], Block::Heading(text) if text.text == "One"));
        assert!(matches!(&read.blocks[1], Block::Prose(text) if text.text == "10^5 a < b" && text.place(0).line == 3));
        assert!(matches!(&read.blocks[2], Block::Prose(text) if text.text == "A note."));
    }

    #[test]
    fn tables_with_what_they_span() {
        let cell = |what: &str, text: &str| {
            format!("<w:tc><w:tcPr>{what}</w:tcPr><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:tc>")
        };
        let rows = [
            cell("", "Part") + &cell("<w:gridSpan w:val=\"2\"/>", "Time"),
            cell("<w:vMerge w:val=\"restart\"/>", "load") + &cell("", "1") + &cell("", "2"),
            cell("<w:vMerge/>", "") + &cell("", "3") + &cell("", "4"),
        ];
        let rows: String = rows.iter().map(|row| format!("<w:tr>{row}</w:tr>")).collect();
        let read = document(&(paragraph("Caption", "Table 1") + &format!("<w:tbl>{rows}</w:tbl>")));
        let Some(Block::Table(table)) = read.blocks.last() else { panic!("no table") };
        assert_eq!(table.header, ["Part", "Time", "Time"]);
        assert_eq!(table.rows[1].cells, ["load", "3", "4"]);
        assert_eq!(table.caption.text, "Table 1");
    }

    #[test]
    fn what_is_no_docx_is_said() {
        let error = |bytes: &[u8]| read(bytes, 0, &mut Document::default()).unwrap_err();
        assert_eq!(error(b"%PDF"), "it is no zip archive");
        assert_eq!(error(b""), "it is no zip archive");
        assert_eq!(error(&[0xd0, 0xcf, 0x11, 0xe0, 0]), "it is encrypted or an old .doc");
        assert_eq!(error(&archive(&[("x", "y")])), "it has no word/document.xml");
        let whole = archive(&[("word/document.xml", "<w:p><w:t>x</w:t></w:p>")]);
        for cut in 0..whole.len() {
            let _ = read(&whole[..cut], 0, &mut Document::default());
            let _ = read(&whole[cut..], 0, &mut Document::default());
        }
    }
}
