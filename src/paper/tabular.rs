//! A table whose cells are LaTeX already -> a float of letters as large as fit, in one column or across all; a table that goes on
//! overleaf where it is longer than a page; paragraphs where a cell is.

use pulldown_cmark::Alignment;

use super::{
    layout::{Layout, Size},
    width::Width,
};

/// Widths are of faces that are wide already; this much more is for what no count of letters knows.
const SPARE: f64 = 1.01;
/// Ems of a column of prose below which its lines are tiresome.
const COMFORTABLE: f64 = 15.0;
/// Ems of a label, at most; a longer text is prose.
const LABEL: f64 = 30.0;
/// Parts of a table that may wait for a page together.
const WAITING: usize = 8;

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
    /// What a reader sees.
    width: Width,
}

/// How the table is set.
#[derive(Debug)]
struct Shape {
    size: Size,
    /// Between columns, on either side of each.
    gap: f64,
    /// Across all columns of the page?
    wide: bool,
    /// The width of a column whose cells break into lines.
    wraps: Vec<Option<f64>>,
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

    /// So much more of it is seen.
    pub(super) fn seen(&mut self, width: Width) {
        self.at_hand().into_iter().for_each(|cell| cell.width = cell.width.beside(width));
    }

    fn at_hand(&mut self) -> Option<&mut Cell> {
        self.rows.last_mut()?.last_mut()
    }

    fn is_right(&self, column: usize) -> bool {
        self.columns.get(column) == Some(&Alignment::Right)
    }

    /// The widest of a column, in ems: on one line, and where lines break as they may. Numbers never break; their head may.
    fn needs(&self, column: usize) -> (f64, f64) {
        let cells = self.rows.iter().enumerate().filter_map(|(row, cells)| Some((row, cells.get(column)?)));
        cells.fold((0.0, 1.0), |(line, least): (f64, f64), (row, cell)| {
            let breaks = row == 0 || !self.is_right(column);
            (line.max(cell.width.line), least.max(if breaks { cell.width.word } else { cell.width.line }))
        })
    }

    /// Columns in these letters and this room, if they fit; each line whole, or with lines that break.
    fn fitted(&self, room: f64, face: f64, size: Size, gap: f64, breaks: bool) -> Option<Vec<Option<f64>>> {
        let needs: Vec<(f64, f64)> = (0..self.columns.len()).map(|column| self.needs(column)).collect();
        let points = |ems: f64| ems * size.points * face * SPARE;
        let room = room - 2.0 * gap * self.columns.len() as f64;
        if !breaks {
            let whole: f64 = needs.iter().map(|(line, _)| points(*line)).sum();
            return (whole <= room).then(|| vec![None; needs.len()]);
        }
        let least: f64 = needs.iter().map(|(_, least)| points(*least)).sum();
        (least <= room).then(|| {
            // What is left goes first to labels, which stand in every row, then to the heads of numbers, then to prose; among each to
            // those that want least.
            let mut left = room - least;
            let rank = |column: usize| match self.is_right(column) {
                true => 1,
                false if needs[column].0 <= LABEL => 0,
                false => 2,
            };
            let wanted = |column: &usize| needs[*column].0 - needs[*column].1;
            let mut order: Vec<usize> = (0..needs.len()).collect();
            order.sort_by(|a, b| rank(*a).cmp(&rank(*b)).then(wanted(a).total_cmp(&wanted(b))));
            let mut wraps = vec![None; needs.len()];
            for (done, column) in order.iter().enumerate() {
                let (line, least) = needs[*column];
                let share = if rank(*column) == 0 { left } else { left / (needs.len() - done) as f64 };
                let wanted = points(line) - points(least);
                if wanted > share {
                    wraps[*column] = Some(points(least) + share);
                }
                left -= wanted.min(share);
            }
            wraps
        })
    }

    /// The largest letters that fit, in one column of the page before all; where nothing does, as much as there is.
    fn shape(&self, layout: &Layout) -> Shape {
        let gap = |size: Size| size.points * if self.columns.len() > 5 { 0.36 } else { 0.55 };
        let shaped = |room: f64, size: Size, breaks: bool| {
            let wraps = self.fitted(room, layout.face, size, gap(size), breaks)?;
            Some(Shape { size, gap: gap(size), wide: room > layout.column, wraps })
        };
        let comfortable = |shape: &Shape| {
            let tiresome = |(column, width): (usize, &Option<f64>)| {
                let body = self.rows.iter().skip(1).filter_map(|row| row.get(column));
                let widest = body.fold(0.0, |widest: f64, cell| widest.max(cell.width.line)) * shape.size.points;
                width.is_some_and(|width| widest > width && width < COMFORTABLE * shape.size.points)
            };
            !shape.wraps.iter().enumerate().any(tiresome)
        };
        let (large, small) = layout.sizes.split_at(layout.sizes.len().min(2));
        let in_column = || {
            let whole = large.iter().find_map(|size| shaped(layout.column, *size, false));
            let broken = || large.iter().find_map(|size| shaped(layout.column, *size, true).filter(comfortable));
            whole.or_else(broken)
        };
        let across = || {
            let room = layout.page;
            let whole = large.iter().find_map(|size| shaped(room, *size, false));
            let broken = || large.iter().find_map(|size| shaped(room, *size, true).filter(comfortable));
            let smaller = || small.iter().find_map(|size| shaped(room, *size, false));
            let smaller_broken = || small.iter().find_map(|size| shaped(room, *size, true).filter(comfortable));
            let any = || layout.sizes.iter().find_map(|size| shaped(room, *size, true));
            whole.or_else(broken).or_else(smaller).or_else(smaller_broken).or_else(any)
        };
        in_column().or_else(across).unwrap_or_else(|| self.squeezed(layout))
    }

    /// Every column breaks, those of numbers too, each with its share of the room.
    fn squeezed(&self, layout: &Layout) -> Shape {
        let size = layout.sizes.last().copied().unwrap_or(Size { command: "\\scriptsize", points: 7.0 });
        let gap = 1.5;
        let least: Vec<f64> = (0..self.columns.len()).map(|column| self.needs(column).1.min(8.0)).collect();
        let room = layout.page - 2.0 * gap * self.columns.len() as f64;
        let all: f64 = least.iter().sum();
        let wraps = least.iter().map(|ems| Some((room * ems / all).max(size.points))).collect();
        Shape { size, gap, wide: layout.is_columns(), wraps }
    }

    /// Lines of a row.
    fn lines(&self, row: &[Cell], shape: &Shape) -> usize {
        let of = |(column, cell): (usize, &Cell)| match shape.wraps.get(column) {
            // Lines are never quite full.
            Some(Some(width)) => (1.1 * cell.width.line * shape.size.points / width).ceil().max(1.0) as usize,
            _ => 1,
        };
        row.iter().enumerate().map(of).max().unwrap_or(1)
    }

    /// The whole table.
    pub(super) fn written(&self, caption: &str, label: &str, layout: &Layout) -> String {
        let Some((head, rows)) = self.rows.split_first() else { return String::new() };
        let shape = self.shape(layout);
        let caption = format!("\\caption{{{caption}}}\\label{{{label}}}");
        // A caption may have some lines; a float should leave room for text.
        let most = (0.78 * layout.height / (1.2 * shape.size.points)) as usize;
        let lines: Vec<usize> = rows.iter().map(|row| self.lines(row, &shape)).collect();
        let head_lines = self.lines(head, &shape) + 1;
        if lines.iter().any(|lines| *lines > most / 3) {
            return Tabular::paragraphs(head, rows, &caption, label, layout);
        }
        if head_lines + lines.iter().sum::<usize>() <= most {
            return self.float(&shape, &caption, head, rows, if layout.is_columns() { "tbp" } else { "htbp" });
        }
        if !layout.is_columns() {
            return self.overleaf(&shape, &caption, head, rows);
        }
        self.parts(&shape, &caption, label, head, &lines, most.saturating_sub(head_lines).max(1))
    }

    fn float(&self, shape: &Shape, caption: &str, head: &[Cell], rows: &[Vec<Cell>], place: &str) -> String {
        let (star, place) = if shape.wide { ("*", "tp") } else { ("", place) };
        format!(
            "\n\\begin{{table{star}}}[{place}]\n\\centering\n{caption}\n{}\n\\begin{{tabular}}{{{}}}\n\\toprule\n{}\\midrule\n{}\\bottomrule\n\
             \\end{{tabular}}\n\\end{{table{star}}}\n\n",
            letters(shape),
            self.preamble(shape),
            line(head),
            rows.iter().map(|row| line(row)).collect::<String>(),
        )
    }

    /// Breaks between rows, its head repeated.
    fn overleaf(&self, shape: &Shape, caption: &str, head: &[Cell], rows: &[Vec<Cell>]) -> String {
        let head = line(head);
        format!(
            "\n{{{}\n\\begin{{longtable}}{{{}}}\n{caption}\\\\\n\\toprule\n{head}\\midrule\n\\endfirsthead\n\\toprule\n{head}\\midrule\n\\endhead\n\
             \\bottomrule\n\\endfoot\n{}\\end{{longtable}}}}\n\n",
            letters(shape),
            self.preamble(shape),
            rows.iter().map(|row| line(row)).collect::<String>(),
        )
    }

    /// Floats of a page at most: no table breaks where a page has columns.
    fn parts(&self, shape: &Shape, caption: &str, label: &str, head: &[Cell], lines: &[usize], most: usize) -> String {
        let rows = &self.rows[1..];
        let (mut out, mut from, mut part) = (String::new(), 0, 0);
        while from < rows.len() {
            let mut to = from;
            let mut used = 0;
            while to < rows.len() && (to == from || used + lines[to] <= most) {
                used += lines[to];
                to += 1;
            }
            let again = format!("{{{} Table~\\ref{{{label}}}, continued\\par}}\\medskip", shape.size.command);
            out += &self.float(shape, if part == 0 { caption } else { &again }, head, &rows[from..to], "tp");
            (from, part) = (to, part + 1);
            if part % WAITING == 0 {
                out += "\\clearpage\n";
            }
        }
        out
    }

    /// A cell that fills pages: each row is a paragraph that breaks wherever lines do.
    fn paragraphs(head: &[Cell], rows: &[Vec<Cell>], caption: &str, label: &str, layout: &Layout) -> String {
        let row = |row: &Vec<Cell>| {
            let field = |(name, cell): (&Cell, &Cell)| format!("\\textbf{{{}:}} {}", name.tex, cell.tex);
            let fields: Vec<String> = head.iter().zip(row).map(field).collect();
            format!("\\noindent {}\\par\\smallskip\n", fields.join("\\quad\n"))
        };
        // The caption floats alone: no converter knows one outside of a float.
        let place = if layout.is_columns() { "tbp" } else { "htbp" };
        format!(
            "\n\\begin{{table}}[{place}]\n\\centering\n{caption}\n\\small Its rows are too long for a table and stand in the text.\n\\end{{table}}\n\n\
             \\begingroup\\small\n\\noindent\\textit{{Rows of Table~\\ref{{{label}}}}}\\par\\smallskip\n{}\\endgroup\n\\medskip\n\n",
            rows.iter().map(row).collect::<String>()
        )
    }

    fn preamble(&self, shape: &Shape) -> String {
        let column = |(column, width): (usize, &Option<f64>)| {
            let (plain, ragged) = if self.is_right(column) { ("r", "left") } else { ("l", "right") };
            match width {
                None => plain.to_owned(),
                Some(width) => format!(">{{\\ragged{ragged}\\arraybackslash\\hspace{{0pt}}}}p{{{width:.1}pt}}"),
            }
        };
        shape.wraps.iter().enumerate().map(column).collect()
    }
}

fn letters(shape: &Shape) -> String {
    format!("{}\\setlength{{\\tabcolsep}}{{{:.1}pt}}", shape.size.command, shape.gap)
}

fn line(row: &[Cell]) -> String {
    row.iter().map(|cell| cell.tex.as_str()).collect::<Vec<_>>().join(" & ") + " \\\\\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of cells, the last column left-aligned text, all others numbers.
    fn table(rows: &[Vec<String>]) -> Tabular {
        let columns = rows[0].len();
        let align = |column: usize| if column + 1 == columns { Alignment::Left } else { Alignment::Right };
        let mut table = Tabular::new((0..columns).map(align).collect());
        for row in rows {
            table.row();
            for text in row {
                table.cell();
                table.push(text);
                table.seen(Width::of(text, 28));
            }
        }
        table
    }

    fn layout(columns: bool) -> Layout {
        Layout::of(if columns {
            "<# layout: column=241 page=506 height=626 small=8 footnotesize=7 scriptsize=6 #>"
        } else {
            ""
        })
        .unwrap()
    }

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    #[test]
    fn a_narrow_table_stays_in_its_column_and_a_wide_one_spans_all() {
        let narrow = table(&[row(&["n", "name"]), row(&["1", "a"])]).written("C", "table-x", &layout(true));
        assert!(
            narrow.contains("\\begin{table}[tbp]") && narrow.contains("{rl}") && narrow.contains("\\small"),
            "{narrow}"
        );
        let wide: Vec<String> = (0..10).map(|n| format!("Heading {n}")).collect();
        let wide = table(&[wide.clone(), wide]).written("C", "table-x", &layout(true));
        assert!(wide.contains("\\begin{table*}[tp]") && wide.contains("\\end{table*}"), "{wide}");
        assert!(wide.contains("\\caption{C}\\label{table-x}"), "{wide}");
    }

    #[test]
    fn what_is_too_wide_breaks_into_lines_of_letters_that_can_be_read() {
        let many: Vec<String> = (0..12).map(|n| format!("Throughput of number {n} (tok/s)")).collect();
        let numbers: Vec<String> = (0..12).map(|n| format!("{n}2.345")).collect();
        for columns in [false, true] {
            let text = table(&[many.clone(), numbers.clone()]).written("C", "table-x", &layout(columns));
            assert!(text.contains("\\raggedleft\\arraybackslash\\hspace{0pt}}p{"), "{text}");
            assert!(!text.contains("\\tiny") && !text.contains("adjustbox"), "{text}");
        }
        let most: Vec<String> = (0..60).map(|n| format!("column{n}")).collect();
        assert!(table(&[most.clone(), most]).written("C", "table-x", &layout(false)).contains("\\scriptsize"));
    }

    #[test]
    fn a_long_table_goes_on_and_a_long_cell_is_paragraphs() {
        let rows: Vec<Vec<String>> = (0..200).map(|n| row(&[&n.to_string(), "text"])).collect();
        let single = table(&rows).written("C", "table-x", &layout(false));
        assert!(single.contains("\\begin{longtable}{rl}\n\\caption{C}\\label{table-x}\\\\"), "{single}");
        let columns = table(&rows).written("C", "table-x", &layout(true));
        assert_eq!(columns.matches("\\caption{").count(), 1);
        let parts = columns.matches("\\begin{table}").count();
        assert!(parts > 3 && columns.contains("Table~\\ref{table-x}, continued"));
        // The head stands in every part.
        assert_eq!(columns.matches("text \\\\").count(), 199 + parts);
        let long = [row(&["n", "text"]), row(&["1", &"word ".repeat(6000)])];
        for is_columns in [false, true] {
            let text = table(&long).written("C", "table-x", &layout(is_columns));
            assert!(!text.contains("tabular") && text.matches("word ").count() == 6000, "{}", &text[..200]);
            assert!(text.contains("\\textbf{n:} 1") && text.contains("\\caption{C}\\label{table-x}"));
        }
    }
}
