//! The id that somebody may have meant.

use crate::claims::Id;

/// The id that shares most of its start and end with `id`.
pub(super) fn nearest<'a>(id: &str, known: impl Iterator<Item = &'a Id>) -> &'a str {
    let shared = |other: &&Id| {
        let same_start = other.bytes().zip(id.bytes()).take_while(|(a, b)| a == b).count();
        let same_end = other.bytes().rev().zip(id.bytes().rev()).take_while(|(a, b)| a == b).count();
        same_start + same_end
    };
    known.max_by_key(shared).map_or("none", |id| id)
}
