//! What software this is: the program, its source tree, its compiler, its libraries. The lock file is compiled in, so
//! versions are those of this binary, not of the folder in which it runs.

use std::collections::BTreeMap;

use super::Fact;
use crate::digest::sha256_hex;

/// The lock file that this program was built with.
pub const CARGO_LOCK: &str = include_str!("../../Cargo.lock");

/// Crates whose version can change a measurement or a printed number.
const MEASURING: [&str; 5] = ["mlx-rs", "mlx-sys", "tokenizers", "safetensors", "minijinja"];
const READING: [&str; 6] = ["plotters", "polars", "pulldown-cmark", "statrs", "svg2pdf", "tera"];

pub(super) struct Software {
    pub(super) git_commit: Fact<String>,
    pub(super) git_dirty: Fact<bool>,
    pub(super) rustc: String,
    pub(super) cargo_lock_sha256: Fact<String>,
    pub(super) libraries: BTreeMap<String, String>,
}

pub(super) fn read() -> Software {
    let (git_commit, git_dirty) = commit();
    Software {
        git_commit,
        git_dirty,
        rustc: env!("OFFPRINT_RUSTC").to_owned(),
        cargo_lock_sha256: Fact::known(sha256_hex(CARGO_LOCK.as_bytes())),
        libraries: libraries(),
    }
}

/// The commit that this program was compiled from, and whether what was compiled differed from it. The folder in which it runs
/// says nothing of it.
fn commit() -> (Fact<String>, Fact<bool>) {
    match (env!("OFFPRINT_COMMIT"), env!("OFFPRINT_COMMIT_UNKNOWN")) {
        ("", reason) => (Fact::unknown(reason), Fact::unknown(reason)),
        (commit, _) => (Fact::known(commit.to_owned()), Fact::known(env!("OFFPRINT_COMMIT_DIRTY") == "true")),
    }
}

fn libraries() -> BTreeMap<String, String> {
    let mut libraries = versions(CARGO_LOCK, &READING);
    if cfg!(feature = "mlx") {
        libraries.append(&mut versions(CARGO_LOCK, &MEASURING));
    }
    if cfg!(feature = "llama-cpp") {
        libraries.append(&mut versions(CARGO_LOCK, &["llama-cpp-2"]));
    }
    #[cfg(feature = "mlx")]
    if let Some(version) = mlx_version() {
        libraries.insert("mlx".to_owned(), version);
    }
    libraries
}

/// Versions of the named packages in a lock file.
fn versions(lock: &str, names: &[&str]) -> BTreeMap<String, String> {
    let quoted = |line: &str, key: &str| Some(line.strip_prefix(key)?.trim_matches(['=', ' ', '"']).to_owned());
    let packages = lock.split("[[package]]").filter_map(|block| {
        let name = block.lines().find_map(|line| quoted(line, "name = "))?;
        Some((name, block.lines().find_map(|line| quoted(line, "version = "))?))
    });
    packages.filter(|(name, _)| names.contains(&name.as_str())).collect()
}

/// The version that the linked MLX library says of itself.
#[cfg(feature = "mlx")]
pub(super) fn mlx_version() -> Option<String> {
    // SAFETY: `mlx_version` fills the string, which is read before it is freed and is not used after.
    unsafe {
        let mut text = mlx_sys::mlx_string_new();
        let failed = mlx_sys::mlx_version(&mut text) != 0;
        let version = (!failed).then(|| std::ffi::CStr::from_ptr(mlx_sys::mlx_string_data(text)));
        let version = version.map(|version| version.to_string_lossy().into_owned());
        mlx_sys::mlx_string_free(text);
        version
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_lock_file() {
        let lock = "version = 4\n\n[[package]]\nname = \"tera\"\nversion = \"2.4.0\"\nsource = \"x\"\n\n[[package]]\n\
                    name = \"tera-extra\"\nversion = \"9.0.0\"\n";
        assert_eq!(versions(lock, &["tera", "absent"]), BTreeMap::from([("tera".to_owned(), "2.4.0".to_owned())]));
        for name in MEASURING.iter().chain(&READING) {
            assert!(versions(CARGO_LOCK, &[name]).contains_key(*name), "{name} is not in Cargo.lock");
        }
    }

    /// The wheel that `native/mlx-sys` pins and the library that is loaded are one.
    #[cfg(feature = "mlx")]
    #[test]
    fn mlx_says_its_version() {
        assert_eq!(libraries().get("mlx").map(String::as_str), Some("0.32.2"));
    }

    /// What the build noted is what the repository says now: a stale note would have been made again.
    #[test]
    fn the_commit_is_that_of_what_is_compiled() {
        let root = env!("CARGO_MANIFEST_DIR");
        let git = |arguments: &[&str]| {
            let output = std::process::Command::new("git").args(["-C", root]).args(arguments).output().ok()?;
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let (commit, dirty) = commit();
        let Some(head) = git(&["rev-parse", "HEAD"]) else {
            assert!(commit.reason.is_some_and(|reason| !reason.is_empty()));
            return;
        };
        assert_eq!(commit.value, Some(head));
        let status =
            ["status", "--porcelain", "--", "Cargo.toml", "Cargo.lock", "build.rs", "src", "native", "templates"];
        assert_eq!(dirty.value, Some(git(&status).is_some_and(|changes| !changes.is_empty())));
    }
}
