//! The documents under our own rule: their tables are what the committed samples give, their prose types no measured number, and what
//! they refer to exists: files, headings, verbs, switches, targets, claims.

#![allow(clippy::unwrap_used)] // a test may: it fails where it should

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

use regex::Regex;

/// Every document that a person wrote.
fn documents() -> Vec<PathBuf> {
    let mut found = [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "native/README.md",
        "benches/peers/README.md",
        "fuzz/README.md",
    ]
    .map(PathBuf::from)
    .to_vec();
    let mut folders = vec![PathBuf::from("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Those that speak of what was measured.
fn of_measurements() -> Vec<PathBuf> {
    let not =
        ["CHANGELOG.md", "docs/FORMAT.md", "docs/LINT.md", "docs/METHODOLOGY.md", "docs/VERIFY.md", "fuzz/README.md"];
    documents().into_iter().filter(|path| !not.iter().any(|other| path == Path::new(other))).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Fails with all that was found, a line each.
fn none(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// Lines with their number that are not made by `make tables`.
fn written(text: &str) -> Vec<(usize, &str)> {
    let mut made = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        made |= line.starts_with("<!-- table: ");
        if !made {
            lines.push((index + 1, line));
        }
        made &= line != "<!-- end -->";
    }
    lines
}

// --- tables

fn check_tables(root: &Path) -> Output {
    Command::new("python3").arg("benches/peers/documents.py").arg("--check").current_dir(root).output().unwrap()
}

#[test]
fn tables_are_what_the_committed_samples_give() {
    let checked = check_tables(Path::new("."));
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(checked.status.success(), "{}{}", said(&checked.stdout), said(&checked.stderr));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let beside = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &beside) } else { fs::copy(&path, &beside).map(|_| ()).unwrap() }
    }
}

#[test]
#[cfg(unix)]
fn a_changed_table_and_a_changed_sample_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    copy(Path::new("benches/peers"), &root.join("benches/peers"));
    copy(Path::new("docs"), &root.join("docs"));
    fs::copy("README.md", root.join("README.md")).unwrap();
    for shared in ["results", "paper"] {
        std::os::unix::fs::symlink(fs::canonicalize(shared).unwrap(), root.join(shared)).unwrap();
    }
    assert!(check_tables(root).status.success());

    let altered = |file: &str, from: &str, to: &str| {
        let path = root.join(file);
        let text = read(&path);
        assert!(text.contains(from), "{file}: no `{from}`");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let checked = check_tables(root);
        fs::write(&path, text).unwrap();
        (checked.status.code(), String::from_utf8(checked.stderr).unwrap())
    };
    let (code, said) = altered("docs/performance/cpu.md", "2.52 (2.40 to 2.64)", "2.62 (2.40 to 2.64)");
    assert_eq!(code, Some(1));
    assert!(said.contains("docs/performance/cpu.md: not what the committed samples give\nhint: make tables"), "{said}");
    let first = |name: &str| read(&root.join(name)).lines().next().unwrap().to_owned();
    let sample = first("benches/peers/results/2026-11-26-intel-avx512.jsonl");
    let (code, said) = altered("benches/peers/results/2026-11-26-intel-avx512.jsonl", &sample, "");
    assert_eq!(code, Some(1), "the first round's warm-up says how loading went: {said}");
    let (code, said) =
        altered("benches/peers/results/h100-2026-11-24.jsonl", "\"decode\": 273.251", "\"decode\": 973.251");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("docs/performance/log.md"), "{said}");
    let (code, said) = altered("README.md", "<!-- end -->", "");
    assert_eq!(code, Some(1));
    assert!(said.contains("hint: add a line `<!-- end -->`"), "{said}");
}

// --- prose

/// A number with a unit of rate, time, memory or ratio.
static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    let rates = "tok/s|tokens (?:a|per) second|[kMGT]?B/s|GFLOP/s|GMAC/s";
    let times = "ns|µs|ms|s|min|h|seconds?|minutes?|hours?";
    let others = "%|per cent|times|×|x|MB|MiB|GB|GiB";
    Regex::new(&format!(r"(?:^|[^\w.,-])(\d[\d.,]*(?: to \d[\d.,]*)? ?(?:{rates}|{times}|{others}))(\W.*|$)")).unwrap()
});

/// Each in a line, but for the level of an interval.
fn measured(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(one) = NUMBER.captures(rest) {
        let after = one.get(2).unwrap();
        if !(after.as_str().starts_with(" interval") || after.as_str().starts_with(" bootstrap interval")) {
            found.push(one[1].to_owned());
        }
        rest = &rest[after.start()..];
    }
    found
}

/// Measured numbers that were typed: not in a table that is made, nor in an entry that says that its samples were not kept.
fn typed(name: &str, text: &str) -> Vec<String> {
    let entry = Regex::new(r"(?m)^## ").unwrap();
    let mut begins: Vec<usize> = entry.find_iter(text).map(|heading| heading.start()).collect();
    begins.push(text.len());
    let unkept: Vec<_> = begins
        .windows(2)
        .filter(|ends| name.ends_with("performance/log.md") && text[ends[0]..ends[1]].contains("samples not kept"))
        .map(|ends| text[..ends[0]].lines().count() + 1..=text[..ends[1]].lines().count())
        .collect();
    let mut found = Vec::new();
    for (number, line) in written(text) {
        if !unkept.iter().any(|lines| lines.contains(&number)) {
            found.extend(measured(line).iter().map(|what| format!("{name}:{number}: `{what}` is typed by hand")));
        }
    }
    found
}

#[test]
fn prose_types_no_measured_number() {
    none(of_measurements().iter().flat_map(|path| typed(path.to_str().unwrap(), &read(path))).collect());
}

#[test]
fn a_typed_number_is_found_and_others_are_left_alone() {
    for line in [
        "it does 397 tok/s",
        "2.31 times as fast",
        "(81 % of it)",
        "0.22 s",
        "26.2× as many",
        "in 3 to 5 µs, hardly",
        "41 MB.",
    ] {
        assert_eq!(measured(line).len(), 1, "{line}");
    }
    assert_eq!(measured("5 ms, not 100 ms").len(), 2);
    for line in [
        "a 95 % interval",
        "H100s",
        "2026-11-26",
        "54 runs",
        "x86",
        "16:8 128:64",
        "numbers of 24 bits",
        "2.3.4",
        "8 KB",
    ] {
        assert_eq!(measured(line), [""; 0], "{line}");
    }
    let text = "# Log\n\n3 ms\n\n## A\n\nMeasured once, samples not kept. 5 ms\n\n## B\n\n7 ms\n<!-- table: x -->\n9 ms\n<!-- end -->\n";
    let at =
        |name: &str| typed(name, text).iter().map(|one| one.split(':').nth(1).unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(at("docs/performance/log.md"), ["3", "11"]);
    assert_eq!(at("docs/performance/cpu.md"), ["3", "7", "11"]);
}

#[test]
fn lines_are_for_reading() {
    let long = |path: &PathBuf| {
        let text = read(path);
        let long = written(&text).into_iter().filter(|(_, line)| line.chars().count() > 140 && !line.starts_with('|'));
        long.map(|(number, _)| format!("{}:{number}: more than 140 characters", path.display())).collect::<Vec<_>>()
    };
    none(of_measurements().iter().flat_map(long).collect());
}

#[test]
fn no_document_names_a_path_of_a_machine() {
    let path =
        Regex::new(r"(?:^|[\s`(='\x22])((?:/(?:home|Users|root|work|workspace|mnt|opt|var|srv|data)/|[A-Z]:\\)\S*)")
            .unwrap();
    assert!(
        path.is_match("see `/home/somebody/x`")
            && path.is_match(r"C:\Users")
            && !path.is_match("results/work/x, /tmp/paper")
    );
    let mut found = Vec::new();
    for document in documents() {
        for (index, line) in read(&document).lines().enumerate() {
            found.extend(path.captures(line).map(|one| format!("{}:{}: {}", document.display(), index + 1, &one[1])));
        }
    }
    none(found);
}

#[test]
fn our_own_linter_finds_no_contradiction_in_them() {
    let lint = |path: &PathBuf| {
        let said = Command::new(env!("CARGO_BIN_EXE_offprint")).arg("lint").arg(path).output().unwrap();
        (!said.status.success()).then(|| String::from_utf8(said.stdout).unwrap())
    };
    none(documents().iter().filter_map(lint).collect());
}

// --- what they refer to

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
                // `src/claims` is a module, in a file or a folder.
                let exists = Path::new(&name).exists() || Path::new(&format!("{name}.rs")).exists();
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
    verb.extend(rest.split_whitespace().next().filter(|_| verb == ["model"]));
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
    let claims: serde_json::Value = serde_json::from_str(&read(Path::new("paper/claims.json"))).unwrap();
    let call = Regex::new(r"offprint explain ([a-z0-9][^\s`]*)").unwrap();
    let (mut found, mut asked) = (Vec::new(), 0);
    for document in documents() {
        for (line, code) in code_and_text(&read(&document)).0 {
            for id in call.captures_iter(&code).map(|one| one[1].to_owned()) {
                asked += 1;
                let known = claims["claims"].get(&id).is_some() || claims["predicates"].get(&id).is_some();
                found.extend((!known).then(|| format!("{}:{line}: no claim is named {id}", document.display())));
            }
        }
    }
    none(found);
    assert!(asked > 0, "README shows one");
}

// --- the machines in the tables

#[test]
fn processors_of_one_name_are_told_apart() {
    let script = "import sys; sys.path.insert(0, 'benches/peers'); sys.dont_write_bytecode = True; import machine, table\n\
        for model in '1', '17':\n\
        \x20   name, told = machine.from_cpuinfo(f'processor\\t: 0\\ncpu family\\t: 25\\nmodel\\t\\t: {model}\\nmodel name\\t: AMD EPYC\\nstepping\\t: 1\\n')\n\
        \x20   about = {'date': '2026-11-27', 'machine': {'processor': name, 'identity': told}, 'random_weights': False, 'beside_a_busy_process': False}\n\
        \x20   print(table.label(about), '/', table.identity(about))\n\
        print(machine.from_cpuinfo('CPU implementer\\t: 0x41\\nCPU part\\t: 0xd40\\n'))";
    let said = Command::new("python3").args(["-c", script]).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let expected = "2026-11-27, AMD EPYC (family 25, model 1, stepping 1) / family 25, model 1, stepping 1\n\
        2026-11-27, AMD EPYC (family 25, model 17, stepping 1) / family 25, model 17, stepping 1\n\
        (None, {'implementer': '0x41', 'part': '0xd40'})\n";
    assert_eq!(String::from_utf8(said.stdout).unwrap(), expected);
}
