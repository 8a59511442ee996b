//! The numbers of machines and sessions, and what the tests settle about them.

use anyhow::Result;

use super::{OF_ERROR, OF_WIDTH, Put, TWO, by, effect, member, vs};
use crate::{
    analysis::{
        contrast::Contrast,
        reference::{differs, holm},
        sessions, stats,
        tails::above_f,
    },
    claims::{
        Id, Predicate,
        rounding::{Decimals, p_value, significant, text},
        words::{counted, percentage, sentence},
    },
    metric::Metric,
    set::{
        Member, Set,
        quantities::{self, Quantity},
    },
};

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
    /// Each machine's own level, and each session's.
    pub(super) fn levels(&mut self, quantity: &Quantity) -> Result<()> {
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
    pub(super) fn scatter(&mut self, quantity: &Quantity) -> Result<()> {
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
    pub(super) fn against_reference(&mut self, quantity: &Quantity) -> Result<()> {
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
            self.judge(id, metric, against, &subject, [reference, label]);
        }
        Ok(())
    }

    fn pair(&self, quantity: &Quantity, reference: &str, label: &str) -> Result<Against> {
        let statistics = self.statistics();
        let [a, b] = [reference, label].map(|label| means(self.set, quantity, label));
        let difference = stats::mean(&b) - stats::mean(&a);
        if let Some(contrast) =
            sessions::against(&a, &b, statistics.margin(quantity.metric).ln_1p(), statistics.confidence)?
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
    fn judge(&mut self, id: Id, metric: Metric, against: &Against, subject: &str, [reference, label]: [&str; 2]) {
        let texts = |word: &str| self.claims.get(&*id.word(word)).map(|claim| claim.text.clone()).unwrap_or_default();
        let statistics = self.statistics();
        let narrow = percentage(2.0 * statistics.confidence - 1.0);
        let margin = against.of_runs.unwrap_or(statistics.margin(metric));
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
    pub(super) fn letters(&mut self, quantity: &Quantity) -> Result<()> {
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
    pub(super) fn relative(&mut self, quantity: &Quantity) -> Result<()> {
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
                        sessions::against(&a, &b, statistics.margin(quantity.metric).ln_1p(), statistics.confidence)?;
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
                self.judge(id, metric, &against, &subject, [reference, label]);
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
