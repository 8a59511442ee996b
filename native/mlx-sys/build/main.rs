//! Obtains the official MLX library, compiles mlx-c against it, generates the bindings and says how to link.
//! Knows nothing of what is computed with it. `native/README.md` tells the whole story.

mod bindings;
mod mlx_c;
mod wheel;

use std::{env, path::PathBuf, process::exit};

/// A failure to build: what is wrong, and the way out.
pub struct Failure {
    pub problem: String,
    pub hint: String,
}

pub type Outcome<T> = Result<T, Failure>;

/// A [`Failure`] in one line.
pub fn failure(problem: impl Into<String>, hint: impl Into<String>) -> Failure {
    Failure { problem: problem.into(), hint: hint.into() }
}

fn main() {
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=shim");
    println!("cargo::rerun-if-changed=wheels.txt");
    if let Err(Failure { problem, hint }) = build() {
        println!("cargo::error={}", problem.replace('\n', " | "));
        println!("cargo::error=hint: {hint}");
        exit(1);
    }
}

fn build() -> Outcome<()> {
    let package = wheel::mlx_package(&variable("CARGO_CFG_TARGET_OS")?, cfg!(feature = "cuda"))?;
    let wheels = wheel::Wheels::of_this_build()?;
    let unpacked = wheels.library(package)?;
    let library = unpacked.join("mlx");
    let sources = mlx_c::sources()?;
    mlx_c::compile(&sources, &library.join("include"))?;
    bindings::generate(&sources, &wheels)?;

    let lib = library.join("lib");
    println!("cargo::rustc-link-search=native={}", lib.display());
    println!("cargo::rustc-link-lib=dylib=mlx");
    // Dependents read these as DEP_MLX_*; only the final crate can set a run path.
    println!("cargo::metadata=lib={}", lib.display());
    println!("cargo::metadata=package={package}");
    let file = if variable("CARGO_CFG_TARGET_OS")? == "macos" { "libmlx.dylib" } else { "libmlx.so" };
    let digest = wheel::listed(&unpacked, &format!("mlx/lib/{file}")).unwrap_or_default();
    println!("cargo::metadata=digest={digest}");
    println!("cargo::metadata=version={}", wheel::pinned(&wheels.pins, package));
    Ok(())
}

/// A variable that Cargo sets for build scripts.
pub fn variable(name: &str) -> Outcome<String> {
    env::var(name).map_err(|_| failure(format!("{name} is not set"), "run this through cargo"))
}

/// Cargo's folder for what this script makes.
pub fn out_dir() -> Outcome<PathBuf> {
    variable("OUT_DIR").map(PathBuf::from)
}
