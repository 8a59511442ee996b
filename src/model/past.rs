//! What a model remembers of the positions so far: MLX arrays a layer, or one block behind the fused step.

use mlx_rs::{
    Array,
    error::{Exception, Result},
    transforms,
};

#[cfg(target_os = "linux")]
use crate::model::step::fused::FusedPast;
use crate::model::{cache::KvCache, conv::Tail, delta};

/// Made by the model that goes on with it.
#[derive(Debug)]
pub enum Past {
    Stock(StockPast),
    #[cfg(target_os = "linux")]
    Fused(FusedPast),
}

/// A memory a layer, all of as many positions.
#[derive(Debug)]
pub struct StockPast {
    pub layers: Vec<Memory>,
    /// Positions so far.
    pub offset: i32,
}

/// What one layer remembers.
#[derive(Debug)]
pub enum Memory {
    Keys(KvCache),
    /// It reads an earlier layer's.
    Shared,
    Delta(delta::State),
    Conv(Tail),
}

impl Memory {
    pub fn cache(&self) -> Option<&KvCache> {
        match self {
            Memory::Keys(cache) => Some(cache),
            Memory::Shared | Memory::Delta(_) | Memory::Conv(_) => None,
        }
    }

    pub fn cache_mut(&mut self) -> Option<&mut KvCache> {
        match self {
            Memory::Keys(cache) => Some(cache),
            Memory::Shared | Memory::Delta(_) | Memory::Conv(_) => None,
        }
    }

    /// What keeps no position apart, so that none can be taken away; `None`: nothing does.
    fn lasting(&self) -> Option<&'static str> {
        match self {
            Memory::Keys(_) | Memory::Shared => None,
            Memory::Delta(_) => Some("a gated delta net"),
            Memory::Conv(_) => Some("a convolution"),
        }
    }

    fn arrays(&self) -> Vec<&Array> {
        match self {
            Memory::Keys(cache) => cache.state().to_vec(),
            Memory::Shared => Vec::new(),
            Memory::Delta(state) => state.tail.iter().chain(&state.memory).collect(),
            Memory::Conv(tail) => tail.iter().collect(),
        }
    }
}

impl StockPast {
    /// What a layer remembers, and what those before it do.
    pub(in crate::model) fn of_layer(&mut self, layer: usize) -> Result<(&[Memory], &mut Memory)> {
        let (before, after) = self.layers.split_at_mut(layer);
        let memory = after.first_mut().ok_or_else(|| Exception::custom("a layer without a memory"))?;
        Ok((before, memory))
    }
}

impl Past {
    /// Positions so far.
    pub fn len(&self) -> usize {
        match self {
            Past::Stock(past) => past.offset as usize,
            #[cfg(target_os = "linux")]
            Past::Fused(past) => past.len(),
        }
    }

    /// Has it read nothing yet?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all but the first `n` positions. What was, never was: the next step gives what it would have given there.
    ///
    /// # Errors
    /// More positions than there are; a layer whose state holds all positions together. Nothing is forgotten then.
    pub fn truncate(&mut self, n: usize) -> Result<()> {
        let len = self.len();
        if n > len {
            return Err(Exception::custom(format!("the past holds {len} positions, and cannot be cut to {n}")));
        }
        match self {
            Past::Stock(past) => {
                if n == len {
                    return Ok(());
                }
                if let Some(kind) = past.layers.iter().find_map(Memory::lasting) {
                    return Err(Exception::custom(format!(
                        "a past of {len} positions cannot be cut to {n}: the state of {kind} holds them all together\n\
                         hint: read the first {n} positions into a new past"
                    )));
                }
                past.layers.iter_mut().filter_map(Memory::cache_mut).for_each(|cache| cache.truncate(n as i32));
                past.offset = n as i32;
            }
            #[cfg(target_os = "linux")]
            Past::Fused(past) => past.truncate(n),
        }
        Ok(())
    }

    /// Evaluates every step so far.
    pub fn eval(&self) -> Result<()> {
        match self {
            Past::Stock(past) => transforms::eval(past.layers.iter().flat_map(Memory::arrays)),
            #[cfg(target_os = "linux")]
            Past::Fused(past) => transforms::eval(past.ticket()),
        }
    }
}
