//! One quantity in two units, `90,000 s (25 h)`, `77.8 µs (0.08 ms)`: in a sentence and in a cell.

use super::Paper;
use crate::lint::{
    number::{Bound, Interval, Stated, show},
    report::{Out, Sure},
    sentence::Quantity,
    unit::{Dim, Unit},
};

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    for sentence in paper.paragraphs.iter().flat_map(|paragraph| &paragraph.sentences) {
        for two in sentence.quantities.windows(2) {
            let [own, again] = two else { continue };
            let between = sentence.between(own.range.end, again.range.start);
            let after = sentence.text[again.range.end..].trim_start();
            if !opens(between) || !after.starts_with(')') || own.upper.is_some() || again.upper.is_some() {
                continue;
            }
            let place = sentence.place(own.range.start);
            let stated = sentence.quote(own.range.start..again.range.end) + ")";
            judge((own.number.stated, &own.unit, own.number.about), again, (place, stated), out);
        }
    }
    for grid in paper.tables.iter().filter_map(|view| view.grid.as_ref()) {
        for (row, cells) in grid.cells.iter().enumerate() {
            for (column, cell) in cells.iter().enumerate() {
                let (Some(value), [again]) = (cell.value, cell.more.as_slice()) else { continue };
                let inside = cell.text.find('(').and_then(|open| {
                    let inside = &cell.text[open..];
                    inside.find(|c: char| c.is_ascii_digit()).map(|digit| &inside[..digit])
                });
                let same = inside.is_some_and(|inside| opens(inside.trim_end_matches(['$', '€', '+', '-', '−'])));
                if again.upper.is_some() || cell.unit.scale == 0.0 || !cell.text.trim_end().ends_with(')') || !same {
                    continue;
                }
                let own = value.scaled(1.0 / cell.unit.scale);
                judge((own, &cell.unit, cell.about), again, (grid.place(row, column), cell.text.clone()), out);
            }
        }
    }
}

/// Nothing but an opening bracket, and words that say that it is the same.
fn opens(between: &str) -> bool {
    let Some(inside) = between.trim().strip_prefix('(') else { return false };
    let inside = inside.trim().trim_start_matches(['~', '≈', '=']).trim().trim_end_matches(',').to_lowercase();
    matches!(
        inside.as_str(),
        "" | "or" | "i.e." | "i.e" | "about" | "roughly" | "approximately" | "that is" | "also" | "etwa"
    )
}

fn judge(
    (own, unit, about): (Stated, &Unit, bool),
    again: &Quantity,
    (place, stated): (crate::lint::document::Place, String),
    out: &mut Out<'_>,
) {
    let measured = matches!(unit.dim, Dim::Time | Dim::Bytes | Dim::Physical(_) | Dim::Rate(_));
    let other = again.number.stated;
    if !measured
        || unit.dim != again.unit.dim
        || unit.scale == again.unit.scale
        || own.bound != Bound::Value
        || other.bound != Bound::Value
        || own.value <= 0.0
        || other.value <= 0.0
    {
        return;
    }
    // "About" is in the numbers already.
    let vague = about || again.number.about;
    let first = own.scaled(unit.scale).cut();
    let second = other.scaled(again.unit.scale);
    let second = if again.number.about { second.interval() } else { second.cut() };
    let slack = if vague { 0.03 * second.middle() } else { 0.01 * second.middle() + second.half() };
    let wide = Interval { low: second.low - slack, high: second.high + slack };
    // 1 GB is 1000 or 1024 MB.
    let powers: &[f64] =
        if unit.dim == Dim::Bytes { &[1.0, 1.024, 1.048_576, 1.073_741_824, 1.099_511_627_776] } else { &[1.0] };
    let fits = powers.iter().any(|power| wide.scaled(*power).meets(first) || wide.scaled(1.0 / power).meets(first));
    // What is far off is another quantity: a deviation, a limit.
    let ratio = second.middle() / first.middle();
    if fits {
        out.fits(place, "restated", stated);
    } else if (0.4..2.5).contains(&ratio) {
        let follows = show(own.value * unit.scale / again.unit.scale);
        let why = "one quantity in two units".into();
        out.wrong(place, "restated", Sure::Warning, [stated, format!("{follows} in the second unit"), why]);
    }
}
