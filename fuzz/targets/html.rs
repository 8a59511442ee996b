//! Any bytes, as HTML: refused, or read.
#![no_main]

#[path = "shared/paper.rs"]
mod paper;

use libfuzzer_sys::fuzz_target;
use offprint::lint::document::Format;

fuzz_target!(|bytes: &[u8]| paper::check(bytes, Format::Html));
