//! The folder that fetched things are kept in: models, wheels.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

/// `OFFPRINT_CACHE`; else `.cache` of the working folder, if things of ours are in it already, as in a checkout of this program; else the
/// platform's folder for caches, so that it does not matter where in a project one works.
pub fn folder() -> PathBuf {
    of(Path::new(".cache"), &|name| env::var_os(name).filter(|value| !value.is_empty()), env::home_dir())
}

fn of(here: &Path, variable: &dyn Fn(&str) -> Option<OsString>, home: Option<PathBuf>) -> PathBuf {
    if let Some(named) = variable("OFFPRINT_CACHE") {
        return named.into();
    }
    if ["models", "wheels"].iter().any(|inside| here.join(inside).is_dir()) {
        return here.to_owned();
    }
    let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let platform = match env::consts::OS {
        "macos" => home.map(|home| home.join("Library/Caches")),
        "windows" => absolute("LOCALAPPDATA"),
        // The XDG base directory specification: what is not absolute is to be ignored.
        _ => absolute("XDG_CACHE_HOME").or_else(|| Some(home?.join(".cache"))),
    };
    platform.map_or_else(|| here.to_owned(), |folder| folder.join("offprint"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_comes_first_then_what_is_here_then_the_platform() {
        let folder = tempfile::tempdir().unwrap();
        let (here, home) = (folder.path().join(".cache"), Some(PathBuf::from("/home/ada")));
        let none = |_: &str| None;
        let named = |name: &str| (name == "OFFPRINT_CACHE").then(|| OsString::from("mine"));
        let elsewhere = of(&here, &none, home.clone());
        assert!(elsewhere.starts_with("/home/ada") && elsewhere.ends_with("offprint"), "{}", elsewhere.display());
        assert_eq!(of(&here, &none, None), here);
        // A home has a folder of that name, which is not ours.
        std::fs::create_dir_all(here.join("fontconfig")).unwrap();
        assert_eq!(of(&here, &none, home.clone()), elsewhere);
        std::fs::create_dir_all(here.join("wheels")).unwrap();
        assert_eq!((of(&here, &none, home.clone()), of(&here, &named, home)), (here, PathBuf::from("mine")));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn xdg_is_followed_where_it_is_absolute() {
        let xdg = |value: &'static str| move |name: &str| (name == "XDG_CACHE_HOME").then(|| OsString::from(value));
        let home = || Some(PathBuf::from("/home/ada"));
        assert_eq!(of(Path::new("nowhere"), &xdg("/scratch"), home()), Path::new("/scratch/offprint"));
        assert_eq!(of(Path::new("nowhere"), &xdg("scratch"), home()), Path::new("/home/ada/.cache/offprint"));
    }
}
