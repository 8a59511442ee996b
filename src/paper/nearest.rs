//! The id that somebody may have meant.

use std::ops::Deref;

/// What it is a part of, where there is that (`speedup` of `speedup.low`); else the id with the fewest letters to change (Levenshtein), of
/// those the one that begins most alike.
pub(super) fn nearest<'a, T: Deref<Target = str> + 'a>(id: &str, known: impl Iterator<Item = &'a T>) -> &'a str {
    let apart = |other: &&T| {
        let same_start = other.bytes().zip(id.bytes()).take_while(|(a, b)| a == b).count();
        let is_whole = id.rsplit_once('.').is_some_and(|(whole, _)| whole == &***other);
        (!is_whole, strsim::levenshtein(other, id), usize::MAX - same_start)
    };
    known.min_by_key(apart).map_or("none", |id| id)
}
