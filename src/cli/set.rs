//! Sets of executions, for the verbs that take them.

use std::{collections::BTreeMap, fs, path::Path, process::ExitCode};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use crate::{
    bundle::{Bundle, set as bundles},
    claims::{
        Claims,
        agree::{Agreement, Edition},
    },
    paper::Templates,
    set::{self, Member, Set},
};

/// What a set's paper is made from.
///
/// # Errors
/// As [`Templates::in_folder`]; a folder without sections, whose paper would be a run's.
pub(super) fn templates(named: Option<&Path>) -> Result<Templates> {
    let Some(folder) = named else { return Ok(Templates::of_sets()) };
    ensure!(
        folder.join("sections").is_dir(),
        "{}: no sections/\nhint: a set's paper has sections of its own; leave --templates out for those of the program",
        folder.display()
    );
    Ok(Templates::in_folder(folder)?.templates)
}

/// Opens what `merge` or `bundle --set` has made.
pub(super) fn opened(path: &Path) -> Result<Set> {
    Ok(bundles::open(&Bundle::open(path)?)?.1)
}

/// The set at this place; `None` where something else is.
pub(super) fn at(path: &Path) -> Result<Option<Set>> {
    if path.join("runs.jsonl").is_file() || !path.exists() {
        return Ok(None);
    }
    let bundle = Bundle::open(path)?;
    if bundles::is_set(&bundle) { Ok(Some(bundles::open(&bundle)?.1)) } else { Ok(None) }
}

/// The paper's files. Of one that was made before, values are taken from its claims where they agree.
pub(super) fn files(path: &Path, named: Option<&Path>, made: Option<&Path>) -> Result<BTreeMap<String, Vec<u8>>> {
    let (set, templates) = (opened(path)?, templates(named)?);
    let mut claims = set::build(&set)?;
    let text = made.and_then(|paper| fs::read(paper.join("claims.json")).ok()).unwrap_or_default();
    if let Ok(given) = serde_json::from_slice::<Claims>(&text) {
        claims = Agreement::of(&claims, &given, Edition::This).claims;
    }
    set::files(&set, &claims, &templates)
}

/// One machine of two sets.
#[derive(Debug, Serialize)]
struct Compared {
    machine: String,
    claims: Vec<OfMetric>,
}

#[derive(Debug, Serialize)]
struct OfMetric {
    /// `decode`
    metric: String,
    /// B / A.
    ratio: f64,
    low: Option<f64>,
    high: Option<f64>,
    verdict: String,
    says: String,
}

/// B against A, machine by machine, on session means; exit code 1 unless every ratio is shown to lie within the margin.
pub(super) fn compare(a: &Set, b: &Set, json: bool) -> Result<ExitCode> {
    let shared: Vec<(String, String)> = match (a.labels().as_slice(), b.labels().as_slice()) {
        ([one], [other]) => vec![((*one).to_owned(), (*other).to_owned())],
        (here, there) => {
            let both = here.iter().filter(|label| there.contains(label));
            both.map(|label| ((*label).to_owned(), (*label).to_owned())).collect()
        }
    };
    ensure!(
        !shared.is_empty(),
        "the sets have no machine in common: {} and {}\nhint: members of one machine have one label in both sets",
        a.labels().join(", "),
        b.labels().join(", ")
    );
    let mut found = Vec::new();
    for (here, there) in shared {
        let of = |set: &Set, label: &str, name: &str| -> Vec<Member> {
            let members = set.members().iter().filter(|member| member.machine == label).cloned();
            members.map(|member| member.called(name)).collect()
        };
        let both = [of(a, &here, "A"), of(b, &there, "B")].concat();
        let both = Set::of(String::new(), "A", both).with_context(|| format!("machine {here}"))?;
        let claims = set::build(&both)?;
        found.push(Compared { machine: here, claims: set::of_machine(&claims, "B").map(OfMetric::from).collect() });
    }
    let all_equivalent = found.iter().all(|machine| machine.claims.iter().all(|claim| claim.verdict == "equivalent"));
    if json {
        say!("{}", serde_json::to_string_pretty(&found)?);
    } else {
        for Compared { machine, claims } in &found {
            say!("{machine}");
            claims.iter().for_each(|claim| say!("  {}", claim.says));
        }
    }
    Ok(ExitCode::from(u8::from(!all_equivalent)))
}

impl From<set::Against<'_>> for OfMetric {
    fn from(against: set::Against<'_>) -> Self {
        let set::Against { metric, ratio, interval, verdict, says } = against;
        OfMetric {
            metric: metric.name().to_owned(),
            ratio,
            low: interval.map(|(low, _)| low),
            high: interval.map(|(_, high)| high),
            verdict: verdict.to_owned(),
            says: says.to_owned(),
        }
    }
}
