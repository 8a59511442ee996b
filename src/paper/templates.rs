//! The paper's templates: those of this program, or those that came with somebody's records. The latter are looked at
//! first, because a template is a small program: it may loop over the design's levels, ask for claims, and no more.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

/// The texts that the paper is made from, by path under `templates/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Templates {
    files: BTreeMap<String, String>,
}

macro_rules! own {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("../../templates/", $path)))),*]
    };
}

const OWN: [(&str, &str); 17] = own![
    "prose.yaml",
    "references.bib",
    "sections/00-abstract.md",
    "sections/01-introduction.md",
    "sections/02-related-work.md",
    "sections/03-method.md",
    "sections/04-results.md",
    "sections/05-baseline.md",
    "sections/05-published.md",
    "sections/06-discussion.md",
    "sections/07-limitations.md",
    "sections/08-reproducibility.md",
    "sections/09-conclusion.md",
    "sections/10-appendix.md",
    "skins/paper.html",
    "skins/paper.md",
    "skins/paper.tex",
];

/// The limits for templates that are not this program's.
const MOST_BYTES: usize = 2 << 20;
const MOST_FILES: usize = 64;
const MOST_ASSIGNMENTS: usize = 10;
const LONGEST_TAG: usize = 200;
const DEEPEST_BRACKETS: usize = 32;

impl Templates {
    /// This program's.
    pub fn own() -> Self {
        Templates { files: OWN.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect() }
    }

    /// Those that came with records.
    ///
    /// # Errors
    /// One that every paper needs is missing; one that does more than a template of a paper may.
    pub fn from_files(files: BTreeMap<String, String>) -> Result<Self> {
        let templates = Templates { files };
        if templates != Self::own() {
            templates.check()?;
        }
        Ok(templates)
    }

    /// By path under `templates/`.
    pub fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }

    pub(super) fn get(&self, path: &str) -> Result<&str> {
        self.files.get(path).map(String::as_str).with_context(|| format!("templates/{path}: there is no such file"))
    }

    /// The sections by file name, in the paper's order.
    pub(super) fn sections(&self) -> Vec<(&str, &str)> {
        self.files.iter().filter_map(|(path, text)| Some((path.strip_prefix("sections/")?, text.as_str()))).collect()
    }

    fn check(&self) -> Result<()> {
        for path in ["prose.yaml", "references.bib", "skins/paper.html", "skins/paper.md", "skins/paper.tex"] {
            self.get(path)?;
        }
        let bytes: usize = self.files.values().map(String::len).sum();
        ensure!(
            self.files.len() <= MOST_FILES && bytes <= MOST_BYTES,
            "templates/: expected at most {MOST_FILES} files of {MOST_BYTES} bytes, found {} of {bytes}",
            self.files.len()
        );
        for (path, text) in &self.files {
            check_brackets(text).with_context(|| format!("templates/{path}"))?;
            let [open, close] = if path.starts_with("skins/") { ["<%", "%>"] } else { ["{%", "%}"] };
            let [print, printed] = if path.starts_with("skins/") { ["<<", ">>"] } else { ["{{", "}}"] };
            if path.starts_with("skins/") || path.starts_with("sections/") {
                let statements = tags(text, open, close);
                check_statements(&statements).with_context(|| format!("templates/{path}"))?;
                for tag in statements.iter().chain(&tags(text, print, printed)) {
                    check_tag(tag).with_context(|| format!("templates/{path}"))?;
                }
            }
        }
        Ok(())
    }
}

fn tags<'a>(text: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    let pieces = text.split(open).skip(1);
    pieces.map(|piece| piece.split(close).next().unwrap_or(piece).trim_matches('-').trim()).collect()
}

/// Statements that end, and need no more memory than their text lets one expect.
fn check_statements(tags: &[&str]) -> Result<()> {
    let (mut loops, mut assignments) = (Vec::new(), 0);
    for tag in tags {
        let words: Vec<&str> = tag.split_whitespace().collect();
        match words.first().copied().unwrap_or_default() {
            "for" => {
                // What belongs to the outer loop's item is gone through once in all.
                let of_outer = |outer: &&str| matches!(words[..], [_, _, "in", list] if list.split_once('.').is_some_and(|(of, _)| of == *outer));
                ensure!(loops.last().is_none_or(of_outer) && loops.len() < 2, "`{tag}`: a loop inside a loop");
                loops.push(words.get(1).copied().unwrap_or_default());
            }
            "endfor" => drop(loops.pop()),
            "set" => assignments += 1,
            "if" | "elif" | "else" | "endif" => {}
            other => bail!("`{other}`: a template of a paper may only loop, ask and assign"),
        }
        ensure!(assignments <= MOST_ASSIGNMENTS, "`{tag}`: more than {MOST_ASSIGNMENTS} assignments");
    }
    Ok(())
}

/// An expression that is short, calls nothing but the paper's own functions, and at most doubles a value.
fn check_tag(tag: &str) -> Result<()> {
    let shown: String = tag.chars().take(60).collect();
    ensure!(tag.len() <= LONGEST_TAG, "`{shown}…`: more than {LONGEST_TAG} bytes");
    ensure!(!tag.contains(['|', '*', '[']), "`{shown}`: a filter, a product or an index");
    ensure!(tag.matches('~').count() <= 2, "`{shown}`: more than three parts");
    for (at, _) in tag.match_indices('(') {
        let before = tag[..at].trim_end();
        let name = before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        let known = ["", "n", "maybe", "has", "count", "holds", "says", "if", "and", "or", "not"];
        ensure!(known.contains(&name), "`{shown}`: `{name}` is no function of the paper's");
    }
    Ok(())
}

/// Parsers go as deep as their text does.
fn check_brackets(text: &str) -> Result<()> {
    let mut depth = 0_usize;
    for c in text.chars() {
        match c {
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' | '>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        ensure!(depth <= DEEPEST_BRACKETS, "brackets deeper than {DEEPEST_BRACKETS}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_under_templates_is_built_in() {
        let mut found = Vec::new();
        // Skins of venues are no part of a paper's own templates: bundles have none of them.
        for folder in ["templates", "templates/sections", "templates/skins"] {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    found.push(path.strip_prefix("templates").unwrap().display().to_string());
                }
            }
        }
        found.sort();
        assert_eq!(found, Templates::own().files().keys().cloned().collect::<Vec<_>>());
    }

    /// The rules for templates of others do not refuse what ours do.
    #[test]
    fn our_own_templates_pass_the_check() {
        Templates::own().check().unwrap();
    }

    #[test]
    fn a_template_that_could_run_away_is_refused() {
        let hostile = [
            "{% for i in range(end=1000000000) %}{% endfor %}",
            "{% for a in cells %}{% for b in cells %}x{% endfor %}{% endfor %}",
            "{% for beside in cells %}{% for b in beside %}x{% endfor %}{% endfor %}",
            "{% for a in beside %}{% for b in a.absolute %}{% for c in b.x %}x{% endfor %}{% endfor %}{% endfor %}",
            "{% for a in beside %}{% continue %}{% endfor %}",
            "{% set_global a = 1 %}",
            "{% include \"x\" %}",
            "{{ n(id=\"a\") | repeat(n=9) }}",
            "{{ get_env(name=\"HOME\") }}",
            "{{ now() }}",
            &"{% set a = a ~ a %}".repeat(11),
            &"(".repeat(100),
            &format!("{{{{ {} }}}}", "a".repeat(1000)),
        ];
        for text in hostile {
            let mut files = Templates::own().files().clone();
            files.insert("sections/00-abstract.md".to_owned(), text.to_owned());
            assert!(Templates::from_files(files).is_err(), "{text}");
        }
        let mut files = Templates::own().files().clone();
        files.remove("skins/paper.md");
        assert!(Templates::from_files(files).unwrap_err().to_string().contains("skins/paper.md"));
    }
}
