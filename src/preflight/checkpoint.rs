//! A checkpoint's folder, and a study -> whether the one opens, and whether every prompt of the other goes into it.

use std::{collections::BTreeMap, path::Path};

use anyhow::Result;

use super::Finding;
use crate::{
    complaint::Complaint,
    draft,
    engine::{chat::Rendered, drafting, repeated, tokenizer::Tokenizer},
    factor::{CONTEXT, DRAFT, Level, THREADS},
    model::{
        Checkpoint, Config,
        decoder::{self, Decoder},
        kernels::Kernels,
    },
    study::{Prompt, Study},
};

/// What is to be known of the model `id` before it runs, by these kernels where MLX runs it.
pub(super) fn findings(study: &Study, id: &str, folder: &Path, kernels: &Kernels) -> Vec<Finding> {
    let checkpoint = match Checkpoint::open(folder) {
        Ok(checkpoint) => checkpoint,
        Err(error) => return vec![Finding::refuse("model", id, &error)],
    };
    let look = "see whether it matters; the records will say it";
    let mut found: Vec<Finding> =
        checkpoint.notes.iter().map(|note| Finding::warn("model", id, note.as_str(), look)).collect();
    match Decoder::check(&checkpoint, kernels) {
        Ok(notes) => found.extend(notes.into_iter().map(|note| Finding::warn("model", id, note, look))),
        Err(error) => found.push(Finding::refuse("model", id, &error.into())),
    }
    // MLX's own kernels, which then compute, take no threads: the levels would all be one.
    let drafts = study.factors.iter().any(|factor| factor.name == DRAFT && factor.levels.iter().any(drafted));
    let threads = study.factors.iter().any(|factor| factor.name == THREADS);
    if let (true, Some(reason)) = (threads, decoder::unfit(&checkpoint.config.spec, kernels)) {
        let error = anyhow::anyhow!(
            "threads are a factor, and MLX's own kernels, which compute this model, take none: offprint's are not made for {reason}\nhint: take `threads` out of the study, or choose another model"
        );
        found.push(Finding::refuse("threads", id, &error));
    }
    if let (true, Err(error)) = (drafts, drafting::fits(&checkpoint.config.spec)) {
        found.push(Finding::refuse("draft", id, &error));
    }
    match Tokenizer::open(folder, checkpoint.config.vocab_size) {
        Ok(tokenizer) => {
            if study.settings.stop_on_eos && checkpoint.eos.is_empty() && tokenizer.eos().is_none() {
                let what =
                    "stop_on_eos is set, and the checkpoint names no token that ends a text: no answer stops early";
                found.push(Finding::warn("model", id, what, "name one in generation_config.json (eos_token_id)"));
            }
            found.extend(prompts(study, id, &tokenizer, &checkpoint.config));
        }
        Err(error) => found.push(Finding::refuse("model", id, &error)),
    }
    found
}

fn drafted(level: &Level) -> bool {
    level.key() != draft::NONE
}

/// The ids of a prompt, rendered and tokenized.
fn ids(study: &Study, prompt: &Prompt, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
    match prompt.tokens {
        Some(tokens) => repeated(tokens, &prompt.text, |text| tokenizer.encode(text)),
        None => tokenizer.prompt(&prompt.text, study.settings.chat().as_ref()),
    }
}

/// Renders and tokenizes every prompt, and compares the longest with what the model can hold.
fn prompts(study: &Study, id: &str, tokenizer: &Tokenizer, config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    // One reason is one finding, for however many prompts.
    let mut refused: BTreeMap<String, (Vec<&str>, anyhow::Error)> = BTreeMap::new();
    let mut longest: Option<(&str, usize)> = None;
    for prompt in &study.prompts {
        match ids(study, prompt, tokenizer) {
            Ok(ids) if longest.is_none_or(|(_, most)| ids.len() > most) => longest = Some((&prompt.id, ids.len())),
            Ok(_) => {}
            Err(error) => {
                let reason = Complaint::from(&error).to_string();
                refused.entry(reason).or_insert_with(|| (Vec::new(), error)).0.push(&prompt.id);
            }
        }
    }
    for (prompts, error) in refused.into_values() {
        let which = if prompts.len() == 1 { "prompt" } else { "prompts" };
        found.push(Finding::refuse("prompt", &format!("{id}, {which} {}", prompts.join(", ")), &error));
    }
    found.extend(templated(study, id, tokenizer));
    let Some(longest) = longest else { return found };
    let Asked { positions, sum } = asked(study, longest);
    let hint = "shorten prompts or max_tokens, or choose another model";
    if let Some(window) = config.ignored_window.filter(|window| positions > *window) {
        let what = format!(
            "{sum}, and beyond {window} its makers' model attends through a window (config.json: sliding_window), which neither mlx-lm nor this program computes"
        );
        found.push(Finding::warn("prompt", id, what, hint));
    }
    if let Some(most) = config.max_position_embeddings.filter(|most| positions > *most) {
        let what = format!(
            "{sum}, and the model knows {most} (config.json: max_position_embeddings); what it says beyond means nothing"
        );
        found.push(Finding::warn("prompt", id, what, hint));
    }
    found
}

/// What a study asks a past to hold, and in words how that comes.
pub(super) struct Asked {
    pub(super) positions: usize,
    pub(super) sum: String,
}

/// The longest prompt that has ids, and an answer as long as they get.
pub(super) fn most_positions(study: &Study, tokenizer: &Tokenizer) -> Option<Asked> {
    let known =
        study.prompts.iter().filter_map(|prompt| Some((prompt.id.as_str(), ids(study, prompt, tokenizer).ok()?.len())));
    Some(asked(study, known.max_by_key(|(_, tokens)| *tokens)?))
}

fn asked(study: &Study, (prompt, tokens): (&str, usize)) -> Asked {
    let answer = study.settings.max_tokens.iter().max().map_or(0, |most| *most as usize);
    let context = study.factors.iter().find(|factor| factor.name == CONTEXT);
    let context = context.into_iter().flat_map(|factor| &factor.levels).filter_map(Level::as_number);
    let context = context.fold(0.0, f64::max) as usize;
    let positions = context + tokens + answer;
    let before = if context > 0 { format!("a context of {context} tokens, ") } else { String::new() };
    let sum =
        format!("{before}prompt {prompt} has {tokens} tokens and its answer up to {answer}: {positions} positions");
    Asked { positions, sum }
}

/// What the chat template makes of what it is told: a day that the study does not name, words that it does not look at.
fn templated(study: &Study, id: &str, tokenizer: &Tokenizer) -> Vec<Finding> {
    let Some(told) = study.settings.chat() else { return Vec::new() };
    // A prompt of so many tokens stands in no template.
    let prompts = study.prompts.iter().filter(|prompt| prompt.tokens.is_none());
    let rendered: Vec<Rendered> = prompts.filter_map(|prompt| tokenizer.chat(&prompt.text, &told).ok()).collect();
    let mut found = Vec::new();
    if let (Some(day), None) = (rendered.iter().find_map(|prompt| prompt.day), told.date) {
        let what = format!(
            "the chat template asks for today's date and is told {day}, so that prompts are the same every day"
        );
        found.push(Finding::warn("prompt", id, what, "nothing is to be done; the study's `date` names another day"));
    }
    for (key, value) in told.given().filter(|_| !rendered.is_empty()) {
        if rendered.iter().all(|prompt| prompt.overlooked.contains(&key)) {
            let what = format!("`{key}: {value}` changes nothing: the chat template does not look at it");
            found.push(Finding::warn(
                "prompt",
                id,
                what,
                &format!("take `{key}` out of the study, or choose another model"),
            ));
        }
    }
    found
}
