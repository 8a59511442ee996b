//! What a study says of its authors is on the title page, in every format; what it does not say leaves no trace.

use super::*;

const STUDY: &str = include_str!("../../config/fake.yaml");

#[test]
fn affiliations_and_orcids_are_on_the_title_page() {
    let folder = tempfile::tempdir().unwrap();
    let authors = "authors:\n    - {name: Ana Marić, affiliation: \"Univ. & Söhne, 100 %\", orcid: 0000-0002-1825-0097}\n    \
                   - {name: Bo Li, affiliation: \"Univ. & Söhne, 100 %\"}\n    - {name: Cy Young, affiliation: Other Place}\n  title:";
    let paper = report(folder.path(), &run(folder.path(), &STUDY.replace("title:", authors)));
    let read = |name: &str| fs::read_to_string(paper.join(name)).unwrap();
    for (name, lines) in [
        (
            "paper.md",
            [
                "Ana Marić and Bo Li: Univ. \\& Söhne, 100 %\\",
                "Cy Young: Other Place\\",
                "Ana Marić: <https://orcid.org/0000-0002-1825-0097>",
            ],
        ),
        (
            "paper.html",
            [
                "Ana Marić and Bo Li: Univ. &amp; Söhne, 100 %<br>",
                "Cy Young: Other Place<br>",
                "Ana Marić: <a href=\"https://orcid.org/0000-0002-1825-0097\">",
            ],
        ),
        (
            "paper.tex",
            [
                "{\\small Ana Marić and Bo Li: Univ. \\& Söhne, 100 \\%}",
                "{\\small Cy Young: Other Place}",
                "{\\small Ana Marić: \\href{https://orcid.org/0000-0002-1825-0097}",
            ],
        ),
    ] {
        for line in lines {
            assert!(read(name).contains(line), "{name} lacks {line}:\n{}", &read(name)[..1500]);
        }
    }
    let claims: serde_json::Value = serde_json::from_str(&read("claims.json")).unwrap();
    assert_eq!(claims["claims"]["study.affiliation.1.authors"]["text"], "Ana Marić and Bo Li");
    if typeset::latexmk() {
        assert_eq!(typeset::complaints(&typeset::log(&paper)), [""; 0]);
    }
}

#[test]
fn one_author_needs_no_name_before_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let author =
        "authors: [{name: Ana Marić, affiliation: Here, orcid: \"https://orcid.org/0000-0002-1694-233x\"}]\n  title:";
    let paper = report(folder.path(), &run(folder.path(), &STUDY.replace("title:", author)));
    let text = fs::read_to_string(paper.join("paper.md")).unwrap();
    assert!(text.contains("\\\nHere\\\n<https://orcid.org/0000-0002-1694-233X>\n"), "{}", &text[..600]);
}

#[test]
fn a_study_that_says_nothing_gives_the_title_page_that_it_gave() {
    let folder = tempfile::tempdir().unwrap();
    let paper = report(folder.path(), &run(folder.path(), STUDY));
    let text = fs::read_to_string(paper.join("paper.md")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let place = lines.iter().position(|line| line.starts_with("The authors of the study · ")).unwrap();
    assert_eq!((lines[place - 1], lines[place + 1]), ("", ""));
    assert!(lines[place + 2].starts_with("*Records:*") && !text.contains("orcid"));
    for name in ["paper.md", "paper.tex", "paper.typ", "paper.html"] {
        assert!(!fs::read_to_string(paper.join(name)).unwrap().contains("Keywords:"), "{name}: a line without a word");
    }
}
