//! `offprint shard`: idempotent, whatever becomes of it; and what it refuses.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use offprint::{
    fleet::{Build, FLEET_SCHEMA, Lock, LockedMachine, LockedStudy},
    machine,
    study::Study,
};

use crate::here::{Here, RUNS, Said, measured, rows, said};

const SHARD: [&str; 6] = ["shard", "study.yaml", "--home", "home", "--bundle", "out/s.zip"];

fn shard(here: &Here) -> Said {
    here.call(&SHARD)
}

/// The one run folder of a home.
fn only(here: &Here, session: &str) -> PathBuf {
    let entries = fs::read_dir(here.path(&format!("home/{session}/test"))).unwrap();
    let folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders.into_iter().next().unwrap()
}

/// Each run once, and a bundle that `verify` finds nothing wrong with.
fn is_whole(here: &Here, session: &str) {
    assert_eq!(measured(&rows(&only(here, session))), (1..=RUNS as u32).collect::<Vec<_>>());
    let verified = here.call(&["verify", "out/s.zip"]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.out, verified.err);
    let left: Vec<_> = fs::read_dir(here.path("out")).unwrap().collect();
    assert_eq!(left.len(), 1, "no file that is half made: {left:?}");
    here.nobody_is_left();
}

#[test]
fn the_same_again_finds_the_bundle_or_makes_it_of_the_runs_that_are_there() {
    let here = Here::with("fake", "");
    let first = shard(&here);
    assert_eq!((first.code, first.out.as_str()), (Some(0), "out/s.zip\n"), "{}", first.err);
    is_whole(&here, "results");
    let made = fs::read(here.path("out/s.zip")).unwrap();
    let again = shard(&here);
    assert_eq!(
        (again.code, again.out.as_str(), again.err.as_str()),
        (Some(0), "out/s.zip\n", "out/s.zip: there already\n")
    );
    fs::remove_file(here.path("out/s.zip")).unwrap();
    // Of one that was killed while it bundled.
    fs::write(here.path("out/s.zip.12345.tmp"), "half").unwrap();
    let bundled = shard(&here);
    assert_eq!((bundled.code, bundled.err.contains("runs to do")), (Some(0), false), "{}", bundled.err);
    assert_eq!(fs::read(here.path("out/s.zip")).unwrap(), made);
    is_whole(&here, "results");
}

#[test]
fn one_that_was_killed_goes_on_and_says_which_session_it_is() {
    let here = Here::with("fake:pace=4", "");
    let words = [&SHARD[..], &["--machine", "mac-m1", "--session", "2"]].concat();
    let mut killed = here.start(&words);
    killed.until("(5/24)");
    killed.kill();
    here.nobody_is_left();
    let done = measured(&rows(&only(&here, "session-2"))).len();
    let again = here.call(&words);
    assert_eq!(again.code, Some(0), "{}", again.err);
    assert!(again.err.contains(&format!("{} of 24 runs to do", RUNS - done)), "{}", again.err);
    is_whole(&here, "session-2");
    let text = fs::read_to_string(only(&here, "session-2").join("environment.json")).unwrap();
    let environment: serde_json::Value = serde_json::from_str(&text).unwrap();
    let session = &environment["session"];
    assert_eq!((session["machine"].as_str(), session["number"].as_u64()), (Some("mac-m1"), Some(2)), "{session}");
    let boot = &session["boot_sha256"];
    assert!(boot["value"].as_str().is_some_and(|digest| digest.len() == 64) || boot["reason"].is_string(), "{boot}");
    // Its bundle is no other session's.
    let other = here.call(&[&SHARD[..], &["--machine", "mac-m1", "--session", "1"]].concat());
    assert_eq!(other.code, Some(2));
    assert!(other.err.contains("a bundle of another session than session 1 of test"), "{}", other.err);
}

/// While it starts, while a run is in flight, and above all while the bundle is made.
#[test]
fn a_kill_at_any_moment_costs_at_most_the_run_in_flight() {
    let here = Here::with("fake:pace=1", "");
    let mut moments = 2026_u64;
    let mut below = |ms: u64| {
        moments = moments.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_micros((moments >> 33) % (ms * 1000))
    };
    for kill in 0..24 {
        let mut running = here.start(&SHARD);
        match kill % 4 {
            0 => thread::sleep(below(100)),
            _ if here.path("home/results/test").exists() && kill > 12 => thread::sleep(below(1500)),
            // Where all runs are there, none is told.
            _ => {
                running.says(" tokens in ");
                thread::sleep(below(200));
            }
        }
        // One that was done before the kill came ends the trial, and one that was not leaves no bundle.
        running.kill();
        here.nobody_is_left();
        if here.path("out/s.zip").exists() {
            assert_eq!(here.call(&["verify", "out/s.zip"]).code, Some(0), "after kill {kill}");
            fs::remove_file(here.path("out/s.zip")).unwrap();
        }
    }
    let end = shard(&here);
    assert_eq!(end.code, Some(0), "{}", end.err);
    is_whole(&here, "results");
}

/// A second attempt waits for the first, tells that it does, and takes its bundle; where the first is killed, it goes on itself.
#[test]
fn two_of_one_home_are_one_after_the_other() {
    for kill in [false, true] {
        let here = Here::with("fake:pace=4", "");
        let mut first = here.start(&SHARD);
        first.until("(3/24)");
        let mut second = here.start(&SHARD);
        second.until("home/lock: test is at work here; waiting for it");
        let first = if kill { (None, first.kill()) } else { first.end() };
        let (code, said) = second.end();
        assert_eq!(code, Some(0), "{said:?}");
        let words = if kill { "of 24 runs to do" } else { "out/s.zip: there already" };
        assert!(said.iter().any(|line| line.contains(words)), "{said:?}\n{first:?}");
        is_whole(&here, "results");
    }
}

#[test]
fn a_stop_is_to_be_tried_again_and_a_line_that_is_hung_up_is_no_stop() {
    let here = Here::with("fake:pace=4", "");
    let mut waits = {
        let mut running = here.start(&SHARD);
        running.until("(2/24)");
        let mut second = here.start(&SHARD);
        second.until("waiting for it");
        second.signal("TERM");
        let (code, said) = second.end();
        assert_eq!(code, Some(75), "{said:?}");
        running
    };
    waits.signal("HUP");
    waits.until("(6/24)");
    waits.signal("TERM");
    let (code, said) = waits.end();
    assert_eq!(code, Some(75), "{said:?}");
    assert!(!here.path("out/s.zip").exists());
    assert_eq!(shard(&here).code, Some(0));
    is_whole(&here, "results");
}

/// Whoever listened has gone: both ends of the connection are closed while it works.
#[test]
fn nobody_need_listen() {
    let here = Here::with("fake:pace=2", "");
    let mut child = here.command(&SHARD).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    is_whole(&here, "results");
}

#[test]
fn a_machine_that_is_busy_or_hot_is_to_be_tried_again() {
    let here = Here::with("fake", "");
    let load = machine::load_average();
    if load.value.is_none_or(|load| load < 0.05) {
        eprintln!("not tried: this machine is not busy at all: {load:?}");
        return;
    }
    let busy = here.call(&[&SHARD[..], &["--busy", "0", "--wait", "0"]].concat());
    assert_eq!((busy.code, busy.out.as_str()), (Some(75), ""), "{}", busy.err);
    let told = busy.err.lines().collect::<Vec<_>>();
    assert!(told[0].starts_with("this machine is too busy: a load of "), "{told:?}");
    assert!(told[1].starts_with("error: this machine is too busy") && told[1].ends_with("nothing was run"), "{told:?}");
    assert!(told[2].starts_with("hint: stop what else is running"), "{told:?}");
    assert!(!here.path("home/results").exists());
    // A stop ends the wait.
    let mut waits = here.start(&[&SHARD[..], &["--busy", "0", "--wait", "3600"]].concat());
    waits.until("waiting for 3600 s at most");
    waits.signal("INT");
    assert_eq!(waits.end().0, Some(75));
    assert_eq!(here.call(&[&SHARD[..], &["--busy", "1e9", "--hot", "1e9"]].concat()).code, Some(0));
}

#[test]
fn failed_runs_are_rows_and_no_failure_of_the_shard() {
    let here = Here::with("fake:fail=16", "");
    let said = shard(&here);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains("12 of 24 runs failed; their rows in "), "{}", said.err);
    is_whole(&here, "results");
}

/// What lies at the bundle's place is never replaced, and runs of another plan are not gone on with.
#[test]
fn what_is_of_another_study_is_refused() {
    let here = Here::with("fake:pace=4", "");
    let begun = fs::read_to_string(here.path("study.yaml")).unwrap();
    let mut killed = here.start(&SHARD);
    killed.until("(2/24)");
    killed.kill();
    fs::write(here.path("study.yaml"), begun.replace("num_runs: 3", "num_runs: 2")).unwrap();
    let said = shard(&here);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains(": an unfinished run of another version of study.yaml\n"), "{}", said.err);
    assert!(said.err.ends_with("move the folder away; or name another --home\n"), "{}", said.err);
    fs::write(here.path("study.yaml"), &begun).unwrap();
    assert_eq!(shard(&here).code, Some(0));
    let made = fs::read(here.path("out/s.zip")).unwrap();
    fs::write(here.path("study.yaml"), begun.replace("num_runs: 3", "num_runs: 2")).unwrap();
    let said = shard(&here);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("out/s.zip: a bundle of another study than study.yaml"), "{}", said.err);
    assert_eq!(fs::read(here.path("out/s.zip")).unwrap(), made);
    fs::write(here.path("out/s.zip"), "no bundle").unwrap();
    let said = shard(&here);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("out/s.zip: there, and no bundle that this shard could have made"), "{}", said.err);
    assert_eq!(fs::read(here.path("out/s.zip")).unwrap(), b"no bundle");
}

#[test]
fn a_folder_that_cannot_be_written_is_told_before_anything_is_run() {
    let here = Here::with("fake", "");
    fs::write(here.path("home"), "a file").unwrap();
    let said = shard(&here);
    assert_eq!(said.code, Some(2));
    assert!(said.err.starts_with("error: home: nothing can be written there\n"), "{}", said.err);
    assert!(said.err.ends_with("hint: is the folder writable, and is there space?\n"), "{}", said.err);
}

#[test]
#[cfg(target_os = "linux")]
fn a_small_file_system_is_told_before_anything_is_run() {
    let here = Here::with("fake", "");
    fs::create_dir(here.path("home")).unwrap();
    let script = "mount -t tmpfs -o size=1m none home || exit 99
                  exec \"$0\" shard study.yaml --home home --bundle out/s.zip";
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", script, env!("CARGO_BIN_EXE_offprint")]).current_dir(here.path(""));
    let said = said(&mut command);
    if said.code == Some(99) || said.err.contains("unshare") {
        eprintln!("not tried: this user may not mount a file system: {}", said.err);
        return;
    }
    assert_eq!(said.code, Some(2), "{}", said.err);
    assert!(said.err.contains("error: home: ") && said.err.contains(" MiB free, 64 needed\n"), "{}", said.err);
}

/// A lock of this study on this machine, to be changed.
fn lock(here: &Here) -> Lock {
    let text = fs::read_to_string(here.path("study.yaml")).unwrap();
    let study = Study::from_str("study.yaml", &text).unwrap();
    let environment = machine::capture(Vec::new());
    let known = LockedMachine { sessions: 2, chip: environment.chip.value.clone(), gpu: None };
    Lock {
        schema: FLEET_SCHEMA.to_owned(),
        build: Build::of(&environment),
        reference: "here".to_owned(),
        machines: [("here".to_owned(), known)].into(),
        studies: [(study.name.clone(), LockedStudy::of(&study, &text, &[]).unwrap())].into(),
    }
}

#[test]
fn a_shard_is_held_to_its_lock() {
    let here = Here::with("fake", "");
    let good = lock(&here);
    let call = |lock: &Lock, machine: &str, session: &str| {
        fs::write(here.path("fleet.lock.yaml"), lock.to_yaml().unwrap()).unwrap();
        here.call(&[&SHARD[..], &["--lock", "fleet.lock.yaml", "--machine", machine, "--session", session]].concat())
    };
    type Change = fn(&mut Lock);
    let refused: [(Change, &str, &str, &str); 6] = [
        (
            |lock| lock.studies.values_mut().for_each(|study| study.plan_sha256 = "0".repeat(64)),
            "here",
            "1",
            "plan_sha256: expected 0000",
        ),
        (
            |lock| lock.studies.values_mut().for_each(|study| study.study_sha256 = "0".repeat(64)),
            "here",
            "1",
            "study_sha256: expected 0000",
        ),
        (|lock| drop(std::mem::take(&mut lock.studies)), "here", "1", "it has no study `test`"),
        (
            |lock| lock.machines.values_mut().for_each(|machine| machine.chip = Some("Apple M9".to_owned())),
            "here",
            "1",
            "this is not here: chip: expected Apple M9, found ",
        ),
        (|_| (), "there", "1", "it has no machine `there`"),
        (|_| (), "here", "3", "here has 2 sessions, and this is number 3"),
    ];
    for (change, machine, session, words) in refused {
        let mut lock = good.clone();
        change(&mut lock);
        let said = call(&lock, machine, session);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{words}: {}", said.err);
        assert!(said.err.contains(words) && said.err.contains("\nhint: "), "{words}: {}", said.err);
    }
    let mut weights = good.clone();
    weights.studies.values_mut().for_each(|study| drop(study.weights.insert("tiny".to_owned(), "0".repeat(64))));
    let said = call(&weights, "here", "1");
    assert_eq!(said.code, Some(2), "{}", said.err);
    assert!(
        said.err.contains("not the weights that the fleet was planned with: tiny: expected weights 0000"),
        "{}",
        said.err
    );
    assert!(!here.path("home/session-1").exists());

    let mut other = good;
    other.build = Build { version: "0.0.1".to_owned(), commit: None };
    let said = call(&other, "here", "1");
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(
        said.err.contains("another build of offprint than the fleet was planned with: expected 0.0.1, found "),
        "{}",
        said.err
    );
    is_whole(&here, "session-1");
    // Without the two that say which, a lock holds nobody to anything.
    assert_eq!(here.call(&[&SHARD[..], &["--lock", "fleet.lock.yaml"]].concat()).code, Some(2));
}
