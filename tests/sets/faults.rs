//! What may not stand in a set, and what may not be changed in one.

use std::fs;

use crate::fleet::{Fleet, Session, offprint, said};

/// Merges these, which has to fail with exit code 2, and leave nothing.
fn refused(fleet: &Fleet, arguments: &[&str]) -> String {
    let merged = offprint(fleet.path(), &[&["merge"], arguments, &["--out", "set"]].concat());
    assert_eq!(merged.status.code(), Some(2), "{}", said(&merged));
    assert!(!fleet.path().join("set").exists() && said(&merged).contains("hint: "), "{}", said(&merged));
    said(&merged)
}

#[test]
fn a_member_that_does_not_fit_is_refused_with_the_way_out() {
    let fleet = Fleet::new("");
    for session in 1..=2 {
        fleet.session(&Session::of("m4", session, 1.0));
    }
    fleet.session(&Session { chip: "Another Processor", ..Session::of("other", 1, 1.0) });
    fleet.session(&Session { begin: 1, ..Session::of("same-time", 1, 1.1) });
    let one = "m4=m4-1.zip";

    let twice = refused(&fleet, &[one, "m4=m4-1.zip"]);
    assert!(twice.contains("m4/2: the same rows as m4/1"), "{twice}");
    let relabelled = refused(&fleet, &[one, "m1=m4-1.zip"]);
    assert!(relabelled.contains("an execution counts once"), "{relabelled}");
    let machine = refused(&fleet, &[one, "m4=other-1.zip"]);
    assert!(machine.contains("another machine than m4/") && machine.contains("Another Processor"), "{machine}");
    let overlap = refused(&fleet, &[one, "m4=same-time-1.zip"]);
    assert!(overlap.contains("overlap those of m4/1 in time"), "{overlap}");
    let absent = refused(&fleet, &[one, "m1=nowhere.zip"]);
    assert!(absent.contains("nowhere.zip: expected a bundle as one file, found none"), "{absent}");
    let label = refused(&fleet, &["mac m4=m4-1.zip"]);
    assert!(label.contains("a machine's label"), "{label}");
    let reference = refused(&fleet, &[one, "--reference", "m9"]);
    assert!(reference.contains("no member is of the reference `m9`; the machines are m4"), "{reference}");
    let none = offprint(fleet.path(), &["merge", "m4-1.zip", "--out", "set"]);
    assert!(none.status.code() == Some(2) && said(&none).contains("expected LABEL=BUNDLE"), "{}", said(&none));

    // Another design, under the same name.
    let others = Fleet::new("statistics: {equivalence_margin: 0.05}\n");
    let of_others = others.session(&Session::of("m1", 1, 1.0));
    let plan = refused(&fleet, &[one, &format!("m1={}", of_others.display())]);
    assert!(
        plan.contains("m1/1: another plan than m4/1's: `statistics.equivalence_margin` is 0.02 there and 0.05 here"),
        "{plan}"
    );

    // One byte of a row.
    let mut bytes = fs::read(fleet.path().join("m4-2.zip")).unwrap();
    let at = bytes.windows(8).position(|window| window == b"ttft_ns\"").unwrap() + 10;
    bytes[at] ^= 1;
    fs::write(fleet.path().join("bad.zip"), bytes).unwrap();
    let altered = refused(&fleet, &[one, "m4=bad.zip"]);
    assert!(altered.contains("bad.zip: ") && altered.contains("a bundle with a problem stands in no set"), "{altered}");

    // A set, and a folder, are no members; a set is never overwritten.
    assert!(offprint(fleet.path(), &["merge", one, "--out", "first"]).status.success());
    let again = offprint(fleet.path(), &["merge", one, "--out", "first"]);
    assert!(again.status.code() == Some(2) && said(&again).contains("never overwritten"), "{}", said(&again));
    let folder = refused(&fleet, &["m4=first"]);
    assert!(folder.contains("found a folder"), "{folder}");
    let bundled = fleet.offprint(&["bundle", "--set", "first", "--version", "1.0.0", "--out", "first.zip"]);
    assert!(bundled.status.success(), "{}", said(&bundled));
    assert!(refused(&fleet, &["m4=first.zip"]).contains("is a set"));
    let run = fleet.offprint(&["report", "--set", "m4-1.zip", "--out", "paper"]);
    assert!(
        run.status.code() == Some(2) && said(&run).contains("hint: a set is a folder that offprint merge"),
        "{}",
        said(&run)
    );
}

/// Every file, at several places: nothing of a set can be changed unseen.
#[test]
fn an_altered_set_is_found_out() {
    let fleet = Fleet::new("");
    for label in ["m4", "m1"] {
        fleet.session(&Session::of(label, 1, 1.0));
    }
    assert!(fleet.merge(&[], "set").status.success());
    for (file, content) in fleet.files("set") {
        let path = fleet.path().join("set").join(&file);
        for part in 0..3 {
            let mut altered = content.clone();
            let at = (content.len() - 1) * part / 2;
            altered[at] ^= 4;
            fs::write(&path, &altered).unwrap();
            let verified = fleet.offprint(&["verify", "set"]);
            assert_eq!(verified.status.code(), Some(1), "{} at {at}: {}", file.display(), said(&verified));
        }
        fs::write(&path, &content).unwrap();
        fs::rename(&path, fleet.path().join("away")).unwrap();
        let verified = fleet.offprint(&["verify", "set"]);
        assert_eq!(verified.status.code(), Some(1), "without {}: {}", file.display(), said(&verified));
        fs::rename(fleet.path().join("away"), &path).unwrap();
    }
    fs::write(fleet.path().join("set/data/members/more.zip"), "x").unwrap();
    let more = fleet.offprint(&["verify", "set"]);
    assert!(
        more.status.code() == Some(1) && said(&more).contains("no member but those of data/set.json"),
        "{}",
        said(&more)
    );
    fs::remove_file(fleet.path().join("set/data/members/more.zip")).unwrap();
    assert!(fleet.offprint(&["verify", "set"]).status.success());

    // The archive, byte by byte here and there.
    let bundled = fleet.offprint(&["bundle", "--set", "set", "--version", "1.0.0", "--out", "fleet.zip"]);
    assert!(bundled.status.success(), "{}", said(&bundled));
    let whole = fs::read(fleet.path().join("fleet.zip")).unwrap();
    for part in 0..12 {
        let mut altered = whole.clone();
        let at = (whole.len() - 1) * part / 11;
        altered[at] ^= 16;
        fs::write(fleet.path().join("altered.zip"), &altered).unwrap();
        let verified = fleet.offprint(&["verify", "altered.zip"]);
        assert_ne!(verified.status.code(), Some(0), "byte {at}: {}", said(&verified));
    }
}

/// Manifests made anew hide no change of what a set says: each number is made again from the members.
#[test]
fn a_set_whose_manifests_were_made_anew_is_still_held_to_its_members() {
    let fleet = Fleet::new("");
    for label in ["m4", "m1"] {
        fleet.session(&Session::of(label, 1, 1.0));
    }
    assert!(fleet.merge(&[], "set").status.success());
    let readme = fleet.path().join("set/data/README.md");
    let text = fs::read_to_string(&readme).unwrap();
    fs::write(&readme, text.replace("2 machines", "9 machines")).unwrap();
    remade(&fleet);
    let verified = fleet.offprint(&["verify", "set"]);
    assert!(
        verified.status.code() == Some(1) && said(&verified).contains("derived: data/README.md"),
        "{}",
        said(&verified)
    );
    fs::write(&readme, &text).unwrap();
    // The label that tells the machines apart, exchanged with the files' names: both would be sessions of one machine then.
    let label = fleet.path().join("set/data/set.json");
    let own = fs::read_to_string(&label).unwrap();
    fs::write(&label, own.replacen("\"m1\"", "\"m4\"", 1).replace("\"session\": 1", "\"session\": 2")).unwrap();
    remade(&fleet);
    assert_eq!(fleet.offprint(&["verify", "set"]).status.code(), Some(1));
}

/// Manifests as `sha256sum` and `sha512sum` write them.
fn remade(fleet: &Fleet) {
    let script = "cd set && for a in 256 512; do find data -type f | LC_ALL=C sort | xargs sha${a}sum > manifest-sha$a.txt; done; \
                  for a in 256 512; do sha${a}sum bag-info.txt bagit.txt manifest-sha256.txt manifest-sha512.txt > tagmanifest-sha$a.txt; done";
    assert!(
        std::process::Command::new("sh").args(["-c", script]).current_dir(fleet.path()).status().unwrap().success()
    );
}

/// A signature covers the members, and each member keeps its own.
#[test]
fn a_set_is_signed_as_a_bundle_is() {
    let fleet = Fleet::new("");
    fleet.session(&Session::of("m4", 1, 1.0));
    let key = fleet.path().join("key");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "ada", "-f"])
        .arg(&key)
        .status();
    assert!(made.unwrap().success());
    assert!(fleet.merge(&[], "set").status.success());
    let bundled =
        fleet.offprint(&["bundle", "--set", "set", "--version", "1.0.0", "--out", "signed.zip", "--sign", "key"]);
    assert!(bundled.status.success(), "{}", said(&bundled));
    let public = fs::read_to_string(fleet.path().join("key.pub")).unwrap();
    fs::write(fleet.path().join("allowed"), format!("ada@example.org namespaces=\"offprint-bundle\" {public}"))
        .unwrap();
    let verified = fleet.offprint(&["verify", "signed.zip", "--allowed-signers", "allowed"]);
    assert!(verified.status.success() && said(&verified).contains("signed by ada@example.org"), "{}", said(&verified));
    let unsigned = fleet.offprint(&["verify", "set", "--allowed-signers", "allowed"]);
    assert_eq!(unsigned.status.code(), Some(1), "{}", said(&unsigned));
}

/// What a fleet's lock says of study, weights and machines is held to; what it only wishes is said.
#[test]
fn members_of_a_fleet_are_held_to_its_lock() {
    let fleet = Fleet::new("");
    fleet.session(&Session::of("m4", 1, 1.0));
    let plan = |machine: &str, out: &str| {
        let text = format!(
            "machines:\n  m4: {{via: local{machine}}}\n  m1: {{via: local}}\nstudies: [study.yaml]\nsessions: 2\nreference: m4\n"
        );
        fs::write(fleet.path().join("fleet.yaml"), text).unwrap();
        let planned = fleet.offprint(&["fleet", "plan", "fleet.yaml", "--out", out]);
        assert!(planned.status.success(), "{}", said(&planned));
    };
    plan("", "lab");
    let one = "m4=m4-1.zip";
    let merged = offprint(fleet.path(), &["merge", one, "--lock", "lab/fleet.lock.yaml", "--out", "fits"]);
    assert!(merged.status.success(), "{}", said(&merged));
    assert!(said(&merged).contains("m4: 1 of the 2 sessions that the fleet plans"), "{}", said(&merged));
    assert!(said(&merged).contains("m1: 0 of the 2 sessions"), "{}", said(&merged));
    let label = refused(&fleet, &["m9=m4-1.zip", "--lock", "lab/fleet.lock.yaml"]);
    assert!(
        label.contains("no machine of the fleet is called `m9`") && label.contains("its machines are m1, m4"),
        "{label}"
    );
    plan(", expect: {chip: Apple M4}", "others");
    let chip = refused(&fleet, &[one, "--lock", "others/fleet.lock.yaml"]);
    assert!(chip.contains("m4-1.zip") && chip.contains("chip: expected Apple M4, found Test Processor"), "{chip}");
    let study = fleet.read("study.yaml");
    fs::write(fleet.path().join("study.yaml"), study.replace("seed: 7", "seed: 8")).unwrap();
    plan("", "anew");
    let anew = refused(&fleet, &[one, "--lock", "anew/fleet.lock.yaml"]);
    assert!(anew.contains("plan_sha256: expected ") && anew.contains("planned anew"), "{anew}");
}

/// What a set is under is what its members are under.
#[test]
fn a_set_has_the_licence_of_its_members() {
    let fleet = Fleet::new("");
    for session in 1..=2 {
        fleet.session(&Session::of("m4", session, 1.0));
        let run = format!("results/tiny/m4-{session}");
        let out = format!("cc-{session}.zip");
        let made =
            fleet.offprint(&["bundle", "--run", &run, "--version", "1.0.1", "--license", "CC-BY-4.0", "--out", &out]);
        assert!(made.status.success(), "{}", said(&made));
    }
    let mixed = refused(&fleet, &["m4=m4-1.zip", "m4=cc-2.zip"]);
    assert!(mixed.contains("under several licences: MIT OR Apache-2.0; CC-BY-4.0"), "{mixed}");
    let merged = offprint(fleet.path(), &["merge", "m4=cc-1.zip", "m4=cc-2.zip", "--out", "set"]);
    assert!(merged.status.success(), "{}", said(&merged));
    let bundled = fleet.offprint(&["bundle", "--set", "set", "--version", "1.0.0", "--out", "cc.zip"]);
    assert!(bundled.status.success(), "{}", said(&bundled));
    let verified = fleet.offprint(&["verify", "cc.zip"]);
    assert!(verified.status.success(), "{}", said(&verified));
    assert!(fleet.read("set/data/README.md").contains("| licence | CC-BY-4.0 |"));
}
