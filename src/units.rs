//! Quantities with their unit in the type. They carry no formatting: rounding happens once, in `claims`.

use serde::{Deserialize, Serialize};

/// A duration in seconds.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seconds(pub f64);

/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl Seconds {
    /// From integer nanoseconds, the unit of every recorded time.
    pub fn from_ns(ns: u64) -> Self {
        Seconds(ns as f64 / 1e9)
    }
}
