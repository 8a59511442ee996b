//! Which rows and columns of a table a sentence names: all the words of a label stand in it, and no longer label has them.

use super::{Named, Said};
use crate::lint::{
    grid::Grid,
    words::{one_of, words as list},
};

pub(super) fn tokens(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !(c.is_alphanumeric() || "+#.".contains(c)))
        .map(|word| word.trim_matches('.').to_owned())
        .filter(|word| !word.is_empty())
        .collect()
}

/// Without units in brackets, and without a general word behind a telling one: `FxHash time`.
pub(super) fn label_words(label: &str) -> Vec<String> {
    let mut words = tokens(label.split(['(', '[', '<']).next().unwrap_or(label));
    // `+ caching`
    if words.len() > 1 {
        words.retain(|word| word.contains(char::is_alphanumeric));
    }
    while words.len() > 1
        && words.last().is_some_and(|last| one_of("time|times|speed|ms|us|ns|s|mb", last))
        && words[..words.len() - 1].iter().any(|word| !one_of(GENERIC, word))
    {
        words.pop();
    }
    words
}

/// The words stand there, in the singular or the plural.
pub(super) fn matches_at(tokens: &[String], at: usize, words: &[String]) -> bool {
    let same = |(a, b): (&String, &String)| {
        a == b
            || a.strip_suffix('s') == Some(b)
            || b.strip_suffix('s') == Some(a)
            || words.len() > 1 && a.len() > 5 && b.len() > 5 && stem(a) == stem(b)
    };
    tokens.get(at..at + words.len()).is_some_and(|window| window.iter().zip(words).all(same))
}

/// Words in brackets that are no name.
const PLAIN: &str = "seconds|second|minutes|hours|bytes|percent|lower|higher|better|lower is better|higher is better|mean|stddev|total|default|optional|cores|threads|tokens|words|lines";

/// Words that name nothing in particular.
pub(super) const GENERIC: &str = "time|speed|size|name|total|the|a|of|in|and|with|speedup|mean|average|median|min|max|ratio|n|value|values|type|test|result|results|count|rate|latency|throughput|memory|ms|s|mb|us|ns|x|change|difference|improvement|all|overall|method|model|benchmark|operation|performance|runtime|duration|no|yes|is|on|at|to";

/// What a word has in common with others of its stem: `parsing`, `parse`.
pub(super) fn stem(word: &str) -> &str {
    let end = |end: &&str| word.ends_with(end) && word.len() >= end.len() + 4 && !(*end == "s" && word.ends_with("ss"));
    list("ation|ion|ing|ed|es|s|e").find(end).map_or(word, |end| &word[..word.len() - end.len()])
}

impl Said<'_, '_> {
    /// Where another name of the label stands: `ours` by "our" and "we", `FIFO (baseline)` by "the baseline", `PostgreSQL` by
    /// "Postgres", `parse` by "parsing", `A (write-heavy)` by what is in its brackets.
    fn aliases(&self, label: &str) -> Vec<(usize, usize)> {
        let at = |fits: &dyn Fn(&str) -> bool| -> Vec<(usize, usize)> {
            self.tokens.iter().enumerate().filter(|(_, token)| fits(token)).map(|(at, _)| (1, at)).collect()
        };
        let all = tokens(label);
        let has = |word: &str| all.iter().any(|own| own == word);
        if has("ours") || has("our") || has("proposed") {
            return at(&|token| one_of("our|ours|we", token));
        }
        if has("baseline") || has("basline") {
            return at(&|token| one_of("baseline|baselines", token));
        }
        let inner = label.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(inner, _)| tokens(inner));
        if let Some(inner) = inner.filter(|inner| {
            inner.len() <= 4
                && inner.iter().any(|word| word.len() > 4 && !one_of(GENERIC, word) && !one_of(PLAIN, word))
        }) {
            let spots =
                (0..=self.tokens.len().saturating_sub(inner.len())).filter(|at| matches_at(&self.tokens, *at, &inner));
            let spots: Vec<(usize, usize)> = spots.map(|at| (inner.len(), at)).collect();
            if !spots.is_empty() {
                return spots;
            }
        }
        let [word] = label_words(label).try_into().unwrap_or([String::new()]);
        if word.len() < 4 || one_of(GENERIC, &word) || !word.chars().all(char::is_alphabetic) {
            return Vec::new();
        }
        let close = |token: &str| {
            token.len() >= 4 && stem(token) == stem(&word)
                || token.len() >= 6 && word.starts_with(token) && word.len() - token.len() <= 4
        };
        at(&close)
    }

    /// A label is named if all its words stand in the sentence in their order.
    fn names(&self, label: &str) -> bool {
        let words = label_words(label);
        let label = label.split(['(', '[']).next().unwrap_or(label).trim();
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
        for (row, index, name) in labels.filter(|(row, index, _)| !level(*row, *index)) {
            if self.names(&name.text) {
                let words = label_words(&name.text);
                found.extend(
                    (0..=self.tokens.len().saturating_sub(words.len()))
                        .filter(|at| matches_at(&self.tokens, *at, &words))
                        .map(|at| (words.len(), at, row, index)),
                );
            } else {
                found.extend(self.aliases(&name.text).into_iter().map(|(len, at)| (len, at, row, index)));
            }
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
