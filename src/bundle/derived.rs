//! What is made from a bundle's records, made again: claims, tables, figures, paper, what describes the bundle. Values are held to a
//! tolerance and then taken over, so that the rest can be held to every byte (`claims::agree`). Of an earlier version's bundle, what
//! comes out otherwise is listed as not checked: that version makes it again.

use std::{
    collections::BTreeMap,
    panic::{self, AssertUnwindSafe},
};

use anyhow::{Context, Result, anyhow};

use super::{
    bag,
    content::{self, Files},
    difference,
    digests::{ALGORITHMS, Digests},
    label::{LABEL, Label},
    open::Bundle,
    pdf,
    places::{CRATE, LOCK, PAPER, PDF, TEMPLATES},
    problem::{Check, Problem},
    readme::README,
    statement::{SIGNATURE, STATEMENT},
    version,
};
use crate::{
    analysis::Summary,
    claims::{
        self, Claims,
        agree::{Agreement, Difference, Edition, Kind},
    },
    digest,
    paper::Templates,
    store::Run,
    typesetter::{Fault, SOURCE, Typesetter, pin},
};

/// What came of it.
#[derive(Debug, Default)]
pub struct Derived {
    pub problems: Vec<Problem>,
    /// A line each.
    pub unchecked: Vec<String>,
    /// Claims and predicates that agree.
    pub claims: usize,
    /// Files that came out equal.
    pub equal: usize,
    /// By kind, those of an earlier version that did not.
    other: BTreeMap<&'static str, usize>,
}

/// Makes everything again.
pub fn check(
    bundle: &Bundle,
    label: &Label,
    run: &Run,
    mut summary: Summary,
    templates: &Templates,
    known: &BTreeMap<String, Digests>,
) -> Derived {
    let edition = version::edition(label);
    let mut derived = Derived::default();
    let own = match guarded(|| version::claims(label, run, &summary, templates.claims())) {
        Ok(own) => own,
        Err(error) => {
            derived.fault(Check::Derived, PAPER, "a paper from these records", &error);
            return derived;
        }
    };
    let claims = derived.claims(bundle, label, edition, own);
    claims::adopt(&mut summary, &claims);

    let is_given = |path: &str| {
        path == LABEL || path == LOCK || path == PDF || path.starts_with(TEMPLATES) || content::is_record(label, path)
    };
    let sizes = |wanted: &dyn Fn(&str) -> bool| {
        let of = known.iter().filter(|(path, _)| wanted(path));
        of.map(|(path, digests)| (path.clone(), digests.bytes)).collect::<BTreeMap<String, u64>>()
    };
    let made = match edition {
        Edition::This => {
            let given = sizes(&is_given);
            guarded(|| content::made(label, run, &summary, &claims, templates, &given))
        }
        Edition::Earlier => {
            let mut files = Files::new();
            match guarded(|| content::paper(run, &summary, &claims, templates)) {
                Ok(paper) => files.extend(paper),
                Err(error) => {
                    let cause = Problem::words(&error);
                    derived.unchecked.push(format!(
                        "the paper's text: its templates cannot be filled here ({cause}); offprint {} makes it again",
                        label.offprint_version
                    ));
                    files.extend(guarded(|| content::exhibits(run, &summary, templates)).unwrap_or_default());
                }
            }
            // Descriptions list files with their sizes: those that there are.
            let all = sizes(&|path| bag::is_payload(path) && path != README && path != CRATE);
            let described = guarded(|| content::described(label, run, &summary, &all, Files::new()));
            guarded(|| Ok([content::beside(label, run)?, described?].into_iter().flatten())).map(|more| {
                files.extend(more);
                files
            })
        }
    };
    let made = match made {
        Ok(made) => made,
        Err(error) => {
            derived.fault(Check::Derived, PAPER, "a paper from these records", &error);
            return derived;
        }
    };
    derived.files(bundle, edition, &made, known);
    let is_else = |path: &&String| bag::is_payload(path) && !is_given(path) && !made.contains_key(*path);
    for path in known.keys().filter(is_else) {
        match edition {
            Edition::This => derived.add(Check::Derived, path, "no file but those of a bundle", "it"),
            Edition::Earlier => *derived.other.entry(kind(path)).or_default() += 1,
        }
    }
    for path in known.keys().filter(|path| !bag::is_payload(path) && !is_tag_file(path)) {
        derived.add(Check::Fixity, path, "no file but those of a bundle", "it");
    }
    derived.pdf(bundle, run, edition, templates, &made, known);
    let by = &label.offprint_version;
    let lines = derived
        .other
        .iter()
        .map(|(kind, files)| format!("{kind}: {files} made otherwise by this version; offprint {by} makes them again"));
    derived.unchecked.extend(lines);
    derived
}

impl Derived {
    pub(super) fn add(
        &mut self,
        check: Check,
        file: impl AsRef<str>,
        expected: impl AsRef<str>,
        found: impl AsRef<str>,
    ) {
        self.problems.push(Problem::new(check, file, expected, found));
    }

    pub(super) fn fault(&mut self, check: Check, file: &str, expected: &str, error: &anyhow::Error) {
        self.problems.push(Problem::fault(check, file, expected, error));
    }

    /// Claim by claim, which is not the records'. Returns those to make the rest from.
    pub(super) fn claims(&mut self, bundle: &Bundle, label: &Label, edition: Edition, own: Claims) -> Claims {
        let path = format!("{PAPER}claims.json");
        if bundle.bytes(&path).is_none() {
            // A file that is missing is listed with the others.
            return own;
        }
        let read = || -> Result<(Claims, Vec<u8>)> {
            let bytes = bundle.read(&path)?;
            Ok((serde_json::from_slice(&bytes).context("claims")?, bytes))
        };
        let (given, bytes) = match read() {
            Ok(read) => read,
            Err(error) => {
                self.fault(Check::Claims, &path, claims::CLAIMS_SCHEMA, &error);
                return own;
            }
        };
        match given.to_json() {
            Ok(text) if text.as_bytes() == bytes => {}
            Ok(text) => {
                let found = difference::first(&bytes, text.as_bytes());
                self.add(Check::Claims, &path, "claims as offprint writes them", found);
            }
            Err(error) => self.fault(Check::Claims, &path, claims::CLAIMS_SCHEMA, &error),
        }
        let found = Agreement::of(&own, &given, edition);
        self.claims = found.agreed;
        let (wrong, apart): (Vec<&Difference>, Vec<&Difference>) = found
            .differences
            .iter()
            .partition(|difference| edition == Edition::This || difference.kind == Kind::Disputed);
        for Difference { id, expected, found, .. } in wrong {
            self.add(Check::Claims, format!("{path}: {id}"), expected, found);
        }
        let by = &label.offprint_version;
        for (kind, what) in [
            (Kind::Redefined, "defined otherwise by this version"),
            (Kind::Retold, "with the same value, rounded or worded otherwise by this version"),
            (Kind::Foreign, "not known to this version"),
            (Kind::Missing, "made by this version alone, so the bundle has them not"),
        ] {
            let ids: Vec<&str> =
                apart.iter().filter(|found| found.kind == kind).map(|found| found.id.as_str()).collect();
            if ids.is_empty() {
                continue;
            }
            let who = if kind == Kind::Missing { String::new() } else { format!("; offprint {by} makes them again") };
            self.unchecked.push(format!("claims: {} {what} ({}){who}", ids.len(), families(&ids)));
        }
        found.claims
    }

    /// Bytes against bytes.
    pub(super) fn files(&mut self, bundle: &Bundle, edition: Edition, made: &Files, known: &BTreeMap<String, Digests>) {
        for (path, expected) in made {
            let found = known.get(path);
            if found.is_some_and(|digests| digests.hex[0] == digest::sha256_hex(expected)) {
                self.equal += 1;
            } else if edition == Edition::Earlier {
                *self.other.entry(kind(path)).or_default() += 1;
            } else if found.is_none() {
                self.add(Check::Derived, path, "the file that the records give", "none");
            } else if !path.ends_with("claims.json") {
                let found = bundle.read(path).map(|found| difference::first(&found, expected));
                let found = found.unwrap_or_else(|error| Problem::words(&error));
                self.add(Check::Derived, path, "what the records give, byte for byte", found);
            }
        }
    }

    /// Another run's PDF may lie beside this run's source.
    pub(super) fn pdf(
        &mut self,
        bundle: &Bundle,
        run: &Run,
        edition: Edition,
        templates: &Templates,
        made: &Files,
        known: &BTreeMap<String, Digests>,
    ) {
        if !known.contains_key(PDF) {
            return;
        }
        let pdf = match bundle.read(PDF) {
            Ok(pdf) => pdf,
            Err(error) => return self.fault(Check::Derived, PDF, "a PDF", &error),
        };
        let Some(source) = known.get(&format!("{PAPER}{SOURCE}")).map(|digests| &digests.hex[0]) else {
            return self.pdf_of_tex(&pdf, run, templates);
        };
        if !pdf::is_set_from(&pdf, &run.runs_sha256, source) {
            let records = &run.runs_sha256;
            let expected = format!("a PDF that names these records, SHA-256 {records}, and this {SOURCE}, {source}");
            return self.add(Check::Derived, PDF, expected, "one that does not: it is of another paper");
        }
        let checked = "its digest, and that it names these records and this paper.typ, were checked";
        // What the templates give, and nothing that a stranger put into the bundle, is set here.
        let own: Files = made
            .iter()
            .filter_map(|(path, bytes)| Some((path.strip_prefix(PAPER)?.to_owned(), bytes.clone())))
            .collect();
        if own.get(SOURCE).is_none_or(|own| digest::sha256_hex(own) != *source) {
            return self
                .unchecked
                .push(format!("{PDF}: not set again, as this version makes another {SOURCE}; {checked}"));
        }
        let set = match Typesetter::here() {
            Ok(Some(typesetter)) => typesetter.set(&own),
            Ok(None) => Err(Fault::Machine(anyhow!("{} is not on this machine (offprint report fetches it)", pin()))),
            Err(error) => Err(Fault::Machine(error)),
        };
        match set {
            Ok(again) if again == pdf => self.equal += 1,
            Ok(_) if edition == Edition::Earlier => {
                self.unchecked.push(format!("{PDF}: set otherwise by this version's {}; {checked}", pin()));
            }
            Ok(again) => {
                let found = difference::first(&pdf, &again);
                self.add(Check::Derived, PDF, format!("what {SOURCE} gives, byte for byte"), found);
            }
            Err(error @ Fault::Source(_)) => {
                self.fault(Check::Derived, PDF, &format!("a {SOURCE} that gives it"), &error.into());
            }
            Err(error) => {
                let why = Problem::words(&error.into());
                self.unchecked.push(format!("{PDF}: not set again: {why}; {checked}"));
            }
        }
    }

    /// A bundle of 0.1 or 0.2 has LaTeX's, which cannot be made again to the byte.
    fn pdf_of_tex(&mut self, pdf: &[u8], run: &Run, templates: &Templates) {
        let told = templates.files().get("skins/paper.tex").is_some_and(|source| pdf::is_told(source.as_bytes()));
        if !told {
            self.unchecked.push(format!(
                "{PDF}: its bytes are the TeX engine's and do not say which records they are of (papers of offprint 0.1 do not); its digest and its source paper.tex were checked"
            ));
        } else if pdf::is_of(pdf, &run.runs_sha256) {
            self.unchecked.push(format!(
                "{PDF}: its bytes are the TeX engine's; its digest, its source paper.tex, and that it names these records were checked"
            ));
        } else {
            let expected = format!("a PDF that names these records, SHA-256 {}", run.runs_sha256);
            self.add(Check::Derived, PDF, expected, "one that does not: it is another run's paper");
        }
    }
}

/// The files are a stranger's, and the libraries that draw and typeset are not ours.
pub(super) fn guarded<T>(make: impl FnOnce() -> Result<T>) -> Result<T> {
    let made = panic::catch_unwind(AssertUnwindSafe(make));
    made.unwrap_or_else(|_| Err(anyhow!("the program broke down while making it")))
}

pub(super) fn is_tag_file(path: &str) -> bool {
    let own = ["bagit.txt", "bag-info.txt", STATEMENT, SIGNATURE];
    let manifests =
        ALGORITHMS.iter().flat_map(|name| [format!("manifest-{name}.txt"), format!("tagmanifest-{name}.txt")]);
    own.contains(&path) || manifests.into_iter().any(|manifest| manifest == path)
}

/// For people: `tables`.
fn kind(path: &str) -> &'static str {
    match path.strip_prefix(PAPER) {
        Some(inside) if inside.starts_with("tables/") => "tables",
        Some(inside) if inside.starts_with("figures/") => "files of figures",
        Some("claims.json") => "claims.json, as a file",
        Some(_) => "texts of the paper",
        None => "descriptions of the bundle",
    }
}

/// `decode 12, fit 4`: how many ids begin with each word.
fn families(ids: &[&str]) -> String {
    /// More are counted together.
    const MOST: usize = 12;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for id in ids {
        *counts.entry(id.split('.').next().unwrap_or(id)).or_default() += 1;
    }
    let more = counts.len().saturating_sub(MOST);
    let mut told: Vec<String> = counts.iter().take(MOST).map(|(family, ids)| format!("{family} {ids}")).collect();
    if more > 0 {
        told.push(format!("{more} more families"));
    }
    told.join(", ")
}
