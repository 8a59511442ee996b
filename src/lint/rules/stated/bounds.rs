//! "1.4 to 2.1× at every size", "at least 30 %", "up to 3×": the ends of a column, or of the ratios of two.

use super::super::names::is_summary;
use super::{Named, Said};
use crate::lint::{
    grid::Grid,
    number::{Bound, Interval, Stated, show},
    paper::View,
    report::{Out, Sure},
    sentence::Quantity,
    unit::Dim,
    words::contains_any,
};

impl Said<'_, '_> {
    /// "beats block by 1.36–1.46× at every L", "2-3x faster"
    pub(super) fn range(&self, grid: &Grid, view: &View<'_>, named: &Named, out: &mut Out<'_>) -> bool {
        let mut ranges = self
            .sentence
            .quantities
            .iter()
            .filter(|q| q.upper.is_some() && matches!(q.unit.dim, Dim::Factor | Dim::Percent));
        let (Some(quantity), None) = (ranges.next(), ranges.next()) else { return false };
        if self.exact_ends(grid, view, quantity, out) {
            return true;
        }
        if self.partial()
            || !named.rows.is_empty() && named.rows.len() < 2
            || self.tokens.len() > 40
            || self.levelled(grid, view)
            || self.has("appeared|earlier|seemed")
        {
            return false;
        }
        let Some(found) = self.ratios(grid, named, quantity) else { return false };
        if found.len() < 2 {
            return false;
        }
        let Some(upper) = quantity.upper else { return false };
        let (low, high) = (quantity.number.stated, upper);
        let least = found.iter().map(|i| i.low).fold(f64::INFINITY, f64::min);
        let most = found.iter().map(|i| i.high).fold(0.0, f64::max);
        let precise = low.half < 0.03 * low.value && high.half < 0.03 * high.value;
        let ends = [
            (low, found.iter().map(|i| i.middle()).fold(f64::INFINITY, f64::min)),
            (high, found.iter().map(|i| i.middle()).fold(0.0, f64::max)),
        ];
        let off = |(stated, actual): (Stated, f64)| (stated.value - actual).abs() > 2.0 * stated.half + 0.003 * actual;
        let near = |(stated, actual): (Stated, f64)| (stated.value / actual - 1.0).abs() < 0.15;
        let sized = ends.iter().any(|(stated, actual)| (0.4..2.5).contains(&(stated.value / actual)));
        if !sized {
            return false;
        }
        let apart = low.low() > most * 1.02 || high.high() < least * 0.98;
        let wrong = apart
            || !precise
                && ends.iter().all(|(stated, actual)| (stated.value - actual).abs() > stated.half.max(0.15 * actual))
            || precise
                && !quantity.number.about
                && ends.iter().any(|end| off(*end))
                && (ends.iter().any(|end| !off(*end)) || ends.iter().all(|end| near(*end)));
        let says = self.sentence.quote(quantity.range.clone());
        let place = self.sentence.place(quantity.range.start);
        if !wrong {
            if !ends.iter().any(|end| off(*end)) {
                out.fits(place, "stated", format!("range {says}"));
            }
            return true;
        }
        let said = [
            format!("range {says}"),
            format!("{} to {} in the table (line {})", show(ends[0].1), show(ends[1].1), view.place.line),
            "the least and the largest of its rows".into(),
        ];
        out.wrong(place, "stated", Sure::Warning, said);
        true
    }

    /// "11.34× to 64.53×", of whatever part of the rows: the one end is a cell, the other none, but near the end of its column.
    fn exact_ends(&self, grid: &Grid, view: &View<'_>, quantity: &Quantity, out: &mut Out<'_>) -> bool {
        let (low, Some(high)) = (quantity.number.stated, quantity.upper) else { return false };
        let exact = |stated: Stated| stated.half < 0.005 * stated.value;
        if !exact(low) || !exact(high) || quantity.number.about || self.apart() || !self.alone {
            return false;
        }
        let values = |column: usize| -> Vec<Interval> {
            let cells = (0..grid.rows.len()).map(|row| grid.cell(row, column));
            let alike = cells.filter(|cell| cell.unit.dim == quantity.unit.dim);
            alike.filter_map(|cell| cell.interval()).map(Interval::size).collect()
        };
        let all: Vec<Interval> = (0..grid.columns.len()).flat_map(values).collect();
        let given = |stated: Stated| all.iter().any(|value| stated.cut().meets(*value));
        let (known, odd, upper) = match (given(low), given(high)) {
            (true, false) => (low, high, true),
            (false, true) => (high, low, false),
            _ => return false,
        };
        let of = |column: &usize| values(*column).iter().any(|value| known.cut().meets(*value));
        let mut columns = (0..grid.columns.len()).filter(of);
        let (Some(column), None) = (columns.next(), columns.next()) else { return false };
        let ends = values(column).into_iter().map(Interval::middle);
        let end = if upper { ends.fold(0.0, f64::max) } else { ends.fold(f64::INFINITY, f64::min) };
        if !(0.6..1.67).contains(&(end / odd.value)) || (end / odd.value - 1.0).abs() < 0.03 {
            return false;
        }
        let said = [
            format!("range {}", self.sentence.quote(quantity.range.clone())),
            format!("{} in the table (line {})", show(end), view.place.line),
            "the one end is a cell of the column, the other is none".into(),
        ];
        out.wrong(self.sentence.place(quantity.range.start), "stated", Sure::Warning, said);
        true
    }

    /// "at least 30 % on every codec"
    pub(super) fn bounded(&self, grid: &Grid, view: &View<'_>, named: &Named, out: &mut Out<'_>) -> bool {
        let [claim] = self.claims.as_slice() else { return self.bare_bound(grid, view, named, out) };
        self.bound_of(grid, view, named, &self.sentence.quantities[claim.index], out)
    }

    fn bare_bound(&self, grid: &Grid, view: &View<'_>, named: &Named, out: &mut Out<'_>) -> bool {
        let [quantity] = self.sentence.quantities.as_slice() else { return false };
        matches!(quantity.unit.dim, Dim::Factor | Dim::Percent) && self.bound_of(grid, view, named, quantity, out)
    }

    fn bound_of(&self, grid: &Grid, view: &View<'_>, named: &Named, quantity: &Quantity, out: &mut Out<'_>) -> bool {
        let stated = quantity.number.stated;
        let all = self.has("every|all|each|always|across|up to|at most|jede|alle");
        if stated.bound == Bound::Value
            || quantity.upper.is_some()
            || self.partial()
            || !named.rows.is_empty()
            || !matches!(quantity.unit.dim, Dim::Factor | Dim::Percent)
            || !all
            || !self.pairs.is_empty()
        {
            return false;
        }
        let Some(found) = self.ratios(grid, named, quantity).filter(|found| found.len() >= 2) else { return false };
        let least = found.iter().map(|i| i.high).fold(f64::INFINITY, f64::min);
        let most = found.iter().map(|i| i.high).fold(f64::NEG_INFINITY, f64::max);
        // "Up to 64.53×": so many digits are those of the largest.
        let given = found.iter().any(|value| stated.cut().meets(*value));
        let exact = stated.half < 0.003 * stated.value && !given && (1.03..1.67).contains(&(most / stated.value));
        let wrong = match stated.bound {
            Bound::Least => least < stated.low() * 0.98,
            _ => most * 1.02 < stated.low() || exact,
        };
        let says = self.sentence.quote(quantity.range.clone());
        let place = self.sentence.place(quantity.range.start);
        if wrong {
            let (word, value) = if stated.bound == Bound::Least { ("least", least) } else { ("largest", most) };
            let said = [
                format!("{} {says}", if stated.bound == Bound::Least { "at least" } else { "up to" }),
                format!("the {word} is {} (line {})", show(value), view.place.line),
                "of all rows of the table".into(),
            ];
            out.wrong(place, "stated", Sure::Warning, said);
        }
        true
    }

    /// The ratios, row by row, of the two systems that are named, or the one column of ratios.
    fn ratios(&self, grid: &Grid, named: &Named, quantity: &Quantity) -> Option<Vec<Interval>> {
        let percent = quantity.unit.dim == Dim::Percent;
        let turned;
        // A column that is a ratio already is no system.
        let systems: Vec<usize> = named
            .columns
            .iter()
            .copied()
            .filter(|column| !matches!(grid.dim(*column), Some(Dim::Factor | Dim::Percent)))
            .collect();
        let (grid, two) = match (systems.as_slice(), named.rows.as_slice()) {
            ([a, b], []) => (grid, [*a, *b]),
            ([] | [_], [a, b]) => {
                turned = grid.turn();
                (&turned, [*a, *b])
            }
            (_, []) => {
                let Some(column) = self.column(grid, quantity, named) else {
                    return self.only_two(grid).and_then(|two| self.ratios_of(grid, two, percent));
                };
                let rows = (0..grid.rows.len()).filter(|row| !is_summary(&grid.rows[*row].lower));
                let values: Vec<Interval> = rows.filter_map(|row| grid.cell(row, column).interval()).collect();
                // All of them fall, and the sentence says by how much.
                let falls = values.iter().all(|value| value.low <= 0.0);
                return Some(if falls { values.into_iter().map(Interval::size).collect() } else { values });
            }
            _ => return None,
        };
        self.ratios_of(grid, two, percent)
    }

    fn ratios_of(&self, grid: &Grid, two: [usize; 2], percent: bool) -> Option<Vec<Interval>> {
        let mut found = Vec::new();
        for row in (0..grid.rows.len()).filter(|row| !is_summary(&grid.rows[*row].lower)) {
            let [a, b] = two.map(|column| grid.cell(row, column));
            let (Some(x), Some(y)) = (a.interval(), b.interval()) else { continue };
            if a.unit.dim != b.unit.dim
                || matches!(a.unit.dim, Dim::Factor | Dim::Percent)
                || x.low <= 0.0
                || y.low <= 0.0
            {
                continue;
            }
            let ratio = if x.middle() > y.middle() { x.over(y)? } else { y.over(x)? };
            found.push(if percent { ratio.minus(Interval::at(1.0)).scaled(100.0) } else { ratio });
        }
        Some(found)
    }

    /// The columns before and after, where the table has no others and the sentence names none.
    fn only_two(&self, grid: &Grid) -> Option<[usize; 2]> {
        let start = usize::from(grid.levels);
        let measured: Vec<usize> = (start..grid.columns.len()).filter(|column| grid.dim(*column).is_some()).collect();
        let before = |column: usize| {
            contains_any(
                &grid.columns[column].lower,
                "before|baseline|old|stock|vorher|without|原始|优化前|plain|original|naive|default|unoptimi|eager",
            )
        };
        match measured.as_slice() {
            [a, b] if grid.dim(*a) == grid.dim(*b) && (before(*a) || before(*b)) => Some([*a, *b]),
            _ => None,
        }
    }
}
