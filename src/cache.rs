//! The folder that fetched things are kept in: models, wheels.

use std::path::PathBuf;

/// `OFFPRINT_CACHE`, or `.cache` of the working folder.
pub fn folder() -> PathBuf {
    std::env::var_os("OFFPRINT_CACHE").map_or_else(|| PathBuf::from(".cache"), PathBuf::from)
}
