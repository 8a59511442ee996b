//! Any text, to the linter: it finds or it does not, and comes to an end.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for finding in offprint::lint::lint(text) {
        std::hint::black_box(finding);
    }
});
