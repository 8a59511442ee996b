//! `paper.typ` and the figures that it sets -> the bytes of `paper.pdf`, by the Typst of a pinned wheel, in a process of its own that
//! sees a folder with these files and no network. The same files give the same bytes. Writes into that folder of temporary
//! files alone, which it removes, and into the cache where the wheel is fetched.

mod scratch;
#[cfg(test)]
mod tests;
mod wheel;

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
pub use scratch::Scratch;
pub use wheel::pin;

use crate::{digest, installed};

const DRIVER: &str = include_str!("driver.py");
/// The source, by its path under the paper's folder, and the digest of which stands in the PDF.
pub const SOURCE: &str = "paper.typ";
/// A paper is set in less than a second; a table of ten thousand rows in twenty, and in 1.8 GB.
const LONGEST: Duration = Duration::from_secs(120);
/// More of what it says is of no use to anybody.
const MOST_WORDS: u64 = 8 << 10;

/// Why there is no PDF.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The source is none, in Typst's words.
    #[error("{SOURCE} cannot be set: {0}")]
    Source(String),
    /// It took too much time or memory.
    #[error("{SOURCE}: {0}")]
    Limit(String),
    /// It does not run on this machine.
    #[error("{0:#}")]
    Machine(anyhow::Error),
}

/// A Typst on this machine.
#[derive(Debug, Clone)]
pub struct Typesetter {
    package: PathBuf,
}

impl Typesetter {
    /// The one that is here already; nothing is fetched.
    ///
    /// # Errors
    /// `OFFPRINT_TYPST` names a folder without it.
    pub fn here() -> Result<Option<Self>> {
        Ok(wheel::here()?.map(|package| Typesetter { package }))
    }

    /// The same, fetched from PyPI unless it is here.
    ///
    /// # Errors
    /// No Python with pip, no network, a wheel of another checksum.
    pub fn obtain() -> Result<Self> {
        Ok(Typesetter { package: wheel::obtain()? })
    }

    /// Sets a paper, given its files by their paths; of these `paper.typ` and the figures in SVG are looked at.
    ///
    /// # Errors
    /// As [`Fault`] has them.
    pub fn set(&self, files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, Fault> {
        self.set_within(files, LONGEST)
    }

    fn set_within(&self, files: &BTreeMap<String, Vec<u8>>, longest: Duration) -> Result<Vec<u8>, Fault> {
        let source = files.get(SOURCE).map_or(&[] as &[u8], Vec::as_slice);
        let folder = written(files).map_err(Fault::Machine)?;
        let mut child = self.start(folder.path(), &digest::sha256_hex(source)).map_err(Fault::Machine)?;
        let said = finished(&mut child, longest)?;
        let code = child.wait().map_err(|error| Fault::Machine(error.into()))?.code();
        let hint = format!("remove {}, and it is fetched again", self.package.display());
        match code {
            Some(0) => {}
            Some(3) => return Err(Fault::Source(said)),
            Some(4) => return Err(Fault::Machine(anyhow::anyhow!("{}: {said}\nhint: {hint}", pin()))),
            code => {
                let code = code.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"));
                return Err(Fault::Limit(format!("Typst ended with {code}, maybe for want of memory: {said}")));
            }
        }
        let file = folder.path().join("paper.pdf");
        fs::read(&file).with_context(|| file.display().to_string()).map_err(Fault::Machine)
    }

    fn start(&self, folder: &Path, source: &str) -> Result<Child> {
        let package = self.package.canonicalize().with_context(|| self.package.display().to_string())?;
        let mut python = Command::new(installed::python());
        // Isolated: no package of this machine, no variable of Python's.
        python.args(["-I", "-S", "-B", "-c", DRIVER]).arg(package).arg(folder).arg(source);
        python.env("MALLOC_ARENA_MAX", "2").current_dir(folder);
        python.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        python.spawn().with_context(|| {
            format!("cannot run {}\nhint: install Python 3, or set PYTHON to one", installed::python().display())
        })
    }
}

/// The paper's files in a folder of their own.
fn written(files: &BTreeMap<String, Vec<u8>>) -> Result<Scratch> {
    let folder = Scratch::new()?;
    for (path, bytes) in files {
        let is_figure = path.strip_prefix("figures/").is_some_and(|name| name.ends_with(".svg") && !name.contains('/'));
        if path == SOURCE || is_figure {
            folder.write(path, bytes)?;
        }
    }
    Ok(folder)
}

/// Waits for a process to end, and ends it if it takes too long; what it said.
fn finished(child: &mut Child, longest: Duration) -> Result<String, Fault> {
    let (tell, told) = mpsc::channel();
    let stderr = child.stderr.take();
    let reader = thread::spawn(move || {
        let mut said = Vec::new();
        if let Some(mut stderr) = stderr {
            let _ = stderr.by_ref().take(MOST_WORDS).read_to_end(&mut said);
            let _ = std::io::copy(&mut stderr, &mut std::io::sink());
        }
        let _ = tell.send(String::from_utf8_lossy(&said).trim().to_owned());
    });
    let said = told.recv_timeout(longest);
    if said.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
    let _ = reader.join();
    said.map_err(|_| Fault::Limit(format!("Typst had not set it after {} s", longest.as_secs())))
}
