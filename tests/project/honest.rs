//! Nothing but claims brings a number or a judgement into a paper, whatever the way it is written.

use super::*;

/// What is said where the discussion has this text, and has it so alone.
fn refused(project: &Project, text: &str) -> String {
    project.write("templates/sections/09-discussion.md", text);
    let output = project.offprint(&["report"]);
    assert_eq!(output.status.code(), Some(2), "{text:?} is printed");
    said(&output)
}

#[test]
fn numbers_and_judgements_are_found_in_whatever_dress() {
    let project = Project::new(&[]);
    good(project.offprint(&["paper"]));
    let number = |n: &str| format!("the number `{n}` is typed by hand");
    let judges = |word: &str| format!("`{word}` judges data");
    let stable = "{% if holds(id=\"replicates.stable\") %}";
    for (text, expected) in [
        ("After 3ms.", number("3ms")),
        ("By 2x.", number("2x")),
        ("In 0.5s, float32, Q4_1, SmolLM2, x86, H100, RO-Crate and utf-8.", number("0.5s")),
        ("It has 1e3 s.", number("1e3")),
        ("It is ½ of it.", number("½")),
        ("It is ５ s.", number("５")),
        ("It is ٣ s.", number("٣")),
        ("With p<0.05 it is.", number("0.05")),
        ("_7_ s", number("7")),
        ("&#55; s", "`&#55;` hides a character".to_owned()),
        ("The \"old laptop took 7 s.\n\nA \"word\".", number("7")),
        ("It costs $, took 7 s and $.", number("7")),
        ("{{ count(id=\"study.cells\", one=\"cell\", many=\"times 7 cells\") }}", number("7")),
        ("{{ \"7\" }} s", "expected one function or one name".to_owned()),
        ("{{ 84 / 2 }} s", "expected one function or one name".to_owned()),
        ("{{ n(id=\"latency.mean\", unit=\"ms\") }}", "`n` takes id, and no `unit`".to_owned()),
        ("{% if holdz %}x{% endif %}", "there is no `holdz`".to_owned()),
        ("It is **fas**ter.", judges("faster")),
        ("It is fa\\ster.", judges("faster")),
        ("It is fas{# #}ter.", judges("faster")),
        ("It is slow{% if factors %}er{% endif %}.", judges("slower")),
        ("It is ‘faster’.", judges("faster")),
        ("It is much-faster.", judges("faster")),
        ("{% if holds(id=\"complete\") %}It is faster.{% endif %}", judges("faster")),
        ("{% if holds(id=\"complete\") %}y{% else %}It is stable.{% endif %}", judges("stable")),
        (&format!("{stable}y{{% else %}}It is stable.{{% endif %}}"), judges("stable")),
        (&format!("{stable}y{{% elif factors %}}It is stable.{{% endif %}}"), judges("stable")),
        ("{% if not holds(id=\"replicates.stable\") %}It is stable.{% endif %}", judges("stable")),
        ("{% if holds(id=\"replicates.stable\") or factors %}It is stable.{% endif %}", judges("stable")),
        ("{% if not (factors and holds(id=\"replicates.stable\")) %}It is stable.{% endif %}", judges("stable")),
    ] {
        let told = refused(&project, text);
        assert!(told.contains(&expected) && told.contains("09-discussion.md:"), "{text:?}: `{expected}` in {told}");
    }
    for fine in [
        "{% if holds(id=\"replicates.stable\") and factors %}It is **stable**.{% endif %}",
        "{% if not holds(id=\"replicates.stable\") %}x{% else %}It is stable.{% endif %}",
        "float32, Q4_1, SmolLM2, x86, H100, RO-Crate, utf-8 and `3 ms`, as \"7 faster\" in\na line.",
    ] {
        project.write("templates/sections/09-discussion.md", fine);
        good(project.offprint(&["report"]));
    }
}

#[test]
fn a_number_of_one_s_own_says_itself_in_its_own_unit_and_no_more() {
    let project = Project::new(&[]);
    good(project.offprint(&["run", "config/study.yaml"]));
    let section = "templates/sections/09-discussion.md";
    let text = project.read(section);
    project.write(section, &format!("{text}\n\n{{{{ n(id=\"a\") }}}}\n"));
    let own = |value: &str, text: &str| {
        format!(
            "claims:\n  slowest_over_fastest: \"max(latency) / min(latency)\"\n  a: {{value: \"{value}\", text: \"{text}\"}}\n"
        )
    };
    for (value, text, expected) in [
        ("mean(latency)", "9.99 hours", "the number `9.99` is typed by hand"),
        ("mean(latency)", "long", "expected a place for the number, `{value}`, found none"),
        ("mean(latency)", "{value:.2} hours", "the number is in s, and the text says `h`"),
        ("mean(latency)", "{value:.2} s, 42 % more", "the number `42` is typed by hand"),
        ("mean(latency)", "{value:.2} s, much faster", "claims.a.text: `faster` judges data"),
        ("max(latency) / min(latency)", "{value:.2} %", "the number is in 1, and the text says `%`"),
    ] {
        project.write("templates/claims.yaml", &own(value, text));
        let output = project.offprint(&["report"]);
        assert_eq!(output.status.code(), Some(2), "{text:?} is printed");
        assert!(said(&output).contains(expected) && said(&output).contains("claims.yaml"), "{text}: {}", said(&output));
    }
    project.write("templates/claims.yaml", &own("mean(latency)", "{value:.2} seconds"));
    good(project.offprint(&["report"]));
    let judged =
        "predicates:\n  b: {holds: \"a > 1 s\", says: {holds: \"It is 3 times faster.\", else: \"Not shown.\"}}\n";
    project.write("templates/claims.yaml", &(own("mean(latency)", "{value:.2} s") + judged));
    let told = said(&project.offprint(&["report"]));
    assert!(told.contains("predicates.b.says.holds: the number `3` is typed by hand"), "{told}");
}

/// What lies outside of a project does not come into its paper.
#[cfg(unix)]
#[test]
fn links_devices_and_pipes_among_the_templates_are_refused_by_name() {
    use std::os::unix::fs::symlink;
    let project = Project::new(&[]);
    good(project.offprint(&["run", "config/study.yaml"]));
    fs::write(project.0.path().join("secret.txt"), "A secret.").unwrap();
    let file = project.root().join("templates/sections/06-more.md");
    for (target, expected) in [("../../../secret.txt", "a link out of"), ("/dev/null", "a link out of"), ("", "a pipe")]
    {
        if target.is_empty() {
            assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
        } else {
            symlink(target, &file).unwrap();
        }
        let output = project.offprint(&["report"]);
        fs::remove_file(&file).unwrap();
        let told = said(&output);
        assert!(output.status.code() == Some(2) && told.contains("06-more.md: ") && told.contains(expected), "{told}");
    }
    fs::create_dir_all(project.root().join("templates/skins")).unwrap();
    project.write("templates/skins/venue.tex", "\\documentclass{article}\\input{logo}<< body >><< rest >>");
    symlink("../../../secret.txt", project.root().join("templates/skins/logo.tex")).unwrap();
    let refused = |told: &str| told.contains("skins/logo.tex: a link out of");
    let output = project.offprint(&["submission", "--venue", "own"]);
    assert!(output.status.code() == Some(2) && refused(&said(&output)), "{}", said(&output));
}
