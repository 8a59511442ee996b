//! Does a program speak `offprint.worker/1`? It is asked what runs will ask, and what they will not.

use std::{
    sync::{
        atomic::AtomicBool,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    Lost, Worker,
    protocol::{Answer, Generated, Kind, Load, Message},
};
use crate::{
    bench::process::Program,
    engine::{Prompt, Request, Sampling},
};

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub name: &'static str,
    pub verdict: Verdict,
    pub what: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Good,
    /// It serves, but know this.
    Note,
    Fails,
}

/// How long each answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// After so long somebody who looks on is told what is waited for.
const SILENCE: Duration = Duration::from_secs(5);
const PROMPT: &str = "The quick brown fox jumps over the lazy dog. The";

/// Every check in turn, as it is done; the first that loses the worker is the last.
pub fn check(program: &Program, place: &str) -> Checks {
    let (send, said) = channel();
    let (program, load) = (program.clone(), Load { place: place.to_owned(), threads: None, draft: None });
    thread::spawn(move || all(&program, &load, &send));
    Checks { said, asked: "start", told: false }
}

/// Checks that are under way.
#[derive(Debug)]
pub struct Checks {
    said: Receiver<Said>,
    asked: &'static str,
    /// That it is waited for.
    told: bool,
}

#[derive(Debug)]
enum Said {
    /// What is waited for now.
    Asks(&'static str),
    Found(Found),
}

impl Iterator for Checks {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            match self.said.recv_timeout(SILENCE) {
                Ok(Said::Asks(name)) => (self.asked, self.told) = (name, false),
                Ok(Said::Found(found)) => return Some(found),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) if self.told => {}
                Err(RecvTimeoutError::Timeout) => {
                    self.told = true;
                    let what = format!("no answer yet; it has {} s", PATIENCE.as_secs());
                    return Some(Found { name: self.asked, verdict: Verdict::Note, what });
                }
            }
        }
    }
}

/// What was found goes to somebody who may be gone.
struct Put<'a>(&'a Sender<Said>);

impl Put<'_> {
    fn asks(&self, name: &'static str) {
        let _ = self.0.send(Said::Asks(name));
    }

    fn found(&self, name: &'static str, verdict: Verdict, what: String) {
        let _ = self.0.send(Said::Found(Found { name, verdict, what }));
    }

    /// The worker is lost, and with it all further checks.
    fn lost<T>(&self, name: &'static str, result: Result<T, Lost>) -> Option<T> {
        result.map_err(|lost| self.found(name, Verdict::Fails, words(lost))).ok()
    }
}

fn deadline() -> Instant {
    Instant::now() + PATIENCE
}

/// `None`: the worker was lost.
fn all(program: &Program, load: &Load, send: &Sender<Said>) -> Option<()> {
    let put = Put(send);
    let mut worker = loads(program, load, &put)?;
    answers(&mut worker, &put)?;
    ends(worker, program, load, &put)
}

fn loads(program: &Program, load: &Load, put: &Put<'_>) -> Option<Worker> {
    let stop = AtomicBool::new(false);
    let mut worker = put.lost("start", Worker::start(program, load, None))?;
    put.asks("hello");
    put.lost("hello", worker.greeted(deadline(), &stop))?;
    let hello = worker.hello();
    put.found("hello", Verdict::Good, format!("{} {}", hello.name, hello.version));
    let can: Vec<String> = hello.can.told().iter().map(|(name, value)| format!("{name} {value}")).collect();
    put.found("can", Verdict::Good, can.join(", "));
    put.asks("load");
    let loaded = put.lost("load", worker.has_loaded(deadline(), &stop))?;
    put.found("load", Verdict::Good, format!("{} in {:.3} s", loaded.backend, loaded.load_ns as f64 / 1e9));
    Some(worker)
}

fn answers(worker: &mut Worker, put: &Put<'_>) -> Option<()> {
    let stop = AtomicBool::new(false);
    let can = worker.hello().can.clone();
    // A length that no text ends at by itself, and one that is a first token alone.
    for (n, name) in [(1, "one"), (17, "length")] {
        put.asks(name);
        let made = put.lost(name, worker.generate(&request(n, 7, !can.exact_length), deadline(), &stop))?;
        put.found(name, Verdict::Good, format!("{} tokens, and times that fit the pipe's", made.n_gen));
    }
    put.asks("seed");
    let mut asked = |seed| put.lost("seed", worker.generate(&request(16, seed, !can.exact_length), deadline(), &stop));
    let (one, again, other) = (asked(7)?, asked(7)?, asked(8)?);
    let (verdict, what) = match (output(&one) == output(&again), can.seed) {
        (true, _) => (Verdict::Good, "the same seed gives the same tokens"),
        (false, true) => (Verdict::Fails, "the same seed gives other tokens"),
        (false, false) => (Verdict::Note, "the same seed gives other tokens"),
    };
    put.found("seed", verdict, what.to_owned());
    if output(&one) == output(&other) {
        put.found("seed", Verdict::Note, "another seed gives the same tokens, too".to_owned());
    }
    if can.serve {
        put.asks("serve");
        let (verdict, what) = serves(worker, can.exact_length, deadline(), &stop);
        put.found("serve", verdict, what);
        if verdict == Verdict::Fails {
            return None;
        }
    }
    let unknown = [
        ("unknown", r#"{"frobnicate":{"id":1}}"#, Kind::Unsupported),
        (
            "refusal",
            r#"{"generate":{"id":9999,"prompt":"","prompt_tokens":null,"context":0,"context_text":null,"batch":1,"chat_template":null,"max_tokens":0,"sampling":{"temperature":0.0,"top_p":null,"min_p":null,"top_k":null},"seed":1,"stop_on_eos":false}}"#,
            Kind::Refused,
        ),
    ];
    for (name, line, kind) in unknown {
        put.asks(name);
        worker.send_line(line);
        let (verdict, what) = match put.lost(name, worker.answer(deadline(), &stop))?.0 {
            Answer::Failed(failed) if failed.kind == kind => (Verdict::Good, format!("failed: {}", failed.message)),
            Answer::Failed(failed) => (
                Verdict::Fails,
                format!("expected `failed` of kind {kind:?}, found {:?}: {}", failed.kind, failed.message),
            ),
            other => (Verdict::Fails, words(super::out_of_turn(&format!("`failed` of kind {kind:?}"), &other))),
        };
        put.found(name, verdict, what);
        if verdict == Verdict::Fails {
            return None;
        }
    }
    // Further fields may come in later versions of the protocol.
    let with_more = r#"{"generate":{"id":10000,"prompt":"Hello","prompt_tokens":null,"context":0,"context_text":null,"batch":1,"chat_template":null,"max_tokens":4,"sampling":{"temperature":0.0,"top_p":null,"min_p":null,"top_k":null,"of_later":1},"seed":1,"stop_on_eos":true,"of_later":{"a":1}}}"#;
    put.asks("fields");
    worker.send_line(with_more);
    match put.lost("fields", worker.answer(deadline(), &stop))?.0 {
        Answer::Generated(made) if made.id == 10_000 => {
            put.found("fields", Verdict::Good, "fields that it does not know are ignored".to_owned());
        }
        other => {
            put.found("fields", Verdict::Fails, words(super::out_of_turn("an answer to request 10000", &other)));
        }
    }
    Some(())
}

/// Once at `bye`, and once when its input ends without one: who has gone at the first is started again for the second.
fn ends(mut worker: Worker, program: &Program, load: &Load, put: &Put<'_>) -> Option<()> {
    put.asks("bye");
    let _ = worker.send(&Message::Bye {});
    let began = Instant::now();
    if worker.process.wait(super::FAREWELL) {
        put.found("bye", Verdict::Good, format!("it ends {:.1} s after `bye`", began.elapsed().as_secs_f64()));
        put.asks("end");
        worker = put.lost("end", Worker::start(program, load, None))?;
        put.lost("end", worker.loaded(deadline(), &AtomicBool::new(false)))?;
    } else {
        put.found("bye", Verdict::Fails, "five seconds after `bye` it still runs".to_owned());
    }
    let began = Instant::now();
    drop(worker.requests.take());
    if worker.process.wait(super::FAREWELL) {
        put.found("end", Verdict::Good, format!("it ends {:.1} s after its input does", began.elapsed().as_secs_f64()));
    } else {
        put.found("end", Verdict::Fails, "its input has ended for five seconds, and it still runs".to_owned());
    }
    Some(())
}

/// Four requests with two places, of which one waits for a place and one falls due later; is the first what it is alone?
fn serves(worker: &mut Worker, exact: bool, deadline: Instant, stop: &AtomicBool) -> (Verdict, String) {
    const LATER_NS: u64 = 50_000_000;
    let requests = [(3, 7), (9, 8), (7, 10), (5, 9)].map(|(n, seed)| request(n, seed, !exact));
    let served = match worker.serve(&requests, vec![0, 0, 0, LATER_NS], 2, deadline, stop) {
        Ok(served) => served,
        Err(lost) => return (Verdict::Fails, words(lost)),
    };
    match worker.generate(&requests[0], deadline, stop) {
        Ok(alone) if alone.tokens == served.requests[0].tokens => {
            (Verdict::Good, "four requests, two at once, and the tokens of one alone".to_owned())
        }
        Ok(_) => (Verdict::Note, "four requests, two at once; alone the first has other tokens".to_owned()),
        Err(lost) => (Verdict::Fails, words(lost)),
    }
}

fn request(max_tokens: u32, seed: u64, stop_on_eos: bool) -> Request {
    Request {
        prompt: Prompt::Text(PROMPT.to_owned()),
        context: 0,
        batch: 1,
        chat_template: None,
        max_tokens,
        sampling: Sampling { temperature: 0.7, top_p: None, min_p: None, top_k: None },
        seed,
        stop_on_eos,
        draft: None,
    }
}

fn output(made: &Generated) -> (&Option<Vec<u32>>, &str) {
    (&made.tokens, &made.text)
}

fn words(lost: Lost) -> String {
    match lost {
        Lost::Stopped => "stopped".to_owned(),
        Lost::Failed(reason) if reason == super::TOO_LONG => format!("no answer within {} s", PATIENCE.as_secs()),
        Lost::Failed(reason) => reason,
    }
}
