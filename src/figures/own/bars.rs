//! `bars`: means as bars from zero, each with its interval.

use anyhow::Result;

use super::{
    super::{
        data::interval_key,
        scene::{Along, Mark, Sample, Scene},
    },
    lanes::{Lanes, Slot},
    sheet::Sheet,
};

/// The widest bar, in lanes: a wider one says no more.
const WIDEST: f64 = 0.6;

pub fn scene(sheet: &Sheet) -> Result<Scene> {
    let lanes = Lanes::of(sheet, true)?;
    if lanes.ruler.log || sheet.entry.scale.x.is_some() || sheet.entry.scale.y.is_some() {
        let what = "bars stand side by side and begin at zero, which a scale would take from them";
        return Err(sheet.fault("scale", what, "remove `scale`, or take `points` or `line`"));
    }
    let metric = lanes.ruler.metric;
    let (mut means, mut intervals, mut drawn) = (Vec::new(), Vec::new(), Vec::new());
    for (heading, slots) in lanes.panels() {
        let mut marks = Vec::new();
        for Slot { from, width, level, runs } in slots {
            let stats = sheet.stats(&runs, metric)?;
            let mean = lanes.ruler.place(stats.mean);
            let interval = stats.interval.map(|interval| lanes.ruler.places(interval));
            let middle = from + width / 2.0;
            let half = width.min(WIDEST) / 2.0;
            let level = if lanes.one_colour_each() { level } else { 0 };
            let (near, far) = ((middle - half, 0.0), (middle + half, mean));
            let (from, to) = match lanes.along {
                Along::Y => (near, far),
                Along::X => ((near.1, near.0), (far.1, far.0)),
            };
            marks.push(Mark::Bar { from, to, level, runs: runs.iter().map(|run| run.run).collect() });
            marks.extend(interval.map(|interval| Mark::Interval {
                along: lanes.along,
                at: middle,
                reach: half,
                interval,
                level: None,
            }));
            means.push(mean);
            intervals.extend(interval);
        }
        drawn.push((heading, marks));
    }
    let values = lanes.values(&means, &intervals, true);
    let mut legend = lanes.legend(Sample::Bar);
    legend.keys.push(interval_key(sheet.labels.confidence, "mean with its"));
    Ok(lanes.scene(values, drawn, legend))
}
