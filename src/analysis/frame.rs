//! Runs as a polars table, grouped by the factors of the design.

use std::collections::BTreeMap;

use anyhow::Result;
use polars::prelude::{Column, DataFrame, GroupsIndicator, IdxSize, NamedFrom, PolarsResult, Series};

use super::{Group, RunMetrics, observation::Grid, stats};
use crate::{
    factor::{Factor, LENGTH, PROMPT, TEMPERATURE},
    metric::Metric,
};

/// The table of runs. Columns: the level's index of each factor, the cell, and each of `metrics` (null where a run has it not).
fn frame(factors: &[Factor], grid: &Grid, runs: &[RunMetrics], metrics: &[Metric]) -> PolarsResult<DataFrame> {
    fn column<T, A>(name: &str, values: Vec<T>) -> Column
    where
        Series: NamedFrom<Vec<T>, A>,
        A: ?Sized,
    {
        Series::new(name.into(), values).into()
    }
    let mut columns = vec![column(CELL, runs.iter().map(|run| run.cell as u32).collect())];
    for (place, factor) in factors.iter().enumerate().filter(|(_, factor)| factor.varies()) {
        columns.push(column(&factor.name, runs.iter().map(|run| grid.cells[run.cell][place] as u32).collect()));
    }
    for metric in metrics {
        let values = runs.iter().map(|run| run.value(*metric)).collect::<Vec<Option<f64>>>();
        columns.push(column(&format!("{METRIC}{}", metric.name()), values));
    }
    DataFrame::new(runs.len(), columns)
}

/// What every design has, in the order in which a plan goes through it: the keys of cells begin with their levels.
const ALWAYS: [&str; 3] = [PROMPT, LENGTH, TEMPERATURE];

/// No factor has such a name: names are words.
const CELL: &str = "(cell)";
const METRIC: &str = "(metric) ";

/// The table, ready to be grouped.
pub struct Grouped<'a> {
    factors: &'a [Factor],
    grid: &'a Grid,
    runs: &'a [RunMetrics],
    /// Those that some run has.
    metrics: Vec<Metric>,
    frame: DataFrame,
    confidence: f64,
}

impl<'a> Grouped<'a> {
    pub fn of(factors: &'a [Factor], grid: &'a Grid, runs: &'a [RunMetrics], confidence: f64) -> Result<Self> {
        let known = |metric: &Metric| runs.iter().any(|run| run.value(*metric).is_some());
        let metrics: Vec<Metric> = Metric::ALL.into_iter().filter(known).collect();
        let frame = frame(factors, grid, runs, &metrics)?;
        Ok(Grouped { factors, grid, runs, metrics, frame, confidence })
    }

    /// All runs.
    pub fn overall(&self) -> Result<Group> {
        self.group("overall".to_owned(), 0, self.all())
    }

    /// One group a level of a factor that has runs, in the order of the levels.
    pub fn by(&self, factor: usize) -> Result<Vec<Group>> {
        let level = |run: &RunMetrics| self.grid.cells[run.cell][factor];
        let named = |level: usize| self.factors[factor].levels[level].key().into_owned();
        let mut groups = if self.factors[factor].varies() {
            self.split(&self.factors[factor].name, level, named)?
        } else {
            vec![self.group(named(0), 0, self.all())?]
        };
        groups.sort_by_key(|group| group.level);
        Ok(groups)
    }

    /// One group a cell, in plan order.
    pub fn cells(&self) -> Result<Vec<Group>> {
        let mut groups = self.split(CELL, |run| run.cell, |cell| self.key(cell))?;
        // Run numbers follow the plan.
        groups.sort_by_key(|group| group.runs[0]);
        Ok(groups)
    }

    /// The levels of all that varies, and of what every design has, in the order of the plan.
    fn key(&self, cell: usize) -> String {
        let shown =
            |place: &usize| self.factors[*place].varies() || ALWAYS.contains(&self.factors[*place].name.as_str());
        let of_plan =
            |place: &usize| ALWAYS.iter().position(|name| *name == self.factors[*place].name).unwrap_or(*place);
        let mut places: Vec<usize> = (0..self.factors.len()).filter(shown).collect();
        places.sort_by_key(of_plan);
        let key = |place: &usize| self.factors[*place].levels[self.grid.cells[cell][*place]].key().into_owned();
        places.iter().map(key).collect::<Vec<_>>().join(".")
    }

    fn all(&self) -> Vec<IdxSize> {
        (0..self.runs.len() as IdxSize).collect()
    }

    fn split(
        &self,
        column: &str,
        level: impl Fn(&RunMetrics) -> usize,
        key: impl Fn(usize) -> String,
    ) -> Result<Vec<Group>> {
        let grouped = self.frame.group_by_stable([column])?;
        let groups = grouped.get_groups().iter().map(|rows| {
            let rows: Vec<IdxSize> = match rows {
                GroupsIndicator::Idx((_, rows)) => rows.to_vec(),
                GroupsIndicator::Slice([first, n]) => (first..first + n).collect(),
            };
            let level = level(&self.runs[rows[0] as usize]);
            self.group(key(level), level, rows)
        });
        groups.collect()
    }

    fn group(&self, key: String, level: usize, mut rows: Vec<IdxSize>) -> Result<Group> {
        rows.sort_unstable();
        let mut metrics = BTreeMap::new();
        for metric in self.metrics.iter().copied() {
            let column = self.frame.column(&format!("{METRIC}{}", metric.name()))?.f64()?;
            let values: Vec<f64> = rows.iter().filter_map(|row| column.get(*row as usize)).collect();
            if !values.is_empty() {
                metrics.insert(metric, stats::of(&values, self.confidence)?);
            }
        }
        let members: Vec<&RunMetrics> = rows.iter().map(|row| &self.runs[*row as usize]).collect();
        let tokens: f64 = members.iter().map(|run| run.n_gen).sum();
        let time: f64 = members.iter().filter_map(|run| run.value(Metric::Latency)).sum();
        let runs = members.iter().map(|run| run.run).collect();
        Ok(Group { key, level, runs, metrics, pooled_throughput: tokens / time, times: None })
    }
}
