//! How each mark looks. Marks in data units and a frame in, shapes on the canvas out.

use anyhow::Result;

use super::{
    boxes::{self, Across},
    canvas::{Anchor, Canvas, Pen},
    layout::Frame,
    palette::{AXIS, BAND, INK, Look, PAPER, Shape, look, on_shade, shade},
    scene::{Along, Dot, Mark, Sample, Scene, Stroke},
    swarm::spread,
};

const INTERVAL_PEN: Pen = Pen { color: INK, width: 0.9 };
/// Half the length of a mean's bar and of an interval's caps, points.
const MEAN_REACH: f64 = 3.4;
const CAP_REACH: f64 = 1.6;
/// Radii of dots, points: a figure takes the largest at which no dot covers another, and below the last they do.
const DOT_RADII: [f64; 5] = [1.55, 1.4, 1.25, 1.1, 1.0];
/// Paper around dots that cover each other, points.
const HALO: f64 = 0.3;

pub fn draw(canvas: &Canvas, frame: &Frame, mark: &Mark, style: Dots) -> Result<()> {
    match mark {
        Mark::Swarm { along, lane, dots } => swarm(canvas, frame, &Swarm { along: *along, lane: *lane, dots }, style),
        Mark::Dots { dots, runs } => dots.iter().enumerate().try_for_each(|(place, (x, y, level))| {
            canvas.thing("d", runs.get(place).map_or(&[][..], std::slice::from_ref), || {
                dot(canvas, frame.at((*x, *y)), DOT_RADII[0], look(*level))
            })
        }),
        Mark::Mean { along, at, reach, mean, interval } => {
            mean_with_interval(canvas, frame, *along, (*at, *reach), *mean, *interval)
        }
        Mark::Line { points, stroke } => {
            let path: Vec<_> = points.iter().map(|point| frame.at(*point)).collect();
            line(canvas, &path, *stroke)
        }
        Mark::Band { lower, upper } => {
            let path: Vec<_> = lower.iter().chain(upper.iter().rev()).map(|point| frame.at(*point)).collect();
            canvas.polygon(&path, BAND)
        }
        Mark::Bar { from, to, level, runs } => {
            let (a, b) = (frame.at(*from), frame.at(*to));
            // A hair of paper between neighbours keeps stacked bars apart in grey.
            let inset = 0.25;
            let (left, right, top, bottom) = (a.0.min(b.0), a.0.max(b.0), a.1.min(b.1), a.1.max(b.1));
            canvas.thing("b", runs, || {
                canvas.rectangle((left + inset, top + inset), (right - inset, bottom - inset), look(*level).color)
            })
        }
        Mark::Interval { along, at, reach, interval: of, level } => {
            interval_alone(canvas, frame, *along, (*at, *reach), *of, *level)
        }
        Mark::Quartiles { along, at, reach, of, whiskers, level } => {
            let across = Across { along: *along, at: *at, reach: *reach };
            boxes::draw(canvas, frame, across, *of, *whiskers, look(*level).color)
        }
        Mark::Cell { from, to, shade: dark, text } => {
            let (a, b) = (frame.at(*from), frame.at(*to));
            let middle = ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0);
            // Ink and paper of a shade are the same in the dark.
            canvas.thing("shade", &[], || {
                canvas.rectangle((a.0.min(b.0), a.1.min(b.1)), (a.0.max(b.0), a.1.max(b.1)), shade(*dark))?;
                text.as_ref().map_or(Ok(()), |(text, size)| {
                    canvas.text(text, middle, Anchor::Middle, *size, on_shade(*dark), false)
                })
            })
        }
    }
}

/// The mark beside a legend's text, centred on `centre`.
pub fn sample(canvas: &Canvas, centre: (f64, f64), sample: Sample) -> Result<()> {
    let (x, y) = centre;
    match sample {
        Sample::Level(level) => dot(canvas, centre, 2.0, look(level)),
        Sample::Mean => {
            canvas.line(&[(x, y - 4.0), (x, y + 4.0)], INTERVAL_PEN)?;
            for end in [y - 4.0, y + 4.0] {
                canvas.line(&[(x - CAP_REACH, end), (x + CAP_REACH, end)], INTERVAL_PEN)?;
            }
            canvas.line(&[(x - MEAN_REACH, y), (x + MEAN_REACH, y)], Pen { color: INK, width: 1.5 })
        }
        Sample::Line(stroke) => line(canvas, &[(x - 4.5, y), (x + 4.5, y)], stroke),
        Sample::Band => canvas.rectangle((x - 4.0, y - 3.0), (x + 4.0, y + 3.0), BAND),
        Sample::Bar(level) => canvas.rectangle((x - 3.0, y - 3.0), (x + 3.0, y + 3.0), look(level).color),
        Sample::Curve(level) => {
            line(canvas, &[(x - 4.5, y), (x + 4.5, y)], Stroke::Level(level))?;
            dot(canvas, centre, DOT_RADII[0], look(level))
        }
        Sample::Interval => {
            canvas.line(&[(x, y - 4.0), (x, y + 4.0)], INTERVAL_PEN)?;
            [y - 4.0, y + 4.0]
                .into_iter()
                .try_for_each(|end| canvas.line(&[(x - CAP_REACH, end), (x + CAP_REACH, end)], INTERVAL_PEN))
        }
        Sample::Quartiles => {
            let pen = Pen { color: AXIS, width: 0.8 };
            canvas.line(&[(x, y - 4.5), (x, y + 4.5)], pen)?;
            canvas.rectangle((x - 3.0, y - 2.6), (x + 3.0, y + 2.6), PAPER)?;
            let corners = [(-3.0, -2.6), (3.0, -2.6), (3.0, 2.6), (-3.0, 2.6), (-3.0, -2.6)];
            canvas.line(&corners.map(|(dx, dy)| (x + dx, y + dy)), pen)?;
            canvas.line(&[(x - 3.0, y + 0.6), (x + 3.0, y + 0.6)], Pen { color: AXIS, width: 1.8 })
        }
        Sample::Shade(dark) => canvas.rectangle((x - 4.0, y - 3.0), (x + 4.0, y + 3.0), shade(dark)),
        Sample::Nothing => Ok(()),
    }
}

fn line(canvas: &Canvas, path: &[(f64, f64)], stroke: Stroke) -> Result<()> {
    match stroke {
        Stroke::Level(level) => canvas.line(path, Pen { color: look(level).color, width: 0.9 }),
        Stroke::Thin => canvas.line(path, Pen { color: AXIS, width: 0.7 }),
        Stroke::Dashed => {
            path.windows(2).try_for_each(|ends| canvas.dashed(ends[0], ends[1], 2.2, Pen { color: AXIS, width: 0.8 }))
        }
    }
}

/// How every dot of a scene is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Dots {
    radius: f64,
    halo: bool,
}

/// Large dots where there is room, small ones with a rim of paper where there is not.
pub fn dots(scene: &Scene, frames: &[Frame]) -> Dots {
    let fits = |radius: &f64| {
        scene.panels.iter().zip(frames).all(|(panel, frame)| {
            panel.marks.iter().all(|mark| match mark {
                Mark::Swarm { along, lane, dots } => {
                    Swarm { along: *along, lane: *lane, dots }.places(frame, *radius).1 == 0
                }
                _ => true,
            })
        })
    };
    let radius = DOT_RADII.into_iter().find(fits);
    Dots { radius: radius.unwrap_or(DOT_RADII[DOT_RADII.len() - 1]), halo: radius.is_none() }
}

struct Swarm<'a> {
    along: Along,
    lane: (f64, f64),
    dots: &'a [Dot],
}

impl Swarm<'_> {
    /// Where each dot goes on the page, and how many found no place of their own.
    fn places(&self, frame: &Frame, radius: f64) -> (Vec<(f64, f64)>, u32) {
        let page = |across: f64, value: f64| match self.along {
            Along::Y => frame.at((across, value)),
            Along::X => frame.at((value, across)),
        };
        let (a, b) = (page(self.lane.0, frame.x.0), page(self.lane.1, frame.x.0));
        let half_width = match self.along {
            Along::Y => (a.0 - b.0).abs() / 2.0,
            Along::X => (a.1 - b.1).abs() / 2.0,
        };
        let middle = (self.lane.0 + self.lane.1) / 2.0;
        let centres: Vec<(f64, f64)> = self.dots.iter().map(|dot| page(middle, dot.value)).collect();
        let values: Vec<f64> = centres.iter().map(|(x, y)| if self.along == Along::Y { *y } else { *x }).collect();
        // Shapes reach a little beyond their radius, and a hair of paper between dots lets each be counted.
        let (offsets, crowded) = spread(&values, radius * 1.2, (half_width - radius).max(0.0));
        let moved = centres.into_iter().zip(offsets).map(|((x, y), offset)| match self.along {
            Along::Y => (x + offset, y),
            Along::X => (x, y + offset),
        });
        (moved.collect(), crowded)
    }
}

fn swarm(canvas: &Canvas, frame: &Frame, swarm: &Swarm, dots: Dots) -> Result<()> {
    let (places, _) = swarm.places(frame, dots.radius);
    for (each, at) in swarm.dots.iter().zip(places) {
        canvas.thing("d", each.run.as_slice(), || {
            if dots.halo {
                shape(canvas, at, dots.radius + HALO, look(each.level).shape, PAPER)?;
            }
            dot(canvas, at, dots.radius, look(each.level))
        })?;
    }
    Ok(())
}

/// A dot whose area is about the same in every shape.
fn dot(canvas: &Canvas, at: (f64, f64), radius: f64, look: Look) -> Result<()> {
    shape(canvas, at, radius, look.shape, look.color)?;
    if look.hollow { shape(canvas, at, radius * 0.55, look.shape, PAPER) } else { Ok(()) }
}

fn shape(
    canvas: &Canvas,
    (x, y): (f64, f64),
    radius: f64,
    shape: Shape,
    color: plotters::style::RGBColor,
) -> Result<()> {
    let corners: &[(f64, f64)] = match shape {
        Shape::Circle => return canvas.circle((x, y), radius, color),
        Shape::Triangle => &[(0.0, -1.40), (1.25, 0.80), (-1.25, 0.80)],
        Shape::Wedge => &[(0.0, 1.40), (1.25, -0.80), (-1.25, -0.80)],
        Shape::Square => &[(-0.92, -0.92), (0.92, -0.92), (0.92, 0.92), (-0.92, 0.92)],
        Shape::Diamond => &[(0.0, -1.35), (1.25, 0.0), (0.0, 1.35), (-1.25, 0.0)],
    };
    let path: Vec<_> = corners.iter().map(|(dx, dy)| (x + dx * radius, y + dy * radius)).collect();
    canvas.polygon(&path, color)
}

/// The mean as a bar across, the interval as a line with caps; an end beyond the axis becomes an arrow head.
fn mean_with_interval(
    canvas: &Canvas,
    frame: &Frame,
    along: Along,
    (at, reach): (f64, f64),
    mean: f64,
    interval: Option<(f64, f64)>,
) -> Result<()> {
    let across = Across { along, at, reach };
    let mean_reach = across.room(frame).clamp(1.0, MEAN_REACH);
    if let Some(interval) = interval {
        ends(canvas, frame, across, CAP_REACH.min(0.6 * mean_reach), interval, INTERVAL_PEN)?;
    }
    let centre = across.page(frame, mean);
    let bar = [across.aside(centre, -mean_reach, 0.0), across.aside(centre, mean_reach, 0.0)];
    canvas.line(&bar, Pen { color: INK, width: 1.5 })
}

/// An interval without its mean: something else shows that.
fn interval_alone(
    canvas: &Canvas,
    frame: &Frame,
    along: Along,
    (at, reach): (f64, f64),
    interval: (f64, f64),
    level: Option<usize>,
) -> Result<()> {
    let across = Across { along, at, reach };
    let caps = CAP_REACH.min(0.6 * across.room(frame).clamp(1.0, MEAN_REACH));
    match level {
        Some(level) => {
            ends(canvas, frame, across, caps, interval, Pen { color: look(level).color, width: INTERVAL_PEN.width })
        }
        None => {
            let rim = Pen { color: PAPER, width: INTERVAL_PEN.width + 4.0 * HALO };
            ends(canvas, frame, across, caps + HALO, interval, rim)?;
            ends(canvas, frame, across, caps, interval, INTERVAL_PEN)
        }
    }
}

/// A line with caps, or with an arrow head where an end lies beyond the axis.
fn ends(canvas: &Canvas, frame: &Frame, across: Across, caps: f64, (low, high): (f64, f64), pen: Pen) -> Result<()> {
    let range = across.range(frame);
    // An interval that lies beyond the axis altogether is an arrow head at its end.
    let (from, to) = (low.clamp(range.0, range.1), high.clamp(range.0, range.1));
    canvas.line(&[across.page(frame, from), across.page(frame, to)], pen)?;
    // `ahead` points to smaller values (down the page) when positive.
    for (end, cut, ahead) in [(from, low < range.0, -4.0), (to, high > range.1, 4.0)] {
        let tip = across.page(frame, end);
        if cut {
            canvas.polygon(&[tip, across.aside(tip, 2.0, ahead), across.aside(tip, -2.0, ahead)], pen.color)?;
        } else {
            canvas.line(&[across.aside(tip, -caps, 0.0), across.aside(tip, caps, 0.0)], pen)?;
        }
    }
    Ok(())
}
