//! Several sequences at once on one thread: a step of all that are active, then the prompts that are due, each as a whole, as one
//! that is served alone has it read. So a sequence's tokens are those that it has alone, as far as a step's logits are.

use std::{
    collections::VecDeque,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use mlx_rs::{Array, memory, ops, transforms};

use crate::{
    engine::{Request, sampler, service::Step},
    model::{decoder::Decoder, past::Past},
    record::FinishReason,
};

/// A request that has not begun.
pub(super) struct Waiting<'a> {
    /// Its place among the requests.
    pub index: usize,
    pub request: &'a Request,
    /// What stands before the prompt, read already; `None`: nothing does.
    pub past: Option<Past>,
    /// Positions in all.
    pub room: usize,
    pub prompt: Vec<u32>,
    pub due_ns: u64,
}

/// What became of it.
#[derive(Debug)]
pub(super) struct Outcome {
    pub admitted_ns: u64,
    pub tokens: Vec<u32>,
    pub times_ns: Vec<u64>,
    pub finish: FinishReason,
}

/// Each with its request's place, in the order in which they ended.
pub(super) type Outcomes = Vec<(usize, Outcome)>;

/// A sequence that is being continued.
struct Active<'a> {
    index: usize,
    request: &'a Request,
    past: Past,
    /// The id that the next step reads, `[1]`.
    current: Array,
    /// Tokens that were queued, which may be one more than were read.
    drawn: u32,
    outcome: Outcome,
    ended: bool,
}

/// A step whose tokens were not read yet.
struct Queued {
    /// A request's place, and its token `[1]`.
    tokens: Vec<(usize, Array)>,
    at_ns: u64,
}

/// Serves all of `waiting`, which are in the order in which they are due, no more than `slots` at a time. `read` reads ids into a past.
pub(super) fn serve<'a>(
    model: &Decoder,
    eos: &[u32],
    mut waiting: VecDeque<Waiting<'a>>,
    slots: usize,
    start: Instant,
    read: impl Fn(&[u32], &mut Past) -> Result<()>,
) -> Result<(Outcomes, Vec<Step>)> {
    let now = || start.elapsed().as_nanos() as u64;
    let (mut active, mut ended, mut steps) = (Vec::<Active<'a>>::new(), Vec::new(), Vec::new());
    let mut queued: Option<Queued> = None;
    loop {
        let free = |active: &[Active<'_>], waiting: &VecDeque<Waiting<'_>>| {
            active.len() < slots && waiting.front().is_some_and(|first| first.due_ns <= now())
        };
        // As for one sequence the next step is queued before this one's tokens are read. But not before a prompt is: they would
        // come to the host after it only, and seem late.
        let admitting = free(&active, &waiting);
        let ahead = if admitting { None } else { queue(model, &mut active, now())? };
        if let Some(step) = queued.take() {
            steps.push(take(step, &mut active, eos, steps.last(), now)?);
            if steps.len() % 256 == 0 {
                memory::clear_cache()?;
            }
        }
        ended.extend(
            active.extract_if(.., |sequence| sequence.ended).map(|sequence| (sequence.index, sequence.outcome)),
        );
        queued = ahead;
        while admitting && free(&active, &waiting) {
            let Some(first) = waiting.pop_front() else { break };
            active.push(admit(model, first, now(), &read)?);
        }
        if queued.is_none() && active.is_empty() {
            match waiting.front() {
                Some(first) => thread::sleep(Duration::from_nanos(first.due_ns.saturating_sub(now()))),
                None => return Ok((ended, steps)),
            }
        }
    }
}

/// Reads a prompt but for its last id, which the next step reads.
fn admit<'a>(
    model: &Decoder,
    waiting: Waiting<'a>,
    now_ns: u64,
    read: impl Fn(&[u32], &mut Past) -> Result<()>,
) -> Result<Active<'a>> {
    let (last, before) = waiting.prompt.split_last().context("the prompt has no tokens")?;
    let mut past = match waiting.past {
        Some(past) => past,
        None => model.past(waiting.room)?,
    };
    read(before, &mut past)?;
    let budget = waiting.request.max_tokens as usize;
    Ok(Active {
        index: waiting.index,
        request: waiting.request,
        current: Array::from_slice(&[*last], &[1]),
        past,
        drawn: 0,
        outcome: Outcome {
            admitted_ns: now_ns,
            tokens: Vec::with_capacity(budget),
            times_ns: Vec::with_capacity(budget),
            finish: FinishReason::Length,
        },
        ended: false,
    })
}

/// Queues a step of all sequences that are to have another token.
fn queue(model: &Decoder, active: &mut [Active<'_>], now_ns: u64) -> Result<Option<Queued>> {
    let mut members: Vec<&mut Active<'_>> =
        active.iter_mut().filter(|sequence| sequence.drawn < sequence.request.max_tokens).collect();
    if members.is_empty() {
        return Ok(None);
    }
    let ids: Vec<&Array> = members.iter().map(|sequence| &sequence.current).collect();
    let ids = if let [one] = ids[..] { one.clone() } else { ops::concatenate(&ids, 0)? };
    let mut pasts: Vec<(&mut Past, usize)> = members.iter_mut().map(|sequence| (&mut sequence.past, 1)).collect();
    let logits = model.logits_of(&ids, &mut pasts)?;
    let rows = logits.split_equal(members.len() as i32, 1)?;
    let mut tokens = Vec::with_capacity(members.len());
    for (sequence, row) in members.into_iter().zip(&rows) {
        let Request { sampling, seed, .. } = sequence.request;
        let row = row.flatten(None, None)?;
        sequence.current = sampler::draw(model.kernels(), &row, sampling, *seed, u64::from(sequence.drawn))?;
        sequence.drawn += 1;
        tokens.push((sequence.index, sequence.current.clone()));
    }
    transforms::async_eval(tokens.iter().map(|(_, token)| token))?;
    Ok(Some(Queued { tokens, at_ns: now_ns }))
}

/// Reads a step's tokens on the host, each with its time.
fn take(
    step: Queued,
    active: &mut [Active<'_>],
    eos: &[u32],
    before: Option<&Step>,
    now: impl Fn() -> u64,
) -> Result<Step> {
    let count = step.tokens.len() as u32;
    let mut end_ns = 0;
    for (index, token) in step.tokens {
        let id = token.try_item_exact::<u32>()?;
        end_ns = now();
        // One that ended a step ago was queued once more.
        let Some(sequence) = active.iter_mut().find(|sequence| sequence.index == index) else { continue };
        let outcome = &mut sequence.outcome;
        outcome.tokens.push(id);
        outcome.times_ns.push(end_ns);
        if sequence.request.stop_on_eos && eos.contains(&id) {
            (sequence.ended, outcome.finish) = (true, FinishReason::Stop);
        } else if outcome.tokens.len() == sequence.request.max_tokens as usize {
            sequence.ended = true;
        }
    }
    let begun = before.map_or(step.at_ns, |before| before.end_ns.max(step.at_ns));
    Ok(Step { end_ns, step_ns: end_ns.saturating_sub(begun), active: count })
}
