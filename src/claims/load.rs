//! Runs of several requests -> facts `load.…` of how they came, what became of them and how late they were sent, and the predicate
//! `load.stationary`: did what fell due also get done?

use super::{
    Id, Predicate,
    registry::{Number, Registry},
    rounding::percent,
    words::{counted, list, percentage},
};
use crate::{
    analysis::{Stats, Summary},
    factor::PER_SECOND,
    load::{Arrivals, Limits},
    metric::Metric,
    study::{Loads, Prompts, Study},
};

/// A percentile of lateness rests on so many requests.
const ENOUGH: usize = 2_000;
/// A backlog that grows by more than this share of the requests that count is one that grows.
const GROWS: f64 = 0.1;

impl Registry {
    pub(super) fn load(&mut self, study: &Study, summary: &Summary) {
        if !study.has_several() {
            return;
        }
        if let Some(loads) = &study.load {
            self.designed(loads, summary);
        }
        self.served(summary);
    }

    fn designed(&mut self, loads: &Loads, summary: &Summary) {
        self.count("load.requests", loads.requests.into(), "requests that count, of one run");
        let ramp = loads.ramp.map_or_else(|| usual_ramp(summary, loads), |ramp| ramp.to_string());
        self.fact("load.ramp", &ramp, "requests before those that count, and again after them");
        let prompts = match loads.prompts {
            Prompts::Vary => "each begins with a line that has its number, so that no cache of another's prompt helps",
            Prompts::Same => "all of a run are alike",
        };
        self.fact("load.prompts", prompts, "`load.prompts` of the study");
        if open(summary) {
            let arrivals = match loads.arrivals {
                Arrivals::Poisson => "Poisson arrivals",
                Arrivals::Constant => "arrivals at equal distances",
            };
            self.fact("load.arrivals", arrivals, "`load.arrivals` of the study");
            self.count("load.at_most", loads.at_most.into(), "requests under way at once, at most");
        }
        if let Some(limits) = &loads.goodput {
            self.fact("load.goodput", &said(limits), "`load.goodput` of the study");
        }
    }

    fn served(&mut self, summary: &Summary) {
        let seen = &summary.seen.requests;
        let all = self.all.clone();
        let rows = "requests of runs that ended well";
        self.count_of(Id::new("load.sent"), seen.sent, rows, &all);
        self.count_of(Id::new("load.counted"), seen.counted, &format!("{rows}, those that count"), &all);
        for (name, n) in [("rejected", seen.rejected), ("failed", seen.failed)] {
            self.count_of(
                Id::new(format!("load.{name}")),
                n,
                &format!("{rows}, those that count and were {name}"),
                &all,
            );
        }
        if let Some(stall) = seen.stall_ns {
            let ms = Number::rounded(stall as f64 / 1e6, "ms", 2);
            self.number("load.stall.max".into(), ms, "largest `client_stall_ns` of the runs".to_owned());
        }
        if let Some(late) = seen.late.summary() {
            let mut put = |name: &str, seconds: f64, what: &str| {
                let formula = format!("{what} of (sent_ns - due_ns) over the requests of the runs");
                self.number(Id::new(format!("load.late.{name}")), Number::rounded(seconds * 1e3, "ms", 2), formula);
            };
            put("p50", late.p50, "median");
            if late.n >= ENOUGH {
                put("p99", late.p99, "99th percentile");
            }
            put("max", late.longest, "largest");
        }
    }
}

fn open(summary: &Summary) -> bool {
    summary.grid.factor(PER_SECOND).is_some()
}

fn usual_ramp(summary: &Summary, loads: &Loads) -> String {
    if open(summary) { loads.requests.div_ceil(4).to_string() } else { "as many as are at once".to_owned() }
}

/// `a first token within 0.5 s and 10 tokens a second after it`
fn said(limits: &Limits) -> String {
    let parts = [
        limits.ttft_s.map(|s| format!("a first token within {s} s")),
        limits.e2e_s.map(|s| format!("the whole text within {s} s")),
        limits.decode_tok_s.map(|rate| format!("at least {rate} tokens a second after the first")),
    ];
    list(&parts.into_iter().flatten().collect::<Vec<_>>())
}

/// Of open loops: in which cells does the backlog grow? There latency has no value that longer runs would come to.
pub(super) fn stationary(study: &Study, summary: &Summary) -> Option<(Id, Predicate)> {
    study.load.as_ref().filter(|_| open(summary))?;
    let test = "t interval over runs of (requests under way at the window's end - at its beginning) / requests that count, against 0.1";
    let place = summary.grid.factor(PER_SECOND)?;
    let mut grows = Vec::new();
    let mut open_ones = 0;
    for cell in &summary.cells {
        let Some(backlog) = cell.metrics.get(&Metric::Backlog) else { continue };
        match growth(backlog) {
            Some(true) => {
                let factors = summary.varying().into_iter().filter(|factor| *factor != place);
                let others = factors.map(|factor| {
                    let factor_of = &summary.factors[factor];
                    factor_of.say(&factor_of.levels[summary.grid.cells[cell.level][factor]])
                });
                let level = &summary.factors[place].levels[summary.grid.cells[cell.level][place]];
                let rate = summary.factors[place].say(level);
                let at: Vec<String> = others.chain([rate]).collect();
                grows.push(format!("{} (by {} % of the requests that count)", at.join(", "), percent(backlog.mean)));
            }
            Some(false) => {}
            None => open_ones += 1,
        }
    }
    let cells = counted(summary.cells.len(), "cell", "cells");
    let text = if !grows.is_empty() {
        format!(
            "More falls due than is done at {}: there the backlog grows while requests arrive, and a time from the schedule says how long the run was and not how long people would wait.",
            list(&grows)
        )
    } else if open_ones > 0 {
        format!(
            "Whether the backlog stays below {} % of the requests that count is not shown in {} of {cells}.",
            percentage(GROWS),
            open_ones
        )
    } else {
        format!(
            "In each of {cells} what falls due gets done: the backlog grows by less than {} % of the requests that count.",
            percentage(GROWS)
        )
    };
    let holds = if !grows.is_empty() { Some(false) } else { (open_ones == 0).then_some(true) };
    Some((Id::new("load.stationary"), Predicate { margin: Some(GROWS), ..Predicate::said(holds, test, text) }))
}

fn growth(backlog: &Stats) -> Option<bool> {
    let (low, high) = backlog.interval?;
    if low > GROWS {
        Some(true)
    } else if high < GROWS {
        Some(false)
    } else {
        None
    }
}

/// What kind of load it is, in a sentence.
pub(super) fn design(study: &Study, summary: &Summary) -> Option<(Id, Predicate)> {
    let text = if study.load.is_none() {
        study.has_several().then_some(())?;
        "The requests of a batch begin together and are alike but for what is drawn; every time counts from the moment at which serving began, so that a prompt that had to wait for another to be read is not forgotten."
    } else if open(summary) {
        "Requests of a run fall due as an open loop has them: at times that are drawn before the run, whatever has become of the others. Every time counts from when a request was due, so that one which had to wait is not forgotten."
    } else {
        "Requests of a run come in a closed loop: as many as the level says are under way, and when one ends the next is sent at once. Such a loop sends less when the engine is slower; it says what so many patient users get, not what a given demand would meet."
    };
    Some((Id::new("design.load"), Predicate::said(Some(true), "the study says so", text)))
}
