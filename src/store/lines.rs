//! `runs.jsonl` read a line at a time, strictly. Only a last line without its newline is forgiven: a write that was cut.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Take},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;

use crate::record::{RUN_SCHEMAS, RunRecord};

/// No honest line is longer: a million token times take 20 MB.
const LONGEST_LINE: u64 = 64 << 20;

/// Rows in file order; memory is one line.
#[derive(Debug)]
pub struct Records<R = File> {
    path: PathBuf,
    reader: Take<BufReader<R>>,
    line: u64,
    /// Bytes of whole lines so far.
    whole: u64,
    torn: Option<Torn>,
}

/// A last line that was cut while it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Torn {
    /// From 1.
    pub line: u64,
    pub bytes: u64,
}

impl Records {
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("{}", path.display()))?;
        Ok(Self::new(path.to_owned(), file))
    }
}

impl<R: Read> Records<R> {
    /// Rows from anywhere; `path` is what errors call it.
    pub fn new(path: PathBuf, reader: R) -> Self {
        Records { path, reader: BufReader::new(reader).take(0), line: 0, whole: 0, torn: None }
    }

    /// The line last read, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// After the last row: was there a torn line?
    pub fn torn(&self) -> Option<Torn> {
        self.torn
    }

    /// Bytes of the whole lines read so far.
    pub fn whole_bytes(&self) -> u64 {
        self.whole
    }

    fn read(&mut self) -> Result<Option<RunRecord>> {
        let mut bytes = Vec::new();
        self.reader.set_limit(LONGEST_LINE);
        self.reader.read_until(b'\n', &mut bytes).with_context(|| format!("{}", self.path.display()))?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.line += 1;
        let place = || format!("{}:{}", self.path.display(), self.line);
        if bytes.last() != Some(&b'\n') {
            if bytes.len() as u64 == LONGEST_LINE {
                bail!("{}: a line of more than {LONGEST_LINE} bytes\nhint: this is not a file of offprint", place());
            }
            self.torn = Some(Torn { line: self.line, bytes: bytes.len() as u64 });
            return Ok(None);
        }
        self.whole += bytes.len() as u64;
        bytes.pop();
        parse(&bytes).map(Some).map_err(|error| {
            error.context(format!(
                "{}: this row cannot be read\nhint: only a cut last line is forgiven; restore the file",
                place()
            ))
        })
    }
}

impl<R: Read> Iterator for Records<R> {
    type Item = Result<RunRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.torn.is_some() {
            return None;
        }
        self.read().transpose()
    }
}

/// A row, its schema looked at first, so that another version is named and not guessed at.
fn parse(line: &[u8]) -> Result<RunRecord> {
    #[derive(Deserialize)]
    struct Schema {
        schema: String,
    }
    match serde_json::from_slice::<RunRecord>(line) {
        Ok(record) if RUN_SCHEMAS.contains(&record.schema.as_str()) => Ok(record),
        result => {
            let Schema { schema } = serde_json::from_slice(line).map_err(syntax)?;
            if !RUN_SCHEMAS.contains(&schema.as_str()) {
                bail!(
                    "expected schema {}, found `{schema}`\nhint: read it with the version of offprint that wrote it",
                    RUN_SCHEMAS.map(|schema| format!("`{schema}`")).join(" or ")
                );
            }
            Err(result.err().map_or_else(|| anyhow!("not a row"), syntax))
        }
    }
}

/// The parser's message; the line that it counts is its own, always the first.
fn syntax(error: serde_json::Error) -> anyhow::Error {
    anyhow!(error.to_string().replace(" at line 1 column ", " at column "))
}
