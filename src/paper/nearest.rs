//! The id that somebody may have meant.

use crate::claims::Id;

/// The id with the fewest letters to change (Levenshtein), of those the one that begins most alike.
pub(super) fn nearest<'a>(id: &str, known: impl Iterator<Item = &'a Id>) -> &'a str {
    let apart = |other: &&Id| {
        let same_start = other.bytes().zip(id.bytes()).take_while(|(a, b)| a == b).count();
        (strsim::levenshtein(other, id), usize::MAX - same_start)
    };
    known.min_by_key(apart).map_or("none", |id| id)
}
