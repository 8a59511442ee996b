//! The table of runs as claims of one's own ask of it: what each cell has of a number, computed once, and the rows behind it.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
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
            Column::Generated => Some(run.n_gen),
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

impl Tested {
    /// Of what a run has; what it lacks meets nothing.
    fn holds(&self, value: f64) -> bool {
        !value.is_nan()
            && match self {
                Tested::Is(comparison, than) => comparison.holds(value, *than),
                Tested::In(list) => list.contains(&value),
            }
    }
}

/// Sets of rows that are kept for another time: of a million runs each is 125 kB.
pub(super) const MOST_KEPT: usize = 256;

/// Rows, a bit each.
pub(super) type Bits = Vec<u64>;

#[derive(Debug)]
pub(super) struct Table<'a> {
    pub summary: &'a Summary,
    /// Indices into the summary's runs, a cell after the other; and where each cell begins, and the last ends.
    rows: Vec<u32>,
    starts: Vec<usize>,
    /// In the order of `rows`; NaN where a run has no such number.
    columns: BTreeMap<Column, Rc<Vec<f64>>>,
    moments: BTreeMap<Column, Rc<Moments>>,
    joint: BTreeMap<(Column, Column), Rc<Vec<f64>>>,
    runs: BTreeMap<Bits, Runs>,
}

impl<'a> Table<'a> {
    pub fn of(summary: &'a Summary) -> Self {
        let mut starts = vec![0; summary.grid.cells.len() + 1];
        summary.runs.iter().for_each(|run| starts[run.cell + 1] += 1);
        for cell in 1..starts.len() {
            starts[cell] += starts[cell - 1];
        }
        let (mut next, mut rows) = (starts.clone(), vec![0; summary.runs.len()]);
        for (row, run) in summary.runs.iter().enumerate() {
            rows[next[run.cell]] = row as u32;
            next[run.cell] += 1;
        }
        Table {
            summary,
            rows,
            starts,
            columns: BTreeMap::new(),
            moments: BTreeMap::new(),
            joint: BTreeMap::new(),
            runs: BTreeMap::new(),
        }
    }

    pub fn cells(&self) -> usize {
        self.starts.len() - 1
    }

    /// Cells and rows that a function may look at.
    pub fn size(&self, scope: Option<&[usize]>) -> usize {
        match scope {
            Some(cells) => cells.iter().map(|cell| 1 + self.places(*cell).len()).sum(),
            None => self.cells() + self.rows.len(),
        }
    }

    /// The places of a cell's rows.
    fn places(&self, cell: usize) -> Range<usize> {
        self.starts[cell]..self.starts[cell + 1]
    }

    fn column(&mut self, column: Column) -> Rc<Vec<f64>> {
        let (rows, runs) = (&self.rows, &self.summary.runs);
        let read = || rows.iter().map(|row| column.of(&runs[*row as usize]).unwrap_or(f64::NAN)).collect();
        Rc::clone(self.columns.entry(column).or_insert_with(|| Rc::new(read())))
    }

    pub fn moments(&mut self, column: Column) -> Rc<Moments> {
        if let Some(known) = self.moments.get(&column) {
            return Rc::clone(known);
        }
        let mut moments = Moments::default();
        let all = self.column(column);
        for cell in 0..self.cells() {
            let values: Vec<f64> = all[self.places(cell)].iter().copied().filter(|value| !value.is_nan()).collect();
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
        let (xs, ys) = (self.column(one), self.column(other));
        let cell = |cell: usize| {
            let (mut n, mut products) = (0.0, 0.0);
            if one == other {
                (n, products) = (a.n[cell], a.squares[cell]);
            } else if a.squares[cell] > 0.0 && b.squares[cell] > 0.0 {
                for (x, y) in self.places(cell).map(|place| (xs[place], ys[place])) {
                    if !x.is_nan() && !y.is_nan() {
                        n += 1.0;
                        products += (x - a.mean[cell]) * (y - b.mean[cell]);
                    }
                }
            }
            // Of runs that have both; a run that has one alone moves one mean alone.
            if n < 2.0 { 0.0 } else { products / (n - 1.0) * n / (a.n[cell] * b.n[cell]) }
        };
        let found = Rc::new((0..self.cells()).map(cell).collect::<Vec<f64>>());
        self.joint.insert((one, other), Rc::clone(&found));
        found
    }

    /// What a selection tests, with the values for it.
    fn tests<'b>(&mut self, selection: &'b Selection) -> Vec<(Rc<Vec<f64>>, &'b Tested)> {
        selection.tests.iter().map(|(column, tested)| (self.column(*column), tested)).collect()
    }

    /// The cells of a selection, of those in `scope` if there is one.
    pub fn selected<'b>(
        &self,
        selection: &'b Selection,
        scope: Option<&'b [usize]>,
    ) -> Box<dyn Iterator<Item = usize> + 'b> {
        match scope {
            Some(cells) => Box::new(cells.iter().copied().filter(move |cell| selection.cells[*cell])),
            None => Box::new((0..self.cells()).filter(move |cell| selection.cells[*cell])),
        }
    }

    /// The places of the rows that a selection picks.
    fn picked(&mut self, selection: &Selection, scope: Option<&[usize]>) -> Vec<usize> {
        let tests = self.tests(selection);
        let places = self.selected(selection, scope).flat_map(|cell| self.places(cell));
        places.filter(|place| tests.iter().all(|(values, tested)| tested.holds(values[*place]))).collect()
    }

    pub fn count(&mut self, selection: &Selection, scope: Option<&[usize]>) -> usize {
        if selection.tests.is_empty() {
            return self.selected(selection, scope).map(|cell| self.places(cell).len()).sum();
        }
        self.picked(selection, scope).len()
    }

    pub fn values(&mut self, column: Column, selection: &Selection, scope: Option<&[usize]>) -> Vec<f64> {
        let all = self.column(column);
        let mut values: Vec<f64> = if selection.tests.is_empty() {
            self.selected(selection, scope).flat_map(|cell| &all[self.places(cell)]).copied().collect()
        } else {
            self.picked(selection, scope).into_iter().map(|place| all[place]).collect()
        };
        values.retain(|value| !value.is_nan());
        values
    }

    /// Of one cell, value by block; runs that were not executed in blocks have none.
    pub fn by_block(&mut self, column: Column, cell: usize) -> BTreeMap<u32, f64> {
        let values = self.column(column);
        let places = self.places(cell).rev().filter(|place| !values[*place].is_nan());
        let block = |place: usize| self.summary.runs[self.rows[place] as usize].block;
        places.map(|place| (block(place), values[place])).filter(|(block, _)| *block > 0).collect()
    }

    pub fn no_rows(&self) -> Bits {
        vec![0; self.summary.runs.len().div_ceil(64)]
    }

    /// Marks the rows that a selection picks and that have the number.
    pub fn mark(&mut self, bits: &mut Bits, column: Option<Column>, selection: &Selection, scope: Option<&[usize]>) {
        let values = column.map(|column| self.column(column));
        let tests = self.tests(selection);
        for cell in self.selected(selection, scope) {
            for place in self.places(cell) {
                let has = values.as_ref().is_none_or(|values| !values[place].is_nan());
                if has && tests.iter().all(|(values, tested)| tested.holds(values[place])) {
                    let row = self.rows[place] as usize;
                    bits[row / 64] |= 1 << (row % 64);
                }
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
        if self.runs.len() < MOST_KEPT {
            self.runs.insert(bits.clone(), runs.clone());
        }
        runs
    }

    /// Names of factors, of those of the design.
    pub fn factors(&self) -> BTreeSet<&'a str> {
        self.summary.factors.iter().map(|factor| factor.name.as_str()).collect()
    }
}
