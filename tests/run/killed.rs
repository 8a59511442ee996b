//! SIGKILL at any moment: the run in flight may be lost, nothing else, and no worker outlives its runner.
//! 200 times, or as often as `OFFPRINT_KILLS` says.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use offprint::{
    record::RunRecord,
    store::{Journal, Run},
};

use crate::here::{Here, RUNS, Running, lasting, measured, rows};

/// Moments that look random and are the same every time (a linear congruence).
pub struct Moments(pub u64);

impl Moments {
    pub fn below(&mut self, ms: u64) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_micros((self.0 >> 33) % (ms * 1000))
    }
}

/// How often to kill: as `name` says, or `usual`.
pub fn kills(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |number| number.parse().unwrap())
}

/// Rows of a journal that may end in a torn line.
pub fn whole_rows(folder: &Path) -> Vec<RunRecord> {
    let text = fs::read_to_string(folder.join("runs.jsonl")).unwrap();
    text.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The run folder, if the runner came so far. One that was still being made when the kill came has a dot before its name.
pub fn made(here: &Here) -> Option<PathBuf> {
    let is_run = |folder: &PathBuf| !folder.file_name().unwrap().to_str().unwrap().starts_with('.');
    let mut folders: Vec<PathBuf> = here.folders().into_iter().filter(is_run).collect();
    assert!(folders.len() < 2, "{folders:?}");
    folders.pop()
}

/// Starts the study, or goes on with it.
pub fn started(here: &Here, again: bool) -> Running {
    here.start(if again { &["run", "study.yaml", "--resume"] } else { &["run", "study.yaml"] })
}

/// After a kill: rows in order without a gap, all that were there before and all that were announced since.
pub fn nothing_is_lost(here: &Here, kept: usize, said: &[String]) -> usize {
    here.nobody_is_left();
    let Some(folder) = made(here) else {
        assert!(kept == 0 && !said.iter().any(|line| line.starts_with("run ")), "{said:?}");
        return 0;
    };
    let orders = measured(&whole_rows(&folder));
    assert_eq!(orders, (1..=orders.len() as u32).collect::<Vec<_>>(), "in order, without a gap");
    // A run that was announced is on the disk, and so is every earlier one.
    let announced = said.iter().filter(|line| line.starts_with("run ")).count();
    assert!(orders.len() >= kept + announced, "{} rows after {kept} and {announced}", orders.len());
    orders.len()
}

#[test]
fn a_kill_at_any_moment_loses_at_most_the_run_in_flight() {
    // 48 ms a run at least.
    let source = "fake:pace=4";
    let undisturbed = Here::with(source, "");
    assert_eq!(undisturbed.run().code, Some(0));
    let expected = lasting(&undisturbed.only());

    let (wanted, mut moments) = (kills("OFFPRINT_KILLS", 200), Moments(2026));
    let (mut killed, mut executions, mut before_any_row) = (0, 0, 0);
    while killed < wanted {
        let here = Here::with(source, "");
        let mut kept = 0;
        executions += 1;
        while killed < wanted {
            let mut running = started(&here, made(&here).is_some());
            match killed % 4 {
                // While it starts, reads and mends the journal, makes its folder.
                0 => thread::sleep(moments.below(80)),
                // While the first run is in flight.
                1 | 2 => {
                    running.until("runs to do");
                    thread::sleep(moments.below(60));
                }
                // While a row is written, or the next run is in flight: every fourth lets the journal grow.
                _ => {
                    running.until(" tokens in ");
                    thread::sleep(moments.below(60));
                }
            }
            let said = running.kill();
            killed += 1;
            kept = nothing_is_lost(&here, kept, &said);
            before_any_row += usize::from(kept == 0);
            // Soon no run would be left to be killed in.
            if kept > RUNS - 4 {
                break;
            }
        }
        let said = if made(&here).is_some() { here.resume() } else { here.run() };
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert_eq!(lasting(&made(&here).unwrap()), expected, "the same rows in the same order");
        here.nobody_is_left();
    }
    eprintln!("{killed} kills in {executions} executions, {before_any_row} of them before any row was there");
}

/// What a kill, or a power cut, can leave of the last run: any number of its bytes.
#[test]
fn a_journal_cut_at_any_byte_goes_on_from_the_run_before() {
    let here = Here::with("fake", "");
    assert_eq!(here.run().code, Some(0));
    let folder = here.only();
    let journal = folder.join("runs.jsonl");
    let whole = fs::read(&journal).unwrap();
    let lines: Vec<usize> =
        whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    // The last run's rows, warm-up and measured, begin behind the last but two line ends.
    let kept = lines[lines.len() - 3];
    for end in kept..whole.len() {
        fs::write(&journal, &whole[..end]).unwrap();
        let (opened, run) = Journal::resume(&folder).unwrap();
        let dropped = opened.dropped();
        drop(opened);
        assert_eq!(fs::read(&journal).unwrap(), whole[..kept], "cut at {end}");
        assert_eq!(measured(&run.records).len(), RUNS - 1, "cut at {end}");
        // Whatever was there behind the last whole run is told.
        let torn = dropped.torn.map_or(0, |torn| torn.bytes as usize);
        let warm_up = lines[lines.len() - 2];
        assert_eq!(dropped.rows, u64::from(end >= warm_up), "cut at {end}");
        assert_eq!(torn, if end >= warm_up { end - warm_up } else { end - kept }, "cut at {end}");
    }
    fs::write(&journal, &whole).unwrap();
    assert!(Run::open(&folder).unwrap().is_complete());
}

#[test]
fn what_a_resume_drops_is_said() {
    let here = Here::with("fake", "");
    assert_eq!(here.run().code, Some(0));
    let journal = here.only().join("runs.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, &text[..text.len() - 100]).unwrap();
    let said = here.resume();
    let err = here.plain(&said.err);
    assert_eq!(said.code, Some(0), "{err}");
    assert!(err.contains("results/test/RUN/runs.jsonl:48: a line that was cut after "), "{err}");
    assert!(err.contains("runs.jsonl: the warm-ups of the run in flight (1) were dropped; it is done again"), "{err}");
}

#[test]
fn two_runners_in_one_folder_are_one_too_many() {
    let here = Here::with("fake:pace=4", "");
    let mut first = here.start(&["run", "study.yaml"]);
    first.until("(2/24)");
    let second = here.resume();
    assert_eq!((second.code, second.out.as_str()), (Some(75), ""));
    insta::assert_snapshot!(here.plain(&second.err));
    let (code, said) = first.end();
    assert_eq!(code, Some(0), "{said:?}");
    assert_eq!(measured(&rows(&here.only())), (1..=RUNS as u32).collect::<Vec<_>>());
}

/// Four that begin at once: one goes on, the others are told, nothing is doubled.
#[test]
fn of_several_that_resume_at_once_one_does() {
    let here = Here::with("fake:pace=4", "");
    let mut running = here.start(&["run", "study.yaml"]);
    running.until("(2/24)");
    running.kill();
    let mut all: Vec<Running> = (0..4).map(|_| started(&here, true)).collect();
    let ended: Vec<(Option<i32>, Vec<String>)> = all.iter_mut().map(Running::end).collect();
    let says = |said: &[String], words: &str| said.iter().any(|line| line.contains(words));
    let went_on = ended.iter().filter(|(code, said)| *code == Some(0) && says(said, "runs to do")).count();
    assert_eq!(went_on, 1, "{ended:#?}");
    let told = |said: &[String]| says(said, "another offprint is writing to it");
    // One that came when all was done found nothing to resume.
    let fine = |(code, said): &(Option<i32>, Vec<String>)| match code {
        Some(0) => says(said, "runs to do") || says(said, "nothing to do"),
        code => *code == Some(75) && told(said),
    };
    assert!(ended.iter().all(fine), "{ended:#?}");
    assert_eq!(measured(&rows(&here.only())), (1..=RUNS as u32).collect::<Vec<_>>());
}

/// The lock ends with its owner, however that ended.
#[test]
fn the_lock_of_a_killed_runner_is_gone() {
    let here = Here::with("fake:hang=16", "");
    let mut hanging = here.start(&["run", "study.yaml"]);
    hanging.until("runs to do");
    thread::sleep(Duration::from_millis(100));
    hanging.kill();
    let mut again = here.start(&["run", "study.yaml", "--resume"]);
    again.until("runs to do");
    again.kill();
    here.nobody_is_left();
}
