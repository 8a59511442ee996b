//! `paper.tex` in a folder -> `paper-tex.pdf` beside it, by the TeX engine that is installed.

use std::{fs, io::ErrorKind, path::Path, process::Command};

use anyhow::{Context, Result, ensure};

use super::folder::TEX_PDF;

/// There is no TeX engine.
#[derive(Debug, thiserror::Error)]
#[error("neither latexmk nor tectonic is installed; everything else is made")]
pub struct NoEngine;

/// Typesets `paper.tex` in `folder`, all auxiliary files apart. `shown` is its name in errors. Returns the engine's name.
///
/// # Errors
/// [`NoEngine`], or what TeX complains of.
pub fn typeset(folder: &Path, shown: &Path) -> Result<&'static str> {
    let engines: [(&str, &[&str]); 2] = [
        ("latexmk", &["-pdf", "-interaction=nonstopmode", "-halt-on-error", "-output-directory=.tex", "paper.tex"]),
        ("tectonic", &["--outdir", ".tex", "paper.tex"]),
    ];
    let made = folder.join(".tex");
    fs::create_dir_all(&made).with_context(|| format!("{}", made.display()))?;
    let result = engines.into_iter().find_map(|(engine, arguments)| {
        // The document's date is the records', not today's, so the same records give the same PDF.
        let output = Command::new(engine)
            .args(arguments)
            .current_dir(folder)
            .env("SOURCE_DATE_EPOCH", "0")
            .env("FORCE_SOURCE_DATE", "1")
            .output();
        match output {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            other => Some((engine, other)),
        }
    });
    let Some((engine, output)) = result else { return Err(NoEngine.into()) };
    let output = output.with_context(|| engine.to_owned())?;
    let said = String::from_utf8_lossy(&output.stdout);
    let errors: Vec<&str> = said.lines().filter(|line| line.starts_with('!')).collect();
    ensure!(
        output.status.success(),
        "{engine} cannot typeset {}: {}\nhint: run it there by hand to see more; all other files are written",
        shown.display(),
        errors.join("; ")
    );
    fs::rename(made.join("paper.pdf"), folder.join(TEX_PDF)).context(TEX_PDF)?;
    Ok(engine)
}
