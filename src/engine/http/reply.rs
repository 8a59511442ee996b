//! Events of a stream -> what a server answered, and whether that counts.

use std::{collections::BTreeMap, time::Instant};

use serde_json::Value;

use super::lines::Event;
use crate::{
    engine::Request,
    ranges::end,
    record::{FinishReason, MOST_TEXT},
    study::{Api, Cache, Http, Tokens},
};

/// Of a server's own times and counts.
const MOST_NAMES: usize = 256;

/// What came back. Times are ns since the request was sent: since its connection stood.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    pub n_prompt: Option<u32>,
    pub n_gen: Option<u32>,
    pub text: String,
    pub finish: Option<FinishReason>,
    /// Of each event with text.
    pub chunk_times_ns: Vec<u64>,
    /// Tokens of each chunk, where all say.
    pub chunk_tokens: Option<Vec<u32>>,
    /// Ids of the tokens, where the server gives them.
    pub ids: Option<Vec<u32>>,
    pub connect_ns: Option<u64>,
    pub headers_ns: Option<u64>,
    /// The event that said why the text ended.
    pub finish_ns: Option<u64>,
    /// The body's end.
    pub done_ns: Option<u64>,
    /// Prompt tokens that the server had already, as it says.
    pub cached_tokens: Option<u32>,
    /// The server's own times and counts, by its names; rates are left out, since their formulas change.
    pub server: BTreeMap<String, f64>,
    pub fingerprint: Option<String>,
    /// The zero of its times.
    pub sent: Option<Instant>,
    /// Of HTTP.
    pub status: Option<u16>,
    /// The mark that ends a whole stream has come.
    whole: bool,
    /// Ids that came and the server's count, where they are not as many.
    counts: Option<(u32, u32)>,
}

/// An answer as it comes.
#[derive(Debug)]
pub(super) struct Gather {
    api: Api,
    tokens: Tokens,
    answer: Answer,
    /// Tokens of each chunk; `None` where it does not say.
    of_chunks: Vec<Option<u32>>,
    ids: Vec<u32>,
    counted: Option<u32>,
    pub(super) headers_ns: Option<u64>,
    pub(super) done_ns: Option<u64>,
}

impl Gather {
    pub(super) fn new(api: Api, tokens: Tokens) -> Gather {
        Gather {
            api,
            tokens,
            answer: Answer::default(),
            of_chunks: Vec::new(),
            ids: Vec::new(),
            counted: None,
            headers_ns: None,
            done_ns: None,
        }
    }

    pub(super) fn status(&mut self, status: u16) {
        self.answer.status = Some(status);
    }

    pub(super) fn chunks(&self) -> usize {
        self.answer.chunk_times_ns.len()
    }

    /// An event of `text/event-stream`.
    pub(super) fn event(&mut self, event: &Event, at: u64) -> Result<(), String> {
        if event.data.trim() == "[DONE]" {
            self.answer.whole = true;
            return Ok(());
        }
        let json = self.json(&event.data)?;
        if event.name == "error" && json.get("error").is_none() {
            return Err(self.error(&json));
        }
        self.openai(&json, at)
    }

    /// A line of Ollama's stream.
    pub(super) fn line(&mut self, line: &str, at: u64) -> Result<(), String> {
        if line.trim().is_empty() {
            return Ok(());
        }
        let json = self.json(line)?;
        if json.get("error").is_some_and(|error| !error.is_null()) {
            return Err(self.error(&json));
        }
        let text = |name: &str| json.get(name).and_then(Value::as_str).unwrap_or_default();
        let came = [text("thinking"), text("response")].concat();
        self.chunk(&came, None, at)?;
        if json.get("done") == Some(&Value::Bool(true)) {
            self.answer.whole = true;
            self.finish(json.get("done_reason").and_then(Value::as_str).unwrap_or("stop"), at)?;
            self.answer.n_prompt = count(&json, "prompt_eval_count");
            self.counted = count(&json, "eval_count");
            self.answer.cached_tokens = count(&json, "prompt_eval_cached_count");
            for name in ["total_duration", "load_duration", "prompt_eval_duration", "eval_duration"] {
                if let Some(ns) = json.get(name).and_then(Value::as_f64) {
                    self.answer.server.insert(format!("{name}_ns"), ns);
                }
            }
        }
        Ok(())
    }

    fn json(&self, text: &str) -> Result<Value, String> {
        serde_json::from_str(text).map_err(|error| {
            let start: String = text.chars().take(60).collect();
            format!("stream: after {} chunks an event that is no JSON: {start:?} ({error})", self.chunks())
        })
    }

    fn error(&mut self, json: &Value) -> String {
        self.answer.finish = Some(FinishReason::Error);
        let error = json.get("error").unwrap_or(json);
        let message = error.get("message").and_then(Value::as_str).or_else(|| error.as_str());
        let told = message.map_or_else(|| error.to_string(), str::to_owned);
        format!("stream: error event after {} chunks: {told}", self.chunks())
    }

    fn openai(&mut self, json: &Value, at: u64) -> Result<(), String> {
        if json.get("error").is_some_and(|error| !error.is_null()) {
            return Err(self.error(json));
        }
        let usage = json.get("usage").filter(|usage| usage.is_object());
        let counted = usage.and_then(|usage| count(usage, "completion_tokens"));
        if let Some(choice) = one_choice(json)? {
            self.choice(choice, counted, at)?;
        }
        self.counted = counted.or(self.counted);
        if let Some(usage) = usage {
            self.answer.n_prompt = count(usage, "prompt_tokens").or(self.answer.n_prompt);
            let cached = usage.pointer("/prompt_tokens_details/cached_tokens").and_then(Value::as_u64);
            self.answer.cached_tokens = cached.and_then(|n| u32::try_from(n).ok()).or(self.answer.cached_tokens);
        }
        if let Some(Value::Object(timings)) = json.get("timings") {
            if timings.len() > MOST_NAMES {
                return Err(format!("stream: {} names in its timings, more than {MOST_NAMES}", timings.len()));
            }
            let is_rate = |name: &str| name.contains("per_second") || name.contains("per_token");
            let numbers = timings.iter().filter(|(name, _)| !is_rate(name));
            self.answer.server.extend(numbers.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))));
            self.answer.cached_tokens = self.answer.cached_tokens.or_else(|| count(&json["timings"], "cache_n"));
        }
        if let Some(fingerprint) = json.get("system_fingerprint").and_then(Value::as_str) {
            self.answer.fingerprint.get_or_insert_with(|| fingerprint.to_owned());
        }
        Ok(())
    }

    /// What the one choice of an event has. `counted`: the tokens so far, where the event says.
    fn choice(&mut self, choice: &Value, counted: Option<u32>, at: u64) -> Result<(), String> {
        let part = match self.api {
            Api::OpenaiChat => choice.get("delta").unwrap_or(&Value::Null),
            _ => choice,
        };
        let text = |name: &str| part.get(name).and_then(Value::as_str).unwrap_or_default();
        let came = match self.api {
            Api::OpenaiChat => {
                // Two names of one thing, in servers that go over from one to the other.
                let (old, new) = (text("reasoning_content"), text("reasoning"));
                [old, if new == old { "" } else { new }, text("content")].concat()
            }
            _ => text("text").to_owned(),
        };
        let ids = choice.get("token_ids").or_else(|| part.get("token_ids")).and_then(Value::as_array);
        let ids = ids.map(|ids| ids.iter().map(id).collect::<Option<Vec<u32>>>());
        if ids == Some(None) {
            return Err(format!("count: after {} chunks token_ids that are none", self.chunks()));
        }
        let ids = ids.flatten();
        let before = self.counted.unwrap_or(0);
        if let Some(now) = counted.filter(|now| *now < before) {
            return Err(format!("count: {now} tokens after {} chunks, and {before} before", self.chunks()));
        }
        // Tokens since the chunk before, where ids or a running count say.
        let tokens = ids.as_ref().map(|ids| ids.len() as u32).or(counted.map(|now| now - before));
        // Every chunk has a token at least.
        if tokens == Some(0) && !came.is_empty() {
            return Err(format!("count: no token in chunk {}, which has text", self.chunks() + 1));
        }
        self.ids.extend(ids.into_iter().flatten());
        self.chunk(&came, tokens, at)?;
        match choice.get("finish_reason").and_then(Value::as_str) {
            Some(reason) => self.finish(reason, at),
            None => Ok(()),
        }
    }

    /// Text that came; tokens without text are no chunk.
    fn chunk(&mut self, text: &str, tokens: Option<u32>, at: u64) -> Result<(), String> {
        if text.is_empty() {
            // What they were belongs to the chunk before.
            if let (Some(Some(last)), Some(more)) = (self.of_chunks.last_mut(), tokens) {
                *last = last.saturating_add(more);
            }
            return Ok(());
        }
        // Else an answer would end before its text.
        if self.answer.finish_ns.is_some() {
            return Err("stream: text after finish_reason".to_owned());
        }
        if self.answer.whole {
            return Err("stream: text after its last mark".to_owned());
        }
        if self.answer.text.len() + text.len() > MOST_TEXT {
            return Err(format!("stream: a text of more than {MOST_TEXT} bytes after {} chunks", self.chunks()));
        }
        self.answer.text.push_str(text);
        self.answer.chunk_times_ns.push(at);
        self.of_chunks.push(tokens);
        Ok(())
    }

    fn finish(&mut self, reason: &str, at: u64) -> Result<(), String> {
        let found = match reason {
            "length" => FinishReason::Length,
            "stop" | "eos" => FinishReason::Stop,
            other => {
                self.answer.finish = Some(FinishReason::Error);
                return Err(format!("stream: it ended for the reason {other:?} after {} chunks", self.chunks()));
            }
        };
        // Who says it twice has ended when it was said first.
        if self.answer.finish.is_some_and(|before| before != found) {
            return Err("stream: two reasons for its end".to_owned());
        }
        self.answer.finish = Some(found);
        self.answer.finish_ns.get_or_insert(at);
        Ok(())
    }

    pub(super) fn answer(mut self) -> Answer {
        let ids = Some(self.ids.len() as u32).filter(|ids| *ids > 0);
        self.answer.counts = ids.zip(self.counted).filter(|(ids, counted)| ids != counted);
        self.answer.n_gen = match self.tokens {
            Tokens::Usage => self.counted,
            Tokens::Ids => ids,
        };
        let known: Option<Vec<u32>> = self.of_chunks.iter().copied().collect();
        self.answer.chunk_tokens = known.filter(|tokens| Some(tokens.iter().sum()) == self.answer.n_gen);
        self.answer.ids = Some(self.ids).filter(|_| ids.is_some() && ids == self.answer.n_gen);
        (self.answer.headers_ns, self.answer.done_ns) = (self.headers_ns, self.done_ns);
        if self.answer.finish.is_none() && self.headers_ns.is_some() {
            self.answer.finish = Some(FinishReason::Cut);
        }
        self.answer
    }
}

impl Answer {
    /// Does it count? Every reason that it may not, in the order in which they explain each other.
    pub(super) fn verdict(&self, http: &Http, request: &Request) -> Result<(), String> {
        let chunks = self.chunk_times_ns.len();
        if self.finish_ns.is_none() {
            return Err(format!("stream: it ended without finish_reason after {chunks} chunks"));
        }
        if !self.whole {
            return Err(format!("stream: it ended without its last mark after {chunks} chunks"));
        }
        let Some(n) = self.n_gen else {
            return Err(format!("count: nobody has counted the tokens of {chunks} chunks"));
        };
        if self.n_prompt.is_none() {
            return Err("count: nobody has counted the prompt's tokens".to_owned());
        }
        if chunks == 0 {
            return Err(format!("stream: {n} tokens and no text"));
        }
        if let Some((ids, counted)) = self.counts {
            return Err(format!("count: {ids} ids came, and the server counts {counted} tokens"));
        }
        if self.n_prompt == Some(0) {
            return Err("count: 0 tokens of the prompt".to_owned());
        }
        if let Some((_, found)) = end::of(n, request.max_tokens, self.finish, request.stop_on_eos) {
            return Err(format!("length: {found}"));
        }
        // Every chunk has a token at least.
        if chunks > n as usize {
            return Err(format!("count: {n} tokens in {chunks} chunks"));
        }
        if http.cache == Cache::Off {
            match self.cached_tokens {
                Some(0) => {}
                Some(cached) => {
                    let prompt = self.n_prompt.unwrap_or_default();
                    return Err(format!("cache: {cached} of {prompt} prompt tokens were cached"));
                }
                None => {
                    return Err("cache: the server does not say whether it was off (cache: unknown says so)".to_owned());
                }
            }
        }
        Ok(())
    }

    /// When each token came: only where each has its chunk.
    pub fn token_times_ns(&self) -> Option<&Vec<u64>> {
        Some(&self.chunk_times_ns).filter(|times| Some(times.len() as u32) == self.n_gen)
    }
}

/// The choice of an event; one was asked for.
fn one_choice(json: &Value) -> Result<Option<&Value>, String> {
    let choices = json.get("choices").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for choice in choices {
        let index = choice.get("index").unwrap_or(&Value::Null);
        if !(index.is_null() || *index == 0) {
            return Err(format!("stream: a choice of index {index}, and one was asked for"));
        }
    }
    match choices {
        [] => Ok(None),
        [choice] => Ok(Some(choice)),
        more => Err(format!("stream: {} choices in an event, and one was asked for", more.len())),
    }
}

fn id(json: &Value) -> Option<u32> {
    json.as_u64().and_then(|id| u32::try_from(id).ok())
}

fn count(json: &Value, name: &str) -> Option<u32> {
    json.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok())
}
