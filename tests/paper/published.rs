//! Values that another document has published: copied with the run, set beside ours in the paper, and nowhere else.

use super::*;

const FAKE: &str = include_str!("../../config/fake.yaml");
const V1: &str = include_str!("../../config/published/v1.yaml");

/// The fake study, naming a file of published values.
fn study() -> String {
    FAKE.replacen("  name: fake\n", "  name: fake\n  published: published/v1.yaml\n", 1)
}

#[test]
fn a_study_that_names_values_has_them_beside_its_own() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("published")).unwrap();
    let hostile = V1.replacen("Latency, mean", "Latency | {{ 7*7 }} <b>", 1);
    fs::write(folder.path().join("published/v1.yaml"), &hostile).unwrap();
    let run = run(folder.path(), &study());
    assert_eq!(fs::read_to_string(run.join("published.yaml")).unwrap(), hostile, "the run folder needs nothing else");

    let paper = report(folder.path(), &run);
    let text = fs::read_to_string(paper.join("paper.md")).unwrap();
    assert!(text.contains("Comparison with published values\n"), "{text}");
    assert!(
        text.contains("Our numbers come from another machine (")
            && text.contains("another model (Fake; there: Llama 3.2-1B)")
    );
    let row = text
        .lines()
        .find(|line| line.starts_with("| Latency \\| \\{\\{ 7\\*7 \\}\\} \\<b\\> | s | 2.68 | 2.71 | 2.73 | "))
        .unwrap();
    let ours: f64 = row.split(" | ").nth(5).unwrap().parse().unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&fs::read(paper.join("claims.json")).unwrap()).unwrap();
    assert_eq!(claims["claims"]["latency.mean"]["text"].as_str().unwrap().parse::<f64>().unwrap(), ours);
    // The fake study has no 64 tokens: there is nothing of ours to stand there.
    assert!(text.contains("| Latency, 64 tokens | s | 1.99 | – | 2.034 | – |"), "{text}");
}

#[test]
fn other_studies_have_no_such_section() {
    let folder = tempfile::tempdir().unwrap();
    let run = run(folder.path(), FAKE);
    assert!(!run.join("published.yaml").exists());
    let text = fs::read_to_string(report(folder.path(), &run).join("paper.md")).unwrap();
    assert!(!text.contains("published values") && !text.contains("{%"), "{text}");
    // Values may be added to a folder later: they say nothing of its runs.
    fs::write(run.join("published.yaml"), V1).unwrap();
    let text = fs::read_to_string(report(folder.path(), &run).join("paper.md")).unwrap();
    assert!(text.contains("Comparison with published values"));
}

#[test]
fn a_file_that_is_not_there_or_wrong_stops_the_study_before_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("study.yaml");
    let results = folder.path().join("results");
    let begin = |yaml: &str| {
        fs::write(&file, yaml).unwrap();
        let output = offprint(&["run", file.to_str().unwrap(), "--results", results.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2));
        assert!(!results.join("fake").exists());
        said(&output)
    };
    let missing = begin(&study());
    assert!(missing.contains("published/v1.yaml") && missing.contains("hint: `study.published` names it"), "{missing}");
    fs::create_dir(folder.path().join("published")).unwrap();
    fs::write(folder.path().join("published/v1.yaml"), V1.replace("printed: \"0.69\"", "printed: \"0,69\"")).unwrap();
    assert!(begin(&study()).contains("values[1].printed: expected a decimal number in quotes, found \"0,69\""));
    let outside = begin(&study().replace("published/v1.yaml", "../v1.yaml"));
    assert!(
        outside.contains("study.published: expected a YAML file in the study's folder or below, found \"../v1.yaml\""),
        "{outside}"
    );
}
