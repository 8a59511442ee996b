//! Where things stand in a bundle.

/// The paper's folder.
pub const PAPER: &str = "data/paper/";
pub const TEMPLATES: &str = "data/templates/";
pub const LOCK: &str = "data/Cargo.lock";
pub const CRATE: &str = "data/ro-crate-metadata.json";
/// Zenodo's own name of it: the one file of a bundle that many systems hide.
pub const ZENODO: &str = "data/.zenodo.json";
/// Digests of the model's files, for `sha256sum -c`.
pub const MODEL: &str = "data/model.sha256";
/// The only file that is neither given by the run nor made from it here: another program sets it.
pub const PDF: &str = "data/paper/paper.pdf";
