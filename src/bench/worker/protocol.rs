//! The messages of `offprint.worker/1`, one JSON object a line (docs/WORKER.md). Runner's on the way out, worker's on the way in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    digest,
    draft::Draft,
    engine::{
        Generation, Prompt, Request, Sampling,
        service::{self, Service},
    },
    record::{FinishReason, Rounds, RunRecord, Steps},
    study::{FILLER, Told},
};

pub const PROTOCOL: &str = "offprint.worker/1";

/// The longest line that is read: a million token times take 20 MB.
pub(super) const LONGEST_LINE: u64 = 64 << 20;

/// To a worker. One that does not know a message answers `failed` of kind `unsupported`; fields that it does not know it ignores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    Hello(Greeting),
    Load(Load),
    Generate(Generate),
    Serve(Serve),
    Bye {},
}

/// From a worker. A field that is not known here is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    Hello(Hello),
    Loaded(Loaded),
    Generated(Box<Generated>),
    Served(Box<Served>),
    Failed(Failed),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Greeting {
    /// [`PROTOCOL`].
    pub protocol: String,
    /// This program's version.
    pub offprint: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// [`PROTOCOL`].
    pub protocol: String,
    pub name: String,
    pub version: String,
    /// Versions by library.
    #[serde(default)]
    pub libraries: BTreeMap<String, String>,
    pub can: Can,
}

/// What a worker can do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Can {
    /// Exactly so many tokens, past the end of a text.
    pub exact_length: bool,
    /// The same seed gives the same tokens.
    pub seed: bool,
    /// `tokens` of an answer are ids.
    pub token_ids: bool,
    /// A prompt of exactly so many tokens.
    pub prompt_tokens: bool,
    /// Tokens in the cache before the prompt.
    pub context: bool,
    pub chat_template: bool,
    /// Requests at once; 1 or more.
    pub batch: u32,
    /// Requests of which each has its own prompt and its own time: the message `serve`.
    pub serve: bool,
    pub peak_memory: bool,
    /// `CLOCK_MONOTONIC`: `start_ns` is of the clock that this machine's processes share. `null`: of one of its own. `invented`: no
    /// clock at all, which only the fake engine may say.
    pub clock: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// What it opens: a checkpoint's folder, a GGUF file.
    pub place: String,
    /// Threads that are to compute, also in its environment as `OFFPRINT_THREADS`; `null`: as it likes.
    pub threads: Option<u32>,
    /// A model that drafts for it, which it opens, too. Absent: none. Engines of others are never given one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loaded {
    /// Opening the files -> every parameter where it computes, ns.
    pub load_ns: u64,
    /// What rows carry as `backend`.
    pub backend: String,
    /// SHA-256 of what it opened, by file name, where it looks.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Generate {
    /// Of the answer, too; ascending.
    pub id: u64,
    pub prompt: String,
    /// `null`: the prompt as it is. Else exactly its first so many tokens, repeated as often as that takes.
    pub prompt_tokens: Option<u32>,
    /// Tokens of `context_text` that are in the cache before the prompt, read before any clock starts.
    pub context: u32,
    pub context_text: Option<String>,
    /// Requests at once, all alike.
    pub batch: u32,
    /// `null`: raw. Else the checkpoint's template, told so much.
    pub chat_template: Option<Told>,
    pub max_tokens: u32,
    pub sampling: Sampling,
    pub seed: u64,
    pub stop_on_eos: bool,
    /// Absent: no drafts. Engines of others are never asked for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<Draft>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generated {
    pub id: u64,
    pub n_prompt: u32,
    /// Generated ids; `null` where the engine has none.
    pub tokens: Option<Vec<u32>>,
    pub n_gen: u32,
    pub text: String,
    /// `length` or `stop`; `null` is neither.
    pub finish: Option<FinishReason>,
    /// When the prompt's text was taken up, by the clock that `can.clock` names; `null` without one.
    pub start_ns: Option<u64>,
    /// Text -> prompt ids, ns.
    pub tokenize_ns: u64,
    /// Prompt ids ready -> token `i` on the host, ns; `n_gen` of them.
    pub token_times_ns: Vec<u64>,
    /// With drafts: tokens of a round have one time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds: Option<Rounds>,
    /// Prompt text in -> generated text out, ns.
    pub e2e_ns: u64,
    /// The allocator's peak, bytes.
    #[serde(default)]
    pub peak_memory_bytes: Option<u64>,
}

/// Several requests, of which some are under way at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Serve {
    /// Of the answer, too; ascending.
    pub id: u64,
    /// In the order in which they fall due; each as in `generate`, with an `id` from 1 and `batch` 1.
    pub requests: Vec<Generate>,
    /// When each falls due, ns after `start_ns`, ascending. All 0: as soon as there is a place.
    pub due_ns: Vec<u64>,
    /// Requests under way at once, at most.
    pub at_once: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Served {
    pub id: u64,
    /// The zero of all its times, by the clock that `can.clock` names; `null` without one.
    pub start_ns: Option<u64>,
    /// In the order in which they were given.
    pub requests: Vec<Taken>,
    /// The steps that they shared, where the engine knows them.
    #[serde(default)]
    pub steps: Option<Steps>,
    #[serde(default)]
    pub peak_memory_bytes: Option<u64>,
}

/// What became of a request among others. Times are ns after `start_ns`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    pub n_prompt: u32,
    /// Generated ids; `null` where the engine has none.
    pub tokens: Option<Vec<u32>>,
    pub n_gen: u32,
    pub finish: Option<FinishReason>,
    /// Its prompt began to be read.
    pub taken_ns: u64,
    /// When each token was on the host; `n_gen` of them.
    pub token_times_ns: Vec<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failed {
    /// The request's; `null` where the message had none.
    pub id: Option<u64>,
    pub kind: Kind,
    pub message: String,
}

/// Why there is no answer. After each of them the worker goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The request is one that it does not take.
    Refused,
    /// It tried.
    Engine,
    /// It does not know the message.
    Unsupported,
}

impl Generate {
    /// A request as a worker is sent it.
    pub fn of(id: u64, request: &Request) -> Generate {
        let (prompt, prompt_tokens) = match &request.prompt {
            Prompt::Text(text) => (text.clone(), None),
            Prompt::Tokens(n) => (FILLER.to_owned(), Some(*n)),
        };
        Generate {
            id,
            prompt,
            prompt_tokens,
            context: request.context,
            context_text: (request.context > 0).then(|| FILLER.to_owned()),
            batch: request.batch,
            chat_template: request.chat_template,
            max_tokens: request.max_tokens,
            sampling: request.sampling,
            seed: request.seed,
            stop_on_eos: request.stop_on_eos,
            draft: request.draft,
        }
    }

    /// What an engine of this program is asked. Its text for exact lengths is its own.
    ///
    /// # Errors
    /// What none of them takes, in words.
    pub fn request(&self) -> Result<Request, String> {
        let of_others = |text: &str| format!("expected {text} of this program's own text");
        let prompt = match self.prompt_tokens {
            None if self.prompt.is_empty() => return Err("expected a prompt, found an empty text".to_owned()),
            None => Prompt::Text(self.prompt.clone()),
            Some(n) if n > 0 && self.prompt == FILLER => Prompt::Tokens(n),
            Some(_) => return Err(of_others("prompt_tokens")),
        };
        if self.context > 0 && self.context_text.as_deref() != Some(FILLER) {
            return Err(of_others("a context"));
        }
        if self.max_tokens == 0 || self.batch == 0 {
            return Err("expected one token and one request at least".to_owned());
        }
        Ok(Request {
            prompt,
            context: self.context,
            batch: self.batch,
            chat_template: self.chat_template,
            max_tokens: self.max_tokens,
            sampling: self.sampling,
            seed: self.seed,
            stop_on_eos: self.stop_on_eos,
            draft: self.draft,
        })
    }
}

impl Served {
    /// What an engine of this program made.
    pub(super) fn of(id: u64, start_ns: Option<u64>, service: Service) -> Served {
        let taken = |served: service::Served| Taken {
            n_prompt: served.generation.n_prompt,
            n_gen: served.generation.tokens.len() as u32,
            tokens: Some(served.generation.tokens),
            finish: Some(served.generation.finish),
            taken_ns: served.admitted_ns,
            token_times_ns: served.token_times_ns,
        };
        let peak_memory_bytes = service.served.first().and_then(|served| served.generation.peak_memory_bytes);
        let steps = service.steps.iter();
        let steps = Some(Steps {
            end_ns: steps.clone().map(|step| step.end_ns).collect(),
            step_ns: steps.clone().map(|step| step.step_ns).collect(),
            active: steps.map(|step| step.active).collect(),
        });
        Served { id, start_ns, requests: service.served.into_iter().map(taken).collect(), steps, peak_memory_bytes }
    }
}

impl Generated {
    /// What the worker said, into the row.
    pub(in crate::bench) fn fill(self, row: &mut RunRecord) {
        row.output_sha256 = self.tokens.as_deref().map(digest::sha256_ids);
        row.n_prompt = Some(self.n_prompt);
        row.n_gen = Some(self.n_gen);
        row.finish_reason = self.finish;
        row.tokenize_ns = Some(self.tokenize_ns);
        row.ttft_ns = self.token_times_ns.first().copied();
        row.token_times_ns = Some(self.token_times_ns);
        row.rounds = self.rounds;
        row.e2e_ns = Some(self.e2e_ns);
        row.peak_memory_bytes = self.peak_memory_bytes;
        row.output_text = Some(self.text);
    }

    /// What an engine of this program made.
    pub(super) fn of(id: u64, start_ns: Option<u64>, generation: Generation) -> Generated {
        Generated {
            id,
            n_prompt: generation.n_prompt,
            n_gen: generation.tokens.len() as u32,
            tokens: Some(generation.tokens),
            text: generation.text,
            finish: Some(generation.finish),
            start_ns,
            tokenize_ns: generation.tokenize_ns,
            token_times_ns: generation.token_times_ns,
            rounds: generation.rounds,
            e2e_ns: generation.e2e_ns,
            peak_memory_bytes: generation.peak_memory_bytes,
        }
    }
}

impl Can {
    /// What a request needs and the worker cannot, in words.
    pub fn lacks(&self, request: &Request) -> Option<String> {
        let needs = [
            (!request.stop_on_eos && !self.exact_length, "exact lengths (say `stop_on_eos: true`)"),
            (matches!(request.prompt, Prompt::Tokens(_)) && !self.prompt_tokens, "prompts of so many tokens"),
            (request.context > 0 && !self.context, "a context"),
            (request.chat_template.is_some() && !self.chat_template, "chat templates (say `chat_template: false`)"),
            (request.batch > self.batch.max(1), "so many requests at once"),
        ];
        let lacking: Vec<&str> = needs.iter().filter(|(lacks, _)| *lacks).map(|(_, what)| *what).collect();
        (!lacking.is_empty()).then(|| format!("it says that it cannot do {}", lacking.join(", nor ")))
    }

    /// As `environment.json` has it.
    pub fn told(&self) -> BTreeMap<String, String> {
        // What is absent is one at a time.
        let can = Can { batch: self.batch.max(1), ..self.clone() };
        let json = serde_json::to_value(can).unwrap_or_default();
        let fields = json.as_object().into_iter().flatten();
        fields
            .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect()
    }
}
