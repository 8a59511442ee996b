//! `ecdf`: the share of runs at most as large, as steps, one a colour; dots at the quarters tell curves apart in grey.

use anyhow::Result;

use super::{
    super::scene::{Axis, Key, Mark, Sample, Scene, Stroke},
    board::{Board, Legend},
    ruler::{Ruler, ticks_across},
    sheet::{Levels, Sheet, Variable},
};
use crate::analysis::RunMetrics;

/// Steps of one curve.
const MOST_STEPS: usize = 500;

pub fn scene(sheet: &Sheet) -> Result<Scene> {
    let metric = match (sheet.x, sheet.y) {
        (Some(Variable::Metric(metric)), None) => metric,
        (None, _) => return Err(sheet.lacks("x", "a metric")),
        (_, Some(_)) => return Err(sheet.fault("y", "`ecdf` has the share of runs on y", "remove `y`")),
        _ => return Err(sheet.fault("x", "`ecdf` wants a metric on x", "e.g. `x: latency`")),
    };
    let colours = sheet.colours();
    let facets = sheet.facets();
    let board = Board::of(facets.len(), 0);
    let ruler = Ruler::of(sheet, metric, "x")?;
    let place = |run: &&RunMetrics| run.value(metric).map(|value| ruler.place(value));
    let all: Vec<f64> = sheet.runs.iter().filter_map(place).collect();
    let y = Axis::about("share of runs (%)", 0.0, 100.0, board.ticks_up());
    let x = ruler.axis(&all, &[], ticks_across(board.width(&y, sheet.font)));
    let curves = colours.as_ref().map_or(1, Levels::count);
    let mut thinned = false;
    let mut drawn = Vec::new();
    for (heading, runs) in facets {
        let mut marks = Vec::new();
        for level in 0..curves {
            let of_curve = |run: &&&RunMetrics| colours.as_ref().is_none_or(|colours| colours.at(run) == level);
            let mut places: Vec<f64> = runs.iter().filter(of_curve).filter_map(place).collect();
            places.sort_by(f64::total_cmp);
            if places.is_empty() {
                continue;
            }
            thinned |= places.len() > MOST_STEPS;
            marks.push(Mark::Line { points: steps(&places, x.range), stroke: Stroke::Level(level) });
            let quarter = |share: f64| (places[at_share(places.len(), share)], 100.0 * share, level);
            marks.push(Mark::Dots { dots: [0.25, 0.5, 0.75].map(quarter).to_vec(), runs: Vec::new() });
        }
        drawn.push((heading, marks));
    }
    let mut legend = colours.as_ref().map_or_else(Legend::default, |colours| Legend {
        title: colours.key_title(),
        keys: colours.keys(sheet.font, Sample::Curve),
    });
    if thinned {
        legend.keys.push(Key::new(Sample::Nothing, format!("{MOST_STEPS} steps, evenly by rank")));
    }
    Ok(board.scene(sheet, (x, y), drawn, legend))
}

/// The first value that the share of runs is at most as large as.
fn at_share(count: usize, share: f64) -> usize {
    ((share * count as f64).ceil() as usize).clamp(1, count) - 1
}

/// The curve over the whole axis, through sorted places.
fn steps(places: &[f64], (low, high): (f64, f64)) -> Vec<(f64, f64)> {
    let last = places.len() - 1;
    let ranks: Vec<usize> = if places.len() <= MOST_STEPS {
        (0..=last).collect()
    } else {
        (0..MOST_STEPS).map(|step| step * last / (MOST_STEPS - 1)).collect()
    };
    let mut points = vec![(low, 0.0)];
    let mut share = 0.0;
    for rank in ranks {
        points.push((places[rank], share));
        share = 100.0 * (rank + 1) as f64 / places.len() as f64;
        points.push((places[rank], share));
    }
    points.push((high, 100.0));
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_rise_where_values_are() {
        let expected = [(0.0, 0.0), (1.0, 0.0), (1.0, 50.0), (3.0, 50.0), (3.0, 100.0), (4.0, 100.0)];
        assert_eq!(steps(&[1.0, 3.0], (0.0, 4.0)), expected);
        assert_eq!([0.25, 0.5, 0.75].map(|share| at_share(2, share)), [0, 0, 1]);
        assert_eq!([0.25, 0.5, 0.75].map(|share| at_share(1, share)), [0, 0, 0]);
        let many: Vec<f64> = (0..100_000).map(f64::from).collect();
        let points = steps(&many, (0.0, 1e5));
        assert_eq!(points.len(), 2 * MOST_STEPS + 2);
        assert_eq!(points[points.len() - 2], (99_999.0, 100.0));
    }
}
