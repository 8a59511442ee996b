//! Columns that no relation fits: two rows of which one is the base, and rates whose unit is another.

use super::{super::names::brief, Asked, shape::Shape};
use crate::lint::{
    number::{Interval, show},
    report::{Out, Sure},
    unit::Dim,
    words::contains_any,
};

impl Asked<'_> {
    /// `vs. X` with one row beside that of X: it is the ratio of some column to X's, or of none.
    pub(super) fn single(&self, out: &mut Out<'_>) {
        let grid = self.grid;
        let header = contains_any(self.header, "vs. |vs |relative|times as|slower|speedup|speed-up");
        let [base, ..] = self.bases.as_slice() else { return };
        let rows: Vec<usize> = self.rows.iter().copied().filter(|row| row != base).collect();
        let ([row], true, false) = (rows.as_slice(), header && grid.rows.len() == 2, grid.turned) else { return };
        let cell = grid.cell(*row, self.target);
        let one = grid.cell(*base, self.target).value.is_some_and(|value| value.value == 1.0);
        let Some(stated) = cell.firm().filter(|_| one && matches!(self.dim, Dim::None | Dim::Factor)) else { return };
        let ratios = |column: usize| {
            let ratio = self.value(*row, column)?.over(self.value(*base, column)?)?;
            Some([Some(ratio), Interval::at(1.0).over(ratio)])
        };
        let columns = (0..grid.columns.len()).filter(|column| *column != self.target).filter_map(ratios);
        let known: Vec<Interval> = columns.flatten().flatten().filter(|ratio| ratio.low > 0.0).collect();
        let near = |ratio: &&Interval| {
            (0.6..1.67).contains(&(ratio.middle() / stated.value)) && ratio.half() < 0.02 * ratio.middle()
        };
        let slack = |ratio: &Interval| stated.cut().meets(*ratio) || (ratio.middle() / stated.value - 1.0).abs() < 0.04;
        let close: Vec<&Interval> = known.iter().filter(near).collect();
        if known.iter().any(slack) || close.is_empty() || close.len() > 2 {
            return;
        }
        let shown = close.iter().map(|ratio| show(ratio.middle())).collect::<Vec<_>>().join(" or ");
        let said = [
            format!("{} {}", self.what(*row), cell.text),
            format!("{shown} against {}", brief(&grid.rows[*base].text)),
            "the ratio of no other column of the two rows".into(),
        ];
        out.wrong(grid.place(*row, self.target), "derived", Sure::Warning, said);
    }

    /// A rate whose every row is off by the same power of a thousand: one of the units is another.
    pub(super) fn shifted(&self, out: &mut Out<'_>) {
        if self.rows.len() < 2 || self.grid.turned || !matches!(self.dim, Dim::Rate(_)) {
            return;
        }
        // Things, of which there are whole ones.
        let whole = |column: usize| {
            self.rows
                .iter()
                .all(|row| self.grid.cell(*row, column).value.is_some_and(|v| v.value >= 1.0 && v.value.fract() == 0.0))
        };
        let counts = |shape: &Shape| matches!(shape, Shape::Rate(amount, _) if whole(*amount));
        for shape in self.shapes().into_iter().filter(counts) {
            let power = |row: &usize| -> Option<i32> {
                let predicted = self.predicted(shape, *row)?;
                let own = self.grid.cell(*row, self.target).value?.value;
                [-3, 3, -6, 6, -9, 9]
                    .into_iter()
                    .find(|power| (own * 10f64.powi(*power) / predicted.middle() - 1.0).abs() < 0.2)
            };
            let powers: Option<Vec<i32>> = self.rows.iter().map(power).collect();
            let Some(powers) = powers.filter(|powers| powers.windows(2).all(|two| two[0] == two[1])) else { continue };
            let row = self.rows[0];
            let said = [
                format!("{} {}", self.what(row), self.grid.cell(row, self.target).text),
                format!("{} is 10^{} times that", self.formula(shape, row), powers[0]),
                format!("all {} rows are off by the same power of ten, so one of the units is another", powers.len()),
            ];
            return out.wrong(self.grid.place(row, self.target), "derived", Sure::Warning, said);
        }
    }
}
