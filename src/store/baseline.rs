//! A run folder's `baseline/RUN-ID/`: a copy, byte for byte, of the records of another execution, which the paper sets beside
//! the run's own. It has no part in the run, so it may be attached at any time; the copy makes the folder whole without the other.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};

use super::{ENVIRONMENT, PUBLISHED, QUALITY, RUNS, Run, STUDY, TEXT, name};

/// The folder in a run folder that holds the other execution's.
pub const BASELINE: &str = "baseline";

/// Reads the baseline of a run folder; `None` where it has none.
pub(super) fn open(folder: &Path) -> Result<Option<Run>> {
    let parent = folder.join(BASELINE);
    if !parent.is_dir() {
        return Ok(None);
    }
    let entries = fs::read_dir(&parent).with_context(|| format!("{}", parent.display()))?;
    let mut inside: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    inside.sort();
    let [only] = inside.as_slice() else {
        bail!(
            "{}: expected one run folder, found {}\nhint: a run is compared with one other; remove the rest",
            parent.display(),
            inside.len()
        );
    };
    ensure!(
        !only.join(BASELINE).exists(),
        "{}: expected records alone, found a baseline of the baseline\nhint: remove it; only {STUDY}, {ENVIRONMENT}, {RUNS} and {PUBLISHED} are read there",
        only.display()
    );
    Run::open(only).map(Some)
}

/// Copies the records of `other` into the run folder `folder`, as its baseline. Attaching the same again changes nothing.
///
/// # Errors
/// Either is no run folder, both are the same execution, `folder` has another baseline already, a folder that cannot be written.
pub fn attach(folder: &Path, other: &Path) -> Result<()> {
    let (run, baseline) = (Run::open(folder)?, Run::open(other)?);
    ensure!(
        run.runs_sha256 != baseline.runs_sha256,
        "{}: expected another execution, found the same records\nhint: name the run folder to compare with",
        other.display()
    );
    if let Some(already) = run.baseline {
        ensure!(
            already.runs_sha256 == baseline.runs_sha256,
            "{}: it is compared with run {} already\nhint: remove {} to compare it with another",
            folder.display(),
            already.run_id,
            folder.join(BASELINE).display()
        );
        return Ok(());
    }
    // The folder appears under its name only when whole.
    let making = folder.join(format!(".{BASELINE}.{}.tmp", std::process::id()));
    let made = (|| -> std::io::Result<()> {
        let inside = making.join(name(other));
        fs::create_dir_all(&inside)?;
        for file in [STUDY, ENVIRONMENT, RUNS, PUBLISHED, QUALITY, TEXT] {
            if other.join(file).is_file() {
                fs::copy(other.join(file), inside.join(file))?;
            }
        }
        fs::rename(&making, folder.join(BASELINE))
    })();
    if made.is_err() {
        let _ = fs::remove_dir_all(&making);
    }
    made.with_context(|| format!("{}\nhint: is the folder writable, and is there space?", folder.display()))
}
