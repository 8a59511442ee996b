//! What comes of several requests that are served at once: each one's generation, and the steps that they shared, on one axis of time.

use std::time::Instant;

use crate::engine::Generation;

/// Requests that were served at once, in the order in which they were given, and the steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    pub served: Vec<Served>,
    pub steps: Vec<Step>,
    /// The zero of all times; `None` where they are invented.
    pub began: Option<Instant>,
}

/// One of them. All times are nanoseconds from the moment at which serving began: prompts were tokenised, and what stands before
/// them was read, before that.
#[derive(Debug, Clone, PartialEq)]
pub struct Served {
    /// Its `token_times_ns` count from its arrival, so that they hold what it waited; its `peak_memory_bytes` is that of all.
    pub generation: Generation,
    /// When it was due.
    pub arrived_ns: u64,
    /// When its prompt began to be read.
    pub admitted_ns: u64,
    /// When each token was on the host.
    pub token_times_ns: Vec<u64>,
}

/// A step: one token of each sequence that was active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// When its last token was on the host.
    pub end_ns: u64,
    /// From the end of the step before, or from where it was queued if that came later, to its own.
    pub step_ns: u64,
    /// Sequences that it computed. One that ended with an end-of-sequence token may be among them once more.
    pub active: u32,
}
