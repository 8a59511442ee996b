//! `points`: a dot a run. Against a factor: its levels side by side (or where their numbers are, with a scale), each with its mean and
//! interval; against another metric: where both put it.

use anyhow::Result;

use super::{
    super::{
        data::{mean_key, thinning_note},
        scene::{Along, Dot, Key, Mark, Sample, Scene},
        swarm::thin,
    },
    board::{Board, Legend},
    lanes::{Lanes, Slot},
    ruler::{Ruler, Spaced, ticks_across},
    sheet::{Sheet, Variable},
};
use crate::{analysis::RunMetrics, metric::Metric};

/// Dots of one group, and of all groups together; and of a cloud.
const MOST_EACH: usize = 200;
const MOST_IN_ALL: usize = 4000;
const LEAST_EACH: usize = 12;
const MOST_IN_CLOUD: usize = 2000;

pub fn scene(sheet: &Sheet) -> Result<Scene> {
    match (sheet.x, sheet.y) {
        (Some(Variable::Factor(place)), Some(Variable::Metric(metric))) if sheet.entry.scale.x.is_some() => {
            spaced(sheet, place, metric)
        }
        (Some(Variable::Metric(x)), Some(Variable::Metric(y))) => cloud(sheet, x, y),
        _ => swarms(sheet),
    }
}

/// How many dots each of so many groups may have.
fn most(groups: usize) -> usize {
    (MOST_IN_ALL / groups.max(1)).clamp(LEAST_EACH, MOST_EACH)
}

fn swarms(sheet: &Sheet) -> Result<Scene> {
    let lanes = Lanes::of(sheet, false)?;
    let metric = lanes.ruler.metric;
    let panels = lanes.panels();
    let most = most(panels.iter().map(|(_, slots)| slots.len()).sum());
    let mut thinned = false;
    let mut intervals = Vec::new();
    let mut drawn = Vec::new();
    for (heading, slots) in panels {
        let mut marks = Vec::new();
        for Slot { from, width, runs, .. } in slots {
            let stats = sheet.stats(&runs, metric)?;
            let interval = stats.interval.map(|interval| lanes.ruler.places(interval));
            intervals.extend(interval);
            thinned |= runs.len() > most;
            let dot = |run: &&RunMetrics| {
                Some(Dot { value: lanes.ruler.place(run.value(metric)?), level: lanes.colour(run), run: Some(run.run) })
            };
            let dots = thin(runs.iter().filter_map(dot).collect(), most, |dot: &Dot| dot.value);
            let parts = match lanes.along {
                Along::Y => ((from, from + 0.68 * width), from + 0.852 * width),
                // Below the dots, as it stands right of them.
                Along::X => ((from + 0.32 * width, from + width), from + 0.148 * width),
            };
            marks.push(Mark::Swarm { along: lanes.along, lane: parts.0, dots });
            let mean = lanes.ruler.place(stats.mean);
            marks.push(Mark::Mean { along: lanes.along, at: parts.1, reach: 0.17 * width, mean, interval });
        }
        drawn.push((heading, marks));
    }
    let places: Vec<f64> =
        sheet.runs.iter().filter_map(|run| run.value(metric)).map(|value| lanes.ruler.place(value)).collect();
    let values = lanes.values(&places, &intervals, false);
    let mut legend = lanes.legend(Sample::Level);
    legend.keys.push(mean_key(sheet.labels.confidence));
    if thinned {
        legend.keys.push(Key::new(Sample::Nothing, thinning_note(most)));
    }
    Ok(lanes.scene(values, drawn, legend))
}

/// Levels where their numbers are.
fn spaced(sheet: &Sheet, place: usize, metric: Metric) -> Result<Scene> {
    let (levels, colours) = (sheet.levels(place), sheet.colours());
    let colour = |run: &RunMetrics| colours.as_ref().map_or(0, |colours| colours.at(run));
    let facets = sheet.facets();
    let board = Board::of(facets.len(), 0);
    let ruler = Ruler::of(sheet, metric, "y")?;
    let values: Vec<f64> =
        sheet.runs.iter().filter_map(|run| run.value(metric)).map(|value| ruler.place(value)).collect();
    let width = board.width(&ruler.axis(&values, &[], 6), sheet.font);
    let spaced = Spaced::of(sheet, &levels, "x", width)?;
    let (step, whole) = spaced.step();
    // Narrower than the smallest step, so that neighbours never mix.
    let lane = (step * 0.8).clamp(0.02 * whole, 0.08 * whole);
    let most = most(levels.count() * facets.len());
    let (mut thinned, mut intervals, mut drawn) = (false, Vec::new(), Vec::new());
    for (heading, runs) in facets {
        let mut marks = Vec::new();
        for (at, place) in spaced.places.iter().enumerate() {
            let runs: Vec<&RunMetrics> = runs.iter().copied().filter(|run| levels.at(run) == at).collect();
            if runs.is_empty() {
                continue;
            }
            thinned |= runs.len() > most;
            let stats = sheet.stats(&runs, metric)?;
            let interval = stats.interval.map(|interval| ruler.places(interval));
            intervals.extend(interval);
            let dot = |run: &&RunMetrics| {
                Some(Dot { value: ruler.place(run.value(metric)?), level: colour(run), run: Some(run.run) })
            };
            let dots = thin(runs.iter().filter_map(dot).collect(), most, |dot: &Dot| dot.value);
            marks.push(Mark::Swarm { along: Along::Y, lane: (place - 0.7 * lane, place + 0.1 * lane), dots });
            let mean = ruler.place(stats.mean);
            marks.push(Mark::Mean { along: Along::Y, at: place + 0.35 * lane, reach: 0.2 * lane, mean, interval });
        }
        drawn.push((heading, marks));
    }
    let y = ruler.axis(&values, &intervals, board.ticks_up());
    let mut legend = legend(sheet);
    legend.keys.push(mean_key(sheet.labels.confidence));
    if thinned {
        legend.keys.push(Key::new(Sample::Nothing, thinning_note(most)));
    }
    Ok(board.scene(sheet, (spaced.axis, y), drawn, legend))
}

fn legend(sheet: &Sheet) -> Legend {
    sheet.colours().map_or_else(Legend::default, |colours| Legend {
        title: colours.key_title(),
        keys: colours.keys(sheet.font, Sample::Level),
    })
}

/// Where a run stands, and its colour.
type Spot = (f64, f64, usize);

/// One metric against another.
fn cloud(sheet: &Sheet, x: Metric, y: Metric) -> Result<Scene> {
    if x == y {
        return Err(sheet.fault("y", "expected another metric than that of x, found the same", "take another one"));
    }
    let colours = sheet.colours();
    let facets = sheet.facets();
    let board = Board::of(facets.len(), 0);
    let (across, up) = (Ruler::of(sheet, x, "x")?, Ruler::of(sheet, y, "y")?);
    let most = (MOST_IN_CLOUD / facets.len()).max(LEAST_EACH);
    let thinned = facets.iter().any(|(_, runs)| runs.len() > most);
    let at = |run: &&RunMetrics| {
        let level = colours.as_ref().map_or(0, |colours| colours.at(run));
        Some(((across.place(run.value(x)?), up.place(run.value(y)?), level), run.run))
    };
    let all: Vec<(Spot, u32)> = sheet.runs.iter().filter_map(at).collect();
    let [xs, ys]: [Vec<f64>; 2] =
        [all.iter().map(|(dot, _)| dot.0).collect(), all.iter().map(|(dot, _)| dot.1).collect()];
    let y_axis = up.axis(&ys, &[], board.ticks_up());
    let x_axis = across.axis(&xs, &[], ticks_across(board.width(&y_axis, sheet.font)));
    let draw = |(heading, runs): (String, Vec<&RunMetrics>)| {
        let drawn = thin(runs.iter().filter_map(at).collect(), most, |(dot, _): &(Spot, u32)| dot.0);
        let (dots, runs) = drawn.into_iter().unzip();
        (heading, vec![Mark::Dots { dots, runs }])
    };
    let panels = facets.into_iter().map(draw).collect();
    let mut legend = legend(sheet);
    if thinned {
        legend.keys.push(Key::new(Sample::Nothing, format!("{most} runs a panel, evenly along x")));
    }
    Ok(board.scene(sheet, (x_axis, y_axis), panels, legend))
}
