//! Archives made to do harm: each is a list of problems or an error, never a panic, a write, or much memory.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::Instant,
};

use offprint::bundle::{Bundle, LARGEST_FILE};
use tempfile::TempDir;

use super::{check, files, offprint, packed, places, relist, small};

/// The archive with every place of `from` in its headers and contents replaced by `to`, which is as long.
fn renamed(from: &str, to: &str) -> (TempDir, PathBuf) {
    assert_eq!(from.len(), to.len());
    let (folder, archive) = packed(&files(&small().1));
    let mut bytes = fs::read(&archive).unwrap();
    let places: Vec<usize> =
        (0..bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from.as_bytes())).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    fs::write(&archive, bytes).unwrap();
    (folder, archive)
}

/// Verifies in a folder that must stay empty, through the binary, within ten seconds; the problems as text.
fn refused(archive: &Path) -> String {
    let here = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let said = offprint(here.path(), &["verify", archive.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    assert!(matches!(said.status.code(), Some(1 | 2)), "{:?}: {text}", said.status);
    assert!(!text.contains("panicked"), "{text}");
    // Bounds a hang, not a speed.
    assert!(start.elapsed().as_secs() < 120, "{:?}", start.elapsed());
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 0);
    text
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for (from, to, why) in [
        ("tiny-1.0.0/data/README.md", "tiny-1.0.0/../../READM.md", "leads outside"),
        ("tiny-1.0.0/data/README.md", "/iny-1.0.0/data/README.md", "absolute"),
        ("tiny-1.0.0/data/README.md", "tiny-1.0.0\\data\\README.md", "other characters"),
        ("tiny-1.0.0/data/README.md", "tiny-1.0.0/data/READM\u{e9}.m", "other characters"),
        ("tiny-1.0.0/data/README.md", "tiny-1.0.0/data/con.md.md", "device"),
        ("tiny-1.0.0/data/README.md", "tiny-1.0.0/data/.EADME.md", "hidden"),
        ("tiny-1.0.0/data/README.md", "tiny-1.0.0/data/\x1b[2JME.md", "other characters"),
        ("tiny-1.0.0/data/Cargo.lock", "tiny-1.0.0/data/README.mdx", ""),
        ("tiny-1.0.0/data/CITATION.cff", "tiny-1.0.0/data/cITATION.cff", ""),
        ("tiny-1.0.0/bagit.txt", "tiny-1.0.1/bagit.txt", "outside"),
    ] {
        let (_folder, archive) = renamed(from, to);
        let text = refused(&archive);
        assert!(text.contains(why) && !text.contains('\x1b'), "{to:?}: {text}");
    }
}

#[test]
fn the_same_name_twice_or_in_another_case_is_refused() {
    let all = files(&small().1);
    let figure = all.keys().find_map(|path| path.strip_suffix(".svg")).unwrap();
    for extension in ["png", "PNG"] {
        let (_folder, archive) =
            renamed(&format!("tiny-1.0.0/{figure}.svg"), &format!("tiny-1.0.0/{figure}.{extension}"));
        let text = refused(&archive);
        assert!(text.contains("each path once") || text.contains("sorted"), "{text}");
    }
}

/// A whole bundle whose file at `path` has this content, listed as it should be.
fn with(path: &str, content: Vec<u8>) -> (TempDir, PathBuf) {
    let mut all = files(&small().1);
    let key = all.keys().find(|key| key.ends_with(path)).unwrap().clone();
    all.insert(key, content);
    relist(&mut all);
    packed(&all)
}

#[test]
fn contents_made_to_break_readers_are_refused() {
    let deep = |open: &str| open.repeat(1_000_000).into_bytes();
    let rows =
        String::from_utf8(files(&small().1).into_iter().find(|(path, _)| path.ends_with("runs.jsonl")).unwrap().1)
            .unwrap();
    let replaced = |from: &str, to: &str| {
        assert!(rows.contains(from), "{from}");
        rows.replacen(from, to, 1).into_bytes()
    };
    for (path, content) in [
        ("data/bundle.json", deep("[")),
        ("data/bundle.json", deep("{\"a\":")),
        ("data/bundle.json", b"\xff\xfe".to_vec()),
        ("environment.json", deep("[")),
        ("study.yaml", deep("[")),
        ("study.yaml", b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n".to_vec()),
        ("study.yaml", b"study: {name: tiny}\nbenchmark_settings: {num_runs: 4000000000}\n".to_vec()),
        ("runs.jsonl", deep("[")),
        ("runs.jsonl", replaced("\"temperature\":0.0", "\"temperature\":NaN")),
        ("runs.jsonl", replaced("\"temperature\":0.0", "\"temperature\":1e999")),
        ("runs.jsonl", replaced("\"n_gen\":4", "\"n_gen\":-4")),
        ("runs.jsonl", replaced("\"n_gen\":4", "\"n_gen\":18446744073709551616")),
        ("runs.jsonl", replaced("\"seed\":", "\"seed\":1,\"seed\":")),
        ("runs.jsonl", b"\n".repeat(1_000_000)),
        ("templates/prose.yaml", deep("[")),
        ("templates/references.bib", deep("{")),
        ("templates/skins/paper.tex", "<<".repeat(500_000).into_bytes()),
    ] {
        let shown = String::from_utf8_lossy(&content[..content.len().min(40)]).into_owned();
        let (_folder, archive) = with(path, content);
        let text = refused(&archive);
        assert!(text.contains(": expected ") || text.contains("hint:"), "{path}, {shown:?}: {text}");
    }
}

#[test]
fn a_line_of_a_hundred_megabytes_is_refused_in_little_memory() {
    let mut line = b"{\"a\":\"".to_vec();
    line.resize(100_000_000, b'x');
    line.extend_from_slice(b"\"}\n");
    let (_folder, archive) = with("runs.jsonl", line);
    let problems = places(&check(&archive).problems);
    assert!(problems.iter().any(|place| place.contains("runs.jsonl")), "{problems:?}");
    assert!(u64::from(u32::MAX) >= LARGEST_FILE);
}

/// Raw central directories: as many entries as one likes, without their files.
#[test]
fn a_million_entries_and_sizes_that_are_lies_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("many.zip");
    let mut file = fs::File::create(&archive).unwrap();
    let mut entry = vec![0u8; 46];
    entry[..4].copy_from_slice(b"PK\x01\x02");
    entry[28] = 1;
    entry.push(b'a');
    let all = entry.repeat(1_000_000);
    file.write_all(&all).unwrap();
    for files in [u16::MAX, 10_000, 16] {
        let mut end = vec![0u8; 22];
        end[..4].copy_from_slice(b"PK\x05\x06");
        end[8..10].copy_from_slice(&files.to_le_bytes());
        end[10..12].copy_from_slice(&files.to_le_bytes());
        end[12..16].copy_from_slice(&(all.len() as u32).to_le_bytes());
        fs::write(&archive, [all.as_slice(), &end].concat()).unwrap();
        assert!(!check(&archive).is_fine());
    }
    // A bomb: a method that unpacks, a size that is none.
    let (_good, good) = packed(&files(&small().1));
    let bytes = fs::read(&good).unwrap();
    for (at, value) in [(8, &[8u8, 0][..]), (18, &[0xff; 4]), (22, &[0xff; 4]), (26, &[0xff; 2]), (28, &[0xff; 2])] {
        let mut bad = bytes.clone();
        bad[at..at + value.len()].copy_from_slice(value);
        fs::write(&good, bad).unwrap();
        assert!(refused(&good).contains("archive: "));
    }
}

#[test]
fn links_and_devices_in_a_folder_are_not_followed() {
    let (_folder, top) = super::unpacked(&files(&small().1), "tiny-1.0.0");
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::remove_file(top.join("data/README.md")).unwrap();
    std::os::unix::fs::symlink(secret.path(), top.join("data/README.md")).unwrap();
    std::os::unix::fs::symlink("/", top.join("data/root")).unwrap();
    let bundle = Bundle::open(&top).unwrap();
    let found = places(bundle.problems());
    assert!(
        found.contains(&"archive: data/README.md".to_owned()) && found.contains(&"archive: data/root".to_owned()),
        "{found:?}"
    );
    assert!(bundle.read("data/README.md").is_err());
}

#[test]
fn what_is_no_bundle_at_all_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let empty: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let (_packed, none) = packed(&empty);
    for path in [
        none,
        {
            let text = folder.path().join("text.zip");
            fs::write(&text, "text").unwrap();
            text
        },
        folder.path().to_owned(),
    ] {
        refused(&path);
    }
}
