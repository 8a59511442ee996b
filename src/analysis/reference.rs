//! The levels of a factor, each set against the first one that has runs: ratios of cells that agree in all else, on logarithms, so that
//! twice as much and half as much are equally far from one. Where only one pair of cells agrees, runs of one block are paired instead.
//! Equivalence within a margin is shown by two one-sided tests (Schuirmann 1987), one level at a time; that any of several levels
//! differs by more is any of several chances, so Holm's step-down (1979) guards it.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{
    observation::{Cells, Grid, Replicates},
    pairs::Paired,
};

/// One level against the reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Ratio {
    /// Indices of the level and of the reference.
    pub level: usize,
    pub reference: usize,
    /// What was paired, and how many pairs.
    pub pairs: Pairs,
    pub n: usize,
    /// The geometric mean of the ratios level / reference.
    pub ratio: f64,
    /// At 1 - 2 alpha; `None` for one pair.
    pub interval: Option<(f64, f64)>,
    /// Of the two one-sided tests against the margin, the larger.
    pub p: Option<f64>,
    /// That the ratio lies beyond the margin, on its own side, by Holm over the levels.
    pub p_beyond: Option<f64>,
    /// `true`: shown to differ by more than the margin; `false`: shown to lie within it; `None`: neither.
    pub differs: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairs {
    Cells,
    Runs,
}

/// Every level of `factor` but the reference. Empty where a value is not positive: it has no logarithm (loading, in a session that
/// loads once).
///
/// # Errors
/// A confidence outside 0.5..1.
#[allow(clippy::disallowed_methods, reason = "values are compared to 1e-9, texts have few digits")]
pub fn ratios(grid: &Grid, cells: &Cells, factor: usize, margin: f64, confidence: f64) -> Result<Vec<Ratio>> {
    let alpha = 1.0 - confidence;
    if cells.values().flat_map(|cell| &cell.runs).any(|run| run.value <= 0.0) {
        return Ok(Vec::new());
    }
    let by_level = by_level(grid, cells, factor);
    let Some((reference, base)) = by_level.first_key_value() else { return Ok(Vec::new()) };
    let bound = margin.ln_1p();
    let mut found = Vec::new();
    for (level, those) in by_level.iter().skip(1) {
        let (pairs, differences) = paired(base, those);
        let Some(paired) = Paired::from(&differences)? else { continue };
        let (low, high) = (paired.above(paired.difference + bound), paired.above(bound - paired.difference));
        found.push(Ratio {
            level: *level,
            reference: *reference,
            pairs,
            n: paired.n,
            ratio: paired.difference.exp(),
            interval: paired.interval(1.0 - 2.0 * alpha)?.map(|(low, high)| (low.exp(), high.exp())),
            p: low.zip(high).map(|(low, high)| low.max(high)),
            p_beyond: paired.above(paired.difference.abs() - bound),
            differs: None,
        });
    }
    let adjusted = holm(&found.iter().map(|ratio| ratio.p_beyond).collect::<Vec<_>>());
    for (ratio, p_beyond) in found.iter_mut().zip(adjusted) {
        ratio.p_beyond = p_beyond;
        ratio.differs = differs(ratio.p, p_beyond, alpha);
    }
    Ok(found)
}

/// What the two tests settle at alpha: `true`, it lies beyond the margin; `false`, within it; `None`, neither is shown.
pub fn differs(within: Option<f64>, beyond: Option<f64>, alpha: f64) -> Option<bool> {
    match (within, beyond) {
        (Some(p), _) if p < alpha => Some(false),
        (_, Some(p)) if p < alpha => Some(true),
        _ => None,
    }
}

/// By the levels of all other factors.
type Level<'a> = BTreeMap<Vec<usize>, &'a Replicates>;

fn by_level<'a>(grid: &Grid, cells: &'a Cells, factor: usize) -> BTreeMap<usize, Level<'a>> {
    let mut found: BTreeMap<usize, Level<'a>> = BTreeMap::new();
    for (cell, replicates) in cells {
        found.entry(grid.cells[*cell][factor]).or_default().insert(grid.others(*cell, factor), replicates);
    }
    found
}

/// Logarithms of ratios: of cells' means where several agree in all else, else of the runs of one block.
#[allow(clippy::disallowed_methods, reason = "as above")]
fn paired(base: &Level<'_>, those: &Level<'_>) -> (Pairs, Vec<f64>) {
    let both: Vec<[&Replicates; 2]> =
        those.iter().filter_map(|(others, cell)| Some([*base.get(others)?, *cell])).collect();
    if let [[first, second]] = both[..] {
        let by_block: BTreeMap<u32, f64> = first.runs.iter().rev().map(|run| (run.block, run.value.ln())).collect();
        // Runs that were not executed in blocks have the number 0.
        let runs = second.runs.iter().filter(|run| run.block > 0);
        return (Pairs::Runs, runs.filter_map(|run| Some(run.value.ln() - by_block.get(&run.block)?)).collect());
    }
    (Pairs::Cells, both.iter().map(|[first, second]| second.mean.ln() - first.mean.ln()).collect())
}

/// Holm's adjusted p values: a hypothesis is rejected at alpha where its adjusted p lies below it. Those that are `None` are none.
pub fn holm(p: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<usize> = (0..p.len()).filter(|index| p[*index].is_some()).collect();
    order.sort_by(|a, b| p[*a].unwrap_or(1.0).total_cmp(&p[*b].unwrap_or(1.0)));
    let mut adjusted = vec![None; p.len()];
    let mut most = 0f64;
    for (rank, index) in order.iter().enumerate() {
        most = most.max((order.len() - rank) as f64 * p[*index].unwrap_or(1.0)).min(1.0);
        adjusted[*index] = Some(most);
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::observation::{Observation, cells};

    /// Holm's own example of four: 0.01, 0.04, 0.03, 0.005 -> 0.03, 0.06, 0.06, 0.02 (R: p.adjust(method = "holm")).
    #[test]
    fn holm_steps_down() {
        let adjusted = holm(&[Some(0.01), Some(0.04), None, Some(0.03), Some(0.005)]);
        let expected = [Some(0.03), Some(0.06), None, Some(0.06), Some(0.02)];
        let close = |a: &Option<f64>, b: &Option<f64>| match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() < 1e-15,
            (a, b) => a == b,
        };
        assert!(adjusted.iter().zip(&expected).all(|(a, b)| close(a, b)), "{adjusted:?}");
    }

    fn runs(values: &[(usize, u32, f64)]) -> (Grid, Vec<Observation>) {
        let places: Vec<Vec<usize>> = values.iter().map(|(level, ..)| vec![*level]).collect();
        let (grid, cells) = Grid::of(&["engine"], &places);
        let observe = |((_, block, value), cell): (&(usize, u32, f64), usize)| Observation {
            cell,
            block: *block,
            order: 0.0,
            tokens: 1.0,
            value: *value,
        };
        (grid, values.iter().zip(cells).map(observe).collect())
    }

    /// One cell each: the runs of a block are paired, so a block in which all is slow costs nothing.
    #[test]
    fn one_pair_of_cells_is_compared_by_block() {
        let (grid, runs) = runs(&[(0, 1, 1.0), (0, 2, 2.0), (0, 3, 4.0), (1, 1, 2.0), (1, 2, 4.0), (1, 3, 8.0)]);
        let found = ratios(&grid, &cells(&runs), 0, 0.02, 0.95).unwrap();
        assert_eq!((found.len(), found[0].n, found[0].pairs), (1, 3, Pairs::Runs));
        assert!((found[0].ratio - 2.0).abs() < 1e-12 && found[0].differs == Some(true), "{found:?}");
    }

    /// A verdict that the plain level gives and Holm's does not: with eleven levels that do not differ, p of 0.01 shows nothing.
    #[test]
    #[allow(clippy::disallowed_methods, reason = "as above")]
    fn one_level_of_many_needs_more() {
        let noisy = |level: usize, shift: f64| {
            [(1, -0.03), (2, 0.0), (3, 0.03), (4, 0.01), (5, -0.01)]
                .map(|(block, d)| (level, block, (shift + d * level as f64).exp()))
        };
        let few: Vec<_> = [noisy(0, 0.0), noisy(1, 0.06)].concat();
        let (grid, alone) = runs(&few);
        let alone = ratios(&grid, &cells(&alone), 0, 0.02, 0.95).unwrap();
        assert_eq!(alone[0].differs, Some(true), "{alone:?}");
        let many: Vec<_> =
            (2..12).map(|level| noisy(level, 0.0)).chain([noisy(0, 0.0), noisy(1, 0.06)]).flatten().collect();
        let (grid, many) = runs(&many);
        let among = ratios(&grid, &cells(&many), 0, 0.02, 0.95).unwrap();
        assert_eq!((among[0].level, among[0].ratio), (1, alone[0].ratio));
        assert_eq!(among[0].differs, None, "{:?}", among[0]);
    }

    #[test]
    fn what_has_no_logarithm_is_left_out() {
        let (grid, runs) = runs(&[(0, 1, 0.0), (1, 1, 2.0)]);
        assert!(ratios(&grid, &cells(&runs), 0, 0.02, 0.95).unwrap().is_empty());
    }
}
