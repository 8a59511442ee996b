//! Two validators of others: bagit-python and roc-validator. `OFFPRINT_TEST_TOOLS` is the folder of their programs
//! (`bin` of a virtual environment), which continuous integration sets; without it they are looked for where programs are,
//! and their absence is said.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use super::{files, small, unpacked};

/// The program's path; `None` where it is not installed and nobody promised it.
pub fn tool(name: &str) -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("OFFPRINT_TEST_TOOLS") {
        let path = Path::new(&folder).join(name);
        assert!(path.is_file(), "OFFPRINT_TEST_TOOLS has no {name}");
        return Some(path);
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file());
    if found.is_none() {
        let mut past_the_capture = std::io::stderr();
        writeln!(past_the_capture, "NOT RUN: {name} is not installed, see .ci/run").unwrap();
    }
    found
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat()).into_owned()
}

#[test]
fn bagit_python_accepts_a_bundle_and_not_an_altered_one() {
    let Some(bagit) = tool("bagit.py") else { return };
    let (_folder, top) = unpacked(&files(&small().1), "tiny-1.0.0");
    let validate = || Command::new(&bagit).arg("--validate").arg(&top).output().unwrap();
    let said = validate();
    assert!(said.status.success(), "{}", text(&said));
    let page = top.join("data/README.md");
    fs::write(&page, fs::read_to_string(&page).unwrap() + "\n").unwrap();
    assert!(!validate().status.success());
}

#[test]
fn roc_validator_accepts_a_bundle_and_not_one_without_a_licence() {
    let Some(validator) = tool("rocrate-validator") else { return };
    let python = validator.with_file_name("python");
    let mut all = files(&small().1);
    let (_good, top) = unpacked(&all, "tiny-1.0.0");
    let validate = |crate_: &Path| {
        Command::new(&python).arg("tests/oracles/roc_validate.py").arg(crate_.join("data")).output().unwrap()
    };
    let said = validate(&top);
    assert!(said.status.success() && text(&said).contains(" 0 issues"), "{}", text(&said));
    let metadata = all.get_mut("data/ro-crate-metadata.json").unwrap();
    let mut value: serde_json::Value = serde_json::from_slice(metadata).unwrap();
    let root = value["@graph"].as_array_mut().unwrap().iter_mut().find(|entity| entity["@id"] == "./").unwrap();
    root.as_object_mut().unwrap().remove("license");
    *metadata = value.to_string().into_bytes();
    let (_bad, top) = unpacked(&all, "tiny-1.0.0");
    let said = validate(&top);
    assert!(!said.status.success() && text(&said).contains("license"), "{}", text(&said));
}
