//! A set -> every claim and predicate of its paper. What is about all members' common design is taken from the first one's claims.
#![allow(clippy::disallowed_methods)] // claims, whose values are compared to a tolerance

use std::collections::BTreeMap;

use anyhow::Result;

use super::{
    Member, Set,
    agree::{boot, build as build_of, by_value, kernels, os},
    quantities::{self, Quantity},
};
use crate::{
    analysis::{
        contrast::Contrast,
        reference::{differs, holm},
        sessions, stats,
        tails::above_f,
    },
    claims::{
        self, CLAIMS_SCHEMA, Claim, Claims, Id, Predicate, Runs, Source, Value, list,
        rounding::{Decimals, p_value, significant, text},
        words::{counted, percentage, sentence},
    },
    factor::Factor,
    metric::Metric,
    study::Statistics,
};

/// The metrics that the paper tells of, where the members have them; all others are in its tables.
pub(super) const TOLD: [Metric; 7] = [
    Metric::Latency,
    Metric::Ttft,
    Metric::TtftFromText,
    Metric::Prefill,
    Metric::Decode,
    Metric::OutputRate,
    Metric::PeakMemory,
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
    for quantity in quantities::all(set) {
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

/// One machine's number against the reference's.
struct Against {
    /// Of logarithms.
    difference: f64,
    /// `None` where sessions are too few.
    contrast: Option<Contrast>,
    /// By Holm over the family.
    p_beyond: Option<f64>,
    differs: Option<bool>,
    /// Are runs of single sessions compared, at the margin that the study states for sessions?
    of_runs: Option<f64>,
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

    /// The study's own claims, which are the same in all members.
    fn of_the_design(&mut self) -> Result<()> {
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

    fn of_the_set(&mut self) {
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

    fn of_the_machines(&mut self) {
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

    fn of_the_members(&mut self) {
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
    fn agreement(&mut self) {
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

    /// Each machine's own level, and each session's.
    fn levels(&mut self, quantity: &Quantity) -> Result<()> {
        let set = self.set;
        let confidence = self.statistics().confidence;
        let wide = percentage(confidence);
        let about = quantity.metric.about();
        let what =
            format!("{} over the {} that all members have", about.formula, counted(quantity.cells, "cell", "cells"));
        let shown = |log: f64| log.exp() / about.size;
        for (label, members) in set.machines() {
            let found = stats::of(&means(set, quantity, label), confidence)?;
            let id = by(label).metric(quantity.metric);
            let mean = shown(found.mean);
            let decimals = Decimals::of_mean(mean, found.se.filter(|se| *se > 0.0).map(|se| se * mean));
            let k = members.len();
            let of = format!("of the geometric means of {what}, of {}", counted(k, "session", "sessions"));
            let at = |value: f64| (text(value, decimals), OF_ERROR);
            self.number(id.word("mean"), mean, about.told, at(mean), format!("geometric mean {of}"), &members);
            if let Some((low, high)) = found.interval {
                for (word, value, which) in [("ci.low", low, "lower"), ("ci.high", high, "upper")] {
                    let formula = format!("{which} end of the {wide} % t interval for the mean logarithm {of}");
                    let value = shown(value);
                    self.number(id.word(word), value, about.told, at(value), formula, &members);
                }
            }
            if let Some(sd) = found.sd {
                let formula = format!("standard deviation (ddof 1) of the logarithms {of}, x 100");
                let value = 100.0 * sd;
                self.number(id.word("session_sd"), value, "%", (significant(value, 2), TWO), formula, &members);
            }
        }
        for (place, (one, session)) in set.members().iter().zip(&quantity.sessions).enumerate() {
            let id = member(place).metric(quantity.metric);
            let mean = shown(session.mean);
            let error = session.error.filter(|error| *error > 0.0);
            let decimals = Decimals::of_mean(mean, error.map(|error| error * mean));
            let formula = format!("geometric mean of {what}");
            self.number(id.word("mean"), mean, about.told, (text(mean, decimals), OF_ERROR), formula, &[one]);
            if let Some(error) = error {
                let value = 100.0 * error;
                let formula = format!(
                    "standard error of the mean logarithm of {what}, from the runs of this session alone, x 100"
                );
                self.number(id.word("error"), value, "%", (significant(value, 2), TWO), formula, &[one]);
            }
        }
        Ok(())
    }

    /// Do sessions of a machine lie farther apart than their runs let one expect?
    fn scatter(&mut self, quantity: &Quantity) -> Result<()> {
        let set = self.set;
        let (mut squares, mut between) = (0.0, 0.0);
        for label in set.labels() {
            let means = means(set, quantity, label);
            let centre = stats::mean(&means);
            squares += means.iter().map(|mean| (mean - centre).powi(2)).sum::<f64>();
            between += means.len() as f64 - 1.0;
        }
        let errors: Option<Vec<f64>> = quantity.sessions.iter().map(|session| session.error).collect();
        let (Some(errors), true) = (errors, between > 0.0) else { return Ok(()) };
        let expected = stats::mean(&errors.iter().map(|error| error * error).collect::<Vec<_>>());
        let within: f64 =
            quantity.sessions.iter().flat_map(|session| &session.runs).map(|runs| runs.len() as f64 - 1.0).sum();
        let found = squares / between;
        let all: Vec<&Member> = set.members().iter().collect();
        let id = Id::new("sessions").metric(quantity.metric);
        let label = quantity.metric.about().label;
        for (word, value, formula) in [
            (
                "sd",
                found,
                "root of the mean square of the distances of session means from their machine's mean (logarithms, degrees of freedom: sessions - machines), x 100",
            ),
            (
                "expected",
                expected,
                "root of the mean square of the standard errors that the runs of each session give its mean (logarithms), x 100",
            ),
        ] {
            let value = 100.0 * value.sqrt();
            self.number(
                id.word(word),
                value,
                "%",
                (significant(value, 2), TWO),
                format!("{formula}, of the {label}"),
                &all,
            );
        }
        // Without any scatter of runs whatever lies apart is more than expected.
        let p = if expected > 0.0 {
            above_f(found / expected, between, within)
        } else {
            Some(f64::from(u8::from(found <= 0.0)))
        };
        let holds = p.filter(|p| *p < self.alpha()).map(|_| true);
        let [sd, of_runs] = [found, expected].map(|square| significant(100.0 * square.sqrt(), 2));
        let judged = match (holds, p) {
            (Some(_), Some(p)) => format!("sessions differ by more than their runs explain (p {})", p_value(p)),
            (_, Some(p)) => format!("that sessions differ at all is not shown (p {})", p_value(p)),
            _ => "that sessions differ at all is not shown".to_owned(),
        };
        let sentence = format!(
            "Session means of the {label} have a standard deviation of {sd} % within a machine, where the scatter of runs alone would give {of_runs} %: {judged}."
        );
        let predicate = Predicate {
            holds,
            test: format!(
                "F({between}, {within}) of the mean square of session means against that of their errors from runs"
            ),
            statistic: (expected > 0.0).then_some(found / expected),
            p,
            margin: None,
            text: sentence,
        };
        self.predicates.insert(id, predicate);
        Ok(())
    }

    /// Each machine against the reference.
    fn against_reference(&mut self, quantity: &Quantity) -> Result<()> {
        let (set, metric) = (self.set, quantity.metric);
        let reference = set.reference();
        let mut found = Vec::new();
        for label in set.labels().into_iter().skip(1) {
            found.push((label, self.pair(quantity, reference, label)?));
        }
        let found = self.decided(found);
        for (label, against) in &found {
            let id = vs(label).metric(metric);
            let what = format!(
                "{} over the {} that all members have",
                metric.about().formula,
                counted(quantity.cells, "cell", "cells")
            );
            let formula = format!("geometric mean of {what}: {label} / {reference}");
            self.ratio(&id, against, &formula, [reference, label]);
            let subject = format!("the {} of {label} is {{}} times that of {reference}", metric.about().label);
            self.judge(id, against, &subject, [reference, label]);
        }
        Ok(())
    }

    fn pair(&self, quantity: &Quantity, reference: &str, label: &str) -> Result<Against> {
        let statistics = self.statistics();
        let [a, b] = [reference, label].map(|label| means(self.set, quantity, label));
        let difference = stats::mean(&b) - stats::mean(&a);
        if let Some(contrast) = sessions::against(&a, &b, statistics.equivalence_margin.ln_1p(), statistics.confidence)?
        {
            return Ok(Against { difference, contrast: Some(contrast), p_beyond: None, differs: None, of_runs: None });
        }
        // One session of either: its runs say nothing of other days, unless the study says how far these may lie apart.
        let Some(margin) = statistics.session_margin else {
            return Ok(Against { difference, contrast: None, p_beyond: None, differs: None, of_runs: None });
        };
        let [a, b] = [reference, label].map(|label| runs(self.set, quantity, label));
        let contrast = sessions::of_runs(&a, &b, margin.ln_1p(), statistics.confidence)?;
        Ok(Against { difference, contrast, p_beyond: None, differs: None, of_runs: Some(margin) })
    }

    /// Verdicts of one family: Holm's step-down where it is asked whether any differs by more than the margin; that one lies within
    /// it is shown one at a time.
    fn decided<K>(&self, mut found: Vec<(K, Against)>) -> Vec<(K, Against)> {
        let p: Vec<Option<f64>> =
            found.iter().map(|(_, against)| against.contrast.as_ref().map(|contrast| contrast.p_beyond)).collect();
        let adjusted = holm(&p);
        let alpha = self.alpha();
        for ((_, against), p_beyond) in found.iter_mut().zip(adjusted) {
            against.p_beyond = p_beyond;
            // Runs of single sessions never show that two machines are the same.
            let within = against.contrast.as_ref().filter(|_| against.of_runs.is_none()).map(|contrast| contrast.p);
            against.differs = differs(within, p_beyond, alpha);
        }
        found
    }

    /// `.ratio`, `.ratio.low`, `.ratio.high`
    fn ratio(&mut self, id: &Id, against: &Against, formula: &str, [reference, label]: [&str; 2]) {
        let of = self.of_labels(&[reference, label]);
        let ratio = against.difference.exp();
        let interval = against.contrast.as_ref().map(|contrast| (contrast.interval.0.exp(), contrast.interval.1.exp()));
        let half = interval.map(|(low, high)| (high - low) / 2.0).filter(|half| *half > 0.0);
        let decimals = Decimals::of_mean(ratio, half);
        let narrow = percentage(2.0 * self.statistics().confidence - 1.0);
        let at = |value: f64| (text(value, decimals), OF_WIDTH);
        let unit = if against.of_runs.is_some() { "runs of these sessions" } else { "session means" };
        self.number(id.word("ratio"), ratio, "1", at(ratio), formula.to_owned(), &of);
        if let Some((low, high)) = interval {
            for (word, value, which) in [("ratio.low", low, "lower"), ("ratio.high", high, "upper")] {
                let formula = format!(
                    "{which} end of the {narrow} % interval of the {formula}; Welch's, on logarithms of {unit}"
                );
                self.number(id.word(word), value, "1", at(value), formula, &of);
            }
        }
        let verdict = match (against.differs, &against.contrast) {
            (Some(true), _) => "different",
            (Some(false), _) => "equivalent",
            (None, Some(_)) => "inconclusive",
            (None, None) => "inconclusive: one session",
        };
        self.said(id.word("verdict"), verdict, "the tests of the ratio against the study's margin", &of);
    }

    fn of_labels(&self, labels: &[&str]) -> Vec<&'a Member> {
        let members = self.set.members().iter();
        members.filter(|member| labels.contains(&member.machine.as_str())).collect()
    }

    /// The sentence; `subject` has `{}` for the ratio.
    fn judge(&mut self, id: Id, against: &Against, subject: &str, [reference, label]: [&str; 2]) {
        let texts = |word: &str| self.claims.get(&*id.word(word)).map(|claim| claim.text.clone()).unwrap_or_default();
        let statistics = self.statistics();
        let narrow = percentage(2.0 * statistics.confidence - 1.0);
        let margin = against.of_runs.unwrap_or(statistics.equivalence_margin);
        let sessions = |label: &str| self.of_labels(&[label]).len();
        let counts = format!("{} and {}", counted(sessions(label), "session", "sessions"), sessions(reference));
        let subject = sentence(&subject.replace("{}", &texts("ratio")));
        let text = match (&against.contrast, against.of_runs) {
            (None, _) => format!(
                "{subject}, from {counts}. With one session of a machine nothing is known of how its sessions differ, so this is no verdict on the machine."
            ),
            (Some(_), Some(_)) => {
                let judged = match against.differs {
                    Some(true) => format!(
                        "farther from one than the {} % by which the study lets sessions differ",
                        percentage(margin)
                    ),
                    _ => format!(
                        "not shown to be farther from one than the {} % by which the study lets sessions differ",
                        percentage(margin)
                    ),
                };
                format!(
                    "{subject} ({narrow} % interval {} to {}, from the runs of {counts}), {judged}.",
                    texts("ratio.low"),
                    texts("ratio.high")
                )
            }
            (Some(_), None) => {
                let judged = match against.differs {
                    Some(true) => format!("shown to be farther from one than {} %", percentage(margin)),
                    Some(false) => format!("shown to lie within {} % of one", percentage(margin)),
                    None => format!(
                        "neither shown to lie within {} % of one nor shown to be farther from it",
                        percentage(margin)
                    ),
                };
                format!(
                    "{subject} ({narrow} % interval {} to {}, {counts}), {judged}.",
                    texts("ratio.low"),
                    texts("ratio.high")
                )
            }
        };
        let test = match against.of_runs {
            None => {
                "Welch's t on logarithms of session means: two one-sided against the margin, and by Holm over the family beyond it"
            }
            Some(_) => {
                "Welch's t on logarithms of the runs of single sessions, by Holm over the family, beyond the session margin of the study"
            }
        };
        let predicate = Predicate {
            holds: against.differs,
            test: test.to_owned(),
            statistic: against
                .contrast
                .as_ref()
                .filter(|contrast| contrast.se > 0.0)
                .map(|contrast| contrast.difference / contrast.se),
            p: against.p_beyond,
            margin: Some(margin),
            text,
        };
        self.predicates.insert(id, predicate);
    }

    /// `letters.METRIC.LABEL`: machines that share a letter are not shown to differ. Only where every machine has sessions enough.
    fn letters(&mut self, quantity: &Quantity) -> Result<()> {
        let set = self.set;
        let labels = set.labels();
        if labels.len() < 3 || set.machines().any(|(_, members)| members.len() < 2) {
            return Ok(());
        }
        let mut pairs = Vec::new();
        for a in 0..labels.len() {
            for b in a + 1..labels.len() {
                pairs.push(((a, b), self.pair(quantity, labels[a], labels[b])?));
            }
        }
        let apart: Vec<(usize, usize)> = self
            .decided(pairs)
            .into_iter()
            .filter(|(_, against)| against.differs == Some(true))
            .map(|(pair, _)| pair)
            .collect();
        let mut groups = sessions::groups(labels.len(), |a, b| apart.contains(&(a, b)));
        // The group of the highest value is `a`.
        let level = |machine: &usize| stats::mean(&means(set, quantity, labels[*machine]));
        let highest = |group: &Vec<usize>| group.iter().map(level).fold(f64::NEG_INFINITY, f64::max);
        groups.sort_by(|a, b| highest(b).total_cmp(&highest(a)));
        for (machine, label) in labels.iter().enumerate() {
            let own = groups.iter().enumerate().filter(|(_, group)| group.contains(&machine));
            let letters: String = own.map(|(place, _)| letter(place)).collect();
            let all: Vec<&Member> = set.members().iter().collect();
            let formula = "groups of machines of which no pair is shown to differ by more than the margin (Welch on session means, Holm over all pairs)";
            self.said(Id::new("letters").metric(quantity.metric).level(label), &letters, formula, &all);
        }
        Ok(())
    }

    /// Is a factor's effect on a machine what it is on the reference?
    fn relative(&mut self, quantity: &Quantity) -> Result<()> {
        let (set, metric) = (self.set, quantity.metric);
        let first = set.first();
        let reference = set.reference();
        let statistics = self.statistics();
        for place in first.summary.varying() {
            let factor = &first.summary.factors[place];
            let Some(base) = first.summary.reference(place) else { continue };
            let effects = |label: &str, level: usize| -> Option<Vec<f64>> {
                let sessions = of_machine(set, quantity, label);
                sessions
                    .map(|session| Some(session.at.get(&(place, level))? - session.at.get(&(place, base))?))
                    .collect()
            };
            let mut found = Vec::new();
            for label in set.labels().into_iter().skip(1) {
                for level in (0..factor.levels.len()).filter(|level| *level != base) {
                    let (Some(a), Some(b)) = (effects(reference, level), effects(label, level)) else { continue };
                    let contrast =
                        sessions::against(&a, &b, statistics.equivalence_margin.ln_1p(), statistics.confidence)?;
                    let difference = stats::mean(&b) - stats::mean(&a);
                    found.push((
                        (label, level),
                        Against { difference, contrast, p_beyond: None, differs: None, of_runs: None },
                    ));
                }
            }
            for ((label, level), against) in self.decided(found) {
                let id = effect(label, factor, level, metric);
                let [at, to] = [level, base].map(|level| factor.levels[level].key());
                let what = metric.about();
                let formula = format!(
                    "ratio of the geometric means of {} at {} {at} and {to}: {label} / {reference}",
                    what.formula, factor.name
                );
                self.ratio(&id, &against, &formula, [reference, label]);
                let subject = format!(
                    "from {} {to} to {at} the {} changes on {label} by {{}} times what it does on {reference}",
                    factor.label, what.label
                );
                self.judge(id, &against, &subject, [reference, label]);
            }
        }
        Ok(())
    }
}

fn of_machine<'a>(
    set: &'a Set,
    quantity: &'a Quantity,
    label: &'a str,
) -> impl Iterator<Item = &'a quantities::Session> {
    let members = set.members().iter().zip(&quantity.sessions);
    members.filter(move |(member, _)| member.machine == label).map(|(_, session)| session)
}

/// Session means of a machine.
fn means(set: &Set, quantity: &Quantity, label: &str) -> Vec<f64> {
    of_machine(set, quantity, label).map(|session| session.mean).collect()
}

/// By cell, the runs of all its sessions.
fn runs(set: &Set, quantity: &Quantity, label: &str) -> Vec<Vec<f64>> {
    let sessions: Vec<&quantities::Session> = of_machine(set, quantity, label).collect();
    (0..quantity.cells).map(|cell| sessions.iter().flat_map(|session| session.runs[cell].clone()).collect()).collect()
}

/// a to z, then aa to zz.
fn letter(place: usize) -> String {
    let of = |place: usize| char::from(b'a' + (place % 26) as u8);
    if place < 26 { of(place).to_string() } else { format!("{}{}", of(place / 26 - 1), of(place)) }
}
