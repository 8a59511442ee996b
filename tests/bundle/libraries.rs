//! The same verdict whatever the C library: the program runs under one whose results are an ulp off (`libm/off_by_an_ulp.c`), as
//! between two operating systems. What is good is accepted, and what is changed by a little is still found.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use offprint::claims::{Claims, Value};
use tempfile::TempDir;

use super::{files, packed, relist, small, unpacked};

const WAYS: [&str; 3] = ["up", "down", "hash"];

/// The library, compiled once.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = LIBRARY.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("off_by_an_ulp.so");
        let said = Command::new("cc")
            .args(["-O1", "-fno-builtin", "-shared", "-fPIC", "-o", out.to_str().unwrap()])
            .args([concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bundle/libm/off_by_an_ulp.c"), "-ldl"])
            .output()
            .unwrap();
        assert!(said.status.success(), "{said:?}");
        (folder, out)
    });
    path
}

/// Runs the program under the library, in the repository's folder, and makes sure that the library acted.
fn under(way: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let calls = folder.path().join("calls");
    let said = Command::new(env!("CARGO_BIN_EXE_offprint"))
        .args(arguments)
        .env("LD_PRELOAD", library())
        .env("OFFPRINT_TEST_ULP", way)
        .env("OFFPRINT_TEST_ULP_CALLS", &calls)
        .env("PATH", "")
        .output()
        .unwrap();
    let text = fs::read_to_string(&calls).unwrap_or_default();
    let called: BTreeMap<&str, u64> =
        text.lines().filter_map(|line| line.split_once(' ')).map(|(name, n)| (name, n.parse().unwrap())).collect();
    for function in ["exp", "log", "pow"] {
        assert!(
            called.get(function).is_some_and(|n| *n > 100),
            "{function} is not the library's: {called:?}, {said:?}"
        );
    }
    said
}

fn bundles() -> Vec<PathBuf> {
    let all = fs::read_dir("results/bundles").unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.extension().is_some_and(|extension| extension == "zip")).collect()
}

#[test]
fn good_bundles_are_accepted_whatever_the_last_digit() {
    let bundles = bundles();
    assert!(!bundles.is_empty());
    for way in WAYS {
        for bundle in bundles.iter().chain([&small().1]) {
            let said = under(way, &["verify", bundle.to_str().unwrap()]);
            assert!(said.status.success(), "{way}, {}: {}", bundle.display(), String::from_utf8_lossy(&said.stdout));
        }
    }
}

/// A bundle that was made there is accepted here, and a paper that was made here is what the records give there.
#[test]
fn what_is_made_under_one_library_is_accepted_under_another() {
    let run = "results/smollm2/20261126T114313Z";
    let folder = tempfile::tempdir().unwrap();
    let (paper, archive) = (folder.path().join("paper"), folder.path().join("x.zip"));
    let (paper, archive) = (paper.to_str().unwrap(), archive.to_str().unwrap());
    let plainly = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_offprint")).args(arguments).env("PATH", "").output().unwrap()
    };
    let said = plainly(&["report", "--run", run, "--out", paper]);
    assert!(said.status.success(), "{said:?}");
    for way in WAYS {
        let said = under(way, &["report", "--check", "--run", run, "--out", paper]);
        assert!(said.status.success(), "{way}: {said:?}");
    }
    let said = under("up", &["bundle", "--run", run, "--version", "9.0.0", "--out", archive]);
    assert!(said.status.success(), "{said:?}");
    for said in [plainly(&["verify", archive]), under("down", &["verify", archive])] {
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
    }
    // A digit of the text, or of a value beyond the tolerance, is found under both.
    let claims = Path::new(paper).join("claims.json");
    let mut altered: Claims = serde_json::from_slice(&fs::read(&claims).unwrap()).unwrap();
    altered.claims.get_mut("latency.mean").unwrap().text += "1";
    fs::write(&claims, altered.to_json().unwrap()).unwrap();
    for said in [
        plainly(&["report", "--check", "--run", run, "--out", paper]),
        under("up", &["report", "--check", "--run", run, "--out", paper]),
    ] {
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        assert_eq!(said.status.code(), Some(1), "{said:?}");
        assert_eq!((text.lines().count(), text.contains("claims.json: line ")), (1, true), "{text}");
    }
}

/// What verify prints, and that it prints nothing else, beside the files that tell the sizes of others.
fn found(said: &Output, expected: &[&str]) {
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert!(expected.iter().all(|words| text.contains(words)), "{expected:?} in {text}");
    let known = |line: &str| {
        expected.iter().any(|words| line.contains(words))
            || line.starts_with("derived: data/README.md")
            || line.starts_with("derived: data/ro-crate-metadata.json")
    };
    let more: Vec<&str> = text.lines().filter(|line| !known(line)).collect();
    assert!(more.is_empty(), "{more:#?}");
}

/// In a real bundle, with manifests made again so that nothing but the check of claims can find it.
#[test]
fn small_changes_are_found_under_any_library() {
    // One of three lengths: whether time is linear in them has a p.
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    let bundle = bundles().into_iter().filter(|path| name(path).starts_with("smollm2-1.")).max().unwrap();
    let good = files(&bundle);
    let name = bundle.file_stem().unwrap().to_str().unwrap();
    let with = |change: &dyn Fn(&mut Claims)| {
        let mut all = good.clone();
        let mut claims: Claims = serde_json::from_slice(&all["data/paper/claims.json"]).unwrap();
        change(&mut claims);
        all.insert("data/paper/claims.json".into(), claims.to_json().unwrap().into_bytes());
        relist(&mut all);
        unpacked(&all, name)
    };
    let times = |factor: f64| {
        move |claims: &mut Claims| {
            let claim = claims.claims.get_mut("fit.latency.intercept.ci.low").unwrap();
            let Value::Number(value) = claim.value else { panic!("{claim:?}") };
            claim.value = Value::Number(value * factor);
        }
    };
    let text = |claims: &mut Claims| {
        let claim = claims.claims.get_mut("latency.mean").unwrap();
        let last = claim.text.pop().unwrap();
        claim.text.push(if last == '9' { '8' } else { char::from(last as u8 + 1) });
    };
    let p = |claims: &mut Claims| {
        let predicate = claims.predicates.get_mut("latency.linear").unwrap();
        predicate.p = predicate.p.map(|p| p * (1.0 + 1e-6));
    };
    let (value, text, p, ulp) = (with(&times(1.0 + 1e-6)), with(&text), with(&p), with(&times(1.0 + 1e-13)));
    for way in WAYS {
        let verify = |archive: &(TempDir, PathBuf)| under(way, &["verify", archive.1.to_str().unwrap()]);
        found(&verify(&value), &["claims: data/paper/claims.json: fit.latency.intercept.ci.low: expected value "]);
        found(&verify(&text), &["claims: data/paper/claims.json: latency.mean: expected text "]);
        found(&verify(&p), &["claims: data/paper/claims.json: latency.linear: expected p "]);
        // What another library may well have given.
        let said = verify(&ulp);
        assert!(!String::from_utf8_lossy(&said.stdout).contains("claims: "), "{said:?}");
    }
}

#[test]
fn a_row_that_is_a_nanosecond_off_is_found_under_any_library() {
    let mut all = files(&small().1);
    let (_, rows) = all.iter_mut().find(|(path, _)| path.ends_with("/runs.jsonl")).unwrap();
    let mut lines: Vec<serde_json::Value> =
        String::from_utf8(rows.clone()).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let row = lines.iter_mut().find(|row| row["phase"] == "measured").unwrap();
    row["e2e_ns"] = (row["e2e_ns"].as_u64().unwrap() + 1).into();
    *rows = lines.iter().map(|line| format!("{line}\n")).collect::<String>().into_bytes();
    // The deceiver names the new rows in the claims, too.
    let digest = {
        use sha2::{Digest, Sha256};
        Sha256::digest(&*rows).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let mut claims: Claims = serde_json::from_slice(&all["data/paper/claims.json"]).unwrap();
    claims.source.sha256 = digest;
    all.insert("data/paper/claims.json".into(), claims.to_json().unwrap().into_bytes());
    relist(&mut all);
    let (_folder, archive) = packed(&all);
    for way in WAYS {
        let said = under(way, &["verify", archive.to_str().unwrap()]);
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        assert_eq!(said.status.code(), Some(1), "{said:?}");
        assert!(text.contains("derived: data/paper/tables/runs.csv"), "{text}");
    }
}
