//! What a figure shows, in data units: panels with axes and marks, and a legend. Every figure is described in these words
//! and drawn by one renderer. Positions on the page, fonts and files are none of its business.

use super::scale::{Tick, number, ticks};

/// One figure.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Read out by screen readers; holds no number.
    pub title: String,
    pub arrange: Arrange,
    /// Height of all panels together (of a row of them in a grid), points.
    pub height: f64,
    pub panels: Vec<Panel>,
    /// What the keys tell apart, e.g. `output length (tokens)`.
    pub key_title: String,
    pub keys: Vec<Key>,
    /// Why this is not a measurement, where it is none.
    pub notice: Option<String>,
}

/// How panels stand on the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrange {
    /// Side by side.
    Row,
    /// One above the other.
    Column,
    /// In rows of so many, all of one size, each row as high as the scene; what the axes are stands once, for all of them.
    Grid { columns: usize, x: String, y: String },
}

#[derive(Debug, Clone)]
pub struct Panel {
    /// Stands above the panel; may be empty.
    pub heading: String,
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
    /// It ends where data do, with a tick somewhere near: the tick's text may stick out.
    pub ragged: bool,
    /// Line, ticks and texts are drawn; the grid always is.
    pub shown: bool,
}

impl Axis {
    /// Round ticks around `low..=high`; the range ends on ticks.
    pub fn numbers(label: impl Into<String>, low: f64, high: f64) -> Self {
        Axis::about(label, low, high, 6)
    }

    /// ... with about `count` ticks.
    pub fn about(label: impl Into<String>, low: f64, high: f64, count: usize) -> Self {
        let (range, ticks) = ticks(low, high, count);
        Axis { label: label.into(), range, ticks, levels: false, ragged: false, shown: true }
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
        Axis { label: label.into(), range, ticks, levels: false, ragged: false, shown: true }
    }

    /// Just `low..=high`, with the round ticks that lie in it.
    pub fn within(label: impl Into<String>, low: f64, high: f64) -> Self {
        let ticks = ticks(low, high, 6).1.into_iter().filter(|tick| low <= tick.at && tick.at <= high).collect();
        Axis { label: label.into(), range: (low, high), ticks, levels: false, ragged: false, shown: true }
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
        Axis { label: label.into(), range, ticks, levels: true, ragged: false, shown: true }
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
    /// The run that each shows, where each shows one.
    Dots { dots: Vec<(f64, f64, usize)>, runs: Vec<u32> },
    /// A mean at `at` across the values, with its interval; its bar goes no farther than `reach` to each side.
    Mean { along: Along, at: f64, reach: f64, mean: f64, interval: Option<(f64, f64)> },
    /// A polyline.
    Line { points: Vec<(f64, f64)>, stroke: Stroke },
    /// A filled area between two polylines of equal length, behind everything.
    Band { lower: Vec<(f64, f64)>, upper: Vec<(f64, f64)> },
    /// A filled rectangle from corner to corner, coloured as a level, and the runs that it counts.
    Bar { from: (f64, f64), to: (f64, f64), level: usize, runs: Vec<u32> },
    /// An interval at `at` across the values, in a level's colour, or in ink with a rim of paper, for what stands on a bar.
    Interval { along: Along, at: f64, reach: f64, interval: (f64, f64), level: Option<usize> },
    /// Quartiles as a box at `at` that goes `reach` to each side, the median as a bar in it, whiskers as lines.
    Quartiles { along: Along, at: f64, reach: f64, of: [f64; 3], whiskers: (f64, f64), level: usize },
    /// A rectangle whose shade is a number from 0 to 255, with a text of `size` points where it has room for one.
    Cell { from: (f64, f64), to: (f64, f64), shade: u8, text: Option<(String, f64)> },
}

/// A run: its value, and the level that colours it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dot {
    pub value: f64,
    pub level: usize,
    /// `None` for what is no run.
    pub run: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// Joins means.
    Thin,
    /// A reference.
    Dashed,
    /// A level's own.
    Level(usize),
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
    /// A level's line and dot.
    Curve(usize),
    Interval,
    Quartiles,
    Shade(u8),
    Band,
    /// A remark without a mark.
    Nothing,
}

impl Key {
    pub fn new(sample: Sample, text: impl Into<String>) -> Self {
        Key { sample, text: text.into() }
    }
}
