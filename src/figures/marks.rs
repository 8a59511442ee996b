//! How each mark looks. Marks in data units and a frame in, shapes on the canvas out.

use anyhow::Result;

use super::{
    canvas::{Canvas, Pen},
    layout::Frame,
    palette::{AXIS, BAND, INK, Look, PAPER, Shape, look},
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
        Mark::Dots { dots } => {
            dots.iter().try_for_each(|(x, y, level)| dot(canvas, frame.at((*x, *y)), DOT_RADII[0], look(*level)))
        }
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
        Mark::Bar { from, to, level } => {
            let (a, b) = (frame.at(*from), frame.at(*to));
            // A hair of paper between neighbours keeps stacked bars apart in grey.
            let inset = 0.25;
            let (left, right, top, bottom) = (a.0.min(b.0), a.0.max(b.0), a.1.min(b.1), a.1.max(b.1));
            canvas.rectangle((left + inset, top + inset), (right - inset, bottom - inset), look(*level).color)
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
        Sample::Nothing => Ok(()),
    }
}

fn line(canvas: &Canvas, path: &[(f64, f64)], stroke: Stroke) -> Result<()> {
    match stroke {
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
        if dots.halo {
            shape(canvas, at, dots.radius + HALO, look(each.level).shape, PAPER)?;
        }
        dot(canvas, at, dots.radius, look(each.level))?;
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
    let page = |value: f64| match along {
        Along::Y => frame.at((at, value)),
        Along::X => frame.at((value, at)),
    };
    let aside = |(x, y): (f64, f64), reach: f64, ahead: f64| match along {
        Along::Y => (x + reach, y + ahead),
        Along::X => (x - ahead, y + reach),
    };
    let range = if along == Along::Y { frame.y } else { frame.x };
    let middle = (range.0 + range.1) / 2.0;
    let room = match along {
        Along::Y => frame.at((at + reach, middle)).0 - frame.at((at, middle)).0,
        Along::X => frame.at((middle, at)).1 - frame.at((middle, at + reach)).1,
    };
    let mean_reach = room.clamp(1.0, MEAN_REACH);
    let cap_reach = CAP_REACH.min(0.6 * mean_reach);
    if let Some((low, high)) = interval {
        let (from, to) = (low.max(range.0), high.min(range.1));
        canvas.line(&[page(from), page(to)], INTERVAL_PEN)?;
        // `ahead` points to smaller values (down the page) when positive.
        for (end, cut, ahead) in [(from, low < range.0, -4.0), (to, high > range.1, 4.0)] {
            let tip = page(end);
            if cut {
                canvas.polygon(&[tip, aside(tip, 2.0, ahead), aside(tip, -2.0, ahead)], INK)?;
            } else {
                canvas.line(&[aside(tip, -cap_reach, 0.0), aside(tip, cap_reach, 0.0)], INTERVAL_PEN)?;
            }
        }
    }
    let centre = page(mean);
    canvas.line(&[aside(centre, -mean_reach, 0.0), aside(centre, mean_reach, 0.0)], Pen { color: INK, width: 1.5 })
}
