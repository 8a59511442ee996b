//! Getting a study's models onto this machine, each for its engine, and saying what identifies their weights.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Result;

use crate::{
    bench::Place,
    machine::CheckpointFacts,
    preflight::Finding,
    study::{ModelSpec, Study},
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
    /// Models that cannot be had, all of them.
    pub(super) refused: Vec<Finding>,
}

impl Located {
    /// As the bench takes them.
    pub(super) fn places(&self) -> Vec<Place> {
        let pairs = self.places.iter().zip(&self.folders);
        pairs.map(|(opens, folder)| Place { opens: opens.clone(), folder: folder.clone() }).collect()
    }
}

/// Fetches what is not here. `sources`: where a model is to be taken from instead of where the study says, by its id.
pub(super) fn locate(study: &Study, sources: &BTreeMap<String, String>) -> Located {
    let mut located = Located { places: Vec::new(), folders: Vec::new(), resolved: Vec::new(), refused: Vec::new() };
    for model in &study.models {
        let source = model.packed(sources.get(&model.id).unwrap_or(&model.source));
        let (place, folder, resolved) = if !model.engine.opens_files() {
            (model.source.clone(), None, String::new())
        } else {
            match fetch(model, &source) {
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
    located
}

/// What identifies the weights, one entry a model: every byte of them is read.
pub(super) fn facts(study: &Study, located: &Located) -> Result<Vec<CheckpointFacts>> {
    let mut facts: Vec<CheckpointFacts> = Vec::new();
    for ((model, folder), resolved) in study.models.iter().zip(&located.folders).zip(&located.resolved) {
        if let Some(folder) = folder.as_ref().filter(|_| !facts.iter().any(|known| known.is_of(model))) {
            facts.push(of_checkpoint(model, folder, resolved)?);
        }
    }
    Ok(facts)
}

#[cfg(feature = "mlx")]
fn of_checkpoint(model: &ModelSpec, folder: &std::path::Path, resolved: &str) -> Result<CheckpointFacts> {
    crate::model::facts::of(
        &crate::model::Checkpoint::open(folder)?,
        &model.id,
        model.quantization.as_deref(),
        resolved,
    )
}

#[cfg(not(feature = "mlx"))]
fn of_checkpoint(model: &ModelSpec, _: &std::path::Path, _: &str) -> Result<CheckpointFacts> {
    anyhow::bail!("{}: this build of offprint has no MLX\nhint: {}", model.id, crate::installed::how().with_mlx())
}

/// The engine's place, the checkpoint's folder, the source as resolved.
#[cfg(feature = "mlx")]
fn fetch(model: &ModelSpec, source: &str) -> Result<(String, PathBuf, String)> {
    use crate::model;
    let (checkpoint, resolved) = model::fetch(&source.parse()?, &model::cache_dir(), &mut tell_fetch())?;
    let place = if model.engine.opens_gguf() {
        // The file that the checkpoint was imported from.
        model::gguf_file(&source.parse()?, &model::cache_dir(), &mut tell_fetch())?
    } else {
        checkpoint.folder.clone()
    };
    Ok((place.display().to_string(), checkpoint.folder, resolved))
}

/// Nothing is opened: that the engine is not in this program is a finding of its own.
#[cfg(not(feature = "mlx"))]
fn fetch(model: &ModelSpec, source: &str) -> Result<(String, PathBuf, String)> {
    anyhow::bail!(
        "{} ({source}): this build of offprint opens no model\nhint: {}",
        model.id,
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
