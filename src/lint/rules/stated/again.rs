//! A number of the table again: one of a pair, a cell that is named, a value with its lead.

use std::collections::BTreeSet;

use super::super::{Paper, names::brief};
use super::{Named, Said};
use crate::lint::{
    grid::{Cell, Grid},
    number::{Bound, Interval, show},
    paper::View,
    report::{Out, Sure},
    sentence::Quantity,
    unit::Dim,
};

impl Said<'_, '_> {
    /// "92.8 %, +20.8 points over the baseline": then the table has 72.0.
    pub(super) fn points(&self, paper: &Paper<'_>, out: &mut Out<'_>) {
        let points: Vec<&Quantity> = self
            .sentence
            .quantities
            .iter()
            .filter(|q| {
                (q.unit.dim == Dim::Points || q.unit.dim == Dim::Count("point".into()) && q.number.signed)
                    && q.upper.is_none()
            })
            .collect();
        let values: Vec<&Quantity> =
            self.sentence.quantities.iter().filter(|q| q.unit.dim == Dim::Percent && q.upper.is_none()).collect();
        let ([first, ..], [value]) = (points.as_slice(), values.as_slice()) else { return };
        let between = self.sentence.lower.get(value.range.end..first.range.start).unwrap_or(";");
        if between.len() > 12 || between.contains([';', '.']) || !first.number.signed || self.elsewhere() {
            return;
        }
        let cells: Vec<Interval> = paper
            .tables
            .iter()
            .filter_map(|view| view.grid.as_ref())
            .flat_map(|grid| grid.cells.iter().flatten())
            .filter(|cell| matches!(cell.unit.dim, Dim::Percent | Dim::None))
            .filter_map(Cell::interval)
            .collect();
        let own = value.number.stated;
        let told = cells.iter().any(|cell| (cell.middle() - own.value).abs() < own.half);
        let base = own.interval().minus(first.number.stated.interval());
        let place = self.sentence.place(first.range.start);
        if cells.iter().any(|cell| cell.meets(base)) {
            out.fits(place, "stated", self.sentence.quote(value.range.start..first.range.end));
        } else if told && own.half < 0.3 {
            let said = [
                self.sentence.quote(value.range.start..first.range.end),
                format!("{} in no table", show(base.middle())),
                "the value less its lead is the other's value".into(),
            ];
            out.wrong(place, "stated", Sure::Warning, said);
        }
    }

    /// "(1.000 vs 0.986 p/s)", where the row has one of the two.
    pub(super) fn pair_again(&self, grid: &Grid, view: &View<'_>, named: &Named, out: &mut Out<'_>) -> bool {
        let ([pair], [row]) =
            (self.pairs.as_slice(), self.rows_by_word(grid, named).as_slice().try_into().unwrap_or([usize::MAX]))
        else {
            return false;
        };
        if row == usize::MAX || self.has("average|mean|median|total|sum|overall") || self.partial() {
            return false;
        }
        let cells: Vec<&Cell> = grid.cells[row].iter().filter(|cell| cell.value.is_some()).collect();
        let exact = |value: Interval| {
            cells.iter().any(|cell| {
                cell.interval().is_some_and(|own| (own.middle() - value.middle()).abs() <= 1e-9 * own.middle().abs())
            })
        };
        let loosely =
            |value: Interval| {
                grid.cells.iter().flatten().filter_map(Cell::interval).any(|own| {
                    Interval { low: own.low - 2.0 * own.half(), high: own.high + 2.0 * own.half() }.meets(value)
                })
            };
        let (first, second) = (exact(pair.a), exact(pair.b));
        let odd = match (first, second) {
            (true, false) => pair.b,
            (false, true) => pair.a,
            _ => return false,
        };
        let digits = odd.half() < 0.02 * odd.middle();
        if loosely(odd) || !digits || cells.len() < 2 {
            return false;
        }
        let known = if first { pair.a } else { pair.b };
        let rest: Vec<&&Cell> = cells
            .iter()
            .filter(|cell| {
                cell.interval().is_some_and(|own| (own.middle() - known.middle()).abs() > 1e-9 * own.middle().abs())
                    && cell.unit.dim == pair.dim
                    || cell.unit.dim == Dim::None
            })
            .collect();
        let Some(nearest) = rest
            .iter()
            .filter_map(|cell| cell.interval().map(|own| (own, cell)))
            .min_by(|a, b| (a.0.middle() - odd.middle()).abs().total_cmp(&(b.0.middle() - odd.middle()).abs()))
        else {
            return false;
        };
        if !(0.6..1.7).contains(&(odd.middle() / nearest.0.middle())) {
            return false;
        }
        let said = [
            self.sentence.quote(pair.range.clone()),
            format!("{} in the table (line {})", nearest.1.text, view.place.line),
            format!("the row {} has the other of the two numbers", brief(&grid.rows[row].text)),
        ];
        out.wrong(self.sentence.place(pair.range.start), "restated", Sure::Warning, said);
        true
    }

    fn rows_by_word(&self, grid: &Grid, named: &Named) -> Vec<usize> {
        if !named.rows.is_empty() {
            return named.rows.clone();
        }
        (0..grid.rows.len()).filter(|row| self.shares_word(&grid.rows[*row].text)).collect()
    }

    /// One number of a cell that is named by its row and its column.
    pub(super) fn cell_again(&self, grid: &Grid, view: &View<'_>, named: &Named, out: &mut Out<'_>) -> bool {
        let [row] = named.rows.as_slice() else { return false };
        let mut measured = self.sentence.quantities.iter().filter(|q| {
            matches!(q.unit.dim, Dim::Time | Dim::Rate(_) | Dim::Bytes | Dim::Percent | Dim::Money | Dim::Physical(_))
        });
        let (Some(quantity), None) = (measured.next(), measured.next()) else { return false };
        if quantity.upper.is_some()
            || quantity.number.stated.bound != Bound::Value
            || self.partial()
            || self.worked(quantity)
            || !self.pairs.is_empty()
            || self.foreign(grid, view)
            || !self.claims.is_empty()
            || self.has("than|vs|versus|compared|from|within|limit|budget|until|every|after|timeout|confidence")
        {
            return false;
        }
        let alike: Vec<usize> =
            (0..grid.columns.len()).filter(|column| grid.cell(*row, *column).unit.dim == quantity.unit.dim).collect();
        let columns: BTreeSet<usize> = alike.iter().copied().filter(|column| named.columns.contains(column)).collect();
        let column = match (columns.len(), alike.as_slice()) {
            (1, _) => *columns.iter().next().unwrap_or(&0),
            (0, [column]) if self.shares_word(&grid.columns[*column].text) => *column,
            _ => return false,
        };
        let cell = grid.cell(*row, column);
        let Some(own) = cell.interval() else { return false };
        let stated = quantity.base();
        let place = self.sentence.place(quantity.range.start);
        let says = self.sentence.quote(quantity.range.clone());
        if stated.cut().meets(own) {
            out.fits(place, "restated", says);
            return true;
        }
        let elsewhere = grid.cells.iter().flatten().filter_map(Cell::interval).any(|other| stated.cut().meets(other));
        let ratio = stated.value / own.middle();
        let precise = stated.half < 0.03 * stated.value.abs() && !quantity.number.about;
        if elsewhere || !precise || !(0.5..2.0).contains(&ratio) || (ratio - 1.0).abs() < 0.02 {
            return false;
        }
        let said = [
            says,
            format!("{} in the table (line {})", cell.text, view.place.line),
            format!("{} of {}", brief(&grid.columns[column].text), brief(&grid.rows[*row].text)),
        ];
        out.wrong(place, "restated", Sure::Warning, said);
        true
    }
}
