//! What the spread of a metric consists of: analysis of variance over the factors with all their interactions, and the two
//! coefficients of variation.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{
    observation::{FACTORS, Observation, cells, centred, is_rounding, mean, scale, value},
    stats,
    tails::{above_f, quantile_chi_squared},
};

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
    /// Within cells: what the factors do not explain.
    pub residual: Residual,
    /// Standard deviation (ddof = 1) of the cells' means, over their mean; `None` for one cell.
    pub cv_between: Option<f64>,
    /// `None` where no cell has a replicate.
    pub within: Option<Within>,
}

/// One source of variance.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// `length`, `length_temperature`, ...
    pub name: String,
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
pub fn of(observations: &[Observation], confidence: f64) -> Result<Variance> {
    let (n, grand) = (observations.len(), mean(observations, value));
    let (cells, size) = (cells(&centred(observations, grand)), scale(observations));
    let clean = |sum: f64| if is_rounding(sum, n, size) { 0.0 } else { sum };
    let means: BTreeMap<[usize; 3], f64> = cells.iter().map(|(levels, runs)| (*levels, mean(runs, value))).collect();
    let within = cells.iter().flat_map(|(levels, runs)| runs.iter().map(|run| run.value - means[levels]));
    let (within, degrees) = (clean(within.map(|d| d * d).sum()), n - cells.len());
    let total = clean(cells.values().flatten().map(|run| run.value * run.value).sum());
    let share = |sum: f64| (total > 0.0).then(|| sum / total);

    let error = (degrees > 0).then(|| within / degrees as f64);
    let terms = sequential(&cells, &means).into_iter().map(|(name, sum, df)| {
        let sum = clean(sum);
        let f = error.filter(|error| df > 0 && *error > 0.0).map(|error| sum / df as f64 / error);
        let p = f.and_then(|f| above_f(f, df as f64, degrees as f64));
        Term { name, sum_of_squares: sum, degrees: df, share: share(sum), f, p }
    });
    let of_cells = stats::of(&means.values().copied().collect::<Vec<f64>>(), confidence)?;
    let mean_of_cells = grand + of_cells.mean;
    Ok(Variance {
        n,
        mean: grand,
        balanced: balanced(&cells),
        total,
        terms: terms.collect(),
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

fn balanced(cells: &BTreeMap<[usize; 3], Vec<Observation>>) -> bool {
    let first = cells.values().next().map_or(0, Vec::len);
    let grid: usize = (0..FACTORS.len()).map(|factor| levels(cells, factor).len()).product();
    cells.len() == grid && cells.values().all(|runs| runs.len() == first)
}

/// The levels of a factor that occur, ascending.
fn levels(cells: &BTreeMap<[usize; 3], Vec<Observation>>, factor: usize) -> Vec<usize> {
    let mut levels: Vec<usize> = cells.keys().map(|place| place[factor]).collect();
    levels.sort_unstable();
    levels.dedup();
    levels
}

/// Name, sum of squares and degrees of freedom of each term. All of it happens among cell means weighted with their runs,
/// which is exact, since the columns of the model are constant within a cell. Each column is made orthogonal to those before
/// it (Gram and Schmidt, twice for precision); the squared projections of the means on the columns of a term are its sum.
fn sequential(
    cells: &BTreeMap<[usize; 3], Vec<Observation>>,
    means: &BTreeMap<[usize; 3], f64>,
) -> Vec<(String, f64, usize)> {
    let weights: Vec<f64> = cells.values().map(|runs| (runs.len() as f64).sqrt()).collect();
    let mut rest: Vec<f64> = means.values().zip(&weights).map(|(mean, weight)| mean * weight).collect();
    let mut basis: Vec<Vec<f64>> = Vec::new();
    add(&mut basis, weights.clone());
    project(&mut rest, &basis);

    let terms = terms(cells);
    let mut found = Vec::new();
    for (index, term) in terms.iter().enumerate() {
        let name = term.iter().map(|factor| FACTORS[*factor]).collect::<Vec<_>>().join("_");
        // The last term makes the model one mean a cell: it takes whatever is left.
        if index + 1 == terms.len() {
            found.push((name, rest.iter().map(|r| r * r).sum(), cells.len() - basis.len()));
            break;
        }
        let before = basis.len();
        for column in columns(cells, term) {
            add(&mut basis, column.iter().zip(&weights).map(|(x, weight)| x * weight).collect());
        }
        found.push((name, project(&mut rest, &basis[before..]), basis.len() - before));
    }
    found
}

/// Every set of factors that have more than one level: single ones first, the whole set last.
fn terms(cells: &BTreeMap<[usize; 3], Vec<Observation>>) -> Vec<Vec<usize>> {
    let active: Vec<usize> = (0..FACTORS.len()).filter(|factor| levels(cells, *factor).len() > 1).collect();
    let mut terms: Vec<Vec<usize>> = (1..1usize << active.len())
        .map(|set| active.iter().enumerate().filter(|(i, _)| set >> i & 1 == 1).map(|(_, factor)| *factor).collect())
        .collect();
    terms.sort_by_key(|term: &Vec<usize>| (term.len(), term.clone()));
    terms
}

/// Indicator columns of a term: one for each combination of its factors' levels, the first level of each left out.
fn columns(cells: &BTreeMap<[usize; 3], Vec<Observation>>, term: &[usize]) -> Vec<Vec<f64>> {
    let mut combinations: Vec<Vec<usize>> = vec![Vec::new()];
    for factor in term {
        let levels = levels(cells, *factor);
        combinations = combinations
            .iter()
            .flat_map(|before| levels[1..].iter().map(move |level| [before.as_slice(), &[*level]].concat()))
            .collect();
    }
    let is_at = |place: &[usize; 3], at: &[usize]| term.iter().zip(at).all(|(factor, level)| place[*factor] == *level);
    combinations.iter().map(|at| cells.keys().map(|place| if is_at(place, at) { 1.0 } else { 0.0 }).collect()).collect()
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
