//! `offprint merge LABEL=BUNDLE…`: executions on several machines, or in several sessions of one -> a set.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Result, ensure};

use crate::{
    bundle::set::{self, Named},
    fleet::Lock,
};

#[derive(Debug, clap::Args)]
pub struct MergeArgs {
    /// Bundles, each after the label of its machine: mac-m4=first.zip mac-m4=second.zip. Those of one label are its sessions
    #[arg(required = true, value_name = "LABEL=BUNDLE", value_parser = named)]
    members: Vec<Named>,
    /// The folder that is made
    #[arg(long, value_name = "SET")]
    out: PathBuf,
    /// The machine that the others are set against; that of the first bundle unless given
    #[arg(long, value_name = "LABEL")]
    reference: Option<String>,
    /// What `fleet plan` has written: every bundle is held to it, and the reference is its
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
}

fn named(text: &str) -> Result<Named, String> {
    let (machine, bundle) =
        text.split_once('=').ok_or("expected LABEL=BUNDLE, such as mac-m4=results/bundles/x.zip")?;
    Ok(Named { machine: machine.to_owned(), bundle: bundle.into() })
}

/// Verifies the bundles and puts them together.
pub fn run(args: MergeArgs) -> Result<ExitCode> {
    ensure!(
        std::fs::symlink_metadata(&args.out).is_err(),
        "{}: exists, and a set is never overwritten\nhint: give another --out, or remove it",
        args.out.display()
    );
    let lock = args.lock.as_deref().map(Lock::read).transpose()?;
    let opened = set::merge(&args.members, args.reference.as_deref(), lock.as_ref())?;
    let made = set::bundled(&opened, None, None)?;
    set::write_folder(&made.files, &args.out)?;
    for note in &opened.notes {
        tell!("{note}");
    }
    for (machine, members) in opened.set.machines() {
        let reference = if machine == opened.set.reference() { " (reference)" } else { "" };
        tell!("{machine}{reference}: {}", crate::claims::words::counted(members.len(), "session", "sessions"));
    }
    if opened.set.machines().any(|(_, members)| members.len() < 2) {
        tell!(
            "a machine with one session has no interval, and there is no verdict on it; execute the study there again and merge anew"
        );
    }
    say!("{}", args.out.display());
    Ok(ExitCode::SUCCESS)
}
