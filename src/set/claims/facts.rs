//! What is said of a set without a test: its design, its machines, its members, and what these have in common.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::{Put, by, member};
use crate::{
    claims::{
        self, Claim, Id, Predicate, Runs, list,
        rounding::significant,
        words::{counted, percentage},
    },
    set::{
        Member,
        agree::{boot, build as build_of, by_value, domains, kernels, os},
    },
};

impl<'a> Put<'a> {
    /// The study's own claims, which are the same in all members.
    pub(super) fn of_the_design(&mut self) -> Result<()> {
        let first = self.set.first();
        let own = claims::build(&first.run, &first.summary)?;
        let common = |id: &Id| {
            ["study.", "model.", "paper."].iter().any(|family| id.starts_with(family))
                && !id.starts_with("study.runs.")
                && **id != *"study.date"
        };
        for (id, claim) in own.claims.into_iter().filter(|(id, _)| common(id)) {
            let members = match claim.runs.is_empty() {
                true => BTreeMap::new(),
                false => BTreeMap::from([(first.name(), claim.runs.clone())]),
            };
            self.claims.insert(id, Claim { runs: Runs::default(), members, ..claim });
        }
        let common = |id: &Id| id.starts_with("design.") || **id == *"measurement.real";
        self.predicates.extend(own.predicates.into_iter().filter(|(id, _)| common(id)));
        Ok(())
    }

    pub(super) fn of_the_set(&mut self) {
        let set = self.set;
        let all: Vec<&Member> = set.members().iter().collect();
        let per_machine: Vec<usize> = set.machines().map(|(_, members)| members.len()).collect();
        let (least, most) =
            (per_machine.iter().min().copied().unwrap_or(0), per_machine.iter().max().copied().unwrap_or(0));
        self.count("set.machines", per_machine.len(), "labels of the set", &[]);
        self.count("set.members", all.len(), "executions in the set", &[]);
        self.count("set.sessions.least", least, "fewest sessions of a machine", &[]);
        self.count("set.sessions.most", most, "most sessions of a machine", &[]);
        self.said("set.reference", set.reference(), "reference of the set", &[]);
        let well: usize = all.iter().map(|member| member.summary.runs.len()).sum();
        let planned: usize = all.iter().map(|member| member.summary.planned as usize).sum();
        self.count("set.runs", planned, "runs planned, over all members", &[]);
        self.count("set.runs.ok", well, "runs that ended well, over all members", &all);
        let dates = |end: fn(&Member) -> &str| all.iter().map(|member| end(member)).collect::<Vec<_>>();
        let (from, to) = (dates(|m| &m.summary.seen.from), dates(|m| &m.summary.seen.to));
        let (from, to) = (from.iter().min().copied().unwrap_or(""), to.iter().max().copied().unwrap_or(""));
        let date = if from == to { from.to_owned() } else { format!("{from} to {to}") };
        self.said("study.date", &date, "first and last date of all rows", &all);
        let narrow = percentage(2.0 * self.statistics().confidence - 1.0);
        self.said("study.narrow", &narrow, "1 - 2 alpha, in per cent", &[]);
        let text = if well == planned {
            "Every planned run of every member ended well.".to_owned()
        } else {
            format!("Of {planned} planned runs {well} ended well; the others are left out of every statistic.")
        };
        let complete =
            Predicate::said(Some(well == planned), "every planned run of every member has a row that says ok", text);
        self.predicates.insert("complete".into(), complete);
    }

    pub(super) fn of_the_machines(&mut self) {
        let set = self.set;
        let known = |value: Option<String>| value.unwrap_or_else(|| "not known".to_owned());
        for (label, members) in set.machines() {
            let id = by(label);
            let environment = &members[0].run.environment;
            let each = |of: fn(&Member) -> String| {
                let found = by_value(members.iter().copied(), of);
                found.into_iter().map(|(value, _)| value).collect::<Vec<_>>().join("; ")
            };
            let gib = |bytes: u64| format!("{} GiB", significant(bytes as f64 / 1_073_741_824.0, 3));
            let facts = [
                ("chip", known(environment.chip.value.clone()), "what the machine says of its processor"),
                ("model", known(environment.machine_model.value.clone()), "what the machine says it is"),
                ("gpu", known(environment.gpu.value.clone()), "what the machine says of its GPU"),
                ("memory", known(environment.memory_bytes.value.map(gib)), "what the machine says of its memory"),
                ("os", each(os), "operating systems of its sessions"),
                ("build", each(build_of), "offprint_version and git_commit of its sessions"),
                ("kernels", each(kernels), "backends and kernels of its sessions"),
            ];
            for (word, value, formula) in facts {
                self.said(id.word(word), &value, formula, &members);
            }
            self.count(id.word("sessions"), members.len(), "sessions of the machine", &members);
            let well = members.iter().map(|member| member.summary.runs.len()).sum();
            self.count(id.word("runs"), well, "runs of the machine that ended well", &members);
        }
    }

    pub(super) fn of_the_members(&mut self) {
        for (place, one) in self.set.members().iter().enumerate() {
            let (id, of) = (member(place), [one]);
            let date = one.run.environment.captured_at.clone();
            let load = one
                .run
                .environment
                .load_average
                .value
                .map_or_else(|| "not known".to_owned(), |load| significant(load, 2));
            let facts = [
                ("name", one.name(), "label and session of the member"),
                ("machine", one.machine.clone(), "label of the member"),
                ("run", one.run.run_id.clone(), "run_id of the member"),
                ("date", date, "captured_at of the member"),
                ("load_average", load, "load average before the first run"),
                ("sha256", one.sha256.clone(), "SHA-256 of the member's bundle"),
                ("sha256.short", one.sha256.chars().take(12).collect(), "the first twelve digits of that"),
            ];
            for (word, value, formula) in facts {
                self.said(id.word(word), &value, formula, &of);
            }
            self.count(id.word("session"), one.session as usize, "session of the member", &of);
            self.count(id.word("runs"), one.summary.runs.len(), "runs of the member that ended well", &of);
            self.count(id.word("failed"), one.summary.failed as usize, "runs of the member that failed", &of);
        }
    }

    /// What may differ between members: builds, kernels, texts.
    pub(super) fn agreement(&mut self) {
        let members = self.set.members();
        let same = |what: &str, of: fn(&Member) -> String| {
            let found = by_value(members, of);
            let each = found.iter().map(|(value, names)| format!("{value} ({})", list(names)));
            let text = match found.as_slice() {
                [(only, _)] => format!("All members have the same {what}: {only}."),
                _ => format!("Members differ in their {what}: {}.", each.collect::<Vec<_>>().join("; ")),
            };
            Predicate::said(Some(found.len() == 1), "what environment.json and the rows say", text)
        };
        let found = [("builds.same", same("build of offprint", build_of)), ("kernels.same", same("kernels", kernels))];
        self.predicates.extend(found.map(|(id, predicate)| (id.into(), predicate)));
        self.predicates.insert("boots.apart".into(), self.boots());
        self.predicates.insert("cells.shared".into(), self.cells());
        self.predicates.insert("energy.comparable".into(), self.energy());
        let [first, others @ ..] = members else { return };
        let shared: Vec<(&u32, &String)> = first
            .outputs
            .iter()
            .filter(|(run, _)| others.iter().all(|other| other.outputs.contains_key(*run)))
            .collect();
        let equal = shared.iter().filter(|(run, ids)| others.iter().all(|other| other.outputs.get(*run) == Some(*ids)));
        let (equal, shared) = (equal.count(), shared.len());
        let text = format!(
            "Of {} that every member has, {equal} gave the same tokens in all of them.",
            counted(shared, "run", "runs")
        );
        let predicate =
            Predicate::said(Some(equal == shared), "output_sha256 of runs with one number and one seed", text);
        self.predicates.insert("outputs.same".into(), predicate);
    }

    /// Has every member every cell?
    fn cells(&self) -> Predicate {
        let cells = |member: &Member| member.summary.grid.cells.iter().cloned().collect::<BTreeSet<_>>();
        let all: Vec<BTreeSet<Vec<usize>>> = self.set.members().iter().map(cells).collect();
        let any: BTreeSet<&Vec<usize>> = all.iter().flatten().collect();
        let shared = any.iter().filter(|place| all.iter().all(|cells| cells.contains(**place))).count();
        let lost = any.len() - shared;
        let text = match lost {
            0 => "All members have runs that ended well in the same cells.".to_owned(),
            _ => format!(
                "Of {} {lost} have no run that ended well in some member; they are left out of every number about machines.",
                counted(any.len(), "cell", "cells")
            ),
        };
        Predicate::said(Some(lost == 0), "cells with a run that ended well, of each member", text)
    }

    /// Are all joules of the same thing?
    fn energy(&self) -> Predicate {
        let found: Vec<String> =
            domains(self.set.members()).into_iter().map(|domain| domain.label().to_owned()).collect();
        let text = match found.as_slice() {
            [] => "Energy was not measured.".to_owned(),
            [only] => format!("Joules are of {only}."),
            several => format!(
                "Joules are of {}, which do not compare: each member's paper has its own, this one has none.",
                list(several)
            ),
        };
        Predicate::said(Some(found.len() < 2), "domains in energy.jsonl of the members", text)
    }

    /// Were the sessions of each machine executed in boots of their own?
    fn boots(&self) -> Predicate {
        let mut shared = Vec::new();
        let mut known = true;
        for (label, members) in self.set.machines() {
            let boots: Vec<&str> = members.iter().filter_map(|member| boot(member)).collect();
            known &= boots.len() == members.len();
            let mut apart = boots.clone();
            apart.sort_unstable();
            apart.dedup();
            if apart.len() < boots.len() {
                shared.push(format!(
                    "{label}: {} in {}",
                    counted(boots.len(), "session", "sessions"),
                    counted(apart.len(), "boot", "boots")
                ));
            }
        }
        let test = "boot_sha256 in environment.json";
        match (shared.is_empty(), known) {
            (false, _) => Predicate::said(
                Some(false),
                test,
                format!("Sessions share a boot of their machine ({}).", shared.join("; ")),
            ),
            (true, true) => Predicate::said(Some(true), test, "Each session was begun in a boot of its own."),
            (true, false) => {
                Predicate::said(None, test, "Whether sessions share a boot of their machine is not known of all.")
            }
        }
    }
}
