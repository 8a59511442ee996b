//! What the command line names -> the papers to read, in its order; a folder's in the order of their paths, each paper once.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use crate::lint::document::Format;

/// Folders of what others wrote or a compiler made.
const FOREIGN: [&str; 2] = ["node_modules", "target"];

/// A paper, or a folder, that was not read.
#[derive(Debug)]
pub struct Unread {
    pub name: String,
    pub why: String,
    pub hint: String,
}

impl Unread {
    /// `why` may end with a hint of its own.
    pub fn new(name: String, why: String, hint: &str) -> Self {
        let (why, hint) = why.split_once("\nhint:").unwrap_or((&why, hint));
        Unread { name, why: why.trim().replace('\n', " "), hint: hint.trim().to_owned() }
    }
}

/// Where a paper comes from.
#[derive(Debug)]
pub enum Source {
    Stdin(Option<Format>),
    /// With the format that the command line says it has.
    File(PathBuf, Option<Format>),
    /// There is nothing to read.
    Nothing(Unread),
}

/// All papers to read.
#[derive(Debug, Default)]
pub struct Found {
    pub sources: Vec<Source>,
    /// Kinds of what folders hold and was not looked at.
    pub left_out: BTreeSet<&'static str>,
    /// One paper was named, and no folder.
    pub one_file: bool,
    seen: BTreeSet<PathBuf>,
    stdin: bool,
}

/// `format`: of what is named itself, not of what lies in a folder.
pub fn find(named: &[PathBuf], format: Option<Format>) -> Found {
    let mut found = Found { one_file: matches!(named, [one] if !one.is_dir()), ..Found::default() };
    for path in named {
        if path.as_os_str() == "-" {
            if !std::mem::replace(&mut found.stdin, true) {
                found.sources.push(Source::Stdin(format));
            }
        } else if path.is_dir() {
            found.folder(path);
        } else {
            found.file(path.clone(), format);
        }
    }
    found
}

impl Found {
    fn file(&mut self, path: PathBuf, format: Option<Format>) {
        let identity = path.canonicalize().unwrap_or_else(|_| path.clone());
        if self.seen.insert(identity) {
            self.sources.push(Source::File(path, format));
        }
    }

    /// A folder's PDFs are read where it has nothing else: beside a source they are made of it, or are figures.
    fn folder(&mut self, folder: &Path) {
        let (before, mut papers) = (self.sources.len(), Vec::new());
        self.walk(folder, &mut papers);
        let (pdfs, sources): (Vec<PathBuf>, Vec<PathBuf>) =
            papers.into_iter().partition(|path| format(path) == Some(Format::Pdf));
        if !pdfs.is_empty() && !sources.is_empty() {
            self.left_out.insert("PDFs beside other papers");
        }
        let papers = if sources.is_empty() { pdfs } else { sources };
        if papers.is_empty() && self.sources.len() == before {
            let why = "no paper in this folder".to_owned();
            let hint =
                "Markdown, LaTeX, HTML, reStructuredText, Org, Typst, .ipynb, .docx and .pdf are found by extension";
            self.sources.push(Source::Nothing(Unread::new(folder.display().to_string(), why, hint)));
        }
        papers.into_iter().for_each(|path| self.file(path, None));
    }

    fn walk(&mut self, folder: &Path, papers: &mut Vec<PathBuf>) {
        let paths = match listed(folder) {
            Ok(paths) => paths,
            Err(error) => {
                let why = format!("cannot be listed: {error}");
                let unread = Unread::new(folder.display().to_string(), why, "may you read it?");
                return self.sources.push(Source::Nothing(unread));
            }
        };
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_folder = path.is_dir();
            if name.starts_with('.') || name.starts_with("~$") {
                self.left_out.insert("hidden files");
            } else if is_folder && let Some(foreign) = FOREIGN.iter().find(|foreign| name == **foreign) {
                self.left_out.insert(foreign);
            } else if is_folder && path.is_symlink() {
                self.left_out.insert("links to folders");
            } else if is_folder {
                self.walk(&path, papers);
            } else if format(&path).is_some() && (path.is_file() || path.is_symlink()) {
                papers.push(path);
            }
        }
    }
}

fn format(path: &Path) -> Option<Format> {
    Format::named(path.extension()?.to_str()?)
}

/// What a folder holds, sorted; without a leading `./`.
fn listed(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = entries.collect::<io::Result<Vec<PathBuf>>>()?;
    if folder == Path::new(".") {
        paths = paths.into_iter().map(|path| path.strip_prefix(".").map(Path::to_owned).unwrap_or(path)).collect();
    }
    paths.sort();
    Ok(paths)
}
