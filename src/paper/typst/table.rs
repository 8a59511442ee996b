//! A table whose cells are Typst already -> a call that sets it: floating, or, where it may be longer than a page, where it stands.

use std::{cmp::Reverse, collections::BTreeSet};

use pulldown_cmark::Alignment;

use super::literal;

/// Lines of a table that floats: it has to leave room on a page.
const LINES: usize = 28;
/// Characters in a line of a column of prose.
const CHARACTERS: usize = 75;
/// Rows of a table that is measured whole.
const MEASURED: usize = 60;
/// Characters that a column of names needs at most.
const NARROW: usize = 36;

/// A table being read, cell by cell.
#[derive(Debug, Default)]
pub(in crate::paper) struct Cells {
    columns: Vec<Alignment>,
    /// The head first.
    rows: Vec<Vec<Cell>>,
}

#[derive(Debug, Default)]
struct Cell {
    typst: String,
    /// Characters that a reader sees.
    seen: usize,
}

impl Cells {
    pub(super) fn new(columns: Vec<Alignment>) -> Self {
        Cells { columns, rows: Vec::new() }
    }

    pub(super) fn row(&mut self) {
        self.rows.push(Vec::new());
    }

    pub(super) fn cell(&mut self) {
        self.rows.last_mut().into_iter().for_each(|row| row.push(Cell::default()));
    }

    /// More of the cell at hand.
    pub(super) fn push(&mut self, typst: &str) {
        self.at_hand().into_iter().for_each(|cell| cell.typst += typst);
    }

    /// So many characters of it are seen.
    pub(super) fn seen(&mut self, characters: usize) {
        self.at_hand().into_iter().for_each(|cell| cell.seen += characters);
    }

    fn at_hand(&mut self) -> Option<&mut Cell> {
        self.rows.last_mut()?.last_mut()
    }

    /// The most characters in a cell of each column.
    fn longest(&self) -> Vec<usize> {
        let of = |place: usize| self.rows.iter().filter_map(|row| Some(row.get(place)?.seen)).max().unwrap_or(0);
        (0..self.columns.len()).map(of).collect()
    }

    /// A left-aligned last column of a narrow table holds prose and may break lines; so may any that is longer than a line.
    fn widths(&self) -> Vec<&'static str> {
        let prose = self.columns.len() <= 3 && self.columns.last() == Some(&Alignment::Left);
        let longest = self.longest();
        let (last, any) = (longest.len().saturating_sub(1), longest.iter().any(|characters| *characters > CHARACTERS));
        let wraps = |(place, characters): (usize, &usize)| match place == last {
            true => prose || *characters > NARROW && any,
            false => *characters > NARROW && (prose || any),
        };
        let width = |column| if wraps(column) { "1fr" } else { "auto" };
        longest.iter().enumerate().map(width).collect()
    }

    fn lines(&self, widths: &[&str]) -> usize {
        let wrapping = widths.iter().filter(|width| **width == "1fr").count().max(1);
        let wraps = |row: &Vec<Cell>| {
            let lines = row.iter().zip(widths).filter(|(_, width)| **width == "1fr");
            lines.map(|(cell, _)| 1 + cell.seen * wrapping / CHARACTERS).max().unwrap_or(1)
        };
        self.rows.iter().map(wraps).sum()
    }

    /// Which rows below the head make a long table as wide as it is: for each column, some with the most characters.
    fn widest(&self) -> Option<Vec<usize>> {
        const EACH: usize = 4;
        let rows = self.rows.get(1..).filter(|rows| rows.len() > MEASURED)?;
        let mut widest = BTreeSet::new();
        for column in 0..self.columns.len() {
            let mut by_length: Vec<usize> = (0..rows.len()).collect();
            by_length.sort_by_key(|row| Reverse(rows[*row].get(column).map_or(0, |cell| cell.seen)));
            widest.extend(by_length.into_iter().take(EACH));
        }
        Some(widest.into_iter().collect())
    }

    /// The whole table.
    pub(super) fn written(&self, id: &str, caption: &str) -> String {
        let widths = self.widths();
        let floats = self.lines(&widths) <= LINES;
        let side = |column: &Alignment| match column {
            Alignment::Right => "right",
            Alignment::Center => "center",
            Alignment::Left | Alignment::None => "left",
        };
        let aligns: Vec<&str> = self.columns.iter().map(side).collect();
        let row = |row: &Vec<Cell>| row.iter().map(|cell| format!("[{}],", cell.typst)).collect::<Vec<_>>().join(" ");
        let head = self.rows.first().map(row).unwrap_or_default();
        let widest = self.widest().map_or_else(
            || "auto".to_owned(),
            |rows| format!("({},)", rows.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
        );
        let body: Vec<String> = self.rows.iter().skip(1).map(row).collect();
        // A comma after each, so that one alone is a list, too.
        format!(
            "#tabular({}, [{caption}], ({},), ({},), {floats}, {widest}, ({head}),\n{});\n\n",
            literal(id),
            aligns.join(", "),
            widths.join(", "),
            body.join("\n")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of these columns, each row a text's length.
    fn table(columns: &[Alignment], rows: &[&[usize]]) -> Cells {
        let mut cells = Cells::new(columns.to_vec());
        for row in rows {
            cells.row();
            for characters in *row {
                cells.cell();
                cells.seen(*characters);
                cells.push("#\"x\";");
            }
        }
        cells
    }

    const NUMBERS: [Alignment; 4] = [Alignment::Left, Alignment::Right, Alignment::Right, Alignment::Right];
    const PROSE: [Alignment; 3] = [Alignment::Left, Alignment::Right, Alignment::Left];

    #[test]
    fn columns_of_prose_wrap_and_those_of_numbers_do_not() {
        assert_eq!(table(&PROSE, &[&[5, 5, 5]]).widths(), ["auto", "auto", "1fr"]);
        // A name as long as prose would take all the room.
        assert_eq!(table(&PROSE, &[&[50, 5, 500]]).widths(), ["1fr", "auto", "1fr"]);
        assert_eq!(table(&NUMBERS, &[&[70, 5, 5, 5]]).widths(), ["auto"; 4]);
        assert_eq!(table(&NUMBERS, &[&[5, 5, 5, 5], &[900, 5, 5, 5]]).widths(), ["1fr", "auto", "auto", "auto"]);
    }

    #[test]
    fn short_tables_float_and_long_ones_stand_where_they_are() {
        let row: &[usize] = &[5, 5, 5, 5];
        assert!(table(&NUMBERS, &[row; LINES]).written("t", "").contains(", true, auto, ("));
        assert!(table(&NUMBERS, &[row; LINES + 1]).written("t", "").contains(", false, auto, ("));
        assert!(table(&PROSE, &[&[5, 5, 5], &[5, 5, 30_000]]).written("t", "").contains(", false, auto, ("));
    }

    #[test]
    fn a_long_table_is_measured_by_its_longest_cells() {
        let (short, long): (&[usize], &[usize]) = (&[1, 1, 1, 1], &[1, 1, 1, 40]);
        let mut rows = [short; 200];
        rows[150] = long;
        // The head is no row of it.
        assert!(table(&NUMBERS, &rows).widest().unwrap().contains(&149));
        assert_eq!(table(&NUMBERS, &rows[..61]).widest(), None);
    }
}
