//! A run folder -> an archive. The same folder, paper and program give the same bytes on any machine.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, ensure};
use ssh_key::PrivateKey;

use super::{
    archive, bag,
    content::{self, PAPER},
    label::{BUNDLE_SCHEMA, Label, check_version},
    signature,
};
use crate::{
    machine,
    paper::Templates,
    store::{BASELINE, Run},
};

/// What is to be bundled.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The run folder.
    pub run: &'a Path,
    pub version: &'a str,
    pub licence: &'a str,
    /// The folder of the paper, of which the PDF is taken if it is the paper of this run.
    pub paper: &'a Path,
    pub key: Option<&'a PrivateKey>,
}

/// A bundle that is not on the disk yet.
#[derive(Debug)]
pub struct Made {
    pub label: Label,
    pub archive: Vec<u8>,
    /// Why it holds no PDF.
    pub no_pdf: Option<String>,
}

/// Makes the archive in memory.
///
/// # Errors
/// A run that is not complete, a version that is none, prose that does not fit.
pub fn make(order: &Order<'_>) -> Result<Made> {
    check_version(order.version)?;
    let good = |c: char| c.is_ascii_alphanumeric() || "-.+".contains(c);
    ensure!(
        order.licence.split(" OR ").all(|licence| !licence.is_empty() && licence.chars().all(good)),
        "licence: expected SPDX identifiers, found `{}`\nhint: CC-BY-4.0, or several: MIT OR Apache-2.0",
        order.licence
    );
    let folder = order.run;
    let run = Run::open(folder)?;
    ensure!(
        run.is_complete(),
        "{}: not every planned run has its row\nhint: offprint run --resume goes on",
        folder.display()
    );
    let mut run_files = records(folder, "")?;
    if let Some(baseline) = &run.baseline {
        let inside = format!("{BASELINE}/{}/", baseline.run_id);
        run_files.extend(records(&folder.join(&inside), &inside)?);
    }
    let label = Label {
        schema: BUNDLE_SCHEMA.to_owned(),
        study: run.study.name.clone(),
        version: order.version.to_owned(),
        run_id: run.run_id.clone(),
        licence: order.licence.to_owned(),
        offprint_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    // Read back as a reader will, so that no name gets in that would be refused later.
    Label::from_json(&folder.display().to_string(), &label.to_json()?)
        .with_context(|| "the folder's name goes into the bundle\nhint: letters, digits, `-`, `_` and dots")?;

    let templates = Templates::own();
    let mut payload = content::given(&label, run_files, &templates, machine::CARGO_LOCK)?;
    let sizes = |files: &BTreeMap<String, Vec<u8>>| {
        files.iter().map(|(path, bytes)| (path.clone(), bytes.len() as u64)).collect()
    };
    let made = content::made(&label, &run, &templates, &sizes(&payload))?;
    let no_pdf = match pdf(order.paper, &made) {
        Ok(bytes) => {
            payload.insert(content::PDF.to_owned(), bytes);
            None
        }
        Err(reason) => Some(reason),
    };
    let described = if no_pdf.is_none() { content::described(&label, &run, &sizes(&payload), made)? } else { made };
    payload.extend(described);
    let date = content::date(&run)?;
    let sign = order.key.map(|key| move |message: &[u8]| signature::sign(key, message));
    let sign = sign.as_ref().map(|sign| sign as &bag::Sign<'_>);
    let bag = bag::pack(&label, &run, &date, payload, sign)?;
    let named = bag.into_iter().map(|(path, bytes)| (format!("{}/{path}", label.name()), bytes)).collect();
    let mut bytes = Vec::new();
    archive::write(&mut bytes, &named)?;
    Ok(Made { label, archive: bytes, no_pdf })
}

/// The records in `folder`, named with `prefix`.
fn records(folder: &Path, prefix: &str) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for name in content::RECORDS {
        let file = folder.join(name);
        if name == "published.yaml" && !file.is_file() {
            continue;
        }
        let bytes = fs::read(&file).with_context(|| file.display().to_string())?;
        ensure!(
            name != "runs.jsonl" || bytes.ends_with(b"\n"),
            "{}: its last line is cut\nhint: offprint run --resume mends it",
            file.display()
        );
        files.insert(format!("{prefix}{name}"), bytes);
    }
    Ok(files)
}

/// The PDF beside a paper that is this run's.
fn pdf(folder: &Path, made: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, String> {
    let hint = "offprint report --run DIR makes it where a TeX engine is installed; then bundle again with --paper";
    for name in ["claims.json", "paper.tex"] {
        let own = made.get(&format!("{PAPER}{name}"));
        let found =
            fs::read(folder.join(name)).map_err(|error| format!("{}: {error}; {hint}", folder.join(name).display()))?;
        if own != Some(&found) {
            return Err(format!("{} is not this run's; {hint}", folder.join(name).display()));
        }
    }
    let file = folder.join("paper.pdf");
    fs::read(&file).map_err(|error| format!("{}: {error}; {hint}", file.display()))
}
