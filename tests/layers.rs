//! The module table of `lib.rs` is the architecture: a module may use only those listed above it.

#![allow(clippy::unwrap_used)] // a test may: it fails where it should

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// `pub mod` lines of `lib.rs`, in order.
fn modules() -> Vec<String> {
    let source = fs::read_to_string("src/lib.rs").unwrap();
    source.lines().filter_map(|line| line.strip_prefix("pub mod ")?.split(';').next()).map(str::to_owned).collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Crate-level modules named after `crate::` in code (comments are not code), with their line.
fn uses(source: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_group = false;
    for (index, line) in source.lines().enumerate() {
        let code = line.split("//").next().unwrap_or("");
        for rest in code.split("crate::").skip(1) {
            if rest.starts_with('{') {
                in_group = true;
            } else {
                found.push((index + 1, rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()));
            }
        }
        if in_group {
            let body = code.split("crate::{").last().unwrap_or("");
            let mut depth = 0usize;
            for part in body.split_inclusive([',', '{', '}']) {
                let name: String = part.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if depth == 0 && !name.is_empty() {
                    found.push((index + 1, name));
                }
                match part.chars().last() {
                    Some('{') => depth += 1,
                    Some('}') => depth = depth.saturating_sub(1),
                    _ => {}
                }
            }
            in_group = !code.contains(';');
        }
    }
    found
}

/// Every use that goes down the table.
fn violations(modules: &[String], files: &[(String, PathBuf, String)]) -> Vec<String> {
    let place: BTreeMap<&str, usize> = modules.iter().enumerate().map(|(i, m)| (m.as_str(), i)).collect();
    let mut found = Vec::new();
    for (module, path, source) in files {
        for (line, used) in uses(source) {
            if let (Some(here), Some(there)) = (place.get(module.as_str()), place.get(used.as_str()))
                && there > here
            {
                found.push(format!("{}:{line}: `{module}` uses `{used}`, which stands below it", path.display()));
            }
        }
    }
    found
}

#[test]
fn a_module_uses_only_those_above_it() {
    let modules = modules();
    assert!(modules.len() > 10, "lib.rs lists the modules");
    let mut files = Vec::new();
    for path in sources(Path::new("src")) {
        let inside = path.strip_prefix("src").unwrap();
        let module = inside.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_owned();
        files.push((module, path.clone(), fs::read_to_string(&path).unwrap()));
    }
    let found = violations(&modules, &files);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_use_downwards_is_found() {
    let modules = vec!["record".to_owned(), "analysis".to_owned(), "claims".to_owned()];
    let source =
        "use crate::{\n    analysis::Summary,\n    record::RunRecord,\n};\n// crate::claims in a comment is no use\n";
    let file = |module: &str| vec![(module.to_owned(), PathBuf::from("x.rs"), source.to_owned())];
    assert!(violations(&modules, &file("claims")).is_empty());
    assert_eq!(violations(&modules, &file("record")).len(), 1);
    let nested = "use crate::{record::{claims, RunRecord}, claims::Claim};";
    assert_eq!(uses(nested), [(1, "record".to_owned()), (1, "claims".to_owned())]);
}
