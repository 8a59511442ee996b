//! `offprint report`: records -> paper. Everything is made apart first, so a failure leaves the old paper whole.

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, anyhow, bail};

use super::{
    docx,
    export::{self, Format},
    folder::{DOCX, Others, PDF, Ready, TEX_PDF},
    prose::{or_of_project, tell_of},
    set,
    typeset::{NoEngine, typeset},
};
use crate::{
    bundle::{difference, pdf},
    claims::{
        self, Claims, Source,
        agree::{Agreement, Edition},
    },
    compare,
    complaint::Complaint,
    digest,
    evidence::Evidence,
    paper::{self, Templates},
    project,
    store::{self, Run},
    typesetter::{Fault, SOURCE, Typesetter, pin},
};

#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    /// The run folder; else the run that the paper in --out names, else the newest complete run
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// A set that `merge` has made, instead of a run: the paper over its machines and sessions
    #[arg(long, value_name = "SET", conflicts_with_all = ["run", "baseline", "docx", "watch", "format"])]
    set: Option<PathBuf>,
    /// Where the paper goes; the project's paper/ unless given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Where run folders are looked for; the project's results/ unless given
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// What the paper is made from; else the project's templates/, the run's own copy, or the built-in ones
    #[arg(long, value_name = "DIR")]
    templates: Option<PathBuf>,
    /// Set the run beside this one: a copy of its records goes into the run folder, as its baseline
    #[arg(long, value_name = "DIR", conflicts_with = "check")]
    baseline: Option<PathBuf>,
    /// Also have LaTeX's PDF made, paper-tex.pdf, by the TeX engine that is installed
    #[arg(long, conflicts_with = "check")]
    pub(super) tex: bool,
    /// Write nothing; exit 1 if the paper in --out is not what the records give
    #[arg(long)]
    check: bool,
    /// Write it again after every change of a template or of the records, and show it to a browser on this machine
    #[arg(long, conflicts_with_all = ["check", "baseline"])]
    pub(super) watch: bool,
    /// The preview's port on 127.0.0.1; one that is free unless given
    #[arg(long, value_name = "PORT", requires = "watch", default_value_t = 0, hide_default_value = true)]
    pub(super) port: u16,
    /// Also write paper.docx, by pandoc
    #[arg(long, conflicts_with_all = ["check", "watch"])]
    docx: bool,
    /// Write no paper: print the results in the shape that another tool writes them in
    #[arg(long, value_enum, value_name = "FORMAT", conflicts_with_all = ["baseline", "check", "docx", "templates", "tex", "watch"])]
    format: Option<Format>,
}

/// Where a paper's things are.
pub(super) struct Places {
    /// The run folder.
    pub(super) folder: PathBuf,
    /// The paper's.
    pub(super) out: PathBuf,
    /// The templates' where one was named.
    pub(super) named: Option<PathBuf>,
}

impl ReportArgs {
    /// # Errors
    /// As [`choose`].
    pub(super) fn places(&self) -> Result<Places> {
        let out = or_of_project(self.out.clone(), "paper");
        let folder = match &self.run {
            Some(folder) => folder.clone(),
            None => choose(&out, &or_of_project(self.results.clone(), "results"))?,
        };
        Ok(Places { folder, out, named: self.templates.clone() })
    }
}

/// Writes or checks the paper.
pub fn run(args: ReportArgs) -> Result<ExitCode> {
    if let Some(set) = &args.set {
        let out = or_of_project(args.out.clone(), "paper");
        let files = set::files(set, args.templates.as_deref(), args.check.then_some(out.as_path()))?;
        if args.check {
            return check(&out, &set.display().to_string(), &files, &format!("--set {}", set.display()));
        }
        write(&out, &files, args.tex)?;
        say!("{}", out.join("paper.md").display());
        return Ok(ExitCode::SUCCESS);
    }
    let Places { folder, out, named } = args.places()?;
    let named = named.as_deref();
    if let Some(format) = args.format {
        say!("{}", export::text(&folder, format)?);
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(baseline) = &args.baseline {
        // What cannot be compared is refused before anything is copied.
        compare::compare(&Run::open(baseline)?, &Run::open(&folder)?)?;
        store::attach(&folder, baseline)?;
    }
    if args.check {
        let chosen = project::templates(&folder, named)?;
        let files = files(&folder, &chosen.templates, Some(&out))?;
        tell_of(&chosen);
        return check(&out, &folder.display().to_string(), &files, &format!("--run {}", folder.display()));
    }
    write_paper(&folder, &out, named, args.tex)?;
    if args.docx {
        let file = out.join(DOCX);
        match docx::make(&out)? {
            Some(()) => tell!("{} (by pandoc)", file.display()),
            None => tell!("no {}: pandoc is not installed; everything else is made", DOCX),
        }
    }
    say!("{}", out.join("paper.md").display());
    Ok(ExitCode::SUCCESS)
}

/// Is what lies in `out` what `from` gives? `again` are the arguments that write it anew.
fn check(out: &Path, from: &str, files: &BTreeMap<String, Vec<u8>>, again: &str) -> Result<ExitCode> {
    let mut differences = differences(out, files)?;
    match pdf_differs(out, files)? {
        Pdf::Fine => {}
        Pdf::None => {
            tell!("no {}: there was nothing to check; offprint report {again} sets it", out.join(PDF).display())
        }
        Pdf::Unchecked(why) => tell!("not checked: the bytes of {}: {why}", out.join(PDF).display()),
        Pdf::Differs(line) => differences.push(line),
    }
    for (name, by) in [(TEX_PDF, "a TeX engine"), (DOCX, "pandoc")] {
        let file = out.join(name);
        if file.exists() {
            tell!("not checked: the bytes of {}, which are {by}'s and maybe somebody's since", file.display());
        }
    }
    for difference in &differences {
        say!("{difference}");
    }
    if differences.is_empty() {
        tell!("{} is what {from} gives ({} files)", out.display(), files.len());
        return Ok(ExitCode::SUCCESS);
    }
    tell!("hint: offprint report {again} writes it anew");
    Ok(ExitCode::from(1))
}

/// Writes the paper of `folder` into `out`; the PDF too, where Typst is or can be fetched.
///
/// # Errors
/// A run folder that is none, prose that does not fit the claims, a folder that cannot be written.
pub fn write_paper(folder: &Path, out: &Path, named: Option<&Path>, tex: bool) -> Result<()> {
    let chosen = project::templates(folder, named)?;
    let files = files(folder, &chosen.templates, None)?;
    tell_of(&chosen);
    write(out, &files, tex)?;
    keep(folder, &chosen.templates);
    Ok(())
}

/// The run folder keeps the templates. One that cannot be written is no reason to have no paper.
pub(super) fn keep(folder: &Path, templates: &Templates) {
    if *templates == Templates::built_in() {
        return;
    }
    if let Err(error) = store::keep_templates(folder, templates.files()) {
        tell!("the run folder keeps no copy of the templates: {error:#}");
    }
}

/// By path under the paper's folder. For a paper that was made before, maybe elsewhere, the values in its claims are taken where they
/// agree with those made here: C libraries differ in the last place.
fn files(folder: &Path, templates: &Templates, made: Option<&Path>) -> Result<BTreeMap<String, Vec<u8>>> {
    let Evidence { run, mut summary, mut claims } = Evidence::open(folder, templates.claims())?;
    let text = made.and_then(|paper| fs::read(paper.join("claims.json")).ok()).unwrap_or_default();
    if let Ok(given) = serde_json::from_slice::<Claims>(&text) {
        claims = Agreement::of(&claims, &given, Edition::This).claims;
        claims::adopt(&mut summary, &claims);
    }
    paper::files(&run, &summary, &claims, templates)
}

/// What of `claims.json` tells where it comes from, in any version of it.
#[derive(Debug, serde::Deserialize)]
struct Head {
    source: Source,
}

/// The run that a paper names, if its folder is here; else the newest complete run of any study.
pub fn choose(out: &Path, results: &Path) -> Result<PathBuf> {
    let mut folders = Vec::new();
    if results.is_dir() {
        for study in fs::read_dir(results).with_context(|| format!("{}", results.display()))? {
            folders.extend(store::folders(results, &study?.file_name().to_string_lossy())?);
        }
    }
    if let Ok(text) = fs::read_to_string(out.join("claims.json")) {
        let file = out.join("claims.json");
        let claims: Head = serde_json::from_str(&text).with_context(|| format!("{}", file.display()))?;
        let of_paper = folders.iter().find(|folder| {
            digest::sha256_file(&folder.join("runs.jsonl")).is_ok_and(|digest| digest == claims.source.sha256)
        });
        let named = folders.iter().find(|folder| folder.ends_with(&claims.source.run_id));
        if let (None, Some(run)) = (of_paper, named) {
            bail!(
                "{}: the records of its run have changed since: {}\nhint: offprint report --run {} makes the paper of what they are now",
                file.display(),
                run.join("runs.jsonl").display(),
                run.display()
            );
        }
        return of_paper.cloned().with_context(|| {
            format!(
                "{}: its run {} is not under {}\nhint: name a run folder with --run",
                file.display(),
                claims.source.run_id,
                results.display()
            )
        });
    }
    folders.sort_by_key(|folder| folder.file_name().map(ToOwned::to_owned));
    for folder in folders.into_iter().rev() {
        if Run::open(&folder)?.is_complete() {
            return Ok(folder);
        }
    }
    bail!("{}: no complete run\nhint: offprint run STUDY makes one", results.display())
}

/// What in `out` is not as it should be, a line a file; of LaTeX's PDF, whose bytes are the engine's, only the records are known.
fn differences(out: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for (name, expected) in files {
        let path = out.join(name);
        match fs::read(&path) {
            Err(error) => found.push(format!("{}: {error}", path.display())),
            Ok(bytes) if bytes != *expected => {
                found.push(format!("{}: {}", path.display(), difference::first(&bytes, expected)))
            }
            Ok(_) => {}
        }
    }
    for name in Others::of(out, &files.keys().cloned().chain([PDF, TEX_PDF, DOCX].map(str::to_owned)).collect())?.stale
    {
        found.push(format!("{}: it is of another paper; this one has no such file", out.join(name).display()));
    }
    if let Ok(bytes) = fs::read(out.join(TEX_PDF)) {
        let file = out.join(TEX_PDF);
        if !pdf::is_of(&bytes, &records(files)?) {
            found.push(format!("{}: it does not say that it is of these records", file.display()));
        } else if !pdf::is_whole(&bytes) {
            found.push(format!("{}: expected its end, %%EOF, found more or less", file.display()));
        }
    }
    if let Ok(bytes) = fs::read(out.join(DOCX))
        && !docx::is_whole(&bytes)
    {
        found.push(format!(
            "{}: expected a zip archive, which a .docx is, found more or less",
            out.join(DOCX).display()
        ));
    }
    Ok(found)
}

/// What is known of the PDF in a folder.
enum Pdf {
    Fine,
    /// There is none.
    None,
    /// It says the right things; why its bytes were not looked at.
    Unchecked(String),
    /// In a line.
    Differs(String),
}

/// Is the PDF in `out` the one that these files give? Nothing is fetched for that. There need not be one where none can be set.
fn pdf_differs(out: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<Pdf> {
    let path = out.join(PDF);
    let found = match fs::read(&path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let set = Typesetter::here()?.map(|typesetter| typesetter.set(files));
            let line = format!("{}: there is none, and it can be set here", path.display());
            return Ok(if let Some(Ok(_)) = set { Pdf::Differs(line) } else { Pdf::None });
        }
        Err(error) => return Ok(Pdf::Differs(format!("{}: {error}", path.display()))),
    };
    if !is_set_from(&found, files)? {
        let line = format!("{}: it does not say that it is of these records and this {SOURCE}", path.display());
        return Ok(Pdf::Differs(line));
    }
    let Some(typesetter) = Typesetter::here()? else {
        return Ok(Pdf::Unchecked(format!("{} is not on this machine; offprint report fetches it", pin())));
    };
    Ok(match typesetter.set(files) {
        Ok(expected) if expected == found => Pdf::Fine,
        Ok(expected) => Pdf::Differs(format!("{}: {}", path.display(), difference::first(&found, &expected))),
        Err(Fault::Machine(error)) => Pdf::Unchecked(in_a_line(&error)),
        Err(error) => return Err(error.into()),
    })
}

/// Replaces the paper in `out`, and says what became of all that was there.
pub(super) fn write(out: &Path, files: &BTreeMap<String, Vec<u8>>, tex: bool) -> Result<()> {
    let mut ready = Ready::write(out, files)?;
    let set = typesetter().map_err(Fault::Machine).and_then(|typesetter| typesetter.set(files));
    let mut kept = false;
    match &set {
        Ok(bytes) => ready.make(PDF, bytes)?,
        Err(Fault::Machine(_))
            if fs::read(out.join(PDF)).is_ok_and(|old| is_set_from(&old, files).unwrap_or(false)) =>
        {
            ready.keep(PDF)?;
            kept = true;
        }
        Err(_) => {}
    }
    let typeset = tex.then(|| typeset(files, &out.join("paper.tex")));
    let tex_kept = !matches!(typeset, Some(Ok(_))) && is_of_these(out, files);
    match &typeset {
        Some(Ok((bytes, _))) => ready.make(TEX_PDF, bytes)?,
        _ if tex_kept => ready.keep(TEX_PDF)?,
        _ => {}
    }
    // A word processor's file is of a text: it stays while that is the same.
    let same = |name: &str| files.get(name).is_some_and(|new| fs::read(out.join(name)).is_ok_and(|old| old == *new));
    if same("paper.md") && out.join(DOCX).is_file() {
        ready.keep(DOCX)?;
    }
    let others = ready.put()?;
    for name in &others.stale {
        let why = if name == DOCX { "of an earlier paper; --docx makes it again" } else { "of another paper" };
        tell!("{}: removed; it was {why}", out.join(name).display());
    }
    if let [_, ..] = others.foreign.as_slice() {
        tell!("{}: no part of the paper, left as it is: {}", out.display(), some(&others.foreign));
    }
    let pdf = out.join(PDF);
    match set {
        Ok(_) => tell!("{} (by {})", pdf.display(), pin()),
        Err(Fault::Machine(error)) if kept => {
            tell!("{}: kept; it is of these very files, and cannot be set again: {}", pdf.display(), in_a_line(&error));
        }
        Err(Fault::Machine(error)) => tell!("no PDF, everything else is made: {}", in_a_line(&error)),
        Err(error) => {
            let hint = format!("hint: all other files are written; the place is in {}", out.join(SOURCE).display());
            return Err(anyhow!("{}: {error}\n{hint}", pdf.display()));
        }
    }
    let lacking = files.get("paper.md").map_or(0, |text| paper::lacking(&String::from_utf8_lossy(text)));
    if lacking > 0 && pdf.exists() {
        tell!("{}: {lacking} characters that its fonts lack are written as code points, such as U+674E", pdf.display());
    }
    let pdf = out.join(TEX_PDF);
    match typeset {
        None => {}
        Some(Ok((_, engine))) => tell!("{} (by {engine})", pdf.display()),
        Some(Err(error)) if error.is::<NoEngine>() && tex_kept => {
            tell!("{}: kept; it is of these very files, and there is no TeX engine to make it again", pdf.display());
        }
        Some(Err(error)) if error.is::<NoEngine>() => tell!("no {TEX_PDF}: {error}"),
        Some(Err(error)) => return Err(error),
    }
    Ok(())
}

/// The one that is here, or that comes now, which is said: it takes its time.
fn typesetter() -> Result<Typesetter> {
    if let Some(typesetter) = Typesetter::here()? {
        return Ok(typesetter);
    }
    tell!("fetching {} from PyPI, for the PDF: 34 MB, this once", pin());
    Typesetter::obtain()
}

/// Does a PDF say that it is set from these files?
fn is_set_from(pdf: &[u8], files: &BTreeMap<String, Vec<u8>>) -> Result<bool> {
    let source = files.get(SOURCE).map(|source| digest::sha256_hex(source)).unwrap_or_default();
    Ok(pdf::is_set_from(pdf, &records(files)?, &source))
}

/// Is LaTeX's PDF in `out` one that these files give? So it is if it is of their records, and what TeX reads is what it was.
fn is_of_these(out: &Path, files: &BTreeMap<String, Vec<u8>>) -> bool {
    let read = |(name, _): &(&String, &Vec<u8>)| {
        name.as_str() == "paper.tex" || name.as_str() == "claims.json" || name.starts_with("figures/")
    };
    let same = |(name, bytes): (&String, &Vec<u8>)| fs::read(out.join(name)).is_ok_and(|found| found == *bytes);
    files.iter().filter(read).all(same)
        && fs::read(out.join(TEX_PDF))
            .is_ok_and(|bytes| pdf::is_of(&bytes, &records(files).unwrap_or_default()) && pdf::is_whole(&bytes))
}

/// An error with its way out, for a program that goes on.
fn in_a_line(error: &anyhow::Error) -> String {
    let Complaint { causes, hint } = Complaint::from(error);
    let line = causes.into_iter().chain(hint).collect::<Vec<_>>().join("; ");
    line.replace('\n', " ")
}

/// SHA-256 of the records that the paper is made from.
fn records(files: &BTreeMap<String, Vec<u8>>) -> Result<String> {
    let claims: Head = serde_json::from_slice(files.get("claims.json").map_or(b"", Vec::as_slice))?;
    Ok(claims.source.sha256)
}

/// The first few of many names.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let more = if names.len() > SHOWN { format!(" and {} more", names.len() - SHOWN) } else { String::new() };
    format!("{}{more}", names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", "))
}
