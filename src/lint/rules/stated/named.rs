//! Which rows and columns of a table a sentence names: all the words of a label stand in it, and no longer label has them.

use super::{Named, Said};
use crate::lint::{grid::Grid, words::one_of};

pub(super) fn tokens(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !(c.is_alphanumeric() || "+#.".contains(c)))
        .map(|word| word.trim_matches('.').to_owned())
        .filter(|word| !word.is_empty())
        .collect()
}

pub(super) fn label_words(label: &str) -> Vec<String> {
    tokens(label.split(['(', '[']).next().unwrap_or(label))
}

/// The words stand there, in the singular or the plural.
pub(super) fn matches_at(tokens: &[String], at: usize, words: &[String]) -> bool {
    let same = |(a, b): (&String, &String)| a == b || a.strip_suffix('s') == Some(b) || b.strip_suffix('s') == Some(a);
    tokens.get(at..at + words.len()).is_some_and(|window| window.iter().zip(words).all(same))
}

/// Words that name nothing in particular.
const GENERIC: &str = "time|speed|size|name|total|the|a|of|in|and|with|speedup|mean|average|median|min|max|ratio|n|value|values|type|test|result|results|count|rate|latency|throughput|memory|ms|s|mb|us|ns|x|change|difference|improvement|all|overall|method|model|benchmark|operation|performance|runtime|duration|no|yes|is|on|at|to";

impl Said<'_, '_> {
    /// A label is named if all its words stand in the sentence in their order.
    fn names(&self, label: &str) -> bool {
        let words = label_words(label);
        let telling = label.chars().count() == 1 && self.capital(label)
            || words.iter().any(|word| {
                !one_of(GENERIC, word)
                    && (word.len() > 1
                        || word.chars().all(char::is_alphabetic) && label.len() == 1 && self.capital(label))
            });
        telling
            && !words.is_empty()
            && words.len() <= 6
            && (0..=self.tokens.len().saturating_sub(words.len())).any(|at| matches_at(&self.tokens, at, &words))
    }

    /// A system called `A` is no article.
    fn capital(&self, label: &str) -> bool {
        label.chars().all(char::is_uppercase)
            && self.sentence.text.split(|c: char| !c.is_alphanumeric()).any(|word| word == label)
            && (label != "A"
                || !self.sentence.text.trim_start().starts_with("A ")
                || self.tokens.iter().any(|token| token == "b"))
    }

    pub(super) fn named(&self, grid: &Grid) -> Named {
        let labels = grid
            .rows
            .iter()
            .enumerate()
            .map(|(index, name)| (true, index, name))
            .chain(grid.columns.iter().enumerate().map(|(index, name)| (false, index, name)));
        let mut found: Vec<(usize, usize, bool, usize)> = Vec::new();
        let level = |row: bool, index: usize| !row && index == 0 && grid.levels;
        for (row, index, name) in labels.filter(|(row, index, name)| !level(*row, *index) && self.names(&name.text)) {
            let words = label_words(&name.text);
            found.extend(
                (0..=self.tokens.len().saturating_sub(words.len()))
                    .filter(|at| matches_at(&self.tokens, *at, &words))
                    .map(|at| (words.len(), at, row, index)),
            );
        }
        // A longer name takes its words: `grep` is not meant where `grep -r` stands.
        found.sort_by(|a, b| b.0.cmp(&a.0).then(a.cmp(b)));
        let mut taken: Vec<Option<usize>> = vec![None; self.tokens.len()];
        let mut named = Named { rows: Vec::new(), columns: Vec::new() };
        for (len, at, row, index) in found {
            if taken[at..at + len].iter().any(|of| of.is_some_and(|of| of > len)) {
                continue;
            }
            taken[at..at + len].fill(Some(len));
            let list = if row { &mut named.rows } else { &mut named.columns };
            if !list.contains(&index) {
                list.push(index);
            }
        }
        named.rows.sort_unstable();
        named.columns.sort_unstable();
        named
    }
}
