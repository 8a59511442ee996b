//! reStructuredText's simple and grid tables, list-tables and CSV tables, as lines -> [`Table`].

use super::flow::{Flow, Lines};
use super::grid::{self, Cell, Line};
use super::rst_inline::inline;
use super::{Place, Row, Table};

/// Columns beyond these are not read.
const COLUMNS: usize = 1000;

/// A grid table of more lines times columns is an attack, and is cut.
const LARGEST: usize = 10_000_000;

/// A table's line and its number in the file.
pub type Numbered = (usize, String);

fn cell(text: &str, place: Place) -> String {
    let mut flow = Flow::of_cell();
    inline(text.trim(), &Lines::fixed(place), &mut flow);
    flow.take().text
}

fn plain_line(cells: Vec<(String, usize)>, place: Place, head: bool) -> Line {
    let cells =
        cells.into_iter().map(|(text, columns)| Cell { text: cell(&text, place), header: false, columns, rows: 1 });
    Line { row: Row { place, ..Row::default() }, spans: cells.collect(), head }
}

/// Whether a line is a border of a simple table: `====  ====`.
pub fn is_border(line: &str) -> bool {
    let line = line.trim();
    line.starts_with("==") && line.bytes().all(|b| b == b'=' || b == b' ')
}

/// Where runs of a sign stand, in characters.
fn runs(line: &[char], sign: char) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (at, c) in line.iter().enumerate() {
        match found.last_mut() {
            _ if *c != sign => {}
            Some((_, end)) if *end == at => *end = at + 1,
            _ => found.push((at, at + 1)),
        }
    }
    found.truncate(COLUMNS);
    found
}

/// A simple table, from its first border to its last.
pub fn simple(lines: &[Numbered], file: usize) -> Table {
    let chars: Vec<Vec<char>> = lines.iter().map(|(_, line)| line.chars().collect()).collect();
    let Some(columns) = chars.first().map(|line| runs(line, '=')) else {
        return Table::default();
    };
    let borders = lines.iter().filter(|(_, line)| is_border(line)).count();
    let mut rows: Vec<Line> = Vec::new();
    let mut raw: Vec<(Vec<String>, Place)> = Vec::new();
    let mut head = borders > 2;
    let mut done = 0;
    for (line, (number, text)) in chars.iter().zip(lines) {
        let place = Place { file, line: *number };
        let first = columns.first().map_or(0, |(_, end)| *end);
        if is_border(text) {
            rows.extend(raw.drain(..).map(|(cells, place)| unspanned(cells, place, head)));
            // The second border ends the header.
            done += 1;
            head &= done < 2;
        } else if text.trim().starts_with('-') && text.chars().all(|c| c == '-' || c == ' ') {
            let spans = runs(line, '-');
            if let Some((cells, place)) = raw.pop() {
                rows.extend(raw.drain(..).map(|(cells, place)| unspanned(cells, place, head)));
                rows.push(plain_line(spanned(&cells, &columns, &spans), place, head));
            }
        } else if !text.trim().is_empty() {
            let cells = cut(line, &columns);
            let continues = line.iter().take(first).all(|c| c.is_whitespace());
            match raw.last_mut() {
                Some((above, _)) if continues => {
                    for (above, cell) in above.iter_mut().zip(cells) {
                        above.push(' ');
                        *above += &cell;
                    }
                }
                _ => raw.push((cells, place)),
            }
        }
    }
    rows.extend(raw.drain(..).map(|(cells, place)| unspanned(cells, place, head)));
    ruled(grid::table(rows), borders > 2)
}

/// The line between header and body.
fn ruled(mut table: Table, header: bool) -> Table {
    if let Some(first) = table.rows.first_mut() {
        first.ruled = header;
    }
    table
}

/// A line at its columns; each holds what stands before the next one begins, the last all the rest.
fn cut(line: &[char], columns: &[(usize, usize)]) -> Vec<String> {
    let ends = columns.iter().skip(1).map(|(start, _)| *start).chain([usize::MAX]);
    let piece = |(start, end): (usize, usize)| {
        line.get(start.min(line.len())..end.min(line.len())).unwrap_or_default().iter().collect()
    };
    columns.iter().map(|(start, _)| *start).zip(ends).map(piece).collect()
}

fn unspanned(cells: Vec<String>, place: Place, head: bool) -> Line {
    plain_line(cells.into_iter().map(|cell| (cell, 1)).collect(), place, head)
}

/// Joins the cells over one underline.
fn spanned(cells: &[String], columns: &[(usize, usize)], spans: &[(usize, usize)]) -> Vec<(String, usize)> {
    let mut joined: Vec<(String, usize)> = Vec::new();
    let mut last = None;
    for (cell, (start, _)) in cells.iter().zip(columns) {
        let span = spans.iter().position(|(from, to)| from <= start && start < to);
        match joined.last_mut() {
            Some((text, width)) if span.is_some() && span == last => {
                *text += cell;
                *width += 1;
            }
            _ => joined.push((cell.clone(), 1)),
        }
        last = span;
    }
    joined
}

/// A cell under way in a grid table.
struct Open {
    row: usize,
    cell: usize,
    columns: usize,
}

/// A grid table: `+---+---+`.
pub fn grid(lines: &[Numbered], file: usize) -> Table {
    let chars: Vec<Vec<char>> = lines.iter().map(|(_, line)| line.chars().collect()).collect();
    let rule = |line: &[char]| {
        line.first() == Some(&'+') || line.windows(3).any(|part| matches!(part, ['+', '-' | '=', '-' | '=']))
    };
    let bounds = bounds(&chars);
    let head = lines.iter().position(|(_, line)| line.starts_with("+=")).filter(|at| at + 1 < lines.len());
    let mut rows: Vec<Line> = Vec::new();
    let mut open: Vec<Option<Open>> = Vec::new();
    open.resize_with(bounds.len().saturating_sub(1), || None);
    let mut above: Option<&[char]> = None;
    for (index, line) in chars.iter().enumerate() {
        if index * open.len() > LARGEST {
            break;
        }
        if rule(line) {
            above = Some(line);
            continue;
        }
        let place = Place { file, line: lines[index].0 };
        if let Some(above) = above.take() {
            rows.push(plain_line(Vec::new(), place, head.is_some_and(|head| index < head)));
            begin(above, line, &bounds, &mut rows, &mut open);
        }
        extend(line, &bounds, &mut rows, &open);
    }
    for line in &mut rows {
        let place = line.row.place;
        line.spans.iter_mut().for_each(|span| span.text = cell(&span.text, place));
    }
    ruled(grid::table(rows), head.is_some())
}

/// Where columns meet, in any of the lines between rows.
fn bounds(lines: &[Vec<char>]) -> Vec<usize> {
    let mut bounds: Vec<usize> = Vec::new();
    for line in lines.iter().filter(|line| line.first() == Some(&'+')) {
        for (at, _) in line.iter().enumerate().filter(|(_, c)| **c == '+') {
            if let Err(index) = bounds.binary_search(&at)
                && bounds.len() < COLUMNS
            {
                bounds.insert(index, at);
            }
        }
    }
    bounds
}

/// Begins the cells of a row; a column over which no line was drawn goes on with the cell above.
fn begin(above: &[char], line: &[char], bounds: &[usize], rows: &mut [Line], open: &mut [Option<Open>]) {
    let row = rows.len() - 1;
    let mut column = 0;
    while column < open.len() {
        let drawn = above.get(bounds[column] + 1).is_some_and(|c| matches!(c, '-' | '='));
        let kept = open[column].as_ref().filter(|_| !drawn).map(|cell| (cell.row, cell.cell, cell.columns));
        if let Some((from, cell, columns)) = kept {
            if let Some(cell) = rows[from].spans.get_mut(cell) {
                cell.rows = row - from + 1;
            }
            column += columns;
            continue;
        }
        let mut end = column + 1;
        while end < open.len() && !matches!(line.get(bounds[end]), Some('|' | '+')) {
            open[end] = None;
            end += 1;
        }
        let columns = end - column;
        open[column] = Some(Open { row, cell: rows[row].spans.len(), columns });
        rows[row].spans.push(Cell { text: String::new(), header: false, columns, rows: 1 });
        column = end;
    }
}

fn extend(line: &[char], bounds: &[usize], rows: &mut [Line], open: &[Option<Open>]) {
    for (column, cell) in open.iter().enumerate() {
        let Some(cell) = cell else { continue };
        let (start, end) = (bounds[column] + 1, bounds[(column + cell.columns).min(bounds.len() - 1)]);
        let text = line.get(start.min(line.len())..end.min(line.len())).unwrap_or_default();
        if let Some(cell) = rows.get_mut(cell.row).and_then(|row| row.spans.get_mut(cell.cell)) {
            cell.text.extend(text);
            cell.text.push(' ');
        }
    }
}

/// `* - cell`, `  - cell`: the body of a list-table.
pub fn list(lines: &[Numbered], header_rows: usize, file: usize) -> Table {
    let mut rows: Vec<(Vec<String>, Place)> = Vec::new();
    for (number, line) in lines {
        let text = line.trim();
        let place = Place { file, line: *number };
        let (new, text) = match text.strip_prefix("* ").map(str::trim_start) {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if new {
            rows.push((Vec::new(), place));
        }
        let Some((row, _)) = rows.last_mut() else { continue };
        if text == "-" || text.starts_with("- ") {
            row.push(text[1..].trim().to_owned());
        } else if let Some(cell) = row.last_mut() {
            cell.push(' ');
            *cell += text;
        }
    }
    let lines =
        rows.into_iter().enumerate().map(|(index, (cells, place))| unspanned(cells, place, index < header_rows));
    ruled(grid::table(lines.collect()), header_rows > 0)
}

/// The body of a csv-table; quotes are doubled within quotes, and a quoted cell may have several lines.
pub fn csv(lines: &[Numbered], header: Option<&str>, header_rows: usize, delimiter: char, file: usize) -> Table {
    let place = |number| Place { file, line: number };
    let mut rows: Vec<Line> = Vec::new();
    let start = lines.first().map_or(1, |(number, _)| *number);
    let mut parser = Csv::default();
    if let Some(header) = header {
        parser.line(header, delimiter);
        rows.push(unspanned(parser.take(), place(start), true));
        parser = Csv::default();
    }
    let headers = rows.len() + header_rows;
    let mut number = start;
    for (line_number, line) in lines {
        if parser.cells.is_empty() && parser.cell.is_empty() && !parser.quoted {
            if line.trim().is_empty() {
                continue;
            }
            number = *line_number;
        }
        parser.line(line, delimiter);
        if !parser.quoted {
            let head = rows.len() < headers;
            rows.push(unspanned(parser.take(), place(number), head));
        }
    }
    if parser.quoted {
        rows.push(unspanned(parser.take(), place(number), false));
    }
    ruled(grid::table(rows), headers > 0)
}

#[derive(Default)]
struct Csv {
    cells: Vec<String>,
    cell: String,
    quoted: bool,
}

impl Csv {
    fn line(&mut self, line: &str, delimiter: char) {
        let mut chars = line.trim_end().chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '"' if self.quoted && chars.next_if_eq(&'"').is_some() => self.cell.push('"'),
                '"' if self.quoted || self.cell.trim().is_empty() => self.quoted = !self.quoted,
                _ if c == delimiter && !self.quoted => self.cells.push(std::mem::take(&mut self.cell)),
                _ => self.cell.push(c),
            }
        }
        if self.quoted {
            self.cell.push(' ');
        }
    }

    fn take(&mut self) -> Vec<String> {
        self.cells.push(std::mem::take(&mut self.cell));
        self.quoted = false;
        std::mem::take(&mut self.cells)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(source: &str) -> Vec<Numbered> {
        (1..).zip(source.lines().map(str::to_owned)).collect()
    }

    fn shown(table: &Table) -> String {
        let mut out = format!("T {}\n", table.header.join(" | "));
        for row in &table.rows {
            out += &format!("{}{} {}\n", row.place.line, if row.ruled { "r" } else { "" }, row.cells.join(" | "));
        }
        out
    }

    #[test]
    fn simple_tables() {
        let source = "=====  =====  ======\n   Inputs     Output\n------------  ------\n  A      B    A or B\n=====  =====  ======\n\
            x      1 2    3\n              more\ny      2      long text\n=====  =====  ======";
        assert_eq!(
            shown(&simple(&numbered(source), 0)),
            "T Inputs A | Inputs B | Output A or B\n6r x | 1 2 | 3 more\n8 y | 2 | long text\n"
        );
        let bare = "==  ==\na   b\n1   2\n==  ==";
        assert_eq!(shown(&simple(&numbered(bare), 0)), "T a | b\n3 1 | 2\n");
    }

    #[test]
    fn grid_tables() {
        let source = "+-----+-----------+\n| M   | Time      |\n|     +-----+-----+\n|     | a   | b   |\n+=====+=====+=====+\n\
            | p   | 1   | 2   |\n|     +-----+-----+\n|     | 3         |\n+-----+-----------+";
        assert_eq!(shown(&grid(&numbered(source), 0)), "T M | Time a | Time b\n6r p | 1 | 2\n8 p | 3 | \n");
    }

    #[test]
    fn other_tables() {
        let source = "* - a\n  - b\n* - 1\n  - two\n    lines\n";
        assert_eq!(shown(&list(&numbered(source), 1, 0)), "T a | b\n3r 1 | two lines\n");
        let source = "x, \"1,000\"\ny, \"a \"\"b\"\"\nc\"\n";
        assert_eq!(shown(&csv(&numbered(source), Some("n, v"), 0, ',', 0)), "T n | v\n1r x | 1,000\n2 y | a \"b\" c\n");
    }

    #[test]
    fn nothing_panics() {
        for source in [
            "",
            "==",
            "==  ==",
            "+--+",
            "+-",
            "+",
            "+--+--+\n| a\n|\n+--+",
            "+==+",
            "==  ==\nü\nö     ä\n--\n",
            "+-+-+\n|ü|\n+-+-+\n+",
        ] {
            let lines = numbered(source);
            simple(&lines, 0);
            grid(&lines, 0);
            list(&lines, 1, 0);
            csv(&lines, Some("\""), 1, ',', 0);
        }
    }
}
