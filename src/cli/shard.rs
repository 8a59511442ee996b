//! `offprint shard STUDY --home DIR --bundle OUT`: one whole execution of one study on this machine, in one session, for an engine that
//! schedules. The same command again goes on, or finds that all is done: whatever was interrupted, nothing is run twice.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    bench::{
        Ended,
        quiet::{Limits, NotNow},
    },
    bundle::{self, Order},
    cli::{
        AGAIN, EXIT_CODES, bundle as bundles, compare, publish,
        run::{Before, Origin, Own, before, execute_with},
        signal,
    },
    complaint::TryAgain,
    fleet::{Build, Lock, LockedStudy},
    machine::{self, CheckpointFacts, Environment, Session},
    paper::Templates,
    study::{EngineKind, Study, StudyError},
};

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct ShardArgs {
    /// The study, a YAML file
    study: PathBuf,
    /// This machine's folder: its lock, and all runs until they are bundled; one shard at a time is at work there
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
    /// The archive that is made; where it is there already, nothing is done
    #[arg(long, value_name = "FILE.zip")]
    bundle: PathBuf,
    /// What the execution must be of: a fleet's fleet.lock.yaml
    #[arg(long, value_name = "FILE", requires_all = ["machine", "session"])]
    lock: Option<PathBuf>,
    /// What the fleet calls this machine
    #[arg(long, value_name = "LABEL", requires = "session")]
    machine: Option<String>,
    /// Which of this machine's sessions it is, from 1
    #[arg(long, value_name = "K", requires = "machine", value_parser = clap::value_parser!(u32).range(1..))]
    session: Option<u32>,
    /// How long to wait for a machine that is too busy or too hot at the start, in seconds
    #[arg(long, value_name = "S", default_value_t = 600)]
    wait: u64,
    /// Too busy is a load of more than this a core [default: 0.5; on the fake engine, which measures nothing, none]
    #[arg(long, value_name = "LOAD")]
    busy: Option<f64>,
    /// Too hot is a sensor above this, in degrees Celsius [default: 75, likewise]
    #[arg(long, value_name = "C")]
    hot: Option<f64>,
    /// On a CPU, compute with MLX's own kernels instead of ours
    #[arg(long)]
    stock_kernels: bool,
    /// What a meter at the wall says, as `run` has it
    #[arg(long, value_name = "FILE")]
    meter: Option<PathBuf>,
}

/// A member of a set is known by its label and number.
const VERSION: &str = "1.0.0";
const LICENCE: &str = "MIT OR Apache-2.0";
/// Rows and bundle of a large study take some tens of megabytes.
const DISK_LEAST: u64 = 64 << 20;

/// What is to be executed.
struct Shard {
    args: ShardArgs,
    study: Study,
    text: Vec<u8>,
    locked: Option<LockedStudy>,
}

/// Prints the bundle.
pub fn run(args: ShardArgs) -> Result<ExitCode> {
    // The engine's connection may end before the shard does; the next attempt waits for it and takes its bundle.
    signal::outlive_the_line()?;
    let stop = signal::stop()?;
    let shard = Shard::of(args)?;
    if shard.is_made()? {
        say!("{}", shard.args.bundle.display());
        return Ok(ExitCode::SUCCESS);
    }
    // Fails now rather than after hours.
    for folder in [shard.args.home.as_path(), parent(&shard.args.bundle)] {
        writable(folder)?;
    }
    let _held = shard.hold(&stop)?;
    if !shard.is_made()? {
        let Some(folder) = shard.execute(&stop)? else { return Ok(ExitCode::from(AGAIN)) };
        shard.bundle(&folder)?;
    }
    say!("{}", shard.args.bundle.display());
    Ok(ExitCode::SUCCESS)
}

impl Shard {
    /// Held to the lock as far as it can be before models are fetched.
    fn of(args: ShardArgs) -> Result<Shard> {
        let study = Study::from_file(&args.study)?;
        let text = fs::read(&args.study).with_context(|| args.study.display().to_string())?;
        let locked = args.lock.as_ref().map(|file| expected(&args, file, &study, &text)).transpose()?;
        Ok(Shard { args, study, text, locked })
    }

    /// The lock of the home folder; it ends with its holder, however that ends.
    fn hold(&self, stop: &AtomicBool) -> Result<File> {
        let path = self.args.home.join("lock");
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file =
            open.with_context(|| format!("{}\nhint: --home names a folder that can be written", path.display()))?;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(error).with_context(|| path.display().to_string()),
                Err(TryLockError::WouldBlock) => {}
            }
            if !told {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                let holder = if holder.trim().is_empty() { "another shard" } else { holder.trim() };
                tell!("{}: {holder} is at work here; waiting for it", path.display());
                told = true;
            }
            if stop.load(Ordering::SeqCst) {
                bail!(TryAgain("stopped while waiting for another shard\nhint: run the same again".to_owned()));
            }
            thread::sleep(Duration::from_millis(100));
        }
        // For whoever waits; nothing rests on it.
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", self.named()));
        Ok(file)
    }

    fn named(&self) -> String {
        match self.args.session {
            Some(session) => format!("session {session} of {}", self.study.name),
            None => self.study.name.clone(),
        }
    }

    fn session(&self) -> Option<Session> {
        let (machine, number) = self.args.machine.as_ref().zip(self.args.session)?;
        Some(Session::of_fleet(machine, number))
    }

    /// Is its bundle there? A file that is another is refused, never replaced.
    fn is_made(&self) -> Result<bool> {
        let out = &self.args.bundle;
        if fs::symlink_metadata(out).is_err() {
            return Ok(false);
        }
        let hint = "hint: nothing is overwritten; remove it, or give another --bundle";
        let made = compare::open(out).with_context(|| {
            format!("{}: there, and no bundle that this shard could have made\n{hint}", out.display())
        })?;
        ensure!(
            publish::is_copy(&made.study_yaml, &self.args.study, &self.study, &self.text),
            "{}: a bundle of another study than {} (it is of `{}`)\n{hint}",
            out.display(),
            self.args.study.display(),
            made.run.study.name
        );
        let named = |session: Option<&Session>| session.map(|session| (session.machine.clone(), session.number));
        let (found, wanted) = (named(made.run.environment.session.as_ref()), named(self.session().as_ref()));
        ensure!(
            wanted.is_none() || found == wanted,
            "{}: a bundle of another session than {}\n{hint}",
            out.display(),
            self.named()
        );
        tell!("{}: there already", out.display());
        Ok(true)
    }

    /// The complete run folder; `None` when it was stopped.
    fn execute(&self, stop: &AtomicBool) -> Result<Option<PathBuf>> {
        let args = &self.args;
        let results = match args.session {
            Some(session) => args.home.join(format!("session-{session}")),
            None => args.home.join("results"),
        };
        let unfinished = match before(&args.study, &results)? {
            Some(Before::Complete(folder)) => return Ok(Some(folder)),
            Some(Before::OfAnother(folder)) => bail!(
                "{}: an unfinished run of another version of {}\nhint: to finish it, take its own study.yaml; to give it up, move the folder away; or name another --home",
                folder.display(),
                args.study.display()
            ),
            Some(Before::Unfinished(folder)) => Some(folder),
            None => None,
        };
        self.wait_for_quiet(stop)?;
        let origin = Origin {
            sources: Default::default(),
            text: None,
            session: self.session(),
            again: "the same command again goes on",
            accept: &|checkpoints| self.accept(checkpoints),
        };
        let own = Own { stock_kernels: args.stock_kernels, meter: args.meter.clone() };
        let execution = execute_with(&args.study, &results, unfinished.as_deref(), &own, &origin, &mut |_| Ok(()))?;
        Ok((execution.ended == Ended::Complete).then_some(execution.folder))
    }

    fn wait_for_quiet(&self, stop: &AtomicBool) -> Result<()> {
        let ShardArgs { busy, hot, wait, .. } = self.args;
        let measures = self.study.models.iter().any(|model| !model.engine.is(EngineKind::Fake));
        let usual = if measures { Limits::default() } else { Limits { load: f64::INFINITY, celsius: f64::INFINITY } };
        let limits = Limits { load: busy.unwrap_or(usual.load), celsius: hot.unwrap_or(usual.celsius) };
        let told = limits.keep(Duration::from_secs(wait), stop, &mut |why| {
            tell!("this machine is {why}; waiting for {wait} s at most");
        });
        match told {
            Ok(()) => Ok(()),
            Err(NotNow::Stopped) => {
                bail!(TryAgain("stopped before the first run\nhint: nothing was made; run the same again".to_owned()))
            }
            Err(NotNow::Busy(why)) => bail!(TryAgain(format!(
                "this machine is {why}, after {wait} s of waiting; nothing was run\nhint: stop what else is running, or run the same again later; --wait, --busy and --hot set what is waited for"
            ))),
        }
    }

    fn accept(&self, checkpoints: &[CheckpointFacts]) -> Result<()> {
        let Some((locked, file)) = self.locked.as_ref().zip(self.args.lock.as_ref()) else { return Ok(()) };
        let others = locked.other_weights(checkpoints);
        ensure!(
            others.is_empty(),
            "{}: not the weights that the fleet was planned with: {}\nhint: have the source fetched anew here (offprint model verify), or plan the fleet again",
            file.display(),
            others.join("; ")
        );
        Ok(())
    }

    /// A member's paper is in its bundle, without a PDF, which is made of all members together.
    fn bundle(&self, folder: &Path) -> Result<()> {
        self.sweep()?;
        let templates = Templates::built_in();
        let paper = self.args.home.join("no-paper");
        let order =
            Order { run: folder, templates: &templates, version: VERSION, licence: LICENCE, paper: &paper, key: None };
        bundles::write(&self.args.bundle, &bundle::make(&order)?)
    }
}

impl Shard {
    /// One that was killed while it bundled has left half an archive, under a name of its own. The lock is ours, so nobody is at it.
    fn sweep(&self) -> Result<()> {
        let folder = parent(&self.args.bundle);
        let begins = format!("{}.", self.args.bundle.file_name().unwrap_or_default().to_string_lossy());
        for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let path = entry.with_context(|| folder.display().to_string())?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let number = name.strip_prefix(&begins).and_then(|rest| rest.strip_suffix(".tmp"));
            if number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())) {
                fs::remove_file(&path).with_context(|| path.display().to_string())?;
            }
        }
        Ok(())
    }
}

/// What the lock has of this study, once study, machine and session are those that it names.
fn expected(args: &ShardArgs, file: &Path, study: &Study, text: &[u8]) -> Result<LockedStudy> {
    let lock = Lock::read(file)?;
    let at = file.display();
    let again = "hint: offprint fleet plan writes lock and studies; take both from the same folder";
    let locked =
        lock.studies.get(&study.name).with_context(|| format!("{at}: it has no study `{}`\n{again}", study.name))?;
    let wrong = |problem| StudyError { file: args.study.display().to_string(), place: None, problem };
    let here = LockedStudy::of(study, &String::from_utf8_lossy(text), &[]).map_err(wrong)?;
    if let Some(difference) = locked.differs(&here) {
        bail!("{}: not the study of {at}: {difference}\n{again}", args.study.display());
    }
    let label = args.machine.as_deref().unwrap_or_default();
    let known: Vec<&str> = lock.machines.keys().map(String::as_str).collect();
    let machine = lock
        .machines
        .get(label)
        .with_context(|| format!("{at}: it has no machine `{label}`\nhint: known there: {}", known.join(", ")))?;
    let session = args.session.unwrap_or_default();
    ensure!(
        session <= machine.sessions,
        "{at}: {label} has {} sessions, and this is number {session}\nhint: set `sessions` in fleet.yaml and plan again",
        machine.sessions
    );
    let here = machine::capture(Vec::new());
    let misfits = machine.misfits(&here.chip, &here.gpu);
    ensure!(
        misfits.is_empty(),
        "{at}: this is not {label}: {}\nhint: is it the right host or node? `expect` in fleet.yaml says what it must be",
        misfits.join("; ")
    );
    tell_build(&lock, &here);
    Ok(locked.clone())
}

fn tell_build(lock: &Lock, here: &Environment) {
    if let Some(other) = lock.build.differs(&Build::of(here)) {
        tell!("another build of offprint than the fleet was planned with: {other}");
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Made where it is not, and tried.
fn writable(folder: &Path) -> Result<()> {
    let name = folder.display();
    let probe = folder.join(format!(".shard.{}.tmp", std::process::id()));
    fs::create_dir_all(folder).and_then(|()| fs::write(&probe, "offprint")).with_context(|| {
        format!("{name}: nothing can be written there\nhint: is the folder writable, and is there space?")
    })?;
    fs::remove_file(&probe).with_context(|| name.to_string())?;
    let free = machine::free_disk(folder).value;
    ensure!(
        free.is_none_or(|bytes| bytes >= DISK_LEAST),
        "{name}: {} MiB free, {} needed\nhint: free some space on this file system, or name another folder",
        free.unwrap_or_default() >> 20,
        DISK_LEAST >> 20
    );
    Ok(())
}
