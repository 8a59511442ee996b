//! Runs with drafts held against those without: the predicate `draft.LEVEL.same_text`. Times are for the ratios to say.

use std::collections::BTreeMap;

use super::{Id, Predicate, words::counted};
use crate::{
    analysis::{RunMetrics, Summary},
    draft,
    factor::DRAFT,
};

/// Of each level with drafts: is every text the one that there is without them, at the same seed?
pub(super) fn same_text(summary: &Summary) -> Vec<(Id, Predicate)> {
    let Some(place) = summary.grid.factor(DRAFT) else { return Vec::new() };
    let factor = &summary.factors[place];
    let Some(without) = factor.levels.iter().position(|level| level.key() == draft::NONE) else { return Vec::new() };
    let at = |level: usize| -> BTreeMap<(Vec<usize>, u32), &RunMetrics> {
        let runs = summary.runs.iter().filter(|run| summary.grid.cells[run.cell][place] == level);
        runs.map(|run| ((summary.grid.others(run.cell, place), run.repeat), run)).collect()
    };
    let plain = at(without);
    let others = (0..factor.levels.len()).filter(|level| *level != without);
    let judged = others.map(|level| {
        let digest = |run: &RunMetrics| summary.seen.texts.get(&run.run);
        let drafted = at(level);
        let pairs = drafted.iter().filter_map(|(key, run)| Some((digest(run)?, digest(plain.get(key)?)?)));
        let pairs: Vec<bool> = pairs.map(|(drafted, plain)| drafted == plain).collect();
        let id = Id::new(DRAFT).level(&factor.levels[level].key()).word("same_text");
        (id, predicate(&factor.say(&factor.levels[level]), &pairs))
    });
    judged.collect()
}

fn predicate(level: &str, same: &[bool]) -> Predicate {
    let test = "SHA-256 of the generated ids, by cell and replicate, against the level without drafts";
    let others = same.iter().filter(|same| !**same).count();
    let texts = counted(same.len(), "text", "texts");
    let (holds, text) = match (same.len(), others) {
        (0, _) => (None, format!("No text with {level} has one without drafts beside it.")),
        (_, 0) => (
            Some(true),
            format!("With {level} each of {texts} is, token by token, the one without drafts at the same seed."),
        ),
        _ => (
            Some(false),
            format!(
                "With {level} {others} of {texts} differ from those without drafts at the same seed: a step of several positions rounds otherwise than steps of one, and where two tokens are nearly as likely that decides."
            ),
        ),
    };
    Predicate::said(holds, test, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_other_text_is_enough() {
        let holds = |same: &[bool]| predicate("look-up of 5 tokens", same);
        assert_eq!(holds(&[]).holds, None);
        assert_eq!(holds(&[true, true]).holds, Some(true));
        assert!(holds(&[true]).text.starts_with("With look-up of 5 tokens each of 1 text is, token by token"));
        assert!(holds(&[true, false, true]).text.starts_with("With look-up of 5 tokens 1 of 3 texts differ"));
        assert_eq!(holds(&[true, false]).holds, Some(false));
    }
}
