//! A drawing inside the paper's page: shapes and texts in drawing units in, the source of an `<svg>` out. Colours are classes, which the
//! page fills for light, dark and print; texts stay texts; what runs are behind stands in `data-r`.

use std::fmt::Write;

use anyhow::Result;
use plotters::style::RGBColor;

use super::{
    page::{Anchor, UNITS},
    palette::class,
};

/// A text stands on its point: half the height of a small letter, and a little for figures and capitals, in shares of its size.
const DROP: f64 = 0.323;

/// A mark of more runs does not list them: a page stays small.
const MOST_LISTED: usize = 2000;

#[derive(Debug)]
pub struct Inline {
    out: String,
}

impl Inline {
    pub fn new(size: (f64, f64), title: &str) -> Self {
        let [width, height] = [size.0, size.1].map(|points| (points * UNITS).round());
        let title = escaped(title);
        Inline {
            out: format!("<svg class=\"fig\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}\">"),
        }
    }

    pub fn open(&mut self, class: &str, runs: &[u32]) {
        let runs: Vec<String> = runs.iter().take(MOST_LISTED + 1).map(u32::to_string).collect();
        let data = if runs.is_empty() || runs.len() > MOST_LISTED {
            String::new()
        } else {
            format!(" data-r=\"{}\"", runs.join(" "))
        };
        self.out += &format!("<g class=\"{class}\"{data}>");
    }

    pub fn close(&mut self) {
        self.out += "</g>";
    }

    pub fn line(&mut self, points: &[(i32, i32)], color: RGBColor, width: i32, dash: i32) -> Result<()> {
        let dash = if dash > 0 { format!(" stroke-dasharray=\"{dash}\"") } else { String::new() };
        let (path, stroke) = (path(points), paint("s", "stroke", color));
        Ok(write!(self.out, "<path d=\"{path}\"{stroke} stroke-width=\"{}\"{dash}/>", width.max(1))?)
    }

    pub fn polygon(&mut self, points: &[(i32, i32)], color: RGBColor) -> Result<()> {
        Ok(write!(self.out, "<path d=\"{}z\"{}/>", path(points), paint("f", "fill", color))?)
    }

    pub fn rectangle(&mut self, from: (i32, i32), to: (i32, i32), color: RGBColor) -> Result<()> {
        let [(x, width), (y, height)] = [(from.0, to.0), (from.1, to.1)].map(|(a, b)| (a.min(b), (a - b).abs()));
        let fill = paint("f", "fill", color);
        Ok(write!(self.out, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"{fill}/>")?)
    }

    pub fn circle(&mut self, (x, y): (i32, i32), radius: i32, color: RGBColor) -> Result<()> {
        Ok(write!(self.out, "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"{}/>", paint("f", "fill", color))?)
    }

    pub fn text(
        &mut self,
        text: &str,
        (x, y): (i32, i32),
        anchor: Anchor,
        size: i32,
        color: RGBColor,
        upright: bool,
    ) -> Result<()> {
        let anchor = match anchor {
            Anchor::Left => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::Right => " text-anchor=\"end\"",
        };
        let drop = (DROP * f64::from(size)).round() as i32;
        let (x, y) = if upright { (x + drop, y) } else { (x, y + drop) };
        let turn = if upright { format!(" transform=\"rotate(-90 {x} {y})\"") } else { String::new() };
        let (fill, text) = (paint("f", "fill", color), escaped(text));
        Ok(write!(self.out, "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\"{fill}{anchor}{turn}>{text}</text>")?)
    }

    pub fn finish(self) -> String {
        self.out + "</svg>"
    }
}

/// The class of a colour that the page knows; a shade is itself everywhere.
fn paint(prefix: &str, attribute: &str, color: RGBColor) -> String {
    match class(color) {
        Some(name) => format!(" class=\"{prefix}-{name}\""),
        None => format!(" {attribute}=\"#{:02x}{:02x}{:02x}\"", color.0, color.1, color.2),
    }
}

/// Each point from the one before it, which is short.
fn path(points: &[(i32, i32)]) -> String {
    let mut out = String::new();
    let mut before = (0, 0);
    for (index, (x, y)) in points.iter().copied().enumerate() {
        let (dx, dy) = (x - before.0, y - before.1);
        out += &match (index, dx, dy) {
            (0, ..) => format!("M{x} {y}"),
            (_, _, 0) => format!("h{dx}"),
            (_, 0, _) => format!("v{dy}"),
            _ => format!("l{dx} {dy}"),
        };
        before = (x, y);
    }
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::palette::{AXIS, look, shade};

    #[test]
    fn what_is_drawn_by_hand() {
        let mut page = Inline::new((10.0, 5.0), "a \"b\" <c>");
        page.open("d", &[3, 4]);
        page.circle((20, 40), 30, look(0).color).unwrap();
        page.close();
        page.line(&[(0, 0), (5, 0), (5, 9), (7, 8)], AXIS, 12, 0).unwrap();
        page.rectangle((9, 9), (1, 2), shade(0)).unwrap();
        page.text("<b>", (10, 10), Anchor::Middle, 100, AXIS, true).unwrap();
        assert_eq!(
            page.finish(),
            "<svg class=\"fig\" viewBox=\"0 0 200 100\" role=\"img\" aria-label=\"a &quot;b&quot; &lt;c&gt;\">\
             <g class=\"d\" data-r=\"3 4\"><circle cx=\"20\" cy=\"40\" r=\"30\" class=\"f-c0\"/></g>\
             <path d=\"M0 0h5v9l2 -1\" class=\"s-axis\" stroke-width=\"12\"/>\
             <rect x=\"1\" y=\"2\" width=\"8\" height=\"7\" fill=\"#edf3f8\"/>\
             <text x=\"42\" y=\"10\" font-size=\"100\" class=\"f-axis\" text-anchor=\"middle\" transform=\"rotate(-90 42 10)\">&lt;b&gt;</text></svg>"
        );
    }
}
