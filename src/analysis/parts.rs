//! Where the time of a run goes: latency taken apart into what happens one after the other.

use crate::record::RunRecord;

/// Names of the parts, in the order in which they happen.
pub const PARTS: [&str; 5] = ["load", "tokenize", "ttft", "decode", "rest"];

/// Total times of some runs, in nanoseconds: load + tokenize + ttft + decode + rest = latency, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parts {
    pub runs: usize,
    /// In the order of [`PARTS`]; `decode` is from the first token to the last, `rest` is what e2e has besides (turning ids
    /// into text, mostly).
    pub ns: [u128; 5],
}

impl Parts {
    /// The parts of runs that ended well; a row that lacks a time is left out.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a RunRecord>) -> Parts {
        let mut total = Parts::default();
        records.into_iter().for_each(|record| total.add(record));
        total
    }

    /// Takes in a row; one that lacks a time is left out.
    pub fn add(&mut self, record: &RunRecord) {
        let Some(ns) = of_run(record) else { return };
        self.runs += 1;
        self.ns.iter_mut().zip(ns).for_each(|(sum, part)| *sum += u128::from(part));
    }

    /// Takes in all that another has.
    pub fn merge(&mut self, other: &Parts) {
        self.runs += other.runs;
        self.ns.iter_mut().zip(other.ns).for_each(|(sum, part)| *sum += part);
    }

    /// Mean of a part, in seconds.
    pub fn mean(&self, part: usize) -> f64 {
        self.ns[part] as f64 / self.runs as f64 / 1e9
    }

    /// A part's share of the total latency; `None` when that is zero.
    pub fn share(&self, part: usize) -> Option<f64> {
        let total: u128 = self.ns.iter().sum();
        (total > 0).then(|| self.ns[part] as f64 / total as f64)
    }
}

fn of_run(record: &RunRecord) -> Option<[u64; 5]> {
    let (load, tokenize, e2e) = (record.load_ns?, record.tokenize_ns?, record.e2e_ns?);
    let times = record.token_times_ns.as_deref()?;
    let (first, last) = (*times.first()?, *times.last()?);
    Some([load, tokenize, first, last.checked_sub(first)?, e2e.saturating_sub(tokenize + last)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::tests::record;

    #[test]
    fn parts_add_up_to_latency() {
        let parts = Parts::of([&record(), &record()]);
        assert_eq!(parts.ns, [2_000_000_000, 2_000_000, 1_000_000_000, 600_000_000, 18_000_000]);
        assert_eq!(parts.mean(3), 0.3);
        let shares: f64 = (0..5).filter_map(|part| parts.share(part)).sum();
        assert!((shares - 1.0).abs() < 1e-15);
        let mut failed = record();
        failed.load_ns = None;
        assert_eq!(Parts::of([&failed]).share(0), None);
    }
}
