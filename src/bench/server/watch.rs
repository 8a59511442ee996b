//! Beside a request: how late this machine lets a thread of ours wake up, what the hypervisor takes, and how large the server's processes
//! get.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::listener::members;

const NAP: Duration = Duration::from_millis(1);

/// From its start to its end.
#[derive(Debug)]
pub(super) struct Watch {
    group: Option<u32>,
    stolen: Option<u64>,
    over: Arc<AtomicBool>,
    worst_ns: Arc<AtomicU64>,
    canary: Option<JoinHandle<()>>,
}

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// The longest that a nap of a millisecond lasted beyond it.
    pub(super) stall_ns: u64,
    pub(super) stolen_ns: Option<u64>,
    pub(super) peak_rss_bytes: Option<u64>,
}

impl Watch {
    /// `group`: the server's, if it is ours.
    pub(super) fn start(group: Option<u32>) -> Watch {
        // Their peaks begin anew.
        for process in group.map(members).unwrap_or_default() {
            let _ = fs::write(format!("/proc/{process}/clear_refs"), "5");
        }
        let (over, worst_ns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (until, worst) = (Arc::clone(&over), Arc::clone(&worst_ns));
        let canary = thread::Builder::new().stack_size(64 << 10).spawn(move || {
            while !until.load(Ordering::Relaxed) {
                let began = Instant::now();
                thread::sleep(NAP);
                let late = began.elapsed().saturating_sub(NAP).as_nanos() as u64;
                worst.fetch_max(late, Ordering::Relaxed);
            }
        });
        Watch { group, stolen: stolen_ns(), over, worst_ns, canary: canary.ok() }
    }

    pub(super) fn end(mut self) -> Seen {
        self.over.store(true, Ordering::Relaxed);
        if let Some(canary) = self.canary.take() {
            let _ = canary.join();
        }
        let stolen_ns = stolen_ns().zip(self.stolen).map(|(now, then)| now.saturating_sub(then));
        let peaks: Vec<u64> = self.group.map(members).unwrap_or_default().into_iter().filter_map(peak_bytes).collect();
        let peak_rss_bytes = (!peaks.is_empty()).then(|| peaks.iter().sum());
        Seen { stall_ns: self.worst_ns.load(Ordering::Relaxed), stolen_ns, peak_rss_bytes }
    }
}

/// Time that the hypervisor has kept from all processors, since the machine was started.
fn stolen_ns() -> Option<u64> {
    /// USER_HZ, which Linux promises to programs.
    const TICKS_A_SECOND: u64 = 100;
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let ticks: u64 = stat.lines().next()?.split_whitespace().nth(8)?.parse().ok()?;
    Some(ticks * (1_000_000_000 / TICKS_A_SECOND))
}

/// `VmHWM` of a process.
fn peak_bytes(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_beside_a_request_is_seen() {
        let watch = Watch::start(Some(nix::unistd::getpgrp().as_raw() as u32));
        thread::sleep(Duration::from_millis(20));
        let seen = watch.end();
        assert!(seen.stall_ns > 0 && seen.stolen_ns.is_some() && seen.peak_rss_bytes > Some(1 << 20), "{seen:?}");
    }
}
