//! The numbered Markdown -> the body of a LaTeX document, from the parsed text, so it cannot say anything else.

use pulldown_cmark::{Alignment, CodeBlockKind, Event, Tag, TagEnd};

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
    cells: usize,
    in_code_block: bool,
    /// An image's own text says nothing: the figure is set where its caption stands.
    in_image: bool,
    in_figure: bool,
    /// The table at hand has a last column of prose.
    prose: bool,
}

impl Writer {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::End(TagEnd::Image) => self.in_image = false,
            _ if self.in_image => {}
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.in_code_block => self.out += &text,
            Event::Text(text) => self.push(&words(&text)),
            Event::Code(code) => self.push(&format!("\\texttt{{{}}}", breakable(&escape(&code)))),
            Event::Html(html) | Event::InlineHtml(html) => self.anchor(&html),
            Event::SoftBreak => self.push("\n"),
            Event::HardBreak => self.push("\\\\\n"),
            Event::Rule => self.push("\\bigskip\n\n"),
            _ => {}
        }
    }

    fn push(&mut self, text: &str) {
        match &mut self.caption {
            Some(caption) if self.in_caption => *caption += text,
            _ => self.out += text,
        }
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
            Tag::Table(columns) => self.table(columns),
            Tag::TableHead | Tag::TableRow => self.cells = 0,
            Tag::TableCell => {
                if self.cells > 0 {
                    self.push(" & ");
                }
                self.cells += 1;
            }
            _ => {}
        }
    }

    fn table(&mut self, columns: Vec<Alignment>) {
        self.in_caption = false;
        let caption = self.caption.take().unwrap_or_default();
        // A left-aligned last column of a narrow table holds prose and may break lines.
        self.prose = columns.len() <= 3 && columns.last() == Some(&Alignment::Left);
        let mut letters: Vec<&str> = columns.iter().map(|c| if *c == Alignment::Right { "r" } else { "l" }).collect();
        if self.prose
            && let Some(last) = letters.last_mut()
        {
            *last = "X";
        }
        // No design may push a table over the margin: what is too wide is scaled to the line.
        let begin =
            if self.prose { "tabularx}{\\linewidth" } else { "adjustbox}{max width=\\linewidth}\n\\begin{tabular" };
        // Many columns stand closer, which keeps their letters large.
        let size = if columns.len() > 6 { "footnotesize\n\\setlength{\\tabcolsep}{3.2pt}" } else { "small" };
        self.out += &format!(
            "\n\\begin{{table}}[htbp]\n\\centering\n\\caption*{{{caption}}}\n\\{size}\n\\begin{{{begin}}}{{{}}}\n\\toprule\n",
            letters.concat()
        );
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
            TagEnd::TableHead => self.push(" \\\\\n\\midrule\n"),
            TagEnd::TableRow => self.push(" \\\\\n"),
            TagEnd::Table => {
                let environment = if self.prose { "tabularx" } else { "tabular}\n\\end{adjustbox" };
                self.push(&format!("\\bottomrule\n\\end{{{environment}}}\n\\end{{table}}\n\n"));
            }
            _ => {}
        }
    }
}

/// Plain text for LaTeX. Characters that its fonts lack are written as their code point.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out += "\\textbackslash{}",
            '{' | '}' | '$' | '&' | '#' | '%' | '_' => {
                out.push('\\');
                out.push(c);
            }
            '~' => out += "\\textasciitilde{}",
            '^' => out += "\\textasciicircum{}",
            '<' => out += "\\textless{}",
            '>' => out += "\\textgreater{}",
            '|' => out += "\\textbar{}",
            '"' => out += "\\textquotedbl{}",
            '`' => out += "\\textasciigrave{}",
            // After a row's end or an item they would be arguments.
            '[' | ']' | '*' => out += &format!("{{{c}}}"),
            '–' => out += "--",
            '—' => out += "---",
            '≤' => out += "\\ensuremath{\\le}",
            '≥' => out += "\\ensuremath{\\ge}",
            'α' => out += "\\ensuremath{\\alpha}",
            '×' => out += "\\texttimes{}",
            '·' => out += "\\textperiodcentered{}",
            '−' => out += "\\textminus{}",
            '±' => out += "\\textpm{}",
            '’' => out += "'",
            '“' => out += "``",
            '”' => out += "''",
            '…' => out += "\\ldots{}",
            '\u{a0}' => out += "~",
            // A line end could leave a comment or begin a paragraph.
            '\n' => out.push(' '),
            ' '..='~' => out.push(c),
            // Latin letters of Western Europe, which T1 fonts have.
            'À'..='ÿ' => out.push(c),
            c => out += &format!("\\texttt{{U+{:04X}}}\\allowbreak{{}}", c as u32),
        }
    }
    out
}

/// Text whose long words, such as digests and addresses, may break anywhere: they have no syllables.
pub fn words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive(' ') {
        let letters: Vec<char> = piece.chars().collect();
        if letters.len() <= LONG_WORD {
            out += &escape(piece);
            continue;
        }
        let parts: Vec<String> = letters.chunks(4).map(|part| escape(&part.iter().collect::<String>())).collect();
        out += &parts.join("\\allowbreak{}");
    }
    out
}

/// Long code may break after these; two hyphens stay two.
fn breakable(code: &str) -> String {
    code.replace("--", "-{}-")
        .replace('/', "/\\allowbreak{}")
        .replace("\\_", "\\_\\allowbreak{}")
        .replace('=', "=\\allowbreak{}")
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
