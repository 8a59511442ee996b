//! A reserved DOI and what Zenodo is to say: in the bundle, as Zenodo's deposit metadata wants it, and nowhere a hidden file but that.

use std::fs;

use super::{check, files, offprint};

const STUDY: &str = "study:\n  name: tiny\n  title: \"A <study> of \\\"nothing\\\" & more\"\n  doi: DOI:10.5281/zenodo.123\n  keywords: [one, two]\n  \
                     authors:\n    - {name: Ludwig van der Berg, affiliation: Here, orcid: 0000-0002-1825-0097}\n    - Example Group\n\
                     models: [{id: tiny, name: Tiny, source: fake}]\nprompts: [one]\n\
                     benchmark_settings: {max_tokens: [4], temperatures: [0], num_runs: 2}\n";

#[test]
fn a_bundle_describes_itself_to_zenodo() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("study.yaml"), STUDY).unwrap();
    let run = String::from_utf8(offprint(folder.path(), &["run", "study.yaml"]).stdout).unwrap();
    let said = offprint(
        folder.path(),
        &["bundle", "--run", run.trim(), "--version", "1.2.0", "--out", "b.zip", "--license", "CC-BY-4.0 OR MIT"],
    );
    assert!(said.status.success(), "{said:?}");
    let bundle = folder.path().join("b.zip");
    assert!(check(&bundle).is_fine(), "{:#?}", check(&bundle).problems);
    let files = files(&bundle);
    let text = |path: &str| String::from_utf8(files[path].clone()).unwrap();
    let zenodo: serde_json::Value = serde_json::from_slice(&files["data/.zenodo.json"]).unwrap();
    // The fields of developers.zenodo.org, "Deposit metadata", that a dataset may have here.
    let known = [
        "access_right",
        "creators",
        "description",
        "doi",
        "keywords",
        "language",
        "license",
        "notes",
        "publication_date",
        "related_identifiers",
        "title",
        "upload_type",
        "version",
    ];
    for (key, value) in zenodo.as_object().unwrap() {
        assert!(known.contains(&key.as_str()) && !value.is_null(), "{key}");
    }
    for required in ["upload_type", "publication_date", "title", "creators", "description", "access_right", "license"] {
        assert!(zenodo.get(required).is_some(), "{required}");
    }
    assert_eq!((&zenodo["upload_type"], &zenodo["access_right"]), (&"dataset".into(), &"open".into()));
    assert_eq!(
        (&zenodo["doi"], &zenodo["version"], &zenodo["license"]),
        (&"10.5281/zenodo.123".into(), &"1.2.0".into(), &"CC-BY-4.0".into())
    );
    assert_eq!(
        zenodo["creators"][0],
        serde_json::json!({"name": "van der Berg, Ludwig", "affiliation": "Here", "orcid": "0000-0002-1825-0097"})
    );
    assert_eq!(zenodo["creators"][1], serde_json::json!({"name": "Example Group"}));
    assert!(zenodo["description"].as_str().unwrap().contains("A &lt;study&gt; of \"nothing\" &amp; more"));
    let date = zenodo["publication_date"].as_str().unwrap();
    assert!(date.len() == 10 && date.bytes().filter(|byte| *byte == b'-').count() == 2, "{date}");

    assert!(text("data/CITATION.cff").contains("\ndoi: \"10.5281/zenodo.123\"\n"));
    assert!(text("data/ro-crate-metadata.json").contains("\"https://doi.org/10.5281/zenodo.123\""));
    for file in ["paper.md", "paper.html", "paper.tex"] {
        assert!(text(&format!("data/paper/{file}")).contains("https://doi.org/10.5281/zenodo.123"), "{file}");
    }
}

#[test]
fn a_doi_that_is_none_is_refused_where_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("study.yaml"), STUDY.replace("DOI:10.5281/zenodo.123", "zenodo 123")).unwrap();
    let said = offprint(folder.path(), &["run", "study.yaml"]);
    let text = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(2));
    assert!(text.contains("study.yaml:4:8: study.doi: expected a DOI") && text.contains("\nhint: "), "{text}");
}
