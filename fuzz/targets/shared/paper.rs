//! What must hold of any bytes, whatever they are read as: they are refused in a sentence, or they are a document whose places
//! are in the file. The linter itself, which takes longer, has the target `lint`.

use offprint::lint::document::{self, Block, Document, Format, Place, Text};

pub fn check(bytes: &[u8], format: Format) {
    match document::read("paper", bytes, Some(format), None) {
        Err(why) => assert!(!why.is_empty()),
        Ok(document) => {
            let last = last(bytes, format);
            each_place(&document, |place| {
                assert_eq!(place.file, 0, "there is one file");
                assert!((1..=last).contains(&place.line), "{place:?} of {last}");
            });
        }
    }
}

/// How many lines there are; pages, paragraphs and cells cannot be counted without the reader.
fn last(bytes: &[u8], format: Format) -> usize {
    match format {
        Format::Pdf | Format::Docx | Format::Notebook => usize::MAX,
        _ => bytes.iter().filter(|byte| **byte == b'\n').count() + 1,
    }
}

fn each_place(document: &Document, mut seen: impl FnMut(Place)) {
    for block in &document.blocks {
        match block {
            Block::Heading(text) | Block::Prose(text) => each_of_text(text, &mut seen),
            Block::Table(table) => {
                each_of_text(&table.caption, &mut seen);
                for row in &table.rows {
                    assert_eq!(row.cells.len(), table.header.len(), "cells of a row and of the header");
                    seen(row.place);
                }
            }
        }
    }
    document.left_out.iter().map(|left| left.place).for_each(&mut seen);
    document.silenced.iter().map(|silence| silence.place).for_each(&mut seen);
}

fn each_of_text(text: &Text, seen: &mut impl FnMut(Place)) {
    assert!(text.text.is_empty() || text.places.first().is_some_and(|(at, _)| *at == 0), "text without a place");
    assert!(text.places.is_sorted_by_key(|(at, _)| *at), "{:?}", text.places);
    for (at, place) in &text.places {
        assert!(text.text.is_char_boundary(*at), "{at} in {:?}", text.text);
        seen(*place);
    }
}
