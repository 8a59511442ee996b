//! `offprint report`: records -> paper. Everything is rendered in memory first, so a failure leaves the old paper whole.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    bundle::difference,
    claims::{
        self, Claims, Source,
        agree::{Agreement, Edition},
    },
    compare, digest,
    paper::{self, Templates},
    store::{self, Run},
};

#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    /// The run folder; else the run that the paper in --out names, else the newest complete run
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Where the paper goes
    #[arg(long, value_name = "DIR", default_value = "paper")]
    out: PathBuf,
    /// Where run folders are looked for
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// Set the run beside this one: a copy of its records goes into the run folder, as its baseline
    #[arg(long, value_name = "DIR", conflicts_with = "check")]
    baseline: Option<PathBuf>,
    /// Write nothing; exit 1 if the paper in --out is not what the records give
    #[arg(long)]
    check: bool,
}

/// Writes or checks the paper.
pub fn run(args: ReportArgs) -> Result<ExitCode> {
    let folder = match args.run {
        Some(folder) => folder,
        None => choose(&args.out, &args.results)?,
    };
    if let Some(baseline) = &args.baseline {
        // What cannot be compared is refused before anything is copied.
        compare::compare(&Run::open(baseline)?, &Run::open(&folder)?)?;
        store::attach(&folder, baseline)?;
    }
    if args.check {
        let files = files(&folder, Some(&args.out))?;
        let differences = differences(&args.out, &files);
        for difference in &differences {
            say!("{difference}");
        }
        if differences.is_empty() {
            tell!("{} is what {} gives ({} files)", args.out.display(), folder.display(), files.len());
            return Ok(ExitCode::SUCCESS);
        }
        tell!("hint: offprint report --run {} writes it anew", folder.display());
        return Ok(ExitCode::from(1));
    }
    write(&args.out, &files(&folder, None)?)?;
    say!("{}", args.out.join("paper.md").display());
    Ok(ExitCode::SUCCESS)
}

/// Writes the paper of `folder` into `out`; the PDF too, where a TeX engine is installed.
///
/// # Errors
/// A run folder that is none, prose that does not fit the claims, a folder that cannot be written.
pub fn write_paper(folder: &Path, out: &Path) -> Result<()> {
    write(out, &files(folder, None)?)
}

/// By path under the paper's folder. For a paper that was made before, maybe elsewhere, the values in its claims are taken where they
/// agree with those made here: C libraries differ in the last place.
fn files(folder: &Path, made: Option<&Path>) -> Result<BTreeMap<String, Vec<u8>>> {
    let (run, mut summary) = compare::read(folder)?;
    let mut claims = compare::all_claims(&run, &summary)?;
    let text = made.and_then(|paper| fs::read(paper.join("claims.json")).ok()).unwrap_or_default();
    if let Ok(given) = serde_json::from_slice::<Claims>(&text) {
        claims = Agreement::of(&claims, &given, Edition::This).claims;
        claims::adopt(&mut summary, &claims);
    }
    paper::files(&run, &summary, &claims, &Templates::own())
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

/// What in `out` is not as it should be, a line a file.
fn differences(out: &Path, files: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
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
    found
}

fn write(out: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    for (name, bytes) in files {
        let path = out.join(name);
        let parent = path.parent().unwrap_or(out);
        fs::create_dir_all(parent).with_context(|| format!("{}", parent.display()))?;
        // Whole or not at all.
        let making = path.with_extension("tmp");
        fs::write(&making, bytes)
            .and_then(|()| fs::rename(&making, &path))
            .with_context(|| format!("{}\nhint: is the folder writable, and is there space?", path.display()))?;
    }
    match pdf(out) {
        Ok(engine) => tell!("{} (by {engine})", out.join("paper.pdf").display()),
        Err(error) if error.is::<NoEngine>() => tell!("no PDF: {error}"),
        Err(error) => return Err(error),
    }
    Ok(())
}

/// There is no TeX engine.
#[derive(Debug, thiserror::Error)]
#[error("neither latexmk nor tectonic is installed; everything else is made")]
struct NoEngine;

/// Typesets `paper.tex` in `out`, all auxiliary files apart. Returns the engine's name.
fn pdf(out: &Path) -> Result<&'static str> {
    let engines: [(&str, &[&str]); 2] = [
        ("latexmk", &["-pdf", "-interaction=nonstopmode", "-halt-on-error", "-output-directory=.tex", "paper.tex"]),
        ("tectonic", &["--outdir", ".tex", "paper.tex"]),
    ];
    let made = out.join(".tex");
    fs::create_dir_all(&made).with_context(|| format!("{}", made.display()))?;
    let result = engines.into_iter().find_map(|(engine, arguments)| {
        // The document's date is the records', not today's, so the same records give the same PDF.
        let output = Command::new(engine)
            .args(arguments)
            .current_dir(out)
            .env("SOURCE_DATE_EPOCH", "0")
            .env("FORCE_SOURCE_DATE", "1")
            .output();
        match output {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            other => Some((engine, other)),
        }
    });
    let typeset = (|| {
        let Some((engine, output)) = result else { return Err(NoEngine.into()) };
        let output = output.with_context(|| engine.to_owned())?;
        let said = String::from_utf8_lossy(&output.stdout);
        let errors: Vec<&str> = said.lines().filter(|line| line.starts_with('!')).collect();
        ensure!(
            output.status.success(),
            "{engine} cannot typeset {}: {}\nhint: run it there by hand to see more; all other files are written",
            out.join("paper.tex").display(),
            errors.join("; ")
        );
        fs::rename(made.join("paper.pdf"), out.join("paper.pdf")).context("paper.pdf")?;
        Ok(engine)
    })();
    let _ = fs::remove_dir_all(&made);
    typeset
}
