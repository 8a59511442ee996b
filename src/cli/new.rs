//! `offprint new DIR`: a project of one's own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};

use crate::project::{self, Start};

#[derive(Debug, clap::Args)]
pub struct NewArgs {
    /// The folder; it must be empty, or not be there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// What it begins with
    #[arg(long, value_enum, default_value_t)]
    from: Start,
}

/// Writes the project and says what to do next.
pub fn run(args: NewArgs) -> Result<ExitCode> {
    let NewArgs { folder, from } = args;
    refuse(&folder)?;
    for (path, text) in project::files(from) {
        let file = folder.join(path);
        let parent = file.parent().unwrap_or(&folder);
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&file, text))
            .with_context(|| format!("{}\nhint: is the folder writable?", file.display()))?;
    }
    say!("{}", folder.display());
    let go = if folder == Path::new(".") { String::new() } else { format!("cd {} && ", quoted(&folder)) };
    tell!("hint: {go}offprint paper measures and writes paper/; README.md there says the rest");
    Ok(ExitCode::SUCCESS)
}

/// As a shell takes it.
fn quoted(folder: &Path) -> String {
    let shown = folder.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+~".contains(c);
    if shown.chars().all(plain) { shown } else { format!("'{}'", shown.replace('\'', "'\\''")) }
}

/// Nothing that is there already is touched; a repository that was just begun, or a licence, is no reason to refuse.
fn refuse(folder: &Path) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(|| format!("{}\nhint: name a folder that is to be made", folder.display()))?,
    };
    let name = |entry: std::io::Result<fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
    let mut names = entries.map(name).collect::<std::io::Result<Vec<String>>>()?;
    names.retain(|name| ![".git", ".DS_Store"].contains(&name.as_str()) && !name.starts_with("LICENSE"));
    names.sort();
    if let Some(first) = names.first() {
        bail!(
            "{}: expected an empty folder, found {first}{}\nhint: name another, or one that is not there yet; nothing was written",
            folder.display(),
            if names.len() > 1 { format!(" and {} more", names.len() - 1) } else { String::new() }
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_where_a_shell_needs_it() {
        assert_eq!(quoted(Path::new("a/b-1.x")), "a/b-1.x");
        assert_eq!(quoted(Path::new("my paper's")), "'my paper'\\''s'");
    }
}
