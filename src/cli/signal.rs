//! Ctrl-C, SIGTERM, and a line that is hung up.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use anyhow::{Context, Result};

static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// The first sets what is returned, so that a verb ends in order; the second aborts. Asked for twice, it is the same.
///
/// # Errors
/// The system takes no handler.
pub(super) fn stop() -> Result<Arc<AtomicBool>> {
    if let Some(stop) = STOP.get() {
        return Ok(Arc::clone(stop));
    }
    let stop = Arc::clone(STOP.get_or_init(Arc::default));
    let seen = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if seen.swap(true, Ordering::SeqCst) {
            std::process::abort();
        }
    })
    .context("signals cannot be handled")?;
    Ok(stop)
}

/// A line that is hung up no longer ends this program. To be called while it has one thread: others are as the one that made them.
///
/// # Errors
/// The system refuses.
#[cfg(unix)]
pub(super) fn outlive_the_line() -> Result<()> {
    use nix::sys::signal::{SigSet, Signal};
    let mut hang_up = SigSet::empty();
    hang_up.add(Signal::SIGHUP);
    hang_up.thread_block().context("SIGHUP cannot be held off")
}

#[cfg(not(unix))]
pub(super) fn outlive_the_line() -> Result<()> {
    Ok(())
}
