//! Any bytes, as a PDF: refused, or read.
#![no_main]

#[path = "shared/paper.rs"]
mod paper;

use libfuzzer_sys::fuzz_target;
use offprint::lint::document::Format;

fuzz_target!(init: let_the_reader_panic(), |bytes: &[u8]| paper::check(bytes, Format::Pdf));

/// The crate that reads PDFs may panic in its own thread, where that is caught; libFuzzer would end at every panic.
fn let_the_reader_panic() {
    let ends = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().name() != Some("pdf") {
            ends(info);
        }
    }));
}
