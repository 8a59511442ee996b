//! What the spread of a metric consists of: analysis of variance over the factors, and the two coefficients of variation. Up to three
//! factors that vary have all their interactions; of more, pairs alone, and what longer interactions explain is one term, `higher`.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{
    observation::{Grid, Observation, Replicates, cells, centred, is_rounding, mean, scale, value},
    stats,
    tails::{above_f, quantile_chi_squared},
};

/// So many factors have all their interactions.
pub const MOST_CROSSED: usize = 3;
/// Cells times columns squared, beyond which an unbalanced design would take minutes: main effects alone are told apart there.
const MOST_WORK: f64 = 4e9;

/// An analysis of variance. Sums of squares are sequential (type I), in the order of `terms`, so that they always add up to
/// the total; in a balanced design the order makes no difference and every type of sum agrees.
#[derive(Debug, Clone, PartialEq)]
pub struct Variance {
    pub n: usize,
    /// Mean of all runs.
    pub mean: f64,
    /// Does every combination of the levels that occur have the same number of runs?
    pub balanced: bool,
    /// Sum of squared differences from the mean.
    pub total: f64,
    /// Main effects, then interactions; factors with one level are left out.
    pub terms: Vec<Term>,
    /// Are there interactions that have no term of their own? They are [`Source::Higher`] together.
    pub cut: bool,
    /// Within cells: what the factors do not explain.
    pub residual: Residual,
    /// Standard deviation (ddof = 1) of the cells' means, over their mean; `None` for one cell.
    pub cv_between: Option<f64>,
    /// `None` where no cell has a replicate.
    pub within: Option<Within>,
}

/// What variance comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A factor, or the interaction of several: indices into [`Grid::factors`].
    Of(Vec<usize>),
    /// Whatever the terms before leave between cells.
    Higher,
}

impl Source {
    /// `length`, `length_temperature`, ...; `higher`.
    pub fn name(&self, grid: &Grid) -> String {
        match self {
            Source::Of(factors) => {
                factors.iter().map(|factor| grid.factors[*factor].as_str()).collect::<Vec<_>>().join("_")
            }
            Source::Higher => "higher".to_owned(),
        }
    }
}

/// One source of variance.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    pub source: Source,
    pub sum_of_squares: f64,
    pub degrees: usize,
    /// Of the total; `None` when all runs are equal.
    pub share: Option<f64>,
    /// Against the residual mean square; `None` where there is none, or where it is zero.
    pub f: Option<f64>,
    pub p: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Residual {
    pub sum_of_squares: f64,
    /// Runs minus cells.
    pub degrees: usize,
    pub share: Option<f64>,
}

/// The spread of replicates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Within {
    /// Pooled within-cell standard deviation: the root of the residual mean square.
    pub sd: f64,
    pub degrees: usize,
    /// `sd` over the mean of all runs.
    pub cv: f64,
    /// One-sided bounds of `cv` at the confidence asked for, from chi-squared, the mean taken as known.
    pub cv_at_least: f64,
    pub cv_at_most: f64,
}

/// Analyses one metric.
///
/// # Errors
/// A confidence outside 0..1.
pub fn of(grid: &Grid, observations: &[Observation], confidence: f64) -> Result<Variance> {
    let (n, grand) = (observations.len(), mean(observations, value));
    let (cells, size) = (cells(&centred(observations, grand)), scale(observations));
    let clean = |sum: f64| if is_rounding(sum, n, size) { 0.0 } else { sum };
    let means: Vec<Cell> = cells
        .iter()
        .map(|(cell, Replicates { runs, mean })| Cell { place: &grid.cells[*cell], n: runs.len() as f64, mean: *mean })
        .collect();
    let within = cells.values().zip(&means).flat_map(|(of, cell)| of.runs.iter().map(|run| run.value - cell.mean));
    let (within, degrees) = (clean(within.map(|d| d * d).sum()), n - cells.len());
    let total = clean(cells.values().flat_map(|cell| &cell.runs).map(|run| run.value * run.value).sum());
    let share = |sum: f64| (total > 0.0).then(|| sum / total);

    let error = (degrees > 0).then(|| within / degrees as f64);
    let (balanced, design) = (balanced(&means), Design::of(&means));
    let sums = if balanced { design.balanced(&means) } else { design.sequential(&means) };
    let cut = design.terms.contains(&Source::Higher);
    let terms = design.terms.into_iter().zip(sums).map(|(source, (sum, df))| {
        let sum = clean(sum);
        let f = error.filter(|error| df > 0 && *error > 0.0).map(|error| sum / df as f64 / error);
        let p = f.and_then(|f| above_f(f, df as f64, degrees as f64));
        Term { source, sum_of_squares: sum, degrees: df, share: share(sum), f, p }
    });
    let of_cells = stats::of(&means.iter().map(|cell| cell.mean).collect::<Vec<f64>>(), confidence)?;
    let mean_of_cells = grand + of_cells.mean;
    Ok(Variance {
        n,
        mean: grand,
        balanced,
        total,
        terms: terms.collect(),
        cut,
        residual: Residual { sum_of_squares: within, degrees, share: share(within) },
        cv_between: of_cells.sd.filter(|_| mean_of_cells != 0.0).map(|sd| sd / mean_of_cells),
        within: match error {
            Some(square) if grand != 0.0 => Some(spread(square.sqrt(), degrees, grand, confidence)?),
            _ => None,
        },
    })
}

fn spread(sd: f64, degrees: usize, mean: f64, confidence: f64) -> Result<Within> {
    let (cv, df) = (sd / mean, degrees as f64);
    let bound = |share: f64| -> Result<f64> { Ok(cv * (df / quantile_chi_squared(share, df)?).sqrt()) };
    Ok(Within { sd, degrees, cv, cv_at_least: bound(confidence)?, cv_at_most: bound(1.0 - confidence)? })
}

/// A cell's place in the grid, its number of runs and their mean.
struct Cell<'a> {
    place: &'a [usize],
    n: f64,
    mean: f64,
}

/// The levels of a factor that occur, ascending.
fn levels(cells: &[Cell<'_>], factor: usize) -> Vec<usize> {
    let mut levels: Vec<usize> = cells.iter().map(|cell| cell.place[factor]).collect();
    levels.sort_unstable();
    levels.dedup();
    levels
}

fn factors(cells: &[Cell<'_>]) -> usize {
    cells.first().map_or(0, |cell| cell.place.len())
}

/// Is every combination of levels there, with the same number of runs?
fn balanced(cells: &[Cell<'_>]) -> bool {
    let grid: usize = (0..factors(cells)).map(|factor| levels(cells, factor).len()).product();
    cells.len() == grid && cells.iter().all(|cell| cell.n == cells[0].n)
}

/// What the variance is divided among.
struct Design {
    terms: Vec<Source>,
    /// By factor, the levels that occur.
    levels: Vec<Vec<usize>>,
}

impl Design {
    fn of(cells: &[Cell<'_>]) -> Self {
        let levels: Vec<Vec<usize>> = (0..factors(cells)).map(|factor| levels(cells, factor)).collect();
        let varying: Vec<usize> = (0..levels.len()).filter(|factor| levels[*factor].len() > 1).collect();
        let mut most = if varying.len() <= MOST_CROSSED { varying.len() } else { 2 };
        let columns = |most: usize| -> f64 {
            sets(&varying, most)
                .iter()
                .map(|set| set.iter().map(|f| levels[*f].len() as f64 - 1.0).product::<f64>())
                .sum()
        };
        let is_work = |most: usize| cells.len() as f64 * columns(most) * columns(most) > MOST_WORK;
        while most > 1 && !balanced(cells) && is_work(most) {
            most -= 1;
        }
        let mut terms: Vec<Source> = sets(&varying, most).into_iter().map(Source::Of).collect();
        if most < varying.len() {
            terms.push(Source::Higher);
        }
        Design { terms, levels }
    }

    fn degrees(&self, term: &[usize]) -> usize {
        term.iter().map(|factor| self.levels[*factor].len() - 1).product()
    }

    /// Sum of squares and degrees of freedom of each term, in a design where all cells weigh the same: a term's effect in a cell is a
    /// sum of marginal means with alternating signs, and effects of different terms are orthogonal.
    fn balanced(&self, cells: &[Cell<'_>]) -> Vec<(f64, usize)> {
        let mut left: Vec<f64> = cells.iter().map(|cell| cell.mean).collect();
        let grand = stats::mean(&left);
        left.iter_mut().for_each(|mean| *mean -= grand);
        let mut free = cells.len() - 1;
        let mut found = Vec::new();
        for term in &self.terms {
            let Source::Of(term) = term else {
                found.push((cells.iter().zip(&left).map(|(cell, d)| cell.n * d * d).sum(), free));
                continue;
            };
            // What terms of fewer factors explain is out of `left` already.
            let mut sums: BTreeMap<Vec<usize>, (f64, f64)> = BTreeMap::new();
            let at = |cell: &Cell<'_>| term.iter().map(|factor| cell.place[*factor]).collect::<Vec<usize>>();
            for (cell, value) in cells.iter().zip(&left) {
                let (sum, n) = sums.entry(at(cell)).or_default();
                (*sum, *n) = (*sum + value, *n + 1.0);
            }
            let mut squares = 0.0;
            for (cell, value) in cells.iter().zip(&mut left) {
                let (sum, n) = sums[&at(cell)];
                *value -= sum / n;
                squares += cell.n * (sum / n) * (sum / n);
            }
            let degrees = self.degrees(term);
            free -= degrees;
            found.push((squares, degrees));
        }
        found
    }

    /// The same where they do not. All of it happens among cell means weighted with their runs, which is exact, since the columns of
    /// the model are constant within a cell. Each column is made orthogonal to those before it (Gram and Schmidt, twice for
    /// precision); the squared projections of the means on the columns of a term are its sum.
    fn sequential(&self, cells: &[Cell<'_>]) -> Vec<(f64, usize)> {
        let weights: Vec<f64> = cells.iter().map(|cell| cell.n.sqrt()).collect();
        let mut rest: Vec<f64> = cells.iter().zip(&weights).map(|(cell, weight)| cell.mean * weight).collect();
        let mut basis: Vec<Vec<f64>> = Vec::new();
        add(&mut basis, weights.clone());
        project(&mut rest, &basis);
        let mut found = Vec::new();
        for (index, term) in self.terms.iter().enumerate() {
            let Source::Of(factors) = term else {
                found.push((rest.iter().map(|r| r * r).sum(), cells.len() - basis.len()));
                continue;
            };
            // A last term of all factors makes the model one mean a cell: it takes whatever is left.
            if index + 1 == self.terms.len() {
                found.push((rest.iter().map(|r| r * r).sum(), cells.len() - basis.len()));
                break;
            }
            let before = basis.len();
            for column in self.columns(cells, factors) {
                add(&mut basis, column.iter().zip(&weights).map(|(x, weight)| x * weight).collect());
            }
            found.push((project(&mut rest, &basis[before..]), basis.len() - before));
        }
        found
    }

    /// Indicator columns of a term: one for each combination of its factors' levels, the first level of each left out.
    fn columns(&self, cells: &[Cell<'_>], term: &[usize]) -> Vec<Vec<f64>> {
        let mut combinations: Vec<Vec<usize>> = vec![Vec::new()];
        for factor in term {
            let levels = &self.levels[*factor][1..];
            let with =
                |before: &Vec<usize>| levels.iter().map(|level| [before.as_slice(), &[*level]].concat()).collect();
            combinations = combinations.iter().flat_map(|before| -> Vec<Vec<usize>> { with(before) }).collect();
        }
        let is_at =
            |cell: &Cell<'_>, at: &[usize]| term.iter().zip(at).all(|(factor, level)| cell.place[*factor] == *level);
        let column = |at: &Vec<usize>| cells.iter().map(|cell| if is_at(cell, at) { 1.0 } else { 0.0 }).collect();
        combinations.iter().map(column).collect()
    }
}

/// Every set of at most `most` of these factors, single ones first.
pub(crate) fn sets(factors: &[usize], most: usize) -> Vec<Vec<usize>> {
    let mut sets: Vec<Vec<usize>> = vec![Vec::new()];
    for factor in factors {
        let with: Vec<Vec<usize>> =
            sets.iter().filter(|set| set.len() < most).map(|set| [set.as_slice(), &[*factor]].concat()).collect();
        sets.extend(with);
    }
    sets.retain(|set| !set.is_empty());
    sets.sort_by_key(|set| (set.len(), set.clone()));
    sets
}

/// Takes the part of `vector` along `basis` away and returns its squared length.
fn project(vector: &mut [f64], basis: &[Vec<f64>]) -> f64 {
    let mut squares = 0.0;
    for unit in basis {
        let along: f64 = vector.iter().zip(unit).map(|(v, u)| v * u).sum();
        vector.iter_mut().zip(unit).for_each(|(v, u)| *v -= along * u);
        squares += along * along;
    }
    squares
}

/// Adds what is new in `column`, if anything is.
fn add(basis: &mut Vec<Vec<f64>>, mut column: Vec<f64>) {
    let length = |column: &[f64]| column.iter().map(|x| x * x).sum::<f64>().sqrt();
    let before = length(&column);
    project(&mut column, basis);
    project(&mut column, basis);
    let after = length(&column);
    if after > 1e-9 * before {
        column.iter_mut().for_each(|x| *x /= after);
        basis.push(column);
    }
}
