//! Quantities with their unit in the type. They carry no formatting: rounding happens once, in `claims`.

use serde::{Deserialize, Serialize};

/// A duration in seconds.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seconds(pub f64);

/// A rate in tokens per second.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokensPerSecond(pub f64);

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

impl TokensPerSecond {
    /// `tokens / time`; `None` where the time is zero, since a rate over no time is no rate.
    pub fn over(tokens: u64, time: Seconds) -> Option<Self> {
        (time.0 > 0.0).then(|| TokensPerSecond(tokens as f64 / time.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_tokens_over_seconds() {
        assert_eq!(TokensPerSecond::over(64, Seconds::from_ns(2_000_000_000)), Some(TokensPerSecond(32.0)));
        assert_eq!(TokensPerSecond::over(64, Seconds(0.0)), None);
    }
}
