//! Tables between their marks, and the processors that they name.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use crate::read;

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
    copy(Path::new("paper-peers"), &root.join("paper-peers"));
    // As in a checkout that has measured something of its own since, which is in no table.
    fs::create_dir_all(root.join("results/smollm2")).unwrap();
    for entry in fs::read_dir("results").unwrap().chain(fs::read_dir("results/smollm2").unwrap()) {
        let path = entry.unwrap().path();
        if !path.ends_with("results/smollm2") {
            std::os::unix::fs::symlink(fs::canonicalize(&path).unwrap(), root.join(&path)).unwrap();
        }
    }
    copy(Path::new("results/smollm2/20261126T114313Z"), &root.join("results/smollm2/20991231T235959Z"));
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

#[test]
fn processors_of_one_name_are_told_apart() {
    let script = "import sys; sys.path.insert(0, 'benches/peers'); sys.dont_write_bytecode = True; import table\n\
        for model in 1, 17:\n\
        \x20   told = {'family': 25, 'model': model, 'stepping': 1}\n\
        \x20   about = {'date': '2026-11-27', 'machine': {'processor': 'AMD EPYC', 'identity': told}, 'random_weights': False, 'beside_a_busy_process': False}\n\
        \x20   print(table.label(about), '/', table.identity(about))\n";
    let said = Command::new("python3").args(["-c", script]).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let expected = "2026-11-27, AMD EPYC (family 25, model 1, stepping 1) / family 25, model 1, stepping 1\n\
        2026-11-27, AMD EPYC (family 25, model 17, stepping 1) / family 25, model 17, stepping 1\n";
    assert_eq!(String::from_utf8(said.stdout).unwrap(), expected);
}
