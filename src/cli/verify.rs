//! `offprint verify`: is a bundle what it says? Lists every problem; exit code 1 if there is one.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};

use crate::bundle::{self, Bundle, Checked, Report, Signed, signature::AllowedSigners};

#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// The archive, or the folder it unpacks to
    bundle: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Also demand a signature by a key of this file (see ssh-keygen(1), ALLOWED SIGNERS)
    #[arg(long, value_name = "FILE")]
    allowed_signers: Option<PathBuf>,
}

/// Checks a bundle.
pub fn run(args: VerifyArgs) -> Result<ExitCode> {
    let allowed = args.allowed_signers.map(|file| {
        let name = file.display().to_string();
        let text = fs::read_to_string(&file).with_context(|| name.clone())?;
        AllowedSigners::from_str(&name, &text)
    });
    let report = bundle::verify(&Bundle::open(&args.bundle)?, allowed.transpose()?.as_ref())?;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(ExitCode::from(u8::from(!report.is_fine())));
    }
    for page in &report.foreign {
        say!("WARNING: {page} runs a script that no version of offprint wrote. DO NOT OPEN IT: it can show anything.");
    }
    for problem in &report.problems {
        say!("{problem}");
    }
    if report.more > 0 {
        say!("and {} more", report.more);
    }
    for unchecked in &report.unchecked {
        tell!("not checked: {unchecked}");
    }
    for Checked { member, bundle, rows, claims, signature } in &report.members {
        let signed = match signature {
            Signed::No => "not signed".to_owned(),
            Signed::Bad => "its signature does not hold".to_owned(),
            Signed::By { key } | Signed::Allowed { key, .. } => format!("signed with {key}"),
        };
        tell!("member {member}: {bundle}, {rows} rows, {claims} claims, {signed}");
    }
    match &report.signature {
        // Nothing in the archive was looked at.
        Signed::No if report.files == 0 => {}
        Signed::No => tell!("not signed"),
        Signed::Bad => tell!("its signature does not hold"),
        Signed::By { key } => tell!("signed with {key}, for which nobody here vouches (--allowed-signers)"),
        Signed::Allowed { key, principals } => tell!("signed by {principals} with {key}"),
    }
    if report.is_fine() {
        let all =
            if report.earlier.is_some() { "what was checked is as it should be" } else { "all as they should be" };
        let Report { bundle, files, rows, claims, .. } = &report;
        say!("{bundle}: {files} files, {rows} rows, {claims} claims, {all}");
        return Ok(ExitCode::SUCCESS);
    }
    let problems = report.problems.len() + report.more;
    tell!("{}: {problems} problem{}", args.bundle.display(), if problems == 1 { "" } else { "s" });
    match &report.hint {
        Some(hint) => tell!("hint: {hint}"),
        None => tell!("hint: docs/VERIFY.md says what each check means; do not rest on this bundle"),
    }
    Ok(ExitCode::from(1))
}
