//! A model that proposes: it goes on with the text one token after the other, by a past of its own, which is cut back to what the text
//! became. Each token is drawn as the model that checks will draw it, with the key of its place: both have the same luck, so that above
//! temperature 0, too, they agree as often as their distributions let them (mlx-lm draws its drafts by the request's sampler as well).

use anyhow::{Context, Result};
use mlx_rs::{Array, transforms};

use super::{
    Request,
    reading::{array, read, read_on},
    sampler,
};
use crate::model::{decoder::Decoder, past::Past};

/// Ids that are read in the step that gives the first proposal: where all of a round were accepted, the last of them and the model's own.
const AT_ONCE: usize = 2;

#[derive(Debug)]
pub(super) struct Drafter<'a> {
    model: &'a Decoder,
    /// `None`: nothing was read yet.
    past: Option<Past>,
    /// Positions before the text.
    context: usize,
    /// Positions in all.
    room: usize,
    /// What of the text was read, and behind it proposals that were.
    read: Vec<u32>,
}

impl<'a> Drafter<'a> {
    /// One that has read what stands before the prompt, as the model has before a clock starts. The prompt it reads in its first round.
    ///
    /// # Errors
    /// MLX's own.
    pub(super) fn behind(model: &'a Decoder, context: &[u32], room: usize) -> Result<Self> {
        let past = if context.is_empty() { None } else { Some(read(model, context, room)?) };
        Ok(Drafter { model, past, context: context.len(), room, read: Vec::new() })
    }

    /// `most` ids that it would go on with, the first of them at place `first` of what is generated; none behind an id that it has no
    /// embedding for, which stays in the text.
    ///
    /// # Errors
    /// MLX's own.
    pub(super) fn propose(&mut self, text: &[u32], most: usize, request: &Request, first: u64) -> Result<Vec<u32>> {
        let vocabulary = self.model.spec().vocabulary;
        if most == 0 || text.iter().any(|id| *id as usize >= vocabulary) {
            return Ok(Vec::new());
        }
        let past = match &mut self.past {
            Some(past) => past,
            None => self.past.insert(self.model.past(self.room)?),
        };
        let same = self.read.iter().zip(text).take_while(|(read, id)| read == id).count().min(text.len() - 1);
        past.truncate(self.context + same)?;
        let (before, last) = text[same..].split_at(text.len().saturating_sub(same + AT_ONCE));
        read_on(self.model, before, past)?;
        let logits = self.model.logits(&array(last), past)?;
        let mut row = if last.len() == 1 { logits } else { last_of(&logits, last.len())? };
        let mut drawn = Vec::with_capacity(most);
        for place in first..first + most as u64 {
            if let Some(id) = drawn.last() {
                row = self.model.logits(id, past)?;
            }
            let row = row.flatten(None, None)?;
            let id = sampler::draw(self.model.kernels(), &row, &request.sampling, request.seed, place)?;
            transforms::async_eval([&id])?;
            drawn.push(id);
        }
        let ids = drawn.iter().map(|id| Ok(id.try_item_exact::<u32>()?)).collect::<Result<Vec<u32>>>()?;
        // The last one was drawn and not read.
        self.read = [text, &ids[..most - 1]].concat();
        Ok(ids)
    }
}

/// The logits of the last of so many positions.
fn last_of(logits: &Array, positions: usize) -> Result<Array> {
    logits.split_equal(positions as i32, 1)?.pop().context("a step without a position")
}
