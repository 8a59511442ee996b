//! `offprint fleet plan FLEET.yaml`: the folder that Snakemake is started in.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail, ensure};

use super::{
    PlanArgs,
    studies::{Listed, plain, read, write_new},
};
use crate::{
    cli::models,
    fleet::{Fleet, Lock, LockedStudy, Via, profile, snakefile},
    machine,
    preflight::Finding,
    study::{StudyError, folder},
};

pub(super) const LOCK: &str = "fleet.lock.yaml";
pub(super) const SNAKEFILE: &str = "Snakefile";

/// Prints the Snakefile's path.
pub(super) fn run(args: &PlanArgs) -> Result<ExitCode> {
    let folder = plan(args)?;
    tell!(
        "hint: offprint fleet doctor {} asks each machine; then offprint fleet run {}",
        args.fleet.display(),
        folder.display()
    );
    say!("{}", folder.join(SNAKEFILE).display());
    Ok(ExitCode::SUCCESS)
}

/// Writes everything, and returns the folder.
pub(super) fn plan(args: &PlanArgs) -> Result<PathBuf> {
    let (fleet, studies) = read(&args.fleet)?;
    let out = args.out.clone().unwrap_or_else(|| args.fleet.with_extension(""));
    ensure!(out != args.fleet, "{}: where is the plan to go?\nhint: name a folder with --out", args.fleet.display());
    let offprint = program()?;
    let locked: BTreeMap<String, LockedStudy> = studies
        .iter()
        .map(|listed| Ok((listed.study.name.clone(), locked(listed, args.without_weights)?)))
        .collect::<Result<_>>()?;
    let lock = Lock::of(&fleet, locked, &machine::capture(Vec::new()));
    still_fits(&out, &lock)?;
    let staged = out.join("studies");
    studies.iter().try_for_each(|listed| listed.stage(&staged))?;
    let names: Vec<String> = studies.iter().map(|listed| listed.study.name.clone()).collect();
    write_new(&out, LOCK, lock.to_yaml()?.as_bytes())?;
    write_new(&out, "profile/config.yaml", profile(&fleet).as_bytes())?;
    write_new(&out, SNAKEFILE, snakefile(&fleet, &names, &offprint).as_bytes())?;
    told(&fleet, studies.len());
    elsewhere(&fleet, &studies);
    Ok(out)
}

/// This one, as a plain word of commands.
pub(super) fn program() -> Result<String> {
    let program = std::env::current_exe().context("where is this program?")?.display().to_string();
    plain(&program, "install offprint in another folder")?;
    Ok(program)
}

/// Weights are digested where the models are; every byte is read.
fn locked(listed: &Listed, without_weights: bool) -> Result<LockedStudy> {
    let Listed { file, study, text } = listed;
    let checkpoints = if without_weights {
        Vec::new()
    } else {
        let located = models::locate(study, &BTreeMap::new());
        if !located.refused.is_empty() {
            let list: Vec<String> = located.refused.iter().map(Finding::to_string).collect();
            bail!(
                "{}: its models are not to be had here:\n{}\nhint: --without-weights plans without their digests",
                file.display(),
                list.join("\n")
            );
        }
        models::facts(study, &located)?
    };
    let wrong = |problem| StudyError { file: file.display().to_string(), place: None, problem };
    Ok(LockedStudy::of(study, text, &checkpoints).map_err(wrong)?)
}

/// Bundles that lie there were made under its earlier lock: a study must not change under them.
fn still_fits(out: &Path, lock: &Lock) -> Result<()> {
    let file = out.join(LOCK);
    if !file.is_file() {
        return Ok(());
    }
    let earlier = Lock::read(&file)?;
    for (name, before) in &earlier.studies {
        let has_bundles = out.join("bundles").join(name).is_dir();
        let now = lock.studies.get(name);
        // Weights that one of the two plans has left out are no others.
        let same = |now: &LockedStudy| {
            let known = before.weights.iter().filter_map(|(model, digest)| Some((digest, now.weights.get(model)?)));
            before.differs(now).is_none() && known.into_iter().all(|(then, now)| then == now)
        };
        ensure!(
            !has_bundles || now.is_some_and(same),
            "{}: it has bundles of `{name}`, and that study is {} by now\nhint: plan into another --out; what was measured stays where it is",
            out.display(),
            if now.is_some() { "another" } else { "in the fleet no more" }
        );
    }
    for name in earlier.studies.keys().filter(|name| !lock.studies.contains_key(*name)) {
        let copy = out.join("studies").join(name);
        fs::remove_dir_all(&copy).with_context(|| copy.display().to_string())?;
        tell!("{}: removed; the study is in the fleet no more", copy.display());
    }
    Ok(())
}

/// What lies beside the plan on this machine alone.
fn elsewhere(fleet: &Fleet, studies: &[Listed]) {
    if fleet.machines.iter().all(|machine| machine.via == Via::Local) {
        return;
    }
    for Listed { file, study, .. } in studies {
        let local = study.sources().into_iter().filter(|source| folder(source).is_some());
        let programs = study.models.iter().filter_map(|model| Some(model.engine.argv().first()?.as_str()));
        for needed in local.chain(programs).collect::<BTreeSet<_>>() {
            tell!("warning: {}: {needed} must be at that very place on each machine", file.display());
        }
    }
}

fn told(fleet: &Fleet, studies: usize) {
    let (machines, sessions) = (fleet.machines.len(), fleet.sessions);
    tell!(
        "{} shards: {studies} study(ies) on {machines} machine(s) in {sessions} session(s); the reference is {}",
        machines * studies * sessions as usize,
        fleet.reference
    );
    if sessions < 3 {
        tell!("warning: {sessions} session(s) a machine: how much lies between sessions is told from three on");
    }
}
