//! A run folder -> the run and its summary; a run -> all claims of its paper, those of what stands beside it included: a baseline,
//! and the further systems that its study lists.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::{
    Pair, Told,
    as_claims::{Whose, put, put_reason},
    between,
};
use crate::{
    analysis::{Summary, Tally},
    claims::{self, Claims},
    machine::Environment,
    record::RunRecord,
    store::Run,
    study::Study,
};

/// A run folder and what is computed from it, read a row at a time: what is kept of a million rows fits where the rows would
/// not. Only a comparison needs the rows themselves, so only a run with a baseline, or of several systems, has them.
///
/// # Errors
/// As [`Run::open`]; no run that ended well.
pub fn read(folder: &Path) -> Result<(Run, Summary)> {
    read_with(folder, |_, _, _| Ok(()))
}

/// As [`read`], and `look` sees each of the run's own rows.
///
/// # Errors
/// As [`read`], and what `look` refuses.
pub fn read_with(
    folder: &Path,
    mut look: impl FnMut(&Study, &Environment, &RunRecord) -> Result<()>,
) -> Result<(Run, Summary)> {
    let mut tally: Option<Tally> = None;
    let run = Run::read(folder, |study, environment, record| {
        look(study, environment, &record)?;
        tally.get_or_insert_with(|| Tally::of(study)).add(&record)
    })?;
    let tally = tally.unwrap_or_else(|| Tally::of(&run.study));
    let summary = tally.finish().with_context(|| folder.display().to_string())?;
    let compared = run.baseline.is_some() || run.study.models.len() > 1;
    let run = if compared { Run::open(folder)? } else { run };
    Ok((run, summary))
}

/// Every claim of a run's paper: those about the first system of its study, and those of the comparisons with its others and with
/// its baseline.
///
/// # Errors
/// As [`super::compare`]; runs of llama.cpp, of which half of the paper would be untrue.
pub fn all_claims(run: &Run, summary: &Summary) -> Result<Claims> {
    ensure!(
        summary.seen.engine != "llama-cpp",
        "{}: the paper is about MLX, and llama.cpp made these runs\nhint: list both as `engine: [mlx, llama-cpp]`, and the paper compares them; or offprint compare, with a run of MLX",
        run.folder.display()
    );
    if run.baseline.is_none() && run.study.models.len() == 1 {
        return claims::build(run, summary);
    }
    let here = Told::of(run, 0)?;
    let mut claims = here.claims.clone();
    if let Some(baseline) = &run.baseline {
        beside(&mut claims, &Whose::Baseline, &Told::of(baseline, 0)?, &here)?;
    }
    let own = run.study.models.first().map_or_else(String::new, |model| run.study.system(model));
    for (place, model) in run.study.models.iter().enumerate().skip(1) {
        let whose = Whose::System { name: run.study.system(model), own: own.clone() };
        match Told::if_any(run, place)? {
            None => put_reason(&mut claims, &whose, "None of its runs ended well, so there is nothing to compare."),
            Some(there) if !there.shares_cells(&here) => put_reason(
                &mut claims,
                &whose,
                "No cell of the design has two runs of each that ended well, so there is nothing to compare.",
            ),
            Some(there) => beside(&mut claims, &whose, &there, &here)?,
        }
    }
    Ok(claims)
}

/// Adds the claims of the comparison of `here` with what stands beside it.
fn beside(claims: &mut Claims, whose: &Whose, there: &Told<'_>, here: &Told<'_>) -> Result<()> {
    let comparison = between(&[Pair { prefix: "", a: there, b: here }])?;
    put(claims, whose, &comparison, there, here);
    Ok(())
}
