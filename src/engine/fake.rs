//! An engine that computes nothing: tokens and times are functions of the request. It exists so that everything around
//! an engine can be tried and tested quickly; whatever comes of it is marked as not a measurement.
//!
//! The source may ask for misfortune: `fake:fail=16` refuses requests of 16 tokens, `exit=16` kills the process at
//! them, `hang=16` never answers them, `pace=2` really waits 2 ms a token, and `broken=1` does not load. Several are joined by
//! `;`.

use std::{thread::sleep, time::Duration};

use anyhow::{Result, bail, ensure};

use crate::{
    draft::{By, Draft},
    engine::{
        Engine, Generation, NO_DRAFTER, Prompt, Request,
        service::{Served, Service, Step},
    },
    random::SplitMix64,
    record::{FinishReason, Rounds},
};

/// A step of one request that is served among others.
const STEP_NS: u64 = 10_000_000;

/// What to pretend.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fake {
    fail: Option<u32>,
    exit: Option<u32>,
    hang: Option<u32>,
    pace_ms: u64,
    broken: bool,
    /// Is there a model that drafts for it?
    drafted: bool,
}

impl Fake {
    /// From a source: `fake`, or `fake:` and options.
    ///
    /// # Errors
    /// An unknown option.
    pub fn from_source(source: &str) -> Result<Self> {
        let mut fake = Fake::default();
        let options = source.strip_prefix("fake").map(|rest| rest.trim_start_matches(':')).unwrap_or(source);
        for option in options.split(';').filter(|option| !option.is_empty()) {
            match option.split_once('=').map(|(name, n)| (name, n.parse::<u32>())) {
                Some(("fail", Ok(n))) => fake.fail = Some(n),
                Some(("exit", Ok(n))) => fake.exit = Some(n),
                Some(("hang", Ok(n))) => fake.hang = Some(n),
                Some(("broken", Ok(n))) => fake.broken = n > 0,
                Some(("pace", Ok(ms))) => fake.pace_ms = ms.into(),
                _ => bail!(
                    "`{option}` is no option of the fake engine\nhint: fail=N, exit=N, hang=N, pace=MS or broken=1"
                ),
            }
        }
        Ok(fake)
    }
}

impl Fake {
    /// With a model that drafts, whose options are those of a source.
    ///
    /// # Errors
    /// An unknown option.
    pub fn drafted_by(self, source: &str) -> Result<Self> {
        let draft = Fake::from_source(source)?;
        Ok(Fake { drafted: true, broken: self.broken || draft.broken, ..self })
    }
}

/// Rounds of so many tokens in all: each proposed one is accepted with a chance of three in four, as long as those before it are. What
/// is drawn leaves tokens and pace as they are without drafts.
fn rounds(draft: Draft, tokens: u32, seed: u64) -> Rounds {
    let mut chance = SplitMix64(!seed);
    let mut rounds = Rounds::default();
    let mut left = tokens.saturating_sub(1);
    while left > 0 {
        let proposed = draft.tokens.min(left - 1);
        let accepted = (0..proposed).take_while(|_| chance.below(4) > 0).count() as u32;
        rounds.proposed.push(proposed);
        rounds.accepted.push(accepted);
        rounds.draft_ns.push(1_000);
        rounds.verify_ns.push(STEP_NS / 2);
        left -= accepted + 1;
    }
    rounds
}

impl Engine for Fake {
    fn load(&mut self) -> Result<u64> {
        ensure!(!self.broken, "the fake engine was told not to load\nhint: leave out broken=1");
        Ok(300_000_000)
    }

    fn generate(&mut self, request: &Request) -> Result<Generation> {
        let n = request.max_tokens;
        ensure!(self.drafted || request.draft.is_none_or(|draft| draft.by != By::Model), NO_DRAFTER);
        ensure!(self.fail != Some(n), "the fake engine was told to fail at {n} tokens");
        if self.exit == Some(n) {
            std::process::abort();
        }
        while self.hang == Some(n) {
            sleep(Duration::from_secs(1));
        }
        sleep(Duration::from_millis(self.pace_ms * u64::from(n)));
        let mut noise = SplitMix64(request.seed);
        let n_prompt = match &request.prompt {
            Prompt::Text(text) => text.split_whitespace().count().max(1) as u32,
            Prompt::Tokens(tokens) => *tokens,
        };
        let tokens: Vec<u32> = (0..n).map(|_| (noise.unit() * 1000.0) as u32).collect();
        // A prefill of 2 ms a prompt token, then 10 ms a token, each with 2 % of noise, all slower or faster by 1 %. A step takes
        // a tenth more for each further request, and as much for a thousand tokens before the prompt.
        let heavier = 1.0 + 0.1 * f64::from(request.batch - 1) + 0.1 * f64::from(request.context) / 1000.0;
        let pace = heavier * (1.0 + (noise.unit() - 0.5) / 50.0);
        let mut now = 0.0;
        let mut step = |mean_ns: f64| {
            now += mean_ns * pace * (1.0 + (noise.unit() - 0.5) / 25.0);
            now as u64
        };
        let first = step(2e6 * f64::from(n_prompt));
        let rounds = request.draft.map(|draft| rounds(draft, n, request.seed));
        let token_times_ns: Vec<u64> = match &rounds {
            None => std::iter::once(first).chain((1..n).map(|_| step(1e7))).collect(),
            Some(rounds) => {
                let mut times = vec![first];
                for (accepted, proposed) in rounds.accepted.iter().zip(&rounds.proposed) {
                    let end = step(STEP_NS as f64 * (1.0 + 0.1 * f64::from(*proposed)));
                    times.extend((0..=*accepted).map(|_| end));
                }
                times
            }
        };
        let last = token_times_ns.last().copied().unwrap_or(first);
        Ok(Generation {
            n_prompt,
            text: tokens.iter().map(|id| format!(" w{id}")).collect(),
            tokens,
            finish: FinishReason::Length,
            tokenize_ns: 50_000,
            token_times_ns,
            rounds,
            e2e_ns: last + 150_000,
            peak_memory_bytes: None,
        })
    }

    /// Steps of all that are under way, each a tenth longer for each further one; a prompt is read between two steps.
    fn serve(&mut self, requests: &[Request], due_ns: &[u64], slots: usize) -> Result<Service> {
        let alone: Vec<Generation> =
            requests.iter().map(|request| self.generate(request)).collect::<Result<Vec<_>>>()?;
        let prefill = |index: usize| alone[index].token_times_ns[0] - STEP_NS.min(alone[index].token_times_ns[0]);
        let mut times: Vec<Vec<u64>> = vec![Vec::new(); requests.len()];
        let mut admitted = vec![0; requests.len()];
        let (mut active, mut next, mut now, mut steps) = (Vec::new(), 0, 0, Vec::new());
        while next < requests.len() || !active.is_empty() {
            if active.is_empty() {
                now = now.max(due_ns[next]);
            }
            while active.len() < slots && next < requests.len() && due_ns[next] <= now {
                admitted[next] = now;
                now += prefill(next);
                active.push(next);
                next += 1;
            }
            let step_ns = STEP_NS + STEP_NS / 10 * (active.len() as u64 - 1);
            now += step_ns;
            steps.push(Step { end_ns: now, step_ns, active: active.len() as u32 });
            active.iter().for_each(|index: &usize| times[*index].push(now));
            active.retain(|index| times[*index].len() < requests[*index].max_tokens as usize);
        }
        let served = alone.into_iter().enumerate().map(|(index, generation)| Served {
            generation,
            arrived_ns: due_ns[index],
            admitted_ns: admitted[index],
            token_times_ns: std::mem::take(&mut times[index]),
        });
        Ok(Service { served: served.collect(), steps, began: None })
    }

    fn backend(&self) -> String {
        "none".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Sampling;

    fn request(seed: u64) -> Request {
        let sampling = Sampling { temperature: 0.3, top_p: None, min_p: None, top_k: None };
        Request {
            prompt: Prompt::Text("a b c".into()),
            context: 0,
            batch: 1,
            chat_template: None,
            max_tokens: 8,
            sampling,
            seed,
            stop_on_eos: false,
            draft: None,
        }
    }

    #[test]
    fn a_request_is_answered_the_same_way_every_time() {
        let mut fake = Fake::from_source("fake").unwrap();
        let answer = fake.generate(&request(1)).unwrap();
        assert_eq!(answer, fake.generate(&request(1)).unwrap());
        assert_ne!(answer.tokens, fake.generate(&request(2)).unwrap().tokens);
        assert_eq!((answer.tokens.len(), answer.token_times_ns.len()), (8, 8));
        assert!(answer.token_times_ns.is_sorted() && answer.e2e_ns > answer.token_times_ns[7]);
    }

    #[test]
    fn options_are_read_and_others_refused() {
        let fake = Fake::from_source("fake:fail=8;pace=0").unwrap();
        assert_eq!(fake, Fake { fail: Some(8), ..Fake::default() });
        assert!(fake.clone().generate(&request(1)).unwrap_err().to_string().contains("told to fail at 8"));
        assert!(Fake::from_source("fake:crash=1").unwrap_err().to_string().contains("hint: fail=N"));
    }
}
