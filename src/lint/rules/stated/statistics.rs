//! "Average speedup: 1.97×": a mean, a median of a column, by every kind of mean.

use super::super::names::{brief, is_summary};
use super::{Named, Said, covers, named::tokens};
use crate::lint::{
    grid::{Cell, Grid},
    means,
    number::{Bound, Interval, Stated, show},
    paper::View,
    report::{Out, Sure},
    sentence::Quantity,
    unit::Dim,
    words::{contains_any, one_of, words as list},
};

/// A statistic of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stat {
    Mean,
    Geometric,
    Median,
}

impl Stat {
    fn name(self) -> &'static str {
        match self {
            Stat::Mean => "average",
            Stat::Geometric => "geometric mean",
            Stat::Median => "median",
        }
    }
}

/// The statistic first, then what else goes by its name.
pub(super) fn statistics(stat: Stat, values: &[Interval]) -> Vec<Interval> {
    let (geometric, harmonic) = (means::geometric(values), means::harmonic(values));
    let (mean, median) = (means::arithmetic(values), means::median(values));
    match stat {
        Stat::Mean => [Some(mean), geometric, harmonic, Some(median)].into_iter().flatten().collect(),
        Stat::Geometric => [geometric.or(Some(mean))].into_iter().flatten().collect(),
        Stat::Median => vec![median],
    }
}

impl Said<'_, '_> {
    /// "Average speedup: 1.97×"
    pub(super) fn statistic(&self, grid: &Grid, view: &View<'_>, named: &Named, out: &mut Out<'_>) -> bool {
        let Some((quantity, stat)) = self.average() else { return false };
        if self.partial() || !named.rows.is_empty() || self.sentence.quantities.len() > 3 {
            return false;
        }
        let Some(column) = self.column(grid, quantity, named) else { return false };
        let rows: Vec<usize> = (0..grid.rows.len()).filter(|row| !is_summary(&grid.rows[*row].lower)).collect();
        let cells: Vec<&Cell> = rows.iter().map(|row| grid.cell(*row, column)).collect();
        let values: Vec<Interval> = cells.iter().filter_map(|cell| cell.interval()).collect();
        let blanks =
            cells.iter().filter(|cell| cell.value.is_none() && cell.text.chars().any(char::is_alphanumeric)).count();
        if values.len() < 2 || blanks > 0 || cells.iter().any(|cell| cell.value.is_some() && cell.loose) {
            return false;
        }
        let stated = self.in_base(quantity, grid, column);
        let mut meant = statistics(stat, &values);
        // A base row may be left out; and a row of means may be what is told.
        let rest: Vec<Interval> = values
            .iter()
            .copied()
            .filter(|value| !(value.low <= 1.0 && value.high >= 1.0 && value.half() < 0.06))
            .collect();
        if rest.len() >= 2 {
            meant.extend(statistics(stat, &rest));
        }
        meant.extend(
            (0..grid.rows.len())
                .filter(|row| is_summary(&grid.rows[*row].lower))
                .filter_map(|row| grid.cell(row, column).interval()),
        );
        let says = self.sentence.quote(quantity.range.clone());
        let place = self.sentence.place(quantity.range.start);
        if meant.iter().any(|value| covers(quantity, stated, *value)) {
            out.fits(place, "stated", format!("{} {says}", stat.name()));
            return true;
        }
        let plain = statistics(stat, &values)[0].middle();
        let close = stated.value / plain;
        if !(0.4..2.5).contains(&close) || (close - 1.0).abs() < 0.02 {
            return true;
        }
        let scale = grid
            .cells
            .iter()
            .map(|row| &row[column])
            .find(|cell| cell.value.is_some())
            .map_or(1.0, |cell| cell.unit.scale);
        let said = [
            format!("{} {says}", stat.name()),
            format!(
                "{} of the {} values of {} (line {})",
                show(plain / scale),
                values.len(),
                brief(&grid.columns[column].text),
                view.place.line
            ),
            format!("the {} of the column, by every kind of it", stat.name()),
        ];
        out.wrong(place, "stated", Sure::Warning, said);
        true
    }

    /// The quantity that "average" belongs to.
    fn average(&self) -> Option<(&Quantity, Stat)> {
        let lower = &self.sentence.lower;
        let words: [(&str, Stat); 9] = [
            ("geometric mean", Stat::Geometric),
            ("geomean", Stat::Geometric),
            ("average", Stat::Mean),
            ("mean", Stat::Mean),
            ("avg", Stat::Mean),
            ("median", Stat::Median),
            ("durchschnitt", Stat::Mean),
            ("im mittel", Stat::Mean),
            ("平均", Stat::Mean),
        ];
        let (at, word, stat) = words.iter().find_map(|(word, stat)| Some((lower.find(word)?, *word, *stat)))?;
        let near = |quantity: &&Quantity| {
            let gap = if quantity.range.start >= at {
                lower.get(at + word.len()..quantity.range.start)
            } else {
                lower.get(quantity.range.end..at)
            };
            gap.is_some_and(|gap| {
                gap.len() < 45 && !gap.contains([',', ';', '(']) && !gap.chars().any(|c| c.is_ascii_digit())
            })
        };
        let quantity = self.sentence.quantities.iter().find(near)?;
        (quantity.upper.is_none() && quantity.number.stated.bound == Bound::Value).then_some((quantity, stat))
    }

    /// The one column that a quantity can be of: by its header's words, or as the only one of its kind.
    pub(super) fn column(&self, grid: &Grid, quantity: &Quantity, named: &Named) -> Option<usize> {
        let alike = |column: &usize| {
            let dim = grid.dim(*column);
            let header = &grid.columns[*column].lower;
            let ratio = header.contains("speed")
                || header.contains("ratio")
                || header.contains("vs")
                || header.contains("faster")
                || header.contains("improvement")
                || header.contains("factor")
                || header.contains('×');
            match (&quantity.unit.dim, dim) {
                (_, None) => false,
                (Dim::Factor, Some(Dim::None)) => ratio,
                (Dim::None, Some(Dim::Factor)) => ratio && self.has("speedup|ratio|improvement|factor"),
                (dim, Some(other)) => *dim == other && !matches!(dim, Dim::None | Dim::Count(_)),
            }
        };
        let of_kind: Vec<usize> = (0..grid.columns.len()).filter(alike).collect();
        let by_name: Vec<usize> = of_kind
            .iter()
            .copied()
            .filter(|column| named.columns.contains(column) || self.shares_word(&grid.columns[*column].text))
            .collect();
        match (by_name.as_slice(), of_kind.as_slice()) {
            ([column], _) => Some(*column),
            ([], [column])
                if quantity.unit.dim == Dim::Factor
                    || self.summary()
                    || quantity.upper.is_some()
                        && contains_any(
                            &grid.columns[*column].lower,
                            "saving|gain|improvement|reduction|speedup|change|降",
                        ) =>
            {
                Some(*column)
            }
            _ => None,
        }
    }

    /// A line of its own that sums up the table: "Average bandwidth: 310 GB/s".
    fn summary(&self) -> bool {
        list("average|mean|summary|overall|on average|median|geometric|geomean")
            .any(|word| self.sentence.lower.trim_start_matches(|c: char| !c.is_alphanumeric()).starts_with(word))
            && self.tokens.len() <= 14
    }

    /// Of columns of one kind the one that the sentence names, by its words or by its statistic.
    pub(super) fn pick(&self, grid: &Grid, alike: &[usize], named: &Named) -> Option<usize> {
        let header = |column: &usize| tokens(&grid.columns[*column].text);
        let told: Vec<usize> = alike
            .iter()
            .copied()
            .filter(|column| named.columns.contains(column) || self.shares_word(&grid.columns[*column].text))
            .collect();
        if let [column] = told.as_slice() {
            return Some(*column);
        }
        let statistic = |column: &usize| {
            header(column).iter().any(|word| {
                one_of("median|mean|average|p50|p90|p95|p99|max|min|maximum|minimum|peak|total|test|dev|train", word)
                    && self.tokens.contains(word)
            })
        };
        let among = if told.is_empty() { alike } else { &told };
        let found: Vec<usize> = among.iter().copied().filter(statistic).collect();
        if let [column] = found.as_slice() { Some(*column) } else { None }
    }

    /// The header's main word stands in the sentence: `Speedup` of "average speedup".
    pub(super) fn shares_word(&self, header: &str) -> bool {
        tokens(header.split(['(', '[']).next().unwrap_or(header))
            .iter()
            .filter(|word| word.len() > 3 && !one_of("average|mean|median|over|with|from|best", word))
            .any(|word| self.tokens.iter().any(|token| token == word || token.strip_suffix('s') == Some(word)))
    }

    fn in_base(&self, quantity: &Quantity, grid: &Grid, column: usize) -> Stated {
        let scale = grid.columns[column].unit.as_ref().map_or(1.0, |unit| unit.scale);
        if quantity.unit.dim == Dim::None { quantity.number.stated.scaled(scale) } else { quantity.base() }
    }
}
