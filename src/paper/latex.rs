//! The numbered Markdown -> the body of a LaTeX document, from the parsed text, so it cannot say anything else.

use pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::{letters, tabular::Tabular};

/// Longer than any word of prose, in characters.
const LONG_WORD: usize = 28;

/// The body. Figures are taken from `figures/ID.pdf`.
pub fn body(markdown: &str) -> String {
    let mut writer = Writer::default();
    for event in super::parse(markdown) {
        writer.event(event);
    }
    writer.out
}

#[derive(Default)]
struct Writer {
    out: String,
    /// A table's caption comes before it in the text: kept until the table begins.
    caption: Option<String>,
    in_caption: bool,
    /// Where text goes while a table is read.
    table: Option<Tabular>,
    in_code_block: bool,
    /// An image's own text says nothing: the figure is set where its caption stands.
    in_image: bool,
    in_figure: bool,
}

impl Writer {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::End(TagEnd::Image) => self.in_image = false,
            _ if self.in_image => {}
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.in_code_block => self.out += &text,
            Event::Text(text) => {
                self.seen(&text);
                self.push(&words(&text));
            }
            Event::Code(text) => {
                self.seen(&text);
                self.push(&format!("\\texttt{{{}}}", code(&text)));
            }
            Event::Html(html) | Event::InlineHtml(html) => self.anchor(&html),
            Event::SoftBreak => self.push("\n"),
            Event::HardBreak => self.push("\\\\\n"),
            Event::Rule => self.push("\\bigskip\n\n"),
            _ => {}
        }
    }

    fn push(&mut self, text: &str) {
        match (&mut self.caption, &mut self.table) {
            (Some(caption), _) if self.in_caption => *caption += text,
            (_, Some(table)) => table.push(text),
            _ => self.out += text,
        }
    }

    fn seen(&mut self, text: &str) {
        self.table.iter_mut().for_each(|table| table.seen(text.chars().count()));
    }

    /// `<a id="table-x"></a>` opens a table's caption, `figure-x` a figure with its caption; each is a target of links.
    fn anchor(&mut self, html: &str) {
        let Some(id) = html.strip_prefix("<a id=\"").and_then(|rest| rest.strip_suffix("\">")) else { return };
        if let Some(figure) = id.strip_prefix("figure-") {
            self.in_figure = true;
            self.push(&format!(
                "\\begin{{figure}}[htbp]\n\\centering\n\\includegraphics[width=0.72\\linewidth]{{figures/{figure}.pdf}}\n\\caption*{{"
            ));
        }
        if id.starts_with("table-") {
            self.caption = Some(String::new());
            self.in_caption = true;
        }
        self.push(&format!("\\hypertarget{{{id}}}{{}}"));
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { level, .. } => {
                let command = if level as usize == 2 { "section" } else { "subsection" };
                self.push(&format!("\n\\{command}*{{"));
            }
            Tag::Emphasis => self.push("\\emph{"),
            Tag::Strong => self.push("\\textbf{"),
            Tag::List(Some(_)) => self.push("\\begin{enumerate}\n"),
            Tag::List(None) => self.push("\\begin{itemize}\n"),
            Tag::Item => self.push("\\item "),
            Tag::BlockQuote(_) => self.push("\\begin{quote}\n"),
            Tag::CodeBlock(CodeBlockKind::Fenced(_) | CodeBlockKind::Indented) => {
                self.in_code_block = true;
                // In a box, so that no page break parts its lines.
                self.push("\\medskip\\noindent\\begin{minipage}{\\linewidth}\\footnotesize\n\\begin{verbatim}\n");
            }
            Tag::Link { dest_url, .. } => match dest_url.strip_prefix('#') {
                Some(target) => self.push(&format!("\\hyperlink{{{target}}}{{")),
                None => self.push(&format!("\\href{{{}}}{{", url(&dest_url))),
            },
            Tag::Image { .. } => self.in_image = true,
            Tag::Table(columns) => {
                self.in_caption = false;
                self.table = Some(Tabular::new(columns));
            }
            Tag::TableHead | Tag::TableRow => self.table.iter_mut().for_each(Tabular::row),
            Tag::TableCell => self.table.iter_mut().for_each(Tabular::cell),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph if self.in_caption => {}
            TagEnd::Paragraph if self.in_figure => {
                self.in_figure = false;
                self.push("}\n\\end{figure}\n\n");
            }
            TagEnd::Paragraph => self.push("\n\n"),
            TagEnd::Heading(_) => self.push("}\n\n"),
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Link => self.push("}"),
            TagEnd::List(ordered) => self.push(if ordered { "\\end{enumerate}\n\n" } else { "\\end{itemize}\n\n" }),
            TagEnd::Item => self.push("\n"),
            TagEnd::BlockQuote(_) => self.push("\\end{quote}\n\n"),
            TagEnd::CodeBlock => {
                self.in_code_block = false;
                self.push("\\end{verbatim}\n\\end{minipage}\n\n");
            }
            TagEnd::Table => {
                let caption = self.caption.take().unwrap_or_default();
                let table = self.table.take().unwrap_or_default();
                self.push(&table.written(&caption));
            }
            _ => {}
        }
    }
}

/// Plain text for LaTeX. Characters that its fonts lack, and cannot build, are written as their code point.
pub fn escape(text: &str) -> String {
    let composed: Vec<char> = text.nfc().collect();
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    // A character with the marks that follow it.
    let mut rest = composed.as_slice();
    while let Some(c) = rest.first().copied() {
        let length = 1 + rest[1..].iter().take_while(|c| is_combining_mark(**c)).count();
        let (cluster, after) = rest.split_at(length);
        rest = after;
        // Two of these would become another sign.
        if [DASHES, QUOTES, ","].iter().any(|signs| signs.contains(before) && signs.contains(c)) {
            out += "{}";
        }
        before = c;
        match plain(c) {
            Some(plain) if length == 1 => out += &plain,
            _ => match letters::set(&cluster.iter().collect::<String>()) {
                Some(letter) => out += &letter,
                None => cluster.iter().for_each(|c| {
                    out += &plain(*c).or_else(|| letters::set(&c.to_string())).unwrap_or_else(|| code_point(*c))
                }),
            },
        }
    }
    out
}

const DASHES: &str = "-–—";
const QUOTES: &str = "'’”";

fn code_point(c: char) -> String {
    format!("\\texttt{{U+{:04X}}}\\allowbreak{{}}", c as u32)
}

/// ASCII, and signs that have a name in TeX.
fn plain(c: char) -> Option<String> {
    let named = match c {
        '\\' => "\\textbackslash{}",
        '{' | '}' | '$' | '&' | '#' | '%' | '_' => return Some(format!("\\{c}")),
        '~' => "\\textasciitilde{}",
        '^' => "\\textasciicircum{}",
        '<' => "\\textless{}",
        '>' => "\\textgreater{}",
        '|' => "\\textbar{}",
        '"' => "\\textquotedbl{}",
        '`' => "\\textasciigrave{}",
        // After a row's end or an item they would be arguments.
        '[' | ']' | '*' => return Some(format!("{{{c}}}")),
        '–' => "--",
        '—' => "---",
        '×' => "\\texttimes{}",
        '·' => "\\textperiodcentered{}",
        '−' => "\\textminus{}",
        '±' => "\\textpm{}",
        '’' => "'",
        '“' => "``",
        '”' => "''",
        '…' => "\\ldots{}",
        '\u{a0}' => "~",
        // A line end could leave a comment or begin a paragraph.
        '\n' => " ",
        ' '..='~' => return Some(c.to_string()),
        _ => return None,
    };
    Some(named.to_owned())
}

/// Text whose long words, such as digests and addresses, may break anywhere: they have no syllables.
pub fn words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive(' ') {
        let letters: Vec<char> = piece.nfc().collect();
        if letters.len() <= LONG_WORD {
            out += &escape(piece);
            continue;
        }
        let parts: Vec<String> = letters.chunks(4).map(|part| escape(&part.iter().collect::<String>())).collect();
        out += &parts.join("\\allowbreak{}");
    }
    out
}

/// Code: it may break after these signs.
fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive(['/', '_', '=']) {
        out += &escape(piece);
        if piece.ends_with(['/', '_', '=']) {
            out += "\\allowbreak{}";
        }
    }
    out
}

/// A link's target: only what a URL consists of.
fn url(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_alphanumeric() || "-._~:/?#[]@!&'()*+,;=%".contains(*c))
        .map(|c| if "%#&_".contains(c) { format!("\\{c}") } else { c.to_string() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_text() {
        assert_eq!(escape("\\input{x}$a_b%"), "\\textbackslash{}input\\{x\\}\\$a\\_b\\%");
        assert_eq!(escape("日\u{1b}é"), "\\texttt{U+65E5}\\allowbreak{}\\texttt{U+001B}\\allowbreak{}é");
    }

    #[test]
    fn a_bracket_or_a_star_is_no_argument() {
        assert_eq!(escape("[1em]*"), "{[}1em{]}{*}");
        let latex = body("| a | b | c | d |\n|---|---|---|---|\n| \\[1em] | \\* | 3 | 4 |\n");
        assert!(latex.contains("\n{[}1em{]} & {*} & 3 & 4"), "{latex}");
    }

    #[test]
    fn a_line_end_leaves_no_comment() {
        assert_eq!(escape("run\n\\input{x}"), "run \\textbackslash{}input\\{x\\}");
    }

    #[test]
    fn long_words_break_and_short_ones_do_not() {
        let digest = "6bb066ed863f86bc6069dfe62946774f";
        assert_eq!(words(digest).replace("\\allowbreak{}", ""), digest);
        assert!(words(digest).contains("\\allowbreak{}"));
        assert_eq!(words("an ordinary sentence about reproducibility"), "an ordinary sentence about reproducibility");
    }

    #[test]
    fn two_hyphens_in_code_stay_two() {
        assert_eq!(body("`a --check`").trim(), "\\texttt{a -{}-check}");
    }

    #[test]
    fn a_table_has_its_caption_and_alignment() {
        let text = "<a id=\"table-x\"></a>**Table 1.** Of it.\n\n| a | b | c | d |\n|---|--:|--:|--:|\n| x\\|y | 1 | 2 | 3 |\n";
        let latex = body(text);
        assert!(latex.contains("\\caption*{\\hypertarget{table-x}{}\\textbf{Table 1.} Of it.}"), "{latex}");
        assert!(latex.contains("\\begin{adjustbox}{max width=\\linewidth}\n\\begin{tabular}{lrrr}\n\\toprule\na & b & c & d \\\\\n\\midrule\nx\\textbar{}y & 1 & 2 & 3 \\\\\n\\bottomrule"), "{latex}");
    }
}
