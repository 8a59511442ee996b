//! docs/TUTORIAL.md, command by command, on the real model: what it says works, or this fails.

use super::*;

/// A step of the tutorial.
enum Step {
    /// A line of a block of commands.
    Command(String),
    /// A file's path and text.
    File(String, String),
}

/// The steps, in order. A block of text follows the mark that names its file; a block of commands needs none.
fn steps(text: &str) -> Vec<Step> {
    let (mut steps, mut named) = (Vec::new(), None);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(path) = line.strip_prefix("<!-- file: ").and_then(|rest| rest.strip_suffix(" -->")) {
            named = Some(path.to_owned());
        } else if let Some(kind) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            match (kind, named.take()) {
                ("sh", None) => steps.extend(block.iter().map(|line| Step::Command((*line).to_owned()))),
                (_, Some(path)) => steps.push(Step::File(path, block.join("\n") + "\n")),
                (kind, None) => panic!("a block of {kind} that belongs to no file"),
            }
        }
    }
    steps
}

#[test]
fn every_command_of_the_tutorial_works() {
    let folder = tempfile::tempdir().unwrap();
    let mut here = folder.path().to_owned();
    let program = Path::new(env!("CARGO_BIN_EXE_offprint")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let (mut commands, mut files) = (0, 0);
    for step in steps(include_str!("../../docs/TUTORIAL.md")) {
        match step {
            Step::File(path, text) => {
                files += 1;
                fs::write(here.join(&path), text).unwrap();
            }
            Step::Command(line) if line.starts_with("cd ") => here.push(&line[3..]),
            Step::Command(line) => {
                commands += 1;
                let output = Command::new("sh")
                    .args(["-c", &line])
                    .current_dir(&here)
                    .env("PATH", &path)
                    .env("OFFPRINT_CACHE", concat!(env!("CARGO_MANIFEST_DIR"), "/.cache"))
                    .output()
                    .unwrap();
                assert!(output.status.success(), "{line}\n{}{}", data(&output), said(&output));
            }
        }
    }
    assert!(commands >= 10 && files >= 4, "{commands} commands, {files} files");
    let paper = fs::read_to_string(here.join("paper/paper.md")).unwrap();
    assert!(
        paper.contains("What a Long Conversation Costs") && paper.contains("The decode rate without context is "),
        "{paper}"
    );
}
