//! Typst's `table` -> a table.

use super::super::Block;
use super::super::latex::tables::RawTable;
use super::{Argument, Reader, arguments};
use typst_syntax::{SyntaxKind, SyntaxNode};

/// Where the next cell goes, and until which row each column is taken.
struct Grid {
    raw: RawTable,
    column: usize,
    row: usize,
    taken: Vec<usize>,
}

impl Grid {
    /// Passes the columns that a cell from above takes.
    fn pass(&mut self) {
        while self.taken.get(self.column).is_some_and(|until| *until > self.row) {
            self.raw.end_cell(String::new(), None);
            self.next(1);
        }
    }

    fn next(&mut self, columns: usize) {
        self.column += columns;
        if self.column >= self.taken.len() {
            self.raw.end_row();
            self.column = 0;
            self.row += 1;
        }
    }
}

impl Reader<'_> {
    pub(super) fn table(&mut self, arguments: &[Argument], at: usize, depth: usize) {
        if depth > super::DEPTH || !self.tables.is_empty() {
            // A table within a cell is its text.
            for (_, body, at) in arguments.iter().filter(|(name, ..)| name.is_empty()) {
                self.node(body, *at, depth + 1);
                self.emit(" ", *at);
            }
            return;
        }
        self.flush();
        let columns =
            arguments.iter().find(|(name, ..)| name == "columns").map_or(1, |(_, value, at)| self.columns(value, *at));
        self.tables.push(RawTable::default());
        let mut grid =
            Grid { raw: RawTable::new(self.place(at)), column: 0, row: 0, taken: vec![0; columns.clamp(1, 1000)] };
        if let Some(caption) = self.captions.last() {
            grid.raw.caption = caption.clone();
        }
        self.cells(&mut grid, arguments, depth);
        self.tables.pop();
        grid.raw.end_row();
        let (table, cut) = grid.raw.finish();
        self.into.left_out.extend(cut);
        self.into.blocks.extend(table.map(Block::Table));
    }

    /// `3`, `(auto, 1fr)` or `(auto,) * 3`
    fn columns(&self, value: &SyntaxNode, at: usize) -> usize {
        let items = |node: &SyntaxNode| {
            node.children()
                .filter(|one| {
                    let mark = matches!(one.kind(), SyntaxKind::LeftParen | SyntaxKind::RightParen | SyntaxKind::Comma);
                    !mark && !one.kind().is_trivia()
                })
                .count()
        };
        match value.kind() {
            SyntaxKind::Int => value.leaf_text().parse().unwrap_or(1),
            SyntaxKind::Array => items(value),
            SyntaxKind::Binary => value
                .children()
                .map(|part| match part.kind() {
                    SyntaxKind::Int => part.leaf_text().parse().unwrap_or(1),
                    SyntaxKind::Array => items(part),
                    _ => 1,
                })
                .fold(1, usize::saturating_mul),
            SyntaxKind::Ident => self
                .written(value, at)
                .parse()
                .ok()
                .or_else(|| self.names.get(value.leaf_text().as_str())?.parse().ok())
                .unwrap_or(1),
            _ => 1,
        }
    }

    fn cells(&mut self, grid: &mut Grid, cells: &[Argument], depth: usize) {
        for (name, body, at) in cells {
            if !name.is_empty() {
                continue;
            }
            let callee = body.children().next().map(|callee| self.written(callee, *at).to_owned()).unwrap_or_default();
            let word = callee.rsplit('.').next().unwrap_or("");
            match (body.kind(), word) {
                (SyntaxKind::Spread, _) => self.once("cells of a table that are computed when the paper is set", *at),
                (SyntaxKind::FuncCall, "header") => {
                    self.cells(grid, &arguments(body, *at), depth + 1);
                    if grid.column == 0 && grid.row > 0 {
                        grid.raw.page_mark("endhead");
                    }
                }
                (SyntaxKind::FuncCall, "footer") => self.cells(grid, &arguments(body, *at), depth + 1),
                (SyntaxKind::FuncCall, "hline" | "hlinex") => grid.raw.rule(true),
                (SyntaxKind::FuncCall, "vline" | "vlinex") => {}
                (SyntaxKind::FuncCall, "cell" | "cellx") => self.wide_cell(grid, &arguments(body, *at), depth),
                _ => self.cell(grid, body, *at, (1, 1), depth),
            }
        }
    }

    fn wide_cell(&mut self, grid: &mut Grid, parts: &[Argument], depth: usize) {
        let number = |wanted: &str| {
            let found = parts.iter().find(|(name, ..)| name == wanted);
            found.and_then(|(_, value, _)| value.leaf_text().parse().ok()).unwrap_or(1_usize)
        };
        if let Some((_, body, at)) = parts.iter().find(|(name, ..)| name.is_empty()) {
            self.cell(grid, body, *at, (number("colspan"), number("rowspan")), depth);
        }
    }

    fn cell(&mut self, grid: &mut Grid, body: &SyntaxNode, at: usize, spans: (usize, usize), depth: usize) {
        grid.pass();
        let text = self.own(body, at, depth + 1).text;
        let columns = spans.0.clamp(1, grid.taken.len() - grid.column.min(grid.taken.len() - 1));
        let rows = spans.1.clamp(1, 10_000);
        for taken in grid.taken.iter_mut().skip(grid.column).take(columns) {
            *taken = grid.row + rows;
        }
        grid.raw.columns = columns;
        grid.raw.spans_rows = i64::try_from(rows).unwrap_or(1);
        let place = self.place(at);
        grid.raw.end_cell(text, Some(place));
        grid.next(columns);
    }
}
