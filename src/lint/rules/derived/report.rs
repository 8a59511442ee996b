//! The rows of a column that do not follow, as findings.

use std::collections::BTreeSet;

use super::{super::names::brief, Asked, Fit, shape::Shape};
use crate::lint::{
    number::{Interval, show},
    report::{Out, Sure},
    unit::Dim,
};

impl Asked<'_> {
    /// Signs tell the direction where rows that fit have both.
    fn signed(&self, best: &Fit) -> bool {
        let sign = |row: &usize| {
            let cell = self.grid.cell(*row, self.target);
            let straight = self.stated(cell)?.cut().meets(self.predicted(best.shape, *row)?);
            (cell.signed && straight).then(|| cell.value.is_some_and(|value| value.value < 0.0))
        };
        let signs: BTreeSet<bool> = best.fits.iter().filter_map(sign).collect();
        signs.len() == 2 && matches!(best.shape, Shape::Change(..) | Shape::BaseChange(_) | Shape::Difference(..))
    }

    /// The rows that do not fit, unless another reading of them does.
    pub(super) fn report(&self, best: &Fit, out: &mut Out<'_>) {
        let grid = self.grid;
        if self.signed(best) {
            for row in &best.fits {
                let cell = grid.cell(*row, self.target);
                let (Some(predicted), Some(stated)) = (self.predicted(best.shape, *row), self.stated(cell)) else {
                    continue;
                };
                if cell.signed && !stated.cut().meets(predicted) {
                    let said = [
                        format!("{} {}", self.what(*row), cell.text),
                        format!("{} = {}", self.formula(best.shape, *row), self.shown(predicted.middle())),
                        "the size is right, the sign is not: in the other rows it tells the direction".into(),
                    ];
                    out.wrong(grid.place(*row, self.target), "derived", Sure::Warning, said);
                }
            }
        }
        for row in best.fits.iter().take(200) {
            out.fits(
                grid.place(*row, self.target),
                "derived",
                format!("{} {}", self.what(*row), grid.cell(*row, self.target).text),
            );
        }
        for row in best.misfits.iter().copied() {
            let cell = grid.cell(row, self.target);
            let (Some(predicted), Some(stated)) = (self.predicted(best.shape, row), cell.value) else { continue };
            let off = (stated.value - predicted.middle()).abs();
            // What is of another size altogether is of something else, unless many rows say what it is of.
            let sized = (stated.value / predicted.middle()).abs();
            let turned = (stated.value * predicted.middle()).abs();
            let like = (0.2..5.0).contains(&sized) || cell.slower && (0.2..5.0).contains(&turned);
            if best.fits.len() < 3 && !like {
                continue;
            }
            let wide =
                Asked { wide: true, dim: self.dim.clone(), rows: Vec::new(), bases: self.bases.clone(), ..*self };
            let loosely =
                wide.predicted(best.shape, row).is_some_and(|predicted| wide.agrees(cell, predicted, best.shape));
            let sums = matches!(best.shape, Shape::Sum(..) | Shape::Difference(..));
            let slight = loosely
                || off
                    <= 2.2 * cell.step.min(stated.half)
                        + predicted.half()
                        + if sums { 0.0005 } else { 0.003 } * predicted.middle().abs();
            let little = off <= 6.0 * cell.step.min(stated.half) + predicted.half() + 0.02 * predicted.middle().abs();
            // A mean of rates is not the rate of means; and what has an interval was estimated by itself.
            let estimated = cell.more.len() >= 2 || cell.more.iter().any(|quantity| quantity.upper.is_some());
            let mean = matches!(best.shape, Shape::Rate(..)) && off <= 0.08 * predicted.middle().abs();
            let loose = best.digits < 1.0
                && self.shapes().iter().any(|other| {
                    self.predicted(*other, row).is_some_and(|predicted| self.agrees(cell, predicted, *other))
                });
            if slight || loose || mean || estimated || self.excused(best.shape, row) {
                continue;
            }
            let sure = if little {
                Sure::Warning
            } else if best.fits.len() >= 3 && best.fits.len() >= 3 * best.misfits.len()
                || best.fits.len() >= 2 && best.misfits.len() == 1 && self.is_hinted(best.shape)
            {
                Sure::Error
            } else {
                Sure::Warning
            };
            let side = if grid.turned { "columns" } else { "rows" };
            let said = [
                format!("{} {}", self.what(row), cell.text),
                format!("{} = {}", self.formula(best.shape, row), self.shown(predicted.middle())),
                format!("{} of {} {side} are that", best.fits.len(), best.fits.len() + best.misfits.len()),
            ];
            out.wrong(grid.place(row, self.target), "derived", sure, said);
        }
    }

    /// Another pair of columns, another base or the inverse gives what is stated.
    fn excused(&self, shape: Shape, row: usize) -> bool {
        let cell = self.grid.cell(row, self.target);
        let Some(stated) = cell.value else { return true };
        let kin = |other: &Shape| {
            std::mem::discriminant(other) == std::mem::discriminant(&shape)
                || !matches!(shape, Shape::Sum(..) | Shape::Mean(..) | Shape::Share(_))
        };
        let precise = |predicted: Interval| {
            stated.value != 0.0 && (predicted.half() + 2.0 * stated.half) / stated.value.abs() < 0.03
        };
        self.shapes().iter().filter(|other| kin(other)).any(|other| {
            let Some(predicted) = self.predicted(*other, row) else { return false };
            precise(predicted) && self.agrees(cell, predicted, *other)
        })
    }

    pub(super) fn what(&self, row: usize) -> String {
        format!("{} of {}", brief(&self.grid.columns[self.target].text), brief(&self.grid.rows[row].text))
    }

    fn shown(&self, value: f64) -> String {
        let unit = match self.dim {
            Dim::Percent | Dim::Points => " %",
            Dim::Factor => "×",
            _ => "",
        };
        let scale = self.rows.first().map_or(1.0, |row| self.grid.cell(*row, self.target).unit.scale);
        format!("{}{unit}", show(value / if scale == 0.0 { 1.0 } else { scale }))
    }

    pub(super) fn formula(&self, shape: Shape, row: usize) -> String {
        let text = |row: usize, column: usize| self.grid.cell(row, column).text.clone();
        let base = self.bases.get(row).copied().unwrap_or(0);
        match shape {
            Shape::Ratio(a, b) | Shape::Rate(a, b) => format!("{} / {}", text(row, a), text(row, b)),
            Shape::Change(a, b) => format!("{} / {} - 1", text(row, a), text(row, b)),
            Shape::Difference(a, b) => format!("{} - {}", text(row, a), text(row, b)),
            Shape::BaseRatio(a) => format!("{} / {}", text(row, a), text(base, a)),
            Shape::BaseInverse(a) => format!("{} / {}", text(base, a), text(row, a)),
            Shape::BaseChange(a) => format!("{} / {} - 1", text(row, a), text(base, a)),
            Shape::BaseDifference(a) => format!("{} - {}", text(row, a), text(base, a)),
            Shape::Share(a) => format!("{} of the sum of {}", text(row, a), brief(&self.grid.columns[a].text)),
            Shape::Sum(a, b) => {
                (a..b).filter(|c| *c != self.target).map(|c| text(row, c)).collect::<Vec<_>>().join(" + ")
            }
            Shape::Mean(a, b) => format!("the mean of {}", (a..b).map(|c| text(row, c)).collect::<Vec<_>>().join(", ")),
        }
    }
}
