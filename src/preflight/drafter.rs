//! A model that drafts -> whether it opens and can be cut back, and whether it means by an id what the model means that checks.

use std::path::Path;

use anyhow::{Result, bail};

use super::{Finding, checkpoint::most_positions};
use crate::{
    engine::{drafting, tokenizer::Tokenizer},
    factor::THREADS,
    model::{
        Checkpoint,
        decoder::{self, Decoder},
        kernels::Kernels,
    },
    study::Study,
};

/// What is to be known of it by itself.
pub(super) fn findings(study: &Study, id: &str, folder: &Path, kernels: &Kernels) -> Vec<Finding> {
    let checkpoint = match Checkpoint::open(folder) {
        Ok(checkpoint) => checkpoint,
        Err(error) => return vec![Finding::refuse("draft", id, &error)],
    };
    let look = "see whether it matters: the text is the model's own, and the records say what was accepted";
    let mut found: Vec<Finding> =
        checkpoint.notes.iter().map(|note| Finding::warn("draft", id, note.as_str(), look)).collect();
    match Decoder::check(&checkpoint, kernels) {
        Ok(notes) => found.extend(notes.into_iter().map(|note| Finding::warn("draft", id, note, look))),
        Err(error) => found.push(Finding::refuse("draft", id, &error.into())),
    }
    let threads = study.factors.iter().any(|factor| factor.name == THREADS);
    if let (true, Some(reason)) = (threads, decoder::unfit(&checkpoint.config.spec, kernels)) {
        let error = anyhow::anyhow!(
            "threads are a factor, and MLX's own kernels, which compute this model, take none: offprint's are not made for {reason}\nhint: take `threads` out of the study, or have another model draft"
        );
        found.push(Finding::refuse("draft", id, &error));
    }
    if let Err(error) = drafting::can_draft(&checkpoint.config.spec) {
        found.push(Finding::refuse("draft", id, &error));
    }
    match Tokenizer::open(folder, checkpoint.config.vocab_size) {
        Ok(tokenizer) => found.extend(beyond(study, id, &tokenizer, checkpoint.config.max_position_embeddings)),
        Err(error) => found.push(Finding::refuse("draft", id, &error)),
    }
    found
}

/// Positions that it does not know.
fn beyond(study: &Study, id: &str, tokenizer: &Tokenizer, most: Option<usize>) -> Option<Finding> {
    let (asked, most) = most_positions(study, tokenizer).zip(most)?;
    let what = format!(
        "{}, and this model knows {most} (config.json: max_position_embeddings); what it proposes beyond is seldom accepted",
        asked.sum
    );
    let hint = "shorten prompts or max_tokens, or have another model draft";
    (asked.positions > most).then(|| Finding::warn("draft", id, what, hint))
}

/// Why it cannot draft for a model, if it cannot; `None`, too, where one of the two does not open, which is a finding of its own.
pub(super) fn misfit(place: &str, model: &Path, draft: &Path) -> Option<Finding> {
    let (model, draft) = (Checkpoint::open(model).ok()?, Checkpoint::open(draft).ok()?);
    let fits =
        drafting::go_together(&model.config.spec, &draft.config.spec).and_then(|()| one_tokenizer(&model, &draft));
    fits.err().map(|error| Finding::refuse("draft", place, &error))
}

/// # Errors
/// An id by which they mean two tokens.
fn one_tokenizer(model: &Checkpoint, draft: &Checkpoint) -> Result<()> {
    let open = |checkpoint: &Checkpoint| Tokenizer::open(&checkpoint.folder, checkpoint.config.vocab_size);
    // One that does not open is told of the model that it is of.
    let (Ok(of_model), Ok(of_draft)) = (open(model), open(draft)) else { return Ok(()) };
    if let Some((id, own, other)) = of_model.differs(&of_draft) {
        bail!(
            "it has another tokenizer than the model: expected {own:?} for token {id}, found {other:?}\n\
             hint: have a model of the same family draft, or the model itself packed smaller (quantized:4:SOURCE)"
        )
    }
    Ok(())
}
