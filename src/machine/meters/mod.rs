//! Meters of energy: counters of the machine, each with what it counts, and a meter at the wall. Read between runs, never while one is
//! timed. What cannot be had says why, and what to do.

#[cfg_attr(
    not(all(target_os = "macos", target_arch = "aarch64")),
    allow(dead_code, reason = "where there is no such chip it is held to its tests alone")
)]
mod apple;
mod nvml;
mod probe;
mod rapl;
mod sampling;
mod wall;
mod window;

use std::{collections::BTreeMap, fmt};

pub use probe::Probed;
pub use wall::Wall;
pub use window::{Reading, Window};

use crate::energy::{Domain, SourceFacts, State};

/// The folder that is read instead of `/sys/class/powercap`.
pub const POWERCAP: &str = "OFFPRINT_POWERCAP";

/// A unit in which energy is counted.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Unit {
    name: &'static str,
    joules: f64,
}

const MJ: Unit = Unit { name: "mJ", joules: 1e-3 };
const UJ: Unit = Unit { name: "uJ", joules: 1e-6 };

/// One counter of a meter.
#[derive(Debug, Clone, PartialEq)]
struct Channel {
    domain: Domain,
    /// As records name it.
    source: String,
    unit: Unit,
    /// At which it begins again at 0.
    range: Option<u64>,
    /// What it can draw, where the machine says.
    limit_w: Option<f64>,
}

/// Power now, by domain, asked in a thread of its own.
type Powers = Box<dyn FnMut() -> Vec<(Domain, f64)>>;

/// A source of energy counters.
trait Meter: fmt::Debug {
    /// Its name in records: `rapl`, `nvml`, `apple`.
    fn name(&self) -> &'static str;

    /// What it is, in its own words.
    fn detail(&self) -> String;

    fn channels(&self) -> &[Channel];

    /// Each channel's counter.
    fn read(&mut self) -> Vec<Result<u64, String>>;

    /// What can be integrated, where something can: made inside the thread that asks it.
    fn powers(&self) -> Option<Box<dyn FnOnce() -> Powers + Send>> {
        None
    }

    fn state(&mut self) -> State {
        State::default()
    }

    /// Nanoseconds for which clocks were held down since some moment, by reason.
    fn throttle(&mut self) -> Option<BTreeMap<String, u64>> {
        None
    }
}

/// A source that is none here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absent {
    pub source: &'static str,
    pub reason: String,
    /// Empty where nothing can be done: it is another system's.
    pub hint: String,
}

const ELSEWHERE: &str = "";

impl Absent {
    fn new(source: &'static str, reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Absent { source, reason: reason.into(), hint: hint.into() }
    }
}

/// All that can be read here.
#[derive(Debug)]
pub struct Meters {
    meters: Vec<Box<dyn Meter>>,
    /// By meter and channel; what the probe found.
    probed: Vec<Vec<Probed>>,
    wall: Option<Wall>,
    absent: Vec<Absent>,
}

impl Meters {
    /// Looks for every source; `wall` is one that somebody gave.
    pub fn here(wall: Option<Wall>) -> Meters {
        let found = [rapl::here(), nvml::here(), apple::here()];
        let (mut meters, mut absent) = (Vec::new(), Vec::new());
        for source in found {
            match source {
                Ok(meter) => meters.push(meter),
                Err(reason) => absent.push(reason),
            }
        }
        Meters::of(meters, wall, absent)
    }

    fn of(meters: Vec<Box<dyn Meter>>, wall: Option<Wall>, absent: Vec<Absent>) -> Meters {
        let probed = meters.iter().map(|meter| vec![Probed::default(); meter.channels().len()]).collect();
        Meters { meters, probed, wall, absent }
    }

    /// What can be read, each once, in the order in which one is a study's own.
    pub fn domains(&self) -> Vec<Domain> {
        let counted = self.meters.iter().flat_map(|meter| meter.channels()).map(|channel| channel.domain);
        let mut domains: Vec<Domain> = counted.chain(self.wall.as_ref().map(|_| Domain::System)).collect();
        domains.sort_unstable();
        domains.dedup();
        domains
    }

    /// Those that are none, and why.
    pub fn absent(&self) -> &[Absent] {
        &self.absent
    }

    /// As `environment.json` has them.
    pub fn facts(&self) -> Vec<SourceFacts> {
        let domains = |meter: &dyn Meter| {
            let mut domains: Vec<Domain> = meter.channels().iter().map(|channel| channel.domain).collect();
            domains.dedup();
            domains
        };
        let there = self.meters.iter().map(|meter| SourceFacts {
            source: meter.name().to_owned(),
            domains: domains(meter.as_ref()),
            detail: Some(meter.detail()),
            reason: None,
        });
        let wall = self.wall.iter().map(|_| SourceFacts {
            source: wall::SOURCE.to_owned(),
            domains: vec![Domain::System],
            detail: Some("watts of a file, written by another program while runs went on".to_owned()),
            reason: None,
        });
        let absent = self.absent.iter().map(|absent| SourceFacts {
            source: absent.source.to_owned(),
            domains: Vec::new(),
            detail: None,
            reason: Some(absent.reason.clone()),
        });
        there.chain(wall).chain(absent).collect()
    }
}

/// No counter of one device means so much; a reset looks like more.
const ABSURD_W: f64 = 20_000.0;
/// What a source without a limit of its own is taken to draw at most, when a counter's wraps are counted.
const USUAL_LIMIT_W: f64 = 1_000.0;

/// Joules between two readings of a counter.
///
/// # Errors
/// Why the two say nothing: it stood still, went backwards, jumped, or may have begun anew more than once.
fn spent(channel: &Channel, before: u64, after: u64, seconds: f64, period_s: Option<f64>) -> Result<f64, String> {
    let ticks = match channel.range {
        _ if after >= before => after - before,
        Some(range) if before <= range => range - before + after,
        _ => return Err(format!("the counter went backwards, from {before} to {after} {}", channel.unit.name)),
    };
    if ticks == 0 {
        return Err(match period_s {
            Some(period) if seconds < 2.0 * period => {
                format!("the counter moves every {period:.3} s, and the window was {seconds:.3} s")
            }
            _ => format!("the counter stood still for {seconds:.3} s"),
        });
    }
    let joules = ticks as f64 * channel.unit.joules;
    let limit = channel.limit_w.unwrap_or(USUAL_LIMIT_W);
    if let Some(range) = channel.range.map(|range| range as f64 * channel.unit.joules)
        && seconds * limit > range
    {
        return Err(format!(
            "the counter begins anew every {range:.0} J, which may have been more than once in {seconds:.0} s"
        ));
    }
    let (watts, most) = (joules / seconds, channel.limit_w.map_or(ABSURD_W, |limit| limit * 1.1));
    if watts > most {
        return Err(format!(
            "the counter jumped: {joules:.1} J in {seconds:.3} s are {watts:.0} W, and {most:.0} W can be"
        ));
    }
    Ok(joules)
}

#[cfg(test)]
mod tests;
