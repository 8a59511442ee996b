//! Signals to process groups.

use crate::study::Signal;

/// Sends a signal to all of a process group; `false` where there is no such group, or no such thing as one.
#[cfg(unix)]
pub(super) fn signal_group(group: u32, signal: Signal) -> bool {
    use nix::{sys::signal, unistd::Pid};
    let signal = match signal {
        Signal::Term => signal::SIGTERM,
        Signal::Int => signal::SIGINT,
        Signal::Kill => signal::SIGKILL,
    };
    i32::try_from(group).is_ok_and(|group| group > 1 && signal::killpg(Pid::from_raw(group), signal).is_ok())
}

#[cfg(not(unix))]
pub(super) fn signal_group(_: u32, _: Signal) -> bool {
    false
}
