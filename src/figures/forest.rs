//! Changes with their intervals, one a row, against a margin: a forest plot. Rows in, a figure out; what the rows are about
//! it does not know.

use anyhow::{Context, Result};

use super::{
    Figure,
    font::Font,
    layout::TICK_SIZE,
    scene::{Along, Arrange, Axis, Dot, Key, Mark, Panel, Sample, Scene, Stroke},
};

/// Height of a row, and the widest name of one, points.
pub const ROW: f64 = 10.5;
pub const NAME_MOST: f64 = 132.0;

/// A figure's words and rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Forest {
    pub id: &'static str,
    /// Read out by screen readers.
    pub title: &'static str,
    /// One below the other; those without rows are left out.
    pub panels: Vec<ForestPanel>,
    /// What each look means.
    pub keys: Vec<(Look, String)>,
    /// What a bar with its interval is, and the margin's name.
    pub interval: String,
    pub margin: String,
    /// Why this is not a measurement, where it is none.
    pub notice: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ForestPanel {
    pub heading: &'static str,
    /// The axis' label.
    pub label: String,
    /// Changes from minus to plus this are within the margin; in the axis' unit, as all that follows.
    pub margin: (f64, f64),
    pub rows: Vec<ForestRow>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ForestRow {
    pub name: String,
    pub value: f64,
    pub interval: (f64, f64),
    pub look: Look,
}

/// Colours and shapes that also differ in grey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    Good,
    Open,
    Bad,
}

impl Look {
    pub fn level(self) -> usize {
        match self {
            Look::Good => 0,
            Look::Open => 1,
            Look::Bad => 4,
        }
    }
}

/// Draws it. The same rows give the same bytes.
///
/// # Errors
/// There is no row, a value is not finite, or a drawing library fails.
pub fn forest(forest: &Forest) -> Result<Figure> {
    let font = Font::open()?;
    let drawn = |of: &ForestPanel| {
        let rows = Rows::from(of);
        let (low, high) = range(&rows);
        panel(&rows, Axis::numbers(of.label.clone(), low, high), &font)
    };
    let panels: Vec<Panel> = forest.panels.iter().filter(|panel| !panel.rows.is_empty()).map(drawn).collect();
    let rows = || forest.panels.iter().flat_map(|panel| &panel.rows);
    anyhow::ensure!(
        rows().next().is_some()
            && rows().all(|row| row.value.is_finite() && row.interval.0.is_finite() && row.interval.1.is_finite()),
        "figure `{}`: no rows, or a value that is not finite",
        forest.id
    );
    let mut keys: Vec<Key> =
        forest.keys.iter().map(|(look, text)| Key::new(Sample::Level(look.level()), text.clone())).collect();
    keys.push(Key::new(Sample::Mean, forest.interval.clone()));
    keys.push(Key::new(Sample::Band, forest.margin.clone()));
    let scene = Scene {
        title: forest.title.to_owned(),
        arrange: Arrange::Column,
        height: ROW * panels.iter().map(|panel| panel.weight).sum::<f64>(),
        panels,
        key_title: String::new(),
        keys,
        notice: forest.notice.clone(),
    };
    super::figure(forest.id, &scene, &font).with_context(|| format!("figure `{}`", forest.id))
}

/// Rows as they are drawn, whatever they are about.
#[derive(Debug, Clone)]
pub struct Rows {
    pub heading: String,
    /// Where nothing changes, and where the margin around it ends; in the axis' unit, as all that follows.
    pub none: f64,
    pub margin: (f64, f64),
    pub rows: Vec<Row>,
}

#[derive(Debug, Clone)]
pub struct Row {
    pub name: String,
    pub value: f64,
    pub interval: Option<(f64, f64)>,
    pub look: Look,
}

impl From<&ForestPanel> for Rows {
    fn from(panel: &ForestPanel) -> Self {
        let row = |row: &ForestRow| {
            let ForestRow { name, value, interval, look } = row.clone();
            Row { name, value, interval: Some(interval), look }
        };
        let rows = panel.rows.iter().map(row).collect();
        Rows { heading: panel.heading.to_owned(), none: 0.0, margin: panel.margin, rows }
    }
}

/// A panel of rows over this axis.
pub fn panel(rows: &Rows, x: Axis, font: &Font) -> Panel {
    // The first row stands on top; an axis of levels counts upwards.
    let upwards: Vec<&Row> = rows.rows.iter().rev().collect();
    let names: Vec<String> = upwards.iter().map(|row| font.shorten(&row.name, TICK_SIZE, NAME_MOST)).collect();
    let y = Axis::levels("", names.iter().map(String::as_str));
    let (bottom, top) = y.range;
    let (from, to) = rows.margin;
    let mut marks = vec![
        Mark::Band { lower: vec![(from, bottom), (from, top)], upper: vec![(to, bottom), (to, top)] },
        Mark::Line { points: vec![(rows.none, bottom), (rows.none, top)], stroke: Stroke::Thin },
    ];
    for (at, row) in upwards.iter().enumerate() {
        let at = at as f64;
        marks.push(Mark::Mean { along: Along::X, at, reach: 0.36, mean: row.value, interval: row.interval });
        let dots = vec![Dot { value: row.value, level: row.look.level(), run: None }];
        marks.push(Mark::Swarm { along: Along::X, lane: (at - 0.3, at + 0.3), dots });
    }
    Panel { heading: rows.heading.clone(), x, y, weight: rows.rows.len().max(2) as f64, marks }
}

/// All values and the margin; intervals may stretch it by the values' own span, what lies beyond is drawn as an arrow.
pub fn range(panel: &Rows) -> (f64, f64) {
    let values = || panel.rows.iter().map(|row| row.value);
    let beyond = |end: f64| panel.none + 1.5 * (end - panel.none);
    let low = values().fold(beyond(panel.margin.0), f64::min);
    let high = values().fold(beyond(panel.margin.1), f64::max);
    let span = high - low;
    let ends = panel.rows.iter().filter_map(|row| row.interval);
    let (wide_low, wide_high) = ends.fold((low, high), |(low, high), (a, b)| (low.min(a), high.max(b)));
    (wide_low.max(low - span), wide_high.min(high + span))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: Vec<ForestRow>) -> Forest {
        Forest {
            id: "comparison",
            title: "B against A",
            panels: vec![ForestPanel { heading: "absolute", label: "change (%)".into(), margin: (-2.0, 2.0), rows }],
            keys: vec![(Look::Good, "equivalent".into()), (Look::Bad, "different".into())],
            interval: "change, 90 % interval".into(),
            margin: "±2 % margin".into(),
            notice: None,
        }
    }

    fn row(name: &str, value: f64, half: f64, look: Look) -> ForestRow {
        ForestRow { name: name.into(), value, interval: (value - half, value + half), look }
    }

    #[test]
    fn any_rows_give_three_whole_files() {
        let long = "by_prompt.a rather long name that goes on and on.throughput";
        for rows in [
            vec![row("latency", 0.0, 0.0, Look::Good)],
            vec![row("latency", 900.0, 2.0, Look::Bad), row(long, 0.1, 1e6, Look::Open)],
        ] {
            let figure = forest(&of(rows)).unwrap();
            let svg = String::from_utf8(figure.svg).unwrap();
            assert!(svg.contains("<title>B against A</title>") && !svg.contains("NaN"), "{svg}");
            assert!(figure.pdf.starts_with(b"%PDF-") && figure.png.starts_with(b"\x89PNG"));
        }
    }

    #[test]
    fn nothing_to_draw_is_said() {
        assert!(forest(&of(vec![])).unwrap_err().to_string().contains("no rows"));
        assert!(forest(&of(vec![row("x", f64::NAN, 1.0, Look::Good)])).is_err());
    }
}
