//! One cell said again: its row is named and its column, by a word or by its unit; what stands beside it in the sentence agrees.

use super::super::names::{brief, is_summary};
use super::{Named, Said};
use crate::lint::{
    grid::Grid,
    number::{Bound, Interval},
    paper::View,
    report::{Out, Sure},
    sentence::Quantity,
    unit::Dim,
};

impl Said<'_, '_> {
    pub(super) fn cell_told(&self, grid: &Grid, view: &View<'_>, named: &Named, out: &mut Out<'_>) -> bool {
        let [row] = named.rows.as_slice() else { return false };
        let apart = self.apart() || self.has("than|vs|versus|from|within|limit|budget|until|every|after|timeout|confidence|each|between|another|ensemble|respectively");
        if apart || is_summary(&grid.rows[*row].lower) || self.foreign(grid, view) || self.levelled(grid, view) {
            return false;
        }
        let mut decided = false;
        for quantity in &self.sentence.quantities {
            if let Some((column, company)) = self.cell_of(grid, *row, named, quantity) {
                decided |= self.same_cell(grid, view, (*row, column), (quantity, company), out);
            }
        }
        decided
    }

    /// The column that a quantity of the row can be of, and whether another quantity of the sentence is in the row, too.
    fn cell_of(&self, grid: &Grid, row: usize, named: &Named, quantity: &Quantity) -> Option<(usize, bool)> {
        let bare = matches!(quantity.unit.dim, Dim::None | Dim::Count(_));
        let alone = self.sentence.quantities.iter().filter(|q| q.unit.dim == quantity.unit.dim).count() == 1;
        let fraction = self.sentence.text[quantity.number.range.clone()].contains(['.', ',']);
        let before = self.sentence.lower.get(..quantity.range.start).unwrap_or("").trim_end();
        // A change "by" so much is no cell.
        let claim = self.claims.iter().any(|claim| claim.range == quantity.range)
            || before.ends_with(" by")
            || before.ends_with(" um");
        if quantity.upper.is_some()
            || self.worked(quantity)
            || self.pairs.iter().any(|pair| pair.range.contains(&quantity.range.start))
            || quantity.number.stated.bound != Bound::Value
            || quantity.number.about
            || !alone
            || claim
            || matches!(quantity.unit.dim, Dim::Factor | Dim::Points)
            || bare && !fraction
        {
            return None;
        }
        let alike: Vec<usize> = (usize::from(grid.levels)..grid.columns.len())
            .filter(|column| {
                let cell = grid.cell(row, *column);
                cell.interval().is_some() && (cell.unit.dim == quantity.unit.dim || bare && cell.unit.dim == Dim::None)
            })
            .collect();
        let company = self.sentence.quantities.iter().any(|other| {
            let near = |cell: Interval| other.base().cut().meets(cell);
            other.range != quantity.range
                && grid.cells[row]
                    .iter()
                    .filter(|cell| cell.unit.dim == other.unit.dim || cell.unit.dim == Dim::None)
                    .filter_map(|cell| cell.interval())
                    .any(near)
        });
        let column = match (self.pick(grid, &alike, named), alike.as_slice()) {
            (Some(column), _) => column,
            (None, [column]) if !bare && (company || self.tokens.len() <= 16) => *column,
            _ => return None,
        };
        Some((column, company))
    }

    fn same_cell(
        &self,
        grid: &Grid,
        view: &View<'_>,
        (row, column): (usize, usize),
        (quantity, company): (&Quantity, bool),
        out: &mut Out<'_>,
    ) -> bool {
        let cell = grid.cell(row, column);
        let Some(own) = cell.interval() else { return false };
        let bare = quantity.unit.dim == Dim::None || matches!(quantity.unit.dim, Dim::Count(_));
        let stated = if bare { quantity.number.stated.scaled(cell.unit.scale) } else { quantity.base() };
        let place = self.sentence.place(quantity.range.start);
        let says = self.sentence.quote(quantity.range.clone());
        if stated.cut().meets(own) {
            out.fits(place, "restated", says);
            return true;
        }
        let spread = cell.more.iter().any(|more| {
            let wide = more.number.stated.value.abs() * more.unit.scale.max(cell.unit.scale);
            (stated.value - own.middle()).abs() <= wide
        });
        let same = |other: Interval| {
            if bare { (other.middle() - stated.value).abs() < 1e-9 * stated.value } else { stated.cut().meets(other) }
        };
        let elsewhere = grid.cells.iter().flatten().filter_map(|cell| cell.interval()).any(same);
        let ratio = stated.value / own.middle();
        let precise = stated.half < 0.03 * stated.value.abs();
        // Scores lie near each other: there a small difference is one.
        let least = if bare { 0.004 } else { 0.02 };
        let far = if company && !bare { 0.25..4.0 } else { 0.6..1.67 };
        if elsewhere || spread || !precise || !far.contains(&ratio) || (ratio - 1.0).abs() < least {
            return false;
        }
        let beside = if company { ", and what else is said of the row agrees" } else { "" };
        let said = [
            says,
            format!("{} in the table (line {})", cell.text, view.place.line),
            format!("{} of {}{beside}", brief(&grid.columns[column].text), brief(&grid.rows[row].text)),
        ];
        out.wrong(place, "restated", Sure::Warning, said);
        true
    }
}
