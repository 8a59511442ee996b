//! Which templates a verb takes, and what is said of that.

use std::path::PathBuf;

use crate::project::{self, Chosen, From};

/// A path that was given, else one under the root of the project around the working folder.
pub(super) fn or_of_project(given: Option<PathBuf>, name: &str) -> PathBuf {
    given.unwrap_or_else(|| project::here().join(name))
}

/// Says where templates come from, if not from the project that one works in, and what lies among them that is none. Said when they have
/// served: before, something else may be wrong that matters more.
pub(super) fn tell_of(chosen: &Chosen) {
    match &chosen.from {
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
    if let [_, ..] = chosen.others.as_slice() {
        let names: Vec<String> = chosen.others.iter().map(|path| path.display().to_string()).collect();
        tell!("no part of a paper, not read: {}", names.join(", "));
    }
}
