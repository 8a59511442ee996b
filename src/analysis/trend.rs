//! A straight line in the levels of a numeric factor, within whatever else varies: every combination of the other factors has a level
//! of its own, and one slope is common to all (analysis of covariance). Whether a line is enough is the F test of lack of fit against
//! a mean for each level.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{
    observation::{Grid, Observation, Replicates, cells, is_rounding, scale},
    tails::{above_f, quantile_t},
};

/// The common slope.
#[derive(Debug, Clone, PartialEq)]
pub struct Trend {
    pub n: usize,
    /// Combinations of the other factors.
    pub groups: usize,
    /// In the metric's unit by the factor's.
    pub slope: f64,
    pub se: f64,
    /// At the confidence asked for.
    pub interval: (f64, f64),
    /// Runs - groups - 1.
    pub degrees: usize,
    /// Do the levels miss the line by more than the rest scatters? `None` where nothing scatters.
    pub lack_of_fit: Option<Lack>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lack {
    pub f: f64,
    pub p: f64,
    /// Levels - 2, and runs - groups - (levels - 1).
    pub degrees: (usize, usize),
}

/// A cell as the fit sees it, its group's means taken away.
struct Point {
    n: f64,
    level: usize,
    group: usize,
    x: f64,
    y: f64,
}

/// Fits a slope to a factor (an index into [`Grid::factors`]) whose levels have these numbers; `None` for fewer than three levels, or
/// where no combination of the others has two of them.
///
/// # Errors
/// A confidence outside 0..1.
pub fn fit(
    grid: &Grid,
    observations: &[Observation],
    factor: usize,
    number: impl Fn(usize) -> f64,
    confidence: f64,
) -> Result<Option<Trend>> {
    let levels = grid.levels(factor);
    if levels.len() < 3 {
        return Ok(None);
    }
    let (mut groups, mut points) = (BTreeMap::new(), Vec::new());
    let mut within = 0.0;
    for (cell, Replicates { runs, mean: y }) in cells(observations) {
        let next = groups.len();
        let group = *groups.entry(grid.others(cell, factor)).or_insert(next);
        let level = grid.cells[cell][factor];
        within += runs.iter().map(|run| (run.value - y) * (run.value - y)).sum::<f64>();
        points.push(Point { n: runs.len() as f64, level, group, x: number(level), y });
    }
    centre(&mut points, groups.len());
    let sum = |of: &dyn Fn(&Point) -> f64| points.iter().map(|point| point.n * of(point)).sum::<f64>();
    let (sxx, sxy) = (sum(&|p| p.x * p.x), sum(&|p| p.x * p.y));
    let (n, groups) = (observations.len(), groups.len());
    if sxx == 0.0 || n < groups + 2 {
        return Ok(None);
    }
    let size = scale(observations);
    let clean = |sum: f64| if is_rounding(sum, n, size) { 0.0 } else { sum };
    let slope = sxy / sxx;
    let degrees = n - groups - 1;
    // What the line leaves is taken from each point, not as a difference of large sums.
    points.iter_mut().for_each(|point| point.y -= slope * point.x);
    let between: f64 = points.iter().map(|point| point.n * point.y * point.y).sum();
    let residual = clean(between + within);
    let se = (residual / degrees as f64 / sxx).sqrt();
    let half = quantile_t(confidence, degrees as f64)? * se;

    let Levels { explained, left, rank } = by_level(&points, &levels, groups);
    let (lack, rest) = (clean(explained), clean(left + within));
    let lack_of_fit = (rank > 1 && n > groups + rank).then(|| {
        let of = (rank - 1, n - groups - rank);
        let f = lack / of.0 as f64 / (rest / of.1 as f64);
        Some(Lack { f, p: above_f(f, of.0 as f64, of.1 as f64)?, degrees: of })
    });
    let lack_of_fit = lack_of_fit.flatten().filter(|_| rest > 0.0);
    Ok(Some(Trend { n, groups, slope, se, interval: (slope - half, slope + half), degrees, lack_of_fit }))
}

/// Takes each group's weighted means of x and y away.
fn centre(points: &mut [Point], groups: usize) {
    let mut sums = vec![(0.0, 0.0, 0.0); groups];
    for point in points.iter() {
        let (n, x, y) = &mut sums[point.group];
        (*n, *x, *y) = (*n + point.n, *x + point.n * point.x, *y + point.n * point.y);
    }
    for point in points {
        let (n, x, y) = sums[point.group];
        (point.x, point.y) = (point.x - x / n, point.y - y / n);
    }
}

/// What a mean for each level explains beyond the groups.
struct Levels {
    /// Sums of squares.
    explained: f64,
    left: f64,
    /// Degrees of freedom.
    rank: usize,
}

/// Columns of the levels, each centred within the groups, made orthogonal one after the other.
fn by_level(points: &[Point], levels: &[usize], groups: usize) -> Levels {
    let weight = |point: &Point| point.n.sqrt();
    let mut rest: Vec<f64> = points.iter().map(|point| weight(point) * point.y).collect();
    let mut basis: Vec<Vec<f64>> = Vec::new();
    let (mut squares, dot) = (0.0, |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>());
    for level in &levels[1..] {
        let is_at = |point: &Point| f64::from(u8::from(point.level == *level));
        let mut shares = vec![(0.0, 0.0); groups];
        for point in points {
            let (n, there) = &mut shares[point.group];
            (*n, *there) = (*n + point.n, *there + point.n * is_at(point));
        }
        let centred = |point: &Point| is_at(point) - shares[point.group].1 / shares[point.group].0;
        let mut column: Vec<f64> = points.iter().map(|point| weight(point) * centred(point)).collect();
        let before = dot(&column, &column);
        for _ in 0..2 {
            for unit in &basis {
                let along = dot(&column, unit);
                column.iter_mut().zip(unit).for_each(|(c, u)| *c -= along * u);
            }
        }
        let length = dot(&column, &column);
        if length > 1e-18 * before && length > 0.0 {
            column.iter_mut().for_each(|c| *c /= length.sqrt());
            let along = dot(&rest, &column);
            rest.iter_mut().zip(&column).for_each(|(r, c)| *r -= along * c);
            squares += along * along;
            basis.push(column);
        }
    }
    Levels { explained: squares, left: dot(&rest, &rest), rank: basis.len() }
}
