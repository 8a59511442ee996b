//! Instructions, which do not depend on what else the machine does: the host's part of a token and of a row, counted by callgrind as
//! the difference of two amounts, so that starting up is not in it. A bound is a quarter above what was counted when it was set; a
//! change that needs more has to say why.
#![cfg(all(feature = "mlx", target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test may: it fails where it should

#[path = "llama/checkpoint.rs"]
mod checkpoint;
#[path = "../examples/scale.rs"]
#[allow(dead_code)]
mod scale;
#[path = "llama/tiny.rs"]
mod tiny;

use std::{
    env,
    io::{self, Write},
    path::Path,
    process::Command,
};

use offprint::evidence::Evidence;

/// What the counted process is to do: this program is started again under valgrind.
const WORK: &str = "OFFPRINT_TEST_WORK";

#[test]
fn a_token_costs_the_host_what_it_did() {
    match env::var(WORK) {
        Ok(tokens) => {
            let folder = tiny::folder();
            assert!(tiny::generate(&mut tiny::engine(folder.path()), tokens.parse().unwrap(), 0.7) > 0);
        }
        Err(_) => held("a_token_costs_the_host_what_it_did", ["32", "160"], 128, 293_000),
    }
}

#[test]
fn a_row_costs_a_report_what_it_did() {
    if let Ok(folder) = env::var(WORK) {
        assert!(Evidence::open(Path::new(&folder), None).unwrap().summary.seen.measured > 0);
        return;
    }
    let parent = tempfile::tempdir().unwrap();
    let folders = [1_200, 3_600].map(|runs| scale::generate(parent.path(), runs));
    held("a_row_costs_a_report_what_it_did", folders.each_ref().map(|folder| folder.to_str().unwrap()), 2_400, 142_000);
}

/// Holds the instructions that `test` takes for the second work above the first, which is `amount` smaller, to a bound each.
fn held(test: &str, works: [&str; 2], amount: u64, bound: u64) {
    let mut past_the_capture = io::stderr();
    if !Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success()) {
        assert!(env::var_os("OFFPRINT_TEST_TOOLS").is_none(), "valgrind is missing");
        return writeln!(past_the_capture, "NOT RUN: valgrind is not installed, see .ci/run").unwrap();
    }
    let [fewer, more] = works.map(|work| count(test, work));
    let each = (more - fewer) / amount;
    writeln!(past_the_capture, "{each} instructions").unwrap();
    assert!(each <= bound, "{each} instructions, and the bound is {bound}");
    assert!(each >= bound / 2, "{each} instructions: a bound of {bound} holds nothing; lower it");
}

fn count(test: &str, work: &str) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", &format!("--callgrind-out-file={}/out", folder.path().display())])
        .arg(env::current_exe().unwrap())
        .args(["--exact", test])
        // One level whatever the processor, and nobody who waits by spinning.
        .envs([(WORK, work), ("OFFPRINT_KERNELS", "plain"), ("OFFPRINT_THREADS", "1")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let collected = said.lines().find_map(|line| line.split_once("Collected :")).expect("a count");
    collected.1.trim().parse().unwrap()
}
