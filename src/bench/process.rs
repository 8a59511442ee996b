//! A program of others, started and ended by us: in a process group of its own, with an environment that has no secrets in it, watched
//! by a guard so that it does not outlive us, its last words kept. Never through a shell.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{guard::Guard, signal};
use crate::{
    foreign::{Secrets, looks_secret, plain},
    study::Signal,
};

/// What is started.
#[derive(Debug, Clone, Default)]
pub struct Program {
    /// Path and arguments, placeholders filled in.
    pub command: Vec<String>,
    /// Set in its environment.
    pub variables: BTreeMap<String, String>,
    /// Variables that look secret and are handed on all the same. `None`: the program is this one, and inherits everything.
    pub pass: Option<Vec<String>>,
}

/// The running program. Dropped, it and all that it has started are killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
    guard: Option<Guard>,
    /// The end of what it says on stderr, once it has ended.
    complaints: Option<JoinHandle<String>>,
    /// Of a program of others: what it was handed and must not be heard saying.
    foreign: Option<Secrets>,
    /// In its environment, and in that of all that it has started; of programs of others.
    mark: Option<String>,
    ended: bool,
}

/// The ends of its pipes that are ours.
#[derive(Debug)]
pub struct Pipes {
    pub stdin: ChildStdin,
    pub stdout: ChildStdout,
}

impl Process {
    /// Starts `program`. `guard`: who ends it when we cannot.
    ///
    /// # Errors
    /// No program of this name, or none that may be executed.
    pub fn start(program: &Program, guard: Option<&Guard>) -> io::Result<(Process, Pipes)> {
        let (path, arguments) = program.command.split_first().ok_or_else(|| io::Error::other("no program"))?;
        let mut command = Command::new(path);
        if let Some(pass) = &program.pass {
            for (name, _) in std::env::vars_os() {
                let shown = name.to_string_lossy();
                if looks_secret(&shown) && !pass.iter().any(|passed| *passed == *shown) {
                    command.env_remove(&name);
                }
            }
        }
        let mark = program.pass.is_some().then(signal::mark);
        command.envs(mark.iter().map(|mark| (signal::MARK, mark)));
        command.envs(&program.variables).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Ctrl-C goes to us, and we decide what becomes of it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        let guard = guard.cloned();
        if let Some(guard) = &guard {
            guard.watch(child.id(), mark.as_deref());
        }
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(io::Error::other("the program has no pipes"));
        };
        let complaints = Some(thread::spawn(move || last_words(stderr)));
        let foreign = program.pass.as_ref().map(|pass| Secrets::of([], pass.iter().map(String::as_str)));
        Ok((Process { child, guard, complaints, foreign, mark, ended: false }, Pipes { stdin, stdout }))
    }

    /// Its id, which is that of its group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Of a program of others: what it must not be heard saying.
    pub fn foreign(&self) -> Option<&Secrets> {
        self.foreign.as_ref()
    }

    /// Has it ended?
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal to all of its group; `false` where there is none left or no such thing.
    pub fn signal(&self, signal: Signal) -> bool {
        signal::group(self.id(), signal)
    }

    /// Waits for its end at most so long.
    pub fn wait(&mut self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        while !self.has_ended() {
            if Instant::now() >= until {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// How it ended, after it was waited for a second and then killed, and the end of what it said.
    pub fn obituary(&mut self) -> String {
        // One that only closed its output would be waited for in vain.
        self.wait(Duration::from_secs(1));
        let ended = match self.end() {
            Ok(status) => describe(status),
            Err(error) => error.to_string(),
        };
        let said = self.complaints.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        let said = match &self.foreign {
            Some(secrets) => secrets.shown(said.trim()),
            None => plain(said.trim()),
        };
        if said.is_empty() { ended } else { format!("{ended}: {said}") }
    }

    /// Kills what is left of the group, of the process, and of what has left the group.
    fn end(&mut self) -> io::Result<ExitStatus> {
        signal::group(self.id(), Signal::Kill);
        let _ = self.child.kill();
        let status = self.child.wait();
        if let Some(mark) = self.mark.as_ref().filter(|_| !self.ended) {
            signal::kill_marked(mark);
        }
        if let Some(guard) = self.guard.as_ref().filter(|_| !self.ended) {
            guard.release(self.child.id());
        }
        self.ended = true;
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.end();
        }
    }
}

fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("was ended by signal {signal}");
    }
    status.code().map_or_else(|| "ended".to_owned(), |code| format!("ended with exit code {code}"))
}

/// The last 2000 bytes of a stream, read to its end.
pub(super) fn last_words(mut stream: impl Read) -> String {
    let (mut kept, mut buffer) = (Vec::new(), [0; 1024]);
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        kept.extend_from_slice(&buffer[..n]);
        kept.drain(..kept.len().saturating_sub(2000));
    }
    String::from_utf8_lossy(&kept).into_owned()
}
