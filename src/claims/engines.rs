//! Engines that are not compiled in -> what identifies each, whose clock its times are of, and what of it cannot be compared.

use std::collections::BTreeMap;

use super::{
    Id, Predicate, Runs,
    registry::{Number, Registry},
    words::list,
};
use crate::{
    analysis::Summary,
    machine::EngineFacts,
    store::Run,
    study::{Cache, Engine, Http, Length},
};

impl Registry {
    /// `engine.NAME.…` of each.
    pub(super) fn engines(&mut self, run: &Run, summary: &Summary) {
        for engine in run.study.foreign() {
            let id = |word: &str| Id::new("engine").level(engine.name()).word(word);
            let facts = run.environment.engines.iter().find(|facts| facts.name == engine.name());
            let identity = facts.map_or_else(|| "not known".to_owned(), EngineFacts::identity);
            self.fact(id("identity"), &identity, "the program's bytes and what it says of itself, in environment.json");
            let (clock, counted_by) = match engine {
                Engine::Http(http) => ("this client's, when bytes were read", http.tokens.told()),
                _ => ("the program's own, held against its pipe", "the program itself"),
            };
            self.fact(id("clock"), clock, "`clock` of its rows");
            self.fact(id("counted_by"), counted_by, "`counted_by` of its rows");
            if let Some(startup) = summary.seen.startups.get(engine.name()) {
                let number = Number::rounded(*startup as f64 / 1e9, "s", 3);
                let formula =
                    "from spawning the server to its answer that it is ready: startup_ns of its first warm-up";
                self.number_of(id("startup"), number, formula.to_owned(), &Runs::default());
            }
        }
    }

    /// What computes on an engine, for `by_engine.NAME.computed_by`.
    pub(super) fn computed_by(run: &Run, engine: &str) -> Option<String> {
        run.environment.engines.iter().find(|facts| facts.name == engine).map(EngineFacts::told)
    }
}

/// What must be known of times that are not all of one clock; none in a study of this program's engines.
pub(super) fn predicates(run: &Run) -> BTreeMap<Id, Predicate> {
    let engines = run.study.foreign();
    if engines.is_empty() {
        return BTreeMap::new();
    }
    let names = |engines: &[&Engine]| list(&engines.iter().map(|engine| engine.name().to_owned()).collect::<Vec<_>>());
    let (servers, programs): (Vec<&Engine>, Vec<&Engine>) = engines.iter().partition(|engine| engine.http().is_some());
    let mut said = Vec::new();
    if !programs.is_empty() {
        said.push(format!(
            "The times of {} are taken inside that program, as ours are inside a worker, and held against the pipe to it: a run whose times lie outside of what was seen there fails.",
            names(&programs)
        ));
    }
    if !servers.is_empty() {
        said.push(served(&names(&servers), servers.len() < run.study.models.len()));
        said.extend(servers.iter().filter_map(|engine| engine.http()).flat_map(|http| peculiar(http, run)));
    }
    let test = "every engine's times end when a token's id is on the host";
    let known = Predicate::said(Some(servers.is_empty()), test, said.join(" "));
    BTreeMap::from([(Id::new("engines.one_clock"), known)])
}

/// What holds of every server.
fn served(names: &str, beside_others: bool) -> String {
    let apart = "the weights' loading and an array library's memory are not known of a server; its start-up and its processes' resident memory are other quantities, under names of their own";
    let times = format!(
        "The times of {names} begin when a request has been sent and end when its text has been read: they contain tokenising, scheduling, turning ids into text, and transport. Tokens are counted by ids or by the server, never by chunks, and no time is interpolated."
    );
    if beside_others {
        return format!(
            "{times} With the other engines a time ends when a token's id is on the host, so the time to a first token is compared from the text on, which all have, and not from the prompt's ids; {apart}. Outputs are compared as texts, and a seed means something else to every engine."
        );
    }
    format!("{times} As to the rest, {apart}.")
}

/// What holds of one.
fn peculiar(http: &Http, run: &Run) -> Vec<String> {
    let name = &http.name;
    let mut said = Vec::new();
    if http.length == Length::LogitBias && !run.study.settings.stop_on_eos {
        said.push(format!("{name} is kept from ending a text by a bias on its logits, which is work in every step."));
    }
    match http.cache {
        Cache::Off => said.push(format!("No prompt of {name} was in its cache: every answer says so.")),
        Cache::Unknown => said.push(format!("Whether {name} had the beginning of a prompt in a cache is not known.")),
        Cache::Allowed => said.push(format!("{name} may have had the beginning of a prompt in its cache, by design.")),
    }
    if http.is_external() {
        said.push(format!("{name} was already running, and its state before the runs is not known."));
    }
    if http.remote {
        said.push(format!("{name} runs on another machine, of which nothing is recorded."));
    }
    if !http.opens_files() {
        said.push(format!("The weights of {name} are named and not identified: none of its files was read here."));
    }
    if http.server.is_some_and(|server| !server.was_tried()) {
        said.push(format!("What is sent to {name} comes from documents; it was not tried on that server before."));
    }
    said
}
