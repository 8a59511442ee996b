//! A source -> its paper with what the linter says of it, or why there is none. What a main file takes in belongs to its paper,
//! also where the command line names it again.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::files::{Source, Unread};
use crate::lint::{
    self, Report, Sure,
    document::{self, Document, Format},
};

/// What became of a source.
#[derive(Debug)]
pub enum Outcome {
    Paper(Box<Paper>),
    Unread(Unread),
}

/// A paper that was read. All file names in it are as seen from where the command was called.
#[derive(Debug)]
pub struct Paper {
    pub name: String,
    pub unit: Unit,
    /// Files that it takes in.
    pub parts: Vec<String>,
    pub report: Report,
    pub left_out: Vec<LeftOut>,
    /// Where the file itself and its parts lie.
    own: Option<PathBuf>,
    taken: BTreeSet<PathBuf>,
}

/// Something of a paper that was not read.
#[derive(Debug, Serialize)]
pub struct LeftOut {
    pub file: String,
    pub line: usize,
    pub why: String,
}

/// What a finding's `line` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    Line,
    Page,
    Paragraph,
    Cell,
}

impl Unit {
    fn of(format: Option<Format>, bytes: &[u8]) -> Self {
        match format {
            Some(Format::Pdf) => Unit::Page,
            Some(Format::Docx) => Unit::Paragraph,
            Some(Format::Notebook) => Unit::Cell,
            None if bytes.starts_with(b"%PDF") => Unit::Page,
            None if bytes.starts_with(b"PK\x03\x04") => Unit::Paragraph,
            _ => Unit::Line,
        }
    }

    /// `page`, and nothing for a line.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Unit::Line => None,
            Unit::Page => Some("page"),
            Unit::Paragraph => Some("paragraph"),
            Unit::Cell => Some("cell"),
        }
    }

    /// Where something stands: `paper.md:3`, `paper.pdf: page 3`.
    pub fn place(self, file: &str, line: usize) -> String {
        match self.name() {
            None => format!("{file}:{line}"),
            Some(name) => format!("{file}: {name} {line}"),
        }
    }
}

impl Paper {
    pub fn errors(&self) -> usize {
        self.report.findings.iter().filter(|finding| finding.sure == Sure::Error).count()
    }

    pub fn warnings(&self) -> usize {
        self.report.findings.len() - self.errors()
    }

    fn new(document: &Document, unit: Unit, path: Option<&Path>) -> Self {
        let name = document.files.first().cloned().unwrap_or_default();
        let folder = path.and_then(Path::parent).unwrap_or(Path::new(""));
        // A part is named from the paper's folder.
        let seen = |file: &str| if file == name { file.to_owned() } else { folder.join(file).display().to_string() };
        let mut report = lint::lint(document);
        let silenced = report.silenced.iter_mut().map(|(finding, _)| finding);
        for finding in report.findings.iter_mut().chain(silenced) {
            finding.file = seen(&finding.file);
        }
        for agreement in &mut report.agreed {
            agreement.file = seen(&agreement.file);
        }
        let left_out = document.left_out.iter().map(|left| LeftOut {
            file: document.files.get(left.place.file).map(|file| seen(file)).unwrap_or_default(),
            line: left.place.line,
            why: left.why.clone(),
        });
        let left_out = left_out.collect();
        let parts: Vec<String> =
            document.files.iter().skip(1).map(|file| folder.join(file).display().to_string()).collect();
        let taken = parts.iter().filter_map(|part| Path::new(part).canonicalize().ok()).collect();
        let own = path.and_then(|path| path.canonicalize().ok());
        Paper { name, unit, parts, report, left_out, own, taken }
    }
}

/// Reads and checks all of them.
pub fn check(sources: Vec<Source>) -> Vec<Outcome> {
    once(sources.into_iter().map(outcome).collect())
}

fn outcome(source: Source) -> Outcome {
    let (name, result) = match source {
        Source::Nothing(unread) => return Outcome::Unread(unread),
        Source::Stdin(format) => ("-".to_owned(), stdin(format)),
        Source::File(path, format) => (path.display().to_string(), file(&path, format)),
    };
    match result {
        Ok(paper) => Outcome::Paper(Box::new(paper)),
        Err((why, unit)) => Outcome::Unread(Unread::new(name, why, hint(unit))),
    }
}

fn hint(unit: Option<Unit>) -> &'static str {
    match unit {
        None => "is the name right, and may you read it?",
        Some(Unit::Line) => "save it as UTF-8 text",
        Some(Unit::Page) => "give the source of the paper, or a PDF that has text and no password",
        Some(Unit::Paragraph) => "open it, and save it as .docx without a password",
        Some(Unit::Cell) => "open it in Jupyter, and save it again",
    }
}

/// With an error comes what was to be counted, unless there were no bytes.
type Read = Result<Paper, (String, Option<Unit>)>;

fn stdin(format: Option<Format>) -> Read {
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes).map_err(|error| (format!("cannot be read: {error}"), None))?;
    let unit = Unit::of(format, &bytes);
    let document = document::read("-", &bytes, format, None).map_err(|why| (why, Some(unit)))?;
    Ok(Paper::new(&document, unit, None))
}

fn file(path: &Path, format: Option<Format>) -> Read {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("");
    let format = format.or_else(|| Format::named(extension));
    let bytes = fs::read(path).map_err(|error| (format!("cannot be read: {error}"), None))?;
    let unit = Unit::of(format, &bytes);
    let document = if format.is_none() && path.extension().is_some() {
        document::open(path) // knows why not
    } else {
        document::read(&path.display().to_string(), &bytes, format, path.parent())
    };
    Ok(Paper::new(&document.map_err(|why| (why, Some(unit)))?, unit, Some(path)))
}

/// Leaves out the papers that are parts of another one, and what two papers that share a part say of it the second time.
fn once(outcomes: Vec<Outcome>) -> Vec<Outcome> {
    let part = parts(&outcomes);
    let mut said = BTreeSet::new();
    let mut kept = Vec::new();
    for (mut outcome, part) in outcomes.into_iter().zip(part) {
        if part {
            continue;
        }
        if let Outcome::Paper(paper) = &mut outcome {
            let mut new = |file: &str, line: usize, rule, what: [&str; 3]| {
                said.insert((file.to_owned(), line, rule, what.map(str::to_owned)))
            };
            let report = &mut paper.report;
            report.findings.retain(|one| new(&one.file, one.line, one.rule, [&one.stated, &one.follows, &one.why]));
            report.silenced.retain(|(one, why)| new(&one.file, one.line, one.rule, [&one.stated, &one.follows, why]));
            report.agreed.retain(|one| new(&one.file, one.line, one.rule, [&one.stated, "", ""]));
        }
        kept.push(outcome);
    }
    kept
}

/// Which of them are parts of another that is none itself. Of files that take in each other the first is the main file.
fn parts(outcomes: &[Outcome]) -> Vec<bool> {
    let papers: Vec<Option<&Paper>> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Paper(paper) => Some(&**paper),
            Outcome::Unread(_) => None,
        })
        .collect();
    let taken: BTreeSet<&PathBuf> = papers.iter().flatten().flat_map(|paper| &paper.taken).collect();
    let is_taken = |paper: &Paper| paper.own.as_ref().is_some_and(|own| taken.contains(own));
    let mut covered: BTreeSet<&PathBuf> =
        papers.iter().flatten().filter(|one| !is_taken(one)).flat_map(|one| &one.taken).collect();
    let mut part = Vec::new();
    for paper in papers {
        let is_part = paper.and_then(|paper| paper.own.as_ref()).is_some_and(|own| covered.contains(own));
        if !is_part && let Some(paper) = paper {
            covered.extend(&paper.taken);
        }
        part.push(is_part);
    }
    part
}
