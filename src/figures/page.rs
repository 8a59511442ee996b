//! The page's measures, and what is laid out on it. Points throughout.

/// Drawing units in a point. plotters counts in whole units; a twentieth of a point is below what print resolves.
pub const UNITS: f64 = 20.0;

/// Where a text stands relative to its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    Left,
    Middle,
    Right,
}

/// Width of every figure: one column of a page, points.
pub const WIDTH: f64 = 288.0;
pub const TICK_SIZE: f64 = 7.5;
pub const LABEL_SIZE: f64 = 8.5;
pub const TICK_LENGTH: f64 = 2.5;
/// Height of one row of the legend.
pub const ROW: f64 = 11.5;
/// From a key's left end to its text.
pub const SAMPLE: f64 = 12.0;
/// The longest text of a key before it is cut.
pub const KEY_MOST: f64 = 110.0;
pub const NOTICE: f64 = 14.0;

pub const MARGIN: f64 = 4.0;
pub const PANEL_GAP: f64 = 8.0;

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
    pub height: f64,
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
