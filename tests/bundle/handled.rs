//! What people's other programs do to a good bundle is said in one sentence with the way out.

use std::{collections::BTreeMap, fs, path::Path};

use miniz_oxide::deflate::compress_to_vec;

use super::{files, offprint, packed, small, unpacked};

/// Lines of problems, and the last line of all.
fn said(path: &Path) -> (Vec<String>, String) {
    let said = offprint(Path::new("."), &["verify", path.to_str().unwrap()]);
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    let all = String::from_utf8([said.stdout.clone(), said.stderr].concat()).unwrap();
    assert!(!all.contains("\\u{a}"), "{all}");
    let problems = String::from_utf8(said.stdout).unwrap().lines().map(str::to_owned).collect();
    (problems, all.lines().last().unwrap().to_owned())
}

/// As other programs pack: compressed (method 8) or stored (0), dated.
fn zipped(files: &BTreeMap<String, Vec<u8>>, method: u16) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (path, content) in files {
        let path = if path.starts_with("__MACOSX") { path.clone() } else { format!("tiny-1.0.0/{path}") };
        let data = if method == 8 { compress_to_vec(content, 6) } else { content.clone() };
        let mut header = vec![20, 0, 0, 0];
        header.extend([method.to_le_bytes(), 0x6b2f_u16.to_le_bytes(), 0x5d7a_u16.to_le_bytes()].concat());
        header.extend(crc32fast::hash(content).to_le_bytes());
        header.extend((data.len() as u32).to_le_bytes());
        header.extend((content.len() as u32).to_le_bytes());
        header.extend([path.len() as u8, 0, 0, 0]);
        directory.extend(b"PK\x01\x02\x14\x03");
        directory.extend(&header);
        directory.extend([0; 10]);
        directory.extend((archive.len() as u32).to_le_bytes());
        directory.extend(path.as_bytes());
        archive.extend(b"PK\x03\x04");
        archive.extend(&header);
        archive.extend(path.as_bytes());
        archive.extend(data);
    }
    let start = archive.len() as u32;
    archive.extend(&directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend([(files.len() as u16).to_le_bytes(); 2].concat());
    archive.extend([(directory.len() as u32).to_le_bytes(), start.to_le_bytes()].concat());
    archive.extend([0, 0]);
    archive
}

#[test]
fn an_archive_packed_again_is_to_be_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("again.zip");
    let mut all = files(&small().1);
    for method in [8, 0] {
        fs::write(&path, zipped(&all, method)).unwrap();
        let (problems, last) = said(&path);
        assert_eq!(problems.len(), 1, "{problems:#?}");
        assert!(problems[0].contains("an archive that another program packed"), "{problems:?}");
        assert!(last.starts_with("hint: unpack it (unzip ") && last.ends_with("then offprint verify FOLDER"), "{last}");
    }
    all.insert("__MACOSX/tiny-1.0.0/._data".into(), vec![0; 8]);
    fs::write(&path, zipped(&all, 8)).unwrap();
    let (problems, last) = said(&path);
    assert!(problems.len() == 1 && last.contains("delete __MACOSX, .DS_Store and ._ files"), "{problems:?} {last}");
    // Other verbs say the same.
    let other = offprint(Path::new("."), &["compare", path.to_str().unwrap(), path.to_str().unwrap()]);
    let text = String::from_utf8(other.stderr).unwrap();
    assert!(text.contains("another program packed") && text.contains("\nhint: unpack it"), "{text}");
}

#[test]
fn what_is_no_archive_or_half_of_one_is_to_be_fetched_again() {
    let (folder, archive) = packed(&files(&small().1));
    let whole = fs::read(archive).unwrap();
    let path = folder.path().join("bad.zip");
    let mut none = b"PK\x05\x06".to_vec();
    none.extend([0; 18]);
    for (bytes, words) in [
        (&whole[..whole.len() / 2], "the beginning of one: its end is missing"),
        (&whole[..1000], "the beginning of one"),
        (&b""[..], "an empty file"),
        (&none, "a zip archive without a file in it"),
        (b"<!DOCTYPE html><title>404</title>", "no zip archive"),
    ] {
        fs::write(&path, bytes).unwrap();
        let (problems, last) = said(&path);
        assert!(problems.len() == 1 && problems[0].contains(words), "{words}: {problems:#?}");
        assert!(last.starts_with("hint: get the file again"), "{last}");
    }
}

#[test]
fn files_that_systems_leave_in_a_folder_are_named_as_theirs() {
    for (left, whose) in [
        (".DS_Store", "the Finder"),
        ("data/paper/.DS_Store", "the Finder"),
        ("data/._paper", "the Finder"),
        ("__MACOSX/x", "the Finder"),
        ("data/paper/figures/Thumbs.db", "Windows"),
        ("data/desktop.ini", "Windows"),
    ] {
        let mut all = files(&small().1);
        all.insert(left.to_owned(), vec![0; 8]);
        let (_folder, top) = unpacked(&all, "tiny-1.0.0");
        let (problems, last) = said(&top);
        assert_eq!(problems.len(), 1, "{problems:#?}");
        let named = left.split_once("/x").map_or(left, |(folder, _)| folder);
        assert_eq!(
            problems[0],
            format!("archive: {named}: expected no file but those of a bundle, found one that {whose} left there")
        );
        assert!(last.starts_with("hint: none of them is the bundle's: delete them in "), "{last}");
    }
}

/// As when the Finder unpacks an archive.
#[test]
fn files_that_systems_leave_beside_the_bag_are_named_and_the_bag_is_found() {
    for left in [".DS_Store", "._tiny-1.0.0", "Thumbs.db"] {
        let (folder, _top) = unpacked(&files(&small().1), "tiny-1.0.0");
        fs::write(folder.path().join(left), "x").unwrap();
        let (problems, last) = said(folder.path());
        assert!(problems.len() == 1 && problems[0].starts_with(&format!("archive: {left}: ")), "{problems:#?}");
        assert!(last.starts_with("hint: none of them is the bundle's"), "{last}");
    }
}
