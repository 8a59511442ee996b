//! A paper's text -> sections, paragraphs and tables, each with its line. Markdown and LaTeX; nothing is judged here.

use super::number::{self, Stated};

/// A paper.
#[derive(Debug, Default)]
pub struct Document {
    pub paragraphs: Vec<Paragraph>,
    pub tables: Vec<Table>,
}

/// Lines of prose up to an empty one, a list item, a heading or a table; without markup.
#[derive(Debug)]
pub struct Paragraph {
    pub text: String,
    /// Byte offset in `text` at which each source line begins, and its number.
    starts: Vec<(usize, usize)>,
    /// Headings so far: what stands under one heading has one number.
    pub section: usize,
}

#[derive(Debug)]
pub struct Table {
    pub header: Vec<String>,
    pub rows: Vec<Row>,
    pub section: usize,
}

#[derive(Debug)]
pub struct Row {
    pub line: usize,
    pub cells: Vec<String>,
}

impl Paragraph {
    /// The source line at a byte offset.
    pub fn line(&self, offset: usize) -> usize {
        self.starts.iter().rev().find(|(start, _)| *start <= offset).map_or(1, |(_, line)| *line)
    }

    /// Sentences with their byte offset. A full stop ends one only before a space and a capital, a bracket or the end.
    pub fn sentences(&self) -> Vec<(usize, &str)> {
        let (mut found, mut start) = (Vec::new(), 0);
        for (at, _) in self.text.match_indices(['.', '?', '!', ';']) {
            let rest = &self.text[at + 1..];
            let next = rest.trim_start().chars().next();
            if rest.starts_with(' ') && next.is_some_and(|c| c.is_uppercase() || "([".contains(c)) {
                found.push((start, &self.text[start..=at]));
                start = at + 1;
            }
        }
        found.push((start, &self.text[start..]));
        found
    }
}

impl Row {
    pub fn number(&self, column: usize) -> Option<Stated> {
        self.cells.get(column).and_then(|cell| number::cell(cell))
    }
}

impl Document {
    /// Reads a paper; LaTeX if it has LaTeX's commands.
    pub fn read(source: &str) -> Self {
        let latex = source.contains("\\begin{") || source.contains("\\section");
        let mut reader = Reader::default();
        for (index, line) in source.lines().enumerate() {
            let plain = if latex { latex_line(line) } else { line.to_owned() };
            reader.line(index + 1, &plain);
        }
        reader.end_paragraph();
        reader.end_table();
        reader.document
    }
}

#[derive(Default)]
struct Reader {
    document: Document,
    paragraph: Option<Paragraph>,
    rows: Vec<Row>,
    section: usize,
    fenced: bool,
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) {
        let trimmed = line.trim();
        if trimmed.starts_with("```") || trimmed.starts_with("~~~") {
            self.fenced = !self.fenced;
        }
        if self.fenced {
            self.end_paragraph();
            return;
        }
        if trimmed.starts_with('|') {
            self.end_paragraph();
            let cells = trimmed.trim_matches('|').split('|').map(|cell| plain(cell).trim().to_owned()).collect();
            self.rows.push(Row { line: number, cells });
            return;
        }
        self.end_table();
        if trimmed.is_empty() {
            self.end_paragraph();
        } else if trimmed.starts_with('#') {
            self.end_paragraph();
            self.section += 1;
        } else {
            if item(trimmed) {
                self.end_paragraph();
            }
            let section = self.section;
            let paragraph =
                self.paragraph.get_or_insert_with(|| Paragraph { text: String::new(), starts: Vec::new(), section });
            if !paragraph.text.is_empty() {
                paragraph.text.push(' ');
            }
            paragraph.starts.push((paragraph.text.len(), number));
            paragraph.text += &plain(trimmed);
        }
    }

    fn end_paragraph(&mut self) {
        self.document.paragraphs.extend(self.paragraph.take());
    }

    /// A header, perhaps a rule, and rows.
    fn end_table(&mut self) {
        let rule = |row: &Row| row.cells.iter().all(|cell| !cell.is_empty() && cell.chars().all(|c| "-: ".contains(c)));
        let mut rows = std::mem::take(&mut self.rows);
        rows.retain(|row| !rule(row));
        if rows.len() > 1 {
            let header = rows.remove(0).cells;
            self.document.tables.push(Table { header, rows, section: self.section });
        }
    }
}

/// Does a list item begin here?
fn item(line: &str) -> bool {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    line.starts_with("- ") || line.starts_with("* ") || (digits > 0 && line[digits..].starts_with(". "))
}

/// Without Markdown's emphasis, code marks, links' targets and escapes.
fn plain(text: &str) -> String {
    let mut text = std::borrow::Cow::Borrowed(text);
    for (entity, character) in
        [("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", " "), ("&times;", "×"), ("&plusmn;", "±"), ("\u{a0}", " ")]
    {
        if text.contains(entity) {
            text = text.replace(entity, character).into();
        }
    }
    let (mut out, mut rest) = (String::new(), &*text);
    while let Some(at) = rest.find(['*', '`', '\\', '[', '<']) {
        let (before, after) = rest.split_at(at);
        out += before;
        let tag = after.starts_with('<') && after[1..].starts_with(|c: char| c.is_alphabetic() || c == '/');
        if tag && let Some(end) = after.find('>') {
            rest = &after[end + 1..];
        } else if let Some((inside, tail)) = after.strip_prefix('[').and_then(|a| a.split_once("](")) {
            out += inside;
            rest = tail.split_once(')').map_or("", |(_, tail)| tail);
        } else {
            if after.starts_with(['[', '<']) {
                out.push_str(&after[..1]);
            }
            rest = &after[1..];
        }
    }
    out + rest
}

/// A line of LaTeX as Markdown would have it: comments and commands gone, rows of a tabular between bars.
fn latex_line(line: &str) -> String {
    let mut code = String::new();
    let mut escaped = false;
    for c in line.chars() {
        if c == '%' && !escaped {
            break;
        }
        escaped = c == '\\' && !escaped;
        code.push(c);
    }
    let replaced = [
        ("\\%", "%"),
        ("\\&", " and "),
        ("\\_", "_"),
        ("\\times", "×"),
        ("\\pm", "±"),
        ("\\approx", "≈"),
        ("\\sim", "~"),
        ("\\rightarrow", "→"),
        ("\\to", "→"),
        ("\\textless{}", "<"),
        ("\\,", " "),
        ("--", "–"),
        ("$", ""),
    ];
    for (from, to) in replaced {
        code = code.replace(from, to);
    }
    let trimmed = code.trim();
    if ["\\section", "\\subsection", "\\chapter", "\\subsubsection"].iter().any(|command| trimmed.starts_with(command))
    {
        return format!("# {}", without_commands(trimmed));
    }
    if trimmed.starts_with("\\item") {
        return format!("- {}", without_commands(trimmed));
    }
    let row = trimmed.trim_end_matches("\\hline").trim_end().strip_suffix("\\\\");
    if let Some(row) = row.filter(|row| row.contains('&')) {
        return format!("| {} |", without_commands(&row.replace('&', "|")));
    }
    // Rules inside a table must not end it; other lines of commands alone say nothing.
    let text = without_commands(trimmed);
    if trimmed.ends_with("rule") || trimmed == "\\hline" { "|-|".to_owned() } else { text }
}

/// `\command[options]{text}` to `text`.
fn without_commands(text: &str) -> String {
    let (mut out, mut chars) = (String::new(), text.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let mut name = String::new();
                while let Some(letter) = chars.next_if(|c| c.is_ascii_alphabetic() || *c == '*') {
                    name.push(letter);
                }
                // These name things and say nothing.
                if ["begin", "end", "label", "ref", "cite", "includegraphics", "hypertarget"].contains(&name.as_str()) {
                    while let Some(close) =
                        chars.peek().and_then(|c| [('{', '}'), ('[', ']')].into_iter().find(|(open, _)| open == c))
                    {
                        while chars.next_if(|c| *c != close.1).is_some() {}
                        chars.next();
                    }
                }
            }
            '{' | '}' => {}
            '~' => out.push(if chars.peek().is_some_and(char::is_ascii_digit) { '~' } else { ' ' }),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_has_tables_paragraphs_and_sections() {
        let document = Document::read(
            "# A\n\nOne **two**.\nThree [x](y).\n\n| a | b |\n|--|--:|\n| 1 | 2.0 s |\n\n# B\n- item\n- other\n",
        );
        assert_eq!(document.paragraphs[0].text, "One two. Three x.");
        assert_eq!(document.paragraphs[0].line(11), 4);
        assert_eq!(document.paragraphs.len(), 3);
        assert_eq!((document.tables[0].section, document.paragraphs[2].section), (1, 2));
        assert_eq!(document.tables[0].rows[0].number(1).unwrap().value, 2.0);
        assert_eq!(document.paragraphs[0].sentences().len(), 2);
    }

    #[test]
    fn latex_has_the_same() {
        let source = "\\section{A}\nA \\textbf{bold} 5\\% claim. % not this 7\n\\begin{tabular}{lr}\n\\toprule\na & b \\\\\n\\midrule\nx & 1.5 \\\\\n\\bottomrule\n\\end{tabular}\n";
        let document = Document::read(source);
        assert_eq!(document.paragraphs[0].text, "A bold 5% claim.");
        assert_eq!(document.tables[0].header, ["a", "b"]);
        assert_eq!(document.tables[0].rows[0].number(1).unwrap().value, 1.5);
    }
}
