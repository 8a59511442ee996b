//! The PDF in a bundle is the paper of its run: it says so itself, and nothing that lies beside it can say it for it.

use std::{fs, path::Path, process::Command};

use super::{check, files, packed, places, relist, run};

/// A report without a TeX engine, and a bundle from it with this PDF.
fn bundled(folder: &Path, run: &Path, pdf: &[u8]) -> (String, std::path::PathBuf) {
    let program = |arguments: &[&str]| {
        let said = Command::new(env!("CARGO_BIN_EXE_offprint"))
            .args(arguments)
            .current_dir(folder)
            .env("PATH", "")
            .output()
            .unwrap();
        assert!(said.status.success(), "{said:?}");
        String::from_utf8(said.stderr).unwrap()
    };
    let (paper, out) = (folder.join("paper"), folder.join("x.zip"));
    let _ = fs::remove_file(&out);
    program(&["report", "--run", run.to_str().unwrap(), "--out", paper.to_str().unwrap()]);
    fs::write(paper.join("paper.pdf"), pdf).unwrap();
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

fn pdf_of(sha256: &str) -> Vec<u8> {
    format!("%PDF-1.5\n1 0 obj\n<< /Title (x) /OffprintRecords ({sha256}) >>\nendobj\n%%EOF\n").into_bytes()
}

#[test]
fn another_run_s_pdf_is_taken_by_no_bundle_and_accepted_in_none() {
    let (folder, run) = run();
    let own = pdf_of(&sha256(&run.join("runs.jsonl")));
    let other = pdf_of(&"ab".repeat(32));
    for stale in [&other, &b"%PDF-1.5 of 0.1".to_vec()] {
        let (said, out) = bundled(folder.path(), &run, stale);
        assert!(said.contains("paper.pdf is not this run's"), "{said}");
        assert!(!files(&out).contains_key("data/paper/paper.pdf"));
    }
    let (_, out) = bundled(folder.path(), &run, &own);
    let report = check(&out);
    assert!(report.is_fine(), "{:#?}", report.problems);
    assert!(report.unchecked.iter().any(|line| line.contains("that it names these records")), "{:?}", report.unchecked);

    // Put in later, with all digests made to fit; it is as long, so that no description changes.
    let mut all = files(&out);
    assert_eq!(all.insert("data/paper/paper.pdf".into(), other), Some(own));
    relist(&mut all);
    let (_folder, archive) = packed(&all);
    assert_eq!(places(&check(&archive).problems), ["derived: data/paper/paper.pdf"]);
}

/// A real engine's, where there is one.
#[test]
fn a_tex_engine_writes_the_records_digest_into_the_pdf() {
    if Command::new("latexmk").arg("-v").output().is_err() {
        return;
    }
    let (folder, run) = run();
    let paper = folder.path().join("paper");
    let said =
        super::offprint(folder.path(), &["report", "--run", run.to_str().unwrap(), "--out", paper.to_str().unwrap()]);
    assert!(said.status.success(), "{said:?}");
    let pdf = fs::read(paper.join("paper.pdf")).unwrap();
    let (said, out) = bundled(folder.path(), &run, &pdf);
    assert!(files(&out).contains_key("data/paper/paper.pdf"), "{said}");
    assert!(check(&out).is_fine());
}
