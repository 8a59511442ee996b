//! A rerun's comparison with the original -> what a reviewer says of each claim, and the report. Pure.

use serde::Serialize;

use super::{Compared, Comparison, Sort, Verdict, words};
use crate::claims::{Id, list, words::percentage};

/// The schema of a review's JSON.
pub const REVIEW_SCHEMA: &str = "offprint.review/1";

/// What a rerun says of a claim, or of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    Reproduced,
    NotReproduced,
    /// An absolute claim, and this is another chip or backend.
    NotComparable,
    Inconclusive,
}

impl Finding {
    pub fn name(self) -> &'static str {
        match self {
            Finding::Reproduced => "reproduced",
            Finding::NotReproduced => "not reproduced",
            Finding::NotComparable => "not comparable",
            Finding::Inconclusive => "inconclusive",
        }
    }
}

/// A rerun, judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Review {
    /// `offprint.review/1`.
    pub schema: &'static str,
    /// Of all comparable claims: reproduced only when each one is, not reproduced when some one is not.
    pub finding: Finding,
    /// By claim id, in the comparison's order.
    pub findings: Vec<(Id, Finding)>,
    /// One sentence.
    pub summary: String,
    /// A is the original, B the rerun.
    pub comparison: Comparison,
}

/// Judges a rerun: `comparison` is of the original (A) and the rerun (B).
pub fn review(comparison: Comparison) -> Review {
    let findings: Vec<(Id, Finding)> =
        comparison.claims.iter().map(|claim| (claim.id.clone(), of(&comparison, claim))).collect();
    let finding = overall(&findings);
    let summary = summary(&comparison, finding, &findings);
    Review { schema: REVIEW_SCHEMA, finding, findings, summary, comparison }
}

fn of(comparison: &Comparison, claim: &Compared) -> Finding {
    match claim.verdict {
        _ if claim.sort == Sort::Absolute && !comparison.same_machine() => Finding::NotComparable,
        Verdict::Equivalent => Finding::Reproduced,
        Verdict::Different => Finding::NotReproduced,
        Verdict::Inconclusive => Finding::Inconclusive,
    }
}

fn overall(findings: &[(Id, Finding)]) -> Finding {
    let any = |finding| findings.iter().any(|(_, found)| *found == finding);
    if any(Finding::NotReproduced) {
        Finding::NotReproduced
    } else if any(Finding::Inconclusive) || !any(Finding::Reproduced) {
        Finding::Inconclusive
    } else {
        Finding::Reproduced
    }
}

fn summary(comparison: &Comparison, finding: Finding, findings: &[(Id, Finding)]) -> String {
    let count = |finding| findings.iter().filter(|(_, found)| *found == finding).count();
    let head = match finding {
        Finding::Reproduced => "The study is reproduced",
        Finding::NotReproduced => "The study is not reproduced",
        Finding::Inconclusive | Finding::NotComparable => "Whether the study is reproduced is not settled",
    };
    let parts: Vec<String> =
        [Finding::Reproduced, Finding::NotReproduced, Finding::Inconclusive, Finding::NotComparable]
            .into_iter()
            .filter(|finding| count(*finding) > 0)
            .map(|finding| format!("{} {}", count(finding), finding.name()))
            .collect();
    let machine = if comparison.same_machine() {
        ""
    } else {
        "; this is another machine, so its absolute times and rates say nothing of the original's"
    };
    let fake = if comparison.b.not_a_measurement.is_some() { "; nothing here is a measurement" } else { "" };
    format!(
        "{head}: of {} claims {} (margin {} %){machine}{fake}.",
        findings.len(),
        list(&parts),
        percentage(comparison.margin)
    )
}

/// The report's body.
pub fn report(review: &Review) -> String {
    let comparison = &review.comparison;
    let named = |wanted: Finding| {
        let ids: Vec<String> =
            review.findings.iter().filter(|(_, found)| *found == wanted).map(|(id, _)| words::code(id)).collect();
        if ids.is_empty() { String::new() } else { format!("- {}: {}\n", wanted.name(), list(&ids)) }
    };
    let mut out = format!("## Finding\n\n**{}**\n\n", review.summary);
    let lists = named(Finding::NotReproduced) + &named(Finding::Inconclusive);
    if !lists.is_empty() {
        out += &format!("{lists}\n");
    }
    out += "![Figure 1](figures/comparison.svg)\n\n<a id=\"figure-comparison\"></a>**Figure 1.** Each claim's change from \
            the original (A) to the rerun (B), with its interval, against the margin.\n\n";
    out += &words::markdown_with(comparison, |claim| of(comparison, claim).name().to_owned());
    out += "\n## What this says\n\n\
            The rerun executed the original's own plan, with the same seeds, on a model whose files have the same SHA-256. \
            *Reproduced* is said only of what is shown to lie within the margin, *not reproduced* only of what is shown to exceed it; *inconclusive* \
            says that these runs scatter too much to tell. Times and rates of another chip or backend are *not comparable*. \
            One rerun speaks of one execution on one machine: it cannot tell whether the original was \
            measured as its records say.\n";
    out
}
