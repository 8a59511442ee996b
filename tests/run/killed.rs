//! SIGKILL at any moment: the run in flight may be lost, nothing else, and no worker outlives its runner.

use std::{fs, path::Path, thread, time::Duration};

use offprint::record::RunRecord;

use crate::here::{Here, RUNS, lasting, measured, rows};

/// Moments that look random and are the same every time (a linear congruence).
struct Moments(u64);

impl Moments {
    fn below(&mut self, ms: u64) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_micros((self.0 >> 33) % (ms * 1000))
    }
}

/// Rows of a journal that may end in a torn line.
fn whole_rows(folder: &Path) -> Vec<RunRecord> {
    let text = fs::read_to_string(folder.join("runs.jsonl")).unwrap();
    text.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_kill_at_any_moment_loses_at_most_the_run_in_flight() {
    // 48 ms a run at least: no kill below waits long enough for two runs more, so twenty do not reach the end.
    let source = "fake:pace=4";
    let undisturbed = Here::with(source, "");
    assert_eq!(undisturbed.run().code, Some(0));
    let expected = lasting(&undisturbed.only());

    let here = Here::with(source, "");
    let mut moments = Moments(2026);
    let mut kept = 0;
    for kill in 0..20 {
        let mut arguments = vec!["run", "study.yaml"];
        if kill > 0 {
            arguments.push("--resume");
        }
        let mut running = here.start(&arguments);
        if kill % 4 == 3 {
            // While it starts, reads and mends the journal.
            thread::sleep(moments.below(60));
        } else {
            // Some let a run end, so that the journal grows however slow the machine is.
            running.until(if kill % 3 == 0 { " tokens in " } else { "runs to do" });
            thread::sleep(moments.below(60));
        }
        let said = running.kill();
        here.nobody_is_left();

        let orders = measured(&whole_rows(&here.only()));
        assert_eq!(orders, (1..=orders.len() as u32).collect::<Vec<_>>(), "in order, without a gap");
        // A run that was announced is on the disk, and so is every earlier one.
        let announced = said.iter().filter(|line| line.starts_with("run ")).count();
        assert!(orders.len() >= kept + announced, "kill {kill}: {} rows after {kept} and {announced}", orders.len());
        kept = orders.len();
        assert!(kept < RUNS, "kill {kill} came too late");
    }
    assert!(kept >= 5, "{kept} rows");

    let said = here.resume();
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(lasting(&here.only()), expected);
    here.nobody_is_left();
}

#[test]
fn two_runners_in_one_folder_are_one_too_many() {
    let here = Here::with("fake:pace=4", "");
    let mut first = here.start(&["run", "study.yaml"]);
    first.until("(2/24)");
    let second = here.resume();
    assert_eq!((second.code, second.out.as_str()), (Some(2), ""));
    insta::assert_snapshot!(here.plain(&second.err));
    let (code, said) = first.end();
    assert_eq!(code, Some(0), "{said:?}");
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
