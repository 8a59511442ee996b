//! A table -> readings: each number with its quantity, its statistic and the level that it belongs to. Tables whose shape is
//! not understood give none.

use std::rc::Rc;

use super::{
    document::{self, Place},
    grid::Cell,
    label::{Label, Quantity, Stat, bracketed_unit},
    number::Stated,
    unit::Dim,
    words::one_of,
};

/// A number of a table, in the base of its unit.
#[derive(Debug, Clone)]
pub struct Reading {
    pub place: Place,
    pub row: usize,
    pub column: usize,
    pub quantity: Quantity,
    pub stat: Stat,
    /// Of all data, not of one level.
    pub overall: bool,
    pub value: Stated,
    /// As the cell has it.
    pub text: String,
}

impl Reading {
    /// `latency 2.68 [s]`, as a message quotes it.
    pub fn quote(&self) -> String {
        format!("{} {}", self.quantity.name(), self.text).trim().to_owned()
    }

    /// A ratio, whether the cell has it as percentage or not.
    pub fn as_ratio(&self) -> Stated {
        let percent = self.text.contains('%') || self.quantity.dim == Dim::Percent;
        if percent { self.value.scaled(0.01) } else { self.value }
    }
}

/// A table that was understood.
#[derive(Debug)]
pub struct Table<'a> {
    pub source: &'a document::Table,
    cells: Rc<Vec<Vec<Cell>>>,
    /// What distinguishes the rows: `length output` in tokens.
    pub factor: Label,
    /// The rows are levels of `factor`, all different; else several factors are crossed, or the rows are quantities.
    pub one_way: bool,
    pub readings: Vec<Reading>,
}

impl<'a> Table<'a> {
    /// Reads one of three shapes: rows are quantities and columns statistics; the transpose; rows are levels and columns
    /// quantities.
    pub fn read(source: &'a document::Table, cells: &Rc<Vec<Vec<Cell>>>) -> Option<Self> {
        let labels: Vec<Label> = source.header.iter().map(|header| Label::read(header)).collect();
        let factor = labels.first()?.clone();
        let statistic = |label: &Label| label.bare() && !matches!(label.stat, Stat::Unread | Stat::Count);
        let bare = labels.iter().skip(1).filter(|label| statistic(label)).count();
        // A column that names a quantity and has numbers makes the rows levels.
        let numeric = |column: usize| cells.iter().any(|row| row.get(column).is_some_and(|cell| cell.value.is_some()));
        let named = (1..labels.len()).any(|column| !labels[column].bare() && numeric(column));
        let names = |words: &[&str]| words.contains(&source.header[0].trim().to_lowercase().as_str());
        let quantities =
            names(&["metric", "measure", "quantity", "variable", "measurement", "indicator", "parameter", ""]);
        let row_labels: Vec<Label> =
            source.rows.iter().map(|row| Label::read(row.cells.first().map_or("", String::as_str))).collect();
        let with_unit = row_labels.iter().any(|label| !matches!(label.quantity.dim, Dim::None | Dim::Count(_)));
        let mut table = Table { source, cells: Rc::clone(cells), factor, one_way: false, readings: Vec::new() };
        if bare >= 2 && !named {
            table.read_statistics(&labels, &row_labels, quantities || with_unit);
        } else if row_labels.iter().filter(|label| statistic(label)).count() >= 2 {
            table.read_transposed(&labels, &row_labels);
        } else {
            table.read_levels(&labels);
        }
        (!table.readings.is_empty()).then_some(table)
    }

    /// Rows are quantities (or levels of an unnamed one), columns statistics.
    fn read_statistics(&mut self, columns: &[Label], rows: &[Label], quantities: bool) {
        let units = self.source.header.iter().position(|header| header.trim().eq_ignore_ascii_case("unit"));
        for (index, row) in self.source.rows.iter().enumerate() {
            let mut label = rows[index].clone();
            if let Some(unit) = units.and_then(|column| row.cells.get(column)).and_then(|cell| bracketed_unit(cell)) {
                (label.quantity.dim, label.factor) = (unit.dim, unit.scale);
            }
            let overall = quantities && label.stat == Stat::Value;
            for (column, header) in columns.iter().enumerate().skip(1) {
                if Some(column) == units || !header.bare() {
                    continue;
                }
                // A CV has no unit, and a header's own unit goes first.
                let own = if header.factor == 1.0 { label.factor } else { header.factor };
                let factor = if matches!(header.stat, Stat::Cv | Stat::Count) { 1.0 } else { own };
                self.push(index, column, label.quantity.clone(), header.stat, overall, factor);
            }
        }
        self.one_way = !quantities;
    }

    /// Rows are statistics, columns quantities.
    fn read_transposed(&mut self, columns: &[Label], rows: &[Label]) {
        for (index, label) in rows.iter().enumerate() {
            for (column, header) in columns.iter().enumerate().skip(1) {
                if label.bare() && header.stat == Stat::Value {
                    let factor = if matches!(label.stat, Stat::Cv | Stat::Count) { 1.0 } else { header.factor };
                    self.push(index, column, header.quantity.clone(), label.stat, true, factor);
                }
            }
        }
    }

    /// Rows are levels, columns quantities; a bare statistic belongs to the quantity at its left.
    fn read_levels(&mut self, columns: &[Label]) {
        let mut names: Vec<String> = Vec::new();
        for (index, row) in self.source.rows.iter().enumerate() {
            let name = row.cells.first().map(|cell| cell.to_lowercase()).unwrap_or_default();
            let overall = one_of("overall|all|mean|average|avg|avg.|grand mean|all runs", name.trim());
            let mut left = Quantity::default();
            for (column, header) in columns.iter().enumerate().skip(1) {
                let quantity =
                    if header.bare() && header.stat != Stat::Count { left.clone() } else { header.quantity.clone() };
                if matches!(header.stat, Stat::Value | Stat::Mean) {
                    left = header.quantity.clone();
                }
                self.push(index, column, quantity, header.stat, overall, header.factor);
            }
            if !overall {
                names.push(name);
            }
        }
        let rows = names.len();
        names.sort();
        names.dedup();
        self.one_way = names.len() == rows && rows > 1;
    }

    fn push(&mut self, row: usize, column: usize, quantity: Quantity, stat: Stat, overall: bool, factor: f64) {
        let source = &self.source.rows[row];
        let Some(cell) = self.cells[row].get(column).filter(|cell| cell.firm().is_some()) else { return };
        let Some(value) = cell.value else { return };
        let text = source.cells[column].clone();
        // A cell's own unit goes first.
        let factor = if matches!(cell.unit.dim, Dim::None | Dim::Percent | Dim::Factor) { factor } else { 1.0 };
        self.readings.push(Reading {
            place: source.place,
            row,
            column,
            quantity,
            stat,
            overall,
            value: value.scaled(factor),
            text,
        });
    }

    /// The readings of one row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = &Reading> {
        // They are read row by row.
        let at = |row: usize| self.readings.partition_point(|reading| reading.row < row);
        self.readings[at(row)..at(row + 1)].iter()
    }

    /// The readings of levels in a column.
    pub fn levels(&self, column: usize) -> Vec<&Reading> {
        self.readings.iter().filter(|reading| reading.column == column && !reading.overall).collect()
    }

    /// Rows that sum up the others.
    pub fn overall_rows(&self) -> usize {
        let mut rows: Vec<usize> =
            self.readings.iter().filter(|reading| reading.overall).map(|reading| reading.row).collect();
        rows.dedup();
        rows.len()
    }

    /// The columns that have readings.
    pub fn columns(&self) -> Vec<usize> {
        let mut columns: Vec<usize> = self.readings.iter().map(|reading| reading.column).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// A row's label as a number: 64 of `64 tokens`.
    pub fn level(&self, row: usize) -> Option<Stated> {
        self.cells[row].first()?.value
    }

    /// A row's label.
    pub fn label(&self, row: usize) -> &str {
        self.source.rows[row].cells.first().map_or("", String::as_str)
    }
}
