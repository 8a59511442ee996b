//! The sections' source, before it is filled -> faults: a digit typed by hand, a claim that does not exist or that nothing
//! uses, a judgement outside of a predicate. Each fault has its place and the way out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::nearest::nearest;
use crate::claims::{Claims, Id, Value};

/// `templates/prose.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    /// Sections that speak of data; all of them but those in `free`, where it is absent.
    pub results: Option<BTreeSet<String>>,
    /// Sections that do not.
    #[serde(default)]
    pub free: BTreeSet<String>,
    /// Words that judge, with the predicates that may.
    #[serde(default)]
    pub judgements: BTreeMap<String, Vec<String>>,
    /// Families of claims that no section needs; `**` is anything. Absent: no section need use any.
    pub published: Option<Vec<String>>,
}

impl Rules {
    /// `text` is `prose.yaml`'s.
    ///
    /// # Errors
    /// No such rules, or a section both in `results` and in `free`.
    pub fn read(text: &str) -> Result<Self> {
        let rules: Rules = serde_yaml::from_str(text)
            .context("templates/prose.yaml\nhint: its keys are free (or results), judgements and published")?;
        let results = rules.results.iter().flatten();
        if let Some(both) = results.into_iter().find(|section| rules.free.contains(*section)) {
            bail!("templates/prose.yaml: `{both}` is in `results` and in `free`\nhint: leave it in one of them");
        }
        Ok(rules)
    }

    fn is_results(&self, section: &str) -> bool {
        self.results.as_ref().map_or_else(|| !self.free.contains(section), |results| results.contains(section))
    }

    /// Sections that the rules name and that there are not.
    fn missing<'a>(&'a self, sections: &[(&str, &str)]) -> Vec<&'a str> {
        let named = self.results.iter().flatten().chain(&self.free).map(String::as_str);
        named.filter(|name| sections.iter().all(|(section, _)| section != name)).collect()
    }
}

/// What is wrong at a place of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub file: String,
    /// From 1, in characters.
    pub line: usize,
    pub column: usize,
    pub what: String,
    pub hint: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { file, line, column, what, hint } = self;
        write!(out, "templates/sections/{file}:{line}:{column}: {what}\n    {hint}")
    }
}

/// Refuses sections with faults, and claims that none of them uses.
///
/// # Errors
/// All faults, in order.
pub(super) fn check(sections: &[(&str, &str)], claims: &Claims, rules: &Rules) -> Result<()> {
    let faults = sections.iter().flat_map(|(file, text)| faults(file, text, claims, rules));
    let mut list: Vec<String> = faults.map(|fault| fault.to_string()).collect();
    list.extend(
        rules
            .missing(sections)
            .iter()
            .map(|name| format!("templates/prose.yaml: it names `{name}`\n    templates/sections/ has no such file")),
    );
    list.extend(unused(sections, claims, rules).iter().map(|family| {
        format!("claims.json: no section uses `{family}`\n    print it with {{{{ n(id=...) }}}}, stop computing it, or list it under `published`")
    }));
    if list.is_empty() {
        return Ok(());
    }
    bail!("the sections break the rules of prose\n{}\nhint: the rules are in templates/prose.yaml", list.join("\n"))
}

/// Reads one section.
pub(super) fn faults(file: &str, text: &str, claims: &Claims, rules: &Rules) -> Vec<Fault> {
    let results = rules.is_results(file);
    let mut found = Vec::new();
    // For each open `if` or loop: does it ask a predicate? May what it holds be left out, so that its claims need not be there?
    // So it is where it asks whether there is a claim, or looks at what a design may not have.
    let (mut asks, mut may_lack) = (Vec::new(), Vec::new());
    for piece in pieces(text) {
        match piece.kind {
            Kind::Tag => {
                let code = piece.text.trim_matches(['{', '}', '%', '-']).trim();
                match code.split_whitespace().next() {
                    Some("if" | "for") => {
                        asks.push(code.contains("holds("));
                        may_lack.push(code.contains("has(") || !code.contains('('));
                    }
                    Some("endif" | "endfor") => {
                        asks.pop();
                        may_lack.pop();
                    }
                    _ => {}
                }
                unknown(file, text, &piece, claims, &mut found);
            }
            // What is printed only where there is such a claim need not be there.
            Kind::Print if may_lack.contains(&true) => {}
            Kind::Print => unknown(file, text, &piece, claims, &mut found),
            Kind::Words if results => {
                digits(file, text, &piece, claims, &mut found);
                if !asks.contains(&true) {
                    judgements(file, text, &piece, rules, &mut found);
                }
            }
            Kind::Words | Kind::Literal => {}
        }
    }
    found
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `{% ... %}`
    Tag,
    /// `{{ ... }}`
    Print,
    /// Code, formulas, references, comments: not prose.
    Literal,
    Words,
}

#[derive(Debug)]
struct Piece<'a> {
    kind: Kind,
    text: &'a str,
    start: usize,
}

/// Opening and closing marks of what is not prose. The first that fits counts, so longer ones stand first.
const MARKS: [(&str, &str, Kind); 11] = [
    ("{%", "%}", Kind::Tag),
    ("{{", "}}", Kind::Print),
    ("{#", "#}", Kind::Literal),
    ("```", "```", Kind::Literal),
    ("`", "`", Kind::Literal),
    ("$", "$", Kind::Literal),
    ("[@", "]", Kind::Literal),
    ("[table:", "]", Kind::Literal),
    ("](", ")", Kind::Literal),
    ("“", "”", Kind::Literal),
    ("\"", "\"", Kind::Literal),
];

/// A template as a sequence of code, literals and words.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut found, mut at, mut words) = (Vec::new(), 0, 0);
    while at < text.len() {
        let rest = &text[at..];
        let mark = MARKS.iter().find(|(open, ..)| rest.starts_with(open));
        let end =
            mark.and_then(|(open, close, _)| Some(at + open.len() + rest[open.len()..].find(close)? + close.len()));
        let (Some((_, _, kind)), Some(end)) = (mark, end) else {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        };
        if words < at {
            found.push(Piece { kind: Kind::Words, text: &text[words..at], start: words });
        }
        found.push(Piece { kind: *kind, text: &text[at..end], start: at });
        (at, words) = (end, end);
    }
    if words < text.len() {
        found.push(Piece { kind: Kind::Words, text: &text[words..], start: words });
    }
    found
}

fn fault(file: &str, text: &str, at: usize, what: String, hint: String) -> Fault {
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Fault {
        file: file.to_owned(),
        line: before.matches('\n').count() + 1,
        column: text[line_start..at].chars().count() + 1,
        what,
        hint,
    }
}

/// Words with their place, split where Markdown and typography split them.
fn words<'a>(piece: &Piece<'a>) -> impl Iterator<Item = (usize, &'a str)> {
    let (start, text) = (piece.start, piece.text);
    let base = text.as_ptr() as usize;
    text.split(|c: char| c.is_whitespace() || "|(),;:*!?–—".contains(c))
        .filter(|word| !word.is_empty())
        .map(move |word| (start + word.as_ptr() as usize - base, word))
}

/// A number is a word of digits; with a letter beside them it is a name (`SHA-256`, `M4`), and so is `@table:x1`.
fn digits(file: &str, text: &str, piece: &Piece<'_>, claims: &Claims, found: &mut Vec<Fault>) {
    for (at, word) in words(piece) {
        let name = word.chars().any(char::is_alphabetic) || word.starts_with('@');
        // A list's own numbers.
        let item = word.ends_with('.') && text[..at].rsplit('\n').next().is_some_and(|line| line.trim().is_empty());
        if name || item || !word.contains(|c: char| c.is_ascii_digit()) {
            continue;
        }
        let number = word.trim_end_matches(['.', '%']);
        let fits =
            claims.claims.iter().find(|(_, claim)| claim.text == number && !matches!(claim.value, Value::Text(_)));
        let hint = match fits {
            Some((id, _)) => format!("{{{{ n(id=\"{id}\") }}}} prints this number today, and the right one tomorrow"),
            None => "no claim has this value: let one compute it (templates/claims.yaml), put a name in `...`, or leave it out".to_owned(),
        };
        found.push(fault(file, text, at, format!("the number `{number}` is typed by hand"), hint));
    }
}

fn judgements(file: &str, text: &str, piece: &Piece<'_>, rules: &Rules, found: &mut Vec<Fault>) {
    for (at, word) in words(piece) {
        let plain = word.trim_end_matches('.').to_lowercase();
        let Some(predicates) = rules.judgements.get(&plain) else { continue };
        let hint = match predicates.first() {
            Some(id) => format!(
                "{{{{ says(id=\"{id}\") }}}} says what the data allow; or ask it: {{% if holds(id=\"{id}\") %}}"
            ),
            None => "no predicate can justify it: write what was measured instead".to_owned(),
        };
        found.push(fault(file, text, at, format!("`{plain}` judges data outside of a predicate"), hint));
    }
}

/// Ids that are written out in full. Those put together from pieces are looked up when the section is filled.
fn unknown(file: &str, text: &str, piece: &Piece<'_>, claims: &Claims, found: &mut Vec<Fault>) {
    for (call, needed) in [("n(id=\"", true), ("count(id=\"", true), ("holds(id=\"", true), ("says(id=\"", true)] {
        for (at, _) in piece.text.match_indices(call) {
            // `holds(` ends in no other call's name, but `n(` is the end of many.
            if piece.text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') || !needed {
                continue;
            }
            let rest = &piece.text[at + call.len()..];
            let Some((id, after)) = rest.split_once('"') else { continue };
            let predicate = call.starts_with(['h', 's']);
            let known: Vec<&Id> =
                if predicate { claims.predicates.keys().collect() } else { claims.claims.keys().collect() };
            if after.trim_start().starts_with(')') && !known.iter().any(|known| &***known == id) {
                let kind = if predicate { "predicate" } else { "claim" };
                let hint = format!("the most similar is `{}`", nearest(id, known.into_iter()));
                found.push(fault(file, text, piece.start + at, format!("there is no {kind} `{id}`"), hint));
            }
        }
    }
}

/// Claims that no section asks for, by family: what differs in a level or in the metric only is one family, and one use is
/// enough for it. Families that are published for other readers are listed in the rules.
pub(super) fn unused(sections: &[(&str, &str)], claims: &Claims, rules: &Rules) -> Vec<String> {
    let Some(published) = &rules.published else { return Vec::new() };
    let used: Vec<Vec<String>> = sections.iter().flat_map(|(_, text)| asked(text)).collect();
    let mut families: BTreeMap<String, bool> = BTreeMap::new();
    for id in claims.claims.keys() {
        let here = used.iter().any(|pattern| matches(pattern, id));
        *families.entry(id.family()).or_default() |= here;
    }
    let published = |family: &String| published.iter().any(|pattern| matches(&globs(pattern), family));
    families.into_iter().filter(|(family, used)| !used && !published(family)).map(|(family, _)| family).collect()
}

/// The ids that a section asks for, as pieces between which anything may stand: `g ~ ".mean"` is `["", ".mean"]`.
fn asked(text: &str) -> Vec<Vec<String>> {
    let code = pieces(text).into_iter().filter(|piece| matches!(piece.kind, Kind::Print | Kind::Tag));
    let calls = code.flat_map(|piece| piece.text.split("(id=").skip(1).filter_map(|rest| rest.split(')').next()));
    calls
        .map(|expression| {
            let mut parts = vec![String::new()];
            for part in expression.split('~').map(str::trim) {
                match part.strip_prefix('"').and_then(|part| part.strip_suffix('"')) {
                    Some(literal) => parts.last_mut().into_iter().for_each(|last| last.push_str(literal)),
                    None => parts.push(String::new()),
                }
            }
            parts
        })
        .collect()
}

fn globs(pattern: &str) -> Vec<String> {
    pattern.split("**").map(str::to_owned).collect()
}

/// Do the pieces stand in the text in this order, the first at its start, the last at its end?
fn matches(pattern: &[String], text: &str) -> bool {
    let [first, middle @ .., last] = pattern else { return pattern.first().is_some_and(|only| only == text) };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
    for part in middle {
        let Some(at) = rest.find(part.as_str()) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        claims::{CLAIMS_SCHEMA, Claim, Predicate, Runs, Source},
        metric::Metric,
    };

    fn claims() -> Claims {
        let claim = |value: f64| Claim {
            value: Value::Number(value),
            unit: "s".into(),
            text: value.to_string(),
            ..Claim::of("", &Runs::default())
        };
        let latency = Metric::Latency;
        let ids = [
            Id::root().metric(latency).word("mean"),
            Id::by("length", "64").metric(latency).word("mean"),
            Id::by("length", "128").metric(latency).word("mean"),
            Id::new("drift.slope"),
            Id::root().metric(latency).word("se"),
        ];
        Claims {
            schema: CLAIMS_SCHEMA.into(),
            source: Source { run_id: String::new(), sha256: String::new() },
            claims: ids.into_iter().zip([25.8, 11.7, 21.9, 0.1, 1.9]).map(|(id, value)| (id, claim(value))).collect(),
            predicates: BTreeMap::from([("latency.linear".into(), Predicate::said(None, "", ""))]),
        }
    }

    fn rules() -> Rules {
        Rules {
            results: Some(BTreeSet::from(["04.md".to_owned()])),
            free: BTreeSet::new(),
            judgements: BTreeMap::from([
                ("linear".to_owned(), vec!["latency.linear".to_owned()]),
                ("fast".to_owned(), vec![]),
            ]),
            published: Some(vec!["**.se".to_owned()]),
        }
    }

    /// `line:column what`, and the hint.
    fn found(file: &str, text: &str) -> Vec<(String, String)> {
        let faults = faults(file, text, &claims(), &rules());
        faults.into_iter().map(|f| (format!("{}:{} {}", f.line, f.column, f.what), f.hint)).collect()
    }

    #[test]
    fn a_typed_digit_is_found_with_the_claim_that_has_its_value() {
        let text = "It takes\nabout **25.8** s, or 7 %.";
        let found = found("04.md", text);
        assert_eq!(found[0].0, "2:9 the number `25.8` is typed by hand");
        assert!(found[0].1.starts_with("{{ n(id=\"latency.mean\") }}"), "{found:?}");
        assert_eq!(found[1].0, "2:22 the number `7` is typed by hand");
        assert!(found[1].1.starts_with("no claim has this value"));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn names_references_formulas_and_code_may_have_digits() {
        let text = "1. SHA-256 on an M4 [@llama3], `runs 5`, $n - 1$, @table:t1, \"9\".\n{{ n(id=\"latency.mean\") }}{% if x == 3 %}{% endif %}";
        assert_eq!(found("04.md", text), []);
        assert_eq!(found("03.md", "Sections without data may say 25.8 and linear."), []);
    }

    #[test]
    fn a_judgement_needs_a_predicate() {
        let [first, second] = found("04.md", "Growth is linear, and fast.").try_into().unwrap();
        assert_eq!(first.0, "1:11 `linear` judges data outside of a predicate");
        assert!(first.1.starts_with("{{ says(id=\"latency.linear\") }}"), "{}", first.1);
        assert!(second.1.starts_with("no predicate can justify it"), "{}", second.1);
        let asked =
            "{% if holds(id=\"latency.linear\") %}It is linear.{% else %}{% if x %}not linear{% endif %}{% endif %}";
        assert_eq!(found("04.md", asked), []);
        assert_eq!(found("04.md", &format!("{asked} linear")).len(), 1);
        assert_eq!(found("04.md", "{% if other %}linear{% endif %}").len(), 1);
    }

    #[test]
    fn an_unknown_id_has_a_place_and_the_nearest() {
        let found =
            found("01.md", "x\n  {{ n(id=\"latency.meen\") }} {{ says(id=\"latency.mean\") }} {{ n(id=\"a.\" ~ b) }}");
        assert_eq!(found[0].0, "2:6 there is no claim `latency.meen`");
        assert_eq!(found[0].1, "the most similar is `latency.mean`");
        assert_eq!((found[1].0.as_str(), found.len()), ("2:33 there is no predicate `latency.mean`", 2));
        let guarded = "{% if has(id=\"latency.sd\") %}{{ n(id=\"latency.sd\") }}{% endif %}{{ n(id=\"latency.sd\") }}";
        assert_eq!(self::found("01.md", guarded).len(), 1, "only the one that is printed whatever there is");
        let of_design = "{% if published %}{{ n(id=\"x\") }}{% for a in b %}{{ n(id=\"y\") }}{% endfor %}{% endif %}{{ n(id=\"z\") }}";
        assert_eq!(self::found("01.md", of_design).len(), 1);
    }

    #[test]
    fn a_family_that_nothing_asks_for_is_unused() {
        let sections = [(
            "04.md",
            "{{ n(id=\"latency.mean\") }}{% set g = \"by_length.\" ~ l %}{{ n(id=g ~ \".latency.mean\") }}",
        )];
        assert_eq!(unused(&sections, &claims(), &rules()), ["drift.slope"]);
        let error = check(&sections, &claims(), &rules()).unwrap_err().to_string();
        assert!(error.contains("claims.json: no section uses `drift.slope`"), "{error}");
    }
}
