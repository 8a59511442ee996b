//! Both ends of the pipe to a worker process. The worker holds one engine; the runner sends it requests, one JSON object
//! a line, and reads one JSON object a line back. A worker that crashes, hangs or babbles costs its run and nothing else.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::{
    complaint::Complaint,
    engine::{self, Generation, Request},
    factor::THREADS_VARIABLE,
    study::EngineKind,
};

/// The first line a worker is sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    pub engine: EngineKind,
    /// As [`engine::open`] takes it.
    pub place: String,
    /// Threads that compute, which the process is told by its environment; `None`: as the runner was told.
    pub threads: Option<u32>,
}

/// A worker's line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Loaded(Loaded),
    Generated(Generation),
    Failed(String),
}

/// The checkpoint is ready.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Loaded {
    pub load_ns: u64,
    pub backend: String,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Lost {
    /// Stopped from outside.
    Stopped,
    /// In words, for the row.
    Failed(String),
}

/// The runner's end. Dropped, it kills the process.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    requests: ChildStdin,
    answers: Receiver<String>,
    /// What the worker wrote to stderr, once it has ended.
    complaints: Option<JoinHandle<String>>,
    backend: String,
}

/// What is started as a worker.
#[derive(Debug)]
pub struct Program {
    /// Its path and arguments; it must call [`serve`].
    pub command: Vec<String>,
    /// Set in its environment.
    pub variables: Vec<(&'static str, String)>,
}

impl Worker {
    /// Starts `program` and gives it its engine.
    pub fn start(program: &Program, spec: &Spec) -> Result<Self, Lost> {
        let failed = |error: std::io::Error| Lost::Failed(format!("the worker could not be started: {error}"));
        let (path, arguments) =
            program.command.split_first().ok_or_else(|| Lost::Failed("no worker program".into()))?;
        let mut process = Command::new(path);
        process.envs(program.variables.iter().map(|(name, value)| (name, value)));
        process.envs(spec.threads.map(|threads| (THREADS_VARIABLE, threads.to_string())));
        process.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Its own group: Ctrl-C goes to the runner, which decides what becomes of the worker.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut process, 0);
        let mut child = process.spawn().map_err(failed)?;
        let (Some(requests), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(Lost::Failed("the worker has no pipes".into()));
        };
        let (send, answers) = channel();
        thread::spawn(move || {
            // Lossily: a worker that babbles is to be quoted, not to be lost.
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                if send.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
            }
        });
        let complaints = Some(thread::spawn(move || last_words(stderr)));
        let mut worker = Worker { child, requests, answers, complaints, backend: String::new() };
        worker.send(spec)?;
        Ok(worker)
    }

    /// Waits until the engine is loaded.
    pub fn loaded(&mut self, deadline: Instant, stop: &AtomicBool) -> Result<Loaded, Lost> {
        match self.answer(deadline, stop)? {
            Answer::Loaded(loaded) => {
                self.backend = loaded.backend.clone();
                Ok(loaded)
            }
            Answer::Failed(reason) => Err(Lost::Failed(reason)),
            Answer::Generated(_) => Err(Lost::Failed("the worker answered out of turn".into())),
        }
    }

    /// What the engine said of its backend.
    pub fn backend(&self) -> &str {
        &self.backend
    }

    /// Generates once.
    pub fn generate(&mut self, request: &Request, deadline: Instant, stop: &AtomicBool) -> Result<Generation, Lost> {
        self.send(request)?;
        match self.answer(deadline, stop)? {
            Answer::Generated(generation) => Ok(generation),
            Answer::Failed(reason) => Err(Lost::Failed(reason)),
            Answer::Loaded(_) => Err(Lost::Failed("the worker answered out of turn".into())),
        }
    }

    fn send(&mut self, message: &impl Serialize) -> Result<(), Lost> {
        let line = serde_json::to_string(message).map_err(|error| Lost::Failed(error.to_string()))?;
        // A worker that has died is found out when its answer does not come.
        let _ = writeln!(self.requests, "{line}").and_then(|()| self.requests.flush());
        Ok(())
    }

    fn answer(&mut self, deadline: Instant, stop: &AtomicBool) -> Result<Answer, Lost> {
        loop {
            match self.answers.recv_timeout(Duration::from_millis(50)) {
                Ok(line) => {
                    return serde_json::from_str(&line).map_err(|_| {
                        let start: String = line.chars().take(80).collect();
                        Lost::Failed(format!("the worker wrote something that is no answer: {start:?}"))
                    });
                }
                Err(RecvTimeoutError::Disconnected) => return Err(Lost::Failed(self.obituary())),
                Err(RecvTimeoutError::Timeout) if stop.load(Ordering::SeqCst) => return Err(Lost::Stopped),
                Err(RecvTimeoutError::Timeout) if Instant::now() >= deadline => {
                    return Err(Lost::Failed("the run took longer than execution.timeout_s allows".into()));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// How the process ended, and the end of what it said.
    fn obituary(&mut self) -> String {
        // A process that only closed its output would be waited for in vain.
        let patience = Instant::now() + Duration::from_secs(1);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < patience {
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let ended = self.child.wait().map_or_else(|error| error.to_string(), describe);
        let said = self.complaints.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        let said = said.trim();
        if said.is_empty() { format!("the worker {ended}") } else { format!("the worker {ended}: {said}") }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("was ended by signal {signal}");
    }
    status.code().map_or_else(|| "ended".to_owned(), |code| format!("ended with exit code {code}"))
}

/// The last 2000 bytes of a stream, read to its end.
fn last_words(mut stream: impl Read) -> String {
    let (mut kept, mut buffer) = (Vec::new(), [0; 1024]);
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        kept.extend_from_slice(&buffer[..n]);
        kept.drain(..kept.len().saturating_sub(2000));
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// The worker's end: a [`Spec`] and then [`Request`]s from stdin, answers to `out`. Returns when stdin ends between two
/// requests; if it ends during one, the runner is gone and `orphaned` is called, which must not return.
/// `stock_kernels`: as [`engine::open`] takes it.
///
/// # Errors
/// A pipe that breaks, a line that is no request.
pub fn serve(mut out: impl Write, stock_kernels: bool, orphaned: fn()) -> Result<()> {
    let (send, lines) = channel();
    thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                return;
            }
        }
        orphaned();
    });
    let mut answer = |answer: Answer| -> Result<()> {
        writeln!(out, "{}", serde_json::to_string(&answer)?)?;
        Ok(out.flush()?)
    };
    let spec: Spec = serde_json::from_str(&lines.recv()?).context("the first line must name the engine")?;
    let loaded = engine::open(spec.engine, &spec.place, stock_kernels).and_then(|mut engine| {
        let load_ns = engine.load()?;
        Ok((engine, load_ns))
    });
    let mut engine = match loaded {
        Ok((engine, load_ns)) => {
            answer(Answer::Loaded(Loaded { load_ns, backend: engine.backend() }))?;
            engine
        }
        Err(error) => return answer(Answer::Failed(Complaint::from(&error).to_string())),
    };
    while let Ok(line) = lines.recv() {
        let request: Request = serde_json::from_str(&line).context("this line is no request")?;
        answer(match engine.generate(&request) {
            Ok(generation) => Answer::Generated(generation),
            Err(error) => Answer::Failed(Complaint::from(&error).to_string()),
        })?;
    }
    Ok(())
}
