//! `offprint compare A B`: two executions, claim by claim.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};

use super::set;
use crate::{
    bundle::Bundle,
    compare::{self, Comparison, Verdict},
    store::Run,
};

#[derive(Debug, clap::Args)]
pub struct CompareArgs {
    /// A run folder, a bundle or a set
    a: PathBuf,
    /// The run folder, bundle or set that is held against it
    b: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Also write comparison.md, comparison.json and the figure (SVG, PDF, PNG) into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints the comparison; exit code 1 unless every claim is equivalent.
pub fn run(args: CompareArgs) -> Result<ExitCode> {
    match (set::at(&args.a)?, set::at(&args.b)?) {
        (Some(a), Some(b)) => return set::compare(&a, &b, args.json),
        (None, None) => {}
        _ => bail!(
            "one of the two is a set and the other an execution\nhint: a member of a set is in data/members/; compare takes two sets, or two executions"
        ),
    }
    let (a, b) = (open(&args.a)?.run, open(&args.b)?.run);
    let comparison = compare::compare(&a, &b)?;
    let json = serde_json::to_string_pretty(&comparison)? + "\n";
    let markdown = compare::markdown(&comparison) + &format!("\n{}\n", comparison.summary);
    if let Some(out) = &args.out {
        write(out, "comparison.md", markdown.as_bytes())?;
        write(out, "comparison.json", json.as_bytes())?;
        write_figure(out, &comparison)?;
    }
    let text = if args.json { &json } else { &markdown };
    say!("{}", text.trim_end());
    Ok(if comparison.verdict == Verdict::Equivalent { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// An execution with the files that a rerun needs.
#[derive(Debug)]
pub(super) struct Opened {
    pub run: Run,
    /// Byte for byte.
    pub study_yaml: Vec<u8>,
    pub published_yaml: Option<Vec<u8>>,
    /// What models are to predict.
    pub quality_txt: Option<Vec<u8>>,
}

/// Opens a run folder, or a bundle: an archive or the folder that it unpacks to. Digests of a bundle are `verify`'s affair.
pub(super) fn open(path: &Path) -> Result<Opened> {
    if path.join("runs.jsonl").is_file() {
        let read = |name: &str| fs::read(path.join(name)).with_context(|| format!("{}", path.join(name).display()));
        let run = Run::open(path)?;
        let published_yaml = run.published.as_ref().map(|_| read("published.yaml")).transpose()?;
        let quality_txt = run.study.quality.as_ref().map(|_| read("quality.txt")).transpose()?;
        return Ok(Opened { run, study_yaml: read("study.yaml")?, published_yaml, quality_txt });
    }
    let bundle = Bundle::open(path)?;
    let of_bundle = || -> Result<Opened> {
        let (label, run) = (bundle.label()?, bundle.run()?);
        let read = |name: &str| bundle.read(&label.run_file(name));
        let published_yaml = run.published.as_ref().map(|_| read("published.yaml")).transpose()?;
        let quality_txt = run.study.quality.as_ref().map(|_| read("quality.txt")).transpose()?;
        Ok(Opened { study_yaml: read("study.yaml")?, published_yaml, quality_txt, run })
    };
    of_bundle().with_context(|| {
        format!(
            "{}\nhint: expected a run folder, as results/STUDY/RUN, or a bundle, as results/bundles/STUDY-VERSION.zip",
            path.display()
        )
    })
}

/// `figures/comparison.{svg,pdf,png}` under `out`; returns the SVG.
pub(super) fn write_figure(out: &Path, comparison: &Comparison) -> Result<String> {
    let figure = compare::draw(comparison)?;
    for (extension, bytes) in [("svg", &figure.svg), ("pdf", &figure.pdf), ("png", &figure.png)] {
        write(out, &format!("figures/{}.{extension}", figure.id), bytes)?;
    }
    Ok(figure.page)
}

/// A file under `out`, whole or not at all.
pub(super) fn write(out: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let path = out.join(name);
    let parent = path.parent().unwrap_or(out);
    fs::create_dir_all(parent).with_context(|| format!("{}", parent.display()))?;
    let making = path.with_extension("tmp");
    fs::write(&making, bytes)
        .and_then(|()| fs::rename(&making, &path))
        .with_context(|| format!("{}\nhint: is the folder writable, and is there space?", path.display()))
}
