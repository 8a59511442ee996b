//! The rows and cells of a table as they are read -> the table: which rows are its header, what spans columns and rows, what is
//! repeated on each page.

use super::super::{LeftOut, Place, Row, Table, Text};

/// More than these columns no paper has; and more cells than these, or than it wrote itself, no table is filled up to.
const COLUMNS: usize = 1000;
const CELLS: usize = 1_000_000;

#[derive(Debug, Default)]
pub(in super::super) struct RawCell {
    pub(in super::super) text: String,
    pub(in super::super) columns: usize,
    /// How many rows it spans; upwards, if negative.
    pub(in super::super) rows: i64,
}

#[derive(Debug, Default)]
struct RawRow {
    place: Place,
    cells: Vec<RawCell>,
    ruled: bool,
}

/// A table while it is read.
#[derive(Debug, Default)]
pub(in super::super) struct RawTable {
    pub(in super::super) place: Place,
    pub(in super::super) caption: Text,
    /// Of the cell that is being read.
    pub(in super::super) columns: usize,
    pub(in super::super) spans_rows: i64,
    rows: Vec<RawRow>,
    row: RawRow,
    /// A line stands above the next row.
    ruled: bool,
    head: Option<usize>,
    /// Of a `longtable`: the rows before here are the first page's head.
    fixed: Option<usize>,
    cells: usize,
}

impl RawTable {
    pub(in super::super) fn new(place: Place) -> Self {
        Self { place, ..Self::default() }
    }

    pub(in super::super) fn end_cell(&mut self, text: String, place: Option<Place>) {
        if self.row.place == Place::default()
            && let Some(place) = place
        {
            self.row.place = place;
        }
        let columns = std::mem::take(&mut self.columns).clamp(1, COLUMNS);
        self.cells += columns;
        self.row.cells.push(RawCell { text, columns, rows: std::mem::take(&mut self.spans_rows) });
    }

    pub(in super::super) fn end_row(&mut self) {
        let mut row = std::mem::take(&mut self.row);
        if row.cells.iter().any(|cell| !cell.text.is_empty()) {
            row.ruled = std::mem::take(&mut self.ruled);
            self.rows.push(row);
        }
    }

    /// A line; one over all columns ends the header.
    pub(in super::super) fn rule(&mut self, whole: bool) {
        self.ruled = true;
        if whole && self.head.is_none() && !self.rows.is_empty() {
            self.head = Some(self.rows.len());
        }
    }

    /// `\endfirsthead` and the like.
    pub(in super::super) fn page_mark(&mut self, name: &str) {
        match self.fixed {
            None if name == "endfirsthead" || name == "endhead" => self.fixed = Some(self.rows.len()),
            None => self.rows.clear(),
            Some(kept) => self.rows.truncate(kept),
        }
    }

    /// Whether it has columns at all.
    pub(in super::super) fn has_columns(&self) -> bool {
        self.rows.iter().any(|row| row.cells.len() > 1)
    }

    /// All of it as text.
    pub(in super::super) fn words(&self) -> String {
        let cells = self.rows.iter().flat_map(|row| &row.cells).map(|cell| cell.text.as_str());
        cells.collect::<Vec<_>>().join(" ")
    }

    pub(in super::super) fn finish(mut self) -> (Option<Table>, Option<LeftOut>) {
        if self.rows.is_empty() {
            return (None, None);
        }
        let head = self.head_rows();
        let width = self.rows.iter().map(|row| row.cells.iter().map(|cell| cell.columns).sum::<usize>()).max();
        let width = width.unwrap_or(0).min(COLUMNS);
        let room = (CELLS.max(self.cells) / width.max(1)).max(1);
        let cut = (self.rows.len() > room)
            .then(|| LeftOut { place: self.place, why: "the end of a table with too many cells".to_owned() });
        self.rows.truncate(room);
        let mut rows: Vec<Wide> = self.rows.into_iter().map(|row| widen(row, width)).collect();
        fill_down(&mut rows);
        let data = rows.split_off(head.min(rows.len()));
        let header = join_header(&rows, width);
        let rows = data.into_iter().map(|row| Row { place: row.place, cells: row.cells, ruled: row.ruled }).collect();
        (Some(Table { caption: self.caption, header, rows }), cut)
    }

    /// How many rows the header has. A line far below, as above a sum, ends no header: one of several rows spans columns.
    fn head_rows(&self) -> usize {
        if let Some(fixed) = self.fixed.filter(|fixed| *fixed > 0) {
            return fixed;
        }
        let ruled = self.head.filter(|head| *head < self.rows.len()).unwrap_or(1);
        let spans = self.rows.first().is_some_and(|row| row.cells.iter().any(|cell| cell.columns > 1 || cell.rows > 1));
        let number =
            |row: &RawRow| row.cells.iter().skip(1).any(|cell| cell.text.starts_with(|one: char| one.is_ascii_digit()));
        if ruled > 1 && !spans && self.rows.iter().take(ruled).skip(1).any(number) { 1 } else { ruled }
    }
}

/// A row with a cell for each column.
struct Wide {
    place: Place,
    cells: Vec<String>,
    /// Of each cell the columns it spans and the rows.
    spans: Vec<(usize, i64)>,
    ruled: bool,
}

fn widen(row: RawRow, width: usize) -> Wide {
    let mut wide = Wide { place: row.place, cells: Vec::new(), spans: Vec::new(), ruled: row.ruled };
    for cell in row.cells {
        if wide.cells.len() >= width {
            break;
        }
        wide.cells.push(cell.text);
        wide.spans.push((cell.columns, cell.rows));
        for _ in 1..cell.columns {
            wide.cells.push(String::new());
            wide.spans.push((0, 0));
        }
    }
    wide.cells.resize(width, String::new());
    wide.spans.resize(width, (0, 0));
    wide
}

/// Repeats what spans rows in each of them.
fn fill_down(rows: &mut [Wide]) {
    for at in 0..rows.len() {
        for column in 0..rows[at].cells.len() {
            let span = rows[at].spans[column].1;
            if span.abs() < 2 || rows[at].cells[column].is_empty() {
                continue;
            }
            let text = rows[at].cells[column].clone();
            let most = if text.len() > 200 { 20 } else { 10_000 };
            let count = usize::try_from(span.abs() - 1).unwrap_or(0).min(most);
            for step in 1..=count {
                let other = if span > 0 { at.checked_add(step) } else { at.checked_sub(step) };
                let Some(cell) = other.and_then(|other| rows.get_mut(other)).and_then(|row| row.cells.get_mut(column))
                else {
                    break;
                };
                if !cell.is_empty() {
                    break;
                }
                cell.clone_from(&text);
            }
        }
    }
}

/// Each column's headers from top to bottom; what spans columns is that of each.
fn join_header(rows: &[Wide], width: usize) -> Vec<String> {
    let mut header = vec![String::new(); width];
    let mut last = vec![String::new(); width];
    for row in rows {
        let mut column = 0;
        while column < width {
            let span = row.spans[column].0.max(1);
            let text = &row.cells[column];
            for at in column..(column + span).min(width) {
                if text.is_empty() || last[at] == *text || (text.len() > 500 && at > column) {
                    continue;
                }
                if !header[at].is_empty() {
                    header[at].push(' ');
                }
                header[at] += text;
                last[at].clone_from(text);
            }
            column += span;
        }
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[&[&str]], rule_after: usize) -> RawTable {
        let mut raw = RawTable::default();
        for (at, row) in rows.iter().enumerate() {
            for cell in *row {
                raw.end_cell((*cell).to_owned(), Some(Place { file: 0, line: at + 1 }));
            }
            raw.end_row();
            if at + 1 == rule_after {
                raw.rule(true);
            }
        }
        raw
    }

    #[test]
    fn rows_are_as_wide_as_the_header() {
        let (read, cut) = table(&[&["a", "b"], &["1"], &["1", "2", "3"]], 0).finish();
        let read = read.expect("a table");
        assert_eq!(read.header, ["a", "b", ""]);
        assert_eq!(read.rows[0].cells, ["1", "", ""]);
        assert!(cut.is_none());
    }

    #[test]
    fn a_line_above_a_sum_ends_no_header() {
        let (read, _) = table(&[&["a", "b"], &["x", "1"], &["y", "2"], &["Total", "3"]], 3).finish();
        assert_eq!(read.expect("a table").rows.len(), 3);
        let (read, _) = table(&[&["a", "b"], &["(s)", "(ms)"], &["y", "2"]], 2).finish();
        assert_eq!(read.expect("a table").header, ["a (s)", "b (ms)"]);
    }

    #[test]
    fn a_table_of_many_columns_and_rows_is_cut() {
        let mut raw = table(&[&["x"; 2000]], 0);
        for _ in 0..100_000 {
            raw.end_cell("1".to_owned(), None);
            raw.end_row();
        }
        let (read, cut) = raw.finish();
        assert!(read.is_some_and(|read| read.header.len() == 1000 && read.rows.len() < 2000) && cut.is_some());
    }
}
