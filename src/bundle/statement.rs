//! What a signature signs: an in-toto Statement, version 1, about the manifests, with what identifies the benchmark.
//! `docs/VERIFY.md` describes the predicate. Pure.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Deserialize;

use super::{
    digests::Digests,
    json::{Json, list, object, or_null, text},
    label::Label,
    places::PAPER,
    set_label::{Entry, SetLabel},
};
use crate::{digest::sha256_hex, machine::Fact, set::Set, store::Run, study::Plan};

pub const STATEMENT: &str = "signature/statement.json";
pub const SIGNATURE: &str = "signature/statement.json.sig";
/// in-toto's own name of its statements.
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The predicate's name.
pub const PREDICATE_TYPE: &str = "urn:offprint:benchmark-result:1";
const SET_PREDICATE_TYPE: &str = "urn:offprint:benchmark-set:1";
/// Tag files that do not depend on the signature; the payload is in the manifests.
const SUBJECTS: [&str; 4] = ["bag-info.txt", "bagit.txt", "manifest-sha256.txt", "manifest-sha512.txt"];

/// The statement's bytes.
///
/// # Errors
/// None that a value here can cause.
pub fn of(label: &Label, run: &Run, files: &BTreeMap<String, Digests>) -> Result<Vec<u8>> {
    let of_file = |path: String| or_null(files.get(&path).map(|digests| text(&digests.hex[0])));
    let environment = &run.environment;
    let weights = environment.checkpoints.iter().map(|checkpoint| {
        let tokenizer = checkpoint.files.get("tokenizer.json").map(text);
        object([
            ("files", object(checkpoint.files.iter().map(|(name, sha256)| (name, text(sha256))))),
            ("model", text(&checkpoint.model)),
            ("source", text(&checkpoint.source)),
            ("tokenizer", or_null(tokenizer)),
        ])
    });
    let plan = serde_json::to_vec(&Plan::of(&run.study))?;
    let predicate = object([
        (
            "binary",
            object([
                ("cargo_lock_sha256", fact(&environment.cargo_lock_sha256)),
                ("git_commit", fact(&environment.git_commit)),
                ("git_dirty", or_null(environment.git_dirty.value.map(Json::Flag))),
                ("libraries", object(environment.libraries.iter().map(|(name, version)| (name, text(version))))),
                ("offprint_version", text(&environment.offprint_version)),
                ("rustc", text(&environment.rustc)),
            ]),
        ),
        (
            "machine",
            object([
                ("chip", fact(&environment.chip)),
                ("environment_sha256", of_file(label.run_file("environment.json"))),
                ("gpu", fact(&environment.gpu)),
                ("os", fact(&environment.os)),
            ]),
        ),
        (
            "plan",
            object([("plan_sha256", text(sha256_hex(&plan))), ("study_sha256", of_file(label.run_file("study.yaml")))]),
        ),
        (
            "result",
            object([
                ("claims_sha256", of_file(format!("{}claims.json", PAPER))),
                ("run_id", text(&label.run_id)),
                ("runs_sha256", text(&run.runs_sha256)),
                ("study", text(&label.study)),
                ("version", text(&label.version)),
            ]),
        ),
        ("weights", list(weights)),
    ]);
    object([
        ("_type", text(STATEMENT_TYPE)),
        ("predicate", predicate),
        ("predicateType", text(PREDICATE_TYPE)),
        ("subject", list(SUBJECTS.iter().filter_map(|path| subject(path, files)))),
    ])
    .bytes()
}

/// The same of a set: which members it has, and how they fit.
///
/// # Errors
/// None that a value here can cause.
pub fn of_set(label: &SetLabel, set: &Set, files: &BTreeMap<String, Digests>) -> Result<Vec<u8>> {
    let member = |entry: &Entry| {
        object([
            ("machine", text(&entry.machine)),
            ("session", text(entry.session.to_string())),
            ("sha256", text(&entry.sha256)),
        ])
    };
    let first = &set.first().run;
    let plan = serde_json::to_vec(&Plan::of(&first.study))?;
    let claims = files.get(&format!("{PAPER}claims.json")).map(|digests| text(&digests.hex[0]));
    let predicate = object([
        ("claims_sha256", or_null(claims)),
        ("members", list(label.members.iter().map(member))),
        ("plan_sha256", text(sha256_hex(&plan))),
        ("reference", text(&label.reference)),
        ("set_sha256", text(&set.sha256)),
        ("study", text(&label.study)),
        ("version", text(&label.version)),
    ]);
    object([
        ("_type", text(STATEMENT_TYPE)),
        ("predicate", predicate),
        ("predicateType", text(SET_PREDICATE_TYPE)),
        ("subject", list(SUBJECTS.iter().filter_map(|path| subject(path, files)))),
    ])
    .bytes()
}

fn subject(path: &str, files: &BTreeMap<String, Digests>) -> Option<Json> {
    let digests = files.get(path)?;
    let digest = object([("sha256", text(&digests.hex[0])), ("sha512", text(&digests.hex[1]))]);
    Some(object([("digest", digest), ("name", text(path))]))
}

/// Is a statement, in whatever form, about these files? All of its subjects are here, and the manifests are among them.
pub fn holds(statement: &[u8], files: &BTreeMap<String, Digests>) -> bool {
    #[derive(Deserialize)]
    struct Statement {
        subject: Vec<Subject>,
    }
    #[derive(Deserialize)]
    struct Subject {
        name: String,
        digest: BTreeMap<String, String>,
    }
    let Ok(Statement { subject }) = serde_json::from_slice(statement) else { return false };
    let is_here = |subject: &Subject| {
        files.get(&subject.name).is_some_and(|digests| subject.digest.get("sha256") == Some(&digests.hex[0]))
    };
    let names = |name: &str| subject.iter().any(|subject| subject.name == name);
    subject.iter().all(is_here) && SUBJECTS.into_iter().all(names)
}

fn fact(fact: &Fact<String>) -> Json {
    or_null(fact.value.as_ref().map(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::digests::digests;

    /// A subject's name and digest -> others, or none.
    type Change<'a> = &'a dyn Fn(&str, &str) -> Option<(String, String)>;

    #[test]
    fn another_version_s_statement_has_to_be_about_these_manifests() {
        let files: BTreeMap<String, Digests> =
            SUBJECTS.iter().map(|name| ((*name).to_owned(), digests(&mut name.as_bytes()).unwrap())).collect();
        let said = |change: Change<'_>| {
            let subjects = files.iter().filter_map(|(name, digests)| {
                let (name, sha256) = change(name, &digests.hex[0])?;
                Some(format!("{{\"name\":\"{name}\",\"digest\":{{\"sha256\":\"{sha256}\"}},\"of\":\"a later form\"}}"))
            });
            let subjects: Vec<String> = subjects.collect();
            holds(format!("{{\"form\":2,\"subject\":[{}]}}", subjects.join(",")).as_bytes(), &files)
        };
        let same = |name: &str, digest: &str| Some((name.to_owned(), digest.to_owned()));
        assert!(said(&same));
        assert!(!said(&|name, digest| same(name, digest).filter(|_| name != "manifest-sha512.txt")), "one is missing");
        assert!(!said(&|name, digest| same(name, if name == "bagit.txt" { "00" } else { digest })), "another digest");
        assert!(!holds(b"{}", &files) && !holds(b"{\"subject\":[]}", &files));
    }
}
