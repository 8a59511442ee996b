//! A run and its templates -> what a venue takes: a folder of LaTeX that compiles by itself, with what the study does not say for it and,
//! where authors are to be unknown, what was taken out. Pure; writes nothing.

mod anonymous;
mod authors;
pub mod pack;
mod venue;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::{Front, Levels, Templates, context::figures_of, exhibits, marked, marks, tex};
use crate::{analysis::Summary, claims::Claims, store::Run};
pub use anonymous::Secrets;
pub use venue::Venue;

/// What is to be submitted.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    pub run: &'a Run,
    pub summary: &'a Summary,
    pub claims: &'a Claims,
    pub levels: &'a Levels,
    pub templates: &'a Templates,
    pub venue: Venue,
    /// The venue's skin.
    pub skin: &'a str,
    /// Files that the skin names and that no TeX has: classes, styles, logos.
    pub styles: &'a BTreeMap<String, Vec<u8>>,
    /// Are the authors to be unknown?
    pub anonymous: bool,
}

/// A venue's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// By path.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What the venue asks for and the study does not say, a line each.
    pub lacks: Vec<String>,
    /// What was taken out, a line each; nothing unless authors are to be unknown.
    pub removed: Vec<String>,
}

/// What a venue's skin is filled with beside what every skin is.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Venues {
    pub(super) anonymous: bool,
    pub(super) people: Vec<authors::Author>,
    pub(super) places: Vec<authors::Place>,
    pub(super) keyword_list: Vec<String>,
}

/// Makes it.
///
/// # Errors
/// Prose that does not fit the claims, a skin that cannot be filled.
pub fn make(order: &Order<'_>) -> Result<Submission> {
    let Order { run, summary, templates, venue, anonymous, .. } = *order;
    let (claims, removed) =
        if anonymous { anonymous::withheld(order.claims, run) } else { (order.claims.clone(), Vec::new()) };
    let symbolic = marks::strip(&marked(templates, &claims, order.levels, None)?.symbolic);
    let symbolic = if anonymous { anonymous::without_thanks(&symbolic) } else { symbolic };
    let mut front = Front::of(&claims);
    front.command = format!("offprint submission --venue {}", venue.name());
    front.venues = Some(authors::of(&run.study, anonymous));
    if anonymous {
        front.people = super::People::default();
        (front.source, front.records) = (String::new(), String::new());
    }
    let name = venue.skin();
    let source = tex(name, order.skin, &front, &symbolic).with_context(|| format!("--venue {}", venue.name()))?;

    let mut files = BTreeMap::new();
    for (path, bytes) in exhibits(run, summary, figures_of(templates)?.as_ref())? {
        if path.ends_with(".pdf") && source.contains(&format!("{{{path}}}")) {
            files.insert(path, bytes);
        }
    }
    files.insert("paper.tex".to_owned(), source.into_bytes());
    if venue.wants_bibliography() {
        files.insert("references.bib".to_owned(), templates.get("references.bib")?.as_bytes().to_vec());
    }
    if let Some((name, text)) = venue.readme() {
        files.insert(name.to_owned(), text.as_bytes().to_vec());
    }
    files.extend(order.styles.iter().map(|(name, bytes)| (name.clone(), bytes.clone())));
    Ok(Submission { files, lacks: venue.lacks(&run.study, anonymous), removed })
}

/// The venue's skin: the project's where it has one, else this program's.
pub fn skin(venue: Venue, project: Option<&str>) -> Option<String> {
    let own = || venue.own_skin().map(str::to_owned);
    project.map(str::to_owned).or_else(own)
}

/// Files that a skin names (classes, packages, styles, pictures, parts), as they may lie beside it.
pub fn named(skin: &str) -> BTreeSet<String> {
    const COMMANDS: [(&str, &[&str]); 9] = [
        ("\\documentclass", &["cls"]),
        ("\\LoadClass", &["cls"]),
        ("\\LoadClassWithOptions", &["cls"]),
        ("\\usepackage", &["sty"]),
        ("\\RequirePackage", &["sty"]),
        ("\\RequirePackageWithOptions", &["sty"]),
        ("\\bibliographystyle", &["bst"]),
        ("\\input", &["tex", ""]),
        ("\\includegraphics", &["pdf", "png", "jpg", ""]),
    ];
    let mut found = BTreeSet::new();
    for line in skin.lines().map(|line| line.split('%').next().unwrap_or_default()) {
        for (command, extensions) in COMMANDS {
            for rest in line.split(command).skip(1) {
                let rest = rest.trim_start();
                let rest = if rest.starts_with('[') { rest.split_once(']').map_or("", |(_, rest)| rest) } else { rest };
                let inside = rest.trim_start().strip_prefix('{').and_then(|rest| rest.split('}').next());
                for name in inside.unwrap_or_default().split(',').map(str::trim) {
                    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+".contains(c);
                    let inside =
                        !name.is_empty() && !name.starts_with('/') && !name.split('/').any(|part| part == "..");
                    if inside && name.chars().all(plain) {
                        let with = |extension: &&str| {
                            if extension.is_empty() { name.to_owned() } else { format!("{name}.{extension}") }
                        };
                        found.extend(extensions.iter().map(with));
                    }
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skin_s_files_are_known_by_name() {
        let skin = "\\documentclass[10pt]{own} % \\usepackage{not}\n\\usepackage{a, b}\\usepackage[x]{c}\n\\input{../../etc/passwd}\\input{part}\n";
        let found: Vec<String> = named(skin).into_iter().collect();
        assert_eq!(found, ["a.sty", "b.sty", "c.sty", "own.cls", "part", "part.tex"]);
    }
}
