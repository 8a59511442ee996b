//! A set -> everything that is wrong with it: each member as it would be checked alone, what they have in common, every claim, the paper.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use super::{
    describe::{self, in_paper},
    open::is_set,
};
use crate::{
    bundle::{
        bag,
        content::Files,
        dates,
        derived::{self, Derived},
        difference,
        digests::Digests,
        open::Bundle,
        places::{LOCK, PAPER, PDF, TEMPLATES},
        problem::{Check, Problem},
        set_label::{SET, SetLabel},
        signature::AllowedSigners,
        statement::{self, STATEMENT},
        verify::{Checked, Report, begun, holds, templates, verify as single},
        version,
    },
    claims::agree::Edition,
    set::{self, Member, Set},
};

/// Checks a bundle of either kind; with `allowed`, also that one of these signed it.
///
/// # Errors
/// A later version of the program made it.
pub fn verify(bundle: &Bundle, allowed: Option<&AllowedSigners>) -> Result<Report> {
    if !is_set(bundle) {
        return single(bundle, allowed);
    }
    let (mut report, known) = begun(bundle, SET, allowed)?;
    content(&mut report, bundle, &known);
    Ok(report.ended())
}

/// Everything beyond digests.
fn content(report: &mut Report, bundle: &Bundle, known: &BTreeMap<String, Digests>) {
    let text = match bundle.text(SET) {
        Ok(text) => text,
        Err(error) => return report.fault(Check::Schema, SET, "what the set is", &error),
    };
    let label = match SetLabel::from_json(SET, &text) {
        Ok(label) => label,
        Err(error) => {
            report.fault(Check::Schema, SET, "what the set is", &error);
            return report.unchecked.push(format!("{SET} cannot be read, so nothing beyond digests was looked at"));
        }
    };
    let own = label.as_label();
    if bundle.is_archive() && bundle.name() != own.name() {
        report.add(Check::Archive, "(the archive)", format!("the folder {}", own.name()), bundle.name());
    }
    if label.to_json().ok().as_ref() != Some(&text) {
        report.add(Check::Schema, SET, "its fields sorted as offprint writes them", "another form");
    }
    let members = members(report, bundle, &label, known);
    let listed = |path: &str| label.members.iter().any(|entry| entry.path() == path);
    for path in known.keys().filter(|path| path.starts_with("data/members/") && !listed(path)) {
        report.add(Check::Schema, path, format!("no member but those of {SET}"), "one more");
    }
    let Some(members) = members else {
        return report.unchecked.push("claims and paper: not every member could be read".to_owned());
    };
    match Set::of(label.sha256(), &label.reference, members) {
        Ok(set) => made(report, bundle, &label, &set, known),
        Err(error) => report.fault(Check::Plan, SET, "members that may stand in one set", &error),
    }
}

/// Each member as it is, and what is wrong with it; `None` where one could not be read.
fn members(
    report: &mut Report,
    bundle: &Bundle,
    label: &SetLabel,
    known: &BTreeMap<String, Digests>,
) -> Option<Vec<Member>> {
    let mut members = Some(Vec::new());
    for entry in &label.members {
        let path = entry.path();
        let Some(digests) = known.get(&path) else {
            report.add(Check::Schema, &path, "the member that set.json lists", "none");
            members = None;
            continue;
        };
        if digests.hex[0] != entry.sha256 {
            report.add(Check::Fixity, &path, format!("SHA-256 {}, as in set.json", entry.sha256), &digests.hex[0]);
        }
        let opened = bundle.inside(&path).and_then(|inside| {
            ensure!(!is_set(&inside), "a set inside a set");
            let found = single(&inside, None)?;
            Ok((inside, found))
        });
        let (inside, found) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                report.fault(Check::Archive, &path, "a bundle", &error);
                members = None;
                continue;
            }
        };
        report.rows += found.rows;
        let name = format!("{}/{}", entry.machine, entry.session);
        report.members.push(Checked {
            member: name.clone(),
            bundle: found.bundle.clone(),
            rows: found.rows,
            claims: found.claims,
            signature: found.signature.clone(),
        });
        report.unchecked.extend(found.unchecked.iter().map(|line| format!("member {name}: {line}")));
        report.foreign.extend(found.foreign.iter().map(|page| format!("{path}: {page}")));
        report.more += found.more;
        let whole = found.problems.is_empty();
        report.problems.extend(
            found.problems.into_iter().map(|problem| Problem { file: format!("{path}: {}", problem.file), ..problem }),
        );
        let read = || {
            let (of, run) = (inside.label()?, inside.run()?);
            Member::of(entry.machine.clone(), entry.session, entry.sha256.clone(), of.version, run)
        };
        match (read(), &mut members) {
            (Ok(member), Some(all)) if whole => all.push(member),
            (Err(error), _) if whole => {
                report.fault(Check::Schema, &path, "a bundle that can be read", &error);
                members = None;
            }
            _ => members = None,
        }
    }
    members
}

/// What is made from the members, made again.
fn made(report: &mut Report, bundle: &Bundle, label: &SetLabel, set: &Set, known: &BTreeMap<String, Digests>) {
    let own = label.as_label();
    let edition = version::edition(&own);
    if edition == Edition::Earlier {
        report.earlier = Some(own.offprint_version.clone());
    }
    let run = describe::face(&own, set);
    let mut derived = Derived::default();
    let is_given = |path: &str| {
        path == SET || path == LOCK || path == PDF || path.starts_with(TEMPLATES) || path.starts_with("data/members/")
    };
    let given: BTreeMap<String, u64> =
        known.iter().filter(|(path, _)| is_given(path)).map(|(path, digests)| (path.clone(), digests.bytes)).collect();
    let has_paper = known.keys().any(|path| path.starts_with(PAPER));
    let mut files = Files::new();
    let mut of_paper = None;
    if has_paper {
        let again = derived::guarded(|| {
            let templates = templates(bundle)?;
            let claims = derived.claims(bundle, &own, edition, set::build(set)?);
            let files = in_paper(set::files(set, &claims, &templates)?);
            Ok((templates, files))
        });
        match again {
            Ok((templates, paper)) => {
                files = paper;
                of_paper = Some(templates);
            }
            Err(error) => derived.fault(Check::Derived, PAPER, "a paper from these members", &error),
        }
    } else {
        report.unchecked.push("paper: there is none in this set; offprint bundle --set makes one".to_owned());
    }
    match derived::guarded(|| describe::described(label, set, &given, files)) {
        Ok(files) => {
            derived.files(bundle, edition, &files, known);
            for path in
                known.keys().filter(|path| bag::is_payload(path) && !is_given(path) && !files.contains_key(*path))
            {
                match edition {
                    Edition::This => derived.add(Check::Derived, path, "no file but those of a set", "it"),
                    Edition::Earlier => report.unchecked.push(format!("{path}: not known to this version")),
                }
            }
            if let Some(templates) = &of_paper {
                derived.pdf(bundle, &run, edition, templates, &files, known);
            }
        }
        Err(error) => derived.fault(Check::Derived, "data/", "what describes the set", &error),
    }
    for path in known.keys().filter(|path| !bag::is_payload(path) && !derived::is_tag_file(path)) {
        derived.add(Check::Fixity, path, "no file but those of a set", "it");
    }
    report.problems.extend(derived.problems);
    report.unchecked.extend(derived.unchecked);
    (report.claims, report.derived) = (derived.claims, derived.equal);
    tags(report, bundle, label, set, known);
}

/// `bag-info.txt` and the statement.
fn tags(report: &mut Report, bundle: &Bundle, label: &SetLabel, set: &Set, known: &BTreeMap<String, Digests>) {
    let own = label.as_label();
    let run = describe::face(&own, set);
    let sizes = known.iter().filter(|(path, _)| bag::is_payload(path)).map(|(_, digests)| digests.bytes);
    let mut expected = Vec::new();
    match dates::date(&run) {
        Ok(date) => expected.push(("bag-info.txt", bag::info(&own, &run, &date, sizes).into_bytes())),
        Err(error) => report.fault(Check::Schema, SET, "members with times", &error),
    }
    if known.contains_key(STATEMENT)
        && let Ok(statement) = statement::of_set(label, set, known)
    {
        expected.push((STATEMENT, statement));
    }
    for (path, expected) in expected {
        match bundle.read(path) {
            Ok(found) if found == expected => {}
            Ok(found) if version::edition(&own) == Edition::Earlier && holds(path, &found, known) => {
                report.unchecked.push(format!("{path}: written otherwise by this version"));
            }
            Ok(found) => {
                report.add(Check::Fixity, path, "what the content gives", difference::first(&found, &expected))
            }
            Err(error) => report.fault(Check::Fixity, path, "what the content gives", &error),
        }
    }
}
