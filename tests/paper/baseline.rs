//! Another execution beside a run's own: copied with it, compared in the paper, traceable, and nowhere in other papers.

use super::*;

const FAKE: &str = include_str!("../../config/fake.yaml");

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Two executions of the fake study; in the second every time is a quarter.
fn two(folder: &Path) -> [PathBuf; 2] {
    let there = run(folder, FAKE);
    let here = folder.join("results/fake/20300101T000000Z");
    fs::create_dir(&here).unwrap();
    for name in ["study.yaml", "environment.json"] {
        fs::copy(there.join(name), here.join(name)).unwrap();
    }
    let quarter = |value: &mut serde_json::Value| *value = (value.as_u64().unwrap() / 4).into();
    let mut rows = String::new();
    for line in fs::read_to_string(there.join("runs.jsonl")).unwrap().lines() {
        let mut row: serde_json::Value = serde_json::from_str(line).unwrap();
        row["token_times_ns"].as_array_mut().unwrap().iter_mut().for_each(quarter);
        for name in ["load_ns", "tokenize_ns", "ttft_ns", "e2e_ns"] {
            if row[name].is_u64() {
                quarter(&mut row[name]);
            }
        }
        rows += &format!("{row}\n");
    }
    fs::write(here.join("runs.jsonl"), rows).unwrap();
    [there, here]
}

#[test]
fn a_baseline_is_copied_compared_and_explained() {
    let folder = tempfile::tempdir().unwrap();
    let [there, here] = two(folder.path());
    let plain = fs::read_to_string(report(folder.path(), &here).join("paper.md")).unwrap();
    assert!(!plain.contains("another execution\n"), "a run without a baseline speaks of none");

    let out = folder.path().join("paper");
    let made = offprint(&["report", "--run", path(&here), "--baseline", path(&there), "--out", path(&out)]);
    assert!(made.status.success(), "{}", said(&made));
    let copy = here.join("baseline").join(there.file_name().unwrap());
    for name in ["study.yaml", "environment.json", "runs.jsonl"] {
        assert_eq!(fs::read(copy.join(name)).unwrap(), fs::read(there.join(name)).unwrap(), "{name}");
    }

    // The other folder is no longer needed: what is there is found again from the copy.
    fs::remove_dir_all(&there).unwrap();
    let again = offprint(&["report", "--check", "--run", path(&here), "--out", path(&out)]);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stdout));
    let text = fs::read_to_string(out.join("paper.md")).unwrap();
    assert!(text.contains("Comparison with another execution\n"), "{text}");
    let row = text.lines().find(|line| line.starts_with("| decode rate | tok/s |")).unwrap();
    let ratio: f64 = row.split(" | ").nth(4).unwrap().parse().unwrap();
    assert!((ratio - 4.0).abs() < 0.01 && row.ends_with("| different |"), "{row}");

    let json = fs::read_to_string(out.join("claims.json")).unwrap();
    let claims: serde_json::Value = serde_json::from_str(&json).unwrap();
    let claim = &claims["claims"]["baseline.decode.mean.change"];
    assert!((claim["value"].as_f64().unwrap() - 4.0).abs() < 1e-3, "{claim}");
    assert_eq!(claim["runs"], claim["baseline_runs"]);
    assert_eq!(claims["claims"]["baseline.outputs.equal"]["value"], claims["claims"]["study.runs"]["value"]);
    let explained = offprint(&["explain", "baseline.decode.mean.there", "--run", path(&here)]);
    let explained = String::from_utf8(explained.stdout).unwrap();
    assert!(explained.contains("offprint compare") && explained.contains("rows of the baseline"), "{explained}");

    // A changed row of the baseline shows.
    let rows = fs::read_to_string(copy.join("runs.jsonl")).unwrap();
    fs::write(copy.join("runs.jsonl"), rows.replacen("\"e2e_ns\":", "\"e2e_ns\":1", 5)).unwrap();
    let altered = offprint(&["report", "--check", "--run", path(&here), "--out", path(&out)]);
    assert_eq!(altered.status.code(), Some(1), "{}", said(&altered));
}

#[test]
fn what_is_no_baseline_is_refused_and_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let [there, here] = two(folder.path());
    let attach = |other: &Path| {
        let out = folder.path().join("paper");
        let output = offprint(&["report", "--run", path(&here), "--baseline", path(other), "--out", path(&out)]);
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stdout));
        said(&output)
    };
    let same = attach(&here);
    assert!(same.contains("expected another execution, found the same records") && same.contains("hint: "), "{same}");
    assert!(attach(&folder.path().join("nothing")).contains("no study.yaml"));
    assert!(!here.join("baseline").exists());
    fs::create_dir_all(here.join("baseline/a")).unwrap();
    fs::create_dir_all(here.join("baseline/b")).unwrap();
    assert!(attach(&there).contains("expected one run folder, found 2"));
}
