//! A study, and where its models are -> what can be known before the first run: findings, each of which refuses the study or
//! warns of something. Reads configurations, headers, tokenizers and prompts; loads no weights, writes nothing, prints nothing.
//!
//! Of a study it looks at the models, the prompts, the settings and the factors.

#[cfg(feature = "mlx")]
mod checkpoint;
#[cfg(feature = "mlx")]
mod drafter;

use std::{fmt, path::PathBuf};

use crate::{
    complaint::Complaint,
    engine,
    factor::{Factor, Level, THREADS},
    machine,
    study::{Engine, EngineKind, Study},
};

/// What a finding does to the study.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// It is not run.
    Refuse,
    /// It is run, and the records say what is odd.
    Warn,
}

/// Something known before the first run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub weight: Weight,
    /// What was looked at, in a word: `model`, `draft`, `prompt`, `engine`, `threads`.
    pub about: &'static str,
    /// Which one: a model's id, an engine, a variable. No path of this machine, since warnings are published.
    pub place: String,
    pub what: String,
    pub hint: String,
}

impl Finding {
    fn warn(about: &'static str, place: &str, what: impl Into<String>, hint: &str) -> Self {
        Finding { weight: Weight::Warn, about, place: place.to_owned(), what: what.into(), hint: hint.to_owned() }
    }

    /// A refusal for the reason that an error gives.
    pub fn refuse(about: &'static str, place: &str, error: &anyhow::Error) -> Self {
        let Complaint { causes, hint } = Complaint::from(error);
        Finding {
            weight: Weight::Refuse,
            about,
            place: place.to_owned(),
            what: causes.iter().map(|line| line.trim()).collect::<Vec<_>>().join(": "),
            hint: hint.unwrap_or_else(|| "correct the study, or what it names".to_owned()),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Checkpoints in the study's order; `None`, where one is not on this machine or the engine needs none.
#[derive(Debug, Clone, Default)]
pub struct Folders {
    pub models: Vec<Option<PathBuf>>,
    /// Of models that draft.
    pub drafts: Vec<Option<PathBuf>>,
}

/// Everything.
pub fn preflight(study: &Study, folders: &Folders, stock_kernels: bool) -> Vec<Finding> {
    let mut found = engines(study, stock_kernels);
    found.extend(models(study, &folders.models, stock_kernels));
    found.extend(drafts(study, folders, stock_kernels));
    found
}

/// Each engine's start: is it in this program, are its options some, does it compute, with how many threads?
pub fn engines(study: &Study, stock_kernels: bool) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut tried = Vec::new();
    for model in &study.models {
        let Some(kind) = model.engine.built_in() else { continue };
        // The fake engine's options are in the source.
        let place = if kind == EngineKind::Fake { &model.source } else { "" };
        if tried.contains(&(kind, place)) {
            continue;
        }
        tried.push((kind, place));
        let kernels = study.kernels(stock_kernels);
        let opened = engine::open(kind, place, None, kernels).map(drop);
        let started = opened.and_then(|()| engine::start(kind, kernels));
        match started {
            Ok(None) => {}
            Ok(Some(threads)) => found.extend(crowded(threads)),
            Err(error) => found.push(Finding::refuse("engine", model.engine.name(), &error)),
        }
    }
    for engine in study.models.iter().map(|model| &model.engine) {
        found.extend(foreign(engine));
    }
    found.dedup();
    found.extend(study.factors.iter().filter(|factor| factor.name == THREADS).flat_map(threads));
    found
}

/// An engine of others: is its program there, has its key a value, was its preset ever tried? The same of several models is one.
fn foreign(engine: &Engine) -> Vec<Finding> {
    let mut found = Vec::new();
    let refuse = |what: String, hint: &str| Finding {
        weight: Weight::Refuse,
        ..Finding::warn("engine", engine.name(), what, hint)
    };
    for program in [engine.argv().first(), engine.http().and_then(|http| http.version.first())].into_iter().flatten() {
        if !program.contains("{offprint}") && machine::program(program).is_none() {
            let shown = machine::published_argv(std::slice::from_ref(program)).concat();
            let hint = "install it, or name it by its path; a relative one is looked for where offprint is started";
            found.push(refuse(format!("there is no program `{shown}`"), hint));
        }
    }
    #[cfg(not(feature = "http"))]
    if engine.http().is_some() {
        let hint = "build it with the feature `http`, which is a default";
        found.push(refuse("this build of offprint speaks to no server".to_owned(), hint));
    }
    if let Some(name) = engine.http().and_then(|http| http.key_from.as_ref())
        && std::env::var_os(name).is_none_or(|value| value.is_empty())
    {
        found.push(refuse(
            format!("the variable {name}, which is to hold the key, is not set"),
            "export it, then run again",
        ));
    }
    if let Some(server) = engine.untried() {
        let what = format!("the preset `{}` was made from documents and never tried on such a server", server.name());
        found.push(Finding::warn("engine", engine.name(), what, "look at what the probe found, and tell us"));
    }
    found
}

/// Processors that this program may use.
fn usable() -> u32 {
    std::thread::available_parallelism().map_or(u32::MAX, |n| n.get() as u32)
}

/// Levels of the factor `threads` that this machine has no processors for: what they would measure is a queue.
fn threads(factor: &Factor) -> Vec<Finding> {
    let usable = usable();
    let levels = factor.levels.iter().filter_map(Level::as_number).filter(|level| *level > f64::from(usable));
    let finding = |level: f64| {
        let what = format!("expected at most {usable} threads, the processors that are usable here, found {level}");
        let hint = "take the level out, or run the study on a machine with more processors";
        Finding { weight: Weight::Refuse, ..Finding::warn("threads", "factors.threads", what, hint) }
    };
    levels.map(finding).collect()
}

/// More threads than processors take turns.
fn crowded(threads: u32) -> Option<Finding> {
    let usable = usable();
    let what = format!("{threads} threads on {usable} usable processors take turns, and times say little");
    (threads > usable).then(|| Finding::warn("threads", "OFFPRINT_THREADS", what, "ask for fewer, or unset it"))
}

/// Each model's checkpoint, and the study's prompts in it.
#[cfg(feature = "mlx")]
pub fn models(study: &Study, folders: &[Option<PathBuf>], stock_kernels: bool) -> Vec<Finding> {
    use crate::{model::kernels::Kernels, study::ModelSpec};
    // A choice that cannot be is a finding of the engine's.
    let chosen = engine::mlx::kernels(study.kernels(stock_kernels)).unwrap_or(Kernels::Stock);
    let mut found = Vec::new();
    let mut seen: Vec<&ModelSpec> = Vec::new();
    for (model, folder) in study.models.iter().zip(folders) {
        // On several engines it is one model.
        if let Some(folder) = folder.as_ref().filter(|_| !seen.iter().any(|known| known.has_weights_of(model))) {
            seen.push(model);
            let on_mlx =
                study.models.iter().any(|other| other.has_weights_of(model) && other.engine.is(EngineKind::Mlx));
            let kernels = if on_mlx { &chosen } else { &Kernels::Stock };
            found.extend(checkpoint::findings(study, &model.weights(), folder, kernels));
        }
    }
    found
}

/// Each model that drafts, by itself and beside every model that it drafts for.
#[cfg(feature = "mlx")]
pub fn drafts(study: &Study, folders: &Folders, stock_kernels: bool) -> Vec<Finding> {
    use crate::model::kernels::Kernels;
    let kernels = engine::mlx::kernels(study.kernels(stock_kernels)).unwrap_or(Kernels::Stock);
    let mut found = Vec::new();
    for (drafter, folder) in study.drafts.iter().zip(&folders.drafts) {
        let Some(folder) = folder else { continue };
        found.extend(drafter::findings(study, &drafter.id, folder, &kernels));
        for (model, of_model) in study.models.iter().zip(&folders.models) {
            let place = format!("{} for {}", drafter.id, model.weights());
            found.extend(of_model.iter().filter_map(|of_model| drafter::misfit(&place, of_model, folder)));
        }
    }
    found
}

#[cfg(not(feature = "mlx"))]
pub fn drafts(_: &Study, _: &Folders, _: bool) -> Vec<Finding> {
    Vec::new()
}

/// Has the text that the study's models are to predict tokens enough for its windows, in each model's own?
#[cfg(feature = "mlx")]
pub fn quality(study: &Study, folders: &[Option<PathBuf>], text: &str) -> Vec<Finding> {
    use crate::{
        engine::{quality::windows, tokenizer::Tokenizer},
        model::Checkpoint,
    };
    let Some(quality) = &study.quality else { return Vec::new() };
    let mut found = Vec::new();
    for (model, folder) in study.models.iter().zip(folders) {
        // All levels of a model have one tokenizer.
        let Some(folder) = folder.as_ref().filter(|_| study.base(model).is_none()) else { continue };
        let cut = Checkpoint::open(folder)
            .and_then(|checkpoint| Tokenizer::open(folder, checkpoint.config.vocab_size))
            .and_then(|tokenizer| windows(&tokenizer, text, quality.windows as usize));
        if let Err(error) = cut {
            found.push(Finding::refuse("model", &format!("{}, quality.text ({})", model.id, quality.text), &error));
        }
    }
    found.dedup();
    found
}

#[cfg(not(feature = "mlx"))]
pub fn quality(_: &Study, _: &[Option<PathBuf>], _: &str) -> Vec<Finding> {
    Vec::new()
}

/// Without MLX no model is looked at; [`engines`] has refused it.
#[cfg(not(feature = "mlx"))]
pub fn models(_: &Study, _: &[Option<PathBuf>], _: bool) -> Vec<Finding> {
    Vec::new()
}
