//! The block `load` of a study file, and the factors `at_once`, `per_second` and `batch`: runs of several requests. What no client could
//! send, what no row could hold and what could not end in time is refused.

use serde::{Deserialize, Serialize};

use super::{
    Engine, EngineKind, ModelSpec, PlannedRun, Prompt, Seed, Server, Settings, Study,
    demand::{Checked, above_zero, ensure, in_range},
    error::Problem,
    file::LoadEntry,
};
use crate::{
    factor::{AT_ONCE, BATCH, Factor, PER_SECOND},
    load::{Arrivals, Limits, Load},
};

/// What is alike in all runs of several requests.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Loads {
    /// Those that count, in each run.
    pub requests: u32,
    /// Before them, and again after them; `None`: as many as are at once, of an open loop a quarter of those that count.
    pub ramp: Option<u32>,
    pub arrivals: Arrivals,
    /// The most of an open loop that are under way at once.
    pub at_most: u32,
    pub prompts: Prompts,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goodput: Option<Limits>,
    /// Of the requests that count: a run of which more failed has failed.
    pub failed_share: f64,
}

/// Are the requests of a run all alike?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prompts {
    /// Each begins with a line of its own, so that no cache of another's prompt helps.
    #[default]
    Vary,
    Same,
}

const REQUESTS: u32 = 64;
const AT_MOST: u32 = 256;
/// A row is one line: so much of it is planned for at most.
const MOST_BYTES: u64 = 4 << 20;
/// Of a request beside its times, and of a time.
const OF_REQUEST: u64 = 600;
const OF_TOKEN: u64 = 10;

impl Loads {
    /// The text of a request by its number, from 1.
    pub fn prompt(&self, text: &str, number: u32) -> String {
        match self.prompts {
            Prompts::Vary => format!("Request {number}.\n{text}"),
            Prompts::Same => text.to_owned(),
        }
    }
}

impl Study {
    /// Has a run several requests, each with times of its own?
    pub fn has_several(&self) -> bool {
        let batch = self.factors.iter().any(|factor| factor.name == BATCH);
        self.load.is_some() || (batch && self.models.iter().any(|model| model.engine.batches()))
    }
}

impl Engine {
    /// Are the requests of a batch told apart? Other engines are given a batch as one request.
    fn batches(&self) -> bool {
        self.is(EngineKind::Mlx)
    }
}

impl PlannedRun {
    /// The load of a run of several requests; `None`: it is of one.
    pub fn load(&self, study: &Study) -> Option<Load> {
        let level = |factor: &str| self.number(study, factor);
        if let (Some(size), true) = (level(BATCH), study.models[self.model].engine.batches()) {
            return Some(Load::batch(size as u32));
        }
        let loads = study.load.as_ref()?;
        let of = |at_once: u32, per_second: Option<f64>| {
            let usual = if per_second.is_some() { loads.requests.div_ceil(4) } else { at_once };
            let (requests, goodput) = (loads.requests, loads.goodput);
            let arrivals = per_second.map(|_| loads.arrivals);
            Load { at_once, per_second, arrivals, requests, ramp: loads.ramp.unwrap_or(usual), goodput }
        };
        match (level(AT_ONCE), level(PER_SECOND)) {
            (Some(at_once), _) => Some(of(at_once as u32, None)),
            (_, Some(per_second)) => Some(of(loads.at_most, Some(per_second))),
            _ => None,
        }
    }
}

/// `None` where no factor asks for several requests.
pub(super) fn check(
    entry: Option<LoadEntry>,
    factors: &[Factor],
    models: &[ModelSpec],
    prompts: &[Prompt],
    settings: &Settings,
    timeout_s: f64,
) -> Checked<Option<Loads>> {
    let has = |name: &str| factors.iter().find(|factor| factor.name == name);
    let asked = match (has(AT_ONCE), has(PER_SECOND)) {
        (Some(_), Some(_)) => {
            let what = "expected a closed loop (`at_once`) or an open one (`per_second`), found both".to_owned();
            return Err(Problem::new("factors", what, "write two studies: a run is of one kind"));
        }
        (Some(factor), _) | (_, Some(factor)) => factor,
        (None, None) => {
            let hint = "list the levels of one: factors: {at_once: [1, 4, 16]} or {per_second: [0.5, 1]}";
            let found = "neither";
            ensure(entry.is_none(), "load", "the factor `at_once` or `per_second`", found, hint)?;
            return Ok(None);
        }
    };
    let with_batch = has(BATCH).is_none();
    ensure(with_batch, "factors.batch", "one kind of load", "another beside it", "take one of the two out")?;
    let open = asked.name == PER_SECOND;
    let LoadEntry { requests, ramp, arrivals, at_most, prompts: which, goodput, failed_share } =
        entry.unwrap_or_default();
    let requests = requests.unwrap_or(REQUESTS);
    in_range("load.requests", &requests, &2, &100_000, "requests of a run that count; 64 is the default")?;
    if let Some(ramp) = &ramp {
        in_range("load.ramp", ramp, &0, &100_000, "requests before those that count, and again after them")?;
    }
    let hint = "it says how an open loop's requests follow each other; take it out, or list `per_second`";
    ensure(open || arrivals.is_none(), "load.arrivals", "the factor `per_second`", "a closed loop", hint)?;
    ensure(open || at_most.is_none(), "load.at_most", "the factor `per_second`", "a closed loop", hint)?;
    let at_most = at_most.unwrap_or(AT_MOST);
    in_range("load.at_most", &at_most, &1, &1024, "connections at once; 256 is the default")?;
    in_range("load.failed_share", &failed_share, &0.0, &1.0, "a share of the requests that count; 0 is the default")?;
    if let Some(limits) = &goodput {
        goodput_fits(limits)?;
    }
    let vary = which.unwrap_or_default() == Prompts::Vary;
    if let Some(i) = prompts.iter().position(|prompt| prompt.tokens.is_some()).filter(|_| vary) {
        let hint = "say `load: {prompts: same}`, or give the prompt as a text";
        let found = "a number of tokens, and requests that each begin with a line of their own";
        ensure(false, &format!("prompts[{i}].tokens"), "a text", found, hint)?;
    }
    for (i, model) in models.iter().enumerate() {
        let serves = serves(&model.engine);
        let found = format!("{}, which serves one request at a time", model.engine);
        let hint = "take the factor out, or this engine";
        ensure(serves, &format!("models[{i}].engine"), "engines that serve several requests", &found, hint)?;
        // By its source it takes together only requests without a seed.
        let queues =
            model.engine.http().is_some_and(|http| http.server == Some(Server::MlxLm) && http.seed == Seed::Send);
        let found = "requests with seeds, which mlx_lm.server takes one after the other";
        let hint = "say `seed: omit` in its `http`";
        ensure(!queues, &format!("models[{i}].engine"), "requests that are served together", found, hint)?;
    }
    let loads = Loads {
        requests,
        ramp,
        arrivals: arrivals.unwrap_or_default(),
        at_most,
        prompts: which.unwrap_or_default(),
        goodput,
        failed_share,
    };
    for (i, level) in asked.levels.iter().filter_map(|level| level.as_number()).enumerate() {
        fits(&loads, &format!("factors.{}[{i}]", asked.name), level, open, settings, timeout_s)?;
    }
    Ok(Some(loads))
}

/// Engines that take requests while others are under way; a program says for itself whether it does, before the first run.
fn serves(engine: &Engine) -> bool {
    matches!(engine, Engine::Http(_) | Engine::Command(_))
        || matches!(engine.built_in(), Some(EngineKind::Fake | EngineKind::Mlx))
}

fn goodput_fits(limits: &Limits) -> Checked<()> {
    let all = [("ttft_s", limits.ttft_s), ("e2e_s", limits.e2e_s), ("decode_tok_s", limits.decode_tok_s)];
    let given = all.iter().any(|(_, limit)| limit.is_some());
    let hint = "e.g. goodput: {ttft_s: 0.5, decode_tok_s: 10}";
    ensure(given, "load.goodput", "a limit at least", "none", hint)?;
    for (name, limit) in all {
        if let Some(limit) = limit {
            above_zero(&format!("load.goodput.{name}"), &limit, 86_400.0, hint)?;
        }
    }
    Ok(())
}

/// Does a run at this level end in time, and does its row stay a line that one can read?
fn fits(loads: &Loads, key: &str, level: f64, open: bool, settings: &Settings, timeout_s: f64) -> Checked<()> {
    let usual = if open { loads.requests.div_ceil(4) } else { level as u32 };
    let total = loads.requests + 2 * loads.ramp.unwrap_or(usual);
    if open {
        let lasts = f64::from(total) / level;
        let expected = format!("arrivals that end within execution.timeout_s, {timeout_s} s");
        let found = format!("{total} requests, which take {lasts:.0} s to arrive");
        let hint = "take fewer requests, a higher rate, or a longer timeout_s";
        ensure(lasts < timeout_s, key, &expected, &found, hint)?;
    }
    let longest = u64::from(settings.max_tokens.iter().copied().max().unwrap_or(0));
    let bytes = u64::from(total) * (OF_REQUEST + OF_TOKEN * longest);
    let expected = format!("rows of {} MiB at most", MOST_BYTES >> 20);
    let found = format!("{total} requests of {longest} tokens, about {} MiB a row", bytes >> 20);
    ensure(bytes <= MOST_BYTES, key, &expected, &found, "take fewer requests or shorter answers")
}
