//! Names in Latin letters of any language, and prompts of any length, on the typeset page: looked for in the PDF's own text.

use std::collections::BTreeMap;

use super::*;

/// What a letter is without its marks, as the PDF's text has it.
fn bare(c: char) -> &'static str {
    const ROWS: [(&str, &str); 30] = [
        ("ĀāĂăĄąÀàÁáÂâÃãÄäÅåẠạẢảẤấẦầẨẩẪẫẬậẮắẰằẲẳẴẵẶặ", "Aa"),
        ("ĆćĈĉĊċČčÇç", "Cc"),
        ("Ďď", "Dd"),
        ("ĒēĔĕĖėĘęĚěÈèÉéÊêËëẸẹẺẻẼẽẾếỀềỂểỄễỆệ", "Ee"),
        ("ĜĝĞğĠġĢģ", "Gg"),
        ("ĤĥĦħ", "Hh"),
        ("ĨĩĪīĬĭĮįİıÌìÍíÎîÏïỈỉỊị", "Ii"),
        ("Ĵĵ", "Jj"),
        ("Ķķ", "Kk"),
        ("ĹĺĻļĽľĿŀ", "Ll"),
        ("ŃńŅņŇňÑñ", "Nn"),
        ("ŌōŎŏŐőÒòÓóÔôÕõÖöỌọỎỏỐốỒồỔổỖỗỘộỚớỜờỞởỠỡỢợƠơ", "Oo"),
        ("ŔŕŖŗŘř", "Rr"),
        ("ŚśŜŝŞşŠšȘș", "Ss"),
        ("ŢţŤťŦŧȚț", "Tt"),
        ("ŨũŪūŬŭŮůŰűŲųÙùÚúÛûÜüỤụỦủỨứỪừỬửỮữỰựƯư", "Uu"),
        ("Ŵŵ", "Ww"),
        ("ŶŷŸÿÝýỲỳỴỵỶỷỸỹ", "Yy"),
        ("ŹźŻżŽž", "Zz"),
        ("ŉ", "nn"),
        ("Łł", "Łł"),
        ("Đđ", "Ðd"),
        ("Œœ", "Œœ"),
        ("ÞþÞþ", "Þþ"),
        ("Ææ", "Ææ"),
        ("Øø", "Øø"),
        ("ß", "ßß"),
        ("Ðð", "Ðð"),
        ("ĸ", "KK"),
        ("µ¿¡§©£", "µ¿¡§©£"),
    ];
    for (letters, pair) in ROWS {
        if let Some(place) = letters.chars().position(|letter| letter == c) {
            let (at, one) = pair.char_indices().nth(if pair.chars().count() > 2 { place } else { place % 2 }).unwrap();
            return &pair[at..at + one.len_utf8()];
        }
    }
    panic!("{c} has no row");
}

/// The text of a PDF, if there is a program to extract it.
fn text_of(pdf: &Path) -> Option<String> {
    let output = Command::new("pdftotext").arg("-layout").arg(pdf).arg("-").output().ok()?;
    Some(String::from_utf8(output.stdout).unwrap())
}

fn study(title: &str, prompts: &[String]) -> String {
    let prompts: Vec<String> = prompts.iter().map(|prompt| serde_json::to_string(prompt).unwrap()).collect();
    format!(
        "study: {{name: letters, title: \"{title}\"}}\nmodels:\n  - {{id: fake, name: Fake, source: fake}}\n\
         prompts: [{}]\nbenchmark_settings: {{max_tokens: [8, 16], temperatures: [0.3], num_runs: 2}}\n",
        prompts.join(", ")
    )
}

#[test]
fn every_latin_letter_is_on_the_page() {
    // All of Latin-1 and Latin Extended-A, and what Romanian and Vietnamese add. Ligatures and what has no letter to compare with
    // are looked at elsewhere (src/paper/letters.rs).
    let odd = "ĲĳĵŊŋſ×÷";
    let letters: Vec<char> =
        ('À'..='ž').chain("ȘșȚțƠơƯư".chars()).chain('Ạ'..='ỹ').filter(|c| !odd.contains(*c)).collect();
    let rows: Vec<String> =
        letters.chunks(12).map(|row| row.iter().map(char::to_string).collect::<Vec<_>>().join(" ")).collect();
    let folder = tempfile::tempdir().unwrap();
    let paper = report(folder.path(), &run(folder.path(), &study("Łódź, Žižek, Nguyễn, ŊĦſ", &rows)));
    let source = fs::read_to_string(paper.join("paper.tex")).unwrap();
    assert!(!source.contains("U+"), "a letter is written as its code point");
    if !typeset::latexmk() {
        return;
    }
    assert_eq!(typeset::complaints(&typeset::log(&paper)), [""; 0]);
    let Some(text) = text_of(&paper.join("paper.pdf")) else { return };
    // A box in place of a glyph has no text. Marks may stand before, behind or over their letter, so letters are counted.
    let shown =
        text.split("with its length in tokens").nth(1).unwrap().split("Metrics and their formulas").next().unwrap();
    let mut expected: BTreeMap<&str, usize> = BTreeMap::new();
    letters.iter().for_each(|c| *expected.entry(bare(*c)).or_default() += 1);
    for (letter, count) in expected {
        let dotless = if letter == "i" { shown.matches('ı').count() } else { 0 };
        let kin = letters.iter().filter(|c| bare(**c) == letter && !letter.contains(**c));
        let whole: usize = kin.map(|c| shown.matches(*c).count()).sum();
        let found = shown.matches(letter).count() + whole + dotless;
        assert!(found >= count, "{letter} and its kin are {found} times on the page, not {count} times:\n{shown}");
    }
}

#[test]
fn a_prompt_of_any_length_fits_and_says_how_long_it_is() {
    let prompts = [format!("BEGIN{}", " word".repeat(6_000)), "x".repeat(30_000), "short".to_owned()];
    let folder = tempfile::tempdir().unwrap();
    let paper = report(folder.path(), &run(folder.path(), &study("Long prompts", &prompts)));
    for format in ["md", "tex", "html"] {
        let text = fs::read_to_string(paper.join(format!("paper.{format}"))).unwrap();
        assert!(text.contains("(30,005 characters in all)") && text.contains("(30,000 characters in all)"), "{format}");
        assert!(text.contains("BEGIN") && text.matches(" word").count() < 300, "{format}");
    }
    if !typeset::latexmk() {
        return;
    }
    let log = typeset::log(&paper);
    assert_eq!(typeset::complaints(&log), [""; 0]);
    assert!(!log.contains("Float too large"), "{log}");
}

/// A float longer than its page is cut off below: a long table must break.
#[test]
fn a_table_longer_than_a_page_goes_on_overleaf() {
    let prompts: Vec<String> = (1..=90).map(|n| format!("prompt number {n} of the study")).collect();
    let folder = tempfile::tempdir().unwrap();
    let yaml = study("Many prompts", &prompts).replace("[8, 16]", "[8]").replace("num_runs: 2", "num_runs: 1");
    let paper = report(folder.path(), &run(folder.path(), &yaml));
    if !typeset::latexmk() {
        return;
    }
    let log = typeset::log(&paper);
    assert!(!log.contains("Float too large"), "{log}");
    let Some(text) = text_of(&paper.join("paper.pdf")) else { return };
    for n in 1..=90 {
        assert!(text.contains(&format!("prompt number {n} of the study")), "{n}");
    }
}
