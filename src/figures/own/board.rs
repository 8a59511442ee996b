//! Panels -> a scene: one alone, or as many as the facet has levels, on the same axes.

use super::{
    super::{
        font::Font,
        page::{LABEL_SIZE, MARGIN, PANEL_GAP, TICK_SIZE, WIDTH},
        scene::{Arrange, Axis, Key, Mark, Panel, Scene},
    },
    ruler::widest,
    sheet::Sheet,
};

/// What panels and their headings may take of a page's height, and what a heading with the gap above it takes, points.
const MOST_HEIGHT: f64 = 600.0;
const HEADING: f64 = 17.5;

/// How panels are arranged, before their axes are known.
#[derive(Debug, Clone, Copy)]
pub struct Board {
    panels: usize,
    pub columns: usize,
    /// Of a panel, points.
    pub height: f64,
}

impl Board {
    /// For so many panels, each with so many lanes across (none: numbers).
    pub fn of(panels: usize, lanes: usize) -> Self {
        let most = match lanes {
            0..=8 => 3,
            9..=18 => 2,
            _ => 1,
        };
        let columns = if panels == 4 { 2 } else { panels.clamp(1, 3) }.min(most);
        let wanted = match panels.div_ceil(columns) {
            1 => 140.0,
            2 => 105.0,
            3 => 90.0,
            _ => 78.0,
        };
        Board { panels, columns, height: wanted }.bounded()
    }

    /// For lanes that lie, or cells, which want this height.
    pub fn high(panels: usize, columns: usize, height: f64) -> Self {
        Board { panels, columns, height }.bounded()
    }

    /// All panels together fit on a page.
    fn bounded(self) -> Self {
        let rows = self.panels.div_ceil(self.columns).max(1) as f64;
        Board { height: self.height.min(MOST_HEIGHT / rows - HEADING), ..self }
    }

    /// Numbers that fit beside an axis that stands.
    pub fn ticks_up(&self) -> usize {
        ((self.height / 16.0) as usize).clamp(2, 6)
    }

    /// About how wide a panel will be beside this y axis.
    pub fn width(&self, y: &Axis, font: &Font) -> f64 {
        let left = widest(y, font) + LABEL_SIZE + 12.0;
        (WIDTH - 2.0 * MARGIN - left - PANEL_GAP * (self.columns - 1) as f64) / self.columns as f64
    }

    /// The scene. `panels` are headings with marks.
    pub fn scene(
        &self,
        sheet: &Sheet,
        (x, y): (Axis, Axis),
        panels: Vec<(String, Vec<Mark>)>,
        legend: Legend,
    ) -> Scene {
        let count = panels.len();
        // What the y axis is stands upright beside all panels, and must not be longer than they are high.
        let rows = count.div_ceil(self.columns).max(1) as f64;
        let height = self.height.max(sheet.font.width(&y.label, LABEL_SIZE) / rows);
        let labels = (x.label.clone(), y.label.clone());
        let alone = count == 1;
        let place = |(index, (heading, marks)): (usize, (String, Vec<Mark>))| {
            let (mut x, mut y) = (x.clone(), y.clone());
            if !alone {
                (x.label, y.label) = (String::new(), String::new());
                x.shown = index + self.columns >= count;
                y.shown = index % self.columns == 0;
            }
            Panel { heading, x, y, weight: 1.0, marks }
        };
        let panels = panels.into_iter().enumerate().map(place).collect();
        let Legend { title, mut keys } = legend;
        keys.extend(sheet.remarks.iter().cloned());
        Scene {
            title: sheet.title(),
            arrange: if alone {
                Arrange::Row
            } else {
                Arrange::Grid { columns: self.columns, x: labels.0, y: labels.1 }
            },
            height,
            panels,
            key_title: title,
            keys,
            notice: sheet.labels.not_a_measurement.clone(),
        }
    }
}

/// What stands above the panels.
#[derive(Debug, Clone, Default)]
pub struct Legend {
    pub title: String,
    pub keys: Vec<Key>,
}

/// Levels on an axis that stands, the first on top: shortened, and no more of them named than have room in `height` points.
pub fn standing(label: String, names: &[String], most: f64, height: f64, font: &Font) -> Axis {
    let room = height / names.len().max(1) as f64;
    let every = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
        .into_iter()
        .find(|every| *every as f64 * room >= TICK_SIZE + 0.7)
        .unwrap_or(names.len().max(1));
    let upwards: Vec<String> = names.iter().rev().map(|name| font.shorten(name, TICK_SIZE, most)).collect();
    let mut axis = Axis::levels(label, upwards.iter().map(String::as_str));
    let last = names.len().saturating_sub(1);
    axis.ticks.retain(|tick| (last - (tick.at as usize).min(last)).is_multiple_of(every));
    if every > 1 {
        let ordinal = if every == 2 { "nd" } else { "th" };
        axis.label += &format!(", every {every}{ordinal} named");
    }
    axis
}
