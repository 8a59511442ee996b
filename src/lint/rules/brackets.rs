//! Changes that stand in the cells, `577 (+75 %)`, `1.2 ms (3.1×)`: against another column of the row, or the first row.

use super::{
    Paper,
    names::{brief, is_summary},
};
use crate::lint::{
    grid::{Cell, Grid},
    number::{Interval, show},
    report::{Out, Sure},
    unit::Dim,
};

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    for grid in paper.tables.iter().filter_map(|view| view.grid.as_ref()).filter(|grid| grid.columns.len() <= 40) {
        of_grid(grid, out);
    }
}

/// What the brackets of a table are of.
#[derive(Debug, Clone, Copy)]
enum Of {
    Column(usize),
    /// The first row whose cell has none.
    First,
    Before,
}

fn of_grid(grid: &Grid, out: &mut Out<'_>) {
    let told: Vec<(usize, usize)> = (0..grid.rows.len())
        .filter(|row| !is_summary(&grid.rows[*row].lower))
        .flat_map(|row| (0..grid.columns.len()).map(move |column| (row, column)))
        .filter(|(row, column)| change(grid.cell(*row, *column)).is_some())
        .collect();
    if told.len() < 2 {
        return;
    }
    let hold = |of: Of| {
        let (mut fits, mut misfits) = (Vec::new(), Vec::new());
        for spot in &told {
            match agrees(grid, *spot, of) {
                Some(true) => fits.push(*spot),
                Some(false) => misfits.push(*spot),
                None => {}
            }
        }
        (of, fits, misfits)
    };
    let tried = (0..grid.columns.len()).map(Of::Column).chain([Of::First, Of::Before]);
    let best = tried.map(hold).max_by_key(|(_, fits, misfits)| (fits.len(), std::cmp::Reverse(misfits.len())));
    let enough =
        |fits: usize, misfits: usize| fits >= 2 && misfits * 2 <= fits || fits == 1 && misfits == 1 && told.len() == 2;
    let Some((of, fits, misfits)) = best.filter(|(_, fits, misfits)| enough(fits.len(), misfits.len())) else { return };
    for (row, column) in fits {
        out.fits(grid.place(row, column), "derived", grid.cell(row, column).text.clone());
    }
    for (row, column) in misfits {
        let cell = grid.cell(row, column);
        let (Some(base), Some(own)) = (base(grid, (row, column), of), cell.interval()) else { continue };
        // Another reference gives it.
        if (0..grid.columns.len()).map(Of::Column).any(|other| agrees(grid, (row, column), other) == Some(true)) {
            continue;
        }
        let ratio = own.middle() / base.middle();
        let factor = change(cell).is_some_and(|change| change.1);
        let stated = change(cell).map_or(0.0, |change| change.0.middle().abs());
        let off = (stated - ((ratio - 1.0) * 100.0).abs()).abs();
        if !factor && off < 0.5 && off < 0.08 * stated {
            continue;
        }
        let follows = if factor {
            format!("{}×", show(ratio.max(1.0 / ratio)))
        } else {
            format!("{} %", show((ratio - 1.0) * 100.0))
        };
        let said = [
            format!("{} of {}: {}", brief(&grid.columns[column].text), brief(&grid.rows[row].text), cell.text),
            follows,
            "the other cells in brackets are changes from the same place".into(),
        ];
        out.wrong(grid.place(row, column), "derived", Sure::Warning, said);
    }
}

/// The change in brackets: its interval, and whether it is a factor.
fn change(cell: &Cell) -> Option<(Interval, bool)> {
    let [quantity] = cell.more.as_slice() else { return None };
    let value = cell.value?;
    let factor = quantity.unit.dim == Dim::Factor;
    (value.value > 0.0 && (factor || quantity.unit.dim == Dim::Percent && cell.unit.dim != Dim::Percent))
        .then(|| (quantity.number.stated.cut(), factor))
}

fn base(grid: &Grid, (row, column): (usize, usize), of: Of) -> Option<Interval> {
    let first = || {
        (0..grid.rows.len())
            .find(|row| change(grid.cell(*row, column)).is_none() && grid.cell(*row, column).value.is_some())
    };
    let cell = match of {
        Of::Column(other) if other == column => return None,
        Of::Column(other) => grid.cell(row, other),
        Of::First => grid.cell(first()?, column),
        Of::Before => grid.cell(row.checked_sub(1)?, column),
    };
    (cell.unit.dim == grid.cell(row, column).unit.dim).then(|| cell.interval()).flatten().filter(|base| base.low > 0.0)
}

fn agrees(grid: &Grid, (row, column): (usize, usize), of: Of) -> Option<bool> {
    let cell = grid.cell(row, column);
    let (stated, factor) = change(cell)?;
    let (own, base) = (cell.interval()?, base(grid, (row, column), of)?);
    let (ratio, inverse) = (own.over(base)?, base.over(own)?);
    let percent = |i: Interval| i.minus(Interval::at(1.0)).scaled(100.0);
    let meant = if factor {
        vec![ratio, inverse]
    } else {
        vec![percent(ratio), percent(ratio).scaled(-1.0), percent(inverse), percent(inverse).scaled(-1.0)]
    };
    // A tool that estimates a change does so by itself.
    let slack = 0.012 * stated.middle().abs();
    let stated = Interval { low: stated.low - slack, high: stated.high + slack };
    Some(meant.iter().any(|meant| stated.meets(*meant)))
}
