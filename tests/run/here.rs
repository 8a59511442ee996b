//! A folder of our own with a study in it, the binary, and the rows that it leaves.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use offprint::{
    record::{Phase, RunRecord},
    study::{Plan, Study},
};
use serde_json::Value;
use tempfile::TempDir;

/// 2 prompts x 2 lengths x 2 temperatures x 3 replicates.
pub const RUNS: usize = 24;

/// Bounds a hang, not a speed: far longer than anything here takes, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Here {
    folder: TempDir,
    /// Where models are kept, if any are needed.
    cache: Option<PathBuf>,
}

/// What a finished process said.
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Here {
    /// With `study.yaml` on the fake engine's `source`; `extra` are further lines of it.
    pub fn with(source: &str, extra: &str) -> Self {
        let here = Here { folder: tempfile::tempdir().unwrap(), cache: None };
        fs::write(here.path("study.yaml"), study(source, extra)).unwrap();
        here
    }

    /// With models from `cache`.
    #[cfg(feature = "mlx")]
    pub fn with_cache(self, cache: &Path) -> Self {
        Here { cache: Some(cache.to_owned()), ..self }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The binary in this folder. Its environment carries the folder's name, and so does that of its workers.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offprint"));
        command.args(arguments).current_dir(self.folder.path()).env("OFFPRINT_TEST_FOLDER", self.folder.path());
        if let Some(cache) = &self.cache {
            command.env("OFFPRINT_CACHE", cache);
        }
        command
    }

    pub fn call(&self, arguments: &[&str]) -> Said {
        said(&mut self.command(arguments))
    }

    pub fn run(&self) -> Said {
        self.call(&["run", "study.yaml"])
    }

    pub fn resume(&self) -> Said {
        self.call(&["run", "study.yaml", "--resume"])
    }

    pub fn plan(&self) -> Plan {
        Plan::of(&Study::from_file(&self.path("study.yaml")).unwrap())
    }

    /// Run folders, oldest first, as paths.
    pub fn folders(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.path("results/test")) else { return Vec::new() };
        let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        folders
    }

    /// The one run folder.
    pub fn only(&self) -> PathBuf {
        let folders = self.folders();
        assert_eq!(folders.len(), 1, "{folders:?}");
        folders.into_iter().next().unwrap()
    }

    /// Text without what differs from one execution to the next: this folder's path, and the name of a run folder.
    pub fn plain(&self, text: &str) -> String {
        let mut text = text.replace(self.folder.path().to_str().unwrap(), "HERE");
        for folder in self.folders() {
            text = text.replace(folder.file_name().unwrap().to_str().unwrap(), "RUN");
        }
        text
    }

    /// Processes, workers above all, that were started from this folder and still live.
    #[cfg(target_os = "linux")]
    pub fn alive(&self) -> Vec<String> {
        let mark = format!("OFFPRINT_TEST_FOLDER={}\0", self.folder.path().display());
        let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
        processes
            .filter(|process| {
                fs::read(process.join("environ"))
                    .is_ok_and(|environ| environ.windows(mark.len()).any(|window| window == mark.as_bytes()))
            })
            .map(|process| process.display().to_string())
            .collect()
    }

    /// An orphaned worker must end by itself.
    #[cfg(target_os = "linux")]
    pub fn nobody_is_left(&self) {
        let begin = Instant::now();
        while !self.alive().is_empty() {
            assert!(begin.elapsed() < PATIENCE, "still alive: {:?}", self.alive());
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub fn nobody_is_left(&self) {}

    /// Starts a run; its stderr is read a line at a time.
    pub fn start(&self, arguments: &[&str]) -> Running {
        let mut child = self.command(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (send, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let reader = thread::spawn(move || {
            stderr.lines().map_while(Result::ok).for_each(|line| send.send(line).unwrap_or(()));
        });
        Running { child, lines, seen: Vec::new(), reader: Some(reader) }
    }
}

/// An execution that is going on. Dropped, it is killed.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    /// Lines of stderr so far.
    seen: Vec<String>,
    reader: Option<JoinHandle<()>>,
}

impl Running {
    /// Waits for a line that contains `words`.
    pub fn until(&mut self, words: &str) {
        assert!(self.says(words), "no {words:?} in {:#?}", self.seen);
    }

    /// Does such a line come before it ends?
    pub fn says(&mut self, words: &str) -> bool {
        let begin = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(begin.elapsed());
            let Ok(line) = self.lines.recv_timeout(left) else { return false };
            self.seen.push(line);
            if self.seen.last().unwrap().contains(words) {
                return true;
            }
        }
    }

    /// Sends a signal by name: `INT`, `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// SIGKILL. What was said until then.
    pub fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.end().1
    }

    /// Waits for the end: exit code and stderr.
    pub fn end(&mut self) -> (Option<i32>, Vec<String>) {
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begin.elapsed() < PATIENCE, "does not end; said {:#?}", self.seen);
            thread::sleep(Duration::from_millis(2));
        };
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.seen.extend(self.lines.try_iter());
        (status.code(), std::mem::take(&mut self.seen))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

pub fn study(source: &str, extra: &str) -> String {
    format!(
        "models: [{{id: tiny, name: Tiny, source: \"{source}\"}}]\n\
         prompts: [\"one two three\", \"four\"]\n\
         benchmark_settings: {{max_tokens: [8, 16], temperatures: [0, 0.7], num_runs: 3}}\n\
         study: {{name: test}}\n{extra}"
    )
}

/// Rows of a journal. Every line must be whole.
pub fn rows(folder: &Path) -> Vec<RunRecord> {
    let text = fs::read_to_string(folder.join("runs.jsonl")).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "a torn line: {:?}", text.lines().last());
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What may not differ between two executions of a study: each line but when it was made and how warm it was then.
pub fn lasting(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("runs.jsonl")).unwrap();
    text.lines()
        .map(|line| {
            let mut row: Value = serde_json::from_str(line).unwrap();
            for varies in ["started_at", "thermal"] {
                assert!(row.as_object_mut().unwrap().remove(varies).is_some(), "{varies}");
            }
            row.to_string()
        })
        .collect()
}

/// `order` of the measured rows. None may be there twice.
pub fn measured(rows: &[RunRecord]) -> Vec<u32> {
    let orders: Vec<u32> = rows.iter().filter(|row| row.phase == Phase::Measured).map(|row| row.order).collect();
    assert_eq!(orders.iter().collect::<BTreeSet<_>>().len(), orders.len(), "measured twice: {orders:?}");
    orders
}
