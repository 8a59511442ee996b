//! Ten thousand runs through the binary: every number is there, and memory holds the rows neither of a paper nor of a bundle. `cargo run --release --example
//! scale` draws the whole curve.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test may: it fails where it should

#[path = "../examples/scale.rs"]
mod scale;

use std::{fs, path::Path};

#[test]
fn ten_thousand_runs_make_a_paper() {
    let folder = tempfile::tempdir().unwrap();
    // 12 cells of 833 replicates.
    let made = scale::generate(folder.path(), 9_996);
    let cost = scale::cost(Path::new(env!("CARGO_BIN_EXE_offprint")), "report", &made);
    let claims = fs::read_to_string(made.join("paper/claims.json")).unwrap();
    let claims: serde_json::Value = serde_json::from_str(&claims).unwrap();
    let claim = |id: &str| &claims["claims"][id];
    assert_eq!(claim("latency.mean")["n"], 9_996);
    assert_eq!(claim("latency.mean")["runs"], "1-9996", "runs are named in stretches");
    // Gaps: 7, 15 and 31 a run, a third of the runs each; as many as that are counted in bins.
    assert_eq!(claim("itl.n")["value"], 9_996 / 3 * (7 + 15 + 31));
    let median = claim("itl.p50")["value"].as_f64().unwrap();
    assert!((10.0..10.4).contains(&median), "{median} ms");
    assert!(fs::read_to_string(made.join("paper/paper.md")).unwrap().contains("9996"));
    let bounded = |verb: &str, cost: scale::Cost| {
        if let Some(peak) = cost.peak_mib {
            assert!(peak < 300.0, "{verb}: {peak:.0} MiB for {} bytes of records", cost.bytes);
        }
    };
    bounded("report", cost);
    for verb in ["bundle", "verify"] {
        bounded(verb, scale::cost(Path::new(env!("CARGO_BIN_EXE_offprint")), verb, &made));
    }
}
