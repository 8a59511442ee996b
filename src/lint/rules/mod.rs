//! The rules, one file for each kind of arithmetic. A rule reads, and adds findings; none knows of another.

mod arithmetic;
mod change;
mod counts;
mod groups;
mod rates;
mod restated;
mod spread;
mod tests;
mod totals;
mod trend;

use super::quantity::Stat;
use super::{
    Finding,
    document::Document,
    quantity::Quantity,
    tables::{Reading, Table},
};

/// A paper as rules see it.
pub struct Paper<'a> {
    pub document: &'a Document,
    pub tables: &'a [Table<'a>],
}

impl Paper<'_> {
    /// The one statistic that the paper gives of a quantity over all data; `None` also if there are several, since they
    /// then belong to different data.
    pub fn overall(&self, quantity: &Quantity, stat: Stat) -> Option<&Reading> {
        let fits = |reading: &&Reading| reading.overall && reading.stat == stat && reading.quantity.same(quantity);
        let mut found = self.tables.iter().flat_map(|table| &table.readings).filter(fits);
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }

    /// Columns of means by level, with their tables.
    pub fn groups(&self) -> impl Iterator<Item = (&Table<'_>, Vec<&Reading>)> {
        let one_way = self.tables.iter().filter(|table| table.one_way);
        one_way.flat_map(|table| table.columns().into_iter().map(move |column| (table, table.levels(column)))).filter(
            |(table, levels)| {
                // Every level must have its number, or a mean of them says nothing.
                let rows = table.source.rows.len() - table.overall_rows();
                levels.len() == rows && rows > 1 && matches!(levels[0].stat, Stat::Value | Stat::Mean)
            },
        )
    }

    /// The whole prose in lower case, to look for words that change what a rule may assume.
    pub fn mentions(&self, words: &[&str]) -> bool {
        self.document.paragraphs.iter().any(|paragraph| {
            let text = paragraph.text.to_lowercase();
            words.iter().any(|word| text.contains(word))
        })
    }
}

/// Applies every rule.
pub fn all(document: &Document, tables: &[Table<'_>]) -> Vec<Finding> {
    let paper = Paper { document, tables };
    let mut findings = Vec::new();
    for check in [
        spread::check,
        groups::check,
        rates::check,
        change::check,
        arithmetic::check,
        totals::check,
        counts::check,
        restated::check,
        trend::check,
        tests::check,
    ] {
        check(&paper, &mut findings);
    }
    findings
}
