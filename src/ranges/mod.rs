//! What physics and the clock allow: rows -> those values that no honest run can have. Knows nothing of statistics.
//!
//! A run is held to it when it ends, and a bundle when it is made and when it is verified: what one of them refuses all do.

pub mod answer;
pub mod end;
pub mod requests;
mod rounds;
mod windows;

use std::collections::BTreeMap;

pub use end::Misfit;

use crate::{
    draft,
    factor::{DRAFT, Value},
    machine::{CheckpointFacts, Environment},
    record::{Outcome, Phase, RunRecord},
    study::Study,
};
use answer::is_sha256;
use end::instant;
use windows::Windows;

/// Checks rows one after another, remembering what rows must share.
#[derive(Debug, Clone)]
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
                if let Some(n) = row.n_prompt.filter(|n| *n > 0 && row.phase != Phase::Probe) {
                    let first = *self.prompts.entry(prompt).or_insert(n);
                    expect(n == first, &format!("{first} tokens in every run of this prompt"), n.to_string());
                }
                let may_stop = self.study.settings.stop_on_eos;
                match &row.load {
                    _ if row.phase == Phase::Energy => return found,
                    Some(load) => found.extend(requests::misfits(row, load, may_stop)),
                    None => {
                        found.extend(answer::misfits(row, may_stop));
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
