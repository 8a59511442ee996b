//! A later version verifies an earlier bundle: what both know is held to account, what only the earlier one can make again is said,
//! and what a still later one made is not judged.

use std::{collections::BTreeMap, path::Path};

use offprint::{
    bundle::Report,
    claims::{Claims, Value},
};

use super::{check, files, offprint, packed, relist, small};

type Files = BTreeMap<String, Vec<u8>>;

/// The small bundle, as if offprint `version` had made it.
fn made_by(version: &str) -> Files {
    let mut all = files(&small().1);
    let own = env!("CARGO_PKG_VERSION");
    for (path, from, to) in [
        (
            "data/bundle.json",
            format!("\"offprint_version\": \"{own}\""),
            format!("\"offprint_version\": \"{version}\""),
        ),
        ("bag-info.txt", format!("offprint {own}\n"), format!("offprint {version}\n")),
    ] {
        let text = String::from_utf8(all[path].clone()).unwrap();
        assert!(text.contains(&from), "{path}: {text}");
        all.insert(path.to_owned(), text.replace(&from, &to).into_bytes());
    }
    relist(&mut all);
    all
}

/// Of an earlier version, with other claims.
fn with_claims(change: impl FnOnce(&mut Claims)) -> Report {
    let mut all = made_by("0.0.9");
    let mut claims: Claims = serde_json::from_slice(&all["data/paper/claims.json"]).unwrap();
    change(&mut claims);
    all.insert("data/paper/claims.json".into(), claims.to_json().unwrap().into_bytes());
    relist(&mut all);
    check(&packed(&all).1)
}

fn said(report: &Report, words: &str) {
    assert!(report.unchecked.iter().any(|line| line.contains(words)), "{words} in {:#?}", report.unchecked);
}

#[test]
fn an_earlier_bundle_is_accepted_and_what_is_equal_is_counted() {
    let (_folder, archive) = packed(&made_by("0.0.9"));
    let report = check(&archive);
    assert!(report.is_fine(), "{:#?}", report.problems);
    assert_eq!(report.earlier.as_deref(), Some("0.0.9"));
    let own = check(&small().1);
    assert!(report.claims == own.claims && report.claims > 100, "{} {}", report.claims, own.claims);
    // The README says who made the bundle.
    assert!(
        report.derived >= own.derived - 2 && own.derived > 20,
        "{} of {}: {:#?}",
        report.derived,
        own.derived,
        report.unchecked
    );
    said(&report, "made by offprint 0.0.9 and is checked by");
    let printed = offprint(Path::new("."), &["verify", archive.to_str().unwrap()]);
    assert!(printed.status.success(), "{printed:?}");
    let text = String::from_utf8(printed.stdout).unwrap();
    assert!(text.ends_with("claims, what was checked is as it should be\n"), "{text}");
}

#[test]
fn claims_that_only_one_version_knows_or_that_it_defines_otherwise_are_counted_by_family() {
    let report = with_claims(|claims| {
        let claim = claims.claims.remove("latency.mean").unwrap();
        claims.claims.insert("old.latency".into(), claim.clone());
        claims.claims.insert("old.ttft".into(), claim);
        for (id, claim) in &mut claims.claims {
            if id.starts_with("fit.") {
                claim.formula += ", in an earlier sense";
                claim.value = Value::Number(7.0);
            }
        }
        claims.predicates.get_mut("complete").unwrap().text += " Truly.";
    });
    assert!(report.is_fine(), "{:#?}", report.problems);
    said(&report, "claims: 2 not known to this version (old 2); offprint 0.0.9 makes them again");
    said(&report, "claims: 1 made by this version alone, so the bundle has them not (latency 1)");
    said(&report, "defined otherwise by this version (fit ");
    said(&report, "claims: 1 with the same value, rounded or worded otherwise by this version (complete 1)");
    // The same in a bundle of this version are problems.
    let mut all = files(&small().1);
    let mut claims: Claims = serde_json::from_slice(&all["data/paper/claims.json"]).unwrap();
    claims.predicates.get_mut("complete").unwrap().text += " Truly.";
    let claim = claims.claims.remove("latency.mean").unwrap();
    claims.claims.insert("old.latency".into(), claim);
    all.insert("data/paper/claims.json".into(), claims.to_json().unwrap().into_bytes());
    relist(&mut all);
    let problems: Vec<String> = check(&packed(&all).1).problems.iter().map(ToString::to_string).collect();
    for id in ["complete: expected text", "latency.mean: expected value", "old.latency: expected no such claim"] {
        assert!(problems.iter().any(|line| line.contains(id)), "{id} in {problems:#?}");
    }
}

#[test]
fn what_both_versions_know_is_held_to_account() {
    let wrong = with_claims(|claims| {
        let claim = claims.claims.get_mut("latency.mean").unwrap();
        let Value::Number(value) = claim.value else { panic!("{claim:?}") };
        claim.value = Value::Number(value * (1.0 + 1e-6));
        claims.predicates.get_mut("complete").unwrap().holds = Some(false);
    });
    let problems: Vec<String> = wrong.problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 2, "{problems:#?}");
    assert!(
        problems[0].contains("latency.mean: expected value") && problems[1].contains("complete: expected holds true")
    );

    let mut all = made_by("0.0.9");
    let (_, rows) = all.iter_mut().find(|(path, _)| path.ends_with("/runs.jsonl")).unwrap();
    *rows = String::from_utf8(rows.clone())
        .unwrap()
        .replacen("\"phase\":\"measured\"", "\"phase\":\"warmup\"", 1)
        .into_bytes();
    relist(&mut all);
    assert!(!check(&packed(&all).1).is_fine());
    // Digests are of every version.
    let mut all = made_by("0.0.9");
    all.get_mut("data/paper/paper.md").unwrap().push(b'\n');
    let found = check(&packed(&all).1);
    assert!(found.problems.iter().all(|problem| problem.check.name() == "fixity") && !found.is_fine());
}

#[test]
fn files_that_an_earlier_version_made_otherwise_are_counted_by_kind() {
    let mut all = made_by("0.0.9");
    all.get_mut("data/paper/paper.md").unwrap().extend(b"\nWords of another time.\n");
    all.get_mut("data/paper/figures/order.svg").unwrap().extend(b"<!-- -->");
    all.insert("data/paper/tables/old.csv".into(), b"a,b\n".to_vec());
    relist(&mut all);
    let report = check(&packed(&all).1);
    assert!(report.is_fine(), "{:#?}", report.problems);
    said(&report, "tables: 1 made otherwise by this version; offprint 0.0.9 makes them again");
    said(&report, "files of figures: 1 made");
    said(&report, "texts of the paper: ");
    // Templates that ask for what is no more.
    let section = all.get_mut("data/templates/sections/00-abstract.md").unwrap();
    section.extend_from_slice(b"{{ n(id=\"gone.with.the.years\") }}");
    relist(&mut all);
    let report = check(&packed(&all).1);
    assert!(report.is_fine(), "{:#?}", report.problems);
    said(&report, "the paper's text: its templates cannot be filled here");
    said(&report, "files of figures: 1 made");
}

#[test]
fn a_later_bundle_is_not_judged() {
    for (from, to) in [
        (
            format!("\"offprint_version\": \"{}\"", env!("CARGO_PKG_VERSION")),
            "\"offprint_version\": \"9.9.9\"".to_owned(),
        ),
        ("offprint.bundle/1".to_owned(), "offprint.bundle/2".to_owned()),
    ] {
        let mut all = files(&small().1);
        let label = String::from_utf8(all["data/bundle.json"].clone()).unwrap().replace(&from, &to);
        all.insert("data/bundle.json".into(), label.into_bytes());
        relist(&mut all);
        let (_folder, archive) = packed(&all);
        let said = offprint(Path::new("."), &["verify", archive.to_str().unwrap()]);
        assert_eq!((said.status.code(), said.stdout.len()), (Some(2), 0), "{said:?}");
        let text = String::from_utf8(said.stderr).unwrap();
        assert!(text.lines().last().unwrap().starts_with("hint: verify it with "), "{text}");
    }
}
