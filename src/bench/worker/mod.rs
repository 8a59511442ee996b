//! A worker process: one engine behind a pipe that speaks `offprint.worker/1`, ours or anybody's. The runner sends requests, one JSON
//! object a line, and reads one JSON object a line back. A worker that crashes, hangs, babbles or lies about its times costs its run and
//! nothing else.

mod check;
mod clock;
pub mod protocol;
mod serve;

use std::{
    io::{BufRead, BufReader, Read, Write},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

pub use check::{Checks, Found, Verdict, check};
pub use serve::serve;

use super::{
    guard::Guard,
    process::{Process, Program},
};
use crate::{
    engine::Request,
    factor::THREADS_VARIABLE,
    foreign::Secrets,
    ranges::{answer, end},
    record::{FinishReason, Phase, RunRecord},
};
use clock::Span;
use protocol::{
    Answer, Generate, Generated, Greeting, Hello, LONGEST_LINE, Load, Loaded, Message, PROTOCOL, Serve, Served,
};

/// How long a worker may take to end once it was said goodbye.
const FAREWELL: Duration = Duration::from_secs(5);

/// Of a run; whoever checks a worker has a time of its own.
const TOO_LONG: &str = "the run took longer than execution.timeout_s allows";

/// Why there is no answer.
#[derive(Debug)]
pub enum Lost {
    /// Stopped from outside.
    Stopped,
    /// In words, for the row.
    Failed(String),
}

/// Between a signal to a process and the same one to us, where somebody sends it to both.
const ECHO: Duration = Duration::from_millis(300);

impl Lost {
    /// Who ends all that belongs together (SLURM, when its time is over) ends a process of ours, too, and that may be the quicker one: what
    /// was lost so is no failure of the engine if we are told to stop as well.
    pub fn or_stopped(self, stop: &AtomicBool) -> Lost {
        let Lost::Failed(why) = &self else { return self };
        let begin = Instant::now();
        while may_be_told(why) && !stop.load(Ordering::SeqCst) && begin.elapsed() < ECHO {
            thread::sleep(Duration::from_millis(5));
        }
        if stop.load(Ordering::SeqCst) { Lost::Stopped } else { self }
    }
}

/// Did a process end in a way that a signal from outside brings about? A crash's signals are its own.
fn may_be_told(why: &str) -> bool {
    let number = |rest: &str| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u8>().ok();
    match why.split_once("ended by signal ") {
        Some((_, rest)) => number(rest).is_some_and(|signal| [1, 2, 15].contains(&signal)),
        None => why.contains(" ended"),
    }
}

/// The runner's end. Dropped, it kills the process.
#[derive(Debug)]
pub struct Worker {
    process: Process,
    /// To a thread that writes: a worker that does not read must not keep us beyond a deadline.
    requests: Option<Sender<String>>,
    answers: Receiver<Line>,
    hello: Hello,
    backend: String,
    last_id: u64,
    /// When the last request was sent.
    sent: (Option<u64>, Instant),
}

/// What came on its stdout, and when it had been read.
#[derive(Debug)]
struct Line {
    /// `None`: it is longer than any answer.
    text: Option<String>,
    received: Option<u64>,
    at: Instant,
}

impl Worker {
    /// Starts `program`, greets it and has it load.
    ///
    /// # Errors
    /// A program that cannot be started.
    pub fn start(program: &Program, load: &Load, guard: Option<&Guard>) -> Result<Self, Lost> {
        let mut program = program.clone();
        program.variables.extend(load.threads.map(|threads| (THREADS_VARIABLE.to_owned(), threads.to_string())));
        let (process, pipes) = Process::start(&program, guard)
            .map_err(|error| Lost::Failed(format!("the worker could not be started: {error}")))?;
        // A worker that babbles is read no faster than it is listened to.
        let (send, answers) = sync_channel(16);
        let stdout = pipes.stdout;
        thread::spawn(move || read_lines(stdout, &send));
        let (requests, lines) = channel::<String>();
        let mut stdin = pipes.stdin;
        thread::spawn(move || {
            // A worker that has died is found out when its answer does not come.
            for line in lines {
                if writeln!(stdin, "{line}").and_then(|()| stdin.flush()).is_err() {
                    return;
                }
            }
        });
        let mut worker = Worker {
            process,
            requests: Some(requests),
            answers,
            hello: Hello::default(),
            backend: String::new(),
            last_id: 0,
            sent: (clock::now(), Instant::now()),
        };
        let offprint = env!("CARGO_PKG_VERSION").to_owned();
        worker.send(&Message::Hello(Greeting { protocol: PROTOCOL.to_owned(), offprint }))?;
        worker.send(&Message::Load(load.clone()))?;
        Ok(worker)
    }

    /// Waits until the engine is loaded.
    ///
    /// # Errors
    /// A worker of another protocol, one that does not load, a loading time that cannot be.
    pub fn loaded(&mut self, deadline: Instant, stop: &AtomicBool) -> Result<Loaded, Lost> {
        self.greeted(deadline, stop)?;
        self.has_loaded(deadline, stop)
    }

    fn greeted(&mut self, deadline: Instant, stop: &AtomicBool) -> Result<(), Lost> {
        let hello = match self.answer(deadline, stop)?.0 {
            Answer::Hello(hello) => hello,
            other => return Err(out_of_turn("hello", &other)),
        };
        if hello.protocol != PROTOCOL {
            return Err(Lost::Failed(format!("expected a worker of {PROTOCOL}, found one of {:?}", hello.protocol)));
        }
        match hello.can.clock.as_deref() {
            None | Some(clock::SHARED) => {}
            Some(clock::INVENTED) if self.process.foreign().is_none() => {}
            Some(clock::INVENTED) => {
                return Err(Lost::Failed("the worker says that its times are invented".to_owned()));
            }
            Some(other) => {
                let expected = format!("expected the clock {:?} or null", clock::SHARED);
                return Err(Lost::Failed(format!("{expected}, found {other:?}")));
            }
        }
        self.hello = hello;
        Ok(())
    }

    fn has_loaded(&mut self, deadline: Instant, stop: &AtomicBool) -> Result<Loaded, Lost> {
        let (answer, span) = self.answer(deadline, stop)?;
        match answer {
            Answer::Loaded(loaded) => {
                if loaded.load_ns > span.took_ns && !self.invents() {
                    let what = format!("{} ns of loading in {} ns since it was asked", loaded.load_ns, span.took_ns);
                    return Err(unfit(&what));
                }
                self.backend.clone_from(&loaded.backend);
                Ok(loaded)
            }
            Answer::Failed(failed) => Err(Lost::Failed(failed.message)),
            other => Err(out_of_turn("loaded", &other)),
        }
    }

    /// What it says of itself.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// What the engine said of its backend.
    pub fn backend(&self) -> &str {
        &self.backend
    }

    /// Generates once.
    ///
    /// # Errors
    /// No answer in time, an answer that is none, times that do not fit, another length than was asked for.
    pub fn generate(&mut self, request: &Request, deadline: Instant, stop: &AtomicBool) -> Result<Generated, Lost> {
        self.last_id += 1;
        let id = self.last_id;
        self.send(&Message::Generate(Generate::of(id, request)))?;
        let (answer, span) = self.answer(deadline, stop)?;
        let made = match answer {
            Answer::Generated(made) if made.id == id => *made,
            Answer::Failed(failed) if failed.id.is_none_or(|of| of == id) => return Err(Lost::Failed(failed.message)),
            other => return Err(out_of_turn(&format!("an answer to request {id}"), &other)),
        };
        if let Some(tokens) = made.tokens.as_ref().filter(|tokens| tokens.len() != made.n_gen as usize) {
            return Err(Lost::Failed(format!(
                "the worker counts {} tokens and gives {} ids",
                made.n_gen,
                tokens.len()
            )));
        }
        if made.rounds.is_some() != request.draft.is_some() {
            return Err(Lost::Failed(
                "the worker answers with rounds of drafts that it was not asked for, or without".to_owned(),
            ));
        }
        if let Some(what) = clock::misfit(&made, self.hello.can.clock.as_deref(), span) {
            return Err(unfit(&what));
        }
        ended((made.n_prompt, made.n_gen, made.finish), request)?;
        // What else of an answer `verify` would refuse.
        let mut row = RunRecord { phase: Phase::Warmup, max_tokens: request.max_tokens, ..RunRecord::empty() };
        made.clone().fill(&mut row);
        match answer::misfits(&row, request.stop_on_eos).first() {
            None => Ok(made),
            Some((expected, found)) => Err(Lost::Failed(format!("expected {expected}, found {found}"))),
        }
    }

    /// Generates for several requests, of which `at_once` are under way at most.
    ///
    /// # Errors
    /// As [`Worker::generate`].
    pub fn serve(
        &mut self,
        requests: &[Request],
        due_ns: Vec<u64>,
        at_once: u32,
        deadline: Instant,
        stop: &AtomicBool,
    ) -> Result<Served, Lost> {
        self.last_id += 1;
        let id = self.last_id;
        let each = requests.iter().zip(1..).map(|(request, number)| Generate::of(number, request)).collect();
        self.send(&Message::Serve(Serve { id, requests: each, due_ns: due_ns.clone(), at_once }))?;
        let (answer, span) = self.answer(deadline, stop)?;
        let served = match answer {
            Answer::Served(served) if served.id == id => *served,
            Answer::Failed(failed) if failed.id.is_none_or(|of| of == id) => return Err(Lost::Failed(failed.message)),
            other => return Err(out_of_turn(&format!("an answer to request {id}"), &other)),
        };
        if served.requests.len() != requests.len() {
            return Err(Lost::Failed(format!(
                "the worker answers {} of {} requests",
                served.requests.len(),
                requests.len()
            )));
        }
        if let Some(what) = clock::misfit_of_several(&served, &due_ns, self.hello.can.clock.as_deref(), span) {
            return Err(unfit(&what));
        }
        if let Some(what) = clock::crowd(&served, &due_ns, at_once as usize) {
            return Err(Lost::Failed(what));
        }
        for (taken, request) in served.requests.iter().zip(requests) {
            ended((taken.n_prompt, taken.n_gen, taken.finish), request)?;
        }
        Ok(served)
    }

    /// Says goodbye, and waits a little for its end.
    pub fn end(mut self) {
        let _ = self.send(&Message::Bye {});
        drop(self.requests.take());
        self.process.wait(FAREWELL);
    }

    fn invents(&self) -> bool {
        self.hello.can.clock.as_deref() == Some(clock::INVENTED)
    }

    fn send(&mut self, message: &Message) -> Result<(), Lost> {
        let line = serde_json::to_string(message).map_err(|error| Lost::Failed(error.to_string()))?;
        self.send_line(&line);
        Ok(())
    }

    fn send_line(&mut self, line: &str) {
        self.sent = (clock::now(), Instant::now());
        if let Some(requests) = &self.requests {
            let _ = requests.send(line.to_owned());
        }
    }

    fn answer(&mut self, deadline: Instant, stop: &AtomicBool) -> Result<(Answer, Span), Lost> {
        let Line { text, received, at } = self.line(deadline, stop)?;
        let Some(text) = text else {
            return Err(Lost::Failed(format!("the worker wrote a line of more than {LONGEST_LINE} bytes")));
        };
        let mut answer = serde_json::from_str(&text).map_err(|error| {
            let start: String = text.chars().take(80).collect();
            let why = if text.trim_start().starts_with('{') { format!(" ({error})") } else { String::new() };
            Lost::Failed(format!("the worker wrote something that is no answer: {start:?}{why}"))
        })?;
        if let Some(secrets) = self.process.foreign() {
            heard(&mut answer, secrets);
        }
        let (sent, since) = self.sent;
        Ok((answer, Span { sent, received, took_ns: at.saturating_duration_since(since).as_nanos() as u64 }))
    }

    fn line(&mut self, deadline: Instant, stop: &AtomicBool) -> Result<Line, Lost> {
        loop {
            match self.answers.recv_timeout(Duration::from_millis(50)) {
                Ok(line) => return Ok(line),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Lost::Failed(format!("the worker {}", self.process.obituary())));
                }
                Err(RecvTimeoutError::Timeout) if stop.load(Ordering::SeqCst) => return Err(Lost::Stopped),
                Err(RecvTimeoutError::Timeout) if Instant::now() >= deadline => {
                    return Err(Lost::Failed(TOO_LONG.to_owned()));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

/// Texts of others as they may be printed and recorded.
fn heard(answer: &mut Answer, secrets: &Secrets) {
    let clean = |text: &mut String| *text = secrets.shown(text);
    match answer {
        Answer::Hello(hello) => {
            clean(&mut hello.name);
            clean(&mut hello.version);
            let libraries = std::mem::take(&mut hello.libraries).into_iter();
            hello.libraries =
                libraries.map(|(name, version)| (secrets.shown(&name), secrets.shown(&version))).collect();
        }
        Answer::Loaded(loaded) => clean(&mut loaded.backend),
        // What a model writes is kept as it is, but for a secret.
        Answer::Generated(made) => made.text = secrets.hidden(&made.text).into_owned(),
        Answer::Served(_) => {}
        Answer::Failed(failed) => clean(&mut failed.message),
    }
}

/// Has it counted its prompt, and did its text end as it was to end?
fn ended((n_prompt, n, finish): (u32, u32, Option<FinishReason>), request: &Request) -> Result<(), Lost> {
    if n_prompt == 0 {
        return Err(Lost::Failed("count: 0 tokens of the prompt".to_owned()));
    }
    match end::of(n, request.max_tokens, finish, request.stop_on_eos) {
        None => Ok(()),
        Some((_, found)) => Err(Lost::Failed(format!("length: {found}"))),
    }
}

fn out_of_turn(expected: &str, found: &Answer) -> Lost {
    let found = match found {
        Answer::Hello(_) => "hello".to_owned(),
        Answer::Loaded(_) => "loaded".to_owned(),
        Answer::Generated(made) => format!("an answer to request {}", made.id),
        Answer::Served(served) => format!("an answer to request {}", served.id),
        Answer::Failed(failed) => format!("failed: {}", failed.message),
    };
    Lost::Failed(format!("the worker answered out of turn: expected {expected}, found {found}"))
}

fn unfit(what: &str) -> Lost {
    Lost::Failed(format!("the worker's times do not fit the pipe's: {what}"))
}

/// Lossily: a worker that babbles is to be quoted, not to be lost.
fn read_lines(stdout: impl Read, lines: &SyncSender<Line>) {
    let mut reader = BufReader::new(stdout).take(0);
    loop {
        let mut bytes = Vec::new();
        reader.set_limit(LONGEST_LINE);
        let read = reader.read_until(b'\n', &mut bytes);
        let (received, at) = (clock::now(), Instant::now());
        if !matches!(read, Ok(1..)) {
            return;
        }
        let whole = bytes.last() == Some(&b'\n');
        let too_long = !whole && bytes.len() as u64 == LONGEST_LINE;
        let text = (!too_long).then(|| String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned());
        // A line that was cut is quoted, too: its writer is gone.
        if lines.send(Line { text, received, at }).is_err() || too_long {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_ended_when_we_are_is_a_stop_and_no_failure() {
        let after = |why: &str, stop: bool| {
            let lost = Lost::Failed(why.to_owned()).or_stopped(&AtomicBool::new(stop));
            matches!(lost, Lost::Stopped)
        };
        let told = [
            "the worker was ended by signal 15",
            "x; server: it was ended by signal 2: bye",
            "it ended with exit code 143",
        ];
        for why in told {
            assert!(may_be_told(why) && after(why, true) && !after(why, false), "{why}");
        }
        for why in ["the worker was ended by signal 6", "the worker was ended by signal 11", "no room"] {
            assert!(!may_be_told(why) && !after(why, false), "{why}");
        }
        // Told a little later.
        let stop = AtomicBool::new(false);
        let lost = thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(20));
                stop.store(true, Ordering::SeqCst);
            });
            Lost::Failed(told[0].to_owned()).or_stopped(&stop)
        });
        assert!(matches!(lost, Lost::Stopped));
    }
}
