//! `offprint rerun BUNDLE`: the same plan on the same model, here; then what a reviewer can say of each claim.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Result, ensure};

use crate::{
    bench::Ended,
    cli::{
        AGAIN,
        compare::{Opened, open, write, write_figure},
        run::{AGAIN_BY_HAND, Origin, Own, before, execute_with, unfinished},
        text::Text,
    },
    compare::{self, Finding, Review},
    machine::{self, CheckpointFacts},
    paper::{self, Page},
    store::Run,
    study::Engine,
};

#[derive(Debug, clap::Args)]
pub struct RerunArgs {
    /// The original: a bundle or a run folder
    bundle: PathBuf,
    /// Where the rerun and its report go
    #[arg(long, value_name = "DIR", default_value = "rerun")]
    out: PathBuf,
    /// Take the model from here instead; its files must be the original's all the same
    #[arg(long, value_name = "SOURCE")]
    model: Option<String>,
    /// Go on with the newest unfinished rerun in --out
    #[arg(long)]
    resume: bool,
    /// Start the programs that the study names: they are somebody else's words, executed here
    #[arg(long)]
    allow_commands: bool,
}

/// Writes the report; exit code 1 unless every comparable claim is reproduced, 75 when it was stopped.
pub fn run(args: RerunArgs) -> Result<ExitCode> {
    let Opened { run: original, study_yaml, published_yaml, quality_txt } = open(&args.bundle)?;
    allowed(&original, args.allow_commands)?;
    write(&args.out, "study.yaml", &study_yaml)?;
    if let Some((name, bytes)) = original.study.published.as_ref().zip(published_yaml) {
        write(&args.out, name, &bytes)?;
    }
    let text = original.study.quality.as_ref().zip(quality_txt);
    let text = text.map(|(quality, bytes)| {
        if quality.hub().is_none() {
            write(&args.out, &quality.text, &bytes)?;
        }
        Text::kept(quality, original.environment.text.as_ref(), bytes)
    });
    let (study_file, results) = (args.out.join("study.yaml"), args.out.join("results"));
    let unfinished =
        if args.resume { Some(unfinished(before(&study_file, &results)?, &study_file, &results)?) } else { None };
    let then = &original.environment.checkpoints;
    let instead = |facts: &CheckpointFacts| args.model.clone().filter(|_| !facts.drafts);
    let source = |facts: &CheckpointFacts| instead(facts).unwrap_or_else(|| facts.unpacked().to_owned());
    let origin = Origin {
        text: text.transpose()?,
        session: None,
        again: AGAIN_BY_HAND,
        sources: then.iter().map(|facts| (facts.model.clone(), source(facts))).collect(),
        accept: &|now| same_models(&original, now),
    };
    // Like is held against like: what MLX's own kernels made is made by them again, and a study that chooses will choose the same.
    let backends = original.records.iter().filter(|row| row.engine == "mlx").map(|row| row.backend.as_str());
    let chosen = original.study.execution.kernels.is_some();
    let stock_kernels = !chosen && by_stock_kernels(backends);
    let own = Own { stock_kernels, meter: None };
    let execution = execute_with(&study_file, &results, unfinished.as_deref(), &own, &origin, &mut |_| Ok(()))?;
    if execution.ended == Ended::Stopped {
        return Ok(ExitCode::from(AGAIN));
    }
    let rerun = Run::open(&execution.folder)?;
    let review = compare::review(compare::compare(&original, &rerun)?);
    write_report(&args, &original, &rerun, &review)?;
    tell!("{}", review.summary);
    say!("{}", args.out.join("review.md").display());
    Ok(if review.finding == Finding::Reproduced { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// A study may name programs, and requests to servers. They are shown, and nothing of somebody else's is done unasked.
fn allowed(original: &Run, allow_commands: bool) -> Result<()> {
    let shown = |engine: &Engine| {
        let version = engine.http().map_or(&[][..], |http| &http.version);
        let words: Vec<String> = engine.argv().iter().chain(version).map(|word| format!("{word:?}")).collect();
        let asks = engine.http().map(|http| format!("requests to {}", http.url));
        let does: Vec<String> = (!words.is_empty()).then(|| words.join(" ")).into_iter().chain(asks).collect();
        format!("{}: {}", engine.name(), does.join(", and "))
    };
    let list: Vec<String> = original.study.foreign().into_iter().map(shown).collect();
    if list.is_empty() {
        return Ok(());
    }
    ensure!(
        allow_commands,
        "{}: its study has engines that are not this program's, and a rerun would do this:\n{}\nhint: read it; --allow-commands does it, with your rights",
        original.folder.display(),
        list.join("\n")
    );
    tell!("engines of the study that are not this program's:\n{}", list.join("\n"));
    scripts(original);
    Ok(())
}

/// A script of the same name may be another here: said, since its times would be those of other code.
fn scripts(original: &Run) {
    for facts in &original.environment.engines {
        let engine = original.study.models.iter().map(|model| &model.engine).find(|engine| engine.name() == facts.name);
        let (_, here) = machine::identify(engine.map_or(&[], Engine::argv));
        for (name, sha256) in &facts.files {
            match here.get(name) {
                Some(found) if found == sha256 => {}
                Some(_) => tell!("warning: {}: {name} is not the file that the original ran", facts.name),
                None => tell!("warning: {}: {name} is not where the study says", facts.name),
            }
        }
    }
}

/// Did MLX's own kernels compute all that MLX computed? Where they did so for some models only, ours are not made for those, and it
/// will be so again.
fn by_stock_kernels<'a>(backends: impl Iterator<Item = &'a str>) -> bool {
    let mut of_mlx = backends.filter(|backend| backend.starts_with("mlx-")).peekable();
    of_mlx.peek().is_some() && of_mlx.all(|backend| !backend.contains('+'))
}

/// Refused unless every file is the original's.
fn same_models(original: &Run, now: &[CheckpointFacts]) -> Result<()> {
    let then = &original.environment.checkpoints;
    let differences: Vec<String> = then
        .iter()
        .flat_map(|facts| {
            let found = now.iter().find(|found| (&found.model, &found.recipe) == (&facts.model, &facts.recipe));
            differences(facts, found)
        })
        .collect();
    ensure!(
        differences.is_empty(),
        "the model is not the one of {}: {}\nhint: --model SOURCE names another place to take it from; only the very same files make a rerun",
        original.folder.display(),
        differences.join("; ")
    );
    Ok(())
}

/// Files that are not what they were.
fn differences(then: &CheckpointFacts, now: Option<&CheckpointFacts>) -> Vec<String> {
    let none = BTreeMap::new();
    let now = now.map_or(&none, |facts| &facts.files);
    let names: BTreeSet<&String> = then.files.keys().chain(now.keys()).collect();
    let digest = |files: &BTreeMap<String, String>, name: &String| {
        files.get(name).map_or_else(|| "no such file".to_owned(), |digest| format!("SHA-256 {digest}"))
    };
    names
        .into_iter()
        .filter(|name| then.files.get(*name) != now.get(*name))
        .map(|name| format!("{name}: expected {}, found {}", digest(&then.files, name), digest(now, name)))
        .collect()
}

fn write_report(args: &RerunArgs, original: &Run, rerun: &Run, review: &Review) -> Result<()> {
    let drawing = write_figure(&args.out, &review.comparison)?;
    let of = |run: &Run| format!("{} (runs.jsonl sha256 {})", run.run_id, run.runs_sha256);
    let dates: BTreeSet<&str> = rerun.records.iter().filter_map(|row| row.started_at.split('T').next()).collect();
    let fake = review.comparison.b.not_a_measurement.as_ref();
    let page = Page {
        title: format!("Rerun of: {}", original.study.title),
        authors: format!("offprint {}", env!("CARGO_PKG_VERSION")),
        keywords: format!("rerun, review, {}", original.study.name),
        date: dates.into_iter().collect::<Vec<_>>().join(", "),
        source: format!("original {}, rerun {}", of(original), of(rerun)),
        command: "offprint rerun".to_owned(),
        warning: fake.map(|why| format!("THIS IS NOT A MEASUREMENT: {why}.")),
    };
    let figures = BTreeMap::from([("comparison".to_owned(), drawing)]);
    let (markdown, html) = paper::page(&page, &compare::report(review), &figures)?;
    write(&args.out, "review.md", markdown.as_bytes())?;
    write(&args.out, "review.html", html.as_bytes())?;
    write(&args.out, "review.json", (serde_json::to_string_pretty(review)? + "\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_fell_back_does_not_take_the_others_kernels() {
        let all = |backends: &[&str]| by_stock_kernels(backends.iter().copied());
        assert!(all(&["mlx-cpu", "mlx-cpu"]) && all(&["mlx-metal", "llama-cpp-metal"]));
        assert!(!all(&["mlx-cpu", "mlx-cpu+offprint"]) && !all(&["mlx-cuda+offprint"]));
        assert!(!all(&["none"]) && !all(&["llama-cpp-cpu", "unknown"]) && !all(&[]));
    }
}
