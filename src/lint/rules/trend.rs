//! Two words for one trend that exclude each other: linear and sub-linear growth of the same quantity.

use super::{Finding, Paper};
use crate::lint::Sure;

/// What a paper may be measuring. A trend word without one of these says nothing that can be compared.
const NOUNS: [&str; 12] = [
    "latency",
    "throughput",
    "memory",
    "runtime",
    "time",
    "cost",
    "energy",
    "accuracy",
    "error",
    "loss",
    "speed",
    "power",
];

/// A quantity is said to grow in a way.
struct Said<'a> {
    line: usize,
    noun: &'static str,
    linear: bool,
    text: &'a str,
}

pub fn check(paper: &Paper<'_>, findings: &mut Vec<Finding>) {
    let mut said: Vec<Said<'_>> = Vec::new();
    for paragraph in &paper.document.paragraphs {
        for (offset, sentence) in paragraph.sentences() {
            said.extend(read(sentence).map(|(noun, linear, at)| Said {
                line: paragraph.line(offset + at),
                noun,
                linear,
                text: sentence.trim(),
            }));
        }
    }
    for noun in NOUNS {
        let of = |linear| said.iter().find(|said| said.noun == noun && said.linear == linear);
        if let (Some(linear), Some(other)) = (of(true), of(false)) {
            findings.push(Finding {
                line: other.line.max(linear.line),
                rule: "trend",
                sure: Sure::Error,
                stated: format!("\"{}\" (line {}) and \"{}\" (line {})", brief(linear.text), linear.line, brief(other.text), other.line),
                follows: format!("{noun} grows linearly or it does not"),
                why: "a straight line with an intercept grows by less than the ratio of its inputs and is linear all the same".into(),
            });
        }
    }
}

/// The noun, whether linear is what is said of it, and where. Questions, conditions and negations say nothing.
fn read(sentence: &str) -> Option<(&'static str, bool, usize)> {
    let lower = sentence.to_lowercase();
    let hedged = [
        "not ",
        "n't ",
        "whether",
        " if ",
        "called linear",
        "linear only",
        "?",
        "nonlinear",
        "non-linear",
        "near-linear",
        "linear regression",
        "linear model",
        "linear layer",
        "linear probe",
        "linear algebra",
    ];
    if hedged.iter().any(|word| lower.contains(word)) {
        return None;
    }
    let growth = ["increas", "grow", "scal", "rise", "rises", "trend", "depend"];
    if !growth.iter().any(|word| lower.contains(word)) {
        return None;
    }
    let curved = ["sub-linear", "sublinear", "super-linear", "superlinear", "quadratic", "exponential"];
    let found = curved.iter().find_map(|word| lower.find(word)).map(|at| (false, at));
    let (linear, at) = found.or_else(|| lower.find("linear").map(|at| (true, at)))?;
    // Two trends in one sentence compare them.
    let both = !linear && lower.match_indices("linear").any(|(i, _)| i == 0 || !lower[..i].ends_with(['-', 'b', 'r']));
    // The nearest noun.
    let noun = NOUNS
        .into_iter()
        .filter(|noun| lower.contains(noun))
        .min_by_key(|noun| lower.match_indices(noun).map(|(i, _)| i.abs_diff(at)).min().unwrap_or(usize::MAX))?;
    (!both && sentence.is_char_boundary(at.min(sentence.len()))).then_some((noun, linear, at.min(sentence.len())))
}

fn brief(text: &str) -> String {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    let cut = words.len() > 8;
    words.truncate(8);
    words.join(" ") + if cut { " …" } else { "" }
}
