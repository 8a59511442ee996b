//! Is every file what the manifests say, and is every file in them? Both ways, with the bag's own files.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    bag, difference,
    digests::{ALGORITHMS, Digests, digests},
    open::Bundle,
    problem::{Check, Problem},
};

/// Digests of every file, and what does not fit.
pub fn check(bundle: &Bundle) -> (BTreeMap<String, Digests>, Vec<Problem>) {
    let (mut known, mut problems) = (BTreeMap::new(), Vec::new());
    for path in bundle.files() {
        match bundle.reader(path).and_then(|mut reader| Ok(digests(&mut reader)?)) {
            Ok(digests) => {
                let crc = bundle.crc32(path);
                if crc.is_some_and(|crc| crc != digests.crc32) {
                    problems.push(Problem::new(
                        Check::Fixity,
                        path,
                        format!("CRC-32 {:08x}", crc.unwrap_or_default()),
                        format!("{:08x}", digests.crc32),
                    ));
                }
                known.insert(path.to_owned(), digests);
            }
            Err(error) => problems.push(Problem::fault(Check::Fixity, path, "a readable file", &error)),
        }
    }
    for (prefix, of) in [("", bag::is_payload as fn(&str) -> bool), ("tag", bag::is_tag)] {
        for (index, algorithm) in ALGORITHMS.iter().enumerate() {
            let file = format!("{prefix}manifest-{algorithm}.txt");
            let expected = bag::manifest(&known, index, of);
            match bundle.text(&file) {
                Ok(text) => problems.extend(compare(&file, &text, &expected, &known, index, of)),
                Err(error) => problems.push(Problem::fault(Check::Fixity, &file, "a manifest", &error)),
            }
        }
    }
    match bundle.read("bagit.txt") {
        Ok(found) if found == bag::DECLARATION.as_bytes() => {}
        Ok(found) => {
            let found = difference::first(&found, bag::DECLARATION.as_bytes());
            problems.push(Problem::new(Check::Fixity, "bagit.txt", "the declaration of a bag, version 1.0", found));
        }
        Err(error) => problems.push(Problem::fault(Check::Fixity, "bagit.txt", "a bag's declaration", &error)),
    }
    (known, problems)
}

/// A manifest against the files: first each file for itself, then, if that says nothing, byte by byte.
fn compare(
    file: &str,
    text: &str,
    expected: &str,
    known: &BTreeMap<String, Digests>,
    index: usize,
    of: impl Fn(&str) -> bool,
) -> Vec<Problem> {
    if text == expected {
        return Vec::new();
    }
    let mut problems = Vec::new();
    let mut listed = BTreeSet::new();
    for line in text.lines() {
        let Some((digest, path)) = line.split_once("  ") else { continue };
        listed.insert(path);
        match known.get(path) {
            None => problems.push(Problem::new(Check::Fixity, path, format!("the file that {file} lists"), "none")),
            Some(found) if found.hex[index] != digest => problems.push(Problem::new(
                Check::Fixity,
                path,
                format!("{} {digest}, as {file} lists it", ALGORITHMS[index]),
                &found.hex[index],
            )),
            Some(_) => {}
        }
    }
    let unlisted = known.keys().filter(|path| of(path) && !listed.contains(path.as_str()));
    problems.extend(unlisted.map(|path| Problem::new(Check::Fixity, path, format!("its line in {file}"), "none")));
    if problems.is_empty() {
        let found = difference::first(text.as_bytes(), expected.as_bytes());
        problems.push(Problem::new(Check::Fixity, file, "a line a file, sorted: digest, two spaces, path", found));
    }
    problems
}
