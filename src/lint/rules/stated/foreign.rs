//! Conditions of a sentence that a table does not have: "with a warm cache", "pretrained on more data". What is said under one is
//! of other numbers than the table's.

use std::collections::BTreeSet;

use super::{
    Said,
    named::{stem, tokens},
};
use crate::lint::{grid::Grid, paper::View, unit::Dim, words::one_of};

/// Words that bring a condition.
const BRING: &str = "with|without|on|at|under|in|when|after|before|counting|using|if|for|once|during|beyond|through|via|pretrained|trained|fused|compiled|mit|ohne|bei|auf|unter|nach|vor|wenn|ab";
/// Words that end one.
const END: &str = "is|are|was|were|takes|take|took|needs|need|has|have|had|gives|runs|reaches|and|but|while|where|which|that|than|to|from|of|by|as|it|we|they|ist|sind|und|als|the";
/// What any table is about.
const GENERAL: &str = "all|every|each|any|average|mean|median|total|sum|table|tab|fig|figure|section|our|ours|same|both|these|this|those|their|its|the|a|an|two|three|four|five|six|seven|eight|nine|ten|benchmark|workload|test|program|dataset|query|system|model|paper|general|fact|addition|term|time|memory|throughput|latency|speed|performance|accuracy|comparison|contrast|baseline|competitor|other|case|cases|experiment|evaluation|result|whole|most|least|only|just|about|nearly|more|less|fewer|best|worst|run|runs|particular|return|exchange|place|machine|set|size|row|rows|column|columns|size|reads|writes|order|practice|top|bottom|favour|favor|effect|turn|left|right|average|comparison|almost|half|third|quarter|over|slightly|respectively|der|die|das|den|dem|allen|allem|tabelle|durchschnitt|mittel";

impl Said<'_, '_> {
    /// It gives a level, "at 1M", "beyond 500 rows", that the names of the table do not have.
    pub(super) fn levelled(&self, grid: &Grid, view: &View<'_>) -> bool {
        let names = grid.rows.iter().chain(&grid.columns).map(|name| name.text.as_str());
        let known: BTreeSet<String> = names.chain([view.table.caption.text.as_str()]).flat_map(tokens).collect();
        self.sentence.quantities.iter().any(|quantity| {
            let before = self.sentence.lower.get(..quantity.range.start).unwrap_or("").trim_end();
            let brought = before.rsplit(' ').next().is_some_and(|word| one_of("at|beyond|above|below|from|for", word));
            let own = tokens(self.sentence.text.get(quantity.number.range.clone()).unwrap_or(""));
            brought
                && matches!(quantity.unit.dim, Dim::None | Dim::Count(_))
                && !own.iter().any(|word| known.contains(word) || self.heading.contains(word))
        })
    }

    /// It names a condition that is neither in the table nor in its caption.
    pub(super) fn foreign(&self, grid: &Grid, view: &View<'_>) -> bool {
        let mut known: BTreeSet<String> = BTreeSet::new();
        let names = grid.rows.iter().chain(&grid.columns).map(|name| name.text.as_str());
        for text in names.chain([view.table.caption.text.as_str()]) {
            known.extend(tokens(text).iter().flat_map(|word| [root(word).to_owned(), stem(word).to_owned()]));
        }
        known.extend(self.heading.iter().cloned());
        // A comma ends a condition.
        let said: Vec<String> = tokens(&self.sentence.text.replace(',', " and "));
        let mut at = 0;
        while at < said.len() {
            if !one_of(BRING, &said[at]) {
                at += 1;
                continue;
            }
            let phrase = said[at + 1..]
                .iter()
                .take(6)
                .take_while(|word| !one_of(BRING, word) && (!one_of(END, word) || one_of("the|a|an|our|all", word)));
            let content: Vec<&String> = phrase.filter(|word| !one_of("the|a|an", word)).take(4).collect();
            let number = content.first().is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit()));
            let strange = |word: &&&String| {
                let root = root(word);
                word.chars().all(|c| c.is_alphabetic() || c == '-')
                    && !known.contains(root)
                    && !known.contains(stem(word))
                    && !known.iter().any(|name| {
                        name.len() >= 5
                            && (root.starts_with(name.as_str()) || root.len() >= 5 && name.starts_with(root))
                    })
                    && !one_of(GENERAL, word)
                    && !one_of(GENERAL, root)
            };
            // A number is a level, or an amount: what a rule compares.
            let own = content.iter().any(|word| known.contains(root(word)) || known.contains(stem(word)));
            if !number && !own && content.iter().any(|word| strange(&word)) {
                return true;
            }
            at += 1;
        }
        false
    }
}

/// In the singular.
pub(super) fn root(word: &str) -> &str {
    word.strip_suffix('s').filter(|root| root.len() > 2).unwrap_or(word)
}
