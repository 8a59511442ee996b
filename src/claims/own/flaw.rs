//! What is wrong with `claims.yaml`: where, what, and the way out. All faults are told at once, each as `file:line:column: key: what`.

use anyhow::{Error, anyhow};

use super::node::Node;
use crate::study::{Place, locate};

/// Something wrong in an expression or a text, at a byte of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flaw {
    pub at: usize,
    pub what: String,
    pub hint: String,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The file has to be mended.
    Wrong,
    /// The key stands for the second time.
    Twice,
    /// No run is there. Pairs of which one half is missing are left out.
    NoRuns,
    /// These runs do not tell, others of the same design may: a predicate on it is inconclusive.
    NotKnown,
}

impl Flaw {
    pub fn new(at: usize, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Flaw { at, what: what.into(), hint: hint.into(), kind: Kind::Wrong }
    }

    pub fn is(self, kind: Kind) -> Self {
        Flaw { kind, ..self }
    }

    /// The same, of what stands behind the key at `path`.
    pub fn of(self, path: impl Into<String>) -> Fault {
        Fault { path: path.into(), flaw: self }
    }
}

/// A flaw of what stands behind a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// `claims.speedup.value`
    pub path: String,
    pub flaw: Flaw,
}

/// More are counted: each is looked for in the file by reading it again.
const MOST_TOLD: usize = 40;

/// All of them as one error.
pub(super) fn error(file: &str, text: &str, faults: &[Fault]) -> Error {
    let root = Node::read(text).unwrap_or(Node::Nothing);
    let told = |fault: &Fault| {
        let Fault { path, flaw: Flaw { at, what, kind, .. } } = fault;
        // `speedup: a / b` has no key `value`.
        let short = path.strip_suffix(".value").filter(|path| root.text(path).is_some());
        let path = short.unwrap_or(path);
        let (parent, key) = path.rsplit_once('.').unwrap_or(("", path));
        let second = if *kind == Kind::Twice { locate::repeated_key(text, parent, key) } else { None };
        let place = locate::value(text, path).map(|place| moved(text, place, root.text(path), *at));
        let place = second.or(place);
        let place = place.map_or(String::new(), |Place { line, column }| format!(":{line}:{column}"));
        let key = if path.is_empty() { String::new() } else { format!("{path}: ") };
        format!("{file}{place}: {key}{what}")
    };
    if let [one] = faults {
        return anyhow!("{}\nhint: {}", told(one), one.flaw.hint);
    }
    let mut lines: Vec<String> =
        faults.iter().take(MOST_TOLD).map(|fault| format!("{}\n    {}", told(fault), fault.flaw.hint)).collect();
    if faults.len() > MOST_TOLD {
        lines.push(format!("{file}: {} more", faults.len() - MOST_TOLD));
    }
    anyhow!("{file} has {} faults\n{}\nhint: docs/CLAIMS.md has the whole language", faults.len(), lines.join("\n"))
}

/// The place of a byte of a value that begins at `place`: its characters are looked for one after the other, since a text may be
/// folded over lines or have escapes in it.
fn moved(text: &str, place: Place, value: Option<&str>, at: usize) -> Place {
    let Some(value) = value.filter(|value| at <= value.len()) else { return place };
    let start: usize = text.split_inclusive('\n').take(place.line - 1).map(str::len).sum();
    let line = &text[start..];
    let from = start + line.char_indices().nth(place.column - 1).map_or(0, |(byte, _)| byte);
    let mut rest = &text[from..];
    // `|` and `>` stand in the line before their text.
    if rest.starts_with(['|', '>']) {
        rest = rest.split_once('\n').map_or("", |(_, below)| below);
    } else {
        rest = rest.strip_prefix(['"', '\'']).unwrap_or(rest);
    }
    let mut found = rest;
    for c in value.char_indices().take_while(|(byte, _)| *byte <= at).map(|(_, c)| c).filter(|c| !c.is_whitespace()) {
        let Some(next) = rest.find(c) else { return place };
        found = &rest[next..];
        rest = &found[c.len_utf8()..];
    }
    // What is missing at the end stands behind the last character.
    let offset = text.len() - if value[at..].trim().is_empty() { rest.len() } else { found.len() };
    let before = &text[..offset];
    let begin = before.rfind('\n').map_or(0, |newline| newline + 1);
    Place { line: before.matches('\n').count() + 1, column: before[begin..].chars().count() + 1 }
}

/// `did you mean …`, or what there is.
pub(super) fn did_you_mean<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    // A name of 2,000 letters is nobody's slip.
    let short = found.chars().count() <= 100;
    let distance = |name: &str| strsim::damerau_levenshtein(found, name);
    let nearest = known.iter().filter(|_| short).map(|name| (distance(name), *name)).min();
    match nearest {
        // Of names of one sign, every other is as near.
        Some((apart, name)) if apart <= name.len() / 3 + 1 && apart < found.chars().count() => {
            format!("did you mean `{name}`?")
        }
        _ if known.is_empty() => "there is none here".to_owned(),
        _ => {
            const MOST: usize = 24;
            let more = if known.len() > MOST { format!(" and {} more", known.len() - MOST) } else { String::new() };
            format!("there is {}{more}", known.iter().take(MOST).copied().collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_of_a_value_is_found_in_every_style() {
        let at = |text: &str, path: &str, what: &str| {
            let root = Node::read(text).unwrap();
            let value = root.text(path).unwrap();
            let place = moved(text, locate::value(text, path).unwrap(), Some(value), value.find(what).unwrap());
            (place.line, place.column)
        };
        assert_eq!(at("a: {b: mean(x) / y}\n", "a.b", "/"), (1, 16));
        assert_eq!(at("a: \"mean(x) / y\"\n", "a", "/"), (1, 13));
        assert_eq!(at("a: 'it''s / y'\n", "a", "/"), (1, 11));
        assert_eq!(at("a: |-\n  one -\n  two - /\n", "a", "/"), (3, 9));
        assert_eq!(at("a: >\n  mean(x)\n  / y\n", "a", "/"), (3, 3));
        assert_eq!(at("a: mean(x)\n  / é * y\n", "a", "*"), (2, 7));
        assert_eq!(at("é: {ü: \"(\\\"x\\\") / y\"}\n", "é.ü", "/"), (1, 17));
    }

    #[test]
    fn names_are_mended_or_listed() {
        assert_eq!(did_you_mean("decod", ["decode", "ttft"]), "did you mean `decode`?");
        assert_eq!(did_you_mean("zzz", ["decode", "ttft"]), "there is decode, ttft");
        assert_eq!(did_you_mean(&"x".repeat(5000), ["a"]), "there is a");
    }
}
