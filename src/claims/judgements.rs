//! What the tests found -> predicates: may the paper say linear, negligible, stable? Each holds, fails, or is inconclusive,
//! and has the sentence that goes with that.

use std::collections::BTreeMap;

use super::{
    Id, Predicate,
    inference::decisive,
    rounding::{Decimals, p_value, significant, text},
    words::{list, percent_of, percentage, sentence},
};
use crate::{
    analysis::{Inference, Summary, Tests, line::Line, outliers::Mark},
    factor::{Factor, LENGTH, PROMPT, Role, TEMPERATURE},
    metric::Metric,
    study::Study,
};

/// The metrics that a factor must leave alone to be called negligible.
const NEGLIGIBLE_FOR: [Metric; 2] = [Metric::Latency, Metric::Throughput];

/// Every judgement that rests on a test.
pub(super) fn of(study: &Study, summary: &Summary, inference: &Inference) -> BTreeMap<Id, Predicate> {
    let mut found = BTreeMap::new();
    for (place, factor) in summary.factors.iter().enumerate() {
        if factor.role == Role::Crossed {
            found.insert(Id::new(format!("{}.negligible", factor.name)), negligible(study, inference, place, factor));
        }
        if let Some(throughput) = inference.tests.get(&Metric::Throughput).filter(|_| factor.is_amount()) {
            found.insert(Id::new(format!("throughput.rises_with_{}", factor.name)), rises(summary, place, throughput));
        }
    }
    if let Some(latency) = inference.tests.get(&Metric::Latency) {
        found.extend([
            ("latency.linear".into(), linear(study, summary, latency)),
            ("replicates.stable".into(), stable(study, latency)),
            ("drift.absent".into(), no_drift(study, latency)),
            ("design.balanced".into(), balanced(summary, latency)),
            ("outliers.absent".into(), no_outliers(latency)),
        ]);
    }
    found
}

fn said(holds: Option<bool>, test: &str, text: String) -> Predicate {
    Predicate::said(holds, test, text)
}

/// The factors that vary, in the order of the plan.
fn in_plan_order(summary: &Summary) -> Vec<usize> {
    let always = [PROMPT, LENGTH, TEMPERATURE];
    let mut places = summary.varying();
    places.sort_by_key(|place| {
        let name = &summary.factors[*place].name;
        always.iter().position(|known| known == name).unwrap_or(always.len() + place)
    });
    places
}

fn linear(study: &Study, summary: &Summary, latency: &Tests) -> Predicate {
    let fixed = summary.compared().into_iter().filter_map(|place| {
        let factor = &summary.factors[place];
        Some(factor.say(&factor.levels[summary.reference(place)?]))
    });
    let fixed: Vec<String> = fixed.collect();
    let at = if fixed.is_empty() { String::new() } else { format!("with {}, ", list(&fixed)) };
    let test = "F test of lack of fit of the least-squares line of latency on tokens";
    let unsettled = |why: &str| {
        said(None, test, format!("Whether latency is linear in the number of tokens cannot be tested: {why}."))
    };
    let Some(line) = &latency.line else {
        return unsettled("the runs have one length only, or are too few");
    };
    let Some(lack) = &line.lack_of_fit else {
        return unsettled("that needs at least three lengths, and runs that differ at one length");
    };
    let holds = lack.p >= 1.0 - study.statistics.confidence;
    let numbers = format!("lack of fit: F = {}, p {}", significant(lack.f, 3), p_value(lack.p));
    let numbers = if lack.f.is_finite() { numbers } else { format!("lack of fit: p {}", p_value(lack.p)) };
    let miss = format!(
        "{} s ({} of the mean)",
        significant(lack.farthest, 2),
        percent_of(lack.farthest / latency.variance.mean)
    );
    let text = if holds {
        format!(
            "{at}latency is compatible with a straight line in the number of tokens: the means at each length miss the line by {miss} at most, which is no more than the scatter of runs explains ({numbers}). {}",
            intercept(line)
        )
    } else {
        format!(
            "{at}latency is not a straight line in the number of tokens: the mean at some length misses the fitted line by {miss}, which is more than the scatter of runs explains ({numbers})."
        )
    };
    let statistic = lack.f.is_finite().then_some(lack.f);
    Predicate { statistic, p: Some(lack.p), ..said(Some(holds), test, sentence(&text)) }
}

/// What a line says of the part of latency that does not depend on length.
fn intercept(line: &Line) -> String {
    let (estimate, (low, high)) = (line.intercept.estimate, line.intercept.interval);
    let decimals = Decimals::of_mean(estimate, Some(line.intercept.se));
    let (at, low_at, high_at) = (text(estimate, decimals), text(low, decimals), text(high, decimals));
    if low > 0.0 {
        format!(
            "Its intercept, {at} s (interval {low_at} to {high_at} s), is the part that every answer costs whatever its length; because of it latency grows by less than the number of tokens does."
        )
    } else {
        format!("Its intercept, {at} s (interval {low_at} to {high_at} s), is not shown to be above zero.")
    }
}

fn rises(summary: &Summary, place: usize, throughput: &Tests) -> Predicate {
    let factor = &summary.factors[place];
    let test = format!("one-sided paired t test of each {} against the one before it", factor.name);
    let steps = throughput.rises.get(&place).map_or(&[][..], |rise| rise.steps.as_slice());
    let label = &factor.label;
    if steps.is_empty() {
        let text = format!("The runs have one {label}, so nothing is said of what it does to throughput.");
        return said(None, &test, text);
    }
    let key = |level: usize| factor.levels[level].key();
    let largest =
        steps.iter().filter_map(|step| step.p).fold(None, |most: Option<f64>, p| Some(most.map_or(p, |m| m.max(p))));
    let changes: Vec<String> = steps
        .iter()
        .map(|step| {
            let ([from, to], by) = (step.levels.map(key), significant(step.difference, 2));
            // `to 1 tokens` is nobody's English.
            let unit = if to == "1" { factor.unit.trim_end_matches('s') } else { &factor.unit };
            format!("from {from} to {to} {unit} by {by} tok/s")
        })
        .collect();
    let changes = list(&changes);
    let others = in_plan_order(summary).into_iter().filter(|other| *other != place);
    let others: Vec<String> = others.map(|other| summary.factors[other].label.clone()).collect();
    let paired = if others.is_empty() { "one cell a level".to_owned() } else { format!("paired by {}", list(&others)) };
    let p = largest.map(|p| format!("; largest p {}", p_value(p))).unwrap_or_default();
    let verdict = throughput.rises.get(&place).and_then(|rise| rise.verdict);
    let text = match verdict {
        Some(true) => format!("Throughput rises with {label} at every step: {changes} ({paired}{p})."),
        Some(false) => {
            format!("Throughput does not rise with {label} at every step; it changes {changes} ({paired}).")
        }
        None => format!(
            "Whether throughput rises with {label} at every step is not shown by these runs; it changes {changes} ({paired}{p})."
        ),
    };
    Predicate { p: largest, ..said(verdict, &test, text) }
}

fn negligible(study: &Study, inference: &Inference, place: usize, factor: &Factor) -> Predicate {
    let test = "two one-sided t tests of every pair of levels, paired over cells that agree in all else, for latency and throughput";
    let alpha = 1.0 - study.statistics.confidence;
    let margin = study.statistics.equivalence_margin;
    let mut verdicts = Vec::new();
    let (mut p, mut found) = (0f64, Vec::new());
    for metric in NEGLIGIBLE_FOR {
        let Some(tests) = inference.tests.get(&metric) else { continue };
        let Some(equivalence) = tests.equivalences.get(&place) else { continue };
        verdicts.push(equivalence.verdict);
        let Some(pair) = decisive(equivalence) else { continue };
        p = p.max(pair.p.unwrap_or(1.0));
        let [first, second] = pair.levels.map(|level| factor.levels[level].key());
        let share = |x: f64| significant(100.0 * x / tests.variance.mean, 2);
        let interval = pair.interval.map_or(String::new(), |(low, high)| {
            format!(" ({} % interval {} to {} %)", percentage(1.0 - 2.0 * alpha), share(low), share(high))
        });
        found.push(format!(
            "{} at {second} differs from that at {first} by {} {}, {} % of the mean{interval}",
            metric.about().label,
            text(pair.difference, Decimals::of_mean(pair.difference, pair.se)),
            metric.about().unit,
            share(pair.difference)
        ));
    }
    let name = &factor.label;
    if found.is_empty() {
        return said(None, test, format!("The runs have one level of {name}, so nothing is said of its effect."));
    }
    let holds = if verdicts.iter().all(|verdict| *verdict == Some(true)) {
        Some(true)
    } else if verdicts.contains(&Some(false)) {
        Some(false)
    } else {
        None
    };
    let (numbers, within) = (sentence(&found.join("; ")), percent_of(margin));
    let among = if factor.levels.len() > 2 { " For the pair of levels that decides:" } else { "" };
    let text = match holds {
        Some(true) => format!(
            "The effect of {name} is negligible, in the sense that it is shown to lie within {within} of the mean.{among} {numbers}."
        ),
        Some(false) => {
            format!(
                "The effect of {name} is not negligible: it is shown to exceed {within} of the mean.{among} {numbers}."
            )
        }
        None => format!(
            "Whether the effect of {name} is negligible is not settled: it is shown neither to lie within {within} of the mean nor to exceed that.{among} {numbers}."
        ),
    };
    Predicate { p: Some(p), margin: Some(margin), ..said(holds, test, text) }
}

fn stable(study: &Study, latency: &Tests) -> Predicate {
    let test = "one-sided chi-squared bounds of the coefficient of variation of latency within cells";
    let bound = study.statistics.stable_cv;
    let Some(within) = &latency.variance.within else {
        return said(None, test, "No cell has replicates, so nothing is said of how well runs repeat.".to_owned());
    };
    let holds = if within.cv_at_most < bound {
        Some(true)
    } else if within.cv_at_least > bound {
        Some(false)
    } else {
        None
    };
    let confidence = percent_of(study.statistics.confidence);
    let (cv, most, least) =
        (significant(within.cv, 2), significant(within.cv_at_most, 2), significant(within.cv_at_least, 2));
    let df = within.degrees;
    let text = match holds {
        Some(true) => format!(
            "Replicates are stable: within a cell latency has a coefficient of variation of {cv} ({df} degrees of freedom; at most {most} with {confidence} confidence), below the bound of {bound} that the study sets."
        ),
        Some(false) => format!(
            "Replicates are not stable: within a cell latency has a coefficient of variation of {cv} ({df} degrees of freedom; at least {least} with {confidence} confidence), above the bound of {bound} that the study sets."
        ),
        None => format!(
            "Whether replicates are stable is not settled: within a cell latency has a coefficient of variation of {cv} ({df} degrees of freedom), and the bound of {bound} that the study sets lies between what {confidence} confidence allows, {least} and {most}."
        ),
    };
    Predicate { statistic: Some(within.cv), margin: Some(bound), ..said(holds, test, text) }
}

fn no_drift(study: &Study, latency: &Tests) -> Predicate {
    let test = "t test of the slope of latency on the order of execution, within cells";
    let Some(drift) = &latency.drift else {
        return said(
            None,
            test,
            "Replicates are too few to tell whether latency drifts over the execution.".to_owned(),
        );
    };
    let alpha = 1.0 - study.statistics.confidence;
    let share = |slope: f64| slope * drift.span / latency.variance.mean;
    let (low, high) = (share(drift.narrow.0), share(drift.narrow.1));
    let margin = study.statistics.equivalence_margin;
    let inside = low.abs().max(high.abs()) < margin;
    let holds = match drift.p {
        Some(p) if p < alpha => Some(false),
        _ if inside => Some(true),
        _ => None,
    };
    let change = percent_of(share(drift.slope));
    let p = drift.p.map(|p| format!(" (p {})", p_value(p))).unwrap_or_default();
    let interval = format!(
        "{} % interval {} to {} %",
        percentage(1.0 - 2.0 * alpha),
        significant(100.0 * low, 2),
        significant(100.0 * high, 2)
    );
    let within = percent_of(margin);
    let text = match holds {
        Some(true) => format!(
            "Latency does not drift: from the first run to the last it changes by {change} of the mean{p}, and its {interval} lies within {within}."
        ),
        Some(false) if inside => format!(
            "Latency drifts, though by little: from the first run to the last it changes by {change} of the mean{p}; its {interval} lies within {within}."
        ),
        Some(false) => {
            format!("Latency drifts: from the first run to the last it changes by {change} of the mean{p}, {interval}.")
        }
        None => format!(
            "Whether latency drifts is not settled: from the first run to the last it changes by {change} of the mean{p}, but its {interval} reaches beyond {within}."
        ),
    };
    Predicate { statistic: Some(share(drift.slope)), p: drift.p, margin: Some(margin), ..said(holds, test, text) }
}

fn balanced(summary: &Summary, latency: &Tests) -> Predicate {
    let holds = latency.variance.balanced;
    let names = summary.varying().into_iter().map(|place| summary.factors[place].label.clone());
    // Length is called by its short name here, as in the table.
    let names: Vec<String> =
        names.map(|label| if label == "output length" { LENGTH.to_owned() } else { label }).collect();
    let cut = if latency.variance.cut {
        " Not every interaction is told apart: what those of more factors explain together is the source *higher*."
    } else {
        ""
    };
    let text = if holds {
        format!(
            "All cells have the same number of runs, so the sums of squares of the factors do not depend on their order.{cut}"
        )
    } else {
        format!(
            "Cells differ in their number of runs. Sums of squares are therefore sequential, in the order {}, then their interactions: each is what the term explains beyond those before it.{cut}",
            names.join(", ")
        )
    };
    said(Some(holds), "every combination of the levels that occur has equally many runs", text)
}

fn no_outliers(latency: &Tests) -> Predicate {
    let test =
        "Tukey's fences at 1.5 and 3 interquartile ranges around the deviations of latency from its cell's median";
    let Some(outliers) = &latency.outliers else {
        return said(None, test, "Replicates are too few to mark outliers.".to_owned());
    };
    let (mild, severe) = (outliers.count(Mark::Mild), outliers.count(Mark::Severe));
    let text = if mild + severe == 0 {
        "No run is marked as an outlier of its cell.".to_owned()
    } else {
        let are = if mild == 1 { "is" } else { "are" };
        format!(
            "Among {} runs, {mild} {are} marked as mild and {severe} as severe outliers of their cells; all are kept in every statistic.",
            outliers.marks.len()
        )
    };
    Predicate { statistic: Some((mild + severe) as f64), ..said(Some(mild + severe == 0), test, text) }
}
