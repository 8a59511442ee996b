//! What a bundle holds: what was given (study, records, templates, ...), and what is made from it (claims, paper, and what
//! describes the bundle). Pure: the same given files make the same others, so `verify` makes them again.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{
    archive::Content,
    label::{LABEL, Label},
    places::{CRATE, LOCK, MODEL, PAPER, TEMPLATES, ZENODO},
    provenance, readme, zenodo,
};
use crate::{
    analysis::Summary,
    claims::Claims,
    paper::{self, Templates},
    store::{BASELINE, Run},
};

/// What a run folder's records are, those of a baseline in it included; those from the fourth on are not in every run.
pub const RECORDS: [&str; 7] =
    ["study.yaml", "environment.json", "runs.jsonl", "published.yaml", "quality.jsonl", "quality.txt", "energy.jsonl"];

/// Is the file one of the run's, or of its baseline's?
pub fn is_record(label: &Label, path: &str) -> bool {
    let folder = label.run_file("");
    let parts: Vec<&str> = path.strip_prefix(&folder).unwrap_or_default().split('/').collect();
    matches!(parts[..], [name] | [BASELINE, _, name] if RECORDS.contains(&name))
}

/// The given files by path: the label, those of the run folder by name, the templates, the program's lock file. A PDF may
/// join them.
///
/// # Errors
/// None that a value here can cause.
pub fn given(
    label: &Label,
    run_files: BTreeMap<String, Content>,
    templates: &Templates,
    cargo_lock: &str,
) -> Result<BTreeMap<String, Content>> {
    let text = |text: &str| Content::Memory(text.into());
    let mut files = BTreeMap::from([(LABEL.to_owned(), text(&label.to_json()?)), (LOCK.to_owned(), text(cargo_lock))]);
    files.extend(run_files.into_iter().map(|(name, content)| (label.run_file(&name), content)));
    files.extend(templates.files().iter().map(|(path, inside)| (format!("{TEMPLATES}{path}"), text(inside))));
    Ok(files)
}

/// Files by path.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Everything that is made from the given files; of those, only sizes are needed beyond what was read from them. The rows
/// themselves are needed where the run has a baseline; else `summary` stands for them, and `claims` are theirs.
///
/// # Errors
/// Prose that does not fit the claims, times that are none.
pub fn made(
    label: &Label,
    run: &Run,
    summary: &Summary,
    claims: &Claims,
    templates: &Templates,
    given: &BTreeMap<String, u64>,
) -> Result<Files> {
    let mut files = paper(run, summary, claims, templates)?;
    files.extend(beside(label, run)?);
    described(label, run, summary, given, files)
}

/// The paper with its claims, tables and figures.
///
/// # Errors
/// Prose that does not fit the claims.
pub fn paper(run: &Run, summary: &Summary, claims: &Claims, templates: &Templates) -> Result<Files> {
    Ok(in_paper(paper::files(run, summary, claims, templates)?))
}

/// Tables and figures alone, which need no prose.
///
/// # Errors
/// A drawing library fails.
pub fn exhibits(run: &Run, summary: &Summary, templates: &Templates) -> Result<Files> {
    let own = paper::figures_of(templates)?;
    Ok(in_paper(paper::exhibits(run, summary, own.as_ref())?))
}

fn in_paper(files: Files) -> Files {
    files.into_iter().map(|(path, bytes)| (format!("{PAPER}{path}"), bytes)).collect()
}

/// What stands beside the paper: digests of the model, and how to cite the bundle.
///
/// # Errors
/// Times that are none.
pub fn beside(label: &Label, run: &Run) -> Result<Files> {
    Ok(BTreeMap::from([
        (MODEL.to_owned(), model(run).into_bytes()),
        (readme::CITATION.to_owned(), readme::citation(label, run)?.into_bytes()),
        (ZENODO.to_owned(), zenodo::metadata(label, run)?),
    ]))
}

/// `files` with what describes all others: the README, and the crate's metadata.
///
/// # Errors
/// Times that are none.
pub fn described(
    label: &Label,
    run: &Run,
    summary: &Summary,
    given: &BTreeMap<String, u64>,
    mut files: Files,
) -> Result<Files> {
    for path in [readme::README, CRATE] {
        files.remove(path);
    }
    let mut sizes = given.clone();
    sizes.extend(files.iter().map(|(path, bytes)| (path.clone(), bytes.len() as u64)));
    let text = readme::readme(label, run, summary, &sizes)?;
    sizes.insert(readme::README.to_owned(), text.len() as u64);
    files.insert(readme::README.to_owned(), text.into_bytes());
    files.insert(CRATE.to_owned(), provenance::metadata(label, run, &summary.seen, &sizes)?);
    Ok(files)
}

fn model(run: &Run) -> String {
    let checkpoints = &run.environment.checkpoints;
    let files = checkpoints.iter().flat_map(|checkpoint| {
        // Several levels and models that draft have files of one name.
        let own = checkpoint.recipe.as_ref().or_else(|| checkpoint.drafts.then_some(&checkpoint.model));
        let folder = own.map_or_else(String::new, |own| format!("{own}/"));
        checkpoint.files.iter().map(move |(name, sha256)| format!("{sha256}  {folder}{name}\n"))
    });
    files.collect()
}
