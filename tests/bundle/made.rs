//! Making: the same bytes anywhere, no version replaced, nothing incomplete.

use std::{fs, process::Command};

use offprint::bundle::{Bundle, Signed};

use super::{check, files, offprint, run, small, unpacked};

#[test]
fn the_same_run_gives_the_same_bytes_in_any_folder_and_time_zone() {
    let (folder, archive) = small();
    let run = fs::read_dir(folder.path().join("results/tiny")).unwrap().next().unwrap().unwrap().path();
    // Elsewhere, with other file times, another zone, another language.
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("a b").join(run.file_name().unwrap());
    fs::create_dir_all(&copy).unwrap();
    for name in ["runs.jsonl", "environment.json", "study.yaml"] {
        fs::write(copy.join(name), fs::read(run.join(name)).unwrap()).unwrap();
    }
    let out = elsewhere.path().join("again.zip");
    let said = Command::new(env!("CARGO_BIN_EXE_offprint"))
        .args(["bundle", "--version", "1.0.0", "--run", copy.to_str().unwrap(), "--out", out.to_str().unwrap()])
        .envs([("TZ", "Pacific/Kiritimati"), ("LC_ALL", "tr_TR.UTF-8"), ("SOURCE_DATE_EPOCH", "1")])
        .current_dir(elsewhere.path())
        .output()
        .unwrap();
    assert!(said.status.success(), "{said:?}");
    assert!(fs::read(&out).unwrap() == fs::read(archive).unwrap(), "two archives of one run differ");
}

#[test]
fn a_bundle_is_accepted_packed_and_unpacked() {
    let (_, archive) = small();
    let report = check(archive);
    assert!(report.is_fine(), "{:#?}", report.problems);
    // Eight runs and a warm-up each.
    assert_eq!((report.rows, report.signature), (16, Signed::No));
    assert!(report.claims > 100 && report.files > 40, "{} claims, {} files", report.claims, report.files);
    let (_folder, top) = unpacked(&files(archive), "tiny-1.0.0");
    let report = check(&top);
    assert!(report.is_fine(), "{:#?}", report.problems);
    assert_eq!(Bundle::open(&top).unwrap().run().unwrap().records.len(), 16);
}

#[test]
fn the_verbs_say_what_they_found() {
    let (folder, archive) = small();
    let verify =
        |arguments: &[&str]| offprint(folder.path(), &[&["verify", archive.to_str().unwrap()], arguments].concat());
    let said = verify(&[]);
    assert!(said.status.success(), "{said:?}");
    assert!(String::from_utf8(said.stdout).unwrap().ends_with("claims, all as they should be\n"));
    let json: serde_json::Value = serde_json::from_slice(&verify(&["--json"]).stdout).unwrap();
    assert_eq!((json["bundle"].as_str(), json["problems"].as_array().map(Vec::len)), (Some("tiny-1.0.0"), Some(0)));
    let none = offprint(folder.path(), &["verify", "none.zip"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(String::from_utf8(none.stderr).unwrap().contains("none.zip"));
}

#[test]
fn a_version_is_never_overwritten_and_the_page_lists_all() {
    let (folder, run) = run();
    let bundle =
        |version: &str| offprint(folder.path(), &["bundle", "--run", run.to_str().unwrap(), "--version", version]);
    assert!(bundle("1.0.0").status.success());
    let file = folder.path().join("results/bundles/tiny-1.0.0.zip");
    let before = fs::read(&file).unwrap();
    let again = bundle("1.0.0");
    assert_eq!(again.status.code(), Some(2));
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(said.contains("never overwritten") && said.contains("hint: give the next --version"), "{said}");
    assert!(fs::read(&file).unwrap() == before);
    assert!(bundle("1.0.1").status.success());
    let page = fs::read_to_string(folder.path().join("results/bundles/README.md")).unwrap();
    assert_eq!(page.lines().filter(|line| line.starts_with("| [tiny-1.0.")).count(), 2, "{page}");
    for wrong in ["1.0", "one", "1.0.0+x", "../1.0.0"] {
        assert_eq!(bundle(wrong).status.code(), Some(2), "{wrong}");
    }
    // A folder without its last run is no execution.
    let rows = fs::read_to_string(run.join("runs.jsonl")).unwrap();
    let cut: Vec<&str> = rows.lines().take(rows.lines().count() - 2).collect();
    fs::write(run.join("runs.jsonl"), cut.join("\n") + "\n").unwrap();
    let said = String::from_utf8(bundle("2.0.0").stderr).unwrap();
    assert!(said.contains("not every planned run has its row"), "{said}");
    let names: Vec<_> =
        fs::read_dir(folder.path().join("results/bundles")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
}

/// The repository's own, in every clone.
#[test]
fn the_committed_bundles_are_accepted() {
    let mut found = 0;
    for entry in fs::read_dir("results/bundles").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "zip") {
            let report = check(&path);
            assert!(report.is_fine(), "{}: {:#?}", path.display(), report.problems);
            found += 1;
        }
    }
    assert!(found > 0);
}

/// What `verify` would find fault with in a row is found before anything is written.
#[test]
fn a_run_that_would_not_pass_verify_is_not_bundled() {
    let (folder, run) = run();
    let file = run.join("runs.jsonl");
    let whole = fs::read_to_string(&file).unwrap();
    let bundled = |rows: &[&str]| {
        fs::write(&file, rows.join("\n") + "\n").unwrap();
        let said = offprint(folder.path(), &["bundle", "--run", run.to_str().unwrap(), "--version", "2.0.0"]);
        assert_eq!(said.status.code(), Some(2), "{said:?}");
        assert!(
            !folder.path().join("results/bundles").exists() || files_in(&folder.path().join("results/bundles")) == 0
        );
        String::from_utf8(said.stderr).unwrap()
    };
    let rows: Vec<&str> = whole.lines().collect();
    let mut row: serde_json::Value = serde_json::from_str(rows[3]).unwrap();
    row["e2e_ns"] = 4_000_000_000_000_000_000_u64.into();
    let century = row.to_string();
    let said = bundled(&[&rows[..3], &[century.as_str()], &rows[4..]].concat());
    assert!(said.contains("would not pass verify") && said.contains("century"), "{said}");
    let mut swapped = rows.clone();
    swapped.swap(1, 3);
    let said = bundled(&swapped);
    assert!(said.contains("not in the order of execution"), "{said}");
}

fn files_in(folder: &std::path::Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}
