//! What a bundle says to people: its README and its CITATION.cff. Pure text.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{dates, label::Label};
use crate::{
    analysis::Summary,
    machine::Environment,
    store::{Run, not_a_measurement},
    study::{Author, ModelSpec, Name, Person, parted},
};

pub const README: &str = "data/README.md";
pub const CITATION: &str = "data/CITATION.cff";

/// `data/README.md`. `files` are sizes by path of everything else in the payload.
///
/// # Errors
/// The environment's time is none.
pub fn readme(label: &Label, run: &Run, summary: &Summary, files: &BTreeMap<String, u64>) -> Result<String> {
    let environment = &run.environment;
    let or_unknown = |text: &Option<String>| text.as_deref().map_or_else(|| "not known".to_owned(), plain);
    let several = run.study.models.len() > 1;
    let of_model = |model: &ModelSpec| {
        let engine = if several { format!(" on {}", plain(model.engine.name())) } else { String::new() };
        format!("{} ({}){engine}", plain(&model.name), plain(model.packed(&model.source)))
    };
    let drafts = run.study.drafts.iter();
    let drafts = drafts.map(|drafter| format!("{} ({}), which drafts", plain(&drafter.id), plain(&drafter.source)));
    let models: Vec<String> = run.study.models.iter().map(of_model).chain(drafts).collect();
    let warning = match not_a_measurement(&run.study, environment) {
        Some(_) if run.study.is_fake() => {
            "\n**Made by an engine that computes nothing. Not a measurement.**\n".to_owned()
        }
        Some(why) => format!("\n**Not a measurement: {why}.**\n"),
        None => String::new(),
    };
    let mut text = format!(
        "# {title}\n{warning}\n\
         Results bundle `{name}`: {rows} runs, {well} of which ended well, and the paper made from them.\n\n\
         | | |\n|---|---|\n\
         | study | {study}, run {run_id}, measured {date} |\n\
         | model | {models} |\n\
         | machine | {chip}, {os}; backend `{backend}` |\n\
         | measured by | offprint {measured_by}, commit {commit} |\n\
         | bundled by | offprint {bundled_by} |\n\
         | licence | {licence}{of_text} |\n\n\
         ## How to check it\n\n\
         Every file is listed with its SHA-256 and SHA-512 in the manifests beside this folder, as BagIt (RFC 8493) says:\n\n    \
         cd .. && sha256sum -c manifest-sha256.txt && sha256sum -c tagmanifest-sha256.txt\n\n\
         `offprint verify` recomputes every number from the rows and renders the paper again; `offprint rerun` repeats the\n\
         measurement on your machine. Neither needs the other's result. The model's files are not in here; `model.sha256`\n\
         says which they were.\n\n\
         ## What is in it\n\n| file | bytes | what it is |\n|---|---|---|\n",
        title = plain(&run.study.title),
        name = label.name(),
        rows = summary.seen.measured,
        well = summary.seen.well,
        backend = plain(summary.seen.backends(None)),
        study = label.study,
        run_id = label.run_id,
        date = dates::date(run)?,
        models = models.join(", "),
        chip = or_unknown(&environment.chip.value),
        os = or_unknown(&environment.os.value),
        measured_by = plain(&environment.offprint_version),
        commit = or_unknown(&environment.git_commit.value),
        bundled_by = plain(&label.offprint_version),
        licence = plain(&label.licence),
        of_text = text_terms(environment),
    );
    for (path, bytes) in files {
        let inside = path.strip_prefix("data/").unwrap_or(path);
        text += &format!("| [{inside}]({inside}) | {bytes} | {} |\n", about(inside));
    }
    text += "\nTimes are integers in nanoseconds; `docs/FORMAT.md` of offprint describes each field.\n";
    Ok(text)
}

/// A text of others' that goes along is under its own terms, and not under the bundle's.
fn text_terms(environment: &Environment) -> String {
    let terms = environment.text.as_ref().and_then(|text| Some((&text.source, text.licence.as_ref()?)));
    terms.map_or_else(String::new, |(source, licence)| {
        format!("; not of `quality.txt`, which is {}, licence: {}", plain(source), plain(licence))
    })
}

/// What a file of the payload is, by its path under `data/`.
pub fn about(path: &str) -> &'static str {
    let (name, extension) = (path.rsplit('/').next().unwrap_or(path), path.rsplit('.').next().unwrap_or_default());
    match (path.split('/').next().unwrap_or_default(), name, extension) {
        (_, "bundle.json", _) => "what this bundle says it is",
        (_, "set.json", _) => "which bundles are in this set",
        ("members", _, "zip") => "an execution: a result bundle of its own",
        (_, "Cargo.lock", _) => "every library of the program that made this bundle, with its version",
        (_, "model.sha256", _) => "digests of the model's files",
        (_, "CITATION.cff", _) => "how to cite it",
        (_, ".zenodo.json", _) => "how Zenodo is to describe it",
        (_, "README.md", _) => "this page",
        (_, "study.yaml", _) => "the design: what was to be measured",
        (_, "environment.json", _) => "the machine, the software and the model, as they say of themselves",
        (_, "runs.jsonl", _) => "the records: a line a run, the time of every token",
        (_, "published.yaml", _) => "another document's values, to compare with",
        (_, "quality.jsonl", _) => "how well each model predicts the text: a line a window",
        (_, "quality.txt", _) => "the text that the models predict",
        (_, "claims.json", _) => "every number of the paper, with formula and runs",
        ("templates", ..) => "what the paper is made from",
        ("paper", _, "csv") => "a table, in full precision",
        ("paper", name, _) if name.starts_with("paper.") => "the paper",
        ("paper", ..) => "a figure",
        _ => "",
    }
}

/// `data/CITATION.cff` (Citation File Format 1.2.0).
///
/// # Errors
/// The environment's time is none.
pub fn citation(label: &Label, run: &Run) -> Result<String> {
    // A double-quoted YAML scalar takes every JSON string.
    let quoted = |text: &str| serde_json::to_string(text);
    let doi = match &run.study.doi {
        Some(doi) => format!("doi: {}\n", quoted(doi)?),
        None => String::new(),
    };
    let mut text = format!(
        "# Made by offprint bundle from the study and the records.\ncff-version: 1.2.0\nmessage: \"If you use these results, please cite them as below.\"\ntype: dataset\ntitle: {}\nversion: {}\ndate-released: {}\n{doi}license:\n",
        quoted(&run.study.title)?,
        quoted(&label.version)?,
        quoted(&dates::date(run)?)?,
    );
    for licence in licences(label) {
        text += &format!("  - {}\n", quoted(licence)?);
    }
    if let Some(why) = not_a_measurement(&run.study, &run.environment) {
        text += &format!("abstract: {}\n", quoted(&format!("Not a measurement: {why}."))?);
    }
    text += "authors:\n";
    for author in &run.study.authors {
        text += &person(author)?;
    }
    if run.study.authors.is_empty() {
        text += &format!("  - name: {}\n", quoted(&format!("The authors of the study {}", label.study))?);
    }
    if !run.study.keywords.is_empty() {
        text += "keywords:\n";
    }
    for keyword in &run.study.keywords {
        text += &format!("  - {}\n", quoted(keyword)?);
    }
    text += &format!(
        "identifiers:\n  - type: other\n    value: {}\n    description: \"the run and the SHA-256 of its records\"\n",
        quoted(&format!("{} sha256:{}", label.run_id, run.runs_sha256))?
    );
    Ok(text)
}

fn person(author: &Author) -> Result<String> {
    let known_as_person = author.affiliation.is_some() || author.orcid.is_some();
    let name = match parted(&author.name) {
        // Only a person works somewhere or has an ORCID iD.
        Name::Whole(family) if known_as_person => Name::Person(Person { family, ..Person::default() }),
        name => name,
    };
    let fields = match &name {
        Name::Person(Person { family, given, particle, suffix }) => {
            vec![("family-names", family), ("given-names", given), ("name-particle", particle), ("name-suffix", suffix)]
        }
        Name::Whole(name) => vec![("name", name)],
    };
    let orcid = author.orcid.as_ref().map_or_else(String::new, |orcid| format!("https://orcid.org/{orcid}"));
    let affiliation = author.affiliation.clone().unwrap_or_default();
    let all = fields.into_iter().chain([("affiliation", &affiliation), ("orcid", &orcid)]);
    let lines = all.filter(|(_, text)| !text.is_empty()).enumerate().map(|(place, (key, text))| {
        let start = if place == 0 { "  - " } else { "    " };
        Ok(format!("{start}{key}: {}\n", serde_json::to_string(text)?))
    });
    lines.collect()
}

/// SPDX identifiers of the licences to choose from.
pub fn licences(label: &Label) -> impl Iterator<Item = &str> {
    label.licence.split(" OR ")
}

/// One line of a Markdown table.
pub(super) fn plain(text: impl AsRef<str>) -> String {
    let harmless = |c: char| if c.is_control() || "|<>`".contains(c) { ' ' } else { c };
    text.as_ref().chars().map(harmless).collect()
}
