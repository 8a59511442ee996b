//! Which claims are compared, and how each comes out. Ids are those of `claims.json` where the number stands there.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{Change, Compared, Scale, Side, Sort, Verdict, quantities::Design};
use crate::{
    analysis::{
        contrast::{Sample, contrast},
        dual::Dual,
    },
    claims::{
        Claims,
        rounding::{Decimals, percent, text},
    },
};

/// Metrics whose mean over all cells is compared, with the unit in which it is told and that unit's size.
const MEANS: [(&str, &str, f64); 8] = [
    ("latency", "s", 1.0),
    ("throughput", "tok/s", 1.0),
    ("decode", "tok/s", 1.0),
    ("prefill", "tok/s", 1.0),
    ("ttft", "s", 1.0),
    ("warm_latency", "s", 1.0),
    ("load", "s", 1.0),
    ("peak_memory", "MiB", 1_048_576.0),
];

/// Metrics that are compared by level, too, and whose levels' ratios are.
const BY_LEVEL: [(&str, &str); 2] = [("latency", "s"), ("throughput", "tok/s")];

/// As claim ids name the levels of a factor.
const FACTORS: [&str; 3] = ["by_length", "by_temperature", "by_prompt"];

/// Judgements about the system that was measured; those about how an execution went are not another execution's affair.
const JUDGEMENTS: [&str; 5] = [
    "latency.linear",
    "throughput.rises_with_length",
    "temperature.negligible",
    "prompt.negligible",
    "replicates.stable",
];

/// Every number that both executions have, tested; verdicts are not yet given.
pub(super) fn all(design: &Design, margin: f64, confidence: f64) -> Result<Vec<Compared>> {
    let mut test = Test { margin, confidence, found: Vec::new() };
    for (metric, unit, size) in MEANS {
        let Some(samples) = design.samples(metric) else { continue };
        let formula = format!("mean of {metric} over the cells");
        let told = Told { id: format!("{metric}.mean"), formula, unit, size };
        test.ratio(Sort::Absolute, told, &samples, |sample| design.mean(sample, None))?;
    }
    for (metric, unit) in BY_LEVEL {
        let Some(samples) = design.samples(metric) else { continue };
        for (factor, name) in FACTORS.iter().enumerate() {
            by_level(&mut test, design, (factor, name), (metric, unit), &samples)?;
        }
        if metric == "latency" {
            // Seconds a token are milliseconds a token to a reader, as in `claims.json`.
            let formula = "slope of the least-squares line of latency on tokens".to_owned();
            let told = Told { id: "fit.latency.slope".to_owned(), formula, unit: "ms/tok", size: 1e-3 };
            test.ratio(Sort::Absolute, told, &samples, |sample| design.slope(sample))?;
            let formula = "intercept of the least-squares line of latency on tokens / mean latency".to_owned();
            let told = Told { id: "fit.latency.intercept.share".to_owned(), formula, unit: "%", size: 0.01 };
            test.share(told, &samples, |sample| design.intercept_share(sample))?;
        }
        let terms: Vec<String> = design.shares(&samples[0]).into_iter().map(|(name, _)| name).collect();
        for term in terms {
            let formula = format!("sum of squares of {} / total sum of squares of {metric}", term.replace('_', " x "));
            let told = Told { id: format!("variance.{metric}.{term}"), formula, unit: "%", size: 0.01 };
            let of = |sample: &Sample| {
                design.shares(sample).into_iter().find(|(name, _)| *name == term).map(|(_, share)| share)
            };
            test.share(told, &samples, of)?;
        }
    }
    Ok(test.found)
}

/// A metric's mean at each level of a factor, and its ratio to that at the first level.
fn by_level(
    test: &mut Test,
    design: &Design,
    (factor, name): (usize, &str),
    (metric, unit): (&str, &'static str),
    samples: &[Sample; 2],
) -> Result<()> {
    let levels = &design.levels[factor];
    if levels.len() < 2 {
        return Ok(());
    }
    for (index, level) in levels.iter().enumerate() {
        let (id, formula) = (format!("{name}.{level}.{metric}.mean"), format!("mean of {metric} over the cells there"));
        let at = |sample: &Sample| design.mean(sample, Some((factor, index)));
        test.ratio(Sort::Absolute, Told { id, formula, unit, size: 1.0 }, samples, at)?;
        if index > 0 {
            let first = &levels[0];
            let (id, formula) =
                (format!("{name}.{level}:{first}.{metric}"), format!("mean {metric} at {level} / at {first}"));
            let of = |sample: &Sample| at(sample)?.over(&design.mean(sample, Some((factor, 0)))?);
            test.ratio(Sort::Relative, Told { id, formula, unit: "1", size: 1.0 }, samples, of)?;
        }
    }
    Ok(())
}

/// How a number is told.
struct Told {
    id: String,
    formula: String,
    unit: &'static str,
    /// Of the unit, in the number's own.
    size: f64,
}

struct Test {
    margin: f64,
    confidence: f64,
    found: Vec<Compared>,
}

impl Test {
    /// Two positive numbers, by their ratio. One that is not positive (loading, in a session that loads once) is left out.
    #[expect(clippy::disallowed_methods, reason = "the margin of a test, whose results are compared to a tolerance")]
    fn ratio(
        &mut self,
        sort: Sort,
        told: Told,
        samples: &[Sample; 2],
        of: impl Fn(&Sample) -> Option<Dual>,
    ) -> Result<()> {
        let [Some(a), Some(b)] = samples.each_ref().map(&of) else { return Ok(()) };
        let (Some(log_a), Some(log_b)) = (a.ln(), b.ln()) else { return Ok(()) };
        self.put(sort, Scale::Ratio, told, samples, [&a, &b], [&log_a, &log_b], self.margin.ln_1p())
    }

    /// Two shares of a whole, by their difference.
    fn share(&mut self, told: Told, samples: &[Sample; 2], of: impl Fn(&Sample) -> Option<Dual>) -> Result<()> {
        let [Some(a), Some(b)] = samples.each_ref().map(&of) else { return Ok(()) };
        self.put(Sort::Relative, Scale::Share, told, samples, [&a, &b], [&a, &b], self.margin)
    }

    #[expect(clippy::too_many_arguments, reason = "two calls, above")]
    fn put(
        &mut self,
        sort: Sort,
        scale: Scale,
        told: Told,
        samples: &[Sample; 2],
        shown: [&Dual; 2],
        tested: [&Dual; 2],
        margin: f64,
    ) -> Result<()> {
        let contrast = contrast((&samples[0], tested[0]), (&samples[1], tested[1]), margin, self.confidence)?;
        let Told { id, formula, unit, size } = told;
        let side = |index: usize| {
            let (value, se) = (shown[index].value / size, samples[index].se(shown[index]) / size);
            let text = match scale {
                Scale::Share => percent(shown[index].value),
                _ => text(value, Decimals::of_mean(value, Some(se))),
            };
            Side { value: Some(value), text }
        };
        let change = Some(Change::of(&contrast, scale));
        let verdict = Verdict::Inconclusive;
        self.found.push(Compared { id, sort, scale, formula, unit, a: side(0), b: side(1), change, verdict });
        Ok(())
    }
}

/// Gives each tested claim its verdict. All must pass for two executions to be equivalent, so passing needs no correction;
/// that some claim differs is any of many chances, so it does (Bonferroni).
pub(super) fn decide(claims: &mut [Compared], confidence: f64, same_records: bool) {
    let alpha = 1.0 - confidence;
    let share = alpha / claims.len().max(1) as f64;
    for claim in claims {
        let Some(change) = &claim.change else { continue };
        claim.verdict = if same_records || change.p < alpha {
            Verdict::Equivalent
        } else if change.p_beyond < share {
            Verdict::Different
        } else {
            Verdict::Inconclusive
        };
    }
}

/// Judgements that at least one of two settles, and the ids of the others.
pub(super) fn judgements(a: &Claims, b: &Claims) -> (Vec<Compared>, Vec<String>) {
    let (mut found, mut unsettled) = (Vec::new(), Vec::new());
    let holds = |claims: &Claims| -> BTreeMap<&str, Option<bool>> {
        JUDGEMENTS.iter().filter_map(|id| Some((*id, claims.predicates.get(*id)?.holds))).collect()
    };
    let (first, second) = (holds(a), holds(b));
    for id in JUDGEMENTS {
        let (here, there) = (first.get(id).copied().flatten(), second.get(id).copied().flatten());
        let verdict = match (here, there) {
            (None, None) => {
                unsettled.push(id.to_owned());
                continue;
            }
            (Some(here), Some(there)) if here == there => Verdict::Equivalent,
            (Some(_), Some(_)) => Verdict::Different,
            _ => Verdict::Inconclusive,
        };
        let side = |holds: Option<bool>| {
            let text = match holds {
                Some(true) => "holds",
                Some(false) => "does not hold",
                None => "is not settled",
            };
            Side { value: None, text: text.to_owned() }
        };
        let test = a.predicates.get(id).or(b.predicates.get(id)).map_or("", |predicate| predicate.test.as_str());
        found.push(Compared {
            id: id.to_owned(),
            sort: Sort::Relative,
            scale: Scale::Judgement,
            formula: test.to_owned(),
            unit: "",
            a: side(here),
            b: side(there),
            change: None,
            verdict,
        });
    }
    (found, unsettled)
}
