//! The numbered Markdown -> the body of a Typst document, from the parsed text, so it cannot say anything else. Every text is a
//! string literal, which Typst does not read as markup; all else are calls of what `skins/paper.typ` defines.

mod check;
mod glyphs;
mod table;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use check::{check, check_skin};
#[cfg(test)]
pub(crate) use glyphs::written;
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Tag, TagEnd};
pub(super) use table::Cells;

use crate::digest;

/// The skin, by its path under the templates.
pub(super) const SKIN: &str = "skins/paper.typ";
/// Longer than any word of prose, in characters.
const LONG_WORD: usize = 28;

/// The bodies of texts that become one document. Figures are taken from `figures/ID.svg`; the digest of each stands beside it, so that
/// the document's own digest stands for them, too.
pub(crate) fn bodies(texts: [&str; 2], figures: &BTreeMap<String, Vec<u8>>) -> [String; 2] {
    let mut writer = Writer::new(figures);
    writer.places = texts.iter().flat_map(|text| places(text)).collect();
    texts.map(|text| {
        super::parse(text).for_each(|event| writer.event(event));
        std::mem::take(&mut writer.out)
    })
}

/// The places that the text has, by their ids: a link to any other would be an error to Typst.
fn places(markdown: &str) -> BTreeSet<String> {
    let anchor = |event: Event<'_>| match event {
        Event::Html(html) | Event::InlineHtml(html) => anchor(&html).map(str::to_owned),
        _ => None,
    };
    super::parse(markdown).filter_map(anchor).collect()
}

/// The id of `<a id="ID">`.
fn anchor(html: &str) -> Option<&str> {
    html.strip_prefix("<a id=\"")?.strip_suffix("\">").filter(|id| !id.is_empty())
}

struct Writer<'a> {
    figures: &'a BTreeMap<String, Vec<u8>>,
    places: BTreeSet<String>,
    /// Those that the document has already: each once.
    set: BTreeSet<String>,
    out: String,
    /// A table's caption comes before it in the text: kept, with its id, until the table begins.
    caption: Option<(String, String)>,
    in_caption: bool,
    /// Where text goes while a table is read.
    table: Option<Cells>,
    /// The lines of a code block.
    listing: Option<String>,
    /// An image's own text says nothing: the figure is set where its caption stands.
    in_image: bool,
    /// The figure that is being read: its id, its caption, and the same without markup, for those who do not see it.
    figure: Option<(String, String, String)>,
    /// The last heading's level: a document for everybody leaves none out.
    level: usize,
    /// Which of the links that are open lead somewhere.
    links: Vec<bool>,
}

impl<'a> Writer<'a> {
    fn new(figures: &'a BTreeMap<String, Vec<u8>>) -> Self {
        Writer {
            figures,
            places: BTreeSet::new(),
            set: BTreeSet::new(),
            out: String::new(),
            caption: None,
            in_caption: false,
            table: None,
            listing: None,
            in_image: false,
            figure: None,
            level: 0,
            links: Vec::new(),
        }
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::End(TagEnd::Image) => self.in_image = false,
            _ if self.in_image => {}
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match &mut self.listing {
                Some(lines) => *lines += &text,
                None => {
                    self.seen(&text);
                    self.push(&words(&text));
                }
            },
            Event::Code(text) => {
                self.seen(&text);
                self.push(&format!("#code({});", literal(&text)));
            }
            Event::Html(html) | Event::InlineHtml(html) => self.anchor(&html),
            Event::SoftBreak => {
                self.seen(" ");
                self.push("#\" \";");
            }
            Event::HardBreak => self.push("#newline();"),
            Event::Rule => self.push("#rule();\n\n"),
            _ => {}
        }
    }

    fn push(&mut self, typst: &str) {
        match (&mut self.caption, &mut self.figure, &mut self.table) {
            (Some((_, caption)), ..) if self.in_caption => *caption += typst,
            (_, Some((_, caption, _)), _) => *caption += typst,
            (.., Some(table)) => table.push(typst),
            _ => self.out += typst,
        }
    }

    fn seen(&mut self, text: &str) {
        self.table.iter_mut().for_each(|table| table.seen(text.chars().count()));
        self.figure.iter_mut().for_each(|(_, _, plain)| *plain += text);
    }

    /// `<a id="table-x"></a>` opens a table's caption, `figure-x` a figure with its caption; any other is a target of links.
    fn anchor(&mut self, html: &str) {
        let Some(id) = anchor(html) else { return };
        if !self.set.insert(id.to_owned()) {
            return;
        }
        if let Some(figure) = id.strip_prefix("figure-").filter(|id| self.figures.contains_key(*id)) {
            self.figure = Some((figure.to_owned(), String::new(), String::new()));
        } else if id.starts_with("table-") {
            self.caption = Some((id.to_owned(), String::new()));
            self.in_caption = true;
        } else {
            self.push(&format!("#anchor({});", literal(id)));
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { level, .. } => self.heading(level),
            Tag::Emphasis => self.push("#em["),
            Tag::Strong => self.push("#bold["),
            Tag::List(Some(first)) => self.push(&format!("#steps({first}, ")),
            Tag::List(None) => self.push("#bullets("),
            Tag::Item => self.push("["),
            Tag::BlockQuote(_) => self.push("#quoted["),
            Tag::CodeBlock(CodeBlockKind::Fenced(_) | CodeBlockKind::Indented) => self.listing = Some(String::new()),
            Tag::Link { dest_url, .. } => self.link(&dest_url),
            Tag::Image { .. } => self.in_image = true,
            Tag::Table(columns) => {
                self.in_caption = false;
                self.table = Some(Cells::new(columns));
            }
            Tag::TableHead | Tag::TableRow => self.table.iter_mut().for_each(Cells::row),
            Tag::TableCell => self.table.iter_mut().for_each(Cells::cell),
            _ => {}
        }
    }

    /// `##` is a section, the title being above all.
    fn heading(&mut self, level: HeadingLevel) {
        self.level = (level as usize).saturating_sub(1).clamp(1, self.level + 1);
        self.push(&format!("\n#section({}, [", self.level));
    }

    fn link(&mut self, target: &str) {
        let alive = match target.strip_prefix('#') {
            Some(place) => self.places.contains(place),
            None => !url(target).is_empty(),
        };
        self.links.push(alive);
        match target.strip_prefix('#') {
            _ if !alive => {}
            Some(place) => self.push(&format!("#to({}, [", literal(place))),
            None => self.push(&format!("#out({}, [", literal(&url(target)))),
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph if self.in_caption => {}
            TagEnd::Paragraph => match self.figure.take() {
                Some((id, caption, plain)) => {
                    let digest = digest::sha256_hex(self.figures.get(&id).map_or(&[], Vec::as_slice));
                    let label = literal(&format!("figure-{id}"));
                    let (name, plain) = (literal(&id), literal(plain.trim()));
                    self.push(&format!("// figures/{id}.svg is of SHA-256 {digest}\n"));
                    self.push(&format!("#picture({label}, {name}, {plain}, [{caption}]);\n\n"));
                }
                None => self.push("\n\n"),
            },
            TagEnd::Heading(_) => self.push("]);\n\n"),
            TagEnd::Emphasis | TagEnd::Strong => self.push("];"),
            TagEnd::Link => {
                let leads = self.links.pop() == Some(true);
                self.push(if leads { "]);" } else { "" });
            }
            TagEnd::List(_) => self.push(");\n\n"),
            TagEnd::Item => self.push("],\n"),
            TagEnd::BlockQuote(_) => self.push("];\n\n"),
            TagEnd::CodeBlock => {
                let lines = self.listing.take().unwrap_or_default();
                let lines: Vec<String> = lines.trim_end().split('\n').map(glyphs::written).collect();
                self.push(&format!("#listing({});\n\n", quoted(&lines.join("\n"))));
            }
            TagEnd::Table => {
                let (id, caption) = self.caption.take().unwrap_or_default();
                let table = self.table.take().unwrap_or_default();
                self.push(&table.written(&id, &caption));
            }
            _ => {}
        }
    }
}

/// A text as a string literal of Typst, on one line; characters that its fonts lack are written as their code points.
fn literal(text: &str) -> String {
    quoted(&glyphs::written(text))
}

/// Text that somebody else wrote, likewise, for a skin.
pub(super) fn value(text: &str) -> String {
    literal(&text.chars().map(super::prose::seen).collect::<String>())
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out += "\\n",
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// How many characters of a text the fonts lack.
pub fn lacking(text: &str) -> usize {
    glyphs::counted(text).1
}

/// Text whose long words, such as digests and addresses, may break anywhere: they have no syllables.
fn words(text: &str) -> String {
    let text = glyphs::written(text);
    let (mut out, mut plain) = (String::with_capacity(text.len()), String::new());
    let flush = |out: &mut String, plain: &mut String| {
        if !plain.is_empty() {
            *out += &format!("#{};", quoted(plain));
            plain.clear();
        }
    };
    for piece in text.split_inclusive(' ') {
        let word = piece.trim_end_matches(' ');
        if word.chars().count() <= LONG_WORD {
            plain += piece;
            continue;
        }
        flush(&mut out, &mut plain);
        out += &format!("#long({});", quoted(word));
        plain += &piece[word.len()..];
    }
    flush(&mut out, &mut plain);
    out
}

/// A link's target: only what a URL consists of.
fn url(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || "-._~:/?#[]@!&'()*+,;=%".contains(*c)).collect()
}
