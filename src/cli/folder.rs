//! A paper's folder on the disk: files in memory -> all of them in place, or none; and no file of another run beside them.
//! Everything is written and typeset in a folder inside first; what was there before is put back if any step fails.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, TryLockError},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};

/// The paper as Typst sets it.
pub const PDF: &str = "paper.pdf";
/// ... and as the TeX engine does that is installed: the one file that nobody can make again to the byte.
pub const TEX_PDF: &str = "paper-tex.pdf";
/// A word processor's, by pandoc: made from paper.md on demand, and gone with it.
pub const DOCX: &str = "paper.docx";
/// What a paper is made of outside its folders.
const FILES: [&str; 8] = ["paper.md", "paper.tex", "paper.html", "paper.typ", PDF, TEX_PDF, DOCX, "claims.json"];
/// A figure of ours is there in all of these.
const FIGURE: [&str; 3] = ["svg", "pdf", "png"];
/// Where a paper is made before it is put in place.
const MAKING: &str = ".offprint-making";

/// What a paper's folder holds beside the paper at hand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Others {
    /// Files that a paper of another run has left.
    pub stale: Vec<String>,
    /// Files and folders that no paper has made. They stay.
    pub foreign: Vec<String>,
}

impl Others {
    /// Looks through `out`; `names` are the files of the paper at hand. Hidden files are nobody's business.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn of(out: &Path, names: &BTreeSet<String>) -> Result<Self> {
        let mut others = Others::default();
        for folder in ["", "figures/", "tables/"] {
            let inside = listed(&out.join(folder))?;
            for (name, is_folder) in &inside {
                let path = format!("{folder}{name}");
                let of_paper = names.contains(&path) || (*is_folder && ["figures", "tables"].contains(&path.as_str()));
                if name.starts_with('.') || of_paper {
                    continue;
                }
                let ours = match folder {
                    "" => FILES.contains(&path.as_str()),
                    "figures/" => is_figure(name, &inside),
                    _ => is_table(&out.join(&path)),
                };
                if ours && !is_folder { &mut others.stale } else { &mut others.foreign }.push(path);
            }
        }
        Ok(others)
    }
}

/// Names in a folder, sorted, and whether each is a folder; none where there is no such folder.
fn listed(folder: &Path) -> Result<BTreeMap<String, bool>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        entries => entries.with_context(|| folder.display().to_string())?,
    };
    let mut names = BTreeMap::new();
    for entry in entries {
        let entry = entry.with_context(|| folder.display().to_string())?;
        names.insert(entry.file_name().to_string_lossy().into_owned(), entry.path().is_dir());
    }
    Ok(names)
}

/// A figure is made in three formats at once: a lone picture is somebody's own.
fn is_figure(name: &str, inside: &BTreeMap<String, bool>) -> bool {
    let Some((stem, extension)) = name.rsplit_once('.') else { return false };
    FIGURE.contains(&extension) && FIGURE.iter().all(|format| inside.contains_key(&format!("{stem}.{format}")))
}

/// Is it a table of groups or of runs, by its first line?
fn is_table(file: &Path) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    let head = text.lines().next().unwrap_or_default();
    file.extension().is_some_and(|extension| extension == "csv")
        && (head.contains(",metric,unit,n,mean,") || head.starts_with("run,order,block,"))
}

/// A paper that lies ready inside its folder, and is not in place yet. Dropped, it leaves no trace.
#[derive(Debug)]
pub struct Ready<'a> {
    out: &'a Path,
    names: BTreeSet<String>,
    /// Nobody else may put a paper there meanwhile.
    _lock: File,
}

impl Drop for Ready<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.out.join(MAKING));
    }
}

impl<'a> Ready<'a> {
    /// Writes the files, by their paths, where they are not seen yet.
    ///
    /// # Errors
    /// A folder that cannot be written, or in which another report is at work.
    pub fn write(out: &'a Path, files: &BTreeMap<String, Vec<u8>>) -> Result<Self> {
        let hint = "hint: is the folder writable, and is there space?";
        fs::create_dir_all(out).with_context(|| format!("{}\n{hint}", out.display()))?;
        let lock = File::open(out).with_context(|| format!("{}", out.display()))?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => {
                bail!("{}: another offprint writes there\nhint: wait until it has ended", out.display())
            }
            // A system that cannot lock a folder lets both go on, as it lets all programs.
            Err(TryLockError::Error(_)) | Ok(()) => {}
        }
        let ready = Ready { out, names: files.keys().cloned().collect(), _lock: lock };
        // What an earlier one left that was killed.
        let _ = fs::remove_dir_all(out.join(MAKING));
        for (name, bytes) in files {
            let path = ready.folder().join(name);
            let parent = path.parent().unwrap_or(out);
            fs::create_dir_all(parent)
                .and_then(|()| fs::write(&path, bytes))
                .with_context(|| format!("{}\n{hint}", path.display()))?;
        }
        Ok(ready)
    }

    /// Where the files lie.
    pub fn folder(&self) -> PathBuf {
        self.out.join(MAKING).join("new")
    }

    /// One more file.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn make(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.folder().join(name);
        fs::write(&path, bytes).with_context(|| format!("{}\nhint: is there space?", path.display()))?;
        self.add(name);
        Ok(())
    }

    /// One more file, which has been put among the others.
    pub fn add(&mut self, name: &str) {
        self.names.insert(name.to_owned());
    }

    /// A file of before that is this paper's, too, and stays.
    pub fn keep(&mut self, name: &str) -> Result<()> {
        let (old, new) = (self.out.join(name), self.folder().join(name));
        fs::copy(&old, new).with_context(|| old.display().to_string())?;
        self.add(name);
        Ok(())
    }

    /// Puts every file in place and takes away what a paper of another run has left; says what it found beside.
    ///
    /// # Errors
    /// A file that cannot be moved; then everything is again as it was.
    pub fn put(self) -> Result<Others> {
        let others = Others::of(self.out, &self.names)?;
        let mut moved = Vec::new();
        let put = self.move_all(&others.stale, &mut moved);
        if put.is_err() {
            for (from, to) in moved.into_iter().rev() {
                let _ = fs::rename(to, from);
            }
        }
        put.with_context(|| format!("{}: the paper there is as it was", self.out.display()))?;
        for folder in ["figures", "tables"] {
            // Goes if nothing is in it.
            let _ = fs::remove_dir(self.out.join(folder));
        }
        Ok(others)
    }

    /// Each file of before goes aside just before its successor comes; what has none goes first, and last comes the file that
    /// says of which run all others are. `moved` is what was done, in order.
    fn move_all(&self, stale: &[String], moved: &mut Vec<(PathBuf, PathBuf)>) -> Result<()> {
        let (new, old) = (self.folder(), self.out.join(MAKING).join("old"));
        let (last, first): (Vec<&String>, Vec<&String>) = self.names.iter().partition(|name| *name == "claims.json");
        let coming = first.into_iter().chain(last).map(|name| (name, true));
        for (name, comes) in stale.iter().map(|name| (name, false)).chain(coming) {
            let (place, aside) = (self.out.join(name), old.join(name));
            let mut go = |from: PathBuf, to: PathBuf| -> Result<()> {
                let parent = to.parent().unwrap_or(self.out);
                fs::create_dir_all(parent)
                    .and_then(|()| fs::rename(&from, &to))
                    .with_context(|| format!("{}\nhint: is the folder writable?", place.display()))?;
                moved.push((from, to));
                Ok(())
            };
            match fs::symlink_metadata(&place) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                found => {
                    let found = found.with_context(|| place.display().to_string())?;
                    ensure!(
                        !found.is_dir(),
                        "{}: expected a file, found a folder\nhint: move it away, or choose another --out",
                        place.display()
                    );
                    go(place.clone(), aside)?;
                }
            }
            if comes {
                go(new.join(name), place.clone())?;
            }
        }
        Ok(())
    }
}
