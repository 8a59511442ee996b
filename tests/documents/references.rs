//! What documents refer to, in links and in code: files, headings, targets, verbs, switches, claims.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use regex::Regex;

use crate::{documents, none, read};

/// Code of a document, a span or a line each, with its line's number; and the text with code left out.
fn code_and_text(text: &str) -> (Vec<(usize, String)>, String) {
    let span = Regex::new("`([^`]+)`").unwrap();
    let (mut code, mut rest, mut fenced, mut above) = (Vec::new(), String::new(), false, "");
    for (index, line) in text.lines().enumerate() {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        let indented = line.starts_with("    ") && (above.is_empty() || above.starts_with("    "));
        if fenced || indented {
            code.push((index + 1, line.trim().to_owned()));
        } else if !fence {
            code.extend(span.captures_iter(line).map(|one| (index + 1, one[1].to_owned())));
            rest += &span.replace_all(line, "");
        }
        rest.push('\n');
        above = line;
    }
    (code, rest)
}

/// Names that headings have as anchors, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen = BTreeMap::new();
    let headings = text
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim().to_lowercase());
    headings
        .map(|heading| {
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            let name: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
            let before = seen.entry(name.clone()).and_modify(|n| *n += 1).or_insert(0);
            if *before == 0 { name } else { format!("{name}-{before}") }
        })
        .collect()
}

fn broken_links(path: &Path, text: &str) -> Vec<String> {
    let link = Regex::new(r#"(?:\]\(|src=")([^)"\s]+)[)"]"#).unwrap();
    let mut found = Vec::new();
    for (index, line) in code_and_text(text).1.lines().enumerate() {
        for to in link
            .captures_iter(line)
            .map(|one| one[1].to_owned())
            .filter(|to| !to.contains("://") && !to.starts_with("mailto:"))
        {
            let (file, anchor) = to.split_once('#').map_or((to.as_str(), None), |(file, anchor)| (file, Some(anchor)));
            let target = if file.is_empty() { path.to_owned() } else { path.parent().unwrap().join(file) };
            let missing = !target.exists() || anchor.is_some_and(|anchor| !anchors(&read(&target)).contains(anchor));
            found.extend(missing.then(|| format!("{}:{}: `{to}` leads nowhere", path.display(), index + 1)));
        }
    }
    found
}

#[test]
fn links_lead_somewhere() {
    none(documents().iter().flat_map(|path| broken_links(path, &read(path))).collect());
    let text = "[a](README.md) [b](nowhere.md) [c](#one-two) [d](#three) `[e](no-link.md)` <img src=\"no.png\">\n\n# One `two`!\n";
    let broken = broken_links(Path::new("CONTRIBUTING.md"), text);
    assert_eq!(broken.len(), 4, "a file, a picture, and two headings that CONTRIBUTING has not: {broken:?}");
    assert_eq!(anchors("# One `two`!\n## A: b/c\n## A: b/c"), ["a-bc", "a-bc-1", "one-two"].map(String::from).into());
}

#[test]
fn files_that_they_name_exist() {
    let path =
        Regex::new(r"(?:^|[\s:])((?:docs|src|tests|benches|native|examples|config|fuzz|templates)/[a-zA-Z0-9_./-]*\w)")
            .unwrap();
    let mut found = Vec::new();
    for document in documents().iter().filter(|path| *path != Path::new("CHANGELOG.md")) {
        for (line, code) in code_and_text(&read(document)).0 {
            for name in path.captures_iter(&code).map(|one| one[1].to_owned()).filter(|name| !name.contains("NAME")) {
                // `src/claims` is a module, in a file or a folder; a project's files are those of the document's own or of a new one.
                let own = document.parent().unwrap_or(Path::new(""));
                let there = |root: &Path| root.join(&name).exists();
                let in_project = [Path::new(""), own, Path::new("src/project/starter")].into_iter().any(there);
                let exists = in_project || Path::new(&format!("{name}.rs")).exists();
                // A pattern such as `config/*.yaml` ends where its star is.
                found.extend((!exists).then(|| format!("{}:{line}: there is no {name}", document.display())));
            }
        }
    }
    none(found);
}

#[test]
fn make_targets_that_they_name_exist() {
    let makefile = read(Path::new("Makefile"));
    let targets: BTreeSet<_> =
        Regex::new(r"(?m)^([a-z-]+):").unwrap().captures_iter(&makefile).map(|one| one[1].to_owned()).collect();
    let call = Regex::new(r"(?:^|&& )make ([a-z][a-z-]*)").unwrap();
    let mut found = Vec::new();
    for document in documents() {
        for (line, code) in code_and_text(&read(&document)).0 {
            for target in
                call.captures_iter(&code).map(|one| one[1].to_owned()).filter(|target| !targets.contains(target))
            {
                found.push(format!("{}:{line}: the Makefile has no `{target}`", document.display()));
            }
        }
    }
    none(found);
    assert!(targets.contains("tables"));
}

/// What `--help` says of a verb; `None` where there is no such verb.
fn help(verb: &[&str]) -> Option<String> {
    let said = Command::new(env!("CARGO_BIN_EXE_offprint")).args(verb).arg("--help").output().unwrap();
    said.status.success().then(|| String::from_utf8(said.stdout).unwrap())
}

/// What is wrong with a command line: its verb, or a switch of it. Placeholders and values are the reader's affair.
fn wrong(code: &str) -> Option<String> {
    let call = Regex::new(r"^(?:target/release/)?offprint ([a-z]+)( .*)?$").unwrap().captures(code)?;
    let mut verb = vec![call.get(1).unwrap().as_str()];
    let rest = call.get(2).map_or("", |rest| rest.as_str().split(" #").next().unwrap_or(""));
    if verb == ["model"] && cfg!(not(feature = "mlx")) {
        return None; // a build without MLX has no such verb
    }
    let is_sub = |word: &&str| {
        verb == ["model"] || verb == ["docs"] || verb == ["fleet"] || (verb == ["worker"] && *word == "check")
    };
    let sub = rest.split_whitespace().next().filter(is_sub);
    verb.extend(sub);
    let Some(said) = help(&verb) else { return Some(format!("there is no `offprint {}`", verb.join(" "))) };
    let switch = Regex::new(r"(?:^|[\s\[|])(--[a-z][a-z-]*)").unwrap();
    let unknown =
        switch.captures_iter(rest).map(|one| one[1].to_owned()).find(|switch| !said.contains(switch.as_str()));
    unknown.map(|switch| format!("`offprint {}` has no {switch}", verb.join(" ")))
}

#[test]
fn verbs_and_switches_that_they_name_exist() {
    let mut found = Vec::new();
    for document in documents() {
        for (line, code) in code_and_text(&read(&document)).0 {
            found.extend(wrong(&code).map(|what| format!("{}:{line}: {what}", document.display())));
        }
    }
    none(found);
    assert_eq!(wrong("offprint frobnicate X").as_deref(), Some("there is no `offprint frobnicate`"));
    if cfg!(feature = "mlx") {
        assert_eq!(wrong("offprint model frobnicate").as_deref(), Some("there is no `offprint model frobnicate`"));
    }
    assert_eq!(wrong("offprint run X --frobnicate # --resume").as_deref(), Some("`offprint run` has no --frobnicate"));
    assert_eq!(wrong("offprint run X --resume # --frobnicate"), None);
}

#[test]
fn claims_that_they_explain_exist() {
    // Those of a committed run: paper/ is of what this checkout has measured last.
    let out = tempfile::tempdir().unwrap();
    let run = ["report", "--run", "results/smollm2/20261126T114313Z", "--out"];
    let said = Command::new(env!("CARGO_BIN_EXE_offprint")).args(run).arg(out.path()).env("PATH", "").output().unwrap();
    assert!(said.status.success(), "{said:?}");
    let claims: serde_json::Value = serde_json::from_str(&read(&out.path().join("claims.json"))).unwrap();
    let call = Regex::new(r"offprint explain ([a-z0-9][^\s`]*)").unwrap();
    let (mut found, mut asked) = (Vec::new(), 0);
    for document in documents() {
        for (line, code) in code_and_text(&read(&document)).0 {
            for id in call.captures_iter(&code).map(|one| one[1].to_owned()) {
                asked += 1;
                // A number of one's own is defined where it is asked for.
                let beside = document.with_file_name("templates").join("claims.yaml");
                let own = fs::read_to_string(beside).unwrap_or_default() + &read(&document);
                let known = claims["claims"].get(&id).is_some()
                    || claims["predicates"].get(&id).is_some()
                    || own.contains(&format!("\n  {id}:"));
                found.extend((!known).then(|| format!("{}:{line}: no claim is named {id}", document.display())));
            }
        }
    }
    none(found);
    assert!(asked > 0, "README shows one");
}
