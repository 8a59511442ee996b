//! Any bytes as a bundle: listed, opened, verified and read, within limits; nothing is written.
#![no_main]

use std::{fs, io::Cursor, path::PathBuf, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use offprint::bundle::{Bundle, archive, verify};

/// One file a process, in memory where the system has such a place.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let parent = if memory.is_dir() { memory } else { std::env::temp_dir() };
    parent.join(format!("offprint-fuzz-{}.zip", std::process::id()))
});

fuzz_target!(|bytes: &[u8]| {
    let _ = archive::list(&mut Cursor::new(bytes));
    fs::write(&*FILE, bytes).unwrap();
    let Ok(bundle) = Bundle::open(&FILE) else { return };
    let _ = verify(&bundle, None);
    let _ = bundle.run();
});
