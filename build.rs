//! Tells the linker where the MLX library lies, which only the final crate can, and notes the compiler's version and the commit
//! of what is compiled.

use std::{env, path::Path, process::Command};

/// What the program is made of; anything else in the repository changes no binary.
const COMPILED: [&str; 6] = ["Cargo.toml", "Cargo.lock", "build.rs", "src", "native", "templates"];

fn main() {
    // Set by native/mlx-sys; absent in the verifier's build.
    println!("cargo::rerun-if-env-changed=OFFPRINT_RPATH");
    for name in ["DIGEST", "VERSION"] {
        println!("cargo::rustc-env=OFFPRINT_MLX_{name}={}", env::var(format!("DEP_MLX_{name}")).unwrap_or_default());
    }
    if let Ok(folder) = env::var("DEP_MLX_LIB") {
        // A wheel's program finds the library in the package beside it, wherever that is installed.
        let run_path = env::var("OFFPRINT_RPATH").unwrap_or(folder);
        println!("cargo::rustc-link-arg=-Wl,-rpath,{run_path}");
        // The CUDA library's own needs are met when it is loaded, on a machine that has NVIDIA's libraries.
        if env::var_os("CARGO_FEATURE_CUDA").is_some() {
            println!("cargo::rustc-link-arg=-Wl,--allow-shlib-undefined");
        }
    }
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().ok().and_then(|out| String::from_utf8(out.stdout).ok());
    println!("cargo::rustc-env=OFFPRINT_RUSTC={}", version.as_deref().unwrap_or("unknown").trim());
    for path in COMPILED.iter().filter(|path| Path::new(path).exists()) {
        println!("cargo::rerun-if-changed={path}");
    }
    let (commit, dirty, reason) = match commit() {
        Ok((commit, dirty)) => (commit, dirty.to_string(), String::new()),
        Err(reason) => (String::new(), String::new(), reason),
    };
    println!("cargo::rustc-env=OFFPRINT_COMMIT={commit}");
    println!("cargo::rustc-env=OFFPRINT_COMMIT_DIRTY={dirty}");
    println!("cargo::rustc-env=OFFPRINT_COMMIT_UNKNOWN={reason}");
}

/// The commit of the repository whose root this is, and whether what is compiled differs from it; or why that is not known. What
/// a commit changes is watched, so that neither is ever of another build.
fn commit() -> Result<(String, bool), String> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(|error| error.to_string())?;
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok() != Path::new(&root).canonicalize().ok() {
        return Err("it was built outside of its own repository".to_owned());
    }
    // The log of HEAD grows with every commit, checkout and reset; without one, branches are watched.
    let logged = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    let moving =
        if Path::new(&logged).exists() { vec!["HEAD", "logs/HEAD"] } else { vec!["HEAD", "refs", "packed-refs"] };
    for name in moving {
        let path = git(&["rev-parse", "--git-path", name])?;
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let commit = git(&["rev-parse", "HEAD"])?;
    let mut status = vec!["status", "--porcelain", "--"];
    status.extend(COMPILED);
    Ok((commit, !git(&status)?.is_empty()))
}

fn git(arguments: &[&str]) -> Result<String, String> {
    let output =
        Command::new("git").args(arguments).output().map_err(|error| format!("no git when it was built: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("git said when it was built: {}", said.lines().next().unwrap_or_default()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
