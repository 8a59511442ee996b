//! The clock that all processes of a machine share, and whether a worker's times fit what was seen on its pipe.

use super::protocol::{Generated, Served};
use crate::ranges::requests::most_under_way;

/// What a worker calls it.
pub(super) const SHARED: &str = "CLOCK_MONOTONIC";
/// What a worker without any says; only the fake engine may.
pub(super) const INVENTED: &str = "invented";

/// Its reading, ns; `None` on systems without it.
pub(super) fn now() -> Option<u64> {
    #[cfg(unix)]
    {
        let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).ok()?;
        Some((now.tv_sec() as u64).saturating_mul(1_000_000_000).saturating_add(now.tv_nsec() as u64))
    }
    #[cfg(not(unix))]
    None
}

/// Between writing a request and reading its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// By the shared clock, where there is one.
    pub(super) sent: Option<u64>,
    pub(super) received: Option<u64>,
    pub(super) took_ns: u64,
}

/// Why a worker's times cannot be; `None` when they can. No tolerance: what a clock shows inside lies inside.
pub(super) fn misfit(answer: &Generated, clock: Option<&str>, span: Span) -> Option<String> {
    let times = &answer.token_times_ns;
    if times.len() != answer.n_gen as usize {
        return Some(format!("{} times of {} tokens", times.len(), answer.n_gen));
    }
    // Tokens of a round come together; whether they are those of one is for the row's checks.
    let drafts = answer.rounds.is_some();
    if times.first() == Some(&0) || times.windows(2).any(|pair| pair[0] > pair[1] || (!drafts && pair[0] == pair[1])) {
        return Some("token times that do not increase from above 0".to_owned());
    }
    let last = times.last().copied().unwrap_or_default();
    if answer.tokenize_ns.saturating_add(last) > answer.e2e_ns {
        return Some(format!("tokens until {last} ns after tokenising, and an end after {} ns", answer.e2e_ns));
    }
    if clock == Some(INVENTED) {
        return None;
    }
    if answer.e2e_ns > span.took_ns {
        return Some(format!("{} ns of work in {} ns between request and answer", answer.e2e_ns, span.took_ns));
    }
    let (Some(SHARED), Some(sent), Some(received)) = (clock, span.sent, span.received) else { return None };
    let Some(start) = answer.start_ns else { return Some("no start_ns, though the clock is shared".to_owned()) };
    if start < sent {
        return Some(format!("a start {} ns before the request was sent", sent - start));
    }
    let end = start.saturating_add(answer.e2e_ns);
    (end > received).then(|| format!("an end {} ns after the answer was read", end - received))
}

/// The same of several requests.
pub(super) fn misfit_of_several(answer: &Served, due_ns: &[u64], clock: Option<&str>, span: Span) -> Option<String> {
    for (taken, due) in answer.requests.iter().zip(due_ns) {
        if taken.taken_ns < *due {
            return Some(format!("a request taken up {} ns before it was due", due - taken.taken_ns));
        }
        let times = &taken.token_times_ns;
        if times.len() != taken.n_gen as usize {
            return Some(format!("{} times of {} tokens", times.len(), taken.n_gen));
        }
        if times.first().is_some_and(|first| *first <= taken.taken_ns)
            || times.windows(2).any(|pair| pair[0] >= pair[1])
        {
            return Some("token times that do not increase from above when a request was taken up".to_owned());
        }
    }
    if clock == Some(INVENTED) {
        return None;
    }
    let last =
        answer.requests.iter().filter_map(|taken| taken.token_times_ns.last()).max().copied().unwrap_or_default();
    if last > span.took_ns {
        return Some(format!("{last} ns of work in {} ns between request and answer", span.took_ns));
    }
    let (Some(SHARED), Some(sent), Some(received)) = (clock, span.sent, span.received) else { return None };
    let Some(start) = answer.start_ns else { return Some("no start_ns, though the clock is shared".to_owned()) };
    if start < sent {
        return Some(format!("a start {} ns before the request was sent", sent - start));
    }
    let end = start.saturating_add(last);
    (end > received).then(|| format!("an end {} ns after the answer was read", end - received))
}

/// Why requests had more places than there are, or took another's: a loop that is closed takes them up in their order.
pub(super) fn crowd(answer: &Served, due_ns: &[u64], at_once: usize) -> Option<String> {
    let last = |times: &[u64]| times.last().copied().unwrap_or_default();
    let spans = answer.requests.iter().map(|taken| (taken.taken_ns, last(&taken.token_times_ns)));
    let most = most_under_way(spans.clone());
    if most > at_once {
        return Some(format!("more than {at_once} under way: {most} at once"));
    }
    if due_ns.iter().any(|due| *due > 0) {
        return None;
    }
    let mut ends: Vec<u64> = spans.map(|(_, end)| end).collect();
    ends.sort_unstable();
    let mut after_the_first = answer.requests.iter().enumerate().skip(at_once);
    let early = after_the_first.find(|(index, taken)| taken.taken_ns < ends[index - at_once])?.0;
    Some(format!("request {} was taken up before its turn", early + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Generated {
        Generated {
            n_gen: 2,
            start_ns: Some(1_100),
            tokenize_ns: 10,
            token_times_ns: vec![100, 200],
            e2e_ns: 300,
            ..Generated::default()
        }
    }

    const SPAN: Span = Span { sent: Some(1_000), received: Some(1_500), took_ns: 500 };

    #[test]
    fn times_that_lie_outside_of_the_pipe_s_are_named() {
        let fits = |change: &dyn Fn(&mut Generated), clock| {
            let mut answer = answer();
            change(&mut answer);
            misfit(&answer, clock, SPAN)
        };
        assert_eq!(fits(&|_| (), Some(SHARED)), None);
        assert_eq!(fits(&|_| (), None), None);
        type Change = fn(&mut Generated);
        let changes: [(Change, &str); 7] = [
            (|a| a.start_ns = Some(999), "a start 1 ns before the request"),
            (|a| a.start_ns = Some(1_201), "an end 1 ns after the answer"),
            (|a| a.start_ns = None, "no start_ns"),
            (|a| a.e2e_ns = 501, "501 ns of work in 500 ns"),
            (|a| a.token_times_ns = vec![100, 100], "do not increase"),
            (|a| a.token_times_ns = vec![100], "1 times of 2 tokens"),
            (|a| a.e2e_ns = 209, "tokens until 200 ns"),
        ];
        for (change, words) in changes {
            let found = fits(&change, Some(SHARED)).unwrap_or_default();
            assert!(found.contains(words), "{words}: {found}");
        }
        assert!(fits(&|a| a.e2e_ns = 501, None).is_some(), "a clock of its own is no excuse");
        assert_eq!(fits(&|a| a.e2e_ns = 50_000, Some(INVENTED)), None);
    }

    #[test]
    fn so_are_those_of_several_requests() {
        use crate::bench::worker::protocol::Taken;
        let taken = || Taken { n_gen: 2, taken_ns: 10, token_times_ns: vec![100, 200], ..Taken::default() };
        let fits = |change: &dyn Fn(&mut Served), clock| {
            let requests = vec![taken(), taken()];
            let mut served = Served { start_ns: Some(1_100), requests, ..Served::default() };
            change(&mut served);
            misfit_of_several(&served, &[0, 5], clock, SPAN).unwrap_or_default()
        };
        assert_eq!(fits(&|_| (), Some(SHARED)), "");
        for (change, words) in [
            (&(|s: &mut Served| s.requests[1].taken_ns = 4) as &dyn Fn(&mut Served), "1 ns before it was due"),
            (&|s: &mut Served| s.requests[0].token_times_ns = vec![10, 200], "do not increase"),
            (&|s: &mut Served| s.requests[0].n_gen = 3, "2 times of 3 tokens"),
            (&|s: &mut Served| s.requests[1].token_times_ns = vec![100, 501], "501 ns of work"),
            (&|s: &mut Served| s.start_ns = Some(1_301), "an end 1 ns after"),
            (&|s: &mut Served| s.start_ns = None, "no start_ns"),
        ] {
            assert!(fits(change, Some(SHARED)).contains(words), "{words}: {}", fits(change, Some(SHARED)));
        }
        assert_eq!(fits(&|s| s.requests[1].token_times_ns = vec![100, 501], Some(INVENTED)), "");
    }

    #[test]
    fn places_are_as_many_as_there_are() {
        use crate::bench::worker::protocol::Taken;
        let of = |spans: &[(u64, u64)], due: &[u64], at_once| {
            let taken =
                |(from, to): &(u64, u64)| Taken { taken_ns: *from, token_times_ns: vec![*to], ..Taken::default() };
            let served = Served { requests: spans.iter().map(taken).collect(), ..Served::default() };
            crowd(&served, due, at_once).unwrap_or_default()
        };
        assert_eq!(of(&[(0, 5), (0, 9), (5, 12), (9, 20)], &[0; 4], 2), "");
        assert_eq!(of(&[(0, 5), (0, 9), (4, 12), (9, 20)], &[0; 4], 2), "more than 2 under way: 3 at once");
        // The fourth came before the third.
        assert_eq!(of(&[(0, 5), (0, 9), (9, 20), (5, 12)], &[0; 4], 2), "request 4 was taken up before its turn");
        assert_eq!(of(&[(0, 5), (1, 9), (9, 20), (5, 12)], &[0, 1, 2, 2], 2), "");
        assert_eq!(of(&[(0, 5), (1, 9), (2, 20)], &[0, 1, 2], 2), "more than 2 under way: 3 at once");
    }

    #[test]
    fn the_shared_clock_goes_on() {
        let first = now();
        assert!(cfg!(not(unix)) || (first.is_some() && now() >= first));
    }
}
