//! The table of runs as claims of one's own ask of it: what each cell has of a number, computed once, and the rows behind it.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use super::{
    tree::Comparison,
    unit::{BARE, BYTES, Kind, TIME, TOKENS},
};
use crate::{
    analysis::{RunMetrics, Summary, observation::is_rounding, stats},
    claims::Runs,
    metric::Metric,
};

/// A number that a run has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Column {
    Metric(Metric),
    Generated,
    Prompted,
    MaxTokens,
    Order,
    Block,
    Repeat,
}

impl Column {
    pub fn named(name: &str) -> Option<Column> {
        Some(match name {
            "n_gen" => Column::Generated,
            "n_prompt" => Column::Prompted,
            "max_tokens" => Column::MaxTokens,
            "order" => Column::Order,
            "block" => Column::Block,
            "repeat" => Column::Repeat,
            name => Column::Metric(Metric::named(name)?),
        })
    }

    /// What it measures.
    pub fn kind(self) -> Kind {
        match self {
            Column::Metric(metric) => match metric.about().unit {
                "s" => TIME,
                "bytes" => BYTES,
                "tok/s" => TOKENS.over(TIME).unwrap_or(BARE),
                _ => BARE,
            },
            Column::Generated | Column::Prompted | Column::MaxTokens => TOKENS,
            Column::Order | Column::Block | Column::Repeat => BARE,
        }
    }

    /// Is it a whole number of every run?
    pub fn is_whole(self) -> bool {
        !matches!(self, Column::Metric(_))
    }

    fn of(self, run: &RunMetrics) -> Option<f64> {
        match self {
            Column::Metric(metric) => run.value(metric),
            Column::Generated => Some(run.n_gen.into()),
            Column::Prompted => Some(run.n_prompt.into()),
            Column::MaxTokens => Some(run.max_tokens.into()),
            Column::Order => Some(run.order.into()),
            Column::Block => Some(run.block.into()),
            Column::Repeat => Some(run.repeat.into()),
        }
    }
}

/// A number by cell. Cells without a run that has it have `n` of zero.
#[derive(Debug, Default)]
pub(super) struct Moments {
    pub n: Vec<f64>,
    pub mean: Vec<f64>,
    /// Sums of squared differences from the cell's mean.
    pub squares: Vec<f64>,
    pub min: Vec<f64>,
    pub max: Vec<f64>,
}

/// Runs that conditions pick.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection {
    /// By cell: do its factors fit?
    pub cells: Vec<bool>,
    /// On what the runs themselves have.
    pub tests: Vec<(Column, Tested)>,
}

#[derive(Debug, Clone)]
pub(super) enum Tested {
    Is(Comparison, f64),
    In(Vec<f64>),
}

/// Rows, a bit each.
pub(super) type Bits = Vec<u64>;

#[derive(Debug)]
pub(super) struct Table<'a> {
    pub summary: &'a Summary,
    /// By cell, indices into the summary's runs.
    rows: Vec<Vec<u32>>,
    moments: BTreeMap<Column, Rc<Moments>>,
    joint: BTreeMap<(Column, Column), Rc<Vec<f64>>>,
    runs: BTreeMap<Bits, Runs>,
}

impl<'a> Table<'a> {
    pub fn of(summary: &'a Summary) -> Self {
        let mut rows = vec![Vec::new(); summary.grid.cells.len()];
        for (row, run) in summary.runs.iter().enumerate() {
            rows[run.cell].push(row as u32);
        }
        Table { summary, rows, moments: BTreeMap::new(), joint: BTreeMap::new(), runs: BTreeMap::new() }
    }

    pub fn cells(&self) -> usize {
        self.rows.len()
    }

    fn run(&self, row: u32) -> &RunMetrics {
        &self.summary.runs[row as usize]
    }

    pub fn moments(&mut self, column: Column) -> Rc<Moments> {
        if let Some(known) = self.moments.get(&column) {
            return Rc::clone(known);
        }
        let mut moments = Moments::default();
        for rows in &self.rows {
            let values: Vec<f64> = rows.iter().filter_map(|row| column.of(self.run(*row))).collect();
            let fold = |start: f64, of: fn(f64, f64) -> f64| values.iter().copied().fold(start, of);
            let (n, mean) = (values.len(), if values.is_empty() { 0.0 } else { stats::mean(&values) });
            let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
            let scale = fold(0.0, |most, value| most.max(value.abs()));
            moments.n.push(n as f64);
            moments.mean.push(mean);
            moments.squares.push(if is_rounding(squares, n, scale) { 0.0 } else { squares });
            moments.min.push(fold(f64::INFINITY, f64::min));
            moments.max.push(fold(f64::NEG_INFINITY, f64::max));
        }
        let moments = Rc::new(moments);
        self.moments.insert(column, Rc::clone(&moments));
        moments
    }

    /// By cell, the covariance (ddof = 1) of what two columns' means there are: 0 where fewer than two runs have both.
    pub fn covariance(&mut self, one: Column, other: Column) -> Rc<Vec<f64>> {
        if let Some(known) = self.joint.get(&(one, other)) {
            return Rc::clone(known);
        }
        let (a, b) = (self.moments(one), self.moments(other));
        let cell = |(cell, rows): (usize, &Vec<u32>)| {
            let (mut n, mut products) = (0.0, 0.0);
            if one == other {
                (n, products) = (a.n[cell], a.squares[cell]);
            } else if a.squares[cell] > 0.0 && b.squares[cell] > 0.0 {
                for row in rows {
                    let run = self.run(*row);
                    if let Some((x, y)) = one.of(run).zip(other.of(run)) {
                        n += 1.0;
                        products += (x - a.mean[cell]) * (y - b.mean[cell]);
                    }
                }
            }
            // Of runs that have both; a run that has one alone moves one mean alone.
            if n < 2.0 { 0.0 } else { products / (n - 1.0) * n / (a.n[cell] * b.n[cell]) }
        };
        let found = Rc::new(self.rows.iter().enumerate().map(cell).collect::<Vec<f64>>());
        self.joint.insert((one, other), Rc::clone(&found));
        found
    }

    fn meets(&self, row: u32, selection: &Selection) -> bool {
        let run = self.run(row);
        selection.tests.iter().all(|(column, tested)| {
            column.of(run).is_some_and(|value| match tested {
                Tested::Is(comparison, than) => comparison.holds(value, *than),
                Tested::In(list) => list.contains(&value),
            })
        })
    }

    /// The cells of a selection, of those in `scope` if there is one.
    pub fn selected<'b>(
        &self,
        selection: &'b Selection,
        scope: Option<&'b [usize]>,
    ) -> Box<dyn Iterator<Item = usize> + 'b> {
        match scope {
            Some(cells) => Box::new(cells.iter().copied().filter(move |cell| selection.cells[*cell])),
            None => Box::new((0..self.rows.len()).filter(move |cell| selection.cells[*cell])),
        }
    }

    /// The rows that a selection picks.
    fn picked<'b>(&'b self, selection: &'b Selection, scope: Option<&'b [usize]>) -> impl Iterator<Item = u32> + 'b {
        let rows = self.selected(selection, scope).flat_map(move |cell| self.rows[cell].iter().copied());
        rows.filter(move |row| selection.tests.is_empty() || self.meets(*row, selection))
    }

    pub fn count(&self, selection: &Selection, scope: Option<&[usize]>) -> usize {
        if selection.tests.is_empty() {
            return self.selected(selection, scope).map(|cell| self.rows[cell].len()).sum();
        }
        self.picked(selection, scope).count()
    }

    pub fn values(&self, column: Column, selection: &Selection, scope: Option<&[usize]>) -> Vec<f64> {
        self.picked(selection, scope).filter_map(|row| column.of(self.run(row))).collect()
    }

    /// Of one cell, value by block; runs that were not executed in blocks have none.
    pub fn by_block(&self, column: Column, cell: usize, selection: &Selection) -> BTreeMap<u32, f64> {
        let rows = self.rows[cell].iter().rev().filter(|row| self.meets(**row, selection));
        let runs = rows.map(|row| self.run(*row)).filter(|run| run.block > 0);
        runs.filter_map(|run| Some((run.block, column.of(run)?))).collect()
    }

    pub fn no_rows(&self) -> Bits {
        vec![0; self.summary.runs.len().div_ceil(64)]
    }

    /// Marks the rows that a selection picks and that have the number.
    pub fn mark(&self, bits: &mut Bits, column: Option<Column>, selection: &Selection, scope: Option<&[usize]>) {
        for row in self.picked(selection, scope) {
            if column.is_none_or(|column| column.of(self.run(row)).is_some()) {
                bits[row as usize / 64] |= 1 << (row % 64);
            }
        }
    }

    /// Marks runs by their numbers.
    pub fn mark_runs(&self, bits: &mut Bits, runs: &Runs) {
        let mut rows = self.summary.runs.iter().map(|run| run.run).enumerate().peekable();
        for run in runs.iter() {
            while rows.next_if(|(_, other)| *other < run).is_some() {}
            if let Some((row, _)) = rows.next_if(|(_, other)| *other == run) {
                bits[row / 64] |= 1 << (row % 64);
            }
        }
    }

    /// The numbers of the runs. Claims on the same rows share them.
    pub fn runs(&mut self, bits: &Bits) -> Runs {
        if let Some(known) = self.runs.get(bits) {
            return known.clone();
        }
        let is_marked = |row: &usize| bits[row / 64] & (1 << (row % 64)) != 0;
        let marked = (0..self.summary.runs.len()).filter(is_marked);
        let numbers: Vec<u32> = marked.map(|row| self.summary.runs[row].run).collect();
        let runs = Runs::from(numbers.as_slice());
        self.runs.insert(bits.clone(), runs.clone());
        runs
    }

    /// Names of factors, of those of the design.
    pub fn factors(&self) -> BTreeSet<&'a str> {
        self.summary.factors.iter().map(|factor| factor.name.as_str()).collect()
    }
}
