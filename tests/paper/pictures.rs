//! Drawings made elsewhere: a figure in every format, made again by a verifier, and refused where they are more than a drawing.

use super::*;

const STUDY: &str = "study: {name: drawn, authors: [{name: Grace Hopper}]}\nmodels: [{id: fake, name: A fake, source: fake}]\nprompts: [\"one two\"]\nbenchmark_settings: {max_tokens: [4, 8], temperatures: [0], num_runs: 2}\n";
const SVG: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 30 10\"><rect x=\"1\" y=\"1\" width=\"9\" height=\"8\" fill=\"#cde\"/>\
                   <path d=\"M10 5H20\" stroke=\"#000\"/><text x=\"21\" y=\"6\" font-size=\"4\">Hopper</text></svg>";

/// A run, and templates whose only section shows `pictures/parts.svg`.
fn project(svg: &str) -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (run, templates) = (run(folder.path(), STUDY), folder.path().join("templates"));
    for (path, text) in [
        ("sections/1.md", "## Parts\n\nThe parts (@figure:parts).\n\n![What is joined to what](figure:parts)\n"),
        ("pictures/parts.svg", svg),
    ] {
        let file = templates.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    (folder, run, templates)
}

fn written(run: &Path, templates: &Path, out: &Path) -> Output {
    offprint(&[
        "report",
        "--run",
        run.to_str().unwrap(),
        "--templates",
        templates.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ])
}

#[test]
fn a_picture_stands_in_every_format_and_is_made_again() {
    let (folder, run, templates) = project(SVG);
    let out = folder.path().join("paper");
    let made = written(&run, &templates, &out);
    assert!(made.status.success(), "{}", said(&made));
    let text = |name: &str| fs::read_to_string(out.join(name)).unwrap();
    let caption = "What is joined to what. Drawn by the authors; not made from the records.";
    assert!(
        text("paper.md")
            .contains(&format!("![Figure 1](figures/parts.svg)\n\n<a id=\"figure-parts\"></a>**Figure 1.** {caption}"))
    );
    assert!(
        text("paper.tex").contains("{figures/parts.pdf}") && text("paper.tex").contains(caption),
        "{}",
        text("paper.tex")
    );
    assert!(text("paper.html").contains("<svg viewBox=\"0 0 30 10\" role=\"img\" aria-label=\"parts\">"));
    assert!(text("paper.typ").contains("// figures/parts.svg is of SHA-256 "));
    for file in ["parts.svg", "parts.pdf", "parts.png"] {
        assert!(out.join("figures").join(file).is_file());
    }
    assert!(!text("figures/parts.svg").contains("Hopper"), "letters are outlines");

    let archive = folder.path().join("drawn.zip");
    let [records, paper, zip] = [&run, &out, &archive].map(|path| path.to_str().unwrap());
    let made = offprint(&["bundle", "--run", records, "--paper", paper, "--version", "1.0.0", "--out", zip]);
    assert!(made.status.success(), "{}", said(&made));
    let verified = offprint(&["verify", zip]);
    assert!(verified.status.success(), "{}{}", said(&verified), String::from_utf8_lossy(&verified.stdout));

    // The name in it, which is outlines in the archive, gives its author away.
    let archive = folder.path().join("blind.tar.gz");
    let [templates, archive] = [&templates, &archive].map(|path| path.to_str().unwrap());
    let arguments =
        ["submission", "--venue", "arxiv", "--anonymous", "--run", records, "--templates", templates, "--out", archive];
    let refused = said(&offprint(&arguments));
    assert!(refused.contains("templates/pictures/parts.svg:1: an author's family name: Hopper"), "{refused}");
}

#[test]
fn what_is_more_than_a_drawing_is_refused_and_nothing_is_written() {
    let (folder, run, templates) = project(&SVG.replace("<rect", "\n<image href=\"/etc/hostname\"/><rect"));
    let out = folder.path().join("paper");
    let made = written(&run, &templates, &out);
    assert!(!made.status.success() && !out.join("paper.md").exists());
    let told = "templates/pictures/parts.svg: line 2: expected shapes and texts, found the element `image`";
    assert!(said(&made).contains(told) && said(&made).contains("hint: "), "{}", said(&made));
    // A picture of points beside it is no template, and is said to be none.
    fs::rename(templates.join("pictures/parts.svg"), templates.join("pictures/parts.png")).unwrap();
    let made = said(&written(&run, &templates, &out));
    assert!(made.contains("there is no figure `parts`") && made.contains("templates/pictures/NAME.svg"), "{made}");
}
