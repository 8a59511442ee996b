//! Typst's wheel: where it lies, and how it gets there. pip downloads it and holds it to the pinned SHA-256; nothing is installed.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{self, Command, Output},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    cache,
    installed::{self, python},
};

const PINS: &str = include_str!("wheels.txt");

/// pip's requirement: name, version and hashes.
fn requirement() -> &'static str {
    PINS.lines().find(|line| !line.starts_with('#')).unwrap_or_default()
}

/// `typst==0.15.2`
pub fn pin() -> &'static str {
    requirement().split(' ').next().unwrap_or_default()
}

/// `typst-0.15.2`: the folder's name here, and the beginning of one inside.
fn name() -> String {
    pin().replace("==", "-")
}

fn place() -> PathBuf {
    cache::folder().join("wheels").join(name())
}

/// The folder that holds the package, if there is one: that of `OFFPRINT_TYPST`, or of the cache.
///
/// # Errors
/// `OFFPRINT_TYPST` names one that has another version, or none.
pub fn here() -> Result<Option<PathBuf>> {
    let Some(given) = env::var_os("OFFPRINT_TYPST").map(PathBuf::from) else {
        return Ok(Some(place()).filter(|folder| folder.is_dir()));
    };
    let inside = given.join(format!("{}.dist-info", name()));
    ensure!(
        inside.is_dir() && given.join("typst").is_dir(),
        "OFFPRINT_TYPST: {}: expected the package {} in it, found none\nhint: python3 -m pip install --target {0} {1}",
        given.display(),
        pin()
    );
    Ok(Some(given))
}

/// The same, fetched first unless it is here. One at a time: another process waits for its result.
///
/// # Errors
/// No Python with pip, no network, a wheel of another checksum.
pub fn obtain() -> Result<PathBuf> {
    if let Some(folder) = here()? {
        return Ok(folder);
    }
    let folder = place();
    let cache = folder.parent().unwrap_or(&folder);
    let writable = |path: &Path| format!("{}\nhint: set OFFPRINT_CACHE to a writable folder", path.display());
    fs::create_dir_all(cache).with_context(|| writable(cache))?;
    let lock = cache.join(format!("{}.lock", name()));
    let alone = File::create(&lock).with_context(|| writable(&lock))?;
    alone.lock().with_context(|| writable(&lock))?;
    if !folder.is_dir() {
        let making = cache.join(format!("{}.{}.tmp", name(), process::id()));
        // The folder appears under its name only when whole, so a download that is killed leaves nothing to trust.
        let made = download(&making).and_then(|wheel| {
            let unpacked = making.join("unpacked");
            run(python_with(&["-m", "zipfile", "-e"]).arg(&wheel).arg(&unpacked))?;
            fs::rename(&unpacked, &folder).with_context(|| writable(&folder))
        });
        let _ = fs::remove_dir_all(&making);
        made?;
    }
    Ok(folder)
}

fn download(folder: &Path) -> Result<PathBuf> {
    let requirements = folder.join("requirements.txt");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&requirements, format!("{}\n", requirement())))
        .with_context(|| format!("{}\nhint: set OFFPRINT_CACHE to a writable folder", requirements.display()))?;
    let mut pip = python_with(&["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    pip.args(["--require-hashes", "--only-binary=:all:", "--retries", "1", "--timeout", "20", "--dest"])
        .arg(folder)
        .arg("--requirement")
        .arg(&requirements);
    if let Some(given) = env::var_os("OFFPRINT_WHEEL_DIR") {
        pip.arg("--no-index").arg("--find-links").arg(given);
    }
    run(&mut pip)?;
    let files = fs::read_dir(folder).with_context(|| folder.display().to_string())?.flatten();
    let wheel = files.map(|entry| entry.path()).find(|path| path.extension().is_some_and(|ending| ending == "whl"));
    wheel.with_context(|| format!("pip left no wheel of {}\nhint: try again with another pip", pin()))
}

fn python_with(arguments: &[&str]) -> Command {
    let mut command = Command::new(python());
    command.args(arguments);
    command
}

fn run(command: &mut Command) -> Result<()> {
    let Output { status, stderr, .. } = command.output().with_context(|| {
        format!("cannot run {}\nhint: install Python 3 with pip, or set PYTHON to one", python().display())
    })?;
    if status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&stderr);
    let last = said.trim().lines().last().unwrap_or("no word");
    let has = |words: &str| said.contains(words);
    if has("DO NOT MATCH THE HASHES") {
        bail!(
            "{}: the file that came does not have the pinned SHA-256\n\
             hint: it was changed on its way: try another network or mirror, and do not use it",
            pin()
        );
    } else if has("No module named pip") {
        bail!("{}: this Python has no pip\nhint: {}", pin(), installed::without_pip());
    }
    bail!(
        "{} could not be fetched: {last}\n\
         hint: is there a network? if not, put its wheel into a folder and set OFFPRINT_WHEEL_DIR to that, \
         or OFFPRINT_TYPST to a folder that it is installed in",
        pin()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_version_is_pinned_with_the_digests_of_all_its_wheels() {
        assert_eq!(PINS.lines().filter(|line| !line.starts_with('#')).count(), 1);
        let (pin, hashes) = requirement().split_once(" --hash=sha256:").unwrap();
        assert_eq!((pin, name().as_str()), ("typst==0.15.2", "typst-0.15.2"));
        let hashes: Vec<&str> = hashes.split(" --hash=sha256:").collect();
        // Linux (glibc: five processors; musl: three), macOS (two), Windows.
        assert_eq!(hashes.len(), 11);
        assert!(hashes.iter().all(|hash| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit())));
    }
}
