//! What a sentence says of a table: a mean, an extreme or a range of a column, how two of its systems compare, a cell again.
//! Whether the sentence means just these cells depends on reading, so what does not fit is a warning.

mod again;
mod bounds;
mod compared;
mod named;
mod statistics;

use named::tokens;

use super::{
    Paper,
    change::{self, Claim, Pair},
};
use crate::lint::{
    grid::Grid,
    number::{Bound, Interval, Stated},
    paper::{Paragraph, View},
    report::Out,
    sentence::{Quantity, Sentence},
    words::words as list,
};

/// More rows than these are looked up, not told.
const TOLD: usize = 200;

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    for paragraph in &paper.paragraphs {
        let near = near(paper, paragraph);
        if near.is_empty() {
            continue;
        }
        for sentence in paragraph.sentences.iter().filter(|sentence| !sentence.quantities.is_empty()) {
            for clause in sentence.clauses() {
                let said = Said::new(clause.as_ref().unwrap_or(sentence));
                said.points(paper, out);
                for view in &near {
                    if let Some(grid) = view.grid.as_ref()
                        && said.of(grid, view, out)
                    {
                        break;
                    }
                }
            }
        }
    }
}

/// The tables that a paragraph may speak of: the last two above it in its section, and the next one below.
fn near<'p, 'a>(paper: &'p Paper<'a>, paragraph: &Paragraph<'_>) -> Vec<&'p View<'a>> {
    let fits =
        |view: &&View<'_>| view.section == paragraph.section && view.table.rows.len() <= TOLD && view.grid.is_some();
    let above =
        paper.tables[..paragraph.next_table].iter().rev().take_while(|view| view.section == paragraph.section).take(2);
    let below =
        paper.tables[paragraph.next_table..].iter().take_while(|view| view.section == paragraph.section).take(1);
    above.chain(below).filter(fits).collect()
}

/// A sentence with what it claims.
struct Said<'s, 'a> {
    sentence: &'s Sentence<'a>,
    tokens: Vec<String>,
    pairs: Vec<Pair>,
    claims: Vec<Claim>,
}

/// Rows or columns that a sentence names.
struct Named {
    rows: Vec<usize>,
    columns: Vec<usize>,
}

impl<'s, 'a> Said<'s, 'a> {
    fn new(sentence: &'s Sentence<'a>) -> Self {
        let pairs = change::pairs(sentence);
        let claims = change::claims(sentence, &pairs);
        Said { sentence, tokens: tokens(sentence.text), pairs, claims }
    }

    /// Holds what is said against a table. True if it was of it.
    fn of(&self, grid: &Grid, view: &View<'_>, out: &mut Out<'_>) -> bool {
        let named = self.named(grid);
        self.statistic(grid, view, &named, out)
            || self.bounded(grid, view, &named, out)
            || self.range(grid, view, &named, out)
            || self.compared(grid, view, &named, out)
            || self.crossing(grid, view, &named, out)
            || self.pair_again(grid, view, &named, out)
            || self.cell_again(grid, view, &named, out)
    }

    fn has(&self, words: &'static str) -> bool {
        list(words).any(|word| {
            if word.contains(' ') || !word.is_ascii() {
                self.sentence.lower.contains(word)
            } else {
                self.tokens.iter().any(|token| token == word)
            }
        })
    }

    /// It speaks of some rows only, of another study, or of what might be.
    fn partial(&self) -> bool {
        self.has("excluding|except|without|only|among|if|would|could|expected|target|goal|previous|previously|prior|theoretical|smaller|larger|some|most|many|other|others|first|last|few|half|typical|typically|when|older|certain|workloads|small|large|long|short|cold|warm|after|before|subsequent|following|shown|best|worst")
    }
}

/// What is said holds of a value.
fn covers(quantity: &Quantity, stated: Stated, value: Interval) -> bool {
    let within = match stated.bound {
        Bound::Value => stated.cut().meets(value),
        Bound::Least => value.high >= stated.low() && value.low < stated.value * 3.0,
        Bound::Most => value.low <= stated.high(),
    };
    within || quantity.number.about && (value.middle() / stated.value - 1.0).abs() < 0.1
}
