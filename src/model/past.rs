//! What a model remembers of the positions so far: MLX arrays a layer, or one block behind the fused step.

use mlx_rs::{error::Result, transforms};

use crate::model::cache::KvCache;
#[cfg(target_os = "linux")]
use crate::model::fused::FusedPast;

/// Made by the model that goes on with it.
#[derive(Debug)]
pub enum Past {
    Stock(Vec<KvCache>),
    #[cfg(target_os = "linux")]
    Fused(FusedPast),
}

impl Past {
    /// Evaluates every step so far.
    pub fn eval(&self) -> Result<()> {
        match self {
            Past::Stock(caches) => transforms::eval(caches.iter().flat_map(KvCache::state)),
            #[cfg(target_os = "linux")]
            Past::Fused(past) => transforms::eval(past.ticket()),
        }
    }
}
