//! A set -> every claim and predicate of its paper. What is about all members' common design is taken from the first one's claims.
#![allow(clippy::disallowed_methods)] // claims, whose values are compared to a tolerance

mod bandwidth;
mod facts;
mod judged;

use std::collections::BTreeMap;

use anyhow::Result;

use super::{Member, Set, quantities};
use crate::{
    claims::{CLAIMS_SCHEMA, Claim, Claims, Id, Predicate, Runs, Source, Value},
    factor::Factor,
    metric::Metric,
    study::Statistics,
};

/// The metrics that the paper tells of, where the members have them; all others are in its tables.
pub(super) const TOLD: [Metric; 8] = [
    Metric::Latency,
    Metric::Ttft,
    Metric::TtftFromText,
    Metric::Prefill,
    Metric::Decode,
    Metric::OutputRate,
    Metric::PeakMemory,
    Metric::JoulesAToken,
];
/// Those of which a factor's effect is compared between machines.
pub(super) const RELATIVE: [Metric; 4] = [Metric::Latency, Metric::Prefill, Metric::Decode, Metric::OutputRate];

const OF_WIDTH: &str = "two digits of the interval's half width";
const OF_ERROR: &str = "to two significant digits of the standard error";
const TWO: &str = "two significant digits";

/// Every claim of a set.
///
/// # Errors
/// A value that is not finite.
pub fn build(set: &Set) -> Result<Claims> {
    let mut put = Put { set, claims: BTreeMap::new(), predicates: BTreeMap::new() };
    put.of_the_design()?;
    put.of_the_set();
    put.of_the_machines();
    put.of_the_members();
    put.agreement();
    let found = quantities::all(set);
    put.bandwidth(found.iter().find(|quantity| quantity.metric == Metric::Decode));
    for quantity in found {
        put.levels(&quantity)?;
        put.scatter(&quantity)?;
        put.against_reference(&quantity)?;
        put.letters(&quantity)?;
        if RELATIVE.contains(&quantity.metric) {
            put.relative(&quantity)?;
        }
    }
    let source = Source { run_id: set.first().run.study.name.clone(), sha256: set.sha256.clone() };
    Ok(Claims { schema: CLAIMS_SCHEMA.to_owned(), source, claims: put.claims, predicates: put.predicates })
}

/// `by_machine.LABEL`
pub(super) fn by(label: &str) -> Id {
    Id::by("machine", label)
}

/// `vs.machine.LABEL`
pub(super) fn vs(label: &str) -> Id {
    Id::new("vs.machine").level(label)
}

/// `member.N`, from 1 in the set's order.
pub(super) fn member(place: usize) -> Id {
    Id::new("member").level(&(place + 1).to_string())
}

/// The mean of a session: of the member at this place, from 0.
pub fn session_mean(place: usize, metric: Metric) -> Id {
    member(place).metric(metric).word("mean")
}

/// `vs.machine.LABEL.FACTOR.LEVEL.METRIC`
pub(super) fn effect(label: &str, factor: &Factor, level: usize, metric: Metric) -> Id {
    vs(label).word(&factor.name).level(&factor.levels[level].key()).metric(metric)
}

/// Claims so far.
struct Put<'a> {
    set: &'a Set,
    claims: BTreeMap<Id, Claim>,
    predicates: BTreeMap<Id, Predicate>,
}

impl<'a> Put<'a> {
    fn statistics(&self) -> &'a Statistics {
        &self.set.first().run.study.statistics
    }

    fn alpha(&self) -> f64 {
        1.0 - self.statistics().confidence
    }

    /// The runs of these members that ended well.
    fn runs(&self, members: &[&Member]) -> (u32, BTreeMap<String, Runs>) {
        let of = |member: &&Member| {
            let runs: Vec<u32> = member.summary.runs.iter().map(|run| run.run).collect();
            (member.name(), Runs::from(runs.as_slice()))
        };
        let runs: BTreeMap<String, Runs> = members.iter().map(of).collect();
        (runs.values().map(|runs| runs.len() as u32).sum(), runs)
    }

    fn claim(&mut self, id: impl Into<Id>, claim: Claim, members: &[&Member]) {
        let (n, members) = self.runs(members);
        self.claims.insert(id.into(), Claim { n, members, ..claim });
    }

    fn number(
        &mut self,
        id: Id,
        value: f64,
        unit: &str,
        (text, rounding): (String, &str),
        formula: String,
        of: &[&Member],
    ) {
        let claim = Claim {
            value: Value::Number(value),
            unit: unit.to_owned(),
            text,
            rounding: rounding.to_owned(),
            ..Claim::of(formula, &Runs::default())
        };
        self.claim(id, claim, of);
    }

    fn said(&mut self, id: impl Into<Id>, value: &str, formula: &str, of: &[&Member]) {
        let claim = Claim {
            value: Value::Text(value.to_owned()),
            text: value.to_owned(),
            ..Claim::of(formula, &Runs::default())
        };
        self.claim(id, claim, of);
    }

    fn count(&mut self, id: impl Into<Id>, n: usize, formula: &str, of: &[&Member]) {
        let claim =
            Claim { value: Value::Integer(n as i64), text: n.to_string(), ..Claim::of(formula, &Runs::default()) };
        self.claim(id, claim, of);
    }
}
