//! `offprint explain WHAT --set SET`: a number of a set's paper, down to the sessions and the runs behind it.

use std::{path::Path, process::ExitCode};

use anyhow::Result;
use serde::Serialize;

use super::{
    explain::{Judgement, judge, nearest, told},
    set::{opened, templates},
    sought::{near, sought},
};
use crate::{
    claims::{Claim, Claims, Id, Part, Runs},
    paper::Place,
    set::{self, Set},
};

/// All about one claim of a set.
#[derive(Debug, Serialize)]
struct Explanation<'a> {
    id: &'a Id,
    #[serde(flatten)]
    claim: &'a Claim,
    /// Lines of `paper.md`.
    places: &'a [Place],
}

/// Prints every claim that `what` names, down to the members and their runs; exit code 1 when there is none.
pub(super) fn explain(path: &Path, what: &str, named: Option<&Path>, json: bool) -> Result<ExitCode> {
    let (set, templates) = (opened(path)?, templates(named)?);
    let claims = set::build(&set)?;
    let places = set::places(&set, &claims, &templates)?;
    let found = sought(what, &claims);
    if found.is_empty() {
        tell!("no claim of {} is `{what}` or prints so", path.display());
        let near = near(what, &claims, 5);
        let near = if near.is_empty() { nearest(what, claims.claims.keys()) } else { near };
        tell!("hint: did you mean {}?", near.join(", "));
        return Ok(ExitCode::from(1));
    }
    let judgements = found.predicates.iter().filter_map(|id| claims.predicates.get_key_value(id));
    let judgements: Vec<Judgement<'_>> = judgements.map(|(id, predicate)| Judgement { id, predicate }).collect();
    let explanations = found.claims.iter().map(|id| Explanation {
        id,
        claim: &claims.claims[id],
        places: places.get(id).map_or(&[], Vec::as_slice),
    });
    let explanations: Vec<Explanation<'_>> = explanations.collect();
    if json {
        let all = explanations.iter().map(serde_json::to_value).chain(judgements.iter().map(serde_json::to_value));
        say!("{}", serde_json::to_string_pretty(&all.collect::<Result<Vec<_>, _>>()?)?);
        return Ok(ExitCode::SUCCESS);
    }
    for Explanation { id, claim, places } in &explanations {
        say!("{id} = {}", told(claim));
        say!("  value     {}", serde_json::to_string(&claim.value).unwrap_or_default());
        say!("  formula   {}", claim.formula);
        say!("  rounding  {}", claim.rounding);
        for Place { line, text } in *places {
            let start: String = text.chars().take(100).collect();
            say!("  stands    paper.md:{line}: {start}{}", if start.len() < text.len() { " …" } else { "" });
        }
        for (name, runs) in &claim.members {
            say!("  member    {}{}", of_member(&set, name, runs), its_mean(&set, &claims, id, name));
        }
        say!("");
    }
    judgements.iter().for_each(judge);
    if explanations.iter().any(|explanation| !explanation.claim.members.is_empty()) {
        tell!(
            "each member is a bundle of its own, in data/members/ of the set; offprint explain --run reads it unpacked"
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// `m4/1, run 20261128T111433Z, runs 1-54`
fn of_member(set: &Set, name: &str, runs: &Runs) -> String {
    let member = set.members().iter().find(|member| member.name() == name);
    let run = member.map_or("not known", |member| member.run.run_id.as_str());
    format!("{name}, run {run}, runs {runs}")
}

/// Of a claim about a metric, the session's own mean: `, mean 51.9 tok/s`.
fn its_mean(set: &Set, claims: &Claims, id: &Id, name: &str) -> String {
    let metric = id.parts().iter().find_map(|part| match part {
        Part::Metric(metric) => Some(*metric),
        _ => None,
    });
    let place = set.members().iter().position(|member| member.name() == name);
    let claim = metric.zip(place).and_then(|(metric, place)| claims.claims.get(&set::session_mean(place, metric)));
    claim.map_or_else(String::new, |claim| format!(", mean {}", told(claim)))
}
