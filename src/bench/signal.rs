//! Signals to process groups, and to what has left them: programs of others bear a mark in their environment, which their children
//! inherit.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::study::Signal;

/// The variable that holds the mark.
pub(super) const MARK: &str = "OFFPRINT_STARTED";

/// Sends a signal to all of a process group; `false` where there is no such group, or no such thing as one.
#[cfg(unix)]
pub(super) fn group(group: u32, signal: Signal) -> bool {
    use nix::{sys::signal, unistd::Pid};
    let signal = match signal {
        Signal::Term => signal::SIGTERM,
        Signal::Int => signal::SIGINT,
        Signal::Kill => signal::SIGKILL,
    };
    i32::try_from(group).is_ok_and(|group| group > 1 && signal::killpg(Pid::from_raw(group), signal).is_ok())
}

#[cfg(not(unix))]
pub(super) fn group(_: u32, _: Signal) -> bool {
    false
}

/// One that no other process has.
pub(super) fn mark() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let since = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos());
    format!("{}-{}-{since}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Kills every process whose environment bears the mark, until there is none: one may start another meanwhile.
#[cfg(target_os = "linux")]
pub(super) fn kill_marked(mark: &str) {
    use nix::{sys::signal, unistd::Pid};
    const ROUNDS: usize = 10;
    let entry = format!("{MARK}={mark}");
    let bears = |process: &i32| {
        let environment = std::fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == entry.as_bytes())
    };
    for _ in 0..ROUNDS {
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbers = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
        let found: Vec<i32> = numbers.filter(bears).collect();
        if found.is_empty() {
            return;
        }
        for process in found {
            let _ = signal::kill(Pid::from_raw(process), signal::SIGKILL);
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// Elsewhere a process's environment is not to be read: what has left its group stays.
#[cfg(not(target_os = "linux"))]
pub(super) fn kill_marked(_: &str) {}
