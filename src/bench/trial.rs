//! Each system of a study is started once before the first run, as runs will have it: what only a start shows (memory, a file that an
//! engine cannot read, a server that never gets ready, a request that a program does not take) is one refusal and not a failure of every
//! run. What an engine of others says of itself is kept for the records.

use std::{
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use super::{
    programs::{Place, Programs},
    request_of,
    system::{Setting, System},
    threads_of,
    worker::{Lost, Worker},
};
use crate::{
    machine::{EngineFacts, EngineSort, identify, published_argv},
    record::RunRecord,
    study::{Engine, Plan, PlannedRun, Study},
};

/// A system that can be asked.
#[derive(Debug, Default)]
pub struct Tried {
    /// What identifies an engine of others.
    pub facts: Option<EngineFacts>,
    /// What a server was asked to find out what it can do.
    pub probes: Vec<RunRecord>,
}

/// Starts the study's model at this index with each model that drafts for it, asks what it can do, and ends it.
///
/// # Errors
/// It does not start, or cannot do what the plan asks of it.
pub fn of(
    study: &Study,
    plan: &Plan,
    model: usize,
    (place, drafts): (&Place, &[Place]),
    programs: &Programs,
    stop: &AtomicBool,
) -> Result<Tried, Lost> {
    let runs: Vec<&PlannedRun> = plan.execution().into_iter().filter(|run| run.model == model).collect();
    let mut drafters: Vec<Option<usize>> = runs.iter().map(|run| run.drafter(study)).collect();
    drafters.sort_unstable();
    drafters.dedup();
    let mut last = Tried::default();
    for drafter in drafters {
        let own = runs.iter().copied().filter(|run| run.drafter(study) == drafter).collect();
        last = one(study, model, own, (place, drafter.and_then(|drafter| drafts.get(drafter))), programs, stop)?;
    }
    Ok(last)
}

/// The same with one that drafts, or with none; `runs` are those that are so.
fn one(
    study: &Study,
    model: usize,
    runs: Vec<&PlannedRun>,
    (place, draft): (&Place, Option<&Place>),
    programs: &Programs,
    stop: &AtomicBool,
) -> Result<Tried, Lost> {
    // A program takes a moment to start on a busy machine, however short a study's runs are to be.
    let deadline = Instant::now() + Duration::from_secs_f64(study.execution.timeout_s.max(60.0));
    let spec = &study.models[model];
    let mut planned = runs.into_iter().peekable();
    let threads = planned.peek().and_then(|run| threads_of(study, run));
    let (mut system, _) = System::start(spec, place, Setting { threads, draft }, programs, deadline, stop)?;
    let facts = facts(&spec.engine, place, programs);
    let tried = match &mut system {
        System::Worker(worker) => {
            let can = &worker.hello().can;
            let lacks = |run: &PlannedRun| {
                let several = run.load(study).is_some() && !can.serve;
                let lacks = can.lacks(&request_of(study, run, run.max_tokens));
                if several { Some("it says that it cannot serve several requests at once".to_owned()) } else { lacks }
            };
            if let Some(lacking) = planned.find_map(lacks) {
                return Err(Lost::Failed(lacking));
            }
            Tried { facts: facts.map(|facts| says(facts, worker)), probes: Vec::new() }
        }
        #[cfg(feature = "http")]
        System::Server(server) => {
            let first = planned.next().map(|run| probe_row(study, run));
            let (says, can, probes) = server.probe(study, first.unwrap_or_else(RunRecord::empty), deadline, stop)?;
            Tried { facts: facts.map(|facts| EngineFacts { says, can, ..facts }), probes }
        }
    };
    system.end();
    Ok(tried)
}

/// What is known without asking.
fn facts(engine: &Engine, place: &Place, programs: &Programs) -> Option<EngineFacts> {
    let (kind, env, asked) = match engine {
        Engine::BuiltIn(_) => return None,
        Engine::Command(command) => (EngineSort::Command, command.env.clone(), None),
        Engine::Http(http) => {
            let url = crate::study::published_url(http).to_owned();
            let shown = crate::study::Http {
                url,
                start: published_argv(&http.start),
                version: published_argv(&http.version),
                ..(**http).clone()
            };
            (EngineSort::Http, http.env.clone(), serde_json::to_value(shown).ok())
        }
    };
    let (program, files) = identify(&programs.filled(engine.argv(), place));
    Some(EngineFacts {
        name: engine.name().to_owned(),
        kind,
        argv: published_argv(engine.argv()),
        program,
        // The model's own files are the checkpoint's affair.
        files: files.into_iter().filter(|(name, _)| !place.opens.ends_with(name.as_str())).collect(),
        says: Default::default(),
        can: Default::default(),
        asked,
        env,
        untried: engine.untried().is_some(),
    })
}

fn says(facts: EngineFacts, worker: &Worker) -> EngineFacts {
    let hello = worker.hello();
    let own = (hello.name.clone(), hello.version.clone());
    let says = hello.libraries.clone().into_iter().chain([own]).collect();
    EngineFacts { says, can: hello.can.told(), ..facts }
}

/// A row of a probe, but for what is asked: it belongs to the first run of its system, and is at no level of the design.
#[cfg(feature = "http")]
fn probe_row(study: &Study, run: &crate::study::PlannedRun) -> RunRecord {
    RunRecord { phase: crate::record::Phase::Probe, factors: Default::default(), repeat: 1, ..run.row(study) }
}
