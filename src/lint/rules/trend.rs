//! Two words for one trend that exclude each other: linear and sub-linear growth of the same quantity.

use super::Paper;
use crate::lint::{
    document::Place,
    report::{Out, Said as Found, Sure},
    words::{contains_any, words as list},
};

/// What a paper may be measuring. A trend word without one of these says nothing that can be compared.
const NOUNS: &str = "latency|throughput|memory|runtime|time|cost|energy|accuracy|error|loss|speed|power";

/// A quantity is said to grow in a way.
struct Said<'a> {
    place: Place,
    section: usize,
    noun: &'static str,
    linear: bool,
    text: &'a str,
}

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    let mut said: Vec<Said<'_>> = Vec::new();
    for paragraph in &paper.paragraphs {
        for sentence in &paragraph.sentences {
            said.extend(read(sentence.text).map(|(noun, linear, at)| Said {
                place: sentence.place(at),
                section: paragraph.section,
                noun,
                linear,
                text: sentence.text.trim(),
            }));
        }
    }
    for noun in list(NOUNS) {
        let of = |linear| said.iter().find(|said| said.noun == noun && said.linear == linear);
        if let (Some(linear), Some(other)) = (of(true), of(false))
            && linear.section == other.section
        {
            out.push(Found {
                place: other.place.max(linear.place),
                rule: "trend",
                sure: Sure::Error,
                stated: format!("\"{}\" (line {}) and \"{}\" (line {})", brief(linear.text), linear.place.line, brief(other.text), other.place.line),
                follows: format!("{noun} grows linearly or it does not"),
                why: "a straight line with an intercept grows by less than the ratio of its inputs and is linear all the same".into(),
            });
        }
    }
}

/// The noun, whether linear is what is said of it, and where. Questions, conditions and negations say nothing.
fn read(sentence: &str) -> Option<(&'static str, bool, usize)> {
    let lower = sentence.to_lowercase();
    let hedged = "not |n't |whether| if |called linear|linear only|?|nonlinear|non-linear|near-linear|linear regression|linear model|linear layer|linear probe|linear algebra";
    if contains_any(&lower, hedged) {
        return None;
    }
    let growth = "increas|grow|scal|rise|rises|trend|depend";
    if !contains_any(&lower, growth) {
        return None;
    }
    let curved = "sub-linear|sublinear|super-linear|superlinear|quadratic|exponential";
    let found = list(curved).find_map(|word| lower.find(word)).map(|at| (false, at));
    let (linear, at) = found.or_else(|| lower.find("linear").map(|at| (true, at)))?;
    // Two trends in one sentence compare them.
    let both = !linear && lower.match_indices("linear").any(|(i, _)| i == 0 || !lower[..i].ends_with(['-', 'b', 'r']));
    // The nearest noun.
    let noun = list(NOUNS)
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
