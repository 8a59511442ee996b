//! What is known before the first run is said before it.

use std::fs;

use crate::{Here, study, text, unix_now};

const ASKS: &str = "energy: {window_s: 1, idle_s: 1}";

/// Nothing was made, and why.
fn refused(here: &Here, more: &[&str]) -> String {
    let said = here.offprint(&[&["run", "study.yaml"], more].concat());
    assert_eq!(said.status.code(), Some(2), "{}", text(&said.stdout));
    assert!(!here.path("results").exists(), "a folder was made");
    text(&said.stderr)
}

#[test]
fn a_machine_without_counters_is_told_each_reason() {
    let here = Here::new(&study("[8]", 1, ASKS));
    let said = refused(&here, &[]);
    assert!(said.contains("study.yaml") && said.contains("nothing here can be read"), "{said}");
    assert!(said.contains("rapl: ") && said.contains("not there or empty"), "{said}");
    assert!(said.contains("hint: ") && said.contains("--meter FILE"), "{said}");
}

#[test]
fn what_overlaps_a_package_is_none() {
    let here = Here::new(&study("[8]", 1, ASKS));
    here.zone("intel-rapl:1", "psys");
    here.zone("intel-rapl-mmio:0", "package-0");
    assert!(refused(&here, &[]).contains("no package and no memory among its zones"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_counter_that_root_alone_may_read_comes_with_the_rule_that_opens_it() {
    let here = Here::new(&study("[8]", 1, ASKS));
    here.zone("intel-rapl:0", "package-0");
    let file = here.path("powercap/intel-rapl:0/energy_uj");
    fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    for arguments in [&["run", "study.yaml"][..], &["doctor", "study.yaml"]] {
        let said = here.as_nobody(arguments);
        let said = text(&said.stdout) + &text(&said.stderr);
        assert!(said.contains("energy_uj may be read by root alone"), "{said}");
        assert!(said.contains("/etc/udev/rules.d/") && said.contains("hint: "), "{said}");
    }
}

#[test]
fn a_frozen_counter_and_a_domain_that_is_none_here() {
    let here = Here::new(&study("[8]", 1, ASKS));
    here.zone("intel-rapl:0", "package-0");
    let said = refused(&here, &[]);
    assert!(said.contains("the counter of `package` (rapl package-0) stood still for 5 s"), "{said}");
    fs::write(here.path("study.yaml"), study("[8]", 1, "energy: {domain: board}")).unwrap();
    let said = refused(&here, &[]);
    assert!(
        said.contains("energy.domain: expected one that can be read here, found board; there are: package"),
        "{said}"
    );
}

#[test]
fn a_meter_by_another_clock_or_for_nobody() {
    let here = Here::new(&study("[8]", 1, ASKS));
    fs::write(here.path("meter.csv"), format!("time,watts\n{},80\n", unix_now() - 3600.0)).unwrap();
    let said = refused(&here, &["--meter", "meter.csv"]);
    assert!(said.contains("meter.csv: expected a last line of now, found one 3600 s ago"), "{said}");
    fs::write(here.path("study.yaml"), study("[8]", 1, "")).unwrap();
    let said = refused(&here, &["--meter", "meter.csv"]);
    assert!(said.contains("it has no `energy`, so nothing reads a meter"), "{said}");
}
