//! Model and engine on small checkpoints that this test makes: the same logits as mlx-lm for every kind of checkpoint, an
//! error that names the tensor for every kind of damage, and generation by the rules.
#![cfg(feature = "mlx")]
#![allow(clippy::unwrap_used)]

mod checkpoint;
mod generation;
mod llama32;
mod strict;
#[allow(dead_code)] // `generate` is for those who count and time
mod tiny;
mod variants;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// MLX is used from one thread at a time.
fn mlx() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}
