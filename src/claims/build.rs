//! A run folder and its summary -> every claim and predicate.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{
    CLAIMS_SCHEMA, Claim, Claims, Runs, Source, Value,
    rounding::{Decimals, significant, text},
    setting,
};
use crate::{
    analysis::{self, Group, METRICS, Stats, Summary},
    machine::{CheckpointFacts, Environment, Fact},
    store::Run,
    study::Study,
};

/// Every claim of a run.
pub fn build(run: &Run, summary: &Summary) -> Result<Claims> {
    let mut registry = Registry { claims: BTreeMap::new(), all: summary.runs.iter().map(|run| run.run).collect() };
    registry.groups(summary);
    let inference = analysis::infer(&run.study, summary)?;
    registry.inference(&run.study, &inference);
    registry.all_times(summary);
    registry.study(&run.study, summary);
    registry.machine(run, summary);
    registry.excerpts(summary);
    for checkpoint in &run.environment.checkpoints {
        registry.model(checkpoint);
    }
    if let Some(model) = run.study.models.first() {
        registry.fact("model.name", &model.name, "name of the model in the study");
        registry.fact("model.id", &model.id, "id of the model in the study");
        if run.environment.checkpoints.is_empty() {
            registry.fact("model.source", &model.source, "source of the model in the study");
            registry.fact("model.quantization", "no weights", "the engine has no checkpoint");
            // The sections are written for models with weights: the ids exist, whatever the branch that is taken.
            for id in ["model.parameters", "model.weights_size", "model.sha256"] {
                registry.fact(id, "none", "the engine has no checkpoint");
            }
        }
    }
    registry.paper_title(&run.study, summary);
    let mut predicates = setting::of(run, summary);
    if let Some(published) = &run.published {
        let judged = super::consistency::of(published, &run.study, &run.environment, &summary.seen.backend);
        let same_setup = judged.get("published.same_setup").is_some_and(|predicate| predicate.holds == Some(true));
        registry.published(published, same_setup);
        predicates.extend(judged);
    }
    predicates.extend(super::judgements::of(&run.study, &inference));
    Ok(Claims {
        schema: CLAIMS_SCHEMA.to_owned(),
        source: Source { run_id: run.run_id.clone(), sha256: run.runs_sha256.clone() },
        claims: registry.claims,
        predicates,
    })
}

/// `64, 128 and 256`.
pub fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

pub(super) struct Registry {
    claims: BTreeMap<String, Claim>,
    /// All runs that a summary rests on.
    pub(super) all: Vec<u32>,
}

impl Registry {
    #[expect(clippy::too_many_arguments, reason = "the fields of a claim")]
    pub(super) fn put(
        &mut self,
        id: String,
        value: Value,
        unit: &str,
        text: String,
        formula: String,
        rounding: &str,
        runs: &[u32],
    ) {
        let claim = Claim {
            value,
            unit: unit.to_owned(),
            text,
            formula,
            rounding: rounding.to_owned(),
            n: runs.len() as u32,
            runs: Runs::from(runs),
            baseline_runs: Runs::default(),
        };
        self.claims.insert(id, claim);
    }

    /// A text that no run made.
    pub(super) fn fact(&mut self, id: &str, value: &str, formula: &str) {
        self.put(id.to_owned(), Value::Text(value.to_owned()), "", value.to_owned(), formula.to_owned(), "exact", &[]);
    }

    /// A fact of the machine, or why it is not known.
    fn maybe<T: ToString>(&mut self, id: &str, fact: &Fact<T>, formula: &str) {
        let value = match (&fact.value, &fact.reason) {
            (Some(value), _) => value.to_string(),
            (None, Some(reason)) => format!("not known ({reason})"),
            (None, None) => "not known".to_owned(),
        };
        self.fact(id, &value, formula);
    }

    pub(super) fn count(&mut self, id: &str, n: u64, formula: &str) {
        self.put(id.to_owned(), Value::Integer(n as i64), "", n.to_string(), formula.to_owned(), "exact", &[]);
    }

    fn groups(&mut self, summary: &Summary) {
        self.group("", "all runs", &summary.overall);
        let factors = [
            ("by_length", "runs of this length", &summary.by_length),
            ("by_temperature", "runs at this temperature", &summary.by_temperature),
            ("by_prompt", "runs of this prompt", &summary.by_prompt),
            ("by_cell", "runs of this cell (prompt, length, temperature)", &summary.cells),
        ];
        for (factor, which, groups) in factors {
            for group in groups {
                self.group(&format!("{factor}.{}.", group.key), which, group);
            }
        }
        for group in &summary.by_prompt {
            let tokens = summary.runs.iter().find(|run| run.prompt_id == group.key).map_or(0, |run| run.n_prompt);
            self.count(&format!("by_prompt.{}.n_prompt", group.key), tokens.into(), "tokens of the prompt");
        }
    }

    fn group(&mut self, prefix: &str, which: &str, group: &Group) {
        for (metric, unit) in METRICS {
            let Some(stats) = group.metrics.get(metric) else { continue };
            // Memory is told in MiB.
            let (unit, scale) = if unit == "bytes" { ("MiB", 1.0 / f64::from(1 << 20)) } else { (unit, 1.0) };
            self.metric(&format!("{prefix}{metric}"), unit, scale, formula(metric), which, stats, &group.runs);
        }
        let runs = format!("runs.{}", prefix.trim_end_matches('.'));
        self.put(
            runs.trim_end_matches('.').to_owned(),
            Value::Integer(group.runs.len() as i64),
            "",
            group.runs.len().to_string(),
            format!("number of {which} that ended well"),
            "exact",
            &group.runs,
        );
        let rate = group.pooled_throughput;
        self.put(
            format!("{prefix}throughput.pooled"),
            Value::Number(rate),
            "tok/s",
            significant(rate, 4),
            format!("total tokens / total latency over {which}"),
            "four significant digits",
            &group.runs,
        );
    }

    #[expect(clippy::too_many_arguments, reason = "one call, above")]
    fn metric(&mut self, id: &str, unit: &str, scale: f64, formula: &str, which: &str, stats: &Stats, runs: &[u32]) {
        let decimals = Decimals::of_mean(stats.mean * scale, stats.se.map(|se| se * scale));
        let at_mean = match stats.se {
            Some(se) if se > 0.0 => "to two significant digits of the mean's standard error",
            _ => "four significant digits of the mean",
        };
        let mut at = |name: &str, what: &str, value: f64| {
            let value = value * scale;
            let formula = format!("{what} of {formula} over {which}");
            self.put(format!("{id}.{name}"), Value::Number(value), unit, text(value, decimals), formula, at_mean, runs);
        };
        at("mean", "mean", stats.mean);
        at("min", "smallest", stats.min);
        at("max", "largest", stats.max);
        at("median", "median", stats.median);
        if let Some((low, high)) = stats.interval {
            at("ci.low", "lower end of Student's t interval for the mean", low);
            at("ci.high", "upper end of Student's t interval for the mean", high);
        }
        let mut digits = |name: &str, what: &str, unit: &str, value: Option<f64>| {
            if let Some(value) = value {
                let (id, formula) = (format!("{id}.{name}"), format!("{what} of {formula} over {which}"));
                let text = significant(value, 2);
                self.put(id, Value::Number(value), unit, text, formula, "two significant digits", runs);
            }
        };
        digits("sd", "sample standard deviation (ddof = 1)", unit, stats.sd.map(|sd| sd * scale));
        digits("se", "standard error (sd / sqrt n) of the mean", unit, stats.se.map(|se| se * scale));
        digits("cv", "sd / mean", "1", stats.cv);
    }

    fn study(&mut self, study: &Study, summary: &Summary) {
        let settings = &study.settings;
        self.fact("study.title", &study.title, "title in the study");
        self.fact("study.name", &study.name, "name in the study");
        let authors: Vec<String> = study.authors.iter().map(|author| author.name.clone()).collect();
        let authors = if authors.is_empty() { "The authors of the study".to_owned() } else { list(&authors) };
        self.fact("study.authors", &authors, "authors in the study");
        self.people(study);
        self.fact("study.keywords", &study.keywords.join(", "), "keywords in the study");
        self.count("study.prompts", study.prompts.len() as u64, "number of prompts in the study");
        self.count("study.lengths", settings.max_tokens.len() as u64, "number of output lengths in the study");
        self.count("study.temperatures", settings.temperatures.len() as u64, "number of temperatures in the study");
        let lengths: Vec<String> = settings.max_tokens.iter().map(u32::to_string).collect();
        let temperatures: Vec<String> = settings.temperatures.iter().map(f64::to_string).collect();
        self.fact("study.lengths.list", &list(&lengths), "output lengths in the study");
        self.fact("study.lengths.shortest", lengths.first().map_or("", String::as_str), "shortest output length");
        self.fact("study.lengths.longest", lengths.last().map_or("", String::as_str), "longest output length");
        self.fact("study.temperatures.list", &list(&temperatures), "temperatures in the study");
        self.count("study.repeats", settings.num_runs.into(), "replicates of each cell");
        self.count("study.cells", study.cells() as u64, "prompts x lengths x temperatures");
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
        self.put(
            "study.confidence".to_owned(),
            Value::Number(confidence),
            "%",
            confidence.to_string(),
            "confidence of intervals in the study".to_owned(),
            "exact",
            &[],
        );
    }

    /// A measurement of MLX with other kernels is none of MLX: who reads no more than the title must know.
    fn paper_title(&mut self, study: &Study, summary: &Summary) {
        let note = match setting::own_kernels_on(summary) {
            Some(device) => format!(" (MLX with {device} Kernels of Our Own)"),
            None => String::new(),
        };
        let from = "title in the study, and whose kernels computed, from the backend of the rows";
        self.fact("paper.title", &format!("{}{note}", study.title), from);
    }

    fn machine(&mut self, run: &Run, summary: &Summary) {
        let Environment { chip, machine_model, arch, physical_cores, logical_cores, os, kernel, gpu, .. } =
            &run.environment;
        let e = &run.environment;
        let said = "what the machine says of itself, in environment.json";
        self.maybe("machine.chip", chip, said);
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
        let virtualized = e.virtualized.value.map(|yes| if yes { "yes" } else { "no" });
        self.maybe("machine.virtualized", &Fact { value: virtualized, reason: e.virtualized.reason.clone() }, said);
        self.maybe("software.git_commit", &e.git_commit, said);
        self.fact("software.offprint", &e.offprint_version, said);
        self.fact("software.rustc", &e.rustc, said);
        for (name, version) in &e.libraries {
            self.fact(&format!("software.{name}"), version, said);
        }
        self.fact("machine.backend", &summary.seen.backend, "backend of the rows");
        self.fact("machine.engine", &summary.seen.engine, "engine of the rows");
        let all = self.all.clone();
        let (from, to) = (summary.seen.from.as_str(), summary.seen.to.as_str());
        let when = if from == to { from.to_owned() } else { format!("{from} to {to}") };
        self.put(
            "study.date".into(),
            Value::Text(when.clone()),
            "",
            when,
            "UTC dates of the rows".into(),
            "exact",
            &all,
        );
    }

    fn model(&mut self, checkpoint: &CheckpointFacts) {
        let from = "the checkpoint, in environment.json";
        self.fact("model.source", &checkpoint.source, from);
        self.fact("model.quantization", checkpoint.quantization.as_deref().unwrap_or("none"), from);
        let millions = checkpoint.parameters as f64 / 1e6;
        let text = format!("{} million", significant(millions, 4));
        self.put(
            "model.parameters".into(),
            Value::Integer(checkpoint.parameters as i64),
            "",
            text,
            from.into(),
            "four significant digits",
            &[],
        );
        let mib = checkpoint.weight_bytes as f64 / f64::from(1 << 20);
        self.put(
            "model.weights_size".into(),
            Value::Number(mib),
            "MiB",
            significant(mib, 4),
            from.into(),
            "four significant digits",
            &[],
        );
        let digests = checkpoint
            .files
            .iter()
            .filter(|(name, _)| name.ends_with(".safetensors"))
            .map(|(_, digest)| digest.clone());
        self.fact("model.sha256", &list(&digests.collect::<Vec<_>>()), from);
    }
}

/// What a metric is, as a formula of the record's fields.
pub(super) fn formula(metric: &str) -> &'static str {
    match metric {
        "decode" => "(n_gen - 1) / (t_last - t_first)",
        "decode_mlxlm" => "n_gen / (t_last - t_first)",
        "latency" => "(load + e2e)",
        "load" => "load",
        "peak_memory" => "peak_memory_bytes / 2^20",
        "prefill" => "n_prompt / ttft",
        "throughput" => "n_gen / (load + e2e)",
        "ttft" => "ttft",
        _ => "e2e",
    }
}
