//! A fleet with its studies, read; and the folder of each that is taken to machines: the study and the files that it names.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

use crate::{
    cli::compare::write,
    fleet::{self, Fleet},
    study::{Study, StudyError},
};

/// A study of a fleet.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) file: PathBuf,
    pub(super) study: Study,
    pub(super) text: String,
}

/// What `fleet.yaml` says, and its studies in its order.
pub(super) fn read(file: &Path) -> Result<(Fleet, Vec<Listed>)> {
    let name = file.display().to_string();
    let bytes =
        fs::read(file).with_context(|| format!("{name}\nhint: is the path right? docs/FLEETS.md shows such a file"))?;
    let fleet = Fleet::from_bytes(&name, bytes)?;
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let whole = folder.canonicalize().with_context(|| folder.display().to_string())?;
    let mut studies: Vec<Listed> = Vec::new();
    for (at, study) in fleet.studies.iter().enumerate() {
        let file = folder.join(study);
        let study = Study::from_file(&file).map_err(|error| in_fleet(&name, at, error))?;
        ensure!(
            studies.iter().all(|other| other.study.name != study.name),
            "{name}: studies[{at}]: expected a study of another name, found `{}` twice\nhint: set `study.name` in {}",
            study.name,
            file.display()
        );
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        studies.push(Listed { file, study, text });
    }
    let home = std::env::home_dir().unwrap_or_default();
    let fleet = fleet.with_options_in(&whole.display().to_string(), &home.display().to_string());
    for file in fleet.options() {
        plain(file, "move the file, or name it by a path that is plain")?;
        ensure!(
            Path::new(file).is_file(),
            "{name}: ssh_config: {file}: no such file\nhint: it is meant relative to {name}"
        );
    }
    Ok((fleet, studies))
}

/// A path that becomes part of commands.
pub(super) fn plain(path: &str, hint: &str) -> Result<()> {
    ensure!(
        path.chars().all(fleet::is_plain),
        "{path}: it would be part of commands, and holds more than letters, digits and - _ . / ~ : @ % + = ,\nhint: {hint}"
    );
    Ok(())
}

/// The fault is the study's, and so are its place and its hint.
fn in_fleet(fleet: &str, at: usize, error: StudyError) -> anyhow::Error {
    anyhow::Error::new(error).context(format!("{fleet}: studies[{at}]"))
}

impl Listed {
    /// Writes `FOLDER/NAME/`: the study as `study.yaml`, and what it names beside itself.
    pub(super) fn stage(&self, folder: &Path) -> Result<()> {
        let own = folder.join(&self.study.name);
        write_new(&own, "study.yaml", self.text.as_bytes())?;
        let quality = self.study.quality.as_ref().filter(|quality| quality.hub().is_none());
        let named = [self.study.published.as_deref(), quality.map(|quality| quality.text.as_str())];
        for name in named.into_iter().flatten() {
            let beside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
            ensure!(
                beside,
                "{}: it names {name}, which does not lie in its own folder, and could not go with it\nhint: put the file beside the study",
                self.file.display()
            );
            let from = self.file.with_file_name(name);
            let bytes = fs::read(&from).with_context(|| format!("{}\nhint: the study names it", from.display()))?;
            write_new(&own, name, &bytes)?;
        }
        Ok(())
    }
}

/// A file that is as it was keeps its time, by which Snakemake tells what is to be done again.
pub(super) fn write_new(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let same = fs::read(folder.join(name)).is_ok_and(|found| found == bytes);
    if same { Ok(()) } else { write(folder, name, bytes) }
}
