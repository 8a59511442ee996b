//! Result bundles: a run folder and its paper -> one archive that a reviewer can check without a GPU and without a network.
//! Knows nothing of MLX.
//!
//! A bundle is a BagIt bag (RFC 8493) in a zip file, and the bag's payload is an RO-Crate. What it promises, and what it
//! cannot: `docs/VERIFY.md`.

pub mod archive;
mod bag;
mod content;
mod dates;
mod derived;
pub mod difference;
mod digests;
mod fixity;
mod handled;
pub mod index;
mod json;
mod label;
mod make;
mod names;
mod open;
pub mod pdf;
mod places;
mod problem;
mod provenance;
mod readme;
mod rows;
pub mod set;
mod set_label;
pub mod signature;
mod statement;
mod verify;
mod version;
mod zenodo;

pub use fixity::check as fixity;
pub use label::{BUNDLE_SCHEMA, Label, check_version};
pub use make::{Made, Order, make};
pub use open::{Bundle, LARGEST_FILE};
pub use problem::{Check, Problem};
pub use set::verify;
pub use statement::PREDICATE_TYPE;
pub use verify::{Checked, Report, Signed};
