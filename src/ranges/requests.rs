//! A run of several requests held against its plan, which follows from the study and the run's seed alone, and against the clock.

use super::{
    answer::CENTURY_NS,
    end::{self, Misfit},
};
use crate::{
    load::Load,
    record::{Answered, Clock, RequestRecord, RunRecord},
    served::Served,
};

/// Logarithms of two systems may round to neighbouring microseconds.
const APART_NS: u64 = 1_000;

/// What is impossible in the requests of a row that ended well. `may_stop`: a text may end before its last token.
pub(super) fn misfits(row: &RunRecord, load: &Load, may_stop: bool) -> Vec<Misfit> {
    let mut found = Vec::new();
    let (expected, there) = (load.total() as usize, row.requests.len());
    if there != expected {
        return vec![(format!("{expected} requests, as the study says"), there.to_string())];
    }
    let planned = load.due_ns(row.seed);
    let mut last_due = 0;
    for (request, number) in row.requests.iter().zip(1..) {
        let planned = planned.as_ref().map(|due| due[number as usize - 1]);
        let mut expect = |holds: bool, what: &str, value: String| {
            if !holds {
                found.push((format!("request {number}: {what}"), value));
            }
        };
        expect(request.number == number, "its number in the order in which they fell due", request.number.to_string());
        let seed = Load::seed(row.seed, number);
        expect(
            request.seed == seed,
            &format!("the seed {seed}, which follows from the run's"),
            request.seed.to_string(),
        );
        let as_planned = planned.is_none_or(|due| due.abs_diff(request.due_ns) <= APART_NS);
        let due = planned.map_or_else(String::new, |due| format!(", {due}"));
        expect(as_planned, &format!("`due_ns` as it follows from the run's seed{due}"), request.due_ns.to_string());
        expect(request.due_ns >= last_due, "due after those before it", request.due_ns.to_string());
        expect(request.sent_ns >= request.due_ns, "sent when it was due or later", request.sent_ns.to_string());
        last_due = request.due_ns;
        let times = request.steps_ns.iter().fold(0u64, |sum, step| sum.saturating_add(*step));
        let ends = [Some(times), request.finish_ns, request.done_ns];
        let of_ok = ends.iter().all(Option::is_some) && ends.is_sorted() && times > 0;
        let fits = request.outcome != Answered::Ok || of_ok;
        expect(fits, "its steps, then `finish_ns`, then `done_ns`", format!("{ends:?}"));
        let below = request.due_ns <= CENTURY_NS && request.sent_ns <= CENTURY_NS && times <= CENTURY_NS;
        expect(below, "times below a century", format!("{}, {times}", request.sent_ns));
        let told = (request.outcome == Answered::Ok) == request.error.is_none();
        expect(told, "an `error` of those that did not end well, and of no others", format!("{:?}", request.error));
        if request.outcome == Answered::Ok {
            lengths(request, row, may_stop, &mut expect);
        }
    }
    let most = most_under_way(row.requests.iter().map(|request| {
        let ended = request.done_ns.or(request.finish_ns).unwrap_or_default();
        (request.sent_ns, request.sent_ns.saturating_add(ended))
    }));
    if most > load.at_once as usize {
        found.push((format!("at most {} requests under way", load.at_once), format!("{most} at once")));
    }
    // What is computed of them needs a window that lasts.
    if found.is_empty()
        && let Err(error) = Served::of(row)
    {
        found.push(("requests of which something can be computed".to_owned(), error.to_string()));
    }
    found
}

/// How many were under way at once, of their beginnings and ends. One that ends makes place for one that begins then.
pub fn most_under_way(spans: impl Iterator<Item = (u64, u64)>) -> usize {
    let mut moments: Vec<(u64, bool)> = spans.flat_map(|(from, to)| [(from, true), (to.max(from), false)]).collect();
    // Ends before beginnings; one that took no time is never under way.
    moments.sort_unstable();
    let (mut now, mut most) = (0_isize, 0);
    for (_, begins) in moments {
        now += if begins { 1 } else { -1 };
        most = most.max(now);
    }
    most.max(0) as usize
}

fn lengths(request: &RequestRecord, row: &RunRecord, may_stop: bool, expect: &mut impl FnMut(bool, &str, String)) {
    let n = request.n_gen.unwrap_or_default();
    if let Some((expected, found)) = end::of(n, row.max_tokens, request.finish_reason, may_stop) {
        expect(false, &expected, found);
    }
    expect(request.n_prompt.is_some_and(|n| n > 0), "the tokens of its prompt", format!("{:?}", request.n_prompt));
    let steps = request.steps_ns.len();
    // Every chunk has a token at least; an engine of ours says when each came.
    let fits = steps > 0 && steps <= n as usize && (row.clock == Some(Clock::Client) || steps == n as usize);
    expect(fits, &format!("steps of {n} tokens"), steps.to_string());
    let told =
        request.chunk_tokens.as_ref().is_none_or(|tokens| tokens.len() == steps && tokens.iter().sum::<u32>() == n);
    expect(told, "`chunk_tokens` of each step", format!("{:?}", request.chunk_tokens));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{load::Arrivals, record::FinishReason};

    /// An open loop of one request that counts, as it was planned.
    fn row() -> RunRecord {
        let load = Load { ramp: 1, per_second: Some(5.0), arrivals: Some(Arrivals::Poisson), ..Load::batch(1) };
        let seed = 20_261_128;
        let due = load.due_ns(seed).unwrap();
        let request = |(due_ns, number): (&u64, u32)| RequestRecord {
            seed: Load::seed(seed, number),
            due_ns: *due_ns,
            sent_ns: due_ns + 5,
            n_prompt: Some(1),
            n_gen: Some(3),
            finish_reason: Some(FinishReason::Length),
            steps_ns: vec![9, 1, 1],
            finish_ns: Some(12),
            done_ns: Some(12),
            ..RequestRecord::empty(number)
        };
        let requests = due.iter().zip(1..).map(request).collect();
        RunRecord { max_tokens: 3, seed, load: Some(load), requests, ..RunRecord::empty() }
    }

    #[test]
    fn who_ends_makes_place_for_who_begins() {
        let most = |spans: &[(u64, u64)]| most_under_way(spans.iter().copied());
        assert_eq!((most(&[]), most(&[(0, 5), (5, 9), (9, 12)]), most(&[(0, 5), (4, 9), (8, 12)])), (0, 1, 2));
        assert_eq!(most(&[(0, 9), (1, 9), (2, 3), (3, 4), (4, 4)]), 3);
    }

    #[test]
    fn requests_are_those_of_the_plan_and_of_the_clock() {
        let found = |change: &dyn Fn(&mut Vec<RequestRecord>)| {
            let mut row = row();
            change(&mut row.requests);
            let misfits = misfits(&row, row.load.as_ref().unwrap(), false);
            misfits.into_iter().map(|(what, found)| format!("{what}: {found}")).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(found(&|_| {}), "");
        for (change, expected) in [
            (
                &(|all: &mut Vec<RequestRecord>| drop(all.pop())) as &dyn Fn(&mut Vec<RequestRecord>),
                "3 requests, as the study says: 2",
            ),
            (&|all: &mut Vec<RequestRecord>| all[1].seed += 1, "request 2: the seed"),
            (&|all: &mut Vec<RequestRecord>| all[1].due_ns -= 1_001, "request 2: `due_ns` as it follows"),
            (
                &|all: &mut Vec<RequestRecord>| all[1].sent_ns = all[1].due_ns - 1,
                "request 2: sent when it was due or later",
            ),
            (&|all: &mut Vec<RequestRecord>| all[2].finish_ns = Some(10), "request 3: its steps, then `finish_ns`"),
            (&|all: &mut Vec<RequestRecord>| all[0].error = Some("x".to_owned()), "request 1: an `error` of those"),
            (
                &|all: &mut Vec<RequestRecord>| all[0].n_gen = Some(2),
                "request 1: exactly 3 tokens, as the study says: 2 of 3",
            ),
            (&|all: &mut Vec<RequestRecord>| all[0].steps_ns.truncate(2), "request 1: steps of 3 tokens: 2"),
            (&|all: &mut Vec<RequestRecord>| all[0].chunk_tokens = Some(vec![1, 1, 2]), "request 1: `chunk_tokens`"),
            (&|all: &mut Vec<RequestRecord>| all[0].finish_reason = None, "request 1: a reason for the end that fits"),
            (&|all: &mut Vec<RequestRecord>| all[0].done_ns = Some(1 << 50), "at most 1 requests under way: 2 at once"),
            (&|all: &mut Vec<RequestRecord>| all.swap(0, 1), "request 1: its number"),
        ] {
            assert!(found(change).contains(expected), "{expected}: {}", found(change));
        }
    }
}
