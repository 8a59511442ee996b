//! A text read by a model in a process of its own, beside its reference where it has one -> rows, one a window.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    Programs,
    process::{Process, Program},
    worker::Lost,
};
use crate::quality::QualityRow;

/// What is to be read, by what.
#[derive(Debug)]
pub struct Reading<'a> {
    /// The checkpoint.
    pub folder: &'a Path,
    /// The reference's.
    pub base: Option<&'a Path>,
    pub text: &'a Path,
    pub windows: u32,
    /// For each window.
    pub timeout: Duration,
}

/// The rows of all windows, with neither model nor levels in them.
///
/// # Errors
/// Stopped from outside; what the process complains of.
pub fn measure(programs: &Programs, reading: &Reading<'_>, stop: &AtomicBool) -> Result<Vec<QualityRow>, Lost> {
    let failed = |what: String| Lost::Failed(what);
    let path = |folder: &Path| format!("path:{}", folder.display());
    let mut command = vec![programs.offprint.display().to_string(), "model".into(), "quality".into()];
    command.extend([path(reading.folder), "--text".into(), reading.text.display().to_string()]);
    command.extend(["--windows".into(), reading.windows.to_string(), "--rows".into()]);
    command.extend(reading.base.iter().flat_map(|base| ["--base".to_owned(), path(base)]));
    command.extend(programs.of_kernels());
    let program = Program { command, variables: programs.variables.clone(), pass: None };
    let (mut process, pipes) =
        Process::start(&program, None).map_err(|error| failed(format!("the reader could not be started: {error}")))?;
    let (send, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(pipes.stdout).lines() {
            if line.is_err() || send.send(line.unwrap_or_default()).is_err() {
                return;
            }
        }
    });
    let mut rows = Vec::new();
    let mut deadline = Instant::now() + reading.timeout;
    while rows.len() < reading.windows as usize {
        match lines.recv_timeout(Duration::from_millis(50)) {
            Ok(line) => {
                let row: QualityRow = serde_json::from_str(&line)
                    .map_err(|error| failed(format!("the reader wrote something that is no row: {error}")))?;
                row.check().map_err(|error| failed(format!("{error:#}")))?;
                rows.push(row);
                deadline = Instant::now() + reading.timeout;
            }
            Err(RecvTimeoutError::Disconnected) => return Err(failed(process.obituary())),
            Err(RecvTimeoutError::Timeout) if stop.load(Ordering::SeqCst) => return Err(Lost::Stopped),
            Err(RecvTimeoutError::Timeout) if Instant::now() > deadline => {
                return Err(failed("a window took longer than execution.timeout_s allows".to_owned()));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
    process.wait(Duration::from_secs(5));
    Ok(rows)
}
