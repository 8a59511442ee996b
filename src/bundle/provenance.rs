//! `data/ro-crate-metadata.json`: the payload as an RO-Crate 1.1 with the Process Run Crate profile 0.5. People, licence,
//! program, model and machine; the execution and the making of the paper as actions with what went in and what came out.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{
    dates,
    json::{Json, id, list, object, text},
    label::{LABEL, Label},
    places::{CRATE, LOCK, MODEL, PAPER, TEMPLATES},
    readme::{CITATION, README, about, licences},
};
use crate::{
    analysis::Seen,
    machine::Fact,
    store::{Run, not_a_measurement},
};

const PROFILE: &str = "https://w3id.org/ro/wfrun/process/0.5";

/// The file's bytes; `files` are sizes by path of everything else in the payload.
///
/// # Errors
/// A time of the records is none.
pub fn metadata(label: &Label, run: &Run, seen: &Seen, files: &BTreeMap<String, u64>) -> Result<Vec<u8>> {
    let said = format!("Records of the study {}, and the paper made from them: bundle {}", label.study, label.name());
    let mentions = vec![id("#execution"), id("#typesetting")];
    let mut graph = vec![descriptor(), root(label, run, files, (said, mentions))?, profile()];
    graph.extend(people(run));
    graph.extend(licences(label).map(licence));
    graph.extend([program(run), machine(run)]);
    graph.extend(run.environment.checkpoints.iter().enumerate().map(|(index, checkpoint)| {
        object([
            ("@id", text(model_id(index))),
            ("@type", text("CreativeWork")),
            ("name", text(&checkpoint.model)),
            (
                "description",
                text(format!(
                    "{}, {} bytes of weights; not in this crate, digests in model.sha256",
                    checkpoint.source, checkpoint.weight_bytes
                )),
            ),
            ("identifier", text(&checkpoint.source)),
        ])
    }));
    graph.extend([execution(label, run, seen)?, typesetting(label, run, files)?]);
    graph.extend(files.iter().map(|(path, bytes)| file(path, *bytes)));
    let context = text("https://w3id.org/ro/crate/1.1/context");
    object([("@context", context), ("@graph", list(graph))]).bytes()
}

pub(super) fn inside(path: &str) -> &str {
    path.strip_prefix("data/").unwrap_or(path)
}

pub(super) fn descriptor() -> Json {
    object([
        ("@id", text(inside(CRATE))),
        ("@type", text("CreativeWork")),
        ("about", id("./")),
        ("conformsTo", id("https://w3id.org/ro/crate/1.1")),
    ])
}

/// The crate itself; `said` is what it is, in a sentence, and the actions that it mentions.
pub(super) fn root(
    label: &Label,
    run: &Run,
    files: &BTreeMap<String, u64>,
    (said, mentions): (String, Vec<Json>),
) -> Result<Json> {
    let warning = not_a_measurement(&run.study, &run.environment)
        .map_or_else(String::new, |why| format!("Not a measurement: {why}. "));
    let mut fields = vec![
        ("@id", text("./")),
        ("@type", text("Dataset")),
        ("conformsTo", list([id(PROFILE)])),
        ("name", text(&run.study.title)),
        ("description", text(format!("{warning}{said}"))),
        ("datePublished", text(dates::date(run)?)),
        ("identifier", one_or_list(identifiers(label, run))),
        ("version", text(&label.version)),
        ("keywords", text(run.study.keywords.join(", "))),
        ("license", one_or_list(licences(label).map(|licence| id(licence_url(licence))))),
        ("hasPart", list(files.keys().map(|path| id(inside(path))))),
        ("mentions", list(mentions)),
    ];
    if !run.study.authors.is_empty() {
        fields.push(("author", list(people_ids(run).into_iter().map(id))));
    }
    Ok(object(fields))
}

/// The archive's name, and its address where a DOI is reserved.
fn identifiers(label: &Label, run: &Run) -> impl Iterator<Item = Json> {
    let doi = run.study.doi.as_ref().map(|doi| text(format!("https://doi.org/{doi}")));
    [Some(text(label.name())), doi].into_iter().flatten()
}

fn one_or_list(items: impl Iterator<Item = Json>) -> Json {
    let mut items: Vec<Json> = items.collect();
    if items.len() == 1 { items.remove(0) } else { Json::List(items) }
}

pub(super) fn profile() -> Json {
    object([
        ("@id", text(PROFILE)),
        ("@type", text("CreativeWork")),
        ("name", text("Process Run Crate")),
        ("version", text("0.5")),
    ])
}

fn people_ids(run: &Run) -> Vec<String> {
    let person = |(index, author): (usize, &crate::study::Author)| match &author.orcid {
        Some(orcid) => format!("https://orcid.org/{orcid}"),
        None => format!("#author-{}", index + 1),
    };
    run.study.authors.iter().enumerate().map(person).collect()
}

pub(super) fn people(run: &Run) -> Vec<Json> {
    let mut found = Vec::new();
    for (index, (author, own)) in run.study.authors.iter().zip(people_ids(run)).enumerate() {
        let mut fields = vec![("@id", text(own)), ("@type", text("Person")), ("name", text(&author.name))];
        if let Some(affiliation) = &author.affiliation {
            let organisation = format!("#affiliation-{}", index + 1);
            fields.push(("affiliation", id(&organisation)));
            found.push(object([
                ("@id", text(organisation)),
                ("@type", text("Organization")),
                ("name", text(affiliation)),
            ]));
        }
        found.push(object(fields));
    }
    found
}

fn licence_url(spdx: &str) -> String {
    format!("https://spdx.org/licenses/{spdx}")
}

pub(super) fn licence(spdx: &str) -> Json {
    object([
        ("@id", text(licence_url(spdx))),
        ("@type", text("CreativeWork")),
        ("name", text(spdx)),
        ("identifier", text(spdx)),
    ])
}

fn known(fact: &Fact<String>) -> &str {
    fact.value.as_deref().unwrap_or("not known")
}

fn program(run: &Run) -> Json {
    let environment = &run.environment;
    let libraries: Vec<String> =
        environment.libraries.iter().map(|(name, version)| format!("{name} {version}")).collect();
    object([
        ("@id", text("#offprint")),
        ("@type", text("SoftwareApplication")),
        ("name", text("offprint")),
        ("softwareVersion", text(&environment.offprint_version)),
        ("description", text(format!("commit {}; built by {}", known(&environment.git_commit), environment.rustc))),
        ("softwareRequirements", text(libraries.join(", "))),
        ("operatingSystem", text(known(&environment.os))),
    ])
}

fn machine(run: &Run) -> Json {
    let environment = &run.environment;
    object([
        ("@id", text("#machine")),
        ("@type", text("IndividualProduct")),
        ("name", text(known(&environment.chip))),
        (
            "description",
            text(format!(
                "{}, {}, {}; every fact in environment.json",
                known(&environment.machine_model),
                environment.arch,
                known(&environment.kernel)
            )),
        ),
    ])
}

fn model_id(index: usize) -> String {
    format!("#model-{}", index + 1)
}

pub(super) fn action(
    own: &str,
    name: String,
    run: &Run,
    objects: Vec<Json>,
    results: Vec<Json>,
) -> Vec<(&'static str, Json)> {
    let mut fields = vec![
        ("@id", text(own)),
        ("@type", text("CreateAction")),
        ("name", text(name)),
        ("instrument", id("#offprint")),
        ("object", list(objects)),
        ("result", list(results)),
        ("actionStatus", id("http://schema.org/CompletedActionStatus")),
    ];
    if let [first, ..] = people_ids(run).as_slice() {
        fields.push(("agent", id(first)));
    }
    fields
}

/// The runs, as one action: from the environment's capture to the end of the last run.
fn execution(label: &Label, run: &Run, seen: &Seen) -> Result<Json> {
    let captured = dates::instant(&run.environment.captured_at)?;
    let end = seen.ended.map_or(captured, |ended| ended.max(captured));
    let end = end.round(jiff::Unit::Second).unwrap_or(end);
    let own = |name: &str| id(inside(&label.run_file(name)));
    let mut objects = vec![own("study.yaml"), id("#machine")];
    objects.extend((0..run.environment.checkpoints.len()).map(|index| id(model_id(index))));
    let name = format!("Execution of {} runs on {}", seen.measured, known(&run.environment.chip));
    let mut fields = action("#execution", name, run, objects, vec![own("runs.jsonl"), own("environment.json")]);
    fields.extend([("startTime", text(&run.environment.captured_at)), ("endTime", text(end.to_string()))]);
    Ok(object(fields))
}

/// The paper's making. Its date is the records': it may be repeated at any time with the same result.
fn typesetting(label: &Label, run: &Run, files: &BTreeMap<String, u64>) -> Result<Json> {
    let given = |path: &&String| path.starts_with(TEMPLATES) || path.starts_with("data/results/");
    let objects = files.keys().filter(given).map(|path| id(inside(path))).collect();
    let results = files.keys().filter(|path| path.starts_with(PAPER)).map(|path| id(inside(path))).collect();
    let mut fields =
        action("#typesetting", format!("Paper from the records of {}", label.run_id), run, objects, results);
    fields.push(("endTime", text(dates::date(run)?)));
    Ok(object(fields))
}

pub(super) fn file(path: &str, bytes: u64) -> Json {
    let kind = match path.rsplit('.').next().unwrap_or_default() {
        _ if path == LABEL => "application/json",
        _ if path == LOCK => "application/toml",
        _ if path == MODEL => "text/plain",
        _ if path == README => "text/markdown",
        _ if path == CITATION => "application/yaml",
        "md" => "text/markdown",
        "json" => "application/json",
        "jsonl" => "application/jsonl",
        "yaml" => "application/yaml",
        "csv" => "text/csv",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "pdf" => "application/pdf",
        "html" => "text/html",
        "tex" => "application/x-tex",
        "typ" => "text/plain",
        "bib" => "application/x-bibtex",
        "zip" => "application/zip",
        _ => "application/octet-stream",
    };
    object([
        ("@id", text(inside(path))),
        ("@type", text("File")),
        ("name", text(inside(path))),
        ("description", text(about(inside(path)))),
        ("contentSize", text(bytes.to_string())),
        ("encodingFormat", text(kind)),
    ])
}
