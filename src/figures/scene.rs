//! What a figure shows, in data units: panels with axes and marks, and a legend. Every figure is described in these words
//! and drawn by one renderer. Positions on the page, fonts and files are none of its business.

use super::scale::{Tick, number, ticks};

/// One figure.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Read out by screen readers; holds no number.
    pub title: &'static str,
    pub arrange: Arrange,
    /// Height of all panels together, points.
    pub height: f64,
    pub panels: Vec<Panel>,
    /// What the keys tell apart, e.g. `output length (tokens)`.
    pub key_title: String,
    pub keys: Vec<Key>,
    /// Why this is not a measurement, where it is none.
    pub notice: Option<String>,
}

/// Panels side by side, or one above the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrange {
    Row,
    Column,
}

#[derive(Debug, Clone)]
pub struct Panel {
    /// Stands above the panel; may be empty.
    pub heading: &'static str,
    pub x: Axis,
    pub y: Axis,
    /// Share of the room that the panels divide.
    pub weight: f64,
    pub marks: Vec<Mark>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    pub label: String,
    pub range: (f64, f64),
    pub ticks: Vec<Tick>,
    /// Levels of a factor rather than numbers.
    pub levels: bool,
    /// Line, ticks and texts are drawn; the grid always is.
    pub shown: bool,
}

impl Axis {
    /// Round ticks around `low..=high`; the range ends on ticks.
    pub fn numbers(label: impl Into<String>, low: f64, high: f64) -> Self {
        let (range, ticks) = ticks(low, high, 6);
        Axis { label: label.into(), range, ticks, levels: false, shown: true }
    }

    /// A tick on each of `places` where their texts have room, else round ticks; the range is just what is given.
    pub fn places(label: impl Into<String>, places: &[f64], range: (f64, f64)) -> Self {
        let room = 0.07 * (range.1 - range.0);
        let mut at = vec![0.0];
        at.extend(places);
        let ticks = if at.windows(2).all(|pair| pair[1] - pair[0] >= room) {
            at.into_iter().map(|at| Tick { at, text: number(at, 0) }).collect()
        } else {
            return Axis::within(label, range.0, range.1);
        };
        Axis { label: label.into(), range, ticks, levels: false, shown: true }
    }

    /// Just `low..=high`, with the round ticks that lie in it.
    pub fn within(label: impl Into<String>, low: f64, high: f64) -> Self {
        let ticks = ticks(low, high, 6).1.into_iter().filter(|tick| low <= tick.at && tick.at <= high).collect();
        Axis { label: label.into(), range: (low, high), ticks, levels: false, shown: true }
    }

    /// Whole numbers from zero: ticks never fall between them.
    pub fn counts(label: impl Into<String>, high: u32) -> Self {
        let mut axis = Axis::numbers(label, 0.0, f64::from(high.max(1)));
        axis.ticks.retain(|tick| tick.at.fract() == 0.0);
        for tick in &mut axis.ticks {
            tick.text = number(tick.at, 0);
        }
        axis
    }

    /// Levels at 0, 1, 2, ...
    pub fn levels<'a>(label: impl Into<String>, names: impl IntoIterator<Item = &'a str>) -> Self {
        let ticks: Vec<Tick> =
            names.into_iter().enumerate().map(|(i, name)| Tick { at: i as f64, text: name.to_owned() }).collect();
        // A lonely level would be stretched over the whole panel.
        let range = if ticks.len() < 2 { (-1.0, 1.0) } else { (-0.5, ticks.len() as f64 - 0.5) };
        Axis { label: label.into(), range, ticks, levels: true, shown: true }
    }

    /// The same axis without line, ticks and texts: a neighbour shows them.
    pub fn hidden(mut self) -> Self {
        self.shown = false;
        self
    }
}

/// Which axis carries the values of a swarm or a mean; the other one carries the lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Along {
    X,
    Y,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    /// One dot a run, spread sideways inside `lane`.
    Swarm { along: Along, lane: (f64, f64), dots: Vec<Dot> },
    /// Dots at x, y, coloured by level, just where they belong.
    Dots { dots: Vec<(f64, f64, usize)> },
    /// A mean at `at` across the values, with its interval; its bar goes no farther than `reach` to each side.
    Mean { along: Along, at: f64, reach: f64, mean: f64, interval: Option<(f64, f64)> },
    /// A polyline.
    Line { points: Vec<(f64, f64)>, stroke: Stroke },
    /// A filled area between two polylines of equal length, behind everything.
    Band { lower: Vec<(f64, f64)>, upper: Vec<(f64, f64)> },
    /// A filled rectangle from corner to corner, coloured as a level.
    Bar { from: (f64, f64), to: (f64, f64), level: usize },
}

/// A run: its value, and the level that colours it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dot {
    pub value: f64,
    pub level: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// Joins means.
    Thin,
    /// A reference.
    Dashed,
}

/// A line of the legend.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    pub sample: Sample,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    Level(usize),
    Bar(usize),
    Mean,
    Line(Stroke),
    Band,
    /// A remark without a mark.
    Nothing,
}

impl Key {
    pub fn new(sample: Sample, text: impl Into<String>) -> Self {
        Key { sample, text: text.into() }
    }
}
