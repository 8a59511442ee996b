//! How much must fit before what does not is odd.

use super::{Asked, Fit, shape::Shape};
use crate::lint::{unit::Dim, words::contains_any};

impl Asked<'_> {
    /// How much must fit before what does not is odd.
    pub(super) fn enough(&self, fit: &Fit) -> bool {
        let (fits, misfits) = (fit.fits.len(), fit.misfits.len());
        let named = match fit.shape {
            Shape::BaseRatio(_) | Shape::BaseInverse(_) | Shape::BaseChange(_) | Shape::BaseDifference(_) => {
                self.is_hinted(fit.shape) && !self.bases.is_empty()
            }
            _ => self.is_hinted(fit.shape),
        };
        let rate = matches!(fit.shape, Shape::Rate(..));
        // One row to hold, and one column that it can be of, against a base that is marked.
        if named && fits <= 1 && misfits == 1 && self.only_source(fit.shape) {
            return true;
        }
        // One column of numbers that happens to be the difference of two others shows nothing.
        let difference = matches!(fit.shape, Shape::Difference(..) | Shape::BaseDifference(_));
        if named && fits == 0 || difference && self.grid.turned && fits == 1 {
            return false;
        }
        if named && !rate && self.only_pair(fit.shape) && fits >= 1 && fit.digits >= 1.0 && misfits <= 3 * fits {
            return true;
        }
        if named && !rate {
            return fits >= 1 && fit.digits >= 1.0 && misfits <= (fits / 2).max(1);
        }
        // An absolute difference and a signed one agree in half of the rows.
        if matches!(fit.shape, Shape::Difference(..) | Shape::BaseDifference(_))
            && !named
            && fits < 3
            && self.grid.columns.iter().any(|column| contains_any(&column.lower, "abs|error|diff|δ|dev"))
        {
            return false;
        }
        if matches!(fit.shape, Shape::Mean(..)) || matches!(fit.shape, Shape::Sum(a, b) if b - a < 3) && fits < 3 {
            return false;
        }
        fits >= 2
            && fit.digits >= if named { 3.0 } else { 4.0 }
            && misfits <= (fits / 3).max(usize::from(fits >= 2 && misfits == 1))
    }

    /// A ratio to a marked base, of the only column that it can be of or the one that its header names.
    fn only_source(&self, shape: Shape) -> bool {
        let (Shape::BaseRatio(source) | Shape::BaseInverse(source) | Shape::BaseChange(source)) = shape else {
            return false;
        };
        let marked = self.dim == Dim::Factor || self.dim == Dim::Percent;
        let sources = self.measured();
        let named = |column: usize| {
            self.grid.columns[column]
                .lower
                .split(|c: char| !c.is_alphanumeric())
                .any(|word| word.len() > 3 && self.header.contains(word))
        };
        marked
            && !self.grid.turned
            && (sources == [source] || named(source) && sources.iter().filter(|column| named(**column)).count() == 1)
    }

    /// The other columns that are no ratios themselves.
    fn measured(&self) -> Vec<usize> {
        let alike = |column: &usize| {
            *column != self.target
                && self.grid.dim(*column).is_some_and(|dim| !matches!(dim, Dim::Factor | Dim::Percent))
        };
        (0..self.grid.columns.len()).filter(alike).collect()
    }

    /// A column of factors beside two columns of one kind, and no other: whose ratio should it be?
    fn only_pair(&self, shape: Shape) -> bool {
        let (Shape::Ratio(a, b) | Shape::Change(a, b)) = shape else { return false };
        let mut sources = self.measured();
        sources.retain(|column| !(self.grid.levels && *column == 0));
        (self.dim == Dim::Factor && matches!(shape, Shape::Ratio(..))
            || self.dim == Dim::Percent && matches!(shape, Shape::Change(..)) && self.hint.change)
            && !self.grid.turned
            && (sources == [a, b] || sources == [b, a])
    }

    pub(super) fn is_hinted(&self, shape: Shape) -> bool {
        match shape {
            Shape::Ratio(..) | Shape::BaseRatio(_) | Shape::BaseInverse(_) => {
                self.hint.ratio || self.dim == Dim::Factor
            }
            Shape::Change(..) | Shape::BaseChange(_) => self.hint.change || self.dim == Dim::Percent && self.hint.ratio,
            Shape::Difference(..) | Shape::BaseDifference(_) => self.hint.difference,
            Shape::Share(_) => self.hint.share,
            Shape::Sum(..) => self.hint.sum,
            Shape::Mean(..) => self.hint.mean,
            Shape::Rate(..) => self.hint.rate,
        }
    }
}
