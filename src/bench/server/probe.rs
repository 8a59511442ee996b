//! Five requests before the first run: what a server says of its caches, lengths and counts is believed when its answers show it.

use std::{
    collections::BTreeMap,
    sync::atomic::AtomicBool,
    thread,
    time::{Duration, Instant},
};

use super::{Served, counted_by, fill, says};
use crate::{
    bench::worker::Lost,
    digest::sha256_hex,
    engine::{
        Prompt, Request, Sampling,
        http::{Answer, Failure},
    },
    record::{Clock, Outcome, RunRecord},
    study::Study,
};

/// A text that wants to stop soon.
const SHORT: &str = "Q: Is water wet? Answer with one word.\nA:";
/// Tokens of which are parts of letters.
const MULTIBYTE: &str = "Repeat: 😀🎉🚀 नमस्ते दुनिया 你好世界 😀🎉🚀 नमस्ते दुनिया 你好世界 😀🎉🚀";

/// What a server says of itself, what it can do, and the rows of the five requests.
type Found = (BTreeMap<String, String>, BTreeMap<String, String>, Vec<RunRecord>);

impl Served {
    /// `row`: what every row of a probe has in common.
    ///
    /// # Errors
    /// What the study needs and an answer refutes, with a way out.
    pub fn probe(
        &mut self,
        study: &Study,
        row: RunRecord,
        deadline: Instant,
        stop: &AtomicBool,
    ) -> Result<Found, Lost> {
        let settings = &study.settings;
        let request = |text: &str, max_tokens: u32, temperature: f64| Request {
            prompt: Prompt::Text(text.to_owned()),
            context: 0,
            batch: 1,
            chat_template: settings.chat(),
            max_tokens,
            sampling: Sampling { temperature, top_p: None, min_p: None, top_k: None },
            seed: 7,
            stop_on_eos: settings.stop_on_eos,
            draft: None,
        };
        let (short, drawn) = (request(SHORT, 16, 0.0), request(MULTIBYTE, 32, 0.7));
        let ask = |request: &Request| (Instant::now(), self.client.ask(request, deadline, stop), Instant::now());
        let mut asked = vec![(&short, ask(&short)), (&short, ask(&short)), (&drawn, ask(&drawn))];
        let (one, other) = thread::scope(|scope| {
            let other = scope.spawn(|| {
                thread::sleep(Duration::from_millis(30));
                ask(&drawn)
            });
            let one = ask(&drawn);
            (one, other.join().ok())
        });
        asked.push((&drawn, one));
        asked.extend(other.map(|other| (&drawn, other)));
        let mut rows = Vec::new();
        for (index, (request, (_, outcome, _))) in asked.iter().enumerate() {
            let mut row = RunRecord {
                prompt_id: format!("probe-{}", index + 1),
                prompt_sha256: sha256_hex(request.prompt.text().as_bytes()),
                max_tokens: request.max_tokens,
                temperature: request.sampling.temperature,
                seed: request.seed,
                started_at: crate::bench::now(),
                backend: super::SERVED.to_owned(),
                clock: Some(Clock::Client),
                counted_by: Some(counted_by(self.http.tokens)),
                load_ns: Some(0),
                ..row.clone()
            };
            match outcome {
                Ok(answer) => fill(&mut row, answer.clone()),
                Err(Failure::Stopped) => return Err(Lost::Stopped),
                Err(Failure::Failed { reason, answer }) => {
                    fill(&mut row, (**answer).clone());
                    (row.outcome, row.error) = (Outcome::Failed, Some(reason.clone()));
                }
            }
            rows.push(row);
        }
        let answers: Vec<Result<&Answer, &str>> = asked.iter().map(|(_, (_, outcome, _))| told(outcome)).collect();
        // The first three are what runs will be like: what fails there would fail in every run.
        for answer in &answers[..3] {
            if let Err(reason) = answer {
                return Err(Lost::Failed(self.refuted(reason)));
            }
        }
        let spans: Vec<(Instant, Instant)> = asked.iter().map(|(_, (from, _, to))| (*from, *to)).collect();
        let can = can(&answers, &spans);
        Ok((self.says(&answers), can, rows))
    }

    fn says(&self, answers: &[Result<&Answer, &str>]) -> BTreeMap<String, String> {
        let mut says = says::of(&self.client, &self.http.version);
        let fingerprint = answers.iter().find_map(|answer| answer.as_ref().ok()?.fingerprint.clone());
        says.extend(fingerprint.map(|fingerprint| ("fingerprint".to_owned(), self.client.shown(&fingerprint))));
        says
    }

    /// The reason, and what may help.
    fn refuted(&self, reason: &str) -> String {
        let way_out = match (reason.split(':').next(), self.http.server.and_then(|server| server.preset().cache_switch))
        {
            (Some("cache"), Some(switch)) => format!("start it with {switch}, or say `cache: allowed`"),
            (Some("cache"), None) => {
                "switch its cache off in `start` or `send`, or say `cache: unknown` or `allowed`".to_owned()
            }
            (Some("length"), _) => "try another `length`, or say `stop_on_eos: true` and `length: at_most`".to_owned(),
            (Some("count"), _) => "it must count: `tokens: usage` or `ids`, and an API that gives them".to_owned(),
            _ => return format!("the probe before the first run: {reason}"),
        };
        format!("the probe before the first run: {reason} ({way_out})")
    }
}

fn told(outcome: &Result<Answer, Failure>) -> Result<&Answer, &str> {
    match outcome {
        Ok(answer) => Ok(answer),
        Err(Failure::Failed { reason, .. }) => Err(reason),
        Err(Failure::Stopped) => Err("stopped"),
    }
}

/// In words, by what is asked.
fn can(answers: &[Result<&Answer, &str>], spans: &[(Instant, Instant)]) -> BTreeMap<String, String> {
    let mut can = BTreeMap::new();
    let mut put = |name: &str, what: String| drop(can.insert(name.to_owned(), what));
    if let [Ok(first), Ok(again), Ok(drawn), ..] = answers {
        let length = first.n_gen.unwrap_or_default();
        put("length", format!("{length} of 16 tokens of a text that wants to stop"));
        let prompt = again.n_prompt.unwrap_or_default();
        let cached =
            again.cached_tokens.map_or_else(|| "it does not say".to_owned(), |n| format!("{n} of {prompt} tokens"));
        put("cached_at_second_asking", cached);
        let chunks = drawn.chunk_times_ns.len();
        put("chunks", format!("{chunks} for {} tokens of many bytes", drawn.n_gen.unwrap_or_default()));
        if let Some(Ok(fourth)) = answers.get(3) {
            let same = if fourth.text == drawn.text { "the same text" } else { "another text" };
            put("same_seed", same.to_owned());
        }
    }
    if let ([.., fourth, fifth], [.., (from, _), (second_from, _)]) = (answers, spans) {
        let what = match (fourth, fifth) {
            (Ok(fourth), Ok(fifth)) => {
                let at = |from: Instant, answer: &Answer, which: fn(&[u64]) -> Option<&u64>| {
                    from + Duration::from_nanos(which(&answer.chunk_times_ns).copied().unwrap_or_default())
                };
                let overlaps = at(*second_from, fifth, |times| times.first()) < at(*from, fourth, |times| times.last())
                    && at(*from, fourth, |times| times.first()) < at(*second_from, fifth, |times| times.last());
                if overlaps { "both are generated together" } else { "one waits for the other" }
            }
            _ => "one of the two is cut off or refused",
        };
        put("two_at_once", what.to_owned());
    }
    can
}
