//! What tells who wrote a paper: taken out of its claims, and looked for in every file at the end.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;
use unicode_normalization::UnicodeNormalization;

use crate::{
    claims::{Claims, Id, Value},
    store::Run,
    study::{Name, Person, Study, parted},
};

const WITHHELD: &str = "withheld for review";
const AUTHORS: &str = "Anonymous authors";
/// An address of one letter or two is no word to look for.
const SHORTEST: usize = 2;
/// What a stream of a figure may unpack to.
const LARGEST_STREAM: usize = 16 << 20;

/// The claims without what leads to the authors, and what that was.
pub(super) fn withheld(claims: &Claims, run: &Run) -> (Claims, Vec<String>) {
    let mut claims = claims.clone();
    let mut removed = Vec::new();
    let study = &run.study;
    if !study.authors.is_empty() {
        removed.push(format!("the names of {} authors", study.authors.len()));
    }
    for (what, given) in [
        ("affiliations", study.authors.iter().any(|author| author.affiliation.is_some())),
        ("ORCID iDs", study.authors.iter().any(|author| author.orcid.is_some())),
        ("e-mail addresses", study.authors.iter().any(|author| author.email.is_some())),
        ("the DOI", study.doi.is_some()),
    ] {
        if given {
            removed.push(what.to_owned());
        }
    }
    let of_people = |id: &Id| ["study.affiliation.", "study.orcid."].iter().any(|start| id.starts_with(start));
    claims.claims.retain(|id, _| !of_people(id));
    claims.claims.remove("study.doi");
    if let Some(authors) = claims.claims.get_mut("study.authors") {
        (authors.value, authors.text) = (Value::Text(AUTHORS.to_owned()), AUTHORS.to_owned());
    }
    let mut marks: BTreeMap<String, &str> = BTreeMap::new();
    for run in std::iter::once(run).chain(run.baseline.as_deref()) {
        marks.insert(run.run_id.clone(), "the run's id, which tells a time");
        marks.insert(run.runs_sha256.clone(), "the digest of the records");
        marks.extend(run.environment.git_commit.value.clone().map(|commit| (commit, "the program's commit")));
    }
    let mut found = BTreeSet::from(["the line of the records"]);
    let mut hide = |text: &mut String| {
        for (mark, what) in &marks {
            if mark.len() > SHORTEST && text.contains(mark.as_str()) {
                *text = text.replace(mark.as_str(), WITHHELD);
                found.insert(what);
            }
        }
    };
    claims.claims.values_mut().for_each(|claim| hide(&mut claim.text));
    claims.predicates.values_mut().for_each(|predicate| hide(&mut predicate.text));
    removed.extend(found.into_iter().map(str::to_owned));
    (claims, removed)
}

/// The text without its section of thanks.
pub(super) fn without_thanks(symbolic: &str) -> String {
    let mut out = String::with_capacity(symbolic.len());
    let mut left_out: Option<usize> = None;
    for line in symbolic.lines() {
        let depth = line.bytes().take_while(|byte| *byte == b'#').count();
        if (2..=3).contains(&depth) {
            let title = line.rsplit("</a>").next().unwrap_or(line).trim_start_matches('#').trim().to_lowercase();
            let thanks = ["acknowledg", "thanks", "funding"].iter().any(|word| title.starts_with(word));
            if left_out.is_none_or(|of| depth <= of) {
                left_out = thanks.then_some(depth);
            }
        }
        if left_out.is_none() {
            out += line;
            out.push('\n');
        }
    }
    out
}

/// What must not be left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// By the text, what it is.
    known: BTreeMap<String, &'static str>,
}

impl Secrets {
    /// Those of the study and its records, and what this machine would tell: its name and the user's folder. `allowed` are words that
    /// may stay, as they are somebody else's, too.
    pub fn of(run: &Run, machine: &[String], allowed: &[String]) -> Self {
        let mut secrets = Secrets::default();
        secrets.study(&run.study);
        for run in std::iter::once(run).chain(run.baseline.as_deref()) {
            secrets.add(&run.run_id, "a run's id");
            secrets.add(&run.runs_sha256, "a digest of records");
            secrets.add(run.environment.git_commit.value.as_deref().unwrap_or_default(), "a commit");
        }
        machine.iter().for_each(|text| secrets.add(text, "a name of this machine"));
        let parts = |word: &str| word.split([' ', '-']).map(str::to_owned).collect::<Vec<_>>();
        let allowed: Vec<String> = allowed.iter().flat_map(|word| [vec![word.clone()], parts(word)].concat()).collect();
        secrets.known.retain(|text, _| !allowed.contains(text));
        secrets
    }

    fn study(&mut self, study: &Study) {
        for author in &study.authors {
            self.add(&author.name, "an author's name");
            if let Name::Person(Person { given, family, .. }) = parted(&author.name) {
                self.add(&family, "an author's family name");
                let parts = family.split(['-', ' ']).filter(|part| part.chars().count() >= SHORTEST_PART);
                parts.for_each(|part| self.add(part, "a part of an author's family name"));
                let given = given.split([' ', '-']).filter(|part| part.chars().count() >= SHORTEST_PART);
                given.for_each(|part| self.add(part, "an author's given name"));
            }
            let of_author = [
                (&author.affiliation, "an affiliation"),
                (&author.orcid, "an ORCID iD"),
                (&author.email, "an e-mail address"),
            ];
            for (text, what) in of_author {
                self.add(text.as_deref().unwrap_or_default(), what);
            }
        }
        self.add(study.doi.as_deref().unwrap_or_default(), "the DOI");
    }

    fn add(&mut self, text: &str, what: &'static str) {
        if text.chars().count() >= SHORTEST {
            self.known.entry(text.to_owned()).or_insert(what);
        }
    }

    /// Looks through every file, in what a PDF packs, too.
    ///
    /// # Errors
    /// A file that has one of them, with its line.
    pub fn check(&self, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
        let mut left = Vec::new();
        for (path, bytes) in files {
            let texts = std::iter::once(bytes.clone()).chain(streams(bytes));
            let texts: Vec<[String; 2]> = texts.map(|bytes| both(&String::from_utf8_lossy(&bytes))).collect();
            for (secret, what) in &self.known {
                let forms = both(secret);
                let stands = |texts: &[String; 2]| texts.iter().zip(&forms).find_map(|(text, form)| stands(text, form));
                let place = texts.iter().find_map(stands);
                if let Some(line) = place {
                    left.push(format!("{path}:{line}: {what}: {secret}"));
                }
            }
        }
        ensure!(
            left.is_empty(),
            "the authors could be known by\n{}\nhint: write of yourselves in the third person and leave such references out; a word that is \
             somebody else's, too, is let through by --allow WORD",
            left.join("\n")
        );
        Ok(())
    }
}

/// Shorter parts of a name (`de`, `Li`) are words of every text.
const SHORTEST_PART: usize = 3;

/// With hyphens and without.
fn both(text: &str) -> [String; 2] {
    let folded = folded(text);
    [folded.replace(['-', '‐', '‑'], ""), folded]
}

/// As LaTeX, Markdown and people write the same: without accents, looks and places to break; `(at)` is `@`.
fn folded(text: &str) -> String {
    let text = without_looks(&text.replace("\\allowbreak{}", "").replace("{}", ""));
    let is_accent = |c: &char| unicode_normalization::char::is_combining_mark(*c);
    let letters = text.nfkd().filter(|c| !is_accent(c)).map(bare);
    let text: String = letters.filter(|c| !"\\{}*\u{ad}\u{200b}~".contains(*c)).collect();
    SPOKEN.iter().fold(text, |text, (spoken, sign)| text.replace(spoken, sign))
}

/// Of addresses that no program is to find.
const SPOKEN: [(&str, &str); 8] = [
    (" (at) ", "@"),
    ("(at)", "@"),
    (" [at] ", "@"),
    ("[at]", "@"),
    (" (dot) ", "."),
    ("(dot)", "."),
    (" [dot] ", "."),
    ("[dot]", "."),
];

/// Letters with a stroke have no accent that could be taken off.
fn bare(c: char) -> char {
    match c {
        'ø' => 'o',
        'Ø' => 'O',
        'ł' => 'l',
        'Ł' => 'L',
        'đ' | 'ð' => 'd',
        'Đ' | 'Ð' => 'D',
        'ı' => 'i',
        c => c,
    }
}

/// Without `\textbf{` and the like: what is inside stands for itself.
fn without_looks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out += &rest[..at];
        let name = rest[at + 1..].bytes().take_while(u8::is_ascii_alphabetic).count();
        let after = &rest[at + 1 + name..];
        // A sign that is escaped, or an accent, is a sign.
        rest = if name > 0 && after.starts_with('{') { &after[1..] } else { &rest[at + 1..] };
    }
    out + rest
}

/// The line of a word or words, whole: as they are or in capitals anywhere, in small letters as a part of an address.
fn stands(text: &str, words: &str) -> Option<usize> {
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let whole = |at: usize, length: usize| {
        !letter(text[..at].chars().next_back()) && !letter(text[at + length..].chars().next())
    };
    let in_address = |at: usize| {
        let start = text[..at].rfind(char::is_whitespace).map_or(0, |before| before + 1);
        let token = text[start..].split_whitespace().next().unwrap_or_default();
        token.contains(['/', '@', '_'])
    };
    let found = |form: &str, address: bool| {
        let mut places = text.match_indices(form).map(|(at, _)| at);
        places.find(|at| whole(*at, form.len()) && (!address || in_address(*at)))
    };
    let several = words.contains(|c: char| !c.is_alphanumeric());
    let places = [
        found(words, false),
        found(&words.to_uppercase(), false),
        // Two words together, or an address, are nobody else's.
        found(&words.to_lowercase(), !several),
    ];
    places.into_iter().flatten().min().map(|at| text[..at].matches('\n').count() + 1)
}

/// The packed streams of a PDF.
fn streams(bytes: &[u8]) -> Vec<Vec<u8>> {
    if !bytes.starts_with(b"%PDF") {
        return Vec::new();
    }
    let places = |text: &'static [u8]| bytes.windows(text.len()).enumerate().filter(move |(_, window)| *window == text);
    let unpacked = |(at, _): (usize, &[u8])| {
        let data = bytes[at + b"stream".len()..].trim_ascii_start();
        decompress_to_vec_zlib_with_limit(data, LARGEST_STREAM).ok()
    };
    places(b"stream").filter_map(unpacked).collect()
}

#[cfg(test)]
mod tests {
    use miniz_oxide::deflate::compress_to_vec_zlib;

    use super::*;

    fn secrets(texts: &[&str]) -> Secrets {
        let mut secrets = Secrets::default();
        texts.iter().for_each(|text| secrets.add(text, "a name"));
        secrets
    }

    #[test]
    fn a_name_is_found_whole_in_tex_and_in_what_a_pdf_packs() {
        let mut pdf = b"%PDF-1.5\n1 0 obj\nstream\n".to_vec();
        pdf.extend(compress_to_vec_zlib(b"/Author (Ana Lee)", 6));
        pdf.extend(b"\nendstream");
        for (path, bytes, found) in [
            ("a.tex", b"one\nby Lee.".to_vec(), "a.tex:2: a name: Lee"),
            ("b.tex", b"Uni \\& S{}\\\"ohne, L\\allowbreak{}ee".to_vec(), "b.tex:1"),
            ("c.pdf", pdf, "c.pdf:1"),
        ] {
            let files = BTreeMap::from([(path.to_owned(), bytes)]);
            let error = secrets(&["Lee"]).check(&files).unwrap_err().to_string();
            assert!(error.contains(found) && error.contains("\nhint: "), "{error}");
        }
        let fine = BTreeMap::from([("a.tex".to_owned(), b"Leeds, sleep, fleet".to_vec())]);
        secrets(&["Lee", "x"]).check(&fine).unwrap();
    }

    #[test]
    fn a_name_is_found_in_every_dress() {
        let known = [
            "Zoë Šmídová-Quux",
            "Šmídová-Quux",
            "Šmídová",
            "Zoë",
            "zoe@testbrno.example",
            "0000-0002-1825-0097",
            "Brno Test",
        ];
        for text in [
            "by Smidova-Quux.",
            "https://github.com/smidova-quux/code",
            "SMIDOVA-QUUX",
            "as Šmídová said",
            "\\textbf{Šmídová}-Quux",
            "0000000218250097",
            "zoe (at) testbrno.example",
            "BRNO TEST",
            "Zoë alone",
        ] {
            let files = BTreeMap::from([("a.tex".to_owned(), text.as_bytes().to_vec())]);
            assert!(secrets(&known).check(&files).is_err(), "{text}");
        }
        let fine = BTreeMap::from([("a.tex".to_owned(), b"the power of one, powerful, at brno".to_vec())]);
        secrets(&["Power", "Brno Test"]).check(&fine).unwrap();
    }

    #[test]
    fn thanks_go_with_their_subsections_and_no_more() {
        let text = "## <a id=\"section-a\"></a>A\n\na\n\n## Acknowledgements\n\nto B\n\n### C\n\nc\n\n## D\n\nd\n";
        assert_eq!(without_thanks(text), "## <a id=\"section-a\"></a>A\n\na\n\n## D\n\nd\n");
    }
}
