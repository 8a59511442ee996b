//! Runs of several requests: what they ask of an engine, whether they count, and how a worker is asked. A worker is given all of a run's
//! requests with their times, and keeps the queue itself.

use std::{sync::atomic::AtomicBool, time::Instant};

use super::worker::{Lost, Worker, protocol::Taken};
use crate::{
    digest,
    engine::Request,
    load::Load,
    record::{Clock, CountedBy, RequestRecord, RunRecord},
};

/// What a run of several requests asks for.
pub struct Several<'a> {
    pub load: Load,
    /// Of the requests that count: a run of a server of which more failed has failed. A worker ends all of them, or the run fails.
    #[cfg(feature = "http")]
    pub failed_share: f64,
    /// A request by its number, from 1.
    pub request: &'a (dyn Fn(u32) -> Request + Sync),
}

/// Asks a worker for several and puts what came into the row.
///
/// # Errors
/// As [`Worker::serve`].
pub(super) fn measure(
    worker: &mut Worker,
    several: &Several<'_>,
    foreign: bool,
    deadline: Instant,
    stop: &AtomicBool,
    row: &mut RunRecord,
) -> Result<(), Lost> {
    let Several { load, request, .. } = several;
    let requests: Vec<Request> = (1..=load.total()).map(request).collect();
    let planned = load.due_ns(row.seed);
    let due = planned.clone().unwrap_or_else(|| vec![0; requests.len()]);
    let served = worker.serve(&requests, due, load.at_once, deadline, stop)?;
    row.load = Some(load.clone());
    if foreign {
        (row.clock, row.counted_by) = (Some(Clock::Worker), Some(CountedBy::Worker));
    }
    row.peak_memory_bytes = served.peak_memory_bytes;
    row.steps = served.steps;
    let due = planned.unwrap_or_else(|| places_free(&served.requests, load.at_once as usize));
    let each = served.requests.into_iter().zip(&requests).zip(due).zip(1..);
    row.requests = each.map(|(((taken, request), due_ns), number)| record(taken, request, due_ns, number)).collect();
    Ok(())
}

/// When each of a closed loop's requests had a place: the first at once, then one whenever one has ended.
fn places_free(taken: &[Taken], at_once: usize) -> Vec<u64> {
    let mut ends: Vec<u64> =
        taken.iter().map(|taken| taken.token_times_ns.last().copied().unwrap_or_default()).collect();
    ends.sort_unstable();
    (0..taken.len()).map(|index| index.checked_sub(at_once).map_or(0, |before| ends[before])).collect()
}

fn record(taken: Taken, request: &Request, due_ns: u64, number: u32) -> RequestRecord {
    let sent_ns = taken.taken_ns;
    let times = &taken.token_times_ns;
    let from = std::iter::once(&sent_ns).chain(times);
    let end = times.last().map(|last| last.saturating_sub(sent_ns));
    RequestRecord {
        seed: request.seed,
        due_ns,
        sent_ns,
        n_prompt: Some(taken.n_prompt),
        n_gen: Some(taken.n_gen),
        finish_reason: taken.finish,
        steps_ns: from.zip(times).map(|(before, at)| at.saturating_sub(*before)).collect(),
        finish_ns: end,
        done_ns: end,
        output_sha256: taken.tokens.as_deref().map(digest::sha256_ids),
        ..RequestRecord::empty(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_when_a_request_has_ended() {
        let taken = |end: u64| Taken { token_times_ns: vec![1, end], ..Taken::default() };
        assert_eq!(places_free(&[taken(50), taken(30), taken(80), taken(70)], 2), [0, 0, 30, 50]);
    }
}
