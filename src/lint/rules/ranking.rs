//! Order: ranks in a column, "the fastest", "faster than", "in every step", against the numbers of the table.

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
    words::{contains_any, one_of, words as list},
};

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    for grid in paper.tables.iter().filter_map(|view| view.grid.as_ref()) {
        ranks(grid, out);
        if grid.rows.len() <= 60 {
            ranks(&grid.turn(), out);
        }
    }
    for paragraph in &paper.paragraphs {
        let near = paper.beside(paragraph);
        for sentence in paragraph.sentences.iter().filter(|_| !near.is_empty()) {
            for (view, grid) in &near {
                if superlative(sentence, grid, view, out) || monotone(sentence, grid, view, out) {
                    break;
                }
            }
        }
    }
}

/// A column of places against the column that it orders.
fn ranks(grid: &Grid, out: &mut Out<'_>) {
    let n = grid.rows.len();
    for column in 0..grid.columns.len() {
        let header = grid.columns[column].lower.trim_matches(|c: char| !c.is_alphanumeric() && c != '#');
        if !one_of("rank|place|position|rang|platz|排名|ranking|standing", header) || !(3..=60).contains(&n) {
            continue;
        }
        let places: Option<Vec<usize>> =
            (0..n).map(|row| grid.cell(row, column).firm().map(|value| value.value as usize)).collect();
        let Some(places) = places else { continue };
        let mut sorted = places.clone();
        sorted.sort_unstable();
        if sorted != (1..=n).collect::<Vec<usize>>() {
            continue;
        }
        // The column that the places follow best, up or down.
        let mut best: Option<(usize, usize, bool)> = None;
        for other in (0..grid.columns.len()).filter(|other| *other != column) {
            let values: Option<Vec<f64>> =
                (0..n).map(|row| grid.cell(row, other).firm().map(|value| value.value)).collect();
            let Some(values) = values else { continue };
            for down in [true, false] {
                let wrong = (0..n).filter(|row| {
                    let before = values
                        .iter()
                        .filter(|value| if down { **value > values[*row] } else { **value < values[*row] })
                        .count();
                    let ties = values.iter().filter(|value| **value == values[*row]).count();
                    !(before + 1..=before + ties).contains(&places[*row])
                });
                let wrong = wrong.count();
                if best.is_none_or(|(least, ..)| wrong < least) {
                    best = Some((wrong, other, down));
                }
            }
        }
        let Some((wrong, other, down)) = best else { continue };
        let alone = (0..grid.columns.len()).filter(|c| *c != column && grid.cell(0, *c).value.is_some()).count() == 1;
        let place = grid.place(0, column);
        if wrong == 0 {
            out.fits(place, "rank", format!("places by {}", brief(&grid.columns[other].text)));
        } else if wrong <= 3 && (n >= 4 || alone) && wrong * 2 <= n + 1 {
            let said = [
                format!("places {places:?}"),
                format!(
                    "another order by {}, {} first",
                    brief(&grid.columns[other].text),
                    if down { "largest" } else { "least" }
                ),
                format!("{} of {n} rows are in that order", n - wrong),
            ];
            out.wrong(place, "rank", Sure::Warning, said);
        }
    }
}

/// Whether the largest or the least is meant, of which column.
fn wanted(sentence: &Sentence<'_>, grid: &Grid, word: &str) -> Option<(usize, bool)> {
    let measured = |column: usize| grid.cells.iter().filter(|row| row[column].firm().is_some()).count() >= 2;
    let columns: Vec<usize> = (0..grid.columns.len()).filter(|column| measured(*column)).collect();
    let dim = |column: usize| {
        grid.cells.iter().map(|row| &row[column]).find(|cell| cell.value.is_some()).map(|cell| cell.unit.dim.clone())
    };
    let told = |column: &usize| {
        grid.columns[*column].lower.split(|c: char| !c.is_alphanumeric()).any(|name| {
            name.len() > 2
                && !one_of("per|the|and|max|min", name)
                && sentence.lower.split(|c: char| !c.is_alphanumeric()).any(|said| said == name)
        })
    };
    let named: Vec<usize> = columns.iter().copied().filter(told).collect();
    let column = match (named.as_slice(), columns.as_slice()) {
        ([column], _) | ([], [column]) => *column,
        _ => return None,
    };
    let rate = matches!(dim(column), Some(Dim::Rate(_)));
    let time = matches!(dim(column), Some(Dim::Time));
    let most = match word {
        "fastest" | "faster" | "quickest" | "quicker" if rate => true,
        "fastest" | "faster" | "quickest" | "quicker" if time => false,
        "slowest" | "slower" if rate => false,
        "slowest" | "slower" if time => true,
        "highest" | "largest" | "most" | "higher" | "larger" | "more" | "biggest" | "bigger" | "longest" | "longer" => {
            true
        }
        "lowest" | "smallest" | "least" | "lower" | "smaller" | "less" | "fewer" | "shortest" | "shorter"
        | "fewest" | "cheapest" => false,
        _ => return None,
    };
    Some((column, most))
}

const HEDGES: &str = "second|third|one of|among|if |would|could|should|except|not |n't|unless|second-|most of|at most|at least|when |previous|expected|whether|?|per |relative|almost|nearly|no more|more than one|more than two|most cases|improvement|gain|gap|speedup|speed-up|ratio|after |with |without |only|below |under |above |over ";

/// "Fox has the fastest lookup of all", "A is faster than B".
fn superlative(sentence: &Sentence<'_>, grid: &Grid, view: &View<'_>, out: &mut Out<'_>) -> bool {
    let words: Vec<&str> =
        sentence.lower.split(|c: char| !(c.is_alphanumeric() || c == '-')).filter(|word| !word.is_empty()).collect();
    if list(HEDGES).any(|hedge| sentence.lower.contains(hedge)) || words.len() > 24 {
        return false;
    }
    let named: Vec<(usize, usize)> = (0..grid.rows.len())
        .filter(|row| !is_summary(&grid.rows[*row].lower))
        .filter_map(|row| {
            let label = grid.rows[row].lower.trim();
            let telling = label.len() > 1 && label.chars().any(char::is_alphabetic);
            let at = sentence.lower.find(label).filter(|at| telling && free(&sentence.lower, *at, label.len()))?;
            Some((row, at))
        })
        .collect();
    let ends: Vec<&str> = words
        .iter()
        .copied()
        .filter(|word| word.len() > 4 && word.ends_with("est") || ["most", "least"].contains(word))
        .collect();
    if let ([word], [(row, _)]) = (ends.as_slice(), named.as_slice()) {
        let Some((column, most)) = wanted(sentence, grid, word) else { return false };
        // "most accurate" is of accuracy.
        if ["most", "least"].contains(word) {
            return false;
        }
        if !words.contains(&"the") || words.contains(&"than") {
            return false;
        }
        let Some(own) = grid.cell(*row, column).interval() else { return false };
        let better =
            (0..grid.rows.len()).filter(|other| other != row && !is_summary(&grid.rows[*other].lower)).find(|other| {
                grid.cell(*other, column).unit.dim == grid.cell(*row, column).unit.dim
                    && grid
                        .cell(*other, column)
                        .interval()
                        .is_some_and(|value| if most { value.low > own.high } else { value.high < own.low })
            });
        return tell(sentence, grid, view, (column, *row, better), word, out);
    }
    let than = words.iter().position(|word| *word == "than");
    if let (Some(than), [first, second]) = (than, named.as_slice()) {
        let comparatives: Vec<&&str> = words[..than]
            .iter()
            .filter(|word| {
                [
                    "faster", "slower", "more", "less", "fewer", "higher", "lower", "larger", "smaller", "bigger",
                    "longer", "shorter", "quicker",
                ]
                .contains(word)
            })
            .collect();
        let [word] = comparatives.as_slice() else { return false };
        let (a, b) = if first.1 < second.1 { (first, second) } else { (second, first) };
        let cut = sentence.lower.find(" than ").unwrap_or(0);
        let Some((column, most)) = wanted(sentence, grid, word).filter(|_| a.1 < cut && b.1 > cut) else {
            return false;
        };
        let (Some(x), Some(y)) = (grid.cell(a.0, column).interval(), grid.cell(b.0, column).interval()) else {
            return false;
        };
        let wrong = if most { x.high < y.low } else { x.low > y.high };
        return tell(sentence, grid, view, (column, a.0, wrong.then_some(b.0)), word, out);
    }
    false
}

fn free(text: &str, at: usize, len: usize) -> bool {
    let before = text[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric());
    before && text[at + len..].chars().next().is_none_or(|c| !c.is_alphanumeric())
}

fn tell(
    sentence: &Sentence<'_>,
    grid: &Grid,
    view: &View<'_>,
    (column, row, better): (usize, usize, Option<usize>),
    word: &str,
    out: &mut Out<'_>,
) -> bool {
    let place = sentence.place(0);
    let what = format!("{} {word}", brief(&grid.rows[row].text));
    match better {
        None => out.fits(place, "order-words", what),
        Some(other) => {
            let said = [
                format!("{what}: {}", sentence.quote(0..sentence.text.len())),
                format!(
                    "{} has {}, {} has {} (line {})",
                    brief(&grid.rows[row].text),
                    grid.cell(row, column).text,
                    brief(&grid.rows[other].text),
                    grid.cell(other, column).text,
                    view.place.line
                ),
                format!("by {}", brief(&grid.columns[column].text)),
            ];
            out.wrong(place, "order-words", Sure::Warning, said);
        }
    }
    true
}

/// "increases monotonically", "decreases in every epoch".
fn monotone(sentence: &Sentence<'_>, grid: &Grid, view: &View<'_>, out: &mut Out<'_>) -> bool {
    let lower = &sentence.lower;
    let always = contains_any(
        lower,
        "monoton|in every |with every |with each |at every step|steadily|consistently|continuously|at each step",
    );
    let up = contains_any(lower, "increas|rises|grows|improves|steigt|wächst");
    let down = contains_any(lower, "decreas|falls|drops|declines|shrinks|sinkt|fällt");
    let hedged = list(HEDGES).take(14).any(|hedge| lower.contains(hedge))
        || contains_any(lower, "almost|nearly|until|up to|beyond|except|then|while|but");
    if !always || up == down || hedged || grid.rows.len() < 3 {
        return false;
    }
    let told = |column: &usize| {
        grid.columns[*column]
            .lower
            .split(|c: char| !c.is_alphanumeric())
            .any(|name| name.len() > 3 && lower.contains(name))
    };
    let columns: Vec<usize> = (0..grid.columns.len())
        .filter(|column| grid.cells.iter().all(|row| row[*column].firm().is_some()))
        .filter(told)
        .collect();
    // The rows must be in an order of their own.
    let labels: Option<Vec<f64>> = grid
        .rows
        .iter()
        .map(|row| {
            crate::lint::number::all(&row.text, crate::lint::number::Decimals::Point)
                .first()
                .map(|found| found.stated.value)
        })
        .collect();
    let ordered = labels.is_some_and(|labels| labels.windows(2).all(|two| two[0] < two[1]));
    let column = columns.iter().copied().find(|column| {
        !grid.columns[*column].lower.is_empty()
            && grid.cells.iter().any(|row| row[*column].value != row[0].value || *column > 0)
    });
    let Some(column) = column.filter(|_| ordered && columns.len() <= 2) else { return false };
    let column = if columns.len() == 2 { columns[1].max(columns[0]) } else { column };
    let against = (1..grid.rows.len()).find(|row| {
        let (Some(a), Some(b)) = (grid.cell(row - 1, column).interval(), grid.cell(*row, column).interval()) else {
            return false;
        };
        if up { b.high < a.low } else { b.low > a.high }
    });
    let place = sentence.place(0);
    match against {
        None => out.fits(place, "trend", sentence.quote(0..sentence.text.len())),
        Some(row) => {
            let said = [
                sentence.quote(0..sentence.text.len()),
                format!(
                    "{} after {} (line {})",
                    grid.cell(row, column).text,
                    grid.cell(row - 1, column).text,
                    view.place.line
                ),
                format!("{} of {}", brief(&grid.columns[column].text), brief(&grid.rows[row].text)),
            ];
            out.wrong(place, "trend", Sure::Warning, said);
        }
    }
    true
}
