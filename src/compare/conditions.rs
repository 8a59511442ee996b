//! What two executions were made with, and where it does not agree: machine, backend, software, model, prompts, plan and
//! statistics, in this order.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Told, quantities::Design};
use crate::{
    analysis::quality::measured,
    claims::rounding::significant,
    factor::Factor,
    machine::{CheckpointFacts, EngineFacts, Environment, Fact, Processor},
    quality::QualityRow,
    record::RunRecord,
    study::{Prompt, Settings, Study},
};

/// One thing that does not agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub kind: Kind,
    /// The fact's name, e.g. `chip`.
    pub what: String,
    pub a: String,
    pub b: String,
    /// Makes absolute times those of another machine.
    pub other_machine: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Machine,
    Backend,
    Software,
    Model,
    Prompts,
    Plan,
    Statistics,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Machine => "machine",
            Kind::Backend => "backend",
            Kind::Software => "software",
            Kind::Model => "model",
            Kind::Prompts => "prompts",
            Kind::Plan => "plan",
            Kind::Statistics => "statistics",
        }
    }
}

/// Everything that does not agree.
pub(super) fn differences(a: &Told<'_>, b: &Told<'_>, design: &Design) -> Vec<Difference> {
    let mut found = Found(Vec::new());
    let [first, second] = [&a.run.environment, &b.run.environment];
    machine(&mut found, first, second);
    let of = |told: &Told<'_>| (named(told, |row| &row.engine), named(told, |row| &row.backend));
    let ((engine, backend), (other_engine, other_backend)) = (of(a), of(b));
    found.put((Kind::Backend, true), "engine", engine, other_engine);
    found.put((Kind::Backend, true), "backend", backend, other_backend);
    software(&mut found, first, second);
    model(&mut found, a, b);
    plan(&mut found, &a.run.study, &b.run.study);
    let ok = |told: &Told<'_>| format!("{} of {}", told.summary.runs.len(), told.summary.planned);
    found.put((Kind::Plan, false), "runs that ended well", ok(a), ok(b));
    if !design.left_out.is_empty() {
        let cells = design.left_out.join(", ");
        found.put((Kind::Plan, false), "cells not compared", cells, "lacking, or with fewer than two runs");
    }
    found.0
}

/// What the rows say, each name once. A worker that was lost early says `unknown`.
fn named(told: &Told<'_>, of: fn(&RunRecord) -> &str) -> String {
    let names: BTreeSet<&str> = told.run.records.iter().map(of).filter(|name| *name != "unknown").collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

struct Found(Vec<Difference>);

impl Found {
    fn put(&mut self, (kind, other_machine): (Kind, bool), what: &str, a: impl ToString, b: impl ToString) {
        let (a, b) = (a.to_string(), b.to_string());
        if a != b {
            self.0.push(Difference { kind, what: what.to_owned(), a, b, other_machine });
        }
    }

    fn fact<T: ToString>(&mut self, decides: bool, what: &str, a: &Fact<T>, b: &Fact<T>) {
        self.put((Kind::Machine, decides), what, known(a), known(b));
    }
}

fn known<T: ToString>(fact: &Fact<T>) -> String {
    fact.value.as_ref().map_or_else(|| "not known".to_owned(), T::to_string)
}

/// Is it the same machine, as far as times tell? One that does not say what it is need not be.
pub fn same_machine(a: &Environment, b: &Environment) -> bool {
    let mut found = Found(Vec::new());
    machine(&mut found, a, b);
    !found.0.iter().any(|difference| difference.other_machine)
}

fn machine(found: &mut Found, a: &Environment, b: &Environment) {
    found.fact(true, "chip", &a.chip, &b.chip);
    if a.chip.value.is_none() && b.chip.value.is_none() {
        // Two machines that do not say what they are need not be the same.
        let unknown = |side: &str| format!("not known (of {side})");
        found.put((Kind::Machine, true), "chip", unknown("A"), unknown("B"));
    }
    processor(found, a, b);
    found.fact(false, "machine", &a.machine_model, &b.machine_model);
    found.put((Kind::Machine, true), "architecture", &a.arch, &b.arch);
    found.put((Kind::Machine, true), "instruction sets", a.cpu_features.join(", "), b.cpu_features.join(", "));
    found.fact(true, "GPU", &a.gpu, &b.gpu);
    found.fact(false, "physical cores", &a.physical_cores, &b.physical_cores);
    found.fact(true, "usable cores", &a.usable_cores, &b.usable_cores);
    found.fact(true, "performance cores", &a.performance_cores, &b.performance_cores);
    found.fact(false, "efficiency cores", &a.efficiency_cores, &b.efficiency_cores);
    found.fact(false, "memory (bytes)", &a.memory_bytes, &b.memory_bytes);
    found.fact(false, "operating system", &a.os, &b.os);
    found.fact(false, "kernel", &a.kernel, &b.kernel);
    found.fact(false, "power source", &a.power_source, &b.power_source);
    found.fact(false, "low power mode", &a.low_power_mode, &b.low_power_mode);
    found.fact(false, "thermal state", &a.thermal_state, &b.thermal_state);
    found.fact(false, "virtual machine", &a.virtualized, &b.virtualized);
}

/// Machines of one name may have processors of several kinds. One that is not known, as in records from before it was asked, is
/// told, and makes no other machine of one that agrees in all else.
fn processor(found: &mut Found, a: &Environment, b: &Environment) {
    let (Some(one), Some(other)) = (&a.processor.value, &b.processor.value) else {
        return found.fact(false, "processor", &a.processor, &b.processor);
    };
    if one.numbers() != other.numbers() {
        found.put((Kind::Machine, one.differs_from(other)), "processor", one, other);
    }
    let microcode = |processor: &Processor| processor.microcode.clone().unwrap_or_else(|| "not known".to_owned());
    found.put((Kind::Machine, false), "microcode", microcode(one), microcode(other));
}

fn software(found: &mut Found, a: &Environment, b: &Environment) {
    let mut put = |what: &str, a: &str, b: &str| found.put((Kind::Software, false), what, a, b);
    put("offprint", &a.offprint_version, &b.offprint_version);
    put("git commit", &known(&a.git_commit), &known(&b.git_commit));
    put("uncommitted changes", &known(&a.git_dirty), &known(&b.git_dirty));
    put("Cargo.lock", &known(&a.cargo_lock_sha256), &known(&b.cargo_lock_sha256));
    put("rustc", &a.rustc, &b.rustc);
    let version = |libraries: &BTreeMap<String, String>, name: &str| {
        libraries.get(name).cloned().unwrap_or_else(|| "none".to_owned())
    };
    let names: BTreeSet<&String> = a.libraries.keys().chain(b.libraries.keys()).collect();
    for name in names {
        put(name, &version(&a.libraries, name), &version(&b.libraries, name));
    }
    let identity = |environment: &Environment, name: &str| {
        let found = environment.engines.iter().find(|facts| facts.name == name);
        found.map_or_else(|| "none".to_owned(), EngineFacts::identity)
    };
    let names: BTreeSet<&str> = a.engines.iter().chain(&b.engines).map(|facts| facts.name.as_str()).collect();
    for name in names {
        put(&format!("engine {name}"), &identity(a, name), &identity(b, name));
    }
}

fn model(found: &mut Found, a: &Told<'_>, b: &Told<'_>) {
    let mut put = |what: &str, a: String, b: String| found.put((Kind::Model, false), what, a, b);
    for (first, second) in a.run.study.models.iter().zip(&b.run.study.models) {
        put("model", first.id.clone(), second.id.clone());
    }
    let none = || "no checkpoint".to_owned();
    let [first, second] = [&a.run.environment.checkpoints, &b.run.environment.checkpoints];
    let of = |checkpoints: &[CheckpointFacts], what: &str| {
        let of_model = checkpoints.iter().find(|facts| !facts.drafts);
        of_model.map_or_else(none, |facts| match what {
            "source" => facts.source.clone(),
            "quantization" => facts.quantization.clone().unwrap_or_else(|| "none".to_owned()),
            file => facts.files.get(file).cloned().unwrap_or_else(|| "no such file".to_owned()),
        })
    };
    let models = first.iter().chain(second).filter(|facts| !facts.drafts);
    let files: BTreeSet<&String> = models.flat_map(|facts| facts.files.keys()).collect();
    for what in ["source", "quantization"].into_iter().chain(files.into_iter().map(String::as_str)) {
        put(what, of(first, what), of(second, what));
    }
    let digests = |checkpoints: &[CheckpointFacts], id: &str| {
        let found = checkpoints.iter().find(|facts| facts.drafts && facts.model == id);
        found.map_or_else(none, |facts| {
            let weights = facts.files.iter().filter(|(name, _)| name.ends_with(".safetensors"));
            let weights: Vec<&str> = weights.map(|(_, sha256)| sha256.as_str()).collect();
            format!("{}, weights {}", facts.source, weights.join(", "))
        })
    };
    let drafts = first.iter().chain(second).filter(|facts| facts.drafts).map(|facts| facts.model.as_str());
    for id in drafts.collect::<BTreeSet<_>>() {
        put(&format!("draft {id}"), digests(first, id), digests(second, id));
    }
    let level = a.run.study.models.first().and_then(|model| model.quantization.as_ref());
    let name = level.map_or_else(|| "perplexity".to_owned(), |level| format!("perplexity, quantization {level}"));
    put(&name, perplexity(a), perplexity(b));
}

/// Of the system's model, where its quality was measured.
fn perplexity(told: &Told<'_>) -> String {
    let rows: Vec<&QualityRow> = told.run.quality.iter().collect();
    let statistics = &told.run.study.statistics;
    match measured(&rows, statistics.confidence, statistics.equivalence_margin) {
        Ok(found) => significant(found.perplexity.value, 4),
        Err(_) => "not measured".to_owned(),
    }
}

/// `enable_thinking false, date 2026-11-27`; `None` for nothing.
fn told(settings: &Settings) -> Option<String> {
    let given: Vec<String> = settings.told.given().map(|(key, value)| format!("{key} {value}")).collect();
    (!given.is_empty()).then(|| given.join(", "))
}

fn plan(found: &mut Found, a: &Study, b: &Study) {
    let prompts = |study: &Study| -> BTreeMap<String, String> {
        let asked = |prompt: &Prompt| match prompt.tokens {
            Some(tokens) => format!("{tokens} tokens of a text of Offprint's"),
            None => prompt.text.clone(),
        };
        study.prompts.iter().map(|prompt| (prompt.id.clone(), asked(prompt))).collect()
    };
    let (first, second) = (prompts(a), prompts(b));
    let none = "none".to_owned();
    for id in first.keys().chain(second.keys()).collect::<BTreeSet<_>>() {
        let of = |prompts: &BTreeMap<String, String>| prompts.get(id).unwrap_or(&none).clone();
        found.put((Kind::Prompts, false), &format!("prompt {id}"), of(&first), of(&second));
    }
    let settings = |study: &Study| {
        let (settings, execution) = (&study.settings, &study.execution);
        let list = |values: Vec<String>| values.join(", ");
        let or_off = |value: Option<String>| value.unwrap_or_else(|| "off".to_owned());
        [
            ("lengths", list(settings.max_tokens.iter().map(u32::to_string).collect())),
            ("temperatures", list(settings.temperatures.iter().map(f64::to_string).collect())),
            ("replicates", settings.num_runs.to_string()),
            ("warm-up runs", settings.warmup_runs.to_string()),
            ("top_p", or_off(settings.top_p.map(|p| p.to_string()))),
            ("min_p", or_off(settings.min_p.map(|p| p.to_string()))),
            ("top_k", or_off(settings.top_k.map(|k| k.to_string()))),
            ("stop_on_eos", settings.stop_on_eos.to_string()),
            ("chat_template", settings.chat_template.to_string()),
            ("what the chat template is told", or_off(told(settings))),
            ("seed", execution.seed.to_string()),
            ("isolation", format!("{:?}", execution.isolation).to_lowercase()),
            ("order", format!("{:?}", execution.order).to_lowercase()),
            ("cooldown_s", execution.cooldown_s.to_string()),
            ("thermal_gate_s", or_off(execution.thermal_gate_s.map(|s| s.to_string()))),
        ]
    };
    for ((what, a), (_, b)) in settings(a).into_iter().zip(settings(b)) {
        found.put((Kind::Plan, false), what, a, b);
    }
    let tokens = |study: &Study| -> BTreeMap<String, String> {
        study.drafts.iter().map(|drafter| (drafter.id.clone(), drafter.tokens.to_string())).collect()
    };
    let (first, second) = (tokens(a), tokens(b));
    for id in first.keys().chain(second.keys()).collect::<BTreeSet<_>>() {
        let of = |tokens: &BTreeMap<String, String>| tokens.get(id).unwrap_or(&none).clone();
        found.put((Kind::Plan, false), &format!("tokens of draft {id}"), of(&first), of(&second));
    }
    let levels = |study: &Study| -> BTreeMap<String, String> {
        let keys = |factor: &Factor| factor.levels.iter().map(|level| level.key()).collect::<Vec<_>>().join(", ");
        study.factors.iter().map(|factor| (factor.label.clone(), keys(factor))).collect()
    };
    let (first, second) = (levels(a), levels(b));
    for label in first.keys().chain(second.keys()).collect::<BTreeSet<_>>() {
        let of =
            |levels: &BTreeMap<String, String>| levels.get(label).cloned().unwrap_or_else(|| "no factor".to_owned());
        found.put((Kind::Plan, false), label, of(&first), of(&second));
    }
    let statistics = |study: &Study| {
        let s = &study.statistics;
        [("confidence", s.confidence), ("equivalence_margin", s.equivalence_margin), ("stable_cv", s.stable_cv)]
    };
    for ((what, a), (_, b)) in statistics(a).into_iter().zip(statistics(b)) {
        found.put((Kind::Statistics, false), what, a, b);
    }
}
