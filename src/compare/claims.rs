//! A comparison with the baseline -> claims and predicates, ids `baseline.…`. Each has the runs of both. Number `X` of a comparison is
//! `X.there` and `X.here`, and `X.change` from there to here with its interval.

use anyhow::Result;

use super::{Change, Compared, Comparison, Outputs, Pair, Scale, Sort, Told, Verdict, between};
use crate::{
    claims::{
        Claim, Claims, Id, Part, Predicate, Runs, Value, list,
        rounding::{Decimals, text},
        words::percentage,
    },
    factor::{Known, LENGTH},
    metric::Metric,
    store::Run,
};

const BASELINE: &str = "baseline";

/// Adds the claims of the comparison of a run with the baseline in its folder: of the first system of each, where they have several.
///
/// # Errors
/// As [`super::compare`].
pub fn baseline(claims: &mut Claims, run: &Run, baseline: &Run) -> Result<()> {
    let (there, here) = (Told::of(baseline, 0)?, Told::of(run, 0)?);
    let comparison = between(&[Pair { prefix: "", a: &there, b: &here }])?;
    let level = percentage(2.0 * comparison.confidence - 1.0);
    let mut found = Found { claims, there: &there, here: &here, level };
    found.records(&comparison);
    for compared in &comparison.claims {
        found.compared(compared);
    }
    found.lists(&comparison);
    found.predicates(&comparison);
    Ok(())
}

struct Found<'a> {
    claims: &'a mut Claims,
    there: &'a Told<'a>,
    here: &'a Told<'a>,
    /// Confidence of the intervals, per cent.
    level: String,
}

/// Whose runs a claim rests on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Neither,
    There,
    Here,
    Both,
}

impl Found<'_> {
    fn put(&mut self, id: &Id, claim: Claim, runs: [Runs; 2]) {
        let [baseline_runs, runs] = runs;
        let n = (runs.iter().count() + baseline_runs.iter().count()) as u32;
        self.claims.claims.insert(id.after(BASELINE), Claim { n, runs, baseline_runs, ..claim });
    }

    /// A text that no run made.
    fn fact(&mut self, id: &Id, value: &str, formula: &str) {
        let claim = Claim {
            value: Value::Text(value.to_owned()),
            text: value.to_owned(),
            ..Claim::of(formula, &Runs::default())
        };
        self.claims.claims.insert(id.after(BASELINE), claim);
    }

    fn count(&mut self, id: &str, n: u32, formula: &str, of: Of) {
        let runs = self.runs("", of);
        let claim =
            Claim { value: Value::Integer(n.into()), text: n.to_string(), ..Claim::of(formula, &Runs::default()) };
        self.put(&Id::new(id), claim, runs);
    }

    /// Those behind the claim `id` where it is one of a run's own, else all that ended well.
    fn runs(&self, id: &str, of: Of) -> [Runs; 2] {
        let behind = |told: &Told<'_>| {
            let all = || told.claims.claims.get("runs").map(|claim| claim.runs.clone()).unwrap_or_default();
            told.claims.claims.get(id).map_or_else(all, |claim| claim.runs.clone())
        };
        let some = |wanted: Of, told: &Told<'_>| {
            if of == wanted || of == Of::Both { behind(told) } else { Runs::default() }
        };
        [some(Of::There, self.there), some(Of::Here, self.here)]
    }

    /// What the other is, and how it was compared.
    fn records(&mut self, comparison: &Comparison) {
        self.fact(&"run_id".into(), &comparison.a.run_id, "name of the baseline's run folder");
        self.fact(&"sha256".into(), &comparison.a.sha256, "SHA-256 of the baseline's runs.jsonl");
        for (id, own) in [("date", "study.date"), ("backend", "machine.backend"), ("commit", "software.git_commit")] {
            let value = self.there.claims.claims.get(own).map(|claim| claim.text.clone()).unwrap_or_default();
            self.fact(&id.into(), &value, "the baseline's records");
        }
        self.count("runs", comparison.a.runs, "measured runs of the baseline that ended well", Of::There);
        let cells = "cells that both have, with at least two runs in each";
        self.count("cells", comparison.cells as u32, cells, Of::Neither);
        let outputs = comparison.outputs;
        let same = "runs of both with the same prompt, length, temperature and seed";
        self.count("outputs.compared", outputs.compared, same, Of::Both);
        self.count("outputs.equal", outputs.equal, &format!("{same} that generated the same text"), Of::Both);
        let margin = "smaller equivalence_margin of the two studies, per cent";
        self.fact(&"margin".into(), &percentage(comparison.margin), margin);
        let level = self.level.clone();
        self.fact(&"interval".into(), &level, "1 - 2 alpha, per cent, of the larger confidence of the two studies");
        self.fact(&"summary".into(), &comparison.summary, "counts of verdicts");
    }

    fn compared(&mut self, compared: &Compared) {
        let Compared { id, formula, unit, scale, a, b, change, verdict, .. } = compared;
        let number = |value: f64, unit: &str, text: String, formula: &str, rounding: &str| Claim {
            value: Value::Number(value),
            unit: unit.to_owned(),
            text,
            rounding: rounding.to_owned(),
            ..Claim::of(formula, &Runs::default())
        };
        for (side, name, of) in [(a, "there", Of::There), (b, "here", Of::Here)] {
            let whose = if of == Of::There { "the baseline" } else { "this run" };
            let rounding = if *scale == Scale::Ratio { "two digits of the standard error" } else { "one decimal" };
            let formula = format!("{formula}, in {whose}");
            let claim = number(side.value.unwrap_or_default(), unit, side.text.clone(), &formula, rounding);
            let value = side.value.map_or_else(|| Value::Text(side.text.clone()), Value::Number);
            self.put(&id.word(name), Claim { value, ..claim }, self.runs(id, of));
        }
        self.fact(&id.word("label"), &label(id), "name of the quantity, for people");
        self.fact(&id.word("unit"), if *unit == "1" { "" } else { unit }, "unit of the quantity");
        self.fact(&id.word("verdict"), verdict.name(), "the two one-sided tests on the runs of both");
        let Some(change) = change else { return };
        let how = match scale {
            Scale::Ratio => format!("{id}: this run / the baseline"),
            _ => format!("{id}: this run - the baseline, in points"),
        };
        let shown = |x: f64| if *scale == Scale::Ratio { 1.0 + x } else { 100.0 * x };
        let Change { value, low, high, .. } = *change;
        let decimals = decimals(shown(value), (shown(high) - shown(low)) / 2.0);
        let (scale_of, within) = match scale {
            Scale::Ratio => (" on logarithms", ""),
            _ if id.starts_with("variance.") => ("", " and the sum of squares within them"),
            _ => ("", ""),
        };
        let interval = format!(
            "end of the {} % t interval{scale_of} (delta method over cells' means{within}, Satterthwaite's degrees of freedom)",
            self.level
        );
        let ends = [
            ("change", value, String::new()),
            ("change.low", low, format!(", lower {interval}")),
            ("change.high", high, format!(", upper {interval}")),
        ];
        for (name, x, what) in ends {
            let unit = if *scale == Scale::Ratio { "1" } else { "points" };
            let rounding = "two digits of the interval's half width";
            let claim = number(shown(x), unit, text(shown(x), decimals), &format!("{how}{what}"), rounding);
            self.put(&id.word(name), claim, self.runs(id, Of::Both));
        }
    }

    /// What templates loop over.
    fn lists(&mut self, comparison: &Comparison) {
        let ids = |wanted: &dyn Fn(&Compared) -> bool| {
            let ids = comparison.claims.iter().filter(|claim| wanted(claim)).map(|claim| claim.id.to_string());
            ids.collect::<Vec<_>>().join(", ")
        };
        let absolute = ids(&|claim| claim.sort == Sort::Absolute && !is_long(&claim.id));
        let relative =
            ids(&|claim| claim.scale != Scale::Judgement && claim.sort == Sort::Relative && !is_long(&claim.id));
        let judgements = ids(&|claim| claim.scale == Scale::Judgement);
        self.fact(&"absolute".into(), &absolute, "ids of the seconds, rates and bytes that the paper compares");
        self.fact(&"relative".into(), &relative, "ids of the ratios and shares that the paper compares");
        self.fact(&"judgements".into(), &judgements, "ids of the judgements that at least one of the two settles");
    }

    fn predicates(&mut self, comparison: &Comparison) {
        let differences: Vec<String> = comparison
            .differences
            .iter()
            .map(|found| format!("{} ({} there, {} here)", found.what, short(&found.a), short(&found.b)))
            .collect();
        let same = differences.is_empty();
        let conditions = if same {
            "Nothing that was recorded of machine, software, model and plan differs between the two.".to_owned()
        } else {
            format!(
                "Of all that was recorded of machine, software, model and plan, the two differ in {}.",
                list(&differences)
            )
        };
        let (equal, outputs) = match comparison.outputs {
            Outputs { compared: 0, .. } => (None, "No run of one asks for what a run of the other does.".to_owned()),
            Outputs { compared, equal } => (
                Some(compared == equal),
                format!(
                    "Of {compared} runs with the same prompt, length, temperature and seed, {equal} generated the same text."
                ),
            ),
        };
        let all = [
            ("same_conditions", Predicate::said(Some(same), "environment.json and study.yaml of both", conditions)),
            ("same_outputs", Predicate::said(equal, "output_sha256 of both", outputs)),
            ("decode.differs", self.decode(comparison)),
        ];
        self.claims.predicates.extend(all.map(|(id, predicate)| (Id::new(id).after(BASELINE), predicate)));
    }

    /// The one number that a reader asks for first.
    fn decode(&self, comparison: &Comparison) -> Predicate {
        let test = "two one-sided tests on the logarithm of the ratio of mean decode rates";
        let margin = Some(comparison.margin);
        let found = comparison.claims.iter().find(|claim| &*claim.id == "decode.mean");
        let Some((compared, change)) = found.and_then(|claim| Some((claim, claim.change?))) else {
            return Predicate { margin, ..Predicate::said(None, test, "A decode rate is not known of both.") };
        };
        let of = |id: &str| {
            let id = compared.id.word(id).after(BASELINE);
            self.claims.claims.get(&id).map_or("", |claim| claim.text.as_str())
        };
        let (there, here, ratio, low, high) =
            (of("there"), of("here"), of("change"), of("change.low"), of("change.high"));
        let (percent, level) = (percentage(comparison.margin), percentage(2.0 * comparison.confidence - 1.0));
        let numbers = format!(
            "the mean decode rate is {here} tok/s, that of run {} with backend {} is {there} tok/s: a ratio of {ratio} ({level} % interval {low} to {high})",
            comparison.a.run_id,
            self.there.summary.seen.backends(None)
        );
        let (holds, judged) = match compared.verdict {
            Verdict::Different => (Some(true), format!("more than {percent} % apart")),
            Verdict::Equivalent => (Some(false), format!("the same within {percent} %")),
            Verdict::Inconclusive => {
                (None, format!("neither shown to be the same within {percent} % nor to differ by more"))
            }
        };
        let text = format!("On the same design, {numbers}, {judged}.");
        let (statistic, p) = (Some(1.0 + change.value), Some(change.p));
        Predicate { statistic, p, margin, ..Predicate::said(holds, test, text) }
    }
}

/// Shares of variance, and throughput by level, are in `claims.json` alone: the tables would be twice as long.
fn is_long(id: &Id) -> bool {
    let of_throughput = id.parts().contains(&Part::Metric(Metric::Throughput)) && id.parts().len() > 2;
    of_throughput || id.parts().first() == Some(&Part::Words("variance".to_owned()))
}

/// To two digits of the half width; no more than a reader can use where nothing scatters.
fn decimals(x: f64, half: f64) -> Decimals {
    let Decimals(decimals) = Decimals::of_mean(x, Some(half).filter(|half| *half > 0.0));
    Decimals(decimals.min(4))
}

/// A digest or a list of them is told by its beginning.
fn short(text: &str) -> String {
    let start: String = text.chars().take(60).collect();
    if start.len() < text.len() { format!("{start}…") } else { start }
}

/// `by_length.64.latency.mean` as people say it.
fn label(id: &Id) -> String {
    let level = |by: &str, key: &str| {
        let known = by.strip_prefix("by_").and_then(Known::named);
        match known {
            Some(known) if known.name == LENGTH => format!("{key} tokens"),
            Some(known) => format!("{} {key}", known.label),
            None => key.to_owned(),
        }
    };
    match id.parts() {
        [Part::Metric(metric), Part::Words(_)] => metric.about().label.to_owned(),
        [Part::Words(by), Part::Level(key), Part::Metric(metric), _] => {
            format!("{}, {}", metric.about().label, level(by, key))
        }
        [Part::Words(by), Part::Level(levels), Part::Metric(metric)] => match levels.split_once(':') {
            Some((key, first)) => format!("{}, {} / {}", metric.about().label, level(by, key), level(by, first)),
            None => id.to_string(),
        },
        [Part::Words(words), Part::Metric(metric), Part::Level(term)] if words == "variance" => {
            format!("{} {}", metric.name(), term.replace('_', " "))
        }
        _ => judgement(id),
    }
}

/// Judgements, and what is said of the fitted line.
fn judgement(id: &str) -> String {
    match id {
        "fit.latency.slope" => "latency, slope on tokens".to_owned(),
        "fit.latency.intercept.share" => "latency, share that no token costs".to_owned(),
        "latency.linear" => "latency is linear in tokens".to_owned(),
        "throughput.rises_with_length" => "throughput rises with length".to_owned(),
        "temperature.negligible" => "temperature is negligible".to_owned(),
        "prompt.negligible" => "the prompt is negligible".to_owned(),
        "replicates.stable" => "replicates are stable".to_owned(),
        other => other.replace(['.', '_'], " "),
    }
}
