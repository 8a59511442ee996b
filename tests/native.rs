//! The build script's way to the MLX library: what it says when a wheel cannot be had. Its own source, real pip.

// The tests need only half of it, and it speaks to Cargo by printing.
#[allow(dead_code, clippy::print_stdout)]
#[path = "../native/mlx-sys/build/wheel.rs"]
mod wheel;

use std::{fs, path::Path, process::Command};

use wheel::{Wheels, mlx_package};

// What `build/main.rs` gives the module.
#[derive(Debug)]
pub struct Failure {
    pub problem: String,
    pub hint: String,
}

pub type Outcome<T> = Result<T, Failure>;

pub fn failure(problem: impl Into<String>, hint: impl Into<String>) -> Failure {
    Failure { problem: problem.into(), hint: hint.into() }
}

pub fn variable(name: &str) -> Outcome<String> {
    std::env::var(name).map_err(|_| failure(name, "set it"))
}

#[allow(clippy::unwrap_used)]
/// Makes a wheel of one file in `folder`; returns its SHA-256.
fn make_wheel(folder: &Path) -> String {
    let script = "import sys, zipfile\n\
        with zipfile.ZipFile(sys.argv[1] + '/tiny-1.0-py3-none-any.whl', 'w') as z:\n\
        \x20   z.writestr('tiny/lib.txt', 'whole')\n\
        \x20   z.writestr('tiny-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n')\n\
        \x20   z.writestr('tiny-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n\
        \x20   z.writestr('tiny-1.0.dist-info/RECORD', '')\n";
    assert!(Command::new("python3").args(["-c", script]).arg(folder).status().unwrap().success());
    let bytes = fs::read(folder.join("tiny-1.0-py3-none-any.whl")).unwrap();
    offprint::digest::sha256_hex(&bytes)
}

fn wheels(folder: &Path, sha256: &str) -> Wheels {
    Wheels {
        lasting: folder.join("cache"),
        python: "python3".into(),
        pins: format!("# pins\ntiny==1.0 --hash=sha256:{sha256}\n"),
        cache: folder.join("cache"),
        given: Some(folder.join("given")),
    }
}

#[allow(clippy::unwrap_used)]
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("given")).unwrap();
    folder
}

#[test]
fn a_wheel_is_unpacked_once_and_found_again_without_its_source() {
    let folder = folder();
    let sha256 = make_wheel(&folder.path().join("given"));
    let wheels = wheels(folder.path(), &sha256);
    let unpacked = wheels.library("tiny").unwrap_or_else(|failure| panic!("{}", failure.problem));
    assert_eq!(fs::read_to_string(unpacked.join("tiny/lib.txt")).unwrap(), "whole");
    fs::remove_dir_all(folder.path().join("given")).unwrap();
    assert!(wheels.library("tiny").is_ok_and(|again| again == unpacked));
    assert_eq!(fs::read_dir(folder.path().join("cache")).unwrap().count(), 1, "nothing else is left behind");
}

/// A program that was installed outlives its checkout; what only a build needs may go with that.
#[test]
fn the_library_and_the_tools_of_a_build_lie_apart() {
    let folder = folder();
    let sha256 = make_wheel(&folder.path().join("given"));
    let wheels = Wheels { lasting: folder.path().join("data"), ..wheels(folder.path(), &sha256) };
    let found = [wheels.library("tiny"), wheels.tool("tiny")];
    for (place, unpacked) in ["data", "cache"].into_iter().zip(found) {
        let unpacked = unpacked.unwrap_or_else(|failure| panic!("{}", failure.problem));
        assert!(unpacked.starts_with(folder.path().canonicalize().unwrap().join(place)), "{}", unpacked.display());
    }
}

#[test]
fn a_changed_file_is_refused_and_nothing_is_kept() {
    let folder = folder();
    make_wheel(&folder.path().join("given"));
    let refused = wheels(folder.path(), &"0".repeat(64)).library("tiny").unwrap_err();
    assert!(refused.problem.contains("does not have the pinned SHA-256"), "{}", refused.problem);
    assert!(refused.hint.contains("do not use this file"));
    assert_eq!(fs::read_dir(folder.path().join("cache")).unwrap().count(), 0);
}

#[test]
fn without_network_and_wheel_the_way_out_is_named() {
    let folder = folder();
    let refused = wheels(folder.path(), &"0".repeat(64)).library("tiny").unwrap_err();
    assert!(refused.problem.contains("tiny==1.0 could not be downloaded"), "{}", refused.problem);
    assert!(refused.hint.contains("OFFPRINT_WHEEL_DIR") && refused.hint.contains("--no-default-features"));
}

#[test]
fn without_python_or_pip_the_way_out_is_named() {
    let folder = folder();
    let mut wheels = wheels(folder.path(), &"0".repeat(64));
    wheels.python = folder.path().join("no-python").display().to_string();
    let refused = wheels.library("tiny").unwrap_err();
    assert!(refused.problem.contains("cannot run") && refused.hint.contains("install Python 3 with pip"));

    // A Python without pip: real Python, told to see no installed packages.
    let bare = folder.path().join("bare");
    fs::write(&bare, "#!/bin/sh\nexec python3 -I -S \"$@\"\n").unwrap();
    assert!(Command::new("chmod").arg("+x").arg(&bare).status().unwrap().success());
    wheels.python = bare.display().to_string();
    let refused = wheels.library("tiny").unwrap_err();
    assert!(refused.problem.contains("has no pip"), "{}", refused.problem);
    assert!(refused.hint.contains("ensurepip"));
}

#[test]
fn a_system_without_an_official_library_is_told_so() {
    assert_eq!(mlx_package("linux", false).ok(), Some("mlx-cpu"));
    assert_eq!(mlx_package("linux", true).ok(), Some("mlx-cuda-13"));
    assert_eq!(mlx_package("macos", false).ok(), Some("mlx-metal"));
    assert!(mlx_package("windows", false).unwrap_err().hint.contains("--no-default-features"));
    assert!(mlx_package("macos", true).unwrap_err().hint.contains("Metal"));
}
