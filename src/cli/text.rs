//! The text that a study's models are to predict, for whoever needs it: a file beside the study, a hub's, or an execution's copy.

use std::{fs, path::Path};

use anyhow::{Context, Result, anyhow};

use crate::{
    digest,
    machine::Environment,
    preflight::Finding,
    quality::TextFacts,
    study::{HubText, Quality, Study},
};

/// A text, and what identifies it.
#[derive(Debug, Clone)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) facts: TextFacts,
}

impl Text {
    /// A text that an execution kept; records from before texts were identified have no facts.
    ///
    /// # Errors
    /// No UTF-8, another text than the records say.
    pub(super) fn kept(quality: &Quality, facts: Option<&TextFacts>, bytes: Vec<u8>) -> Result<Text> {
        let sha256 = digest::sha256_hex(&bytes);
        let facts = facts.cloned().unwrap_or_else(|| TextFacts { source: quality.text.clone(), sha256, licence: None });
        facts.check(&bytes)?;
        quality.hub().map_or(Ok(()), |source| source.expects(&facts.sha256))?;
        let text = String::from_utf8(bytes).with_context(|| format!("{}: no UTF-8", facts.source))?;
        Ok(Text { text, facts })
    }

    /// That of an execution that is gone on with.
    ///
    /// # Errors
    /// As [`Text::kept`]; files that cannot be read.
    pub(super) fn of_run(folder: &Path, study: &Study) -> Result<Option<Text>> {
        let Some(quality) = &study.quality else { return Ok(None) };
        let (file, environment) = (folder.join("quality.txt"), folder.join("environment.json"));
        let said = fs::read_to_string(&environment).with_context(|| format!("{}", environment.display()))?;
        let environment = Environment::from_json(&environment.display().to_string(), &said)?;
        let bytes = fs::read(&file).with_context(|| format!("{}", file.display()))?;
        Text::kept(quality, environment.text.as_ref(), bytes).map(Some)
    }

    fn of_file(file: &Path, name: &str) -> Result<Text> {
        let text = utf8(file)?;
        let facts = TextFacts { source: name.to_owned(), sha256: digest::sha256_hex(text.as_bytes()), licence: None };
        Ok(Text { text, facts })
    }
}

/// The study's, fetched if the hub has it.
///
/// # Errors
/// A file that cannot be read, or is no UTF-8; as the hub has them.
pub(super) fn of_study(study_file: &Path, study: &Study) -> Result<Option<Text>> {
    let Some(quality) = &study.quality else { return Ok(None) };
    let at = || format!("quality.text ({})", quality.text);
    match quality.hub() {
        Some(source) => fetch(&source).with_context(at).map(Some),
        None => Text::of_file(&study_file.with_file_name(&quality.text), &quality.text).map(Some),
    }
}

/// A text by the name that somebody gives on the command line.
///
/// # Errors
/// As [`of_study`]; a name that is none.
#[cfg(feature = "mlx")]
pub(super) fn named(name: &str) -> Result<Text> {
    if !name.starts_with(HubText::PREFIX) {
        return Text::of_file(Path::new(name), name);
    }
    let source = name.parse::<HubText>().map_err(|why| anyhow!("`{name}`: {why}\nhint: {}", HubText::FORM))?;
    fetch(&source).with_context(|| name.to_owned())
}

/// The study's where it is on this machine, as a run would find it. `None`: nothing is asked for, or the hub has it, as the
/// words say.
pub(super) fn looked(study_file: &Path, study: &Study) -> (Option<Text>, Option<Result<String, Finding>>) {
    let Some(quality) = &study.quality else { return (None, None) };
    let looked = match quality.hub() {
        Some(source) => look(&source),
        None => Text::of_file(&study_file.with_file_name(&quality.text), &quality.text).map(Ok),
    };
    match looked {
        Ok(Ok(text)) => {
            let licence =
                text.facts.licence.as_ref().map_or_else(String::new, |licence| format!("; licence {licence}"));
            let said = format!("{}: {} bytes{licence}", text.facts.source, text.text.len());
            (Some(text), Some(Ok(said)))
        }
        Ok(Err(there)) => (None, Some(Ok(format!("{}: {there}", quality.text)))),
        Err(error) => (None, Some(Err(Finding::refuse("text", "quality.text", &error)))),
    }
}

#[cfg(feature = "mlx")]
fn fetch(source: &HubText) -> Result<Text> {
    let (text, facts) = crate::model::text::fetch(source, &mut super::models::tell_fetch())?;
    Ok(Text { text, facts })
}

/// The text, or in words where it is.
#[cfg(feature = "mlx")]
fn look(source: &HubText) -> Result<Result<Text, String>> {
    use crate::model::text::Looked;
    Ok(match crate::model::text::look(source)? {
        Looked::Here(text, facts) => Ok(Text { text, facts }),
        Looked::There(words) => Err(words),
    })
}

#[cfg(not(feature = "mlx"))]
fn fetch(source: &HubText) -> Result<Text> {
    anyhow::bail!("{source}: this build of offprint asks no hub\nhint: {}", crate::installed::how().with_mlx())
}

#[cfg(not(feature = "mlx"))]
fn look(source: &HubText) -> Result<Result<Text, String>> {
    fetch(source).map(Ok)
}

/// A text from a file.
///
/// # Errors
/// A file that cannot be read, or is no UTF-8.
fn utf8(file: &Path) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("{}\nhint: is the path right?", file.display()))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        anyhow!("{}: byte {at} is no UTF-8\nhint: save the text as UTF-8", file.display())
    })
}
