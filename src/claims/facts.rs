//! What study, machine, software and checkpoints say of themselves -> claims. No run made them.

use super::{
    Claim, Id, Runs, Value,
    registry::{FOUR, Number, Registry},
    rounding::significant,
    setting,
    words::list,
};
use crate::{
    analysis::Summary,
    factor::{ENGINE, MODEL},
    machine::{CheckpointFacts, Environment, Fact},
    store::Run,
    study::Study,
};

impl Registry {
    pub(super) fn study(&mut self, study: &Study, summary: &Summary) {
        let settings = &study.settings;
        self.fact("study.title", &study.title, "title in the study");
        self.fact("study.name", &study.name, "name in the study");
        let authors: Vec<String> = study.authors.iter().map(|author| author.name.clone()).collect();
        let authors = if authors.is_empty() { "The authors of the study".to_owned() } else { list(&authors) };
        self.fact("study.authors", &authors, "authors in the study");
        self.people(study);
        self.fact("study.keywords", &study.keywords.join(", "), "keywords in the study");
        if let Some(doi) = &study.doi {
            self.fact("study.doi", doi, "doi in the study");
        }
        self.count("study.prompts", study.prompts.len() as u64, "number of prompts in the study");
        self.count("study.lengths", settings.max_tokens.len() as u64, "number of output lengths in the study");
        self.count("study.temperatures", settings.temperatures.len() as u64, "number of temperatures in the study");
        let lengths: Vec<String> = settings.max_tokens.iter().map(u32::to_string).collect();
        let temperatures: Vec<String> = settings.temperatures.iter().map(f64::to_string).collect();
        self.fact("study.lengths.list", &list(&lengths), "output lengths in the study");
        self.fact("study.lengths.shortest", lengths.first().map_or("", String::as_str), "shortest output length");
        self.fact("study.lengths.longest", lengths.last().map_or("", String::as_str), "longest output length");
        self.fact("study.temperatures.list", &list(&temperatures), "temperatures in the study");
        self.fact("study.engines", &list(&labels(study, ENGINE)), "engines in the study");
        self.fact("study.models", &list(&labels(study, MODEL)), "names of the models in the study");
        self.count("study.repeats", settings.num_runs.into(), "replicates of each cell");
        self.count("study.cells", study.cells() as u64, &product(study));
        self.count("study.runs", summary.planned.into(), "cells x replicates");
        self.count("study.runs.ok", summary.runs.len() as u64, "measured runs that ended well");
        self.count("study.runs.failed", summary.failed.into(), "measured runs that failed");
        self.count("study.warmup_runs", settings.warmup_runs.into(), "warm-up generations before a measurement");
        self.count("study.seed", study.execution.seed, "seed in the study");
        let share = |part: f64| significant(100.0 * part, 6).trim_end_matches('0').trim_end_matches('.').to_owned();
        let margin = share(study.statistics.equivalence_margin);
        self.fact("study.margin", &margin, "equivalence_margin of the study, per cent");
        self.fact("study.stable_cv", &study.statistics.stable_cv.to_string(), "stable_cv of the study");
        let confidence = study.statistics.confidence * 100.0;
        let number = Number { value: confidence, unit: "%", text: confidence.to_string(), rounding: "exact" };
        self.number_of(
            "study.confidence".into(),
            number,
            "confidence of intervals in the study".to_owned(),
            &Runs::default(),
        );
    }

    /// A measurement of MLX with other kernels is none of MLX: who reads no more than the title must know.
    pub(super) fn paper_title(&mut self, study: &Study, summary: &Summary) {
        let note = match setting::own_kernels_on(summary) {
            Some(device) => format!(" (MLX with Offprint's {device} Kernels)"),
            None => String::new(),
        };
        let from = "title in the study, and whose kernels computed, from the backend of the rows";
        self.fact("paper.title", &format!("{}{note}", study.title), from);
    }

    pub(super) fn machine(&mut self, run: &Run, summary: &Summary) {
        let Environment { chip, machine_model, arch, physical_cores, logical_cores, os, kernel, gpu, .. } =
            &run.environment;
        let e = &run.environment;
        let said = "what the machine says of itself, in environment.json";
        self.maybe("machine.chip", chip, said);
        // Records from before it was asked have no such claim, and their papers no such row.
        if !e.processor.is_not_recorded() {
            self.maybe("machine.processor", &e.processor, said);
        }
        self.maybe("machine.model", machine_model, said);
        self.fact("machine.arch", arch, said);
        let features = if e.cpu_features.is_empty() { "none of note".to_owned() } else { e.cpu_features.join(", ") };
        self.fact("machine.cpu_features", &features, said);
        self.maybe("machine.physical_cores", physical_cores, said);
        self.maybe("machine.logical_cores", logical_cores, said);
        self.maybe("machine.performance_cores", &e.performance_cores, said);
        self.maybe("machine.efficiency_cores", &e.efficiency_cores, said);
        self.maybe("machine.gpu", gpu, said);
        self.maybe("machine.os", os, said);
        self.maybe("machine.kernel", kernel, said);
        self.maybe("machine.power_source", &e.power_source, said);
        self.maybe("machine.thermal_state", &e.thermal_state, said);
        let gib = |bytes: u64| format!("{} GiB", significant(bytes as f64 / f64::from(1 << 30), 3));
        let memory = Fact { value: e.memory_bytes.value.map(gib), reason: e.memory_bytes.reason.clone() };
        self.maybe("machine.memory", &memory, said);
        for found in &e.memory_bandwidth {
            let id = Id::new("machine.bandwidth").word(found.of.name());
            let rate = Number::rounded(found.best() as f64 / 1e9, "GB/s", 3);
            let formula = "best pass of `memory_bandwidth` in environment.json";
            self.number_of(id.clone(), rate, formula.to_owned(), &Runs::default());
            self.fact(id.word("how"), &found.how, formula);
        }
        let virtualized = e.virtualized.value.map(|yes| if yes { "yes" } else { "no" });
        self.maybe("machine.virtualized", &Fact { value: virtualized, reason: e.virtualized.reason.clone() }, said);
        self.maybe("software.git_commit", &e.git_commit, said);
        self.fact("software.offprint", &e.offprint_version, said);
        self.fact("software.rustc", &e.rustc, said);
        for (name, version) in &e.libraries {
            self.fact(Id::new("software").word(name), version, said);
        }
        if !e.notes.is_empty() {
            self.fact("run.notes", &e.notes.join("; "), "what was known before the first run, in environment.json");
        }
        self.fact("machine.backend", &summary.seen.backends(None), "backend of the rows");
        self.fact("machine.engine", &summary.seen.engines.join(", "), "engine of the rows");
        let all = self.all.clone();
        let (from, to) = (summary.seen.from.as_str(), summary.seen.to.as_str());
        let when = if from == to { from.to_owned() } else { format!("{from} to {to}") };
        self.text_of("study.date".into(), &when, "UTC dates of the rows", &all);
    }

    /// What a checkpoint is: `model.…` of the first, `by_model.ID.…` of each where there are several, `by_draft.ID.…` of one that drafts.
    pub(super) fn checkpoint(&mut self, of: &Id, checkpoint: &CheckpointFacts) {
        let from = "the checkpoint, in environment.json";
        let id = |name: &str| of.word(name);
        self.fact(id("source"), &checkpoint.source, from);
        self.fact(id("quantization"), checkpoint.quantization.as_deref().unwrap_or("none"), from);
        if let Some(source) = &checkpoint.source_quantization {
            self.fact(id("source_quantization"), source, from);
        }
        let millions = |parameters: u64| Claim {
            value: Value::Integer(parameters as i64),
            text: format!("{} million", significant(parameters as f64 / 1e6, 4)),
            rounding: FOUR.to_owned(),
            ..Claim::of(from, &Runs::default())
        };
        self.put(id("parameters"), millions(checkpoint.parameters));
        if let Some(active) = checkpoint.active_parameters {
            self.put(id("active_parameters"), millions(active));
        }
        if let Some(bytes) = checkpoint.step_bytes {
            let mib = Number::rounded(bytes as f64 / f64::from(1 << 20), "MiB", 4);
            self.number_of(
                id("step_size"),
                mib,
                "step_bytes of the checkpoint, in environment.json".to_owned(),
                &Runs::default(),
            );
        }
        let mib = Number::rounded(checkpoint.weight_bytes as f64 / f64::from(1 << 20), "MiB", 4);
        self.number_of(id("weights_size"), mib, from.to_owned(), &Runs::default());
        if checkpoint.recipe.is_some() {
            let bits = 8.0 * checkpoint.weight_bytes as f64 / checkpoint.parameters.max(1) as f64;
            self.number_of(id("bits_per_weight"), Number::rounded(bits, "bit", 3), from.to_owned(), &Runs::default());
        }
        let digests = checkpoint
            .files
            .iter()
            .filter(|(name, _)| name.ends_with(".safetensors"))
            .map(|(_, digest)| digest.clone());
        self.fact(id("sha256"), &list(&digests.collect::<Vec<_>>()), from);
    }
}

/// What prose calls the levels of a factor.
fn labels(study: &Study, name: &str) -> Vec<String> {
    let design = study.design();
    let levels = design.iter().find(|factor| factor.name == name).map(|factor| factor.levels.iter());
    levels.into_iter().flatten().map(|level| level.label.clone()).collect()
}

/// What is multiplied to the number of cells.
fn product(study: &Study) -> String {
    let mut factors = Vec::new();
    if study.models.len() > 1 {
        factors.push(match study.models[0].quantization {
            Some(_) => "models on their engines at each quantization".to_owned(),
            None => "models on their engines".to_owned(),
        });
    }
    factors.extend(["prompts", "lengths", "temperatures"].map(str::to_owned));
    factors.extend(study.factors.iter().map(|factor| format!("levels of {}", factor.label)));
    factors.join(" x ")
}
