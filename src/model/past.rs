//! What a model remembers of the positions so far: MLX arrays a layer, or one block behind the fused step.

use mlx_rs::{Array, error::Result, transforms};

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

    fn arrays(&self) -> Vec<&Array> {
        match self {
            Memory::Keys(cache) => cache.state().to_vec(),
            Memory::Shared => Vec::new(),
            Memory::Delta(state) => state.tail.iter().chain(&state.memory).collect(),
            Memory::Conv(tail) => tail.iter().collect(),
        }
    }
}

impl Past {
    /// Evaluates every step so far.
    pub fn eval(&self) -> Result<()> {
        match self {
            Past::Stock(past) => transforms::eval(past.layers.iter().flat_map(Memory::arrays)),
            #[cfg(target_os = "linux")]
            Past::Fused(past) => transforms::eval(past.ticket()),
        }
    }
}
