//! Bundles of bundles: the executions of one plan on several machines, in several sessions, each as its own bundle, byte for byte. A set
//! is a bag like any bundle; with a paper in it or, as `merge` writes it, without.

mod describe;
mod make;
mod open;
mod verify;

pub use super::set_label::{Entry, SET, SET_SCHEMA, SetLabel, check_machine};
pub use make::{Bundled, Named, Opened, Packed, archived, bundled, merge, read, write_folder};
pub use open::{is_set, open};
pub use verify::verify;
