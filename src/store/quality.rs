//! `quality.jsonl` of a run folder: how well each model of the study predicts the text, all windows of a model at once. The text lies
//! beside it.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};

use super::{QUALITY, TEXT};
use crate::{machine::Environment, quality::QualityRow, study::Study};

/// The rows of a file's text, held to the study; `file` is its name in errors.
///
/// # Errors
/// A line that is no row, a model that the study has not, windows missing or twice.
pub fn rows(file: &str, text: &str, study: &Study) -> Result<Vec<QualityRow>> {
    let hint = "hint: the file was changed, or belongs to another study; restore it";
    let windows = study.quality.as_ref().map_or(0, |quality| quality.windows);
    let mut rows: Vec<QualityRow> = Vec::new();
    for (place, line) in text.lines().enumerate() {
        let at = || format!("{file}:{}\n{hint}", place + 1);
        let row: QualityRow = serde_json::from_str(line).with_context(at)?;
        row.check().with_context(at)?;
        ensure!(study.models.iter().any(|model| row.is_of(model)), "{}", at());
        rows.push(row);
    }
    for model in study.weights() {
        let of: Vec<&QualityRow> = rows.iter().filter(|row| row.is_of(model)).collect();
        let whole = of.iter().map(|row| row.window).eq(1..=windows);
        ensure!(of.is_empty() || whole, "{file}: {}: expected windows 1 to {windows}\n{hint}", model.weights());
        let base = study.base(model).and_then(|base| base.quantization.as_ref());
        let fits = of.iter().all(|row| row.against.as_ref().map(|against| &against.base) == base);
        ensure!(fits, "{file}: {}: it is not against the study's first level\n{hint}", model.weights());
        let Some(base) = study.base(model) else { continue };
        for row in of {
            // What a level says of its reference is what that says of itself, of the same tokens.
            let of_base = rows.iter().find(|other| other.is_of(base) && other.window == row.window);
            let Some((of_base, against)) = of_base.zip(row.against.as_ref()) else { continue };
            let mean = of_base.nll.iter().copied().map(f64::from).sum::<f64>() / of_base.nll.len() as f64;
            let same = of_base.ids_sha256 == row.ids_sha256 && (mean - against.mean_nll).abs() <= 1e-3 * mean.max(1.0);
            ensure!(
                same,
                "{file}: {}, window {}: its reference is not what it says\n{hint}",
                model.weights(),
                row.window
            );
        }
    }
    Ok(rows)
}

/// Is the copy of the text the one that the study asks for and the environment says?
///
/// # Errors
/// It is another.
pub fn text(bytes: &[u8], study: &Study, environment: &Environment) -> Result<()> {
    let Some((quality, facts)) = study.quality.as_ref().zip(environment.text.as_ref()) else { return Ok(()) };
    facts.check(bytes)?;
    quality.hub().map_or(Ok(()), |source| source.expects(&facts.sha256))
}

/// Of a run folder; none where there is no such file.
///
/// # Errors
/// As [`rows`].
pub fn read(folder: &Path, study: &Study, environment: &Environment) -> Result<Vec<QualityRow>> {
    if study.quality.is_some() && environment.text.is_some() {
        let copy = folder.join(TEXT);
        let at = || format!("{}", copy.display());
        text(&fs::read(&copy).with_context(at)?, study, environment).with_context(at)?;
    }
    let file = folder.join(QUALITY);
    if !file.is_file() {
        return Ok(Vec::new());
    }
    let name = file.display().to_string();
    let lines = fs::read_to_string(&file).context(name.clone())?;
    if study.quality.is_none() {
        bail!("{name}: the study has no `quality`\nhint: remove the file");
    }
    rows(&name, &lines, study)
}

/// Adds all windows of a model.
///
/// # Errors
/// A folder that cannot be written.
pub fn append(folder: &Path, rows: &[QualityRow]) -> Result<()> {
    let (file, making) = (folder.join(QUALITY), folder.join(format!(".{QUALITY}.tmp")));
    let mut text = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut text, row)?;
        text.push(b'\n');
    }
    // The file is replaced whole: a kill between two bytes would leave one that nobody reads.
    let write = || -> std::io::Result<()> {
        let before = if file.is_file() { fs::read(&file)? } else { Vec::new() };
        let mut new = File::create(&making)?;
        new.write_all(&before)?;
        new.write_all(&text)?;
        new.sync_all()?;
        fs::rename(&making, &file)
    };
    write().with_context(|| format!("{}\nhint: is the folder writable, and is there space?", file.display()))
}
