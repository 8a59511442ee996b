//! Files of LaTeX -> do they compile by themselves? In an empty folder, by pdflatex, without a shell and with an end.

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::typesetter::Scratch;

/// A run of TeX takes seconds.
const LONGEST: Duration = Duration::from_secs(120);
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
    let folder = Scratch::new()?;
    files.iter().try_for_each(|(path, bytes)| folder.write(path, bytes))?;
    let mut log = String::new();
    for _ in 0..RUNS {
        if let Some(tried) = pdflatex(folder.path())? {
            return Ok(tried);
        }
        log = String::from_utf8_lossy(&fs::read(folder.path().join("paper.log")).context("paper.log")?).into_owned();
        if !log.contains("Rerun ") {
            break;
        }
    }
    Ok(read(&log))
}

/// One run; what came of it if it is no use to go on.
fn pdflatex(folder: &Path) -> Result<Option<Tried>> {
    let spawned = Command::new("pdflatex")
        .args(["-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper.tex"])
        // TeX breaks its messages at this column; it reads and writes here alone.
        .envs([("max_print_line", "2000"), ("openin_any", "p"), ("openout_any", "p")])
        .envs([("SOURCE_DATE_EPOCH", "0"), ("FORCE_SOURCE_DATE", "1")])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut child = match spawned {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(Some(Tried::Not("pdflatex is not installed".to_owned())));
        }
        other => other.context("pdflatex")?,
    };
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().context("pdflatex")? {
            break status;
        }
        if begun.elapsed() > LONGEST {
            let _ = child.kill();
            let _ = child.wait();
            return Ok(Some(Tried::Failed(vec![format!("pdflatex did not end within {} s", LONGEST.as_secs())])));
        }
        thread::sleep(Duration::from_millis(20));
    };
    if status.success() {
        return Ok(None);
    }
    let log = String::from_utf8_lossy(&fs::read(folder.join("paper.log")).unwrap_or_default()).into_owned();
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
    fn a_log_tells_pages_and_what_sticks_out() {
        let log = "Overfull \\hbox (19.9pt too wide) in a\nOverfull \\hbox (20.1pt too wide) in b\n\
                   LaTeX Warning: Reference `x' on page 1 undefined on input line 3.\nOutput written on paper.pdf (17 pages, 1 bytes).\n";
        let Tried::Well { pages, wide, undefined } = read(log) else { panic!() };
        assert_eq!((pages.as_str(), wide.len(), undefined.len()), ("17", 1, 1));
        assert!(wide[0].contains("20.1pt"));
    }
}
