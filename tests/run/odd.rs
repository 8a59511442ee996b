//! A machine that behaves oddly: a folder that has become read-only, a clock that jumps backwards.

use std::{fs, process::Command};

use serde_json::Value;

use crate::here::{Here, RUNS, Running, lasting, measured, rows, said};

/// A run folder that lacks runs, and the text of its journal.
fn unfinished() -> Here {
    let here = Here::with("fake:pace=4", "");
    let mut running: Running = here.start(&["run", "study.yaml"]);
    running.until("(3/24)");
    running.kill();
    here.nobody_is_left();
    here
}

#[test]
#[cfg(target_os = "linux")]
fn a_folder_that_has_become_read_only_is_left_as_it_is() {
    let here = unfinished();
    let journal = here.only().join("runs.jsonl");
    let before = fs::read(&journal).unwrap();
    // A read-only mount holds for every user, even for one whom no permission stops.
    let sealed = said(
        Command::new("unshare")
            .args(["-rm", "sh", "-c"])
            .arg("mount --bind results results && mount -o remount,bind,ro results || exit 99; exec \"$0\" run study.yaml --resume")
            .arg(env!("CARGO_BIN_EXE_offprint"))
            .current_dir(here.path("")),
    );
    if sealed.code == Some(99) || sealed.err.contains("unshare") {
        eprintln!("not tried: this user may not mount a file system: {}", sealed.err);
        return;
    }
    assert_eq!((sealed.code, sealed.out.as_str()), (Some(2), ""), "{}", sealed.err);
    let err = here.plain(&sealed.err);
    assert!(err.contains("results/test/RUN/runs.jsonl") && err.contains("Read-only file system"), "{err}");
    assert!(err.trim_end().lines().last().unwrap().starts_with("hint: "), "{err}");
    assert_eq!(fs::read(&journal).unwrap(), before);
    assert_eq!(here.resume().code, Some(0));
    let undisturbed = Here::with("fake:pace=4", "");
    assert_eq!(undisturbed.run().code, Some(0));
    assert_eq!(lasting(&here.only()), lasting(&undisturbed.only()));
}

/// Nothing is ordered by the time of day: rows stand in the order in which they were made, and durations come from another clock.
#[test]
fn a_clock_that_jumps_backwards_changes_nothing_but_the_date() {
    let report = |here: &Here| -> Value {
        let said = here.call(&["report", "--run", here.only().to_str().unwrap()]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        serde_json::from_str(&fs::read_to_string(here.path("paper/claims.json")).unwrap()).unwrap()
    };
    let here = unfinished();
    let journal = here.only().join("runs.jsonl");
    // Each row of what is there began before the row above it, years apart: what follows is later again.
    let text = fs::read_to_string(&journal).unwrap();
    let whole = &text[..=text.rfind('\n').unwrap()];
    let count = whole.lines().count();
    let back: String = whole
        .lines()
        .enumerate()
        .map(|(at, line)| {
            let mut row: Value = serde_json::from_str(line).unwrap();
            row["started_at"] = format!("{}-01-01T00:00:00.000Z", 2025 - at).into();
            row.to_string() + "\n"
        })
        .collect();
    fs::write(&journal, back).unwrap();
    assert!(count >= 6, "{count} rows");
    let said = here.resume();
    assert_eq!(said.code, Some(0), "{}", said.err);
    let rows = rows(&here.only());
    assert_eq!(measured(&rows), (1..=RUNS as u32).collect::<Vec<_>>());
    assert!(!rows.is_sorted_by_key(|row| row.started_at.clone()), "the clock did jump");

    let undisturbed = Here::with("fake:pace=4", "");
    assert_eq!(undisturbed.run().code, Some(0));
    assert_eq!(lasting(&here.only()), lasting(&undisturbed.only()));
    let (mut jumped, mut straight) = (report(&here), report(&undisturbed));
    for claims in [&mut jumped, &mut straight] {
        claims.as_object_mut().unwrap().remove("source");
        claims["claims"].as_object_mut().unwrap().remove("study.date");
    }
    assert_eq!(jumped, straight);
}
