//! What a run is asked of: a worker process or a server, started as the study says. One that lives is asked again in a session.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::Instant,
};

use super::{
    guard::Guard,
    process::Program,
    worker::{
        Lost, Worker,
        protocol::{Generated, Load},
    },
};
use crate::{
    digest,
    engine::Request,
    record::{Clock, CountedBy, RunRecord},
    study::{Command, Engine, EngineKind, ModelSpec},
};

/// How programs are started.
#[derive(Debug)]
pub struct Programs {
    /// This program: its workers are itself.
    pub offprint: PathBuf,
    /// MLX's own kernels.
    pub stock_kernels: bool,
    /// What workers of ours are told by their environment.
    pub variables: BTreeMap<String, String>,
    /// Ends what we have started when we are gone.
    pub guard: Option<Guard>,
}

/// Where a model's files are here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// What the engine opens: a checkpoint's folder, a GGUF file, the fake engine's source; empty where it opens nothing here.
    pub opens: String,
    /// The checkpoint's folder, where there is one.
    pub folder: Option<PathBuf>,
}

/// A running engine.
#[derive(Debug)]
pub enum System {
    Worker(Box<Worker>),
    #[cfg(feature = "http")]
    Server(Box<super::server::Served>),
}

/// What its start took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Started {
    pub load_ns: Option<u64>,
    /// Of a server that we have started.
    pub startup_ns: Option<u64>,
    pub backend: String,
}

impl Programs {
    fn of_this(&self, kind: EngineKind) -> Program {
        let mut command: Vec<String> =
            [&*self.offprint.to_string_lossy(), "worker", "--engine", kind.name()].map(str::to_owned).to_vec();
        if self.stock_kernels {
            command.push("--stock-kernels".to_owned());
        }
        Program { command, variables: self.variables.clone(), pass: None }
    }

    fn of_others(&self, of: &Command) -> Program {
        let command = self.filled(&of.command, &Place::default());
        Program { command, variables: of.env.clone(), pass: Some(of.pass.clone()) }
    }

    /// Arguments with what their placeholders stand for here, but for the port.
    pub(super) fn filled(&self, argv: &[String], place: &Place) -> Vec<String> {
        filled(argv, &self.offprint, place)
    }
}

fn filled(argv: &[String], offprint: &Path, place: &Place) -> Vec<String> {
    let folder = place.folder.as_deref().unwrap_or(Path::new("")).display().to_string();
    let fill = |argument: &String| {
        let argument = argument.replace("{offprint}", &offprint.display().to_string());
        argument.replace("{gguf}", &place.opens).replace("{checkpoint}", &folder)
    };
    argv.iter().map(fill).collect()
}

impl System {
    /// Starts a model's engine and waits until it can be asked.
    ///
    /// # Errors
    /// What stands in the way, in words.
    pub fn start(
        model: &ModelSpec,
        place: &Place,
        threads: Option<u32>,
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
        let load = Load { place: place.opens.clone(), threads };
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
                fill(row, made);
                if engine.built_in().is_none() {
                    (row.clock, row.counted_by) = (Some(Clock::Worker), Some(CountedBy::Worker));
                }
                Ok(())
            }
            #[cfg(feature = "http")]
            System::Server(server) => server.measure(request, deadline, stop, row),
        }
    }

    /// What rows carry as `backend`.
    pub fn backend(&self) -> &str {
        match self {
            System::Worker(worker) => worker.backend(),
            #[cfg(feature = "http")]
            System::Server(_) => SERVED,
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

/// The backend of a server's rows: what computes there is its own affair.
#[cfg(feature = "http")]
pub(super) const SERVED: &str = "http";

/// What the worker said, into the row.
fn fill(row: &mut RunRecord, made: Generated) {
    let digest = |ids: &Vec<u32>| digest::sha256_hex(&ids.iter().flat_map(|id| id.to_le_bytes()).collect::<Vec<u8>>());
    row.output_sha256 = made.tokens.as_ref().map(digest);
    row.n_prompt = Some(made.n_prompt);
    row.n_gen = Some(made.n_gen);
    row.finish_reason = made.finish;
    row.tokenize_ns = Some(made.tokenize_ns);
    row.ttft_ns = made.token_times_ns.first().copied();
    row.token_times_ns = Some(made.token_times_ns);
    row.e2e_ns = Some(made.e2e_ns);
    row.peak_memory_bytes = made.peak_memory_bytes;
    row.output_text = Some(made.text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_stand_for_what_they_are_here() {
        let place = Place { opens: "/m/x.gguf".to_owned(), folder: Some("/m/x".into()) };
        let argv = ["{offprint}", "-m", "{gguf}", "--dir={checkpoint}", "{port}"].map(str::to_owned);
        let shown = filled(&argv, Path::new("/bin/offprint"), &place);
        assert_eq!(shown, ["/bin/offprint", "-m", "/m/x.gguf", "--dir=/m/x", "{port}"]);
    }
}
