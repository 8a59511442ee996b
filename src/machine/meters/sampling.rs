//! Power asked again and again in a thread of its own, and its integral.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::Powers;
use crate::energy::Domain;

/// 20 Hz: a sensor that averages over 25 ms in each 100 ms is not missed more often than that allows.
const EVERY: Duration = Duration::from_millis(50);

/// When, and how many watts.
type Series = Vec<(Instant, f64)>;

/// A thread that asks until it is stopped.
#[derive(Debug)]
pub(super) struct Sampling {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<BTreeMap<Domain, Series>>,
}

impl Sampling {
    pub(super) fn start(make: Box<dyn FnOnce() -> Powers + Send>) -> Sampling {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut powers = make();
            let mut series: BTreeMap<Domain, Series> = BTreeMap::new();
            loop {
                let asked = Instant::now();
                for (domain, watts) in powers() {
                    let half = asked.elapsed() / 2;
                    series.entry(domain).or_default().push((asked + half, watts));
                }
                if stopped.load(Ordering::SeqCst) {
                    return series;
                }
                thread::park_timeout(EVERY.saturating_sub(asked.elapsed()));
            }
        });
        Sampling { stop, thread }
    }

    /// Joules between two moments, and the samples that they rest on, by domain.
    pub(super) fn stop(self, from: Instant, to: Instant) -> BTreeMap<Domain, (f64, u32)> {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.thread().unpark();
        // A thread that broke down has said nothing.
        let series = self.thread.join().unwrap_or_default();
        let since = |at: Instant| at.saturating_duration_since(from).as_secs_f64();
        let seconds = since(to);
        series
            .into_iter()
            .filter_map(|(domain, series)| {
                let points: Vec<(f64, f64)> = series.iter().map(|(at, watts)| (since(*at), *watts)).collect();
                Some((domain, (integral(&points, 0.0, seconds)?, points.len() as u32)))
            })
            .collect()
    }
}

/// Watts over seconds by trapezoids, from one moment to another; before the first sample and after the last one power is theirs. `None`
/// without two samples.
pub(super) fn integral(points: &[(f64, f64)], from: f64, to: f64) -> Option<f64> {
    let ([first, ..], [.., last]) = (points, points) else { return None };
    if points.len() < 2 {
        return None;
    }
    let held = (first.0.min(to) - from).max(0.0) * first.1 + (to - last.0.max(from)).max(0.0) * last.1;
    let between = points.windows(2).map(|pair| {
        let [(a, power_a), (b, power_b)] = [pair[0], pair[1]];
        let (begin, end) = (a.max(from), b.min(to));
        if end <= begin || b <= a {
            return 0.0;
        }
        let at = |t: f64| power_a + (power_b - power_a) * (t - a) / (b - a);
        (at(begin) + at(end)) / 2.0 * (end - begin)
    });
    Some(held + between.sum::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trapezoids_by_hand() {
        let points = [(1.0, 10.0), (2.0, 20.0), (4.0, 20.0)];
        let close = |from, to, expected: f64| {
            let found = integral(&points, from, to).unwrap();
            assert!((found - expected).abs() < 1e-12, "{from} to {to}: {found} for {expected}");
        };
        close(1.0, 4.0, 15.0 + 40.0);
        close(1.5, 3.0, 8.75 + 20.0);
        close(0.0, 5.0, 10.0 + 55.0 + 20.0);
        close(4.5, 5.0, 10.0);
        assert_eq!(integral(&points[..1], 0.0, 1.0), None);
        assert_eq!(integral(&[], 0.0, 1.0), None);
    }

    #[test]
    fn a_thread_samples_until_it_is_stopped() {
        let from = Instant::now();
        let sampling = Sampling::start(Box::new(|| Box::new(|| vec![(Domain::Board, 100.0)])));
        thread::sleep(Duration::from_millis(400));
        let to = Instant::now();
        let found = sampling.stop(from, to);
        let (joules, samples) = found[&Domain::Board];
        let expected = 100.0 * (to - from).as_secs_f64();
        assert!((joules / expected - 1.0).abs() < 1e-6 && samples >= 4, "{joules} for {expected}, {samples}");
    }
}
