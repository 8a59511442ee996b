//! Ctrl-C and SIGTERM: a clean stop, whatever the runner is waiting for.

use crate::here::{Here, RUNS, lasting, measured, rows};

#[test]
fn a_signal_stops_cleanly_and_resume_completes() {
    let undisturbed = Here::with("fake:pace=4", "");
    assert_eq!(undisturbed.run().code, Some(0));
    for signal in ["INT", "TERM"] {
        let here = Here::with("fake:pace=4", "");
        let mut running = here.start(&["run", "study.yaml"]);
        running.until("(3/24)");
        running.signal(signal);
        let (code, said) = running.end();
        assert_eq!(code, Some(75), "{said:?}");
        let last: Vec<String> = said[said.len() - 2..].iter().map(|line| here.plain(line)).collect();
        assert_eq!(
            last,
            ["stopped; all finished runs are in results/test/RUN", "hint: run again with --resume to go on"]
        );
        here.nobody_is_left();
        let done = measured(&rows(&here.only())).len();
        assert!((3..RUNS).contains(&done), "{done}");
        assert_eq!(rows(&here.only()).len(), 2 * done, "no row of the run that was given up");

        let said = here.resume();
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert!(said.err.contains(&format!("{} of 24 runs to do", RUNS - done)), "{}", said.err);
        assert_eq!(lasting(&here.only()), lasting(&undisturbed.only()));
    }
}

/// SLURM, at the end of its time, signals all that belongs to a job: the worker, too, and it is the quicker one. No run failed by that.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_to_all_of_us_is_a_stop_and_no_failed_run() {
    for signal in ["-TERM", "-INT"] {
        let here = Here::with("fake:pace=8", "");
        let mut running = here.start(&["run", "study.yaml"]);
        running.until("(2/24)");
        std::thread::sleep(std::time::Duration::from_millis(60));
        let mut all: Vec<u32> =
            here.alive().iter().map(|path| path.rsplit('/').next().unwrap().parse().unwrap()).collect();
        // Children first.
        all.sort_unstable_by_key(|process| std::cmp::Reverse(*process));
        let all: Vec<String> = all.iter().map(u32::to_string).collect();
        std::process::Command::new("kill").arg(signal).args(&all).status().unwrap();
        let (code, said) = running.end();
        assert_eq!(code, Some(75), "{said:?}");
        here.nobody_is_left();
        let rows = rows(&here.only());
        assert!(rows.iter().all(|row| row.outcome == offprint::record::Outcome::Ok), "{said:?}");
        assert_eq!(here.resume().code, Some(0));
    }
}

/// A worker that never answers and a pause of an hour must not keep anybody from stopping.
#[test]
fn a_stop_waits_for_nothing() {
    for (source, extra) in [("fake:hang=8;hang=16", ""), ("fake", "execution: {cooldown_s: 3600}\n")] {
        let here = Here::with(source, extra);
        let mut running = here.start(&["run", "study.yaml"]);
        // Signals are heard from here on, whatever the runner is at. Half an hour is the least that it would wait otherwise.
        running.until("runs to do");
        running.signal("INT");
        let (code, said) = running.end();
        assert_eq!(code, Some(75), "{said:?}");
        assert!(rows(&here.only()).iter().all(|row| row.max_tokens < 16), "{source}");
        here.nobody_is_left();
    }
}
