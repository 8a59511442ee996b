//! `order`: how far each run's latency lies from the mean of its cell, in the order of execution. Runs of a cell differ in nothing
//! but when they ran, so a machine that warms up, slows down or is disturbed shows here; the line is the drift that is tested.

use anyhow::Result;

use super::{
    Labels,
    data::{Data, percent, stats},
    scale::time_unit,
    scene::{Arrange, Axis, Key, Mark, Panel, Sample, Scene, Stroke},
    swarm::thin,
};
use crate::{analysis::drift, metric::Metric};

/// More runs than this are drawn as that many, evenly in time.
pub const MOST: usize = 1000;

pub fn scene(data: &Data, labels: &Labels) -> Result<Scene> {
    let mut dots = Vec::new();
    for cell in &data.summary.cells {
        let mean = stats(cell, Metric::Latency)?.mean;
        let runs = cell.runs.iter().filter_map(|run| data.runs.get(run));
        dots.extend(runs.map(|run| {
            let off = run.value(Metric::Latency).unwrap_or(mean) - mean;
            (f64::from(run.order), off, (data.length[&run.run], run.run))
        }));
    }
    let last = dots.iter().map(|dot| dot.0).fold(1.0, f64::max);
    let middle = dots.iter().map(|dot| dot.0).sum::<f64>() / dots.len().max(1) as f64;
    let mut farthest = dots.iter().map(|dot| dot.1.abs()).fold(0.0, f64::max);
    let drift = drift::of(&data.observations(Metric::Latency), labels.confidence)?;
    let ends = [1.0, last].map(|x| x - middle);
    if let Some(drift) = &drift {
        let reach = ends.iter().map(|x| x.abs()).fold(0.0, f64::max);
        farthest = farthest.max(reach * drift.interval.0.abs().max(drift.interval.1.abs()));
    }
    let unit = time_unit(if farthest > 0.0 { farthest } else { 1.0 });
    let reach = if farthest > 0.0 { farthest * unit.factor } else { 1.0 };
    let x = Axis::within("position in the execution", 0.0, last + 0.02 * last.max(25.0));

    let mut keys = data.length_keys();
    if dots.len() > MOST {
        keys.push(Key::new(Sample::Nothing, format!("{MOST} runs, evenly in time")));
    }
    let mut marks = vec![Mark::Line { points: vec![(x.range.0, 0.0), (x.range.1, 0.0)], stroke: Stroke::Thin }];
    if let Some(drift) = drift {
        let along = |slope: f64| ends.map(|x| (x + middle, slope * x * unit.factor)).to_vec();
        // The two ends of the slope's interval cross in the middle, so the band is a bow tie.
        let (low, high) = (along(drift.interval.0), along(drift.interval.1));
        let cross = (middle, 0.0);
        let edge = |of: fn(f64, f64) -> f64| {
            let end = |i: usize| (low[i].0, of(low[i].1, high[i].1));
            vec![end(0), cross, end(1)]
        };
        marks.insert(0, Mark::Band { lower: edge(f64::min), upper: edge(f64::max) });
        marks.push(Mark::Line { points: along(drift.slope), stroke: Stroke::Dashed });
        keys.push(Key::new(Sample::Line(Stroke::Dashed), "drift within cells"));
        keys.push(Key::new(Sample::Band, format!("{} % interval of its slope", percent(labels.confidence))));
    }
    let shown = |(order, off, (level, run)): (f64, f64, (usize, u32))| ((order, off * unit.factor, level), run);
    let (dots, runs) = thin(dots, MOST, |dot| dot.0).into_iter().map(shown).unzip();
    marks.push(Mark::Dots { dots, runs });
    Ok(Scene {
        title: "Latency of every run relative to the mean of its cell, in order of execution".to_owned(),
        arrange: Arrange::Row,
        height: 120.0,
        panels: vec![Panel {
            heading: String::new(),
            x,
            y: Axis::numbers(format!("latency − mean of cell ({})", unit.name), -reach, reach),
            weight: 1.0,
            marks,
        }],
        key_title: "output tokens:".into(),
        keys,
        notice: labels.not_a_measurement.clone(),
    })
}
