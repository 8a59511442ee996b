//! Files of LaTeX -> do they compile by themselves? In an empty folder, by pdflatex, without a shell and with an end.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{ErrorKind, Read as _},
    path::Path,
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::typesetter::Scratch;

/// A run of TeX takes seconds.
pub(super) const LONGEST: Duration = Duration::from_secs(120);
/// A log or a PDF of a paper has some hundred thousand bytes.
const LARGEST: u64 = 256 << 20;
/// Points that a line may stick out before it is told.
const HAIR: f64 = 20.0;
/// References settle in the third at the latest.
const RUNS: usize = 3;

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tried {
    /// There is no TeX, or not the class that is asked for.
    Not(String),
    Failed(Vec<String>),
    Well {
        pages: String,
        /// Boxes that stick out, with the points.
        wide: Vec<String>,
        /// References and citations that lead nowhere.
        undefined: Vec<String>,
    },
}

/// Compiles `paper.tex` among the files. Nothing is left of it.
///
/// # Errors
/// A folder for it cannot be made.
pub(super) fn files(files: &BTreeMap<String, Vec<u8>>) -> Result<Tried> {
    Ok(in_folder(&written(files)?)?.map_or_else(|tried| tried, |log| read(&log)))
}

/// A folder that has these files alone.
///
/// # Errors
/// It cannot be made.
pub(super) fn written(files: &BTreeMap<String, Vec<u8>>) -> Result<Scratch> {
    let folder = Scratch::new()?;
    files.iter().try_for_each(|(path, bytes)| folder.write(path, bytes))?;
    Ok(folder)
}

/// The log of a paper that is set, `paper.pdf` beside it; else what came of it.
pub(super) fn in_folder(folder: &Scratch) -> Result<Result<String, Tried>> {
    let mut log = String::new();
    for _ in 0..RUNS {
        if let Some(tried) = pdflatex(folder.path(), LONGEST)? {
            return Ok(Err(tried));
        }
        log = read_log(folder.path())?;
        if !log.contains("Rerun ") {
            break;
        }
    }
    Ok(Ok(log))
}

fn read_log(folder: &Path) -> Result<String> {
    let mut log = Vec::new();
    let file = File::open(folder.join("paper.log")).context("paper.log")?;
    file.take(LARGEST).read_to_end(&mut log).context("paper.log")?;
    Ok(String::from_utf8_lossy(&log).into_owned())
}

/// One run; what came of it if it is no use to go on.
fn pdflatex(folder: &Path, longest: Duration) -> Result<Option<Tried>> {
    let mut command = Command::new("pdflatex");
    command
        .args(["-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper.tex"])
        // TeX breaks its messages at this column.
        .env("max_print_line", "2000");
    let status = match bounded(&mut command, folder, longest)? {
        Ended::Absent => return Ok(Some(Tried::Not("pdflatex is not installed".to_owned()))),
        Ended::Never => {
            let what = format!("pdflatex did not end within {} s, or wrote without end", longest.as_secs());
            return Ok(Some(Tried::Failed(vec![what])));
        }
        Ended::With(status) => status,
    };
    if status.success() {
        return Ok(None);
    }
    let log = read_log(folder).unwrap_or_default();
    let missing = log.lines().find(|line| line.starts_with("! LaTeX Error: File `") && line.ends_with("' not found."));
    if let Some(file) = missing.and_then(|line| line.split(['`', '\'']).nth(1)) {
        return Ok(Some(Tried::Not(format!(
            "{file} is not installed (Debian: texlive-publishers, texlive-latex-extra)"
        ))));
    }
    let errors: Vec<String> =
        log.lines().filter(|line| line.starts_with('!') || line.starts_with("l.")).take(4).map(str::to_owned).collect();
    Ok(Some(Tried::Failed(if errors.is_empty() { vec!["pdflatex gives no reason".to_owned()] } else { errors })))
}

/// How a program came to its end.
pub(super) enum Ended {
    /// It is not installed.
    Absent,
    /// It had to be stopped.
    Never,
    With(ExitStatus),
}

/// Runs a TeX engine in a folder: it reads and writes there alone, and has an end. The document's date is the records', not today's, so
/// the same records give the same PDF.
///
/// # Errors
/// It cannot be started.
pub(super) fn bounded(command: &mut Command, folder: &Path, longest: Duration) -> Result<Ended> {
    let spawned = command
        .envs([("openin_any", "p"), ("openout_any", "p"), ("SOURCE_DATE_EPOCH", "0"), ("FORCE_SOURCE_DATE", "1")])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut child = match spawned {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Ended::Absent),
        other => other.with_context(|| command.get_program().display().to_string())?,
    };
    let begun = Instant::now();
    let grown = |name: &str| fs::metadata(folder.join(name)).is_ok_and(|file| file.len() > LARGEST);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Ended::With(status));
        }
        if begun.elapsed() > longest || grown("paper.log") || grown("paper.pdf") {
            let _ = child.kill();
            let _ = child.wait();
            return Ok(Ended::Never);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// What a log tells of a paper that compiled.
fn read(log: &str) -> Tried {
    let pages =
        log.lines().find_map(|line| line.strip_prefix("Output written on ")?.split_once('(')?.1.split_once(" page"));
    let is_wide = |line: &&str| {
        let points = line.strip_prefix("Overfull \\hbox (").and_then(|rest| rest.split_once("pt too wide"));
        points.is_some_and(|(points, _)| points.parse::<f64>().is_ok_and(|points| points > HAIR))
    };
    let is_undefined = |line: &&str| {
        line.contains("Warning: Reference") && line.contains("undefined")
            || line.contains("Warning: Citation") && line.contains("undefined")
    };
    let told = |is: &dyn Fn(&&str) -> bool| log.lines().filter(is).map(str::to_owned).collect();
    Tried::Well {
        pages: pages.map_or("?", |(pages, _)| pages).to_owned(),
        wide: told(&is_wide),
        undefined: told(&is_undefined),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tex_that_does_not_end_is_stopped() {
        let loops = b"\\documentclass{article}\\begin{document}\\loop\\iftrue\\repeat\\end{document}".to_vec();
        let folder = written(&BTreeMap::from([("paper.tex".to_owned(), loops)])).unwrap();
        match pdflatex(folder.path(), Duration::from_secs(2)).unwrap() {
            Some(Tried::Failed(errors)) => assert!(errors[0].starts_with("pdflatex did not end"), "{errors:?}"),
            Some(Tried::Not(_)) => {}
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_log_tells_pages_and_what_sticks_out() {
        let log = "Overfull \\hbox (19.9pt too wide) in a\nOverfull \\hbox (20.1pt too wide) in b\n\
                   LaTeX Warning: Reference `x' on page 1 undefined on input line 3.\nOutput written on paper.pdf (17 pages, 1 bytes).\n";
        let Tried::Well { pages, wide, undefined } = read(log) else { panic!() };
        assert_eq!((pages.as_str(), wide.len(), undefined.len()), ("17", 1, 1));
        assert!(wide[0].contains("20.1pt"));
    }
}
