//! A comparison -> claims and predicates: ids `baseline.…`, or `system.NAME.…` of a further system of the study. Each has the runs of
//! both. Number `X` of a comparison is `X.there` and `X.here`, and `X.change` from there to here with its interval.

use super::{Change, Compared, Comparison, Scale, Sort, Told, Verdict, words};
use crate::claims::{
    Claim, Claims, Predicate, Runs, Value, list,
    rounding::{Decimals, text},
};

/// A text that no run made.
fn fact(text: &str, formula: &str) -> Claim {
    Claim {
        value: Value::Text(text.to_owned()),
        unit: String::new(),
        text: text.to_owned(),
        formula: formula.to_owned(),
        rounding: "exact".to_owned(),
        n: 0,
        runs: Runs::default(),
        baseline_runs: Runs::default(),
    }
}

const NAME: &str = "what tells this system from the study's others";
const OWN: &str = "what tells the paper's system from them";

/// What stands beside the run.
#[derive(Debug)]
pub(super) enum Whose {
    /// Another execution.
    Baseline,
    /// Another system of the same execution; what the study tells it and the paper's own by.
    System { name: String, own: String },
}

impl Whose {
    /// A claim's or predicate's id.
    fn id(&self, id: &str) -> String {
        match self {
            Whose::Baseline => format!("baseline.{id}"),
            Whose::System { name, .. } => format!("system.{name}.{id}"),
        }
    }
}

/// Puts the claims and predicates of a comparison; `there` is the other, `here` the run.
pub(super) fn put(claims: &mut Claims, whose: &Whose, comparison: &Comparison, there: &Told<'_>, here: &Told<'_>) {
    let mut found = Found { claims, whose, there, here };
    found.records(comparison);
    for compared in &comparison.claims {
        found.compared(compared);
    }
    found.lists(comparison);
    found.predicates(comparison);
}

/// Puts the names of a further system and why it is not compared.
pub(super) fn put_reason(claims: &mut Claims, whose: &Whose, reason: &str) {
    let Whose::System { name, own } = whose else { return };
    let facts = [("name", NAME, name.as_str()), ("own", OWN, own), ("not_compared", "the system's rows", reason)];
    claims.claims.extend(facts.map(|(id, formula, text)| (whose.id(id), fact(text, formula))));
}

struct Found<'a> {
    claims: &'a mut Claims,
    whose: &'a Whose,
    there: &'a Told<'a>,
    here: &'a Told<'a>,
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
    #[expect(clippy::too_many_arguments, reason = "the fields of a claim")]
    fn put(
        &mut self,
        id: &str,
        value: Value,
        unit: &str,
        text: String,
        formula: &str,
        rounding: &str,
        runs: [Runs; 2],
    ) {
        let [there, here] = runs;
        let n = (here.iter().count() + there.iter().count()) as u32;
        // Runs of another execution have that one's numbers.
        let (baseline_runs, runs) = match self.whose {
            Whose::Baseline => (there, here),
            Whose::System { .. } => (Runs::default(), here.and(&there)),
        };
        let (unit, formula, rounding) = (unit.to_owned(), formula.to_owned(), rounding.to_owned());
        let claim = Claim { value, unit, text, formula, rounding, n, runs, baseline_runs };
        self.claims.claims.insert(self.whose.id(id), claim);
    }

    fn fact(&mut self, id: &str, value: &str, formula: &str) {
        self.claims.claims.insert(self.whose.id(id), fact(value, formula));
    }

    fn count(&mut self, id: &str, n: u32, formula: &str, of: Of) {
        let runs = self.runs("", of);
        self.put(id, Value::Integer(n.into()), "", n.to_string(), formula, "exact", runs);
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
        let (said, whose) = match &self.whose {
            Whose::Baseline => ("the baseline's records", "of the baseline"),
            Whose::System { .. } => ("the system's records", "of this system"),
        };
        if let Whose::System { name, own } = &self.whose {
            let (name, own) = (name.clone(), own.clone());
            self.fact("name", &name, NAME);
            self.fact("own", &own, OWN);
            let libraries = &self.there.run.environment.libraries;
            let computed_by = match self.there.summary.seen.engine.as_str() {
                "mlx" => libraries.get("kernels"),
                "llama-cpp" => libraries.get("llama-cpp"),
                _ => None,
            };
            let computed_by = computed_by.map_or("not known", String::as_str).to_owned();
            self.fact("computed_by", &computed_by, "the engine's kernels and threads, in environment.json");
            let planned = self.there.summary.planned;
            self.count("planned", planned, "measured runs of this system in the plan", Of::Neither);
        } else {
            self.fact("run_id", &comparison.a.run_id, "name of the baseline's run folder");
            self.fact("sha256", &comparison.a.sha256, "SHA-256 of the baseline's runs.jsonl");
        }
        for (id, own) in [("date", "study.date"), ("backend", "machine.backend"), ("commit", "software.git_commit")] {
            let value = self.there.claims.claims.get(own).map(|claim| claim.text.clone()).unwrap_or_default();
            self.fact(id, &value, said);
        }
        self.count("runs", comparison.a.runs, &format!("measured runs {whose} that ended well"), Of::There);
        self.count(
            "cells",
            comparison.cells as u32,
            "cells that both have, with at least two runs in each",
            Of::Neither,
        );
        let outputs = comparison.outputs;
        let same = "runs of both with the same prompt, length, temperature and seed";
        self.count("outputs.compared", outputs.compared, same, Of::Both);
        self.count("outputs.equal", outputs.equal, &format!("{same} that generated the same text"), Of::Both);
        self.fact(
            "margin",
            &words::percent(comparison.margin),
            "smaller equivalence_margin of the two studies, per cent",
        );
        let level = words::percent(2.0 * comparison.confidence - 1.0);
        self.fact("interval", &level, "1 - 2 alpha, per cent, of the larger confidence of the two studies");
        let summary = match &self.whose {
            Whose::Baseline => comparison.summary.clone(),
            Whose::System { name, own } => words::summary(comparison, [name, own]),
        };
        self.fact("summary", &summary, "counts of verdicts");
    }

    /// The other, and this, in formulas.
    fn other(&self) -> &'static str {
        match self.whose {
            Whose::Baseline => "the baseline",
            Whose::System { .. } => "this system",
        }
    }

    fn own(&self) -> &'static str {
        match self.whose {
            Whose::Baseline => "this run",
            Whose::System { .. } => "the paper's system",
        }
    }

    fn compared(&mut self, compared: &Compared) {
        let Compared { id, formula, unit, scale, a, b, change, verdict, .. } = compared;
        for (side, name, of) in [(a, "there", Of::There), (b, "here", Of::Here)] {
            let value = side.value.map_or_else(|| Value::Text(side.text.clone()), Value::Number);
            let whose = if of == Of::There { self.other() } else { self.own() };
            let rounding = if *scale == Scale::Ratio { "two digits of the standard error" } else { "one decimal" };
            let runs = self.runs(id, of);
            let (at, formula) = (format!("{id}.{name}"), format!("{formula}, in {whose}"));
            self.put(&at, value, unit, side.text.clone(), &formula, rounding, runs);
        }
        self.fact(&format!("{id}.label"), &label(id), "name of the quantity, for people");
        self.fact(&format!("{id}.unit"), if *unit == "1" { "" } else { unit }, "unit of the quantity");
        self.fact(&format!("{id}.verdict"), verdict.name(), "the two one-sided tests on the runs of both");
        let Some(change) = change else { return };
        let how = match scale {
            Scale::Ratio => format!("{id}: {} / {}", self.own(), self.other()),
            _ => format!("{id}: {} - {}, in points", self.own(), self.other()),
        };
        let shown = |x: f64| if *scale == Scale::Ratio { 1.0 + x } else { 100.0 * x };
        let Change { value, low, high, .. } = *change;
        let decimals = decimals(shown(value), (shown(high) - shown(low)) / 2.0);
        for (name, x, what) in [("", value, ""), (".low", low, ", lower end"), (".high", high, ", upper end")] {
            let runs = self.runs(id, Of::Both);
            let unit = if *scale == Scale::Ratio { "1" } else { "points" };
            let (id, formula) = (format!("{id}.change{name}"), format!("{how}{what}"));
            let rounding = "two digits of the interval's half width";
            self.put(&id, Value::Number(shown(x)), unit, text(shown(x), decimals), &formula, rounding, runs);
        }
    }

    /// What templates loop over.
    fn lists(&mut self, comparison: &Comparison) {
        let ids = |wanted: &dyn Fn(&Compared) -> bool| {
            let ids = comparison.claims.iter().filter(|claim| wanted(claim)).map(|claim| claim.id.clone());
            ids.collect::<Vec<_>>().join(", ")
        };
        let long = |id: &str| id.starts_with("variance.") || id.contains(".throughput");
        let absolute = ids(&|claim| claim.sort == Sort::Absolute && !long(&claim.id));
        let relative =
            ids(&|claim| claim.scale != Scale::Judgement && claim.sort == Sort::Relative && !long(&claim.id));
        self.fact("absolute", &absolute, "ids of the seconds, rates and bytes that the paper compares");
        self.fact("relative", &relative, "ids of the ratios and shares that the paper compares");
        let judgements = ids(&|claim| claim.scale == Scale::Judgement);
        self.fact("judgements", &judgements, "ids of the judgements that at least one of the two settles");
    }

    fn predicates(&mut self, comparison: &Comparison) {
        let said = |test: &str, holds: Option<bool>, text: String| Predicate {
            holds,
            test: test.to_owned(),
            statistic: None,
            p: None,
            margin: None,
            text,
        };
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
        let outputs = comparison.outputs;
        let (equal, text) = match outputs {
            super::Outputs { compared: 0, .. } => {
                (None, "No run of one asks for what a run of the other does.".to_owned())
            }
            super::Outputs { compared, equal } => (
                Some(compared == equal),
                format!(
                    "Of {compared} runs with the same prompt, length, temperature and seed, {equal} generated the same text."
                ),
            ),
        };
        let all = [
            ("same_conditions", said("environment.json and study.yaml of both", Some(same), conditions)),
            ("same_outputs", said("output_sha256 of both", equal, text)),
            ("decode.differs", self.decode(comparison)),
        ]
        .map(|(id, predicate)| (self.whose.id(id), predicate));
        self.claims.predicates.extend(all);
    }

    /// The one number that a reader asks for first.
    fn decode(&self, comparison: &Comparison) -> Predicate {
        let test = "two one-sided tests on the logarithm of the ratio of mean decode rates".to_owned();
        let margin = Some(comparison.margin);
        let found = comparison.claims.iter().find(|claim| claim.id == "decode.mean");
        let Some((compared, change)) = found.and_then(|claim| Some((claim, claim.change?))) else {
            let text = "A decode rate is not known of both.".to_owned();
            return Predicate { holds: None, test, statistic: None, p: None, margin, text };
        };
        let of = |id: &str| {
            self.claims.claims.get(&self.whose.id(&format!("decode.mean.{id}"))).map_or("", |claim| &claim.text)
        };
        let (there, here, ratio, low, high) =
            (of("there"), of("here"), of("change"), of("change.low"), of("change.high"));
        let (percent, level) = (words::percent(comparison.margin), words::percent(2.0 * comparison.confidence - 1.0));
        let called = match &self.whose {
            Whose::Baseline => format!("run {}", comparison.a.run_id),
            Whose::System { name, .. } => name.clone(),
        };
        let numbers = format!(
            "the mean decode rate is {here} tok/s, that of {called} with backend {} is {there} tok/s: a ratio of {ratio} ({level} % interval {low} to {high})",
            self.there.summary.seen.backend
        );
        let (holds, judged) = match compared.verdict {
            Verdict::Different => (Some(true), format!("more than {percent} % apart")),
            Verdict::Equivalent => (Some(false), format!("the same within {percent} %")),
            Verdict::Inconclusive => {
                (None, format!("neither shown to be the same within {percent} % nor to differ by more"))
            }
        };
        let text = format!("On the same design, {numbers}, {judged}.");
        Predicate { holds, test, statistic: Some(1.0 + change.value), p: Some(change.p), margin, text }
    }
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
fn label(id: &str) -> String {
    let metric = |name: &str| {
        match name {
            "latency" => "latency",
            "throughput" => "throughput",
            "decode" => "decode rate",
            "prefill" => "prefill rate",
            "ttft" => "time to first token",
            "warm_latency" => "warm latency",
            "load" => "load",
            "peak_memory" => "peak memory",
            other => other,
        }
        .to_owned()
    };
    let at = |factor: &str, level: &str| match factor {
        "by_length" => format!("{level} tokens"),
        "by_temperature" => format!("temperature {level}"),
        _ => format!("prompt {level}"),
    };
    if let Some((factor @ ("by_length" | "by_temperature" | "by_prompt"), rest)) = id.split_once('.') {
        if let Some((level, name)) = rest.strip_suffix(".mean").and_then(|rest| rest.rsplit_once('.')) {
            return format!("{}, {}", metric(name), at(factor, level));
        }
        if let Some((levels, name)) = rest.rsplit_once('.')
            && let Some((level, first)) = levels.split_once(':')
        {
            return format!("{}, {} / {}", metric(name), at(factor, level), at(factor, first));
        }
    }
    match id {
        "fit.latency.slope" => "latency, slope on tokens".to_owned(),
        "fit.latency.intercept.share" => "latency, share that no token costs".to_owned(),
        "latency.linear" => "latency is linear in tokens".to_owned(),
        "throughput.rises_with_length" => "throughput rises with length".to_owned(),
        "temperature.negligible" => "temperature is negligible".to_owned(),
        "prompt.negligible" => "the prompt is negligible".to_owned(),
        "replicates.stable" => "replicates are stable".to_owned(),
        other => match other.strip_suffix(".mean") {
            Some(name) => metric(name),
            None => other.strip_prefix("variance.").unwrap_or(other).replace(['.', '_'], " "),
        },
    }
}
