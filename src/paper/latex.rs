//! The numbered Markdown, in its symbolic form -> the body of a LaTeX document whose class does the numbering: sections, captions,
//! labels, references, citations. From the parsed text, so it cannot say anything else.

use pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::{layout::Layout, letters, tabular::Tabular, width::Width};

/// Longer than any word of prose, in characters.
const LONG_WORD: usize = 28;
/// A longer word may break behind a sign, as code does.
const LONG_NAME: usize = 16;

/// The body. Figures are taken from `figures/ID.pdf`.
pub fn body(symbolic: &str, layout: &Layout) -> String {
    let mut writer = Writer::new(layout);
    for event in super::parse(symbolic) {
        writer.event(event);
    }
    writer.out
}

struct Writer<'a> {
    layout: &'a Layout,
    out: String,
    /// Text that is kept until what it belongs to is known, the innermost last.
    kept: Vec<Kept>,
    /// Where text goes while a table is read.
    table: Option<Tabular>,
    /// The label and caption of the table that comes.
    caption: Option<(String, String)>,
    /// Where the last heading without a number stands, and its title: that of the references is the class's own.
    heading: Option<(usize, usize, String)>,
    /// Is the list that comes, or that is read, that of the references?
    references: References,
    in_code_block: bool,
    /// An image's own text says nothing: the figure is set where its caption stands.
    in_image: bool,
}

#[derive(Debug)]
struct Kept {
    what: What,
    tex: String,
    /// As a reader sees it, for those who cannot.
    plain: String,
}

#[derive(Debug, PartialEq)]
enum What {
    /// Its level and, if it has a number, its label.
    Heading(usize, Option<String>),
    Figure(String),
    Caption(String),
    /// An address, and the text.
    Address(String),
}

#[derive(Debug, PartialEq)]
enum References {
    None,
    Coming,
    Open,
}

impl<'a> Writer<'a> {
    fn new(layout: &'a Layout) -> Self {
        Writer {
            layout,
            out: String::new(),
            kept: Vec::new(),
            table: None,
            caption: None,
            heading: None,
            references: References::None,
            in_code_block: false,
            in_image: false,
        }
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::End(TagEnd::Image) => self.in_image = false,
            _ if self.in_image => {}
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.in_code_block => self.out += &code_lines(&text, self.layout.is_columns()),
            Event::Text(text) => self.text(&text),
            Event::Code(text) => {
                self.seen(&text, Width::of_code(&text, self.layout.long_word()));
                self.push(&format!("\\texttt{{{}}}", code(&text)));
            }
            Event::Html(html) | Event::InlineHtml(html) => self.anchor(&html),
            Event::SoftBreak => self.push("\n"),
            Event::HardBreak => self.push("\\\\\n"),
            Event::Rule => self.push("\\bigskip\n\n"),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        self.seen(text, Width::of(text, self.layout.long_word()));
        let address = matches!(self.kept.last(), Some(Kept { what: What::Address(_), .. }));
        let tex = if address { address_words(text) } else { breaking(text, self.layout.long_word()) };
        self.push(&tex);
    }

    fn push(&mut self, tex: &str) {
        match (self.kept.last_mut(), &mut self.table) {
            (Some(kept), _) => kept.tex += tex,
            (None, Some(table)) => table.push(tex),
            (None, None) => self.out += tex,
        }
    }

    fn seen(&mut self, text: &str, width: Width) {
        self.kept.iter_mut().for_each(|kept| kept.plain += text);
        self.table.iter_mut().for_each(|table| table.seen(width));
    }

    fn keep(&mut self, what: What) {
        self.kept.push(Kept { what, tex: String::new(), plain: String::new() });
    }

    /// The innermost kept text, if it is of the kind.
    fn kept(&mut self, is: impl Fn(&What) -> bool) -> Option<Kept> {
        self.kept.pop_if(|kept| is(&kept.what))
    }

    /// `<a id="table-x"></a>` opens a table's caption, `figure-x` a figure with its caption; `section-x` is in a heading, `ref-x` in
    /// the list that `references` announces.
    fn anchor(&mut self, html: &str) {
        let Some(id) = html.strip_prefix("<a id=\"").and_then(|rest| rest.strip_suffix("\">")) else { return };
        if id == "references" {
            self.references = References::Coming;
        } else if let Some(key) = id.strip_prefix("ref-") {
            if self.references == References::Open {
                self.push(&format!("\\bibitem{{{}}} ", plain_key(key)));
            }
        } else if let Some(figure) = id.strip_prefix("figure-") {
            self.keep(What::Figure(plain_key(figure)));
        } else if id.starts_with("table-") {
            self.keep(What::Caption(plain_key(id)));
        } else if let Some(Kept { what: What::Heading(_, label), .. }) = self.kept.last_mut() {
            *label = Some(plain_key(id));
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { level, .. } => self.keep(What::Heading(level as usize, None)),
            Tag::Emphasis => self.push("\\emph{"),
            Tag::Strong => self.push("\\textbf{"),
            Tag::List(Some(_)) if self.references == References::Coming => self.open_references(),
            Tag::List(Some(_)) => self.push("\\begin{enumerate}\n"),
            Tag::List(None) => self.push("\\begin{itemize}\n"),
            Tag::Item if self.references == References::Open => {}
            Tag::Item => self.push("\\item "),
            Tag::BlockQuote(_) => self.push("\\begin{quote}\n"),
            Tag::CodeBlock(CodeBlockKind::Fenced(_) | CodeBlockKind::Indented) => {
                self.in_code_block = true;
                // Lines that are too long go on below; the block may go on overleaf.
                self.out += "\\begin{flushleft}\\footnotesize\\ttfamily\n";
            }
            Tag::Link { dest_url, .. } => self.link(&dest_url),
            Tag::Image { .. } => self.in_image = true,
            Tag::Table(columns) => self.table = Some(Tabular::new(columns)),
            Tag::TableHead | Tag::TableRow => self.table.iter_mut().for_each(Tabular::row),
            Tag::TableCell => self.table.iter_mut().for_each(Tabular::cell),
            _ => {}
        }
    }

    fn link(&mut self, to: &str) {
        if let Some(keys) = to.strip_prefix("cite:") {
            let keys: Vec<String> = keys.split(',').map(plain_key).collect();
            self.seen("", Width { line: 1.5 * keys.len() as f64, word: 2.0 });
            self.push(&format!("\\cite{{{}}}", keys.join(",")));
        }
        self.keep(What::Address(to.to_owned()));
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph => self.end_paragraph(),
            TagEnd::Heading(_) => self.end_heading(),
            TagEnd::Link => self.end_link(),
            TagEnd::Emphasis | TagEnd::Strong => self.push("}"),
            TagEnd::List(_) if self.references == References::Open => {
                self.references = References::None;
                self.push("\\end{thebibliography}\n\n");
            }
            TagEnd::List(ordered) => self.push(if ordered { "\\end{enumerate}\n\n" } else { "\\end{itemize}\n\n" }),
            TagEnd::Item => self.push("\n"),
            TagEnd::BlockQuote(_) => self.push("\\end{quote}\n\n"),
            TagEnd::CodeBlock => {
                self.in_code_block = false;
                self.out += "\\end{flushleft}\n\n";
            }
            TagEnd::Table => {
                let table = self.table.take().unwrap_or_default();
                let (label, caption) = self.caption.take().unwrap_or_default();
                let tex = table.written(&caption, &label, self.layout);
                self.push(&tex);
            }
            _ => {}
        }
    }

    fn end_paragraph(&mut self) {
        if let Some(Kept { what: What::Caption(label), tex, .. }) = self.kept(|what| matches!(what, What::Caption(_))) {
            self.caption = Some((label, tex));
        } else if let Some(Kept { what: What::Figure(id), tex, plain }) =
            self.kept(|what| matches!(what, What::Figure(_)))
        {
            // Figures are drawn for a column of this width, in points.
            const DRAWN: f64 = 332.0;
            let width = if self.layout.column > DRAWN { DRAWN / self.layout.column } else { 1.0 };
            let described = if self.layout.description {
                format!("\\Description{{{}}}\n", escape(plain.trim()))
            } else {
                String::new()
            };
            let place = if self.layout.is_columns() { "tbp" } else { "htbp" };
            self.push(&format!(
                "\\begin{{figure}}[{place}]\n\\centering\n\\includegraphics[width={width:.2}\\linewidth]{{figures/{id}.pdf}}\n\
                 \\caption{{{tex}}}\\label{{figure-{id}}}\n{described}\\end{{figure}}\n\n"
            ));
        } else {
            self.push("\n\n");
        }
    }

    fn end_heading(&mut self) {
        let Some(Kept { what: What::Heading(level, label), tex, .. }) =
            self.kept(|what| matches!(what, What::Heading(..)))
        else {
            return;
        };
        let command = if level == 2 { "section" } else { "subsection" };
        let start = self.out.len();
        match label {
            Some(label) => self.push(&format!("\n\\{command}{{{tex}}}\\label{{{label}}}\n\n")),
            None => {
                self.push(&format!("\n\\{command}*{{{tex}}}\n\n"));
                self.heading = Some((start, self.out.len(), tex));
            }
        }
    }

    /// `Table~\ref{table-x}`, an address, or nothing more where the class makes the text of it.
    fn end_link(&mut self) {
        let Some(Kept { what: What::Address(to), tex, .. }) = self.kept(|what| matches!(what, What::Address(_))) else {
            return;
        };
        if to.starts_with("cite:") {
        } else if let Some(target) = to.strip_prefix('#') {
            if target.starts_with("table-") || target.starts_with("figure-") {
                self.seen("", Width { line: 1.5, word: 1.5 });
                self.push(&format!("{tex}~\\ref{{{}}}", plain_key(target)));
            } else {
                self.push(&tex);
            }
        } else {
            self.push(&format!("\\href{{{}}}{{{tex}}}", url(&to)));
        }
    }

    /// The class writes a heading of its own, under the title of the heading here.
    fn open_references(&mut self) {
        self.references = References::Open;
        if let Some((start, end, title)) = self.heading.take()
            && self.out[end.min(self.out.len())..].trim().is_empty()
        {
            self.out.truncate(start);
            self.push(&format!("\\renewcommand{{\\refname}}{{{title}}}\n"));
        }
        self.push("\\begin{thebibliography}{99}\n");
    }
}

/// A label or a key of a citation: what every class bears in one.
fn plain_key(text: &str) -> String {
    let plain = |c: char| {
        let fits = c.is_ascii_alphanumeric() || "-_:.+/".contains(c);
        if fits { c.to_string() } else { format!("u{:x}", c as u32) }
    };
    text.chars().map(plain).collect()
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
    breaking(text, LONG_WORD)
}

/// The same of words that are longer than `long`.
fn breaking(text: &str, long: usize) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive(' ') {
        let letters: Vec<char> = piece.nfc().collect();
        if letters.len() <= long {
            out += &if letters.len() > LONG_NAME { code(piece) } else { escape(piece) };
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
        if piece.ends_with(['/', '_', '=']) && piece.len() > 1 {
            out += "\\allowbreak{}";
        }
    }
    out
}

/// An address as text: it may break behind a sign, and within a long part.
fn address_words(text: &str) -> String {
    const LONG_PART: usize = 14;
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive(['/', '.', '-', '_', '=', '?', '&', ':']) {
        let letters: Vec<char> = piece.nfc().collect();
        let parts: Vec<String> =
            letters.chunks(LONG_PART).map(|part| escape(&part.iter().collect::<String>())).collect();
        out += &parts.join("\\allowbreak{}");
        if letters.last().is_some_and(|c| !c.is_alphanumeric() && *c != ' ') {
            out += "\\allowbreak{}";
        }
    }
    out
}

/// Lines of a code block. What is more than one space stays as wide, up to two in a narrow column; a line that is too long goes on in the
/// next.
fn code_lines(text: &str, narrow: bool) -> String {
    const MOST: usize = 2;
    let line = |line: &str| {
        let (mut out, mut spaces) = (String::new(), 0);
        for piece in line.split_inclusive(' ') {
            spaces = if piece == " " { spaces + 1 } else { 0 };
            match piece {
                " " if narrow && spaces >= MOST && !out.is_empty() => {}
                " " => out += "~",
                word => out += &code(word),
            }
        }
        // An empty line is one, too.
        if out.is_empty() { "~\\\\\n".to_owned() } else { format!("\\mbox{{}}{out}\\\\\n") }
    };
    text.trim_end_matches('\n').split('\n').map(line).collect()
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

    fn written(symbolic: &str) -> String {
        body(symbolic, &Layout::of("").unwrap())
    }

    #[test]
    fn hostile_text_is_text() {
        assert_eq!(escape("\\input{x}$a_b%"), "\\textbackslash{}input\\{x\\}\\$a\\_b\\%");
        assert_eq!(escape("日\u{1b}é"), "\\texttt{U+65E5}\\allowbreak{}\\texttt{U+001B}\\allowbreak{}é");
    }

    #[test]
    fn a_bracket_or_a_star_is_no_argument() {
        assert_eq!(escape("[1em]*"), "{[}1em{]}{*}");
        let latex = written("| a | b | c | d |\n|---|---|---|---|\n| \\[1em] | \\* | 3 | 4 |\n");
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
        assert_eq!(written("`a --check`").trim(), "\\texttt{a -{}-check}");
    }

    #[test]
    fn a_table_has_its_caption_and_alignment() {
        let text = "<a id=\"table-x\"></a>Of *it*.\n\n| a | b | c | d |\n|---|--:|--:|--:|\n| x\\|y | 1 | 2 | 3 |\n";
        let latex = written(text);
        assert!(latex.contains("\\caption{Of \\emph{it}.}\\label{table-x}\n"), "{latex}");
        let rows = "\\begin{tabular}{lrrr}\n\\toprule\na & b & c & d \\\\\n\\midrule\nx\\textbar{}y & 1 & 2 & 3 \\\\\n\\bottomrule";
        assert!(latex.contains(rows), "{latex}");
    }

    #[test]
    fn the_class_numbers() {
        let latex = written(
            "## <a id=\"section-a\"></a>A & b\n\n### C\n\nSee [Table](#table-x) and [](<cite:one,two.é>).\n\n![](figures/f.svg)\n\n\
             <a id=\"figure-f\"></a>Of *it*.\n\n## Sources\n\n<a id=\"references\"></a>\n\n\
             1. <a id=\"ref-one\"></a>A. *B*. <https://doi.org/10.1/x_y>\n",
        );
        for part in [
            "\\section{A \\& b}\\label{section-a}\n",
            "\\subsection*{C}\n",
            "See Table~\\ref{table-x} and \\cite{one,two.ue9}.",
            "{figures/f.pdf}\n\\caption{Of \\emph{it}.}\\label{figure-f}\n\\end{figure}",
            "\\renewcommand{\\refname}{Sources}\n\\begin{thebibliography}{99}\n\\bibitem{one} A. \\emph{B}. \\href{https://doi.org/10.1/x\\_y}{",
            "\\end{thebibliography}",
        ] {
            assert!(latex.contains(part), "{part} is not in\n{latex}");
        }
        assert!(!latex.contains("section*{Sources}") && !latex.contains("\\Description"), "{latex}");
    }

    #[test]
    fn code_breaks_into_lines_and_pages_and_is_text() {
        let latex = written("```\na   b # $x$\n\n\\end{flushleft}\n```\n");
        assert!(
            latex.contains("\\begin{flushleft}\\footnotesize\\ttfamily\n\\mbox{}a ~~b \\# \\$x\\$\\\\\n~\\\\\n"),
            "{latex}"
        );
        assert_eq!(latex.matches("\\end{flushleft}").count(), 1, "{latex}");
    }

    #[test]
    fn a_figure_is_described_where_the_class_wants_it() {
        let layout = Layout::of("<# layout: column=241 page=506 description=yes #>").unwrap();
        let latex = body("<a id=\"figure-f\"></a>Of *it* & [Table](#table-x).\n", &layout);
        assert!(
            latex.contains("\\Description{Of it \\& Table.}") && latex.contains("[width=1.00\\linewidth]"),
            "{latex}"
        );
    }
}
