//! Generation with drafts: a round has tokens proposed, checks all of them in one step of the model, and keeps them as far as the model's
//! own draws are the same (mlx-lm's `speculative_generate_step`). Every token is drawn from the model's logits with the key that its place
//! has without drafts, so the text is that without them, as far as a step of several positions gives the logits of single ones.

use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use mlx_rs::{Array, memory, transforms};

use super::{Request, arrivals::Arrivals, drafter::Drafter, lookup, sampler};
use crate::{
    model::{decoder::Decoder, past::Past, spec::Spec},
    record::{FinishReason, Rounds},
};

/// # Errors
/// A model whose past cannot be cut back, as it has to be behind a token that was refused.
pub(crate) fn fits(spec: &Spec) -> Result<()> {
    match spec.lasting() {
        None => Ok(()),
        Some(kind) => bail!(
            "drafts need a past that can be cut back, and the state of this model's {kind} holds all positions together\n\
             hint: take `draft` out of the study, or this model"
        ),
    }
}

/// # Errors
/// A model whose past cannot be cut back, as that of one that drafts has to be behind what it proposed in vain.
pub(crate) fn can_draft(draft: &Spec) -> Result<()> {
    match draft.lasting() {
        None => Ok(()),
        Some(kind) => bail!(
            "a model that drafts needs a past that can be cut back, and the state of this one's {kind} holds all positions together\n\
             hint: have another model draft, or look-up"
        ),
    }
}

/// Do they go together, as far as their configurations say? Whether they mean the same by an id is their tokenizers' affair.
///
/// # Errors
/// A model that drafts and may propose what the other has no token for.
pub(crate) fn go_together(model: &Spec, draft: &Spec) -> Result<()> {
    let (own, of_model) = (draft.vocabulary, model.vocabulary);
    ensure!(
        own <= of_model,
        "a model that drafts can have no longer vocabulary than the one that checks: expected at most {of_model} embeddings, found {own}\n\
         hint: have a model of the same family draft, or the model itself packed smaller (quantized:4:SOURCE)"
    );
    Ok(())
}

/// Who proposes, and how many tokens at most in a round. Without a model: look-up.
#[derive(Debug)]
pub(super) struct Proposer<'a> {
    pub(super) most: usize,
    pub(super) drafter: Option<Drafter<'a>>,
}

impl Proposer<'_> {
    fn propose(&mut self, text: &[u32], left: usize, request: &Request, first: u64) -> Result<Vec<u32>> {
        let most = self.most.min(left);
        match &mut self.drafter {
            Some(drafter) => drafter.propose(text, most, request, first),
            None => Ok(lookup::propose(text, most)),
        }
    }
}

/// What came of it: ids, times, why it ended, and its rounds.
pub(super) type Drafted = (Vec<u32>, Vec<u64>, FinishReason, Rounds);

/// Goes on from a past that has read `prompt` but for its last id. The first token is one step's alone, as without drafts; each round
/// then gives one token more than were accepted.
pub(super) fn decode(
    model: &Decoder,
    eos: &[u32],
    prompt: &[u32],
    mut past: Past,
    request: &Request,
    mut proposer: Proposer<'_>,
    start: Instant,
) -> Result<Drafted> {
    let ns = |since: Instant| since.elapsed().as_nanos() as u64;
    let budget = request.max_tokens as usize;
    let is_last = |id: u32| request.stop_on_eos && eos.contains(&id);
    let mut arrivals = Arrivals::expect(budget, || ns(start));
    let mut rounds = Rounds::default();
    let mut text = prompt.to_vec();
    let last = *text.last().context("the prompt has no tokens")?;
    let mut ids = drawn(model, &mut past, &[last], request, 0)?;
    loop {
        arrivals.take_all(&ids);
        text.extend(&ids);
        let done = text.len() - prompt.len();
        let end = ids.last().copied().context("a step without a token")?;
        if is_last(end) || done == budget {
            let finish = if is_last(end) { FinishReason::Stop } else { FinishReason::Length };
            let (tokens, times, finish) = arrivals.end(finish);
            return Ok((tokens, times, finish, rounds));
        }
        if rounds.proposed.len() % 256 == 0 {
            memory::clear_cache()?;
        }
        let began = Instant::now();
        let proposed = proposer.propose(&text, budget - done - 1, request, done as u64)?;
        let draft_ns = ns(began);
        let began = Instant::now();
        let before = past.len();
        ids = drawn(model, &mut past, &[&[end], &proposed[..]].concat(), request, done as u64)?;
        let same = ids.iter().zip(&proposed).take_while(|(id, proposed)| id == proposed && !is_last(**id)).count();
        ids.truncate(same + 1);
        past.truncate(before + ids.len())?;
        rounds.proposed.push(proposed.len() as u32);
        rounds.accepted.push(same as u32);
        rounds.draft_ns.push(draft_ns);
        rounds.verify_ns.push(ns(began));
    }
}

/// The model's own token behind each of `ids`, the first of them at place `first` of what is generated, on the host.
fn drawn(model: &Decoder, past: &mut Past, ids: &[u32], request: &Request, first: u64) -> Result<Vec<u32>> {
    let logits = model.logits(&Array::from_slice(ids, &[ids.len() as i32]), past)?;
    let rows = if ids.len() == 1 { vec![logits] } else { logits.split_equal(ids.len() as i32, 1)? };
    let tokens = rows.iter().zip(first..).map(|(row, place)| {
        let row = row.flatten(None, None)?;
        sampler::draw(model.kernels(), &row, &request.sampling, request.seed, place)
    });
    let tokens = tokens.collect::<Result<Vec<Array>, _>>()?;
    transforms::eval(&tokens)?;
    tokens.iter().map(|token| Ok(token.try_item_exact::<u32>()?)).collect()
}
