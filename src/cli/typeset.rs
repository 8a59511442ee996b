//! `paper.tex` and its figures -> LaTeX's PDF, by the TeX engine that is installed. A skin may be a stranger's: it is set in a folder of
//! its own, reads nothing outside, and has an end.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, ExitStatus},
};

use anyhow::{Context, Result, bail, ensure};

use super::compile::{self, Ended, Tried, bounded, in_folder};
use crate::typesetter::Scratch;

/// There is no TeX engine.
#[derive(Debug, thiserror::Error)]
#[error("neither pdflatex nor tectonic is installed; everything else is made")]
pub struct NoEngine;

/// Typesets `paper.tex`, `shown` in errors, among a paper's files. The PDF, and the engine's name.
///
/// # Errors
/// [`NoEngine`], or what TeX complains of.
pub fn typeset(files: &BTreeMap<String, Vec<u8>>, shown: &Path) -> Result<(Vec<u8>, &'static str)> {
    let read = |path: &str| path == "paper.tex" || path.starts_with("figures/");
    let needed = files.iter().filter(|(path, _)| read(path)).map(|(path, bytes)| (path.clone(), bytes.clone()));
    let folder = compile::written(&needed.collect())?;
    let refused = |engine: &str, errors: &[String]| {
        format!(
            "{engine} cannot typeset {}: {}\nhint: run it there by hand to see more; all other files are written",
            shown.display(),
            errors.join("; ")
        )
    };
    let engine = match in_folder(&folder)? {
        Ok(_) => "pdflatex",
        Err(Tried::Failed(errors)) => bail!(refused("pdflatex", &errors)),
        Err(Tried::Not(why)) => match tectonic(&folder)? {
            Some(status) => {
                ensure!(status.success(), refused("tectonic", &["it gives no reason here".to_owned()]));
                "tectonic"
            }
            None if why.starts_with("pdflatex") => return Err(NoEngine.into()),
            None => bail!(refused("pdflatex", &[why])),
        },
        Err(Tried::Well { .. }) => "pdflatex",
    };
    Ok((fs::read(folder.path().join("paper.pdf")).context("paper.pdf")?, engine))
}

/// `None` where it is not installed.
fn tectonic(folder: &Scratch) -> Result<Option<ExitStatus>> {
    let mut command = Command::new("tectonic");
    match bounded(command.args(["--untrusted", "paper.tex"]), folder.path(), compile::LONGEST)? {
        Ended::Absent => Ok(None),
        Ended::Never => bail!("tectonic did not end within {} s, or wrote without end", compile::LONGEST.as_secs()),
        Ended::With(status) => Ok(Some(status)),
    }
}
