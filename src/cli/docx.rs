//! `paper.md` in a folder -> `paper.docx` beside it, by pandoc where it is installed.

use std::{fs, io::ErrorKind, path::Path, process::Command};

use anyhow::{Context, Result, ensure};

use super::folder::DOCX;

/// The dialect that `paper.md` is written in, and a way to name places.
const DIALECT: &str = "commonmark+pipe_tables+bracketed_spans+attributes";

/// Makes it; `None` where there is no pandoc.
///
/// # Errors
/// What pandoc complains of, a folder that cannot be written.
pub(super) fn make(folder: &Path) -> Result<Option<()>> {
    let file = folder.join("paper.md");
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let source = folder.join(".paper-docx.md");
    fs::write(&source, of_pandoc(&text)).with_context(|| source.display().to_string())?;
    let output = Command::new("pandoc")
        .args(["--from", DIALECT, "--to", "docx", "--shift-heading-level-by=-1", "--output", DOCX, ".paper-docx.md"])
        // The document's date is the records'.
        .env("SOURCE_DATE_EPOCH", "0")
        .current_dir(folder)
        .output();
    let _ = fs::remove_file(&source);
    let output = match output {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.context("pandoc")?,
    };
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "pandoc cannot read {}: {}\nhint: is it pandoc 2.17 or later?",
        file.display(),
        said.trim()
    );
    Ok(Some(()))
}

/// Does it end where a zip archive without a comment ends: 18 bytes behind the mark of its directory's end?
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    const END: &[u8] = b"PK\x05\x06";
    const LENGTH: usize = 22;
    bytes.len() >= LENGTH && bytes[bytes.len() - LENGTH..].starts_with(END)
}

/// Places that links lead to as pandoc names them, and figures in a format that every word processor shows. What else has these signs
/// in it is escaped.
fn of_pandoc(markdown: &str) -> String {
    let mut out = String::with_capacity(markdown.len());
    let mut rest = markdown;
    while let Some((before, after)) = rest.split_once("<a id=\"") {
        let (id, tail) = after.split_once("\"></a>").unwrap_or((after, ""));
        out += &format!("{before}[]{{#{id}}}");
        rest = tail;
    }
    out += rest;
    let figures = out.split("](figures/").enumerate().map(|(place, part)| match (place, part.split_once(".svg)")) {
        (0, _) | (_, None) => part.to_owned(),
        (_, Some((id, tail))) => format!("{id}.png){tail}"),
    });
    figures.collect::<Vec<_>>().join("](figures/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zip_ends_with_its_directory() {
        let empty = [b"PK\x05\x06".as_slice(), &[0; 18]].concat();
        assert!(is_whole(&empty) && !is_whole(&[&empty[..], b"x"].concat()) && !is_whole(b"PK"));
    }

    #[test]
    fn places_and_figures_are_pandoc_s() {
        let text = "See [Table 1](#table-x).\n\n![Figure 1](figures/f.svg)\n\n<a id=\"figure-f\"></a>**Figure 1.** F\n";
        assert_eq!(
            of_pandoc(text),
            "See [Table 1](#table-x).\n\n![Figure 1](figures/f.png)\n\n[]{#figure-f}**Figure 1.** F\n"
        );
    }
}
