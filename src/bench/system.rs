//! What a run is asked of: a worker process or a server, started as the study says. One that lives is asked again in a session.

use std::{sync::atomic::AtomicBool, time::Instant};

use super::{
    programs::{Place, Programs, Started},
    several::{self, Several},
    worker::{Lost, Worker, protocol::Load as Loading},
};
use crate::{
    engine::Request,
    record::{Clock, CountedBy, RunRecord},
    study::{Engine, ModelSpec},
};

/// What a system is started with beside its model.
#[derive(Debug, Clone, Copy, Default)]
pub struct Setting<'a> {
    /// Where the factor `threads` acts: a worker is told how many it has.
    pub threads: Option<u32>,
    /// Where a model drafts: what the worker opens, too.
    pub draft: Option<&'a Place>,
}

/// A running engine.
#[derive(Debug)]
pub enum System {
    Worker(Box<Worker>),
    #[cfg(feature = "http")]
    Server(Box<super::server::Served>),
}

impl System {
    /// Starts a model's engine, with what drafts for it, and waits until it can be asked.
    ///
    /// # Errors
    /// What stands in the way, in words.
    pub fn start(
        model: &ModelSpec,
        place: &Place,
        setting: Setting<'_>,
        programs: &Programs,
        deadline: Instant,
        stop: &AtomicBool,
    ) -> Result<(System, Started), Lost> {
        let program = match &model.engine {
            Engine::BuiltIn(kind) => programs.of_this(*kind),
            Engine::Command(command) => programs.of_others(command),
            #[cfg(feature = "http")]
            Engine::Http(http) => {
                let argv = programs.filled(&http.start, place);
                let (server, started) = super::server::Served::start(http, argv, place, programs, deadline, stop)?;
                return Ok((System::Server(Box::new(server)), started));
            }
            #[cfg(not(feature = "http"))]
            Engine::Http(_) => return Err(Lost::Failed("this build of offprint speaks to no server".to_owned())),
        };
        // A foreign program gets the guard; ours end by themselves when their pipe does.
        let guard = programs.guard.as_ref().filter(|_| program.pass.is_some());
        let Setting { threads, draft } = setting;
        let load = Loading { place: place.opens.clone(), threads, draft: draft.map(|place| place.opens.clone()) };
        let mut worker = Worker::start(&program, &load, guard)?;
        let loaded = worker.loaded(deadline, stop)?;
        let started = Started { load_ns: Some(loaded.load_ns), startup_ns: None, backend: loaded.backend };
        Ok((System::Worker(Box::new(worker)), started))
    }

    /// Asks once and puts what came into the row, as far as it came.
    ///
    /// # Errors
    /// No answer, or one that does not count.
    pub fn measure(
        &mut self,
        engine: &Engine,
        request: &Request,
        deadline: Instant,
        stop: &AtomicBool,
        row: &mut RunRecord,
    ) -> Result<(), Lost> {
        match self {
            System::Worker(worker) => {
                let made = worker.generate(request, deadline, stop)?;
                made.fill(row);
                if engine.built_in().is_none() {
                    (row.clock, row.counted_by) = (Some(Clock::Worker), Some(CountedBy::Worker));
                }
                Ok(())
            }
            #[cfg(feature = "http")]
            System::Server(server) => server.measure(request, deadline, stop, row),
        }
    }

    /// Asks for several and puts what came into the row.
    ///
    /// # Errors
    /// As [`System::measure`]; more requests that failed than the study allows.
    pub fn measure_several(
        &mut self,
        engine: &Engine,
        several: &Several<'_>,
        deadline: Instant,
        stop: &AtomicBool,
        row: &mut RunRecord,
    ) -> Result<(), Lost> {
        match self {
            System::Worker(worker) => {
                several::measure(worker, several, engine.built_in().is_none(), deadline, stop, row)
            }
            #[cfg(feature = "http")]
            System::Server(server) => server.measure_several(several, deadline, stop, row),
        }
    }

    /// What rows carry as `backend`.
    pub fn backend(&self) -> &str {
        match self {
            System::Worker(worker) => worker.backend(),
            #[cfg(feature = "http")]
            System::Server(_) => super::programs::SERVED,
        }
    }

    /// May it be asked again after a failure?
    pub fn outlives_failure(&mut self) -> bool {
        match self {
            System::Worker(_) => false,
            #[cfg(feature = "http")]
            System::Server(server) => server.is_idle(),
        }
    }

    /// Ends it in good order.
    pub fn end(self) {
        match self {
            System::Worker(worker) => worker.end(),
            #[cfg(feature = "http")]
            System::Server(server) => drop(server),
        }
    }
}
