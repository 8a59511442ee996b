//! The page that lists the bundles of a folder.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context, Result};

use super::{
    open::Bundle,
    set_label::{SET, SetLabel},
};
use crate::{
    claims::words::counted,
    digest,
    record::{Outcome, Phase, RunRecord},
};

/// `README.md` of a folder of bundles, sorted by name; what cannot be read is listed as such.
///
/// # Errors
/// A folder that cannot be read.
pub fn page(folder: &Path) -> Result<String> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.with_context(|| folder.display().to_string())?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".zip") {
            names.push(name);
        }
    }
    names.sort();
    let mut text = String::from(
        "# Result bundles\n\nMade by `offprint bundle`. `offprint verify FILE` checks one; `unzip` and `sha256sum` are enough to read it.\n\
         A version is never changed: what is mended gets a new one.\n\n\
         | bundle | measured | runs | model | machine | signed | SHA-256 |\n|---|---|---|---|---|---|---|\n",
    );
    for name in names {
        let path = folder.join(&name);
        let sha256 = digest::sha256_file(&path).with_context(|| path.display().to_string())?;
        let cells = row(&path).unwrap_or_else(|error| {
            vec![format!("cannot be read: {error}"), String::new(), String::new(), String::new(), String::new()]
        });
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace(['|', '\n', '<', '`'], " ")).collect();
        text += &format!("| [{name}]({name}) | {} | `{sha256}` |\n", cells.join(" | "));
    }
    Ok(text)
}

fn row(path: &Path) -> Result<Vec<String>> {
    let bundle = Bundle::open(path)?;
    let signed = if bundle.bytes(super::statement::SIGNATURE).is_some() { "yes" } else { "no" }.to_owned();
    if let Ok(text) = bundle.text(SET) {
        return of_set(&bundle, &SetLabel::from_json(SET, &text)?, signed);
    }
    let run = bundle.run()?;
    let measured = run.records.iter().filter(|row| row.phase == Phase::Measured);
    let well = measured.clone().filter(|row| row.outcome == Outcome::Ok).count();
    let environment = &run.environment;
    let machine = environment.chip.value.clone().unwrap_or_else(|| "not known".to_owned());
    let backends: BTreeSet<&str> = measured.clone().map(|row| row.backend.as_str()).collect();
    let backend = backends.into_iter().collect::<Vec<_>>().join(", ");
    let mut models: Vec<&str> = run.study.models.iter().map(|model| model.name.as_str()).collect();
    models.dedup();
    Ok(vec![
        environment.captured_at.chars().take(10).collect(),
        format!("{well} of {}", measured.count()),
        models.join(", "),
        format!("{machine} ({backend})"),
        signed,
    ])
}

/// A set: the days, runs, models and machines of its members.
fn of_set(bundle: &Bundle, label: &SetLabel, signed: String) -> Result<Vec<String>> {
    let (mut days, mut models, mut machines) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    let (mut well, mut measured) = (0, 0);
    for entry in &label.members {
        let run = bundle.inside(&entry.path())?.run()?;
        days.insert(run.environment.captured_at.chars().take(10).collect::<String>());
        models.extend(run.study.models.iter().map(|model| model.name.clone()));
        if !machines.contains(&entry.machine) {
            machines.push(entry.machine.clone());
        }
        measured += run.measured;
        let ok = |row: &&RunRecord| row.phase == Phase::Measured && row.outcome == Outcome::Ok;
        well += run.records.iter().filter(ok).count();
    }
    let list = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join(", ");
    let days = list(days);
    let sessions = format!("{} ({})", machines.join(", "), counted(label.members.len(), "execution", "executions"));
    Ok(vec![days, format!("{well} of {measured}"), list(models), sessions, signed])
}
