//! How well each model predicts the study's text -> claims `by_quantization.LEVEL.perplexity` and, against the reference,
//! `vs.quantization.LEVEL.perplexity.ratio`, `.kl`, `.same_top`, with the predicate that tells whether the perplexity is the same. Of a
//! study without that factor: `perplexity`. Several models: each behind `by_model.ID`.

use std::collections::BTreeMap;

use super::{
    Id, Predicate, Runs,
    ratios::verdict,
    registry::{FOUR, Number, Registry},
    rounding::{Decimals, p_value, percent, text},
    words::{percentage, sentence},
};
use crate::{
    analysis::{
        Summary,
        quality::{Against, Estimate, Quality},
    },
    factor::MODEL,
    packing::Recipe,
    quality::WINDOW,
    store::Run,
    study::Study,
};

const ROUNDING: &str = "two digits of the interval's half width";

impl Registry {
    /// Puts the claims, and returns the predicates.
    pub(super) fn quality(&mut self, run: &Run, summary: &Summary) -> BTreeMap<Id, Predicate> {
        let mut predicates = BTreeMap::new();
        let study = &run.study;
        let Some(asked) = &study.quality else { return predicates };
        let text = run.environment.text.as_ref();
        // Of the hub, with the commit that it was.
        let name = text.filter(|text| text.licence.is_some()).map_or(&asked.text, |text| &text.source);
        self.fact("quality.text", name, "text in the study");
        if let Some(text) = text {
            self.fact("quality.sha256", &text.sha256, "SHA-256 of the text as it was predicted");
            if let Some(licence) = &text.licence {
                self.fact("quality.licence", licence, "what the card of the text's data set says");
            }
        }
        self.count("quality.windows", asked.windows.into(), "windows in the study");
        self.count("quality.window", WINDOW as u64, "tokens of a window");
        for quality in &summary.quality {
            let model = if summary.by(MODEL).len() > 1 { Id::by(MODEL, &quality.model) } else { Id::root() };
            let level = quality.quantization.as_deref();
            let of = level.map_or_else(|| model.clone(), |level| model.word("by_quantization").level(level));
            let measured = &quality.measured;
            self.count("quality.positions", measured.positions.into(), "predictions that count, of one model");
            let what = format!(
                "exp of the mean of `nll` over the {} positions of {} windows in quality.jsonl{}",
                measured.positions,
                measured.windows,
                level.map_or_else(String::new, |level| format!(", quantization {level}"))
            );
            // Of this very text it is exact: the interval says what other texts of its kind may give.
            let perplexity = measured.perplexity;
            let decimals = Decimals::significant(perplexity.value, 4).unwrap_or(Decimals(0));
            self.estimate(&of.word("perplexity"), ["ci.low", "ci.high"], perplexity, ("1", decimals, FOUR), &what);
            if let (Some(against), Some(level), Some(base)) = (&measured.against, level, &quality.base) {
                let id = model.word("vs.quantization").level(level);
                self.against(&id, against, level, base);
                predicates.insert(id.word("perplexity"), same(study, quality, against, base));
            }
        }
        predicates
    }

    fn against(&mut self, id: &Id, against: &Against, level: &str, base: &str) {
        let of = |what: &str| format!("{what} of quantization {level} against {base}, in quality.jsonl");
        let word = |word: &str| id.word(word);
        let ratio = of("exp of the mean difference of `nll`, paired by window,");
        let printed = |unit, found: Estimate| (unit, decimals(found), ROUNDING);
        let shown = printed("1", against.ratio);
        self.estimate(&word("perplexity.ratio"), ["low", "high"], against.ratio, shown, &ratio);
        let tests = "two one-sided t tests over windows against the study's margin; Holm over the levels";
        self.fact(word("perplexity.verdict"), verdict(against.differs), tests);
        let shown = printed("nat", against.kl);
        self.estimate(&word("kl"), ["ci.low", "ci.high"], against.kl, shown, &of("mean of `kl`"));
        let p99 = Number::rounded(against.kl_p99, "nat", 3);
        self.number_of(word("kl.p99"), p99, of("99th percentile of `kl`"), &Runs::default());
        self.share(&word("same_top"), against.same_top, &of("share of ones in `same_top`"));
    }

    /// A value with the ends of its interval.
    fn estimate(
        &mut self,
        id: &Id,
        ends: [&str; 2],
        found: Estimate,
        (unit, decimals, rounding): (&str, Decimals, &str),
        of: &str,
    ) {
        let number = |value: f64| Number { value, unit, text: text(value, decimals), rounding };
        self.number_of(id.clone(), number(found.value), of.to_owned(), &Runs::default());
        if let Some((low, high)) = found.interval {
            for (end, which, value) in [(ends[0], "lower", low), (ends[1], "upper", high)] {
                let formula = format!("{which} end of the t interval over windows of the {of}");
                self.number_of(id.word(end), number(value), formula, &Runs::default());
            }
        }
    }

    fn share(&mut self, id: &Id, found: Estimate, of: &str) {
        self.number_of(id.clone(), Number::share(found.value), of.to_owned(), &Runs::default());
        if let Some((low, high)) = found.interval {
            // A t interval may reach beyond what a share can be.
            for (end, which, value) in [("ci.low", "lower", low.max(0.0)), ("ci.high", "upper", high.min(1.0))] {
                let formula = format!("{which} end of the t interval over windows of the {of}");
                self.number_of(id.word(end), Number::share(value), formula, &Runs::default());
            }
        }
    }
}

/// To two digits of the half width, but no more than six of the value.
fn decimals(Estimate { value, interval }: Estimate) -> Decimals {
    let half = interval.map(|(low, high)| (high - low) / 2.0).filter(|half| *half > 0.0);
    let Decimals(by_half) = Decimals::of_mean(value, half);
    let most = Decimals::significant(value, 6).map_or(by_half, |Decimals(most)| most);
    Decimals(by_half.min(most))
}

/// Is the perplexity the reference's, within the margin?
fn same(study: &Study, quality: &Quality, against: &Against, base: &str) -> Predicate {
    let test = "two one-sided t tests over windows on the logarithm of the ratio against the margin; that it is exceeded by Holm over the levels";
    let margin = percentage(study.statistics.equivalence_margin);
    let words = |level: &str| level.parse::<Recipe>().map_or_else(|_| level.to_owned(), Recipe::words);
    let decimals = decimals(against.ratio);
    let interval = against.ratio.interval.map_or_else(String::new, |(low, high)| {
        let confidence = percentage(2.0 * study.statistics.confidence - 1.0);
        format!(" ({confidence} % interval {} to {})", text(low, decimals), text(high, decimals))
    });
    let shown = match against.differs {
        Some(true) => format!("a difference of more than {margin} %"),
        Some(false) => format!("the same within {margin} %"),
        None => format!("shown neither to be the same within {margin} % nor to differ by more"),
    };
    let p = if against.differs == Some(false) { against.p } else { against.p_beyond };
    let said = p.map_or_else(String::new, |p| format!(", p {}", p_value(p)));
    let text = sentence(&format!(
        "perplexity with {} is {} times that with {}{interval}: {shown}{said}; in {} % of positions both find the same token likeliest.",
        words(quality.quantization.as_deref().unwrap_or_default()),
        text(against.ratio.value, decimals),
        words(base),
        percent(against.same_top.value)
    ));
    Predicate {
        statistic: Some(against.ratio.value),
        p,
        margin: Some(study.statistics.equivalence_margin),
        ..Predicate::said(against.differs, test, text)
    }
}
