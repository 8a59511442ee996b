//! "A is 2.1× faster than B on R": the cells of the two systems; or one cell that is named, and what stands beside it.

use super::super::{
    change::{Claim, Kind},
    names::brief,
};
use super::{Named, Said, covers, named::tokens};
use crate::lint::{
    grid::{Cell, Grid},
    number::{Bound, Interval, show},
    paper::View,
    report::{Out, Sure},
    sentence::Quantity,
    unit::Dim,
    words::{contains_any, one_of},
};

impl Said<'_, '_> {
    /// "A is 2.1× faster than B on R"
    pub(super) fn compared(&self, grid: &Grid, view: &View<'_>, named: &Named, out: &mut Out<'_>) -> bool {
        let [claim] = self.claims.as_slice() else { return false };
        let quantity = &self.sentence.quantities[claim.index];
        // A setting that the table does not have is another one.
        let known = |q: &Quantity| {
            grid.rows.iter().chain(&grid.columns).any(|name| {
                tokens(&name.text)
                    .iter()
                    .any(|word| *word == self.sentence.text[q.number.range.clone()].replace([',', '-', '−'], ""))
            })
        };
        let others = self
            .sentence
            .quantities
            .iter()
            .filter(|q| q.range != quantity.range && !(matches!(q.unit.dim, Dim::None | Dim::Count(_)) && known(q)))
            // The cell itself may be said beside.
            .filter(|q| {
                let own = |cell: &Cell| {
                    cell.unit.dim == q.unit.dim && cell.interval().is_some_and(|value| q.base().interval().meets(value))
                };
                !named.rows.iter().any(|row| grid.cells[*row].iter().any(own))
            })
            .count();
        if !matches!(claim.kind, Kind::Factor | Kind::Percent)
            || quantity.upper.is_some()
            || others > 0
            || !self.pairs.is_empty()
            || self.partial_of(grid)
        {
            return false;
        }
        let Some((values, what)) = self.cells_of(grid, named, quantity, claim) else { return false };
        let place = self.sentence.place(quantity.range.start);
        let says = self
            .sentence
            .quote(quantity.range.start..(quantity.range.end + claim.word.len() + 1).min(self.sentence.text.len()));
        let stated = quantity.number.stated;
        let fits = |value: &Interval| covers(quantity, stated, *value);
        let cells = || {
            grid.cells
                .iter()
                .flatten()
                .filter(|cell| cell.unit.dim == quantity.unit.dim)
                .filter_map(Cell::interval)
                .any(|own| stated.cut().meets(own))
        };
        if values.iter().any(fits) || cells() {
            out.fits(place, "stated", says);
            return true;
        }
        let least = values.iter().map(|v| v.low).fold(f64::INFINITY, f64::min);
        let most = values.iter().map(|v| v.high).fold(f64::NEG_INFINITY, f64::max);
        let outside = match stated.bound {
            Bound::Most => stated.low() > most * 1.02,
            Bound::Least => stated.high() < least * 0.5 || stated.value > most * 1.02,
            // Of one pair of cells there are few readings, and it is none of them.
            Bound::Value if values.len() <= 4 => {
                // What is of another size is of something else.
                values.iter().any(|value| (0.4..2.5).contains(&(value.middle() / stated.value)))
                    && !values.iter().any(|value| (value.middle() / stated.value - 1.0).abs() < 0.03)
            }
            Bound::Value => {
                let near = stated.value < most * 2.5 && stated.value > least * 0.4;
                near && (stated.cut().low > most * 1.02 || stated.cut().high < least * 0.98)
            }
        };
        if !outside {
            return true;
        }
        let follows = if values.len() <= 2 {
            values.iter().map(|v| show(v.middle())).collect::<Vec<_>>().join(" or ")
        } else {
            format!("{} to {}", show(least), show(most))
        };
        out.wrong(
            place,
            "stated",
            Sure::Warning,
            [says, format!("{follows} by the table (line {})", view.place.line), what],
        );
        true
    }

    /// What the table has for a comparison: the ratio of the two systems, in the row that is named or in all.
    fn cells_of(
        &self,
        grid: &Grid,
        named: &Named,
        quantity: &Quantity,
        claim: &Claim,
    ) -> Option<(Vec<Interval>, String)> {
        let percent = claim.kind == Kind::Percent;
        let both = |x: Interval, y: Interval| -> Vec<Interval> {
            let mut values = Vec::new();
            for (a, b) in [(x, y), (y, x)] {
                let Some(ratio) = a.over(b) else { continue };
                if percent {
                    let change = ratio.minus(Interval::at(1.0)).scaled(100.0);
                    values.extend([change, Interval { low: -change.high, high: -change.low }]);
                } else if ratio.middle() >= 1.0 {
                    values.push(ratio);
                }
            }
            values
        };
        // "Fewer" is of the larger, "more" of the smaller: a change the other way round is another one.
        let less = percent && one_of("fewer|less|lower|smaller|shorter|reduction|decrease|saving", &claim.word);
        let more = percent && one_of("more|higher|larger|longer|increase|bigger", &claim.word);
        let both = |x: Interval, y: Interval| -> Vec<Interval> {
            let (small, large) = if x.middle() < y.middle() { (x, y) } else { (y, x) };
            if less || more {
                let ratio = if less { small.over(large) } else { large.over(small) };
                let change =
                    ratio.map(|ratio| ratio.minus(Interval::at(1.0)).scaled(if less { -100.0 } else { 100.0 }));
                return change.into_iter().collect();
            }
            both(x, y)
        };
        let compares = self.has("than|vs|versus|over|compared|outperforms|outperform|beats|beat|against|as|relative");
        // A cell that already is a ratio.
        // A ratio in the row of X is not that of something against X.
        if let ([row], true) = (named.rows.as_slice(), named.columns.len() <= 2)
            && !self.against(grid, *row, Some(claim))
        {
            let alike: Vec<usize> = (0..grid.columns.len())
                .filter(|column| {
                    grid.cell(*row, *column).unit.dim == quantity.unit.dim
                        && grid.cell(*row, *column).interval().is_some()
                })
                .collect();
            let by_name: Vec<usize> = alike
                .iter()
                .copied()
                .filter(|column| {
                    tokens(&grid.columns[*column].text).iter().any(|word| {
                        word.len() > 2 && !one_of("vs|over|speedup|than", word) && self.tokens.contains(word)
                    })
                })
                .collect();
            // A percentage that is measured is no change.
            let change = |column: &usize| {
                quantity.unit.dim != Dim::Percent
                    || contains_any(
                        &grid.columns[*column].lower,
                        "change|gain|sav|reduc|improv|overhead|vs|speed|diff|δ|delta|faster|slower",
                    )
            };
            let alike: Vec<usize> = alike.into_iter().filter(change).collect();
            if let ([column], _) | ([], [column]) = (by_name.as_slice(), alike.as_slice()) {
                let value = grid.cell(*row, *column).interval()?.size();
                let all: Vec<Interval> = std::iter::once(value).collect();
                return Some((
                    all,
                    format!("{} of {}", brief(&grid.columns[*column].text), brief(&grid.rows[*row].text)),
                ));
            }
        }
        if !compares && !one_of("as|the", &claim.word) {
            return None;
        }
        let (turned, side): (Grid, Vec<usize>);
        let systems: Vec<usize> =
            named.columns.iter().copied().filter(|column| !matches!(grid.dim(*column), Some(Dim::Factor))).collect();
        let (grid, two, rows): (&Grid, [usize; 2], &[usize]) = match (systems.as_slice(), named.rows.as_slice()) {
            ([a, b], rows) if rows.len() <= 1 => (grid, [*a, *b], rows),
            (_, [a, b]) if self.behind(grid, claim).is_some() => {
                turned = grid.turn();
                side = self.behind(grid, claim).into_iter().collect();
                (&turned, [*a, *b], &side)
            }
            (columns, [a, b]) if columns.len() <= 1 => {
                turned = grid.turn();
                side = columns.to_vec();
                (&turned, [*a, *b], &side)
            }
            // Of two rows it is no comparison of columns.
            ([a], rows)
                if rows.len() <= 1
                    && self.rows_told(grid, named).len() <= 1
                    && self.other_column(grid, *a).is_some() =>
            {
                (grid, [*a, self.other_column(grid, *a)?], rows)
            }
            (columns, [a]) if columns.len() <= 1 && grid.rows.len() == 2 => {
                turned = grid.turn();
                side = columns.to_vec();
                (&turned, [*a, 1 - *a], &side)
            }
            _ => return None,
        };
        let rows: Vec<usize> = if rows.is_empty() {
            let told: Vec<usize> =
                (0..grid.rows.len()).filter(|row| grid.turned && self.shares_word(&grid.rows[*row].text)).collect();
            if told.len() == 1 { told } else { (0..grid.rows.len()).collect() }
        } else {
            rows.to_vec()
        };
        let mut values = Vec::new();
        for row in rows {
            let [a, b] = two.map(|column| grid.cell(row, column));
            let measured = a.unit.dim == b.unit.dim && !matches!(a.unit.dim, Dim::Factor);
            if let (Some(x), Some(y), true) = (a.interval(), b.interval(), measured)
                && x.low > 0.0
                && y.low > 0.0
            {
                values.extend(both(x, y));
                if a.unit.dim == Dim::Percent {
                    values.extend([x.minus(y), y.minus(x)]);
                }
            }
        }
        let names = two.map(|column| brief(&grid.columns[column].text));
        (!values.is_empty()).then(|| (values, format!("{} against {}", names[0], names[1])))
    }

    /// "3.7 times the power": the column whose name stands behind the claim.
    fn behind(&self, grid: &Grid, claim: &Claim) -> Option<usize> {
        let after = self.sentence.lower.get(claim.range.end..)?;
        let near = &after[..after.char_indices().nth(28).map_or(after.len(), |(at, _)| at)];
        let at = |column: usize| {
            let name = tokens(&grid.columns[column].text).into_iter().find(|word| word.len() > 3)?;
            near.find(&name).filter(|_| grid.dim(column).is_some_and(|dim| !matches!(dim, Dim::Factor | Dim::Percent)))
        };
        (usize::from(grid.levels)..grid.columns.len())
            .filter_map(|column| Some((at(column)?, column)))
            .min()
            .map(|(_, column)| column)
    }

    /// The only other column of its kind.
    fn other_column(&self, grid: &Grid, column: usize) -> Option<usize> {
        let dim = grid.dim(column)?;
        let ratio = matches!(dim, Dim::Factor | Dim::Percent);
        let alike: Vec<usize> = (usize::from(grid.levels)..grid.columns.len())
            .filter(|other| *other != column && grid.dim(*other).as_ref() == Some(&dim))
            .collect();
        if let ([other], false) = (alike.as_slice(), ratio) { Some(*other) } else { None }
    }

    /// "`Assemble` is 8× slower on the large file": one cell is named by row and column, or one row by its level; what is it a
    /// factor of? Of a number beside it or above or below it, or of none that the table has.
    pub(super) fn crossing(&self, grid: &Grid, view: &View<'_>, named: &Named, out: &mut Out<'_>) -> bool {
        let [claim] = self.claims.as_slice() else { return false };
        let quantity = &self.sentence.quantities[claim.index];
        let measured = |q: &&Quantity| q.range != quantity.range && !matches!(q.unit.dim, Dim::None | Dim::Count(_));
        if claim.kind != Kind::Factor
            || claim.word.is_empty()
            || quantity.upper.is_some()
            || quantity.number.stated.bound == Bound::Most
            || !self.pairs.is_empty()
            || self.sentence.quantities.iter().filter(measured).count() > 0
            || self.elsewhere()
        {
            return false;
        }
        let (row, column) = match (named.rows.as_slice(), named.columns.as_slice(), self.level(grid)) {
            ([row], [column], None) => (*row, Some(*column)),
            ([], _, Some(row))
                if grid.columns.iter().any(|column| self.shares_word(&column.text))
                    || self.shares_word(&view.table.caption.text) =>
            {
                (row, None)
            }
            _ => return false,
        };
        let mut values: Vec<Interval> = Vec::new();
        let mut ratio = |a: &Cell, b: &Cell| {
            if let (Some(x), Some(y)) = (a.interval(), b.interval())
                && a.unit.dim == b.unit.dim
                && !matches!(a.unit.dim, Dim::Percent | Dim::Factor)
            {
                values.extend(x.over(y).into_iter().chain(y.over(x)));
            }
        };
        let count = grid.columns.len();
        for a in (0..count).filter(|a| column.is_none_or(|column| column == *a)) {
            for b in (0..count).filter(|b| *b != a) {
                ratio(grid.cell(row, a), grid.cell(row, b));
            }
            for other in (0..grid.rows.len()).filter(|other| column.is_some() && *other != row) {
                ratio(grid.cell(row, a), grid.cell(other, a));
            }
        }
        values.extend(grid.cells[row].iter().filter(|cell| cell.unit.dim == Dim::Factor).filter_map(Cell::interval));
        let more: Vec<Interval> = values.iter().map(|value| value.minus(Interval::at(1.0))).collect();
        let stated = quantity.number.stated;
        let place = self.sentence.place(quantity.range.start);
        let says = self
            .sentence
            .quote(quantity.range.start..(quantity.range.end + claim.word.len() + 1).min(self.sentence.text.len()));
        let slack =
            |value: &Interval| (value.middle() / stated.value - 1.0).abs() < 0.06 || covers(quantity, stated, *value);
        if values.iter().any(slack) {
            out.fits(place, "stated", says);
            return true;
        }
        let likely: Vec<f64> = values
            .iter()
            .map(|value| value.middle())
            .filter(|value| (0.4..2.5).contains(&(value / stated.value)) && *value > 1.2)
            .collect();
        if more.iter().any(slack) || likely.is_empty() || likely.len() > 3 || values.len() > 24 {
            return true;
        }
        let shown = likely.iter().map(|value| show(*value)).collect::<Vec<_>>().join(" or ");
        let said = [
            says,
            format!("{shown} by the table (line {})", view.place.line),
            format!("the ratio of two numbers of {}", brief(&grid.rows[row].text)),
        ];
        out.wrong(place, "stated", Sure::Warning, said);
        true
    }

    /// It speaks of another study, of what might be, or of a part.
    pub(super) fn elsewhere(&self) -> bool {
        self.has("if|would|could|expected|previous|previously|prior|theoretical|except|without|older|reported|estimated|roughly|average|mean|median|overall|other|others|after|before")
    }

    /// The row whose level the sentence gives: "at n = 6".
    fn level(&self, grid: &Grid) -> Option<usize> {
        if !grid.levels {
            return None;
        }
        let counts: Vec<&Quantity> = self
            .sentence
            .quantities
            .iter()
            .filter(|q| matches!(q.unit.dim, Dim::None | Dim::Count(_)) && q.upper.is_none())
            .collect();
        let [one] = counts.as_slice() else { return None };
        let mut rows = (0..grid.rows.len())
            .filter(|row| grid.cell(*row, 0).value.is_some_and(|value| value.value == one.base().value));
        let row = rows.next()?;
        rows.next().is_none().then_some(row)
    }
}
