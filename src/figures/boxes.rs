//! Boxes over quartiles with whiskers, and where on the page something stands that belongs to one place of an axis.

use anyhow::Result;
use plotters::style::RGBColor;

use super::{
    canvas::{Canvas, Pen},
    page::Frame,
    palette::PAPER,
    scene::Along,
};

/// The widest box goes so far to each side, points.
const WIDEST: f64 = 9.0;

/// A place on the axis that carries no values.
#[derive(Debug, Clone, Copy)]
pub struct Across {
    /// Along which axis values lie.
    pub along: Along,
    pub at: f64,
    /// How far to each side there is room.
    pub reach: f64,
}

impl Across {
    /// A value's point on the page.
    pub fn page(self, frame: &Frame, value: f64) -> (f64, f64) {
        match self.along {
            Along::Y => frame.at((self.at, value)),
            Along::X => frame.at((value, self.at)),
        }
    }

    /// A point `reach` aside of another, and `ahead` against the values.
    pub fn aside(self, (x, y): (f64, f64), reach: f64, ahead: f64) -> (f64, f64) {
        match self.along {
            Along::Y => (x + reach, y + ahead),
            Along::X => (x - ahead, y + reach),
        }
    }

    /// The values' range.
    pub fn range(self, frame: &Frame) -> (f64, f64) {
        if self.along == Along::Y { frame.y } else { frame.x }
    }

    /// The room to each side, points.
    pub fn room(self, frame: &Frame) -> f64 {
        let range = self.range(frame);
        let middle = (range.0 + range.1) / 2.0;
        match self.along {
            Along::Y => frame.at((self.at + self.reach, middle)).0 - frame.at((self.at, middle)).0,
            Along::X => frame.at((middle, self.at)).1 - frame.at((middle, self.at + self.reach)).1,
        }
    }
}

/// First quartile, median, third quartile; whiskers from the box to their ends.
pub fn draw(
    canvas: &Canvas,
    frame: &Frame,
    across: Across,
    [first, median, third]: [f64; 3],
    (low, high): (f64, f64),
    color: RGBColor,
) -> Result<()> {
    let half = across.room(frame).clamp(0.8, WIDEST);
    let pen = Pen { color, width: 0.8 };
    let bar = |value: f64, half: f64| {
        let centre = across.page(frame, value);
        [across.aside(centre, -half, 0.0), across.aside(centre, half, 0.0)]
    };
    for (from, to) in [(low, first), (third, high)] {
        canvas.line(&[across.page(frame, from), across.page(frame, to)], pen)?;
    }
    for end in [low, high] {
        canvas.line(&bar(end, 0.5 * half), pen)?;
    }
    let ([a, b], [d, c]) = (bar(first, half), bar(third, half));
    canvas.polygon(&[a, b, c, d], PAPER)?;
    canvas.line(&[a, b, c, d, a], pen)?;
    canvas.line(&bar(median, half), Pen { color, width: 1.8 })
}
