//! Where everything goes. A scene and the font's widths in, rectangles in points out: axes get the room that their texts need,
//! the legend stands above the panels and can never cover data, and the page grows rather than the plot shrinks.

pub use super::page::{Frame, LABEL_SIZE, NOTICE, SAMPLE, TICK_LENGTH, TICK_SIZE, WIDTH};
use super::{
    font::Font,
    grid::{self, Title},
    page::{KEY_MOST, MARGIN, PANEL_GAP, ROW, Texts},
    rooms::{bottom_room, least_width, left_room, note_room, right_room, x_texts},
    scene::{Arrange, Key, Panel, Sample, Scene},
};

const KEY_GAP: f64 = 9.0;

/// The page.
#[derive(Debug, Clone)]
pub struct Layout {
    pub size: (f64, f64),
    /// Left ends and middle heights of the legend's title (if any) and keys.
    pub legend_title: Option<(f64, f64)>,
    pub keys: Vec<(f64, f64)>,
    pub frames: Vec<Frame>,
    /// Axes' labels that stand once for all panels.
    pub titles: Vec<Title>,
}

/// Lays out a scene.
pub fn lay_out(scene: &Scene, font: &Font) -> Layout {
    let top = MARGIN + if scene.notice.is_some() { NOTICE + 3.0 } else { 0.0 };
    let (legend_title, keys, legend_end) = legend(scene, font, top);
    if let Arrange::Grid { columns, x, y } = &scene.arrange {
        let (frames, titles, end) = grid::lay_out(scene, *columns, (x, y), legend_end, font);
        return Layout { size: (WIDTH, end + MARGIN), legend_title, keys, frames, titles };
    }
    let lefts: Vec<f64> = scene.panels.iter().map(|panel| left_room(&panel.y, font)).collect();
    let in_row = scene.arrange == Arrange::Row;
    let spans = match in_row {
        true => row(scene, &lefts, font),
        false => {
            let left = MARGIN + lefts.iter().copied().fold(0.0, f64::max);
            let right = scene.panels.iter().map(|panel| right_room(&panel.x, font)).fold(0.0, f64::max);
            vec![(left, WIDTH - MARGIN - right); scene.panels.len()]
        }
    };
    let labels: Vec<Texts> =
        scene.panels.iter().zip(&spans).map(|(panel, span)| x_texts(&panel.x, span.1 - span.0, font)).collect();
    let bottoms: Vec<f64> =
        scene.panels.iter().zip(&labels).map(|(panel, label)| bottom_room(&panel.x, label)).collect();
    // Labels of panels side by side stand in one line, their notes in the next.
    let most_notes = labels.iter().map(note_room).fold(0.0, f64::max);
    let deepest =
        bottoms.iter().zip(&labels).map(|(room, label)| room - note_room(label)).fold(0.0, f64::max) + most_notes;

    let weights: f64 = scene.panels.iter().map(|panel| panel.weight).sum();
    let mut frames = Vec::new();
    let mut next_top = legend_end;
    for (((panel, span), label), (left, bottom)) in
        scene.panels.iter().zip(&spans).zip(labels).zip(lefts.iter().zip(&bottoms))
    {
        let (height, room) =
            if in_row { (scene.height, deepest) } else { (scene.height * panel.weight / weights, *bottom) };
        let notes = if in_row { most_notes } else { note_room(&label) };
        let heading = next_top + LABEL_SIZE / 2.0;
        if !panel.heading.is_empty() {
            next_top += LABEL_SIZE + 3.0;
        }
        let end = next_top + height;
        frames.push(Frame {
            left: span.0,
            top: next_top,
            right: span.1,
            bottom: end,
            x: panel.x.range,
            y: panel.y.range,
            y_label: span.0 - left + LABEL_SIZE / 2.0,
            x_label: end + room - notes - LABEL_SIZE / 2.0,
            x_note: end + room - TICK_SIZE / 2.0,
            heading,
            x_texts: label,
        });
        next_top = if in_row { legend_end } else { end + room + if panel.x.shown { 4.0 } else { 0.0 } };
    }
    let last = frames.last().map_or(legend_end, |frame| frame.bottom);
    let end = last + if in_row { deepest } else { bottoms.last().copied().unwrap_or(0.0) };
    Layout { size: (WIDTH, end + MARGIN), legend_title, keys, frames, titles: Vec::new() }
}

/// Across and down, points.
type Point = (f64, f64);

/// Flows the title and the keys into rows from the left; returns where the plot may begin.
fn legend(scene: &Scene, font: &Font, top: f64) -> (Option<Point>, Vec<Point>, f64) {
    let (mut x, mut y) = (MARGIN, top + ROW / 2.0);
    let mut place = |width: f64, gap: f64| {
        if x > MARGIN && x + width > WIDTH - MARGIN {
            (x, y) = (MARGIN, y + ROW);
        }
        let here = (x, y);
        x += width + gap;
        here
    };
    let title = (!scene.key_title.is_empty()).then(|| place(font.width(&scene.key_title, TICK_SIZE), 3.0));
    let keys: Vec<_> = scene
        .keys
        .iter()
        .map(|key| place(sample_width(key) + font.width(&key_text(key, font), TICK_SIZE), KEY_GAP))
        .collect();
    let end = if title.is_none() && keys.is_empty() { top } else { y + ROW / 2.0 };
    (title, keys, end + 6.0)
}

/// The room for a key's mark.
pub fn sample_width(key: &Key) -> f64 {
    if matches!(key.sample, Sample::Nothing) { 0.0 } else { SAMPLE }
}

/// A key's text, cut to what a legend can hold.
pub fn key_text(key: &Key, font: &Font) -> String {
    font.shorten(&key.text, TICK_SIZE, KEY_MOST)
}

/// Left and right edges of panels side by side: by weight, but none narrower than its own label.
fn row(scene: &Scene, lefts: &[f64], font: &Font) -> Vec<(f64, f64)> {
    let gaps = PANEL_GAP * scene.panels.len().saturating_sub(1) as f64;
    let right = scene.panels.last().map_or(0.0, |panel| right_room(&panel.x, font));
    let room = WIDTH - 2.0 * MARGIN - gaps - lefts.iter().sum::<f64>() - right;
    let labels: Vec<f64> = scene.panels.iter().map(|panel| font.width(&panel.x.label, LABEL_SIZE) + 2.0).collect();
    let words: Vec<f64> = scene.panels.iter().map(|panel| least_width(&panel.x, font)).collect();
    let least = if words.iter().sum::<f64>() <= room { words } else { labels };
    let mut widths = vec![None; scene.panels.len()];
    // Panels that their share would make too narrow get what they need; the others divide the rest.
    loop {
        let rest = room - widths.iter().flatten().sum::<f64>();
        let free = |widths: &[Option<f64>]| (0..widths.len()).filter(|i| widths[*i].is_none()).collect::<Vec<_>>();
        let weights: f64 = free(&widths).iter().map(|i| scene.panels[*i].weight).sum();
        let share = |panel: &Panel| rest * panel.weight / weights;
        match free(&widths).into_iter().find(|i| share(&scene.panels[*i]) < least[*i]) {
            Some(narrow) => widths[narrow] = Some(least[narrow]),
            None => {
                free(&widths).into_iter().for_each(|i| widths[i] = Some(share(&scene.panels[i])));
                break;
            }
        }
    }
    let mut x = MARGIN;
    let mut spans = Vec::new();
    for (width, left) in widths.into_iter().flatten().zip(lefts) {
        spans.push((x + left, x + left + width));
        x += left + width + PANEL_GAP;
    }
    spans
}
