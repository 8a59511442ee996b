//! A scene in, SVG source out, through plotters: first what lies behind (bands, grid), then marks, then axes and legend.
//! It must not know which figure it draws.

use anyhow::Result;

use super::{
    canvas::{Anchor, Canvas, Pen},
    font::Font,
    layout::{
        Frame, LABEL_SIZE, Layout, NOTICE, SAMPLE, TICK_LENGTH, TICK_SIZE, WIDTH, key_text, lay_out, sample_width,
    },
    marks,
    palette::{AXIS, GRID, INK, PAPER, WARNING},
    scene::{Axis, Mark, Panel, Scene},
};

const AXIS_PEN: Pen = Pen { color: AXIS, width: 0.6 };
/// A heading may be so much wider than its panel, points: half of it to each side, where panels have a gap.
const HEADING_MORE: f64 = 5.0;
const GRID_PEN: Pen = Pen { color: GRID, width: 0.45 };

/// Draws a scene. Texts are still texts, in a font that only this program has.
pub fn render(scene: &Scene, font: &Font) -> Result<String> {
    let layout = lay_out(scene, font);
    let mut source = String::new();
    let canvas = Canvas::new(&mut source, layout.size, font)?;
    paint(&canvas, &layout, scene, font)?;
    canvas.finish()?;
    Ok(quarter_turns(&source))
}

/// Draws a scene for the paper's page.
pub fn on_page(scene: &Scene, font: &Font) -> Result<String> {
    let layout = lay_out(scene, font);
    let canvas = Canvas::on_page(layout.size, &scene.title, font);
    paint(&canvas, &layout, scene, font)?;
    Ok(canvas.into_page())
}

fn paint(canvas: &Canvas, layout: &Layout, scene: &Scene, font: &Font) -> Result<()> {
    let dots = marks::dots(scene, &layout.frames);
    for (panel, frame) in scene.panels.iter().zip(&layout.frames) {
        for mark in panel.marks.iter().filter(|mark| matches!(mark, Mark::Band { .. })) {
            marks::draw(canvas, frame, mark, dots)?;
        }
        grid(canvas, frame, panel)?;
        for mark in panel.marks.iter().filter(|mark| !matches!(mark, Mark::Band { .. })) {
            marks::draw(canvas, frame, mark, dots)?;
        }
        axes(canvas, frame, panel, font)?;
    }
    for title in &layout.titles {
        canvas.text(&title.text, title.at, Anchor::Middle, LABEL_SIZE, INK, title.upright)?;
    }
    legend(canvas, layout, scene, font)?;
    if let Some(reason) = &scene.notice {
        notice(canvas, layout, reason, font)?;
    }
    Ok(())
}

/// The cosine of 270 degrees in double precision, as figures have it since they were first made. To eight digits it is -0.
const NO_COSINE: &str = "-1.8369701987210297e-16";

/// Upright texts, which plotters turns by `rotate(270, x, y)`, turned by numbers that are written here: sine and cosine are the C
/// library's.
fn quarter_turns(source: &str) -> String {
    let mut pieces = source.split("rotate(270, ");
    let mut turned = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let point = piece.split_once(')').and_then(|(point, rest)| {
            let (x, y) = point.split_once(", ")?;
            Some((x.parse::<i64>().ok()?, y.parse::<i64>().ok()?, rest))
        });
        match point {
            Some((x, y, rest)) => turned += &format!("matrix({NO_COSINE} -1 1 {NO_COSINE} {} {}){rest}", x - y, x + y),
            None => turned += &format!("rotate(270, {piece}"),
        }
    }
    turned
}

fn grid(canvas: &Canvas, frame: &Frame, panel: &Panel) -> Result<()> {
    let ticks = |axis: &Axis| if axis.levels { Vec::new() } else { axis.ticks.iter().map(|t| t.at).collect() };
    for at in ticks(&panel.y) {
        let y = frame.at((0.0, at)).1;
        canvas.line(&[(frame.left, y), (frame.right, y)], GRID_PEN)?;
    }
    for at in ticks(&panel.x) {
        let x = frame.at((at, 0.0)).0;
        canvas.line(&[(x, frame.top), (x, frame.bottom)], GRID_PEN)?;
    }
    Ok(())
}

fn axes(canvas: &Canvas, frame: &Frame, panel: &Panel, font: &Font) -> Result<()> {
    let (left, bottom) = (frame.left, frame.bottom);
    if !panel.heading.is_empty() {
        let middle = (frame.left + frame.right) / 2.0;
        let heading = font.shorten(&panel.heading, LABEL_SIZE, frame.right - frame.left + HEADING_MORE);
        canvas.text(&heading, (middle, frame.heading), Anchor::Middle, LABEL_SIZE, INK, false)?;
    }
    canvas.line(&[(left, bottom), (frame.right, bottom)], AXIS_PEN)?;
    if panel.x.shown {
        for (tick, text) in panel.x.ticks.iter().zip(&frame.x_texts.ticks) {
            // A tick without a name says nothing, and many would be a beam.
            if text.is_empty() && !tick.text.is_empty() {
                continue;
            }
            let x = frame.at((tick.at, 0.0)).0;
            canvas.line(&[(x, bottom), (x, bottom + TICK_LENGTH)], AXIS_PEN)?;
            let below = bottom + TICK_LENGTH + 1.5;
            if frame.x_texts.upright {
                canvas.text(text, (x, below), Anchor::Right, TICK_SIZE, INK, true)?;
            } else {
                canvas.text(text, (x, below + TICK_SIZE / 2.0), Anchor::Middle, TICK_SIZE, INK, false)?;
            }
        }
        let middle = (frame.left + frame.right) / 2.0;
        canvas.text(&panel.x.label, (middle, frame.x_label), Anchor::Middle, LABEL_SIZE, INK, false)?;
        if let Some(note) = &frame.x_texts.note {
            canvas.text(note, (middle, frame.x_note), Anchor::Middle, TICK_SIZE, AXIS, false)?;
        }
    }
    if panel.y.shown {
        canvas.line(&[(left, frame.top), (left, bottom)], AXIS_PEN)?;
        for tick in &panel.y.ticks {
            let y = frame.at((0.0, tick.at)).1;
            canvas.line(&[(left - TICK_LENGTH, y), (left, y)], AXIS_PEN)?;
            canvas.text(&tick.text, (left - TICK_LENGTH - 1.5, y), Anchor::Right, TICK_SIZE, INK, false)?;
        }
        let middle = (frame.top + frame.bottom) / 2.0;
        canvas.text(&panel.y.label, (frame.y_label, middle), Anchor::Middle, LABEL_SIZE, INK, true)?;
    }
    Ok(())
}

fn legend(canvas: &Canvas, layout: &Layout, scene: &Scene, font: &Font) -> Result<()> {
    if let Some(at) = layout.legend_title {
        canvas.text(&scene.key_title, at, Anchor::Left, TICK_SIZE, AXIS, false)?;
    }
    for (key, (x, y)) in scene.keys.iter().zip(&layout.keys) {
        marks::sample(canvas, (x + (SAMPLE - 3.0) / 2.0, *y), key.sample)?;
        canvas.text(&key_text(key, font), (x + sample_width(key), *y), Anchor::Left, TICK_SIZE, INK, false)?;
    }
    Ok(())
}

/// A strip across the top and a frame around everything: it cannot be overlooked and is hard to crop.
fn notice(canvas: &Canvas, layout: &Layout, reason: &str, font: &Font) -> Result<()> {
    let (width, height) = layout.size;
    canvas.rectangle((0.0, 0.0), (width, NOTICE), WARNING)?;
    let text = font.shorten(&format!("NOT A MEASUREMENT: {reason}"), LABEL_SIZE, WIDTH - 8.0);
    canvas.text(&text, (width / 2.0, NOTICE / 2.0), Anchor::Middle, LABEL_SIZE, PAPER, false)?;
    let edge = 0.6;
    let corners =
        [(edge, edge), (width - edge, edge), (width - edge, height - edge), (edge, height - edge), (edge, edge)];
    canvas.line(&corners, Pen { color: WARNING, width: 2.0 * edge })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// About (30, 20), (31, 22) goes to (32, 19): x' = y + 10, y' = 50 - x.
    #[test]
    fn a_quarter_turn_is_exact() {
        let text = r#"<text x="30" transform="rotate(270, 30, 20)">rotate(270, a)</text>"#;
        let expected = r#"<text x="30" transform="matrix(-0 -1 1 -0 10 50)">rotate(270, a)</text>"#;
        assert_eq!(quarter_turns(text).replace(NO_COSINE, "-0"), expected);
        assert_eq!(quarter_turns("<svg/>"), "<svg/>");
    }
}
