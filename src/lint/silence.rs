//! Comments of an author -> the findings that they answer. A comment holds for the block that it stands in, or that follows it.

use super::document::{Block, Document, Place, Silence};

/// The comment that answers a finding of `rule` at `place`.
pub fn answer<'a>(document: &'a Document, place: Place, rule: &str) -> Option<&'a Silence> {
    document.silenced.iter().find(|silence| {
        silence.rule == rule
            && silence.place.file == place.file
            && block(document, silence.place).is_some_and(|(first, last)| (first..=last).contains(&place.line))
    })
}

/// The lines of the first block that ends at `place` or behind it.
fn block(document: &Document, place: Place) -> Option<(usize, usize)> {
    let lines = document.blocks.iter().filter_map(|block| lines(block, place.file));
    lines.filter(|(_, last)| *last >= place.line).min_by_key(|(first, last)| (*last, *first))
}

fn lines(block: &Block, file: usize) -> Option<(usize, usize)> {
    let places: Vec<Place> = match block {
        Block::Heading(text) | Block::Prose(text) => text.places.iter().map(|(_, place)| *place).collect(),
        Block::Table(table) => {
            let caption = table.caption.places.iter().map(|(_, place)| *place);
            caption.chain(table.rows.iter().map(|row| row.place)).collect()
        }
    };
    let lines = || places.iter().filter(|place| place.file == file).map(|place| place.line);
    Some((lines().min()?, lines().max()?))
}
