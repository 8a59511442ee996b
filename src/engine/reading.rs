//! Ids into a past, part by part, as mlx-lm has a prompt read.

use anyhow::Result;
use mlx_rs::{Array, memory};

use crate::model::{decoder::Decoder, past::Past};

/// Prompt positions evaluated at a time.
const PREFILL_CHUNK: usize = 2048;

/// A past of `room` positions that has read `ids`.
pub(super) fn read(model: &Decoder, ids: &[u32], room: usize) -> Result<Past> {
    let mut past = model.past(room)?;
    read_on(model, ids, &mut past)?;
    Ok(past)
}

/// Has a past read `ids`.
pub(super) fn read_on(model: &Decoder, ids: &[u32], past: &mut Past) -> Result<()> {
    for chunk in ids.chunks(PREFILL_CHUNK) {
        model.prefill(&array(chunk), past)?;
        memory::clear_cache()?;
    }
    Ok(())
}

pub(super) fn array(ids: &[u32]) -> Array {
    Array::from_slice(ids, &[ids.len() as i32])
}
