//! A file, or bytes -> a document, in the format that its name or, without one, its beginning says.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{Document, docx, html, latex, markdown, notebook, org, pdf, rst, typst};

/// How a paper is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Markdown,
    Latex,
    Html,
    Rst,
    Org,
    Typst,
    Notebook,
    Docx,
    Pdf,
}

impl Format {
    /// By a file's extension; `None` for one that is not known.
    pub fn named(extension: &str) -> Option<Self> {
        Some(match extension.to_ascii_lowercase().as_str() {
            "md" | "markdown" | "mkd" | "mdown" | "mdx" | "qmd" | "rmd" | "txt" | "text" => Format::Markdown,
            "tex" | "ltx" | "latex" => Format::Latex,
            "html" | "htm" | "xhtml" => Format::Html,
            "rst" | "rest" => Format::Rst,
            "org" => Format::Org,
            "typ" => Format::Typst,
            "ipynb" => Format::Notebook,
            "docx" => Format::Docx,
            "pdf" => Format::Pdf,
            _ => return None,
        })
    }

    /// By how it begins.
    fn guessed(bytes: &[u8]) -> Self {
        if bytes.starts_with(b"%PDF") {
            return Format::Pdf;
        }
        if bytes.starts_with(b"PK\x03\x04") {
            return Format::Docx;
        }
        let head = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]).into_owned();
        let start = head.trim_start().to_ascii_lowercase();
        if start.starts_with("<!doctype html") || start.starts_with("<html") {
            Format::Html
        } else if head.contains("\\documentclass") || head.contains("\\begin{") || head.contains("\\section{") {
            Format::Latex
        } else {
            Format::Markdown
        }
    }
}

/// Reads a paper and what it takes in of its own folder.
///
/// # Errors
/// A sentence: it cannot be read, is no text, is encrypted, is of a kind that is not read.
pub fn open(path: &Path) -> Result<Document, String> {
    let bytes = fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("");
    let format = match Format::named(extension) {
        Some(format) => format,
        None if extension.is_empty() => Format::guessed(&bytes),
        None => {
            return Err(format!(
                "files called .{extension} are not read\nhint: Markdown, LaTeX, HTML, reStructuredText, Org, Typst, .ipynb, .docx and .pdf are; give it one of their extensions, or pipe it in"
            ));
        }
    };
    read(&path.display().to_string(), &bytes, Some(format), path.parent())
}

/// Reads bytes. `folder`: where parts of it lie, if it may take in any.
///
/// # Errors
/// As [`open`].
pub fn read(name: &str, bytes: &[u8], format: Option<Format>, folder: Option<&Path>) -> Result<Document, String> {
    let format = format.unwrap_or_else(|| Format::guessed(bytes));
    let mut document = Document { files: vec![name.to_owned()], ..Document::default() };
    let into = &mut document;
    let text = if matches!(format, Format::Docx | Format::Pdf) { "" } else { text(bytes)? };
    match format {
        Format::Markdown => markdown::read(text, 0, into),
        Format::Html => html::read(text, 0, into),
        Format::Latex => {
            let mut parts = Parts { folder: folder.map(Path::to_owned), seen: BTreeSet::new() };
            parts.seen.extend(folder.and_then(|folder| folder.join(Path::new(name).file_name()?).canonicalize().ok()));
            latex::read(text, 0, &mut |part| parts.take(part), into);
        }
        Format::Rst => rst::read(text, 0, into),
        Format::Org => org::read(text, 0, into),
        Format::Typst => typst::read(text, 0, into),
        Format::Notebook => notebook::read(text, 0, into)?,
        Format::Docx => docx::read(bytes, 0, into)?,
        Format::Pdf => pdf::read(bytes, 0, into)?,
    }
    Ok(document)
}

/// What `\input` may take in: files of the paper's own folder, each once.
struct Parts {
    folder: Option<PathBuf>,
    seen: BTreeSet<PathBuf>,
}

impl Parts {
    fn take(&mut self, name: &str) -> Result<(String, String), String> {
        let Some(folder) = &self.folder else { return Err("it has no folder to look in".into()) };
        let root = folder_of(folder).canonicalize().map_err(|error| error.to_string())?;
        let given = root.join(name);
        let path = [
            given.clone(),
            given.with_file_name(format!("{}.tex", given.file_name().unwrap_or_default().to_string_lossy())),
        ]
        .into_iter()
        .find_map(|path| path.canonicalize().ok().filter(|path| path.is_file()))
        .ok_or("there is no such file")?;
        if !path.starts_with(&root) {
            return Err("it lies outside of the paper's folder".into());
        }
        if !self.seen.insert(path.clone()) {
            return Err("it was read already".into());
        }
        let bytes = fs::read(&path).map_err(|error| error.to_string())?;
        let short = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
        let text = text(&bytes).map_err(|why| why.lines().next().unwrap_or("").to_owned())?;
        Ok((short, text.to_owned()))
    }
}

/// A file without a folder stands in the current one.
fn folder_of(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// As UTF-8.
fn text(bytes: &[u8]) -> Result<&str, String> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err("it is UTF-16, not UTF-8\nhint: save it as UTF-8".into());
    }
    let bytes = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("it is not UTF-8 text (line {line})\nhint: save it as UTF-8, or give the source of the paper")
    })
}
