//! Which paths a bundle may hold: relative, plain ASCII, no two that some file system takes for one. So what is unpacked
//! lies inside the folder it is unpacked into, with the same names, on every system.

use std::collections::BTreeMap;

use super::{
    places::ZENODO,
    problem::{Check, Problem},
};

/// The longest path, in bytes; what a bag says of a file fits into a line.
pub const LONGEST_NAME: usize = 240;
/// The deepest nesting of folders.
pub const DEEPEST: usize = 8;

/// Why `path` may not stand in a bundle; `None` when it may.
pub fn fault(path: &[u8]) -> Option<&'static str> {
    if path.is_empty() || path.len() > LONGEST_NAME {
        return Some("a path of this length");
    }
    if path[0] == b'/' {
        return Some("an absolute path");
    }
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-/".contains(byte);
    if !path.iter().all(plain) {
        return Some("other characters in the path");
    }
    let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
    if parts.contains(&b"..".as_slice()) {
        return Some("a path that leads outside");
    }
    // `data/.zenodo.json`, in the bag's folder or seen from it.
    let zenodo = path.strip_suffix(ZENODO.as_bytes()).is_some_and(|before| {
        before.is_empty() || before.iter().position(|byte| *byte == b'/') == before.len().checked_sub(1)
    });
    let parts = if zenodo { &parts[..parts.len() - 1] } else { &parts[..] };
    // Windows drops a dot at the end; a leading one hides the file from whoever lists the folder.
    if parts.iter().any(|part| part.is_empty() || part.starts_with(b".") || part.ends_with(b".")) {
        return Some("an empty, hidden or dot-ended part of the path");
    }
    if parts.iter().any(|part| is_device(part)) {
        return Some("a name that some systems keep for a device");
    }
    (parts.len() > DEEPEST).then_some("too many folders inside each other")
}

/// `CON`, `nul.txt`, `com1`, ...
fn is_device(part: &[u8]) -> bool {
    let stem = part.split(|byte| *byte == b'.').next().unwrap_or_default().to_ascii_lowercase();
    let numbered =
        stem.len() == 4 && (stem.starts_with(b"com") || stem.starts_with(b"lpt")) && stem[3].is_ascii_digit();
    numbered || [b"con", b"prn", b"aux", b"nul"].iter().any(|name| stem == name.as_slice())
}

/// Paths that are given twice, or that differ only in case, or of which one is a folder of another.
pub fn collisions<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<Problem> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let mut problems = Vec::new();
    for path in paths {
        if let Some(other) = seen.insert(path.to_ascii_lowercase(), path) {
            let found = if other == path { "it twice".to_owned() } else { format!("`{other}`, too") };
            problems.push(Problem::new(
                Check::Archive,
                path,
                "each path once, whatever the case of its letters",
                found,
            ));
        }
    }
    for path in seen.keys() {
        let folder = path.match_indices('/').map(|(end, _)| &path[..end]).find(|folder| seen.contains_key(*folder));
        if let Some(folder) = folder {
            let found = format!("the file `{folder}`, too");
            problems.push(Problem::new(Check::Archive, path, "a file or a folder of that name", found));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_paths_may_stand_in_a_bundle() {
        let good = [
            "data/.zenodo.json",
            "tiny-1.0.0/data/.zenodo.json",
            "a",
            "data/paper/paper.md",
            "smollm2-1.0.0/data/Cargo.lock",
            "a/b/c/d/e/f/g/h",
            "data/command.txt",
        ];
        assert!(good.iter().all(|path| fault(path.as_bytes()).is_none()));
        let long = "a".repeat(LONGEST_NAME + 1);
        let bad = [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a/./b",
            "a//b",
            "a/",
            "C:\\x",
            "C:x",
            "a\\b",
            "a\0b",
            "a b",
            "é",
            "e\u{301}",
            ".git/config",
            ".zenodo.json",
            "a/b/data/.zenodo.json",
            "xdata/.zenodo.json",
            "./data/.zenodo.json",
            "data/.zenodo.json/x",
            "data/x/.zenodo.json",
            "data/.Zenodo.json",
            "a.",
            "con",
            "data/NUL.txt",
            "Com1.log",
            "a/b/c/d/e/f/g/h/i",
            "~/x",
            "a\n",
            &long,
        ];
        for path in bad {
            assert!(fault(path.as_bytes()).is_some(), "{path:?}");
        }
        assert!(fault(b"\xff\xfe").is_some());
    }

    #[test]
    fn names_that_some_file_system_takes_for_one_collide() {
        let found = |paths: &[&str]| collisions(paths.iter().copied()).len();
        assert_eq!(found(&["a", "b", "a/b.txt"]), 1);
        assert_eq!(found(&["data/A.md", "data/a.md"]), 1);
        assert_eq!(found(&["data/a", "data/a"]), 1);
        assert_eq!(found(&["data/a", "data/ab", "data/a.b"]), 0);
    }
}
