//! Members -> for each metric the mean of its logarithm in every session, over the cells that all members have. Rates and times are
//! compared as ratios, so their logarithms are what is averaged.
#![allow(clippy::disallowed_methods)] // logarithms of claims, whose values are compared to a tolerance

use std::collections::BTreeMap;

use super::{Set, agree::domains};
use crate::{
    analysis::{sessions, stats},
    metric::Metric,
};

/// One metric in every member.
#[derive(Debug)]
pub(super) struct Quantity {
    pub metric: Metric,
    /// By member, in the set's order.
    pub sessions: Vec<Session>,
    /// Cells that all members have.
    pub cells: usize,
}

/// One metric in one session; logarithms of values in the metric's unit.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// The mean over cells of the means of their runs.
    pub mean: f64,
    /// By cell.
    pub runs: Vec<Vec<f64>>,
    /// Of `mean`, as far as the runs of this session tell; `None` where a cell has a single run.
    pub error: Option<f64>,
    /// The means over the cells at each level of each factor that varies.
    pub at: BTreeMap<(usize, usize), f64>,
}

/// Every metric that each run of each member has, with a value above zero.
pub(super) fn all(set: &Set) -> Vec<Quantity> {
    Metric::ALL.into_iter().filter_map(|metric| of(set, metric)).collect()
}

/// A place in the design -> the logarithms of its runs.
type Cells = BTreeMap<Vec<usize>, Vec<f64>>;

fn of(set: &Set, metric: Metric) -> Option<Quantity> {
    // Joules of a board and joules of a whole machine are of two things.
    if metric.is_of_energy() && domains(set.members()).len() > 1 {
        return None;
    }
    let cells = |member: &super::Member| -> Option<Cells> {
        let summary = &member.summary;
        let mut cells = Cells::new();
        for run in &summary.runs {
            let value = run.value(metric).filter(|value| *value > 0.0)?;
            cells.entry(summary.grid.cells[run.cell].clone()).or_default().push(value.ln());
        }
        Some(cells)
    };
    let members = set.members().iter().map(cells).collect::<Option<Vec<Cells>>>()?;
    let shared: Vec<&Vec<usize>> =
        members[0].keys().filter(|place| members.iter().all(|cells| cells.contains_key(*place))).collect();
    if shared.is_empty() {
        return None;
    }
    let varying = set.first().summary.varying();
    let session = |cells: &Cells| {
        let means: Vec<(&Vec<usize>, f64)> = shared.iter().map(|place| (*place, stats::mean(&cells[*place]))).collect();
        let over = |of: &dyn Fn(&[usize]) -> bool| {
            let values: Vec<f64> = means.iter().filter(|(place, _)| of(place)).map(|(_, mean)| *mean).collect();
            (!values.is_empty()).then(|| stats::mean(&values))
        };
        let mut at = BTreeMap::new();
        for factor in &varying {
            let levels = set.first().summary.factors[*factor].levels.len();
            at.extend(
                (0..levels).filter_map(|level| Some(((*factor, level), over(&|place| place[*factor] == level)?))),
            );
        }
        let runs: Vec<Vec<f64>> = shared.iter().map(|place| cells[*place].clone()).collect();
        Session { mean: over(&|_| true).unwrap_or(f64::NAN), error: sessions::error_of_runs(&runs), runs, at }
    };
    Some(Quantity { metric, cells: shared.len(), sessions: members.iter().map(session).collect() })
}
