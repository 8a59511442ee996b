//! "A is 6.3× faster than B on X and 15.3× on Y", "2.1× smaller frames and 9.5× better fidelity than B": two systems, and behind each
//! claim the column that it is of.

use super::{
    Named, Said,
    named::{label_words, matches_at, stem, tokens},
};
use crate::lint::{
    grid::Grid,
    paper::View,
    report::Out,
    unit::{Dim, singular},
    words::one_of,
};

/// Words of a header that are of no column in particular.
const COMMON: &str = "time|value|mean|average|median|total|with|from|over|best|result|results|score|type|than|size";

impl Said<'_, '_> {
    /// Each claim with the column that stands behind it.
    pub(super) fn places(&self, grid: &Grid, view: &View<'_>, named: &Named, out: &mut Out<'_>) -> bool {
        if self.claims.len() < 2 || !self.pairs.is_empty() || self.apart() || self.foreign(grid, view) {
            return false;
        }
        let turned;
        let (grid, two) = match (self.systems(grid, &named.rows), named.columns.as_slice()) {
            (Some(two), _) => (grid, two),
            (None, [a, b]) => {
                turned = grid.turn();
                (&turned, [*a, *b])
            }
            _ => return false,
        };
        let told: Vec<Option<usize>> = (0..self.claims.len()).map(|index| self.place_of(grid, two, index)).collect();
        // One that is of no column, or two of one: the sentence is of something else.
        let mut columns: Vec<usize> = told.iter().copied().flatten().collect();
        columns.sort_unstable();
        columns.dedup();
        if columns.len() < self.claims.len() {
            return false;
        }
        let mut decided = false;
        for (claim, column) in self.claims.iter().zip(told.iter().flatten()) {
            let [x, y] = two.map(|row| grid.cell(row, *column));
            decided |= self.ratio_of((x, y), claim.range.clone(), claim.kind, view, out);
        }
        decided
    }

    /// The two rows that are named, by their names or by a proper name that only they have.
    fn systems(&self, grid: &Grid, rows: &[usize]) -> Option<[usize; 2]> {
        if let [a, b] = rows {
            return Some([*a, *b]);
        }
        let labels: Vec<Vec<String>> = grid.rows.iter().map(|row| tokens(&row.text)).collect();
        let proper = |row: usize| {
            grid.rows[row].text.split(|c: char| !(c.is_alphanumeric() || "+#.".contains(c))).any(|word| {
                let lower = word.to_lowercase();
                word.chars().count() > 2
                    && word.starts_with(char::is_uppercase)
                    && self.sentence.text.contains(word)
                    && self.tokens.contains(&lower)
                    && labels.iter().filter(|label| label.contains(&lower)).count() == 1
            })
        };
        let found: Vec<usize> = (0..grid.rows.len()).filter(|row| rows.contains(row) || proper(*row)).collect();
        if let [a, b] = found.as_slice() { Some([*a, *b]) } else { None }
    }

    /// The one column that is named between a claim and the next one.
    fn place_of(&self, grid: &Grid, two: [usize; 2], index: usize) -> Option<usize> {
        let claim = &self.claims[index];
        let end = self.claims.get(index + 1).map_or(self.sentence.text.len(), |next| next.range.start);
        let tail = tokens(self.sentence.text.get(claim.range.end..end)?);
        let whole = |column: usize| {
            let words = label_words(&grid.columns[column].text);
            !words.is_empty()
                && words.len() <= tail.len()
                && (0..=tail.len() - words.len()).any(|at| matches_at(&tail, at, &words))
        };
        let word = |column: usize| {
            let header = &grid.columns[column].text;
            tokens(header.split(['(', '[']).next().unwrap_or(header)).iter().any(|word| {
                word.len() > 3
                    && !one_of(COMMON, word)
                    && tail.iter().any(|t| stem(t) == stem(word) || singular(t) == singular(word))
            })
        };
        let measured = |column: &usize| {
            let [x, y] = two.map(|row| grid.cell(row, *column));
            x.interval().is_some() && x.unit.dim == y.unit.dim && !matches!(x.unit.dim, Dim::Percent | Dim::Factor)
        };
        let columns = || (usize::from(grid.levels)..grid.columns.len()).filter(measured);
        let found: Vec<usize> = columns().filter(|column| whole(*column)).collect();
        let found = if found.is_empty() { columns().filter(|column| word(*column)).collect() } else { found };
        if let [column] = found.as_slice() { Some(*column) } else { None }
    }
}

#[cfg(test)]
mod tests {
    const LAYERS: &str = "## Layers\n\n| Layer | MNIST (784→64) | CIFAR-10 (3072→64) |\n|---|---|---|\n\
        | Quick (compiled) | 0.27 | 0.39 |\n| Gauss | 0.38 | 0.99 |\n| Plain (Cox) | 1.69 | 5.98 |\n\n";

    fn found(sentence: &str) -> usize {
        crate::lint::markdown(&format!("{LAYERS}{sentence}\n")).findings.len()
    }

    #[test]
    fn each_claim_is_of_its_own_column() {
        assert_eq!(found("Quick is 6.3x faster than Plain on MNIST and 11.3x faster on CIFAR-10."), 1);
        assert_eq!(found("Quick is 6.3x faster than Plain on MNIST and 15.3x faster on CIFAR-10."), 0);
        assert_eq!(found("Without it, Quick is 6.3x faster than Plain on MNIST and 11.3x faster on CIFAR-10."), 0);
    }
}
