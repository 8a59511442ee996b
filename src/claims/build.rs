//! A run folder and its summary -> every claim and predicate.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{
    CLAIMS_SCHEMA, Claims, Id, Runs, Source, consistency, drafts, energy, engines, judgements, load,
    registry::{Levels, Registry},
    setting,
};
use crate::{
    analysis::{self, Summary},
    factor::{DRAFT, ENGINE, MODEL, QUANTIZATION},
    store::Run,
    study::ModelSpec,
};

/// Every claim of a run.
///
/// # Errors
/// A value that is not finite.
pub fn build(run: &Run, summary: &Summary) -> Result<Claims> {
    let all: Vec<u32> = summary.runs.iter().map(|run| run.run).collect();
    let mut registry = Registry {
        claims: BTreeMap::new(),
        all: Runs::from(all.as_slice()),
        levels: Levels::of(&run.study.statistics),
    };
    registry.groups(summary);
    registry.prompts(summary);
    let inference = analysis::infer(&run.study, summary)?;
    registry.inference(summary, &inference);
    registry.study(&run.study, summary);
    registry.machine(run, summary);
    registry.excerpts(summary);
    registry.models(run, summary);
    registry.engines(run, summary);
    registry.load(&run.study, summary);
    registry.energy(&run.study, summary);
    registry.paper_title(&run.study, summary);
    let mut predicates = setting::of(run, summary);
    predicates.extend(engines::predicates(run));
    predicates.extend(load::design(&run.study, summary));
    predicates.extend(load::stationary(&run.study, summary));
    predicates.extend(drafts::same_text(summary));
    predicates.extend(drafts::proposed_by(summary));
    predicates.extend(drafts::faster(&run.study, summary, &inference));
    predicates.extend(energy::predicates(&run.study, summary));
    predicates.extend(energy::marginal(&inference));
    if let Some(published) = &run.published {
        let backend = summary.seen.backends(None);
        let judged = consistency::of(published, &run.study, &run.environment, &backend);
        let same_setup = judged.get("published.same_setup").is_some_and(|predicate| predicate.holds == Some(true));
        registry.published(published, same_setup);
        predicates.extend(judged);
    }
    predicates.extend(judgements::of(&run.study, summary, &inference));
    predicates.extend(registry.quality(run, summary));
    predicates.extend(registry.ratios(&run.study, summary, &inference));
    Ok(Claims {
        schema: CLAIMS_SCHEMA.to_owned(),
        source: Source { run_id: run.run_id.clone(), sha256: run.runs_sha256.clone() },
        claims: registry.claims,
        predicates,
    })
}

impl Registry {
    /// The models: `model.…` is the study's first; where there are several, `by_model.ID.…` is each; `by_draft.ID.…` is one that drafts.
    fn models(&mut self, run: &Run, summary: &Summary) {
        let checkpoints = &run.environment.checkpoints;
        let several = summary.by(MODEL).len() > 1;
        for drafter in &run.study.drafts {
            let tokens = u64::from(drafter.tokens);
            self.count(Id::by(DRAFT, &drafter.id).word("tokens"), tokens, "tokens of a round, at most, in the study");
        }
        let (drafts, checkpoints): (Vec<_>, Vec<_>) = checkpoints.iter().partition(|checkpoint| checkpoint.drafts);
        for checkpoint in drafts {
            self.checkpoint(&Id::by(DRAFT, &checkpoint.model), checkpoint);
        }
        for (place, checkpoint) in checkpoints.iter().enumerate() {
            if place == 0 {
                self.checkpoint(&Id::new("model"), checkpoint);
            }
            let levels = summary.by(QUANTIZATION).len();
            if let (false, Some(recipe)) = (several || levels < 2, &checkpoint.recipe) {
                self.checkpoint(&Id::by(QUANTIZATION, recipe), checkpoint);
            }
            if several {
                self.checkpoint(&Id::by(MODEL, &checkpoint.model), checkpoint);
            }
        }
        let Some(model) = run.study.models.first() else { return };
        self.fact("model.name", &model.name, "name of the model in the study");
        self.fact("model.id", &model.id, "id of the model in the study");
        if checkpoints.is_empty() {
            let source = if model.source == ModelSpec::OF_SERVER { "the server's own" } else { &model.source };
            self.fact("model.source", source, "source of the model in the study");
            self.fact("model.quantization", "no weights", "the engine has no checkpoint");
            // The sections are written for models with weights: the ids exist, whatever the branch that is taken.
            for id in ["model.parameters", "model.weights_size", "model.sha256"] {
                self.fact(id, "none", "the engine has no checkpoint");
            }
        }
        for group in summary.by(ENGINE).iter().filter(|_| summary.by(ENGINE).len() > 1) {
            let id = |word: &str| Id::by(ENGINE, &group.key).word(word);
            let backends = summary.seen.backends(Some(&group.key));
            self.fact(id("backend"), &backends, "backends of the engine's rows");
            let libraries = &run.environment.libraries;
            let library = libraries.get(if group.key == "mlx" { "kernels" } else { group.key.as_str() });
            let foreign = Registry::computed_by(run, &group.key);
            let computed_by = library.cloned().or(foreign).unwrap_or_else(|| "not known".to_owned());
            self.fact(id("computed_by"), &computed_by, "the engine's kernels and threads, in environment.json");
        }
    }
}
