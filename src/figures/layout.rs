//! Where everything goes. A scene and the font's widths in, rectangles in points out: axes get the room that their texts need,
//! the legend stands above the panels and can never cover data, and the page grows rather than the plot shrinks.

use super::{
    font::Font,
    scene::{Arrange, Axis, Key, Panel, Sample, Scene},
};

/// Width of every figure: one column of a page, points.
pub const WIDTH: f64 = 288.0;
pub const TICK_SIZE: f64 = 7.5;
pub const LABEL_SIZE: f64 = 8.5;
pub const TICK_LENGTH: f64 = 2.5;
/// Height of one row of the legend.
pub const ROW: f64 = 11.5;
/// From a key's left end to its text.
pub const SAMPLE: f64 = 12.0;
pub const NOTICE: f64 = 14.0;

const MARGIN: f64 = 4.0;
const KEY_GAP: f64 = 9.0;
const PANEL_GAP: f64 = 8.0;
/// The longest upright tick label before it is cut.
const UPRIGHT_MOST: f64 = 60.0;
/// The longest text of a key before it is cut.
const KEY_MOST: f64 = 110.0;

/// The page.
#[derive(Debug, Clone)]
pub struct Layout {
    pub size: (f64, f64),
    /// Left ends and middle heights of the legend's title (if any) and keys.
    pub legend_title: Option<(f64, f64)>,
    pub keys: Vec<(f64, f64)>,
    pub frames: Vec<Frame>,
}

/// One panel's plotting area, and the map from data to page.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
    pub x: (f64, f64),
    pub y: (f64, f64),
    /// Middles of the axes' labels: the y label's x, the x label's y.
    pub y_label: f64,
    pub x_label: f64,
    /// Middle height of the panel's heading.
    pub heading: f64,
    /// The x axis' texts stand upright, since they would touch otherwise; as drawn, cut to their room.
    pub upright: bool,
    pub x_texts: Vec<String>,
}

impl Frame {
    /// The page position of a point in data units.
    pub fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let share = |v: f64, (low, high): (f64, f64)| (v - low) / (high - low);
        (
            self.left + (self.right - self.left) * share(x, self.x),
            self.bottom - (self.bottom - self.top) * share(y, self.y),
        )
    }
}

/// Lays out a scene.
pub fn lay_out(scene: &Scene, font: &Font) -> Layout {
    let top = MARGIN + if scene.notice.is_some() { NOTICE + 3.0 } else { 0.0 };
    let (legend_title, keys, legend_end) = legend(scene, font, top);
    let lefts: Vec<f64> = scene.panels.iter().map(|panel| left_room(&panel.y, font)).collect();
    let spans = match scene.arrange {
        Arrange::Row => row(scene, &lefts, font),
        Arrange::Column => {
            let left = MARGIN + lefts.iter().copied().fold(0.0, f64::max);
            let right = scene.panels.iter().map(|panel| right_room(&panel.x, font)).fold(0.0, f64::max);
            vec![(left, WIDTH - MARGIN - right); scene.panels.len()]
        }
    };
    let labels: Vec<(bool, Vec<String>, f64)> =
        scene.panels.iter().zip(&spans).map(|(panel, span)| x_texts(&panel.x, span.1 - span.0, font)).collect();
    let bottoms: Vec<f64> =
        scene.panels.iter().zip(&labels).map(|(panel, label)| bottom_room(&panel.x, label.2)).collect();
    let deepest = bottoms.iter().copied().fold(0.0, f64::max);

    let weights: f64 = scene.panels.iter().map(|panel| panel.weight).sum();
    let mut frames = Vec::new();
    let mut next_top = legend_end;
    for (((panel, span), label), (left, bottom)) in
        scene.panels.iter().zip(&spans).zip(labels).zip(lefts.iter().zip(&bottoms))
    {
        let (height, room) = match scene.arrange {
            Arrange::Row => (scene.height, deepest),
            Arrange::Column => (scene.height * panel.weight / weights, *bottom),
        };
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
            x_label: end + room - LABEL_SIZE / 2.0,
            heading,
            upright: label.0,
            x_texts: label.1,
        });
        next_top =
            if scene.arrange == Arrange::Row { legend_end } else { end + room + if panel.x.shown { 4.0 } else { 0.0 } };
    }
    let last = frames.last().map_or(legend_end, |frame| frame.bottom);
    let end = last + if scene.arrange == Arrange::Row { deepest } else { bottoms.last().copied().unwrap_or(0.0) };
    Layout { size: (WIDTH, end + MARGIN), legend_title, keys, frames }
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
    let least: Vec<f64> = scene.panels.iter().map(|panel| font.width(&panel.x.label, LABEL_SIZE) + 2.0).collect();
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

/// What the y axis needs left of the plot.
fn left_room(axis: &Axis, font: &Font) -> f64 {
    if !axis.shown {
        return 0.0;
    }
    let widest = axis.ticks.iter().map(|tick| font.width(&tick.text, TICK_SIZE)).fold(0.0, f64::max);
    let label = if axis.label.is_empty() { 0.0 } else { LABEL_SIZE + 4.0 };
    label + widest + TICK_LENGTH + 2.0
}

/// What a number at the x axis' very end needs beyond the plot.
fn right_room(axis: &Axis, font: &Font) -> f64 {
    let last = axis.ticks.last().filter(|tick| !axis.levels && tick.at >= axis.range.1);
    last.map_or(0.0, |tick| font.width(&tick.text, TICK_SIZE) / 2.0)
}

/// The x axis' texts as they fit: upright or not, cut or not, and their height.
fn x_texts(axis: &Axis, width: f64, font: &Font) -> (bool, Vec<String>, f64) {
    let texts = || axis.ticks.iter().map(|tick| tick.text.as_str());
    let column = width / (axis.ticks.len() as f64).max(1.0);
    let upright = axis.levels && texts().any(|text| font.width(text, TICK_SIZE) > column - 2.0);
    if !upright {
        return (false, texts().map(str::to_owned).collect(), TICK_SIZE + 1.5);
    }
    let cut: Vec<String> = texts().map(|text| font.shorten(text, TICK_SIZE, UPRIGHT_MOST)).collect();
    let height = cut.iter().map(|text| font.width(text, TICK_SIZE)).fold(0.0, f64::max);
    (true, cut, height + 1.5)
}

/// What the x axis needs below the plot.
fn bottom_room(axis: &Axis, texts: f64) -> f64 {
    if !axis.shown {
        return 0.0;
    }
    let label = if axis.label.is_empty() { 0.0 } else { LABEL_SIZE + 2.0 };
    TICK_LENGTH + texts + label
}
