//! Which version of the program made a bundle, and what follows: a bundle of this version is held to every byte; an earlier one's
//! claims are held to what both versions mean by them, and what only its own version can make again is not checked; a later one's
//! is for a later program.

use anyhow::{Result, bail};
use serde::Deserialize;

use super::{
    label::{BUNDLE_SCHEMA, Label},
    set_label::SET_SCHEMA,
};
use crate::{
    analysis::{Summary, Tally},
    claims::{Claims, agree::Edition},
    evidence,
    store::Run,
    study::Study,
};

/// This program's.
pub const OWN: &str = env!("CARGO_PKG_VERSION");

/// Who made the bundle. A version that is none says nothing: such a bundle is held to every byte.
pub fn edition(label: &Label) -> Edition {
    match (order(&label.offprint_version), order(OWN)) {
        (Some(made), Some(own)) if made < own => Edition::Earlier,
        _ => Edition::This,
    }
}

/// Refuses what a later program made, as far as the text of a label tells: its rules are not known here, so neither "as it should
/// be" nor "a problem" would be true.
///
/// # Errors
/// It is later; with the way out.
pub fn refuse_later(label: &str) -> Result<()> {
    #[derive(Deserialize)]
    struct Head {
        schema: Option<String>,
        offprint_version: Option<String>,
    }
    let Ok(Head { schema, offprint_version }) = serde_json::from_str(label) else { return Ok(()) };
    let schema = schema.unwrap_or_default();
    let later_than = |own: &str| {
        let (family, own) = own.split_once('/')?;
        let made = schema.strip_prefix(family)?.strip_prefix('/')?;
        Some(made.parse::<u32>().ok()? > own.parse().ok()?)
    };
    let is_later = [BUNDLE_SCHEMA, SET_SCHEMA].into_iter().any(|own| later_than(own) == Some(true));
    let made = offprint_version.filter(|made| order(made) > order(OWN));
    match (made, is_later) {
        (Some(made), _) => bail!(
            "the bundle was made by offprint {made}, and this is {OWN}\nhint: verify it with offprint {made} or later"
        ),
        (None, true) => bail!(
            "the bundle is of schema {schema}, and this offprint, {OWN}, knows {BUNDLE_SCHEMA} and {SET_SCHEMA}\nhint: verify it with a later offprint"
        ),
        (None, false) => Ok(()),
    }
}

/// The numbers of a version, and whether it is a release: 1.0.0-rc.1 comes before 1.0.0.
fn order(version: &str) -> Option<([u32; 3], bool)> {
    let (core, pre) = version.split_once('-').map_or((version, None), |(core, pre)| (core, Some(pre)));
    let mut numbers = core.split('.').map(|part| part.parse::<u32>().ok());
    let found = [numbers.next()??, numbers.next()??, numbers.next()??];
    numbers.next().is_none().then_some((found, pre.is_none()))
}

/// Before this version unqualified claims (`latency.mean`) were about the first system of a study alone, the first model on its first
/// engine; since then they are about all rows.
const ABOUT_ALL: ([u32; 3], bool) = ([0, 2, 0], true);

fn is_about_first(label: &Label) -> bool {
    order(&label.offprint_version).is_some_and(|made| made < ABOUT_ALL)
}

/// What the bundle's unqualified claims are about.
pub fn tally(label: &Label, study: &Study) -> Tally {
    if is_about_first(label) { Tally::of(&study.alone(0)) } else { Tally::of(study) }
}

/// The claims as the bundle's version would make them, as far as this one can.
///
/// # Errors
/// As [`evidence::all_claims`].
pub fn claims(label: &Label, run: &Run, summary: &Summary, own: Option<&str>) -> Result<Claims> {
    if is_about_first(label) {
        evidence::all_claims(&run.alone(0), summary, own)
    } else {
        evidence::all_claims(run, summary, own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_bundles_are_refused_and_nonsense_is_not() {
        let label =
            |schema: &str, version: &str| format!("{{\"schema\": {schema:?}, \"offprint_version\": {version:?}}}");
        for (schema, version) in
            [("offprint.bundle/1", "9.9.9"), ("offprint.bundle/2", OWN), ("offprint.bundle/2", "9.0.0")]
        {
            let said = refuse_later(&label(schema, version)).unwrap_err().to_string();
            assert!(said.contains("\nhint: verify it with"), "{said}");
        }
        for text in [&label(BUNDLE_SCHEMA, OWN), &label(BUNDLE_SCHEMA, "0.0.9"), &label("x", "new"), "", "{}", "[1]"] {
            assert!(refuse_later(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn versions_are_ordered_as_numbers() {
        assert!(
            order("0.9.0") < order("0.10.0")
                && order("1.0.0-rc.1") < order("1.0.0")
                && order("0.9.9") < order("1.0.0-a")
        );
        assert!([order("1"), order("1.0.x"), order("1.0.0.0"), order("")].iter().all(Option::is_none));
    }
}
