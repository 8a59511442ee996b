//! The room that an axis needs around its panel. An axis and the font's widths in; lengths, and texts as they fit, out.

use super::{
    font::Font,
    page::{LABEL_SIZE, PANEL_GAP, TICK_LENGTH, TICK_SIZE, Texts},
    scale::Tick,
    scene::Axis,
};

/// The longest upright tick label before it is cut.
const UPRIGHT_MOST: f64 = 60.0;
/// What an upright tick label needs across, so that it does not touch the next.
const UPRIGHT_COLUMN: f64 = TICK_SIZE + 0.7;

/// The room for an axis' label and, where its levels' texts cannot all stand, for the words that say so.
pub fn least_width(axis: &Axis, font: &Font) -> f64 {
    let label = font.width(&axis.label, LABEL_SIZE) + 2.0;
    let all = axis.ticks.len() as f64 * UPRIGHT_COLUMN;
    let thinned = font.width(&note(200), TICK_SIZE) + 2.0;
    if axis.levels { label.max(all.min(thinned)) } else { label }
}

/// What the y axis needs left of the plot.
pub fn left_room(axis: &Axis, font: &Font) -> f64 {
    if !axis.shown {
        return 0.0;
    }
    let widest = axis.ticks.iter().map(|tick| font.width(&tick.text, TICK_SIZE)).fold(0.0, f64::max);
    let label = if axis.label.is_empty() { 0.0 } else { LABEL_SIZE + 4.0 };
    label + widest + TICK_LENGTH + 2.0
}

/// What a number at the x axis' very end needs beyond the plot.
pub fn right_room(axis: &Axis, font: &Font) -> f64 {
    /// Surely narrower than any panel, points.
    const NARROW: f64 = 60.0;
    let half = |tick: &Tick| font.width(&tick.text, TICK_SIZE) / 2.0;
    if axis.ragged {
        let before_end = |tick: &Tick| (axis.range.1 - tick.at) / (axis.range.1 - axis.range.0) * NARROW;
        return axis.ticks.iter().map(|tick| half(tick) - before_end(tick)).fold(0.0, f64::max);
    }
    let last = axis.ticks.last().filter(|tick| !axis.levels && tick.at >= axis.range.1);
    last.map_or(0.0, half)
}

/// The x axis' texts as they fit: upright or not, cut or not, and no more of them than have room.
pub fn x_texts(axis: &Axis, width: f64, font: &Font) -> Texts {
    let texts = || axis.ticks.iter().map(|tick| tick.text.as_str());
    let column = width / (axis.ticks.len() as f64).max(1.0);
    let upright = axis.levels && texts().any(|text| font.width(text, TICK_SIZE) > column - 2.0);
    if !upright {
        let ticks = texts().map(str::to_owned).collect();
        return Texts { upright, ticks, note: None, height: TICK_SIZE + 1.5 };
    }
    let every = every(column);
    let cut =
        |(place, text)| if place % every == 0 { font.shorten(text, TICK_SIZE, UPRIGHT_MOST) } else { String::new() };
    let ticks: Vec<String> = texts().enumerate().map(cut).collect();
    let height = ticks.iter().map(|text| font.width(text, TICK_SIZE)).fold(0.0, f64::max) + 1.5;
    let note = (every > 1).then(|| font.shorten(&note(every), TICK_SIZE, width + PANEL_GAP));
    Texts { upright, ticks, note, height }
}

/// Every how many-th tick can be named, where each has `column` points across: a number that people count by.
fn every(column: f64) -> usize {
    let fits = |every: &usize| *every as f64 * column >= UPRIGHT_COLUMN;
    let round = (0..).flat_map(|zeros: u32| [1, 2, 5].map(|digit| digit * 10_usize.saturating_pow(zeros)));
    round.take(60).find(fits).unwrap_or(usize::MAX)
}

/// `every 5th named`
fn note(every: usize) -> String {
    let ordinal = if every == 2 { "nd" } else { "th" };
    format!("every {every}{ordinal} named")
}

/// What the x axis needs below the plot.
pub fn bottom_room(axis: &Axis, texts: &Texts) -> f64 {
    if !axis.shown {
        return 0.0;
    }
    let label = if axis.label.is_empty() { 0.0 } else { LABEL_SIZE + 2.0 };
    TICK_LENGTH + texts.height + label + note_room(texts)
}

pub fn note_room(texts: &Texts) -> f64 {
    if texts.note.is_some() { TICK_SIZE + 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(count: usize) -> Axis {
        let names: Vec<String> = (1..=count).map(|level| format!("level-{level}")).collect();
        Axis::levels("prompt", names.iter().map(String::as_str))
    }

    #[test]
    fn as_many_texts_stand_as_have_room_and_the_axis_says_so() {
        let font = Font::open().unwrap();
        for (count, named, note) in [
            (3, 3, None),
            (15, 15, None),
            (40, 20, Some("every 2nd named")),
            (70, 14, Some("every 5th named")),
            (150, 15, Some("every 10th named")),
            (5000, 10, Some("every 500th named")),
        ] {
            let texts = x_texts(&levels(count), 170.0, &font);
            assert_eq!(texts.ticks.len(), count);
            assert_eq!(texts.ticks.iter().filter(|text| !text.is_empty()).count(), named, "{count}");
            assert_eq!((texts.note.as_deref(), texts.ticks[0].as_str()), (note, "level-1"));
        }
    }

    #[test]
    fn a_panel_has_room_for_what_its_axis_says() {
        let font = Font::open().unwrap();
        let least = |count| least_width(&levels(count), &font);
        assert!(least(2) < font.width("prompt", LABEL_SIZE) + 3.0);
        assert!(least(100) >= font.width("every 10th named", TICK_SIZE));
        assert!(least(100) == least(1000));
    }
}
