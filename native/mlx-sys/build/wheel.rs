//! A pinned PyPI package -> its unpacked wheel. pip downloads and checks the SHA-256; nothing is installed.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command},
};

use crate::{Failure, Outcome, failure, variable};

/// The package that holds `libmlx` for an operating system.
pub fn mlx_package(os: &str, cuda: bool) -> Outcome<&'static str> {
    match (os, cuda) {
        ("linux", false) => Ok("mlx-cpu"),
        ("linux", true) => Ok("mlx-cuda-13"),
        ("macos", false) => Ok("mlx-metal"),
        ("macos", true) => {
            Err(failure("feature `cuda` was asked for on macOS", "build without it: MLX uses Metal there"))
        }
        _ => Err(failure(
            format!("there is no official MLX library for `{os}`"),
            "build the verifier, which needs none: cargo build --no-default-features",
        )),
    }
}

/// Where wheels come from and where they are unpacked.
pub struct Wheels {
    /// Where lies what the program needs when it runs: not in a checkout, so that an installed program outlives that.
    pub lasting: PathBuf,
    /// The interpreter whose pip downloads.
    pub python: String,
    /// `wheels.txt`.
    pub pins: String,
    pub cache: PathBuf,
    /// A folder of wheels to take instead of asking PyPI.
    pub given: Option<PathBuf>,
}

impl Wheels {
    /// `PYTHON` names the interpreter, `OFFPRINT_CACHE` the folder to keep wheels in; without it the library lies in the user's folder
    /// for data, and what only a build needs in `.cache` of this checkout.
    pub fn of_this_build() -> Outcome<Self> {
        for name in ["PYTHON", "OFFPRINT_CACHE", "OFFPRINT_WHEEL_DIR", "XDG_DATA_HOME", "HOME"] {
            println!("cargo::rerun-if-env-changed={name}");
        }
        if env::var("HOST") != env::var("TARGET") {
            return Err(failure(
                "MLX is linked for the machine that builds, and this is a cross build",
                "build on the target, or build the verifier: cargo build --no-default-features",
            ));
        }
        let crate_dir = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
        let pins_file = crate_dir.join("wheels.txt");
        let pins = fs::read_to_string(&pins_file)
            .map_err(|error| failure(format!("cannot read {}: {error}", pins_file.display()), "restore it from git"))?;
        // Relative to the checkout, as it is for the program; this script itself works in another folder.
        let given = env::var_os("OFFPRINT_CACHE");
        let data = if given.is_some() { None } else { data_folder(&variable("CARGO_CFG_TARGET_OS")?) };
        let cache = crate_dir.join("../..").join(given.unwrap_or_else(|| ".cache".into()));
        Ok(Wheels {
            lasting: data.unwrap_or_else(|| cache.clone()).join("wheels"),
            python: env::var("PYTHON").unwrap_or_else(|_| "python3".into()),
            pins,
            cache: cache.join("wheels"),
            given: env::var_os("OFFPRINT_WHEEL_DIR").map(PathBuf::from),
        })
    }

    /// The folder that the wheel of the library is unpacked in, downloaded first unless it is there.
    pub fn library(&self, package: &str) -> Outcome<PathBuf> {
        self.obtain(package, &self.lasting)
    }

    /// The same of what only a build needs.
    pub fn tool(&self, package: &str) -> Outcome<PathBuf> {
        self.obtain(package, &self.cache)
    }

    fn obtain(&self, package: &str, kept: &Path) -> Outcome<PathBuf> {
        let pin = self
            .pins
            .lines()
            .find(|line| line.starts_with(&format!("{package}==")))
            .ok_or_else(|| failure(format!("wheels.txt pins no `{package}`"), "add it with its SHA-256"))?;
        let name = pin.split_whitespace().next().unwrap_or(package).replace("==", "-");
        // The folder appears under its name only when whole, so a build killed half-way leaves nothing to trust.
        let unpacked = kept.join(&name);
        if !unpacked.is_dir() {
            let making = kept.join(format!("{name}.{}.tmp", process::id()));
            let made = self.download(pin, &making).and_then(|wheel| self.unpack(&wheel, &making.join("unpacked")));
            if made.is_ok() {
                // Another build may have been faster; its folder is as good as ours.
                let _ = fs::rename(making.join("unpacked"), &unpacked);
            }
            let _ = fs::remove_dir_all(&making);
            made?;
        }
        unpacked
            .canonicalize()
            .map_err(|error| failure(format!("{}: {error}", unpacked.display()), "is the folder writable?"))
    }

    fn download(&self, pin: &str, folder: &Path) -> Outcome<PathBuf> {
        let requirements = folder.join("requirements.txt");
        fs::create_dir_all(folder).and_then(|()| fs::write(&requirements, format!("{pin}\n"))).map_err(|error| {
            failure(format!("cannot write in {}: {error}", folder.display()), "set OFFPRINT_CACHE to a writable folder")
        })?;
        let mut pip = Command::new(&self.python);
        pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"])
            .args(["--only-binary=:all:", "--ignore-requires-python", "--dest"])
            .arg(folder)
            .arg("--requirement")
            .arg(&requirements);
        if let Some(given) = &self.given {
            pip.arg("--no-index").arg("--find-links").arg(given);
        }
        self.run(pip, pin)?;
        fs::read_dir(folder)
            .ok()
            .and_then(|entries| entries.flatten().map(|e| e.path()).find(|p| p.extension().is_some_and(|e| e == "whl")))
            .ok_or_else(|| failure(format!("pip left no wheel in {}", folder.display()), "run the build again"))
    }

    fn unpack(&self, wheel: &Path, folder: &Path) -> Outcome<()> {
        let mut zip = Command::new(&self.python);
        zip.args(["-m", "zipfile", "-e"]).arg(wheel).arg(folder);
        self.run(zip, &wheel.display().to_string())
    }

    fn run(&self, mut command: Command, what: &str) -> Outcome<()> {
        let output = command.output().map_err(|error| {
            failure(format!("cannot run {}: {error}", self.python), "install Python 3 with pip, or set PYTHON to one")
        })?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(explain(what.split_whitespace().next().unwrap_or(what), &said))
    }
}

/// Where a user's programs keep what they need, by the platform's convention; nowhere for a user without a home.
fn data_folder(os: &str) -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || absolute("HOME");
    let data = match os {
        "macos" => home()?.join("Library/Application Support"),
        // The XDG base directory specification: what is not absolute is to be ignored.
        _ => absolute("XDG_DATA_HOME").or_else(|| Some(home()?.join(".local/share")))?,
    };
    Some(data.join("offprint"))
}

/// The version that `wheels.txt` pins of a package.
pub fn pinned(pins: &str, package: &str) -> String {
    let version = pins.lines().find_map(|line| line.strip_prefix(package)?.strip_prefix("==")?.split(' ').next());
    version.unwrap_or_default().to_owned()
}

/// The SHA-256 that an unpacked wheel's own list has of a file, as lists of wheels write it (`sha256=`, base64 without padding).
pub fn listed(unpacked: &Path, file: &str) -> Option<String> {
    let information = fs::read_dir(unpacked).ok()?.flatten().map(|entry| entry.path());
    let information = information.into_iter().find(|path| path.extension().is_some_and(|end| end == "dist-info"))?;
    let record = fs::read_to_string(information.join("RECORD")).ok()?;
    let line = record.lines().find_map(|line| line.strip_prefix(file)?.strip_prefix(','))?;
    Some(line.split(',').next()?.to_owned())
}

/// What pip's words mean for a person.
fn explain(what: &str, said: &str) -> Failure {
    let has = |words: &str| said.contains(words);
    if has("DO NOT MATCH THE HASHES") {
        failure(
            format!("{what}: the downloaded file does not have the pinned SHA-256: {said}"),
            "somebody changed the file on its way: try another network or mirror, and do not use this file",
        )
    } else if has("No module named pip") {
        failure(format!("{what}: this Python has no pip"), "python3 -m ensurepip, or install your system's python3-pip")
    } else if has("No matching distribution") || has("Could not find a version") || has("ConnectionError") {
        failure(
            format!("{what} could not be downloaded: {said}"),
            "is there a network? (the official library needs glibc 2.35 on Linux, Apple silicon on macOS.) if not, put the wheel into a folder and set OFFPRINT_WHEEL_DIR to it; \
             `cargo build --no-default-features` builds the verifier, which needs no wheel",
        )
    } else {
        failure(format!("{what}: {said}"), "python3 -m pip download must work here; see native/README.md")
    }
}
