//! A small process of this program that ends what we have started when we are gone, however we went: it reads our end of a pipe, and
//! when that closes it kills every group that it still watches.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use super::signal;
use crate::study::Signal;

/// Between the request to end and the kill.
const GRACE: Duration = Duration::from_secs(2);

/// Our end.
#[derive(Debug, Clone)]
pub struct Guard(Arc<Mutex<Pipe>>);

#[derive(Debug)]
struct Pipe {
    stdin: Option<ChildStdin>,
    child: Child,
}

impl Guard {
    /// Starts one; `program` is this program, whose verb `guard` calls [`serve`].
    ///
    /// # Errors
    /// A program that cannot be started.
    pub fn start(program: &Path) -> io::Result<Guard> {
        let mut command = Command::new(program);
        command.arg("guard").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // Ctrl-C in our terminal is none of its affair.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        Ok(Guard(Arc::new(Mutex::new(Pipe { stdin: child.stdin.take(), child }))))
    }

    /// From now on the group does not outlive us, nor what bears its mark.
    pub fn watch(&self, group: u32, mark: Option<&str>) {
        self.say(&format!("+{group} {}", mark.unwrap_or_default()));
    }

    /// It has ended; its number may be given to another.
    pub fn release(&self, group: u32) {
        self.say(&format!("-{group}"));
    }

    fn say(&self, line: &str) {
        let mut pipe = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stdin) = &mut pipe.stdin {
            let _ = writeln!(stdin, "{line}").and_then(|()| stdin.flush());
        }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

/// The guard's end: groups from stdin, until it closes.
pub fn serve(input: impl BufRead) {
    let mut watched = BTreeMap::new();
    for line in input.lines().map_while(Result::ok) {
        let (group, mark) = line.split_once(' ').unwrap_or((&line, ""));
        match (group.get(..1), group.get(1..).and_then(|group| group.parse::<u32>().ok())) {
            (Some("+"), Some(group)) => drop(watched.insert(group, mark.to_owned())),
            (Some("-"), Some(group)) => drop(watched.remove(&group)),
            _ => {}
        }
    }
    let left = watched.keys().filter(|group| signal::group(**group, Signal::Term)).count();
    if left > 0 {
        thread::sleep(GRACE);
    }
    for (group, mark) in watched {
        signal::group(group, Signal::Kill);
        if !mark.is_empty() {
            signal::kill_marked(&mark);
        }
    }
}
