//! What a table gives for a number that a sentence says: its cells of that kind, and the ratios and changes of two of them.

use super::super::names::brief;
use crate::lint::{
    grid::{Cell, Grid},
    number::Interval,
    sentence::Quantity,
    unit::Dim,
    words::contains_any,
};

/// Something that the table gives: its value in the unit of what is said, and what it is.
pub(super) struct Given {
    pub(super) value: Interval,
    pub(super) what: String,
    /// A change: of the larger down to the smaller, or up.
    pub(super) less: Option<bool>,
    /// Of two rows.
    pub(super) across: bool,
}

impl Given {
    pub(super) fn plain(value: Interval, what: String) -> Self {
        Given { value, what, less: None, across: false }
    }
}

/// "4.6 points", of per cent.
pub(super) fn points(quantity: &Quantity) -> bool {
    quantity.unit.dim == Dim::Points || quantity.unit.dim == Dim::Count("point".into())
}

/// The cells of the quantity's kind.
pub(super) fn cells(grid: &Grid, rows: &[usize], columns: &[usize], quantity: &Quantity) -> Vec<Given> {
    let bare = matches!(quantity.unit.dim, Dim::None | Dim::Count(_)) && !points(quantity);
    let mut found = Vec::new();
    for row in rows {
        for column in columns {
            let cell = grid.cell(*row, *column);
            let header = &grid.columns[*column].lower;
            let ratio =
                quantity.unit.dim == Dim::Factor && contains_any(header, "speed|ratio|factor|×|faster|improvement");
            let alike = cell.unit.dim == quantity.unit.dim || (bare || ratio) && cell.unit.dim == Dim::None;
            if let (Some(value), true) = (cell.interval().or_else(|| cell.wide()), alike) {
                let what = format!("{} of {}", brief(&grid.columns[*column].text), brief(&grid.rows[*row].text));
                found.push(Given::plain(value.size(), what));
            }
            let more = cell.more.iter().filter(|more| more.unit.dim == quantity.unit.dim);
            found.extend(more.map(|more| Given::plain(more.base().interval().size(), cell.text.clone())));
        }
    }
    found
}

/// Ratios, or changes in per cent: of two cells of one row, and of two rows in one column.
pub(super) fn related(grid: &Grid, rows: &[usize], columns: &[usize], quantity: &Quantity) -> Vec<Given> {
    let mut found = Vec::new();
    for row in rows {
        for (at, a) in columns.iter().enumerate() {
            let pairs = columns[at + 1..].iter().map(|b| (grid.cell(*row, *a), grid.cell(*row, *b)));
            pairs.for_each(|(a, b)| relate(a, b, quantity, false, &mut found));
        }
    }
    for column in columns {
        for (at, a) in rows.iter().enumerate() {
            let pairs = rows[at + 1..].iter().map(|b| (grid.cell(*a, *column), grid.cell(*b, *column)));
            pairs.for_each(|(a, b)| relate(a, b, quantity, true, &mut found));
        }
    }
    found
}

fn relate(a: &Cell, b: &Cell, quantity: &Quantity, across: bool, found: &mut Vec<Given>) {
    let (Some(x), Some(y)) = (a.interval(), b.interval()) else { return };
    let (small, large) = if x.middle() < y.middle() { (x, y) } else { (y, x) };
    let same = a.unit.dim == b.unit.dim;
    let given = |value, what, less| Given { value, what, less, across };
    if points(quantity) {
        let what = format!("{} less {}", a.text, b.text);
        found.extend((same && a.unit.dim == Dim::Percent).then(|| given(large.minus(small), what, None)));
        return;
    }
    if !same || matches!(a.unit.dim, Dim::Factor | Dim::Percent | Dim::Points) {
        return;
    }
    let Some(ratio) = large.over(small).filter(|_| small.low > 0.0) else { return };
    let what = format!("{} against {}", a.text, b.text);
    if quantity.unit.dim == Dim::Factor {
        found.push(given(ratio, what, None));
        return;
    }
    let one = Interval::at(1.0);
    found.extend(small.over(large).map(|ratio| given(one.minus(ratio).scaled(100.0), what.clone(), Some(true))));
    found.push(given(ratio.minus(one).scaled(100.0), what, Some(false)));
}
