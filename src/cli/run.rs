//! `offprint run STUDY`: executes the plan into a run folder.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    bench::{Bench, Ended, worker::Program},
    cli::{
        progress::{RunProgress, cell},
        publish,
    },
    engine,
    machine::{self, CheckpointFacts, Environment},
    record::{Outcome, Phase},
    store::{self, Dropped, Journal, Run, Torn},
    study::{Plan, Published, Study},
};

#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// The study, a YAML file
    study: PathBuf,
    /// Where run folders go
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// Go on with the newest unfinished run of this study
    #[arg(long, conflicts_with = "dry_run")]
    resume: bool,
    /// On a CPU, compute with MLX's own kernels instead of ours
    #[arg(long)]
    stock_kernels: bool,
    /// Print the plan and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// How an execution went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    pub folder: PathBuf,
    pub failed: usize,
    pub ended: Ended,
}

/// Prints the run folder; exit code 1 when a run failed or the execution was stopped.
pub fn run(args: RunArgs) -> Result<ExitCode> {
    if args.dry_run {
        print_plan(&Study::from_file(&args.study)?);
        return Ok(ExitCode::SUCCESS);
    }
    let unfinished = if args.resume { Some(unfinished(&args.study, &args.results)?) } else { None };
    let execution = execute(&args.study, &args.results, unfinished.as_deref(), args.stock_kernels, &mut |_| Ok(()))?;
    say!("{}", execution.folder.display());
    Ok(if execution.failed == 0 && execution.ended == Ended::Complete { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Executes a study into a new folder under `results`, or goes on in `unfinished`. `begun` is told the folder before the
/// first run.
///
/// # Errors
/// A study that is none, a model that cannot be had, a folder that cannot be written, another machine's unfinished run.
pub fn execute(
    study_file: &Path,
    results: &Path,
    unfinished: Option<&Path>,
    stock_kernels: bool,
    begun: &mut dyn FnMut(&Path) -> Result<()>,
) -> Result<Execution> {
    execute_with(study_file, results, unfinished, stock_kernels, &models, begun)
}

/// Each of the study's models' place for its engine, and what identifies the weights.
pub(super) type Models = (Vec<String>, Vec<CheckpointFacts>);

/// The same with models from elsewhere than the study says.
pub(super) fn execute_with(
    study_file: &Path,
    results: &Path,
    unfinished: Option<&Path>,
    stock_kernels: bool,
    models: &dyn Fn(&Study) -> Result<Models>,
    begun: &mut dyn FnMut(&Path) -> Result<()>,
) -> Result<Execution> {
    let (study, text) = read(study_file)?;
    let text = publish::study_text(study_file, &study, &text)?;
    let plan = Plan::of(&study);
    let (places, checkpoints) = models(&study)?;
    let mut environment = machine::capture(checkpoints);
    let on_mlx = study.models.iter().any(|model| model.engine == "mlx");
    let kernels = if on_mlx { engine::kernels(stock_kernels)? } else { None };
    if let Some(kernels) = &kernels {
        environment.libraries.insert("kernels".to_owned(), kernels.words.clone());
    }
    if study.models.iter().any(|model| model.engine == "llama-cpp")
        && let Some(build) = engine::llama_cpp_build()?
    {
        environment.libraries.insert("llama-cpp".to_owned(), build);
    }
    let (mut journal, done) = match unfinished {
        Some(folder) => {
            let (journal, run) = Journal::resume(folder)?;
            same_conditions(&run, &environment)?;
            tell_dropped(&journal);
            let measured = run.records.iter().filter(|record| record.phase == Phase::Measured);
            (journal, measured.map(|record| record.run).collect::<BTreeSet<u32>>())
        }
        None => {
            let published = published(study_file, &study)?;
            let journal = Journal::create(results, &study.name, text.as_bytes(), published.as_deref(), &environment)?;
            (journal, BTreeSet::new())
        }
    };
    begun(journal.folder())?;
    let todo: Vec<_> = plan.execution().into_iter().filter(|run| !done.contains(&run.run)).collect();
    tell!("{}: {} of {} runs to do", journal.folder().display(), todo.len(), plan.runs.len());

    let stop = stop_on_signal()?;
    let mut progress = RunProgress::new(&study, plan.runs.len(), &todo);
    let program = std::env::current_exe().context("where is this program?")?;
    let mut worker = vec![program.display().to_string(), "worker".to_owned()];
    if stock_kernels {
        worker.push("--stock-kernels".to_owned());
    }
    let variables = kernels.map_or_else(Vec::new, |kernels| kernels.variables);
    let worker = Program { command: worker, variables };
    let paths = publish::Paths::of(&study, &places);
    let bench = Bench { study: &study, plan: &plan, done, places, worker, stop: &stop };
    let ended = bench.execute(&mut |rows| journal.append(&paths.rows(rows)), &mut |news| progress.show(news))?;

    let folder = journal.folder().to_owned();
    drop(journal);
    let records = Run::open(&folder)?.records;
    let failed = records.iter().filter(|record| record.outcome == Outcome::Failed).count();
    if ended == Ended::Stopped {
        tell!("stopped; all finished runs are in {}\nhint: run again with --resume to go on", folder.display());
    }
    if failed > 0 {
        tell!("{failed} of {} runs failed; their rows in {} say why", plan.runs.len(), folder.display());
    }
    Ok(Execution { folder, failed, ended })
}

/// What was lost to a kill is said, not passed over.
fn tell_dropped(journal: &Journal) {
    let Dropped { rows, torn } = journal.dropped();
    let file = journal.folder().join("runs.jsonl");
    if let Some(Torn { line, bytes }) = torn {
        tell!("{}:{line}: a line that was cut after {bytes} bytes was dropped; its run is done again", file.display());
    }
    if rows > 0 {
        tell!("{}: the warm-ups of the run in flight ({rows}) were dropped; it is done again", file.display());
    }
}

/// A study with its text, read once: what is stored is what is executed, even if the file changes meanwhile.
fn read(file: &Path) -> Result<(Study, String)> {
    let study = Study::from_file(file)?;
    let text = fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    // `from_file` names every fault; the text read here must be the same study.
    ensure!(
        Study::from_str(&file.display().to_string(), &text)? == study,
        "{}: it changed while it was read\nhint: run again",
        file.display()
    );
    Ok((study, text))
}

/// The bytes of the published values that a study names, read through once, so that a fault shows before anything runs.
fn published(study_file: &Path, study: &Study) -> Result<Option<Vec<u8>>> {
    let Some(name) = &study.published else { return Ok(None) };
    let file = study_file.with_file_name(name);
    let text = fs::read_to_string(&file)
        .with_context(|| format!("{}\nhint: `study.published` names it, relative to the study", file.display()))?;
    Published::from_str(&file.display().to_string(), &text)?;
    Ok(Some(text.into_bytes()))
}

/// The newest run folder of this very study that lacks rows.
pub(super) fn unfinished(study_file: &Path, results: &Path) -> Result<PathBuf> {
    let study = Study::from_file(study_file)?;
    let text = fs::read(study_file).with_context(|| format!("{}", study_file.display()))?;
    for folder in store::folders(results, &study.name)?.into_iter().rev() {
        // Opened through the journal's own rules, a row in flight may be torn.
        if Run::open(&folder).is_ok_and(|run| run.is_complete()) {
            continue;
        }
        ensure!(
            // A folder that has none is refused by its own name when it is opened.
            fs::read(folder.join("study.yaml"))
                .map_or(true, |of_run| publish::is_copy(&of_run, study_file, &study, &text)),
            "{}: it was begun with another version of {}\nhint: restore that version (study.yaml there is a copy), or run without --resume",
            folder.display(),
            study_file.display()
        );
        return Ok(folder);
    }
    bail!("{}: no unfinished run of `{}`\nhint: run without --resume to begin one", results.display(), study.name)
}

/// Rows of two machines or builds must not be mixed in one run.
fn same_conditions(run: &Run, now: &Environment) -> Result<()> {
    let then = &run.environment;
    let facts = [
        ("chip", then.chip == now.chip),
        ("memory", then.memory_bytes == now.memory_bytes),
        ("os", then.os == now.os),
        ("offprint's version", then.offprint_version == now.offprint_version && then.git_commit == now.git_commit),
        ("libraries", then.libraries == now.libraries),
        ("checkpoints", then.checkpoints == now.checkpoints),
    ];
    let changed: Vec<&str> = facts.iter().filter(|(_, same)| !same).map(|(name, _)| *name).collect();
    ensure!(
        changed.is_empty(),
        "{}: it was begun under other conditions: {}\nhint: go on where it was begun; to begin anew, run without --resume (make paper FRESH=1)",
        run.folder.display(),
        changed.join(", ")
    );
    Ok(())
}

/// The models where the study says that they are.
fn models(study: &Study) -> Result<Models> {
    models_from(study, &BTreeMap::new())
}

/// The models, each from its source in `sources` if it has one there.
pub(super) fn models_from(study: &Study, sources: &BTreeMap<String, String>) -> Result<Models> {
    let (mut places, mut facts) = (Vec::new(), Vec::<CheckpointFacts>::new());
    for model in &study.models {
        if model.engine == "fake" {
            places.push(model.source.clone());
            continue;
        }
        let source = sources.get(&model.id).unwrap_or(&model.source);
        let (mut place, fact) = checkpoint(&model.id, source)?;
        if model.engine == "llama-cpp" {
            place = gguf(source)?;
        }
        places.push(place);
        // A model on several engines is one checkpoint.
        if facts.iter().all(|known| known.model != fact.model) {
            facts.push(fact);
        }
    }
    Ok((places, facts))
}

#[cfg(feature = "mlx")]
fn checkpoint(id: &str, source: &str) -> Result<(String, CheckpointFacts)> {
    use crate::model;
    let (checkpoint, resolved) = model::fetch(&source.parse()?, &model::cache_dir(), &mut tell_fetch())?;
    let facts = checkpoint.facts(id, &resolved)?;
    Ok((checkpoint.folder.display().to_string(), facts))
}

/// The file that llama.cpp reads: the one that the checkpoint was imported from.
#[cfg(feature = "llama-cpp")]
fn gguf(source: &str) -> Result<String> {
    use crate::model;
    let file = model::gguf_file(&source.parse()?, &model::cache_dir(), &mut tell_fetch())?;
    Ok(file.display().to_string())
}

#[cfg(not(feature = "llama-cpp"))]
fn gguf(_: &str) -> Result<String> {
    bail!("this build of offprint has no llama.cpp\nhint: make engines builds it in (CONTRIBUTING.md)")
}

#[cfg(not(feature = "mlx"))]
fn checkpoint(id: &str, _: &str) -> Result<(String, CheckpointFacts)> {
    bail!("{id}: this build of offprint has no MLX\nhint: build it with the feature `mlx`, which is the default")
}

/// Shows a download: a bar on a terminal, a line a step elsewhere.
#[cfg(feature = "mlx")]
pub fn tell_fetch() -> impl FnMut(crate::model::Progress) {
    use crate::model::Progress;
    use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}") {
        bar.set_style(style);
    }
    move |progress| match progress {
        Progress::Step(step) => tell!("{step}"),
        Progress::Bytes { file, done, total } => {
            bar.set_length(total);
            bar.set_position(done);
            bar.set_message(file);
            if done >= total {
                bar.finish_and_clear();
            }
        }
    }
}

/// The first Ctrl-C or SIGTERM stops after giving up the run in flight; the second aborts.
fn stop_on_signal() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if seen.swap(true, Ordering::SeqCst) {
            std::process::abort();
        }
    })
    .context("signals cannot be handled")?;
    Ok(stop)
}

fn print_plan(study: &Study) {
    let plan = Plan::of(study);
    say!("{:>5} {:>5} {:>5} {:>16}  cell", "order", "run", "block", "seed");
    for run in plan.execution() {
        say!("{:>5} {:>5} {:>5} {:>16}  {}", run.order, run.run, run.block, run.seed, cell(study, run));
    }
    say!("{} runs of {} cells", plan.runs.len(), study.cells());
}
