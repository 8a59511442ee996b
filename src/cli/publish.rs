//! What an execution writes down for others: nothing of it says where on this machine, or under whose name, it was made.

use std::path::Path;

use anyhow::{Result, bail};

use crate::{
    record::RunRecord,
    study::{Study, StudyError, folder, published_text, without_paths, written_out},
};

/// The study's text as the run folder keeps it.
///
/// # Errors
/// A local source whose place in the text is not found.
pub(super) fn study_text(file: &Path, study: &Study, text: &str) -> Result<String> {
    let name = file.display().to_string();
    let wrong = |problem| StudyError { file: name.clone(), place: None, problem };
    let copy = written_out(text, study).map_err(wrong)?;
    let copy = published_text(&copy, study).map_err(wrong)?;
    if home().is_some_and(|home| home.len() > 1 && copy.contains(&home)) {
        tell!("{name}: it names your home folder; a copy of the study is published with the records, as it stands");
    }
    Ok(copy)
}

/// A copy of the study is published: the value of a variable that it keeps secret must not stand in it.
///
/// # Errors
/// The variable's name.
pub(super) fn no_secret(study: &Study, text: &str) -> Result<()> {
    for engine in study.models.iter().map(|model| &model.engine) {
        if let Some(name) = engine.secrets().in_text(text) {
            bail!(
                "the value of the variable {name} stands in the study, and a copy of the study is recorded and published\nhint: take it out; `key_from` sends a key, `pass` hands a variable on to a program, which reads it there"
            );
        }
    }
    Ok(())
}

/// Was the run folder's copy made of this text?
pub(super) fn is_copy(copy: &[u8], file: &Path, study: &Study, text: &[u8]) -> bool {
    let published = std::str::from_utf8(text).ok().and_then(|text| study_text(file, study, text).ok());
    copy == text || published.is_some_and(|published| published.as_bytes() == copy)
}

/// The paths of this machine that an engine's error may quote.
#[derive(Debug)]
pub(super) struct Paths {
    known: Vec<String>,
    home: Option<String>,
}

impl Paths {
    /// `places` are the models' places for their engines.
    pub(super) fn of(study: &Study, places: &[String]) -> Self {
        let sources = study.sources().into_iter().filter_map(|source| Some(folder(source)?.1));
        let whole = |path: &str| Some(std::fs::canonicalize(path).ok()?.display().to_string());
        let here = std::env::current_dir().ok().map(|folder| folder.display().to_string());
        let written = sources.clone().map(str::to_owned);
        let known = written.chain(sources.filter_map(whole)).chain(places.iter().cloned()).chain(here);
        Paths { known: known.collect(), home: home() }
    }

    /// The rows as they are written down.
    pub(super) fn rows(&self, rows: &[RunRecord]) -> Vec<RunRecord> {
        let shown = |error: &String| without_paths(error, &self.known, self.home.as_deref());
        rows.iter().map(|row| RunRecord { error: row.error.as_ref().map(shown), ..row.clone() }).collect()
    }
}

fn home() -> Option<String> {
    std::env::home_dir().map(|home| home.display().to_string())
}
