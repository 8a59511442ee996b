//! Runs that lie far from the other replicates of their cell: marked and counted, never left out.

use anyhow::Result;
use statrs::statistics::{Data, OrderStatistics};

use super::observation::{Observation, Replicates, cells};

/// Tukey's fences (1977) around the deviations of all runs from their cell's median, each as a share of that median.
#[derive(Debug, Clone, PartialEq)]
pub struct Outliers {
    /// First and third quartile of the deviations (definition 8 of Hyndman and Fan 1996).
    pub quartiles: (f64, f64),
    /// By observation, in their order.
    pub marks: Vec<Option<Mark>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Beyond 1.5 interquartile ranges, not beyond 3.
    Mild,
    /// Beyond 3.
    Severe,
}

impl Outliers {
    pub fn count(&self, mark: Mark) -> usize {
        self.marks.iter().filter(|found| **found == Some(mark)).count()
    }
}

/// Marks the outliers; `None` where no cell has three runs, or a median is zero.
///
/// # Errors
/// None that finite values can cause.
pub fn of(observations: &[Observation]) -> Result<Option<Outliers>> {
    let cells = cells(observations);
    let mut medians = std::collections::BTreeMap::new();
    for (cell, Replicates { runs, .. }) in &cells {
        medians.insert(*cell, Data::new(runs.iter().map(|run| run.value).collect::<Vec<f64>>()).median());
    }
    if cells.values().all(|cell| cell.runs.len() < 3) || medians.values().any(|median| *median == 0.0) {
        return Ok(None);
    }
    let deviations: Vec<f64> = observations.iter().map(|run| run.value / medians[&run.cell] - 1.0).collect();
    let mut sorted = Data::new(deviations.clone());
    let (low, high) = (sorted.lower_quartile(), sorted.upper_quartile());
    let beyond = |d: f64, times: f64| d < low - times * (high - low) || d > high + times * (high - low);
    let mark = |d: &f64| match (beyond(*d, 1.5), beyond(*d, 3.0)) {
        (_, true) => Some(Mark::Severe),
        (true, false) => Some(Mark::Mild),
        (false, false) => None,
    };
    Ok(Some(Outliers { quartiles: (low, high), marks: deviations.iter().map(mark).collect() }))
}
