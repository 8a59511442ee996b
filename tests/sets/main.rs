//! Sets of executions through the binary: merged, reported, bundled, verified, explained, compared; and what may not stand in one.
#![allow(clippy::unwrap_used)] // a test may: it fails where it should

mod fleet;
mod faults;
mod oracle;

use fleet::{Fleet, Session, offprint, said};
use serde_json::Value;

/// Three machines, the last with other ratios at length 16 than at 8.
fn three() -> Fleet {
    let fleet = Fleet::new("");
    for (label, factor) in [("m4", 1.0), ("m1", 1.62), ("pro", 1.003)] {
        for session in 1..=3 {
            fleet.session(&Session::of(label, session, factor));
        }
    }
    fleet
}

/// A paper of one's own about a set may show drawings, too.
#[test]
fn a_set_s_paper_shows_pictures() {
    let fleet = three();
    assert!(fleet.merge(&[], "set").status.success());
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 9 3\"><rect width=\"5\" height=\"2\"/></svg>";
    for (path, text) in [
        ("own/sections/1.md", "## Fleet\n\nSee @figure:fleet.\n\n![Who asks whom](figure:fleet)\n"),
        ("own/pictures/fleet.svg", svg),
    ] {
        let file = fleet.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    let reported = fleet.offprint(&["report", "--set", "set", "--templates", "own", "--out", "paper"]);
    assert!(reported.status.success(), "{}", said(&reported));
    assert!(fleet.read("paper/paper.md").contains("Who asks whom. Drawn by the authors; not made from the records."));
    assert!(fleet.path().join("paper/figures/fleet.pdf").is_file());
}

#[test]
fn a_fleet_becomes_one_paper_and_every_number_of_it_is_verified() {
    let fleet = three();
    let merged = fleet.merge(&[], "set");
    assert!(merged.status.success(), "{}", said(&merged));
    assert!(said(&merged).contains("m4 (reference): 3 sessions"), "{}", said(&merged));
    // Without a paper it is checked, and says what it lacks.
    let verified = fleet.offprint(&["verify", "set"]);
    assert!(verified.status.success() && said(&verified).contains("member pro/3:"), "{}", said(&verified));
    assert!(said(&verified).contains("not checked: paper: there is none in this set"), "{}", said(&verified));

    let reported = fleet.offprint(&["report", "--set", "set", "--out", "paper"]);
    assert!(reported.status.success(), "{}", said(&reported));
    let paper = fleet.read("paper/paper.md");
    for sentence in [
        "was executed 9 times on 3 machines: 144 runs in all",
        "THIS IS NOT A MEASUREMENT",
        "The decode rate of m1 is 0.6",
        "shown to be farther from one than 2 %",
        "two that share one are not shown to differ",
        "sessions differ by more than their runs explain",
    ] {
        assert!(paper.contains(sentence), "{sentence}: {paper}");
    }
    for file in [
        "paper.tex",
        "paper.html",
        "paper.typ",
        "tables/machines.csv",
        "tables/sessions.csv",
        "tables/effects.csv",
        "figures/machines.svg",
        "figures/sessions.pdf",
    ] {
        assert!(fleet.path().join("paper").join(file).is_file(), "{file}");
    }
    let checked = fleet.offprint(&["report", "--set", "set", "--out", "paper", "--check"]);
    assert!(checked.status.success(), "{}", said(&checked));

    let bundled =
        fleet.offprint(&["bundle", "--set", "set", "--paper", "paper", "--version", "1.0.0", "--out", "fleet.zip"]);
    assert!(bundled.status.success(), "{}", said(&bundled));
    let verified = fleet.offprint(&["verify", "fleet.zip", "--json"]);
    assert!(verified.status.success(), "{}", said(&verified));
    let report: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(report["members"].as_array().unwrap().len(), 9);
    assert!(report["claims"].as_u64().unwrap() > 300, "{report}");
    // Warm-ups have rows, too.
    assert_eq!(report["rows"], 2 * 144);

    // The archive answers as the folder does.
    for set in ["set", "fleet.zip"] {
        let explained = fleet.offprint(&["explain", "--set", set, "by_machine.m1.decode.mean"]);
        let text = said(&explained);
        assert!(
            explained.status.success() && text.contains("member    m1/2, run ") && text.contains(", mean "),
            "{text}"
        );
        let judged = fleet.offprint(&["explain", "--set", set, "vs.machine.m1.decode"]);
        assert!(said(&judged).contains("vs.machine.m1.decode holds"), "{}", said(&judged));
    }
    let lost = fleet.offprint(&["explain", "--set", "set", "by_machine.m9.decode.mean"]);
    assert!(lost.status.code() == Some(1) && said(&lost).contains("did you mean by_machine."), "{}", said(&lost));
}

/// Bytes a token times tokens a second, of what the best pass read; and the reason where there is none.
#[test]
fn a_decode_rate_is_set_against_the_memory_that_was_measured() {
    let fleet = Fleet::new("");
    for (label, session, memory) in [("m1", 1, (1000, 400_000)), ("m1", 2, (1000, 900_000)), ("m4", 1, (1000, 500_000))]
    {
        fleet.session(&Session { memory: Some(memory), ..Session::of(label, session, 1.0) });
    }
    assert!(fleet.merge(&[], "set").status.success());
    let reported = fleet.offprint(&["report", "--set", "set", "--out", "paper"]);
    assert!(reported.status.success(), "{}", said(&reported));
    let claims: Value = serde_json::from_str(&fleet.read("paper/claims.json")).unwrap();
    let value = |id: &str| claims["claims"][id]["value"].as_f64().unwrap_or_else(|| panic!("{id}"));
    let share = |place: u32, rate: f64| 100.0 * 1000.0 * value(&format!("member.{place}.decode.mean")) / rate;
    let near = |id: &str, expected: f64| {
        let found = value(id);
        assert!((found / expected - 1.0).abs() < 1e-9, "{id}: {found} for {expected}");
    };
    near("member.1.share", share(1, 500_000.0));
    near("by_machine.m4.share", share(1, 500_000.0));
    near("by_machine.m1.share", (share(2, 400_000.0) * share(3, 900_000.0)).sqrt());
    near("by_machine.m1.bandwidth", 6e-4);
    let paper = fleet.read("paper/paper.md");
    assert!(paper.contains("Memory bandwidth") && paper.contains("processor: a test"), "{paper}");
    assert!(fleet.offprint(&["report", "--set", "set", "--out", "paper", "--check"]).status.success());

    // One that did not measure it leaves the set without.
    fleet.session(&Session::of("m4", 2, 1.0));
    let odd = fleet.merge(&[], "odd");
    assert!(!odd.status.success(), "its weights are others': {}", said(&odd));
}

/// The same bundles give the same bytes, in whatever order they are named within a machine.
#[test]
fn a_set_is_a_function_of_its_members() {
    let fleet = Fleet::new("");
    for session in 1..=2 {
        fleet.session(&Session::of("m4", session, 1.0));
    }
    let names = ["m4=m4-1.zip", "m4=m4-2.zip"];
    let back = [names[1], names[0]];
    for (out, order) in [("one", names), ("two", back)] {
        let merged = offprint(fleet.path(), &[&["merge"], order.as_slice(), &["--out", out]].concat());
        assert!(merged.status.success(), "{}", said(&merged));
    }
    assert_eq!(fleet.files("one"), fleet.files("two"));
    // Members are in it byte for byte.
    assert_eq!(
        std::fs::read(fleet.path().join("one/data/members/m4-2.zip")).unwrap(),
        std::fs::read(fleet.path().join("m4-2.zip")).unwrap()
    );
}

/// What one machine, or one session, can show.
#[test]
fn one_machine_says_how_its_sessions_differ_and_one_session_says_nothing_of_machines() {
    let alone = Fleet::new("");
    for session in 1..=3 {
        alone.session(&Session::of("vm", session, 1.0));
    }
    assert!(alone.merge(&[], "set").status.success());
    assert!(alone.offprint(&["report", "--set", "set", "--out", "paper"]).status.success());
    let paper = alone.read("paper/paper.md");
    assert!(paper.contains("There is one machine in this set, so nothing here compares hardware"), "{paper}");
    assert!(paper.contains("it cannot show a difference between machines"), "{paper}");
    assert!(!paper.contains("Verdict") && !alone.path().join("paper/figures/machines.svg").exists());

    let single = Fleet::new("");
    for (label, factor) in [("m4", 1.0), ("m1", 1.5)] {
        single.session(&Session::of(label, 1, factor));
    }
    let merged = single.merge(&[], "set");
    assert!(said(&merged).contains("a machine with one session has no interval"), "{}", said(&merged));
    assert!(single.offprint(&["report", "--set", "set", "--out", "paper"]).status.success());
    let paper = single.read("paper/paper.md");
    assert!(
        paper.contains("so this is no verdict on the machine") && paper.contains("inconclusive: one session"),
        "{paper}"
    );
    let claims: Value = serde_json::from_str(&single.read("paper/claims.json")).unwrap();
    assert!(claims["predicates"]["vs.machine.m1.decode"]["holds"].is_null());
}

/// ... unless the study says how far sessions may lie apart.
#[test]
fn a_stated_session_margin_lets_single_sessions_differ_and_never_be_the_same() {
    let fleet = Fleet::new("statistics: {session_margin: 0.1}\n");
    for (label, factor) in [("m4", 1.0), ("m1", 1.5), ("near", 1.05)] {
        fleet.session(&Session::of(label, 1, factor));
    }
    assert!(fleet.merge(&[], "set").status.success());
    assert!(fleet.offprint(&["report", "--set", "set", "--out", "paper"]).status.success());
    let claims: Value = serde_json::from_str(&fleet.read("paper/claims.json")).unwrap();
    let holds = |id: &str| claims["predicates"][id]["holds"].as_bool();
    assert_eq!((holds("vs.machine.m1.decode"), holds("vs.machine.near.decode")), (Some(true), None));
    assert!(
        fleet.read("paper/paper.md").contains("farther from one than the 10 % by which the study lets sessions differ")
    );
}

#[test]
fn two_sets_are_compared_machine_by_machine() {
    let (before, after) = (Fleet::new(""), Fleet::new(""));
    for session in 1..=3 {
        before.session(&Session::of("m4", session, 1.0));
        after.session(&Session { begin: 40 + session, ..Session::of("m4", session, 1.3) });
    }
    assert!(before.merge(&[], "set").status.success() && after.merge(&[], "set").status.success());
    let (a, b) = (before.path().join("set"), after.path().join("set"));
    let compared = offprint(before.path(), &["compare", a.to_str().unwrap(), b.to_str().unwrap(), "--json"]);
    assert_eq!(compared.status.code(), Some(1), "{}", said(&compared));
    let found: Value = serde_json::from_slice(&compared.stdout).unwrap();
    let decode = found[0]["claims"].as_array().unwrap().iter().find(|claim| claim["metric"] == "decode").unwrap();
    assert_eq!((&found[0]["machine"], &decode["verdict"]), (&"m4".into(), &"different".into()));
    assert!((decode["ratio"].as_f64().unwrap() - 1.0 / 1.3).abs() < 0.03, "{decode}");
    let mixed = offprint(before.path(), &["compare", "set", "m4-1.zip"]);
    assert!(said(&mixed).contains("one of the two is a set"), "{}", said(&mixed));
}

/// Three executions of a real model, on one machine: the set that is committed, and the paper beside it.
#[test]
fn the_committed_set_holds_and_its_paper_is_what_it_gives() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let set = "results/sets/sessions-1.1.0.zip";
    let verified = offprint(root, &["verify", set, "--json"]);
    assert!(verified.status.success(), "{}", said(&verified));
    let report: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(report["members"].as_array().map(Vec::len), Some(3));
    let checked = offprint(root, &["report", "--set", set, "--out", "paper-sessions", "--check"]);
    assert!(checked.status.success(), "{}", said(&checked));
}

/// A page that lists bundles knows a set.
#[test]
fn a_folder_of_bundles_lists_a_set() {
    let fleet = Fleet::new("");
    fleet.session(&Session::of("m4", 1, 1.0));
    assert!(fleet.merge(&[], "set").status.success());
    let bundled = fleet.offprint(&["bundle", "--set", "set", "--version", "1.0.0"]);
    assert!(bundled.status.success(), "{}", said(&bundled));
    let page = fleet.read("results/bundles/README.md");
    assert!(page.contains("| 16 of 16 | Tiny | m4 (1 execution) | no |"), "{page}");
}

/// bagit-python and roc-validator, where there are (tests/bundle/foreign.rs says how).
#[test]
fn others_accept_the_committed_set() {
    let Some(tools) = std::env::var_os("OFFPRINT_TEST_TOOLS").map(std::path::PathBuf::from) else {
        return eprintln!("NOT RUN: OFFPRINT_TEST_TOOLS is not set, see .ci/run");
    };
    let folder = tempfile::tempdir().unwrap();
    let run = |program: &str, arguments: &[&std::ffi::OsStr]| {
        let output = std::process::Command::new(tools.join(program)).args(arguments).output().unwrap();
        assert!(output.status.success(), "{program}: {}", said(&output));
    };
    let top = folder.path().join("sessions-1.1.0");
    let archive = "results/sets/sessions-1.1.0.zip";
    run("python", &["-m".as_ref(), "zipfile".as_ref(), "-e".as_ref(), archive.as_ref(), folder.path().as_ref()]);
    run("bagit.py", &["--validate".as_ref(), top.as_ref()]);
    run("python", &["tests/oracles/roc_validate.py".as_ref(), top.join("data").as_ref()]);
}
