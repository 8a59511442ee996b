//! The sections' source, before it is filled -> faults: a digit typed by hand, a claim that does not exist or that nothing
//! uses, a judgement outside of a predicate. Each fault has its place and the way out.

mod branches;
mod code;
mod pieces;
mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use anyhow::{Result, anyhow, bail};
use serde::Deserialize;

use super::nearest::nearest;
use crate::{
    claims::{Claim, Claims, Id, Value, own::Own, words::is_number},
    study::read::of_later,
};
use branches::Branches;
use pieces::{Kind, Piece, pieces};
use words::{Emphasis, Run, Word, hidden, spoken, words};

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
        let rules: Rules = serde_yaml::from_str(text).map_err(|error| {
            let place = error.location().map_or_else(String::new, |at| format!(":{}:{}", at.line(), at.column()));
            let message = error.to_string();
            let later = message.strip_prefix("unknown field `").and_then(|rest| of_later(rest.split('`').next()?));
            let hint = later.unwrap_or_else(|| "its keys are free (or results), judgements and published".to_owned());
            anyhow!("templates/prose.yaml{place}: {message}\nhint: {hint}")
        })?;
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

/// What sections are read against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub claims: &'a Claims,
    pub rules: &'a Rules,
    pub own: Option<&'a Own>,
    /// Names that the paper gives its sections.
    pub names: &'a BTreeSet<String>,
}

/// Refuses sections with faults, and claims that none of them uses.
///
/// # Errors
/// All faults, in order.
pub(super) fn check(sections: &[(&str, &str)], known: &Known<'_>) -> Result<()> {
    let Known { claims, rules, own, names } = known;
    let mut list: Vec<String> = Vec::new();
    for (file, text) in sections {
        let of_code =
            code::wrong(text, names).into_iter().map(|found| fault(file, text, found.at, found.what, found.hint));
        let mut faults: Vec<Fault> = faults(file, text, claims, rules).into_iter().chain(of_code).collect();
        faults.sort_by_key(|fault| (fault.line, fault.column));
        list.extend(faults.iter().map(Fault::to_string));
    }
    list.extend(
        rules
            .missing(sections)
            .iter()
            .map(|name| format!("templates/prose.yaml: it names `{name}`\n    templates/sections/ has no such file")),
    );
    list.extend(own.iter().flat_map(|own| own.words()).filter_map(|(key, text)| judged(&key, text, rules)));
    list.extend(unused(sections, claims, rules).iter().map(|family| {
        format!("claims.json: no section uses `{family}`\n    print it with {{{{ n(id=...) }}}}, stop computing it, or list it under `published`")
    }));
    if list.is_empty() {
        return Ok(());
    }
    bail!("the sections break the rules of prose\n{}\nhint: the rules are in templates/prose.yaml", list.join("\n"))
}

/// A number's own text judges nothing: a predicate may.
fn judged(key: &str, text: &str, rules: &Rules) -> Option<String> {
    let said = words(&[Run::Prose { start: 0, text }], Emphasis::Looks);
    let forms = said.iter().flat_map(|word| spoken(&word.text));
    let word = forms.into_iter().find(|form| rules.judgements.contains_key(form))?;
    Some(format!(
        "templates/claims.yaml: {key}: `{word}` judges data\n    a predicate's `says:` may, beside `holds:`, which it rests on"
    ))
}

/// Reads one section.
pub(super) fn faults(file: &str, text: &str, claims: &Claims, rules: &Rules) -> Vec<Fault> {
    let section = Section { file, text, claims, rules };
    let results = rules.is_results(file);
    let (mut branches, mut found) = (Branches::default(), Vec::new());
    let mut prose = Prose::default();
    for piece in pieces(text) {
        match piece.kind {
            Kind::Tag => {
                prose.tag();
                branches.pass(piece.text.trim_matches(['{', '}', '%', '-']).trim());
                section.unknown(&piece, &mut found);
            }
            Kind::Print => {
                prose.gap();
                // What is printed only where there is such a claim need not be there.
                if !branches.may_lack() {
                    section.unknown(&piece, &mut found);
                }
                if results {
                    for (start, text) in given(&piece) {
                        prose.push(start, text, &branches);
                        prose.gap();
                    }
                }
                prose.gap();
            }
            Kind::Literal => prose.gap(),
            Kind::Words => prose.push(piece.start, piece.text, &branches),
            Kind::Comment => {}
        }
    }
    if results {
        section.numbers(&prose, &mut found);
        section.judgements(&prose, &mut found);
    }
    found.sort_by_key(|fault| (fault.line, fault.column));
    found.dedup();
    found
}

/// The prose of a section, and what is known where.
#[derive(Default)]
struct Prose<'a> {
    /// A tag ends a word in these, ...
    apart: Vec<Run<'a>>,
    /// ... and prints nothing in those: `fas{% if x %}ter{% endif %}`.
    joined: Vec<Run<'a>>,
    /// From so many bytes on.
    branches: Vec<(usize, Branches)>,
}

impl<'a> Prose<'a> {
    fn push(&mut self, start: usize, text: &'a str, branches: &Branches) {
        let run = Run::Prose { start, text };
        self.apart.push(run);
        self.joined.push(run);
        self.branches.push((start, branches.clone()));
    }

    fn tag(&mut self) {
        self.apart.push(Run::Gap);
    }

    fn gap(&mut self) {
        self.apart.push(Run::Gap);
        self.joined.push(Run::Gap);
    }

    fn branches(&self, at: usize) -> Option<&Branches> {
        let after = self.branches.partition_point(|(start, _)| *start <= at);
        self.branches.get(after.checked_sub(1)?).map(|(_, branches)| branches)
    }
}

/// The words that `count` is given.
fn given<'a>(piece: &Piece<'a>) -> BTreeMap<usize, &'a str> {
    let (start, text) = (piece.start, piece.text);
    let words = ["one=", "many="].into_iter().flat_map(move |name| text.match_indices(name));
    let words = words.filter_map(move |(at, name)| {
        let rest = &text[at + name.len()..];
        let quote = rest.chars().next().filter(|c| ['"', '\'', '`'].contains(c))?;
        let inside = rest[1..].split(quote).next()?;
        Some((start + at + name.len() + 1, inside))
    });
    words.collect()
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

/// A section that is read.
struct Section<'a> {
    file: &'a str,
    text: &'a str,
    claims: &'a Claims,
    rules: &'a Rules,
}

impl Section<'_> {
    fn fault(&self, at: usize, what: String, hint: String) -> Fault {
        fault(self.file, self.text, at, what, hint)
    }

    fn numbers(&self, prose: &Prose<'_>, found: &mut Vec<Fault>) {
        for Word { at, text: word } in words(&prose.apart, Emphasis::Ends) {
            let before = self.text[..at].rsplit('\n').next().unwrap_or_default();
            // A list's own numbers.
            let item = word.ends_with('.') && before.trim().is_empty();
            if !item && is_number(&word) {
                let number = word.trim_matches('_').trim_end_matches('.').trim_end_matches('%');
                found.push(self.fault(at, format!("the number `{number}` is typed by hand"), self.number(number)));
            }
        }
        for run in &prose.apart {
            let Run::Prose { start, text } = run else { continue };
            found.extend(hidden(text).map(|(at, name)| {
                let hint = "write the character as it is";
                self.fault(start + at, format!("`&{name};` hides a character"), hint.to_owned())
            }));
        }
    }

    /// What to write instead of a number.
    fn number(&self, typed: &str) -> String {
        let end = typed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(typed.len());
        let fits = |claim: &Claim| claim.text == typed[..end] && !matches!(claim.value, Value::Text(_));
        match self.claims.claims.iter().find(|(_, claim)| fits(claim)) {
            Some((id, _)) => format!("{{{{ n(id=\"{id}\") }}}} prints this number today, and the right one tomorrow"),
            None => "no claim has this value: let one compute it (templates/claims.yaml), put a name in `...`, or leave it out".to_owned(),
        }
    }

    fn judgements(&self, prose: &Prose<'_>, found: &mut Vec<Fault>) {
        let apart = words(&prose.apart, Emphasis::Looks);
        for Word { at, text: word } in apart.into_iter().chain(words(&prose.joined, Emphasis::Looks)) {
            let judging = spoken(&word).into_iter().find_map(|form| Some((self.rules.judgements.get(&form)?, form)));
            let Some((predicates, plain)) = judging else { continue };
            if prose.branches(at).is_some_and(|branches| branches.ask(predicates)) {
                continue;
            }
            let hint = match predicates.first() {
                Some(id) => format!(
                    "{{{{ says(id=\"{id}\") }}}} says what the data allow; or say it where it holds: {{% if holds(id=\"{id}\") %}}"
                ),
                None => "no predicate can justify it: write what was measured instead, or name one of your own in prose.yaml".to_owned(),
            };
            found.push(self.fault(at, format!("`{plain}` judges data outside of a predicate"), hint));
        }
    }

    /// Ids that are written out in full. Those put together from pieces are looked up when the section is filled.
    fn unknown(&self, piece: &Piece<'_>, found: &mut Vec<Fault>) {
        for call in ["n(id=\"", "count(id=\"", "holds(id=\"", "says(id=\""] {
            for (at, _) in piece.text.match_indices(call) {
                // `holds(` ends in no other call's name, but `n(` is the end of many.
                if piece.text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                    continue;
                }
                let rest = &piece.text[at + call.len()..];
                let Some((id, after)) = rest.split_once('"') else { continue };
                let predicate = call.starts_with(['h', 's']);
                let known: Vec<&Id> = if predicate {
                    self.claims.predicates.keys().collect()
                } else {
                    self.claims.claims.keys().collect()
                };
                if after.trim_start().starts_with(')') && !known.iter().any(|known| &***known == id) {
                    let kind = if predicate { "predicate" } else { "claim" };
                    let other = if predicate {
                        self.claims.claims.contains_key(id)
                    } else {
                        self.claims.predicates.contains_key(id)
                    };
                    let hint = match (other, predicate) {
                        (true, false) => format!("`{id}` is a predicate: {{{{ says(id=\"{id}\") }}}}"),
                        (true, true) => format!("`{id}` is a claim: {{{{ n(id=\"{id}\") }}}}"),
                        (false, _) => format!("the most similar is `{}`", nearest(id, known.into_iter())),
                    };
                    found.push(self.fault(piece.start + at, format!("there is no {kind} `{id}`"), hint));
                }
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
    fn names_references_and_code_may_have_digits() {
        let text = "1. SHA-256 on an M4 [@llama3], `runs 5`, @table:t1, \"9\".\n{{ n(id=\"latency.mean\") }}{% if x == 3 %}{% endif %}";
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
            "{% if holds(id=\"latency.linear\") %}It is linear.{% else %}{% if x %}not so{% endif %}{% endif %}";
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
        let (claims, rules) = (claims(), rules());
        let known = Known { claims: &claims, rules: &rules, own: None, names: &BTreeSet::from(["l".to_owned()]) };
        let error = check(&sections, &known).unwrap_err().to_string();
        assert!(error.contains("claims.json: no section uses `drift.slope`"), "{error}");
    }
}
