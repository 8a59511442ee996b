//! Which executions may stand in one set: one plan, the same weights, measurements or none of them, each once, sessions of one label on
//! one machine and after each other. What may differ (build, kernels, outputs) is told.

use std::fmt;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};

use super::Member;
use crate::{
    claims::list,
    compare,
    energy::Domain,
    machine::{CheckpointFacts, Fact},
    store::not_a_measurement,
    study::{EngineKind, Plan, Study},
};

/// A member that may not stand beside the others.
#[derive(Debug)]
pub struct Misfit {
    pub member: String,
    pub what: String,
    pub hint: &'static str,
}

impl fmt::Display for Misfit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}\nhint: {}", self.member, self.what, self.hint)
    }
}

impl std::error::Error for Misfit {}

/// # Errors
/// The first member that does not fit.
pub(super) fn check(members: &[Member]) -> Result<()> {
    let Some((first, others)) = members.split_first() else {
        bail!("a set of no members\nhint: name at least one, as LABEL=BUNDLE.zip")
    };
    let design = design(&first.run.study)?;
    for member in others {
        let refuse = |what: String, hint| Err(anyhow!(Misfit { member: member.name(), what, hint }));
        let own = self::design(&member.run.study)?;
        if let Some(differing) = difference(&design, &own, "") {
            return refuse(
                format!("another plan than {}'s: {differing}", first.name()),
                "members of a set execute one study; compare sets two studies side by side",
            );
        }
        if let Some(differing) = weights(first, member) {
            return refuse(
                format!("other weights than {}'s: {differing}", first.name()),
                "obtain the model by one revision on every machine",
            );
        }
        let why = |member: &Member| not_a_measurement(&member.run.study, &member.run.environment);
        if why(first) != why(member) {
            let of = |member: &Member| why(member).unwrap_or("a measurement");
            return refuse(
                format!("{}, and {} is {}", of(member), first.name(), of(first)),
                "what is no measurement stands in no set with one",
            );
        }
    }
    each_once(members)?;
    one_machine_each(members)
}

fn each_once(members: &[Member]) -> Result<()> {
    for (place, member) in members.iter().enumerate() {
        let same = |other: &&Member| other.run.runs_sha256 == member.run.runs_sha256;
        if let Some(other) = members[..place].iter().find(same) {
            let what = format!("the same rows as {} (run {})", other.name(), other.run.run_id);
            bail!(Misfit { member: member.name(), what, hint: "an execution counts once; leave one of them out" });
        }
    }
    Ok(())
}

/// Sessions of a label are of one machine, and none begins before another has ended.
fn one_machine_each(members: &[Member]) -> Result<()> {
    for (place, member) in members.iter().enumerate() {
        for other in members[..place].iter().filter(|other| other.machine == member.machine) {
            let [a, b] = [other, member].map(|member| &member.run.environment);
            if !compare::same_machine(a, b) {
                let chip = |fact: &Fact<String>| fact.value.clone().unwrap_or_else(|| "not known".to_owned());
                let gpu = |fact: &Fact<String>| fact.value.as_ref().map_or_else(String::new, |gpu| format!(", {gpu}"));
                let what = format!(
                    "another machine than {}: {}{} against {}{}",
                    other.name(),
                    chip(&b.chip),
                    gpu(&b.gpu),
                    chip(&a.chip),
                    gpu(&a.gpu),
                );
                bail!(Misfit { member: member.name(), what, hint: "give each machine a label of its own" });
            }
            let [(from, to), (begins, ends)] = [span(other)?, span(member)?];
            if from < ends && begins < to {
                let what = format!("its runs overlap those of {} in time ({begins} to {ends})", other.name());
                bail!(Misfit {
                    member: member.name(),
                    what,
                    hint: "sessions of one machine follow each other; another machine has another label"
                });
            }
        }
    }
    Ok(())
}

/// From the capture of the environment to the end of the last run.
fn span(member: &Member) -> Result<(jiff::Timestamp, jiff::Timestamp)> {
    let begins: jiff::Timestamp =
        member.run.environment.captured_at.parse().with_context(|| format!("{}: captured_at", member.name()))?;
    Ok((begins, member.summary.seen.ended.unwrap_or(begins).max(begins)))
}

/// All of a study that decides what is measured and how it is judged; titles, names and places of weights do not.
fn design(study: &Study) -> Result<Value> {
    let models = study.models.iter().map(|model| {
        let source = if model.engine.is(EngineKind::Fake) { model.source.as_str() } else { "" };
        json!({"id": model.id, "engine": model.engine.name(), "quantization": model.quantization, "source": source})
    });
    let drafts = study.drafts.iter().map(|drafter| json!({"id": drafter.id, "tokens": drafter.tokens}));
    Ok(json!({
        "study": study.name,
        "models": models.collect::<Vec<_>>(),
        "prompts": serde_json::to_value(&study.prompts)?,
        "benchmark_settings": serde_json::to_value(&study.settings)?,
        "factors": serde_json::to_value(&study.factors)?,
        "drafts": drafts.collect::<Vec<_>>(),
        "load": serde_json::to_value(&study.load)?,
        "quality": serde_json::to_value(&study.quality)?,
        "execution": serde_json::to_value(&study.execution)?,
        "statistics": serde_json::to_value(&study.statistics)?,
        "runs": serde_json::to_value(Plan::of(study))?,
    }))
}

/// The first place in which two values differ: `benchmark_settings.num_runs is 3 and 4`.
fn difference(a: &Value, b: &Value, place: &str) -> Option<String> {
    let inside = |key: &str| if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") };
    match (a, b) {
        (Value::Object(first), Value::Object(second)) => {
            let keys = first.keys().chain(second.keys().filter(|key| !first.contains_key(*key)));
            keys.into_iter().find_map(|key| {
                difference(
                    first.get(key).unwrap_or(&Value::Null),
                    second.get(key).unwrap_or(&Value::Null),
                    &inside(key),
                )
            })
        }
        (Value::Array(first), Value::Array(second)) if first.len() == second.len() => {
            let pairs = first.iter().zip(second).enumerate();
            pairs.into_iter().find_map(|(place, (a, b))| difference(a, b, &inside(&(place + 1).to_string())))
        }
        (a, b) if a == b => None,
        (a, b) => {
            let shown = |value: &Value| {
                let text = value.to_string();
                let start: String = text.chars().take(80).collect();
                if start.len() < text.len() { format!("{start} …") } else { start }
            };
            Some(format!("`{place}` is {} there and {} here", shown(a), shown(b)))
        }
    }
}

/// Files of a checkpoint that are not the same.
fn weights(first: &Member, member: &Member) -> Option<String> {
    let key = |facts: &CheckpointFacts| (facts.model.clone(), facts.recipe.clone());
    let [here, there] = [member, first].map(|member| &member.run.environment.checkpoints);
    if here.len() != there.len() {
        return Some(format!("{} checkpoints there and {} here", there.len(), here.len()));
    }
    there.iter().find_map(|facts| {
        let Some(own) = here.iter().find(|own| key(own) == key(facts)) else {
            return Some(format!("{}: no such checkpoint", facts.model));
        };
        let names = facts.files.keys().chain(own.files.keys());
        let differs = names.into_iter().find(|name| facts.files.get(*name) != own.files.get(*name))?;
        Some(format!("{}: {differs}", facts.model))
    })
}

/// What differs between members and is no reason to refuse them, a line each.
pub fn told(members: &[Member]) -> Vec<String> {
    let mut lines = Vec::new();
    for (what, of) in
        [("builds of offprint", build as fn(&Member) -> String), ("kernels", kernels), ("operating systems", os)]
    {
        let found = by_value(members, of);
        if found.len() > 1 {
            let each = found.iter().map(|(value, names)| format!("{value} ({})", names.join(", ")));
            lines.push(format!("{what} differ: {}", each.collect::<Vec<_>>().join("; ")));
        }
    }
    let domains: Vec<&str> = domains(members).into_iter().map(Domain::name).collect();
    if domains.len() > 1 {
        lines.push(format!("joules are of several things ({}) and are not compared", domains.join(", ")));
    }
    let boots = members.iter().filter(|member| boot(member).is_some());
    for (_, names) in by_value(boots, |member| boot(member).unwrap_or_default().to_owned()) {
        let mut machines: Vec<&str> = names.iter().filter_map(|name| name.split('/').next()).collect();
        machines.dedup();
        if machines.len() > 1 {
            lines.push(format!("{} were executed in one boot: one machine under several labels", list(&names)));
        }
    }
    let labels = by_value(members, |member| known(&member.run.environment.chip));
    for (chip, names) in labels {
        let mut machines: Vec<&str> = names.iter().filter_map(|name| name.split('/').next()).collect();
        machines.dedup();
        if machines.len() > 1 {
            lines.push(format!("{} say that they are the same kind of machine: {chip}", machines.join(" and ")));
        }
    }
    lines
}

/// What the members' joules are of, each once.
pub(super) fn domains(members: &[Member]) -> Vec<Domain> {
    let mut found = Vec::new();
    for (domain, _) in members.iter().filter_map(|member| member.summary.seen.energy.source.as_ref()) {
        if !found.contains(domain) {
            found.push(*domain);
        }
    }
    found
}

/// The digest of the boot that the execution was begun in, where it is known.
pub(super) fn boot(member: &Member) -> Option<&str> {
    member.run.environment.session.as_ref()?.boot_sha256.value.as_deref()
}

fn known(fact: &Fact<String>) -> String {
    fact.value.clone().unwrap_or_else(|| "not known".to_owned())
}

pub(super) fn os(member: &Member) -> String {
    known(&member.run.environment.os)
}

/// `0.7.0, commit 0947b27`
pub(super) fn build(member: &Member) -> String {
    let environment = &member.run.environment;
    let commit = environment.git_commit.value.as_deref().map(|commit| commit.chars().take(7).collect::<String>());
    let commit = commit.map_or_else(String::new, |commit| format!(", commit {commit}"));
    format!("{}{commit}", environment.offprint_version)
}

pub(super) fn kernels(member: &Member) -> String {
    let backends = member.summary.seen.backends(None);
    let kernels = member.run.environment.libraries.get("kernels");
    kernels.map_or_else(|| backends.clone(), |kernels| format!("{backends} ({kernels})"))
}

/// Values in the order in which they appear, with the members that have each.
pub(super) fn by_value<'a>(
    members: impl IntoIterator<Item = &'a Member>,
    of: impl Fn(&Member) -> String,
) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for member in members {
        let value = of(member);
        match found.iter_mut().find(|(known, _)| *known == value) {
            Some((_, names)) => names.push(member.name()),
            None => found.push((value, vec![member.name()])),
        }
    }
    found
}
