//! The MLX library that is loaded: which file, and whether it is the one that this program was linked with. Its version is the
//! loaded library's word for it; a file of that name may be anybody's.

use serde::{Deserialize, Serialize};

use super::Fact;
#[cfg(feature = "mlx")]
pub(super) use of_mlx::{expect_version, mlx};

/// A library that is loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadedLibrary {
    /// Where it lies; a user's home is `~`.
    pub path: Fact<String>,
    /// SHA-256 of the file, in hex.
    pub sha256: Fact<String>,
    /// Is that the file that the program was linked with?
    pub as_linked: Fact<bool>,
}

#[cfg(feature = "mlx")]
mod of_mlx {
    use std::path::{Path, PathBuf};

    use anyhow::{Result, ensure};
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::{Fact, LoadedLibrary};
    use crate::{digest, installed};

    /// MLX's, as this process has it.
    pub fn mlx() -> LoadedLibrary {
        let why = || "the system does not say which file is loaded";
        let Some(file) = loaded("libmlx.") else {
            return LoadedLibrary {
                path: Fact::unknown(why()),
                sha256: Fact::unknown(why()),
                as_linked: Fact::unknown(why()),
            };
        };
        let sha256 = match digest::sha256_file(&file) {
            Ok(sha256) => Fact::known(sha256),
            Err(error) => Fact::unknown(error.to_string()),
        };
        let as_linked = match (&sha256.value, linked()) {
            (Some(found), Some(linked)) => Fact::known(*found == linked),
            (None, _) => Fact::unknown("the file cannot be read"),
            (_, None) => Fact::unknown("not noted when the program was built"),
        };
        LoadedLibrary { path: Fact::known(homeless(&file, std::env::home_dir())), sha256, as_linked }
    }

    /// Refuses another version of the library than the program was linked with: `found` is the loaded one's word.
    pub fn expect_version(found: Option<&str>) -> Result<()> {
        let linked = env!("OFFPRINT_MLX_VERSION");
        let place = loaded("libmlx.").map_or_else(|| "an unknown place".to_owned(), |file| file.display().to_string());
        ensure!(
            found == Some(linked),
            "MLX: expected {linked}, which this program is linked with, found {} ({place})\nhint: {}",
            found.unwrap_or("an unknown version"),
            installed::how().again()
        );
        Ok(())
    }

    /// SHA-256 in hex of the library that the program was linked with, from the list in its wheel.
    fn linked() -> Option<String> {
        let digest = env!("OFFPRINT_MLX_DIGEST").strip_prefix("sha256=")?;
        let bytes = URL_SAFE_NO_PAD.decode(digest).ok()?;
        Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// A path without the user's name.
    fn homeless(file: &Path, home: Option<PathBuf>) -> String {
        let home = home.filter(|home| home.as_os_str().len() > 1);
        match home.as_deref().and_then(|home| file.strip_prefix(home).ok()) {
            Some(rest) => Path::new("~").join(rest).display().to_string(),
            None => file.display().to_string(),
        }
    }

    #[cfg(target_os = "linux")]
    fn loaded(name: &str) -> Option<PathBuf> {
        let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
        // address perms offset device inode path
        let path = |line: &str| line.find('/').map(|at| PathBuf::from(&line[at..]));
        maps.lines()
            .filter_map(path)
            .find(|path| path.file_name().is_some_and(|last| last.to_string_lossy().starts_with(name)))
    }

    #[cfg(target_os = "macos")]
    fn loaded(name: &str) -> Option<PathBuf> {
        use std::ffi::{CStr, c_char};
        unsafe extern "C" {
            fn _dyld_image_count() -> u32;
            fn _dyld_get_image_name(index: u32) -> *const c_char;
        }
        // SAFETY: both only read the loader's list; a name lives as long as its image, and a null is passed over.
        let names = (0..unsafe { _dyld_image_count() }).map(|index| unsafe { _dyld_get_image_name(index) });
        // SAFETY: a name that is not null is a C string.
        let paths = names.filter(|name| !name.is_null()).map(|name| unsafe { CStr::from_ptr(name) });
        let mut paths = paths.map(|path| PathBuf::from(path.to_string_lossy().into_owned()));
        paths.find(|path| path.file_name().is_some_and(|last| last.to_string_lossy().starts_with(name)))
    }

    #[cfg(not(any(target_os = "linux", target_os = "macos")))]
    fn loaded(_: &str) -> Option<PathBuf> {
        None
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn what_is_loaded_is_what_was_linked() {
            let library = mlx();
            let path = library.path.value.unwrap();
            assert!(path.contains("libmlx."), "{path}");
            assert_eq!(library.sha256.value, linked());
            assert_eq!(library.as_linked.value, Some(true));
        }

        #[test]
        fn another_version_is_a_sentence() {
            assert!(expect_version(Some(env!("OFFPRINT_MLX_VERSION"))).is_ok());
            let error = expect_version(Some("0.1.0")).unwrap_err().to_string();
            assert!(
                error.contains("found 0.1.0 (") && error.contains("libmlx.") && error.contains("\nhint: "),
                "{error}"
            );
        }

        #[test]
        fn a_home_is_not_told() {
            let home = || Some(PathBuf::from("/home/ana"));
            assert_eq!(homeless(Path::new("/home/ana/.local/lib/libmlx.so"), home()), "~/.local/lib/libmlx.so");
            assert_eq!(homeless(Path::new("/opt/libmlx.so"), home()), "/opt/libmlx.so");
            assert_eq!(homeless(Path::new("/opt/libmlx.so"), Some(PathBuf::from("/"))), "/opt/libmlx.so");
            assert_eq!(homeless(Path::new("/opt/libmlx.so"), None), "/opt/libmlx.so");
        }
    }
}
