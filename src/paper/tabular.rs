//! A table whose cells are LaTeX already -> a float, or, where it may be longer than a page, a table that breaks between rows.

use pulldown_cmark::Alignment;

/// Lines that fit on a page with a caption, with some to spare.
const LINES: usize = 40;
/// Characters in a line of a column of prose.
const CHARACTERS: usize = 75;

/// A table being read, cell by cell.
#[derive(Debug, Default)]
pub(super) struct Tabular {
    columns: Vec<Alignment>,
    /// The head first.
    rows: Vec<Vec<Cell>>,
}

#[derive(Debug, Default)]
struct Cell {
    tex: String,
    /// Characters that a reader sees.
    seen: usize,
}

impl Tabular {
    pub(super) fn new(columns: Vec<Alignment>) -> Self {
        Tabular { columns, rows: Vec::new() }
    }

    pub(super) fn row(&mut self) {
        self.rows.push(Vec::new());
    }

    pub(super) fn cell(&mut self) {
        self.rows.last_mut().into_iter().for_each(|row| row.push(Cell::default()));
    }

    /// More of the cell at hand.
    pub(super) fn push(&mut self, tex: &str) {
        self.at_hand().into_iter().for_each(|cell| cell.tex += tex);
    }

    /// So many characters of it are seen.
    pub(super) fn seen(&mut self, characters: usize) {
        self.at_hand().into_iter().for_each(|cell| cell.seen += characters);
    }

    fn at_hand(&mut self) -> Option<&mut Cell> {
        self.rows.last_mut()?.last_mut()
    }

    /// A left-aligned last column of a narrow table holds prose and may break lines.
    fn prose(&self) -> bool {
        self.columns.len() <= 3 && self.columns.last() == Some(&Alignment::Left)
    }

    fn letters(&self, prose: &'static str) -> String {
        let letter = |alignment: &Alignment| if *alignment == Alignment::Right { "r" } else { "l" };
        let mut letters: Vec<&str> = self.columns.iter().map(letter).collect();
        if self.prose()
            && let Some(last) = letters.last_mut()
        {
            *last = prose;
        }
        letters.concat()
    }

    fn lines(&self) -> usize {
        let wraps = |row: &Vec<Cell>| match row.last() {
            Some(cell) if self.prose() => 1 + cell.seen / CHARACTERS,
            _ => 1,
        };
        self.rows.iter().map(wraps).sum()
    }

    /// The whole table.
    pub(super) fn written(&self, caption: &str) -> String {
        let line =
            |row: &Vec<Cell>| row.iter().map(|cell| cell.tex.as_str()).collect::<Vec<_>>().join(" & ") + " \\\\\n";
        let head = self.rows.first().map(line).unwrap_or_default();
        let body: String = self.rows.iter().skip(1).map(line).collect();
        // Many columns stand closer, which keeps their letters large.
        let size = if self.columns.len() > 6 { "\\footnotesize\n\\setlength{\\tabcolsep}{3.2pt}" } else { "\\small" };
        if self.lines() > LINES {
            let letters = self.letters(">{\\raggedright\\arraybackslash}p{0.7\\linewidth}");
            return format!(
                "\n{{{size}\n\\begin{{longtable}}{{{letters}}}\n\\caption*{{{caption}}}\\\\\n\\toprule\n{head}\\midrule\n\\endfirsthead\n\
                 \\toprule\n{head}\\midrule\n\\endhead\n\\bottomrule\n\\endfoot\n{body}\\end{{longtable}}}}\n\n"
            );
        }
        // No design may push a table over the margin: what is too wide is scaled to the line.
        let (begin, end) = if self.prose() {
            ("tabularx}{\\linewidth", "tabularx")
        } else {
            ("adjustbox}{max width=\\linewidth}\n\\begin{tabular", "tabular}\n\\end{adjustbox")
        };
        let letters = self.letters("X");
        format!(
            "\n\\begin{{table}}[htbp]\n\\centering\n\\caption*{{{caption}}}\n{size}\n\\begin{{{begin}}}{{{letters}}}\n\\toprule\n\
             {head}\\midrule\n{body}\\bottomrule\n\\end{{{end}}}\n\\end{{table}}\n\n"
        )
    }
}
