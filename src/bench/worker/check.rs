//! Does a program speak `offprint.worker/1`? It is asked what runs will ask, and what they will not.

use std::{
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use super::{
    Lost, Worker,
    protocol::{Answer, Generated, Kind, Load},
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
const PATIENCE: Duration = Duration::from_secs(120);
const PROMPT: &str = "The quick brown fox jumps over the lazy dog. The";

/// Every check in turn; the first that loses the worker is the last.
pub fn check(program: &Program, place: &str) -> Vec<Found> {
    let stop = AtomicBool::new(false);
    let mut found = Vec::new();
    let mut put = |name, verdict, what: String| found.push(Found { name, verdict, what });
    let deadline = || Instant::now() + PATIENCE;
    let start = Worker::start(program, &Load { place: place.to_owned(), threads: None, draft: None }, None);
    let mut worker = match start {
        Ok(worker) => worker,
        Err(lost) => {
            put("start", Verdict::Fails, words(lost));
            return found;
        }
    };
    match worker.loaded(deadline(), &stop) {
        Ok(loaded) => {
            let hello = worker.hello();
            put("hello", Verdict::Good, format!("{} {}", hello.name, hello.version));
            let can: Vec<String> = hello.can.told().iter().map(|(name, value)| format!("{name} {value}")).collect();
            put("can", Verdict::Good, can.join(", "));
            put("load", Verdict::Good, format!("{} in {:.3} s", loaded.backend, loaded.load_ns as f64 / 1e9));
        }
        Err(lost) => {
            put("load", Verdict::Fails, words(lost));
            return found;
        }
    }
    let can = worker.hello().can.clone();
    // A length that no text ends at by itself, and one that is a first token alone.
    let lengths = [(1, "one"), (17, "length")];
    for (n, name) in lengths {
        match worker.generate(&request(n, 7, !can.exact_length), deadline(), &stop) {
            Ok(made) => put(name, Verdict::Good, format!("{} tokens, and times that fit the pipe's", made.n_gen)),
            Err(lost) => {
                put(name, Verdict::Fails, words(lost));
                return found;
            }
        }
    }
    let mut asked = |seed| worker.generate(&request(16, seed, !can.exact_length), deadline(), &stop);
    match (asked(7), asked(7), asked(8)) {
        (Ok(one), Ok(again), Ok(other)) => {
            let same = output(&one) == output(&again);
            let verdict = if same {
                Verdict::Good
            } else if can.seed {
                Verdict::Fails
            } else {
                Verdict::Note
            };
            let what = if same { "the same seed gives the same tokens" } else { "the same seed gives other tokens" };
            put("seed", verdict, what.to_owned());
            if output(&one) == output(&other) {
                put("seed", Verdict::Note, "another seed gives the same tokens, too".to_owned());
            }
        }
        (one, again, other) => {
            let lost = [one, again, other].into_iter().find_map(Result::err).map_or_else(String::new, words);
            put("seed", Verdict::Fails, lost);
            return found;
        }
    }
    if can.serve {
        let found_so = serves(&mut worker, can.exact_length, deadline(), &stop);
        let lost = found_so.0 == Verdict::Fails;
        put("serve", found_so.0, found_so.1);
        if lost {
            return found;
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
        worker.send_line(line);
        let (verdict, what) = match worker.answer(deadline(), &stop) {
            Ok((Answer::Failed(failed), _)) if failed.kind == kind => {
                (Verdict::Good, format!("failed: {}", failed.message))
            }
            Ok((Answer::Failed(failed), _)) => (
                Verdict::Fails,
                format!("expected `failed` of kind {kind:?}, found {:?}: {}", failed.kind, failed.message),
            ),
            Ok((other, _)) => {
                (Verdict::Fails, words(super::out_of_turn(&format!("`failed` of kind {kind:?}"), &other)))
            }
            Err(lost) => (Verdict::Fails, words(lost)),
        };
        put(name, verdict, what);
        if verdict == Verdict::Fails {
            return found;
        }
    }
    // Further fields may come in later versions of the protocol.
    let with_more = r#"{"generate":{"id":10000,"prompt":"Hello","prompt_tokens":null,"context":0,"context_text":null,"batch":1,"chat_template":null,"max_tokens":4,"sampling":{"temperature":0.0,"top_p":null,"min_p":null,"top_k":null,"of_later":1},"seed":1,"stop_on_eos":true,"of_later":{"a":1}}}"#;
    worker.send_line(with_more);
    match worker.answer(deadline(), &stop) {
        Ok((Answer::Generated(made), _)) if made.id == 10_000 => {
            put("fields", Verdict::Good, "fields that it does not know are ignored".to_owned());
        }
        Ok((other, _)) => {
            put("fields", Verdict::Fails, words(super::out_of_turn("an answer to request 10000", &other)))
        }
        Err(lost) => put("fields", Verdict::Fails, words(lost)),
    }
    let began = Instant::now();
    drop(worker.requests.take());
    if worker.process.wait(super::FAREWELL) {
        put("end", Verdict::Good, format!("it ends {:.1} s after its input does", began.elapsed().as_secs_f64()));
    } else {
        put("end", Verdict::Fails, "its input has ended for five seconds, and it still runs".to_owned());
    }
    found
}

/// Three requests, two of them at once and one that falls due later; and is the first what it is alone?
fn serves(worker: &mut Worker, exact: bool, deadline: Instant, stop: &AtomicBool) -> (Verdict, String) {
    const LATER_NS: u64 = 50_000_000;
    let requests = [(3, 7), (9, 8), (5, 9)].map(|(n, seed)| request(n, seed, !exact));
    let served = match worker.serve(&requests, vec![0, 0, LATER_NS], 2, deadline, stop) {
        Ok(served) => served,
        Err(lost) => return (Verdict::Fails, words(lost)),
    };
    match worker.generate(&requests[0], deadline, stop) {
        Ok(alone) if alone.tokens == served.requests[0].tokens => {
            (Verdict::Good, "three requests, two at once, and the tokens of one alone".to_owned())
        }
        Ok(_) => (Verdict::Note, "three requests, two at once; alone the first has other tokens".to_owned()),
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
        Lost::Failed(reason) => reason,
    }
}
