//! One row of `runs.jsonl`: what was asked, what came back and when. Raw first: every token's time is kept,
//! and no mean is taken here. Times are integer nanoseconds, the unit is in the name, missing is `null`, never 0.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    energy::EnergyRow,
    factor::{self, Level, Value},
    load::Load,
};

/// The schema that this build writes.
pub const RUN_SCHEMA: &str = "offprint.run/2";
/// Those that it reads. Rows of the first lack `factors`: their levels stand in fields of their own alone.
pub const RUN_SCHEMAS: [&str; 2] = ["offprint.run/1", RUN_SCHEMA];

/// Of a row's text, in bytes: no stranger's fills the disk.
pub const MOST_TEXT: usize = 4 << 20;

/// Is a row a warm-up, outside every statistic, or a measurement?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    Warmup,
    Measured,
    /// What a server can do was found out, before the first run.
    Probe,
    /// Requests of a run again and again, for their energy: outside every statistic of times.
    Energy,
}

/// A failed run keeps its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Ok,
    Failed,
}

/// Why generation ended: the token budget was used up, or an end-of-sequence token came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FinishReason {
    Length,
    Stop,
    /// The stream carried an error.
    Error,
    /// The stream ended without a reason.
    Cut,
}

/// Whose clock the times of a row are of. Absent from a row: the engine's, in a process of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    /// A foreign program's, held against what we saw on its pipe.
    Worker,
    /// Ours, when bytes of an answer had been read.
    Client,
}

/// Who counted the tokens of a row. Absent from a row: the engine. Never chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CountedBy {
    Worker,
    /// Token ids that a server sent.
    Ids,
    /// A server's `usage`.
    Usage,
}

/// How a request of several ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answered {
    Ok,
    Failed,
    /// The server was too busy to take it (HTTP status 429 or 503): a result.
    Rejected,
}

/// One request of a run of several. `due_ns` and `sent_ns` count from the run's beginning, the other times from `sent_ns`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestRecord {
    /// From 1, in the order in which they fell due.
    pub number: u32,
    pub seed: u64,
    /// Of an open loop as planned; of a closed one, when its place was free.
    pub due_ns: u64,
    /// Its connection stood and it was written; in a process of ours, it was taken up.
    pub sent_ns: u64,
    pub outcome: Answered,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Of HTTP, where it is not 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    pub n_prompt: Option<u32>,
    pub n_gen: Option<u32>,
    pub finish_reason: Option<FinishReason>,
    /// Sent -> first token or text read, then from each to the next.
    pub steps_ns: Vec<u64>,
    /// Tokens of each chunk, where the server says and some have several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk_tokens: Option<Vec<u32>>,
    /// The whole text is there: the server has said why it ended.
    pub finish_ns: Option<u64>,
    /// The answer's body has ended.
    pub done_ns: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_ns: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers_ns: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u32>,
    /// SHA-256 of the generated ids, little-endian, where they are known, else of the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_sha256: Option<String>,
}

impl RequestRecord {
    /// One of which nothing is known yet.
    pub fn empty(number: u32) -> Self {
        RequestRecord {
            number,
            seed: 0,
            due_ns: 0,
            sent_ns: 0,
            outcome: Answered::Ok,
            error: None,
            status: None,
            n_prompt: None,
            n_gen: None,
            finish_reason: None,
            steps_ns: Vec::new(),
            chunk_tokens: None,
            finish_ns: None,
            done_ns: None,
            connect_ns: None,
            headers_ns: None,
            cached_tokens: None,
            output_sha256: None,
        }
    }
}

/// The steps of an engine that continues several sequences at once, as they followed each other; lists of one length.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Steps {
    /// The run began -> a step's last token was on the host.
    pub end_ns: Vec<u64>,
    /// What the step took: from the end of the one before, or from when it was queued if that came later.
    pub step_ns: Vec<u64>,
    /// Sequences that it continued.
    pub active: Vec<u32>,
}

/// The rounds of a generation with drafts, as they followed each other; lists of one length. The first token is none's; a round gives one
/// token more than it accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rounds {
    /// Tokens that were proposed.
    pub proposed: Vec<u32>,
    /// Those of them that the model drew, too.
    pub accepted: Vec<u32>,
    /// Proposing.
    pub draft_ns: Vec<u64>,
    /// The model's step, its draws and what had to be forgotten.
    pub verify_ns: Vec<u64>,
}

/// One execution of one planned run. `docs/FORMAT.md` describes each field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// One of [`RUN_SCHEMAS`].
    pub schema: String,
    /// Position in the plan, from 1.
    pub run: u32,
    /// Position in the execution, from 1.
    pub order: u32,
    /// The randomised block, from 1.
    pub block: u32,
    pub phase: Phase,
    /// The model's id in the study.
    pub model: String,
    /// `mlx`, `llama-cpp`, `fake`, or the name that the study gave to another.
    pub engine: String,
    /// `mlx-cpu+offprint`, `mlx-cpu`, `mlx-metal`, `mlx-cuda`, `none`, ...
    pub backend: String,
    /// The prompt's 1-based position in the study, as text (`"1"`), or the id that the study gave it.
    pub prompt_id: String,
    pub prompt_sha256: String,
    /// The factor "output length": tokens asked for.
    pub max_tokens: u32,
    pub temperature: f64,
    /// The row's level of every factor of the design, by the factor's name; absent in the first schema.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub factors: BTreeMap<String, Value>,
    /// The replicate within its cell, from 1.
    pub repeat: u32,
    /// The sampling seed of this run.
    pub seed: u64,
    /// RFC 3339, UTC.
    pub started_at: String,
    pub outcome: Outcome,
    pub error: Option<String>,
    /// Prompt length in tokens.
    pub n_prompt: Option<u32>,
    /// Tokens generated.
    pub n_gen: Option<u32>,
    pub finish_reason: Option<FinishReason>,
    /// Opening the checkpoint -> every parameter evaluated on the device.
    pub load_ns: Option<u64>,
    /// Text -> prompt ids.
    pub tokenize_ns: Option<u64>,
    /// Prompt ids ready -> first generated id read on the host.
    pub ttft_ns: Option<u64>,
    /// Prompt ids ready -> id `i` read on the host; `n_gen` values, the first equals `ttft_ns`.
    pub token_times_ns: Option<Vec<u64>>,
    /// Prompt text in -> generated text out.
    pub e2e_ns: Option<u64>,
    /// The allocator's peak since it was reset just before the run.
    pub peak_memory_bytes: Option<u64>,
    /// SHA-256 of the generated token ids, little-endian `u32`s.
    pub output_sha256: Option<String>,
    pub output_text: Option<String>,
    /// What the machine said of its thermal state; `null` where it cannot be read.
    pub thermal: Option<String>,
    /// Gross joules of the study's own domain: its line of `energy.jsonl` has the rest.
    pub energy_j: Option<f64>,
    /// That line, of a measured run or of its window: it stands in its own file.
    #[serde(skip)]
    pub energy: Option<Box<EnergyRow>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<Clock>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted_by: Option<CountedBy>,
    /// A server's: spawned -> it says that it is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup_ns: Option<u64>,
    /// Request sent -> the read that completed each event with text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk_times_ns: Option<Vec<u64>>,
    /// Tokens of each, where the server says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk_tokens: Option<Vec<u32>>,
    /// Begun to connect -> connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_ns: Option<u64>,
    /// Request sent -> status and headers read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers_ns: Option<u64>,
    /// Request sent -> the event that says why the text ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_ns: Option<u64>,
    /// Request sent -> the answer's body ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_ns: Option<u64>,
    /// Prompt tokens that the server says it had already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u32>,
    /// What the server says of its own times and counts, by its names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub server: BTreeMap<String, f64>,
    /// The longest that a thread of ours overslept a millisecond meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_stall_ns: Option<u64>,
    /// What the hypervisor kept from this machine meanwhile, of all processors together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stolen_ns: Option<u64>,
    /// The largest resident memory of the server's processes since just before the request, added up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_rss_bytes: Option<u64>,
    /// A run of several requests: how they were to come. Then what else is of one request stands in `requests`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Load>,
    /// By number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<RequestRecord>,
    /// What they shared, where the engine says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Steps>,
    /// Of a run with drafts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds: Option<Rounds>,
}

impl RunRecord {
    /// A row of which nothing is known yet but that it is the first measured one.
    pub fn empty() -> Self {
        RunRecord {
            schema: RUN_SCHEMA.to_owned(),
            run: 1,
            order: 1,
            block: 1,
            phase: Phase::Measured,
            model: String::new(),
            engine: String::new(),
            backend: "unknown".to_owned(),
            prompt_id: String::new(),
            prompt_sha256: String::new(),
            max_tokens: 1,
            temperature: 0.0,
            factors: BTreeMap::new(),
            repeat: 1,
            seed: 0,
            started_at: String::new(),
            outcome: Outcome::Ok,
            error: None,
            n_prompt: None,
            n_gen: None,
            finish_reason: None,
            load_ns: None,
            tokenize_ns: None,
            ttft_ns: None,
            token_times_ns: None,
            e2e_ns: None,
            peak_memory_bytes: None,
            output_sha256: None,
            output_text: None,
            thermal: None,
            energy_j: None,
            energy: None,
            clock: None,
            counted_by: None,
            startup_ns: None,
            chunk_times_ns: None,
            chunk_tokens: None,
            connect_ns: None,
            headers_ns: None,
            finish_ns: None,
            done_ns: None,
            cached_tokens: None,
            server: BTreeMap::new(),
            client_stall_ns: None,
            stolen_ns: None,
            peak_rss_bytes: None,
            load: None,
            requests: Vec::new(),
            steps: None,
            rounds: None,
        }
    }

    /// Is the row at this level of the factor of this name? Some factors have fields of their own, in every schema.
    pub fn is_at(&self, factor: &str, level: &Level) -> bool {
        match (factor, &level.value) {
            (factor::LENGTH, Value::Number(number)) => f64::from(self.max_tokens) == *number,
            (factor::TEMPERATURE, Value::Number(number)) => self.temperature == *number,
            (factor::PROMPT, Value::Text(id)) => self.prompt_id == *id,
            (factor::MODEL, Value::Text(id)) => self.model == *id,
            (factor::ENGINE, Value::Text(name)) => self.engine == *name,
            (_, value) => self.factors.get(factor) == Some(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_in_the_format_document() {
        let document = include_str!("../docs/FORMAT.md");
        let rows = document.split("\n## ").find(|section| section.starts_with("`runs.jsonl`")).unwrap();
        let factors = BTreeMap::from([("length".to_owned(), Value::Number(64.0))]);
        // Everything that is absent where it does not apply.
        let record = RunRecord {
            factors,
            clock: Some(Clock::Client),
            counted_by: Some(CountedBy::Usage),
            startup_ns: Some(1),
            chunk_times_ns: Some(vec![1]),
            chunk_tokens: Some(vec![1]),
            connect_ns: Some(1),
            headers_ns: Some(1),
            finish_ns: Some(1),
            done_ns: Some(1),
            cached_tokens: Some(0),
            server: BTreeMap::from([("prompt_ms".to_owned(), 1.0)]),
            client_stall_ns: Some(1),
            stolen_ns: Some(0),
            peak_rss_bytes: Some(1),
            load: Some(Load::batch(2)),
            requests: vec![RequestRecord::empty(1)],
            steps: Some(Steps::default()),
            rounds: Some(Rounds::default()),
            ..RunRecord::empty()
        };
        let row = serde_json::to_value(record).unwrap();
        let fields: Vec<&String> = row.as_object().unwrap().keys().collect();
        for field in &fields {
            assert!(rows.contains(&format!("\n| `{field}` |")), "docs/FORMAT.md lacks {field}");
        }
        let documented = rows.lines().filter(|line| line.starts_with("| `") && line.matches('|').count() == 4);
        let documented: Vec<&str> = documented.filter_map(|line| line.split('`').nth(1)).collect();
        let gone: Vec<&&str> = documented.iter().filter(|name| !fields.iter().any(|field| field == *name)).collect();
        assert!(gone.iter().all(|name| matches!(**name, "process" | "session")), "docs/FORMAT.md has {gone:?}");
    }
}
