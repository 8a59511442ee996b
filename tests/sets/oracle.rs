//! Every number of a set held to an independent computation from the members' rows: `tests/oracles/sets.py`, Python without a library.

use std::{path::Path, process::Command};

use serde_json::Value;

use crate::{fleet::said, three};

#[test]
fn every_ratio_interval_and_verdict_comes_out_of_the_rows_again() {
    let fleet = three();
    assert!(fleet.merge(&[], "set").status.success());
    let reported = fleet.offprint(&["report", "--set", "set", "--out", "paper"]);
    assert!(reported.status.success(), "{}", said(&reported));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles/sets.py");
    let output = Command::new("python3").arg("-I").arg(script).arg(fleet.path().join("set")).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let expected: Value = serde_json::from_slice(&output.stdout).unwrap();
    let claims: Value = serde_json::from_str(&fleet.read("paper/claims.json")).unwrap();
    let (mut numbers, mut words) = (0, 0);
    for (id, value) in expected["numbers"].as_object().unwrap() {
        let found = claims["claims"][id]["value"].as_f64().unwrap_or_else(|| panic!("no number {id}"));
        let value = value.as_f64().unwrap();
        assert!((found - value).abs() <= 1e-8 * value.abs().max(1e-12), "{id}: {found} for {value}");
        numbers += 1;
    }
    for (id, value) in expected["p"].as_object().unwrap() {
        let (found, value) = (claims["predicates"][id]["p"].as_f64().unwrap(), value.as_f64().unwrap());
        assert!((found - value).abs() <= 1e-8 * value.max(1e-300), "{id}: p {found} for {value}");
    }
    for (id, value) in expected["texts"].as_object().unwrap() {
        assert_eq!(&claims["claims"][id]["value"], value, "{id}");
        words += 1;
    }
    assert_eq!((numbers, words), (108, 32));
}
