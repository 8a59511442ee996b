//! Result bundles: a run folder and its paper -> one archive that a reviewer can check without a GPU and without a network.
//! Knows nothing of MLX.
//!
//! A bundle is a BagIt bag (RFC 8493) in a zip file, and the bag's payload is an RO-Crate. What it promises, and what it
//! cannot: `docs/VERIFY.md`.

pub mod archive;
mod label;
mod names;
mod open;
mod problem;

pub use label::{BUNDLE_SCHEMA, Label, check_version};
pub use open::{Bundle, LARGEST_FILE};
pub use problem::{Check, Problem};
