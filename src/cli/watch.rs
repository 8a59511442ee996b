//! `offprint report --watch`: the paper again after every change of a template or of the records; in the browser at once, in its folder
//! as soon as nobody has saved anything for a moment, since a PDF takes longer than a page.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::Result;

use super::{
    preview::Preview,
    prose::tell_of,
    report::{Places, ReportArgs, keep, write},
    signal,
};
use crate::{
    complaint::Complaint,
    evidence::{self, Evidence},
    paper::{self, Templates},
    project, store,
};

/// How often is looked for changes, and how long nothing must have changed before files are written.
const GLANCE: Duration = Duration::from_millis(60);
const QUIET: Duration = Duration::from_millis(800);

/// What the paper looked like, by file: when it was saved last, and its size.
type Seen = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// A paper made, not yet written.
struct Made {
    templates: Templates,
    files: BTreeMap<String, Vec<u8>>,
}

/// Watches until Ctrl-C.
///
/// # Errors
/// Records that cannot be read, a port that is taken. What is wrong with a template is said, and watched for its mending.
pub(super) fn run(args: &ReportArgs) -> Result<ExitCode> {
    let Places { folder: run, out, named } = args.places()?;
    let (run, out, named) = (run.as_path(), out.as_path(), named.as_deref());
    let stop = signal::stop()?;
    // Who names no run folder's project has none: there must be something to edit.
    let folder = folder_of(run, named)?;
    let preview = Preview::serve(args.port)?;
    say!("{}", preview.address());
    tell!("watching {}; Ctrl-C ends it", folder.display());
    let (mut seen, mut evidence, mut last) = (Seen::new(), None, String::new());
    let (mut unwritten, mut changed) = (None, Instant::now());
    while !stop.load(Ordering::SeqCst) {
        let now = look(run, &folder);
        if now != seen && !folder.is_dir() {
            seen = now;
            tell!("{}: it is gone; the page stays as it is until the folder is back", folder.display());
        } else if now != seen {
            let records = |seen: &Seen| {
                seen.iter().filter(|(path, _)| path.starts_with(run)).map(|(p, s)| (p.clone(), *s)).collect::<Seen>()
            };
            if records(&now) != records(&seen) {
                evidence = None;
            }
            (seen, changed) = (now, Instant::now());
            match make(run, named, &mut evidence) {
                Ok(made) => {
                    last =
                        String::from_utf8_lossy(made.files.get("paper.html").map_or(b"", Vec::as_slice)).into_owned();
                    preview.show(&last, None);
                    tell!("{} ms: the page is new", changed.elapsed().as_millis());
                    unwritten = Some(made);
                }
                Err(error) => {
                    let complaint = Complaint::from(&error);
                    let text = format!("{}\n{}", complaint.causes.join("\n  "), complaint.hint.unwrap_or_default());
                    super::complain(&error);
                    preview.show(&last, Some(text.trim_end()));
                    unwritten = None;
                }
            }
        }
        if changed.elapsed() >= QUIET
            && let Some(Made { templates, files }) = unwritten.take()
        {
            match write(out, &files, args.tex) {
                Ok(()) => keep(run, &templates),
                Err(error) => super::complain(&error),
            }
        }
        thread::sleep(GLANCE);
    }
    // What was made last is not lost.
    if let Some(Made { templates, files }) = unwritten {
        write(out, &files, args.tex)?;
        keep(run, &templates);
    }
    Ok(ExitCode::SUCCESS)
}

/// The folder whose files are edited.
fn folder_of(run: &Path, named: Option<&Path>) -> Result<PathBuf> {
    let chosen = project::templates(run, named)?;
    tell_of(&chosen);
    match chosen.from {
        project::From::Named(folder) | project::From::Project(folder) => Ok(folder),
        project::From::Copy(_) | project::From::BuiltIn => {
            anyhow::bail!(
                "there is no templates/ to watch\nhint: offprint new DIR makes a project; --templates names a folder"
            )
        }
    }
}

/// The paper's files; the records are read again only where they have changed.
fn make(run: &Path, named: Option<&Path>, evidence: &mut Option<Evidence>) -> Result<Made> {
    let templates = project::templates(run, named)?.templates;
    let Evidence { run, summary, claims } = match evidence {
        Some(evidence) => evidence,
        none => none.insert(Evidence::open(run, None)?),
    };
    let mut claims = claims.clone();
    evidence::add_own(&mut claims, run, summary, templates.claims())?;
    let files = paper::files(run, summary, &claims, &templates)?;
    Ok(Made { templates, files })
}

/// Every file that the paper is made from.
fn look(run: &Path, folder: &Path) -> Seen {
    let mut seen = Seen::new();
    let mut folders = vec![folder.to_owned(), run.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            // The run's own copy is written here.
            if hidden || path == store::templates(run) {
                continue;
            }
            match fs::metadata(&path) {
                Ok(data) if data.is_dir() => folders.push(path),
                Ok(data) => drop(seen.insert(path, (data.modified().ok(), data.len()))),
                Err(_) => {}
            }
        }
    }
    seen
}
