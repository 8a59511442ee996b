//! Any bytes, as a DOCX and as the `word/document.xml` of one that is otherwise right: refused, or read.
#![no_main]

#[path = "shared/paper.rs"]
mod paper;

use libfuzzer_sys::fuzz_target;
use offprint::lint::document::Format;

fuzz_target!(|bytes: &[u8]| {
    paper::check(bytes, Format::Docx);
    paper::check(&archive(bytes), Format::Docx);
});

/// A zip archive with one part that is not packed.
fn archive(part: &[u8]) -> Vec<u8> {
    let name = b"word/document.xml";
    let four = |number: usize| (number as u32).to_le_bytes();
    let sizes = [&[0; 4][..], &four(part.len()), &four(part.len()), &[17, 0, 0, 0]].concat();
    let file = [&b"PK\x03\x04"[..], &[0; 10], &sizes, name, part].concat();
    let entry = [&b"PK\x01\x02"[..], &[0; 12], &sizes, &[0; 14], name].concat();
    let end = [&b"PK\x05\x06"[..], &[0, 0, 0, 0, 1, 0, 1, 0], &four(entry.len()), &four(file.len()), &[0; 2]].concat();
    [file, entry, end].concat()
}
