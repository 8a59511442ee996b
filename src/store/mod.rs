//! Run folders, `results/<study>/<run-id>/{study.yaml, environment.json, runs.jsonl}`: append, fsync, strict read, resume.
//! Knows nothing of statistics.

use std::path::PathBuf;

use crate::{machine::Environment, record::RunRecord, study::Study};

/// One execution of a study, as read back from its folder.
#[derive(Debug, Clone)]
pub struct Run {
    pub folder: PathBuf,
    /// The folder's name, e.g. `20261123T141500Z`.
    pub run_id: String,
    pub study: Study,
    pub environment: Environment,
    /// Every row, warm-ups included, in file order.
    pub records: Vec<RunRecord>,
    /// SHA-256 of `runs.jsonl`.
    pub runs_sha256: String,
}
