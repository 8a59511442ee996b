//! `forest`: each level of a factor as a ratio to its first, with its interval, against the study's margin. The ratios are those that the
//! paper's claims `vs.FACTOR.LEVEL.METRIC` have: of cells that agree in all else, on logarithms.

use anyhow::Result;

use super::{
    super::{
        data::percent,
        forest::{self, Look, Row, Rows},
        page::{LABEL_SIZE, MARGIN, TICK_SIZE, WIDTH},
        scene::{Arrange, Axis, Key, Sample, Scene},
    },
    file::Scale,
    ruler::{log_axis, ticks_across},
    sheet::{Levels, Sheet, Variable},
};
use crate::{
    analysis::{
        RunMetrics,
        observation::{Observation, cells},
        reference::{self, Pairs, Ratio},
    },
    metric::Metric,
};

/// What rows may take of a page's height, and what a panel takes around its own, points.
const MOST_HEIGHT: f64 = 640.0;
const AROUND: f64 = 32.0;

pub fn scene(sheet: &Sheet) -> Result<Scene> {
    let (place, metric) = match (sheet.x, sheet.y) {
        (Some(Variable::Metric(metric)), Some(Variable::Factor(place))) => (place, metric),
        (None, _) => return Err(sheet.lacks("x", "a metric")),
        (_, None) => return Err(sheet.lacks("y", "a factor")),
        _ => {
            let what = "`forest` wants the metric on x and the factor on y";
            return Err(sheet.fault("", what, "e.g. `x: decode, y: engine`"));
        }
    };
    if sheet.colour.is_some() {
        let what = "the colours of `forest` say how a ratio lies to the margin";
        return Err(sheet.fault("colour", what, "remove `colour`, or take `facet`"));
    }
    if sheet.entry.unit.x.is_some() {
        return Err(sheet.fault("unit.x", "a ratio has no unit", "remove it"));
    }
    let levels = sheet.levels(place);
    let log = sheet.entry.scale.x == Some(Scale::Log);
    let at = |ratio: f64| if log { libm::log10(ratio) } else { ratio };
    let margin = 1.0 + sheet.labels.equivalence_margin;
    let names = levels.names(sheet.font, forest::NAME_MOST);
    let mut panels = Vec::new();
    let mut by_block = false;
    for (heading, runs) in sheet.facets() {
        let ratios = ratios(sheet, &runs, place, metric)?;
        by_block |= ratios.iter().any(|ratio| ratio.pairs == Pairs::Runs);
        let rows = ratios.iter().filter_map(|ratio| row(ratio, &levels, &names, at)).collect();
        panels.push(Rows { heading, none: at(1.0), margin: (at(1.0 / margin), at(margin)), rows });
    }
    panels.retain(|panel| !panel.rows.is_empty());
    let rows: usize = panels.iter().map(|panel| panel.rows.len()).sum();
    if rows == 0 {
        let what =
            "no two cells of different levels agree in all else, or a value is not above zero: there is no ratio";
        return Err(sheet.fault("", what, "leave conditions out, or take `points`"));
    }
    if panels.iter().map(|panel| AROUND + forest::ROW * panel.rows.len() as f64).sum::<f64>() > MOST_HEIGHT {
        let what = format!("the page has no room for {rows} rows in {} panels", panels.len());
        return Err(sheet.fault("y", what, "choose levels with `where`"));
    }
    let ends = panels.iter().map(forest::range);
    let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (a, b)| (low.min(a), high.max(b)));
    let label = format!("{}, relative to {}", metric.about().label, levels.said(0));
    // Below the plot, which long names make narrow.
    let names = panels.iter().flat_map(|panel| &panel.rows).map(|row| sheet.font.width(&row.name, TICK_SIZE));
    let room = WIDTH - 2.0 * MARGIN - names.fold(0.0, f64::max).min(forest::NAME_MOST) - 10.0;
    let label = sheet.font.shorten(&label, LABEL_SIZE, room);
    let axis = match log {
        true => log_axis(label, (low, high), 6),
        // A ratio is above zero.
        false => Axis::about(label, low.max(0.0), high, ticks_across(room)),
    };
    let last = panels.len() - 1;
    let draw = |(index, rows): (usize, &Rows)| {
        let label = if index == last { axis.label.clone() } else { String::new() };
        forest::panel(rows, Axis { label, ..axis.clone() }, sheet.font)
    };
    let panels: Vec<_> = panels.iter().enumerate().map(draw).collect();
    let said = [(Look::Good, "within"), (Look::Open, "undecided"), (Look::Bad, "beyond")];
    let mut keys: Vec<Key> = said.map(|(look, text)| Key::new(Sample::Level(look.level()), text)).to_vec();
    // Two one-sided tests at 1 - confidence are this interval.
    let interval = percent(2.0 * sheet.labels.confidence - 1.0);
    keys.push(Key::new(Sample::Band, format!("{} % margin", percent(sheet.labels.equivalence_margin))));
    keys.push(Key::new(Sample::Mean, format!("ratio, {interval} % interval")));
    if by_block {
        keys.push(Key::new(Sample::Nothing, "runs of a block paired"));
    }
    keys.extend(sheet.remarks.iter().cloned());
    Ok(Scene {
        title: sheet.title(),
        arrange: Arrange::Column,
        height: forest::ROW * panels.iter().map(|panel| panel.weight).sum::<f64>(),
        panels,
        key_title: String::new(),
        keys,
        notice: sheet.labels.not_a_measurement.clone(),
    })
}

/// Each further level against the first that these runs have.
fn ratios(sheet: &Sheet, runs: &[&RunMetrics], place: usize, metric: Metric) -> Result<Vec<Ratio>> {
    let observe = |run: &&RunMetrics| {
        Some(Observation {
            cell: run.cell,
            block: run.block,
            order: f64::from(run.order),
            tokens: run.n_gen,
            value: run.value(metric)?,
        })
    };
    let observations: Vec<Observation> = runs.iter().filter_map(observe).collect();
    let labels = sheet.labels;
    reference::ratios(&sheet.summary.grid, &cells(&observations), place, labels.equivalence_margin, labels.confidence)
}

fn row(ratio: &Ratio, levels: &Levels, names: &[String], at: impl Fn(f64) -> f64) -> Option<Row> {
    // A panel whose runs lack the first level has another reference than its axis says.
    if ratio.reference != levels.index(0) {
        return None;
    }
    let name = (0..levels.count()).find(|position| levels.index(*position) == ratio.level)?;
    let look = match ratio.differs {
        Some(false) => Look::Good,
        None => Look::Open,
        Some(true) => Look::Bad,
    };
    let interval = ratio.interval.map(|(low, high)| (at(low), at(high)));
    Some(Row { name: names.get(name)?.clone(), value: at(ratio.ratio), interval, look })
}
