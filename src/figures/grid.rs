//! Panels in rows and columns, all of one size and on the same axes: what the axes are stands once for all, numbers and levels at the
//! left and at the bottom.

use super::{
    font::Font,
    page::{Frame, LABEL_SIZE, MARGIN, PANEL_GAP, TICK_LENGTH, TICK_SIZE, Texts, WIDTH},
    rooms::{left_room, right_room, x_texts},
    scene::{Axis, Scene},
};

/// Between a panel's foot and the heading below it.
const ROW_GAP: f64 = 6.0;

/// An axis' label that stands for several panels, and the middle of its line.
#[derive(Debug, Clone, PartialEq)]
pub struct Title {
    pub text: String,
    pub at: (f64, f64),
    pub upright: bool,
}

/// The frames, the axes' labels, and where all ends. Panels share their axes, so the first one speaks for all.
pub fn lay_out(
    scene: &Scene,
    columns: usize,
    (x_label, y_label): (&str, &str),
    top: f64,
    font: &Font,
) -> (Vec<Frame>, Vec<Title>, f64) {
    let Some(first) = scene.panels.first() else { return (Vec::new(), Vec::new(), top) };
    let columns = columns.max(1);
    let label = |text: &str| if text.is_empty() { 0.0 } else { LABEL_SIZE + 2.0 };
    let beside = if y_label.is_empty() { 0.0 } else { LABEL_SIZE + 5.0 };
    let left = MARGIN + beside + left_room(&first.y, font);
    let right = WIDTH - MARGIN - right_room(&first.x, font);
    let gap = gap(&first.x, font);
    let width = (right - left - gap * (columns - 1) as f64) / columns as f64;
    let mut texts = x_texts(&first.x, width, font);
    let note = texts.note.take().map_or(String::new(), |note| format!(", {note}"));
    let head = if scene.panels.iter().any(|panel| !panel.heading.is_empty()) { LABEL_SIZE + 3.0 } else { 0.0 };
    let below = TICK_LENGTH + texts.height;

    let mut frames = Vec::new();
    for (index, panel) in scene.panels.iter().enumerate() {
        let (row, column) = (index / columns, index % columns);
        let begins = left + (width + gap) * column as f64;
        let begin = top + (head + scene.height + ROW_GAP) * row as f64;
        let end = begin + head + scene.height;
        frames.push(Frame {
            left: begins,
            top: begin + head,
            right: begins + width,
            bottom: end,
            x: panel.x.range,
            y: panel.y.range,
            y_label: begins,
            x_label: end + below,
            x_note: end + below,
            heading: begin + LABEL_SIZE / 2.0,
            x_texts: Texts { note: None, ..texts.clone() },
        });
    }
    let foot = frames.last().map_or(top, |frame| frame.bottom);
    let end = foot + below + label(x_label);
    let x = format!("{x_label}{note}");
    let across = ((left + right) / 2.0, end - LABEL_SIZE / 2.0);
    let down = (MARGIN + LABEL_SIZE / 2.0, (top + head + foot) / 2.0);
    let titles = [(x, across, false), (y_label.to_owned(), down, true)];
    let titles = titles.into_iter().filter(|title| !title.0.is_empty());
    let titles = titles.map(|(text, at, upright)| Title { text, at, upright }).collect();
    (frames, titles, end)
}

/// So far apart that the last number of one panel does not touch the first of the next.
fn gap(x: &Axis, font: &Font) -> f64 {
    let half = |tick: Option<&super::scale::Tick>| tick.map_or(0.0, |tick| font.width(&tick.text, TICK_SIZE) / 2.0);
    let numbers = half(x.ticks.first()) + half(x.ticks.last()) + 6.0;
    if x.levels { PANEL_GAP } else { PANEL_GAP.max(numbers) }
}
