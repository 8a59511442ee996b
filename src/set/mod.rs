//! A set: executions of one plan, by machine and session -> what can be said of the machines. Runs of one session share what the machine
//! was that day, so the session is the unit (`analysis::sessions`). Pure: knows no archive and no folder.

mod agree;
mod claims;
mod context;
mod exhibits;
mod paper;
mod quantities;

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

pub use agree::{Misfit, told};
pub use claims::{build, session_mean};
pub use exhibits::{Against, of_machine};
pub use paper::{Made, files, places};

use crate::{
    analysis::{self, Summary},
    record::Phase,
    store::{PageRows, Run},
};

/// One execution of the plan.
#[derive(Debug, Clone)]
pub struct Member {
    /// The machine's label.
    pub machine: String,
    /// From 1, in the order of time.
    pub session: u32,
    /// SHA-256 of the bundle, and the version of its paper.
    pub sha256: String,
    pub version: String,
    /// Without its rows.
    pub run: Run,
    pub summary: Summary,
    /// SHA-256 of the output ids, by run, of those that ended well.
    outputs: BTreeMap<u32, String>,
}

impl Member {
    /// # Errors
    /// No run ended well.
    pub fn of(machine: String, session: u32, sha256: String, version: String, mut run: Run) -> Result<Member> {
        let summary = analysis::summarise(&run.study, &run.records)?;
        let measured = run.records.iter().filter(|row| row.phase == Phase::Measured);
        let outputs = measured.filter_map(|row| Some((row.run, row.output_sha256.clone()?))).collect();
        run.records = Vec::new();
        run.page_rows = PageRows::Text(String::new());
        Ok(Member { machine, session, sha256, version, run, summary, outputs })
    }

    /// The same under another label.
    pub fn called(self, machine: &str) -> Member {
        Member { machine: machine.to_owned(), ..self }
    }

    /// `m4/1`
    pub fn name(&self) -> String {
        format!("{}/{}", self.machine, self.session)
    }
}

/// All members, the reference's first, by machine and then by session.
#[derive(Debug, Clone)]
pub struct Set {
    /// SHA-256 that stands for study, reference and members.
    pub sha256: String,
    members: Vec<Member>,
    /// Labels, the reference first; and where the members of each stand.
    machines: Vec<(String, Vec<usize>)>,
}

impl Set {
    /// Orders the members: the reference first, then the other machines as they are listed.
    ///
    /// # Errors
    /// No member, no member of the reference, one that does not fit the others ([`Misfit`]).
    pub fn of(sha256: String, reference: &str, members: Vec<Member>) -> Result<Set> {
        let mut labels: Vec<String> = Vec::new();
        for member in &members {
            if !labels.contains(&member.machine) {
                labels.push(member.machine.clone());
            }
        }
        let known = labels.join(", ");
        ensure!(
            labels.iter().any(|label| label == reference),
            "no member is of the reference `{reference}`; the machines are {known}\nhint: the reference is the label of one of them"
        );
        labels.sort_by_key(|label| label != reference);
        let mut members = members;
        members.sort_by_key(|member| (labels.iter().position(|label| *label == member.machine), member.session));
        let places = |label: &String| {
            let of = members.iter().enumerate().filter(|(_, member)| member.machine == *label);
            (label.clone(), of.map(|(place, _)| place).collect())
        };
        let machines = labels.iter().map(places).collect();
        agree::check(&members)?;
        Ok(Set { sha256, members, machines })
    }

    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Labels with their members, the reference first.
    pub fn machines(&self) -> impl Iterator<Item = (&str, Vec<&Member>)> {
        self.machines
            .iter()
            .map(|(label, places)| (label.as_str(), places.iter().map(|place| &self.members[*place]).collect()))
    }

    pub fn labels(&self) -> Vec<&str> {
        self.machines.iter().map(|(label, _)| label.as_str()).collect()
    }

    pub fn reference(&self) -> &str {
        &self.machines[0].0
    }

    /// The one that speaks for what all have in common.
    pub fn first(&self) -> &Member {
        &self.members[0]
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{energy::Domain, metric::Metric};

    /// An execution whose runs have so many joules a token, of this domain.
    fn member(machine: &str, joules: f64, domain: Domain) -> Member {
        let run = Run::open(Path::new("tests/data/fake_run")).unwrap();
        let mut member = Member::of(machine.into(), 1, "0".repeat(64), "1.0.0".into(), run).unwrap();
        member.run.runs_sha256 = machine.to_owned();
        member.summary.seen.energy.source = Some((domain, "test".to_owned()));
        for run in &mut member.summary.runs {
            run.values[Metric::JoulesAToken as usize] = joules;
        }
        member
    }

    /// Joules of one thing are compared, at the margin of energy; those of two are not, and the paper says so.
    #[test]
    fn joules_of_two_domains_never_meet() {
        let claims = |domain| {
            let members = vec![member("a", 0.5, Domain::Package), member("b", 0.6, domain)];
            build(&Set::of("0".repeat(64), "a", members).unwrap()).unwrap()
        };
        let ratio = "vs.machine.b.joules_a_token.ratio";
        let (same, apart) = (claims(Domain::Package), claims(Domain::Board));
        assert!(same.claims.contains_key(ratio) && same.predicates["energy.comparable"].holds == Some(true));
        assert_eq!(same.predicates["vs.machine.b.joules_a_token"].margin, Some(0.05));
        assert!(!apart.claims.keys().any(|id| id.contains("joules")));
        let said = &apart.predicates["energy.comparable"];
        assert!(said.holds == Some(false) && said.text.contains("do not compare"), "{}", said.text);
    }

    /// A cell that one member lacks is left out of all, and that is said.
    #[test]
    fn a_cell_that_one_member_lacks_is_said() {
        let mut members = vec![member("a", 1.0, Domain::Package), member("b", 1.0, Domain::Package)];
        let all = members[1].summary.grid.cells.len();
        members[1].summary.grid.cells.pop();
        members[1].summary.runs.retain(|run| run.cell < all - 1);
        let claims = build(&Set::of("0".repeat(64), "a", members).unwrap()).unwrap();
        let said = &claims.predicates["cells.shared"];
        assert!(said.holds == Some(false) && said.text.starts_with(&format!("Of {all} cells 1 ")), "{}", said.text);
    }
}
