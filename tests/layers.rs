//! The module table of `lib.rs` is the architecture: a module may use only those listed above it. Inside a module, files may use each
//! other in any order that is one: no circle.

#![allow(clippy::unwrap_used)] // a test may: it fails where it should

use std::{
    collections::{BTreeMap, BTreeSet},
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

/// Code without comments and without its unit tests, in which `super` is the file itself.
fn code(source: &str) -> String {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or("");
    source.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// Every path that begins with `crate`, `super` or `self`, from the crate's root; `here` is the file's own.
fn paths(code: &str, here: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for beginning in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(beginning) {
            // Not `super::super::` for a second time, nor the end of another word.
            if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let (mut base, mut rest) = (here.to_vec(), &code[at..]);
            loop {
                if let Some(more) = rest.strip_prefix("super::") {
                    base.pop();
                    rest = more;
                } else if let Some(more) = rest.strip_prefix("crate::") {
                    base.clear();
                    rest = more;
                } else if let Some(more) = rest.strip_prefix("self::") {
                    rest = more;
                } else {
                    break;
                }
            }
            expand(&base, rest, &mut found);
        }
    }
    found
}

/// `a::{b, c::d}` behind a path: a path each. Returns what follows.
fn expand<'a>(base: &[String], tree: &'a str, found: &mut Vec<Vec<String>>) -> &'a str {
    let tree = tree.trim_start();
    if let Some(mut rest) = tree.strip_prefix('{') {
        while !rest.trim_start().is_empty() && !rest.trim_start().starts_with('}') {
            rest = expand(base, rest, found).trim_start().trim_start_matches(',');
        }
        return rest.trim_start().get(1..).unwrap_or("");
    }
    let end = tree.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '*')).unwrap_or(tree.len());
    let (name, rest) = tree.split_at(end);
    let path: Vec<String> = base.iter().cloned().chain(Some(name.to_owned()).filter(|name| name != "self")).collect();
    match rest.strip_prefix("::") {
        Some(more) => expand(&path, more, found),
        None => {
            found.push(path);
            // `as other`, or a character that is no part of a list.
            let next = rest.find([',', '}']).unwrap_or(rest.len());
            if end == 0 && next == 0 { rest.get(1..).unwrap_or("") } else { &rest[next..] }
        }
    }
}

/// Who uses whom among the files and folders of each folder: by folder, pairs of names.
type Uses = BTreeMap<Vec<String>, BTreeSet<(String, String)>>;

/// `files`: a module's path from the root and its source; `mod.rs` is its folder's own and stands for no sibling.
fn uses_inside(files: &[(Vec<String>, bool, String)]) -> Uses {
    let modules: BTreeSet<&[String]> = files.iter().map(|(path, ..)| path.as_slice()).collect();
    let mut uses = Uses::new();
    for (here, is_folder, source) in files {
        for used in paths(&code(source), here) {
            // Behind the longest path that both share, each is one of the folder's own.
            let shared = here.iter().zip(&used).take_while(|(a, b)| a == b).count();
            let (Some(from), Some(to)) = (here.get(shared), used.get(shared)) else { continue };
            let is_module = modules.contains(&used[..=shared]);
            // What a folder's `mod.rs` takes from inside is not a use of a sibling.
            if is_module && !(*is_folder && shared == here.len()) {
                uses.entry(here[..shared].to_vec()).or_default().insert((from.clone(), to.clone()));
            }
        }
    }
    uses
}

/// Every circle: the names in it that reach themselves.
fn circles(uses: &Uses) -> Vec<String> {
    let mut found = Vec::new();
    for (folder, pairs) in uses {
        let reach = |from: &str| {
            let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
            while let Some(name) = open.pop() {
                open.extend(
                    pairs.iter().filter(|(a, b)| a == name && seen.insert(b.as_str())).map(|(_, b)| b.as_str()),
                );
            }
            seen
        };
        let names: BTreeSet<&str> = pairs.iter().map(|(from, _)| from.as_str()).collect();
        let round: Vec<&str> = names.into_iter().filter(|name| reach(name).contains(name)).collect();
        if !round.is_empty() {
            let used = pairs.iter().filter(|(a, b)| round.contains(&a.as_str()) && round.contains(&b.as_str()));
            let used: Vec<String> = used.map(|(a, b)| format!("{a} -> {b}")).collect();
            found.push(format!("src/{}: {}", folder.join("/"), used.join(", ")));
        }
    }
    found
}

/// Is the file compiled for tests only? Its folder's `mod.rs` says so.
fn is_for_tests(path: &Path) -> bool {
    let above = fs::read_to_string(path.with_file_name("mod.rs")).unwrap_or_default();
    let name = path.file_stem().unwrap().to_string_lossy();
    above.contains(&format!("#[cfg(test)]\nmod {name};"))
}

#[test]
fn files_of_a_module_use_each_other_in_no_circle() {
    let mut files = Vec::new();
    for path in sources(Path::new("src")) {
        let inside = path.strip_prefix("src").unwrap().with_extension("");
        let mut module: Vec<String> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let is_folder = module.last().is_some_and(|last| last == "mod");
        if is_folder {
            module.pop();
        }
        if !is_for_tests(&path) && !["lib", "main"].contains(&module[0].as_str()) {
            files.push((module, is_folder, fs::read_to_string(&path).unwrap()));
        }
    }
    let uses = uses_inside(&files);
    assert!(uses.values().map(BTreeSet::len).sum::<usize>() > 200, "uses are found: {uses:?}");
    let found = circles(&uses);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_circle_is_found() {
    let file = |path: &str, source: &str| {
        let is_folder = path.ends_with("/");
        let path = path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        (path, is_folder, source.to_owned())
    };
    let two = |a: &str, b: &str| {
        let files = [
            file("m/", "mod a; mod b; mod c;"),
            file("m/a", a),
            file("m/b", b),
            file("m/c/", ""),
            file("m/c/d", "use super::super::a::A;"),
        ];
        circles(&uses_inside(&files))
    };
    assert_eq!(two("use super::b::B;", "use super::a::A;"), ["src/m: a -> b, b -> a"]);
    assert_eq!(two("use super::{\n    b::{self, C},\n};", "fn f() { crate::m::a::g() }"), ["src/m: a -> b, b -> a"]);
    assert_eq!(two("use crate::{x::{Y, Z}, m::{c::D, T}};", ""), ["src/m: a -> c, c -> a"]);
    assert!(two("use super::b::B;", "// super::a\n#[cfg(test)]\nmod tests {\n    use super::a::A;\n}").is_empty());
    assert!(two("use super::b::B;", "use super::Other;").is_empty());
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
