//! A run folder being written: created whole, appended to a run at a time, each append on the disk before the next run
//! begins. A failed append leaves the journal as it was.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions, TryLockError},
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::{ENVIRONMENT, PUBLISHED, RUNS, Records, Run, STUDY, TEXT, Torn, energy};
use crate::{
    complaint::TryAgain,
    machine::Environment,
    record::{Phase, RunRecord},
};

/// The open journal; its lock ends with it.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    runs: File,
    /// Bytes that are on the disk and whole.
    length: u64,
    dropped: Dropped,
}

impl Drop for Journal {
    /// Closing is not enough: a process that another thread is starting at this moment has the file open, too, until it is another program.
    fn drop(&mut self) {
        let _ = self.runs.unlock();
    }
}

/// Files that a study names, of which a run folder has copies.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// Another document's values.
    pub published: Option<Vec<u8>>,
    /// What models are to predict.
    pub text: Option<Vec<u8>>,
}

impl Beside {
    fn files(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let named = [(PUBLISHED, &self.published), (TEXT, &self.text)];
        named.into_iter().filter_map(|(name, bytes)| Some((name, bytes.as_deref()?)))
    }
}

/// What a resume cut off: the run in flight when the runner was killed. It is done again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// Whole rows of warm-ups whose measured row never came.
    pub rows: u64,
    /// A line that was cut while it was written.
    pub torn: Option<Torn>,
}

impl Journal {
    /// Makes `results/<study name>/<run-id>/` with an empty journal, and with copies of what the study
    /// names. The folder appears under its name only when whole.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn create(
        results: &Path,
        study_name: &str,
        study_yaml: &[u8],
        beside: &Beside,
        environment: &Environment,
    ) -> Result<Self> {
        let hint = "hint: is the folder writable, and is there space? --results DIR chooses another";
        let parent = results.join(study_name);
        let is_new = !parent.is_dir();
        fs::create_dir_all(&parent).with_context(|| format!("{}\n{hint}", parent.display()))?;
        let run_id = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let making = parent.join(format!(".{run_id}.{}.tmp", std::process::id()));
        let made = (|| -> Result<PathBuf> {
            fs::create_dir(&making)?;
            let json = serde_json::to_string_pretty(environment)? + "\n";
            let always = [(STUDY, study_yaml), (ENVIRONMENT, json.as_bytes()), (RUNS, b"")];
            for (name, bytes) in always.into_iter().chain(beside.files()) {
                let mut file = File::create(making.join(name))?;
                file.write_all(bytes)?;
                file.sync_all()?;
            }
            // A name is on the disk when its folder is: a power cut must leave all of the run folder or nothing.
            sync_folder(&making)?;
            // Two executions may begin in one second.
            for attempt in 1.. {
                let suffix = if attempt == 1 { String::new() } else { format!("-{attempt}") };
                let folder = parent.join(format!("{run_id}{suffix}"));
                if !folder.exists() && fs::rename(&making, &folder).is_ok() {
                    sync_folder(&parent)?;
                    if is_new {
                        sync_folder(results)?;
                        sync_folder(results.parent().unwrap_or(results))?;
                    }
                    return Ok(folder);
                }
                if attempt == 100 {
                    break;
                }
            }
            bail!("the folder cannot be given its name");
        })();
        if made.is_err() {
            let _ = fs::remove_dir_all(&making);
        }
        let folder = made.with_context(|| format!("{}\n{hint}", parent.display()))?;
        Self::open(folder, 0)
    }

    /// Opens an unfinished folder to go on. Rows after the last measured one (a run in flight when it was killed) and a
    /// torn line are dropped; a folder that is refused stays as it is. Returns the folder's content, too.
    ///
    /// # Errors
    /// As [`Run::open`]; another runner at work in the folder.
    pub fn resume(folder: &Path) -> Result<(Self, Run)> {
        // Looked at first, so that a folder that is none of ours is said to be none.
        Run::open(folder)?;
        // Read again under the lock: the runner that held it until now may have gone on writing meanwhile.
        let mut journal = Self::open(folder.to_owned(), 0)?;
        let mut records = Records::open(&folder.join(RUNS))?;
        let mut measured = BTreeSet::new();
        while let Some(record) = records.next().transpose()? {
            journal.dropped.rows += 1;
            if record.phase == Phase::Measured {
                measured.insert(record.run);
                journal.length = records.whole_bytes();
                journal.dropped.rows = 0;
            }
        }
        journal.dropped.torn = records.torn();
        journal.cut().with_context(|| format!("{}", folder.join(RUNS).display()))?;
        energy::keep(folder, &measured)?;
        Ok((journal, Run::open(folder)?))
    }

    fn open(folder: PathBuf, length: u64) -> Result<Self> {
        let path = folder.join(RUNS);
        let mut runs = OpenOptions::new().read(true).write(true).open(&path).with_context(|| {
            format!(
                "{}\nhint: is the folder still there and writable? a copy of it can be gone on with",
                path.display()
            )
        })?;
        match runs.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let what =
                    format!("{}: another offprint is writing to it\nhint: wait for it, or stop it", path.display());
                bail!(TryAgain(what))
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(|| format!("{}", path.display())),
        }
        runs.seek(SeekFrom::Start(length))?;
        Ok(Journal { folder, runs, length, dropped: Dropped::default() })
    }

    /// Back to what is whole.
    fn cut(&mut self) -> std::io::Result<()> {
        self.runs.set_len(self.length)?;
        self.runs.seek(SeekFrom::Start(self.length)).map(|_| ())
    }

    /// The run folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What [`Journal::resume`] cut off.
    pub fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// Appends the rows of one run and waits until they are on the disk.
    ///
    /// # Errors
    /// A full disk or another failure; the journal is then cut back to what was whole.
    pub fn append(&mut self, rows: &[RunRecord]) -> Result<()> {
        // First: a line of energy whose run has no row is dropped, a row without its line would be a lie.
        energy::append(&self.folder, rows)?;
        let mut bytes = Vec::new();
        for row in rows {
            serde_json::to_writer(&mut bytes, row)?;
            bytes.push(b'\n');
        }
        let written = self.runs.write_all(&bytes).and_then(|()| self.runs.sync_data());
        if let Err(error) = written {
            // If even this fails, the line stays torn, which is forgiven on reading.
            let _ = self.cut();
            let path = self.folder.join(RUNS);
            return Err(error).with_context(|| {
                format!("{}: the last run could not be saved; all earlier ones are\nhint: make space, then run again with --resume", path.display())
            });
        }
        self.length += bytes.len() as u64;
        Ok(())
    }
}

/// Waits until a folder's names are on the disk. An empty path is the current folder.
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    // Other systems do not open folders as files, and promise nothing about their names.
    if cfg!(unix) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
