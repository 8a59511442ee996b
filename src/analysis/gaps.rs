//! Inter-token latency: the time between one token and the next. One sample a gap, not one a request, so percentiles rest on
//! thousands of samples; the first token has no gap, its time is the TTFT.

use super::stats;
use crate::record::RunRecord;

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

/// The gaps of `records`; `None` when no run has two tokens.
pub fn of<'a>(records: impl IntoIterator<Item = &'a RunRecord>) -> Option<Gaps> {
    let mut gaps: Vec<f64> = Vec::new();
    for record in records {
        let times = record.token_times_ns.as_deref().unwrap_or_default();
        gaps.extend(times.windows(2).map(|pair| pair[1].saturating_sub(pair[0]) as f64 / 1e9));
    }
    let (n, mean) = (gaps.len(), stats::mean(&gaps));
    let [p50, p90, p99, longest] = stats::quantiles(gaps, [0.5, 0.9, 0.99, 1.0]);
    (n > 0).then_some(Gaps { n, mean, p50, p90, p99, longest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::metrics::tests::record;

    #[test]
    fn gaps_lie_between_tokens_of_one_run() {
        let mut other = record();
        other.token_times_ns = Some(vec![100_000_000, 400_000_000]);
        let gaps = of([&record(), &other]).unwrap();
        assert_eq!((gaps.n, gaps.p50, gaps.longest), (4, 0.1, 0.3));
        assert!((gaps.mean - 0.15).abs() < 1e-15);
        other.token_times_ns = Some(vec![100_000_000]);
        assert_eq!(of([&other]), None);
    }
}
