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
        Claims, Id,
        rounding::{Decimals, percent, text},
    },
    metric::Metric,
};

/// Metrics whose mean over all cells is compared.
const MEANS: [Metric; 8] = [
    Metric::Latency,
    Metric::Throughput,
    Metric::Decode,
    Metric::Prefill,
    Metric::Ttft,
    Metric::WarmLatency,
    Metric::Load,
    Metric::PeakMemory,
];

/// Metrics that are compared by level, too, and whose levels' ratios are.
const BY_LEVEL: [Metric; 2] = [Metric::Latency, Metric::Throughput];

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
    for metric in MEANS {
        let Some(samples) = design.samples(metric) else { continue };
        let formula = format!("mean of {} over the cells", metric.name());
        test.ratio(Sort::Absolute, Told::of(Id::root(), metric, formula), &samples, |sample| {
            design.mean(sample, None)
        })?;
    }
    for metric in BY_LEVEL {
        let Some(samples) = design.samples(metric) else { continue };
        for factor in 0..design.factors.len() {
            by_level(&mut test, design, factor, metric, &samples)?;
        }
        if metric == Metric::Latency {
            let fit = Id::new("fit").metric(metric);
            // Seconds a token are milliseconds a token to a reader, as in `claims.json`.
            let formula = "slope of the least-squares line of the cells' mean latency on tokens".to_owned();
            let told = Told { id: fit.word("slope"), formula, unit: "ms/tok", size: 1e-3 };
            test.ratio(Sort::Absolute, told, &samples, |sample| design.slope(sample))?;
            let formula =
                "intercept of the least-squares line of the cells' mean latency on tokens / mean latency".to_owned();
            let told = Told { id: fit.word("intercept.share"), formula, unit: "%", size: 0.01 };
            test.share(told, &samples, |sample| design.intercept_share(sample))?;
        }
        let terms: Vec<String> = design.shares(&samples[0]).into_iter().map(|(name, _)| name).collect();
        for term in terms {
            let source = term.replace('_', " x ");
            let formula = format!("sum of squares of {source} / total sum of squares of {}", metric.name());
            let id = Id::new("variance").metric(metric).level(&term);
            let told = Told { id, formula, unit: "%", size: 0.01 };
            let of = |sample: &Sample| {
                design.shares(sample).into_iter().find(|(name, _)| *name == term).map(|(_, share)| share)
            };
            test.share(told, &samples, of)?;
        }
    }
    Ok(test.found)
}

/// A metric's mean at each level of a factor, and its ratio to that at the first level.
fn by_level(test: &mut Test, design: &Design, factor: usize, metric: Metric, samples: &[Sample; 2]) -> Result<()> {
    let (name, levels) = (&design.factors[factor], &design.levels[factor]);
    if levels.len() < 2 {
        return Ok(());
    }
    for (index, level) in levels.iter().enumerate() {
        let formula = format!("mean of {} over the cells there", metric.name());
        let at = |sample: &Sample| design.mean(sample, Some((factor, index)));
        test.ratio(Sort::Absolute, Told::of(Id::by(name, level), metric, formula), samples, at)?;
        if index > 0 {
            let first = &levels[0];
            let formula = format!("mean {} at {level} / at {first}", metric.name());
            let id = Id::by(name, &format!("{level}:{first}")).metric(metric);
            let of = |sample: &Sample| at(sample)?.over(&design.mean(sample, Some((factor, 0)))?);
            test.ratio(Sort::Relative, Told { id, formula, unit: "1", size: 1.0 }, samples, of)?;
        }
    }
    Ok(())
}

/// How a number is told.
struct Told {
    id: Id,
    formula: String,
    unit: &'static str,
    /// Of the unit, in the number's own.
    size: f64,
}

impl Told {
    /// The mean of a metric, of all or of what `id` names.
    fn of(id: Id, metric: Metric, formula: String) -> Self {
        let about = metric.about();
        Told { id: id.metric(metric).word("mean"), formula, unit: about.told, size: about.size }
    }
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
pub(super) fn judgements(a: &Claims, b: &Claims) -> (Vec<Compared>, Vec<Id>) {
    let (mut found, mut unsettled) = (Vec::new(), Vec::new());
    let holds = |claims: &Claims| -> BTreeMap<&str, Option<bool>> {
        JUDGEMENTS.iter().filter_map(|id| Some((*id, claims.predicates.get(*id)?.holds))).collect()
    };
    let (first, second) = (holds(a), holds(b));
    for id in JUDGEMENTS {
        let (here, there) = (first.get(id).copied().flatten(), second.get(id).copied().flatten());
        let verdict = match (here, there) {
            (None, None) => {
                unsettled.push(id.into());
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
            id: id.into(),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdicts of claims with these p: of the tests against the margin, and that it is exceeded.
    fn verdicts(ps: &[(f64, f64)]) -> Vec<Verdict> {
        let side = || Side { value: Some(1.0), text: "1".to_owned() };
        let claim = |(p, p_beyond): (f64, f64)| Compared {
            id: "latency.mean".into(),
            sort: Sort::Absolute,
            scale: Scale::Ratio,
            formula: String::new(),
            unit: "s",
            a: side(),
            b: side(),
            change: Some(Change { value: 0.0, low: 0.0, high: 0.0, p, p_beyond }),
            verdict: Verdict::Inconclusive,
        };
        let mut claims: Vec<Compared> = ps.iter().copied().map(claim).collect();
        decide(&mut claims, 0.95, false);
        claims.into_iter().map(|claim| claim.verdict).collect()
    }

    /// 0.02 is below 0.05 and above 0.05 / 4: it settles a single claim, and none of four.
    #[test]
    fn of_several_claims_none_differs_by_one_of_many_chances() {
        use Verdict::{Different, Equivalent, Inconclusive};
        assert_eq!(verdicts(&[(1.0, 0.02)]), [Different]);
        let four = [(1.0, 0.02), (1.0, 0.012), (0.04, 1.0), (0.06, 0.5)];
        assert_eq!(verdicts(&four), [Inconclusive, Different, Equivalent, Inconclusive]);
    }
}
