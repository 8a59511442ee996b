//! Plan x Engine -> the rows of one run at a time: schedule, warm-up, cool-down, worker processes.
//! Knows nothing of statistics, of the disk and of the screen: rows go to a sink, news to an observer.

mod cooling;
pub mod energy;
pub mod guard;
pub mod process;
mod programs;
pub mod quality;
pub mod quiet;
#[cfg(feature = "http")]
mod server;
mod several;
mod signal;
mod system;
pub mod trial;
pub mod worker;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    engine::{Prompt, Request, Sampling},
    factor::{BATCH, CONTEXT, THREADS},
    load::Load,
    machine::{self, Fact},
    ranges::Ranges,
    record::{MOST_TEXT, Outcome, Phase, RunRecord},
    study::{Isolation, Plan, PlannedRun, Study},
};
use cooling::World;
use energy::Gauge;
pub use programs::{Place, Programs, Started};
use several::Several;
use system::{Setting, System};
use worker::Lost;

/// Tokens of a warm-up generation: enough to touch every kernel of a decode step.
const WARMUP_TOKENS: u32 = 4;

/// Of the reason for which a run failed, in characters.
const MOST_REASON: usize = 4000;

/// What is to be executed, and with what.
#[derive(Debug)]
pub struct Bench<'a> {
    pub study: &'a Study,
    pub plan: &'a Plan,
    /// Runs that have their row already.
    pub done: BTreeSet<u32>,
    /// What rows are held to; it has seen those that are there already.
    pub ranges: Ranges,
    /// Where each model is, in the study's order.
    pub places: Vec<Place>,
    /// Where each model that drafts is, in the study's order.
    pub drafts: Vec<Place>,
    pub programs: &'a Programs,
    /// Where the study measures energy.
    pub gauge: Option<&'a Gauge>,
    /// Set from outside to stop: the run in flight is given up, its rows are not written.
    pub stop: &'a AtomicBool,
}

/// News for whoever watches.
#[derive(Debug)]
pub enum News<'a> {
    /// A run begins; `left` includes it.
    Begins { run: &'a PlannedRun, left: usize },
    /// Waiting until the machine is cool, or as long as the study says.
    Waits { for_at_most: Duration },
    /// The study has a thermal gate, and the machine shows no temperature: nothing is waited for.
    CannotWait { why: &'a str },
    /// A run has its row.
    Ends { record: &'a RunRecord },
}

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Complete,
    Stopped,
}

impl Bench<'_> {
    /// Executes what is not done yet, in the plan's order. The rows of a run (warm-ups, then the measured one, `ok` or
    /// `failed`) go to `sink` together, so a kill between two calls loses at most the run in flight.
    ///
    /// # Errors
    /// Those of `sink`. A run that fails is a row, not an error.
    pub fn execute(
        &self,
        sink: &mut dyn FnMut(&[RunRecord]) -> Result<()>,
        watch: &mut dyn FnMut(News<'_>),
    ) -> Result<Ended> {
        let todo: Vec<&PlannedRun> =
            self.plan.execution().into_iter().filter(|run| !self.done.contains(&run.run)).collect();
        let Fact { value: start_band, reason } = machine::thermal_reading();
        if let (Some(_), None) = (self.study.execution.thermal_gate_s, &start_band) {
            watch(News::CannotWait { why: &reason.unwrap_or_default() });
        }
        let mut ranges = self.ranges.clone();
        // In a session: each model's engine on each number of threads with each model that drafts, which is kept.
        let mut kept: BTreeMap<(usize, Option<u32>, Option<usize>), System> = BTreeMap::new();
        for (index, run) in todo.iter().enumerate() {
            watch(News::Begins { run, left: todo.len() - index });
            self.cool_down(start_band.as_ref(), watch);
            if self.stopped() {
                return Ok(Ended::Stopped);
            }
            let place = (run.model, threads_of(self.study, run), run.drafter(self.study));
            let system = kept.remove(&place);
            let Some((rows, system)) = self.one(run, system, &mut ranges) else { return Ok(Ended::Stopped) };
            if self.study.execution.isolation != Isolation::Process {
                kept.extend(system.map(|system| (place, system)));
            } else if let Some(system) = system {
                system.end();
            }
            sink(&rows)?;
            if let Some(record) = rows.last() {
                watch(News::Ends { record });
            }
        }
        kept.into_values().for_each(System::end);
        Ok(Ended::Complete)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// The rows of one run and the engine, if it may be asked again; `None` when it was stopped from outside.
    fn one(
        &self,
        run: &PlannedRun,
        mut system: Option<System>,
        ranges: &mut Ranges,
    ) -> Option<(Vec<RunRecord>, Option<System>)> {
        let mut rows = Vec::new();
        let mut measured = self.row(run, Phase::Measured);
        let deadline = Instant::now() + Duration::from_secs_f64(self.study.execution.timeout_s);
        let ended = self.attempt(run, &mut system, deadline, ranges, &mut rows, &mut measured);
        match ended.map_err(|lost| lost.or_stopped(self.stop)) {
            Ok(()) => {}
            Err(Lost::Stopped) => return None,
            // Warm-up rows of a failed run stay: they happened.
            Err(Lost::Failed(reason)) => {
                fail(&mut measured, reason);
                let lives = system.as_mut().is_some_and(System::outlives_failure);
                system = system.filter(|_| lives);
            }
        }
        rows.push(measured);
        Some((rows, system))
    }

    fn attempt(
        &self,
        run: &PlannedRun,
        kept: &mut Option<System>,
        deadline: Instant,
        ranges: &mut Ranges,
        rows: &mut Vec<RunRecord>,
        measured: &mut RunRecord,
    ) -> Result<(), Lost> {
        let session = self.study.execution.isolation != Isolation::Process;
        let model = &self.study.models[run.model];
        let (system, started) = match kept {
            Some(system) => (system, None),
            None => {
                let place = &self.places[run.model];
                let draft = run.drafter(self.study).and_then(|drafter| self.drafts.get(drafter));
                let setting = Setting { threads: threads_of(self.study, run), draft };
                let (begun, started) = System::start(model, place, setting, self.programs, deadline, self.stop)?;
                (kept.insert(begun), Some(started))
            }
        };
        system.backend().clone_into(&mut measured.backend);
        // A process has its load; in a session a run that loaded nothing spent no time on it.
        let (mut load_ns, mut startup_ns) = match &started {
            Some(started) => (started.load_ns.or(Some(0)), started.startup_ns),
            None => (Some(0), None),
        };
        let warmups = if started.is_some() { self.study.settings.warmup_runs } else { 0 };
        for _ in 0..warmups {
            let mut row = self.row(run, Phase::Warmup);
            row.backend = measured.backend.clone();
            row.max_tokens = WARMUP_TOKENS.min(run.max_tokens);
            row.startup_ns = startup_ns.take();
            system.measure(
                &model.engine,
                &request_of(self.study, run, row.max_tokens),
                deadline,
                self.stop,
                &mut row,
            )?;
            if session {
                // The session's load belongs to its first generation, not to a measured run.
                row.load_ns = load_ns.replace(0);
            }
            held(ranges, &mut row)?;
            rows.push(row);
        }
        let rests = Instant::now();
        if let Some(gauge) = self.gauge {
            gauge.rest(run.block, self.stop)?;
        }
        // The machine's rest is no part of the run.
        let deadline = deadline + rests.elapsed();
        (measured.startup_ns, measured.load_ns) = (startup_ns, load_ns);
        let since = began(measured);
        let mut ask = |row: &mut RunRecord, deadline: Instant| self.ask(run, system, deadline, row);
        let batch = of_one_request(self.study, run);
        match self.gauge {
            None => {
                ask(measured, deadline)?;
                held(ranges, measured)?;
            }
            Some(gauge) => match gauge.window() {
                None => {
                    gauge.around(measured, batch, since, |row| ask(row, deadline))?;
                    held(ranges, measured)?;
                }
                Some(window) => {
                    ask(measured, deadline)?;
                    held(ranges, measured)?;
                    let mut row = self.row(run, Phase::Energy);
                    row.backend = measured.backend.clone();
                    let since = began(&mut row);
                    let deadline = Instant::now() + window + Duration::from_secs_f64(self.study.execution.timeout_s);
                    let asked = gauge.again(&mut row, batch, since, |row| ask(row, deadline));
                    match asked.and_then(|()| held(ranges, &mut row)) {
                        Err(Lost::Stopped) => return Err(Lost::Stopped),
                        // The run itself has ended well.
                        Err(Lost::Failed(reason)) => {
                            fail(&mut row, reason);
                            if !system.outlives_failure() {
                                *kept = None;
                            }
                        }
                        Ok(()) => {}
                    }
                    rows.push(row);
                }
            },
        }
        Ok(())
    }

    /// Asks for what a run asks for.
    fn ask(&self, run: &PlannedRun, system: &mut System, deadline: Instant, row: &mut RunRecord) -> Result<(), Lost> {
        let engine = &self.study.models[run.model].engine;
        let one = request_of(self.study, run, run.max_tokens);
        match run.load(self.study) {
            None => system.measure(engine, &one, deadline, self.stop, row),
            Some(load) => {
                let loads = self.study.load.as_ref();
                let request = |number: u32| {
                    let seed = Load::seed(run.seed, number);
                    let prompt = match &one.prompt {
                        Prompt::Text(text) => {
                            Prompt::Text(loads.map_or_else(|| text.clone(), |loads| loads.prompt(text, number)))
                        }
                        Prompt::Tokens(tokens) => Prompt::Tokens(*tokens),
                    };
                    Request { prompt, seed, ..one.clone() }
                };
                let several = Several {
                    load,
                    #[cfg(feature = "http")]
                    failed_share: loads.map_or(0.0, |loads| loads.failed_share),
                    request: &request,
                };
                system.measure_several(engine, &several, deadline, self.stop, row)
            }
        }
    }

    /// A row with everything that the plan knows.
    fn row(&self, run: &PlannedRun, phase: Phase) -> RunRecord {
        RunRecord { phase, started_at: now(), ..run.row(self.study) }
    }

    /// The study's pause, then its thermal gate.
    fn cool_down(&self, start: Option<&machine::Thermal>, watch: &mut dyn FnMut(News<'_>)) {
        let begin = Instant::now();
        let world = World {
            thermal: &|| machine::thermal_reading().value,
            now: &|| begin.elapsed(),
            sleep: &sleep,
            stopped: &|| self.stopped(),
        };
        world.cool_down(&self.study.execution, start, &mut |for_at_most| watch(News::Waits { for_at_most }));
    }
}

/// A row that ended well is one that `verify` will not refuse, and no text of a stranger's fills the disk.
fn held(ranges: &mut Ranges, row: &mut RunRecord) -> Result<(), Lost> {
    if let Some(text) = row.output_text.take_if(|text| text.len() > MOST_TEXT) {
        return Err(Lost::Failed(format!("row: a text of {} bytes, more than {MOST_TEXT}", text.len())));
    }
    match ranges.misfits(row).first() {
        None => Ok(()),
        Some((expected, found)) => Err(Lost::Failed(format!("row: expected {expected}, found {found}"))),
    }
}

/// What came stays in the row; the time of loading and joules are of runs that ended well.
fn fail(row: &mut RunRecord, mut reason: String) {
    if let Some((end, _)) = reason.char_indices().nth(MOST_REASON) {
        reason.truncate(end);
        reason.push_str(" …");
    }
    (row.outcome, row.error) = (Outcome::Failed, Some(reason));
    (row.load_ns, row.energy, row.energy_j) = (None, None, None);
}

/// The row begins now, and says how hot the machine is.
fn began(row: &mut RunRecord) -> Instant {
    row.thermal = machine::thermal().value;
    row.started_at = now();
    Instant::now()
}

/// Texts that an engine generates where it is given a batch as one request.
fn of_one_request(study: &Study, run: &PlannedRun) -> u64 {
    let batch = run.number(study, BATCH).filter(|_| run.load(study).is_none());
    batch.map_or(1, |batch| batch as u64)
}

/// Where the factor `threads` acts: a worker is told how many it has.
fn threads_of(study: &Study, run: &PlannedRun) -> Option<u32> {
    run.number(study, THREADS).map(|threads| threads as u32)
}

/// What a run asks of its engine, of so many tokens.
fn request_of(study: &Study, run: &PlannedRun, max_tokens: u32) -> Request {
    let settings = &study.settings;
    let prompt = &study.prompts[run.prompt];
    let number = |factor: &str, otherwise: u32| run.number(study, factor).map_or(otherwise, |n| n as u32);
    Request {
        prompt: match prompt.tokens {
            Some(tokens) => Prompt::Tokens(tokens),
            None => Prompt::Text(prompt.text.clone()),
        },
        context: number(CONTEXT, 0),
        // One of several is one.
        batch: if run.load(study).is_some() { 1 } else { number(BATCH, 1) },
        chat_template: settings.chat(),
        max_tokens,
        sampling: Sampling {
            temperature: run.temperature,
            top_p: settings.top_p,
            min_p: settings.min_p,
            top_k: settings.top_k,
        },
        seed: run.seed,
        stop_on_eos: settings.stop_on_eos,
        draft: run.draft(study),
    }
}

/// RFC 3339, UTC, to the millisecond.
fn now() -> String {
    let now = jiff::Timestamp::now();
    now.round(jiff::Unit::Millisecond).unwrap_or(now).to_string()
}
