//! How fast the machine reads its memory: the roof of a token's rate, since each needs the weights once.

use std::{fmt, hint::black_box, thread, time::Instant};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::resources::free_memory;

/// One way of moving bytes, measured on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bandwidth {
    pub of: Mover,
    /// e.g. `2 threads sum 1024 MiB`.
    pub how: String,
    /// Bytes a second of each pass, in their order.
    pub passes: Vec<u64>,
}

/// What moves the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mover {
    Processor,
    Gpu,
}

impl Mover {
    pub fn name(self) -> &'static str {
        match self {
            Mover::Processor => "processor",
            Mover::Gpu => "gpu",
        }
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.best() as f64 / 1e9;
        write!(f, "{rate:.1} GB/s, {} ({}, best of {})", self.of.name(), self.how, self.passes.len())
    }
}

/// Passes over the memory; the best one counts, since what disturbs a pass can only slow it down.
pub const PASSES: usize = 10;
/// Much larger than a cache.
const BUFFER: usize = 1 << 30;
/// ... and what is still larger than most of them, where memory is short.
const SMALL: usize = 1 << 28;

impl Bandwidth {
    /// Bytes a second of the best pass.
    pub fn best(&self) -> u64 {
        self.passes.iter().copied().max().unwrap_or(0)
    }

    /// How fast all usable processors together read memory, in about a second.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn of_processor() -> Result<Bandwidth> {
        let enough = free_memory().value.is_none_or(|free| free > 4 * BUFFER as u64);
        let threads = thread::available_parallelism().map_or(1, |cores| cores.get());
        read(if enough { BUFFER } else { SMALL }, threads)
    }
}

fn read(bytes: usize, threads: usize) -> Result<Bandwidth> {
    let mut memory: Vec<u64> = Vec::new();
    memory.try_reserve_exact(bytes / 8).with_context(|| {
        format!("memory's bandwidth: expected {bytes} free bytes, found fewer\nhint: end other programs, or take `bandwidth` out")
    })?;
    // Written, since pages that never were share one page of zeros.
    memory.resize(bytes / 8, 1);
    let parts: Vec<&[u64]> = memory.chunks(memory.len().div_ceil(threads)).collect();
    let passes = (0..PASSES).map(|_| pass(&parts)).collect();
    let how = format!("{threads} {} sum {} MiB", if threads == 1 { "thread" } else { "threads" }, bytes >> 20);
    Ok(Bandwidth { of: Mover::Processor, how, passes })
}

/// Bytes a second; each thread sums a part of its own.
fn pass(parts: &[&[u64]]) -> u64 {
    let start = Instant::now();
    thread::scope(|scope| {
        for part in parts {
            scope.spawn(|| black_box(sum(part)));
        }
    });
    let bytes: usize = parts.iter().map(|part| size_of_val(*part)).sum();
    (bytes as f64 / start.elapsed().as_secs_f64()) as u64
}

/// In 32 sums at once, so that no addition waits for the one before it.
fn sum(part: &[u64]) -> u64 {
    let mut sums = [0u64; 32];
    let (rows, rest) = part.as_chunks::<32>();
    for row in rows {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum = sum.wrapping_add(*value);
        }
    }
    sums.iter().chain(rest).fold(0, |a, b| a.wrapping_add(*b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_once() {
        let words: Vec<u64> = (0..1000).collect();
        assert_eq!(sum(&words), 499_500);
        assert_eq!(sum(&words[..31]), 465);
    }

    #[test]
    fn each_pass_has_a_rate_and_the_best_one_counts() {
        let found = read(1 << 22, 3).unwrap();
        assert_eq!(
            (found.of, found.how.as_str(), found.passes.len()),
            (Mover::Processor, "3 threads sum 4 MiB", PASSES)
        );
        assert!(found.passes.iter().all(|rate| *rate > 0 && *rate <= found.best()), "{found:?}");
    }
}
