//! Which templates a verb takes, and what is said of that.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{
    paper::Templates,
    project::{self, Chosen, From},
};

/// A path that was given, else one under the root of the project around the working folder.
pub(super) fn or_of_project(given: Option<PathBuf>, name: &str) -> PathBuf {
    given.unwrap_or_else(|| project::here().join(name))
}

/// The templates for the paper of a run folder, or of a study. Those of the project that one works in need no word.
///
/// # Errors
/// As [`project::templates`].
pub(super) fn templates(near: &Path, named: Option<&Path>) -> Result<Templates> {
    let Chosen { templates, from, others } = project::templates(near, named)?;
    match &from {
        From::Copy(folder) => {
            tell!(
                "{}: the paper's templates, as they were when it was made last; no project is around",
                folder.display()
            )
        }
        From::BuiltIn => {
            tell!("no templates/ here: the paper is the built-in one; offprint new DIR makes one of your own")
        }
        From::Project(_) | From::Named(_) => {}
    }
    if let [_, ..] = others.as_slice() {
        let names: Vec<String> = others.iter().map(|path| path.display().to_string()).collect();
        tell!("no part of a paper, not read: {}", names.join(", "));
    }
    Ok(templates)
}
