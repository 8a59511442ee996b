//! The paper of a committed run, typeset by the real TeX, and what TeX says of it: nothing over the margin, nothing that points nowhere, no
//! character that the fonts lack.

use std::io::Write;

use super::*;

/// Points that a line may stick out: a hair that nobody sees.
const HAIR: f64 = 1.0;

/// Is there a TeX to ask? Without one nothing is tested, and that is said.
pub fn latexmk() -> bool {
    let there = Command::new("latexmk").arg("-v").output().is_ok_and(|output| output.status.success());
    if !there {
        // Past the capture of output, which would hide it.
        let said = b"\nSKIPPED: latexmk is not installed, so the LaTeX was not tried (.ci/run installs it)\n";
        std::io::stderr().write_all(said).unwrap();
    }
    there
}

/// Typesets `paper.tex` in a folder; the log, its broken lines joined.
pub fn log(folder: &Path) -> String {
    let output = Command::new("latexmk")
        .args(["-pdf", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper.tex"])
        // TeX breaks its messages at this column.
        .env("max_print_line", "2000")
        .current_dir(folder)
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&fs::read(folder.join("paper.log")).unwrap()).into_owned();
    let errors: Vec<&str> = log.lines().filter(|line| line.starts_with('!') || line.starts_with("l.")).collect();
    assert!(output.status.success(), "{}", errors.join("\n"));
    log
}

/// The complaints of a log that a reader would see on the page.
pub fn complaints(log: &str) -> Vec<String> {
    let seen = |line: &&str| {
        let wide = line.strip_prefix("Overfull \\hbox (").and_then(|rest| rest.split_once("pt too wide"));
        let wide = wide.is_some_and(|(points, _)| points.parse::<f64>().is_ok_and(|points| points > HAIR));
        let undefined = line.contains("Warning") && line.contains("undefined");
        let nowhere = line.contains("has been referenced but does not exist") || line.contains("multiply defined");
        wide || undefined || nowhere || line.starts_with("Missing character")
    };
    log.lines().filter(seen).map(str::to_owned).collect()
}

/// A committed execution. What this checkout has measured since, and the paper that it has written of that, is another matter.
const RUN: &str = "results/smollm2/20261126T114313Z";

/// Its paper, made again in a folder of its own and not yet typeset: `report` is to find no program.
pub fn committed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut report = Command::new(env!("CARGO_BIN_EXE_offprint"));
    let output = report
        .args(["report", "--run", RUN, "--out"])
        .arg(folder.path())
        .env("PATH", "")
        .env_remove("PYTHON")
        .output()
        .unwrap();
    assert!(output.status.success() && !folder.path().join("paper.pdf").exists(), "{}", said(&output));
    folder
}

#[test]
fn tex_has_nothing_to_complain_of_in_the_paper_of_a_committed_run() {
    if !latexmk() {
        return;
    }
    let folder = committed();
    assert_eq!(complaints(&log(folder.path())), [""; 0]);
    // A character that LaTeX lacks is written as its code point: ours should need none.
    let source = fs::read_to_string(folder.path().join("paper.tex")).unwrap();
    assert!(!source.contains("\\texttt{U+"), "paper.tex has characters that LaTeX lacks");
}

/// A skin may be a stranger's.
#[test]
fn a_skin_reads_no_file_outside_of_its_paper() {
    if !latexmk() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = super::run(folder.path(), include_str!("../../config/fake.yaml"));
    let (templates, out, secret) =
        (folder.path().join("templates"), folder.path().join("paper"), folder.path().join("secret.tex"));
    fs::create_dir_all(templates.join("skins")).unwrap();
    fs::write(&secret, "A secret.").unwrap();
    let skin = fs::read_to_string("templates/skins/paper.tex").unwrap();
    for (path, fine) in [(secret.to_str().unwrap(), false), ("../../../secret.tex", false), ("figures/none", true)] {
        let read = format!("\\begin{{document}}\\openin7={path} \\ifeof7\\else\\errmessage{{read}}\\fi\\closein7 ");
        let read = if fine { read } else { read + &format!("\\input{{{path}}}") };
        fs::write(templates.join("skins/paper.tex"), skin.replacen("\\begin{document}", &read, 1)).unwrap();
        let made = super::offprint(&[
            "report",
            "--tex",
            "--run",
            run.to_str().unwrap(),
            "--out",
            out.to_str().unwrap(),
            "--templates",
            templates.to_str().unwrap(),
        ]);
        let told = super::said(&made);
        assert_eq!(made.status.success(), fine, "{path}: {told}");
        assert!(fine || told.contains("pdflatex cannot typeset") && !told.contains("! read"), "{path}: {told}");
    }
}

#[test]
fn each_complaint_is_heard() {
    if !latexmk() {
        return;
    }
    let folder = committed();
    let file = folder.path().join("paper.tex");
    let planted = "\\noindent\\hbox to 1.2\\linewidth{x}\\par \\ref{nowhere} \\cite{nobody} \
                   \\hyperlink{table-none}{x} {\\fontencoding{T1}\\fontfamily{pzc}\\selectfont\\char\"1F}\n\\end{document}";
    let source = fs::read_to_string(&file).unwrap().replace("\\end{document}", planted);
    fs::write(&file, source).unwrap();
    let found = complaints(&log(folder.path())).join("\n");
    for part in ["Overfull \\hbox", "Reference `nowhere'", "Citation `nobody'", "table-none"] {
        assert!(found.contains(part), "{part} is not in\n{found}");
    }
    assert_eq!(complaints("Missing character: There is no ≤ in font ec-lmr10!").len(), 1);
    assert!(complaints("Overfull \\hbox (0.9pt too wide) in paragraph").is_empty());
}
