//! The binary: parses, calls a verb, returns its exit code.

fn main() {}
