//! Run folders, `results/<study>/<run-id>/{study.yaml, environment.json, runs.jsonl}`: append, fsync, strict read, resume.
//! Another execution's records may stand beside a run's own, to be compared with: its baseline.
//! Knows nothing of statistics.

mod baseline;
pub mod energy;
mod journal;
mod kept;
mod lines;
mod measurement;
mod page_rows;
pub mod quality;

use std::{
    borrow::Cow,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};

pub use baseline::{BASELINE, attach};
pub use journal::{Beside, Dropped, Journal};
pub use kept::{keep_templates, templates};
pub use lines::{Records, Torn};
pub use measurement::not_a_measurement;
pub use page_rows::{Columns, MOST_TEXT, PageRows};

use crate::{
    digest,
    machine::Environment,
    quality::QualityRow,
    record::{Outcome, Phase, RUN_SCHEMA, RunRecord},
    study::{ModelSpec, Plan, PlannedRun, Prompt, Published, Study},
};

const STUDY: &str = "study.yaml";
const ENVIRONMENT: &str = "environment.json";
const RUNS: &str = "runs.jsonl";
const PUBLISHED: &str = "published.yaml";
const QUALITY: &str = "quality.jsonl";
const ENERGY: &str = "energy.jsonl";
/// A copy of the text that the study's models predict.
const TEXT: &str = "quality.txt";

/// One execution of a study, as read back from its folder.
#[derive(Debug, Clone)]
pub struct Run {
    pub folder: PathBuf,
    /// The folder's name, e.g. `20261123T141500Z`.
    pub run_id: String,
    pub study: Study,
    pub environment: Environment,
    /// Every row, warm-ups included, in file order; none where they were handed on instead ([`Run::read`]).
    pub records: Vec<RunRecord>,
    /// Rows of measured runs.
    pub measured: usize,
    /// How well each model predicts the study's text; none where that was not asked for, or not measured yet.
    pub quality: Vec<QualityRow>,
    /// SHA-256 of `runs.jsonl`.
    pub runs_sha256: String,
    /// For the paper's page.
    pub page_rows: PageRows,
    /// Values to compare with, where the folder has a file of them.
    pub published: Option<Published>,
    /// The execution that the paper compares this one with, where the folder has a copy of its records.
    pub baseline: Option<Box<Run>>,
}

impl Run {
    /// Reads a run folder, strictly.
    ///
    /// # Errors
    /// A folder that is not ours, another schema, any bad line but a torn last one, rows that do not fit the plan.
    pub fn open(folder: &Path) -> Result<Self> {
        let mut records = Vec::new();
        let run = Run::read(folder, |_, _, record| {
            records.push(record);
            Ok(())
        })?;
        Ok(Run { records, ..run })
    }

    /// Reads a run folder, strictly, and hands on each row, with what it was made by, instead of keeping it: `records` stays
    /// empty.
    ///
    /// # Errors
    /// As [`Run::open`], and what `take` refuses.
    pub fn read(folder: &Path, mut take: impl FnMut(&Study, &Environment, RunRecord) -> Result<()>) -> Result<Self> {
        for name in [STUDY, ENVIRONMENT, RUNS] {
            ensure!(
                folder.join(name).is_file(),
                "{}: no {name}\nhint: a run folder of offprint holds {STUDY}, {ENVIRONMENT} and {RUNS}, as in results/STUDY/RUN",
                folder.display()
            );
        }
        let study = Study::from_file(&folder.join(STUDY))?;
        let file = folder.join(ENVIRONMENT);
        let text = fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
        let environment = Environment::from_json(&file.display().to_string(), &text)?;
        let runs = folder.join(RUNS);
        let plan = Plan::of(&study);
        let mut check = Check::new(&study, &plan);
        let mut measured = 0;
        let bytes = fs::metadata(&runs).with_context(|| format!("{}", runs.display()))?.len();
        let mut columns = Columns::of(bytes, &study);
        let energy = energy::read(folder, &study)?;
        for record in Records::open(&runs)? {
            let record = energy.beside(record?);
            columns.as_mut().map_or(Ok(()), |columns| columns.add(&record))?;
            if let Some(problem) = check.row(&record).first() {
                bail!(
                    "{}: {problem}\nhint: rows of another study were mixed in, or the file was changed; restore it",
                    runs.display()
                );
            }
            measured += usize::from(record.phase == Phase::Measured);
            take(&study, &environment, record)?;
        }
        Ok(Run {
            published: published(folder, &study)?,
            quality: quality::read(folder, &study, &environment)?,
            baseline: baseline::open(folder)?.map(Box::new),
            folder: folder.to_owned(),
            run_id: name(folder),
            study,
            environment,
            records: Vec::new(),
            measured,
            runs_sha256: digest::sha256_file(&runs).with_context(|| format!("{}", runs.display()))?,
            page_rows: match columns {
                Some(columns) => columns.finish(),
                None => PageRows::Text(fs::read_to_string(&runs).with_context(|| format!("{}", runs.display()))?),
            },
        })
    }

    /// The runs of the study's model at this index, as if the study listed no other. They keep their numbers and their places in
    /// the whole plan.
    pub fn alone(&self, model: usize) -> Cow<'_, Run> {
        if self.study.models.len() == 1 {
            return Cow::Borrowed(self);
        }
        let study = self.study.alone(model);
        let of = |record: &&RunRecord| study.models.iter().any(|model| model.made(record));
        let records: Vec<RunRecord> = self.records.iter().filter(of).cloned().collect();
        let checkpoints = self.environment.checkpoints.iter();
        let checkpoints =
            checkpoints.filter(|facts| facts.drafts || study.models.iter().any(|model| facts.is_of(model)));
        let checkpoints = checkpoints.cloned().collect();
        Cow::Owned(Run {
            folder: self.folder.clone(),
            run_id: self.run_id.clone(),
            environment: Environment { checkpoints, ..self.environment.clone() },
            study,
            measured: records.iter().filter(|record| record.phase == Phase::Measured).count(),
            records,
            runs_sha256: self.runs_sha256.clone(),
            page_rows: self.page_rows.clone(),
            quality: self.quality.iter().filter(|row| row.is_of(&self.study.models[model])).cloned().collect(),
            published: self.published.clone(),
            baseline: self.baseline.clone(),
        })
    }

    /// Has every planned run its row?
    pub fn is_complete(&self) -> bool {
        self.measured == Plan::of(&self.study).runs.len() && self.lack_quality().is_empty()
    }

    /// The models whose quality the study asks for and nobody has measured yet.
    pub fn lack_quality(&self) -> Vec<&ModelSpec> {
        let asked = if self.study.quality.is_some() { self.study.weights() } else { Vec::new() };
        asked.into_iter().filter(|model| !self.quality.iter().any(|row| row.is_of(model))).collect()
    }
}

/// The published values in a run folder. A study that names some has them there.
fn published(folder: &Path, study: &Study) -> Result<Option<Published>> {
    let file = folder.join(PUBLISHED);
    if study.published.is_none() && !file.is_file() {
        return Ok(None);
    }
    let text = fs::read_to_string(&file).with_context(|| {
        format!("{}\nhint: it is a copy of the file that the study names as `published`", file.display())
    })?;
    Published::from_str(&file.display().to_string(), &text).map(Some)
}

/// Rows held to the plan, one at a time.
#[derive(Debug)]
pub struct Check<'a> {
    study: &'a Study,
    plan: &'a Plan,
    /// SHA-256 of each prompt.
    prompts: Vec<String>,
    /// Has the run its measurement?
    measured: Vec<bool>,
}

impl<'a> Check<'a> {
    pub fn new(study: &'a Study, plan: &'a Plan) -> Self {
        let prompts = study.prompts.iter().map(Prompt::sha256).collect();
        Check { study, plan, prompts, measured: vec![false; plan.runs.len()] }
    }

    /// Where the row contradicts the plan, in words; empty when it does not.
    pub fn row(&mut self, record: &RunRecord) -> Vec<String> {
        let Check { study, plan, prompts, measured } = self;
        let index = record.run.checked_sub(1).map(|index| index as usize);
        let Some((index, planned)) = index.and_then(|index| Some((index, plan.runs.get(index)?))) else {
            return vec![format!("run {}: the plan has {} runs", record.run, plan.runs.len())];
        };
        if record.phase == Phase::Probe {
            let system = &study.models[planned.model];
            let fits = system.made(record) && system.engine.http().is_some() && record.factors.is_empty();
            return if fits {
                Vec::new()
            } else {
                vec![format!("run {}: a probe of no server of the study", record.run)]
            };
        }
        let checks = [
            ("order", record.order == planned.order),
            ("block", record.block == planned.block),
            ("model", record.model == study.models[planned.model].id),
            ("engine", record.engine == study.models[planned.model].engine.name()),
            ("prompt_id", record.prompt_id == study.prompts[planned.prompt].id),
            ("prompt_sha256", record.prompt_sha256 == prompts[planned.prompt]),
            ("max_tokens", record.phase == Phase::Warmup || record.max_tokens == planned.max_tokens),
            ("temperature", record.temperature == planned.temperature),
            ("factors", is_planned(record, planned, study)),
            ("repeat", record.repeat == planned.repeat),
            ("seed", record.seed == planned.seed),
            ("load", matches!(record.phase, Phase::Warmup | Phase::Energy) || has_planned_load(record, planned, study)),
        ];
        let wrong = checks.iter().filter(|(_, equal)| !equal);
        let mut found: Vec<String> =
            wrong.map(|(field, _)| format!("run {}: `{field}` is not what the plan says", record.run)).collect();
        if record.phase == Phase::Measured && std::mem::replace(&mut measured[index], true) {
            found.push(format!("run {}: measured twice", record.run));
        }
        found
    }

    /// Runs without a measured row among those seen so far.
    pub fn missing(&self) -> impl Iterator<Item = u32> {
        self.plan.runs.iter().zip(&self.measured).filter(|(_, measured)| !**measured).map(|(run, _)| run.run)
    }
}

/// A run that failed early may not say what it was to be.
fn has_planned_load(record: &RunRecord, planned: &PlannedRun, study: &Study) -> bool {
    let load = planned.load(study);
    record.load == load || (record.outcome == Outcome::Failed && record.load.is_none())
}

/// Are the row's levels those of the plan? Rows of the first schema name none, and their designs had none that they could name.
fn is_planned(record: &RunRecord, planned: &PlannedRun, study: &Study) -> bool {
    let known = study.factors.is_empty() && record.factors.is_empty();
    (known && record.schema != RUN_SCHEMA) || planned.is_at(&record.factors, study)
}

/// Run folders of a study, oldest first.
pub fn folders(results: &Path, study: &str) -> Result<Vec<PathBuf>> {
    let parent = results.join(study);
    if !parent.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&parent).with_context(|| format!("{}", parent.display()))?;
    let mut folders: Vec<PathBuf> = entries.map(|e| Ok(e?.path())).collect::<std::io::Result<_>>()?;
    // A dot begins the name of a folder that is still being made.
    let made = |folder: &PathBuf| !name(folder).starts_with('.') && folder.join(RUNS).is_file();
    folders.retain(made);
    folders.sort();
    Ok(folders)
}

fn name(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    whole.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
