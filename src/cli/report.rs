//! `offprint report`: records -> paper. Everything is made apart first, so a failure leaves the old paper whole.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};

use super::{
    folder::{Others, PDF, Ready},
    typeset::{NoEngine, typeset},
};
use crate::{
    bundle::{difference, pdf},
    claims::{
        self, Claims, Source,
        agree::{Agreement, Edition},
    },
    compare, digest,
    evidence::Evidence,
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
        let differences = differences(&args.out, &files)?;
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
    let Evidence { run, mut summary, mut claims } = Evidence::open(folder, None)?;
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

/// What in `out` is not as it should be, a line a file. Of the PDF, whose bytes are the TeX engine's, only the records are known.
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
    for name in Others::of(out, &files.keys().cloned().chain([PDF.to_owned()]).collect())?.stale {
        found.push(format!("{}: it is of another paper; this one has no such file", out.join(name).display()));
    }
    if let Ok(bytes) = fs::read(out.join(PDF))
        && !pdf::is_of(&bytes, &records(files)?)
    {
        found.push(format!("{}: it does not say that it is of these records", out.join(PDF).display()));
    }
    Ok(found)
}

/// Replaces the paper in `out`, and says what became of all that was there.
fn write(out: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    let mut ready = Ready::write(out, files)?;
    let typeset = typeset(&ready.folder(), &out.join("paper.tex"));
    let mut kept = false;
    if typeset.is_ok() {
        ready.add(PDF);
    } else if is_of_these(out, files) {
        ready.keep(PDF)?;
        kept = true;
    }
    let others = ready.put()?;
    let pdf = out.join(PDF);
    for name in &others.stale {
        tell!("{}: removed; it was of another paper", out.join(name).display());
    }
    if let [_, ..] = others.foreign.as_slice() {
        tell!("{}: no part of the paper, left as it is: {}", out.display(), some(&others.foreign));
    }
    match typeset {
        Ok(engine) => tell!("{} (by {engine})", pdf.display()),
        Err(error) if error.is::<NoEngine>() && kept => {
            tell!("{}: kept; it is of these very files, and there is no TeX engine to make it again", pdf.display())
        }
        Err(error) if error.is::<NoEngine>() => tell!("no PDF: {error}"),
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Is the PDF in `out` one that these files give? So it is if it is of their records, and what TeX reads is what it was.
fn is_of_these(out: &Path, files: &BTreeMap<String, Vec<u8>>) -> bool {
    let read = |(name, _): &(&String, &Vec<u8>)| {
        name.as_str() == "paper.tex" || name.as_str() == "claims.json" || name.starts_with("figures/")
    };
    let same = |(name, bytes): (&String, &Vec<u8>)| fs::read(out.join(name)).is_ok_and(|found| found == *bytes);
    files.iter().filter(read).all(same)
        && fs::read(out.join(PDF)).is_ok_and(|bytes| pdf::is_of(&bytes, &records(files).unwrap_or_default()))
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
