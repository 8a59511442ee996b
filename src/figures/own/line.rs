//! `line`: means with their intervals, joined along a factor whose levels have an order, one line a colour.

use anyhow::Result;

use super::{
    super::{
        data::interval_key,
        page::WIDTH,
        scene::{Along, Axis, Mark, Sample, Scene, Stroke},
    },
    board::{Board, Legend},
    ruler::{Ruler, Spaced},
    sheet::{Levels, Sheet, Variable},
};
use crate::{analysis::RunMetrics, factor::Kind};

/// Lines stand a little aside of each other, so that no interval hides another: so much each, and all together, points.
const STEP_ASIDE: f64 = 1.8;
const MOST_ASIDE: f64 = 6.0;

pub fn scene(sheet: &Sheet) -> Result<Scene> {
    let (place, metric) = match (sheet.x, sheet.y) {
        (Some(Variable::Factor(place)), Some(Variable::Metric(metric))) => (place, metric),
        (None, _) => return Err(sheet.lacks("x", "a factor of numbers")),
        (_, None) => return Err(sheet.lacks("y", "a metric")),
        _ => {
            return Err(sheet.fault(
                "",
                "`line` wants a factor on x and a metric on y",
                "e.g. `x: length, y: latency`",
            ));
        }
    };
    let (levels, colours) = (sheet.levels(place), sheet.colours());
    let kind = levels.factor().kind;
    if kind == Kind::Named {
        let what = format!("the levels of `{}` are names, which no line joins", levels.factor().name);
        return Err(sheet.fault("x", what, "take `points` or `bars`, or a factor of numbers"));
    }
    let facets = sheet.facets();
    let board = Board::of(facets.len(), 0);
    let ruler = Ruler::of(sheet, metric, "y")?;
    let width = board.width(&ruler.axis(&[1.0], &[], 6), sheet.font).min(WIDTH);
    let (places, x) = match kind {
        Kind::Ordered if sheet.entry.scale.x.is_none() => {
            let names = levels.names(sheet.font, 60.0);
            let axis = Axis::levels(levels.factor().axis(), names.iter().map(String::as_str));
            ((0..levels.count()).map(|at| at as f64).collect(), axis)
        }
        _ => {
            let Spaced { places, axis } = Spaced::of(sheet, &levels, "x", width)?;
            (places, axis)
        }
    };
    let lines = colours.as_ref().map_or(1, Levels::count);
    let aside = |level: usize| {
        let step = (MOST_ASIDE / lines as f64).min(STEP_ASIDE) / width * (x.range.1 - x.range.0);
        (level as f64 - (lines - 1) as f64 / 2.0) * step
    };
    let (mut means, mut intervals, mut drawn) = (Vec::new(), Vec::new(), Vec::new());
    for (heading, runs) in facets {
        let mut marks = Vec::new();
        for level in 0..lines {
            let of_line = |run: &&RunMetrics| colours.as_ref().is_none_or(|colours| colours.at(run) == level);
            let runs: Vec<&RunMetrics> = runs.iter().copied().filter(of_line).collect();
            let mut groups: Vec<(f64, Vec<&RunMetrics>)> = places.iter().map(|at| (*at, Vec::new())).collect();
            runs.into_iter().for_each(|run| groups[levels.at(run)].1.push(run));
            groups.retain(|(_, runs)| !runs.is_empty());
            groups.sort_by(|a, b| a.0.total_cmp(&b.0));
            let (mut points, mut bars) = (Vec::new(), Vec::new());
            for (at, runs) in groups {
                let stats = sheet.stats(&runs, metric)?;
                let mean = ruler.place(stats.mean);
                let at = at + aside(level);
                points.push((at, mean));
                means.push(mean);
                if let Some(interval) = stats.interval.map(|interval| ruler.places(interval)) {
                    intervals.push(interval);
                    let reach = 0.01 * (x.range.1 - x.range.0);
                    bars.push(Mark::Interval { along: Along::Y, at, reach, interval, level: Some(level) });
                }
            }
            let dots = points.iter().map(|(x, y)| (*x, *y, level)).collect();
            marks.extend(bars);
            if points.len() > 1 {
                marks.push(Mark::Line { points, stroke: Stroke::Level(level) });
            }
            marks.push(Mark::Dots { dots, runs: Vec::new() });
        }
        drawn.push((heading, marks));
    }
    let y = ruler.axis(&ruler.held(sheet, &means, &intervals), &intervals, board.ticks_up());
    let mut legend = colours.as_ref().map_or_else(Legend::default, |colours| Legend {
        title: colours.key_title(),
        keys: colours.keys(sheet.font, Sample::Curve),
    });
    legend.keys.push(interval_key(sheet.labels.confidence, "mean with its"));
    Ok(board.scene(sheet, (x, y), drawn, legend))
}
