//! Columns that follow from others: ratios, changes, differences, shares, sums. Which they are shows in the rows that fit; a row
//! that does not is the odd one. Rows that follow from rows are the same on the table's side.

mod enough;
mod hint;
mod report;
mod shape;
mod single;
mod tried;

use std::collections::BTreeSet;

use hint::Hint;
use shape::Shape;

use super::{Paper, names::is_summary};
use crate::lint::{
    grid::{Cell, Grid},
    number::{Bound, Interval, Stated},
    report::Out,
    unit::Dim,
    words::one_of,
};

/// More columns than this are no table that somebody reads.
const WIDEST: usize = 40;
/// Rows that tell whether a relation is worth trying.
const SAMPLE: usize = 48;

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    for grid in paper.tables.iter().filter_map(|view| view.grid.as_ref()) {
        columns(grid, out);
        if grid.rows.len() <= WIDEST {
            columns(&grid.turn(), out);
        }
    }
}

/// A shape held against the rows.
struct Fit {
    shape: Shape,
    /// Rows that fit and say something; how much, in decimal digits.
    fits: Vec<usize>,
    digits: f64,
    misfits: Vec<usize>,
}

fn columns(grid: &Grid, out: &mut Out<'_>) {
    if grid.columns.len() > WIDEST || grid.columns.len() * grid.rows.len() < 2 {
        return;
    }
    for target in 0..grid.columns.len() {
        let asked = Asked::new(grid, target);
        // A statistic beside others is of the same numbers, and follows from none of them.
        let statistic = one_of(
            "median|min|max|mean|sd|std|std dev|std.|minimum|maximum|average|avg|cv|p50|p90|p95|p99|stdev|range",
            asked.header.trim(),
        );
        if asked.rows.is_empty() || statistic {
            continue;
        }
        let mut found: Vec<Fit> = asked.shapes().into_iter().filter_map(|shape| asked.held(shape)).collect();
        found.sort_by(|a, b| a.misfits.len().cmp(&b.misfits.len()).then(b.digits.total_cmp(&a.digits)));
        match found.first() {
            Some(best) => asked.report(best, out),
            None => {
                asked.shifted(out);
                asked.single(out);
            }
        }
    }
}

/// One column, and what may be known of it before its numbers are looked at.
struct Asked<'a> {
    grid: &'a Grid,
    target: usize,
    dim: Dim,
    hint: Hint,
    /// Rows with a firm value that are no summary of others.
    rows: Vec<usize>,
    bases: Vec<usize>,
    header: &'a str,
    /// Zeros at the end of whole numbers may stand for other digits.
    wide: bool,
}

impl<'a> Asked<'a> {
    fn new(grid: &'a Grid, target: usize) -> Self {
        let cell = |row: usize| grid.cell(row, target);
        let summaries = grid.rows.iter().filter(|name| is_summary(&name.lower)).count();
        let all = summaries * 2 > grid.rows.len();
        let firm = |row: &usize| {
            cell(*row).value.is_some_and(|value| value.bound == Bound::Value)
                && !cell(*row).loose
                && (all || !is_summary(&grid.rows[*row].lower))
        };
        let rows: Vec<usize> = (0..grid.rows.len()).filter(firm).collect();
        let mut dims: Vec<&Dim> = rows.iter().map(|row| &cell(*row).unit.dim).collect();
        dims.sort();
        let common = dims.get(dims.len() / 2).map_or(Dim::None, |dim| (*dim).clone());
        let header = grid.columns[target].lower.as_str();
        let mut asked =
            Asked { grid, target, dim: common, hint: Hint::read(header), rows, bases: Vec::new(), header, wide: false };
        asked.rows.retain(|row| grid.cell(*row, target).unit.dim == asked.dim);
        // `+121%`: a sign makes it a change.
        let signed = asked.rows.iter().filter(|row| grid.cell(**row, target).signed).count();
        asked.hint.change |= asked.dim == Dim::Percent && signed * 2 > asked.rows.len();
        asked.bases = asked.base_rows();
        asked
    }

    /// The row that each row is compared with, as marks in the column, its header or its first or last row say.
    fn base_rows(&self) -> Vec<usize> {
        let grid = self.grid;
        let marked = |row: usize| {
            let cell = grid.cell(row, self.target);
            let text = cell.text.trim().trim_matches(['*', '(', ')', '_']).to_lowercase();
            let one = cell.value.is_some_and(|v| match self.dim {
                Dim::Percent | Dim::Points => v.value == 0.0 || (v.value == 100.0 && !self.hint.change),
                _ => v.value == 1.0,
            });
            one || text.is_empty()
                || text.contains("baseline")
                || one_of("-|–|—|base|ref|ref.|reference|n/a|1x|--|basis", &text)
        };
        let marks: Vec<usize> =
            (0..grid.rows.len()).filter(|row| marked(*row) && !is_summary(&grid.rows[*row].lower)).collect();
        let named = (0..grid.rows.len()).find(|row| {
            let label = grid.rows[*row].lower.trim();
            label.len() > 1
                && self.header.split(|c: char| !(c.is_alphanumeric() || "-._+/".contains(c))).any(|word| word == label)
                || label.len() > 3 && self.header.contains(label)
        });
        let count = grid.rows.len();
        match (named, marks.len()) {
            (Some(row), _) => vec![row; count],
            (None, 0) => Vec::new(),
            (None, _) => (0..count)
                .map(|row| marks.iter().rev().find(|mark| **mark <= row).or(marks.first()).copied().unwrap_or(0))
                .collect(),
        }
    }

    fn value(&self, row: usize, column: usize) -> Option<Interval> {
        let cell = self.grid.cell(row, column);
        if self.wide { cell.wide() } else { cell.interval() }
    }

    /// What the shape gives for a row, in the unit of the column.
    fn predicted(&self, shape: Shape, row: usize) -> Option<Interval> {
        let percent = self.dim == Dim::Percent || self.dim == Dim::Points;
        let scale = if percent { 100.0 } else { 1.0 };
        let base = || self.bases.get(row).copied();
        let one = Interval::at(1.0);
        let against = |column: usize| {
            Some((self.value(row, column)?, self.value(base()?, column)?)).filter(|_| base() != Some(row))
        };
        Some(match shape {
            Shape::Ratio(a, b) => self.ratio(row, a, b)?.scaled(scale),
            Shape::Change(a, b) => self.ratio(row, a, b)?.minus(one).scaled(scale),
            Shape::Difference(a, b) => self.value(row, a)?.minus(self.value(row, b)?),
            Shape::BaseRatio(a) => {
                let (own, base) = against(a)?;
                own.over(base)?.scaled(scale)
            }
            Shape::BaseInverse(a) => {
                let (own, base) = against(a)?;
                base.over(own)?.scaled(scale)
            }
            Shape::BaseChange(a) => {
                let (own, base) = against(a)?;
                own.over(base)?.minus(one).scaled(scale)
            }
            Shape::BaseDifference(a) => {
                let (own, base) = against(a)?;
                own.minus(base)
            }
            Shape::Share(a) => {
                let total = self.whole(a)?;
                self.value(row, a)?.over(total)?.scaled(scale)
            }
            Shape::Sum(a, b) => self.sum(row, a, b)?,
            Shape::Mean(a, b) => self.sum(row, a, b)?.scaled(1.0 / (b - a) as f64),
            Shape::Rate(a, b) => self.value(row, a)?.over(self.value(row, b)?)?,
        })
    }

    fn ratio(&self, row: usize, a: usize, b: usize) -> Option<Interval> {
        if self.grid.cell(row, a).unit.dim != self.grid.cell(row, b).unit.dim {
            return None;
        }
        let (over, under) = (self.value(row, a)?, self.value(row, b)?);
        // Nothing is no part of anything.
        let ratio = over.over(under).filter(|_| over.middle() != 0.0)?;
        // 1 GB is 1000 or 1024 MB.
        let prefixes = self.grid.cell(row, a).unit.scale != self.grid.cell(row, b).unit.scale
            && self.grid.cell(row, a).unit.dim == Dim::Bytes;
        Some(if prefixes { ratio.times(Interval { low: 0.93, high: 1.075 }) } else { ratio })
    }

    fn sum(&self, row: usize, a: usize, b: usize) -> Option<Interval> {
        (a..b)
            .filter(|column| *column != self.target)
            .map(|column| self.value(row, column))
            .try_fold(Interval::at(0.0), |sum, value| Some(sum.plus(value?)))
    }

    /// Of all rows, or the row that says so.
    fn whole(&self, column: usize) -> Option<Interval> {
        let total = (0..self.grid.rows.len()).find(|row| {
            ["total", "sum", "all", "overall", "gesamt", "summe", "合计"].contains(&self.grid.rows[*row].lower.trim())
        });
        match total {
            Some(row) => self.value(row, column),
            None => (0..self.grid.rows.len())
                .map(|row| self.value(row, column))
                .try_fold(Interval::at(0.0), |sum, value| Some(sum.plus(value?))),
        }
    }

    /// The shape, if enough rows have it.
    #[expect(clippy::disallowed_methods, reason = "digits are held against a threshold")]
    fn held(&self, shape: Shape) -> Option<Fit> {
        let mut fit = Fit { shape, fits: Vec::new(), digits: 0.0, misfits: Vec::new() };
        let mut said: BTreeSet<&str> = BTreeSet::new();
        for (seen, row) in self.rows.iter().copied().enumerate() {
            if seen == SAMPLE && fit.fits.len() < fit.misfits.len() {
                return None;
            }
            let Some(predicted) = self.predicted(shape, row) else { continue };
            let cell = self.grid.cell(row, self.target);
            if !self.agrees(cell, predicted, shape) {
                fit.misfits.push(row);
                continue;
            }
            let Some(stated) = cell.value else { continue };
            let width = predicted.half() + 2.0 * cell.step.min(stated.half);
            let digits = if width > 0.0 { (stated.value.abs() / width).log10() } else { 4.0 };
            let trivial = stated.value == 0.0 || (stated.value == 1.0 && matches!(self.dim, Dim::None | Dim::Factor));
            if digits >= 0.3 && !trivial && !self.negligible(shape, row, width) && said.insert(cell.text.as_str()) {
                fit.fits.push(row);
                fit.digits += digits.min(4.0);
            }
        }
        self.enough(&fit).then_some(fit)
    }

    /// A sum or a difference of which all numbers but one are too small to be seen is that number.
    fn negligible(&self, shape: Shape, row: usize, width: f64) -> bool {
        let seen = |value: &Interval| value.middle().abs() > 2.0 * width;
        let operands = match shape {
            Shape::Sum(a, b) => {
                let parts = (a..b).filter(|column| *column != self.target);
                return parts.filter_map(|column| self.value(row, column)).filter(seen).count() < 2;
            }
            Shape::Difference(a, b) => [self.value(row, a), self.value(row, b)],
            Shape::BaseDifference(a) => [self.value(row, a), self.bases.get(row).and_then(|base| self.value(*base, a))],
            _ => return false,
        };
        operands.iter().flatten().any(|operand| !seen(operand))
    }

    fn stated(&self, cell: &Cell) -> Option<Stated> {
        cell.value.map(|value| Stated { half: if self.wide { value.half } else { cell.step.min(value.half) }, ..value })
    }

    /// Can the cell be what the shape gives? A sign may be left out, and "slower" turns a ratio over.
    fn agrees(&self, cell: &Cell, predicted: Interval, shape: Shape) -> bool {
        let Some(stated) = self.stated(cell) else { return true };
        let turned = Interval { low: -predicted.high, high: -predicted.low };
        let flips = matches!(
            shape,
            Shape::Change(..) | Shape::BaseChange(_) | Shape::Difference(..) | Shape::BaseDifference(_)
        );
        let inverse = matches!(shape, Shape::Ratio(..) | Shape::BaseRatio(_) | Shape::BaseInverse(_)) && cell.slower;
        let over = Interval::at(1.0).over(predicted).filter(|_| inverse);
        stated.cut().meets(predicted)
            || flips && stated.cut().meets(turned)
            || over.is_some_and(|over| stated.cut().meets(over))
    }
}
