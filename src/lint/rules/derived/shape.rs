//! How a column can follow from others.

/// How a column follows from others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shape {
    /// a / b
    Ratio(usize, usize),
    /// (a - b) / b
    Change(usize, usize),
    /// a - b
    Difference(usize, usize),
    /// a / a of the base row
    BaseRatio(usize),
    /// a of the base row / a
    BaseInverse(usize),
    /// a / a of the base row - 1
    BaseChange(usize),
    /// a - a of the base row
    BaseDifference(usize),
    /// a / sum of a
    Share(usize),
    /// The sum of the columns from a up to b.
    Sum(usize, usize),
    /// Their mean.
    Mean(usize, usize),
    /// a / b, in other units than both.
    Rate(usize, usize),
}
