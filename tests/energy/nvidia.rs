//! NVIDIA's board through the wrapper that programs have, over a library of ours in the driver's place.

use std::process::{Command, Output};

use offprint::{energy::Domain, evidence::Evidence, record::Phase};

use crate::{Here, lines, rows, study, text};

/// The driver's library, compiled into the folder.
fn driver(here: &Here) {
    let out = here.path("libnvidia-ml.so.1");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/energy/nvml.c");
    let made = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-w", "-o"]).arg(&out).arg(source).output().unwrap();
    assert!(made.status.success(), "{}", text(&made.stderr));
}

fn offprint(here: &Here, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = here.command(arguments);
    command.env("LD_LIBRARY_PATH", here.folder.path()).env_remove("CUDA_VISIBLE_DEVICES");
    command.envs(variables.iter().copied()).output().unwrap()
}

#[test]
fn a_board_from_the_driver_s_library_to_the_claims() {
    let here = Here::new(&study("[8, 16]", 2, "energy: {window_s: 3, idle_s: 2, domain: board}"));
    driver(&here);
    let said = offprint(&here, &["run", "study.yaml"], &[]);
    assert!(said.status.success(), "{}", text(&said.stderr));
    let folder = here.path(text(&said.stdout).trim());
    for line in lines(&folder) {
        let board = &line.domains[&Domain::Board];
        assert_eq!((line.domain, board.source.as_str(), board.unit.as_str()), (Domain::Board, "nvml", "mJ"));
        // Its own ends may be off by a period; the integral has none.
        assert!((board.watts().unwrap() / 300.0 - 1.0).abs() < 0.05, "{board:?}");
        assert!((board.check_j.unwrap() / board.seconds / 300.0 - 1.0).abs() < 1e-3, "{board:?}");
        assert_eq!((board.agree, board.limit_w), (Some(true), Some(700.0)));
        assert!((board.period_s.unwrap() - 0.1).abs() < 0.03, "{board:?}");
        assert_eq!((line.before.celsius, line.after.mhz), (Some(55.0), Some(1980)));
        let throttle = line.throttle.as_ref().unwrap();
        let share = throttle["sw_power_cap"] as f64 / (line.end_ns - line.start_ns) as f64;
        assert!((share - 0.25).abs() < 0.05 && throttle["hw_thermal"] == 0, "{throttle:?}");
        assert!(!throttle.contains_key("sync_boost"), "the driver does not count it");
    }
    let Evidence { run, claims, .. } = Evidence::open(&folder, None).unwrap();
    let facts = run.environment.energy_sources.value.unwrap();
    let board = facts.iter().find(|facts| facts.source == "nvml").unwrap();
    assert_eq!(board.detail.as_deref(), Some("Fake Board 1, driver 580.159.04"));
    for row in rows(&folder, Phase::Measured) {
        assert!(row.thermal.as_ref().unwrap().contains("GPU 55 C"), "{:?}", row.thermal);
    }
    assert_eq!(claims.predicates["energy.agrees"].holds, Some(true));
    let held_back = &claims.predicates["energy.unthrottled"];
    assert_eq!(held_back.holds, Some(false));
    assert!(
        held_back.text.contains("4 of 4 runs the machine was held back (run 1: sw_power_cap for 2"),
        "{}",
        held_back.text
    );
}

#[test]
fn which_board_is_asked_for_and_not_guessed() {
    let here = Here::new(&study("[8]", 1, "energy: {domain: board}"));
    driver(&here);
    let two = ("FAKE_NVML_BOARDS", "2");
    let doctor = |variables: &[(&str, &str)]| text(&offprint(&here, &["doctor", "study.yaml"], variables).stdout);
    let said = doctor(&[two]);
    assert!(said.contains("nvml: none: 2 GPUs, and nothing says which of them programs compute on"), "{said}");
    assert!(said.contains("CUDA_VISIBLE_DEVICES=GPU-"), "{said}");
    let said = doctor(&[two, ("CUDA_VISIBLE_DEVICES", "GPU-0002")]);
    // The second draws twice as much.
    assert!(
        said.contains("board (nvml): fresh every 0.1") || said.contains("board (nvml): fresh every 0.09"),
        "{said}"
    );
    let watts = said.split(" s, ").nth(1).and_then(|rest| rest.split(" W now").next()).unwrap_or_default();
    assert!((watts.parse::<f64>().unwrap() - 600.0).abs() < 30.0, "{said}");
    let said = doctor(&[("FAKE_NVML_OLD", "1")]);
    assert!(said.contains("nvml: none: Fake Board 1, driver 580.159.04: its energy counter:"), "{said}");
    let refused = offprint(&here, &["run", "study.yaml"], &[("FAKE_NVML_OLD", "1")]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("expected one that can be read here, found board"), "{refused:?}");
}
