//! "Our index is the smallest and has the fastest lookups", "throughput peaks at 16 threads": who or where the best is, clause by
//! clause, where the subject may stand in the clause before.

use super::{
    Paper,
    names::{brief, is_summary},
};
use crate::lint::{
    grid::Grid,
    paper::View,
    report::{Out, Sure},
    sentence::Sentence,
    unit::Dim,
    words::{contains_any, one_of},
};

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    for paragraph in &paper.paragraphs {
        let near = paper.beside(paragraph);
        for sentence in paragraph.sentences.iter().filter(|_| !near.is_empty()) {
            for (view, grid) in &near {
                if ours(sentence, grid, view, out) || peak(sentence, grid, view, out) {
                    break;
                }
            }
        }
    }
}

/// What makes a superlative one of a part, or of something else.
const HEDGES: &str = "second|third|one of|among|if |would|could|should|except|not |n't|unless|most of|at most|at least|when |previous|expected|whether|?|almost|nearly|no more|relative|improvement|gain|gap|speedup|speed-up|ratio|without |only |below |under |above |over |those |that build|after |before ";

fn ours(sentence: &Sentence<'_>, grid: &Grid, view: &View<'_>, out: &mut Out<'_>) -> bool {
    let words: Vec<&str> = sentence.lower.split(|c: char| !c.is_alphanumeric()).collect();
    let we = words.iter().any(|word| one_of("our|ours|we", word));
    let rows: Vec<usize> = (0..grid.rows.len()).filter(|row| own(&grid.rows[*row].lower)).collect();
    let ([row], true) = (rows.as_slice(), we) else { return false };
    let mut decided = false;
    for clause in sentence
        .lower
        .split([',', ';', '.'])
        .flat_map(|part| part.split(" and "))
        .flat_map(|part| part.split(" while "))
    {
        let named = (0..grid.rows.len()).any(|other| {
            let label = grid.rows[other].lower.trim();
            other != *row && label.len() > 1 && clause.contains(label)
        });
        if named || contains_any(clause, HEDGES) || clause.contains("than") {
            continue;
        }
        for word in clause.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 4 && word.ends_with("est"))
        {
            let Some((column, most)) = wanted(clause, grid, word) else { continue };
            let Some(mine) = grid.cell(*row, column).interval() else { continue };
            let better = (0..grid.rows.len()).find(|other| {
                let cell = grid.cell(*other, column);
                *other != *row
                    && !is_summary(&grid.rows[*other].lower)
                    && cell.unit.dim == grid.cell(*row, column).unit.dim
                    && cell
                        .interval()
                        .is_some_and(|value| if most { value.low > mine.high } else { value.high < mine.low })
            });
            decided = true;
            let what = format!("{} {word}", brief(&grid.rows[*row].text));
            let place = sentence.place(0);
            let Some(other) = better else {
                out.fits(place, "order-words", what);
                continue;
            };
            let said = [
                format!("{what}: {}", sentence.quote(0..sentence.text.len())),
                format!(
                    "{} has {}, {} has {} (line {})",
                    brief(&grid.rows[*row].text),
                    grid.cell(*row, column).text,
                    brief(&grid.rows[other].text),
                    grid.cell(other, column).text,
                    view.place.line
                ),
                format!("by {}", brief(&grid.columns[column].text)),
            ];
            out.wrong(place, "order-words", Sure::Warning, said);
        }
    }
    decided
}

fn own(label: &str) -> bool {
    label.split(|c: char| !c.is_alphanumeric()).any(|word| one_of("ours|our|proposed", word))
}

/// The column that a superlative is of, and whether the largest is meant: by a word of the clause, or as the only one of its kind.
fn wanted(clause: &str, grid: &Grid, word: &str) -> Option<(usize, bool)> {
    let columns: Vec<usize> =
        (usize::from(grid.levels)..grid.columns.len()).filter(|column| grid.dim(*column).is_some()).collect();
    let said = |column: &usize| {
        grid.columns[*column].lower.split(|c: char| !c.is_alphanumeric()).any(|name| {
            name.len() > 3
                && clause
                    .split(|c: char| !c.is_alphanumeric())
                    .any(|word| word == name || word.strip_suffix('s') == Some(name))
        })
    };
    let named: Vec<usize> = columns.iter().copied().filter(said).collect();
    let only = |fits: &dyn Fn(&Dim) -> bool| -> Option<usize> {
        let found: Vec<usize> =
            columns.iter().copied().filter(|column| grid.dim(*column).is_some_and(|dim| fits(&dim))).collect();
        if let [column] = found.as_slice() { Some(*column) } else { None }
    };
    let column = match (named.as_slice(), word) {
        ([column], _) => *column,
        ([], "smallest" | "largest" | "biggest") => only(&|dim| *dim == Dim::Bytes)?,
        ([], "fastest" | "slowest") => only(&|dim| matches!(dim, Dim::Time | Dim::Rate(_)))?,
        ([], "highest" | "lowest") if contains_any(clause, "accuracy|score") => only(&|dim| *dim == Dim::Percent)?,
        ([], "cheapest") => only(&|dim| *dim == Dim::Money)?,
        _ => return None,
    };
    let rate = matches!(grid.dim(column), Some(Dim::Rate(_)));
    let time = grid.dim(column) == Some(Dim::Time);
    let most = match word {
        "fastest" if rate => true,
        "fastest" if time => false,
        "slowest" if rate => false,
        "slowest" if time => true,
        "highest" | "largest" | "biggest" | "longest" | "greatest" => true,
        "lowest" | "smallest" | "shortest" | "fewest" | "cheapest" => false,
        _ => return None,
    };
    Some((column, most))
}

/// "Throughput peaks at 16 threads"
fn peak(sentence: &Sentence<'_>, grid: &Grid, view: &View<'_>, out: &mut Out<'_>) -> bool {
    let lower = &sentence.lower;
    let cues = [
        " peaks at ",
        " peaks with ",
        " is highest at ",
        " is largest at ",
        " reaches its maximum at ",
        " is greatest at ",
        " is lowest at ",
        " is fastest at ",
    ];
    let Some((at, cue)) = cues.iter().find_map(|cue| Some((lower.find(cue)?, *cue))) else { return false };
    let Some(level) = sentence.quantities.iter().find(|q| q.range.start == at + cue.len()) else { return false };
    let subject = lower[..at].rsplit([',', ';', '(']).next().unwrap_or("");
    let plain = level.upper.is_none() && !level.number.about && matches!(level.unit.dim, Dim::None | Dim::Count(_));
    if !grid.levels || !plain || grid.rows.len() < 3 || contains_any(subject, "if |would|should|expected| of ") {
        return false;
    }
    let columns: Vec<usize> = (1..grid.columns.len()).filter(|column| grid.dim(*column).is_some()).collect();
    let named = |column: &usize| {
        grid.columns[*column]
            .lower
            .split(|c: char| !c.is_alphanumeric())
            .any(|name| name.len() > 3 && subject.contains(name))
    };
    let told: Vec<usize> = columns.iter().copied().filter(named).collect();
    let [column] = told.as_slice() else { return false };
    let time = grid.dim(*column) == Some(Dim::Time);
    let most = !(cue.contains("lowest") || cue.contains("fastest") && time);
    let values: Option<Vec<_>> = (0..grid.rows.len()).map(|row| grid.cell(row, *column).interval()).collect();
    let at_level = (0..grid.rows.len())
        .find(|row| grid.cell(*row, 0).value.is_some_and(|value| value.value == level.base().value));
    let (Some(values), Some(row)) = (values, at_level) else { return false };
    let better = (0..values.len())
        .find(|other| if most { values[*other].low > values[row].high } else { values[*other].high < values[row].low });
    let place = sentence.place(level.range.start);
    let stated = sentence.quote(0..level.range.end);
    match better {
        None => out.fits(place, "order-words", stated),
        Some(other) => {
            let follows = format!(
                "{} at {}, {} at {} (line {})",
                grid.cell(row, *column).text,
                grid.cell(row, 0).text,
                grid.cell(other, *column).text,
                grid.cell(other, 0).text,
                view.place.line
            );
            out.wrong(
                place,
                "order-words",
                Sure::Warning,
                [stated, follows, format!("by {}", brief(&grid.columns[*column].text))],
            );
        }
    }
    true
}
