//! A number that a sentence takes from a table, with two digits the wrong way round or one of them another: nothing in any table
//! is that number, one cell nearly is, and the sentence names its row or its column.

use std::collections::{BTreeMap, BTreeSet};

use super::{Paper, names::brief};
use crate::lint::{
    grid::Grid,
    number::Bound,
    paper::View,
    report::{Out, Sure},
    sentence::{Quantity, Sentence},
    unit::Dim,
    words::one_of,
};

/// Cells of more tables than this are anything.
const MOST: usize = 4000;

/// Where a number stands: table, row, column.
type Spot = (usize, usize, usize);

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    let mut cells: BTreeMap<String, Vec<Spot>> = BTreeMap::new();
    let mut count = 0;
    for (table, view) in paper.tables.iter().enumerate() {
        let Some(grid) = &view.grid else { continue };
        for (row, line) in grid.cells.iter().enumerate() {
            for (column, cell) in line.iter().enumerate() {
                count += 1;
                for digits in numbers(&cell.text) {
                    cells.entry(digits).or_default().push((table, row, column));
                }
            }
        }
        if count > MOST {
            return;
        }
    }
    if cells.is_empty() {
        return;
    }
    let mut said: BTreeMap<String, usize> = BTreeMap::new();
    for quantity in paper
        .paragraphs
        .iter()
        .flat_map(|p| &p.sentences)
        .flat_map(|s| s.quantities.iter().map(move |q| digits_of(s, q)))
    {
        *said.entry(quantity).or_default() += 1;
    }
    for (section, sentence) in paper.paragraphs.iter().flat_map(|p| p.sentences.iter().map(|s| (p.section, s))) {
        // A section without a table of its own, in a paper of few, takes its numbers from them; else from its own.
        let own = paper.tables.iter().any(|view| view.section == section);
        let far = !own && paper.tables.len() <= 3;
        for quantity in &sentence.quantities {
            let digits = digits_of(sentence, quantity);
            let odd = !cells.contains_key(&digits) && said.get(&digits).copied().unwrap_or(0) < 2;
            if odd && quantity.upper.is_none() && quantity.number.stated.bound == Bound::Value && !quantity.number.about
            {
                against(paper, &cells, (section, far), sentence, (quantity, &digits), out);
            }
        }
    }
}

/// As it stands, with a point for decimals and no groups.
fn digits_of(sentence: &Sentence<'_>, quantity: &Quantity) -> String {
    plain(sentence.text.get(quantity.number.range.clone()).unwrap_or(""))
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect()
}

fn numbers(cell: &str) -> Vec<String> {
    cell.split(|c: char| !(c.is_ascii_digit() || ".,".contains(c)))
        .map(|part| plain(part.trim_matches(['.', ','])))
        .filter(|digits| digits.len() > 1)
        .collect()
}

fn against(
    paper: &Paper<'_>,
    cells: &BTreeMap<String, Vec<Spot>>,
    (section, far): (usize, bool),
    sentence: &Sentence<'_>,
    (quantity, digits): (&Quantity, &str),
    out: &mut Out<'_>,
) {
    let significant = digits.trim_start_matches(['0', '.']).chars().filter(char::is_ascii_digit).count();
    // A round number is said, not copied.
    let round = digits.len() > 2 && digits.ends_with("00") && !digits.contains('.');
    if significant < 3 || years(quantity) || round || significant == 3 && !digits.contains('.') {
        return;
    }
    let mut spots: BTreeSet<(Spot, bool)> = BTreeSet::new();
    for (near, swapped) in variants(digits, significant) {
        spots.extend(cells.get(&near).into_iter().flatten().map(|spot| (*spot, swapped)));
    }
    let words = words(&sentence.lower);
    let fits = |spot: &Spot| {
        let (table, row, column) = *spot;
        (far || paper.tables[table].section == section)
            && paper.tables[table]
                .grid
                .as_ref()
                .is_some_and(|grid| named(grid, row, column, &words) && kind(grid, row, column, quantity))
    };
    // One that is only changed in a digit needs company: another number of its row in the sentence.
    let others: Vec<String> = sentence
        .quantities
        .iter()
        .filter(|other| other.range != quantity.range)
        .map(|other| digits_of(sentence, other))
        .filter(|digits| digits.len() > 2)
        .collect();
    let company = |spot: &Spot| {
        let (table, row, column) = *spot;
        let at = |other: &String| {
            cells
                .get(other)
                .is_some_and(|found| found.iter().any(|(t, r, c)| *t == table && (*r == row || *c == column)))
        };
        others.iter().any(at)
    };
    let found: Vec<Spot> = spots
        .iter()
        .filter(|(spot, swapped)| {
            // Of three digits, two in another order are another number as often as not.
            let close = if *swapped {
                significant >= 4 || both_named(paper, spot, &words) || company(spot)
            } else {
                significant >= 4 && company(spot)
            };
            fits(spot) && close
        })
        .map(|(spot, _)| *spot)
        .collect();
    let distinct: BTreeSet<String> = found.iter().filter_map(|spot| text(paper, spot)).collect();
    let (Some(spot), 1) = (found.first(), distinct.len()) else { return };
    // What the sentence computes need not be a cell.
    if super::change::claims(sentence, &[]).iter().any(|claim| sentence.quantities[claim.index].range == quantity.range)
    {
        return;
    }
    let View { grid: Some(grid), place, .. } = &paper.tables[spot.0] else { return };
    let _ = place;
    let cell = grid.cell(spot.1, spot.2);
    let said = [
        sentence.quote(quantity.range.clone()),
        format!("{} in the table (line {})", cell.text, grid.place(spot.1, spot.2).line),
        format!(
            "{} of {}; the two differ in their digits' order or in one digit",
            brief(&grid.columns[spot.2].text),
            brief(&grid.rows[spot.1].text)
        ),
    ];
    out.wrong(sentence.place(quantity.range.start), "restated", Sure::Warning, said);
}

fn text(paper: &Paper<'_>, spot: &Spot) -> Option<String> {
    paper.tables[spot.0].grid.as_ref().map(|grid| grid.cell(spot.1, spot.2).text.clone())
}

fn years(quantity: &Quantity) -> bool {
    let value = quantity.number.stated.value;
    matches!(quantity.unit.dim, Dim::None | Dim::Count(_)) && value.fract() == 0.0 && (1900.0..2100.0).contains(&value)
}

/// Neighbouring digits swapped (true), or one digit another (false).
fn variants(digits: &str, significant: usize) -> Vec<(String, bool)> {
    let bytes = digits.as_bytes();
    let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at].is_ascii_digit()).collect();
    let mut found = Vec::new();
    for two in places.windows(2) {
        if bytes[two[0]] != bytes[two[1]] {
            let mut swapped = bytes.to_vec();
            swapped.swap(two[0], two[1]);
            found.extend(String::from_utf8(swapped).ok().map(|text| (text, true)));
        }
    }
    if significant >= 4 {
        for at in places {
            for digit in b'0'..=b'9' {
                if digit != bytes[at] {
                    let mut other = bytes.to_vec();
                    other[at] = digit;
                    found.extend(String::from_utf8(other).ok().map(|text| (text, false)));
                }
            }
        }
    }
    found
}

fn words(lower: &str) -> BTreeSet<&str> {
    lower.split(|c: char| !(c.is_alphanumeric() || c == '+')).filter(|word| word.len() > 2).collect()
}

fn both_named(paper: &Paper<'_>, (table, row, column): &Spot, words: &BTreeSet<&str>) -> bool {
    let grid = paper.tables[*table].grid.as_ref();
    grid.is_some_and(|grid| has(&grid.rows[*row].lower, words) && has(&grid.columns[*column].lower, words))
}

/// The sentence has a word of the row's name or of the column's.
fn named(grid: &Grid, row: usize, column: usize, words: &BTreeSet<&str>) -> bool {
    has(&grid.rows[row].lower, words) || has(&grid.columns[column].lower, words)
}

fn has(text: &str, words: &BTreeSet<&str>) -> bool {
    let generic = "the|and|with|for|mean|total|time|all|average|median|per|sec|not";
    text.split(|c: char| !(c.is_alphanumeric() || c == '+')).any(|word| {
        word.len() > 2
            && !one_of(generic, word)
            && (words.contains(word)
                || words.iter().any(|said| {
                    word.len() > 4 && (said.starts_with(word) || word.starts_with(*said) && said.len() > 4)
                }))
    })
}

fn kind(grid: &Grid, row: usize, column: usize, quantity: &Quantity) -> bool {
    let cell = grid.cell(row, column);
    let plain = |dim: &Dim| matches!(dim, Dim::None | Dim::Count(_));
    cell.unit.dim == quantity.unit.dim
        || plain(&cell.unit.dim)
        || plain(&quantity.unit.dim) && cell.unit.dim != Dim::Factor
}
