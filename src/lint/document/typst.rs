//! Typst source -> headings, paragraphs and tables as plain text. Typst's own parser reads it; nothing is run, so that what is
//! computed when the paper is set is left out, and said.

use super::latex::sink::Sink;
use super::latex::tables::RawTable;
use super::latex::units;
use super::{Block, Document, LeftOut, Place, Text, silence};
use std::collections::{HashMap, HashSet};
use typst_syntax::{SyntaxKind, SyntaxNode};

mod math;
mod table;

/// How deep things may stand within each other.
const DEPTH: usize = 400;
/// Functions whose strings are printed.
const PRINTED: &[&str] =
    &["text", "emph", "strong", "smallcaps", "underline", "overline", "highlight", "upper", "lower", "box", "block"];
const SILENT: &[&str] = &[
    "strike",
    "cite",
    "ref",
    "image",
    "bibliography",
    "raw",
    "lorem",
    "v",
    "h",
    "pagebreak",
    "colbreak",
    "label",
    "counter",
    "outline",
    "line",
    "rect",
    "circle",
    "hide",
    "metadata",
    "todo",
];

struct Reader<'a> {
    source: &'a str,
    file: usize,
    /// Where each line begins.
    lines: Vec<usize>,
    into: &'a mut Document,
    names: HashMap<String, String>,
    sinks: Vec<Sink>,
    notes: Vec<Text>,
    captions: Vec<Text>,
    tables: Vec<RawTable>,
    said: HashSet<&'static str>,
}

pub fn read(source: &str, file: usize, into: &mut Document) {
    let root = typst_syntax::parse(source);
    let lines = std::iter::once(0).chain(source.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let mut reader = Reader {
        source,
        file,
        lines,
        into,
        names: HashMap::new(),
        sinks: vec![Sink::default()],
        notes: Vec::new(),
        captions: Vec::new(),
        tables: Vec::new(),
        said: HashSet::new(),
    };
    reader.children(&root, 0, 0);
    reader.flush();
    if is_deep(&root) {
        // To free it would call itself once for each level.
        std::mem::forget(root);
    }
}

fn is_deep(root: &SyntaxNode) -> bool {
    let mut open = vec![root.children()];
    while let Some(children) = open.last_mut() {
        match children.next() {
            Some(child) => open.push(child.children()),
            None => drop(open.pop()),
        }
        if open.len() > DEPTH {
            return true;
        }
    }
    false
}

impl Reader<'_> {
    fn place(&self, offset: usize) -> Place {
        Place { file: self.file, line: self.lines.partition_point(|start| *start <= offset) }
    }

    /// The source of a node.
    fn written(&self, node: &SyntaxNode, at: usize) -> &str {
        self.source.get(at..at + node.len()).unwrap_or("")
    }

    fn once(&mut self, why: &'static str, at: usize) {
        if self.said.insert(why) {
            self.into.left_out.push(LeftOut { place: self.place(at), why: why.to_owned() });
        }
    }

    fn emit(&mut self, text: &str, at: usize) {
        let place = self.place(at);
        if let Some(sink) = self.sinks.last_mut() {
            for (index, word) in text.split([' ', '\t', '\n', '\r']).enumerate() {
                if index > 0 {
                    sink.add(" ", place);
                }
                sink.add(word, place);
            }
        }
    }

    fn flush(&mut self) {
        if self.sinks.len() != 1 {
            return;
        }
        let text = std::mem::take(&mut self.sinks[0]).finish();
        let notes = std::mem::take(&mut self.notes);
        let texts = std::iter::once(text).chain(notes).filter(|text| !text.text.is_empty());
        self.into.blocks.extend(texts.map(Block::Prose));
    }

    fn children(&mut self, node: &SyntaxNode, at: usize, depth: usize) {
        if depth > DEPTH {
            return self.once("what is nested too deep", at);
        }
        let mut at = at;
        for child in node.children() {
            self.node(child, at, depth + 1);
            at += child.len();
        }
    }

    /// Reads what is in the node as a text of its own.
    fn own(&mut self, node: &SyntaxNode, at: usize, depth: usize) -> Text {
        self.sinks.push(Sink::default());
        self.node(node, at, depth);
        self.sinks.pop().map(Sink::finish).unwrap_or_default()
    }

    fn node(&mut self, node: &SyntaxNode, at: usize, depth: usize) {
        let leaf = node.leaf_text().as_str();
        match node.kind() {
            SyntaxKind::Text | SyntaxKind::SmartQuote | SyntaxKind::Int | SyntaxKind::Float => self.emit(leaf, at),
            SyntaxKind::Space | SyntaxKind::Linebreak => self.emit(" ", at),
            SyntaxKind::Numeric => self.emit(leaf, at),
            SyntaxKind::Str => self.emit(&string(leaf), at),
            SyntaxKind::Escape => self.emit(&escaped(leaf), at),
            SyntaxKind::Shorthand => self.emit(shorthand(leaf), at),
            SyntaxKind::Parbreak if self.sinks.len() == 1 => self.flush(),
            SyntaxKind::Parbreak => self.emit(" ", at),
            SyntaxKind::LineComment | SyntaxKind::BlockComment => {
                let text = leaf.trim_start_matches(['/', '*']).trim_end_matches(['/', '*']);
                self.into.silenced.extend(silence(text, self.place(at)));
            }
            SyntaxKind::Heading => {
                self.flush();
                self.sinks.push(Sink::default());
                self.children(node, at, depth);
                let text = self.sinks.pop().map(Sink::finish).unwrap_or_default();
                self.into.blocks.push(Block::Heading(text));
            }
            SyntaxKind::ListItem | SyntaxKind::EnumItem | SyntaxKind::TermItem => self.item(node, at, depth),
            SyntaxKind::Equation => self.equation(node, at, depth),
            SyntaxKind::Markup
            | SyntaxKind::Strong
            | SyntaxKind::Emph
            | SyntaxKind::ContentBlock
            | SyntaxKind::Parenthesized => self.children(node, at, depth),
            SyntaxKind::LetBinding => self.binding(node, at, depth),
            SyntaxKind::Ident => {
                if let Some(value) = self.names.get(leaf).cloned() {
                    self.emit(&value, at);
                }
            }
            SyntaxKind::FuncCall => self.call(node, at, depth),
            SyntaxKind::ModuleInclude | SyntaxKind::ModuleImport => self.import(node, at),
            SyntaxKind::Conditional | SyntaxKind::ForLoop | SyntaxKind::WhileLoop | SyntaxKind::CodeBlock => {
                self.once("what is computed when the paper is set", at);
            }
            SyntaxKind::Binary | SyntaxKind::Unary | SyntaxKind::Contextual => {
                self.once("a value that is computed when the paper is set", at);
            }
            _ => {}
        }
    }

    fn item(&mut self, node: &SyntaxNode, at: usize, depth: usize) {
        self.flush();
        if self.sinks.len() == 1 {
            self.sinks[0] = Sink::item();
        }
        self.children(node, at, depth);
        self.flush();
        self.emit(" ", at);
    }

    fn equation(&mut self, node: &SyntaxNode, at: usize, depth: usize) {
        let text = math::plain(node, depth);
        let written = self.written(node, at);
        let display = written.starts_with("$ ") || written.starts_with("$\n");
        if !display {
            return self.emit(text.trim(), at);
        }
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let end = if line.ends_with(['.', '!', '?', ',', ';', ':']) { " " } else { ". " };
            self.emit(&format!(" {line}{end}"), at);
        }
    }

    /// `#let x = 1.2`
    fn binding(&mut self, node: &SyntaxNode, at: usize, depth: usize) {
        let parts: Vec<&SyntaxNode> = node.children().filter(|part| !part.kind().is_trivia()).collect();
        let [_, name, _, value] = parts[..] else { return };
        let offset = at + node.len() - value.len();
        let plain = matches!(
            value.kind(),
            SyntaxKind::Int | SyntaxKind::Float | SyntaxKind::Numeric | SyntaxKind::Str | SyntaxKind::ContentBlock
        );
        if plain && name.kind() == SyntaxKind::Ident {
            let text = self.own(value, offset, depth + 1).text;
            self.names.insert(name.leaf_text().to_string(), text);
        }
    }

    fn import(&mut self, node: &SyntaxNode, at: usize) {
        let path = node.children().find(|part| part.kind() == SyntaxKind::Str).map(|part| string(part.leaf_text()));
        let Some(path) = path.filter(|path| !path.starts_with('@')) else { return };
        let word = if node.kind() == SyntaxKind::ModuleInclude { "include" } else { "import" };
        self.into.left_out.push(LeftOut {
            place: self.place(at),
            why: format!("#{word} \"{path}\": files that a Typst file takes in are not read"),
        });
    }

    fn call(&mut self, node: &SyntaxNode, at: usize, depth: usize) {
        let Some(callee) = node.children().next() else { return };
        let name = self.written(callee, at).to_owned();
        let arguments = arguments(node, at);
        match name.as_str() {
            "table" | "grid" | "tablex" | "tablef" => self.table(&arguments, at, depth),
            "figure" => self.figure(&arguments, depth),
            "footnote" => {
                if let Some((_, body, at)) = arguments.iter().find(|(name, ..)| name.is_empty()) {
                    let note = self.own(body, *at, depth + 1);
                    self.notes.push(note);
                }
            }
            "heading" => {
                self.flush();
                for (_, body, at) in arguments.iter().filter(|(name, ..)| name.is_empty()) {
                    let text = self.own(body, *at, depth + 1);
                    self.into.blocks.push(Block::Heading(text));
                }
            }
            "num" | "qty" | "unit" => self.quantity(&name, &arguments, depth),
            "super" => {
                for (_, body, at) in &arguments {
                    let text = self.own(body, *at, depth + 1).text;
                    let number = text.starts_with(|one: char| one.is_ascii_digit() || one == '-');
                    self.emit(&format!("{}{text}", if number { "^" } else { "" }), *at);
                }
            }
            name if SILENT.contains(&name) => {}
            name => {
                let strings = PRINTED.contains(&name);
                for (key, body, at) in arguments {
                    let read =
                        matches!(body.kind(), SyntaxKind::ContentBlock | SyntaxKind::FuncCall | SyntaxKind::Equation);
                    if key.is_empty() && (read || (strings && body.kind() == SyntaxKind::Str)) {
                        self.node(body, at, depth + 1);
                    }
                }
            }
        }
    }

    /// The package unify's numbers and units.
    fn quantity(&mut self, name: &str, arguments: &[Argument], depth: usize) {
        for (index, (_, body, at)) in arguments.iter().filter(|(name, ..)| name.is_empty()).enumerate() {
            let text = self.own(body, *at, depth + 1).text;
            let number = index == 0 && name != "unit";
            self.emit(&if number { units::number(&text) } else { format!(" {text}") }, *at);
        }
    }

    fn figure(&mut self, arguments: &[Argument], depth: usize) {
        self.flush();
        let caption =
            arguments.iter().find(|(name, ..)| name == "caption").map(|(_, body, at)| self.own(body, *at, depth + 1));
        let caption = caption.unwrap_or_default();
        self.captions.push(caption.clone());
        for (_, body, at) in arguments.iter().filter(|(name, ..)| name.is_empty()) {
            self.node(body, *at, depth + 1);
        }
        self.flush();
        self.captions.pop();
        if !caption.text.is_empty() {
            self.into.blocks.push(Block::Prose(caption));
        }
    }
}

/// The name, or none, of an argument, its value, and where that stands.
type Argument<'n> = (String, &'n SyntaxNode, usize);

fn arguments(call: &SyntaxNode, at: usize) -> Vec<Argument<'_>> {
    let mut found = Vec::new();
    let mut outer = at;
    for part in call.children() {
        let mut at = outer;
        outer += part.len();
        if part.kind() != SyntaxKind::Args {
            continue;
        }
        for one in part.children() {
            let begin = at;
            at += one.len();
            if one.kind() == SyntaxKind::Named {
                let name = one.children().next().map(|name| name.leaf_text().to_string()).unwrap_or_default();
                if let Some(value) = one.children().last() {
                    found.push((name, value, begin + one.len() - value.len()));
                }
            } else if !one.kind().is_trivia()
                && !matches!(one.kind(), SyntaxKind::LeftParen | SyntaxKind::RightParen | SyntaxKind::Comma)
            {
                found.push((String::new(), one, begin));
            }
        }
    }
    found
}

/// A string without its marks.
fn string(written: &str) -> String {
    let inner = written.strip_prefix('"').unwrap_or(written);
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    inner.replace("\\\"", "\"").replace("\\n", " ").replace("\\\\", "\\")
}

/// `\#` or `\u{20ac}`
fn escaped(written: &str) -> String {
    let rest = written.strip_prefix('\\').unwrap_or(written);
    let code = rest.strip_prefix("u{").and_then(|rest| rest.strip_suffix('}'));
    match code.and_then(|code| u32::from_str_radix(code, 16).ok()).and_then(char::from_u32) {
        Some(one) => one.to_string(),
        None => rest.to_owned(),
    }
}

fn shorthand(written: &str) -> &str {
    match written {
        "~" => "\u{a0}",
        "---" => "—",
        "--" => "–",
        "..." => "…",
        "-?" => "",
        "-" => "−",
        other => other,
    }
}

#[cfg(test)]
mod tests;
