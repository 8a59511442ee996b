//! Runs with drafts held against those without: are texts the same (`draft.LEVEL.same_text`), and do they come faster
//! (`draft.LEVEL.faster`)? Who proposes: `draft.by_lookup`, `draft.by_model`.

use std::collections::BTreeMap;

use super::{
    Id, Predicate,
    rounding::significant,
    words::{counted, percentage},
};
use crate::{
    analysis::{Inference, RunMetrics, Summary, reference::Ratio},
    draft,
    factor::DRAFT,
    metric::Metric,
    study::Study,
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

/// Who proposes in this design, as a paper explains it.
pub(super) fn proposed_by(summary: &Summary) -> Vec<(Id, Predicate)> {
    let Some(place) = summary.grid.factor(DRAFT) else { return Vec::new() };
    let levels = summary.factors[place].levels.iter().filter(|level| level.key() != draft::NONE);
    let by_model: Vec<bool> = levels.map(|level| draft::is_free(&level.key())).collect();
    let said = |found: bool, word: &str, text: &str| {
        let test = "the levels of the factor draft";
        found.then(|| (Id::new(DRAFT).word(word), Predicate::said(Some(true), test, text.to_owned())))
    };
    let lookup = "By look-up they are what followed the last time that the end of the text, three tokens or else two, stood in prompt and answer.";
    let model = "By a model they are what it draws, one token after the other, by a past of its own and with the key that the place has for the model that checks; it reads the prompt in the first round, whose time that is.";
    [said(by_model.contains(&false), "by_lookup", lookup), said(by_model.contains(&true), "by_model", model)]
        .into_iter()
        .flatten()
        .collect()
}

/// Of each level with drafts: what it wins or loses, where the first level is without, and where the time of its rounds goes.
pub(super) fn faster(study: &Study, summary: &Summary, inference: &Inference) -> Vec<(Id, Predicate)> {
    let Some(place) = summary.grid.factor(DRAFT) else { return Vec::new() };
    let factor = &summary.factors[place];
    let ratios = inference.ratios.get(&(place, Metric::Decode)).into_iter().flatten();
    let without = ratios.filter(|found| factor.levels[found.reference].key() == draft::NONE);
    let judged = without.map(|found| {
        let level = &factor.levels[found.level];
        let own = summary.by(DRAFT).iter().find(|group| group.key == level.key());
        let mean = |metric: Metric| own.and_then(|group| group.metrics.get(&metric)).map(|stats| stats.mean);
        let rounds = mean(Metric::TokensARound).zip(mean(Metric::Drafting));
        (Id::new(DRAFT).level(&level.key()).word("faster"), pays(study, &factor.say(level), found, rounds))
    });
    judged.collect()
}

fn pays(study: &Study, level: &str, found: &Ratio, rounds: Option<(f64, f64)>) -> Predicate {
    let test = "two one-sided t tests on logarithms of paired ratios of decode rates against the margin; that it is exceeded by Holm over the levels";
    let margin = study.statistics.margin(Metric::Decode);
    let holds = match found.differs {
        Some(true) => Some(found.ratio > 1.0),
        Some(false) => Some(false),
        None => None,
    };
    let ratio = significant(found.ratio, 3);
    let interval = found.interval.map_or(String::new(), |(low, high)| {
        let confidence = percentage(2.0 * study.statistics.confidence - 1.0);
        format!(" ({confidence} % interval {} to {})", significant(low, 3), significant(high, 3))
    });
    let share = |share: f64| significant(100.0 * share, 2);
    let shown = match (found.differs, found.ratio > 1.0) {
        (Some(true), true) => format!("a gain of {} %", share(found.ratio - 1.0)),
        (Some(true), false) => format!("a loss of {} %", share(1.0 - found.ratio)),
        (Some(false), _) => format!("the same within {} %", percentage(margin)),
        (None, _) if found.interval.is_none() => {
            "from one pair alone, so nothing is shown of how far that holds".to_owned()
        }
        (None, _) => "neither a gain nor a loss is shown".to_owned(),
    };
    let text = format!("With {level} the decode rate is {ratio} times that without drafts{interval}: {shown}.");
    let spent = rounds.map_or(String::new(), |(tokens, drafting)| {
        format!(
            " A round gave {} tokens, and {} % of its time was spent proposing.",
            significant(tokens, 3),
            share(drafting)
        )
    });
    Predicate {
        statistic: Some(found.ratio),
        p: if found.differs == Some(false) { found.p } else { found.p_beyond },
        margin: Some(margin),
        ..Predicate::said(holds, test, text + &spent)
    }
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
    fn a_loss_is_told_as_one() {
        let study = crate::study::Study::from_file(std::path::Path::new("config/drafts.yaml")).unwrap();
        let said = |ratio: f64, differs: Option<bool>, interval: Option<(f64, f64)>| {
            let pairs = crate::analysis::reference::Pairs::Cells;
            let found =
                Ratio { level: 1, reference: 0, pairs, n: 4, ratio, interval, p: None, p_beyond: None, differs };
            let Predicate { holds, text, .. } = pays(&study, "look-up of 5 tokens", &found, Some((1.25, 0.5)));
            (holds, text)
        };
        let both = Some((0.5, 0.6));
        let (holds, text) = said(0.55, Some(true), both);
        assert_eq!(holds, Some(false));
        assert_eq!(
            text,
            "With look-up of 5 tokens the decode rate is 0.550 times that without drafts (90 % interval 0.500 to 0.600): a loss of 45 %. A round gave 1.25 tokens, and 50 % of its time was spent proposing."
        );
        assert!(
            said(1.5, Some(true), both).1.contains("a gain of 50 %") && said(1.5, Some(true), both).0 == Some(true)
        );
        assert!(
            said(1.01, Some(false), both).1.contains("the same within 2")
                && said(1.01, Some(false), both).0 == Some(false)
        );
        assert!(
            said(1.2, None, both).1.contains("neither a gain nor a loss")
                && said(1.2, None, None).1.contains("from one pair alone")
        );
        assert_eq!(said(1.2, None, both).0, None);
    }

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
