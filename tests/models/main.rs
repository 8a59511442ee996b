//! Models of every architecture that is read, on tiny checkpoints made here: mlx-lm's logits and tokens.
//!
//! `golden` reads mlx-lm's answers, `values` computes weights from their names, `formats` stores them as MLX does, `tiny` makes
//! a checkpoint folder of it, of which a digest proves that it is the one that mlx-lm answered for.
#![cfg(feature = "mlx")]
#![allow(clippy::unwrap_used)]

#[allow(dead_code)] // `tensors` is for Llama alone
#[path = "../llama/checkpoint.rs"]
mod checkpoint;
#[cfg(target_os = "linux")]
mod document;
mod drafts;
mod formats;
mod golden;
mod logits;
mod originals;
mod quantize;
mod several;
mod tiny;
mod values;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// MLX is used from one thread at a time.
fn mlx() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}
