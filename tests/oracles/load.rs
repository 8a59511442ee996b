//! The metrics of runs of several requests, held to `load.py`, which computes them from the rows by itself.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

/// Every metric of every run by the other computation, and the same by the program's table of runs.
pub fn agree(folder: &Path, run: &Path, expected: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles/load.py");
    let output = Command::new("python3").arg(script).arg(run.join("runs.jsonl")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs: BTreeMap<String, BTreeMap<String, f64>> = serde_json::from_slice(&output.stdout).unwrap();
    let table = fs::read_to_string(folder.join("paper/tables/runs.csv")).unwrap();
    let mut lines = table.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let heads: Vec<&str> = lines.next().unwrap().iter().map(|head| head.split(' ').next().unwrap()).collect();
    let mut compared = BTreeMap::new();
    for line in lines {
        let ours: BTreeMap<&str, &str> = heads.iter().copied().zip(line).collect();
        for (name, value) in &theirs[ours["run"]] {
            let found: f64 = ours[name.as_str()].parse().unwrap_or(f64::NAN);
            let close = (found - value).abs() <= 1e-9 * value.abs().max(1.0);
            assert!(close, "run {}: {name} is {found}, and {value} by the other computation", ours["run"]);
            *compared.entry(name.clone()).or_insert(0) += 1;
        }
        for head in
            heads.iter().filter(|head| head.split("_p").nth(1).is_some_and(|share| share.parse::<u32>().is_ok()))
        {
            assert_eq!(ours[head].is_empty(), !theirs[ours["run"]].contains_key(*head), "{head}");
        }
    }
    for name in expected {
        assert_eq!(compared.get(*name), Some(&theirs.len()), "{name} was not compared in each run: {compared:?}");
    }
}
