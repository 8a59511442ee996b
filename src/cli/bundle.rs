//! `offprint bundle`: a run and its paper -> a versioned archive, checked before it gets its name.

use std::{
    fs::{self, File},
    io::BufWriter,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail, ensure};

use super::{
    prose::{or_of_project, tell_of},
    report, set as cli_set,
};
use crate::{
    bundle::{self, Bundle, Made, Order, Problem, archive, index, set, signature},
    project,
};

#[derive(Debug, clap::Args)]
pub struct BundleArgs {
    /// The run folder; else that of the paper
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// A set that `merge` has made, instead of a run: its members, and the paper over them
    #[arg(long, value_name = "SET", conflicts_with = "run")]
    set: Option<PathBuf>,
    /// Semantic version of the bundle: 1.0.0
    #[arg(long, value_name = "X.Y.Z")]
    version: String,
    /// The archive; results/bundles/STUDY-VERSION.zip unless given
    #[arg(long, value_name = "FILE.zip")]
    out: Option<PathBuf>,
    /// Sign with this SSH ed25519 private key
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
    /// Where the paper of this run lies, for its PDF; the project's paper/ unless given
    #[arg(long, value_name = "DIR")]
    paper: Option<PathBuf>,
    /// What the paper is made from; else as `report` chooses it
    #[arg(long, value_name = "DIR")]
    templates: Option<PathBuf>,
    /// SPDX identifiers of the licence of what is in the bundle; MIT OR Apache-2.0 unless given, of a set its members'
    #[arg(long, value_name = "SPDX")]
    license: Option<String>,
}

/// Makes a bundle and lists it.
pub fn run(args: BundleArgs) -> Result<ExitCode> {
    let key = args.sign.as_deref().map(signature::read_key).transpose()?;
    let paper = or_of_project(args.paper, "paper");
    if let Some(folder) = &args.set {
        let opened = set::read(&Bundle::open(folder)?, &args.version, args.license.as_deref())?;
        let templates = cli_set::templates(args.templates.as_deref())?;
        let made = set::bundled(&opened, Some((&templates, &paper)), key.as_ref())?;
        let name = opened.label.as_label().name();
        let out = args.out.unwrap_or_else(|| or_of_project(None, "results/bundles").join(format!("{name}.zip")));
        let archive = set::archived(&name, made.files);
        put(&out, &|file| archive::write(file, &archive), &|written| set_faults(written))?;
        if let Some(reason) = made.no_pdf {
            tell!("no PDF in it: {reason}");
        }
        return listed(&out);
    }
    let run = match args.run {
        Some(run) => run,
        None => report::choose(&paper, &or_of_project(None, "results"))?,
    };
    let chosen = project::templates(&run, args.templates.as_deref())?;
    let templates = &chosen.templates;
    let (version, licence) = (&args.version, args.license.as_deref().unwrap_or("MIT OR Apache-2.0"));
    let order = Order { run: &run, templates, version, licence, paper: &paper, key: key.as_ref() };
    if let Some(out) = &args.out {
        refuse(out)?;
    }
    let made = bundle::make(&order)?;
    tell_of(&chosen);
    let out =
        args.out.unwrap_or_else(|| or_of_project(None, "results/bundles").join(format!("{}.zip", made.label.name())));
    write(&out, &made)?;
    if let Some(text) = &made.text
        && let Some(licence) = &text.licence
    {
        tell!(
            "quality.txt is in it: {}, licence {licence}; whether it may be handed on is yours to judge",
            text.source
        );
    }
    if let Some(reason) = made.no_pdf {
        tell!("no PDF in it: {reason}");
    }
    listed(&out)
}

/// The page lists a folder of bundles; a bundle written elsewhere stands alone.
fn listed(out: &Path) -> Result<ExitCode> {
    let folder = folder_of(out);
    if folder.ends_with("results/bundles") {
        let page = folder.join("README.md");
        fs::write(&page, index::page(&folder)?).with_context(|| page.display().to_string())?;
        tell!("{}", page.display());
    }
    say!("{}", out.display());
    Ok(ExitCode::SUCCESS)
}

fn folder_of(out: &Path) -> PathBuf {
    match out.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// What is wrong with a set as it lies on the disk.
fn set_faults(written: &Bundle) -> Vec<Problem> {
    let (_, fixity) = bundle::fixity(written);
    [written.problems(), &fixity].concat()
}

/// A version that exists is never replaced.
fn refuse(out: &Path) -> Result<()> {
    ensure!(
        fs::symlink_metadata(out).is_err(),
        "{}: exists, and a version is never overwritten\nhint: give the next --version, or another --out",
        out.display()
    );
    Ok(())
}

/// A bundle of a run, as [`put`] writes it.
pub(super) fn write(out: &Path, made: &Made) -> Result<()> {
    put(out, &|file| made.write(file), &|written| made.faults(written))
}

/// Whole, verified, under its name and on the disk, or not at all.
fn put(
    out: &Path,
    write: &dyn Fn(&mut BufWriter<File>) -> Result<()>,
    faults: &dyn Fn(&Bundle) -> Vec<Problem>,
) -> Result<()> {
    refuse(out)?;
    let folder = folder_of(out);
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let mut making = out.as_os_str().to_owned();
    making.push(format!(".{}.tmp", std::process::id()));
    let making = PathBuf::from(making);
    let written = (|| {
        let mut file = BufWriter::new(File::create(&making).with_context(|| making.display().to_string())?);
        write(&mut file)
            .and_then(|()| Ok(file.into_inner()?.sync_all()?))
            .with_context(|| format!("{}\nhint: is the folder writable, and is there space?", making.display()))?;
        let faults = faults(&Bundle::open(&making)?);
        if let Some(problem) = faults.first() {
            bail!(
                "the bundle would not pass verify: {problem} ({} problems)\nhint: nothing was written; try again",
                faults.len()
            );
        }
        // Fails where a file of that name has appeared meanwhile; a rename would replace it.
        match fs::hard_link(&making, out) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => refuse(out),
            Err(_) => {
                refuse(out)?;
                fs::rename(&making, out).with_context(|| out.display().to_string())
            }
            Ok(()) => Ok(()),
        }?;
        // A name is on the disk when its folder is.
        match out.parent().filter(|folder| cfg!(unix) && !folder.as_os_str().is_empty()) {
            Some(folder) => {
                File::open(folder).and_then(|folder| folder.sync_all()).with_context(|| folder.display().to_string())
            }
            None => Ok(()),
        }
    })();
    let _ = fs::remove_file(&making);
    written
}
