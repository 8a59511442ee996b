//! A project: a folder with a paper of its own, `templates/`, beside `config/`, `results/` and `paper/`. Where its things lie, from any
//! folder inside it; which templates the paper of a run is made from; what a new project begins with.

mod rehearsal;
mod start;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::{
    paper::{Found, Templates},
    store,
};
pub use rehearsal::{proofread, rehearse};
pub use start::{Start, files};

/// The folder of a project's templates, in its root.
const TEMPLATES: &str = "templates";

/// The root of the project that a path is in: the nearest folder, the path's own or one above it, that has templates of a paper.
/// Folders above a home are nobody's project.
pub fn around(path: &Path) -> Option<PathBuf> {
    let whole = path.canonicalize().ok()?;
    whole.ancestors().find(|folder| is_project(folder)).map(Path::to_owned)
}

/// A run folder has templates, too: a copy.
fn is_project(folder: &Path) -> bool {
    if folder.join("runs.jsonl").is_file() {
        return false;
    }
    let templates = folder.join(TEMPLATES);
    let files = ["prose.yaml", "claims.yaml", "figures.yaml", "references.bib"];
    templates.join("sections").is_dir() || files.iter().any(|name| templates.join(name).is_file())
}

/// The way from the working folder to the root of the project around it, empty at the root and where there is no project: what
/// `results`, `paper` and `config` are looked for under. `../..`, so that paths stay as short as people would write them.
pub fn here() -> PathBuf {
    let Some((root, here)) = around(Path::new(".")).zip(Path::new(".").canonicalize().ok()) else {
        return PathBuf::new();
    };
    here.strip_prefix(&root).map_or_else(|_| PathBuf::new(), |inside| inside.iter().map(|_| "..").collect())
}

/// Templates, and where they come from.
#[derive(Debug)]
pub struct Chosen {
    pub templates: Templates,
    pub from: From,
    /// Files among them that no paper is made from.
    pub others: Vec<PathBuf>,
}

/// Whose templates they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// The folder that was named.
    Named(PathBuf),
    /// Those of the project.
    Project(PathBuf),
    /// The run folder's copy of those that its paper was made from last.
    Copy(PathBuf),
    /// This program's.
    BuiltIn,
}

/// The templates for the paper of a run: those `named`, else those of the project around the run folder, else of the project around the
/// working folder, else the run folder's copy, else this program's.
///
/// # Errors
/// A folder that is none, a file that cannot be read, a template that does more than one may.
pub fn templates(run: &Path, named: Option<&Path>) -> Result<Chosen> {
    let found = |folder: &Path| Templates::in_folder(folder);
    let (from, found) = if let Some(folder) = named {
        ensure!(
            folder.is_dir(),
            "{}: expected a folder of templates\nhint: offprint new DIR makes a project with one",
            folder.display()
        );
        (From::Named(folder.to_owned()), found(folder)?)
    } else if let folder = templates_folder(run, None)
        && folder.is_dir()
    {
        let is_copy = folder == store::templates(run);
        let of = found(&folder)?;
        (if is_copy { From::Copy(folder) } else { From::Project(folder) }, of)
    } else {
        (From::BuiltIn, Found { templates: Templates::built_in(), others: Vec::new() })
    };
    let Found { templates, others } = found;
    Ok(Chosen { templates, from, others })
}

/// The folder that [`templates`] reads, where what belongs to a venue lies, too; one that need not be there.
pub fn templates_folder(run: &Path, named: Option<&Path>) -> PathBuf {
    let around = || around(run).or_else(|| around(Path::new(".")));
    named.map(Path::to_owned).or_else(|| Some(around()?.join(TEMPLATES))).unwrap_or_else(|| store::templates(run))
}

/// The study of a project where none is named: `config/study.yaml`, else the only study in `config/`.
///
/// # Errors
/// There is none, or there are several.
pub fn study() -> Result<PathBuf> {
    let config = here().join("config");
    let study = config.join("study.yaml");
    if study.is_file() {
        return Ok(study);
    }
    let hint = "hint: name the study, a YAML file; offprint new DIR makes a project with one";
    let entries = std::fs::read_dir(&config).with_context(|| format!("{}\n{hint}", study.display()))?;
    let mut studies: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    studies.retain(|path| path.extension().is_some_and(|extension| extension == "yaml") && is_study(path));
    studies.sort();
    let names = || studies.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    match studies.as_slice() {
        [only] => Ok(only.clone()),
        [] => anyhow::bail!("{}: there is no study\n{hint}", config.display()),
        _ => anyhow::bail!("{}: which study?\nhint: name one: {}", config.display(), names()),
    }
}

/// Does a file begin as a study does? Other YAML lies in `config/`, too.
fn is_study(path: &Path) -> bool {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().any(|line| line.starts_with("models:")) && text.lines().any(|line| line.starts_with("prompts:"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_project_is_found_from_inside_and_a_folder_called_templates_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("templates")).unwrap();
        fs::create_dir_all(root.join("mine/results/study/run")).unwrap();
        assert_eq!(around(&root.join("mine")), None);
        fs::create_dir_all(root.join("mine/templates/sections")).unwrap();
        for inside in ["mine", "mine/results/study/run", "mine/templates/sections"] {
            assert_eq!(around(&root.join(inside)), Some(root.join("mine")), "{inside}");
        }
        assert_eq!(around(&root.join("nowhere")), None);
    }

    #[test]
    fn templates_come_from_the_nearest_and_a_copy_serves_where_there_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("results/s/r");
        let section = |root: &Path, text: &str| {
            fs::create_dir_all(root.join("sections")).unwrap();
            fs::write(root.join("sections/1.md"), text).unwrap();
        };
        fs::create_dir_all(&run).unwrap();
        // The tests run in this repository, which is a project.
        assert!(matches!(templates(&run, None).unwrap().from, From::Project(_)));
        fs::write(run.join("runs.jsonl"), "").unwrap();
        section(&run.join("templates"), "of the run");
        section(&folder.path().join("templates"), "of the project");
        let own = folder.path().canonicalize().unwrap().join("templates");
        assert_eq!(templates(&run, None).unwrap().from, From::Project(own));
        section(&folder.path().join("named"), "named");
        let chosen = templates(&run, Some(&folder.path().join("named"))).unwrap();
        assert_eq!(chosen.templates.files()["sections/1.md"], "named");
        assert!(templates(&run, Some(Path::new("nowhere"))).is_err());
    }
}
