//! What is wrong in a project is told with its place and the way out, and nothing is lost.

use super::*;

/// A report that cannot be written: exit code 2, and what was said.
fn refused(project: &Project) -> String {
    let output = project.offprint(&["report"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let text = said(&output);
    assert!(text.lines().last().unwrap().starts_with("hint: "), "{text}");
    text
}

#[test]
fn a_fault_in_a_section_has_file_line_and_column_and_the_old_paper_stays() {
    let project = Project::new(&[]);
    good(project.offprint(&["paper"]));
    let before = project.read("paper/paper.md");
    let section = "templates/sections/09-discussion.md";
    let good_text = project.read(section);
    for (text, expected) in [
        (
            "a\nb {{ n(id=\"latency.meen\") }}",
            &["09-discussion.md:2:6: there is no claim `latency.meen`", "`latency.mean`"][..],
        ),
        ("a {{ says(id=\"complet\") }}", &["09-discussion.md:1:6: there is no predicate `complet`", "`complete`"]),
        ("It takes 25 s.", &["09-discussion.md:1:10: the number `25` is typed by hand"]),
        ("It is faster.", &["09-discussion.md:1:7: `faster` judges data"]),
        ("x\n\n{{ now() }}", &["09-discussion.md:3:3: `now()`: `now` is no function of the paper's"]),
        ("{% include \"/etc/passwd\" %}", &["09-discussion.md:1:3: `include`"]),
        ("{{ n(id=\"latency.mean\") | upper }}", &["09-discussion.md:1:3:", "a filter"]),
        ("{% if holds(id=\"complete\") %}never closed", &["09-discussion.md"]),
        ("see @table:nowhere", &["09-discussion.md:1:5: there is no table or figure `@table:nowhere`"]),
        ("as\n[@nobody] says", &["09-discussion.md:2:2: `@nobody`: templates/references.bib has no such entry"]),
        ("a <b>word</b>", &["09-discussion.md:1:3: `<b>`: HTML would be in the page alone"]),
        ("# Big\n\ntext", &["09-discussion.md:1:3: `Big`: a heading of depth 1"]),
        ("a\n\n#### Small", &["09-discussion.md:3:6: `Small`: a heading of depth 4"]),
        (
            "x\n\n| a | b |\n|---|---|\n| c | d |\n",
            &["09-discussion.md:3:1: the table that begins with `a` has no caption"],
        ),
        ("@table:x\n\n[table:x] One.\n\nWords.", &["09-discussion.md:3:1: the caption of `table:x` has no table"]),
        ("{% for f in factors %}{{ n(id=\"latency.meen\") }}{% endfor %}", &["09-discussion.md:1:26", "docs claims"]),
        ("![x](photo.png)", &["09-discussion.md:1:6: `photo.png`: a picture"]),
        ("@figure:nine\n\n![x](figure:nine)\n", &["09-discussion.md:3:4: there is no figure `nine`", "answers"]),
        ("![x](figure:fit)\n", &["09-discussion.md:1:4: there is no figure `fit`"]),
        ("[table:x] One.\n\n| a |\n|---|\n| b |\n", &["09-discussion.md:1:1: the text never speaks of `@table:x`"]),
        ("a [@mlperf]\nas @mlperf says", &["09-discussion.md:2:4: `@mlperf`: an entry is cited in brackets"]),
        ("a [@mlperf, p. 3]", &["09-discussion.md:1:4: `@mlperf, p. 3`: expected a key"]),
        ("### Sub [@mlperf]", &["09-discussion.md:1:1: `Sub [@mlperf]`: a heading has no reference"]),
        ("> > > > > > > deep", &["09-discussion.md:1:15: `deep`: expected at most"]),
        ("![d](figures/diagram.svg)", &["09-discussion.md:1:4: there is no figure `diagram`"]),
        (
            "{{ n(id=\"complete\") }}",
            &["09-discussion.md:1:4: there is no claim `complete`", "`complete` is a predicate"],
        ),
    ] {
        project.write(section, text);
        let told = refused(&project);
        for words in expected {
            assert!(told.contains(words), "{text:?}: `{words}` in {told}");
        }
        assert_eq!(project.read("paper/paper.md"), before, "{text}");
    }
    project.write(section, &good_text);
    for (path, text, expected) in [
        ("templates/prose.yaml", "fre: []\n", "prose.yaml"),
        ("templates/prose.yaml", "free: [09-none.md]\n", "it names `09-none.md`"),
        ("templates/references.bib", "@article{x, title = {", "references.bib"),
        ("templates/sections/05-more.md", "caf\u{e9}", ""),
    ] {
        let old = fs::read(project.root().join(path)).ok();
        if expected.is_empty() {
            fs::write(project.root().join(path), b"caf\xe9").unwrap();
            assert!(refused(&project).contains("hint: save it as UTF-8"));
        } else {
            project.write(path, text);
            let told = refused(&project);
            assert!(told.contains(expected), "{path}: {told}");
        }
        match old {
            Some(old) => fs::write(project.root().join(path), old).unwrap(),
            None => fs::remove_file(project.root().join(path)).unwrap(),
        }
    }
    good(project.offprint(&["report", "--check"]));
}

/// Known before the first run.
#[test]
fn doctor_and_paper_find_what_the_study_will_not_have() {
    let project = Project::new(&[]);
    project.change(
        "templates/sections/03-results.md",
        "## Results\n",
        "## Results\n\n{{ n(id=\"by_length.999.latency.mean\") }}\n",
    );
    let told = project.offprint(&["doctor", "config/study.yaml"]);
    assert_eq!(told.status.code(), Some(1));
    assert!(data(&told).contains("FAIL  paper") && data(&told).contains("03-results.md:"), "{}", data(&told));
    let run = project.offprint(&["paper"]);
    assert!(said(&run).contains("warning: the study is run, but its paper cannot be written"), "{}", said(&run));
    assert_eq!(run.status.code(), Some(2));
    assert!(project.root().join("results/fake").is_dir(), "the runs are worth having");
}

#[test]
fn a_folder_that_is_not_empty_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join(".git")).unwrap();
    fs::write(folder.path().join("LICENSE"), "x").unwrap();
    good(offprint(folder.path(), &["new", "."]));
    let again = offprint(folder.path(), &["new", "."]);
    assert_eq!(again.status.code(), Some(2));
    assert!(said(&again).contains("expected an empty folder, found .github and"), "{}", said(&again));
    assert!(said(&again).contains("nothing was written"));
    fs::write(folder.path().join("a file"), "").unwrap();
    assert_eq!(offprint(folder.path(), &["new", "a file"]).status.code(), Some(2));
}

#[test]
fn which_study_is_asked_where_there_are_several() {
    let project = Project::new(&[]);
    fs::rename(project.root().join("config/study.yaml"), project.root().join("config/one.yaml")).unwrap();
    good(project.offprint(&["docs", "claims"]));
    project.write("config/two.yaml", &project.read("config/one.yaml"));
    let told = project.offprint(&["paper"]);
    assert!(said(&told).contains("which study?") && said(&told).contains("config/two.yaml"), "{}", said(&told));
}

/// What lies among the templates and is none is said, once.
#[test]
fn a_file_that_is_no_template_is_told() {
    let project = Project::new(&[]);
    project.write("templates/sections/notes.txt", "x");
    let made = good(project.offprint(&["paper"]));
    assert!(
        said(&made).contains("no part of a paper, not read: ") && said(&made).contains("notes.txt"),
        "{}",
        said(&made)
    );
}
