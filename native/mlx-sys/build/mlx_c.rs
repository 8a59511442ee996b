//! mlx-c: found inside the published `mlx-sys` crate, compiled against the wheel's headers.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Outcome, failure, out_dir, variable};

/// A manifest whose only purpose is to make Cargo fetch and locate the published crate, which the patch hides from us.
const SIDE_MANIFEST: &str = r#"[package]
name = "mlx-c-source"
version = "0.0.0"
edition = "2024"
[lib]
path = "lib.rs"
[dependencies]
mlx-sys = { version = "=0.7.0", default-features = false }
[workspace]
"#;

/// The folder that holds `mlx/c/*.{h,cpp}`.
pub fn sources() -> Outcome<PathBuf> {
    let side = out_dir()?.join("mlx-c-source");
    fs::create_dir_all(&side)
        .and_then(|()| fs::write(side.join("Cargo.toml"), SIDE_MANIFEST))
        .and_then(|()| fs::write(side.join("lib.rs"), ""))
        .map_err(|error| failure(format!("cannot write in {}: {error}", side.display()), "is the disk full?"))?;
    let metadata = cargo_metadata(&side, true).or_else(|_| cargo_metadata(&side, false))?;
    // One path is all that is wanted of this JSON.
    metadata
        .split('"')
        .find_map(|text| text.strip_suffix("/Cargo.toml").filter(|folder| folder.ends_with("mlx-sys-0.7.0")))
        .map(|folder| Path::new(folder).join("src/mlx-c"))
        .filter(|folder| folder.join("mlx/c/mlx.h").is_file())
        .ok_or_else(|| failure("cargo metadata does not tell where mlx-sys 0.7.0 is", "cargo fetch, then build again"))
}

fn cargo_metadata(side: &Path, offline: bool) -> Outcome<String> {
    let mut cargo = Command::new(variable("CARGO")?);
    cargo.args(["metadata", "--format-version=1"]).current_dir(side);
    if offline {
        cargo.arg("--offline");
    }
    let output = cargo.output().map_err(|error| failure(format!("cannot run cargo: {error}"), "is it on PATH?"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(failure(format!("mlx-c's sources cannot be had: {said}"), "cargo must reach crates.io once"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Compiles mlx-c into a static library that this crate links.
pub fn compile(sources: &Path, mlx_include: &Path) -> Outcome<()> {
    let mut files: Vec<PathBuf> = fs::read_dir(sources.join("mlx/c"))
        .map_err(|error| failure(format!("{}: {error}", sources.display()), "cargo fetch, then build again"))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cpp"))
        .collect();
    files.sort();
    let mut build = cc::Build::new();
    build.cpp(true).std("c++20").warnings(false).opt_level(2).debug(false).files(files);
    build.include(sources).include(mlx_include);
    // The first steps aside where the compiler has its own; the second gives x86 the types that ARM compilers have.
    build.flag("-include").flag("shim/format.hpp");
    if variable("CARGO_CFG_TARGET_ARCH")? == "x86_64" {
        build.flag("-include").flag("shim/half.hpp");
    }
    build.try_compile("mlxc").map_err(|error| {
        failure(format!("mlx-c does not compile: {error}"), "a C++20 compiler is needed: g++ 12, clang 15 or newer; set CXX to choose")
    })
}
