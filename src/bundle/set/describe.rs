//! What describes a set: its README, how to cite it, and the crate, whose parts are the members.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::{
    bundle::{
        content::Files,
        dates,
        json::{Json, id, list, object, text},
        label::Label,
        places::{CRATE, PAPER, TEMPLATES, ZENODO},
        provenance::{self, inside},
        readme::{self, CITATION, README, about, plain},
        set_label::SetLabel,
        zenodo,
    },
    machine::Fact,
    set::Set,
    store::{Run, not_a_measurement},
};

/// The run that stands for all: what the study says of itself is the same in each. Its day is the last member's, so that the same
/// members give the same bytes.
pub(super) fn face(label: &Label, set: &Set) -> Run {
    let mut run = set.first().run.clone();
    run.run_id.clone_from(&label.run_id);
    run.runs_sha256.clone_from(&set.sha256);
    let days = set.members().iter().map(|member| &member.run.environment.captured_at);
    if let Some(last) = days.max() {
        run.environment.captured_at.clone_from(last);
    }
    run
}

/// Files of a paper, where a set has them.
pub(super) fn in_paper(files: Files) -> Files {
    files.into_iter().map(|(path, bytes)| (format!("{PAPER}{path}"), bytes)).collect()
}

/// All that is made beside a paper; `given` are sizes by path of what was given, `files` what else was made.
///
/// # Errors
/// Times that are none.
pub(super) fn described(label: &SetLabel, set: &Set, given: &BTreeMap<String, u64>, mut files: Files) -> Result<Files> {
    let own = label.as_label();
    let run = face(&own, set);
    for path in [README, CRATE] {
        files.remove(path);
    }
    files.insert(CITATION.to_owned(), readme::citation(&own, &run)?.into_bytes());
    files.insert(ZENODO.to_owned(), zenodo::metadata(&own, &run)?);
    let mut sizes = given.clone();
    sizes.extend(files.iter().map(|(path, bytes)| (path.clone(), bytes.len() as u64)));
    let page = page(label, set, &run, &sizes)?;
    sizes.insert(README.to_owned(), page.len() as u64);
    files.insert(README.to_owned(), page.into_bytes());
    files.insert(CRATE.to_owned(), metadata(label, set, &run, &sizes)?);
    Ok(files)
}

fn known(fact: &Fact<String>) -> String {
    plain(fact.value.as_deref().unwrap_or("not known"))
}

fn page(label: &SetLabel, set: &Set, run: &Run, files: &BTreeMap<String, u64>) -> Result<String> {
    let why = not_a_measurement(&run.study, &run.environment);
    let warning = why.map_or_else(String::new, |why| format!("\n**Not a measurement: {why}.**\n"));
    let paper = if files.keys().any(|path| path.starts_with(PAPER)) { ", and the paper about them" } else { "" };
    let mut page = format!(
        "# {title}\n{warning}\n\
         A set of {members} executions of the study {study}, on {machines}{paper}. Each member is a whole result bundle, unchanged.\n\n\
         | | |\n|---|---|\n\
         | reference | {reference} |\n\
         | last day of measurement | {date} |\n\
         | put together by | offprint {by} |\n\
         | licence | {licence} |\n\n\
         | member | machine | begin | SHA-256 |\n|---|---|---|---|\n",
        title = plain(&run.study.title),
        members = label.members.len(),
        study = label.study,
        machines = match set.labels().len() {
            1 => "1 machine".to_owned(),
            several => format!("{several} machines"),
        },
        reference = label.reference,
        date = dates::date(run)?,
        by = plain(&label.offprint_version),
        licence = plain(&label.licence),
    );
    for member in set.members() {
        let environment = &member.run.environment;
        let (chip, begin) = (known(&environment.chip), plain(&environment.captured_at));
        page += &format!("| {} | {chip} | {begin} | `{}` |\n", member.name(), member.sha256);
    }
    page += "\n## How to check it\n\n\
         Every file is listed with its SHA-256 and SHA-512 in the manifests beside this folder, as BagIt (RFC 8493) says:\n\n    \
         cd .. && sha256sum -c manifest-sha256.txt && sha256sum -c tagmanifest-sha256.txt\n\n\
         `offprint verify` checks each member as it would alone, that all executed one plan with the same weights, and makes\n\
         every number of the paper again.\n\n\
         ## What is in it\n\n| file | bytes | what it is |\n|---|---|---|\n";
    for (path, bytes) in files {
        let inside = inside(path);
        page += &format!("| [{inside}]({inside}) | {bytes} | {} |\n", about(inside));
    }
    Ok(page)
}

/// An RO-Crate: the set has the members as parts, each with the action that made it.
fn metadata(label: &SetLabel, set: &Set, run: &Run, files: &BTreeMap<String, u64>) -> Result<Vec<u8>> {
    let own = label.as_label();
    let executions: Vec<String> =
        set.members().iter().map(|member| format!("#execution-{}-{}", member.machine, member.session)).collect();
    let mut mentions: Vec<Json> = executions.iter().map(id).collect();
    let has_paper = files.keys().any(|path| path.starts_with(PAPER));
    if has_paper {
        mentions.push(id("#typesetting"));
    }
    let description = format!(
        "{} executions of the study {} on {} machines, each as a bundle of its own: set {}",
        label.members.len(),
        label.study,
        set.labels().len(),
        own.name()
    );
    let mut graph = vec![
        provenance::descriptor(),
        provenance::root(&own, run, files, (description, mentions))?,
        provenance::profile(),
    ];
    graph.extend(provenance::people(run));
    graph.extend(readme::licences(&own).map(provenance::licence));
    graph.push(object([
        ("@id", text("#offprint")),
        ("@type", text("SoftwareApplication")),
        ("name", text("offprint")),
        ("softwareVersion", text(&label.offprint_version)),
    ]));
    for (machine, members) in set.machines() {
        let environment = &members[0].run.environment;
        graph.push(object([
            ("@id", text(format!("#machine-{machine}"))),
            ("@type", text("IndividualProduct")),
            ("name", text(known(&environment.chip))),
            ("description", text(format!("{machine}: {}, {}", known(&environment.machine_model), environment.arch))),
        ]));
    }
    for ((entry, own), member) in label.members.iter().zip(&executions).zip(set.members()) {
        let (begin, end) = (&member.run.environment.captured_at, member.summary.seen.ended);
        let name = format!("Execution of {} runs, {}", member.summary.seen.measured, member.name());
        let (objects, results) = (vec![id(format!("#machine-{}", entry.machine))], vec![id(inside(&entry.path()))]);
        let mut fields = provenance::action(own, name, run, objects, results);
        let started = dates::instant(begin)?;
        let end = end.map_or(started, |end| end.max(started));
        let end = end.round(jiff::Unit::Second).unwrap_or(end);
        fields.extend([("startTime", text(begin)), ("endTime", text(end.to_string()))]);
        graph.push(object(fields));
    }
    if has_paper {
        let given = |path: &&String| path.starts_with(TEMPLATES) || path.starts_with("data/members/");
        let objects = files.keys().filter(given).map(|path| id(inside(path))).collect();
        let results = files.keys().filter(|path| path.starts_with(PAPER)).map(|path| id(inside(path))).collect();
        let name = format!("Paper from {} executions", label.members.len());
        let mut fields = provenance::action("#typesetting", name, run, objects, results);
        fields.push(("endTime", text(dates::date(run)?)));
        graph.push(object(fields));
    }
    graph.extend(files.iter().map(|(path, bytes)| provenance::file(path, *bytes)));
    let context = text("https://w3id.org/ro/crate/1.1/context");
    object([("@context", context), ("@graph", list(graph))]).bytes()
}
