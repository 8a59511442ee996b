//! Summary -> every test that a judgement in the paper rests on. Pure; judges nothing and formats nothing.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{
    Summary,
    drift::{self, Drift},
    line::{self, Line},
    observation::{self, Cells, Grid, Observation},
    outliers::{self, Outliers},
    pairs::{self, Equivalence, Rise},
    reference::{self, Ratio},
    trend::{self, Trend},
    variance::{self, Variance},
};
use crate::{
    factor::{Kind, Role},
    metric::Metric,
    study::Study,
};

/// All tests of a study.
#[derive(Debug, Clone)]
pub struct Inference {
    /// By metric. A metric that some run lacks (decoding, with one token) is absent.
    pub tests: BTreeMap<Metric, Tests>,
    /// By factor and metric: each level against the reference.
    pub ratios: BTreeMap<(usize, Metric), Vec<Ratio>>,
}

/// What is asked of one metric. Factors are indices into the summary's.
#[derive(Debug, Clone)]
pub struct Tests {
    pub variance: Variance,
    /// On the tokens generated, of metrics that a line may describe, at the reference levels of what is compared.
    pub line: Option<Line>,
    /// Of factors that are amounts: does it rise from each level to the next?
    pub rises: BTreeMap<usize, Rise>,
    /// Of factors that are crossed: is their effect within the margin?
    pub equivalences: BTreeMap<usize, Equivalence>,
    /// Of numeric factors that are compared, with three levels and more: a line within whatever else varies.
    pub trends: BTreeMap<usize, Trend>,
    pub drift: Option<Drift>,
    pub outliers: Option<Outliers>,
}

/// Tests the runs of a summary.
///
/// # Errors
/// A value that is not finite.
pub fn infer(study: &Study, summary: &Summary) -> Result<Inference> {
    let mut inference = Inference { tests: BTreeMap::new(), ratios: BTreeMap::new() };
    let statistics = &study.statistics;
    for metric in Metric::ALL {
        let Some(observations) = observe(summary, metric) else { continue };
        let cells = observation::cells(&observations);
        if metric.about().tested {
            inference.tests.insert(metric, test(study, summary, metric, &observations, &cells)?);
        }
        for factor in summary.varying() {
            let (margin, confidence) = (statistics.margin(metric), statistics.confidence);
            let ratios = reference::ratios(&summary.grid, &cells, factor, margin, confidence)?;
            inference.ratios.insert((factor, metric), ratios);
        }
    }
    Ok(inference)
}

/// Every run with its value; `None` where some run has none.
pub(super) fn observe(summary: &Summary, metric: Metric) -> Option<Vec<Observation>> {
    let observe = |run: &super::RunMetrics| {
        Some(Observation {
            cell: run.cell,
            block: run.block,
            order: f64::from(run.order),
            tokens: run.n_gen,
            value: run.value(metric)?,
        })
    };
    summary.runs.iter().map(observe).collect()
}

fn test(
    study: &Study,
    summary: &Summary,
    metric: Metric,
    observations: &[Observation],
    cells: &Cells,
) -> Result<Tests> {
    let confidence = study.statistics.confidence;
    let margin = study.statistics.margin(metric) * observation::mean(observations, observation::value).abs();
    let grid = &summary.grid;
    let (mut rises, mut equivalences, mut trends) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for place in summary.varying() {
        let factor = &summary.factors[place];
        if factor.is_amount() {
            rises.insert(place, pairs::rise(grid, cells, place, confidence)?);
        }
        if factor.role == Role::Crossed {
            equivalences.insert(place, pairs::equivalence(grid, cells, place, margin, confidence)?);
        }
        if factor.role == Role::Compared && factor.kind == Kind::Numeric {
            let number = |level: usize| factor.levels[level].as_number().unwrap_or(f64::NAN);
            trends.extend(trend::fit(grid, observations, place, number, confidence)?.map(|trend| (place, trend)));
        }
    }
    Ok(Tests {
        variance: variance::of(grid, observations, confidence)?,
        line: if metric.about().fitted { line::fit(&at_reference(summary, observations), confidence)? } else { None },
        rises,
        equivalences,
        trends,
        drift: drift::of(observations, confidence)?,
        outliers: outliers::of(observations)?,
    })
}

/// The runs at the reference level of everything that is compared: one line cannot describe two engines.
pub fn at_reference(summary: &Summary, observations: &[Observation]) -> Vec<Observation> {
    let places = summary.compared().into_iter().filter_map(|factor| Some((factor, summary.reference(factor)?)));
    let places: Vec<(usize, usize)> = places.collect();
    let is_there =
        |grid: &Grid, run: &Observation| places.iter().all(|(factor, level)| grid.cells[run.cell][*factor] == *level);
    observations.iter().filter(|run| is_there(&summary.grid, run)).copied().collect()
}
