//! What a paper rests on: a run folder -> the run, its summary, and all claims, those of the comparison with its baseline included. The
//! one way in for report, explain, compare and bundle; rows are read once, one at a time, and kept only where somebody needs them.

use std::path::Path;

use anyhow::{Context, Result};

use crate::{
    analysis::{Summary, Tally},
    claims::{
        self, Claims,
        own::{self, Own},
    },
    compare,
    machine::Environment,
    record::RunRecord,
    store::{BASELINE, Run},
    study::Study,
};

/// A run folder with what is computed from it.
#[derive(Debug)]
pub struct Evidence {
    /// Its rows are there if it has a baseline, or if they were asked for.
    pub run: Run,
    pub summary: Summary,
    pub claims: Claims,
}

impl Evidence {
    /// `own` is the text of the project's `claims.yaml`.
    ///
    /// # Errors
    /// As [`Run::open`]; no run that ended well; what is wrong with `own`.
    pub fn open(folder: &Path, own: Option<&str>) -> Result<Self> {
        Evidence::read(folder, false, own, |_, _, _| Ok(()))
    }

    /// As [`Evidence::open`], with its rows.
    ///
    /// # Errors
    /// The same.
    pub fn with_rows(folder: &Path, own: Option<&str>) -> Result<Self> {
        Evidence::read(folder, true, own, |_, _, _| Ok(()))
    }

    /// As [`Evidence::open`], and `look` sees each of the run's own rows.
    ///
    /// # Errors
    /// The same, and what `look` refuses.
    pub fn read(
        folder: &Path,
        keep: bool,
        own: Option<&str>,
        mut look: impl FnMut(&Study, &Environment, &RunRecord) -> Result<()>,
    ) -> Result<Self> {
        // A comparison needs the rows themselves; a million rows of a run alone would not fit where what is kept of them does.
        let keep = keep || folder.join(BASELINE).is_dir();
        let (mut tally, mut records) = (None, Vec::new());
        let run = Run::read(folder, |study, environment, record| {
            look(study, environment, &record)?;
            tally.get_or_insert_with(|| Tally::of(study)).add(&record)?;
            if keep {
                records.push(record);
            }
            Ok(())
        })?;
        let run = Run { records, ..run };
        let tally = tally.unwrap_or_else(|| Tally::of(&run.study));
        let summary = tally.finish().and_then(|summary| summary.with_quality(&run.study, &run.quality));
        let summary = summary.with_context(|| folder.display().to_string())?;
        let claims = all_claims(&run, &summary, own)?;
        Ok(Evidence { run, summary, claims })
    }
}

/// Every claim of a run's paper, those of the project's `claims.yaml` included.
///
/// # Errors
/// As [`compare::compare`]; what is wrong with `own`.
pub fn all_claims(run: &Run, summary: &Summary, own: Option<&str>) -> Result<Claims> {
    let mut claims = claims::build(run, summary)?;
    if let Some(baseline) = &run.baseline {
        compare::baseline(&mut claims, run, baseline)?;
    }
    add_own(&mut claims, run, summary, own)?;
    Ok(claims)
}

/// Adds the claims of a project's `claims.yaml` to those of the program.
///
/// # Errors
/// What is wrong with `own`.
pub fn add_own(claims: &mut Claims, run: &Run, summary: &Summary, own: Option<&str>) -> Result<()> {
    own.map_or(Ok(()), |text| Own::read(own::FILE, text)?.add(claims, &run.study, summary))
}
