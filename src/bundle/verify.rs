//! A bundle -> everything that is wrong with it. Goes on after the first problem. What is promised, and what cannot be:
//! `docs/VERIFY.md`.

use std::{
    collections::BTreeMap,
    panic::{self, AssertUnwindSafe},
};

use anyhow::{Context, Result, anyhow};
use serde::Serialize;

use super::{
    bag::{self, Digests},
    content::{self, LOCK, PDF, TEMPLATES},
    difference, fixity,
    label::{LABEL, Label},
    open::Bundle,
    problem::{Check, Problem},
    rows,
    signature::{self, AllowedSigners},
    statement::{self, SIGNATURE, STATEMENT},
};
use crate::{
    analysis::{Summary, Tally},
    claims::{Claims, Id},
    digest,
    machine::Environment,
    paper::Templates,
    store::{BASELINE, Run},
};

/// The most problems that a report lists.
const MOST_PROBLEMS: usize = 1000;

/// What `verify` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// `smollm2-1.0.0`
    pub bundle: String,
    pub problems: Vec<Problem>,
    /// Problems beyond those listed.
    pub more: usize,
    pub files: usize,
    /// Rows of `runs.jsonl`, and of the baseline's where there is one.
    pub rows: usize,
    /// Claims and predicates that were recomputed.
    pub claims: usize,
    pub signature: Signed,
    /// What was not looked at, and why.
    pub unchecked: Vec<String>,
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

/// Checks a bundle; with `allowed`, also that one of these signed it.
pub fn verify(bundle: &Bundle, allowed: Option<&AllowedSigners>) -> Report {
    let (known, fixity) = fixity::check(bundle);
    let mut report = Report {
        bundle: bundle.name().to_owned(),
        problems: bundle.problems().iter().cloned().chain(fixity).collect(),
        more: 0,
        files: known.len(),
        rows: 0,
        claims: 0,
        signature: Signed::No,
        unchecked: Vec::new(),
    };
    report.signature(bundle, &known, allowed);
    match bundle.label() {
        Ok(label) => report.content(bundle, &label, &known),
        Err(error) => {
            report.fault(Check::Schema, LABEL, "what the bundle is", &error);
            report.unchecked.push(format!("{LABEL} cannot be read, so nothing beyond digests was looked at"));
        }
    }
    report.more = report.problems.len().saturating_sub(MOST_PROBLEMS);
    report.problems.truncate(MOST_PROBLEMS);
    report
}

impl Report {
    /// Is everything as it should be?
    pub fn is_fine(&self) -> bool {
        self.problems.is_empty()
    }

    fn add(&mut self, check: Check, file: impl AsRef<str>, expected: impl AsRef<str>, found: impl AsRef<str>) {
        self.problems.push(Problem::new(check, file, expected, found));
    }

    /// An error as a problem: its causes, without hints.
    fn fault(&mut self, check: Check, file: &str, expected: &str, error: &anyhow::Error) {
        let text = format!("{error:#}");
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("hint:")).collect();
        self.add(check, file, expected, lines.join(" "));
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
        match tally.finish() {
            Ok(summary) => self.made(bundle, label, &run, &summary, &templates, known),
            Err(error) => self.fault(Check::Derived, content::PAPER, "a paper from these records", &error),
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
            published: published.ok()?,
            baseline: None,
        };
        Some((run, rows.tally))
    }

    /// A paper is made by a program; another version may set it otherwise.
    fn version(&mut self, label: &Label, environment: &Environment) {
        let own = env!("CARGO_PKG_VERSION");
        if label.offprint_version != own {
            self.unchecked.push(format!(
                "the bundle was made by offprint {} and checked by {own}: a difference in the paper may be the program's",
                label.offprint_version
            ));
        }
        for checkpoint in &environment.checkpoints {
            self.unchecked.push(format!("{}: the model's files are not in the bundle", checkpoint.model));
        }
    }

    /// Makes again what is made from the given files, and compares bytes.
    fn made(
        &mut self,
        bundle: &Bundle,
        label: &Label,
        run: &Run,
        summary: &Summary,
        templates: &Templates,
        known: &BTreeMap<String, Digests>,
    ) {
        let is_given = |path: &str| {
            path == LABEL
                || path == LOCK
                || path == PDF
                || path.starts_with(TEMPLATES)
                || content::is_record(label, path)
        };
        let given =
            known.iter().filter(|(path, _)| is_given(path)).map(|(path, digests)| (path.clone(), digests.bytes));
        // The files are a stranger's, and the libraries that draw and typeset are not ours.
        let again =
            panic::catch_unwind(AssertUnwindSafe(|| content::made(label, run, summary, templates, &given.collect())));
        let made = match again.unwrap_or_else(|_| Err(anyhow!("the program broke down while making it"))) {
            Ok(made) => made,
            Err(error) => return self.fault(Check::Derived, content::PAPER, "a paper from these records", &error),
        };
        if known.contains_key(PDF) {
            self.unchecked.push(format!(
                "{PDF}: its bytes are the TeX engine's; its digest and its source paper.tex were checked"
            ));
        }
        for (path, expected) in &made {
            match known.get(path) {
                None => self.add(Check::Derived, path, "the file that the records give", "none"),
                Some(digests) if digests.hex[0] == digest::sha256_hex(expected) => {}
                Some(_) if path.ends_with("claims.json") => self.claims(bundle, path, expected),
                Some(_) => {
                    let found = bundle.read(path).map(|found| difference::first(&found, expected));
                    let found = found.unwrap_or_else(|error| format!("{error:#}"));
                    self.add(Check::Derived, path, "what the records give, byte for byte", found);
                }
            }
        }
        for path in known.keys().filter(|path| bag::is_payload(path) && !is_given(path) && !made.contains_key(*path)) {
            self.add(Check::Derived, path, "no file but those of a bundle", "it");
        }
        for path in known.keys().filter(|path| !bag::is_payload(path) && !is_tag_file(path)) {
            self.add(Check::Fixity, path, "no file but those of a bundle", "it");
        }
        let claims = made.get(&format!("{}claims.json", content::PAPER));
        if let Some(Ok(claims)) = claims.map(|bytes| serde_json::from_slice::<Claims>(bytes)) {
            self.claims = claims.claims.len() + claims.predicates.len();
        }
        self.tags(bundle, label, run, known);
    }

    /// Claim by claim, which value is not the records'.
    fn claims(&mut self, bundle: &Bundle, path: &str, expected: &[u8]) {
        let found = bundle
            .read(path)
            .and_then(|bytes| Ok((serde_json::from_slice::<Claims>(&bytes).context("claims")?, bytes)));
        let (found, bytes) = match found {
            Ok(found) => found,
            Err(error) => return self.fault(Check::Claims, path, "offprint.claims/1", &error),
        };
        let Ok(expected_claims) = serde_json::from_slice::<Claims>(expected) else { return };
        let before = self.problems.len();
        let maps = [
            (entries(&expected_claims.claims), entries(&found.claims)),
            (entries(&expected_claims.predicates), entries(&found.predicates)),
        ];
        for (expected, found) in maps {
            for (id, value) in &expected {
                match found.get(id) {
                    Some(other) if other == value => {}
                    Some(other) => self.add(Check::Claims, format!("{path}: {id}"), value, other),
                    None => self.add(Check::Claims, format!("{path}: {id}"), value, "no such claim"),
                }
            }
            for id in found.keys().filter(|id| !expected.contains_key(*id)) {
                self.add(Check::Claims, format!("{path}: {id}"), "no such claim", "one");
            }
        }
        if self.problems.len() == before {
            self.add(Check::Claims, path, "what the records give, byte for byte", difference::first(&bytes, expected));
        }
    }

    /// `bag-info.txt` and the statement, which say things of the content.
    fn tags(&mut self, bundle: &Bundle, label: &Label, run: &Run, known: &BTreeMap<String, Digests>) {
        let sizes = known.iter().filter(|(path, _)| bag::is_payload(path)).map(|(_, digests)| digests.bytes);
        let mut expected = Vec::new();
        match content::date(run) {
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

fn is_tag_file(path: &str) -> bool {
    let own = ["bagit.txt", "bag-info.txt", STATEMENT, SIGNATURE];
    let manifests =
        bag::ALGORITHMS.iter().flat_map(|name| [format!("manifest-{name}.txt"), format!("tagmanifest-{name}.txt")]);
    own.contains(&path) || manifests.into_iter().any(|manifest| manifest == path)
}

/// Claims or predicates as one line of JSON each.
fn entries<T: Serialize>(map: &BTreeMap<Id, T>) -> BTreeMap<&str, String> {
    map.iter().map(|(id, value)| (&**id, serde_json::to_string(value).unwrap_or_default())).collect()
}

fn templates(bundle: &Bundle) -> Result<Templates> {
    let inside = bundle.files().filter_map(|path| Some((path.strip_prefix(TEMPLATES)?, path)));
    let texts = inside.take(1000).map(|(name, path)| Ok((name.to_owned(), bundle.text(path)?)));
    Templates::from_files(texts.collect::<Result<BTreeMap<_, _>>>()?)
}
