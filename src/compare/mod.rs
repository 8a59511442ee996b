//! Two executions of a design -> a verdict for each claim: equivalent within the study's margin, different by more than it,
//! or inconclusive. What the two were made with and does not agree is said first. Pure; knows nothing of files.

mod claims;
mod conditions;
mod numbers;
mod picture;
mod quantities;
mod review;
mod words;

use std::{borrow::Cow, collections::BTreeMap};

use anyhow::{Result, ensure};
use serde::Serialize;

pub use claims::baseline;
pub use conditions::{Difference, Kind, same_machine};
pub use picture::draw;
pub use review::{Finding, Review, report, review};
pub use words::{markdown, markdown_with};

use crate::{
    analysis::{self, Summary, contrast::Contrast},
    claims::{self as numbers_of, Claims, Id},
    factor::{ENGINE, MODEL},
    figures::Labels,
    record::{Outcome, Phase, RunRecord},
    store::Run,
    study::{ModelSpec, Study},
};
use quantities::Design;

/// The schema of a comparison's JSON.
pub const COMPARISON_SCHEMA: &str = "offprint.comparison/1";

/// Claim by claim, what two executions say of each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// [`COMPARISON_SCHEMA`].
    pub schema: &'static str,
    pub study: String,
    pub a: Records,
    pub b: Records,
    /// Share of each other within which two numbers count as the same: the smaller one of the two studies'.
    pub margin: f64,
    /// The larger one of the two studies'.
    pub confidence: f64,
    /// Both are one execution: every claim is the same, and nothing was tested.
    pub same_records: bool,
    /// What the two were made with and does not agree, machines first.
    pub differences: Vec<Difference>,
    /// Did runs with the same place in the plan generate the same tokens?
    pub outputs: Outputs,
    /// Cells that both have, with at least two runs in each, of the first system.
    pub cells: usize,
    /// Absolute ones first.
    pub claims: Vec<Compared>,
    /// Judgements that neither execution settles, so that there is nothing to compare.
    pub unsettled: Vec<Id>,
    /// One sentence.
    pub summary: String,
    pub verdict: Verdict,
}

/// One execution.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Records {
    pub run_id: String,
    /// SHA-256 of `runs.jsonl`.
    pub sha256: String,
    pub runs: u32,
    /// Why its numbers are no measurement, where they are none.
    pub not_a_measurement: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Outputs {
    /// Measured runs of one to which the other has one with the same prompt, length, temperature, replicate and seed.
    pub compared: u32,
    pub equal: u32,
}

/// Is a claim about this machine's speed, or about how things relate?
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// Seconds, tokens a second, bytes.
    Absolute,
    /// Ratios, shares and judgements, which may well hold on another machine.
    Relative,
}

/// How two numbers are set against each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// B / A, against 1 / (1 + margin) and 1 + margin: the same whichever is called A.
    Ratio,
    /// B - A of two shares of a whole, against the margin.
    Share,
    /// Does what holds in one hold in the other?
    Judgement,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Equivalent,
    Different,
    Inconclusive,
}

/// One claim in both executions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// As in `claims.json` where it stands there; of the second system on that both studies list, behind `system.NAME.`.
    pub id: Id,
    pub sort: Sort,
    pub scale: Scale,
    /// What is compared, readable by a person.
    pub formula: String,
    pub unit: &'static str,
    pub a: Side,
    pub b: Side,
    /// `None` of a judgement.
    pub change: Option<Change>,
    pub verdict: Verdict,
}

/// A claim in one execution.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// Over the cells that both executions have; a judgement has none.
    pub value: Option<f64>,
    /// As a person reads it.
    pub text: String,
}

/// From A to B: a share of A's number ([`Scale::Ratio`]), or a difference of shares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Change {
    pub value: f64,
    /// At 1 - 2 alpha.
    pub low: f64,
    pub high: f64,
    /// Larger p of the two one-sided tests against the margin.
    pub p: f64,
    /// That the change exceeds the margin.
    pub p_beyond: f64,
}

impl Change {
    #[expect(clippy::disallowed_methods, reason = "claims, whose values are compared to a tolerance")]
    fn of(contrast: &Contrast, scale: Scale) -> Self {
        let shown = |x: f64| if scale == Scale::Ratio { x.exp_m1() } else { x };
        Change {
            value: shown(contrast.difference),
            low: shown(contrast.interval.0),
            high: shown(contrast.interval.1),
            p: contrast.p,
            p_beyond: contrast.p_beyond,
        }
    }
}

impl Comparison {
    /// May absolute claims be held against each other: is it the same chip and backend?
    pub fn same_machine(&self) -> bool {
        !self.differences.iter().any(|difference| difference.other_machine)
    }

    /// The claims of a sort.
    pub fn of(&self, sort: Sort) -> impl Iterator<Item = &Compared> {
        self.claims.iter().filter(move |claim| claim.sort == sort)
    }
}

/// One system of an execution with all that is computed from it.
struct Told<'a> {
    run: Cow<'a, Run>,
    summary: Summary,
    claims: Claims,
}

impl<'a> Told<'a> {
    /// The study's model at this index.
    fn of(run: &'a Run, model: usize) -> Result<Self> {
        let run = run.alone(model);
        let summary = analysis::summarise(&run.study, &run.records)?;
        let claims = numbers_of::build(&run, &summary)?;
        Ok(Told { run, summary, claims })
    }

    /// The same; `None` where no run of the model ended well.
    fn if_any(run: &'a Run, model: usize) -> Result<Option<Self>> {
        let well = |row: &RunRecord| row.phase == Phase::Measured && row.outcome == Outcome::Ok;
        if !run.alone(model).records.iter().any(well) {
            return Ok(None);
        }
        Told::of(run, model).map(Some)
    }

    /// Is there a cell with at least two runs of each?
    fn shares_cells(&self, other: &Told<'_>) -> bool {
        !Design::of(&self.summary, &other.summary).cells.is_empty()
    }

    /// Are both the same rows?
    fn is(&self, other: &Told<'_>) -> bool {
        self.run.runs_sha256 == other.run.runs_sha256 && self.run.study.models == other.run.study.models
    }

    fn records(&self) -> Records {
        Records {
            run_id: self.run.run_id.clone(),
            sha256: self.run.runs_sha256.clone(),
            runs: self.summary.runs.len() as u32,
            not_a_measurement: Labels::of(&self.run.study, &self.run.environment).not_a_measurement,
        }
    }
}

/// Compares `b` with `a`: each system that both studies list, or the first of each where they share none.
///
/// # Errors
/// A system without a run that ended well; two that share no cell with replicates.
pub fn compare(a: &Run, b: &Run) -> Result<Comparison> {
    let shared = |model: &ModelSpec, study: &Study| {
        study.models.iter().position(|other| other.has_system_of(model) && other.has_weights_of(model))
    };
    let listed = a.study.models.iter().enumerate();
    let mut places: Vec<(usize, usize)> =
        listed.filter_map(|(here, model)| Some((here, shared(model, &b.study)?))).collect();
    let left_out = [(&a.study, &b.study), (&b.study, &a.study)].map(|(study, other)| {
        let alone = study.models.iter().filter(|model| shared(model, other).is_none());
        alone.map(|model| study.system(model)).collect::<Vec<_>>().join(", ")
    });
    let is_shared = !places.is_empty();
    if !is_shared {
        places.push((0, 0));
    }
    let (mut told, mut apart) = (Vec::new(), Vec::new());
    for (here, there) in places {
        let name = a.study.system(&a.study.models[here]);
        if told.is_empty() {
            told.push((String::new(), Told::of(a, here)?, Told::of(b, there)?));
            continue;
        }
        match (Told::if_any(a, here)?, Told::if_any(b, there)?) {
            (Some(here), Some(there)) if here.shares_cells(&there) => {
                told.push((format!("system.{name}"), here, there));
            }
            _ => apart.push((name, "no cell with two runs of each that ended well".to_owned())),
        }
    }
    let [of_a, of_b] = left_out.map(|names| if names.is_empty() { "none".to_owned() } else { names });
    if is_shared && of_a != of_b {
        apart.push((of_a, of_b));
    }
    let pairs: Vec<Pair<'_>> = told.iter().map(|(prefix, a, b)| Pair { prefix, a, b }).collect();
    let mut comparison = between(&pairs)?;
    comparison.differences.extend(apart.into_iter().map(|(a, b)| {
        let what = "systems not compared".to_owned();
        Difference { kind: Kind::Plan, what, a, b, other_machine: false }
    }));
    Ok(comparison)
}

/// A system in two executions, or two systems of one.
struct Pair<'a> {
    /// Before the ids of its claims.
    prefix: &'a str,
    a: &'a Told<'a>,
    b: &'a Told<'a>,
}

/// One comparison of all pairs, named after the first: their verdicts share one level of significance.
fn between(pairs: &[Pair<'_>]) -> Result<Comparison> {
    let (first, second) = (pairs[0].a, pairs[0].b);
    let statistics = [first, second].map(|told| &told.run.study.statistics);
    let margin = statistics[0].equivalence_margin.min(statistics[1].equivalence_margin);
    let confidence = statistics[0].confidence.max(statistics[1].confidence);
    let same_records = pairs.iter().all(|pair| pair.a.is(pair.b));

    let mut comparison = Comparison {
        schema: COMPARISON_SCHEMA,
        study: first.run.study.name.clone(),
        a: first.records(),
        b: second.records(),
        margin,
        confidence,
        same_records,
        differences: Vec::new(),
        outputs: Outputs { compared: 0, equal: 0 },
        cells: 0,
        claims: Vec::new(),
        unsettled: Vec::new(),
        summary: String::new(),
        verdict: Verdict::Inconclusive,
    };
    let mut judgements = Vec::new();
    for (number, Pair { prefix, a, b }) in pairs.iter().enumerate() {
        let design = Design::of(&a.summary, &b.summary);
        ensure!(
            !design.cells.is_empty(),
            "{} and {} share no cell ({}) with at least two runs in each\nhint: compare executions of one study, with num_runs of 2 or more",
            a.run.folder.display(),
            b.run.folder.display(),
            design.factors.join(", ")
        );
        let under = |id: &Id| if prefix.is_empty() { id.clone() } else { id.after(prefix) };
        let named = |claim: Compared| Compared { id: under(&claim.id), ..claim };
        comparison.claims.extend(numbers::all(&design, margin, confidence)?.into_iter().map(named));
        let (judged, unsettled) = numbers::judgements(&a.claims, &b.claims);
        judgements.extend(judged.into_iter().map(named));
        comparison.unsettled.extend(unsettled.iter().map(under));
        for difference in conditions::differences(a, b, &design) {
            // What is the whole execution's is said once.
            if !comparison.differences.contains(&difference) {
                comparison.differences.push(difference);
            }
        }
        let outputs = outputs(&a.run, &b.run);
        comparison.outputs.compared += outputs.compared;
        comparison.outputs.equal += outputs.equal;
        if number == 0 {
            comparison.cells = design.cells.len();
        }
    }
    comparison.claims.sort_by_key(|claim| claim.sort);
    numbers::decide(&mut comparison.claims, confidence, same_records);
    comparison.claims.extend(judgements);
    comparison.verdict = overall(&comparison.claims);
    let names = [&comparison.a, &comparison.b].map(|records| format!("run {}", records.run_id));
    comparison.summary = words::summary(&comparison, names.each_ref().map(String::as_str));
    Ok(comparison)
}

/// All equivalent; or some different; or neither.
fn overall(claims: &[Compared]) -> Verdict {
    let any = |verdict| claims.iter().any(|claim| claim.verdict == verdict);
    match (any(Verdict::Different), any(Verdict::Inconclusive)) {
        (true, _) => Verdict::Different,
        (false, true) => Verdict::Inconclusive,
        (false, false) => Verdict::Equivalent,
    }
}

/// Factors of a row that have fields of their own, besides model and engine: prompt, length, temperature.
const FIELDS: usize = 3;

fn outputs(a: &Run, b: &Run) -> Outputs {
    let mut outputs = Outputs { compared: 0, equal: 0 };
    // What was asked for. A study's systems have numbers of their own for the same request.
    let measured = |run: &'_ Run| {
        let rows = run.records.iter().filter(|row| row.phase == Phase::Measured);
        let request = |row: &RunRecord| {
            let others = row.factors.iter().filter(|(name, _)| ![MODEL, ENGINE].contains(&name.as_str()));
            let others: Vec<String> = others.map(|(name, level)| format!("{name}={level}")).collect();
            // Rows of the first schema name no factor; those that it had are told by the fields.
            let others = if others.len() > FIELDS { others } else { Vec::new() };
            (row.prompt_sha256.clone(), row.max_tokens, row.temperature.to_bits(), row.repeat, row.seed, others)
        };
        rows.filter_map(|row| Some((request(row), row.output_sha256.clone()?))).collect::<BTreeMap<_, _>>()
    };
    let (a, b) = (measured(a), measured(b));
    for (request, output) in &a {
        let Some(other) = b.get(request) else { continue };
        outputs.compared += 1;
        outputs.equal += u32::from(output == other);
    }
    outputs
}
