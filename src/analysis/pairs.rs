//! Levels of one factor, compared in pairs: cells that agree in all other factors are set against each other, so that what
//! those factors do drops out. Tests of equivalence, and of a steady rise.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{
    observation::{Cells, Grid},
    stats,
    tails::{above_t, quantile_t},
};

/// Is the effect of a factor shown to be within a margin? Two one-sided tests (Schuirmann 1987) for each pair of levels.
#[derive(Debug, Clone, PartialEq)]
pub struct Equivalence {
    /// Largest difference that counts as none, in the metric's unit.
    pub margin: f64,
    /// Every pair of levels, ascending.
    pub pairs: Vec<Pair>,
    /// `true`: every pair is equivalent; `false`: some pair is shown to differ by more than the margin; `None`: neither is shown.
    pub verdict: Option<bool>,
}

/// The second level minus the first.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Indices of the two levels.
    pub levels: [usize; 2],
    /// Pairs of cells.
    pub n: usize,
    /// Mean difference of the cells' means.
    pub difference: f64,
    /// Of the mean difference; `None` for one pair of cells.
    pub se: Option<f64>,
    /// At 1 - 2 alpha: equivalence is shown when it lies within the margin.
    pub interval: Option<(f64, f64)>,
    /// Of the two one-sided tests, the larger.
    pub p: Option<f64>,
    /// That the difference exceeds the margin, in its own direction.
    pub p_beyond: Option<f64>,
}

/// Is each level above the one before it?
#[derive(Debug, Clone, PartialEq)]
pub struct Rise {
    pub steps: Vec<Step>,
    /// `true`: every step is shown to rise; `false`: some step is shown to fall; `None`: neither is shown.
    pub verdict: Option<bool>,
}

/// From one level to the next.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub levels: [usize; 2],
    pub n: usize,
    pub difference: f64,
    /// One-sided: that it rises.
    pub p: Option<f64>,
}

/// Tests every pair of levels of `factor` (an index into [`Grid::factors`]) against `margin`.
///
/// # Errors
/// A confidence outside 0..1.
pub fn equivalence(grid: &Grid, cells: &Cells, factor: usize, margin: f64, confidence: f64) -> Result<Equivalence> {
    let alpha = 1.0 - confidence;
    let by_level = by_level(grid, cells, factor);
    let levels: Vec<usize> = by_level.keys().copied().collect();
    let mut pairs = Vec::new();
    for (i, first) in levels.iter().enumerate() {
        for second in &levels[i + 1..] {
            let Some(paired) = Paired::of(&by_level[first], &by_level[second])? else { continue };
            let interval = paired.interval(1.0 - 2.0 * alpha)?;
            let above = |distance: f64| paired.above(distance);
            let both = above(paired.difference + margin).zip(above(margin - paired.difference));
            pairs.push(Pair {
                levels: [*first, *second],
                n: paired.n,
                difference: paired.difference,
                se: paired.se,
                interval,
                p: both.map(|(low, high)| low.max(high)),
                p_beyond: above(paired.difference.abs() - margin),
            });
        }
    }
    // All must pass, so passing needs no correction; failing is any of several chances, so it does.
    let share = alpha / pairs.len().max(1) as f64;
    let verdict = if pairs.is_empty() {
        None
    } else if pairs.iter().all(|pair| pair.p.is_some_and(|p| p < alpha)) {
        Some(true)
    } else if pairs.iter().any(|pair| pair.p_beyond.is_some_and(|p| p < share)) {
        Some(false)
    } else {
        None
    };
    Ok(Equivalence { margin, pairs, verdict })
}

/// Tests each step from one level of `factor` to the next.
///
/// # Errors
/// None that finite values can cause.
pub fn rise(grid: &Grid, cells: &Cells, factor: usize, confidence: f64) -> Result<Rise> {
    let alpha = 1.0 - confidence;
    let by_level = by_level(grid, cells, factor);
    let levels: Vec<usize> = by_level.keys().copied().collect();
    let (mut steps, mut falls) = (Vec::new(), Vec::new());
    for pair in levels.windows(2) {
        let Some(paired) = Paired::of(&by_level[&pair[0]], &by_level[&pair[1]])? else { continue };
        steps.push(Step {
            levels: [pair[0], pair[1]],
            n: paired.n,
            difference: paired.difference,
            p: paired.above(paired.difference),
        });
        falls.push(paired.above(-paired.difference));
    }
    let share = alpha / steps.len().max(1) as f64;
    let verdict = if steps.len() + 1 < levels.len() || steps.is_empty() {
        None
    } else if steps.iter().all(|step| step.p.is_some_and(|p| p < alpha)) {
        Some(true)
    } else if falls.iter().any(|p| p.is_some_and(|p| p < share)) {
        Some(false)
    } else {
        None
    };
    Ok(Rise { steps, verdict })
}

/// Cell means by the level of `factor`, then by the levels of the others.
fn by_level(grid: &Grid, cells: &Cells, factor: usize) -> BTreeMap<usize, BTreeMap<Vec<usize>, f64>> {
    let mut found: BTreeMap<usize, BTreeMap<Vec<usize>, f64>> = BTreeMap::new();
    for (cell, replicates) in cells {
        let level = grid.cells[*cell][factor];
        found.entry(level).or_default().insert(grid.others(*cell, factor), replicates.mean);
    }
    found
}

/// The mean of paired differences.
pub(super) struct Paired {
    pub(super) n: usize,
    pub(super) difference: f64,
    /// `None` for one pair.
    pub(super) se: Option<f64>,
}

impl Paired {
    /// Cells of `second` minus their partners in `first`; cells without a partner are left out.
    fn of(first: &BTreeMap<Vec<usize>, f64>, second: &BTreeMap<Vec<usize>, f64>) -> Result<Option<Self>> {
        let differences: Vec<f64> =
            second.iter().filter_map(|(others, mean)| Some(mean - first.get(others)?)).collect();
        Paired::from(&differences)
    }

    /// `None` of nothing.
    pub(super) fn from(differences: &[f64]) -> Result<Option<Self>> {
        if differences.is_empty() {
            return Ok(None);
        }
        let stats = stats::of(differences, 0.95)?;
        Ok(Some(Paired { n: differences.len(), difference: stats.mean, se: stats.se }))
    }

    /// The interval of the mean difference at a confidence.
    pub(super) fn interval(&self, confidence: f64) -> Result<Option<(f64, f64)>> {
        let Some(se) = self.se else { return Ok(None) };
        let half = quantile_t(confidence, self.degrees())? * se;
        Ok(Some((self.difference - half, self.difference + half)))
    }

    fn degrees(&self) -> f64 {
        (self.n - 1) as f64
    }

    /// Tail area of a distance in standard errors. Without any scatter a distance is either there or it is not.
    pub(super) fn above(&self, distance: f64) -> Option<f64> {
        match self.se? {
            0.0 => Some(if distance > 0.0 { 0.0 } else { 1.0 }),
            se => above_t(distance / se, self.degrees()),
        }
    }
}
