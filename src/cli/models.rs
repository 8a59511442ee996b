//! Getting a study's models onto this machine, each for its engine, and saying what identifies their weights.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::Result;

use crate::{
    bench::Place,
    machine::CheckpointFacts,
    preflight::{Finding, Folders},
    study::Study,
};

/// A study's models on this machine; each list is in the study's order.
#[derive(Debug)]
pub(super) struct Located {
    /// What each engine opens: a checkpoint's folder, a GGUF file, the fake engine's source.
    pub(super) places: Vec<String>,
    /// Checkpoints, where there is one.
    pub(super) folders: Vec<Option<PathBuf>>,
    /// Sources as resolved, revisions included.
    resolved: Vec<String>,
    /// Models that draft.
    pub(super) drafts: Vec<Drafting>,
    /// Models that cannot be had, all of them.
    pub(super) refused: Vec<Finding>,
}

/// A model that drafts, on this machine.
#[derive(Debug, Default)]
pub(super) struct Drafting {
    pub(super) place: Place,
    resolved: String,
}

impl Located {
    /// As the bench takes them.
    pub(super) fn places(&self) -> Vec<Place> {
        let pairs = self.places.iter().zip(&self.folders);
        pairs.map(|(opens, folder)| Place { opens: opens.clone(), folder: folder.clone() }).collect()
    }

    /// The same of models that draft.
    pub(super) fn draft_places(&self) -> Vec<Place> {
        self.drafts.iter().map(|drafting| drafting.place.clone()).collect()
    }

    /// Checkpoints, where there is one, as preflight takes them.
    pub(super) fn checkpoints(&self) -> Folders {
        Folders {
            models: self.folders.clone(),
            drafts: self.drafts.iter().map(|drafting| drafting.place.folder.clone()).collect(),
        }
    }

    /// What engines open, whatever it is for.
    pub(super) fn opened(&self) -> Vec<String> {
        self.places.iter().chain(self.drafts.iter().map(|drafting| &drafting.place.opens)).cloned().collect()
    }
}

/// Fetches what is not here. `sources`: where a model is to be taken from instead of where the study says, by its id.
pub(super) fn locate(study: &Study, sources: &BTreeMap<String, String>) -> Located {
    let mut located = Located {
        places: Vec::new(),
        folders: Vec::new(),
        resolved: Vec::new(),
        drafts: Vec::new(),
        refused: Vec::new(),
    };
    for model in &study.models {
        let source = model.packed(sources.get(&model.id).unwrap_or(&model.source));
        let (place, folder, resolved) = if !model.engine.opens_files() {
            (model.source.clone(), None, String::new())
        } else {
            match fetch(&model.id, &source, model.engine.opens_gguf()) {
                Ok((place, folder, resolved)) => (place, Some(folder), resolved),
                Err(error) => {
                    located.refused.push(Finding::refuse("model", &model.weights(), &error));
                    (String::new(), None, String::new())
                }
            }
        };
        located.places.push(place);
        located.folders.push(folder);
        located.resolved.push(resolved);
    }
    // On several engines it is one model, and one fault.
    located.refused.dedup();
    for drafter in &study.drafts {
        let source = sources.get(&drafter.id).unwrap_or(&drafter.source);
        let drafting = if study.is_fake() {
            Ok(Drafting { place: Place { opens: source.clone(), folder: None }, resolved: String::new() })
        } else {
            fetch(&drafter.id, source, false)
                .map(|(opens, folder, resolved)| Drafting { place: Place { opens, folder: Some(folder) }, resolved })
        };
        located.drafts.push(drafting.unwrap_or_else(|error| {
            located.refused.push(Finding::refuse("draft", &drafter.id, &error));
            Drafting::default()
        }));
    }
    located
}

/// What identifies the weights, one entry a model, then one a model that drafts: every byte of them is read.
pub(super) fn facts(study: &Study, located: &Located) -> Result<Vec<CheckpointFacts>> {
    let mut facts: Vec<CheckpointFacts> = Vec::new();
    for ((model, folder), resolved) in study.models.iter().zip(&located.folders).zip(&located.resolved) {
        if let Some(folder) = folder.as_ref().filter(|_| !facts.iter().any(|known| known.is_of(model))) {
            facts.push(of_checkpoint(&model.id, model.quantization.as_deref(), folder, resolved)?);
        }
    }
    for (drafter, Drafting { place, resolved }) in study.drafts.iter().zip(&located.drafts) {
        if let Some(folder) = &place.folder {
            facts.push(CheckpointFacts { drafts: true, ..of_checkpoint(&drafter.id, None, folder, resolved)? });
        }
    }
    Ok(facts)
}

#[cfg(feature = "mlx")]
fn of_checkpoint(id: &str, recipe: Option<&str>, folder: &Path, resolved: &str) -> Result<CheckpointFacts> {
    crate::model::facts::of(&crate::model::Checkpoint::open(folder)?, id, recipe, resolved)
}

#[cfg(not(feature = "mlx"))]
fn of_checkpoint(id: &str, _: Option<&str>, _: &Path, _: &str) -> Result<CheckpointFacts> {
    anyhow::bail!("{id}: this build of offprint has no MLX\nhint: {}", crate::installed::how().with_mlx())
}

/// The engine's place, the checkpoint's folder, the source as resolved.
#[cfg(feature = "mlx")]
fn fetch(_: &str, source: &str, opens_gguf: bool) -> Result<(String, PathBuf, String)> {
    use crate::model;
    let (checkpoint, resolved) = model::fetch(&source.parse()?, &model::cache_dir(), &mut tell_fetch())?;
    let place = if opens_gguf {
        // The file that the checkpoint was imported from.
        model::gguf_file(&source.parse()?, &model::cache_dir(), &mut tell_fetch())?
    } else {
        checkpoint.folder.clone()
    };
    Ok((place.display().to_string(), checkpoint.folder, resolved))
}

/// Nothing is opened: that the engine is not in this program is a finding of its own.
#[cfg(not(feature = "mlx"))]
fn fetch(id: &str, source: &str, _: bool) -> Result<(String, PathBuf, String)> {
    anyhow::bail!(
        "{id} ({source}): this build of offprint opens no model\nhint: {}",
        crate::installed::how().with_mlx()
    )
}

/// Shows a download: a bar on a terminal, a line a step elsewhere.
#[cfg(feature = "mlx")]
pub(super) fn tell_fetch() -> impl FnMut(crate::model::Progress) {
    use crate::model::Progress;
    use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}") {
        bar.set_style(style);
    }
    move |progress| match progress {
        Progress::Step(step) => tell!("{step}"),
        Progress::Bytes { file, done, total } => {
            bar.set_length(total);
            bar.set_position(done);
            bar.set_message(file);
            if done >= total {
                bar.finish_and_clear();
            }
        }
    }
}
