//! Two executions of a design -> a verdict for each claim: equivalent within the study's margin, different by more than it,
//! or inconclusive. What the two were made with and does not agree is said first. Pure; knows nothing of files.

mod baseline;
mod conditions;
mod numbers;
mod picture;
mod quantities;
mod review;
mod words;

use anyhow::{Result, ensure};
use serde::Serialize;

pub use baseline::{all_claims, read, read_with};
pub use conditions::{Difference, Kind};
pub use picture::draw;
pub use review::{Finding, Review, report, review};
pub use words::{markdown, markdown_with};

use crate::{
    analysis::{self, Summary, contrast::Contrast},
    claims::{self, Claims},
    figures::Labels,
    record::Phase,
    store::Run,
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
    /// Cells that both have, with at least two runs in each.
    pub cells: usize,
    /// Absolute ones first.
    pub claims: Vec<Compared>,
    /// Judgements that neither execution settles, so that there is nothing to compare.
    pub unsettled: Vec<String>,
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
    /// Measured runs that both have and whose prompt, length, temperature and seed agree.
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
    /// As in `claims.json` where it stands there.
    pub id: String,
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

/// One execution with all that is computed from it.
struct Told<'a> {
    run: &'a Run,
    summary: Summary,
    claims: Claims,
}

impl<'a> Told<'a> {
    fn of(run: &'a Run) -> Result<Self> {
        let summary = analysis::summarise(&run.study, &run.records)?;
        let claims = claims::build(run, &summary)?;
        Ok(Told { run, summary, claims })
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

/// Compares `b` with `a`.
///
/// # Errors
/// An execution without a run that ended well, or of several models; two that share no cell with replicates.
pub fn compare(a: &Run, b: &Run) -> Result<Comparison> {
    between(&Told::of(a)?, &Told::of(b)?)
}

fn between(first: &Told<'_>, second: &Told<'_>) -> Result<Comparison> {
    let (a, b) = (first.run, second.run);
    let statistics = [&a.study.statistics, &b.study.statistics];
    let margin = statistics[0].equivalence_margin.min(statistics[1].equivalence_margin);
    let confidence = statistics[0].confidence.max(statistics[1].confidence);
    let same_records = a.runs_sha256 == b.runs_sha256;

    let design = Design::of(&first.summary, &second.summary);
    ensure!(
        !design.cells.is_empty(),
        "{} and {} share no cell (prompt, length, temperature) with at least two runs in each\nhint: compare executions of one study, with num_runs of 2 or more",
        a.folder.display(),
        b.folder.display()
    );
    let mut claims = numbers::all(&design, margin, confidence)?;
    claims.sort_by_key(|claim| claim.sort);
    numbers::decide(&mut claims, confidence, same_records);
    let (judgements, unsettled) = numbers::judgements(&first.claims, &second.claims);
    claims.extend(judgements);

    let mut comparison = Comparison {
        schema: COMPARISON_SCHEMA,
        study: a.study.name.clone(),
        a: first.records(),
        b: second.records(),
        margin,
        confidence,
        same_records,
        differences: conditions::differences(first, second, &design),
        outputs: outputs(a, b),
        cells: design.cells.len(),
        verdict: overall(&claims),
        claims,
        unsettled,
        summary: String::new(),
    };
    comparison.summary = words::summary(&comparison);
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

fn outputs(a: &Run, b: &Run) -> Outputs {
    let mut outputs = Outputs { compared: 0, equal: 0 };
    let measured = |run: &'_ Run| {
        let rows = run.records.iter().filter(|row| row.phase == Phase::Measured && row.output_sha256.is_some());
        rows.cloned().map(|row| (row.run, row)).collect::<std::collections::BTreeMap<_, _>>()
    };
    let (a, b) = (measured(a), measured(b));
    for (number, row) in &a {
        let Some(other) = b.get(number) else { continue };
        let same_request = row.prompt_sha256 == other.prompt_sha256
            && row.max_tokens == other.max_tokens
            && row.temperature == other.temperature
            && row.seed == other.seed;
        outputs.compared += u32::from(same_request);
        outputs.equal += u32::from(same_request && row.output_sha256 == other.output_sha256);
    }
    outputs
}
