//! `claims.yaml` -> entries whose expressions, units and texts are read; or every fault of it. Knows no study.

use std::collections::BTreeSet;

use super::{
    flaw::{Fault, Flaw, Kind, did_you_mean},
    node::Node,
    parse::{self, FUNCTIONS},
    template::Template,
    tree::{Compared, Expression},
    unit::Unit,
    wording,
};
use crate::{metric::Metric, study::read::of_later};

/// All of it, in the file's order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Document {
    pub claims: Vec<Own>,
    pub predicates: Vec<Judged>,
    pub elsewhere: Vec<Elsewhere>,
}

/// A number of one's own.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Own {
    pub name: String,
    pub value: Expression,
    pub paired: Vec<String>,
    pub unit: Option<Unit>,
    pub text: Option<Template>,
}

/// A judgement of one's own.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judged {
    pub name: String,
    pub holds: Vec<Compared>,
    pub fails: Option<Vec<Compared>>,
    pub says: [Option<Template>; 3],
}

/// The keys of `says`.
pub(super) const SAYS: [&str; 3] = ["holds", "fails", "else"];

/// A number that somebody else has printed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Elsewhere {
    pub name: String,
    pub value: f64,
    pub unit: Unit,
    pub printed: String,
    pub source: String,
    pub url: Option<String>,
}

const MOST_ENTRIES: usize = 2_000;

/// What a run has beside its metrics.
pub(super) const COUNTS: [&str; 6] = ["n_gen", "n_prompt", "max_tokens", "order", "block", "repeat"];

/// # Errors
/// Everything that is wrong, in the file's order.
pub(super) fn read(root: Node) -> Result<Document, Vec<Fault>> {
    let mut reader = Reader { faults: Vec::new(), names: BTreeSet::new() };
    let mut document = Document::default();
    let keys = match root {
        Node::Nothing => Vec::new(),
        root => reader.keys("", root, &["claims", "predicates", "elsewhere"]),
    };
    for (section, node) in keys {
        let node = if node == Node::Nothing { Node::Keys(Vec::new()) } else { node };
        let entries = reader.named(&section, node);
        for (name, node) in entries {
            let path = format!("{section}.{name}");
            match section.as_str() {
                "claims" => document.claims.extend(reader.own(&path, name, node)),
                "predicates" => document.predicates.extend(reader.judged(&path, name, node)),
                _ => document.elsewhere.extend(reader.elsewhere(&path, name, node)),
            }
        }
    }
    if reader.faults.is_empty() { Ok(document) } else { Err(reader.faults) }
}

struct Reader {
    faults: Vec<Fault>,
    /// Of claims, predicates and numbers from elsewhere: they share one name space, as ids do.
    names: BTreeSet<String>,
}

type Entries = Vec<(String, Node)>;

impl Reader {
    fn fault(&mut self, path: &str, what: impl Into<String>, hint: impl Into<String>) {
        self.faults.push(Flaw::new(0, what, hint).of(path));
    }

    fn twice(&mut self, path: &str, what: &str, hint: &str) {
        self.faults.push(Flaw::new(0, what, hint).is(Kind::Twice).of(path));
    }

    fn flawed<T>(&mut self, path: &str, read: Result<T, Flaw>) -> Option<T> {
        read.map_err(|flaw| self.faults.push(flaw.of(path))).ok()
    }

    /// The entries of a mapping, each known key once.
    fn keys(&mut self, path: &str, node: Node, known: &[&str]) -> Entries {
        let Node::Keys(entries) = node else {
            let hint = format!("the keys here are {}", known.join(", "));
            self.fault(path, format!("expected keys and values, found {}", node.told()), hint);
            return Vec::new();
        };
        let mut kept: Entries = Vec::new();
        for (key, node) in entries {
            let at = if path.is_empty() { shown(&key) } else { format!("{path}.{}", shown(&key)) };
            if !known.contains(&key.as_str()) {
                let near = || did_you_mean(&key, known.iter().copied());
                let hint = of_later(&key).filter(|_| path.is_empty()).unwrap_or_else(near);
                self.fault(&at, "unknown key", hint);
            } else if kept.iter().any(|(other, _)| *other == key) {
                self.twice(&at, "expected the key once, found it twice", "keep one of the two");
            } else {
                kept.push((key, node));
            }
        }
        kept
    }

    /// The entries of a section: any names, each once in the file.
    fn named(&mut self, section: &str, node: Node) -> Entries {
        let Node::Keys(entries) = node else {
            let what = format!("expected names, each with its keys, found {}", node.told());
            self.fault(section, what, "for example: speedup: {value: \"mean(decode) / 2 tok/s\"}");
            return Vec::new();
        };
        if entries.len() > MOST_ENTRIES {
            let what = format!("expected at most {MOST_ENTRIES} entries, found {}", entries.len());
            self.fault(section, what, "a paper with more numbers of its own is several papers");
            return Vec::new();
        }
        let mut kept = Vec::new();
        for (name, node) in entries {
            let path = format!("{section}.{}", shown(&name));
            if let Err((what, hint)) = check_name(&name) {
                self.fault(&path, what, hint);
            } else if self.names.insert(name.clone()) {
                kept.push((name, node));
            } else {
                let hint = "claims, predicates and numbers from elsewhere need names that differ";
                self.twice(&path, "the name stands in the file already", hint);
            }
        }
        kept
    }

    fn text(&mut self, path: &str, node: Node) -> Option<String> {
        match node {
            Node::Text(text) => Some(text),
            other => {
                let hint = "set it in double quotes";
                self.fault(path, format!("expected a text, found {}", other.told()), hint);
                None
            }
        }
    }

    /// A bare number is an expression, too.
    fn expression(&mut self, path: &str, node: Node) -> Option<Expression> {
        let text = match node {
            Node::Number(number) => number.to_string(),
            node => self.text(path, node)?,
        };
        self.flawed(path, parse::expression(&text))
    }

    fn comparisons(&mut self, path: &str, node: Node) -> Option<Vec<Compared>> {
        let text = self.text(path, node)?;
        self.flawed(path, parse::comparisons(&text))
    }

    fn template(&mut self, path: &str, node: Node) -> Option<Template> {
        let text = self.text(path, node)?;
        let read = Template::read(&text).and_then(|read| wording::numbers(&read).map(|()| read));
        self.flawed(path, read)
    }

    fn unit(&mut self, path: &str, node: Node) -> Option<Unit> {
        let text = match node {
            Node::Number(number) => number.to_string(),
            node => self.text(path, node)?,
        };
        let unit = Unit::read(&text);
        let unit = unit.map_err(|part| {
            let part: String = part.chars().take(40).collect();
            Flaw::new(0, format!("there is no unit `{part}`"), did_you_mean(&part, Unit::names()))
        });
        self.flawed(path, unit)
    }

    fn missing(&mut self, path: &str, key: &str, example: &str) {
        self.fault(path, format!("expected the key `{key}`, found none"), format!("add `{key}: {example}`"));
    }

    fn own(&mut self, path: &str, name: String, node: Node) -> Option<Own> {
        let before = self.faults.len();
        // `first: mean(ttft)` is a value and nothing else.
        let node = match node {
            Node::Text(_) | Node::Number(_) => Node::Keys(vec![("value".to_owned(), node)]),
            node => node,
        };
        let (mut value, mut paired, mut unit, mut text) = (None, Vec::new(), None, None);
        let entries = self.keys(path, node, &["value", "paired", "unit", "text"]);
        for (key, node) in entries {
            let at = format!("{path}.{key}");
            match key.as_str() {
                "value" => value = self.expression(&at, node),
                "paired" => paired = self.names_of(&at, node),
                "unit" => unit = self.unit(&at, node),
                _ => text = self.template(&at, node),
            }
        }
        if self.faults.len() > before {
            return None;
        }
        if value.is_none() {
            self.missing(path, "value", "\"mean(decode | length = 64)\"");
        }
        if let Some(template) = &text {
            for (at, slot, _) in template.slots().filter(|(_, slot, _)| !["value", "low", "high"].contains(slot)) {
                let hint = did_you_mean(slot, ["value", "low", "high"]);
                let flaw = Flaw::new(at, format!("expected {{value}}, {{low}} or {{high}}, found `{{{slot}}}`"), hint);
                self.faults.push(flaw.of(format!("{path}.text")));
            }
            if self.faults.len() == before && template.slots().all(|(_, slot, _)| slot != "value") {
                let hint = "a text puts the number into words: \"{value:.2} times\"";
                self.fault(&format!("{path}.text"), "expected a place for the number, `{value}`, found none", hint);
            }
        }
        Some(Own { name, value: value?, paired, unit, text }).filter(|_| self.faults.len() == before)
    }

    /// A list of names.
    fn names_of(&mut self, path: &str, node: Node) -> Vec<String> {
        let list = match node {
            Node::List(list) => list,
            Node::Text(one) => vec![Node::Text(one)],
            other => {
                let hint = "name the factors in which the runs of a pair agree: [prompt, length]";
                self.fault(path, format!("expected a list of factors, found {}", other.told()), hint);
                return Vec::new();
            }
        };
        let mut names: Vec<String> = Vec::new();
        for node in list {
            let Some(name) = self.text(path, node) else { continue };
            if names.contains(&name) {
                self.fault(path, format!("expected `{}` once, found it twice", shown(&name)), "keep one of the two");
            } else {
                names.push(name);
            }
        }
        if names.is_empty() {
            let hint = "name the factors in which the runs of a pair agree: [prompt, length]";
            self.fault(path, "expected a factor, found none", hint);
        }
        names
    }

    fn judged(&mut self, path: &str, name: String, node: Node) -> Option<Judged> {
        let before = self.faults.len();
        let (mut holds, mut fails, mut says) = (None, None, None);
        let entries = self.keys(path, node, &["holds", "fails", "says"]);
        for (key, node) in entries {
            let at = format!("{path}.{key}");
            match key.as_str() {
                "holds" => holds = self.comparisons(&at, node),
                "fails" => fails = self.comparisons(&at, node),
                _ => says = Some(self.says(&at, node)),
            }
        }
        if self.faults.len() > before {
            return None;
        }
        if holds.is_none() {
            self.missing(path, "holds", "\"speedup.low > 1.05\"");
        }
        match &says {
            None => self.missing(path, "says", "{holds: \"…\", fails: \"…\", else: \"…\"}"),
            Some(says) => {
                let wanted = [true, fails.is_some(), true];
                for (place, key) in SAYS.iter().enumerate() {
                    let path = format!("{path}.says");
                    match (&says[place], wanted[place]) {
                        (None, true) => self.missing(&path, key, "\"the sentence for it\""),
                        (Some(_), false) => {
                            let hint = "say with `fails:` when it is false, as `holds:` says when it is true";
                            self.fault(&path, "a sentence for `fails`, and no `fails:` that leads to it", hint);
                        }
                        _ => {}
                    }
                }
            }
        }
        Some(Judged { name, holds: holds?, fails, says: says? }).filter(|_| self.faults.len() == before)
    }

    fn says(&mut self, path: &str, node: Node) -> [Option<Template>; 3] {
        let mut says = [None, None, None];
        let entries = self.keys(path, node, &SAYS);
        for (key, node) in entries {
            let template = self.template(&format!("{path}.{key}"), node);
            if let Some(place) = SAYS.iter().position(|known| *known == key) {
                says[place] = template;
            }
        }
        says
    }

    fn elsewhere(&mut self, path: &str, name: String, node: Node) -> Option<Elsewhere> {
        let before = self.faults.len();
        let (mut value, mut unit, mut printed, mut source, mut url) = (None, None, None, None, None);
        let entries = self.keys(path, node, &["value", "unit", "printed", "source", "url"]);
        for (key, node) in entries {
            let at = format!("{path}.{key}");
            match key.as_str() {
                "value" => match node {
                    Node::Number(number) if number.is_finite() => value = Some(number),
                    other => {
                        let hint = "write a number such as 51.9, with no quotes, and its unit under `unit`";
                        self.fault(&at, format!("expected a number, found {}", other.told()), hint);
                    }
                },
                "unit" => unit = self.unit(&at, node),
                "printed" => printed = self.text(&at, node),
                "source" => source = self.text(&at, node).filter(|source| !source.trim().is_empty()),
                _ => url = self.text(&at, node),
            }
        }
        if self.faults.len() > before {
            return None;
        }
        if value.is_none() {
            self.missing(path, "value", "51.9");
        }
        if unit.is_none() {
            self.missing(path, "unit", "tok/s");
        }
        if source.is_none() {
            self.missing(path, "source", "\"Smith 2025, Table 2\"");
        }
        let printed = printed.or_else(|| value.map(|value: f64| value.to_string()));
        if let (Some(value), Some(printed)) = (value, &printed)
            && !is_print_of(printed, value)
        {
            let what = format!("expected {value} as somebody prints it, found {printed:?}");
            self.fault(&format!("{path}.printed"), what, "`value` and `printed` are one number: mend the wrong one");
        }
        if let (Some(unit), Some(printed)) = (&unit, &printed) {
            let words = printed.trim_start_matches(|c: char| !c.is_alphabetic() && c != '%');
            self.flawed(&format!("{path}.printed"), wording::behind(unit, words));
        }
        if let Some(url) = url.as_ref().filter(|url| !is_web(url)) {
            let what = format!("expected an address that begins with https:// or http://, found {:?}", shown(url));
            self.fault(&format!("{path}.url"), what, "leave it out where there is none");
        }
        let found = Elsewhere { name, value: value?, unit: unit?, printed: printed?, source: source?, url };
        Some(found).filter(|_| self.faults.len() == before)
    }
}

fn is_web(url: &str) -> bool {
    (url.starts_with("https://") || url.starts_with("http://"))
        && !url.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// Is it the number, to as many digits as are printed? Groups, a real minus and what stands around it are the printer's.
fn is_print_of(printed: &str, value: f64) -> bool {
    let plain: String =
        printed.replace('−', "-").chars().filter(|c| !" ,'\u{202f}\u{2009}\u{a0}".contains(*c)).collect();
    let digits: String = plain.chars().filter(|c| c.is_ascii_digit() || ".-".contains(*c)).collect();
    let decimals = digits.split_once('.').map_or(0, |(_, after)| after.len());
    let unit = 0.5 * (0..decimals.min(300)).fold(1.0, |unit, _| unit / 10.0);
    digits.parse::<f64>().is_ok_and(|read| (read - value).abs() <= unit * (1.0 + 1e-9))
}

/// A key in a message, and as a part of a path.
fn shown(key: &str) -> String {
    key.chars().take(60).map(|c| if c.is_control() || ".[]".contains(c) { '_' } else { c }).collect()
}

/// Words that mean something else in an expression.
fn check_name(name: &str) -> Result<(), (String, String)> {
    let shown = shown(name);
    let form = "a name begins with a letter, and has letters, digits and `_`: first_token_64";
    let fits = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.len() <= 64
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !fits {
        return Err((format!("expected a name of at most 64 signs, found `{shown}`"), form.to_owned()));
    }
    let taken = if FUNCTIONS.contains(&name) {
        "a function"
    } else if Metric::named(name).is_some() {
        "a metric"
    } else if COUNTS.contains(&name) {
        "a number of every run"
    } else if Unit::known(name).is_some() {
        "a unit"
    } else if ["and", "in", "value", "low", "high"].contains(&name) {
        "a word of the language"
    } else {
        return Ok(());
    };
    Err((format!("`{name}` is {taken} already"), format!("call it otherwise: my_{name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<(String, String)> {
        let faults = read(Node::read(text).unwrap()).unwrap_err();
        assert!(faults.iter().all(|fault| !fault.flaw.hint.is_empty()));
        faults.into_iter().map(|fault| (fault.path, fault.flaw.what)).collect()
    }

    #[test]
    fn a_whole_file_is_read() {
        let text = r#"
claims:
  speedup:
    value: "mean(decode | engine = mlx) / mean(decode | engine = llama-cpp)"
    paired: [prompt, length]
    unit: "1"
    text: "{value:.2} times"
  short: median(ttft)
  two: 2
predicates:
  faster: {holds: "speedup.low > 1.05", fails: "speedup.high < 1", says: {holds: a, fails: b, else: c}}
elsewhere:
  theirs: {value: 51.9, unit: tok/s, printed: "51.90", source: "Smith 2025", url: "https://example.org/"}
  minus: {value: -1234.5, unit: 1, printed: "−1,234.5", source: x}
"#;
        let document = read(Node::read(text).unwrap()).unwrap();
        assert_eq!((document.claims.len(), document.predicates.len(), document.elsewhere.len()), (3, 1, 2));
        assert_eq!(document.claims[0].paired, ["prompt", "length"]);
        assert_eq!(read(Node::read("").unwrap()).unwrap(), Document::default());
        assert_eq!(read(Node::read("claims:\n").unwrap()).unwrap(), Document::default());
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let text = r#"
claims:
  mean: {value: "1"}
  a: {value: "mean(", unit: furlong, text: "{"}
  b: {vlue: "1"}
  c: {unit: s}
  d: {value: "1", text: "{valve}"}
  a: {value: "1"}
  "x y": {value: "1"}
  e: {value: "1", value: "2"}
  f: [1]
  g: {value: "1", paired: []}
predicates:
  p: {holds: "a > 1"}
  q: {holds: "a > 1", says: {holds: x, fails: y, else: z}}
  a: {holds: "c > 1", says: {holds: x, else: z}}
elsewhere:
  u: {value: "51.9", unit: tok/s, source: x}
  v: {value: 51.9, unit: tok/s, printed: "52.1", source: x, url: ftp://x}
  w: {value: 1}
other: 1
"#;
        let found = faults(text);
        let wanted = [
            ("claims.mean", "a function already"),
            ("claims.a", "in the file already"),
            ("claims.x y", "expected a name"),
            ("claims.a.value", "expected a metric"),
            ("claims.a.unit", "no unit `furlong`"),
            ("claims.a.text", "a brace alone"),
            ("claims.b.vlue", "unknown key"),
            ("claims.c", "the key `value`"),
            ("claims.d.text", "found `{valve}`"),
            ("claims.e.value", "found it twice"),
            ("claims.f", "found a list"),
            ("claims.g.paired", "found none"),
            ("predicates.a", "in the file already"),
            ("predicates.p", "the key `says`"),
            ("predicates.q.says", "no `fails:`"),
            ("elsewhere.u.value", "found the text"),
            ("elsewhere.v.printed", "expected 51.9 as somebody prints it"),
            ("elsewhere.v.url", "expected an address"),
            ("elsewhere.w", "the key `unit`"),
            ("elsewhere.w", "the key `source`"),
            ("other", "unknown key"),
        ];
        for (path, what) in wanted {
            assert!(found.iter().any(|fault| fault.0 == path && fault.1.contains(what)), "{path}: {what}: {found:#?}");
        }
        assert_eq!(found.len(), wanted.len(), "{found:#?}");
    }
}
