//! `pareto`: every cell at its means of two metrics, and the front of those that no other beats in both: more is better of a rate, less
//! of a time or of memory.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{
    super::{
        scene::{Key, Mark, Sample, Scene, Stroke},
        swarm::thin,
    },
    board::{Board, Legend},
    ruler::{Ruler, ticks_across},
    sheet::{Sheet, Variable},
};
use crate::{analysis::RunMetrics, metric::Metric};

/// Cells in one panel.
const MOST_CELLS: usize = 1000;

/// A cell's means, as places, and what colours it.
type Point = (f64, f64, usize);

pub fn scene(sheet: &Sheet) -> Result<Scene> {
    let (x, y) = match (sheet.x, sheet.y) {
        (Some(Variable::Metric(x)), Some(Variable::Metric(y))) if x != y => (x, y),
        (None, _) => return Err(sheet.lacks("x", "a metric")),
        (_, None) => return Err(sheet.lacks("y", "a metric")),
        _ => {
            let what = "`pareto` wants two different metrics on x and y";
            return Err(sheet.fault("", what, "e.g. `x: peak_memory, y: decode`"));
        }
    };
    let facets = sheet.facets();
    let board = Board::of(facets.len(), 0);
    let (across, up) = (Ruler::of(sheet, x, "x")?, Ruler::of(sheet, y, "y")?);
    let mut clouds: Vec<(String, Vec<Point>)> = Vec::new();
    for (heading, runs) in facets {
        clouds.push((heading, points(sheet, &runs, (&across, &up))?));
    }
    let all = || clouds.iter().flat_map(|(_, points)| points);
    let [xs, ys]: [Vec<f64>; 2] = [all().map(|point| point.0).collect(), all().map(|point| point.1).collect()];
    let mut y_axis = up.axis(&ys, &[], board.ticks_up());
    let mut x_axis = across.axis(&xs, &[], ticks_across(board.width(&y_axis, sheet.font)));
    x_axis.label += better(x);
    y_axis.label += better(y);
    let ranges = (x_axis.range, y_axis.range);
    let thinned = clouds.iter().any(|(_, points)| points.len() > MOST_CELLS);
    let draw = |(heading, points): (String, Vec<Point>)| {
        let path = staircase(&front(&points, (x, y)), (x, y), ranges);
        let line = Mark::Line { points: path, stroke: Stroke::Thin };
        (heading, vec![line, Mark::Dots { dots: thin(points, MOST_CELLS, |point: &Point| point.0), runs: Vec::new() }])
    };
    let panels = clouds.into_iter().map(draw).collect();
    let mut legend = sheet.colours().map_or_else(Legend::default, |colours| Legend {
        title: colours.key_title(),
        keys: colours.keys(sheet.font, Sample::Level),
    });
    if sheet.colours().is_none() {
        legend.keys.push(Key::new(Sample::Level(0), "mean of a cell"));
    }
    legend.keys.push(Key::new(Sample::Line(Stroke::Thin), "front"));
    if thinned {
        legend.keys.push(Key::new(Sample::Nothing, format!("{MOST_CELLS} cells, evenly along x")));
    }
    Ok(board.scene(sheet, (x_axis, y_axis), panels, legend))
}

fn better(metric: Metric) -> &'static str {
    if metric.is_rate() { ", more is better" } else { ", less is better" }
}

/// The means of each cell's runs.
fn points(sheet: &Sheet, runs: &[&RunMetrics], (across, up): (&Ruler, &Ruler)) -> Result<Vec<Point>> {
    let colours = sheet.colours();
    let mut cells: BTreeMap<usize, Vec<&RunMetrics>> = BTreeMap::new();
    runs.iter().for_each(|run| cells.entry(run.cell).or_default().push(run));
    let mut points = Vec::new();
    for runs in cells.values() {
        let level = colours.as_ref().zip(runs.first()).map_or(0, |(colours, run)| colours.at(run));
        let [x, y] = [sheet.stats(runs, across.metric)?.mean, sheet.stats(runs, up.metric)?.mean];
        points.push((across.place(x), up.place(y), level));
    }
    Ok(points)
}

/// The points that no other is at least as good as in both and better in one, from the best x to the worst; each place once.
fn front(points: &[Point], (x, y): (Metric, Metric)) -> Vec<(f64, f64)> {
    // Turned so that less is better.
    let cost = |metric: Metric, place: f64| if metric.is_rate() { -place } else { place };
    let mut sorted: Vec<(f64, f64)> = points.iter().map(|point| (cost(x, point.0), cost(y, point.1))).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut best = f64::INFINITY;
    sorted.retain(|(_, y)| {
        let is_better = *y < best;
        best = best.min(*y);
        is_better
    });
    sorted.into_iter().map(|(a, b)| (cost(x, a), cost(y, b))).collect()
}

/// The border of what the front beats, to the worse ends of both axes.
fn staircase(
    front: &[(f64, f64)],
    (x, y): (Metric, Metric),
    (across, up): ((f64, f64), (f64, f64)),
) -> Vec<(f64, f64)> {
    let worst = |metric: Metric, (low, high): (f64, f64)| if metric.is_rate() { low } else { high };
    let mut path = Vec::new();
    let mut level = worst(y, up);
    for (x, y) in front {
        path.push((*x, level));
        path.push((*x, *y));
        level = *y;
    }
    path.push((worst(x, across), level));
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINTS: [Point; 5] = [(1.0, 1.0, 0), (2.0, 3.0, 0), (3.0, 2.0, 1), (4.0, 4.0, 1), (2.0, 3.0, 1)];

    #[test]
    fn the_front_by_hand() {
        let of = |x, y| front(&POINTS, (x, y));
        // Less memory, more rate.
        assert_eq!(of(Metric::PeakMemory, Metric::Decode), [(1.0, 1.0), (2.0, 3.0), (4.0, 4.0)]);
        assert_eq!(of(Metric::PeakMemory, Metric::Latency), [(1.0, 1.0)]);
        assert_eq!(of(Metric::Decode, Metric::Prefill), [(4.0, 4.0)]);
        assert_eq!(of(Metric::Decode, Metric::Latency), [(4.0, 4.0), (3.0, 2.0), (1.0, 1.0)]);
    }

    #[test]
    fn stairs_lead_to_the_worse_ends() {
        let metrics = (Metric::PeakMemory, Metric::Decode);
        let path = staircase(&[(1.0, 1.0), (2.0, 3.0)], metrics, ((0.0, 5.0), (0.0, 4.0)));
        assert_eq!(path, [(1.0, 0.0), (1.0, 1.0), (2.0, 1.0), (2.0, 3.0), (5.0, 3.0)]);
    }
}
