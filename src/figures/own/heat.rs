//! `heat`: two factors as rows and columns, the mean of a metric as shade and number.

use anyhow::Result;

use super::{
    super::{
        page::{TICK_SIZE, WIDTH},
        scale::number,
        scene::{Axis, Key, Mark, Sample, Scene},
    },
    board::{Board, Legend, standing},
    ruler::Ruler,
    sheet::{Levels, Sheet, Variable},
};
use crate::analysis::RunMetrics;

/// Sizes of the numbers in cells, points: the largest that fits all of them.
const SIZES: [f64; 4] = [TICK_SIZE, 7.0, 6.5, 6.0];
/// More cells are no figure.
const MOST_CELLS: usize = 4000;
const NAME_MOST: f64 = 90.0;
/// Shades in the legend.
const SHADES: [u8; 5] = [0, 64, 128, 191, 255];

pub fn scene(sheet: &Sheet) -> Result<Scene> {
    let (across, down) = match (sheet.x, sheet.y) {
        (Some(Variable::Factor(x)), Some(Variable::Factor(y))) => (sheet.levels(x), sheet.levels(y)),
        (None, _) => return Err(sheet.lacks("x", "a factor")),
        (_, None) => return Err(sheet.lacks("y", "a factor")),
        _ => {
            let hint = "e.g. `x: length, y: prompt, colour: latency`";
            return Err(sheet.fault("", "`heat` wants factors on x and y, and its metric as `colour`", hint));
        }
    };
    let metric = match sheet.colour {
        Some(Variable::Metric(metric)) => metric,
        Some(Variable::Factor(_)) => {
            return Err(sheet.fault(
                "colour",
                "`heat` shades cells by a metric, found a factor",
                "e.g. `colour: latency`",
            ));
        }
        None => return Err(sheet.lacks("colour", "a metric")),
    };
    if sheet.entry.scale.x.is_some() || sheet.entry.scale.y.is_some() {
        return Err(sheet.fault("scale", "rows and columns of `heat` have no scale", "only `colour` has one"));
    }
    let ruler = Ruler::of(sheet, metric, "colour")?;
    let facets = sheet.facets();
    let (columns, rows) = (across.count(), down.count());
    if columns * rows * facets.len() > MOST_CELLS {
        let what =
            format!("expected at most {MOST_CELLS} cells, found {columns} × {rows} in each of {} panels", facets.len());
        return Err(sheet.fault("", what, "choose levels with `where`"));
    }
    let names = down.names(sheet.font, NAME_MOST);
    let board = Board::of(facets.len(), columns + 3);
    let board = Board::high(facets.len(), board.columns, (13.0 * rows as f64).max(40.0));
    let y = standing(down.factor().axis(), &names, NAME_MOST, board.height, sheet.font);
    let x_names = across.names(sheet.font, 60.0);
    let x = Axis::levels(across.factor().axis(), x_names.iter().map(String::as_str));

    let means = means(sheet, &facets, (&across, &down), metric)?;
    let all = || means.iter().flat_map(|panel| panel.iter().map(|cell| cell.2));
    let (least, most) = all().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    let (low, high) = ruler.places((least, most));
    let shade = |value: f64| {
        let share = if high > low { (ruler.place(value) - low) / (high - low) } else { 0.5 };
        (255.0 * share).round().clamp(0.0, 255.0) as u8
    };
    let room = (board.width(&y, sheet.font).min(WIDTH) / columns as f64, board.height / rows as f64);
    let widest = all().map(|value| sheet.font.width(&ruler.text(value), 1.0)).fold(0.0, f64::max);
    let size = SIZES.into_iter().find(|size| widest * size + 3.0 <= room.0 && size + 1.5 <= room.1);
    let cell = |(column, row, value): &(usize, usize, f64)| {
        let (x, y) = (*column as f64, (rows - 1 - row) as f64);
        let text = size.map(|size| (ruler.text(*value), size));
        Mark::Cell { from: (x - 0.5, y - 0.5), to: (x + 0.5, y + 0.5), shade: shade(*value), text }
    };
    let headings = facets.into_iter().map(|(heading, _)| heading);
    let drawn = headings.zip(&means).map(|(heading, cells)| (heading, cells.iter().map(cell).collect())).collect();

    // Back from a shade to the value that has it.
    let value = |shade: u8| {
        let place = low + (high - low) * f64::from(shade) / 255.0;
        ruler.value_at(place)
    };
    let keys: Vec<Key> = if high > low {
        SHADES.iter().map(|shade| Key::new(Sample::Shade(*shade), ruler.text(value(*shade)))).collect()
    } else {
        vec![Key::new(Sample::Shade(128), ruler.text(least))]
    };
    let mut legend = Legend { title: format!("mean {}:", ruler.label()), keys };
    if size.is_none() {
        legend.keys.push(Key::new(Sample::Nothing, "no room for numbers"));
    }
    let there: usize = means.iter().map(Vec::len).sum();
    let empty = columns * rows * means.len() - there;
    if empty > 0 {
        legend.keys.push(Key::new(Sample::Nothing, format!("blank: no run ({} cells)", number(empty as f64, 0))));
    }
    Ok(board.scene(sheet, (x, y), drawn, legend))
}

/// Column, row and mean of the cells that have runs.
type Cells = Vec<(usize, usize, f64)>;

fn means(
    sheet: &Sheet,
    facets: &[(String, Vec<&RunMetrics>)],
    (across, down): (&Levels, &Levels),
    metric: crate::metric::Metric,
) -> Result<Vec<Cells>> {
    let mut panels = Vec::new();
    for (_, runs) in facets {
        let mut groups: Vec<Vec<&RunMetrics>> = vec![Vec::new(); across.count() * down.count()];
        runs.iter().for_each(|run| groups[down.at(run) * across.count() + across.at(run)].push(run));
        let mut cells = Vec::new();
        for (index, runs) in groups.iter().enumerate().filter(|(_, runs)| !runs.is_empty()) {
            cells.push((index % across.count(), index / across.count(), sheet.stats(runs, metric)?.mean));
        }
        panels.push(cells);
    }
    Ok(panels)
}
