//! A run as the tests see it: its cell of the design and one value. Knows nothing of what the value means, and of a factor only its
//! name and place.

use std::collections::BTreeMap;

use super::stats;

/// The cells of a design: which level of each factor every one is at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grid {
    /// Names of the factors, in the order in which they enter an analysis of variance.
    pub factors: Vec<String>,
    /// By cell, the index of its level of each factor; ascending, each once.
    pub cells: Vec<Vec<usize>>,
}

impl Grid {
    /// The grid of some places (levels by factor), and the cell of each.
    pub fn of(factors: &[&str], places: &[Vec<usize>]) -> (Grid, Vec<usize>) {
        let mut cells = places.to_vec();
        cells.sort();
        cells.dedup();
        let cell = |place: &Vec<usize>| cells.binary_search(place).unwrap_or(0);
        let of = places.iter().map(cell).collect();
        (Grid { factors: factors.iter().map(|name| (*name).to_owned()).collect(), cells }, of)
    }

    /// Index of a factor.
    pub fn factor(&self, name: &str) -> Option<usize> {
        self.factors.iter().position(|known| known == name)
    }

    /// The levels of a factor that occur, ascending.
    pub fn levels(&self, factor: usize) -> Vec<usize> {
        let mut levels: Vec<usize> = self.cells.iter().map(|cell| cell[factor]).collect();
        levels.sort_unstable();
        levels.dedup();
        levels
    }

    /// The factors of which several levels occur.
    pub fn varying(&self) -> Vec<usize> {
        (0..self.factors.len()).filter(|factor| self.levels(*factor).len() > 1).collect()
    }

    /// A cell's place with one factor taken out: cells that share it agree in all else.
    pub fn others(&self, cell: usize, factor: usize) -> Vec<usize> {
        let mut others = self.cells[cell].clone();
        others[factor] = 0;
        others
    }
}

/// One run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// Index into [`Grid::cells`].
    pub cell: usize,
    /// The randomised block; runs of one block and several cells may be set against each other.
    pub block: u32,
    /// Position in the execution.
    pub order: f64,
    /// Tokens generated.
    pub tokens: f64,
    /// The metric, in its unit.
    pub value: f64,
}

/// The runs of one cell.
#[derive(Debug, Clone)]
pub struct Replicates {
    pub runs: Vec<Observation>,
    pub mean: f64,
}

/// By cell, of those that have runs.
pub type Cells = BTreeMap<usize, Replicates>;

/// The runs of each cell that has any.
pub fn cells(observations: &[Observation]) -> Cells {
    let mut cells: Vec<Vec<Observation>> = Vec::new();
    for observation in observations {
        if observation.cell >= cells.len() {
            cells.resize_with(observation.cell + 1, Vec::new);
        }
        cells[observation.cell].push(*observation);
    }
    let found = cells.into_iter().enumerate().filter(|(_, runs)| !runs.is_empty());
    found.map(|(cell, runs)| (cell, Replicates { mean: mean(&runs, value), runs })).collect()
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
