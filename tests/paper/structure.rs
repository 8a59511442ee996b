//! LaTeX numbers what Markdown prints: sections, tables, figures and references, by the class's own count, in every class that is
//! installed.

use std::collections::BTreeMap;

use super::*;

/// Numbers by label, as `paper.md` prints them. Sections have no label there: they are counted.
struct Printed {
    labels: BTreeMap<String, String>,
    sections: Vec<String>,
}

impl Printed {
    fn of(markdown: &str) -> Self {
        let mut labels = BTreeMap::new();
        for part in markdown.split("<a id=\"").skip(1) {
            let (id, rest) = part.split_once("\"></a>").unwrap();
            if let Some(key) = id.strip_prefix("ref-") {
                let before = markdown.split(&format!("<a id=\"{id}\">")).next().unwrap();
                let number = before.lines().last().unwrap().trim_end_matches(". ").to_owned();
                labels.insert(format!("cite {key}"), number);
            } else {
                let number = rest.split_once('.').unwrap().0.rsplit(' ').next().unwrap().to_owned();
                labels.insert(id.to_owned(), number);
            }
        }
        let number = |line: &str| {
            let title = line.strip_prefix("## ").or_else(|| line.strip_prefix("### "))?;
            let first = title.split(' ').next()?;
            first.chars().all(|c| c.is_ascii_digit() || c == '.').then(|| first.to_owned())
        };
        Printed { labels, sections: markdown.lines().filter_map(number).collect() }
    }
}

/// Numbers by label from an `.aux` file.
fn of_class(aux: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for line in aux.lines() {
        let inside = |start: &str| {
            let (label, rest) = line.strip_prefix(start)?.split_once("}{")?;
            // IEEE's class keeps a number together in a box.
            let rest = rest.trim_start_matches(['{', ' ']).trim_start_matches("\\mbox").trim_start_matches(['{', ' ']);
            let number: String = rest.chars().take_while(|c| !"{}".contains(*c)).collect();
            Some((label.to_owned(), number))
        };
        if let Some((label, number)) = inside("\\newlabel{").filter(|(label, _)| !label.contains('@')) {
            found.insert(label, number);
        } else if let Some((key, number)) = inside("\\bibcite{") {
            found.insert(format!("cite {key}"), number);
        }
    }
    found
}

/// `III-B` to `3.2`, as IEEE's class numbers; `3.2` stays.
fn arabic(number: &str) -> String {
    let roman = |text: &str| {
        let value = |c| match c {
            'I' => 1,
            'V' => 5,
            'X' => 10,
            _ => panic!("{text}"),
        };
        let values: Vec<i32> = text.chars().map(value).collect();
        let sign = |(place, value): (usize, &i32)| {
            if values.get(place + 1).is_some_and(|next| next > value) { -value } else { *value }
        };
        values.iter().enumerate().map(sign).sum::<i32>().to_string()
    };
    if number.starts_with(|c: char| c.is_ascii_digit()) {
        return number.to_owned();
    }
    match number.split_once('-') {
        Some((section, letter)) => format!("{}.{}", roman(section), letter.bytes().next().unwrap() - b'A' + 1),
        None => roman(number),
    }
}

/// Holds a folder that has been typeset to `paper.md`.
pub fn agrees(folder: &Path, markdown: &str, what: &str) {
    let printed = Printed::of(markdown);
    let aux = String::from_utf8_lossy(&fs::read(folder.join("paper.aux")).unwrap()).into_owned();
    let class: BTreeMap<String, String> =
        of_class(&aux).into_iter().map(|(label, number)| (label, arabic(&number))).collect();
    assert!(printed.labels.len() > 25 && printed.sections.len() > 8, "{what}: {:?}", printed.labels);
    for (label, number) in &printed.labels {
        assert_eq!(class.get(label), Some(number), "{what}: {label}");
    }
    // Labels of sections, in the order of the text.
    let source = fs::read_to_string(folder.join("paper.tex")).unwrap();
    let labels =
        source.split("\\label{section").skip(1).map(|rest| format!("section{}", rest.split('}').next().unwrap()));
    let sections: Vec<String> = labels.map(|label| class[&label].clone()).collect();
    assert_eq!(sections, printed.sections, "{what}");
}

#[test]
fn the_class_s_numbers_are_those_of_the_markdown() {
    if !typeset::latexmk() {
        return;
    }
    let folder = typeset::committed();
    typeset::log(folder.path());
    agrees(folder.path(), &fs::read_to_string(folder.path().join("paper.md")).unwrap(), "paper.tex");
}

#[test]
fn the_latex_is_structure_and_no_picture_of_it() {
    let folder = typeset::committed();
    let source = fs::read_to_string(folder.path().join("paper.tex")).unwrap();
    for part in [
        "\\section{",
        "\\subsection{",
        "\\caption{",
        "\\label{table-",
        "\\ref{figure-",
        "\\cite{",
        "\\bibitem{",
        "\\pdfminorversion=7",
    ] {
        assert!(source.contains(part), "no {part}");
    }
    for part in ["\\hypertarget", "\\hyperlink", "\\caption*", "adjustbox", "\\tiny", "verbatim", "minipage"] {
        assert!(!source.contains(part), "{part}");
    }
}
