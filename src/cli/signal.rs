//! Ctrl-C and SIGTERM.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use anyhow::{Context, Result};

/// The first sets what is returned, so that a verb ends in order; the second aborts.
///
/// # Errors
/// The system takes no handler.
pub(super) fn stop() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if seen.swap(true, Ordering::SeqCst) {
            std::process::abort();
        }
    })
    .context("signals cannot be handled")?;
    Ok(stop)
}
