//! How this program came to where it is: words for hints, and the Python that goes with it. It must not know what the program does.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

/// What a person did to have the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Installed {
    /// A Python package brought it; so does it with the half that measures, or without.
    Package { measures: bool },
    /// It was built in this checkout.
    Checkout(PathBuf),
    /// Something else, `cargo install` as a rule.
    Alone,
}

/// Of the program that runs.
pub fn how() -> Installed {
    env::current_exe().map_or(Installed::Alone, |program| of(&program.canonicalize().unwrap_or(program)))
}

fn of(program: &Path) -> Installed {
    let folder = |levels: usize| program.ancestors().nth(levels);
    let named = |levels: usize, name: &str| folder(levels).and_then(Path::file_name).is_some_and(|last| last == name);
    if named(1, "bin") && folder(2).is_some_and(|package| package.join("__main__.py").is_file()) {
        return Installed::Package { measures: named(2, "offprint") };
    }
    // target/PROFILE/offprint, target/PROFILE/deps/test-0123
    let target = program.ancestors().find(|above| above.file_name().is_some_and(|last| last == "target"));
    match target.and_then(Path::parent).filter(|root| root.join("Cargo.toml").is_file()) {
        Some(root) => Installed::Checkout(root.to_owned()),
        None => Installed::Alone,
    }
}

impl Installed {
    /// How to have it made again, when it is broken.
    pub fn again(&self) -> String {
        match self {
            Installed::Package { .. } => format!("{} -m pip install --force-reinstall {}", shown(), self.package()),
            Installed::Checkout(_) => "in its checkout: cargo clean, then make build".to_owned(),
            Installed::Alone => "install it again: cargo install --path CHECKOUT --force".to_owned(),
        }
    }

    /// How to have one that measures.
    pub fn with_mlx(&self) -> String {
        match self {
            Installed::Package { .. } => format!("{} -m pip install offprint", shown()),
            Installed::Checkout(_) => "build it with default features: make build".to_owned(),
            Installed::Alone => "install it with default features: cargo install --path CHECKOUT --force".to_owned(),
        }
    }

    /// How to have one with llama.cpp compiled in.
    pub fn with_llama_cpp(&self) -> &'static str {
        match self {
            Installed::Checkout(_) => "build it in: make engines (CONTRIBUTING.md)",
            _ => "it is in no package: build it in a checkout, make engines; or take llama-server (docs/SERVERS.md)",
        }
    }

    fn package(&self) -> &'static str {
        if *self == (Installed::Package { measures: true }) { "offprint" } else { "offprint-verifier" }
    }
}

/// The interpreter that `PYTHON` names (a package's program is told its own so), or `python3`.
pub fn python() -> OsString {
    env::var_os("PYTHON").filter(|name| !name.is_empty()).unwrap_or_else(|| "python3".into())
}

fn shown() -> String {
    python().display().to_string()
}

/// What to do where [`python`] has no pip.
pub fn without_pip() -> String {
    format!("{} -m ensurepip, or set PYTHON to one that has it; on Debian: apt install python3-pip", shown())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_place_tells_who_put_the_program_there() {
        let folder = tempfile::tempdir().unwrap();
        let put = |path: &str| {
            let file = folder.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, "").unwrap();
            file
        };
        put("lib/site-packages/offprint/__main__.py");
        put("lib/site-packages/offprint_verifier/__main__.py");
        let whole = of(&put("lib/site-packages/offprint/bin/offprint"));
        let verifier = of(&put("lib/site-packages/offprint_verifier/bin/offprint"));
        assert_eq!(whole, Installed::Package { measures: true });
        assert_eq!(verifier, Installed::Package { measures: false });
        assert!(verifier.again().ends_with("--force-reinstall offprint-verifier"), "{}", verifier.again());
        put("checkout/Cargo.toml");
        let built = Installed::Checkout(folder.path().join("checkout"));
        assert_eq!(of(&put("checkout/target/release/offprint")), built);
        assert_eq!(of(&put("checkout/target/release/deps/paper-0a")), built);
        // A target folder elsewhere, or cargo's own.
        assert_eq!(of(&put("elsewhere/target/release/offprint")), Installed::Alone);
        assert_eq!(of(&put(".cargo/bin/offprint")), Installed::Alone);
    }
}
