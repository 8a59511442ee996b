//! A client of servers that stream text over HTTP: a request in, what came back and when out. Blocking, one connection a request, no proxy,
//! no redirect, no compression. Knows no plan, no process and no file.
//!
//! A stream that ends is not one that is complete: an answer counts only if everything holds that [`ask`](Client::ask) demands. A chunk is
//! not a token: chunks are timed, tokens are counted by who knows them.

mod body;
mod lines;
mod reply;
mod transport;
mod under_way;

use std::{
    io::Read,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

pub use reply::Answer;
use reply::Gather;
use serde_json::Value;
use transport::Wire;
pub use under_way::{UnderWay, watched};
use ureq::{Body, http::Response};

use crate::{
    engine::Request,
    foreign::Secrets,
    study::{Api, Http},
};

/// Of an error's text.
const MOST_CHARACTERS: usize = 300;
/// Of the reason that a body gives: more of it says no more.
const MOST_REASON: u64 = 64 << 10;
/// Of a body that is no stream.
const MOST_BYTES: u64 = 1 << 20;
/// The least that a request may take.
const LEAST: Duration = Duration::from_millis(20);

/// Asks one server.
#[derive(Debug)]
pub struct Client {
    http: Http,
    /// `http://127.0.0.1:8080`, no slash at its end.
    base: String,
    /// Sent as `model`; `None`: nothing is.
    model: Option<String>,
    /// End-of-sequence tokens, for a bias on them.
    eos: Vec<u32>,
    key: Option<String>,
    /// It, and what its server was handed.
    secrets: Secrets,
}

/// Why there is no answer that counts.
#[derive(Debug)]
pub enum Failure {
    /// Stopped from outside.
    Stopped,
    /// Begins with the place: `connect:`, `status 400 …:`, `stream:`, `length:`, `cache:`, `count:`, `timeout:`.
    Failed {
        reason: String,
        /// As far as it came.
        answer: Box<Answer>,
    },
}

/// What a request without a stream gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    pub status: u16,
    /// The header `Server`.
    pub server: Option<String>,
    pub text: String,
}

impl Page {
    pub fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.text).ok()
    }
}

impl Client {
    pub fn new(http: &Http, base: &str, model: Option<String>, eos: Vec<u32>, key: Option<String>) -> Client {
        let base = base.trim_end_matches('/').to_owned();
        let secrets = http.secrets().and("the key", key.as_deref());
        Client { http: http.clone(), base, model, eos, key, secrets }
    }

    /// `GET path`.
    ///
    /// # Errors
    /// No answer; in words.
    pub fn get(&self, path: &str, within: Duration) -> Result<Page, String> {
        let wire = Wire::new(within);
        let request = self.headed(wire.agent.get(format!("{}{path}", self.base)));
        let mut response = request.call().map_err(|error| self.shown(&error.to_string()))?;
        let server =
            response.headers().get("server").and_then(|value| value.to_str().ok()).map(|text| self.shown(text));
        let text = response.body_mut().with_config().limit(MOST_BYTES).read_to_string();
        let text = text.map_err(|error| self.shown(&error.to_string()))?;
        Ok(Page { status: response.status().as_u16(), server, text })
    }

    /// Generates once. `exact`: another number of tokens than was asked for does not count.
    ///
    /// # Errors
    /// The connection, the status, the stream, an error in it, an end without a reason or without its mark, tokens that nobody has counted,
    /// another number of them, a prompt that was in a cache that should be off.
    pub fn ask(&self, request: &Request, deadline: Instant, stop: &AtomicBool) -> Result<Answer, Failure> {
        under_way::watched(stop, |under_way| self.ask_beside(under_way, request, deadline, stop))
    }

    /// The same beside others, for which somebody watches whether they are to be given up.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub fn ask_beside(
        &self,
        under_way: &UnderWay,
        request: &Request,
        deadline: Instant,
        stop: &AtomicBool,
    ) -> Result<Answer, Failure> {
        let wire = Wire::new(deadline.saturating_duration_since(Instant::now()).max(LEAST));
        let mut gather = Gather::new(self.http.api, self.http.tokens);
        let outcome = under_way.with(&wire.agent, || self.exchange(&wire, request, &mut gather));
        if stop.load(Ordering::SeqCst) {
            return Err(Failure::Stopped);
        }
        let (connected, began) = wire.connected();
        let mut answer = gather.answer();
        self.hide_secrets(&mut answer);
        answer.sent = connected;
        answer.connect_ns = connected.zip(began).map(|(to, from)| to.saturating_duration_since(from).as_nanos() as u64);
        let verdict = outcome.and_then(|()| answer.verdict(&self.http, request));
        match verdict {
            Ok(()) => Ok(answer),
            Err(reason) => Err(Failure::Failed { reason: self.shown(&reason), answer: Box::new(answer) }),
        }
    }

    /// The request, and its answer event by event.
    fn exchange(&self, wire: &Wire, request: &Request, gather: &mut Gather) -> Result<(), String> {
        let body = body::of(&self.http, self.model.as_deref(), &self.eos, request);
        let path = match self.http.api {
            Api::OpenaiCompletions => "/v1/completions",
            Api::OpenaiChat => "/v1/chat/completions",
            Api::OllamaGenerate => "/api/generate",
        };
        let sent = Arc::clone(&wire.connected);
        let since = move || {
            let sent = sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            sent.map(|sent| sent.elapsed().as_nanos() as u64)
        };
        let now = || since().unwrap_or(0);
        let send = self.headed(wire.agent.post(format!("{}{path}", self.base)));
        let bytes = serde_json::to_vec(&body).map_err(|error| error.to_string())?;
        let answered = send.header("content-type", "application/json").send(&bytes[..]);
        let response = answered.map_err(|error| {
            // One that was sent was under way until now.
            gather.done_ns = since();
            at("connect", error)
        })?;
        gather.headers_ns = Some(now());
        let read = self.read(response, wire.packed(), gather, &now);
        // However it ended: until now the request was under way.
        gather.done_ns = Some(now());
        read
    }

    /// The answer, from its status to the end of its body.
    fn read(
        &self,
        response: Response<Body>,
        packed: Option<String>,
        gather: &mut Gather,
        now: &dyn Fn() -> u64,
    ) -> Result<(), String> {
        let status = response.status();
        gather.status(status.as_u16());
        let kind = response.headers().get("content-type").and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or_default().to_ascii_lowercase();
        if status.is_redirection() {
            return Err(format!("redirect: status {}, which is not followed", status.as_u16()));
        }
        if !status.is_success() {
            return Err(refused(status.as_u16(), &told_by(response.into_body().into_reader())));
        }
        // What is compressed comes in lumps.
        if let Some(packed) = packed {
            return Err(format!("content: {packed}"));
        }
        let expected = if self.http.api == Api::OllamaGenerate { "json" } else { "text/event-stream" };
        if !kind.contains(expected) {
            return Err(format!("content: expected {expected}, found {kind:?}"));
        }
        let reader = response.into_body().into_reader();
        let read = if self.http.api == Api::OllamaGenerate {
            lines::each(reader, now, &mut |line, at| gather.line(line, at))
        } else {
            lines::events(reader, now, &mut |event, at| gather.event(event, at))
        };
        read.map_err(|fault| match fault {
            lines::Fault::Read(error) if is_timeout(&error) => at_timeout(),
            lines::Fault::Read(error) => format!("stream: cut off after {} chunks: {error}", gather.chunks()),
            lines::Fault::Unfit(what) => format!("stream: {what} after {} chunks", gather.chunks()),
            lines::Fault::Told(reason) => reason,
        })
    }

    fn headed<B>(&self, mut request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        for (name, value) in &self.http.headers {
            request = request.header(name, value);
        }
        match &self.key {
            Some(key) => request.header("authorization", format!("Bearer {key}")),
            None => request,
        }
    }

    /// What a model writes is kept as it is, but for a secret.
    fn hide_secrets(&self, answer: &mut Answer) {
        answer.text = self.secrets.hidden(&answer.text).into_owned();
        let said = std::mem::take(&mut answer.server).into_iter();
        answer.server = said.map(|(name, value)| (self.shown(&name), value)).collect();
        answer.fingerprint = answer.fingerprint.take().map(|said| self.shown(&said));
    }

    /// A text of somebody else's as it may be printed and recorded: no key, no control characters, not long.
    pub fn shown(&self, text: &str) -> String {
        let plain = self.secrets.shown(text).replace('\n', " ");
        match plain.char_indices().nth(MOST_CHARACTERS) {
            Some((end, _)) => format!("{} …", &plain[..end]),
            None => plain,
        }
    }
}

/// What a body says, as far as it comes.
fn told_by(reader: impl Read) -> String {
    let mut bytes = Vec::new();
    let read = reader.take(MOST_REASON).read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    match read {
        Ok(_) => text.into_owned(),
        Err(error) => {
            format!("{text} (cut off: {})", if is_timeout(&error) { at_timeout() } else { error.to_string() })
        }
    }
}

fn at(place: &str, error: ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => at_timeout(),
        error => format!("{place}: {error}"),
    }
}

fn at_timeout() -> String {
    "timeout: the run took longer than execution.timeout_s allows".to_owned()
}

fn is_timeout(error: &std::io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
    error.kind() == std::io::ErrorKind::TimedOut || matches!(inner, Some(ureq::Error::Timeout(_)))
}

/// `status 400 exceed_context_size_error: the request exceeds …`.
fn refused(status: u16, body: &str) -> String {
    let json: Option<Value> = serde_json::from_str(body).ok();
    let error = json.as_ref().and_then(|json| json.get("error")).or(json.as_ref());
    let text = |name: &str| error.and_then(|error| error.get(name)).and_then(Value::as_str);
    let kind = text("type").map_or_else(String::new, |kind| format!(" {kind}"));
    let whole = error.and_then(Value::as_str).unwrap_or(body);
    format!("status {status}{kind}: {}", text("message").unwrap_or(whole).trim())
}
