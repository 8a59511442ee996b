//! `energy.jsonl` of a run folder: a line a window. It is written before the rows that it stands beside.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    io::Write,
    path::Path,
};

use anyhow::{Context, Result, ensure};

use super::ENERGY;
use crate::{
    energy::EnergyRow,
    record::{Phase, RunRecord},
    study::Study,
};

/// Lines by run, to be put beside their rows.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    lines: BTreeMap<u32, EnergyRow>,
}

impl Beside {
    /// The row with its line: a measured run's, and its window's.
    pub fn beside(&self, record: RunRecord) -> RunRecord {
        let line = self.lines.get(&record.run).filter(|_| matches!(record.phase, Phase::Measured | Phase::Energy));
        RunRecord { energy: line.cloned().map(Box::new), ..record }
    }
}

/// The lines of a file's text, held to themselves and to the study; `file` is its name in errors. A line that was cut while it was written is
/// no line.
///
/// # Errors
/// A line that is no row, two of one run, a file of a study that measures no energy.
pub fn of(file: &str, text: Option<&str>, study: &Study) -> Result<Beside> {
    let hint = "hint: the file was changed, or belongs to another study; restore it";
    let Some(text) = text else { return Ok(Beside::default()) };
    ensure!(study.energy.is_some(), "{file}: the study has no `energy`\nhint: remove the file");
    let mut lines = BTreeMap::new();
    for (place, line) in whole(text).lines().enumerate() {
        let at = || format!("{file}:{}\n{hint}", place + 1);
        let row: EnergyRow = serde_json::from_str(line).with_context(at)?;
        row.check().with_context(at)?;
        let run = row.run;
        ensure!(lines.insert(run, row).is_none(), "{file}:{}: run {run} has a line already\n{hint}", place + 1);
    }
    Ok(Beside { lines })
}

fn whole(text: &str) -> &str {
    text.rfind('\n').map_or("", |end| &text[..=end])
}

/// Of a run folder.
///
/// # Errors
/// As [`of`].
pub fn read(folder: &Path, study: &Study) -> Result<Beside> {
    let file = folder.join(ENERGY);
    let name = file.display().to_string();
    let text = file.is_file().then(|| fs::read_to_string(&file)).transpose().context(name.clone())?;
    of(&name, text.as_deref(), study)
}

/// Adds the lines of some rows, and waits until they are on the disk.
///
/// # Errors
/// A folder that cannot be written.
pub(super) fn append(folder: &Path, rows: &[RunRecord]) -> Result<()> {
    let mut bytes = Vec::new();
    for line in rows.iter().filter_map(|row| row.energy.as_ref()) {
        serde_json::to_writer(&mut bytes, line)?;
        bytes.push(b'\n');
    }
    if bytes.is_empty() {
        return Ok(());
    }
    let file = folder.join(ENERGY);
    let write = || -> std::io::Result<()> {
        let mut open = OpenOptions::new().append(true).create(true).open(&file)?;
        open.write_all(&bytes)?;
        open.sync_data()
    };
    write().with_context(|| format!("{}\nhint: is the folder writable, and is there space?", file.display()))
}

/// Drops the lines of runs that have no measured row: those in flight when the runner was killed.
///
/// # Errors
/// A folder that cannot be written.
pub(super) fn keep(folder: &Path, measured: &BTreeSet<u32>) -> Result<()> {
    #[derive(serde::Deserialize)]
    struct Of {
        run: u32,
    }
    let file = folder.join(ENERGY);
    if !file.is_file() {
        return Ok(());
    }
    let rewrite = || -> Result<()> {
        let text = fs::read_to_string(&file)?;
        let stays = |line: &&str| serde_json::from_str::<Of>(line).is_ok_and(|of| measured.contains(&of.run));
        let kept: String = whole(&text).lines().filter(stays).map(|line| format!("{line}\n")).collect();
        if kept == text {
            return Ok(());
        }
        let making = folder.join(format!(".{ENERGY}.tmp"));
        let mut new = File::create(&making)?;
        new.write_all(kept.as_bytes())?;
        new.sync_all()?;
        Ok(fs::rename(&making, &file)?)
    };
    rewrite().with_context(|| format!("{}\nhint: is the folder writable, and is there space?", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn study(energy: &str) -> Study {
        let text = format!(
            "models: [{{id: a, name: A, source: fake}}]\nprompts: [p]\nbenchmark_settings: {{max_tokens: [3], temperatures: [0], num_runs: 9}}\n{energy}"
        );
        Study::from_str("s", &text).unwrap()
    }

    fn row(run: u32) -> RunRecord {
        let line = EnergyRow { run, ..EnergyRow::example() };
        RunRecord { run, energy: Some(Box::new(line)), ..RunRecord::empty() }
    }

    #[test]
    fn lines_go_to_their_file_and_come_back_beside_their_rows() {
        let folder = tempfile::tempdir().unwrap();
        append(folder.path(), &[RunRecord { energy: None, ..row(3) }]).unwrap();
        assert!(!folder.path().join(ENERGY).exists(), "no line, no file");
        append(folder.path(), &[row(1)]).unwrap();
        append(folder.path(), &[row(2)]).unwrap();
        let lines = read(folder.path(), &study("energy: true")).unwrap();
        let bare = |run| RunRecord { energy: None, ..row(run) };
        assert_eq!(lines.beside(bare(2)), row(2));
        assert_eq!(lines.beside(bare(3)).energy, None);
        let warmup = RunRecord { phase: Phase::Warmup, ..bare(1) };
        assert_eq!(lines.beside(warmup.clone()), warmup);
        let refused = read(folder.path(), &study("")).unwrap_err();
        assert!(refused.to_string().contains("the study has no `energy`"));
    }

    #[test]
    fn a_line_of_a_run_in_flight_and_a_torn_one_are_dropped() {
        let folder = tempfile::tempdir().unwrap();
        append(folder.path(), &[row(1), row(2)]).unwrap();
        let file = folder.path().join(ENERGY);
        let whole = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{whole}{{\"schema\": \"offprint.ene")).unwrap();
        assert_eq!(read(folder.path(), &study("energy: true")).unwrap().lines.len(), 2);
        keep(folder.path(), &BTreeSet::from([1])).unwrap();
        let kept = fs::read_to_string(&file).unwrap();
        assert_eq!(kept.lines().collect::<Vec<_>>(), whole.lines().take(1).collect::<Vec<_>>());
        append(folder.path(), &[row(2)]).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), whole);
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let why = |text: &str| format!("{:#}", of("energy.jsonl", Some(text), &study("energy: true")).unwrap_err());
        let line = serde_json::to_string(&EnergyRow::example()).unwrap();
        assert!(why("{}\n").contains("energy.jsonl:1"));
        assert!(why(&format!("{line}\n{line}\n")).contains("energy.jsonl:2: run 1 has a line already"));
        let zero = line.replace("\"joules\":500.0", "\"joules\":0.0");
        assert!(why(&format!("{zero}\n")).contains("joules above 0"));
    }
}
