//! "lookup_500000: 57.5 % faster": a row whose name is no word of the language, and a change or a factor that none of its cells is.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Paper, names::brief};
use super::{
    Named, Said, covers,
    named::{GENERIC, label_words, tokens},
};
use crate::lint::{
    grid::{Cell, Grid},
    number::{Bound, Interval, Stated},
    paper::{Paragraph, View},
    report::{Out, Sure},
    sentence::Quantity,
    unit::Dim,
    words::one_of,
};

/// More cells that could be meant than these, and none is.
const MOST: usize = 3;

/// Made of letters and digits, or of several words joined: `lookup_1000`, `opt-6.7b`, `readRandom`.
fn coined(label: &str) -> bool {
    let first = label.split([' ', '(', '[']).next().unwrap_or("");
    let digit = first.contains(|c: char| c.is_ascii_digit());
    let letters = first.chars().filter(|c| c.is_alphabetic()).count();
    let inner = first.chars().skip(1).any(char::is_uppercase) && first.contains(char::is_lowercase);
    letters >= 4 && first.len() >= 6 && (digit || first.contains('_') || inner)
}

/// A name that is in more tables than this is no name of one of them, unless it is coined.
const SHARED: usize = 2;

/// The tables that have rows of a name, by each of its words that tells something.
pub(super) fn coinages(paper: &Paper<'_>) -> BTreeMap<String, BTreeSet<usize>> {
    let mut found: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    let mut kept: BTreeSet<String> = BTreeSet::new();
    for (index, view) in paper.tables.iter().enumerate() {
        for row in view.grid.iter().flat_map(|grid| &grid.rows) {
            let words = label_words(&row.text).into_iter().filter(|word| word.len() > 3 && !one_of(GENERIC, word));
            for (at, word) in words.enumerate() {
                if at == 0 && coined(&row.text) {
                    kept.insert(word.clone());
                }
                found.entry(word).or_default().insert(index);
            }
        }
    }
    found.retain(|word, tables| tables.len() <= SHARED || kept.contains(word) && tables.len() <= super::MOST);
    found
}

/// The tables whose names a paragraph has.
pub(super) fn of(known: &BTreeMap<String, BTreeSet<usize>>, paragraph: &Paragraph<'_>) -> BTreeSet<usize> {
    if known.is_empty() {
        return BTreeSet::new();
    }
    tokens(&paragraph.text.text).iter().filter_map(|word| known.get(word)).flatten().copied().collect()
}

impl Said<'_, '_> {
    /// Each change and each factor against those of the row.
    pub(super) fn labelled(&self, grid: &Grid, view: &View<'_>, named: &Named, out: &mut Out<'_>) -> bool {
        let [row] = named.rows.as_slice() else { return false };
        let label = &grid.rows[*row].text;
        // `lookup_5000/10000` are two.
        let joined = label_words(label).last().is_some_and(|last| {
            let lower = &self.sentence.lower;
            lower.match_indices(last.as_str()).any(|(at, _)| lower[at + last.len()..].starts_with('/'))
        });
        if !coined(label) || joined || !self.pairs.is_empty() || self.apart() || self.foreign(grid, view) {
            return false;
        }
        let mut decided = false;
        for quantity in self.sentence.quantities.iter().filter(firm) {
            let alike: Vec<&Cell> = grid.cells[*row]
                .iter()
                .filter(|cell| cell.unit.dim == quantity.unit.dim && cell.firm().is_some())
                .filter(|cell| cell.unit.dim == Dim::Factor || cell.signed)
                .collect();
            let changes = quantity.unit.dim == Dim::Factor
                || quantity.number.signed
                || self.claims.iter().any(|claim| claim.range == quantity.range);
            if !changes || !(1..=MOST).contains(&alike.len()) {
                continue;
            }
            let stated = quantity.number.stated.interval().size();
            let stated = Stated { value: stated.middle(), ..quantity.number.stated };
            let values = alike.iter().filter_map(|cell| cell.interval()).map(Interval::size);
            let own: Vec<Interval> = values.chain(ratios(&grid.cells[*row], &quantity.unit.dim)).collect();
            let place = self.sentence.place(quantity.range.start);
            let says = self.sentence.quote(quantity.range.clone());
            let near = |value: &Interval| (value.middle() / stated.value - 1.0).abs() < 0.03;
            if own.iter().any(|value| covers(quantity, stated, *value) || near(value)) {
                out.fits(place, "stated", says);
                decided = true;
                continue;
            }
            let close = |cell: &&&Cell| {
                cell.interval().is_some_and(|own| (0.6..1.67).contains(&(own.size().middle() / stated.value)))
            };
            let meant: Vec<&&Cell> = alike.iter().filter(close).collect();
            if meant.is_empty() {
                continue;
            }
            let follows = meant.iter().map(|cell| cell.text.as_str()).collect::<Vec<_>>().join(" or ");
            let follows = format!("{follows} in the table (line {})", view.place.line);
            let why = format!("what the row {} has of that kind", brief(label));
            out.wrong(place, "stated", Sure::Warning, [says, follows, why]);
            decided = true;
        }
        decided
    }
}

fn firm(quantity: &&Quantity) -> bool {
    matches!(quantity.unit.dim, Dim::Factor | Dim::Percent)
        && quantity.upper.is_none()
        && quantity.number.stated.bound == Bound::Value
        && !quantity.number.about
}

/// What the measured cells of a row give, two by two.
fn ratios(cells: &[Cell], dim: &Dim) -> Vec<Interval> {
    let mut found = Vec::new();
    for a in cells {
        for b in cells {
            let measured = a.unit.dim == b.unit.dim && !matches!(a.unit.dim, Dim::Factor | Dim::Percent);
            let ratio = a.interval().zip(b.interval()).filter(|_| measured).and_then(|(a, b)| a.over(b));
            found.extend(match dim {
                Dim::Percent => ratio.map(|ratio| ratio.minus(Interval::at(1.0)).scaled(100.0).size()),
                _ => ratio,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    const TABLE: &str = "## Lookups\n\n| Benchmark | Base | New | Change |\n|---|---|---|---|\n\
        | lookup_1000 | 16.95 µs | 14.49 µs | −14.5% |\n| lookup_5000 | 93.02 µs | 79.98 µs | −14.0% |\n\
        | lookup_500000 | 58.68 ms | 24.94 ms | −57.5% |\n\n## Summary\n\n";

    fn found(sentence: &str) -> usize {
        crate::lint::markdown(&format!("{TABLE}{sentence}\n")).findings.len()
    }

    #[test]
    fn a_change_is_that_of_its_row() {
        assert_eq!(found("lookup_500000: −41.7%"), 1);
        assert_eq!(found("lookup_1000 is now 19.5% faster than the baseline."), 1);
        assert_eq!(found("lookup_500000: −57.5%"), 0);
        assert_eq!(found("lookup_1000 is now 14.5% faster than the baseline."), 0);
        assert_eq!(found("lookup_5000/10000: −14.0% / −17.2%"), 0);
    }
}
