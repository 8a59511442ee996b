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
        AGAIN, EXIT_CODES, conditions, energy, forecast,
        models::{self, Located},
        progress::{RunProgress, cell},
        prose::or_of_project,
        publish, signal,
        text::{self, Text},
    },
    complaint::TryAgain,
    engine, installed,
    machine::{self, Bandwidth, CheckpointFacts, EngineFacts, Environment, Session},
    preflight::{self, Finding, Weight},
    ranges::Ranges,
    record::{Outcome, Phase, RunRecord},
    store::{self, Beside, Dropped, Journal, Run, Torn},
    study::{ModelSpec, Plan, Published, Study},
};

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct RunArgs {
    /// The study, a YAML file
    study: PathBuf,
    /// Where run folders go; the project's results/ unless given
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// Go on with the newest unfinished run of this study; where all is done, say so
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

/// Prints the run folder; exit code 1 when a run failed, 75 when the execution was stopped.
pub fn run(args: RunArgs) -> Result<ExitCode> {
    let results = or_of_project(args.results, "results");
    if args.dry_run {
        let study = Study::from_file(&args.study)?;
        print_plan(&study);
        tell!("{}", forecast::sentence(&args.study, &study, &results)?);
        return Ok(ExitCode::SUCCESS);
    }
    let unfinished = if args.resume {
        match before(&args.study, &results)? {
            Some(Before::Complete(folder)) => return nothing_to_do(&folder),
            found => Some(unfinished(found, &args.study, &results)?),
        }
    } else {
        None
    };
    let own = Own { stock_kernels: args.stock_kernels, meter: args.meter };
    let execution = execute(&args.study, &results, unfinished.as_deref(), &own, &mut |_| Ok(()))?;
    say!("{}", execution.folder.display());
    Ok(match execution.ended {
        Ended::Stopped => ExitCode::from(AGAIN),
        Ended::Complete => of_failed(execution.failed),
    })
}

fn of_failed(failed: usize) -> ExitCode {
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// What was found is what a run would have left: so is the exit code.
fn nothing_to_do(folder: &Path) -> Result<ExitCode> {
    let records = Run::open(folder)?.records;
    tell!("{}: nothing to do: every run of the study has its row", folder.display());
    let failed = failed(&records);
    tell_failed(failed, records.iter().filter(|record| record.phase == Phase::Measured).count(), folder);
    say!("{}", folder.display());
    Ok(of_failed(failed))
}

fn failed(records: &[RunRecord]) -> usize {
    records.iter().filter(|record| record.outcome == Outcome::Failed).count()
}

fn tell_failed(failed: usize, of: usize, folder: &Path) {
    if failed > 0 {
        tell!("{failed} of {of} runs failed; their rows in {} say why", folder.display());
    }
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
    let of_study =
        Origin { sources: BTreeMap::new(), text: None, session: None, again: AGAIN_BY_HAND, accept: &|_| Ok(()) };
    execute_with(study_file, results, unfinished, own, &of_study, begun)
}

pub(super) const AGAIN_BY_HAND: &str = "run again with --resume to go on";

/// Where models and the text come from, and whether the models are the right ones.
pub(super) struct Origin<'a> {
    /// Instead of the study's, by model id.
    pub(super) sources: BTreeMap<String, String>,
    /// Instead of the study's.
    pub(super) text: Option<Text>,
    /// What its fleet calls it.
    pub(super) session: Option<Session>,
    /// What a person is told who has stopped it.
    pub(super) again: &'a str,
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
    publish::no_secret(&study, &yaml).with_context(|| study_file.display().to_string())?;
    if let Some(name) = study.execution.kernels.as_ref().filter(|name| stock_kernels && *name != "stock") {
        bail!(
            "{}: execution.kernels asks for `{name}`, --stock-kernels for MLX's own\nhint: leave out one of them",
            study_file.display()
        );
    }
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
    environment.session = origin.session.clone().or(environment.session);
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
    if study.bandwidth && unfinished.is_none() {
        environment.memory_bandwidth = bandwidth()?;
    }
    let programs = programs(&study, stock_kernels, kernels)?;
    let (places, drafts) = (located.places(), located.draft_places());
    let probes = each_loads(study_file, &study, &plan, (&places, &drafts), &programs, &stop, &mut environment)?;
    let beside =
        Beside { published: published(study_file, &study)?, text: predicted.map(|text| text.text.into_bytes()) };
    let mut ranges = Ranges::new(&study, &environment);
    let (mut journal, done) = match unfinished {
        Some(folder) => {
            // First, since a folder that is refused stays as it is: going on cuts off what was in flight.
            same_conditions(&Run::read(folder, |_, _, _| Ok(()))?, &environment)?;
            let (journal, run) = Journal::resume(folder)?;
            tell_dropped(&journal);
            // What is wrong with them is for the bundle to say.
            run.records.iter().for_each(|record| drop(ranges.misfits(record)));
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
    let paths = publish::Paths::of(&study, &located.opened());
    journal.append(&paths.rows(&probes))?;
    let bench = Bench {
        study: &study,
        plan: &plan,
        done,
        ranges,
        places,
        drafts,
        programs: &programs,
        gauge: gauge.as_ref(),
        stop: &stop,
    };
    let ended = bench.execute(&mut |rows| journal.append(&paths.rows(rows)), &mut |news| progress.show(news))?;

    let folder = journal.folder().to_owned();
    let ended = match ended {
        Ended::Complete => measure_quality(&folder, &study, &located, &programs, &stop)?,
        Ended::Stopped => Ended::Stopped,
    };
    drop(journal);
    let records = Run::open(&folder)?.records;
    let failed = failed(&records);
    if ended == Ended::Stopped {
        tell!("stopped; all finished runs are in {}\nhint: {}", folder.display(), origin.again);
    }
    tell_failed(failed, plan.runs.len(), &folder);
    Ok(Execution { folder, failed, ended })
}

/// How fast memory is read here, which takes about a second a way; told.
///
/// # Errors
/// Too little memory.
pub(super) fn bandwidth() -> Result<Vec<Bandwidth>> {
    #[cfg_attr(not(feature = "mlx"), expect(unused_mut))]
    let mut found = vec![Bandwidth::of_processor()?];
    #[cfg(feature = "mlx")]
    found.extend(crate::engine::bandwidth::of_gpu()?);
    for one in &found {
        tell!("memory: {one}");
    }
    Ok(found)
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
    found.extend(preflight::preflight(study, &located.checkpoints(), stock_kernels));
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
    let kernels = study.kernels(stock_kernels).map(str::to_owned);
    Ok(Programs { offprint, kernels, variables, guard })
}

/// Starts each system once, as runs will have it, and puts what engines of others say of themselves into the environment. Returns the
/// rows of what servers were asked.
fn each_loads(
    study_file: &Path,
    study: &Study,
    plan: &Plan,
    (places, drafts): (&[Place], &[Place]),
    programs: &Programs,
    stop: &AtomicBool,
    environment: &mut Environment,
) -> Result<Vec<RunRecord>> {
    let (mut refused, mut probes) = (Vec::new(), Vec::new());
    for (index, model) in study.models.iter().enumerate() {
        let tried = trial::of(study, plan, index, (&places[index], drafts), programs, stop);
        match tried.map_err(|lost| lost.or_stopped(stop)) {
            Ok(tried) => {
                let known = |facts: &EngineFacts| environment.engines.iter().any(|other| other.name == facts.name);
                let facts = tried.facts.filter(|facts| !known(facts));
                environment.engines.extend(facts);
                probes.extend(tried.probes);
            }
            Err(Lost::Stopped) => {
                bail!(TryAgain("stopped before the first run\nhint: nothing was made; run again".to_owned()))
            }
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
        let measured = bench::quality::measure(programs, &reading, stop);
        let mut rows = match measured.map_err(|lost| lost.or_stopped(stop)) {
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

/// What earlier executions of a study have left.
pub(super) enum Before {
    /// The newest that lacks rows.
    Unfinished(PathBuf),
    /// The newest that lacks rows is of another version of the study.
    OfAnother(PathBuf),
    /// None lacks rows; this is the newest of this very study.
    Complete(PathBuf),
}

/// Looks through the run folders of a study.
pub(super) fn before(study_file: &Path, results: &Path) -> Result<Option<Before>> {
    let study = Study::from_file(study_file)?;
    let text = fs::read(study_file).with_context(|| format!("{}", study_file.display()))?;
    // A folder that has no copy is refused by its own name when it is opened.
    let is_its = |folder: &Path| {
        let copy = fs::read(folder.join("study.yaml"));
        copy.map_or(true, |copy| publish::is_copy(&copy, study_file, &study, &text))
    };
    let mut complete = None;
    for folder in store::folders(results, &study.name)?.into_iter().rev() {
        // Opened through the journal's own rules, a row in flight may be torn.
        if Run::open(&folder).is_ok_and(|run| run.is_complete()) {
            complete = complete.or_else(|| is_its(&folder).then_some(folder));
            continue;
        }
        return Ok(Some(if is_its(&folder) { Before::Unfinished(folder) } else { Before::OfAnother(folder) }));
    }
    Ok(complete.map(Before::Complete))
}

/// The one to go on with.
pub(super) fn unfinished(found: Option<Before>, study_file: &Path, results: &Path) -> Result<PathBuf> {
    match found {
        Some(Before::Unfinished(folder)) => Ok(folder),
        Some(Before::OfAnother(folder)) => bail!(
            "{}: it was begun with another version of {}\nhint: restore that version (study.yaml there is a copy), or run without --resume",
            folder.display(),
            study_file.display()
        ),
        Some(Before::Complete(_)) | None => bail!(
            "{}: no unfinished run of `{}`\nhint: run without --resume to begin one",
            results.display(),
            Study::from_file(study_file)?.name
        ),
    }
}

/// Rows of two machines or builds must not be mixed in one run.
fn same_conditions(run: &Run, now: &Environment) -> Result<()> {
    let changed = conditions::differences(&conditions::of(&run.environment), &conditions::of(now));
    ensure!(
        changed.is_empty(),
        "{}: it was begun under other conditions: {}\nhint: go on with what it was begun with; to begin anew, leave out --resume, or move that folder away",
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
