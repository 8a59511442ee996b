//! Rows, one at a time -> `Summary`. What a row leaves behind is small: its metrics, and its token times in the sums and the
//! distribution of its cell. So a million rows are read in the memory of their metrics.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

use super::{
    Group, RunMetrics, Summary, Times, energy::Joules, frame, gaps::Distribution, observation::Grid, parts::Parts,
};
use crate::{
    factor::{CONTEXT, DRAFT, Factor},
    load::Part,
    metric::{Metric, Raw},
    record::{Answered, Clock, Outcome, Phase, RunRecord},
    study::Study,
};

/// Rows seen so far.
#[derive(Debug)]
pub struct Tally {
    study: Study,
    factors: Vec<Factor>,
    /// Their `cell` is the place in `cells`.
    runs: Vec<RunMetrics>,
    failed: u32,
    seen: Seen,
    /// By the index of each factor's level: number of the cell, in the order in which cells appear.
    places: BTreeMap<Vec<usize>, usize>,
    cells: Vec<Sums>,
}

/// What the paper says of the rows beside their numbers.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Engines and backends of the rows, in the order in which they appear, each with what made it. A worker that was lost early
    /// says `unknown`, which is told only where nothing else is known.
    pub engines: Vec<String>,
    pub backends: Vec<(String, String)>,
    /// Of servers that we have started: spawned -> ready, ns, at the first start, by engine.
    pub startups: BTreeMap<String, u64>,
    /// First and last UTC date of all rows.
    pub from: String,
    pub to: String,
    /// Rows of measured runs, the failed ones too.
    pub measured: u32,
    /// Of them, those that ended well.
    pub well: u32,
    /// When the last measured run ended.
    pub ended: Option<jiff::Timestamp>,
    /// Of runs of several requests.
    pub requests: Requests,
    /// The first run that ended well, by prompt, with its output where it has one.
    pub outputs: BTreeMap<String, (u32, Option<String>)>,
    /// Of designs with drafts: digests of the ids of runs that ended well, by run.
    pub texts: BTreeMap<u32, String>,
    /// Of studies that measure energy.
    pub energy: Joules,
}

/// What became of the requests of runs that ended well.
#[derive(Debug, Clone, Default)]
pub struct Requests {
    pub sent: u64,
    /// Of those that count: all of them, and those that did not end well.
    pub counted: u64,
    pub rejected: u64,
    pub failed: u64,
    /// Due -> sent, of open loops, ns.
    pub late: Distribution,
    /// The longest that a thread of ours overslept a millisecond.
    pub stall_ns: Option<u64>,
}

/// Token times of some runs.
#[derive(Debug, Clone, Default)]
struct Sums {
    runs: usize,
    parts: Parts,
    gaps: Distribution,
    /// Runs of which it is known when each token came.
    timed: usize,
}

impl Requests {
    fn add(&mut self, record: &RunRecord) {
        let Some(load) = &record.load else { return };
        self.sent += record.requests.len() as u64;
        self.stall_ns = self.stall_ns.max(record.client_stall_ns);
        for request in &record.requests {
            if load.per_second.is_some() {
                self.late.add(&[request.due_ns, request.sent_ns]);
            }
            if load.part(request.number) == Part::Counted {
                self.counted += 1;
                self.rejected += u64::from(request.outcome == Answered::Rejected);
                self.failed += u64::from(request.outcome == Answered::Failed);
            }
        }
    }
}

impl Sums {
    fn add(&mut self, record: &RunRecord) {
        self.runs += 1;
        self.parts.add(record);
        if let Some(times) = &record.token_times_ns {
            self.timed += 1;
            // Tokens of a round come together: the gap is from one round to the next.
            let mut moments = times.clone();
            moments.dedup();
            self.gaps.add(if record.rounds.is_some() { &moments } else { times });
        }
    }

    fn merge(&mut self, other: &Sums) {
        self.runs += other.runs;
        self.parts.merge(&other.parts);
        self.gaps.merge(&other.gaps);
        self.timed += other.timed;
    }
}

impl Tally {
    /// No rows yet.
    pub fn of(study: &Study) -> Self {
        Tally {
            factors: study.design(),
            study: study.clone(),
            runs: Vec::new(),
            failed: 0,
            seen: Seen::default(),
            places: BTreeMap::new(),
            cells: Vec::new(),
        }
    }

    /// Takes a row in. Rows of models that the study does not list leave no number.
    ///
    /// # Errors
    /// A row that began at no time, says `ok` and lacks a time, or is at no level of a factor.
    pub fn add(&mut self, record: &RunRecord) -> Result<()> {
        let own = self.study.models.iter().any(|model| model.made(record));
        self.seen.add(record, own)?;
        if record.phase != Phase::Measured || !own {
            return Ok(());
        }
        if record.outcome == Outcome::Failed {
            self.failed += 1;
            return Ok(());
        }
        let mut raw = Raw::of(record)?;
        if !self.study.tells_from_text() {
            raw.from_text = None;
        }
        let cell = self.cell(record)?;
        self.cells[cell].add(record);
        if record.factors.contains_key(DRAFT) {
            self.seen.texts.extend(record.output_sha256.clone().map(|digest| (record.run, digest)));
        }
        self.seen.requests.add(record);
        self.seen.energy.add(record);
        self.runs.push(RunMetrics {
            run: record.run,
            order: record.order,
            block: record.block,
            repeat: record.repeat,
            cell,
            max_tokens: record.max_tokens,
            n_prompt: raw.n_prompt.round() as u32,
            n_gen: raw.n_gen,
            by_client: record.clock == Some(Clock::Client),
            values: Metric::ALL.map(|metric| metric.of(&raw).unwrap_or(f64::NAN)),
        });
        Ok(())
    }

    /// The number of the row's cell.
    fn cell(&mut self, record: &RunRecord) -> Result<usize> {
        let place = |factor: &Factor| {
            let found = factor.levels.iter().position(|level| record.is_at(&factor.name, level));
            found.with_context(|| {
                format!("run {}: it is at no level of `{}` that the study has", record.run, factor.name)
            })
        };
        let place = self.factors.iter().map(place).collect::<Result<Vec<usize>>>()?;
        let next = self.cells.len();
        let cell = *self.places.entry(place).or_insert(next);
        if cell == next {
            self.cells.push(Sums::default());
        }
        Ok(cell)
    }

    /// Summarises the runs that ended well.
    ///
    /// # Errors
    /// None of them did.
    pub fn finish(self) -> Result<Summary> {
        let Tally { study, factors, mut runs, failed, mut seen, places, cells } = self;
        ensure!(!runs.is_empty(), "no run of the study ended well\nhint: the `error` of each row says why");
        // Cells ascend in their levels, whatever the order in which rows came.
        let sorted: Vec<usize> = places.values().copied().collect();
        let mut number = vec![0; sorted.len()];
        sorted.iter().enumerate().for_each(|(new, old)| number[*old] = new);
        runs.iter_mut().for_each(|run| run.cell = number[run.cell]);
        let names = factors.iter().map(|factor| factor.name.clone()).collect();
        let grid = Grid { factors: names, cells: places.into_keys().collect() };
        runs.sort_by_key(|run| run.run);
        seen.energy.refuse(&mut runs);

        let grouped = frame::Grouped::of(&factors, &grid, &runs, study.statistics.confidence)?;
        let sums: Vec<&Sums> = sorted.iter().map(|old| &cells[*old]).collect();
        let timed = |group: Group, belongs: &dyn Fn(&[usize]) -> bool| {
            let there = grid.cells.iter().zip(&sums).filter(|(place, _)| belongs(place)).map(|(_, sums)| *sums);
            Group { times: Some(times(there)), ..group }
        };
        let joules = &seen.energy;
        let timed = |group: Group, belongs: &dyn Fn(&[usize]) -> bool| joules.without_refused(timed(group, belongs));
        let overall = timed(grouped.overall()?, &|_| true);
        let mut by = Vec::new();
        for factor in 0..factors.len() {
            let groups = grouped.by(factor)?.into_iter();
            by.push(
                groups
                    .map(|group| {
                        let level = group.level;
                        timed(group, &|place| place[factor] == level)
                    })
                    .collect(),
            );
        }
        let cells = grouped.cells()?;
        drop(grouped);
        Ok(Summary {
            planned: (study.cells() as u32).saturating_mul(study.settings.num_runs),
            counted: study.prompts.iter().any(|prompt| prompt.tokens.is_some())
                || factors.iter().any(|factor| factor.name == CONTEXT && factor.varies()),
            factors,
            grid,
            runs,
            failed,
            overall,
            by,
            cells,
            quality: Vec::new(),
            seen,
        })
    }
}

fn times<'a>(cells: impl Iterator<Item = &'a Sums>) -> Times {
    let mut sums = Sums::default();
    for cell in cells {
        sums.merge(cell);
    }
    // What only some of the runs say is not said of all.
    let Sums { runs, parts, gaps, timed } = sums;
    Times {
        parts: Some(parts).filter(|parts| parts.runs == runs),
        gaps: if timed == runs { gaps.summary() } else { None },
    }
}

impl Seen {
    /// The backends of all rows, or of one engine's, each once: `mlx-cpu+offprint, llama-cpp-cpu`.
    pub fn backends(&self, engine: Option<&str>) -> String {
        let mut names: Vec<&str> = Vec::new();
        for (of, backend) in &self.backends {
            if engine.is_none_or(|engine| of == engine) && !names.contains(&backend.as_str()) {
                names.push(backend);
            }
        }
        let known: Vec<&str> = names.iter().copied().filter(|name| *name != "unknown").collect();
        if known.is_empty() { names.join(", ") } else { known.join(", ") }
    }

    fn made_by(&mut self, record: &RunRecord) {
        if !self.engines.contains(&record.engine) {
            self.engines.push(record.engine.clone());
        }
        let is_it = |(engine, backend): &(String, String)| *engine == record.engine && *backend == record.backend;
        if !self.backends.iter().any(is_it) {
            self.backends.push((record.engine.clone(), record.backend.clone()));
        }
    }

    fn add(&mut self, record: &RunRecord, own: bool) -> Result<()> {
        let date = record.started_at.split('T').next().unwrap_or_default();
        if own {
            self.made_by(record);
            if let Some(startup) = record.startup_ns {
                self.startups.entry(record.engine.clone()).or_insert(startup);
            }
        }
        if self.from.is_empty() {
            (self.from, self.to) = (date.to_owned(), date.to_owned());
        }
        if date < self.from.as_str() {
            date.clone_into(&mut self.from);
        }
        if date > self.to.as_str() {
            date.clone_into(&mut self.to);
        }
        if record.phase != Phase::Measured {
            return Ok(());
        }
        self.measured += 1;
        self.ended = self.ended.max(Some(end(record)?));
        if record.outcome == Outcome::Failed {
            return Ok(());
        }
        self.well += 1;
        if !own {
            return Ok(());
        }
        let earlier = self.outputs.get(&record.prompt_id).is_some_and(|(run, _)| *run <= record.run);
        if !earlier {
            self.outputs.insert(record.prompt_id.clone(), (record.run, record.output_text.clone()));
        }
        Ok(())
    }
}

fn end(record: &RunRecord) -> Result<jiff::Timestamp> {
    let start: jiff::Timestamp = record.started_at.parse().with_context(|| {
        format!("run {}: expected a time such as 2026-11-23T18:39:38Z, found {:?}", record.run, record.started_at)
    })?;
    let last = record.requests.iter().filter_map(|request| request.sent_ns.checked_add(request.done_ns?)).max();
    let took = record.load_ns.unwrap_or(0).saturating_add(record.e2e_ns.or(last).unwrap_or(0));
    Ok(start.saturating_add(jiff::SignedDuration::from_nanos(i64::try_from(took).unwrap_or(i64::MAX)))?)
}
