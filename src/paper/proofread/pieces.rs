//! A section's source -> its pieces in turn: code, what is taken as it is, and words.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `{% ... %}`
    Tag,
    /// `{{ ... }}`
    Print,
    /// `{# ... #}`
    Comment,
    /// Code, references, quotations: not prose.
    Literal,
    Words,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    pub kind: Kind,
    pub text: &'a str,
    pub start: usize,
}

/// How far a closing mark may be from its opening one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Text,
    /// Markdown forgets what was open where a paragraph ends.
    Paragraph,
    /// No white space between the two.
    Word,
}

/// Opening and closing marks of what is not prose. The first that fits counts, so longer ones stand first. A dollar is none: it is
/// printed as it stands.
const MARKS: [(&str, &str, Kind, Reach); 10] = [
    ("{%", "%}", Kind::Tag, Reach::Text),
    ("{{", "}}", Kind::Print, Reach::Text),
    ("{#", "#}", Kind::Comment, Reach::Text),
    ("```", "```", Kind::Literal, Reach::Text),
    ("`", "`", Kind::Literal, Reach::Paragraph),
    ("[@", "]", Kind::Literal, Reach::Paragraph),
    ("[table:", "]", Kind::Literal, Reach::Word),
    ("](", ")", Kind::Literal, Reach::Word),
    ("“", "”", Kind::Literal, Reach::Paragraph),
    ("\"", "\"", Kind::Literal, Reach::Paragraph),
];

/// A template as a sequence of code, literals and words.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut found, mut at, mut words) = (Vec::new(), 0, 0);
    while at < text.len() {
        let Some((kind, end)) = marked(text, at) else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        };
        if words < at {
            found.push(Piece { kind: Kind::Words, text: &text[words..at], start: words });
        }
        found.push(Piece { kind, text: &text[at..end], start: at });
        (at, words) = (end, end);
    }
    if words < text.len() {
        found.push(Piece { kind: Kind::Words, text: &text[words..], start: words });
    }
    found
}

/// What begins here, and the byte behind it; `None` where it is a word.
fn marked(text: &str, at: usize) -> Option<(Kind, usize)> {
    let rest = &text[at..];
    let (open, close, kind, reach) = MARKS.iter().find(|(open, ..)| rest.starts_with(open))?;
    // An inch (5") opens nothing.
    if *open == "\"" && text[..at].ends_with(char::is_alphanumeric) {
        return None;
    }
    let length = rest[open.len()..].find(close)?;
    let inside = &rest[open.len()..open.len() + length];
    let reached = match reach {
        Reach::Text => true,
        Reach::Paragraph => !ends_paragraph(inside),
        // A value may be put in: its mark has spaces.
        Reach::Word => !inside.contains(char::is_whitespace) || inside.contains("{{"),
    };
    reached.then_some((*kind, at + open.len() + length + close.len()))
}

/// Is there a line in it that is blank, or that begins a row, a heading, a quotation or an item?
fn ends_paragraph(text: &str) -> bool {
    text.split('\n').skip(1).any(|line| {
        let line = line.trim_start();
        line.is_empty() || line.starts_with(['|', '#', '>', '-', '+'])
    })
}
