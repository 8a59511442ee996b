//! From `new` to a bundle, from wherever one stands in the project.

use super::*;

#[test]
fn a_new_project_makes_its_own_paper_from_any_folder_and_its_bundle_verifies() {
    let project = Project::new(&[]);
    let sections = project.root().join("templates/sections");
    good(offprint(&sections, &["paper"]));
    let paper = project.read("paper/paper.md");
    assert!(paper.contains("A Study on the Fake Engine") && paper.contains("NOT A MEASUREMENT"), "{paper}");
    // The abstract is one in every format, and a remark before it changes nothing.
    for (format, begin, end) in [("tex", "\\begin{abstract}", "\\end{abstract}"), ("typ", "[Abstract]", "Keywords")] {
        let text = project.read(&format!("paper/paper.{format}"));
        let (_, rest) = text.split_once(begin).unwrap();
        assert!(rest.split(end).next().unwrap().contains("This report gives response times"), "{format}");
    }
    // Not a sentence of the manuscript's.
    for sentence in ["small measurement and a larger point", "The contributions are", "Our own rules"] {
        assert!(!paper.contains(sentence), "{sentence}");
    }
    let again = good(offprint(&project.root().join("config"), &["paper"]));
    assert!(said(&again).contains("run here already"), "{}", said(&again));

    project.change("templates/sections/09-discussion.md", "## Discussion\n", "## Discussion\n\nIn words of my own.\n");
    let checked = project.offprint(&["report", "--check"]);
    assert_eq!(checked.status.code(), Some(1), "the paper is not yet what the templates give");
    good(offprint(&sections, &["report"]));
    good(project.offprint(&["report", "--check"]));
    for format in ["md", "html", "tex"] {
        assert!(project.read(&format!("paper/paper.{format}")).contains("In words of my own."), "{format}");
    }
    let explained = good(offprint(&sections, &["explain", "latency.mean"]));
    assert!(data(&explained).contains("stands    paper.md:"), "{}", data(&explained));

    good(offprint(&sections, &["bundle", "--version", "1.0.0"]));
    let bundle = project.root().join("results/bundles/fake-1.0.0.zip");
    let elsewhere = tempfile::tempdir().unwrap();
    let verified = good(offprint(elsewhere.path(), &["verify", bundle.to_str().unwrap()]));
    assert!(
        data(&verified).contains("as they should be") || data(&verified).contains("as it should be"),
        "{}",
        data(&verified)
    );
}

#[test]
fn a_paper_needs_no_abstract() {
    let project = Project::new(&[]);
    fs::remove_file(project.root().join("templates/sections/00-abstract.md")).unwrap();
    good(project.offprint(&["paper"]));
    let (tex, typ) = (project.read("paper/paper.tex"), project.read("paper/paper.typ"));
    assert!(!tex.contains("\\begin{abstract}") && tex.contains("\\section{Introduction}"), "{tex}");
    assert!(!typ.contains("[Abstract]") && typ.contains("Introduction"), "{typ}");
}

/// The run folder has what its paper was made from last, for when the project is gone.
#[test]
fn a_run_folder_that_is_taken_away_makes_the_paper_that_it_made() {
    let project = Project::new(&[]);
    project.change("templates/sections/09-discussion.md", "## Discussion\n", "## Discussion\n\nIn words of my own.\n");
    good(project.offprint(&["paper"]));
    let runs: Vec<PathBuf> =
        fs::read_dir(project.root().join("results/fake")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [run] = runs.as_slice() else { panic!("{runs:?}") };
    let elsewhere = tempfile::tempdir().unwrap();
    let moved = elsewhere.path().join(run.file_name().unwrap());
    fs::rename(run, &moved).unwrap();
    let made = good(offprint(elsewhere.path(), &["report", "--run", moved.to_str().unwrap()]));
    assert!(said(&made).contains("as they were when it was made last"), "{}", said(&made));
    assert_eq!(fs::read_to_string(elsewhere.path().join("paper/paper.md")).unwrap(), project.read("paper/paper.md"));
    // Others may be named.
    let mine = project.root().join("templates");
    project.change("templates/sections/09-discussion.md", "words of my own", "other words");
    let (run, mine) = (moved.to_str().unwrap(), mine.to_str().unwrap());
    good(offprint(elsewhere.path(), &["report", "--run", run, "--templates", mine]));
    assert!(fs::read_to_string(elsewhere.path().join("paper/paper.md")).unwrap().contains("In other words."));
}

#[test]
fn a_study_without_a_project_has_the_neutral_paper_and_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("study.yaml"), include_str!("../../config/fake.yaml")).unwrap();
    let made = good(offprint(folder.path(), &["paper", "study.yaml"]));
    assert!(said(&made).contains("offprint new DIR makes one of your own"), "{}", said(&made));
    let run = fs::read_dir(folder.path().join("results/fake")).unwrap().next().unwrap().unwrap().path();
    assert!(!run.join("templates").exists(), "there is nothing to keep");
}

#[test]
fn the_manuscript_is_a_project_too() {
    let project = Project::new(&["--from", "manuscript"]);
    assert!(project.root().join("config/published/v1.yaml").is_file());
    good(project.offprint(&["paper"]));
    assert!(project.read("paper/paper.md").contains("small measurement and a larger point"));
}

/// Every id that was listed before is one that can be explained after.
#[test]
fn what_docs_claims_lists_is_what_there_is() {
    let project = Project::new(&[]);
    let before = good(project.offprint(&["docs", "claims", "--json"]));
    let listed: serde_json::Value = serde_json::from_slice(&before.stdout).unwrap();
    good(project.offprint(&["paper"]));
    let claims: serde_json::Value = serde_json::from_str(&project.read("paper/claims.json")).unwrap();
    let listed: Vec<(&str, &str, &str)> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| ["id", "function", "unit"].map(|key| entry[key].as_str().unwrap()).into())
        .collect();
    for (id, claim) in claims["claims"].as_object().unwrap() {
        // What the program was built with is known only to the run's engine.
        let known = listed.contains(&(id, "n", claim["unit"].as_str().unwrap())) || id.starts_with("software.");
        assert!(known, "{id} was not listed");
    }
    for id in claims["predicates"].as_object().unwrap().keys() {
        assert!(listed.contains(&(id, "says", "")), "{id} was not listed");
    }
    let nothing = project.offprint(&["docs", "claims", "--like", "no such thing"]);
    assert_eq!(nothing.status.code(), Some(1));
}
