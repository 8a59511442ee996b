//! Bundles -> a set. The same bundles give the same bytes.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use ssh_key::PrivateKey;

use super::{describe, open, verify::verify as whole};
use crate::{
    bundle::{
        archive::{Content, Input},
        bag,
        content::Files,
        dates,
        digests::Digests,
        label::check_version,
        make as single,
        open::Bundle,
        places::{LOCK, PDF, TEMPLATES},
        set_label::{Entry, SET, SET_SCHEMA, SetLabel, check_machine},
        signature, statement,
        verify::verify,
    },
    claims::Claims,
    digest::{sha256_file, sha256_hex},
    fleet::{Build, Lock, LockedStudy},
    machine,
    paper::Templates,
    set::{self, Member, Set},
    store::Run,
    study::Plan,
};

/// Files by path under the set's folder.
pub type Packed = BTreeMap<String, Input>;

/// A bundle with the label of its machine.
#[derive(Debug, Clone)]
pub struct Named {
    pub machine: String,
    pub bundle: PathBuf,
}

/// A set with where its members' bytes are.
#[derive(Debug)]
pub struct Opened {
    pub label: SetLabel,
    pub set: Set,
    /// What is to be known and is no fault, a line each.
    pub notes: Vec<String>,
    files: BTreeMap<String, PathBuf>,
}

/// Verifies every bundle, and puts them together; with `lock`, each is held to the fleet.
///
/// # Errors
/// A bundle with a problem, one that does not fit the others, or not the fleet.
pub fn merge(named: &[Named], reference: Option<&str>, lock: Option<&Lock>) -> Result<Opened> {
    let mut read = Vec::new();
    let mut licences: Vec<String> = Vec::new();
    let mut notes = Vec::new();
    for Named { machine, bundle: path } in named {
        check_machine(machine)?;
        let shown = path.display();
        ensure!(
            path.is_file(),
            "{shown}: expected a bundle as one file, {}\nhint: members of a set are archives, as `bundle` and `shard` write them",
            if path.is_dir() { "found a folder" } else { "found none" }
        );
        let bundle = Bundle::open(path)?;
        ensure!(!open::is_set(&bundle), "{shown}: is a set\nhint: name its members, which are in data/members/");
        let report = verify(&bundle, None)?;
        if let Some(problem) = report.problems.first() {
            let more = report.problems.len() + report.more - 1;
            bail!(
                "{shown}: {problem}, and {more} more\nhint: offprint verify lists them; a bundle with a problem stands in no set"
            );
        }
        if let Some(earlier) = &report.earlier {
            notes.push(format!(
                "{shown}: made by offprint {earlier}; what this version makes otherwise was not checked"
            ));
        }
        let (label, run) = (bundle.label()?, bundle.run()?);
        if let Some(own) = run.environment.session.as_ref().and_then(|session| session.machine.as_ref()) {
            ensure!(
                own == machine,
                "{shown}: its records say that it is of `{own}`, and it was named as `{machine}`\nhint: give it the label that its fleet gave it"
            );
        }
        if let Some(lock) = lock {
            let study = bundle.read(&label.run_file("study.yaml"))?;
            notes.extend(held(lock, machine, &run, &sha256_hex(&study)).with_context(|| shown.to_string())?);
        }
        if !licences.contains(&label.licence) {
            licences.push(label.licence.clone());
        }
        let sha256 = sha256_file(path).with_context(|| shown.to_string())?;
        let begin = dates::instant(&run.environment.captured_at).with_context(|| shown.to_string())?;
        read.push((begin, Member::of(machine.clone(), 0, sha256, label.version, run)?, path.clone()));
    }
    // Machines as they are named first, sessions in the order of time.
    let order: Vec<String> = named.iter().map(|named| named.machine.clone()).collect();
    let place = |machine: &str| order.iter().position(|named| named == machine);
    read.sort_by_key(|(begin, member, _)| (place(&member.machine), *begin));
    let (mut members, mut files, mut entries) = (Vec::new(), BTreeMap::new(), Vec::<Entry>::new());
    for (_, mut member, path) in read {
        member.session = 1 + entries.iter().filter(|entry| entry.machine == member.machine).count() as u32;
        let entry = Entry { machine: member.machine.clone(), session: member.session, sha256: member.sha256.clone() };
        files.insert(entry.path(), path);
        entries.push(entry);
        members.push(member);
    }
    let first = members.first().context("no bundle was named\nhint: name at least one, as LABEL=BUNDLE.zip")?;
    let licence = match licences.as_slice() {
        [only] => only.clone(),
        several => bail!(
            "the members are under several licences: {}\nhint: bundle them again with one --license",
            several.join("; ")
        ),
    };
    let label = SetLabel {
        schema: SET_SCHEMA.to_owned(),
        study: first.run.study.name.clone(),
        version: "0.0.0".to_owned(),
        licence,
        offprint_version: env!("CARGO_PKG_VERSION").to_owned(),
        reference: reference.or(lock.map(|lock| lock.reference.as_str())).unwrap_or(&first.machine).to_owned(),
        members: entries,
    };
    notes.extend(set::told(&members));
    for (machine, locked) in lock.iter().flat_map(|lock| &lock.machines) {
        let found = label.members.iter().filter(|entry| entry.machine == *machine).count();
        if found != locked.sessions as usize {
            notes.push(format!("{machine}: {found} of the {} sessions that the fleet plans", locked.sessions));
        }
    }
    opened(label, members, notes, files)
}

/// Is it an execution of the fleet? What differs and may differ, in words.
fn held(lock: &Lock, machine: &str, run: &Run, study_sha256: &str) -> Result<Option<String>> {
    let known = lock.machines.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let expected = lock
        .machines
        .get(machine)
        .with_context(|| format!("no machine of the fleet is called `{machine}`\nhint: its machines are {known}"))?;
    let name = &run.study.name;
    let locked = lock.studies.get(name).with_context(|| {
        let known = lock.studies.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        format!("the fleet has no study `{name}`\nhint: its studies are {known}")
    })?;
    let plan = serde_json::to_vec(&Plan::of(&run.study))?;
    let own =
        LockedStudy { study_sha256: study_sha256.to_owned(), plan_sha256: sha256_hex(&plan), weights: BTreeMap::new() };
    let mut misfits: Vec<String> = locked.differs(&own).into_iter().collect();
    misfits.extend(locked.other_weights(&run.environment.checkpoints));
    misfits.extend(expected.misfits(&run.environment.chip, &run.environment.gpu));
    if let Some(misfit) = misfits.first() {
        bail!(
            "{misfit}\nhint: it is of another fleet, or of one that was planned anew: what stands in a set is what its lock says"
        );
    }
    let build = lock.build.differs(&Build::of(&run.environment));
    Ok(build.map(|other| format!("{machine}: another build of offprint than the fleet was planned with: {other}")))
}

/// A set's folder, to be bundled; under its members' licence unless another is given.
///
/// # Errors
/// As [`open::open`]; an archive.
pub fn read(bundle: &Bundle, version: &str, licence: Option<&str>) -> Result<Opened> {
    ensure!(
        !bundle.is_archive(),
        "{}: expected the folder that offprint merge has made, found an archive\nhint: unzip it, or merge its members again",
        bundle.path().display()
    );
    check_version(version)?;
    licence.map_or(Ok(()), single::check_licence)?;
    let report = whole(bundle, None)?;
    if let Some(problem) = report.problems.first() {
        bail!(
            "{}: {problem}\nhint: offprint verify lists what is wrong; merge makes the set anew",
            bundle.path().display()
        );
    }
    let (label, set) = open::open(bundle)?;
    let label = SetLabel {
        version: version.to_owned(),
        licence: licence.map_or_else(|| label.licence.clone(), str::to_owned),
        offprint_version: env!("CARGO_PKG_VERSION").to_owned(),
        ..label
    };
    let place = |entry: &Entry| -> Result<(String, PathBuf)> {
        Ok((entry.path(), bundle.place(&entry.path()).with_context(|| entry.path())?.to_owned()))
    };
    let files = label.members.iter().map(place).collect::<Result<_>>()?;
    opened(label, set.members().to_vec(), Vec::new(), files)
}

fn opened(
    label: SetLabel,
    members: Vec<Member>,
    notes: Vec<String>,
    files: BTreeMap<String, PathBuf>,
) -> Result<Opened> {
    let set = Set::of(label.sha256(), &label.reference, members)?;
    Ok(Opened { label, set, notes, files })
}

/// A set that is not on the disk yet.
#[derive(Debug)]
pub struct Bundled {
    pub files: Packed,
    /// Why there is no PDF in it, where there is a paper.
    pub no_pdf: Option<String>,
}

/// All files of a set: with `paper`, the templates that its paper is made from and the folder in which its PDF may lie.
///
/// # Errors
/// Prose that does not fit the claims, a member that has changed.
pub fn bundled(opened: &Opened, paper: Option<(&Templates, &Path)>, key: Option<&PrivateKey>) -> Result<Bundled> {
    let Opened { label, set, files, .. } = opened;
    let mut payload = BTreeMap::from([(SET.to_owned(), Content::Memory(label.to_json()?.into_bytes()))]);
    payload.extend(files.iter().map(|(path, file)| (path.clone(), Content::Disk(file.clone()))));
    let own = label.as_label();
    let run = describe::face(&own, set);
    let (mut made, mut no_pdf) = (Files::new(), None);
    if let Some((templates, folder)) = paper {
        let text = |text: &str| Content::Memory(text.into());
        payload.insert(LOCK.to_owned(), text(machine::CARGO_LOCK));
        payload.extend(templates.files().iter().map(|(path, inside)| (format!("{TEMPLATES}{path}"), text(inside))));
        let claims: Claims = set::build(set)?;
        made = describe::in_paper(set::files(set, &claims, templates)?);
        match single::pdf(folder, &run, &claims, &made) {
            Ok(bytes) => drop(payload.insert(PDF.to_owned(), Content::Memory(bytes))),
            Err(reason) => no_pdf = Some(reason),
        }
    }
    let sizes = single::sizes(&payload)?;
    let made = describe::described(label, set, &sizes, made)?;
    payload.extend(made.into_iter().map(|(path, bytes)| (path, Content::Memory(bytes))));
    let date = dates::date(&run)?;
    let sign = key.map(|key| move |message: &[u8]| signature::sign(key, message));
    let state = |known: &BTreeMap<String, Digests>| statement::of_set(label, set, known);
    let sign = sign.as_ref().map(|sign| (sign as &bag::Sign<'_>, &state as &bag::State<'_>));
    Ok(Bundled { files: bag::packed(&own, &run, &date, payload, sign)?, no_pdf })
}

/// The files under the one folder of an archive.
pub fn archived(name: &str, files: Packed) -> Packed {
    files.into_iter().map(|(path, file)| (format!("{name}/{path}"), file)).collect()
}

/// Writes the files into a new folder, whole or not at all.
///
/// # Errors
/// The folder is there, or cannot be written.
pub fn write_folder(files: &Packed, out: &Path) -> Result<()> {
    ensure!(
        fs::symlink_metadata(out).is_err(),
        "{}: exists, and a set is never overwritten\nhint: give another --out, or remove it",
        out.display()
    );
    let name = out.file_name().with_context(|| format!("{}: no name of a folder", out.display()))?;
    let making = out.with_file_name(format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id()));
    let written = (|| -> Result<()> {
        for (path, input) in files {
            let file = making.join(path);
            fs::create_dir_all(file.parent().unwrap_or(&making)).with_context(|| file.display().to_string())?;
            let mut target = File::create(&file).with_context(|| file.display().to_string())?;
            let bytes =
                io::copy(&mut input.content.reader()?, &mut target).with_context(|| file.display().to_string())?;
            ensure!(bytes == input.bytes, "{path}: changed while it was read");
            target.sync_all().with_context(|| file.display().to_string())?;
        }
        fs::rename(&making, out).with_context(|| out.display().to_string())
    })();
    if written.is_err() {
        let _ = fs::remove_dir_all(&making);
    }
    written
        .with_context(|| format!("{}: not written\nhint: is the folder writable, and is there space?", out.display()))
}
