//! How much of its memory's bandwidth each machine's decode rate takes: bytes of weights that a token needs, by tokens a second. What else a
//! step reads (keys and values, activations) is not counted, so a share is the least that it can be.

use super::{Put, TWO, by, member};
use crate::{
    analysis::stats,
    claims::{Predicate, list, rounding::significant},
    factor::{AT_ONCE, BATCH, DRAFT, PER_SECOND},
    machine::{Bandwidth, Mover},
    set::{Member, quantities::Quantity},
    study::EngineKind,
};

impl Put<'_> {
    /// Nothing where no member has measured it.
    pub(super) fn bandwidth(&mut self, decode: Option<&Quantity>) {
        let members = self.set.members();
        if members.iter().all(|member| member.run.environment.memory_bandwidth.is_empty()) {
            return;
        }
        let test = "memory_bandwidth and step_bytes in environment.json of the members";
        let (holds, text) = match self.shares(decode) {
            Ok(shares) => {
                self.put_shares(&shares);
                let text = "The share is the weights that a token needs, by the decode rate, of the bandwidth that was measured before the first run; keys, values and activations are not counted, so it is the least that it can be.";
                (true, text.to_owned())
            }
            Err(why) => (false, format!("The share of memory bandwidth is not given: {why}.")),
        };
        self.predicates.insert("bandwidth.share".into(), Predicate::said(Some(holds), test, text));
    }

    /// By member: what was measured, and the share; or why there is none.
    fn shares(&self, decode: Option<&Quantity>) -> Result<Vec<(f64, f64)>, String> {
        let study = &self.set.first().run.study;
        let [model] = study.models.as_slice() else {
            return Err("the study has several systems".to_owned());
        };
        let several = [BATCH, AT_ONCE, PER_SECOND, DRAFT];
        if let Some(factor) = study.factors.iter().find(|factor| several.contains(&factor.name.as_str())) {
            return Err(format!("with the factor {} a step is not one token", factor.name));
        }
        let decode = decode.ok_or("the runs have no decode rate")?;
        let lacking = |of: &dyn Fn(&Member) -> bool| {
            let names: Vec<String> = self.set.members().iter().filter(|one| of(one)).map(Member::name).collect();
            if names.is_empty() { Ok(()) } else { Err(list(&names)) }
        };
        lacking(&|one| measured(one).is_none()).map_err(|names| format!("{names} did not measure it"))?;
        let bytes = |one: &Member| {
            one.run.environment.checkpoints.iter().find(|facts| facts.is_of(model)).and_then(|facts| facts.step_bytes)
        };
        lacking(&|one| bytes(one).is_none())
            .map_err(|names| format!("{names} did not record the weights of a step"))?;
        let of = |(one, session): (&Member, &crate::set::quantities::Session)| {
            let (bandwidth, bytes) = (measured(one)?.best() as f64, bytes(one)? as f64);
            Some((bandwidth, bytes * session.mean.exp() / bandwidth))
        };
        self.set.members().iter().zip(&decode.sessions).map(|pair| of(pair).ok_or_else(String::new)).collect()
    }

    fn put_shares(&mut self, shares: &[(f64, f64)]) {
        let set = self.set;
        let gb = |rate: f64| (rate / 1e9, (significant(rate / 1e9, 3), "three significant digits"));
        let percent = |share: f64| (100.0 * share, (significant(100.0 * share, 2), TWO));
        let of_one =
            "step_bytes of the weights x geometric mean of the decode rate / best pass of memory_bandwidth, x 100";
        for (place, (one, (bandwidth, share))) in set.members().iter().zip(shares).enumerate() {
            let (id, of) = (member(place), [one]);
            let (value, text) = gb(*bandwidth);
            let formula = "best pass of memory_bandwidth of the member";
            self.number(id.word("bandwidth"), value, "GB/s", text, formula.to_owned(), &of);
            let (value, text) = percent(*share);
            self.number(id.word("share"), value, "%", text, format!("{of_one}, of the member"), &of);
        }
        for (label, members) in set.machines() {
            let own: Vec<&(f64, f64)> =
                set.members().iter().zip(shares).filter(|(one, _)| one.machine == label).map(|(_, own)| own).collect();
            let mean =
                |of: fn(&(f64, f64)) -> f64| stats::mean(&own.iter().map(|own| of(own).ln()).collect::<Vec<_>>()).exp();
            let id = by(label);
            let (value, text) = gb(mean(|own| own.0));
            let formula = "geometric mean over sessions of the best pass of memory_bandwidth";
            self.number(id.word("bandwidth"), value, "GB/s", text, formula.to_owned(), &members);
            let (value, text) = percent(mean(|own| own.1));
            self.number(
                id.word("share"),
                value,
                "%",
                text,
                format!("geometric mean over sessions of {of_one}"),
                &members,
            );
            let how = members
                .first()
                .and_then(|one| measured(one))
                .map_or_else(String::new, |found| format!("{}: {}", found.of.name(), found.how));
            self.said(id.word("bandwidth.how"), &how, "memory_bandwidth of its first session", &members);
        }
    }
}

/// That of what the engine computes on.
fn measured(member: &Member) -> Option<&Bandwidth> {
    let mlx = member.run.study.models.iter().all(|model| model.engine.is(EngineKind::Mlx));
    let found = &member.run.environment.memory_bandwidth;
    let of = |mover: Mover| found.iter().find(move |one| one.of == mover);
    of(Mover::Gpu).filter(|_| mlx).or_else(|| of(Mover::Processor))
}
