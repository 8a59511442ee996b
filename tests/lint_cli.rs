//! `offprint lint` from outside: what it takes, what it prints, and its exit code.

#![allow(clippy::unwrap_used)] // a test may: it fails where it should

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

const WRONG: &str = "First.\n\nWe ran 20 × 30 = 700 cases.\n";
const RIGHT: &str = "We ran 20 × 30 = 600 cases.\n";

/// A folder with these files.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

/// The verb, called in a folder.
fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_offprint"));
    command.arg("lint").args(arguments).current_dir(folder);
    command
}

/// Exit code, stdout, stderr.
fn lint(folder: &TempDir, arguments: &[&str]) -> (i32, String, String) {
    said(command(folder.path(), arguments).stdin(Stdio::null()).output().unwrap())
}

fn said(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn json(folder: &TempDir, arguments: &[&str]) -> Value {
    serde_json::from_str(&lint(folder, arguments).1).unwrap()
}

fn piped(folder: &TempDir, arguments: &[&str], input: &[u8]) -> (i32, String, String) {
    let mut child = command(folder.path(), arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    said(child.wait_with_output().unwrap())
}

/// A zip archive whose one part, `word/document.xml`, is not packed.
fn docx(paragraphs: &[&str]) -> Vec<u8> {
    let name = b"word/document.xml";
    let paragraphs: String = paragraphs.iter().map(|text| format!("<w:p><w:r><w:t>{text}</w:t></w:r></w:p>")).collect();
    let xml = format!("<w:document><w:body>{paragraphs}</w:body></w:document>");
    let size = u32::try_from(xml.len()).unwrap().to_le_bytes();
    let sizes = [&[0; 4][..], &size, &size, &[17, 0, 0, 0]].concat();
    let file = [&b"PK\x03\x04"[..], &[0; 10], &sizes, name, xml.as_bytes()].concat();
    let entry = [&b"PK\x01\x02"[..], &[0; 12], &sizes, &[0; 14], name].concat();
    let [at, length] = [file.len(), entry.len()].map(|number| u32::try_from(number).unwrap().to_le_bytes());
    let end = [&b"PK\x05\x06"[..], &[0, 0, 0, 0, 1, 0, 1, 0], &length, &at, &[0; 2]].concat();
    [file, entry, end].concat()
}

/// A PDF with a line of text on each page.
fn pdf(pages: &[&str]) -> Vec<u8> {
    let kids: Vec<String> = (0..pages.len()).map(|at| format!("{} 0 R", 4 + 2 * at)).collect();
    let mut objects = vec![
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        format!("<</Type/Pages/Count {}/Kids[{}]>>", pages.len(), kids.join(" ")),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>".to_owned(),
    ];
    for (at, text) in pages.iter().enumerate() {
        let page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources<</Font<</F 3 0 R>>>>/Contents";
        objects.push(format!("{page} {} 0 R>>", 5 + 2 * at));
        let stream = format!("BT /F 12 Tf 50 700 Td ({text}) Tj ET");
        objects.push(format!("<</Length {}>>\nstream\n{stream}\nendstream", stream.len()));
    }
    let (mut file, mut places) = ("%PDF-1.4\n".to_owned(), String::new());
    for (number, object) in (1..).zip(&objects) {
        places += &format!("{:010} 00000 n \n", file.len());
        file += &format!("{number} 0 obj\n{object}\nendobj\n");
    }
    let (at, count) = (file.len(), objects.len() + 1);
    file += &format!(
        "xref\n0 {count}\n0000000000 65535 f \n{places}trailer\n<</Size {count}/Root 1 0 R>>\nstartxref\n{at}\n%%EOF\n"
    );
    file.into_bytes()
}

fn notebook() -> Vec<u8> {
    let cell = |kind: &str, text: &str| format!(r#"{{"cell_type":"{kind}","metadata":{{}},"source":"{text}"}}"#);
    let cells = [cell("code", "1"), cell("markdown", "We ran 20 × 30 = 700 cases.")].join(",");
    format!(r#"{{"nbformat":4,"nbformat_minor":5,"metadata":{{}},"cells":[{cells}]}}"#).into_bytes()
}

#[test]
fn several_files_are_checked_in_their_order_and_each_once() {
    let folder = folder(&[("b.md", WRONG.as_bytes()), ("a.md", RIGHT.as_bytes())]);
    let (code, out, err) = lint(&folder, &["b.md", "a.md", "./b.md"]);
    assert_eq!(code, 1);
    assert!(out.starts_with("b.md:3: error[product] 20 × 30 = 700"), "{out}");
    assert!(out.contains("\n    follows: 600\n    because "), "{out}");
    assert_eq!(out.matches("error[").count(), 1);
    let lines: Vec<&str> = err.lines().collect();
    assert_eq!(
        lines,
        [
            "b.md: 0 tables, 3 numbers, 1 sentence with numbers read; 0 checks agree, 1 error, 0 warnings",
            "a.md: 0 tables, 3 numbers, 1 sentence with numbers read; 1 check agrees, 0 errors, 0 warnings",
            "2 papers: 1 error, 0 warnings",
        ]
    );
    assert_eq!(lint(&folder, &["a.md"]).0, 0);
}

#[test]
fn a_finding_says_the_page_the_paragraph_or_the_cell() {
    let texts = ["It was run once.", "We ran 20 + 30 = 60 cases."];
    let folder = folder(&[("p.docx", &docx(&texts)), ("p.pdf", &pdf(&texts)), ("p.ipynb", &notebook())]);
    for (name, place) in [("p.docx", "paragraph 2"), ("p.pdf", "page 2"), ("p.ipynb", "cell 2")] {
        let (code, out, err) = lint(&folder, &[name]);
        assert!(code == 1 && out.starts_with(&format!("{name}: {place}: error[")), "{out}{err}");
    }
    assert!(lint(&folder, &["p.ipynb"]).2.contains("p.ipynb: cell 1: not read: 1 code cell"));
}

#[test]
fn a_folder_is_walked_in_order_without_what_is_not_the_authors() {
    let wrong = WRONG.as_bytes();
    let files =
        ["b.md", "a/z.md", "a/.hidden.md", ".git/x.md", "node_modules/x.md", "target/x.md", "code.rs", "a/~$p.docx"];
    let folder = folder(&files.map(|name| (name, wrong)));
    #[cfg(unix)]
    std::os::unix::fs::symlink(".", folder.path().join("again")).unwrap();
    let (code, out, err) = lint(&folder, &["."]);
    assert_eq!(code, 1, "{err}");
    let found: Vec<&str> = out.lines().filter_map(|line| line.split_once(": error").map(|(place, _)| place)).collect();
    assert_eq!(found, [Path::new("a").join("z.md").display().to_string() + ":3", "b.md:3".to_owned()]);
    let links = if cfg!(unix) { "links to folders, " } else { "" };
    assert_eq!(err.lines().next().unwrap(), format!("left out of folders: hidden files, {links}node_modules, target"));

    // Named itself, each of them is read; a file that a folder holds, too, once.
    assert_eq!(lint(&folder, &["target", "node_modules/x.md", "a", "a/z.md"]).1.matches("error[").count(), 3);
    fs::create_dir(folder.path().join("empty")).unwrap();
    let (code, _, err) = lint(&folder, &["empty", "b.md"]);
    assert!(code == 2 && err.contains("error: empty: no paper in this folder\nhint: "), "{err}");
}

#[test]
fn pdfs_of_a_folder_are_read_where_it_has_nothing_else() {
    let pdf = pdf(&["We ran 20 + 30 = 60 cases."]);
    let folder =
        folder(&[("a/p.md", RIGHT.as_bytes()), ("a/p.pdf", &pdf), ("a/figures/f.pdf", b""), ("b/p.pdf", &pdf)]);
    let (code, _, err) = lint(&folder, &["a"]);
    assert!(code == 0 && err.starts_with("left out of folders: PDFs beside other papers\na"), "{err}");
    assert_eq!(lint(&folder, &["b"]).0, 1);
    assert_eq!(lint(&folder, &["a", "a/p.pdf"]).0, 1);
}

#[test]
fn standard_input_is_read_as_what_it_is_or_is_said_to_be() {
    let folder = folder(&[]);
    let (code, out, _) = piped(&folder, &["-"], WRONG.as_bytes());
    assert!(code == 1 && out.starts_with("-:3: error[product]"), "{out}");
    let latex = br"\section{One} $20 \times 30 = 700$";
    assert!(piped(&folder, &["-"], latex).1.starts_with("-:1: error[product]"));
    assert!(piped(&folder, &["-"], &docx(&["a", "20 × 30 = 700"])).1.starts_with("-: paragraph 2: error"));
    assert!(piped(&folder, &["-", "--format", "ipynb"], &notebook()).1.starts_with("-: cell 2: error"));
    assert_eq!(piped(&folder, &["-", "--format", "typ"], b"// 20 + 30 = 60\n").0, 0);
    assert_eq!(piped(&folder, &["-", "--format", "odt"], b"").0, 2);
    let (code, _, err) = piped(&folder, &["-"], &[0xff, 0xfe, 0x41, 0]);
    assert!(code == 2 && err.starts_with("error: -: it is UTF-16"), "{err}");
}

#[test]
fn a_format_that_is_said_holds_for_what_is_named() {
    let folder = folder(&[("paper.dat", WRONG.as_bytes()), ("paper", WRONG.as_bytes())]);
    let (code, _, err) = lint(&folder, &["paper.dat"]);
    assert!(code == 2 && err.contains("paper.dat: files called .dat are not read\nhint: "), "{err}");
    assert_eq!(lint(&folder, &["paper.dat", "--format", "md"]).0, 1);
    assert!(lint(&folder, &["paper"]).1.starts_with("paper:3: error"));
}

#[test]
fn what_cannot_be_read_is_said_with_a_way_out_and_the_others_are_checked() {
    let cases: [(&str, &[u8], &str); 9] = [
        ("utf16.md", &[0xff, 0xfe, 0x41, 0], "it is UTF-16"),
        ("latin1.tex", b"first\ncaf\xe9 2 + 2 = 4", "it is not UTF-8 text (line 2)"),
        ("locked.docx", &[0xd0, 0xcf, 0x11, 0xe0, 0, 0], "it is encrypted or an old .doc"),
        ("text.docx", b"only text", "it is no zip archive"),
        ("empty.docx", b"", "it is no zip archive"),
        ("text.pdf", b"only text", ""),
        ("locked.pdf", b"%PDF-1.4 /Encrypt", "it is encrypted"),
        ("text.ipynb", b"{}", "not a notebook"),
        ("paper.xyz", b"text", "files called .xyz are not read"),
    ];
    let folder = folder(&cases.map(|(name, bytes, _)| (name, bytes)));
    fs::write(folder.path().join("wrong.md"), WRONG).unwrap();
    for (name, _, why) in cases.into_iter().chain([("none.md", &b""[..], "cannot be read: ")]) {
        let (code, out, err) = lint(&folder, &[name, "wrong.md"]);
        assert_eq!(code, 2, "{name}: {err}");
        let mut lines = err.lines();
        let first = lines.next().unwrap();
        assert!(first.starts_with(&format!("error: {name}: {why}")), "{err}");
        assert!(lines.next().unwrap().starts_with("hint: "), "{err}");
        assert_eq!(err.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{err}");
        assert!(out.starts_with("wrong.md:3: error["), "{out}");
        assert!(err.ends_with("1 paper: 1 error, 0 warnings; 1 not read\n"), "{err}");
    }
}

#[test]
fn nothing_read_is_not_nothing_wrong() {
    let folder = folder(&[("words.md", b"It was fast.\n"), ("empty.tex", b""), ("right.md", RIGHT.as_bytes())]);
    for name in ["words.md", "empty.tex"] {
        let (code, out, err) = lint(&folder, &[name]);
        assert_eq!((code, out.as_str()), (0, ""));
        assert!(err.starts_with(&format!("{name}: 0 numbers read, so nothing was checked")), "{err}");
    }
    assert!(!lint(&folder, &["right.md"]).2.contains("nothing was checked"));
}

#[test]
fn all_lists_what_agrees_and_all_that_was_not_read() {
    let inputs: String = (0..8).map(|at| format!("\\input{{none{at}}}\n\n")).collect();
    let text = format!("{inputs}$20 \\times 30 = 600$\n");
    let folder = folder(&[("p.tex", text.as_bytes())]);
    let (code, out, err) = lint(&folder, &["p.tex"]);
    assert_eq!((code, out.as_str()), (0, ""));
    assert_eq!(err.matches(": not read: ").count(), 5, "{err}");
    assert!(err.contains("p.tex:1: not read: \\input{none0}: there is no such file\n"), "{err}");
    assert!(err.ends_with("p.tex: and 3 more not read, which --all lists\n"), "{err}");

    let (code, out, err) = lint(&folder, &["p.tex", "--all"]);
    assert_eq!(code, 0);
    assert!(out.starts_with("p.tex:17: agrees[product] 20 × 30 = 600"), "{out}");
    assert_eq!(err.matches(": not read: ").count(), 8, "{err}");
}

#[test]
fn an_ignore_comment_answers_its_rule_in_its_block_only() {
    let markdown =
        "<!-- offprint-lint: ignore product ten were lost -->\n20 × 30 = 700 runs, 20 + 30 = 60\n\n40 × 30 = 700\n";
    let latex = "% offprint-lint: ignore product ten were lost\n$20 \\times 30 = 700$ runs, $20 + 30 = 60$\n\n$40 \\times 30 = 700$\n";
    let folder = folder(&[("p.md", markdown.as_bytes()), ("p.tex", latex.as_bytes())]);
    for name in ["p.md", "p.tex"] {
        let (_, out, err) = lint(&folder, &[name]);
        let found: Vec<&str> = out.lines().filter(|line| line.contains(": error")).collect();
        assert_eq!(found.len(), 2, "{out}");
        assert!(
            found[0].starts_with(&format!("{name}:2: error[sum]"))
                && found[1].starts_with(&format!("{name}:4: error[product]"))
        );
        assert!(err.contains("2 errors, 0 warnings, 1 silenced\n"), "{err}");

        let (_, out, _) = lint(&folder, &[name, "--all"]);
        assert!(out.contains(&format!("{name}:2: silenced[product] 20 × 30 = 700")), "{out}");
        assert!(out.contains("    answered: ten were lost\n"), "{out}");
        let silenced = &json(&folder, &[name, "--json", "--all"])[0]["silenced"];
        assert_eq!(
            (silenced[0]["rule"].as_str(), silenced[0]["reason"].as_str()),
            (Some("product"), Some("ten were lost"))
        );
        assert!(json(&folder, &[name, "--sarif"])["runs"][0]["results"].as_array().unwrap().len() == 2);
        let results = &json(&folder, &[name, "--sarif", "--all"])["runs"][0]["results"];
        assert_eq!(results[2]["suppressions"][0]["justification"], "ten were lost");
    }
}

/// Main files of a LaTeX paper, and parts of which one is in a folder and one belongs to two papers.
fn latex() -> TempDir {
    let main = "\\documentclass{article}\n\\begin{document}\n\\input{parts/a}\n\\input{shared}\n\\end{document}\n";
    folder(&[
        ("main.tex", main.as_bytes()),
        ("other.tex", b"\\input{shared.tex}\n"),
        ("parts/a.tex", b"first\n\n$20 \\times 30 = 700$\n"),
        ("shared.tex", b"$40 \\times 30 = 700$\n"),
        ("alone.tex", b"$50 \\times 30 = 700$\n"),
        ("loop1.tex", b"\\input{loop2}\n$60 \\times 30 = 700$\n"),
        ("loop2.tex", b"\\input{loop1}\n$70 \\times 30 = 700$\n"),
    ])
}

#[test]
fn a_part_of_a_latex_paper_is_reported_once() {
    let folder = latex();
    let (code, out, err) = lint(&folder, &["."]);
    assert_eq!(code, 1);
    let mut found: Vec<&str> =
        out.lines().filter_map(|line| line.split_once(": error").map(|(place, _)| place)).collect();
    let part = Path::new("parts").join("a.tex").display().to_string() + ":3";
    found.sort_unstable();
    assert_eq!(found, ["alone.tex:1", "loop1.tex:2", "loop2.tex:2", part.as_str(), "shared.tex:1"], "{err}");
    let papers: Vec<&str> = err.lines().filter_map(|line| Some(line.split_once(": 0 tables")?.0)).collect();
    assert_eq!(papers, ["alone.tex", "loop1.tex", "main.tex", "other.tex"], "{err}");

    // From elsewhere, parts are named from there; and one that is given alone is a paper.
    let name = folder.path().join("main.tex").display().to_string();
    let (_, out, _) = lint(&tempfile::tempdir().unwrap(), &[&name]);
    assert!(out.starts_with(&format!("{}:3: error", folder.path().join("parts").join("a.tex").display())), "{out}");
    assert!(lint(&folder, &["parts/a.tex"]).1.starts_with("parts/a.tex:3: error"));
    let paper = &json(&folder, &["main.tex", "shared.tex", "--json"]);
    assert_eq!(paper.as_array().unwrap().len(), 1);
    assert_eq!(paper[0]["parts"][1], "shared.tex");
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn sorted<const N: usize>(mut names: [&str; N]) -> [&str; N] {
    names.sort_unstable();
    names
}

const FINDING: [&str; 7] = ["file", "line", "rule", "sure", "stated", "follows", "why"];

/// Maps of `serde_json` keep their order with one of its features only.
fn assert_keys<const N: usize>(value: &Value, expected: [&str; N]) {
    let mut found = keys(value);
    found.sort_unstable();
    assert_eq!(found, sorted(expected));
}

#[test]
fn json_of_one_file_is_its_findings() {
    let folder = folder(&[("wrong.md", WRONG.as_bytes()), ("right.md", RIGHT.as_bytes())]);
    let found = json(&folder, &["wrong.md", "--json"]);
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_keys(&found[0], FINDING);
    assert_eq!((found[0]["file"].as_str(), found[0]["line"].as_u64()), (Some("wrong.md"), Some(3)));
    assert_eq!((found[0]["rule"].as_str(), found[0]["sure"].as_str()), (Some("product"), Some("error")));
    assert_eq!(lint(&folder, &["right.md", "--json"]).1, "[]\n");
    let (code, out, _) = lint(&folder, &["none.md", "--json"]);
    assert_eq!((code, out.as_str()), (2, ""));
}

#[test]
fn json_of_several_files_of_a_folder_and_of_all_has_an_object_for_each() {
    let folder = folder(&[("d/wrong.md", WRONG.as_bytes()), ("right.md", RIGHT.as_bytes()), ("x.docx", b"")]);
    let found = json(&folder, &["d", "--json"]);
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_keys(&found[0], ["file", "unit", "parts", "findings", "silenced", "read"]);
    assert_keys(&found[0]["findings"][0], FINDING);
    assert_keys(&found[0]["read"], ["tables", "tables_understood", "rows", "numbers", "sentences", "left_out"]);
    assert_eq!((found[0]["read"]["numbers"].as_u64(), found[0]["unit"].as_str()), (Some(3), Some("line")));

    let found = json(&folder, &["right.md", "--json", "--all"]);
    assert_keys(&found[0], ["file", "unit", "parts", "findings", "agreed", "silenced", "read"]);
    assert_keys(&found[0]["agreed"][0], ["file", "line", "rule", "stated"]);

    let found = json(&folder, &["x.docx", "right.md", "--json"]);
    assert_keys(&found[0], ["file", "error", "hint"]);
    assert_eq!(found[1]["file"], "right.md");
}

/// What the schema asks for; the log was held against the schema itself by hand.
fn assert_sarif(log: &Value) -> &Vec<Value> {
    assert_eq!(log["version"], "2.1.0");
    assert!(log["$schema"].as_str().unwrap().ends_with("sarif-schema-2.1.0.json"));
    let run = &log["runs"][0];
    let driver = &run["tool"]["driver"];
    assert!(driver["name"].is_string() && driver["version"].is_string());
    assert!(run["invocations"][0]["executionSuccessful"].is_boolean());
    let rules: Vec<&Value> = driver["rules"].as_array().unwrap().iter().collect();
    for rule in &rules {
        assert!(rule["id"].is_string() && rule["shortDescription"]["text"].is_string(), "no description of {rule}");
    }
    for result in run["results"].as_array().unwrap() {
        assert!(rules.iter().any(|rule| rule["id"] == result["ruleId"]));
        assert!(["error", "warning", "none"].contains(&result["level"].as_str().unwrap()));
        assert_eq!(result["level"] == "none", result["kind"] == "pass");
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0]["physicalLocation"];
        assert!(!place["artifactLocation"]["uri"].as_str().unwrap().contains(' '));
        assert!(place["region"].is_null() || place["region"]["startLine"].as_u64().unwrap() > 0);
    }
    run["results"].as_array().unwrap()
}

#[test]
fn sarif_has_the_shape_that_its_schema_asks_for() {
    let texts = ["It was run once.", "We ran 20 + 30 = 60 cases."];
    let folder =
        folder(&[("my papers/ä.md", WRONG.as_bytes()), ("p.docx", &docx(&texts)), ("right.md", RIGHT.as_bytes())]);
    let log = json(&folder, &[".", "none.md", "--sarif"]);
    let results = assert_sarif(&log);
    assert_eq!(results.len(), 2);
    let place = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "my%20papers/%C3%A4.md");
    assert_eq!(place["region"]["startLine"], 3);
    assert!(results[1]["locations"][0]["physicalLocation"]["region"].is_null());
    assert!(results[1]["message"]["text"].as_str().unwrap().starts_with("paragraph 2: "));
    let invocation = &log["runs"][0]["invocations"][0];
    assert_eq!((invocation["executionSuccessful"].as_bool(), invocation["exitCode"].as_u64()), (Some(false), Some(2)));
    assert!(
        invocation["toolExecutionNotifications"][0]["message"]["text"].as_str().unwrap().starts_with("cannot be read")
    );

    assert!(assert_sarif(&json(&folder, &["right.md", "--sarif"])).is_empty());
    assert_eq!(assert_sarif(&json(&folder, &["right.md", "--sarif", "--all"]))[0]["kind"], "pass");
    assert_eq!(lint(&folder, &["right.md", "--sarif", "--json"]).0, 2);
}

/// The small cases of tests/lint.rs, of which each rule has one.
#[test]
fn sarif_describes_every_rule() {
    let cases = fs::read_to_string("tests/data/lint_cases.md").unwrap();
    let folder = folder(&[]);
    for (at, case) in cases.split("%%% ").skip(1).enumerate() {
        fs::write(folder.path().join(format!("{at:03}.md")), case.split_once('\n').unwrap().1).unwrap();
    }
    let log = json(&folder, &[".", "--sarif", "--all"]);
    assert!(assert_sarif(&log).len() > 18);
}

#[test]
fn a_reader_that_goes_away_changes_nothing() {
    let text = WRONG.repeat(5000);
    let folder = folder(&[("p.md", text.as_bytes()), ("q.md", RIGHT.as_bytes())]);
    for arguments in [&["p.md", "q.md"][..], &["p.md", "q.md", "--json"], &["p.md", "--sarif"]] {
        let mut child =
            command(folder.path(), arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let (code, _, err) = said(child.wait_with_output().unwrap());
        assert_eq!(code, 1, "{err}");
        assert!(!err.contains("panic") && err.starts_with("p.md: "), "{err}");
    }
}

#[test]
fn what_a_terminal_would_obey_is_not_printed() {
    let folder = folder(&[("p.md", "We ran 20 × 30 = 700 \u{1b}[31mcases\u{7}.\n".as_bytes())]);
    let (code, out, _) = lint(&folder, &["p.md", "--all"]);
    assert!(code == 1 && !out.contains(['\u{1b}', '\u{7}']), "{out:?}");
}
