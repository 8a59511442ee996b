//! The shapes that a column of its kind can have.

use super::{
    super::names::{is_summary, kind},
    Asked,
    shape::Shape,
};
use crate::lint::unit::Dim;

impl Asked<'_> {
    /// The shapes that a column of its kind can have.
    pub(super) fn shapes(&self) -> Vec<Shape> {
        let asked = self;
        let grid = asked.grid;
        let sources: Vec<(usize, Dim)> = (0..grid.columns.len())
            .filter(|column| *column != asked.target)
            .filter_map(|column| Some((column, grid.dim(column)?)))
            .collect();
        let compared = matches!(asked.dim, Dim::None | Dim::Factor | Dim::Percent | Dim::Points);
        let mut shapes = Vec::new();
        for (a, of) in &sources {
            let ratios =
                compared && *of != Dim::Factor && (*of != Dim::Percent || asked.hint.change || asked.hint.difference);
            if ratios && !asked.bases.is_empty() {
                shapes.extend([Shape::BaseRatio(*a), Shape::BaseInverse(*a), Shape::BaseChange(*a)]);
            }
            if !asked.bases.is_empty() && (*of == asked.dim || *of == Dim::Percent && asked.dim == Dim::Points) {
                shapes.push(Shape::BaseDifference(*a));
            }
            if ratios && matches!(asked.dim, Dim::Percent | Dim::None) && asked.hint.share {
                shapes.push(Shape::Share(*a));
            }
            for (b, under) in sources.iter().filter(|(b, _)| b != a) {
                if ratios && of == under {
                    shapes.push(Shape::Ratio(*a, *b));
                    if asked.dim != Dim::Factor || asked.hint.change {
                        shapes.push(Shape::Change(*a, *b));
                    }
                }
                if of == under && (*of == asked.dim || *of == Dim::Percent && asked.dim == Dim::Points) && a != b {
                    shapes.push(Shape::Difference(*a, *b));
                }
                if matches!((&asked.dim, under), (Dim::Rate(_), Dim::Time))
                    && (*of == Dim::None || *of == Dim::Bytes && asked.dim == Dim::Rate("byte".into()))
                {
                    shapes.push(Shape::Rate(*a, *b));
                }
            }
        }
        shapes.extend(self.runs(&sources));
        shapes
    }

    /// Columns beside each other of the kind of the target: all before it, all behind it, and those next to it.
    fn runs(&self, sources: &[(usize, Dim)]) -> Vec<Shape> {
        let asked = self;
        let statistic = |column: usize| is_summary(&asked.grid.columns[column].lower);
        let same =
            |column: usize| sources.iter().any(|(c, dim)| *c == column && *dim == asked.dim) && !statistic(column);
        let mut shapes = Vec::new();
        // A total and a mean by name are the summary rule's.
        if kind(asked.header).is_some() {
            return shapes;
        }
        let target = asked.target;
        let mut start = target;
        while start > 0 && same(start - 1) {
            start -= 1;
            if target - start >= 2 {
                shapes.extend([Shape::Sum(start, target), Shape::Mean(start, target)]);
            }
        }
        let mut end = target + 1;
        while same(end) {
            end += 1;
            if end - target >= 3 {
                shapes.extend([Shape::Sum(target + 1, end), Shape::Mean(target + 1, end)]);
            }
        }
        shapes
    }
}
