//! Energy of the runs -> facts `energy.…` of how it was measured, rates `tokens_a_joule.pooled`, and the predicates that say what the numbers
//! are worth: `energy.resolved`, `energy.agrees`, `energy.complete`, `energy.unthrottled`. A study that measures none leaves no trace.

use super::{
    Id, Predicate, Runs,
    registry::{Number, Registry},
    rounding::{percent, significant},
    words::{counted, list, percentage},
};
use crate::{
    analysis::{Group, Summary, energy::Joules},
    energy::{Domain, MOST_ERROR},
    metric::Metric,
    study::{Energy, Study},
};

/// More runs than these are not named one by one.
const MOST_NAMED: usize = 8;

impl Registry {
    pub(super) fn energy(&mut self, study: &Study, summary: &Summary) {
        let Some(asked) = &study.energy else { return };
        let joules = &summary.seen.energy;
        self.measured(asked, joules);
        self.pooled(&Id::root(), "all runs", &summary.overall, joules);
        for place in summary.varying() {
            let factor = &summary.factors[place];
            for group in &summary.by[place] {
                self.pooled(
                    &Id::by(&factor.name, &group.key),
                    &format!("runs of this {}", factor.label),
                    group,
                    joules,
                );
            }
        }
        for cell in &summary.cells {
            self.pooled(&Id::by("cell", &cell.key), "runs of this cell", cell, joules);
        }
    }

    /// How it was measured.
    fn measured(&mut self, asked: &Energy, joules: &Joules) {
        let of_rows = "rows of energy.jsonl";
        // The sections are written for runs with windows: the ids exist where there is none.
        let domain = joules.source.as_ref().map(|(domain, _)| *domain).or(asked.domain);
        let source = joules.source.as_ref().map_or("no source", |(_, source)| source);
        self.fact("energy.domain", domain.map_or("none", Domain::name), of_rows);
        self.fact("energy.what", domain.map_or("nothing that was read", Domain::label), of_rows);
        self.fact("energy.source", source, of_rows);
        match asked.window_s {
            Some(window_s) => {
                let window = Number { value: window_s, unit: "s", text: window_s.to_string(), rounding: "exact" };
                self.number_of(
                    "energy.window".into(),
                    window,
                    "`energy.window_s` of the study".to_owned(),
                    &Runs::default(),
                );
            }
            None => self.fact("energy.around", "each run is its own window", "`energy` of the study has no `window_s`"),
        }
        let idle_s = Number { value: asked.idle_s, unit: "s", text: asked.idle_s.to_string(), rounding: "exact" };
        self.number_of(
            "energy.idle.seconds".into(),
            idle_s,
            "`energy.idle_s` of the study".to_owned(),
            &Runs::default(),
        );
        if let Some(period) = joules.period_s {
            let formula = "largest `period_s` of the study's own domain in energy.jsonl".to_owned();
            self.number("energy.period".into(), Number::rounded(period, "s", 2), formula);
        }
        if let Some(error) = joules.largest_error {
            let formula =
                "largest over cells of sqrt(sum of error^2) / n of its windows, with error = 0.41 period / window";
            self.number("energy.error".into(), Number::share(error), formula.to_owned());
        }
        let idle: Vec<f64> = joules.idle_w.values().copied().collect();
        if let Some(least) = idle.iter().copied().reduce(f64::min) {
            let most = idle.iter().copied().fold(least, f64::max);
            for (name, watts, which) in [("min", least, "smallest"), ("max", most, "largest")] {
                let formula = format!("{which} over blocks of `idle_w` of the study's own domain");
                self.number(Id::new(format!("energy.idle.{name}")), Number::rounded(watts, "W", 3), formula);
            }
        }
        let others: Vec<String> = joules.others.iter().map(|domain: &Domain| domain.name().to_owned()).collect();
        if !others.is_empty() {
            self.fact("energy.others", &list(&others), "further domains of which energy.jsonl has values");
        }
    }

    fn pooled(&mut self, id: &Id, which: &str, group: &Group, joules: &Joules) {
        let Some(rate) = joules.tokens_a_joule(&group.runs) else { return };
        let formula = format!("total tokens / total gross joules of the windows of {which}");
        let runs = Runs::from(group.runs.as_slice());
        self.number_of(id.word("tokens_a_joule.pooled"), Number::rounded(rate, "tok/J", 4), formula, &runs);
    }
}

/// What the numbers are worth.
pub(super) fn predicates(study: &Study, summary: &Summary) -> Vec<(Id, Predicate)> {
    if study.energy.is_none() {
        return Vec::new();
    }
    let joules = &summary.seen.energy;
    let mut found = vec![
        (Id::new("energy.complete"), complete(summary, joules)),
        (Id::new("energy.resolved"), resolved(summary, joules)),
        (Id::new("energy.unthrottled"), unthrottled(summary, joules)),
    ];
    if joules.checked > 0 {
        found.push((Id::new("energy.agrees"), agrees(joules)));
    }
    found
}

fn complete(summary: &Summary, joules: &Joules) -> Predicate {
    let test = "every run that ended well has a value of the study's own domain";
    let (all, there) = (summary.runs.len(), joules.used.len());
    let text = if there == all {
        format!("All {} have an energy.", counted(all, "run", "runs"))
    } else {
        let mut reasons: Vec<String> = joules.lacking.values().cloned().collect();
        reasons.sort();
        reasons.dedup();
        let more = reasons.len().saturating_sub(3);
        reasons.truncate(3);
        let more = if more > 0 { format!(" and {more} further reasons") } else { String::new() };
        let why = if reasons.is_empty() { "no window".to_owned() } else { reasons.join("; ") };
        format!(
            "{} of {} have no energy ({why}{more}): they are in no mean of it.",
            all - there,
            counted(all, "run", "runs")
        )
    };
    Predicate { statistic: Some((all - there) as f64), ..Predicate::said(Some(there == all), test, text) }
}

fn resolved(summary: &Summary, joules: &Joules) -> Predicate {
    let test =
        "sqrt(sum of error^2) / n over the windows of each cell, with error = 0.41 period / window, against 0.02";
    let most = percentage(MOST_ERROR);
    let cells = summary.cells.iter().filter(|cell| cell.runs.iter().any(|run| joules.refused.contains(run)));
    let refused: Vec<String> = cells.map(|cell| cell.key.clone()).collect();
    let (holds, text) = match (joules.used.is_empty(), refused.len()) {
        (true, _) => (None, "No window has an energy, so nothing is known of their length.".to_owned()),
        (_, 0) => {
            let error =
                joules.largest_error.map_or_else(String::new, |error| format!(", {} % at most", percent(error)));
            (
                Some(true),
                format!(
                    "Windows are long enough: what their ends leave uncertain of a cell's mean is less than {most} %{error}."
                ),
            )
        }
        (_, n) if n > MOST_NAMED => (
            Some(false),
            format!(
                "Windows of {n} cells are too short for the counter: what their ends leave uncertain of the mean is more than {most} %, so nothing is said of the energy of these cells, nor of any mean that they are in."
            ),
        ),
        _ => (
            Some(false),
            format!(
                "Windows of {} {} are too short for the counter: what their ends leave uncertain of the mean is more than {most} %, so nothing is said of the energy there, nor of any mean that this is in.",
                if refused.len() == 1 { "cell" } else { "cells" },
                list(&refused)
            ),
        ),
    };
    Predicate { statistic: joules.largest_error, margin: Some(MOST_ERROR), ..Predicate::said(holds, test, text) }
}

fn unthrottled(summary: &Summary, joules: &Joules) -> Predicate {
    let test = "no window in which the driver held clocks down for more than a hundredth of it, or the system said more than nominal pressure";
    let (all, throttled) = (summary.runs.len(), &joules.throttled);
    let text = if throttled.is_empty() {
        "Nothing says that the machine was held back in a window, by heat or by a limit of its power.".to_owned()
    } else {
        let runs: Vec<u32> = throttled.keys().copied().collect();
        let example = throttled.iter().next().map_or_else(String::new, |(run, why)| format!(" (run {run}: {why})"));
        format!(
            "In the windows of {} of {} the machine was held back{example}; they are marked, and kept in every statistic: runs {}.",
            throttled.len(),
            counted(all, "run", "runs"),
            Runs::from(runs.as_slice())
        )
    };
    Predicate { statistic: Some(throttled.len() as f64), ..Predicate::said(Some(throttled.is_empty()), test, text) }
}

fn agrees(joules: &Joules) -> Predicate {
    let test = "the counter's joules against the integral of power over the same window, within a tenth";
    let (checked, apart) = (joules.checked, joules.disagree.len());
    let text = if apart == 0 {
        format!(
            "In all {} the counter and the integral of sampled power agree within a tenth.",
            counted(checked as usize, "window", "windows")
        )
    } else {
        format!(
            "In {apart} of {} the counter and the integral of sampled power lie more than a tenth apart (runs {}).",
            counted(checked as usize, "window", "windows"),
            Runs::from(joules.disagree.as_slice())
        )
    };
    Predicate { statistic: Some(apart as f64), margin: Some(0.1), ..Predicate::said(Some(apart == 0), test, text) }
}

/// `fit.joules`: what one more token costs, apart from what every request does.
pub(super) fn marginal(inference: &crate::analysis::Inference) -> Option<(Id, Predicate)> {
    let line = inference.tests.get(&Metric::Joules)?.line.as_ref()?;
    let test = "t interval for the slope of the least-squares line of joules a request on tokens generated";
    let (slope, (low, high)) = (line.slope.estimate, line.slope.interval);
    let told = |joules: f64| significant(joules, 3);
    let confidence = format!("interval {} to {} J", told(low), told(high));
    let bent = line.lack_of_fit.as_ref().is_some_and(|lack| lack.p < 0.05);
    let shape = if bent { " The points do not lie on a line, so this is its mean over these lengths." } else { "" };
    let (start_low, start_high) = line.intercept.interval;
    let start = if start_low > 0.0 {
        format!(
            "a prompt and a start cost {} J (interval {} to {} J)",
            told(line.intercept.estimate),
            told(start_low),
            told(start_high)
        )
    } else {
        "what a prompt and a start cost is not shown to be above zero".to_owned()
    };
    let (holds, text) = if low > 0.0 {
        (Some(true), format!("One more generated token costs {} J ({confidence}); {start}.{shape}", told(slope)))
    } else {
        (None, format!("What one more generated token costs is not shown: {} J ({confidence}).", told(slope)))
    };
    Some((Id::new("energy.marginal"), Predicate { statistic: Some(slope), ..Predicate::said(holds, test, text) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_check_and_a_limit_say() {
        let mut joules = Joules { checked: 4, ..Joules::default() };
        assert!(agrees(&joules).text.starts_with("In all 4 windows the counter"));
        joules.disagree = vec![2];
        let apart = agrees(&joules);
        assert_eq!((apart.holds, apart.statistic), (Some(false), Some(1.0)));
        assert!(apart.text.starts_with("In 1 of 4 windows") && apart.text.ends_with("(runs 2)."), "{}", apart.text);
    }
}
