//! A paper's folder never holds a file of another run, and never half a paper.

use std::collections::BTreeMap;

use sha2::Digest;

use super::*;

const STUDY: &str = include_str!("../../config/fake.yaml");

/// Reports into `out`, with nothing but `path` to find programs in: neither Python, which Typst needs, nor a TeX engine.
fn report_with(path: &Path, out: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_offprint"))
        .args(["report", "--out", out.to_str().unwrap()])
        .args(more)
        .env("PATH", path)
        .env_remove("PYTHON")
        .output()
        .unwrap()
}

/// Every file by its path, hidden ones too.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

/// A paper without PDF, an empty folder in place of all programs, and the run folder's path.
fn paper() -> (tempfile::TempDir, PathBuf, PathBuf, String) {
    let folder = tempfile::tempdir().unwrap();
    let (nothing, out) = (folder.path().join("no-programs"), folder.path().join("paper"));
    fs::create_dir(&nothing).unwrap();
    let run = run(folder.path(), STUDY).to_str().unwrap().to_owned();
    let made = report_with(&nothing, &out, &["--run", &run]);
    assert!(made.status.success() && said(&made).contains("no PDF"), "{}", said(&made));
    (folder, nothing, out, run)
}

#[test]
fn a_pdf_that_cannot_be_made_again_goes() {
    let (_folder, nothing, out, run) = paper();
    fs::write(out.join("paper.pdf"), "%PDF-1.5 /OffprintRecords (of somebody else's run)").unwrap();
    let checked = report_with(&nothing, &out, &["--run", &run, "--check"]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&checked.stdout).contains("paper.pdf: it does not say that it is of these records"),
        "{checked:?}"
    );
    let made = report_with(&nothing, &out, &["--run", &run]);
    assert!(made.status.success());
    assert!(said(&made).contains("paper.pdf: removed; it was of another paper"), "{}", said(&made));
    assert!(!out.join("paper.pdf").exists());
    assert!(report_with(&nothing, &out, &["--run", &run, "--check"]).status.success());
}

/// SHA-256 of the records that the paper in `out` is made from, and that of its source for Typst.
fn digests(out: &Path) -> (String, String) {
    let claims: serde_json::Value = serde_json::from_slice(&fs::read(out.join("claims.json")).unwrap()).unwrap();
    let source = sha2::Sha256::digest(fs::read(out.join("paper.typ")).unwrap());
    let source = source.iter().map(|byte| format!("{byte:02x}")).collect();
    (claims["source"]["sha256"].as_str().unwrap().to_owned(), source)
}

/// A checkout keeps its PDF on a machine without Python as long as it is set from the very same source.
#[test]
fn a_pdf_of_this_very_source_stays_and_of_others_goes() {
    let (folder, nothing, out, run) = paper();
    let (records, source) = digests(&out);
    let pdf = format!("%PDF-1.7 <</Subject(OffprintRecords {records} OffprintSource {source})>>");
    fs::write(out.join("paper.pdf"), &pdf).unwrap();
    let made = report_with(&nothing, &out, &["--run", &run]);
    assert!(said(&made).contains("paper.pdf: kept"), "{}", said(&made));
    assert_eq!(fs::read_to_string(out.join("paper.pdf")).unwrap(), pdf);
    let checked = report_with(&nothing, &out, &["--run", &run, "--check"]);
    assert!(checked.status.success() && said(&checked).contains("not checked: the bytes of"), "{}", said(&checked));

    // Of the same records, and an older text.
    fs::write(out.join("paper.pdf"), pdf.replace(&source, &"ab".repeat(32))).unwrap();
    assert_eq!(report_with(&nothing, &out, &["--run", &run, "--check"]).status.code(), Some(1));
    let made = report_with(&nothing, &out, &["--run", &run]);
    assert!(made.status.success() && said(&made).contains("paper.pdf: removed"), "{}", said(&made));

    fs::write(out.join("paper.pdf"), &pdf).unwrap();
    let other = super::run(folder.path(), &STUDY.replace("0.7", "0.8"));
    let made = report_with(&nothing, &out, &["--run", other.to_str().unwrap()]);
    assert!(made.status.success() && said(&made).contains("paper.pdf: removed"), "{}", said(&made));
    assert!(!out.join("paper.pdf").exists());
}

#[test]
fn latex_s_pdf_is_made_where_it_is_asked_for_and_stays_while_it_is_this_paper_s() {
    let (folder, nothing, out, run) = paper();
    let pdf = format!("%PDF-1.5 /OffprintRecords ({})\n%%EOF\n", digests(&out).0);
    let made = report_with(&nothing, &out, &["--run", &run, "--tex"]);
    assert!(made.status.success() && said(&made).contains("no paper-tex.pdf: neither pdflatex nor"), "{}", said(&made));
    fs::write(out.join("paper-tex.pdf"), &pdf).unwrap();
    for more in [&["--tex"] as &[&str], &[], &["--check"]] {
        let made = report_with(&nothing, &out, &[&["--run", &run], more].concat());
        assert!(made.status.success(), "{}", said(&made));
        assert_eq!(fs::read_to_string(out.join("paper-tex.pdf")).unwrap(), pdf);
    }
    let other = super::run(folder.path(), &STUDY.replace("0.7", "0.8"));
    let made = report_with(&nothing, &out, &["--run", other.to_str().unwrap()]);
    assert!(made.status.success() && said(&made).contains("paper-tex.pdf: removed"), "{}", said(&made));
    assert!(!out.join("paper-tex.pdf").exists());
}

#[cfg(unix)]
#[test]
fn a_paper_that_tex_refuses_is_written_without_the_old_pdf() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, programs, out, run) = paper();
    fs::write(out.join("paper-tex.pdf"), "old").unwrap();
    let markdown = fs::read(out.join("paper.md")).unwrap();
    fs::write(out.join("paper.md"), "old").unwrap();
    let pdflatex = programs.join("pdflatex");
    fs::write(&pdflatex, "#!/bin/sh\necho '! I can do no more.' > paper.log\nexit 1\n").unwrap();
    fs::set_permissions(&pdflatex, fs::Permissions::from_mode(0o755)).unwrap();
    let made = report_with(&programs, &out, &["--run", &run, "--tex"]);
    assert_eq!(made.status.code(), Some(2));
    let told = said(&made);
    assert!(told.contains("paper-tex.pdf: removed") && told.contains("! I can do no more."), "{told}");
    assert!(told.contains(out.join("paper.tex").to_str().unwrap()), "{told}");
    assert!(!out.join("paper-tex.pdf").exists() && !out.join(".offprint-making").exists());
    assert_eq!(fs::read(out.join("paper.md")).unwrap(), markdown);
}

#[test]
fn figures_and_tables_of_another_study_go_and_what_is_the_users_stays() {
    let (_folder, nothing, out, run) = paper();
    let ours = files(&out);
    let stale = |name: &Path| name.with_file_name(format!("old_{}", name.file_name().unwrap().to_str().unwrap()));
    for path in ours.keys().filter(|path| path.parent() != Some(&out)) {
        fs::copy(path, stale(path)).unwrap();
    }
    let mine = ["notes.txt", "paper.md~", "figures/photo.png", "figures/plot.svg", "tables/mine.csv", "slides/a.md"];
    for name in mine {
        fs::create_dir_all(out.join(name).parent().unwrap()).unwrap();
        fs::write(out.join(name), name).unwrap();
    }
    let checked = report_with(&nothing, &out, &["--run", &run, "--check"]);
    let (stdout, expected) = (String::from_utf8_lossy(&checked.stdout), ours.len() - 5);
    assert_eq!((checked.status.code(), stdout.lines().count()), (Some(1), expected), "{stdout}");
    assert!(stdout.contains("tables/old_cells.csv: it is of another paper"), "{stdout}");

    let made = report_with(&nothing, &out, &["--run", &run]);
    let told = said(&made);
    assert!(made.status.success(), "{told}");
    assert_eq!(told.matches(": removed; it was of another paper").count(), expected, "{told}");
    assert!(told.contains("left as it is: notes.txt, paper.md~, slides, figures/photo.png"), "{told}");
    let mut left = files(&out);
    for name in mine {
        assert_eq!(left.remove(&out.join(name)).as_deref(), Some(name.as_bytes()));
    }
    assert_eq!(left, ours);
}

#[test]
fn a_failure_leaves_the_old_paper_whole() {
    let (folder, nothing, out, _) = paper();
    fs::remove_file(out.join("paper.tex")).unwrap();
    fs::create_dir(out.join("paper.tex")).unwrap();
    fs::write(out.join("paper.tex/mine"), "x").unwrap();
    for format in ["svg", "pdf", "png"] {
        fs::write(out.join(format!("figures/gone.{format}")), "stale").unwrap();
    }
    let before = files(&out);
    let other = run(folder.path(), &STUDY.replace("0.7", "0.8"));
    let made = report_with(&nothing, &out, &["--run", other.to_str().unwrap()]);
    assert_eq!(made.status.code(), Some(2));
    let told = said(&made);
    assert!(told.contains("paper.tex: expected a file, found a folder") && told.contains("\nhint: "), "{told}");
    assert!(told.contains("the paper there is as it was"), "{told}");
    assert_eq!(files(&out), before);
}
