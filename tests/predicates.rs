//! Every predicate with every verdict that it can give, from rows made for it; and the claims of a committed run, so that no number
//! or sentence changes unseen.
#![allow(clippy::unwrap_used)] // a test may: it fails where it should

mod made;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use offprint::{
    analysis,
    claims::{self, Id, Predicate},
    machine::Environment,
    record::RunRecord,
    store::Run,
    study::{Plan, PlannedRun, Published, Study},
};

const FIXTURE: &str = "tests/data/fake_run";
const V1: &str = include_str!("../config/published/v1.yaml");

/// A study and how its runs come out.
struct Case {
    lengths: &'static str,
    temperatures: &'static str,
    prompts: &'static str,
    repeats: u32,
    /// More keys of the study.
    extra: &'static str,
    settings: &'static str,
    model: &'static str,
    /// Of every row.
    backend: &'static str,
    chip: Option<&'static str>,
    /// Seconds from prompt to text.
    e2e: fn(&PlannedRun) -> f64,
    /// Runs that fail; tokens that a run makes.
    fails: fn(&PlannedRun) -> bool,
    n_gen: fn(&PlannedRun) -> u32,
}

/// A steady machine: a second for every answer, a tenth for every token, half a per cent of scatter.
const STEADY: Case = Case {
    lengths: "[64, 128, 256]",
    temperatures: "[0.3, 0.7]",
    prompts: "[a, b, c]",
    repeats: 3,
    extra: "",
    settings: "",
    model: "{id: m, name: Llama 3.2-1B, source: \"path:m\"}",
    backend: "none",
    chip: Some("Apple M4"),
    e2e: |run| seconds(run) * scatter(run, 0.005),
    fails: |_| false,
    n_gen: |run| run.max_tokens,
};

fn seconds(run: &PlannedRun) -> f64 {
    1.0 + 0.1 * f64::from(run.max_tokens)
}

/// 1 give or take `share`, the same for the same run, from the run's own seed.
fn scatter(run: &PlannedRun, share: f64) -> f64 {
    1.0 + share * ((run.seed % 2001) as f64 / 1000.0 - 1.0)
}

impl Case {
    fn run(&self) -> Run {
        let Case { lengths, temperatures, prompts, repeats, extra, settings, model, .. } = self;
        let yaml = format!(
            "models: [{model}]\nprompts: {prompts}\nbenchmark_settings: {{max_tokens: {lengths}, temperatures: {temperatures}, num_runs: {repeats}{settings}}}\n{extra}"
        );
        let study = Study::from_str("case.yaml", &yaml).unwrap();
        let records = Plan::of(&study).runs.iter().map(|run| self.record(&study, run)).collect();
        let text = std::fs::read_to_string(Path::new(FIXTURE).join("environment.json")).unwrap();
        let mut environment = Environment::from_json("environment.json", &text).unwrap();
        environment.chip.value = self.chip.map(str::to_owned);
        Run {
            folder: "case".into(),
            run_id: "case".into(),
            study,
            environment,
            measured: 0,
            records,
            runs_sha256: String::new(),
            page_rows: offprint::store::PageRows::None,
            published: Some(Published::from_str("v1.yaml", V1).unwrap()),
            quality: Vec::new(),
            baseline: None,
        }
    }

    fn record(&self, study: &Study, run: &PlannedRun) -> RunRecord {
        let row = made::row(study, run, (self.n_gen)(run), (self.e2e)(run), (self.fails)(run));
        RunRecord { backend: self.backend.into(), ..row }
    }

    fn predicates(&self) -> BTreeMap<Id, Predicate> {
        let run = self.run();
        let summary = analysis::summarise(&run.study, &run.records).unwrap();
        claims::build(&run, &summary).unwrap().predicates
    }
}

/// A predicate, the verdict that the case must give, and words of the sentence that goes with it.
type Expected = (&'static str, Option<bool>, &'static str, Case);

const YES: Option<bool> = Some(true);
const NO: Option<bool> = Some(false);

fn expected() -> Vec<Expected> {
    let one_length = || Case { lengths: "[64]", ..STEADY };
    let noisy = || Case { e2e: |run| seconds(run) * scatter(run, 0.3), ..STEADY };
    let single = || Case { repeats: 1, ..STEADY };
    vec![
        ("latency.linear", YES, "is compatible with a straight line", STEADY),
        (
            "latency.linear",
            NO,
            "is not a straight line",
            Case { e2e: |run| f64::from(run.max_tokens).powi(2) * scatter(run, 0.005), ..STEADY },
        ),
        ("latency.linear", None, "cannot be tested", one_length()),
        ("throughput.rises_with_length", YES, "rises with output length at every step", STEADY),
        (
            "throughput.rises_with_length",
            NO,
            "does not rise",
            Case { e2e: |run| f64::from(run.max_tokens).powi(2) * scatter(run, 0.005), ..STEADY },
        ),
        (
            "throughput.rises_with_length",
            None,
            "is not shown by these runs",
            Case { e2e: |run| f64::from(run.max_tokens) * scatter(run, 0.01), ..STEADY },
        ),
        ("temperature.negligible", YES, "The effect of temperature is negligible", STEADY),
        (
            "temperature.negligible",
            NO,
            "The effect of temperature is not negligible",
            Case { e2e: |run| seconds(run) * (1.0 + run.temperature / 4.0) * scatter(run, 0.005), ..STEADY },
        ),
        ("temperature.negligible", None, "Whether the effect of temperature is negligible is not settled", noisy()),
        ("prompt.negligible", YES, "The effect of prompt is negligible", STEADY),
        (
            "prompt.negligible",
            NO,
            "The effect of prompt is not negligible",
            Case { e2e: |run| seconds(run) * (1.0 + run.prompt as f64 / 5.0) * scatter(run, 0.005), ..STEADY },
        ),
        ("prompt.negligible", None, "one level of prompt", Case { prompts: "[a]", ..STEADY }),
        ("length.negligible", NO, "The effect of output length is not negligible", STEADY),
        ("length.negligible", None, "one level of output length", one_length()),
        ("vs.temperature.0.7.warm_latency", NO, "the same within 2 %", STEADY),
        (
            "vs.temperature.0.7.warm_latency",
            YES,
            "a difference of more than 2 %",
            Case { e2e: |run| seconds(run) * (1.0 + run.temperature / 4.0) * scatter(run, 0.005), ..STEADY },
        ),
        ("vs.temperature.0.7.warm_latency", None, "shown neither to be the same", noisy()),
        ("levels.prompt.complete", YES, "Every level has runs", STEADY),
        (
            "levels.prompt.complete",
            NO,
            "No run with prompt 1 ended well",
            Case { fails: |run| run.prompt == 0, ..STEADY },
        ),
        ("design.several_prompts", YES, "several prompts", STEADY),
        ("design.several_prompts", NO, "one prompt", Case { prompts: "[a]", ..STEADY }),
        ("design.several_runs", YES, "Several runs", STEADY),
        ("design.several_runs", NO, "One run", Case { fails: |run| run.run > 1, ..STEADY }),
        ("replicates.stable", YES, "Replicates are stable", STEADY),
        ("replicates.stable", NO, "Replicates are not stable", noisy()),
        ("replicates.stable", None, "No cell has replicates", single()),
        ("drift.absent", YES, "does not drift", STEADY),
        (
            "drift.absent",
            NO,
            "Latency drifts",
            Case { e2e: |run| (seconds(run) + 0.1 * f64::from(run.order)) * scatter(run, 0.005), ..STEADY },
        ),
        ("drift.absent", None, "is not settled", noisy()),
        (
            "outliers.absent",
            YES,
            "No run is marked",
            Case { e2e: |run| seconds(run) * (1.0 + 0.005 * f64::from(run.repeat)), ..STEADY },
        ),
        (
            "outliers.absent",
            NO,
            "1 as severe outliers",
            Case { e2e: |run| seconds(run) * scatter(run, 0.005) * if run.run == 7 { 2.0 } else { 1.0 }, ..STEADY },
        ),
        ("outliers.absent", None, "too few to mark outliers", single()),
        ("design.balanced", YES, "the same number of runs", STEADY),
        ("design.balanced", NO, "Cells differ in their number of runs", Case { fails: |run| run.run == 7, ..STEADY }),
        ("complete", YES, "Every planned run ended well", STEADY),
        ("complete", NO, "Of 54 planned runs 53 ended well", Case { fails: |run| run.run == 7, ..STEADY }),
        ("lengths.exact", YES, "exactly the number of tokens", STEADY),
        (
            "lengths.exact",
            NO,
            "1 run ended before",
            Case { n_gen: |run| run.max_tokens - u32::from(run.run == 7), ..STEADY },
        ),
        ("measurement.real", YES, "measurements of a trained model", STEADY),
        (
            "measurement.real",
            NO,
            "THIS IS NOT A MEASUREMENT",
            Case { model: "{id: m, name: m, source: fake}", ..STEADY },
        ),
        ("engine.own_kernels", YES, "not of MLX as it is", Case { backend: "mlx-cpu+offprint", ..STEADY }),
        (
            "engine.own_kernels",
            YES,
            "with CUDA kernels of Offprint: parts",
            Case { backend: "mlx-cuda+offprint", ..STEADY },
        ),
        ("engine.own_kernels", NO, "multiplied as one", Case { backend: "mlx-metal+joined", ..STEADY }),
        ("engine.own_kernels", NO, "MLX's own", Case { backend: "mlx-cpu", ..STEADY }),
        (
            "engine.own_kernels",
            NO,
            "MLX computes nothing here: the engine is fake",
            Case { model: "{id: m, name: m, source: fake}", ..STEADY },
        ),
        ("design.isolated", YES, "in a fresh process", STEADY),
        ("design.isolated", NO, "in one process", Case { extra: "execution: {isolation: session}\n", ..STEADY }),
        ("design.randomised", YES, "randomised complete blocks", STEADY),
        ("design.randomised", NO, "that of the plan", Case { extra: "execution: {order: sequential}\n", ..STEADY }),
        ("design.raw_prompts", YES, "without a chat template", STEADY),
        ("design.raw_prompts", NO, "own chat template", Case { settings: ", chat_template: true", ..STEADY }),
        ("design.exact_lengths", YES, "so it is enforced", STEADY),
        ("design.exact_lengths", NO, "an upper bound", Case { settings: ", stop_on_eos: true", ..STEADY }),
        ("published.same_setup", YES, "the same processor and from the same model", STEADY),
        (
            "published.same_setup",
            NO,
            "come from another machine (Intel, backend none; there: Mac mini with an Apple M4). No",
            Case { chip: Some("Intel"), ..STEADY },
        ),
        (
            "published.same_setup",
            NO,
            "come from another model (m; there: Llama 3.2-1B). No",
            Case { model: "{id: m, name: m, source: \"path:m\"}", ..STEADY },
        ),
        ("published.same_setup", None, "is not known", Case { chip: None, ..STEADY }),
    ]
}

/// Those that a design can only have or not have: they are never inconclusive.
const TWO_WAYS: [&str; 13] = [
    // Longer answers take longer.
    "length.negligible",
    "levels.prompt.complete",
    "design.several_prompts",
    "design.several_runs",
    "engine.own_kernels",
    "design.balanced",
    "complete",
    "lengths.exact",
    "measurement.real",
    "design.isolated",
    "design.randomised",
    "design.raw_prompts",
    "design.exact_lengths",
];

/// Judged from a document alone; its three verdicts are tried beside the code, in `claims::consistency`.
const OF_A_DOCUMENT: [&str; 5] = [
    "published.means.follow",
    "published.tokens.possible",
    "published.temperature.follows",
    "published.cv.of_replicates",
    "published.latency.proportional",
];

#[test]
fn every_verdict_of_every_predicate_has_its_sentence() {
    let mut seen: BTreeMap<&str, BTreeSet<Option<bool>>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (id, verdict, words, case) in expected() {
        let predicate = &case.predicates()[id];
        if predicate.holds != verdict || !predicate.text.contains(words) {
            wrong.push(format!(
                "{id}: expected {verdict:?} and `{words}`, found {:?}: {}",
                predicate.holds, predicate.text
            ));
        }
        seen.entry(id).or_default().insert(verdict);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Of a family whose members differ in level and metric only, one stands for all.
    let stands_for = |id: &str| id.starts_with("vs.") || id.starts_with("levels.");
    for id in STEADY.predicates().keys().map(|id| &**id).filter(|id| !OF_A_DOCUMENT.contains(id)) {
        if stands_for(id) && !seen.contains_key(id) {
            continue;
        }
        let verdicts = seen.get(id).map_or(0, BTreeSet::len);
        assert_eq!(verdicts, if TWO_WAYS.contains(&id) { 2 } else { 3 }, "{id} has verdicts that nothing tries");
    }
}

/// Texts, not values: those may differ in their last bit from one mathematics library to another.
#[test]
fn the_claims_of_the_fixture_are_these() {
    let run = Run::open(Path::new(FIXTURE)).unwrap();
    let summary = analysis::summarise(&run.study, &run.records).unwrap();
    let claims = claims::build(&run, &summary).unwrap();
    let mut text = format!("{} {} {}\n", claims.schema, claims.source.run_id, claims.source.sha256);
    // One cell stands for all: they differ in nothing but their runs.
    let shown = |id: &&Id| !id.starts_with("by_cell.") || id.starts_with("by_cell.1.8.0.3.");
    for (id, claim) in claims.claims.iter().filter(|(id, _)| shown(id)) {
        let unit = if claim.unit.is_empty() { String::new() } else { format!(" {}", claim.unit) };
        text += &format!("\n{id} = {}{unit} (n {})\n  {}; {}\n", claim.text, claim.n, claim.formula, claim.rounding);
    }
    for (id, predicate) in &claims.predicates {
        text += &format!("\n{id}: {:?}, by {}\n  {}\n", predicate.holds, predicate.test, predicate.text);
    }
    insta::assert_snapshot!(text);
}

#[test]
fn claims_json_reads_back_as_it_was_written() {
    let run = Run::open(Path::new(FIXTURE)).unwrap();
    let summary = analysis::summarise(&run.study, &run.records).unwrap();
    let claims = claims::build(&run, &summary).unwrap();
    let json = claims.to_json().unwrap();
    let again: claims::Claims = serde_json::from_str(&json).unwrap();
    assert_eq!(again, claims);
    assert_eq!(again.to_json().unwrap(), json);
}
