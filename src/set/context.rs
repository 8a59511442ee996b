//! What the sections of a set's paper may loop over. Numbers come from claims alone; what a design does not give has an empty id.

use serde::Serialize;

use super::{
    Set,
    claims::{RELATIVE, TOLD, by, effect, member, vs},
    exhibits,
};
use crate::{
    claims::{Claims, Id, words::sentence},
    factor::Role,
};

#[derive(Debug, Clone, Serialize)]
pub struct Context {
    pub machines: Vec<MachineText>,
    pub members: Vec<String>,
    pub metrics: Vec<MetricText>,
    /// Those that vary in the study itself.
    pub factors: Vec<FactorText>,
    /// Effects of these factors that are compared between machines.
    pub effects: Vec<EffectText>,
    /// Does the study ask how well its models predict a text? Does it measure energy?
    pub quality: bool,
    pub energy: bool,
    /// Is there a share of each machine's memory bandwidth? Was it measured?
    pub bandwidth: bool,
    pub shares: bool,
    /// Are there weights?
    pub weights: bool,
    pub several_machines: bool,
    /// Has every machine sessions enough for an interval? Has some one only?
    pub sessions: bool,
    pub some_single: bool,
    pub letters: bool,
    pub machines_figure: bool,
    pub sessions_figure: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct MachineText {
    pub label: String,
    /// Begins the ids of its claims.
    pub by: String,
    pub reference: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct MetricText {
    pub name: String,
    pub label: String,
    pub title: String,
    pub unit: String,
    /// The predicate about its sessions; empty where there is none.
    pub scatter: String,
    pub rows: Vec<Row>,
    pub members: Vec<MemberText>,
}

/// A machine in the table of a metric.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub machine: String,
    /// Ids.
    pub mean: String,
    pub low: String,
    pub high: String,
    pub sd: String,
    pub letters: String,
    /// Of the ratio to the reference; empty of that itself.
    pub vs: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct MemberText {
    /// Begins the ids of the member's claims.
    pub by: String,
    /// Ids.
    pub mean: String,
    pub error: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct FactorText {
    pub name: String,
    pub label: String,
    pub unit: String,
    pub crossed: bool,
    pub levels: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct EffectText {
    pub machine: String,
    pub factor: String,
    pub levels: String,
    pub metric: String,
    /// Begins the ids of its claims, and is its predicate's.
    pub id: String,
}

pub(super) fn of(set: &Set, claims: &Claims) -> Context {
    let known = |id: Id| if claims.claims.contains_key(&id) { id.to_string() } else { String::new() };
    let judged = |id: Id| if claims.predicates.contains_key(&id) { id.to_string() } else { String::new() };
    let reference = set.reference();
    let labels = set.labels();
    let metrics = TOLD.into_iter().filter(|metric| !known(by(reference).metric(*metric).word("mean")).is_empty());
    let metrics = metrics.map(|metric| {
        let about = metric.about();
        let row = |label: &&str| {
            let id = by(label).metric(metric);
            Row {
                machine: (*label).to_owned(),
                mean: id.word("mean").to_string(),
                low: known(id.word("ci.low")),
                high: known(id.word("ci.high")),
                sd: known(id.word("session_sd")),
                letters: known(Id::new("letters").metric(metric).level(label)),
                vs: judged(vs(label).metric(metric)),
            }
        };
        let of_member = |place: usize| {
            let id = member(place).metric(metric);
            MemberText {
                by: member(place).to_string(),
                mean: id.word("mean").to_string(),
                error: known(id.word("error")),
            }
        };
        MetricText {
            name: about.name.to_owned(),
            label: about.label.to_owned(),
            title: sentence(about.label),
            unit: about.told.to_owned(),
            scatter: judged(Id::new("sessions").metric(metric)),
            rows: labels.iter().map(row).collect(),
            members: (0..set.members().len()).map(of_member).collect(),
        }
    });
    let summary = &set.first().summary;
    let factors = summary.varying().into_iter().map(|place| {
        let factor = &summary.factors[place];
        FactorText {
            name: factor.name.clone(),
            label: factor.label.clone(),
            unit: factor.unit.clone(),
            crossed: factor.role == Role::Crossed,
            levels: factor.levels.iter().map(|level| level.key().into_owned()).collect(),
        }
    });
    let counts: Vec<usize> = set.machines().map(|(_, members)| members.len()).collect();
    Context {
        machines: labels
            .iter()
            .map(|label| MachineText {
                label: (*label).to_owned(),
                by: by(label).to_string(),
                reference: *label == reference,
            })
            .collect(),
        members: (0..set.members().len()).map(|place| member(place).to_string()).collect(),
        metrics: metrics.collect(),
        factors: factors.collect(),
        effects: effects(set, claims),
        quality: set.first().run.study.quality.is_some(),
        energy: set.first().run.study.energy.is_some(),
        bandwidth: claims.predicates.contains_key("bandwidth.share"),
        shares: claims.predicates.get("bandwidth.share").is_some_and(|share| share.holds == Some(true)),
        weights: !set.first().run.environment.checkpoints.is_empty(),
        several_machines: labels.len() > 1,
        sessions: counts.iter().all(|count| *count > 1),
        some_single: counts.contains(&1),
        letters: claims.claims.keys().any(|id| id.starts_with("letters.")),
        machines_figure: exhibits::has_machines(set, claims),
        sessions_figure: exhibits::has_sessions(set, claims),
    }
}

fn effects(set: &Set, claims: &Claims) -> Vec<EffectText> {
    let summary = &set.first().summary;
    let mut found = Vec::new();
    for place in summary.varying() {
        let factor = &summary.factors[place];
        let Some(base) = summary.reference(place) else { continue };
        for level in (0..factor.levels.len()).filter(|level| *level != base) {
            for metric in RELATIVE {
                for label in set.labels().into_iter().skip(1) {
                    let id = effect(label, factor, level, metric);
                    if claims.predicates.contains_key(&id) {
                        found.push(EffectText {
                            machine: label.to_owned(),
                            factor: factor.label.clone(),
                            levels: format!("{} / {}", factor.levels[level].key(), factor.levels[base].key()),
                            metric: metric.about().label.to_owned(),
                            id: id.to_string(),
                        });
                    }
                }
            }
        }
    }
    found
}
