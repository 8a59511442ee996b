//! A bundle opened for reading: a zip archive or the folder that it unpacks to. Nothing is unpacked; what cannot be read
//! safely is a problem and no file. Memory: the list of files, and one file at a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};

use super::{
    archive::{self, MOST_BYTES, MOST_FILES},
    handled::{self, Handled},
    label::{LABEL, Label},
    names::{self, DEEPEST},
    problem::{Check, Problem},
};
use crate::{
    digest,
    machine::Environment,
    quality::QualityRow,
    record::Phase,
    store::{self, BASELINE, Columns, PageRows, Records, Run},
    study::{Plan, Published, Study},
};

/// The largest file that is read into memory whole: any but `runs.jsonl`, which is read a row at a time.
pub const LARGEST_FILE: u64 = 64 << 20;

/// An opened bundle.
#[derive(Debug)]
pub struct Bundle {
    /// The file, or the folder; of a bundle inside an archive, that archive.
    path: PathBuf,
    name: String,
    files: BTreeMap<String, Place>,
    problems: Vec<Problem>,
    /// What another program made of the archive, so that nothing in it is what offprint wrote.
    handled: Option<Handled>,
    /// The way out.
    hint: Option<String>,
}

#[derive(Debug)]
enum Place {
    /// In the archive.
    Stored { start: u64, bytes: u64, crc32: u32 },
    /// In the folder.
    File { path: PathBuf, bytes: u64 },
}

impl Bundle {
    /// Opens an archive, or a folder: a bag, or one that holds nothing but a bag.
    ///
    /// # Errors
    /// Only where `path` itself cannot be read. What is wrong with its content is in [`Bundle::problems`].
    pub fn open(path: &Path) -> Result<Bundle> {
        let hint = "hint: is the path right? bundles are in results/bundles/";
        let mut bundle = Bundle {
            path: path.to_owned(),
            name: String::new(),
            files: BTreeMap::new(),
            problems: Vec::new(),
            handled: None,
            hint: None,
        };
        let opened = match fs::metadata(path) {
            Ok(about) if about.is_dir() => bundle.folder(),
            Ok(about) if about.is_file() => bundle.archive(),
            Ok(_) => Err(io::Error::other("neither a file nor a folder")),
            Err(error) => Err(error),
        };
        opened.with_context(|| format!("{}\n{hint}", path.display()))?;
        Ok(bundle)
    }

    /// A bundle that lies in this one, as a file.
    ///
    /// # Errors
    /// No such file, or one that cannot be read.
    pub fn inside(&self, file: &str) -> Result<Bundle> {
        let (start, bytes) = match self.files.get(file) {
            Some(Place::File { path, .. }) => return Bundle::open(path),
            Some(Place::Stored { start, bytes, .. }) => (*start, *bytes),
            None => bail!("{}: no {file}", self.path.display()),
        };
        let mut bundle = Bundle {
            path: self.path.clone(),
            name: String::new(),
            files: BTreeMap::new(),
            problems: Vec::new(),
            handled: None,
            hint: None,
        };
        bundle.archive_in(start, bytes).with_context(|| format!("{}: {file}", self.path.display()))?;
        Ok(bundle)
    }

    /// Where a file of a folder lies.
    pub fn place(&self, file: &str) -> Option<&Path> {
        match self.files.get(file)? {
            Place::File { path, .. } => Some(path),
            Place::Stored { .. } => None,
        }
    }

    fn archive(&mut self) -> io::Result<()> {
        let bytes = fs::metadata(&self.path)?.len();
        self.archive_in(0, bytes)
    }

    /// The archive that is so many bytes of the file, from `begin`.
    fn archive_in(&mut self, begin: u64, bytes: u64) -> io::Result<()> {
        let mut file = Section::new(File::open(&self.path)?, begin, bytes)?;
        let (entries, problems) = archive::list(&mut file)?;
        self.problems = problems;
        if (!self.problems.is_empty() || entries.is_empty())
            && let Some(handled) = Handled::of(&mut file)?
        {
            self.problems =
                vec![Problem::new(Check::Archive, "(the archive)", "the file that offprint wrote", handled.words())];
            self.hint = Some(handled.hint(&self.path));
            self.handled = Some(handled);
            return Ok(());
        }
        // The one folder at the top; a file elsewhere is none of the bag's.
        let top = entries.first().and_then(|entry| entry.path.split_once('/')).map(|(top, _)| top.to_owned());
        self.name = top.unwrap_or_default();
        for archive::Entry { path, bytes, crc32, start } in entries {
            match path.strip_prefix(&self.name).and_then(|rest| rest.strip_prefix('/')) {
                Some(inside) if !self.name.is_empty() => {
                    self.files.insert(inside.to_owned(), Place::Stored { start: begin + start, bytes, crc32 });
                }
                _ => self.problems.push(Problem::new(
                    Check::Archive,
                    &path,
                    "one folder at the top",
                    "a file outside of it",
                )),
            }
        }
        Ok(())
    }

    fn folder(&mut self) -> io::Result<()> {
        let mut top = self.path.canonicalize()?;
        let is_own = |entry: &io::Result<fs::DirEntry>| {
            entry.as_ref().map_or(true, |entry| handled::litter(&entry.file_name().to_string_lossy()).is_none())
        };
        let inside: Vec<fs::DirEntry> = fs::read_dir(&top)?.filter(is_own).take(2).collect::<io::Result<_>>()?;
        if let [only] = inside.as_slice()
            && only.file_type()?.is_dir()
        {
            self.sweep(&top)?;
            top = only.path();
        }
        self.name = top.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.walk(&top, "", 1)?;
        self.problems.extend(names::collisions(self.files.keys().map(String::as_str)));
        if self.files.values().map(Place::bytes).sum::<u64>() > MOST_BYTES {
            self.problems.push(Problem::new(
                Check::Archive,
                "(the folder)",
                format!("at most {MOST_BYTES} bytes"),
                "more",
            ));
            self.files.clear();
        }
        Ok(())
    }

    /// Names what other systems left in `folder`, which is not the bag's.
    fn sweep(&mut self, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if let Some(whose) = handled::litter(&name) {
                self.litter(&name, whose);
            }
        }
        Ok(())
    }

    fn litter(&mut self, path: &str, whose: &str) {
        let found = format!("one that {whose} left there");
        self.problems.push(Problem::new(Check::Archive, path, "no file but those of a bundle", found));
        self.hint = Some(handled::sweep(&self.path));
    }

    /// Lists `folder`, following no link.
    fn walk(&mut self, folder: &Path, prefix: &str, depth: usize) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let path = format!("{prefix}{}", name.to_string_lossy());
            let about = entry.metadata()?;
            if let Some(whose) = handled::litter(&name.to_string_lossy()) {
                self.litter(&path, whose);
                continue;
            }
            let misfit = if let Some(fault) = names::fault(path.as_bytes()) {
                Some(("a plain relative path", fault))
            } else if about.is_symlink() {
                Some(("a file", "a symbolic link"))
            } else if about.is_dir() && depth >= DEEPEST {
                Some(("a file", "too many folders inside each other"))
            } else if !about.is_dir() && !about.is_file() {
                Some(("a file", "a device, pipe or socket"))
            } else {
                None
            };
            if let Some((expected, found)) = misfit {
                self.problems.push(Problem::new(Check::Archive, &path, expected, found));
            } else if about.is_dir() {
                self.walk(&entry.path(), &format!("{path}/"), depth + 1)?;
            } else {
                self.files.insert(path, Place::File { path: entry.path(), bytes: about.len() });
            }
            if self.files.len() + self.problems.len() > MOST_FILES {
                let too_many = io::Error::other(format!("more than {MOST_FILES} files: no bundle has so many"));
                return Err(too_many);
            }
        }
        Ok(())
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A zip file, or the folder it unpacks to?
    pub fn is_archive(&self) -> bool {
        self.path.is_file()
    }

    /// The bag's folder: `smollm2-1.0.0`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is wrong with the archive or the folder as such.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The way out of them, where it is known.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Is it an archive that another program wrote, or none? Then there is nothing in it that can be checked.
    pub fn is_none_of_ours(&self) -> bool {
        self.handled.is_some()
    }

    /// Every readable file, by its path under the bag's folder, ascending: `data/bundle.json`.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The file's size in bytes; `None` where there is no such file.
    pub fn bytes(&self, file: &str) -> Option<u64> {
        self.files.get(file).map(Place::bytes)
    }

    /// The CRC-32 that an archive gives for the file.
    pub fn crc32(&self, file: &str) -> Option<u32> {
        match self.files.get(file)? {
            Place::Stored { crc32, .. } => Some(*crc32),
            Place::File { .. } => None,
        }
    }

    /// A file's content as a stream.
    ///
    /// # Errors
    /// No such file, or one that cannot be opened.
    pub fn reader(&self, file: &str) -> Result<impl Read + use<>> {
        let place = self.files.get(file).with_context(|| match (&self.handled, &self.hint) {
            (Some(handled), Some(hint)) => format!("{}: {}\nhint: {hint}", self.path.display(), handled.words()),
            _ => format!("{}: no {file}\nhint: offprint verify says what is wrong with a bundle", self.path.display()),
        })?;
        let opened = (|| match place {
            Place::Stored { start, bytes, .. } => {
                let mut archive = File::open(&self.path)?;
                archive.seek(SeekFrom::Start(*start))?;
                Ok(archive.take(*bytes))
            }
            Place::File { path, bytes } => Ok(File::open(path)?.take(*bytes)),
        })();
        opened.map_err(|error: io::Error| anyhow::anyhow!("{}: {file}: {error}", self.path.display()))
    }

    /// A file's content.
    ///
    /// # Errors
    /// As [`Bundle::reader`]; a file of more than [`LARGEST_FILE`] bytes.
    pub fn read(&self, file: &str) -> Result<Vec<u8>> {
        let bytes = self.bytes(file).unwrap_or(0);
        ensure!(bytes <= LARGEST_FILE, "{file}: expected at most {LARGEST_FILE} bytes, found {bytes}");
        let mut content = Vec::with_capacity(bytes as usize);
        self.reader(file)?.read_to_end(&mut content).with_context(|| format!("{}: {file}", self.path.display()))?;
        Ok(content)
    }

    /// A file's content, as text.
    ///
    /// # Errors
    /// As [`Bundle::read`]; bytes that are not UTF-8.
    pub fn text(&self, file: &str) -> Result<String> {
        String::from_utf8(self.read(file)?)
            .map_err(|error| anyhow::anyhow!("{file}: expected UTF-8, found {}", error.utf8_error()))
    }

    /// What the bundle says it is.
    ///
    /// # Errors
    /// `data/bundle.json` is missing, or not of this schema.
    pub fn label(&self) -> Result<Label> {
        Label::from_json(LABEL, &self.text(LABEL)?)
    }

    /// # Errors
    /// The first thing that is wrong with the study file.
    pub fn study(&self, label: &Label) -> Result<Study> {
        let file = label.run_file("study.yaml");
        Ok(Study::from_str(&file, &self.text(&file)?)?)
    }

    /// # Errors
    /// What does not fit the schema.
    pub fn environment(&self, label: &Label) -> Result<Environment> {
        let file = label.run_file("environment.json");
        Environment::from_json(&file, &self.text(&file)?)
    }

    /// The published values, where the study names some or the run has the file.
    ///
    /// # Errors
    /// The file is missing, or not of its form.
    pub fn published(&self, label: &Label, study: &Study) -> Result<Option<Published>> {
        let file = label.run_file("published.yaml");
        if study.published.is_none() && self.bytes(&file).is_none() {
            return Ok(None);
        }
        Published::from_str(&file, &self.text(&file)?).map(Some)
    }

    /// How well each model predicts the study's text, where the study asks for it.
    ///
    /// # Errors
    /// Rows that do not fit their schema or the study, another text than the environment says.
    pub fn quality(&self, label: &Label, study: &Study, environment: &Environment) -> Result<Vec<QualityRow>> {
        if study.quality.is_some() && environment.text.is_some() {
            let copy = label.run_file("quality.txt");
            store::quality::text(&self.read(&copy)?, study, environment).with_context(|| copy.clone())?;
        }
        let file = label.run_file("quality.jsonl");
        match (&study.quality, self.bytes(&file)) {
            (_, None) => Ok(Vec::new()),
            (None, Some(_)) => bail!("{file}: the study has no `quality`"),
            (Some(_), Some(_)) => store::quality::rows(&file, &self.text(&file)?, study),
        }
    }

    /// What runs took of energy, where the study asks for it.
    ///
    /// # Errors
    /// Rows that do not fit their schema or the study.
    pub fn energy(&self, label: &Label, study: &Study) -> Result<store::energy::Beside> {
        let file = label.run_file("energy.jsonl");
        let text = self.bytes(&file).map(|_| self.text(&file)).transpose()?;
        store::energy::of(&file, text.as_deref(), study)
    }

    /// The run that the bundle holds, read as strictly as from its own folder. Digests are not looked at: `verify` does.
    ///
    /// # Errors
    /// A file that is missing or does not fit its schema, rows that do not fit the plan.
    pub fn run(&self) -> Result<Run> {
        let label = self.label()?;
        let baseline = self.baseline(&label)?.map(|within| self.run_of(&within).map(Box::new)).transpose()?;
        Ok(Run { baseline, ..self.run_of(&label)? })
    }

    /// The label of the execution that the run is compared with, where its folder has one's records: a run folder inside the
    /// run's, whose files are found as the run's own are. Its `run_id` is the whole path.
    ///
    /// # Errors
    /// Records of more than one.
    pub fn baseline(&self, label: &Label) -> Result<Option<Label>> {
        let folder = label.run_file(BASELINE);
        let inside = self.files().filter_map(|file| file.strip_prefix(&folder)?.strip_prefix('/')?.split_once('/'));
        let ids: BTreeSet<&str> = inside.map(|(run_id, _)| run_id).collect();
        ensure!(ids.len() < 2, "{folder}: expected the records of one run, found {}", ids.len());
        let within = |run_id| Label { run_id: format!("{}/{BASELINE}/{run_id}", label.run_id), ..label.clone() };
        Ok(ids.first().map(within))
    }

    /// The run whose files the label finds, without a baseline.
    fn run_of(&self, label: &Label) -> Result<Run> {
        let study = self.study(label)?;
        let environment = self.environment(label)?;
        let quality = self.quality(label, &study, &environment)?;
        let published = self.published(label, &study)?;
        let runs = label.run_file("runs.jsonl");
        let energy = self.energy(label, &study)?;
        let mut records = Vec::new();
        let mut columns = Columns::of(self.bytes(&runs).unwrap_or(0), &study);
        let most = most_rows(&study);
        let plan = Plan::of(&study);
        let mut check = store::Check::new(&study, &plan);
        for record in Records::new(PathBuf::from(&runs), self.reader(&runs)?) {
            ensure!(records.len() < most, "{runs}: more than {most} rows, which the plan cannot give");
            let record = energy.beside(record?);
            if let Some(problem) = check.row(&record).first() {
                bail!("{runs}: {problem}\nhint: offprint verify says what is wrong with a bundle");
            }
            columns.as_mut().map_or(Ok(()), |columns| columns.add(&record))?;
            records.push(record);
        }
        let page_rows = match columns {
            Some(columns) => columns.finish(),
            None => PageRows::Text(self.text(&runs)?),
        };
        let runs_sha256 = digest::sha256_reader(&mut self.reader(&runs)?).with_context(|| runs.clone())?;
        Ok(Run {
            folder: self.path.clone(),
            run_id: label.run_name().to_owned(),
            study,
            environment,
            measured: records.iter().filter(|record| record.phase == Phase::Measured).count(),
            records,
            runs_sha256,
            page_rows,
            quality,
            published,
            baseline: None,
        })
    }
}

/// A part of a file, as a file.
struct Section {
    file: File,
    begin: u64,
    bytes: u64,
    at: u64,
}

impl Section {
    fn new(mut file: File, begin: u64, bytes: u64) -> io::Result<Section> {
        file.seek(SeekFrom::Start(begin))?;
        Ok(Section { file, begin, bytes, at: 0 })
    }
}

impl Read for Section {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.bytes.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let most = into.len().min(left);
        let read = self.file.read(&mut into[..most])?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Section {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.bytes.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = place.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.file.seek(SeekFrom::Start(self.begin + self.at))?;
        Ok(self.at)
    }
}

impl Place {
    fn bytes(&self) -> u64 {
        match self {
            Place::Stored { bytes, .. } | Place::File { bytes, .. } => *bytes,
        }
    }
}

/// Each planned run has a measured row, each may have its warm-ups, and those of an execution that was stopped stay.
pub(super) fn most_rows(study: &Study) -> usize {
    // A server is probed before its first run, and again where an execution was gone on with.
    let servers = study.models.iter().filter(|model| model.engine.http().is_some()).count();
    let windows = usize::from(study.energy.as_ref().is_some_and(|energy| energy.window_s.is_some()));
    Plan::of(study).runs.len() * (2 + windows + study.settings.warmup_runs as usize + 5 * servers.min(1))
}
