//! A run as the tests see it: its place in the design and one value. Knows nothing of what the value means.

use std::collections::BTreeMap;

use super::stats;

/// The factors of the design, in the order in which they enter an analysis of variance.
pub const FACTORS: [&str; 3] = ["length", "temperature", "prompt"];

/// One run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// Index of the run's level of each factor.
    pub levels: [usize; 3],
    /// Position in the execution.
    pub order: f64,
    /// Tokens generated.
    pub tokens: f64,
    /// The metric, in its unit.
    pub value: f64,
}

/// The runs of each cell that has any.
pub fn cells(observations: &[Observation]) -> BTreeMap<[usize; 3], Vec<Observation>> {
    let mut cells: BTreeMap<[usize; 3], Vec<Observation>> = BTreeMap::new();
    for observation in observations {
        cells.entry(observation.levels).or_default().push(*observation);
    }
    cells
}

/// The mean of `of` over runs, exact where all are equal.
pub fn mean(observations: &[Observation], of: fn(&Observation) -> f64) -> f64 {
    stats::mean(&observations.iter().map(of).collect::<Vec<f64>>())
}

/// The value of a run, for [`mean`].
pub fn value(observation: &Observation) -> f64 {
    observation.value
}

/// The same runs with `centre` taken from each value: sums of squares of small differences of large values keep their digits.
pub fn centred(observations: &[Observation], centre: f64) -> Vec<Observation> {
    observations.iter().map(|run| Observation { value: run.value - centre, ..*run }).collect()
}

/// Is a sum of squared differences of `n` numbers as large as `scale` no more than their rounding?
pub fn is_rounding(sum_of_squares: f64, n: usize, scale: f64) -> bool {
    let each = 8.0 * f64::EPSILON * scale;
    sum_of_squares <= n as f64 * each * each
}

/// The largest absolute value.
pub fn scale(observations: &[Observation]) -> f64 {
    observations.iter().map(|observation| observation.value.abs()).fold(0.0, f64::max)
}
