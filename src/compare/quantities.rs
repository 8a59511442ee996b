//! The cells that two executions share, and what can be computed from a sample of them: means over levels, their ratios,
//! the slope and the intercept of latency on tokens, shares of variance. Each comes with its derivatives, so that tests can
//! follow. Which of them are claims is `numbers`' affair.

use std::collections::BTreeMap;

use crate::{
    analysis::{
        RunMetrics, Summary,
        contrast::Sample,
        dual::Dual,
        variance::{MOST_CROSSED, sets},
    },
    factor::{ENGINE, MODEL},
    metric::Metric,
};

/// The design as far as both executions carry it out.
#[derive(Debug)]
pub(super) struct Design {
    /// The factors that both have, but for model and engine: those tell systems apart, not cells.
    pub factors: Vec<String>,
    /// In the first one's plan order.
    pub cells: Vec<Cell>,
    /// Keys of cells that one of them has, and that are not compared: the other lacks it, or has too few runs.
    pub left_out: Vec<String>,
    /// By factor, the names of its levels, in the first one's order.
    pub levels: Vec<Vec<String>>,
}

#[derive(Debug)]
pub(super) struct Cell {
    /// Index of its level of each factor.
    pub levels: Vec<usize>,
    /// Tokens asked for; every run made just so many, if `exact`.
    pub tokens: f64,
    pub exact: bool,
    /// Runs of each execution.
    runs: [Vec<RunMetrics>; 2],
}

/// A cell of one execution: what it is called, and its runs.
struct Known {
    key: String,
    runs: Vec<RunMetrics>,
}

/// By the names of their levels, in the plan's order.
fn known(summary: &Summary, factors: &[String]) -> Vec<(Vec<String>, Known)> {
    let places: Vec<usize> = factors.iter().filter_map(|name| summary.grid.factor(name)).collect();
    let runs: BTreeMap<u32, &RunMetrics> = summary.runs.iter().map(|run| (run.run, run)).collect();
    let of = |numbers: &[u32]| numbers.iter().filter_map(|run| runs.get(run).copied().cloned()).collect();
    let names = |cell: usize| {
        let level = |place: &usize| summary.factors[*place].levels[summary.grid.cells[cell][*place]].key().into_owned();
        places.iter().map(level).collect()
    };
    let known =
        |cell: &crate::analysis::Group| (names(cell.level), Known { key: cell.key.clone(), runs: of(&cell.runs) });
    summary.cells.iter().map(known).collect()
}

impl Design {
    pub(super) fn of(a: &Summary, b: &Summary) -> Self {
        let shared = |name: &&String| b.grid.factor(name).is_some() && ![MODEL, ENGINE].contains(&name.as_str());
        let factors: Vec<String> = a.grid.factors.iter().filter(shared).cloned().collect();
        let first = known(a, &factors);
        let mut second: BTreeMap<Vec<String>, Known> = known(b, &factors).into_iter().collect();
        let mut levels: Vec<Vec<String>> = vec![Vec::new(); factors.len()];
        let (mut cells, mut left_out) = (Vec::new(), Vec::new());
        for (names, Known { key, runs: here }) in first {
            let there = second.remove(&names).map(|known| known.runs);
            let Some(there) = there.filter(|there| here.len() > 1 && there.len() > 1) else {
                left_out.push(key);
                continue;
            };
            let tokens = here[0].max_tokens;
            let place = |(known, name): (&mut Vec<String>, String)| {
                known.iter().position(|level| *level == name).unwrap_or_else(|| {
                    known.push(name);
                    known.len() - 1
                })
            };
            cells.push(Cell {
                levels: levels.iter_mut().zip(names).map(place).collect(),
                tokens: f64::from(tokens),
                exact: here.iter().chain(&there).all(|run| run.n_gen == f64::from(tokens)),
                runs: [here, there],
            });
        }
        let mut alone: Vec<String> = second.into_values().map(|known| known.key).collect();
        alone.sort();
        left_out.extend(alone);
        Design { factors, cells, left_out, levels }
    }

    /// A metric's values by cell, in each execution; `None` where some run has none.
    pub(super) fn samples(&self, metric: Metric) -> Option<[Sample; 2]> {
        let of = |side: usize| -> Option<Sample> {
            let values =
                |cell: &Cell| cell.runs[side].iter().map(|run| run.value(metric)).collect::<Option<Vec<f64>>>();
            Sample::of(&self.cells.iter().map(values).collect::<Option<Vec<Vec<f64>>>>()?)
        };
        Some([of(0)?, of(1)?])
    }

    /// The mean of the means of cells: all of them, or those at a level of a factor. Every cell has the same weight, so
    /// that a run that failed in one execution does not shift the mixture.
    pub(super) fn mean(&self, sample: &Sample, at: Option<(usize, usize)>) -> Option<Dual> {
        let means = sample.means();
        let is_in = |cell: &Cell| at.is_none_or(|(factor, level)| cell.levels[factor] == level);
        let within: Vec<&Dual> =
            self.cells.iter().zip(&means).filter(|(cell, _)| is_in(cell)).map(|(_, mean)| mean).collect();
        Dual::mean(&within)
    }

    /// The slope, a token, of the least-squares line through the cells; `None` for one length, or where runs ended early.
    pub(super) fn slope(&self, sample: &Sample) -> Option<Dual> {
        let centre = self.tokens();
        let sxx: f64 = self.cells.iter().map(|cell| (cell.tokens - centre).powi(2)).sum();
        if sxx == 0.0 || self.cells.iter().any(|cell| !cell.exact) {
            return None;
        }
        let means = sample.means();
        Dual::sum(self.cells.iter().zip(&means).map(|(cell, mean)| ((cell.tokens - centre) / sxx, mean)))
    }

    /// The line's value at no tokens, as a share of the mean.
    pub(super) fn intercept_share(&self, sample: &Sample) -> Option<Dual> {
        let (mean, slope) = (self.mean(sample, None)?, self.slope(sample)?);
        Dual::sum([(1.0, &mean), (-self.tokens(), &slope)])?.over(&mean)
    }

    fn tokens(&self) -> f64 {
        self.cells.iter().map(|cell| cell.tokens).sum::<f64>() / self.cells.len() as f64
    }

    /// Shares of the total sum of squares, as `variance` has them: each term's and `residual`. Empty where they would depend
    /// on the order of the factors: a cell is missing, or cells differ in their runs.
    pub(super) fn shares(&self, sample: &Sample) -> Vec<(String, Dual)> {
        let grid: usize = self.levels.iter().map(Vec::len).product();
        let (Some(n), true) = (sample.replicates(), grid == self.cells.len()) else { return Vec::new() };
        let means = sample.means();
        let within = sample.within();
        let Some(grand) = Dual::mean(&means.iter().collect::<Vec<_>>()) else { return Vec::new() };
        let squares = |effects: Vec<Dual>| {
            let squares: Vec<Dual> = effects.iter().map(Dual::squared).collect();
            Dual::sum(squares.iter().map(|square| (n, square)))
        };
        let Some(between) = squares(means.iter().map(|mean| mean.minus(&grand)).collect()) else { return Vec::new() };
        let Some(total) = Dual::sum([(1.0, &between), (1.0, &within)]) else { return Vec::new() };
        let mut shares = Vec::new();
        for term in self.terms() {
            let share = squares(self.effects(&term, &means)).and_then(|sum| sum.over(&total));
            let name = term.iter().map(|factor| self.factors[*factor].as_str()).collect::<Vec<_>>().join("_");
            shares.extend(share.map(|share| (name, share)));
        }
        shares.extend(within.over(&total).map(|share| ("residual".to_owned(), share)));
        shares
    }

    /// The terms of `analysis::variance`, but for what it does not tell apart.
    fn terms(&self) -> Vec<Vec<usize>> {
        let active: Vec<usize> = (0..self.factors.len()).filter(|factor| self.levels[*factor].len() > 1).collect();
        sets(&active, if active.len() <= MOST_CROSSED { active.len() } else { 2 })
    }

    /// A term's effect in each cell: marginal means over the subsets of its factors, with alternating signs.
    fn effects(&self, term: &[usize], means: &[Dual]) -> Vec<Dual> {
        let subsets = 0..1usize << term.len();
        let margins: Vec<(f64, Vec<Dual>)> = subsets
            .map(|set| {
                let kept = chosen(set, term);
                let sign = if (term.len() - kept.len()).is_multiple_of(2) { 1.0 } else { -1.0 };
                (sign, self.marginal(&kept, means))
            })
            .collect();
        (0..self.cells.len())
            .filter_map(|cell| Dual::sum(margins.iter().map(|(sign, means)| (*sign, &means[cell]))))
            .collect()
    }

    /// For each cell, the mean of all cells that agree with it in `factors`.
    fn marginal(&self, factors: &[usize], means: &[Dual]) -> Vec<Dual> {
        let place = |cell: &Cell| factors.iter().map(|factor| cell.levels[*factor]).collect::<Vec<usize>>();
        let mut like: BTreeMap<Vec<usize>, Vec<&Dual>> = BTreeMap::new();
        for (cell, mean) in self.cells.iter().zip(means) {
            like.entry(place(cell)).or_default().push(mean);
        }
        let means: BTreeMap<Vec<usize>, Dual> =
            like.into_iter().filter_map(|(place, means)| Some((place, Dual::mean(&means)?))).collect();
        self.cells.iter().filter_map(|cell| means.get(&place(cell)).cloned()).collect()
    }
}

/// The members of `all` whose bit is set.
fn chosen(set: usize, all: &[usize]) -> Vec<usize> {
    all.iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1).map(|(_, factor)| *factor).collect()
}
