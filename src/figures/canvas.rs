//! A page measured in points: on plotters' SVG backend, or as a drawing inside the paper's page. Lengths and texts in, SVG source out.
//! It must not know what a mark means.

use std::cell::RefCell;

use anyhow::{Context, Result, anyhow};
use plotters::{
    coord::Shift,
    drawing::{DrawingArea, IntoDrawingArea},
    element::{Circle, PathElement, Polygon, Rectangle, Text},
    prelude::SVGBackend,
    style::{
        Color, IntoFont, RGBColor, ShapeStyle, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

pub use super::page::{Anchor, UNITS};
use super::{
    font::{FAMILY, Font},
    inline::Inline,
};

/// plotters divides a font's size by this when it writes SVG.
const PLOTTERS_EM: f64 = 1.24;

/// Colour and width (points) of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pen {
    pub color: RGBColor,
    pub width: f64,
}

/// The page. Colours are opaque throughout: transparency would turn each mark into a group of its own in the PDF.
pub struct Canvas<'a> {
    surface: Surface<'a>,
    font: &'a Font,
}

enum Surface<'a> {
    Plotters(DrawingArea<SVGBackend<'a>, Shift>),
    Page(RefCell<Inline>),
}

impl<'a> Canvas<'a> {
    /// A white page of `size` points, written to `buffer` when finished.
    pub fn new(buffer: &'a mut String, size: (f64, f64), font: &'a Font) -> Result<Self> {
        let units = (units(size.0) as u32, units(size.1) as u32);
        let surface = Surface::Plotters(SVGBackend::with_string(buffer, units).into_drawing_area());
        let canvas = Canvas { surface, font };
        canvas.rectangle((0.0, 0.0), size, RGBColor(255, 255, 255))?;
        Ok(canvas)
    }

    /// A drawing of `size` points for the paper's page, which gives it its colours.
    pub fn on_page(size: (f64, f64), title: &str, font: &'a Font) -> Self {
        Canvas { surface: Surface::Page(RefCell::new(Inline::new(size, title))), font }
    }

    /// What `draw` draws is one thing on the paper's page: `class` says what, and `runs` are behind it. Files know no things.
    pub fn thing(&self, class: &str, runs: &[u32], draw: impl FnOnce() -> Result<()>) -> Result<()> {
        let Surface::Page(page) = &self.surface else { return draw() };
        page.borrow_mut().open(class, runs);
        draw()?;
        page.borrow_mut().close();
        Ok(())
    }

    /// The source of a drawing for the page; of a file, nothing.
    pub fn into_page(self) -> String {
        match self.surface {
            Surface::Page(page) => page.into_inner().finish(),
            Surface::Plotters(_) => String::new(),
        }
    }

    pub fn line(&self, points: &[(f64, f64)], pen: Pen) -> Result<()> {
        let path = points.iter().copied().map(at).collect::<Vec<_>>();
        let area = match &self.surface {
            Surface::Plotters(area) => area,
            Surface::Page(page) => return page.borrow_mut().line(&path, pen.color, units(pen.width), 0),
        };
        let style = ShapeStyle { color: pen.color.to_rgba(), filled: false, stroke_width: units(pen.width) as u32 };
        area.draw(&PathElement::new(path, style)).map_err(drawing)
    }

    /// Dashes and gaps of `dash` points along a straight line.
    pub fn dashed(&self, from: (f64, f64), to: (f64, f64), dash: f64, pen: Pen) -> Result<()> {
        if let Surface::Page(page) = &self.surface {
            return page.borrow_mut().line(&[at(from), at(to)], pen.color, units(pen.width), units(dash));
        }
        let (across, down) = (to.0 - from.0, to.1 - from.1);
        let length = (across * across + down * down).sqrt();
        let along = |d: f64| (from.0 + (to.0 - from.0) * d / length, from.1 + (to.1 - from.1) * d / length);
        let mut start = 0.0;
        while start < length {
            self.line(&[along(start), along((start + dash).min(length))], pen)?;
            start += 2.0 * dash;
        }
        Ok(())
    }

    pub fn rectangle(&self, from: (f64, f64), to: (f64, f64), color: RGBColor) -> Result<()> {
        match &self.surface {
            Surface::Plotters(area) => area.draw(&Rectangle::new([at(from), at(to)], color.filled())).map_err(drawing),
            Surface::Page(page) => page.borrow_mut().rectangle(at(from), at(to), color),
        }
    }

    pub fn polygon(&self, points: &[(f64, f64)], color: RGBColor) -> Result<()> {
        let path = points.iter().copied().map(at).collect::<Vec<_>>();
        match &self.surface {
            Surface::Plotters(area) => area.draw(&Polygon::new(path, color)).map_err(drawing),
            Surface::Page(page) => page.borrow_mut().polygon(&path, color),
        }
    }

    pub fn circle(&self, centre: (f64, f64), radius: f64, color: RGBColor) -> Result<()> {
        match &self.surface {
            Surface::Plotters(area) => {
                area.draw(&Circle::new(at(centre), units(radius), color.filled())).map_err(drawing)
            }
            Surface::Page(page) => page.borrow_mut().circle(at(centre), units(radius), color),
        }
    }

    /// One line of text, vertically centred on `point`, `size` points high; `upright` turns it to read upwards.
    pub fn text(
        &self,
        text: &str,
        point: (f64, f64),
        anchor: Anchor,
        size: f64,
        color: RGBColor,
        upright: bool,
    ) -> Result<()> {
        let area = match &self.surface {
            Surface::Plotters(area) => area,
            Surface::Page(page) => {
                let text = self.font.drawable(text);
                return page.borrow_mut().text(&text, at(point), anchor, units(size), color, upright);
            }
        };
        let horizontal = match anchor {
            Anchor::Left => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::Right => HPos::Right,
        };
        let font = (FAMILY, size * UNITS * PLOTTERS_EM).into_font();
        let style = TextStyle::from(font).color(&color).pos(Pos::new(horizontal, VPos::Center));
        // The backend centres on half an x-height; figures and capitals want a little more.
        let drop = 0.08 * size;
        let (style, point) = if upright {
            (style.transform(plotters::style::FontTransform::Rotate270), (point.0 + drop, point.1))
        } else {
            (style, (point.0, point.1 + drop))
        };
        area.draw(&Text::new(self.font.drawable(text), at(point), style)).map_err(drawing)
    }

    /// Closes the page: the buffer then holds a whole SVG.
    pub fn finish(self) -> Result<()> {
        match &self.surface {
            Surface::Plotters(area) => area.present().map_err(drawing).context("figure: closing the page"),
            Surface::Page(_) => Ok(()),
        }
    }
}

fn units(points: f64) -> i32 {
    (points * UNITS).round() as i32
}

fn at(point: (f64, f64)) -> (i32, i32) {
    (units(point.0), units(point.1))
}

/// plotters' error borrows from the backend's type, which `anyhow` cannot hold.
fn drawing(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("figure: plotters: {error}")
}
