//! Rows of cells that may span columns and rows -> a [`Table`], as its `header` and `cells` are defined.

use super::{Row, Table, flow};

/// As HTML bounds a span; also the widest table that is read.
const COLUMNS: usize = 1000;
/// What copies of spanning cells may cost in a table, in bytes. More is an attack, not a table.
const COPIES: usize = 4_000_000;

pub struct Cell {
    pub text: String,
    pub header: bool,
    pub columns: usize,
    pub rows: usize,
}

#[derive(Default)]
pub struct Line {
    pub row: Row,
    pub spans: Vec<Cell>,
    /// It stands in the table's head.
    pub head: bool,
}

impl Line {
    fn all_headers(&self) -> bool {
        let mut any = false;
        let fits = self.spans.iter().all(|cell| {
            any |= cell.header;
            cell.header || cell.text.is_empty()
        });
        fits && any
    }
}

/// A cell above that reaches down into a column.
struct Reaching {
    rows: usize,
    text: String,
}

struct Grid {
    reaching: Vec<Option<Reaching>>,
    copies: usize,
}

/// How many of the first lines are the header.
fn header_lines(lines: &[Line]) -> usize {
    let heads = lines.iter().take_while(|line| line.head).count();
    if heads > 0 {
        return heads;
    }
    let headers = lines.iter().take_while(|line| line.all_headers()).count();
    if headers == lines.len() { headers.min(1) } else { headers }
}

pub fn table(lines: Vec<Line>) -> Table {
    let heads = header_lines(&lines);
    let mut grid = Grid { reaching: Vec::new(), copies: COPIES };
    let mut header = Vec::new();
    let mut rows = Vec::new();
    for (index, mut line) in lines.into_iter().enumerate() {
        // No cell reaches out of the head.
        if index == heads {
            grid.reaching.clear();
        }
        let cells = grid.lay(line.spans, index < heads);
        if index < heads {
            header.push(cells);
        } else {
            line.row.cells = cells;
            rows.push(line.row);
        }
    }
    flow::with_header(header, rows)
}

impl Grid {
    fn lay(&mut self, spans: Vec<Cell>, header: bool) -> Vec<String> {
        let mut cells = Vec::new();
        for cell in spans {
            self.fill(&mut cells, false);
            let columns = cell.columns.clamp(1, COLUMNS);
            if cells.len() + columns > COLUMNS {
                break;
            }
            for column in 0..columns {
                let copied = column == 0 || header;
                let text = if copied { self.copy(&cell.text, column > 0) } else { String::new() };
                if cell.rows > 1 {
                    let below = if header { String::new() } else { text.clone() };
                    self.reach(cells.len(), Reaching { rows: cell.rows - 1, text: below });
                }
                cells.push(text);
            }
        }
        self.fill(&mut cells, true);
        cells
    }

    fn reach(&mut self, column: usize, cell: Reaching) {
        if self.reaching.len() <= column {
            self.reaching.resize_with(column + 1, || None);
        }
        self.reaching[column] = Some(cell);
    }

    /// Takes over the cells that reach down into the next columns; `all`: also those after a gap.
    fn fill(&mut self, cells: &mut Vec<String>, all: bool) {
        while let Some(slot) = self.reaching.get_mut(cells.len()) {
            let Some(cell) = slot else {
                if !all || self.reaching[cells.len()..].iter().all(Option::is_none) {
                    return;
                }
                cells.push(String::new());
                continue;
            };
            cell.rows -= 1;
            let text = if cell.rows == 0 { slot.take().map(|cell| cell.text) } else { Some(cell.text.clone()) };
            let text = text.unwrap_or_default();
            let cost = text.len() + 24;
            cells.push(text);
            if self.copies < cost {
                self.reaching.clear();
            }
            self.copies = self.copies.saturating_sub(cost);
        }
    }

    fn copy(&mut self, text: &str, again: bool) -> String {
        let cost = text.len() + 24;
        if again && self.copies < cost {
            return String::new();
        }
        if again {
            self.copies -= cost;
        }
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(head: bool, cells: &[(&str, usize, usize)]) -> Line {
        let cell = |(text, columns, rows): &(&str, usize, usize)| Cell {
            text: (*text).to_owned(),
            header: head,
            columns: *columns,
            rows: *rows,
        };
        Line { row: Row::default(), spans: cells.iter().map(cell).collect(), head }
    }

    #[test]
    fn spans_are_laid_out() {
        let table = table(vec![
            line(true, &[("Model", 1, 2), ("Time", 2, 1)]),
            line(true, &[("mean", 1, 1), ("max", 1, 1)]),
            line(false, &[("a", 1, 2), ("1", 1, 1), ("2", 1, 1)]),
            line(false, &[("3", 2, 1)]),
        ]);
        assert_eq!(table.header, ["Model", "Time mean", "Time max"]);
        assert_eq!(table.rows[0].cells, ["a", "1", "2"]);
        assert_eq!(table.rows[1].cells, ["a", "3", ""]);
    }

    #[test]
    fn spans_do_not_explode() {
        let wide = vec![("x", 1000, 60_000)];
        let mut lines = vec![line(false, &wide)];
        lines.extend((0..20_000).map(|_| line(false, &[])));
        table(lines);
        table(vec![line(false, &[("x", usize::MAX, usize::MAX); 50])]);
    }
}
