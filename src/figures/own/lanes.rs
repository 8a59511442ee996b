//! A factor's levels as lanes side by side (or one below the other, where the factor is on y), each divided by colour. What stands in a
//! lane is the mark's business.

use anyhow::Result;

use super::{
    super::{
        page::WIDTH,
        scene::{Along, Axis, Mark, Sample, Scene},
    },
    board::{Board, Legend, standing},
    ruler::{Ruler, ticks_across},
    sheet::{Levels, Sheet, Variable},
};
use crate::analysis::RunMetrics;

/// The narrowest part of a lane that still shows dots beside a mean, and one that shows a bar, points.
const NARROWEST_SWARM: f64 = 9.0;
const NARROWEST_BAR: f64 = 1.8;
/// More groups are no figure.
const MOST_SLOTS: usize = 600;
/// The widest name of a level on y, and the height of a lane there.
const NAME_MOST: f64 = 100.0;
/// The share of a lane that is used, and half of it.
const USED: f64 = 0.88;

/// Lanes of a figure.
pub struct Lanes<'a> {
    pub sheet: &'a Sheet<'a>,
    /// Where values lie: up, or to the right.
    pub along: Along,
    pub ruler: Ruler,
    levels: Levels<'a>,
    colours: Option<Levels<'a>>,
    /// Are lanes divided by colour?
    divided: bool,
    board: Board,
}

/// A lane's part, and the runs in it.
pub struct Slot<'a> {
    /// Where it begins, and how wide it is, in lanes.
    pub from: f64,
    pub width: f64,
    /// What colours it as a whole.
    pub level: usize,
    pub runs: Vec<&'a RunMetrics>,
}

/// A figure's parts, one entry a panel.
pub type Panels<'a> = Vec<(String, Vec<Slot<'a>>)>;

impl<'a> Lanes<'a> {
    /// # Errors
    /// Not a factor on one axis and a metric on the other; more groups than a page has room for.
    pub fn of(sheet: &'a Sheet<'a>, needs_division: bool) -> Result<Self> {
        let (along, place, metric) = match (sheet.x, sheet.y) {
            (Some(Variable::Factor(place)), Some(Variable::Metric(metric))) => (Along::Y, place, metric),
            (Some(Variable::Metric(metric)), Some(Variable::Factor(place))) => (Along::X, place, metric),
            (None, _) => return Err(sheet.lacks("x", "a factor")),
            (_, None) => return Err(sheet.lacks("y", "a metric")),
            _ => {
                let what =
                    format!("`{}` wants a factor on one axis and a metric on the other", sheet.entry.mark.name());
                return Err(sheet.fault("", what, "e.g. `x: prompt, y: latency`"));
            }
        };
        let (levels, colours) = (sheet.levels(place), sheet.colours());
        let panels = sheet.facets().len();
        let other = colours.as_ref().filter(|_| sheet.colour != Some(Variable::Factor(place)));
        let parts = other.map_or(1, Levels::count);
        let lanes = levels.count();
        let room = match along {
            Along::Y => {
                let board = Board::of(panels, lanes);
                (WIDTH - 50.0) / board.columns as f64 / (lanes * parts) as f64
            }
            Along::X => NARROWEST_SWARM,
        };
        let (least, hint) = if needs_division {
            (NARROWEST_BAR, "choose some with `where`, or take `points`")
        } else {
            (0.4, "choose some with `where`")
        };
        let divided = parts > 1 && (needs_division || room >= NARROWEST_SWARM);
        let slots = lanes * panels * if divided { parts } else { 1 };
        if slots > MOST_SLOTS || (room < least && needs_division) {
            let what =
                format!("the page has no room for {slots} groups ({lanes} levels × {parts} colours × {panels} panels)");
            return Err(sheet.fault("", what, hint));
        }
        let board = match along {
            Along::Y => Board::of(panels, lanes),
            Along::X => {
                let each = if divided { 9.5 * parts as f64 + 3.0 } else { 14.0 };
                Board::high(panels, if panels > 4 { 2 } else { 1 }, (each * lanes as f64).max(36.0))
            }
        };
        let ruler = Ruler::of(sheet, metric, if along == Along::Y { "y" } else { "x" })?;
        Ok(Lanes { sheet, along, ruler, levels, colours, divided, board })
    }

    /// The panels with their groups that have runs.
    pub fn panels(&self) -> Panels<'a> {
        let lanes = self.levels.count();
        let parts = if self.divided { self.colours.as_ref().map_or(1, Levels::count) } else { 1 };
        let width = USED / parts as f64;
        let of = |(heading, runs): (String, Vec<&'a RunMetrics>)| {
            let mut groups: Vec<Vec<&RunMetrics>> = vec![Vec::new(); lanes * parts];
            for run in runs {
                let part = if self.divided { self.colour(run) } else { 0 };
                groups[self.levels.at(run) * parts + part].push(run);
            }
            let slot = |(index, runs): (usize, Vec<&'a RunMetrics>)| {
                let (lane, part) = (index / parts, index % parts);
                // On y the first level, and the first colour in it, stand on top.
                let (lane, place) = match self.along {
                    Along::Y => (lane, part),
                    Along::X => (lanes - 1 - lane, parts - 1 - part),
                };
                let level = runs.first().map_or(0, |run| self.colour(run));
                Slot { from: lane as f64 - USED / 2.0 + place as f64 * width, width, level, runs }
            };
            let slots = groups.into_iter().enumerate().filter(|(_, runs)| !runs.is_empty()).map(slot).collect();
            (heading, slots)
        };
        self.sheet.facets().into_iter().map(of).collect()
    }

    /// A run's colour; the first where none are told apart.
    pub fn colour(&self, run: &RunMetrics) -> usize {
        self.colours.as_ref().map_or(0, |colours| colours.at(run))
    }

    /// Is a lane's part of one colour?
    pub fn one_colour_each(&self) -> bool {
        self.divided || self.colours.is_none() || self.colours_are_lanes()
    }

    fn colours_are_lanes(&self) -> bool {
        [self.sheet.x, self.sheet.y].contains(&self.sheet.colour) && self.colours.is_some()
    }

    /// Legend entries for the colours; none where lanes are named.
    pub fn legend(&self, sample: fn(usize) -> Sample) -> Legend {
        match &self.colours {
            Some(colours) if !self.colours_are_lanes() => {
                Legend { title: colours.key_title(), keys: colours.keys(self.sheet.font, sample) }
            }
            _ => Legend::default(),
        }
    }

    /// The values' axis.
    pub fn values(&self, places: &[f64], intervals: &[(f64, f64)], from_zero: bool) -> Axis {
        let count = match self.along {
            Along::Y => self.board.ticks_up(),
            Along::X => ticks_across(WIDTH - 120.0),
        };
        if from_zero {
            self.ruler.bar_axis(places, intervals, count)
        } else {
            self.ruler.axis(places, intervals, count)
        }
    }

    /// The scene with marks a panel.
    pub fn scene(&self, values: Axis, panels: Vec<(String, Vec<Mark>)>, legend: Legend) -> Scene {
        let (sheet, label) = (self.sheet, self.levels.factor().axis());
        let axes = match self.along {
            Along::Y => {
                let names = self.levels.names(sheet.font, 60.0);
                (Axis::levels(label, names.iter().map(String::as_str)), values)
            }
            Along::X => {
                let names = self.levels.names(sheet.font, NAME_MOST);
                (values, standing(label, &names, NAME_MOST, self.board.height, sheet.font))
            }
        };
        self.board.scene(sheet, axes, panels, legend)
    }
}
