//! The records of an earlier run of the same study on this machine -> how long it would take again.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use crate::{
    compare::same_machine,
    machine,
    record::{Outcome, Phase},
    store::{self, Run},
    study::Study,
};

/// A sentence, also where nothing is known.
///
/// # Errors
/// A study or a folder of results that cannot be read.
pub(super) fn sentence(study_file: &Path, study: &Study, results: &Path) -> Result<String> {
    let text = fs::read(study_file).with_context(|| format!("{}", study_file.display()))?;
    let here = machine::capture(Vec::new());
    for folder in store::folders(results, &study.name)?.into_iter().rev() {
        if fs::read(folder.join("study.yaml")).map_or(true, |of_run| of_run != text) {
            continue;
        }
        let Ok(run) = Run::open(&folder) else { continue };
        if run.is_complete() && same_machine(&run.environment, &here) {
            return Ok(format!("about {}, as {} took, on this machine", duration(seconds(&run)), folder.display()));
        }
    }
    Ok(format!(
        "how long it takes is not known: {} has no complete run of this very study on this machine",
        results.join(&study.name).display()
    ))
}

/// Loading, generating and the study's pauses; a failed run says nothing, so it counts as much as another on average.
fn seconds(run: &Run) -> f64 {
    let timed = run.records.iter().filter(|record| record.outcome == Outcome::Ok);
    let ns: u64 = timed.map(|record| record.load_ns.unwrap_or(0) + record.e2e_ns.unwrap_or(0)).sum();
    let measured = run.records.iter().filter(|record| record.phase == Phase::Measured);
    let (all, ok) = (measured.clone().count(), measured.filter(|record| record.outcome == Outcome::Ok).count());
    ns as f64 / 1e9 * all as f64 / ok.max(1) as f64 + run.study.execution.cooldown_s * all as f64
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_a_person_says_them() {
        let cases = [(0.4, "0 s"), (89.0, "89 s"), (90.0, "2 min"), (3600.0, "60 min"), (9000.0, "2.5 h")];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text);
        }
    }
}
