//! A run of several requests to a server: a thread for each that may be under way, no more. An open loop's requests are sent when they are
//! due, whatever has become of the others; one that finds every connection taken waits, and its time runs.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{Served, Watch, counted_by};
use crate::{
    bench::{several::Several, worker::Lost},
    digest,
    engine::{
        Request,
        http::{Answer, Failure, UnderWay, watched},
    },
    load::{Load, Part},
    record::{Answered, Clock, RequestRecord, RunRecord},
};

/// Until every thread stands ready.
const LEAD: Duration = Duration::from_millis(10);
/// A thread wakes up so much too early, and watches the clock for the rest.
const EARLY: Duration = Duration::from_micros(150);
/// Of a thread: a stream is read in pieces of 16 KiB.
const STACK: usize = 256 << 10;
/// HTTP: too many requests, and service unavailable.
const TOO_BUSY: [u16; 2] = [429, 503];

/// What all threads share.
struct Shared<'a> {
    served: &'a Served,
    load: &'a Load,
    /// Of a request by its number.
    request: &'a (dyn Fn(u32) -> Request + Sync),
    due_ns: Option<Vec<u64>>,
    began: Instant,
    deadline: Instant,
    stop: &'a AtomicBool,
    under_way: &'a UnderWay,
    /// The next number.
    next: Mutex<u32>,
    records: Mutex<Vec<RequestRecord>>,
}

impl Served {
    /// Sends the requests of a load and puts what came of them into the row.
    ///
    /// # Errors
    /// A run of which more requests failed than `failed_share` of those that count; one without any that ended well.
    pub fn measure_several(
        &mut self,
        several: &Several<'_>,
        deadline: Instant,
        stop: &AtomicBool,
        row: &mut RunRecord,
    ) -> Result<(), Lost> {
        let Several { load, failed_share, request } = several;
        (row.clock, row.counted_by) = (Some(Clock::Client), Some(counted_by(self.http.tokens)));
        row.load = Some(load.clone());
        let watch = Watch::start(self.process.as_ref().map(super::Process::id));
        let records = watched(stop, |under_way| {
            let shared = Shared {
                served: self,
                load,
                request: *request,
                due_ns: load.due_ns(row.seed),
                began: Instant::now() + LEAD,
                deadline,
                stop,
                under_way,
                next: Mutex::new(1),
                records: Mutex::new(Vec::with_capacity(load.total() as usize)),
            };
            shared.send_all()
        });
        let seen = watch.end();
        row.client_stall_ns = Some(seen.stall_ns);
        row.stolen_ns = seen.stolen_ns;
        row.peak_rss_bytes = seen.peak_rss_bytes;
        if stop.load(Ordering::SeqCst) {
            return Err(Lost::Stopped);
        }
        row.requests = records.map_err(Lost::Failed)?;
        self.busy = Instant::now() >= deadline;
        if self.process.as_mut().is_some_and(super::Process::has_ended) {
            return Err(Lost::Failed(format!("server: it {}", self.obituary())));
        }
        verdict(load, *failed_share, &row.requests).map_err(Lost::Failed)
    }
}

impl Shared<'_> {
    fn send_all(self) -> Result<Vec<RequestRecord>, String> {
        let threads = self.load.at_once.min(self.load.total());
        let shared = &self;
        let started: std::io::Result<()> = thread::scope(|scope| {
            for _ in 0..threads {
                thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || shared.one_after_the_other())?;
            }
            Ok(())
        });
        started.map_err(|error| format!("load: {threads} threads could not be started: {error}"))?;
        let mut records = self.records.into_inner().unwrap_or_else(PoisonError::into_inner);
        records.sort_by_key(|record| record.number);
        Ok(records)
    }

    /// What a thread does: the next request, when it is due, until there are no more.
    fn one_after_the_other(&self) {
        while let Some((number, due_ns)) = self.take() {
            let request = (self.request)(number);
            wait_until(self.began + Duration::from_nanos(due_ns), self.stop);
            if self.stop.load(Ordering::SeqCst) {
                return;
            }
            let outcome = self.served.client.ask_beside(self.under_way, &request, self.deadline, self.stop);
            let Some(record) = self.record(number, request.seed, due_ns, outcome) else { return };
            self.records.lock().unwrap_or_else(PoisonError::into_inner).push(record);
        }
    }

    /// The next request and when it is due. Of a closed loop that is now: numbers and times are taken together, so that both ascend.
    fn take(&self) -> Option<(u32, u64)> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let number = *next;
        if number > self.load.total() || self.stop.load(Ordering::SeqCst) {
            return None;
        }
        *next += 1;
        let due_ns = match &self.due_ns {
            Some(due) => *due.get(number as usize - 1)?,
            None => self.began.elapsed().as_nanos() as u64,
        };
        Some((number, due_ns))
    }

    /// `None`: it was stopped from outside.
    fn record(&self, number: u32, seed: u64, due_ns: u64, outcome: Result<Answer, Failure>) -> Option<RequestRecord> {
        let (outcome, error, answer) = match outcome {
            Ok(answer) => (Answered::Ok, None, answer),
            Err(Failure::Stopped) => return None,
            Err(Failure::Failed { reason, answer }) => {
                let busy = answer.status.is_some_and(|status| TOO_BUSY.contains(&status));
                (if busy { Answered::Rejected } else { Answered::Failed }, Some(reason), *answer)
            }
        };
        // What found no connection was not sent: its time is that at which it gave up.
        let sent = answer.sent.unwrap_or_else(Instant::now);
        let times = &answer.chunk_times_ns;
        let steps_ns = std::iter::once(&0).chain(times).zip(times).map(|(before, at)| at - before).collect();
        let of_text = || (!answer.text.is_empty()).then(|| digest::sha256_hex(answer.text.as_bytes()));
        Some(RequestRecord {
            seed,
            due_ns,
            sent_ns: sent.saturating_duration_since(self.began).as_nanos() as u64,
            outcome,
            error,
            status: answer.status.filter(|status| *status != 200),
            n_prompt: answer.n_prompt,
            n_gen: answer.n_gen,
            finish_reason: answer.finish,
            steps_ns,
            chunk_tokens: answer.chunk_tokens.clone().filter(|tokens| tokens.iter().any(|tokens| *tokens != 1)),
            finish_ns: answer.finish_ns,
            done_ns: answer.done_ns,
            connect_ns: answer.connect_ns,
            headers_ns: answer.headers_ns,
            cached_tokens: answer.cached_tokens,
            output_sha256: answer.ids.as_deref().map(digest::sha256_ids).or_else(of_text),
            ..RequestRecord::empty(number)
        })
    }
}

/// Sleeps, and watches the clock at the end: a thread that is woken up comes late.
fn wait_until(at: Instant, stop: &AtomicBool) {
    const LONGEST: Duration = Duration::from_millis(100);
    loop {
        let left = at.saturating_duration_since(Instant::now());
        if left.is_zero() || stop.load(Ordering::Relaxed) {
            return;
        }
        match left.checked_sub(EARLY) {
            Some(sleep) if !sleep.is_zero() => thread::sleep(sleep.min(LONGEST)),
            _ => std::hint::spin_loop(),
        }
    }
}

/// Does the run count? What was rejected is a result, if not all was.
fn verdict(load: &Load, failed_share: f64, requests: &[RequestRecord]) -> Result<(), String> {
    let counted = || requests.iter().filter(|request| load.part(request.number) == Part::Counted);
    let of = |outcome: Answered| counted().filter(move |request| request.outcome == outcome);
    let (failed, well) = (of(Answered::Failed).count(), of(Answered::Ok).count());
    let first = of(Answered::Failed).chain(of(Answered::Rejected)).find_map(|request| request.error.as_deref());
    let first = first.map_or_else(String::new, |reason| format!("; the first: {reason}"));
    let total = load.requests;
    if failed as f64 > failed_share * f64::from(total) {
        return Err(format!("load: {failed} of {total} requests failed{first}"));
    }
    if well == 0 {
        return Err(format!("load: none of {total} requests ended well{first}"));
    }
    Ok(())
}
