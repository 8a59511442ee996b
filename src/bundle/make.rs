//! A run folder -> an archive. The same folder, paper and program give the same bytes on any machine.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use ssh_key::PrivateKey;

use super::{
    archive::{self, Content, Input},
    bag, content, dates, difference, fixity,
    label::{BUNDLE_SCHEMA, Label, check_version},
    open::Bundle,
    pdf,
    places::{PAPER, PDF},
    problem::{Check, Problem},
    signature,
};
use crate::{
    claims::{
        Claims,
        agree::{Agreement, Edition},
    },
    digest,
    evidence::Evidence,
    machine,
    paper::Templates,
    quality::TextFacts,
    ranges::Ranges,
    record::{Phase, RunRecord},
    store::{BASELINE, Run},
    study::Plan,
    typesetter::{Fault, SOURCE, Typesetter},
};

/// What is to be bundled.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The run folder.
    pub run: &'a Path,
    /// What its paper is made from.
    pub templates: &'a Templates,
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
    /// Why it holds no PDF.
    pub no_pdf: Option<String>,
    /// The text that goes along, where models were to predict one.
    pub text: Option<TextFacts>,
    /// SHA-256 of the rows that the paper was made from.
    runs_sha256: String,
    /// By path in the archive.
    files: BTreeMap<String, Input>,
}

impl Made {
    /// Writes the archive.
    ///
    /// # Errors
    /// The run folder has changed since, or what `out` says.
    pub fn write(&self, out: &mut impl Write) -> Result<()> {
        archive::write(out, &self.files)
    }

    /// What is wrong with the archive as it lies on the disk. Its rows were held to plan and ranges while they were read, and
    /// what is made from them was made here: what is left to go wrong are bytes.
    pub fn faults(&self, written: &Bundle) -> Vec<Problem> {
        let (known, fixity) = fixity::check(written);
        let mut problems = [written.problems(), &fixity].concat();
        let file = self.label.run_file("runs.jsonl");
        let found = known.get(&file).map_or("no such file", |digests| &digests.hex[0]);
        if found != self.runs_sha256 {
            let expected = format!("the rows that the paper is made from, SHA-256 {}", self.runs_sha256);
            problems.push(Problem::new(Check::Fixity, &file, expected, found));
        }
        problems
    }
}

/// The run with its summary, refused where `verify` would find fault with a row.
fn read(folder: &Path, own: Option<&str>) -> Result<Evidence> {
    let (mut ranges, mut last) = (None, None);
    let evidence = Evidence::read(folder, false, own, |study, environment, row| {
        let ranges = ranges.get_or_insert_with(|| Ranges::new(study, environment));
        refuse(ranges, row)?;
        if row.phase == Phase::Measured && last.replace(row.order).is_some_and(|last| last >= row.order) {
            bail!("run {}: rows are not in the order of execution", row.run);
        }
        Ok(())
    })
    .with_context(|| format!("{}: nothing was written", folder.display()))?;
    if let Some(baseline) = &evidence.run.baseline {
        let mut ranges = Ranges::new(&baseline.study, &baseline.environment);
        let mut rows = baseline.records.iter();
        rows.try_for_each(|row| refuse(&mut ranges, row)).with_context(|| baseline.folder.display().to_string())?;
    }
    Ok(evidence)
}

fn refuse(ranges: &mut Ranges, row: &RunRecord) -> Result<()> {
    match ranges.misfits(row).first() {
        None => Ok(()),
        Some((expected, found)) => bail!(
            "the bundle would not pass verify: run {}: expected {expected}, found {found}
hint: mend the run folder",
            row.run
        ),
    }
}

/// Makes all files of a bundle. Memory is what is made: rows stay on the disk.
///
/// # Errors
/// A run that is not complete, a version that is none, prose that does not fit.
pub fn make(order: &Order<'_>) -> Result<Made> {
    check_version(order.version)?;
    check_licence(order.licence)?;
    let folder = order.run;
    let Evidence { run, summary, claims } = read(folder, order.templates.claims())?;
    ensure!(
        summary.seen.measured as usize == Plan::of(&run.study).runs.len(),
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

    let mut payload = content::given(&label, run_files, order.templates, machine::CARGO_LOCK)?;
    let mut sizes = sizes(&payload)?;
    let made = content::made(&label, &run, &summary, &claims, order.templates, &sizes)?;
    let no_pdf = match pdf(order.paper, &run, &claims, &made) {
        Ok(bytes) => {
            sizes.insert(PDF.to_owned(), bytes.len() as u64);
            payload.insert(PDF.to_owned(), Content::Memory(bytes));
            None
        }
        Err(reason) => Some(reason),
    };
    let described = if no_pdf.is_none() { content::described(&label, &run, &summary, &sizes, made)? } else { made };
    payload.extend(described.into_iter().map(|(path, bytes)| (path, Content::Memory(bytes))));
    let date = dates::date(&run)?;
    let sign = order.key.map(|key| move |message: &[u8]| signature::sign(key, message));
    let sign = sign.as_ref().map(|sign| sign as &bag::Sign<'_>);
    let bag = bag::pack(&label, &run, &date, payload, sign)?;
    let files = bag.into_iter().map(|(path, file)| (format!("{}/{path}", label.name()), file)).collect();
    Ok(Made { text: run.environment.text, label, no_pdf, runs_sha256: run.runs_sha256, files })
}

/// # Errors
/// What is not SPDX identifiers, joined by ` OR `.
pub(super) fn check_licence(licence: &str) -> Result<()> {
    let good = |c: char| c.is_ascii_alphanumeric() || "-.+".contains(c);
    ensure!(
        licence.split(" OR ").all(|licence| !licence.is_empty() && licence.chars().all(good)),
        "licence: expected SPDX identifiers, found `{licence}`\nhint: CC-BY-4.0, or several: MIT OR Apache-2.0"
    );
    Ok(())
}

/// Bytes by path.
pub(super) fn sizes(files: &BTreeMap<String, Content>) -> Result<BTreeMap<String, u64>> {
    files.iter().map(|(path, content)| Ok((path.clone(), content.bytes()?))).collect()
}

/// The records in `folder`, named with `prefix`.
fn records(folder: &Path, prefix: &str) -> Result<BTreeMap<String, Content>> {
    let mut files = BTreeMap::new();
    for (place, name) in content::RECORDS.into_iter().enumerate() {
        let file = folder.join(name);
        if place > 2 && !file.is_file() {
            continue;
        }
        ensure!(
            !name.ends_with(".jsonl") || ends_a_line(&file).with_context(|| file.display().to_string())?,
            "{}: its last line is cut\nhint: offprint run --resume mends it",
            file.display()
        );
        files.insert(format!("{prefix}{name}"), Content::Disk(file));
    }
    Ok(files)
}

fn ends_a_line(file: &Path) -> io::Result<bool> {
    let mut file = File::open(file)?;
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// The PDF beside a paper, if it says that it was set from the very source that is bundled: it may be older than what lies beside it.
pub(super) fn pdf(
    folder: &Path,
    run: &Run,
    claims: &Claims,
    made: &BTreeMap<String, Vec<u8>>,
) -> Result<Vec<u8>, String> {
    let hint = "offprint report --run DIR makes it; then bundle again with --paper";
    let read = |name: &str| {
        let file = folder.join(name);
        fs::read(&file).map_err(|error| format!("{}: {error}; {hint}", file.display()))
    };
    let refused = |name: &str| Err(format!("{} is not this run's; {hint}", folder.join(name).display()));
    // The values may be those of another machine's C library.
    let own: Option<Claims> = serde_json::from_slice(&read("claims.json")?).ok();
    if own.is_none_or(|own| !Agreement::of(claims, &own, Edition::This).differences.is_empty()) {
        return refused("claims.json");
    }
    let source = digest::sha256_hex(made.get(&format!("{PAPER}{SOURCE}")).map_or(&[], Vec::as_slice));
    let bytes = read("paper.pdf")?;
    if !pdf::is_set_from(&bytes, &run.runs_sha256, &source) {
        return refused("paper.pdf");
    }
    // As `verify` will: where it can be set again, every byte counts.
    let own = made.iter().filter_map(|(path, bytes)| Some((path.strip_prefix(PAPER)?.to_owned(), bytes.clone())));
    match Typesetter::here() {
        Ok(Some(typesetter)) => match typesetter.set(&own.collect()) {
            Ok(again) if again != bytes => {
                let found = difference::first(&bytes, &again);
                Err(format!("{} is not what its {SOURCE} gives: {found}; {hint}", folder.join("paper.pdf").display()))
            }
            Ok(_) | Err(Fault::Machine(_)) => Ok(bytes),
            Err(error) => Err(format!("{}: {}", folder.join("paper.pdf").display(), Problem::words(&error.into()))),
        },
        Ok(None) | Err(_) => Ok(bytes),
    }
}
