//! `offprint run STUDY`: executes the plan into a run folder.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::AtomicBool,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::{
    bench::{self, Bench, Ended, Place, Programs, guard::Guard, trial, worker::Lost},
    cli::{
        conditions, energy, forecast,
        models::{self, Located},
        progress::{RunProgress, cell},
        prose::or_of_project,
        publish, signal,
        text::{self, Text},
    },
    engine, installed,
    machine::{self, CheckpointFacts, EngineFacts, Environment},
    preflight::{self, Finding, Weight},
    record::{Outcome, Phase, RunRecord},
    store::{self, Beside, Dropped, Journal, Run, Torn},
    study::{ModelSpec, Plan, Published, Study},
};

#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// The study, a YAML file
    study: PathBuf,
    /// Where run folders go; the project's results/ unless given
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// Go on with the newest unfinished run of this study
    #[arg(long, conflicts_with = "dry_run")]
    resume: bool,
    /// On a CPU, compute with MLX's own kernels instead of ours
    #[arg(long)]
    stock_kernels: bool,
    /// What a meter at the wall says, a CSV file with the columns time and watts that its program writes meanwhile
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    meter: Option<PathBuf>,
    /// Print the plan, and how long it took here before, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// What is not the study's to say.
#[derive(Debug, Clone, Default)]
pub struct Own {
    pub stock_kernels: bool,
    /// What a meter at the wall writes.
    pub meter: Option<PathBuf>,
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
    let results = or_of_project(args.results, "results");
    if args.dry_run {
        let study = Study::from_file(&args.study)?;
        print_plan(&study);
        tell!("{}", forecast::sentence(&args.study, &study, &results)?);
        return Ok(ExitCode::SUCCESS);
    }
    let unfinished = if args.resume { Some(unfinished(&args.study, &results)?) } else { None };
    let own = Own { stock_kernels: args.stock_kernels, meter: args.meter };
    let execution = execute(&args.study, &results, unfinished.as_deref(), &own, &mut |_| Ok(()))?;
    say!("{}", execution.folder.display());
    Ok(if execution.failed == 0 && execution.ended == Ended::Complete { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Executes a study into a new folder under `results`, or goes on in `unfinished`. `begun` is told the folder before the
/// first run.
///
/// # Errors
/// A study that is none, or that is known to fail before its first run, a model that cannot be had, a folder that cannot be
/// written, another machine's unfinished run.
pub fn execute(
    study_file: &Path,
    results: &Path,
    unfinished: Option<&Path>,
    own: &Own,
    begun: &mut dyn FnMut(&Path) -> Result<()>,
) -> Result<Execution> {
    let of_study = Origin { sources: BTreeMap::new(), text: None, accept: &|_| Ok(()) };
    execute_with(study_file, results, unfinished, own, &of_study, begun)
}

/// Where models and the text come from, and whether the models are the right ones.
pub(super) struct Origin<'a> {
    /// Instead of the study's, by model id.
    pub(super) sources: BTreeMap<String, String>,
    /// Instead of the study's.
    pub(super) text: Option<Text>,
    pub(super) accept: &'a dyn Fn(&[CheckpointFacts]) -> Result<()>,
}

/// The same with models from elsewhere than the study says.
pub(super) fn execute_with(
    study_file: &Path,
    results: &Path,
    unfinished: Option<&Path>,
    own: &Own,
    origin: &Origin<'_>,
    begun: &mut dyn FnMut(&Path) -> Result<()>,
) -> Result<Execution> {
    let stock_kernels = own.stock_kernels;
    let (study, yaml) = read(study_file)?;
    let yaml = publish::study_text(study_file, &study, &yaml)?;
    let plan = Plan::of(&study);
    // Before models are fetched, which takes longer.
    let predicted = match unfinished {
        Some(folder) => Text::of_run(folder, &study)?,
        None => origin.text.clone().map_or_else(|| text::of_study(study_file, &study), |text| Ok(Some(text)))?,
    };
    let located = models::locate(&study, &origin.sources);
    let notes = known_before(study_file, &study, &located, predicted.as_ref(), stock_kernels)?;
    let checkpoints = models::facts(&study, &located)?;
    (origin.accept)(&checkpoints)?;
    let mut environment = machine::capture(checkpoints);
    let (words, kernels) = conditions::engines(&study, stock_kernels)?;
    environment.libraries.extend(words);
    environment.text = predicted.as_ref().map(|text| text.facts.clone());
    environment.notes = notes;
    if environment.mlx_library.as_ref().is_some_and(|library| library.as_linked.value == Some(false)) {
        let note = "mlx: the library that is loaded is not the one that this program was linked with";
        tell!("warning: {note}\n  hint: {}", installed::how().again());
        environment.notes.push(note.to_owned());
    }
    // Before the first word: who reads it may answer with a signal.
    let stop = signal::stop()?;
    let gauge = energy::gauge(study_file, &study, own.meter.as_deref(), &mut environment, &stop)?;
    let programs = programs(&study, stock_kernels, kernels)?;
    let places = located.places();
    let probes = each_loads(study_file, &study, &plan, &places, &programs, &stop, &mut environment)?;
    let beside =
        Beside { published: published(study_file, &study)?, text: predicted.map(|text| text.text.into_bytes()) };
    let (mut journal, done) = match unfinished {
        Some(folder) => {
            // First, since a folder that is refused stays as it is: going on cuts off what was in flight.
            same_conditions(&Run::read(folder, |_, _, _| Ok(()))?, &environment)?;
            let (journal, run) = Journal::resume(folder)?;
            tell_dropped(&journal);
            let measured = run.records.iter().filter(|record| record.phase == Phase::Measured);
            (journal, measured.map(|record| record.run).collect::<BTreeSet<u32>>())
        }
        None => {
            let journal = Journal::create(results, &study.name, yaml.as_bytes(), &beside, &environment)?;
            (journal, BTreeSet::new())
        }
    };
    begun(journal.folder())?;
    let todo: Vec<_> = plan.execution().into_iter().filter(|run| !done.contains(&run.run)).collect();
    tell!("{}: {} of {} runs to do", journal.folder().display(), todo.len(), plan.runs.len());

    let mut progress = RunProgress::new(&study, plan.runs.len(), &todo);
    let paths = publish::Paths::of(&study, &located.places);
    journal.append(&paths.rows(&probes))?;
    let bench =
        Bench { study: &study, plan: &plan, done, places, programs: &programs, gauge: gauge.as_ref(), stop: &stop };
    let ended = bench.execute(&mut |rows| journal.append(&paths.rows(rows)), &mut |news| progress.show(news))?;

    let folder = journal.folder().to_owned();
    let ended = match ended {
        Ended::Complete => measure_quality(&folder, &study, &located, &programs, &stop)?,
        Ended::Stopped => Ended::Stopped,
    };
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

/// What is known before the first run: refusals, all of them in one error; warnings, told and returned for the records.
fn known_before(
    study_file: &Path,
    study: &Study,
    located: &Located,
    predicted: Option<&Text>,
    stock_kernels: bool,
) -> Result<Vec<String>> {
    let mut found = located.refused.clone();
    found.extend(preflight::preflight(study, &located.folders, stock_kernels));
    if let Some(text) = predicted {
        found.extend(preflight::quality(study, &located.folders, &text.text));
    }
    let (refused, warned): (Vec<Finding>, Vec<Finding>) =
        found.into_iter().partition(|finding| finding.weight == Weight::Refuse);
    for finding in &warned {
        tell!("warning: {finding}\n  hint: {}", finding.hint);
    }
    refuse(study_file, &refused)?;
    Ok(warned.iter().map(Finding::to_string).collect())
}

/// All in one error.
fn refuse(study_file: &Path, refused: &[Finding]) -> Result<()> {
    let hints: BTreeSet<&str> = refused.iter().map(|finding| finding.hint.as_str()).collect();
    let hint = match hints.first() {
        None => return Ok(()),
        Some(hint) if hints.len() == 1 => (*hint).to_owned(),
        Some(_) => format!("offprint doctor {} says what to do about each", study_file.display()),
    };
    let list: Vec<String> = refused.iter().map(Finding::to_string).collect();
    bail!("{}: it would fail, so nothing was run:\n{}\nhint: {hint}", study_file.display(), list.join("\n"))
}

/// How this execution's engines are started. Only programs of others need a guard.
fn programs(study: &Study, stock_kernels: bool, kernels: Option<engine::Kernels>) -> Result<Programs> {
    let offprint = std::env::current_exe().context("where is this program?")?;
    let starts_others = study.models.iter().any(|model| !model.engine.argv().is_empty());
    let guard =
        starts_others.then(|| Guard::start(&offprint)).transpose().context("the guard of programs cannot start")?;
    let variables = kernels.map_or_else(Vec::new, |kernels| kernels.variables);
    let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Ok(Programs { offprint, stock_kernels, variables, guard })
}

/// Starts each system once, as runs will have it, and puts what engines of others say of themselves into the environment. Returns the
/// rows of what servers were asked.
fn each_loads(
    study_file: &Path,
    study: &Study,
    plan: &Plan,
    places: &[Place],
    programs: &Programs,
    stop: &AtomicBool,
    environment: &mut Environment,
) -> Result<Vec<RunRecord>> {
    let (mut refused, mut probes) = (Vec::new(), Vec::new());
    for (index, model) in study.models.iter().enumerate() {
        match trial::of(study, plan, index, &places[index], programs, stop) {
            Ok(tried) => {
                let known = |facts: &EngineFacts| environment.engines.iter().any(|other| other.name == facts.name);
                let facts = tried.facts.filter(|facts| !known(facts));
                environment.engines.extend(facts);
                probes.extend(tried.probes);
            }
            Err(Lost::Stopped) => bail!("stopped before the first run\nhint: nothing was made; run again"),
            Err(Lost::Failed(reason)) => {
                let place = study.system(model);
                refused.push(Finding::refuse("model", &place, &anyhow!("it does not load: {reason}")));
            }
        }
    }
    refuse(study_file, &refused)?;
    Ok(probes)
}

/// Has each model that nobody has measured yet predict the study's text, beside its reference; after the runs, which it would disturb.
fn measure_quality(
    folder: &Path,
    study: &Study,
    located: &Located,
    programs: &Programs,
    stop: &AtomicBool,
) -> Result<Ended> {
    let Some(quality) = &study.quality else { return Ok(Ended::Complete) };
    let run = Run::read(folder, |_, _, _| Ok(()))?;
    let checkpoint = |model: &ModelSpec| {
        let place = study.models.iter().position(|other| other.has_weights_of(model))?;
        located.folders[place].as_deref()
    };
    let timeout = Duration::from_secs_f64(study.execution.timeout_s);
    let text = folder.join("quality.txt");
    for model in run.lack_quality() {
        let base = study.base(model);
        let reading = bench::quality::Reading {
            folder: checkpoint(model).with_context(|| model.weights())?,
            base: base.and_then(checkpoint),
            text: &text,
            windows: quality.windows,
            timeout,
        };
        tell!("{}: {} windows of {}", model.weights(), quality.windows, quality.text);
        let mut rows = match bench::quality::measure(programs, &reading, stop) {
            Ok(rows) => rows,
            Err(Lost::Stopped) => return Ok(Ended::Stopped),
            Err(Lost::Failed(why)) => bail!(
                "{}: its quality cannot be measured: {why}\nhint: all runs are in {}; run again with --resume to go on",
                model.weights(),
                folder.display()
            ),
        };
        for row in &mut rows {
            (row.model, row.quantization) = (model.id.clone(), model.quantization.clone());
            if let (Some(against), Some(base)) = (&mut row.against, base) {
                against.base = base.quantization.clone().unwrap_or_default();
            }
        }
        store::quality::append(folder, &rows)?;
    }
    Ok(Ended::Complete)
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
    let changed = conditions::differences(&conditions::of(&run.environment), &conditions::of(now));
    ensure!(
        changed.is_empty(),
        "{}: it was begun under other conditions: {}\nhint: go on where it was begun; to begin anew, run without --resume",
        run.folder.display(),
        changed.join(", ")
    );
    Ok(())
}

fn print_plan(study: &Study) {
    let plan = Plan::of(study);
    say!("{:>5} {:>5} {:>5} {:>16}  cell", "order", "run", "block", "seed");
    for run in plan.execution() {
        say!("{:>5} {:>5} {:>5} {:>16}  {}", run.order, run.run, run.block, run.seed, cell(study, run));
    }
    say!("{} runs of {} cells", plan.runs.len(), study.cells());
}
