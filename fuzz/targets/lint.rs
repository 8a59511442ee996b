//! Any text, to the linter: it finds or it does not, where there is something, and comes to an end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offprint::lint::{
    document::{self, Format},
    lint,
};

fuzz_target!(|text: &str| {
    if let Ok(document) = document::read("paper", text.as_bytes(), Some(Format::Markdown), None) {
        let (report, last) = (lint(&document), text.matches('\n').count() + 1);
        for line in report.findings.iter().map(|one| one.line).chain(report.agreed.iter().map(|one| one.line)) {
            assert!((1..=last).contains(&line), "line {line} of {last}");
        }
    }
});
