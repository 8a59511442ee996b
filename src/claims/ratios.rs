//! Levels set against the reference -> claims `vs.FACTOR.LEVEL.METRIC.ratio`, and the predicate of that id without its last part: is
//! the level shown to differ by more than the margin, shown to lie within it, or neither?

use std::collections::BTreeMap;

use super::{
    Id, Predicate, Runs,
    registry::{Number, Registry},
    rounding::{Decimals, p_value, significant, text},
    words::{percentage, sentence},
};
use crate::{
    analysis::{
        Inference, Summary,
        reference::{Pairs, Ratio},
        trend::Trend,
    },
    factor::{Factor, Role},
    metric::Metric,
    study::Study,
};

const ROUNDING: &str = "two digits of the interval's half width";

impl Registry {
    /// Puts the claims, and returns the predicates.
    pub(super) fn ratios(
        &mut self,
        study: &Study,
        summary: &Summary,
        inference: &Inference,
    ) -> BTreeMap<Id, Predicate> {
        let mut predicates = BTreeMap::new();
        // Every metric has the same pairs of levels.
        let mut of_levels: BTreeMap<[usize; 3], Runs> = BTreeMap::new();
        for ((place, metric), ratios) in &inference.ratios {
            let factor = &summary.factors[*place];
            for ratio in ratios {
                let id = vs(factor, ratio.level).metric(*metric);
                let levels = [*place, ratio.reference, ratio.level];
                let runs = of_levels.entry(levels).or_insert_with(|| runs_of(summary, levels)).clone();
                self.ratio(&id.word("ratio"), study, factor, *metric, ratio, &runs);
                self.text_of(
                    id.word("verdict"),
                    verdict(ratio.differs),
                    "the tests of the ratio against the study's margin",
                    &runs,
                );
                predicates.insert(id, differs(study, factor, *metric, ratio));
            }
        }
        for place in summary.varying() {
            let factor = &summary.factors[place];
            for metric in inference.tests.keys() {
                if let Some(trend) = inference.tests[metric].trends.get(&place) {
                    let id = Id::new(format!("fit.{}", factor.name)).metric(*metric);
                    predicates.insert(id, straight(study, factor, *metric, trend));
                }
            }
            predicates.insert(Id::new(format!("levels.{}.complete", factor.name)), complete(summary, place));
        }
        predicates
    }

    fn ratio(&mut self, id: &Id, study: &Study, factor: &Factor, metric: Metric, ratio: &Ratio, runs: &Runs) {
        let Ratio { n, ratio: value, interval, .. } = ratio;
        let [level, reference] = [ratio.level, ratio.reference].map(|level| factor.levels[level].key());
        let pairs = match ratio.pairs {
            Pairs::Cells => "pairs of cells that agree in all else, of their means",
            Pairs::Runs => "pairs of runs of one block",
        };
        let what = metric.about().formula;
        let of = format!("geometric mean of {what} at {} {level} / at {reference}, over {n} {pairs}", factor.name);
        let decimals = decimals(ratio);
        let number = |value: f64| Number { value, unit: "1", text: text(value, decimals), rounding: ROUNDING };
        self.number_of(id.clone(), number(*value), of.clone(), runs);
        if let Some((low, high)) = interval {
            let confidence = percentage(2.0 * study.statistics.confidence - 1.0);
            for (name, value, end) in [("low", low, "lower"), ("high", high, "upper")] {
                let formula = format!("{end} end of the {confidence} % t interval, on logarithms, for the {of}");
                self.number_of(id.word(name), number(*value), formula, runs);
            }
        }
    }
}

/// In a word.
pub(super) fn verdict(differs: Option<bool>) -> &'static str {
    match differs {
        Some(true) => "different",
        Some(false) => "the same",
        None => "not settled",
    }
}

fn vs(factor: &Factor, level: usize) -> Id {
    Id::new(format!("vs.{}", factor.name)).level(&factor.levels[level].key())
}

/// The runs of both levels.
fn runs_of(summary: &Summary, [place, first, second]: [usize; 3]) -> Runs {
    let of = summary.by[place].iter().filter(|group| group.level == first || group.level == second);
    let mut runs: Vec<u32> = of.flat_map(|group| group.runs.iter().copied()).collect();
    runs.sort_unstable();
    Runs::from(runs.as_slice())
}

/// To two digits of the half width; no more than a reader can use where nothing scatters.
fn decimals(ratio: &Ratio) -> Decimals {
    let half = ratio.interval.map(|(low, high)| (high - low) / 2.0).filter(|half| *half > 0.0);
    let Decimals(decimals) = Decimals::of_mean(ratio.ratio, half);
    Decimals(decimals.min(4))
}

fn differs(study: &Study, factor: &Factor, metric: Metric, found: &Ratio) -> Predicate {
    let test = "two one-sided t tests on logarithms of paired ratios against the margin; that it is exceeded by Holm over the levels";
    let statistics = &study.statistics;
    let margin = percentage(statistics.margin(metric));
    let decimals = decimals(found);
    let [level, reference] = [found.level, found.reference].map(|level| factor.say(&factor.levels[level]));
    let interval = found.interval.map_or(String::new(), |(low, high)| {
        let confidence = percentage(2.0 * statistics.confidence - 1.0);
        format!(" ({confidence} % interval {} to {})", text(low, decimals), text(high, decimals))
    });
    let shown = match found.differs {
        Some(true) => format!("a difference of more than {margin} %"),
        Some(false) => format!("the same within {margin} %"),
        None if found.interval.is_none() => "from one pair alone, so nothing is shown of how far that holds".to_owned(),
        None => format!("shown neither to be the same within {margin} % nor to differ by more"),
    };
    let text = sentence(&format!(
        "{} with {level} is {} times that with {reference}{interval}: {shown}.",
        metric.about().label,
        text(found.ratio, decimals)
    ));
    Predicate {
        statistic: Some(found.ratio),
        p: if found.differs == Some(false) { found.p } else { found.p_beyond },
        margin: Some(statistics.margin(metric)),
        ..Predicate::said(found.differs, test, text)
    }
}

/// Does a line describe what a numeric factor does?
fn straight(study: &Study, factor: &Factor, metric: Metric, trend: &Trend) -> Predicate {
    let test = "F test of lack of fit of a line in the factor, within whatever else varies";
    let label = metric.about().label;
    let decimals = Decimals::of_mean(trend.slope, Some(trend.se));
    let (low, high) = trend.interval;
    let slope = format!(
        "a least-squares line changes {label} by {} {} ({} % interval {} to {}) per unit of {}",
        text(trend.slope, decimals),
        metric.about().unit,
        percentage(study.statistics.confidence),
        text(low, decimals),
        text(high, decimals),
        factor.axis()
    );
    let Some(lack) = &trend.lack_of_fit else {
        return Predicate::said(None, test, sentence(&format!("{slope}; whether a line is enough cannot be tested.")));
    };
    let holds = lack.p >= 1.0 - study.statistics.confidence;
    let f = if lack.f.is_finite() { format!("F = {}, ", significant(lack.f, 3)) } else { String::new() };
    let numbers = format!("lack of fit: {f}p {}", p_value(lack.p));
    let text = if holds {
        format!("{slope}, and the levels are compatible with it ({numbers}).")
    } else {
        format!(
            "{slope}, which does not describe it: the levels miss the line by more than the rest scatters ({numbers})."
        )
    };
    Predicate {
        statistic: Some(lack.f).filter(|f| f.is_finite()),
        p: Some(lack.p),
        ..Predicate::said(Some(holds), test, sentence(&text))
    }
}

/// Has every level of a factor runs that ended well?
fn complete(summary: &Summary, place: usize) -> Predicate {
    let factor = &summary.factors[place];
    let has = |level: usize| summary.by[place].iter().any(|group| group.level == level);
    let missing: Vec<String> =
        (0..factor.levels.len()).filter(|level| !has(*level)).map(|level| factor.say(&factor.levels[level])).collect();
    let test = "every level of the factor has a run that ended well";
    if missing.is_empty() {
        return Predicate::said(Some(true), test, "Every level has runs that ended well.");
    }
    let compared = match summary.reference(place) {
        Some(level) if factor.role == Role::Compared && level > 0 => {
            format!(
                " What is compared is set against {}, the first level that has any.",
                factor.say(&factor.levels[level])
            )
        }
        _ => String::new(),
    };
    let text = format!("No run with {} ended well, so nothing is said of it.{compared}", super::list(&missing));
    Predicate::said(Some(false), test, text)
}
