//! The PDF in a bundle is the paper of its run: it says so itself, and nothing that lies beside it can say it for it.

use std::{fs, path::Path, process::Command};

use super::{check, files, packed, places, relist, run};

/// A report on a machine without any program, and a bundle from it with the PDF that `pdf` makes of the paper's folder.
fn bundled(folder: &Path, run: &Path, pdf: impl Fn(&Path) -> Vec<u8>) -> (String, std::path::PathBuf) {
    let program = |arguments: &[&str]| {
        let said = Command::new(env!("CARGO_BIN_EXE_offprint"))
            .args(arguments)
            .current_dir(folder)
            .env("PATH", "")
            .env_remove("PYTHON")
            .output()
            .unwrap();
        assert!(said.status.success(), "{said:?}");
        String::from_utf8(said.stderr).unwrap()
    };
    let (paper, out) = (folder.join("paper"), folder.join("x.zip"));
    let _ = fs::remove_file(&out);
    program(&["report", "--run", run.to_str().unwrap(), "--out", paper.to_str().unwrap()]);
    fs::write(paper.join("paper.pdf"), pdf(&paper)).unwrap();
    let said = program(&[
        "bundle",
        "--run",
        run.to_str().unwrap(),
        "--version",
        "1.0.0",
        "--paper",
        paper.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ]);
    (said, out)
}

fn sha256(file: &Path) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(fs::read(file).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn pdf_of(records: &str, source: &str) -> Vec<u8> {
    format!("%PDF-1.7\n<</Subject(OffprintRecords {records} OffprintSource {source})>>\n%%EOF\n").into_bytes()
}

/// A PDF that is not that of the paper in a folder.
type Stale<'a> = &'a dyn Fn(&Path) -> Vec<u8>;

#[test]
fn another_paper_s_pdf_is_taken_by_no_bundle_and_accepted_in_none() {
    let (folder, run) = run();
    let records = sha256(&run.join("runs.jsonl"));
    let source = |paper: &Path| sha256(&paper.join("paper.typ"));
    let other = "ab".repeat(32);
    let stale: [Stale; 4] = [
        &|paper| pdf_of(&other, &source(paper)),
        &|_| pdf_of(&records, &other),
        &|_| b"%PDF-1.5 of 0.1".to_vec(),
        &|_| format!("%PDF-1.5 /OffprintRecords ({records})").into_bytes(),
    ];
    for stale in stale {
        let (said, out) = bundled(folder.path(), &run, stale);
        assert!(said.contains("paper.pdf is not this run's"), "{said}");
        assert!(!files(&out).contains_key("data/paper/paper.pdf"));
    }
    let (_, out) = bundled(folder.path(), &run, |paper| pdf_of(&records, &source(paper)));
    let all = files(&out);
    assert!(all.contains_key("data/paper/paper.pdf"));

    // Another's put in later, with all digests made to fit; it is as long, so that no description changes.
    let own = sha256_of(&all["data/paper/paper.typ"]);
    for stale in [pdf_of(&other, &own), pdf_of(&records, &other)] {
        let mut all = all.clone();
        all.insert("data/paper/paper.pdf".into(), stale);
        relist(&mut all);
        let (_folder, archive) = packed(&all);
        assert_eq!(places(&check(&archive).problems), ["derived: data/paper/paper.pdf"]);
    }
}

fn sha256_of(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The real one is held to every byte where Typst is, and said to be unchecked where it is not.
#[test]
fn a_pdf_is_set_again_and_a_byte_of_it_is_seen() {
    offprint::typesetter::Typesetter::obtain().unwrap();
    let cache = fs::canonicalize(offprint::cache::folder()).unwrap();
    let (folder, run) = run();
    let with = |cache: &Path, arguments: &[&str]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_offprint"));
        program.args(arguments).current_dir(folder.path()).env("OFFPRINT_CACHE", cache).output().unwrap()
    };
    let (paper, run) = (folder.path().join("paper"), run.to_str().unwrap());
    let said = with(&cache, &["report", "--run", run, "--out", paper.to_str().unwrap()]);
    assert!(said.status.success() && paper.join("paper.pdf").is_file(), "{said:?}");
    let out = folder.path().join("x.zip");
    // No bundle takes what `verify` would refuse.
    let set = fs::read(paper.join("paper.pdf")).unwrap();
    fs::write(paper.join("paper.pdf"), [&set[..], b"x"].concat()).unwrap();
    let altered = folder.path().join("altered.zip");
    let said = with(&cache, &["bundle", "--run", run, "--version", "1.0.0", "--out", altered.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success() && text.contains("paper.pdf is not what its paper.typ gives: "), "{text}");
    assert!(!files(&altered).contains_key("data/paper/paper.pdf"));
    fs::write(paper.join("paper.pdf"), set).unwrap();
    let said = with(&cache, &["bundle", "--run", run, "--version", "1.0.0", "--out", out.to_str().unwrap()]);
    assert!(said.status.success(), "{said:?}");
    let verify = |archive: &Path, cache: &Path| with(cache, &["verify", archive.to_str().unwrap()]);
    let said = verify(&out, &cache);
    let text = String::from_utf8(said.stderr).unwrap();
    assert!(said.status.success() && !text.contains("paper.pdf"), "{text}");

    let mut all = files(&out);
    let pdf = all.get_mut("data/paper/paper.pdf").unwrap();
    let end = pdf.len() - 200;
    pdf[end] ^= 1;
    relist(&mut all);
    let (_folder, archive) = packed(&all);
    let said = verify(&archive, &cache);
    let text = String::from_utf8(said.stdout).unwrap();
    assert_eq!(said.status.code(), Some(1), "{text}");
    assert!(text.starts_with("derived: data/paper/paper.pdf: expected what paper.typ gives"), "{text}");
    // Verify fetches nothing, and says what it has not seen.
    let nothing = folder.path().join("empty");
    let said = verify(&archive, &nothing);
    let text = String::from_utf8(said.stderr).unwrap();
    assert!(
        said.status.success() && text.contains("data/paper/paper.pdf: not set again: typst==0.15.2 is not"),
        "{text}"
    );
    assert!(!nothing.exists());
}
