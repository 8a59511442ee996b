//! Papers -> a SARIF 2.1.0 log (OASIS, 2020) of one run. Files are named by URIs relative to where the command was called.

use std::{
    collections::BTreeSet,
    env,
    path::{Component, Path},
};

use serde_json::{Value, json};

use super::{
    checked::{Outcome, Paper},
    code,
    files::Unread,
    rules,
};
use crate::lint::{Finding, Sure};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// `all`: what agrees is there as `pass`, and what is silenced with its answer as a suppression.
pub fn log(outcomes: &[Outcome], all: bool) -> Value {
    let (mut results, mut unread) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Outcome::Unread(one) => unread.push(notification(one)),
            Outcome::Paper(paper) => {
                results.extend(paper.report.findings.iter().map(|finding| found(paper, finding)));
                if all {
                    results.extend(silenced(paper));
                    results.extend(agreed(paper));
                }
            }
        }
    }
    let named: BTreeSet<&str> = results.iter().filter_map(|result| result["ruleId"].as_str()).collect();
    let rules: Vec<Value> = named.into_iter().map(rule).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "offprint lint", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "invocations": [{
                "executionSuccessful": unread.is_empty(),
                "exitCode": code(outcomes),
                "toolExecutionNotifications": unread,
            }],
            "results": results,
        }],
    })
}

fn rule(name: &str) -> Value {
    match rules::description(name) {
        Some(what) => json!({ "id": name, "shortDescription": { "text": what } }),
        None => json!({ "id": name }),
    }
}

fn found(paper: &Paper, finding: &Finding) -> Value {
    let level = match finding.sure {
        Sure::Error => "error",
        Sure::Warning => "warning",
    };
    let text = format!("{}; follows: {}, because {}", finding.stated, finding.follows, finding.why);
    result(paper, finding.rule, level, &text, (&finding.file, finding.line))
}

fn silenced(paper: &Paper) -> impl Iterator<Item = Value> {
    paper.report.silenced.iter().map(|(finding, reason)| {
        let mut result = found(paper, finding);
        result["suppressions"] = json!([{ "kind": "inSource", "justification": reason }]);
        result
    })
}

fn agreed(paper: &Paper) -> impl Iterator<Item = Value> {
    paper.report.agreed.iter().map(|one| {
        let mut result = result(paper, one.rule, "none", &format!("{} agrees", one.stated), (&one.file, one.line));
        result["kind"] = json!("pass");
        result
    })
}

/// A page, a paragraph and a cell are no lines: they are said in words.
fn result(paper: &Paper, rule: &str, level: &str, text: &str, (file, line): (&str, usize)) -> Value {
    let artifact = json!({ "uri": uri(file) });
    let (text, location) = match paper.unit.name() {
        None => {
            let region = json!({ "startLine": line.max(1) });
            (text.to_owned(), json!({ "physicalLocation": { "artifactLocation": artifact, "region": region } }))
        }
        Some(name) => {
            let place = format!("{name} {line}");
            let location =
                json!({ "physicalLocation": { "artifactLocation": artifact }, "message": { "text": place } });
            (format!("{place}: {text}"), location)
        }
    };
    json!({ "ruleId": rule, "level": level, "message": { "text": text }, "locations": [location] })
}

fn notification(unread: &Unread) -> Value {
    json!({
        "level": "error",
        "message": { "text": format!("{}; hint: {}", unread.why, unread.hint) },
        "locations": [{ "physicalLocation": { "artifactLocation": { "uri": uri(&unread.name) } } }],
    })
}

/// From the current folder, with slashes; whole where the file lies elsewhere.
fn uri(file: &str) -> String {
    let path = Path::new(file);
    let here = env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(&here).unwrap_or(path);
    let mut uri = String::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::RootDir => uri += "file://",
            Component::Prefix(prefix) => uri += &format!("file:///{}", encoded(&prefix.as_os_str().to_string_lossy())),
            Component::ParentDir | Component::Normal(_) => {
                let separate = !uri.is_empty();
                uri += if separate { "/" } else { "" };
                uri += &encoded(&component.as_os_str().to_string_lossy());
            }
        }
    }
    uri
}

/// RFC 3986: all but unreserved characters as `%XX`.
fn encoded(segment: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    segment
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_uri() {
        let here = env::current_dir().expect("a folder").join("a.md").display().to_string();
        for (file, expected) in [
            ("a.md", "a.md"),
            ("./my paper/ä:1%.md", "my%20paper/%C3%A4%3A1%25.md"),
            ("../a.md", "../a.md"),
            ("-", "-"),
            (here.as_str(), "a.md"),
        ] {
            assert_eq!(uri(file), expected, "{file}");
        }
        if cfg!(unix) {
            assert_eq!(uri("/else where/a.md"), "file:///else%20where/a.md");
        }
    }
}
