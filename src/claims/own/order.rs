//! Names in expressions -> the order in which claims can be computed, or those that nothing has, and those that rest on themselves.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    document::{COUNTS, Document},
    flaw::{Fault, Flaw, did_you_mean},
    tree::Expression,
};
use crate::metric::Metric;

/// Indices of claims, each behind those that it uses.
///
/// # Errors
/// Every name that there is not, and one circle.
pub(super) fn of(document: &Document) -> Result<Vec<usize>, Vec<Fault>> {
    let claims: BTreeMap<&str, usize> =
        document.claims.iter().enumerate().map(|(place, own)| (own.name.as_str(), place)).collect();
    let elsewhere: BTreeSet<&str> = document.elsewhere.iter().map(|found| found.name.as_str()).collect();
    let predicates: BTreeSet<&str> = document.predicates.iter().map(|judged| judged.name.as_str()).collect();
    let mut faults = Vec::new();
    let mut check = |path: String, expression: &Expression| {
        for (at, name, end) in expression.names() {
            if elsewhere.contains(name) && end.is_some() {
                let what = format!("`{name}` is somebody else's number, and has no interval here");
                faults.push(Flaw::new(at, what, "take the number itself").of(path.clone()));
            } else if !claims.contains_key(name) && !elsewhere.contains(name) {
                faults.push(unknown(at, name, &predicates, claims.keys().chain(&elsewhere).copied()).of(path.clone()));
            }
        }
    };
    for own in &document.claims {
        check(format!("claims.{}.value", own.name), &own.value);
    }
    for judged in &document.predicates {
        for (key, asked) in [("holds", Some(&judged.holds)), ("fails", judged.fails.as_ref())] {
            for compared in asked.into_iter().flatten() {
                check(format!("predicates.{}.{key}", judged.name), &compared.left);
                check(format!("predicates.{}.{key}", judged.name), &compared.right);
            }
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    sorted(document, &claims)
}

fn sorted(document: &Document, claims: &BTreeMap<&str, usize>) -> Result<Vec<usize>, Vec<Fault>> {
    let uses = |place: usize| {
        let names = document.claims[place].value.names();
        names.into_iter().filter_map(|(at, name, _)| Some((at, *claims.get(name)?))).collect::<Vec<_>>()
    };
    let uses: Vec<Vec<(usize, usize)>> = (0..document.claims.len()).map(uses).collect();
    let mut used_by = vec![Vec::new(); uses.len()];
    let mut open: Vec<usize> = uses.iter().map(Vec::len).collect();
    for (place, used) in uses.iter().enumerate() {
        used.iter().for_each(|(_, other)| used_by[*other].push(place));
    }
    let mut ready: BTreeSet<usize> = (0..uses.len()).filter(|place| open[*place] == 0).collect();
    let mut order = Vec::new();
    while let Some(place) = ready.pop_first() {
        order.push(place);
        for user in &used_by[place] {
            open[*user] -= 1;
            if open[*user] == 0 {
                ready.insert(*user);
            }
        }
    }
    let Some(start) = (0..uses.len()).find(|place| open[*place] > 0) else { return Ok(order) };
    // Whoever is left uses somebody who is left: following that ends in a circle.
    let next = |place: usize| uses[place].iter().copied().find(|(_, other)| open[*other] > 0);
    let (mut path, mut place) = (Vec::new(), start);
    while !path.contains(&place) {
        path.push(place);
        let Some((_, other)) = next(place) else { break };
        place = other;
    }
    let begin = path.iter().position(|seen| *seen == place).unwrap_or(0);
    let circle: Vec<&str> =
        path[begin..].iter().chain([&place]).map(|place| document.claims[*place].name.as_str()).collect();
    const MOST: usize = 12;
    let shown = if circle.len() > MOST { [&circle[..MOST], &["…"]].concat() } else { circle };
    let at = next(place).map_or(0, |(at, _)| at);
    let what = format!("a claim rests on itself: {}", shown.join(" -> "));
    let path = format!("claims.{}.value", document.claims[place].name);
    Err(vec![Flaw::new(at, what, "write out one of them without the others").of(path)])
}

fn unknown<'a>(at: usize, name: &str, predicates: &BTreeSet<&str>, known: impl Iterator<Item = &'a str>) -> Flaw {
    if predicates.contains(name) {
        let what = format!("`{name}` is a predicate, and nothing calculates with it");
        return Flaw::new(at, what, "name the claim that it asks");
    }
    if Metric::named(name).is_some() || COUNTS.contains(&name) {
        let what = format!("`{name}` has a value for each run, and a number is expected");
        return Flaw::new(at, what, format!("say which: mean({name}), median({name} | length = 64)"));
    }
    let shown: String = name.chars().take(60).collect();
    let hint = format!("{}; the program's numbers are claim('latency.mean')", did_you_mean(name, known));
    Flaw::new(at, format!("there is no claim `{shown}` in this file"), hint)
}
