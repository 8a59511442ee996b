//! Plan x Engine -> the rows of one run at a time: schedule, warm-up, cool-down, worker processes.
//! Knows nothing of statistics, of the disk and of the screen: rows go to a sink, news to an observer.

mod cooling;
pub mod guard;
pub mod process;
mod signal;
pub mod worker;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    digest,
    engine::{Generation, Prompt, Request, Sampling},
    factor::{BATCH, CONTEXT, THREADS},
    machine::{self, Fact},
    record::{Outcome, Phase, RunRecord},
    study::{Engine, EngineKind, Isolation, Plan, PlannedRun, Study},
};
use cooling::World;
use worker::{Lost, Program, Spec, Worker};

/// Tokens of a warm-up generation: enough to touch every kernel of a decode step.
const WARMUP_TOKENS: u32 = 4;

/// What is to be executed, and with what.
#[derive(Debug)]
pub struct Bench<'a> {
    pub study: &'a Study,
    pub plan: &'a Plan,
    /// Runs that have their row already.
    pub done: BTreeSet<u32>,
    /// What each model's engine opens, in the study's order: a checkpoint folder, a GGUF file, or the fake engine's source.
    pub places: Vec<String>,
    /// The program that serves as worker.
    pub worker: Program,
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
        // Isolation `session`: each model's worker on each number of threads, which is kept.
        let mut kept: BTreeMap<(usize, Option<u32>), Worker> = BTreeMap::new();
        for (index, run) in todo.iter().enumerate() {
            watch(News::Begins { run, left: todo.len() - index });
            self.cool_down(start_band.as_ref(), watch);
            if self.stopped() {
                return Ok(Ended::Stopped);
            }
            let place = (run.model, self.threads(run));
            let worker = kept.remove(&place);
            let Some((rows, worker)) = self.one(run, worker) else { return Ok(Ended::Stopped) };
            if self.study.execution.isolation != Isolation::Process {
                kept.extend(worker.map(|worker| (place, worker)));
            }
            sink(&rows)?;
            if let Some(record) = rows.last() {
                watch(News::Ends { record });
            }
        }
        Ok(Ended::Complete)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// The rows of one run and the worker, if it still lives; `None` when it was stopped from outside.
    fn one(&self, run: &PlannedRun, worker: Option<Worker>) -> Option<(Vec<RunRecord>, Option<Worker>)> {
        let mut rows = Vec::new();
        let mut measured = self.row(run, Phase::Measured);
        let deadline = Instant::now() + Duration::from_secs_f64(self.study.execution.timeout_s);
        match self.attempt(run, worker, deadline, &mut rows, &mut measured) {
            Ok(worker) => {
                rows.push(measured);
                Some((rows, Some(worker)))
            }
            Err(Lost::Stopped) => None,
            // Warm-up rows of a failed run stay: they happened.
            Err(Lost::Failed(reason)) => {
                measured.outcome = Outcome::Failed;
                measured.error = Some(reason);
                rows.push(measured);
                Some((rows, None))
            }
        }
    }

    fn attempt(
        &self,
        run: &PlannedRun,
        worker: Option<Worker>,
        deadline: Instant,
        rows: &mut Vec<RunRecord>,
        measured: &mut RunRecord,
    ) -> Result<Worker, Lost> {
        let session = self.study.execution.isolation != Isolation::Process;
        let fresh = worker.is_none();
        let mut worker = match worker {
            Some(worker) => worker,
            None => {
                let model = &self.study.models[run.model];
                let place = self.places[run.model].clone();
                let engine = of_this_program(&model.engine)?;
                let spec = Spec { engine, place, threads: self.threads(run) };
                Worker::start(&self.worker, &spec)?
            }
        };
        // A process has its load; in a session a run that loaded nothing spent no time on it.
        let mut load_ns = if fresh {
            let loaded = worker.loaded(deadline, self.stop)?;
            measured.backend = loaded.backend;
            Some(loaded.load_ns)
        } else {
            measured.backend = worker.backend().to_owned();
            Some(0)
        };
        let warmups = if fresh { self.study.settings.warmup_runs } else { 0 };
        for _ in 0..warmups {
            let mut row = self.row(run, Phase::Warmup);
            row.backend = measured.backend.clone();
            row.max_tokens = WARMUP_TOKENS.min(run.max_tokens);
            let generation = worker.generate(&self.request(run, row.max_tokens), deadline, self.stop)?;
            fill(&mut row, generation);
            if session {
                // The session's load belongs to its first generation, not to a measured run.
                row.load_ns = load_ns.replace(0);
            }
            rows.push(row);
        }
        measured.started_at = now();
        measured.thermal = machine::thermal().value;
        let generation = worker.generate(&self.request(run, run.max_tokens), deadline, self.stop)?;
        fill(measured, generation);
        measured.load_ns = load_ns;
        Ok(worker)
    }

    /// Where the factor `threads` acts: a worker has as many as its first line says.
    fn threads(&self, run: &PlannedRun) -> Option<u32> {
        run.number(self.study, THREADS).map(|threads| threads as u32)
    }

    fn request(&self, run: &PlannedRun, max_tokens: u32) -> Request {
        let settings = &self.study.settings;
        let prompt = &self.study.prompts[run.prompt];
        let number = |factor: &str, otherwise: u32| run.number(self.study, factor).map_or(otherwise, |n| n as u32);
        Request {
            prompt: match prompt.tokens {
                Some(tokens) => Prompt::Tokens(tokens),
                None => Prompt::Text(prompt.text.clone()),
            },
            context: number(CONTEXT, 0),
            batch: number(BATCH, 1),
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

/// What the engine said, into the row.
fn fill(row: &mut RunRecord, generation: Generation) {
    let ids: Vec<u8> = generation.tokens.iter().flat_map(|id| id.to_le_bytes()).collect();
    row.output_sha256 = Some(digest::sha256_hex(&ids));
    row.n_prompt = Some(generation.n_prompt);
    row.n_gen = Some(generation.tokens.len() as u32);
    row.finish_reason = Some(generation.finish);
    row.tokenize_ns = Some(generation.tokenize_ns);
    row.ttft_ns = generation.token_times_ns.first().copied();
    row.token_times_ns = Some(generation.token_times_ns);
    row.e2e_ns = Some(generation.e2e_ns);
    row.peak_memory_bytes = generation.peak_memory_bytes;
    row.output_text = Some(generation.text);
}

/// Engines of others are not started yet.
pub fn of_this_program(engine: &Engine) -> Result<EngineKind, Lost> {
    engine.built_in().ok_or_else(|| Lost::Failed(format!("{engine}: engines of others are not started yet")))
}

/// RFC 3339, UTC, to the millisecond.
fn now() -> String {
    let now = jiff::Timestamp::now();
    now.round(jiff::Unit::Millisecond).unwrap_or(now).to_string()
}
