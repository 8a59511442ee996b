//! A bundle -> everything that is wrong with it. Goes on after the first problem. What is promised, and what cannot be:
//! `docs/VERIFY.md`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Serialize;

use super::{
    bag, dates, derived, difference,
    digests::Digests,
    fixity,
    label::{LABEL, Label, check_version},
    open::Bundle,
    places::{LOCK, PAPER, TEMPLATES},
    problem::{Check, Problem},
    rows,
    signature::{self, AllowedSigners},
    statement::{self, SIGNATURE, STATEMENT},
    version,
};
use crate::{
    analysis::Tally,
    claims::agree::Edition,
    machine::Environment,
    paper::{self, Templates},
    store::{BASELINE, Run},
};

/// The most problems that a report lists.
const MOST_PROBLEMS: usize = 1000;

/// What `verify` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// `smollm2-1.0.0`
    pub bundle: String,
    /// The version of the program that made it, where that is an earlier one.
    pub earlier: Option<String>,
    pub problems: Vec<Problem>,
    /// Problems beyond those listed.
    pub more: usize,
    pub files: usize,
    /// Rows of `runs.jsonl`, and of the baseline's where there is one.
    pub rows: usize,
    /// Claims and predicates that were computed again and agree.
    pub claims: usize,
    /// Files that were made again and are equal.
    pub derived: usize,
    pub signature: Signed,
    /// What was not looked at, and why.
    pub unchecked: Vec<String>,
    /// A page of the bundle that runs what no version of offprint wrote: it may show anything.
    pub foreign: Vec<String>,
    /// The way out, where it is known: what another program did to the bundle can be undone.
    pub hint: Option<String>,
    /// Of a set, what was found of each member.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Checked>,
}

/// What was found of a member of a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// `m4/1`
    pub member: String,
    /// `smollm2-1.0.0`
    pub bundle: String,
    pub rows: usize,
    pub claims: usize,
    pub signature: Signed,
}

/// What is known of the signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Signed {
    No,
    /// It does not hold.
    Bad,
    /// It holds; nobody vouches for the key.
    By {
        key: String,
    },
    /// It holds, by a key of the allowed-signers file.
    Allowed {
        key: String,
        principals: String,
    },
}

/// Pages with a stranger's script, whatever else is right with the bundle.
fn foreign(bundle: &Bundle) -> Vec<String> {
    let pages =
        bundle.files().filter(|file| file.ends_with(".html") || file.ends_with(".htm") || file.ends_with(".svg"));
    let is_foreign = |file: &&String| {
        // What is too large to read, or no text, is not opened as a page either.
        bundle.text(file).is_ok_and(|text| paper::script(&text) == paper::Script::Foreign)
    };
    pages.map(|file| file.to_string()).collect::<Vec<String>>().iter().filter(is_foreign).cloned().collect()
}

/// Checks a bundle; with `allowed`, also that one of these signed it.
///
/// # Errors
/// A later version of the program made it.
pub fn verify(bundle: &Bundle, allowed: Option<&AllowedSigners>) -> Result<Report> {
    let (mut report, known) = begun(bundle, LABEL, allowed)?;
    if bundle.is_none_of_ours() {
        return Ok(report);
    }
    match bundle.label() {
        Ok(label) => report.content(bundle, &label, &known),
        Err(error) => {
            report.fault(Check::Schema, LABEL, "what the bundle is", &error);
            report.unchecked.push(format!("{LABEL} cannot be read, so nothing beyond digests was looked at"));
        }
    }
    Ok(report.ended())
}

/// What can be said of any bag: its form, its digests, its signature. `label` is the file that says what it is.
///
/// # Errors
/// A later version of the program made it.
pub(super) fn begun(
    bundle: &Bundle,
    label: &str,
    allowed: Option<&AllowedSigners>,
) -> Result<(Report, BTreeMap<String, Digests>)> {
    if let Ok(label) = bundle.text(label) {
        version::refuse_later(&label).with_context(|| bundle.path().display().to_string())?;
    }
    let mut report = Report {
        bundle: bundle.name().to_owned(),
        earlier: None,
        problems: bundle.problems().to_vec(),
        more: 0,
        files: 0,
        rows: 0,
        claims: 0,
        derived: 0,
        signature: Signed::No,
        unchecked: Vec::new(),
        foreign: foreign(bundle),
        hint: bundle.hint().map(str::to_owned),
        members: Vec::new(),
    };
    if bundle.is_none_of_ours() {
        report.unchecked.push("what is in the archive: it is not the file that offprint wrote".to_owned());
        return Ok((report, BTreeMap::new()));
    }
    let (known, fixity) = fixity::check(bundle);
    report.files = known.len();
    report.problems.extend(fixity);
    report.signature(bundle, &known, allowed);
    Ok((report, known))
}

impl Report {
    /// With no more problems than a reader can read.
    pub(super) fn ended(mut self) -> Self {
        self.more += self.problems.len().saturating_sub(MOST_PROBLEMS);
        self.problems.truncate(MOST_PROBLEMS);
        self
    }

    /// Is everything as it should be?
    pub fn is_fine(&self) -> bool {
        self.problems.is_empty()
    }

    pub(super) fn add(
        &mut self,
        check: Check,
        file: impl AsRef<str>,
        expected: impl AsRef<str>,
        found: impl AsRef<str>,
    ) {
        self.problems.push(Problem::new(check, file, expected, found));
    }

    /// An error as a problem: its causes, without hints.
    pub(super) fn fault(&mut self, check: Check, file: &str, expected: &str, error: &anyhow::Error) {
        self.problems.push(Problem::fault(check, file, expected, error));
    }

    fn content(&mut self, bundle: &Bundle, label: &Label, known: &BTreeMap<String, Digests>) {
        if bundle.is_archive() && bundle.name() != label.name() {
            self.add(Check::Archive, "(the archive)", format!("the folder {}", label.name()), bundle.name());
        }
        if bundle.text(LABEL).ok() != label.to_json().ok() {
            self.add(Check::Schema, LABEL, "its fields sorted as offprint writes them", "another form");
        }
        let templates = templates(bundle);
        if let Err(error) = &templates {
            self.fault(Check::Derived, TEMPLATES, "templates of a paper", error);
        }
        if bundle.bytes(LOCK).is_none() {
            self.add(Check::Schema, LOCK, "a lock file", "none");
        }
        let within = bundle.baseline(label);
        // A comparison needs the rows themselves.
        let keep = !matches!(within, Ok(None));
        let run = self.records(bundle, label, known, keep);
        if let Some((run, _)) = run.as_ref().filter(|(run, _)| run.study.name != label.study) {
            let expected = format!("the study `{}`, as in study.yaml", run.study.name);
            self.add(Check::Schema, LABEL, expected, &label.study);
        }
        let baseline = match within {
            Ok(Some(within)) => self.records(bundle, &within, known, keep).map(|(run, _)| Some(Box::new(run))),
            Ok(None) => Some(None),
            Err(error) => {
                self.fault(Check::Schema, &label.run_file(BASELINE), "the records of one other run", &error);
                None
            }
        };
        let (Some((run, tally)), Some(baseline), Ok(templates)) = (run, baseline, templates) else {
            self.unchecked.push("claims and paper: what they are made from is not whole".to_owned());
            return;
        };
        let run = Run { baseline, ..run };
        self.version(label, &run.environment);
        match tally.finish().and_then(|summary| summary.with_quality(&run.study, &run.quality)) {
            Ok(summary) => {
                let derived = derived::check(bundle, label, &run, summary, &templates, known);
                self.problems.extend(derived.problems);
                self.unchecked.extend(derived.unchecked);
                (self.claims, self.derived) = (derived.claims, derived.equal);
                self.tags(bundle, label, &run, known);
            }
            Err(error) => self.fault(Check::Derived, PAPER, "a paper from these records", &error),
        }
    }

    /// A run's records, all that is wrong with them listed; `None` where no number may be computed from them.
    fn records(
        &mut self,
        bundle: &Bundle,
        label: &Label,
        known: &BTreeMap<String, Digests>,
        keep: bool,
    ) -> Option<(Run, Tally)> {
        let (study, environment) = (bundle.study(label), bundle.environment(label));
        if let Err(error) = &study {
            self.fault(Check::Schema, &label.run_file("study.yaml"), "a study", error);
        }
        if let Err(error) = &environment {
            self.fault(Check::Schema, &label.run_file("environment.json"), "an environment", error);
        }
        let (Ok(study), Ok(environment)) = (study, environment) else {
            self.unchecked.push(format!("{}: no row, without study and environment", label.run_file("runs.jsonl")));
            return None;
        };
        let published = bundle.published(label, &study);
        if let Err(error) = &published {
            self.fault(Check::Schema, &label.run_file("published.yaml"), "published values", error);
        }
        let quality = bundle.quality(label, &study, &environment);
        if let Err(error) = &quality {
            self.fault(
                Check::Schema,
                &label.run_file("quality.jsonl"),
                "rows of offprint.quality/1, and the text that they are of",
                error,
            );
        }
        let rows = rows::check(bundle, label, &study, &environment, keep);
        self.rows += rows.count;
        self.problems.extend(rows.problems);
        let digests = known.get(&label.run_file("runs.jsonl")).filter(|_| rows.usable)?;
        let run = Run {
            folder: bundle.path().to_owned(),
            run_id: label.run_name().to_owned(),
            study,
            environment,
            measured: rows.measured,
            records: rows.records,
            runs_sha256: digests.hex[0].clone(),
            page_rows: rows.page_rows,
            published: published.ok()?,
            quality: quality.ok()?,
            baseline: None,
        };
        Some((run, rows.tally))
    }

    /// What is said of the two versions, and of the model.
    fn version(&mut self, label: &Label, environment: &Environment) {
        let made = &label.offprint_version;
        if version::edition(label) == Edition::Earlier {
            self.earlier = Some(made.clone());
            self.unchecked.push(format!(
                "the bundle was made by offprint {made} and is checked by {}: what the two make otherwise is listed here, and offprint {made} checks it",
                version::OWN
            ));
        } else if check_version(made).is_err() {
            self.add(Check::Schema, LABEL, "the version of offprint that made it, such as 0.1.0", made);
        }
        for checkpoint in &environment.checkpoints {
            let recipe = checkpoint.recipe.as_ref().map_or_else(String::new, |level| format!(", quantization {level}"));
            self.unchecked.push(format!("{}{recipe}: the model's files are not in the bundle", checkpoint.model));
        }
    }

    /// `bag-info.txt` and the statement, which say things of the content.
    fn tags(&mut self, bundle: &Bundle, label: &Label, run: &Run, known: &BTreeMap<String, Digests>) {
        let sizes = known.iter().filter(|(path, _)| bag::is_payload(path)).map(|(_, digests)| digests.bytes);
        let mut expected = Vec::new();
        match dates::date(run) {
            Ok(date) => expected.push(("bag-info.txt", bag::info(label, run, &date, sizes).into_bytes())),
            Err(error) => self.fault(Check::Schema, &label.run_file("environment.json"), "a time", &error),
        }
        if known.contains_key(STATEMENT)
            && let Ok(statement) = statement::of(label, run, known)
        {
            expected.push((STATEMENT, statement));
        }
        for (path, expected) in expected {
            match bundle.read(path) {
                Ok(found) if found == expected => {}
                Ok(found) if version::edition(label) == Edition::Earlier && holds(path, &found, known) => {
                    let by = &label.offprint_version;
                    self.unchecked
                        .push(format!("{path}: written otherwise by this version; offprint {by} makes it again"));
                }
                Ok(found) => {
                    self.add(Check::Fixity, path, "what the content gives", difference::first(&found, &expected))
                }
                Err(error) => self.fault(Check::Fixity, path, "what the content gives", &error),
            }
        }
    }

    fn signature(&mut self, bundle: &Bundle, known: &BTreeMap<String, Digests>, allowed: Option<&AllowedSigners>) {
        if !known.contains_key(SIGNATURE) && !known.contains_key(STATEMENT) {
            if allowed.is_some() {
                self.add(Check::Signature, SIGNATURE, "a signature by an allowed signer", "none");
            }
            return;
        }
        let checked = bundle.text(SIGNATURE).and_then(|pem| signature::check(&pem, &bundle.read(STATEMENT)?));
        match checked {
            Err(error) => {
                self.signature = Signed::Bad;
                self.fault(Check::Signature, SIGNATURE, &format!("a signature of {STATEMENT}"), &error);
            }
            Ok(key) => {
                let print = signature::fingerprint(&key);
                match allowed.map(|allowed| allowed.principals(&key)) {
                    None => self.signature = Signed::By { key: print },
                    Some(Some(principals)) => {
                        self.signature = Signed::Allowed { key: print, principals: principals.to_owned() };
                    }
                    Some(None) => {
                        self.add(Check::Signature, SIGNATURE, "a key of the allowed-signers file", &print);
                        self.signature = Signed::By { key: print };
                    }
                }
            }
        }
    }
}

/// In whatever form another version wrote it: does it say the right thing of the other files?
pub(super) fn holds(path: &str, found: &[u8], known: &BTreeMap<String, Digests>) -> bool {
    if path == STATEMENT {
        return statement::holds(found, known);
    }
    let oxum = format!("Payload-Oxum: {}", bag::oxum(known));
    String::from_utf8_lossy(found).lines().any(|line| line == oxum)
}

pub(super) fn templates(bundle: &Bundle) -> Result<Templates> {
    let inside = bundle.files().filter_map(|path| Some((path.strip_prefix(TEMPLATES)?, path)));
    let texts = inside.take(1000).map(|(name, path)| Ok((name.to_owned(), bundle.text(path)?)));
    Templates::from_files(texts.collect::<Result<BTreeMap<_, _>>>()?)
}
