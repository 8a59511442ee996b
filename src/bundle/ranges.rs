//! What physics and the clock allow: rows -> those values that no honest run can have. Knows nothing of statistics.

use std::collections::BTreeMap;

use serde::Serialize;

pub use super::several::Misfit;
use super::{dates::instant, energy::Windows, rounds, several};
use crate::{
    draft,
    factor::{DRAFT, Value},
    machine::{CheckpointFacts, Environment},
    record::{Clock, CountedBy, FinishReason, Outcome, Phase, RunRecord},
    study::Study,
};

/// Checks rows one after another, remembering what rows must share.
#[derive(Debug)]
pub struct Ranges {
    study: Study,
    environment: Environment,
    /// Prompt tokens by model, engine and prompt.
    prompts: BTreeMap<[String; 3], u32>,
    windows: Windows,
}

impl Ranges {
    pub fn new(study: &Study, environment: &Environment) -> Self {
        Ranges {
            study: study.clone(),
            environment: environment.clone(),
            prompts: BTreeMap::new(),
            windows: Windows::default(),
        }
    }

    /// What is impossible in `row`.
    pub fn misfits(&mut self, row: &RunRecord) -> Vec<Misfit> {
        let mut found = self.windows.misfits(row, &self.study);
        let mut expect = |holds: bool, expected: &str, value: String| {
            if !holds {
                found.push((expected.to_owned(), value));
            }
        };
        expect(instant(&row.started_at).is_ok(), "`started_at` to be a time", row.started_at.clone());
        expect(is_sha256(&row.prompt_sha256), "`prompt_sha256` to be a digest", row.prompt_sha256.clone());
        expect(
            row.temperature.is_finite() && row.temperature >= 0.0,
            "a temperature of 0 or more",
            row.temperature.to_string(),
        );
        if let Some(energy) = row.energy_j {
            expect(energy.is_finite() && energy >= 0.0, "`energy_j` to be 0 or more", energy.to_string());
        }
        match row.outcome {
            Outcome::Failed => expect(row.error.is_some(), "a failed run to say its `error`", "null".to_owned()),
            Outcome::Ok => {
                expect(row.error.is_none(), "no `error` in a run that ended well", "one".to_owned());
                let prompt = [row.model.clone(), row.engine.clone(), row.prompt_id.clone()];
                if let Some(n) = row.n_prompt.filter(|_| row.phase != Phase::Probe) {
                    let first = *self.prompts.entry(prompt).or_insert(n);
                    expect(n > 0 && n == first, &format!("{first} tokens in every run of this prompt"), n.to_string());
                }
                match &row.load {
                    _ if row.phase == Phase::Energy => return found,
                    Some(load) => found.extend(several::misfits(row, load, &self.study)),
                    None => {
                        found.extend(if row.clock == Some(Clock::Client) { client_times(row) } else { times(row) });
                        if row.phase != Phase::Probe {
                            found.extend(lengths(row, &self.study));
                        }
                        found.extend(self.rounds(row));
                    }
                }
                found.extend(self.memory(row));
                found.extend(self.roof(row));
            }
        }
        found
    }

    /// Those of a run with drafts, and of no other.
    fn rounds(&self, row: &RunRecord) -> Vec<Misfit> {
        let key = row.factors.get(DRAFT).map(Value::key);
        let by_model = self.study.drafts.iter().find(|drafter| key.as_deref() == Some(drafter.id.as_str()));
        let by_lookup = || key.as_deref()?.parse::<draft::Level>().ok()?.0;
        let most = by_model.map(|drafter| drafter.tokens).or_else(|| by_lookup().map(|draft| draft.tokens));
        match &row.rounds {
            Some(rounds) => rounds::misfits(row, rounds, most),
            None if most.is_some() => vec![("`rounds` at a level with drafts".to_owned(), "none".to_owned())],
            None => Vec::new(),
        }
    }

    /// A machine without a GPU of its own has no more memory than it says.
    fn memory(&self, row: &RunRecord) -> Option<Misfit> {
        let (peak, memory) = (row.peak_memory_bytes?, self.environment.memory_bytes.value?);
        let own = self.environment.arch != "aarch64" && self.environment.gpu.value.is_some();
        (!own && peak > memory).then(|| (format!("a peak of at most the machine's {memory} bytes"), peak.to_string()))
    }

    /// Each step needs the weights once, a token's or a round's. Half of them is assumed, so that a table of embeddings of which only rows are
    /// read accuses nobody.
    fn roof(&self, row: &RunRecord) -> Option<Misfit> {
        let bandwidth = bandwidth(self.environment.chip.value.as_deref()?)?;
        let model = self.study.models.iter().find(|model| model.made(row))?;
        let of_model = |checkpoint: &&CheckpointFacts| checkpoint.is_of(model);
        let weights = self.environment.checkpoints.iter().find(of_model)?.weight_bytes;
        let times = row.token_times_ns.as_deref()?;
        let took = times.last()?.checked_sub(*times.first()?)?;
        let steps = row.rounds.as_ref().map_or(times.len().saturating_sub(1), |rounds| rounds.accepted.len());
        let read = steps as f64 * weights as f64 / 2.0;
        let rate = read / (took.max(1) as f64 / 1e9);
        (rate > bandwidth).then(|| {
            let expected = format!("weights read at no more than the chip's {:.0} GB/s", bandwidth / 1e9);
            (expected, format!("a decode rate that needs {:.0} GB/s", rate / 1e9))
        })
    }
}

/// A value as it stands in a row.
fn as_written(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Times increase, and the parts fit into the whole.
fn times(row: &RunRecord) -> Vec<Misfit> {
    let mut found = Vec::new();
    let Some(times) = row.token_times_ns.as_deref() else {
        return vec![("`token_times_ns` in a run that ended well".to_owned(), "null".to_owned())];
    };
    // Tokens of a round come together, which `rounds` holds against the rounds.
    let tied = |pair: &[u64]| pair[0] == pair[1] && row.rounds.is_none();
    if let Some(at) = times.windows(2).position(|pair| pair[0] > pair[1] || tied(pair)) {
        found.push(("token times that increase".to_owned(), format!("{} and then {}", times[at], times[at + 1])));
    }
    if row.ttft_ns != times.first().copied() || row.ttft_ns == Some(0) {
        let first = times.first().map_or("none".to_owned(), u64::to_string);
        found.push((format!("`ttft_ns` to be the first token's time, {first}"), as_written(&row.ttft_ns)));
    }
    let parts = row.tokenize_ns.zip(times.last().copied()).map(|(a, b)| a.saturating_add(b));
    if let Some((parts, whole)) = parts.zip(row.e2e_ns)
        && parts > whole
    {
        found.push(("`e2e_ns` to cover tokenising and every token".to_owned(), format!("{whole}, less than {parts}")));
    }
    found.extend(century([row.load_ns, row.tokenize_ns, row.ttft_ns, row.e2e_ns, times.last().copied()]));
    if row.phase == Phase::Measured && (row.e2e_ns.is_none() || row.load_ns.is_none()) {
        found.push(("`load_ns` and `e2e_ns` in a measured run".to_owned(), "null".to_owned()));
    }
    found
}

/// What a client of a server timed: chunks come in order, tokens are not timed unless each has its chunk, and the text ends before the answer does.
fn client_times(row: &RunRecord) -> Vec<Misfit> {
    let mut found = Vec::new();
    let Some(chunks) = row.chunk_times_ns.as_deref().filter(|chunks| !chunks.is_empty()) else {
        return vec![("`chunk_times_ns` in a run that a client timed".to_owned(), as_written(&row.chunk_times_ns))];
    };
    // Chunks of one read share its time.
    if let Some(at) = chunks.windows(2).position(|pair| pair[0] > pair[1]) {
        found.push(("chunk times in order".to_owned(), format!("{} and then {}", chunks[at], chunks[at + 1])));
    }
    if row.token_times_ns.as_deref().is_some_and(|times| times != chunks) {
        found.push(("`token_times_ns` only where each token has its chunk".to_owned(), "other times".to_owned()));
    }
    if row.chunk_tokens.as_ref().is_some_and(|tokens| tokens.len() != chunks.len()) {
        found.push(("`chunk_tokens` of each chunk".to_owned(), as_written(&row.chunk_tokens)));
    }
    if row.ttft_ns.is_some() || row.tokenize_ns.is_some() {
        found.push(("no `ttft_ns` and no `tokenize_ns` of a server".to_owned(), "a time".to_owned()));
    }
    let ends = [chunks.last().copied(), row.finish_ns, row.done_ns];
    if ends.iter().any(Option::is_none) || !ends.is_sorted() || row.e2e_ns != row.finish_ns {
        let expected = "chunks, then `finish_ns`, which is `e2e_ns`, then `done_ns`".to_owned();
        found.push((expected, as_written(&(ends, row.e2e_ns))));
    }
    found.extend(century([row.load_ns, row.e2e_ns, row.done_ns, row.startup_ns]));
    if row.phase == Phase::Measured && row.load_ns.is_none() {
        found.push(("`load_ns` in a measured run".to_owned(), "null".to_owned()));
    }
    found
}

/// A century is no run, and its sum with another is no number any more.
fn century<const N: usize>(times: [Option<u64>; N]) -> Option<Misfit> {
    let longest = 100 * 366 * 86_400 * 1_000_000_000_u64;
    let long = times.into_iter().flatten().find(|time| *time > longest)?;
    Some(("times below a century".to_owned(), long.to_string()))
}

/// Tokens were counted, none beyond the cap, and the reason for the end fits.
fn lengths(row: &RunRecord, study: &Study) -> Vec<Misfit> {
    let mut found = Vec::new();
    let Some(n) = row.n_gen else {
        return vec![("`n_gen` in a run that ended well".to_owned(), "null".to_owned())];
    };
    if let Some(times) = row.token_times_ns.as_deref().filter(|times| times.len() != n as usize) {
        found.push((format!("a time for each of {n} tokens"), times.len().to_string()));
    }
    if n > row.max_tokens || n == 0 {
        found.push((format!("1 to {} tokens", row.max_tokens), n.to_string()));
    }
    if row.phase == Phase::Measured && !study.settings.stop_on_eos && n < row.max_tokens {
        found.push((format!("exactly {} tokens, as the study says", row.max_tokens), n.to_string()));
    }
    match row.finish_reason {
        Some(FinishReason::Length) if n == row.max_tokens => {}
        Some(FinishReason::Stop) if study.settings.stop_on_eos => {}
        other => found.push(("a reason for the end that fits the length".to_owned(), as_written(&other))),
    }
    // Who gives no ids has no digest of them.
    let without_ids =
        matches!(row.counted_by, Some(CountedBy::Worker | CountedBy::Usage)) && row.output_sha256.is_none();
    if row.phase == Phase::Measured && !without_ids && !row.output_sha256.as_deref().is_some_and(is_sha256) {
        found.push(("`output_sha256` to be a digest".to_owned(), as_written(&row.output_sha256)));
    }
    found
}

/// Bytes per second that the memory of a chip delivers at most, as its maker says; the largest variant of a name.
/// Apple, technical specifications of the machines with these chips.
fn bandwidth(chip: &str) -> Option<f64> {
    const GB_PER_S: [(&str, f64); 17] = [
        ("Apple M1 Ultra", 800.0),
        ("Apple M1 Max", 400.0),
        ("Apple M1 Pro", 200.0),
        ("Apple M1", 68.25),
        ("Apple M2 Ultra", 800.0),
        ("Apple M2 Max", 400.0),
        ("Apple M2 Pro", 200.0),
        ("Apple M2", 100.0),
        ("Apple M3 Ultra", 819.0),
        ("Apple M3 Max", 400.0),
        ("Apple M3 Pro", 150.0),
        ("Apple M3", 100.0),
        ("Apple M4 Max", 546.0),
        ("Apple M4 Pro", 273.0),
        ("Apple M4", 120.0),
        ("Apple M5", 153.6),
        ("Apple A18 Pro", 60.0),
    ];
    let exact = GB_PER_S.iter().find(|(name, _)| *name == chip.trim());
    exact.map(|(_, rate)| rate * 1e9)
}
