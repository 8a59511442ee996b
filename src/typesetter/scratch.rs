//! A folder for one paper among the system's temporary files. Dropped, it is gone.

use std::{
    fs::{self, DirBuilder},
    io::ErrorKind,
    path::{Path, PathBuf},
    process,
};

use anyhow::{Context, Result, bail};

#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A folder that nobody has made before, and nobody else may look into.
    ///
    /// # Errors
    /// No folder can be made there.
    pub fn new() -> Result<Self> {
        const MOST: u32 = 10_000;
        let (own, hint) = (process::id(), "hint: set TMPDIR to a writable folder");
        let parent = std::env::temp_dir();
        for number in 0..MOST {
            let path = parent.join(format!("offprint-{own}-{number}"));
            let mut builder = DirBuilder::new();
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            match builder.create(&path) {
                Ok(()) => return Ok(Scratch(path)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).with_context(|| format!("{}\n{hint}", path.display())),
            }
        }
        bail!("{}: it holds {MOST} folders of this name\n{hint}", parent.display())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// # Errors
    /// No space, most often.
    pub fn write(&self, path: &str, bytes: &[u8]) -> Result<()> {
        let file = self.0.join(path);
        fs::create_dir_all(file.parent().unwrap_or(&self.0))
            .and_then(|()| fs::write(&file, bytes))
            .with_context(|| format!("{}\nhint: is there space?", file.display()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
