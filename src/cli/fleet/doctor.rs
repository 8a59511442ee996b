//! `offprint fleet doctor FLEET.yaml`: each machine is asked over its own channel, all at once.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    thread,
};

use anyhow::{Context, Result};

use super::{
    FleetDoctorArgs, plan,
    studies::{Listed, read},
};
use crate::{
    fleet::{self, Build, Fleet, Lock, LockedMachine, Machine, Said, Verdict},
    machine,
};

/// Prints one line a check; exit code 1 when one fails.
pub(super) fn run(args: &FleetDoctorArgs) -> Result<ExitCode> {
    let (fleet, studies) = read(&args.fleet)?;
    let staged = Staged::new(&studies)?;
    let asked = Asked {
        here: plan::program()?,
        lock: Lock::of(&fleet, Default::default(), &machine::capture(Vec::new())),
        studies: studies.iter().map(|listed| listed.study.name.as_str()).collect(),
        staged: &staged.0,
    };
    let answers = all(&fleet, &asked);
    let width = fleet.machines.iter().map(|machine| machine.label.len()).max().unwrap_or(0);
    for (machine, checks) in fleet.machines.iter().zip(&answers) {
        for Said { name, verdict, found, hint } in checks {
            say!("{:<width$}  {:<5} {name:<8} {found}", machine.label, verdict.word());
            if let Some(hint) = hint {
                say!("{:<width$}  {:15}hint: {hint}", "", "");
            }
        }
    }
    let failed = answers.iter().flatten().any(|said| said.verdict == Verdict::Fails);
    Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// The studies as they go to machines, in a folder that vanishes.
struct Staged(PathBuf);

impl Staged {
    fn new(studies: &[Listed]) -> Result<Staged> {
        let staged = Staged(std::env::temp_dir().join(format!("offprint-fleet-{}", std::process::id())));
        fs::create_dir(&staged.0).with_context(|| staged.0.display().to_string())?;
        studies.iter().try_for_each(|listed| listed.stage(&staged.0))?;
        Ok(staged)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What each machine is asked.
struct Asked<'a> {
    /// The program that asks.
    here: String,
    lock: Lock,
    studies: Vec<&'a str>,
    staged: &'a Path,
}

/// In the fleet's order.
fn all(fleet: &Fleet, asked: &Asked<'_>) -> Vec<Vec<Said>> {
    thread::scope(|scope| {
        let asking: Vec<_> = fleet.machines.iter().map(|machine| scope.spawn(move || asked.ask(machine))).collect();
        let ended = asking.into_iter().map(|asking| asking.join());
        ended
            .map(|answer| answer.unwrap_or_else(|_| vec![Said::fails("reach", "asking broke off", "ask again")]))
            .collect()
    })
}

impl Asked<'_> {
    fn ask(&self, machine: &Machine) -> Vec<Said> {
        let first = match call(&fleet::call(machine, &fleet::first_word(machine))) {
            Ok(first) => first,
            Err(said) => return vec![said],
        };
        let mut checks = vec![fleet::reached(machine, first.code, &first.err)];
        if checks[0].verdict != Verdict::Good {
            return checks;
        }
        for study in &self.studies {
            let Some(place) = self.place(machine, study, &mut checks) else { return checks };
            match call(&fleet::call(machine, &fleet::ask_doctor(machine, &self.here, &place))) {
                Err(said) => checks.push(said),
                Ok(answer) => {
                    let known = LockedMachine { sessions: 0, chip: None, gpu: None };
                    let expected = self.lock.machines.get(&machine.label).unwrap_or(&known);
                    let build: &Build = &self.lock.build;
                    let found = fleet::answered(machine, expected, build, answer.code, &answer.out, &answer.err);
                    // Of several studies, the machine itself says the same.
                    let new: Vec<Said> = found.into_iter().filter(|said| !checks.contains(said)).collect();
                    checks.extend(new);
                }
            }
        }
        checks
    }

    /// Where the study is for the machine; copied, if need be.
    fn place(&self, machine: &Machine, study: &str, checks: &mut Vec<Said>) -> Option<String> {
        let here = self.staged.join(study);
        let folder = format!("{}/studies/", fleet::own(machine));
        let Some(words) = fleet::copy(machine, &[here.display().to_string()], &folder) else {
            return Some(here.join("study.yaml").display().to_string());
        };
        match call(&words) {
            Ok(Ended { code: Some(0), .. }) => Some(format!("studies/{study}/study.yaml")),
            Ok(ended) => {
                let line = ended.err.lines().last().unwrap_or("it said nothing").to_owned();
                checks.push(Said::fails(
                    "copy",
                    line,
                    "scp must work as ssh does: is its subsystem sftp switched on there?",
                ));
                None
            }
            Err(said) => {
                checks.push(said);
                None
            }
        }
    }
}

struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

fn call(words: &[String]) -> Result<Ended, Said> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(Said::fails("reach", "nothing to call", "this is a fault of offprint"));
    };
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| {
        Said::fails(
            "reach",
            format!("{program} cannot be run here: {error}"),
            format!("install {program} on the machine that plans"),
        )
    })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Ended { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) })
}
