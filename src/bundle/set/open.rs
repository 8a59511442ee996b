//! A set, opened: its label and its members.

use anyhow::{Context, Result, ensure};

use crate::{
    bundle::{
        open::Bundle,
        set_label::{SET, SetLabel},
    },
    set::{Member, Set},
};

/// Is the bundle a set?
pub fn is_set(bundle: &Bundle) -> bool {
    bundle.bytes(SET).is_some()
}

/// What a set holds, read as strictly as bundles are read. Digests are not looked at: `verify` does.
///
/// # Errors
/// No set, a member that cannot be read, members that do not fit each other.
pub fn open(bundle: &Bundle) -> Result<(SetLabel, Set)> {
    ensure!(
        is_set(bundle),
        "{}: no {SET}\nhint: a set is a folder that offprint merge has made, or what bundle --set makes of it",
        bundle.path().display()
    );
    let text = bundle.text(SET)?;
    let label = SetLabel::from_json(SET, &text)?;
    let mut members = Vec::new();
    for entry in &label.members {
        let file = entry.path();
        let inside = bundle.inside(&file)?;
        let own = || -> Result<Member> {
            let (of, run) = (inside.label()?, inside.run()?);
            Member::of(entry.machine.clone(), entry.session, entry.sha256.clone(), of.version, run)
        };
        members.push(own().with_context(|| file.clone())?);
    }
    let set = Set::of(label.sha256(), &label.reference, members)?;
    Ok((label, set))
}
