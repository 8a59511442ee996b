//! "Less than 1 % difference in latency", against the levels of the table above.

use std::sync::LazyLock;

use regex::Regex;

use super::{Paper, names::is_summary};
use crate::lint::{
    grid::Grid,
    number::{self, Interval, show},
    report::{Out, Sure},
    sentence::Sentence,
    unit::Dim,
};

/// `<0.5% difference`, `differ by less than 2 %`.
static BOUND: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let number = r"\d[\d,]*(?:\.\d+)?";
    Regex::new(&format!(
        r"(?i)(?:<|≤|less than|under|below|within|at most|no more than)\s*(?P<p>{number})\s*(?:%|percent)\s+(?:\w+\s+)?(?:difference|deviation|variation|change|gap|of each other)|differ\w*\s+by\s+(?:<|≤|less than|under|at most|no more than)\s*(?P<p2>{number})\s*(?:%|percent)"
    ))
    .ok()
});

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    for paragraph in &paper.paragraphs {
        let above = paper.tables[..paragraph.next_table].last().filter(|view| view.section == paragraph.section);
        let Some(grid) = above.and_then(|view| view.grid.as_ref()) else { continue };
        for sentence in &paragraph.sentences {
            against(paper, sentence, grid, out);
        }
    }
}

fn against(paper: &Paper<'_>, sentence: &Sentence<'_>, grid: &Grid, out: &mut Out<'_>) {
    let Some(captures) = BOUND.as_ref().and_then(|pattern| pattern.captures(sentence.text)) else { return };
    let (Some(whole), Some(limit)) = (captures.get(0), captures.name("p").or(captures.name("p2"))) else { return };
    let Some(limit) = number::all(limit.as_str(), paper.decimals).into_iter().next() else { return };
    let limit = limit.stated.value;
    for column in usize::from(grid.levels)..grid.columns.len() {
        let header = &grid.columns[column].lower;
        let named =
            header.split(|c: char| !c.is_alphanumeric()).any(|word| word.len() > 3 && sentence.lower.contains(word));
        let rows = (0..grid.rows.len()).filter(|row| !is_summary(&grid.rows[*row].lower));
        let cells: Vec<_> = rows.map(|row| (row, grid.cell(row, column))).collect();
        let measured = |cell: &crate::lint::grid::Cell| {
            cell.unit.dim != Dim::Percent && cell.interval().is_some_and(|value| value.low > 0.0)
        };
        if !named || cells.len() < 2 || !cells.iter().all(|(_, cell)| measured(cell)) {
            continue;
        }
        let values: Vec<Interval> = cells.iter().filter_map(|(_, cell)| cell.interval()).collect();
        let fold =
            |of: fn(&Interval) -> f64, pick: fn(f64, f64) -> f64, start: f64| values.iter().map(of).fold(start, pick);
        let least = fold(|v| v.low, f64::max, 0.0) / fold(|v| v.high, f64::min, f64::INFINITY);
        let between = fold(|v| v.middle(), f64::max, 0.0) / fold(|v| v.middle(), f64::min, f64::INFINITY);
        let place = sentence.place(whole.start());
        let said = format!("{} for {}", whole.as_str().trim(), grid.columns[column].text);
        if (least - 1.0) * 100.0 > limit * (1.0 + 1e-9) {
            let texts: Vec<&str> = cells.iter().take(6).map(|(_, cell)| cell.text.as_str()).collect();
            let line = grid.place(cells[0].0, column).line;
            let follows =
                format!("{} differ by {} % (line {line})", texts.join(" and "), show((between - 1.0) * 100.0));
            let why = format!("even the least difference that rounding allows is {} %", show((least - 1.0) * 100.0));
            out.wrong(place, "stated-difference", Sure::Error, [said, follows, why]);
        } else {
            out.fits(place, "stated-difference", said);
        }
    }
}
