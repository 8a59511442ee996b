//! A section's tags -> what they may not: calculate, print what somebody typed, name what there is not. That a template cannot run away
//! is looked at before (`templates/sandbox.rs`); here it is held to print what claims say.

use std::collections::BTreeSet;

use super::pieces::{Kind, Piece, pieces};
use crate::paper::nearest::nearest;

/// What is wrong at a byte of the section.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub at: usize,
    pub what: String,
    pub hint: String,
}

/// Functions, with the arguments that they take, and whether they print.
const FUNCTIONS: [(&str, &[&str], bool); 6] = [
    ("n", &["id"], true),
    ("maybe", &["id"], true),
    ("count", &["id", "one", "many"], true),
    ("says", &["id"], true),
    ("has", &["id"], false),
    ("holds", &["id"], false),
];

/// Words of the language.
const WORDS: [&str; 9] = ["if", "elif", "for", "set", "in", "and", "or", "not", "is"];
const ALWAYS: [&str; 6] = ["loop", "true", "false", "True", "False", "none"];

/// Goes through a section; `known` are the names that the paper gives it.
pub(super) fn wrong(text: &str, known: &BTreeSet<String>) -> Vec<Wrong> {
    let mut reader = Reader { known, loops: Vec::new(), set: Vec::new(), found: Vec::new() };
    for piece in pieces(text) {
        match piece.kind {
            Kind::Tag => reader.tag(&piece),
            Kind::Print => reader.print(&piece),
            _ => {}
        }
    }
    reader.found
}

struct Reader<'a> {
    known: &'a BTreeSet<String>,
    /// Names of open loops' items, two where a loop gives keys, and whether a section has typed them.
    loops: Vec<Vec<(String, bool)>>,
    set: Vec<(String, bool)>,
    found: Vec<Wrong>,
}

impl Reader<'_> {
    fn wrong(&mut self, at: usize, what: String, hint: impl Into<String>) {
        self.found.push(Wrong { at, what, hint: hint.into() });
    }

    fn tag(&mut self, piece: &Piece<'_>) {
        let (at, code) = inside(piece);
        self.expression(at, code);
        let words: Vec<&str> = code.split_whitespace().collect();
        match words.as_slice() {
            ["for", names @ .., "in", list] => {
                let typed = self.is_typed(list);
                let names = names.iter().flat_map(|names| names.split(',')).filter(|name| !name.is_empty());
                self.loops.push(names.map(|name| (name.to_owned(), typed)).collect());
            }
            ["for", ..] => self.loops.push(Vec::new()),
            ["endfor"] => drop(self.loops.pop()),
            ["set", name, "=", value @ ..] => {
                let value = value.join(" ");
                let typed = if is_path(&value) { self.is_typed(&value) } else { !is_call(&value) };
                self.set.push(((*name).to_owned(), typed));
            }
            _ => {}
        }
        // After the loop's own tag, which makes names.
        if !matches!(words.first(), Some(&("else" | "endif" | "endfor"))) {
            self.names(at, code);
        }
    }

    fn print(&mut self, piece: &Piece<'_>) {
        let (at, code) = inside(piece);
        let shown: String = code.chars().take(60).collect();
        if is_path(code) && self.is_typed(code) {
            let hint = "what is put together in a section is typed by hand: print a claim, {{ n(id=\"...\") }}";
            self.wrong(at, format!("`{shown}`: it was set in the section"), hint);
        } else if is_path(code) || is_call(code) {
            self.expression(at, code);
            self.names(at, code);
        } else {
            let hint = "print a claim, {{ n(id=\"...\") }}; what is calculated, templates/claims.yaml computes";
            self.wrong(at, format!("`{shown}`: expected one function or one name to print"), hint);
        }
    }

    /// Nothing is calculated, and functions have the arguments that they take.
    fn expression(&mut self, at: usize, code: &str) {
        let bare = without_texts(code);
        if let Some(place) = bare.find(['+', '-', '/', '%']) {
            let hint = "let templates/claims.yaml compute it, and ask or print the claim";
            let sign: String = bare[place..].chars().take(1).collect();
            self.wrong(at, format!("`{sign}`: a section does not calculate"), hint);
        }
        for (place, arguments) in calls(&bare) {
            let name = word_before(&bare[..place]);
            let Some((_, takes, _)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) else { continue };
            for argument in arguments.split(',').filter_map(|argument| argument.split_once('=')) {
                let argument = argument.0.trim();
                if !takes.contains(&argument) {
                    let hint = "digits and unit are the claim's own: templates/claims.yaml makes another from it";
                    let what = format!("`{name}` takes {}, and no `{argument}`", takes.join(", "));
                    self.wrong(at, what, hint);
                }
            }
        }
    }

    /// Names that the paper gives, or the section.
    fn names(&mut self, at: usize, code: &str) {
        let bare = without_texts(code);
        let mut skip = false;
        for (place, name) in roots(&bare) {
            let (before, after) = (bare[..place].trim_end(), bare[place + name.len()..].trim_start());
            let argument = after.starts_with('=') && !after.starts_with("==");
            let called = after.starts_with('(');
            // What stands behind `is` is a test, and behind `is not`.
            let test = skip;
            skip = name == "is" || (skip && name == "not");
            if test || argument || called || before.ends_with('.') || WORDS.contains(&name) || ALWAYS.contains(&name) {
                continue;
            }
            if !self.known.contains(name) && !self.own().any(|(own, _)| own == name) {
                let near = nearest(name, self.known.iter());
                let what = format!("there is no `{name}` for a section to ask");
                self.wrong(at + place, what, format!("the most similar is `{near}`"));
            }
        }
    }

    fn own(&self) -> impl Iterator<Item = &(String, bool)> {
        self.loops.iter().flatten().chain(&self.set)
    }

    fn is_typed(&self, path: &str) -> bool {
        let root = path.split('.').next().unwrap_or_default();
        self.own().any(|(name, typed)| *typed && name == root)
    }
}

/// A tag without its marks, and where that begins.
fn inside<'a>(piece: &Piece<'a>) -> (usize, &'a str) {
    let code = piece.text.trim_start_matches(['{', '%', '-']).trim_start();
    let start = piece.start + piece.text.len() - code.len();
    (start, code.trim_end_matches(['}', '%', '-']).trim_end())
}

/// The same, with texts as blanks of the same length.
fn without_texts(code: &str) -> String {
    let (mut out, mut open) = (String::with_capacity(code.len()), None);
    for c in code.chars() {
        match open {
            Some(quote) if c == quote => open = None,
            None if "\"'`".contains(c) => open = Some(c),
            None => {
                out.push(c);
                continue;
            }
            Some(_) => {}
        }
        out.extend(std::iter::repeat_n(' ', c.len_utf8()));
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// `f.label`
fn is_path(code: &str) -> bool {
    code.split('.')
        .all(|part| part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && part.chars().all(is_word))
}

/// `n(...)`, and nothing after it.
fn is_call(code: &str) -> bool {
    let bare = without_texts(code);
    let prints = FUNCTIONS.iter().any(|(name, _, prints)| {
        *prints && bare.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('('))
    });
    prints && bare.ends_with(')') && bare.matches('(').count() == 1
}

/// Brackets that open, with what is inside.
fn calls(bare: &str) -> impl Iterator<Item = (usize, &str)> {
    bare.match_indices('(').map(|(at, _)| (at, bare[at + 1..].split(')').next().unwrap_or_default()))
}

fn word_before(text: &str) -> &str {
    text.trim_end().rsplit(|c: char| !is_word(c)).next().unwrap_or_default()
}

/// Words that begin with a letter, with their places.
fn roots(bare: &str) -> impl Iterator<Item = (usize, &str)> {
    let base = bare.as_ptr() as usize;
    let words = bare.split(|c: char| !is_word(c)).filter(|word| word.starts_with(|c: char| !c.is_ascii_digit()));
    words.map(move |word| (word.as_ptr() as usize - base, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let known = ["factors", "several_models"].map(str::to_owned).into();
        wrong(text, &known).into_iter().map(|wrong| format!("{} {}", wrong.at, wrong.what)).collect()
    }

    #[test]
    fn sections_print_claims_and_ask_what_there_is() {
        let fine = "{% for f in factors -%}{% set a = f.by ~ \".\" -%}{{ f.label }} {{- n(id=a ~ \"mean\") -}}{% if f.name == \"a-b\" and not loop.last \
            %}{{ count(id='x', one=\"a/b\", many=\"c\") }}{% elif has(id=\"x\") or several_models %}{% endif %}{% endfor %}{% set b = n(id=\"x\") %}{{ b }}";
        assert_eq!(found(fine), Vec::<String>::new());
    }

    #[test]
    fn what_is_typed_or_calculated_in_a_tag_is_told() {
        for (text, what) in [
            ("{{ 84 / 2 }} s", "3 `84 / 2`: expected one function"),
            ("{{ 7 + 3 }}", "`7 + 3`: expected"),
            ("{{ 7 }}", "`7`: expected"),
            ("{{ \"7\" }}", "`\"7\"`: expected"),
            ("{{ n(id=\"x\") ~ \"7\" }}", "expected one function"),
            ("{{ holds(id=\"x\") }}", "expected one function"),
            ("{% set a = \"7\" %}{{ a }}", "20 `a`: it was set in the section"),
            ("{% set a = 7 %}{% set b = a %}{{ b }}", "`b`: it was set"),
            ("{% set a = \"7\" %}{% for c in a %}{{ c }}{% endfor %}", "`c`: it was set"),
            ("{{ n(id=\"x\", unit=\"ms\") }}", "3 `n` takes id, and no `unit`"),
            ("{% if n(id=\"x\", digits=1) == \"1\" %}{% endif %}", "3 `n` takes id, and no `digits`"),
            ("{% if factors.a - 1 > 2 %}{% endif %}", "`-`: a section does not calculate"),
            ("{% if holdz %}{% endif %}", "6 there is no `holdz`"),
            ("{% for f in factor %}{% endfor %}", "12 there is no `factor`"),
            ("{% for f in factors %}{% endfor %}{{ f.label }}", "there is no `f`"),
        ] {
            let found = found(text);
            assert!(found.len() == 1 && found[0].contains(what), "{text}: {what}: {found:?}");
        }
    }
}
