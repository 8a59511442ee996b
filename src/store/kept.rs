//! A run folder's `templates/`: a copy of those that its paper was made from last, so that the paper can be made again when the project
//! that they were in has moved on. They have no part in the run.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

const TEMPLATES: &str = "templates";

/// Where a run folder has its copy, if it has one.
pub fn templates(folder: &Path) -> PathBuf {
    folder.join(TEMPLATES)
}

/// Puts a copy there in place of what is there. A run folder inside a bag (an unpacked bundle) stays as it is: the bag has them.
///
/// # Errors
/// A folder that cannot be written; then the copy of before is still there.
pub fn keep_templates(folder: &Path, files: &BTreeMap<String, String>) -> Result<()> {
    let is_bag = |folder: &Path| folder.join("bagit.txt").is_file();
    if folder.canonicalize().is_ok_and(|whole| whole.ancestors().any(is_bag)) || is_kept(folder, files) {
        return Ok(());
    }
    let id = std::process::id();
    let [making, old] = ["new", "old"].map(|which| folder.join(format!(".{TEMPLATES}.{id}.{which}.tmp")));
    let place = templates(folder);
    let made = (|| -> std::io::Result<()> {
        for (path, text) in files {
            let file = making.join(path);
            fs::create_dir_all(file.parent().unwrap_or(&making))?;
            fs::write(file, text)?;
        }
        if place.exists() {
            fs::rename(&place, &old)?;
        }
        fs::rename(&making, &place).inspect_err(|_| drop(fs::rename(&old, &place)))
    })();
    let _ = fs::remove_dir_all(&making);
    let _ = fs::remove_dir_all(&old);
    made.with_context(|| place.display().to_string())
}

/// Is it these very files that lie there?
fn is_kept(folder: &Path, files: &BTreeMap<String, String>) -> bool {
    let place = templates(folder);
    files.iter().all(|(path, text)| fs::read(place.join(path)).is_ok_and(|found| found == text.as_bytes()))
        && count(&place) == files.len()
}

fn count(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_replaced_whole_and_a_bag_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("data/results/s/r");
        fs::create_dir_all(&run).unwrap();
        let files = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect();
        keep_templates(&run, &files(&["prose.yaml", "sections/1.md"])).unwrap();
        keep_templates(&run, &files(&["sections/2.md"])).unwrap();
        let names: Vec<String> = fs::read_dir(templates(&run))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!((names, count(&run)), (vec!["sections".to_owned()], 1));
        fs::write(folder.path().join("bagit.txt"), "").unwrap();
        keep_templates(&run, &files(&["sections/3.md"])).unwrap();
        assert!(templates(&run).join("sections/2.md").is_file());
    }
}
