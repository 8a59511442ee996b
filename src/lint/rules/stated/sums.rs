//! "In total, the three runs emitted 39.6 kg", "parsing takes 33 % of the total": the sum of a column, and what part of it a row is.

use super::super::names::{brief, is_summary};
use super::{Named, Said};
use crate::lint::{
    grid::Grid,
    number::{Bound, Interval, show},
    paper::View,
    report::{Out, Sure},
    sentence::Quantity,
    unit::{Dim, singular},
    words::contains_any,
};

impl Said<'_, '_> {
    pub(super) fn total(&self, grid: &Grid, view: &View<'_>, named: &Named, out: &mut Out<'_>) -> bool {
        let told = contains_any(
            &self.sentence.lower,
            "in total|altogether|in sum|total of|insgesamt|summed|sum up to|add up to|combined|in all",
        );
        if !told
            || !named.rows.is_empty()
            || self.apart()
            || self.foreign(grid, view)
            || self.has("per|each|average|mean|of which")
        {
            return false;
        }
        let rows: Vec<usize> = (0..grid.rows.len()).filter(|row| !is_summary(&grid.rows[*row].lower)).collect();
        for quantity in self.sentence.quantities.iter().filter(firm) {
            let alike = |column: &usize| {
                let dim = grid.dim(*column);
                let things = matches!(&quantity.unit.dim, Dim::Count(noun)
                    if dim == Some(Dim::None) && grid.columns[*column].lower.split(' ').any(|word| singular(word) == *noun));
                let same = things
                    || dim.as_ref() == Some(&quantity.unit.dim)
                        && !matches!(quantity.unit.dim, Dim::None | Dim::Count(_));
                same && !matches!(quantity.unit.dim, Dim::Percent | Dim::Factor | Dim::Rate(_))
            };
            let columns: Vec<usize> = (0..grid.columns.len()).filter(alike).collect();
            let [column] = columns.as_slice() else { continue };
            let named = self.shares_word(&grid.columns[*column].text);
            let values: Option<Vec<Interval>> = rows.iter().map(|row| grid.cell(*row, *column).interval()).collect();
            let Some(values) = values.filter(|values| named && values.len() >= 2) else { continue };
            let sum = values.iter().fold(Interval::at(0.0), |sum, value| sum.plus(*value));
            let stated = quantity.base();
            let place = self.sentence.place(quantity.range.start);
            let says = format!("in total {}", self.sentence.quote(quantity.range.clone()));
            let ratio = stated.value / sum.middle();
            let any =
                grid.cells.iter().flatten().filter_map(|cell| cell.interval()).any(|cell| stated.cut().meets(cell));
            if stated.cut().meets(sum) || any {
                out.fits(place, "stated", says);
                return true;
            }
            if (ratio - 1.0).abs() > 0.02 && (0.5..2.0).contains(&ratio) && !quantity.number.about {
                let scale = if quantity.unit.scale == 0.0 { 1.0 } else { quantity.unit.scale };
                let follows = format!("{} (line {})", show(sum.middle() / scale), view.place.line);
                let why = format!("the sum of {}", brief(&grid.columns[*column].text));
                out.wrong(place, "stated", Sure::Warning, [says, follows, why]);
                return true;
            }
        }
        false
    }

    /// "Parsing takes 33 % of the total time"
    pub(super) fn part(&self, grid: &Grid, view: &View<'_>, named: &Named, out: &mut Out<'_>) -> bool {
        let [row] = named.rows.as_slice() else { return false };
        let shares: Vec<&Quantity> =
            self.sentence.quantities.iter().filter(|q| q.unit.dim == Dim::Percent && firm(q)).collect();
        let [quantity] = shares.as_slice() else { return false };
        let after = self.sentence.lower.get(quantity.range.end..).unwrap_or("");
        let of = [
            " of the total",
            " of total",
            " of the whole",
            " of all",
            " of the overall",
            " of the sum",
            " of the run time",
            " of the runtime",
            " of the time",
            " der gesamt",
        ];
        if !of.iter().any(|of| after.starts_with(of))
            || self.apart()
            || self.foreign(grid, view)
            || is_summary(&grid.rows[*row].lower)
        {
            return false;
        }
        let columns: Vec<usize> = (usize::from(grid.levels)..grid.columns.len())
            .filter(|column| {
                grid.dim(*column).is_some_and(|dim| !matches!(dim, Dim::Percent | Dim::Factor | Dim::Rate(_)))
            })
            .collect();
        let told: Vec<usize> = columns
            .iter()
            .copied()
            .filter(|column| named.columns.contains(column) || self.shares_word(&grid.columns[*column].text))
            .collect();
        let (([column], _) | (_, [column])) = (told.as_slice(), columns.as_slice()) else { return false };
        let total = (0..grid.rows.len())
            .find(|row| super::super::names::kind(&grid.rows[*row].lower) == Some(super::super::names::Kind::Total));
        let parts: Option<Vec<Interval>> = (0..grid.rows.len())
            .filter(|row| !is_summary(&grid.rows[*row].lower))
            .map(|row| grid.cell(row, *column).interval())
            .collect();
        let sum = parts.map(|parts| parts.iter().fold(Interval::at(0.0), |sum, value| sum.plus(*value)));
        let wholes: Vec<Interval> =
            total.and_then(|row| grid.cell(row, *column).interval()).into_iter().chain(sum).collect();
        let Some(own) = grid.cell(*row, *column).interval() else { return false };
        let meant: Vec<Interval> = wholes.iter().filter_map(|whole| Some(own.over(*whole)?.scaled(100.0))).collect();
        let stated = quantity.number.stated;
        let place = self.sentence.place(quantity.range.start);
        let says = self.sentence.quote(quantity.range.clone());
        // Without a row for the whole, the rows may not be all of it.
        let (Some(first), Some(_)) = (meant.first(), total) else { return false };
        if meant.iter().any(|value| stated.cut().meets(*value)) {
            out.fits(place, "stated", says);
            return true;
        }
        if (stated.value - first.middle()).abs() <= 1.5 + stated.half || quantity.number.about {
            return true;
        }
        let follows = format!("{} % by the table (line {})", show(first.middle()), view.place.line);
        let why =
            format!("{} of {} through its total", brief(&grid.columns[*column].text), brief(&grid.rows[*row].text));
        out.wrong(place, "stated", Sure::Warning, [says, follows, why]);
        true
    }
}

fn firm(quantity: &&Quantity) -> bool {
    quantity.upper.is_none() && quantity.number.stated.bound == Bound::Value && quantity.number.stated.value > 0.0
}
