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
/// What an upright tick label needs across, so that it does not touch the next.
const UPRIGHT_COLUMN: f64 = TICK_SIZE + 0.7;
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
    /// Middles of the axes' labels: the y label's x, the x label's y; and of the line below that.
    pub y_label: f64,
    pub x_label: f64,
    pub x_note: f64,
    /// Middle height of the panel's heading.
    pub heading: f64,
    pub x_texts: Texts,
}

/// The texts below an x axis, as they fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Texts {
    /// They stand upright, since they would touch otherwise.
    pub upright: bool,
    /// One a tick, cut to its room; empty where the tick is not named.
    pub ticks: Vec<String>,
    /// Stands below the axis' label where not all ticks are named.
    pub note: Option<String>,
    height: f64,
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
        let (height, room) = match scene.arrange {
            Arrange::Row => (scene.height, deepest),
            Arrange::Column => (scene.height * panel.weight / weights, *bottom),
        };
        let notes = if scene.arrange == Arrange::Row { most_notes } else { note_room(&label) };
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

/// The room for an axis' label and, where its levels' texts cannot all stand, for the words that say so.
fn least_width(axis: &Axis, font: &Font) -> f64 {
    let label = font.width(&axis.label, LABEL_SIZE) + 2.0;
    let all = axis.ticks.len() as f64 * UPRIGHT_COLUMN;
    let thinned = font.width(&note(200), TICK_SIZE) + 2.0;
    if axis.levels { label.max(all.min(thinned)) } else { label }
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

/// The x axis' texts as they fit: upright or not, cut or not, and no more of them than have room.
fn x_texts(axis: &Axis, width: f64, font: &Font) -> Texts {
    let texts = || axis.ticks.iter().map(|tick| tick.text.as_str());
    let column = width / (axis.ticks.len() as f64).max(1.0);
    let upright = axis.levels && texts().any(|text| font.width(text, TICK_SIZE) > column - 2.0);
    if !upright {
        let ticks = texts().map(str::to_owned).collect();
        return Texts { upright, ticks, note: None, height: TICK_SIZE + 1.5 };
    }
    let every = every(column);
    let cut =
        |(place, text)| if place % every == 0 { font.shorten(text, TICK_SIZE, UPRIGHT_MOST) } else { String::new() };
    let ticks: Vec<String> = texts().enumerate().map(cut).collect();
    let height = ticks.iter().map(|text| font.width(text, TICK_SIZE)).fold(0.0, f64::max) + 1.5;
    let note = (every > 1).then(|| font.shorten(&note(every), TICK_SIZE, width + PANEL_GAP));
    Texts { upright, ticks, note, height }
}

/// Every how many-th tick can be named, where each has `column` points across: a number that people count by.
fn every(column: f64) -> usize {
    let fits = |every: &usize| *every as f64 * column >= UPRIGHT_COLUMN;
    let round = (0..).flat_map(|zeros: u32| [1, 2, 5].map(|digit| digit * 10_usize.saturating_pow(zeros)));
    round.take(60).find(fits).unwrap_or(usize::MAX)
}

/// `every 5th named`
fn note(every: usize) -> String {
    let ordinal = if every == 2 { "nd" } else { "th" };
    format!("every {every}{ordinal} named")
}

/// What the x axis needs below the plot.
fn bottom_room(axis: &Axis, texts: &Texts) -> f64 {
    if !axis.shown {
        return 0.0;
    }
    let label = if axis.label.is_empty() { 0.0 } else { LABEL_SIZE + 2.0 };
    TICK_LENGTH + texts.height + label + note_room(texts)
}

fn note_room(texts: &Texts) -> f64 {
    if texts.note.is_some() { TICK_SIZE + 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(count: usize) -> Axis {
        let names: Vec<String> = (1..=count).map(|level| format!("level-{level}")).collect();
        Axis::levels("prompt", names.iter().map(String::as_str))
    }

    #[test]
    fn as_many_texts_stand_as_have_room_and_the_axis_says_so() {
        let font = Font::open().unwrap();
        for (count, named, note) in [
            (3, 3, None),
            (15, 15, None),
            (40, 20, Some("every 2nd named")),
            (70, 14, Some("every 5th named")),
            (150, 15, Some("every 10th named")),
            (5000, 10, Some("every 500th named")),
        ] {
            let texts = x_texts(&levels(count), 170.0, &font);
            assert_eq!(texts.ticks.len(), count);
            assert_eq!(texts.ticks.iter().filter(|text| !text.is_empty()).count(), named, "{count}");
            assert_eq!((texts.note.as_deref(), texts.ticks[0].as_str()), (note, "level-1"));
        }
    }

    #[test]
    fn a_panel_has_room_for_what_its_axis_says() {
        let font = Font::open().unwrap();
        let least = |count| least_width(&levels(count), &font);
        assert!(least(2) < font.width("prompt", LABEL_SIZE) + 3.0);
        assert!(least(100) >= font.width("every 10th named", TICK_SIZE));
        assert!(least(100) == least(1000));
    }
}
