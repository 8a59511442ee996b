//! The ends of a column of any unit, "latency ranges from 3.3 to 9.7 ms", "the largest gain, 31 %, is seen on mcf"; and a range of
//! ratios whose one end is that of two columns and whose other end is not.

use super::super::names::{brief, is_summary};
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
    /// "ranges from 3.3 to 9.7 ms", "between 3.3 and 9.7 ms"
    pub(super) fn span(&self, grid: &Grid, view: &View<'_>, named: &Named, out: &mut Out<'_>) -> bool {
        let spans: Vec<(Stated, Stated, &Quantity)> = self.spans();
        let [(low, high, quantity)] = spans.as_slice() else { return false };
        let ratio = matches!(quantity.unit.dim, Dim::Factor | Dim::Percent);
        let counted = matches!(quantity.unit.dim, Dim::Count(_) | Dim::None);
        if ratio
            || !named.rows.is_empty()
            || self.partial_of(grid)
            || !self.claims.is_empty()
            || self.foreign(grid, view)
        {
            return false;
        }
        let alike: Vec<usize> = (usize::from(grid.levels)..grid.columns.len())
            .filter(|column| {
                grid.dim(*column).is_some_and(|dim| dim == quantity.unit.dim || counted && dim == Dim::None)
            })
            .collect();
        let column = match (self.pick(grid, &alike, named), alike.as_slice()) {
            (Some(column), _) => column,
            (None, [column]) if !counted => *column,
            _ => return false,
        };
        let Some((least, most)) = extremes(grid, column) else { return false };
        self.judge((*low, *high), (least, most), (quantity, column), (grid, view), out)
    }

    fn spans(&self) -> Vec<(Stated, Stated, &Quantity)> {
        let sentence = self.sentence;
        let mut found = Vec::new();
        for (index, quantity) in sentence.quantities.iter().enumerate() {
            let before = sentence.lower.get(..quantity.range.start).unwrap_or("").trim_end();
            let said = contains_any(&sentence.lower, "range|between|vary|varies|lie|spread|span|von|zwischen");
            if let (Some(upper), true) = (quantity.upper, said) {
                found.push((quantity.base(), upper.scaled(quantity.unit.scale), quantity));
            }
            let Some(next) = sentence.quantities.get(index + 1) else { continue };
            let between = sentence.between(quantity.range.end, next.range.start).trim();
            let joined = before.ends_with("from")
                && between == "to"
                && contains_any(
                    before,
                    "range|vary|varies|span|grow|grew|rise|rose|fall|fell|drop|increas|decreas|climb|goes|went",
                )
                || before.ends_with("between") && between == "and"
                || before.ends_with("zwischen") && between == "und";
            let scale = if quantity.unit.dim == Dim::None { next.unit.scale } else { quantity.unit.scale };
            let alike = quantity.unit.dim == next.unit.dim || quantity.unit.dim == Dim::None;
            if joined && alike && quantity.upper.is_none() {
                found.push((quantity.number.stated.scaled(scale), next.base(), next));
            }
        }
        found
    }

    fn judge(
        &self,
        (low, high): (Stated, Stated),
        (least, most): (Interval, Interval),
        (quantity, column): (&Quantity, usize),
        (grid, view): (&Grid, &View<'_>),
        out: &mut Out<'_>,
    ) -> bool {
        let place = self.sentence.place(quantity.range.start);
        let says = format!("range to {}", self.sentence.quote(quantity.range.clone()));
        let (lower, upper) = (low.cut().meets(least), high.cut().meets(most));
        let plain = low.bound == Bound::Value && high.bound == Bound::Value && !quantity.number.about;
        if lower && upper {
            out.fits(place, "stated", says);
            return true;
        }
        let (stated, actual) = if lower { (high, most) } else { (low, least) };
        let off = (stated.value / actual.middle() - 1.0).abs();
        let cell = grid.cells.iter().flatten().filter_map(|cell| cell.interval()).any(|cell| stated.cut().meets(cell));
        if !(lower || upper) || !plain || cell || off < 0.02 + 2.0 * stated.half / stated.value || off > 0.7 {
            return false;
        }
        let scale = if quantity.unit.scale == 0.0 { 1.0 } else { quantity.unit.scale };
        let follows = format!(
            "{} to {} in the table (line {})",
            show(least.middle() / scale),
            show(most.middle() / scale),
            view.place.line
        );
        let why = format!("the least and the largest of {}; one end is right", brief(&grid.columns[column].text));
        out.wrong(place, "stated", Sure::Warning, [says, follows, why]);
        true
    }

    /// "The largest gain, 31 %", "at most 31 %", of a column that is named.
    pub(super) fn largest(&self, grid: &Grid, view: &View<'_>, named: &Named, out: &mut Out<'_>) -> bool {
        let mut decided = false;
        for quantity in &self.sentence.quantities {
            let before = self.sentence.lower.get(..quantity.range.start).unwrap_or("");
            let near = &before[before.char_indices().rev().nth(44).map_or(0, |(at, _)| at)..];
            let near = near.rsplit([';', '.']).next().unwrap_or(near);
            let most = near
                .rfind("largest ")
                .or(near.rfind("highest "))
                .or(near.rfind("greatest "))
                .or(near.rfind("maximum "));
            let least = near.rfind("smallest ").or(near.rfind("lowest ")).or(near.rfind("minimum "));
            let (at, most) = match (most, least) {
                (None, None) => continue,
                (most, least) if most > least => (most, true),
                (_, least) => (least, false),
            };
            let Some(at) = at else { continue };
            let phrase = &near[at..];
            let firm =
                quantity.upper.is_none() && quantity.number.stated.bound == Bound::Value && !quantity.number.about;
            if !firm
                || phrase.chars().any(|c| c.is_ascii_digit())
                || phrase.matches(',').count() > 1
                || self.foreign(grid, view)
            {
                continue;
            }
            let alike: Vec<usize> = (usize::from(grid.levels)..grid.columns.len())
                .filter(|column| {
                    grid.dim(*column).as_ref() == Some(&quantity.unit.dim)
                        && !matches!(quantity.unit.dim, Dim::None | Dim::Count(_))
                })
                .collect();
            let Some(column) = self.pick(grid, &alike, named) else { continue };
            let column = &column;
            let Some((low, high)) = extremes(grid, *column) else { continue };
            let actual = if most { high } else { low };
            let stated = quantity.base();
            let place = self.sentence.place(quantity.range.start);
            let says = format!(
                "{} {}",
                if most { "largest" } else { "smallest" },
                self.sentence.quote(quantity.range.clone())
            );
            let cell =
                grid.cells.iter().flatten().filter_map(|cell| cell.interval()).any(|cell| stated.cut().meets(cell));
            let off = (stated.value / actual.middle() - 1.0).abs();
            decided = true;
            if stated.cut().meets(actual) {
                out.fits(place, "stated", says);
            } else if !cell && off > 0.02 && off < 0.6 {
                let scale = if quantity.unit.scale == 0.0 { 1.0 } else { quantity.unit.scale };
                let follows = format!("{} in the table (line {})", show(actual.middle() / scale), view.place.line);
                out.wrong(
                    place,
                    "stated",
                    Sure::Warning,
                    [says, follows, format!("the end of {}", brief(&grid.columns[*column].text))],
                );
            }
        }
        decided
    }

    /// "140–165× faster than the baseline", where the sentence names only one of the columns, or none.
    pub(super) fn one_end(&self, grid: &Grid, view: &View<'_>, named: &Named, out: &mut Out<'_>) -> bool {
        let mut ranges = self.sentence.quantities.iter().filter(|q| q.upper.is_some() && q.unit.dim == Dim::Factor);
        let (Some(quantity), None) = (ranges.next(), ranges.next()) else { return false };
        let Some(high) = quantity.upper else { return false };
        let low = quantity.number.stated;
        let many = grid.columns.len() > 8 || grid.rows.len() < 3;
        let telling =
            quantity.number.stated.value >= 1.1 && (low.half / low.value < 0.05 && high.half / high.value < 0.05);
        if many
            || !telling
            || !named.rows.is_empty()
            || self.claims.len() != 1
            || self.has("if|would|could|previous|previously|earlier|prior|theoretical|without|except")
        {
            return false;
        }
        let mut near: Option<(Interval, Interval, usize, usize)> = None;
        let mut candidates = 0;
        for a in 0..grid.columns.len() {
            for b in (0..grid.columns.len()).filter(|b| *b != a) {
                if !named.columns.is_empty() && !named.columns.contains(&a) && !named.columns.contains(&b) {
                    continue;
                }
                let ratios = ratios(grid, a, b);
                if ratios.len() < 3 {
                    continue;
                }
                let (least, most) = ends(&ratios);
                let meets = |stated: Stated, actual: Interval| {
                    stated.cut().meets(actual) || (stated.value / actual.middle() - 1.0).abs() < 0.015
                };
                match (meets(low, least), meets(high, most)) {
                    (true, true) => {
                        out.fits(
                            self.sentence.place(quantity.range.start),
                            "stated",
                            self.sentence.quote(quantity.range.clone()),
                        );
                        return true;
                    }
                    (false, false) => {}
                    _ => {
                        candidates += 1;
                        near = Some((least, most, a, b));
                    }
                }
            }
        }
        let (Some((least, most, a, b)), 1) = (near, candidates) else { return false };
        let off = (low.value / least.middle() - 1.0).abs().max((high.value / most.middle() - 1.0).abs());
        if !(0.04..0.6).contains(&off) {
            return false;
        }
        let said = [
            format!("range {}", self.sentence.quote(quantity.range.clone())),
            format!("{} to {} in the table (line {})", show(least.middle()), show(most.middle()), view.place.line),
            format!(
                "{} through {}, row by row; one end is right",
                brief(&grid.columns[a].text),
                brief(&grid.columns[b].text)
            ),
        ];
        out.wrong(self.sentence.place(quantity.range.start), "stated", Sure::Warning, said);
        true
    }
}

/// The least and the largest of a column whose every row is a number.
fn extremes(grid: &Grid, column: usize) -> Option<(Interval, Interval)> {
    let rows = (0..grid.rows.len()).filter(|row| !is_summary(&grid.rows[*row].lower));
    let values: Option<Vec<Interval>> = rows.map(|row| grid.cell(row, column).interval()).collect();
    values.filter(|values| values.len() >= 3).map(|values| ends(&values))
}

fn ends(values: &[Interval]) -> (Interval, Interval) {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.middle().total_cmp(&b.middle()));
    (sorted[0], sorted[sorted.len() - 1])
}

fn ratios(grid: &Grid, a: usize, b: usize) -> Vec<Interval> {
    (0..grid.rows.len())
        .filter(|row| !is_summary(&grid.rows[*row].lower))
        .filter_map(|row| {
            let (x, y) = (grid.cell(row, a), grid.cell(row, b));
            let alike = x.unit.dim == y.unit.dim && !matches!(x.unit.dim, Dim::Factor | Dim::Percent);
            let (x, y) = (x.interval()?, y.interval()?);
            (alike && x.low > 0.0 && y.low > 0.0).then(|| x.over(y)).flatten()
        })
        .collect()
}
