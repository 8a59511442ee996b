//! The study file as YAML has it: keys, types, what may be left out. Values are judged in `check`.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use crate::{
    factor::Value as Level,
    load::{Arrivals, Limits},
};

use super::energy::EnergyEntry;
use super::{Api, Cache, Effort, Isolation, Length, Order, Prompts, Seed, Server, Signal, Tokens};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) study: About,
    pub(super) models: Vec<Model>,
    pub(super) prompts: Vec<PromptEntry>,
    pub(super) benchmark_settings: BenchmarkSettings,
    #[serde(default)]
    pub(super) factors: Factors,
    #[serde(default)]
    pub(super) drafts: Vec<DraftEntry>,
    pub(super) load: Option<LoadEntry>,
    pub(super) quality: Option<QualityEntry>,
    pub(super) energy: Option<EnergyEntry>,
    #[serde(default)]
    pub(super) bandwidth: bool,
    #[serde(default)]
    pub(super) execution: ExecutionEntry,
    #[serde(default)]
    pub(super) statistics: StatisticsEntry,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct About {
    pub(super) name: Option<String>,
    pub(super) title: Option<String>,
    #[serde(default)]
    pub(super) authors: Vec<AuthorEntry>,
    #[serde(default)]
    pub(super) keywords: Vec<String>,
    pub(super) doi: Option<String>,
    pub(super) published: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Model {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) source: Option<String>,
    #[serde(default)]
    pub(super) engine: Engines,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DraftEntry {
    pub(super) id: String,
    pub(super) source: String,
    pub(super) tokens: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BenchmarkSettings {
    pub(super) max_tokens: Vec<u32>,
    pub(super) temperatures: Vec<f64>,
    pub(super) num_runs: u32,
    #[serde(default = "one")]
    pub(super) warmup_runs: u32,
    pub(super) top_p: Option<f64>,
    pub(super) min_p: Option<f64>,
    pub(super) top_k: Option<u32>,
    #[serde(default)]
    pub(super) stop_on_eos: bool,
    #[serde(default)]
    pub(super) chat_template: bool,
    pub(super) enable_thinking: Option<bool>,
    pub(super) reasoning_effort: Option<Effort>,
    pub(super) date: Option<String>,
}

fn one() -> u32 {
    1
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QualityEntry {
    pub(super) text: String,
    pub(super) windows: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LoadEntry {
    pub(super) requests: Option<u32>,
    pub(super) ramp: Option<u32>,
    pub(super) arrivals: Option<Arrivals>,
    pub(super) at_most: Option<u32>,
    pub(super) prompts: Option<Prompts>,
    pub(super) goodput: Option<Limits>,
    pub(super) failed_share: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ExecutionEntry {
    pub(super) seed: u64,
    pub(super) isolation: Option<Isolation>,
    pub(super) order: Order,
    pub(super) cooldown_s: f64,
    pub(super) thermal_gate_s: Option<f64>,
    pub(super) timeout_s: f64,
    pub(super) kernels: Option<String>,
}

impl Default for ExecutionEntry {
    fn default() -> Self {
        ExecutionEntry {
            seed: 0,
            isolation: None,
            order: Order::Blocks,
            cooldown_s: 0.0,
            thermal_gate_s: None,
            timeout_s: 1800.0,
            kernels: None,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StatisticsEntry {
    pub(super) confidence: f64,
    pub(super) equivalence_margin: f64,
    pub(super) stable_cv: f64,
    pub(super) session_margin: Option<f64>,
}

impl Default for StatisticsEntry {
    fn default() -> Self {
        StatisticsEntry { confidence: 0.95, equivalence_margin: 0.02, stable_cv: 0.05, session_margin: None }
    }
}

/// `engine`: one, or a list of them. Empty where the file says none.
#[derive(Debug, Default)]
pub(super) struct Engines {
    pub(super) entries: Vec<EngineEntry>,
    /// Written as a list, so that a problem can name the entry.
    pub(super) listed: bool,
}

/// An engine: one of the program's own by its name, or what a study says of another.
#[derive(Debug)]
pub(super) enum EngineEntry {
    Named(String),
    Foreign(Box<ForeignEntry>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ForeignEntry {
    pub(super) name: String,
    pub(super) command: Option<Vec<String>>,
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) pass: Vec<String>,
    pub(super) opens: Option<Opens>,
    pub(super) http: Option<HttpEntry>,
}

/// What a program's place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Opens {
    Checkpoint,
    Gguf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpEntry {
    pub(super) server: Option<Server>,
    pub(super) api: Option<Api>,
    pub(super) url: Option<String>,
    pub(super) model: Option<String>,
    #[serde(default)]
    pub(super) start: Vec<String>,
    pub(super) ready: Option<ReadyEntry>,
    pub(super) stop: Option<StopEntry>,
    pub(super) send: Option<serde_json::Map<String, serde_json::Value>>,
    pub(super) length: Option<Length>,
    pub(super) seed: Option<Seed>,
    pub(super) cache: Option<Cache>,
    pub(super) tokens: Option<Tokens>,
    pub(super) key_from: Option<String>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) version: Vec<String>,
    #[serde(default)]
    pub(super) remote: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadyEntry {
    pub(super) path: Option<String>,
    pub(super) within_s: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StopEntry {
    pub(super) signal: Option<Signal>,
    pub(super) within_s: Option<f64>,
}

/// `factors`: names with their levels, in the file's order.
#[derive(Debug, Default)]
pub(super) struct Factors(pub(super) Vec<(String, Vec<Level>)>);

/// A prompt: its text, or a mapping with its `text` or the number of its `tokens`.
#[derive(Debug)]
pub(super) struct PromptEntry {
    pub(super) id: Option<String>,
    pub(super) text: Option<String>,
    pub(super) tokens: Option<u32>,
}

/// An author: a name, or `{name, affiliation, orcid, email, city, country}`.
#[derive(Debug, Default)]
pub(super) struct AuthorEntry {
    pub(super) name: String,
    pub(super) affiliation: Option<String>,
    pub(super) orcid: Option<String>,
    pub(super) email: Option<String>,
    pub(super) city: Option<String>,
    pub(super) country: Option<String>,
}

// Not `#[serde(untagged)]`: that buffers the value and so forgets the line of what is wrong inside it.
impl<'de> Deserialize<'de> for PromptEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Full {
            id: Option<String>,
            text: Option<String>,
            tokens: Option<u32>,
        }
        deserializer.deserialize_any(TextOr {
            expected: "text or a mapping with the keys id and text, or tokens",
            short: |text| PromptEntry { id: None, text: Some(text), tokens: None },
            full: |Full { id, text, tokens }| PromptEntry { id, text, tokens },
        })
    }
}

impl<'de> Deserialize<'de> for AuthorEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Full {
            name: String,
            affiliation: Option<String>,
            orcid: Option<String>,
            email: Option<String>,
            city: Option<String>,
            country: Option<String>,
        }
        deserializer.deserialize_any(TextOr {
            expected: "a name or a mapping with the keys name, affiliation, orcid, email, city and country",
            short: |name| AuthorEntry { name, ..AuthorEntry::default() },
            full: |Full { name, affiliation, orcid, email, city, country }| AuthorEntry {
                name,
                affiliation,
                orcid,
                email,
                city,
                country,
            },
        })
    }
}

impl<'de> Deserialize<'de> for Factors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Listed;
        impl<'de> Visitor<'de> for Listed {
            type Value = Factors;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a mapping of factors to lists of levels")
            }

            /// `factors:` and nothing behind it.
            fn visit_unit<E: Error>(self) -> Result<Factors, E> {
                Ok(Factors::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Factors, A::Error> {
                let mut factors: Vec<(String, Vec<Level>)> = Vec::new();
                while let Some((name, levels)) = entries.next_entry()? {
                    if factors.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
                    }
                    factors.push((name, levels));
                }
                Ok(Factors(factors))
            }
        }
        deserializer.deserialize_any(Listed)
    }
}

impl<'de> Deserialize<'de> for Engines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrList;
        impl<'de> Visitor<'de> for OneOrList {
            type Value = Engines;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an engine or a list of engines")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Engines, E> {
                Ok(Engines { entries: vec![EngineEntry::Named(text.to_owned())], listed: false })
            }

            fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Engines, A::Error> {
                let entry = ForeignEntry::deserialize(MapAccessDeserializer::new(entries))?;
                Ok(Engines { entries: vec![EngineEntry::Foreign(Box::new(entry))], listed: false })
            }

            /// `engine:` and nothing behind it.
            fn visit_unit<E: Error>(self) -> Result<Engines, E> {
                Ok(Engines::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Engines, A::Error> {
                let mut listed = Vec::new();
                while let Some(entry) = entries.next_element()? {
                    listed.push(entry);
                }
                Ok(Engines { entries: listed, listed: true })
            }
        }
        deserializer.deserialize_any(OneOrList)
    }
}

impl<'de> Deserialize<'de> for EngineEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOr {
            expected: "an engine's name or a mapping with the keys name, and command or http",
            short: EngineEntry::Named,
            full: |entry: ForeignEntry| EngineEntry::Foreign(Box::new(entry)),
        })
    }
}

/// Reads a text, the short form, or a mapping, the full one.
struct TextOr<T, F> {
    expected: &'static str,
    short: fn(String) -> T,
    full: fn(F) -> T,
}

impl<'de, T, F: Deserialize<'de>> Visitor<'de> for TextOr<T, F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok((self.short)(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<T, A::Error> {
        F::deserialize(MapAccessDeserializer::new(entries)).map(self.full)
    }
}
