//! Runs as a polars table, grouped by the factors of the design.

use std::collections::BTreeMap;

use anyhow::Result;
use polars::prelude::{Column, DataFrame, GroupsIndicator, IdxSize, NamedFrom, PolarsResult, Series};

use super::{Group, METRICS, RunMetrics, metrics, stats};

/// The table of runs. Columns: the factors, `n_gen`, and every metric (null where a run has it not).
pub fn frame(runs: &[RunMetrics]) -> PolarsResult<DataFrame> {
    fn column<T, A>(name: &str, values: Vec<T>) -> Column
    where
        Series: NamedFrom<Vec<T>, A>,
        A: ?Sized,
    {
        Series::new(name.into(), values).into()
    }
    let mut columns = vec![
        column("run", runs.iter().map(|run| run.run).collect()),
        column("order", runs.iter().map(|run| run.order).collect()),
        column("block", runs.iter().map(|run| run.block).collect()),
        column("prompt_id", runs.iter().map(|run| run.prompt_id.clone()).collect::<Vec<String>>()),
        column("max_tokens", runs.iter().map(|run| run.max_tokens).collect()),
        column("temperature", runs.iter().map(|run| run.temperature).collect()),
        column("repeat", runs.iter().map(|run| run.repeat).collect()),
        column("n_prompt", runs.iter().map(|run| run.n_prompt).collect()),
        column("n_gen", runs.iter().map(|run| run.n_gen).collect()),
    ];
    for (name, _) in METRICS {
        columns.push(column(name, runs.iter().map(|run| metrics::value(run, name)).collect::<Vec<Option<f64>>>()));
    }
    DataFrame::new(runs.len(), columns)
}

/// The table, ready to be grouped.
pub struct Grouped<'a> {
    runs: &'a [RunMetrics],
    frame: DataFrame,
    confidence: f64,
}

impl<'a> Grouped<'a> {
    pub fn of(runs: &'a [RunMetrics], confidence: f64) -> Result<Self> {
        Ok(Grouped { runs, frame: frame(runs)?, confidence })
    }

    /// One group a combination of levels that occurs: lengths or temperatures ascending, all else in plan order; no factor
    /// makes one group of all runs.
    pub fn by(&self, factors: &[&str]) -> Result<Vec<Group>> {
        if factors.is_empty() {
            return Ok(vec![self.group("overall".to_owned(), (0..self.runs.len() as IdxSize).collect())?]);
        }
        let grouped = self.frame.group_by_stable(factors)?;
        let mut groups = grouped
            .get_groups()
            .iter()
            .map(|rows| match rows {
                GroupsIndicator::Idx((_, rows)) => rows.to_vec(),
                GroupsIndicator::Slice([first, n]) => (first..first + n).collect(),
            })
            .map(|rows| {
                let run = &self.runs[rows[0] as usize];
                let levels = factors.iter().map(|factor| level(run, factor));
                self.group(levels.collect::<Vec<_>>().join("."), rows)
            })
            .collect::<Result<Vec<Group>>>()?;
        // Run numbers follow the plan; only a failed run could put the levels of a number out of order.
        match factors {
            ["max_tokens"] | ["temperature"] => groups.sort_by(|a, b| number(a).total_cmp(&number(b))),
            _ => groups.sort_by_key(|group| group.runs[0]),
        }
        Ok(groups)
    }

    fn group(&self, key: String, mut rows: Vec<IdxSize>) -> Result<Group> {
        rows.sort_unstable();
        let mut found = BTreeMap::new();
        for (name, _) in METRICS {
            let column = self.frame.column(name)?.f64()?;
            let values: Vec<f64> = rows.iter().filter_map(|row| column.get(*row as usize)).collect();
            if !values.is_empty() {
                found.insert(name, stats::of(&values, self.confidence)?);
            }
        }
        let members: Vec<&RunMetrics> = rows.iter().map(|row| &self.runs[*row as usize]).collect();
        let tokens: f64 = members.iter().map(|run| f64::from(run.n_gen)).sum();
        let time: f64 = members.iter().map(|run| run.latency.0).sum();
        Ok(Group {
            key,
            runs: members.iter().map(|run| run.run).collect(),
            metrics: found,
            pooled_throughput: tokens / time,
        })
    }
}

/// The level of a factor that has numbers.
fn number(group: &Group) -> f64 {
    group.key.parse().unwrap_or(f64::NAN)
}

/// A run's level of a factor, as claim ids write it.
fn level(run: &RunMetrics, factor: &str) -> String {
    match factor {
        "max_tokens" => run.max_tokens.to_string(),
        "temperature" => run.temperature.to_string(),
        _ => run.prompt_id.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RunRecord;

    /// Two lengths, two temperatures, one run each; latency 2, 3, 5, 7 s.
    fn runs() -> Vec<RunMetrics> {
        let cells = [(8, 0.3, 1.0), (8, 0.7, 2.0), (16, 0.3, 4.0), (16, 0.7, 6.0)];
        let row = |(i, (max_tokens, temperature, e2e)): (usize, (u32, f64, f64))| {
            let e2e_ns = Some((e2e * 1e9) as u64);
            let n_gen = Some(max_tokens);
            let base = super::super::metrics::tests::record();
            metrics::of(&RunRecord { run: i as u32 + 1, max_tokens, temperature, e2e_ns, n_gen, ..base }).unwrap()
        };
        cells.into_iter().enumerate().map(row).collect()
    }

    #[test]
    fn groups_are_ascending_and_hold_their_own_runs() {
        let runs = runs();
        let grouped = Grouped::of(&runs, 0.95).unwrap();
        let by_length = grouped.by(&["max_tokens"]).unwrap();
        let keys: Vec<&str> = by_length.iter().map(|group| group.key.as_str()).collect();
        assert_eq!(keys, ["8", "16"]);
        assert_eq!(by_length[1].runs, [3, 4]);
        assert_eq!(by_length[1].metrics["latency"].mean, 6.0);
        assert_eq!(by_length[1].pooled_throughput, 32.0 / 12.0);
        let by_temperature = grouped.by(&["temperature"]).unwrap();
        assert_eq!((by_temperature[0].key.as_str(), by_temperature[0].metrics["latency"].mean), ("0.3", 3.5));
        assert_eq!(grouped.by(&[]).unwrap()[0].metrics["latency"].n, 4);
        assert_eq!(grouped.by(&["prompt_id", "max_tokens", "temperature"]).unwrap()[3].key, "1.16.0.7");
    }
}
