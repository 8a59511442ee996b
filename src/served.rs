//! A run of several requests -> what its metrics take: the request that it had on the average, and what was served in its window. Only
//! requests that count and ended well make the average; the window is that in which those that count fell due. Knows no statistics.

use anyhow::{Context, Result, ensure};
use statrs::statistics::{Data, OrderStatistics};

use crate::{
    load::{Limits, Load, Part},
    record::{Answered, RequestRecord, RunRecord, Steps},
};

const NS: f64 = 1e9;

/// What came of a run's requests.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Served {
    /// Requests that ended well in the window, a second.
    pub request_rate: f64,
    /// Tokens read in the window, a second.
    pub output_rate: f64,
    /// Requests that count and kept every limit, a second; `None` without limits.
    pub goodput: Option<f64>,
    /// Requests due and not ended, averaged over the window.
    pub in_flight: f64,
    /// Of an open loop: requests due and not ended at the window's end, less those at its beginning, by requests that count.
    pub backlog: Option<f64>,
    /// Of the requests that count, those that the server refused to take.
    pub rejected: f64,
    /// Of the requests that count, those that failed otherwise.
    pub failed: f64,
    /// Tokens a second of the steps that continued as many sequences as were to be at once; `None` where the engine does not say.
    pub full_rate: Option<f64>,
    /// The average request, in ns; none where no request ended well.
    pub mean: Option<Mean>,
    /// Of requests that count and ended well, in seconds: due -> first text, due -> whole text, a token after the first.
    pub ttft: Vec<f64>,
    pub e2e: Vec<f64>,
    pub gap: Vec<f64>,
}

/// Averages over the requests that count and ended well. Times are in ns, from the moment at which a request was due.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Mean {
    pub n_prompt: f64,
    pub n_gen: f64,
    /// Tokens in the first chunk.
    pub n_first: f64,
    pub first: f64,
    pub last: f64,
    pub e2e: f64,
    /// From sending, not from the schedule.
    pub first_from_sent: f64,
}

/// A percentile rests on so many requests beyond it, or there is none.
const BEYOND: f64 = 20.0;

/// Of times at a share of them (definition 8 of Hyndman and Fan 1996); `None` of too few.
pub fn percentile(times: &[f64], share: f64) -> Option<f64> {
    let beyond = times.len() as f64 * (1.0 - share);
    // 2,000 times 1 - 0.99 is a hair less than 20.
    (beyond > BEYOND - 1e-6).then(|| Data::new(times.to_vec()).quantile(share))
}

/// A request that ended well, in ns from the run's beginning.
#[derive(Debug, Clone, Copy)]
struct Times {
    due: f64,
    sent: f64,
    first: f64,
    last: f64,
    end: f64,
}

impl Times {
    fn of(request: &RequestRecord) -> Option<Times> {
        let finish = request.finish_ns.filter(|_| request.outcome == Answered::Ok)?;
        let sent = request.sent_ns as f64;
        let first = sent + *request.steps_ns.first()? as f64;
        let end = sent + finish as f64;
        let each = request.n_gen == Some(request.steps_ns.len() as u32);
        // Tokens were merged in chunks, and the last may have no text: all are there when the server says why it ended.
        let last = if each { sent + request.steps_ns.iter().sum::<u64>() as f64 } else { end };
        Some(Times { due: request.due_ns as f64, sent, first, last, end })
    }
}

impl Served {
    /// `None` of a run of one request.
    ///
    /// # Errors
    /// Requests that are not those of the load.
    pub fn of(record: &RunRecord) -> Result<Option<Served>> {
        let Some(load) = &record.load else { return Ok(None) };
        let missing = || format!("run {}: the row says ok and has not all its requests", record.run);
        ensure!(record.requests.len() == load.total() as usize, missing());
        let counts = |request: &&RequestRecord| load.part(request.number) == Part::Counted;
        let counted: Vec<&RequestRecord> = record.requests.iter().filter(counts).collect();
        let window = Window::of(load, &record.requests).with_context(missing)?;
        let seconds = (window.to - window.from) / NS;
        ensure!(seconds > 0.0, "run {}: its requests were all due at one moment", record.run);
        let n = counted.len() as f64;
        let share = |which: Answered| counted.iter().filter(|request| request.outcome == which).count() as f64 / n;
        let well: Vec<(&RequestRecord, Times)> =
            counted.iter().filter_map(|request| Some((*request, Times::of(request)?))).collect();
        let mut served = Served {
            rejected: share(Answered::Rejected),
            failed: share(Answered::Failed),
            mean: Mean::of(&well),
            ..Served::default()
        };
        served.full_rate = record.steps.as_ref().and_then(|steps| full_rate(steps, load.at_once));
        let mut good = 0u32;
        for (request, times) in &well {
            let (ttft, e2e) = ((times.first - times.due) / NS, (times.end - times.due) / NS);
            let after = n_gen(request) - n_first(request);
            let gap = (after > 0.0).then(|| (times.last - times.first) / NS / after);
            served.ttft.push(ttft);
            served.e2e.push(e2e);
            served.gap.extend(gap);
            good += u32::from(load.goodput.as_ref().is_some_and(|limits| keeps(limits, ttft, e2e, gap)));
        }
        served.goodput = load.goodput.map(|_| f64::from(good) / seconds);
        for request in &record.requests {
            served.add(request, &window);
        }
        for total in [&mut served.request_rate, &mut served.output_rate, &mut served.in_flight] {
            *total /= seconds;
        }
        let growth = |request: &RequestRecord| window.growth(request);
        served.backlog = load.per_second.map(|_| record.requests.iter().map(growth).sum::<f64>() / n);
        Ok(Some(served))
    }

    /// Adds up what a request, of whichever part, has in the window.
    fn add(&mut self, request: &RequestRecord, window: &Window) {
        let sent = request.sent_ns as f64;
        if let Some(times) = Times::of(request) {
            self.request_rate += f64::from(u8::from(window.has(times.end)));
            let mut at = sent;
            let same = n_gen(request) / request.steps_ns.len() as f64;
            for (place, step) in request.steps_ns.iter().enumerate() {
                at += *step as f64;
                let told = request.chunk_tokens.as_ref().and_then(|tokens| tokens.get(place));
                self.output_rate += if window.has(at) { told.map_or(same, |tokens| f64::from(*tokens)) } else { 0.0 };
            }
        }
        let (due, over) = under_way(request);
        self.in_flight += (over.min(window.to) - due.max(window.from)).max(0.0) / NS;
    }
}

impl Mean {
    fn of(well: &[(&RequestRecord, Times)]) -> Option<Mean> {
        let mean = |of: &dyn Fn(&RequestRecord, &Times) -> f64| {
            well.iter().map(|(request, times)| of(request, times)).sum::<f64>() / well.len() as f64
        };
        (!well.is_empty()).then(|| Mean {
            n_prompt: mean(&|request, _| f64::from(request.n_prompt.unwrap_or_default())),
            n_gen: mean(&|request, _| n_gen(request)),
            n_first: mean(&|request, _| n_first(request)),
            first: mean(&|_, times| times.first - times.due),
            last: mean(&|_, times| times.last - times.due),
            e2e: mean(&|_, times| times.end - times.due),
            first_from_sent: mean(&|_, times| times.first - times.sent),
        })
    }
}

/// The first of such steps waits for prompts that are read meanwhile, in some engines: only steps that follow another full one count.
fn full_rate(steps: &Steps, at_once: u32) -> Option<f64> {
    let full = steps.active.windows(2).zip(&steps.step_ns[1.min(steps.step_ns.len())..]);
    let (tokens, ns) = full
        .filter(|(pair, _)| pair.iter().all(|active| *active == at_once))
        .fold((0u64, 0u64), |(tokens, ns), (pair, step)| (tokens + u64::from(pair[1]), ns + step));
    (ns > 0).then(|| tokens as f64 / (ns as f64 / NS))
}

fn n_gen(request: &RequestRecord) -> f64 {
    f64::from(request.n_gen.unwrap_or_default())
}

fn n_first(request: &RequestRecord) -> f64 {
    request.chunk_tokens.as_ref().and_then(|tokens| tokens.first()).map_or(1.0, |tokens| f64::from(*tokens))
}

/// From when to when it is under way.
fn under_way(request: &RequestRecord) -> (f64, f64) {
    let over = request.sent_ns + request.done_ns.or(request.finish_ns).unwrap_or_default();
    (request.due_ns as f64, over as f64)
}

/// From the moment at which the first request that counts was due to that of the first after them, which is not part of it; of a run
/// without one, to the end of the last that counts, which is.
struct Window {
    from: f64,
    to: f64,
    whole: bool,
}

impl Window {
    fn has(&self, at: f64) -> bool {
        at >= self.from && (at < self.to || (self.whole && at == self.to))
    }

    /// One more under way at the end, or at the beginning one fewer.
    fn growth(&self, request: &RequestRecord) -> f64 {
        let (due, over) = under_way(request);
        let at = |moment: f64| f64::from(u8::from(due <= moment && over > moment));
        at(self.to) - at(self.from)
    }

    fn of(load: &Load, requests: &[RequestRecord]) -> Option<Window> {
        let from = requests.get(load.ramp as usize)?.due_ns as f64;
        let counted = requests.iter().take((load.ramp + load.requests) as usize);
        let ends = counted.map(|request| request.sent_ns + request.finish_ns.or(request.done_ns).unwrap_or_default());
        let last = ends.max().map(|ns| ns as f64);
        let to = requests.get((load.ramp + load.requests) as usize).map(|request| request.due_ns as f64);
        Some(Window { from, to: to.or(last)?, whole: to.is_none() })
    }
}

fn keeps(limits: &Limits, ttft: f64, e2e: f64, gap: Option<f64>) -> bool {
    let most = |limit: Option<f64>, found: f64| limit.is_none_or(|limit| found <= limit);
    let fast = |least: f64| gap.is_none_or(|gap| gap * least <= 1.0);
    most(limits.ttft_s, ttft) && most(limits.e2e_s, e2e) && limits.decode_tok_s.is_none_or(fast)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Due at `due`, sent at `sent`, a token at `first` and every 10 ms up to three, finished 1 ms after the last; times in ms.
    fn request(number: u32, due: u64, sent: u64, first: u64) -> RequestRecord {
        let ms = |ms: u64| ms * 1_000_000;
        RequestRecord {
            due_ns: ms(due),
            sent_ns: ms(sent),
            n_prompt: Some(5),
            n_gen: Some(3),
            steps_ns: vec![ms(first - sent), ms(10), ms(10)],
            finish_ns: Some(ms(first - sent + 21)),
            done_ns: Some(ms(first - sent + 21)),
            ..RequestRecord::empty(number)
        }
    }

    /// One place: one request after the other, of 100 ms each; the second and third count.
    pub(crate) fn run() -> RunRecord {
        let load =
            Load { ramp: 1, goodput: Some(Limits { ttft_s: Some(0.08), ..Limits::default() }), ..Load::batch(2) };
        let requests =
            vec![request(1, 0, 0, 50), request(2, 100, 101, 179), request(3, 200, 201, 281), request(4, 310, 310, 350)];
        RunRecord { load: Some(load), requests, load_ns: Some(0), ..RunRecord::empty() }
    }

    #[test]
    fn a_run_by_hand() {
        let served = Served::of(&run()).unwrap().unwrap();
        // From 100 to 310 ms: requests 2 and 3 end at 200 and 302, six tokens are read.
        let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found} for {expected}");
        close(served.request_rate, 2.0 / 0.21);
        close(served.output_rate, 6.0 / 0.21);
        close(served.in_flight, (100.0 + 102.0) / 210.0);
        // The third kept nobody waiting for more than 80 ms from sending, and for 81 from when it was due.
        close(served.goodput.unwrap(), 1.0 / 0.21);
        assert_eq!(served.backlog, None);
        // At 100 ms request 2 is under way, at 310 request 4.
        let mut open = run();
        open.load.as_mut().unwrap().per_second = Some(10.0);
        close(Served::of(&open).unwrap().unwrap().backlog.unwrap(), 0.0);
        let mean = served.mean.unwrap();
        close(mean.first, 80.0e6);
        close(mean.first_from_sent, 79.0e6);
        close(mean.last, 100.0e6);
        close(mean.e2e, 101.0e6);
        assert_eq!((served.ttft.len(), served.gap.len()), (2, 2));
        close(served.gap[0], 0.01);
    }

    #[test]
    fn what_was_rejected_or_merged_is_counted_as_what_it_is() {
        let mut record = run();
        record.requests[1].outcome = Answered::Rejected;
        // Two tokens in the first chunk, as it says; the last without text.
        (record.requests[2].steps_ns, record.requests[2].n_gen) = (vec![80_000_000, 10_000_000], Some(4));
        record.requests[2].chunk_tokens = Some(vec![2, 1]);
        let served = Served::of(&record).unwrap().unwrap();
        assert_eq!((served.rejected, served.failed), (0.5, 0.0));
        let mean = served.mean.unwrap();
        assert_eq!((mean.n_gen, mean.n_first, mean.last), (4.0, 2.0, 102.0e6));
        // Two steps of two sequences follow one of two: four tokens in 50 ms.
        let ms = |list: &[u64]| list.iter().map(|ms| ms * 1_000_000).collect::<Vec<u64>>();
        let steps =
            |active: &[u32]| Steps { end_ns: vec![0; 5], step_ns: ms(&[9, 90, 20, 30, 7]), active: active.to_vec() };
        assert_eq!(full_rate(&steps(&[1, 2, 2, 2, 1]), 2), Some(80.0));
        assert_eq!(full_rate(&steps(&[1, 1, 1, 1, 1]), 2), None);
        assert!((served.output_rate - 3.0 / 0.21).abs() < 1e-9, "{}", served.output_rate);
        record.requests[2].outcome = Answered::Failed;
        let served = Served::of(&record).unwrap().unwrap();
        assert!(served.mean.is_none() && served.failed == 0.5);
        record.requests.pop();
        assert!(Served::of(&record).unwrap_err().to_string().contains("has not all its requests"));
    }

    #[test]
    fn a_percentile_needs_twenty_requests_beyond_it() {
        let times: Vec<f64> = (1..=2000).map(f64::from).collect();
        assert!(percentile(&times[..39], 0.5).is_none() && percentile(&times[..40], 0.5).is_some());
        assert!(percentile(&times[..199], 0.9).is_none() && percentile(&times[..200], 0.9).is_some());
        // (n + 1/3) q + 1/3 = 1980.663: between the 1980th and the next.
        let found = percentile(&times, 0.99).unwrap();
        assert!((found - (1980.0 + (2000.0 + 1.0 / 3.0) * 0.99 + 1.0 / 3.0 - 1980.0)).abs() < 1e-6, "{found}");
    }
}
