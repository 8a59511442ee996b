//! Files under a project's `templates/` -> their bytes: regular ones, inside the folder, of bounded size. What is made from them goes to
//! others, so nothing gets in by a link that its author did not put there.

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
};

use anyhow::{Context, Result, ensure};

/// Reads the file at `path` under `folder`, of at most `most` bytes.
///
/// # Errors
/// A link that leads out of the folder, a device, a pipe, a longer file, one that cannot be read; with its name.
pub fn read(folder: &Path, path: &str, most: usize) -> Result<Vec<u8>> {
    let file = folder.join(path);
    let shown = file.display();
    let named = || shown.to_string();
    let (home, place) = (fs::canonicalize(folder).with_context(named)?, fs::canonicalize(&file).with_context(named)?);
    let hint = "hint: put the file itself there";
    ensure!(place.starts_with(&home), "{shown}: a link out of {}, to {}\n{hint}", folder.display(), place.display());
    let found = fs::metadata(&place).with_context(named)?;
    ensure!(found.is_file(), "{shown}: expected a file, found a folder, a device or a pipe\n{hint}");
    ensure!(found.len() <= most as u64, "{shown}: expected at most {most} bytes, found {}", found.len());
    let mut bytes = Vec::new();
    File::open(&place).and_then(|file| file.take(most as u64 + 1).read_to_end(&mut bytes)).with_context(named)?;
    ensure!(bytes.len() <= most, "{shown}: expected at most {most} bytes, found more");
    Ok(bytes)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_out_of_the_folder_devices_and_long_files_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("templates"), folder.path().join("secret.txt"));
        fs::create_dir_all(inside.join("sections")).unwrap();
        fs::write(&outside, "secret").unwrap();
        fs::write(inside.join("a.md"), "text").unwrap();
        symlink("../a.md", inside.join("sections/near.md")).unwrap();
        symlink("../../secret.txt", inside.join("sections/far.md")).unwrap();
        symlink("/dev/null", inside.join("sections/null.md")).unwrap();
        symlink("nowhere", inside.join("sections/lost.md")).unwrap();
        fs::create_dir(inside.join("sections/folder.md")).unwrap();
        assert_eq!(read(&inside, "sections/near.md", 4).unwrap(), b"text");
        for (path, what) in [
            ("sections/far.md", "a link out of"),
            ("sections/null.md", "a link out of"),
            ("sections/folder.md", "found a folder, a device or a pipe"),
            ("sections/lost.md", "lost.md"),
        ] {
            let error = format!("{:#}", read(&inside, path, 100).unwrap_err());
            assert!(error.contains(what) && error.contains(path), "{error}");
        }
        let error = read(&inside, "a.md", 3).unwrap_err().to_string();
        assert!(error.ends_with("a.md: expected at most 3 bytes, found 4"), "{error}");
    }
}
