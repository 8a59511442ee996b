//! Inter-token latency: the time between one token and the next. One sample a gap, not one a request, so percentiles rest on
//! thousands of samples; the first token has no gap, its time is the TTFT.
//!
//! Up to [`EXACT`] gaps all are kept and every percentile is exact. Beyond that they are counted in bins of relative width 2^-11, so
//! that memory does not grow with the runs; a percentile is then within 2^-12 (0.025 %) of the exact one. Number, mean and longest are
//! always exact. The order in which gaps arrive makes no difference.

use super::stats;

/// The most gaps of which each is kept.
pub const EXACT: usize = 1 << 16;
/// Bins an octave, as a power of two.
const BITS: u32 = 11;
/// The first two shares of 2^BITS bins hold one value each; every octave above has one share.
const BINS: usize = (64 - BITS as usize + 1) << BITS;

/// Percentiles of the gaps of some runs, in seconds (definition 8 of Hyndman and Fan 1996).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gaps {
    pub n: usize,
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub longest: f64,
}

/// The gaps of some runs.
#[derive(Debug, Clone, Default)]
pub struct Distribution {
    n: u64,
    total_ns: u128,
    longest_ns: u64,
    /// Every gap in ns, while they are few.
    exact: Vec<u64>,
    /// How many lie in each bin, once they are many; empty before.
    bins: Vec<u64>,
}

impl Distribution {
    /// Takes in the gaps of one run from the times of its tokens, ns.
    pub fn add(&mut self, token_times_ns: &[u64]) {
        for pair in token_times_ns.windows(2) {
            let gap = pair[1].saturating_sub(pair[0]);
            self.n += 1;
            self.total_ns += u128::from(gap);
            self.longest_ns = self.longest_ns.max(gap);
            if self.bins.is_empty() {
                self.exact.push(gap);
            } else {
                self.bins[bin(gap)] += 1;
            }
        }
        self.bound();
    }

    /// Takes in all that another has.
    pub fn merge(&mut self, other: &Distribution) {
        self.n += other.n;
        self.total_ns += other.total_ns;
        self.longest_ns = self.longest_ns.max(other.longest_ns);
        if other.bins.is_empty() && self.bins.is_empty() {
            self.exact.extend(&other.exact);
        } else {
            self.count();
            other.exact.iter().for_each(|gap| self.bins[bin(*gap)] += 1);
            self.bins.iter_mut().zip(&other.bins).for_each(|(mine, its)| *mine += its);
        }
        self.bound();
    }

    fn bound(&mut self) {
        if self.exact.len() > EXACT {
            self.count();
        }
    }

    /// From single gaps to counts.
    fn count(&mut self) {
        if self.bins.is_empty() {
            self.bins = vec![0; BINS];
        }
        for gap in std::mem::take(&mut self.exact) {
            self.bins[bin(gap)] += 1;
        }
    }

    /// The percentiles; `None` when no run had two tokens.
    pub fn summary(&self) -> Option<Gaps> {
        if self.n == 0 {
            return None;
        }
        let [p50, p90, p99] = if self.bins.is_empty() {
            stats::quantiles(self.exact.iter().map(|gap| *gap as f64 / 1e9).collect(), [0.5, 0.9, 0.99])
        } else {
            [0.5, 0.9, 0.99].map(|share| self.quantile(share).min(self.longest_ns as f64) / 1e9)
        };
        let mean = self.total_ns as f64 / self.n as f64 / 1e9;
        Some(Gaps { n: self.n as usize, mean, p50, p90, p99, longest: self.longest_ns as f64 / 1e9 })
    }

    /// In ns, from the counts: between the middles of the bins of the two gaps around it.
    fn quantile(&self, share: f64) -> f64 {
        let place = (self.n as f64 + 1.0 / 3.0) * share + 1.0 / 3.0;
        let below = (place.floor() as u64).clamp(1, self.n);
        let (first, second) = (self.ranked(below), self.ranked((below + 1).min(self.n)));
        first + (place - place.floor()) * (second - first)
    }

    /// The middle of the bin of the gap with this rank, from 1.
    fn ranked(&self, rank: u64) -> f64 {
        let mut before = 0;
        for (bin, count) in self.bins.iter().enumerate() {
            before += count;
            if before >= rank {
                return middle(bin);
            }
        }
        self.longest_ns as f64
    }
}

/// The bin of a gap: its octave and the BITS that follow its leading one.
fn bin(gap: u64) -> usize {
    let octave = (64 - gap.leading_zeros()).saturating_sub(BITS + 1);
    ((octave as usize) << BITS) + (gap >> octave) as usize
}

/// The middle of a bin, ns.
fn middle(bin: usize) -> f64 {
    let octave = (bin >> BITS).saturating_sub(1);
    let least = (bin - (octave << BITS)) as f64;
    let width = (1u64 << octave) as f64;
    (least + 0.5) * width - 0.5
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::tests::record;

    fn of(runs: &[&[u64]]) -> Option<Gaps> {
        let mut gaps = Distribution::default();
        runs.iter().for_each(|times| gaps.add(times));
        gaps.summary()
    }

    #[test]
    fn gaps_lie_between_tokens_of_one_run() {
        let times = record().token_times_ns.unwrap();
        let gaps = of(&[&times, &[100_000_000, 400_000_000]]).unwrap();
        assert_eq!((gaps.n, gaps.p50, gaps.longest), (4, 0.1, 0.3));
        assert!((gaps.mean - 0.15).abs() < 1e-15);
        assert_eq!(of(&[&[100_000_000]]), None);
    }

    #[test]
    fn every_gap_has_a_bin_whose_middle_is_near() {
        let mut last = 0;
        for gap in (0..5000).chain((0..64).map(|i| 1u64 << i)).chain([u64::MAX, u64::MAX / 3, 10_000_001]) {
            let (bin, middle) = (bin(gap), middle(bin(gap)));
            assert!(bin < BINS, "{gap}");
            assert!((middle - gap as f64).abs() <= gap as f64 / 4096.0, "{gap}: {middle}");
        }
        for gap in 0..20_000 {
            assert!(bin(gap) >= last && bin(gap) <= last + 1, "{gap}: bins follow each other");
            last = bin(gap);
        }
        assert_eq!(bin(u64::MAX), BINS - 1);
    }

    /// Many gaps, spread over several octaves, in any order and in any parts: percentiles within the promise of the exact ones.
    #[test]
    fn many_gaps_are_counted_and_their_percentiles_stay_near() {
        let gap = |i: u64| 1_000_000 + (i * 7_919) % 200_003 * 1_009;
        let n = 3 * EXACT as u64;
        let run = |i: u64| [0, gap(i)];
        let (mut whole, mut parts) = (Distribution::default(), [Distribution::default(), Distribution::default()]);
        for i in 0..n {
            whole.add(&run(i));
            parts[usize::from(i % 5 == 0)].add(&run(n - 1 - i));
        }
        let mut merged = Distribution::default();
        parts.iter().rev().for_each(|part| merged.merge(part));
        let found = whole.summary().unwrap();
        assert_eq!(merged.summary().unwrap(), found, "order and parts make no difference");
        assert_eq!(whole.exact.capacity(), 0, "no single gap is kept");

        let all: Vec<f64> = (0..n).map(|i| gap(i) as f64 / 1e9).collect();
        let mean = all.iter().sum::<f64>() / n as f64;
        let [p50, p90, p99, longest] = stats::quantiles(all, [0.5, 0.9, 0.99, 1.0]);
        for (found, exact) in [(found.p50, p50), (found.p90, p90), (found.p99, p99)] {
            assert!((found / exact - 1.0).abs() <= 1.0 / 4096.0, "{found} for {exact}");
        }
        assert!((found.mean / mean - 1.0).abs() < 1e-12 && found.longest == longest && found.n == n as usize);
    }
}
