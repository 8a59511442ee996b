//! Several requests in one run: when each is due, and which of them count. A function of the design and the run's seed alone, so that a
//! run is planned before it begins and can be held against its plan afterwards. Knows no engine and no clock.

use serde::{Deserialize, Serialize};

use crate::random::SplitMix64;

/// How requests of an open loop follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arrivals {
    /// Exponential times between them: users that know nothing of each other.
    #[default]
    Poisson,
    /// Equal times between them.
    Constant,
}

/// What a request must keep to count as good.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Due -> first text, at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttft_s: Option<f64>,
    /// Due -> whole text, at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e2e_s: Option<f64>,
    /// Tokens a second after the first text, at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decode_tok_s: Option<f64>,
}

/// The load of one run. Requests are numbered from 1: `ramp` of them bring the load up, `requests` count, and as many as the first keep
/// it up until those have ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Closed loop: so many at once, each followed by the next. Open loop: the most that are under way at once; others wait.
    pub at_once: u32,
    /// Open loop: so many fall due a second, whatever becomes of the others. `None`: closed loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_second: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrivals: Option<Arrivals>,
    pub requests: u32,
    pub ramp: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goodput: Option<Limits>,
}

/// Which of the three a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Ramp,
    Counted,
    Tail,
}

impl Load {
    /// So many requests that begin together and all count.
    pub fn batch(size: u32) -> Load {
        Load { at_once: size, per_second: None, arrivals: None, requests: size, ramp: 0, goodput: None }
    }

    /// Of a whole run.
    pub fn total(&self) -> u32 {
        self.requests + 2 * self.ramp
    }

    /// Of a request by its number, from 1.
    pub fn part(&self, number: u32) -> Part {
        if number <= self.ramp {
            Part::Ramp
        } else if number <= self.ramp + self.requests {
            Part::Counted
        } else {
            Part::Tail
        }
    }

    /// When each request of an open loop is due, in ns since the run began, in whole microseconds: logarithms of two systems may differ
    /// in their last place. `None` of a closed loop, where one is due when another has ended.
    pub fn due_ns(&self, seed: u64) -> Option<Vec<u64>> {
        let per_second = self.per_second?;
        let mut random = SplitMix64(seed ^ ARRIVALS);
        let mut at_s = 0.0;
        let due = (0..self.total()).map(|_| {
            at_s += match self.arrivals.unwrap_or_default() {
                Arrivals::Poisson => -libm::log1p(-random.unit()) / per_second,
                Arrivals::Constant => 1.0 / per_second,
            };
            (at_s * 1e6).round() as u64 * 1000
        });
        Some(due.collect())
    }

    /// The sampling seed of a request by its number, from the run's: 53 bits, as all seeds.
    pub fn seed(run: u64, number: u32) -> u64 {
        SplitMix64(SplitMix64(run).bits() ^ u64::from(number)).bits() >> 11
    }

    /// How long the arrivals of an open loop take, in seconds, on the average.
    pub fn lasts_s(&self) -> Option<f64> {
        Some(f64::from(self.total()) / self.per_second?)
    }
}

/// Keeps the stream of arrivals apart from that of a run's other draws.
const ARRIVALS: u64 = 0x6172_7269_7661_6c73;

#[cfg(test)]
mod tests {
    use super::*;

    fn open(per_second: f64, requests: u32, arrivals: Arrivals) -> Load {
        let (per_second, arrivals) = (Some(per_second), Some(arrivals));
        Load { at_once: 8, per_second, arrivals, requests, ramp: 2, goodput: None }
    }

    #[test]
    fn arrivals_have_their_rate_and_the_spread_of_their_kind() {
        let due = open(50.0, 20_000, Arrivals::Poisson).due_ns(7).unwrap();
        let gaps: Vec<f64> =
            std::iter::once(&0).chain(&due).zip(&due).map(|(from, to)| (to - from) as f64 / 1e9).collect();
        let n = gaps.len() as f64;
        let mean = gaps.iter().sum::<f64>() / n;
        let sd = (gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
        // Of an exponential both are 0.02; five standard errors of 20,004 of them.
        assert!((mean / 0.02 - 1.0).abs() < 5.0 / n.sqrt() && (sd / mean - 1.0).abs() < 5.0 * 2f64.sqrt() / n.sqrt());
        // A share of exp(-1) is longer than the mean.
        let longer = gaps.iter().filter(|gap| **gap > 0.02).count() as f64 / n;
        assert!((longer - 0.367_879).abs() < 5.0 * 0.482 / n.sqrt(), "{longer}");
        let constant = open(50.0, 4, Arrivals::Constant).due_ns(7).unwrap();
        assert_eq!(constant, (1..=8).map(|i| i * 20_000_000).collect::<Vec<u64>>());
    }

    /// Recorded runs are held against this: it may never change.
    #[test]
    fn the_plan_of_a_run_is_pinned() {
        let due = open(2.0, 1, Arrivals::Poisson).due_ns(20_261_128).unwrap();
        assert_eq!(due, [317_294_000, 568_578_000, 1_788_961_000, 2_845_815_000, 3_135_155_000]);
        assert_eq!([1, 2].map(|number| Load::seed(20_261_128, number)), [2_265_729_982_062_606, 5_157_139_797_270_295]);
        assert_ne!(due, open(2.0, 1, Arrivals::Poisson).due_ns(20_261_129).unwrap());
    }

    #[test]
    fn requests_before_and_after_do_not_count() {
        let load = open(2.0, 3, Arrivals::Poisson);
        let parts: Vec<Part> = (1..=load.total()).map(|number| load.part(number)).collect();
        use Part::{Counted, Ramp, Tail};
        assert_eq!(parts, [Ramp, Ramp, Counted, Counted, Counted, Tail, Tail]);
        assert!(Load::batch(4).due_ns(1).is_none() && Load::batch(4).part(4) == Counted);
    }
}
