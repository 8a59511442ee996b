//! Joules of runs: the idle machine once a block, then either each run as its own window, or after each run a window of its own, in which
//! its request is asked again and again. Meters are read directly before a request and directly after it, outside every time of its.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

use super::worker::Lost;
use crate::{
    energy::{Domain, ENERGY_SCHEMA, EnergyRow, Spent},
    machine::meters::{Meters, Reading, Window},
    record::{Answered, RunRecord},
    study::Energy,
};

/// How often the machine's rest looks up.
const STEP: Duration = Duration::from_millis(50);
/// After a load the clocks stay up for a moment.
const SETTLES: Duration = Duration::from_secs(1);

/// The meters of an execution, and what they are asked.
#[derive(Debug)]
pub struct Gauge {
    asked: Energy,
    /// The study's own domain.
    domain: Domain,
    meters: RefCell<Meters>,
    /// Of a block, watts by domain.
    idle: RefCell<Option<(u32, BTreeMap<Domain, f64>)>>,
}

impl Gauge {
    pub fn new(asked: Energy, domain: Domain, meters: Meters) -> Self {
        Gauge { asked, domain, meters: RefCell::new(meters), idle: RefCell::new(None) }
    }

    /// Has each run a window of its own after it?
    pub(super) fn window(&self) -> Option<Duration> {
        self.asked.window_s.map(Duration::from_secs_f64)
    }

    /// Measures the machine at rest, its model loaded, where this block has not been measured yet.
    pub(super) fn rest(&self, block: u32, stop: &AtomicBool) -> Result<(), Lost> {
        if self.idle.borrow().as_ref().is_some_and(|(of, _)| *of == block) {
            return Ok(());
        }
        wait(SETTLES, stop)?;
        let window = self.meters.borrow_mut().open(self.domain, true);
        let waited = wait(Duration::from_secs_f64(self.asked.idle_s), stop);
        let Reading { domains, .. } = self.meters.borrow_mut().close(window);
        waited?;
        let watts = domains.iter().filter_map(|(domain, spent)| Some((*domain, spent.watts()?))).collect();
        *self.idle.borrow_mut() = Some((block, watts));
        Ok(())
    }

    /// Asks once, with meters read before and after; nothing is sampled while the run is timed. `since`: the moment that the row calls
    /// `started_at`.
    pub(super) fn around(
        &self,
        row: &mut RunRecord,
        batch: u64,
        since: Instant,
        ask: impl FnOnce(&mut RunRecord) -> Result<(), Lost>,
    ) -> Result<(), Lost> {
        let window = self.meters.borrow_mut().open(self.domain, false);
        let asked = ask(row);
        let reading = self.close(window);
        asked?;
        let (requests, tokens) = made(row);
        self.put(row, reading, since, requests * batch, tokens * batch);
        Ok(())
    }

    /// Asks again and again until the window is over. Each answer is counted and forgotten; the row keeps what they share.
    pub(super) fn again(
        &self,
        row: &mut RunRecord,
        batch: u64,
        since: Instant,
        mut ask: impl FnMut(&mut RunRecord) -> Result<(), Lost>,
    ) -> Result<(), Lost> {
        let lasts = self.window().unwrap_or_default();
        let blank = row.clone();
        let (mut requests, mut tokens, mut asked) = (0, 0, Ok(()));
        let window = self.meters.borrow_mut().open(self.domain, true);
        let begun = Instant::now();
        let mut last = blank.clone();
        while asked.is_ok() && begun.elapsed() < lasts {
            last = blank.clone();
            asked = ask(&mut last);
            if asked.is_ok() {
                let answered = made(&last);
                requests += answered.0 * batch;
                tokens += answered.1 * batch;
            }
        }
        let reading = self.close(window);
        asked?;
        row.n_prompt = last.n_prompt.filter(|_| last.load.is_none());
        row.n_gen = u32::try_from(tokens).ok();
        self.put(row, reading, since, requests, tokens);
        Ok(())
    }

    fn close(&self, window: Window) -> Reading {
        self.meters.borrow_mut().close(window)
    }

    fn put(&self, row: &mut RunRecord, reading: Reading, since: Instant, requests: u64, n_gen: u64) {
        let idle = self.idle.borrow();
        let idle_w = |domain: &Domain| idle.as_ref().and_then(|(_, watts)| watts.get(domain).copied());
        let with_idle = |(domain, spent): (Domain, Spent)| (domain, Spent { idle_w: idle_w(&domain), ..spent });
        let ns = |at: Instant| at.saturating_duration_since(since).as_nanos() as u64;
        let line = EnergyRow {
            schema: ENERGY_SCHEMA.to_owned(),
            run: row.run,
            order: row.order,
            start_ns: ns(reading.opened),
            end_ns: ns(reading.closed),
            requests: u32::try_from(requests).unwrap_or(u32::MAX),
            n_gen,
            domain: self.domain,
            domains: reading.domains.into_iter().map(with_idle).collect(),
            before: reading.before,
            after: reading.after,
            throttle: reading.throttle,
        };
        row.energy_j = line.used().map(|used| used.joules);
        row.energy = Some(Box::new(line));
    }
}

/// Requests that were answered, and tokens generated, of a row.
fn made(row: &RunRecord) -> (u64, u64) {
    if row.load.is_none() {
        return (1, row.n_gen.unwrap_or(0).into());
    }
    let well = row.requests.iter().filter(|request| request.outcome == Answered::Ok);
    well.fold((0, 0), |(requests, tokens), request| (requests + 1, tokens + u64::from(request.n_gen.unwrap_or(0))))
}

fn wait(lasts: Duration, stop: &AtomicBool) -> Result<(), Lost> {
    let begun = Instant::now();
    while begun.elapsed() < lasts {
        if stop.load(Ordering::SeqCst) {
            return Err(Lost::Stopped);
        }
        sleep(STEP.min(lasts.saturating_sub(begun.elapsed())));
    }
    Ok(())
}
