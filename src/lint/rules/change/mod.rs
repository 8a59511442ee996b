//! Changes that a sentence states as a percentage or a factor, against the pair of numbers that they are of.

mod claims;
mod held;
mod link;
mod listed;
mod ordered;
mod pairs;

pub use claims::{Claim, Kind, claims};
use held::{direction, held};
use listed::listed;
use ordered::ordered;
pub use pairs::{Pair, pairs};

use super::Paper;
use crate::lint::{report::Out, sentence::Sentence};

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    for (index, paragraph) in paper.paragraphs.iter().enumerate() {
        if paragraph.text.item && index >= 2 {
            listed([&paper.paragraphs[index - 2], &paper.paragraphs[index - 1], paragraph], out);
        }
        for (at, sentence) in paragraph.sentences.iter().enumerate() {
            let before: Vec<&Sentence<'_>> = paragraph.sentences[at.saturating_sub(2)..at].iter().collect();
            let after = paragraph.sentences.get(at + 1);
            if !sentence.quantities.is_empty() {
                let pairs = pairs(sentence);
                for pair in pairs.iter().filter(|pair| pair.verb != 0) {
                    direction(sentence, pair, out);
                }
                ordered(sentence, &pairs, out);
                for claim in claims(sentence, &pairs) {
                    held(sentence, &pairs, &claim, (&before, after), out);
                }
            }
        }
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !(c.is_alphanumeric() || "-'’".contains(c)))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}
