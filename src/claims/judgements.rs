//! What the tests found -> predicates: may the paper say linear, negligible, stable? Each holds, fails, or is inconclusive,
//! and has the sentence that goes with that.

use std::collections::BTreeMap;

use super::{
    Predicate,
    inference::{decisive, levels, unit},
    rounding::{Decimals, p_value, significant, text},
};
use crate::{
    analysis::{Inference, Tests, line::Line, outliers::Mark, pairs::Equivalence},
    study::Study,
};

/// The metrics that a factor must leave alone to be called negligible.
const NEGLIGIBLE_FOR: [&str; 2] = ["latency", "throughput"];

/// Every judgement that rests on a test.
pub(super) fn of(study: &Study, inference: &Inference) -> BTreeMap<String, Predicate> {
    let mut found = BTreeMap::from([
        (
            "temperature.negligible".to_owned(),
            negligible(study, inference, (1, "temperature"), |tests| &tests.temperature),
        ),
        ("prompt.negligible".to_owned(), negligible(study, inference, (2, "prompt"), |tests| &tests.prompt)),
    ]);
    if let Some(latency) = inference.tests.get("latency") {
        found.insert("latency.linear".to_owned(), linear(study, latency));
        found.insert("replicates.stable".to_owned(), stable(study, latency));
        found.insert("drift.absent".to_owned(), no_drift(study, latency));
        found.insert("design.balanced".to_owned(), balanced(latency));
        found.insert("outliers.absent".to_owned(), no_outliers(latency));
    }
    if let Some(throughput) = inference.tests.get("throughput") {
        found.insert("throughput.rises_with_length".to_owned(), rises(study, throughput));
    }
    found
}

fn said(holds: Option<bool>, test: &str, text: String) -> Predicate {
    Predicate { holds, test: test.to_owned(), statistic: None, p: None, margin: None, text }
}

/// Per cent without idle zeros: `90`, `97.5`.
fn percentage(share: f64) -> String {
    significant(100.0 * share, 6).trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn percent_of(share: f64) -> String {
    format!("{} %", significant(100.0 * share, 2))
}

fn linear(study: &Study, latency: &Tests) -> Predicate {
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
            "Latency is compatible with a straight line in the number of tokens: the means at each length miss the line by {miss} at most, which is no more than the scatter of runs explains ({numbers}). {}",
            intercept(line)
        )
    } else {
        format!(
            "Latency is not a straight line in the number of tokens: the mean at some length misses the fitted line by {miss}, which is more than the scatter of runs explains ({numbers})."
        )
    };
    let statistic = lack.f.is_finite().then_some(lack.f);
    Predicate { statistic, p: Some(lack.p), ..said(Some(holds), test, text) }
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

fn rises(study: &Study, throughput: &Tests) -> Predicate {
    let test = "one-sided paired t test of each length against the one before it";
    let (rise, names) = (&throughput.rise, levels(study, 0));
    if rise.steps.is_empty() {
        return said(
            None,
            test,
            "The runs have one output length, so nothing is said of what length does to throughput.".to_owned(),
        );
    }
    let name = |level: usize| names.get(level).cloned().unwrap_or_default();
    let largest = rise
        .steps
        .iter()
        .filter_map(|step| step.p)
        .fold(None, |most: Option<f64>, p| Some(most.map_or(p, |m| m.max(p))));
    let differences: Vec<String> = rise
        .steps
        .iter()
        .map(|step| {
            format!(
                "from {} to {} tokens by {} tok/s",
                name(step.levels[0]),
                name(step.levels[1]),
                significant(step.difference, 2)
            )
        })
        .collect();
    let changes = super::list(&differences);
    let p = largest.map(|p| format!("; largest p {}", p_value(p))).unwrap_or_default();
    let text = match rise.verdict {
        Some(true) => format!(
            "Throughput rises with output length at every step: {changes} (paired by prompt and temperature{p})."
        ),
        Some(false) => format!(
            "Throughput does not rise with output length at every step; it changes {changes} (paired by prompt and temperature)."
        ),
        None => format!(
            "Whether throughput rises with output length at every step is not shown by these runs; it changes {changes} (paired by prompt and temperature{p})."
        ),
    };
    Predicate { p: largest, ..said(rise.verdict, test, text) }
}

fn negligible(
    study: &Study,
    inference: &Inference,
    (index, factor): (usize, &str),
    of: impl Fn(&Tests) -> &Equivalence,
) -> Predicate {
    let test = "two one-sided t tests of every pair of levels, paired over cells that agree in all else, for latency and throughput";
    let alpha = 1.0 - study.statistics.confidence;
    let names = levels(study, index);
    let margin = study.statistics.equivalence_margin;
    let mut verdicts = Vec::new();
    let (mut p, mut found) = (0f64, Vec::new());
    for metric in NEGLIGIBLE_FOR {
        let Some(tests) = inference.tests.get(metric) else { continue };
        let equivalence = of(tests);
        verdicts.push(equivalence.verdict);
        let Some(pair) = decisive(equivalence) else { continue };
        p = p.max(pair.p.unwrap_or(1.0));
        let [first, second] = pair.levels.map(|level| names.get(level).cloned().unwrap_or_default());
        let share = |x: f64| significant(100.0 * x / tests.variance.mean, 2);
        let interval = pair.interval.map_or(String::new(), |(low, high)| {
            format!(" ({} % interval {} to {} %)", percentage(1.0 - 2.0 * alpha), share(low), share(high))
        });
        found.push(format!(
            "{metric} at {second} differs from that at {first} by {} {}, {} % of the mean{interval}",
            text(pair.difference, Decimals::of_mean(pair.difference, pair.se)),
            unit(metric),
            share(pair.difference)
        ));
    }
    if found.is_empty() {
        return said(None, test, format!("The runs have one level of {factor}, so nothing is said of its effect."));
    }
    let holds = if verdicts.iter().all(|verdict| *verdict == Some(true)) {
        Some(true)
    } else if verdicts.contains(&Some(false)) {
        Some(false)
    } else {
        None
    };
    let (numbers, within) = (found.join("; "), percent_of(margin));
    let among = if names.len() > 2 { " For the pair of levels that decides:" } else { "" };
    let text = match holds {
        Some(true) => format!(
            "The effect of {factor} is negligible, in the sense that it is shown to lie within {within} of the mean.{among} {}.",
            sentence(&numbers)
        ),
        Some(false) => format!(
            "The effect of {factor} is not negligible: it is shown to exceed {within} of the mean.{among} {}.",
            sentence(&numbers)
        ),
        None => format!(
            "Whether the effect of {factor} is negligible is not settled: it is shown neither to lie within {within} of the mean nor to exceed that.{among} {}.",
            sentence(&numbers)
        ),
    };
    Predicate { p: Some(p), margin: Some(margin), ..said(holds, test, text) }
}

/// With a capital letter.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
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

fn balanced(latency: &Tests) -> Predicate {
    let holds = latency.variance.balanced;
    let text = if holds {
        "All cells have the same number of runs, so the sums of squares of the factors do not depend on their order."
    } else {
        "Cells differ in their number of runs. Sums of squares are therefore sequential, in the order length, temperature, prompt, then their interactions: each is what the term explains beyond those before it."
    };
    said(Some(holds), "every combination of the levels that occur has equally many runs", text.to_owned())
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
        format!(
            "Among {} runs, {mild} are marked as mild and {severe} as severe outliers of their cells; all are kept in every statistic.",
            outliers.marks.len()
        )
    };
    Predicate { statistic: Some((mild + severe) as f64), ..said(Some(mild + severe == 0), test, text) }
}
