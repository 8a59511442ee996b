//! What a sentence says of a table: a mean, an extreme or a range of a column, how two of its systems compare, a cell again.
//! Whether the sentence means just these cells depends on reading, so what does not fit is a warning.

mod again;
mod bounds;
mod cells;
mod compared;
mod ends;
mod foreign;
mod given;
mod labelled;
mod named;
mod places;
mod rows;
mod several;
mod statistics;
mod sums;

use std::collections::BTreeSet;

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
    unit::Dim,
    words::{one_of, words as list},
};

/// More rows than these are looked up, not told.
const TOLD: usize = 200;

/// More tables than these are no paper that sums itself up.
const MOST: usize = 6;

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    let coinages = labelled::coinages(paper);
    let digits = digits(paper);
    for paragraph in &paper.paragraphs {
        let near = near(paper, paragraph);
        let far = if near.is_empty() { far(paper, paragraph, &labelled::of(&coinages, paragraph)) } else { Vec::new() };
        if near.is_empty() && far.is_empty() {
            continue;
        }
        for sentence in paragraph.sentences.iter().filter(|sentence| told(sentence)) {
            for clause in sentence.clauses() {
                let mut said = Said::new(clause.as_ref().unwrap_or(sentence));
                let heading = tokens(&paper.headings[paragraph.section]);
                said.heading = heading.iter().map(|word| foreign::root(word).to_owned()).collect();
                said.alone = near.len() + far.len() == 1;
                said.distant = near.is_empty();
                said.points(paper, out);
                held(&near, &said, |said, grid, view, out| said.of(grid, view, out), paper, out);
                let mut trial = Out::new(paper.document);
                held(&far, &said, |said, grid, view, out| said.far(grid, view, out), paper, &mut trial);
                // Of many tables, some other one may have the number.
                trial.findings.retain(|(_, finding)| !digits.contains(&plain(&finding.stated)));
                out.findings.append(&mut trial.findings);
                out.agreed.append(&mut trial.agreed);
            }
        }
    }
}

/// The numbers of all cells as they stand, where a paper has many tables.
fn digits(paper: &Paper<'_>) -> BTreeSet<String> {
    let tables = paper.tables.iter().filter(|_| paper.tables.len() > MOST);
    let cells = tables.filter_map(|view| view.grid.as_ref()).flat_map(|grid| grid.cells.iter().flatten());
    let numbers = cells.flat_map(|cell| cell.text.split([' ', '(', '/', '→', '–']));
    numbers.map(plain).filter(|digits| !digits.is_empty()).collect()
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect()
}

/// It has a number, or counts in words.
fn told(sentence: &Sentence<'_>) -> bool {
    !sentence.quantities.is_empty() || sentence.lower.contains(" than ")
}

/// The first table that a sentence is of decides, unless another one agrees.
fn held(
    views: &[&View<'_>],
    said: &Said<'_, '_>,
    rule: impl Fn(&Said<'_, '_>, &Grid, &View<'_>, &mut Out<'_>) -> bool,
    paper: &Paper<'_>,
    out: &mut Out<'_>,
) {
    let mut decided: Option<Out<'_>> = None;
    for view in views {
        let Some(grid) = view.grid.as_ref() else { continue };
        let mut trial = Out::new(paper.document);
        if !rule(said, grid, view, &mut trial) {
            continue;
        }
        if trial.findings.is_empty() {
            out.agreed.append(&mut trial.agreed);
            return;
        }
        decided.get_or_insert(trial);
    }
    if let Some(mut trial) = decided {
        out.findings.append(&mut trial.findings);
    }
}

/// Where a section has no table, as an abstract or a conclusion: all those of the paper, if they are few, or those with rows that it
/// calls by coined names.
fn far<'p, 'a>(paper: &'p Paper<'a>, paragraph: &Paragraph<'_>, called: &BTreeSet<usize>) -> Vec<&'p View<'a>> {
    let own = paper.tables.iter().any(|view| view.section == paragraph.section);
    let few = paper.tables.len() <= MOST;
    let fits = |view: &&View<'_>| view.table.rows.len() <= TOLD && view.grid.is_some();
    let mut tables: Vec<(usize, &View<'_>)> = paper.tables.iter().enumerate().collect();
    tables.retain(|(index, view)| !own && (few || called.contains(index)) && fits(view));
    tables.into_iter().map(|(_, view)| view).collect()
}

/// The tables that a paragraph may speak of: the last two above it in its section, and the next one below.
fn near<'p, 'a>(paper: &'p Paper<'a>, paragraph: &Paragraph<'_>) -> Vec<&'p View<'a>> {
    let fits =
        |view: &&View<'_>| view.section == paragraph.section && view.table.rows.len() <= TOLD && view.grid.is_some();
    let above =
        paper.tables[..paragraph.next_table].iter().rev().take_while(|view| view.section == paragraph.section).take(2);
    let mut below = paper.tables[paragraph.next_table..].iter().take_while(|view| view.section == paragraph.section);
    let next = below.next();
    // What stands before several tables of one kind sums them all up.
    let twins = next.is_some_and(|next| below.any(|view| view.table.header == next.table.header));
    above.chain(next.filter(|_| !twins)).filter(fits).collect()
}

/// Words of a part of the rows, of another study, or of what might be.
const PARTIAL: &str = "excluding|except|without|only|among|if|would|could|expected|target|goal|previous|previously|prior|theoretical|smaller|larger|some|most|many|other|others|first|last|few|typical|typically|when|older|certain|workloads|small|large|long|short|cold|warm|after|before|subsequent|following|shown|best|worst";

/// A sentence with what it claims.
struct Said<'s, 'a> {
    sentence: &'s Sentence<'a>,
    tokens: Vec<String>,
    pairs: Vec<Pair>,
    claims: Vec<Claim>,
    /// The words of its section's heading.
    heading: Vec<String>,
    /// There is one table that it can be of.
    alone: bool,
    /// The tables are in other sections.
    distant: bool,
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
        Said {
            sentence,
            tokens: tokens(sentence.text),
            pairs,
            claims,
            heading: Vec::new(),
            alone: false,
            distant: false,
        }
    }

    /// Holds what is said against a table. True if it was of it.
    fn of(&self, grid: &Grid, view: &View<'_>, out: &mut Out<'_>) -> bool {
        let named = self.named(grid);
        let decided = self.respectively(grid, view, &named, out)
            || self.several(grid, view, &named, out)
            || self.places(grid, view, &named, out)
            || self.counted(grid, view, &named, out)
            || self.lead(grid, view, &named, out)
            || self.span(grid, view, &named, out)
            || self.statistic(grid, view, &named, out)
            || self.bounded(grid, view, &named, out)
            || self.one_end(grid, view, &named, out)
            || self.range(grid, view, &named, out)
            || self.largest(grid, view, &named, out)
            || self.total(grid, view, &named, out)
            || self.part(grid, view, &named, out)
            || self.compared(grid, view, &named, out)
            || self.crossing(grid, view, &named, out)
            || self.pair_again(grid, view, &named, out)
            || self.cell_again(grid, view, &named, out)
            || self.cell_told(grid, view, &named, out)
            || self.labelled(grid, view, &named, out);
        // One number of a sentence may be right and another wrong.
        decided | (out.findings.is_empty() && self.of_rows(grid, view, &named, out))
    }

    /// The same of a table in another section: only what names its cells.
    fn far(&self, grid: &Grid, view: &View<'_>, out: &mut Out<'_>) -> bool {
        let named = self.named(grid);
        let told = !named.rows.is_empty() || !named.columns.is_empty() || !self.rows_told(grid, &named).is_empty();
        if !told || self.foreign(grid, view) {
            return false;
        }
        let decided = self.compared(grid, view, &named, out)
            || self.largest(grid, view, &named, out)
            || self.cell_again(grid, view, &named, out)
            || self.cell_told(grid, view, &named, out)
            || self.labelled(grid, view, &named, out);
        decided | (out.findings.is_empty() && self.of_rows(grid, view, &named, out))
    }

    /// What is of no table: what a written-out product gives, and how sure one is of another number (`90 % interval`, `95% CI`).
    fn worked(&self, quantity: &Quantity) -> bool {
        let after = self.sentence.lower.get(quantity.range.end..).unwrap_or("");
        let next = after.split(|c: char| !c.is_alphabetic()).find(|word| !word.is_empty()).unwrap_or("");
        if quantity.unit.dim == Dim::Percent && one_of("interval|intervals|confidence|ci|cis|credible", next) {
            return true;
        }
        let before = self.sentence.text.get(..quantity.range.start).unwrap_or("").trim_end();
        before.ends_with(['=', '≈']) && before.contains(['×', '*', '·'])
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

    /// The same, where the word is none of the table's own names.
    fn partial_of(&self, grid: &Grid) -> bool {
        let own = |word: &str| {
            grid.rows.iter().chain(&grid.columns).any(|name| tokens(&name.text).iter().any(|known| known == word))
        };
        list(PARTIAL).any(|word| self.tokens.iter().any(|token| token == word) && !own(word) && !self.compares_by(word))
    }

    /// "45 % smaller" is no smaller part.
    fn compares_by(&self, word: &str) -> bool {
        self.claims.iter().any(|claim| claim.word == word)
    }

    /// It speaks of another study, of what might be, or leaves something out.
    fn apart(&self) -> bool {
        self.has("excluding|except|without|if|would|could|expected|target|goal|previous|previously|prior|theoretical|older|cold|warm|some|most")
    }

    /// It speaks of some rows only, of another study, or of what might be.
    fn partial(&self) -> bool {
        list(PARTIAL).any(|word| self.tokens.iter().any(|token| token == word) && !self.compares_by(word))
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
