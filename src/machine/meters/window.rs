//! A window of energy: all counters read at its beginning and at its end, power sampled in between where that disturbs nobody.

use std::{
    collections::BTreeMap,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use super::{Channel, Meters, sampling::Sampling, spent, wall};
use crate::{
    energy::{Domain, Spent, State, window_error},
    machine::thermal,
};

/// An open window.
#[derive(Debug)]
pub struct Window {
    /// By meter: when it was read, and what it said.
    readings: Vec<(Instant, Vec<Result<u64, String>>)>,
    sampling: Vec<Option<Sampling>>,
    domain: Domain,
    before: State,
    throttle: Option<BTreeMap<String, u64>>,
    opened: Instant,
    wall_clock: f64,
}

/// What a window has shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// When the last meter had been read for the first time, and the first one for the second.
    pub opened: Instant,
    pub closed: Instant,
    pub domains: BTreeMap<Domain, Spent>,
    pub before: State,
    pub after: State,
    pub throttle: Option<BTreeMap<String, u64>>,
}

impl Meters {
    /// Opens a window in which `domain` is what matters; with `sample`, power is asked 20 times a second until it closes.
    pub fn open(&mut self, domain: Domain, sample: bool) -> Window {
        let (before, throttle) = (self.state(domain), self.throttle(domain));
        let sampling = self.meters.iter().map(|meter| meter.powers().filter(|_| sample).map(Sampling::start)).collect();
        let readings = self.readings();
        Window { readings, sampling, domain, before, throttle, opened: Instant::now(), wall_clock: unix_now() }
    }

    /// Closes it: counters first.
    pub fn close(&mut self, window: Window) -> Reading {
        let (wall_clock, closed) = (unix_now(), Instant::now());
        let readings = self.readings();
        let mut domains: BTreeMap<Domain, Spent> = BTreeMap::new();
        for (place, (begin, end, sampling)) in
            window.readings.into_iter().zip(readings).zip(window.sampling).map(|((a, b), c)| (a, b, c)).enumerate()
        {
            let channels = self.meters[place].channels().iter().zip(&self.probed[place]);
            let seconds = (end.0 - begin.0).as_secs_f64();
            for ((channel, probed), (before, after)) in channels.zip(begin.1.into_iter().zip(end.1)) {
                let period = probed.period_s;
                let joules = before.and_then(|before| spent(channel, before, after?, seconds, period));
                add(&mut domains, channel, counted(channel, joules, seconds, period));
            }
            for (domain, (joules, samples)) in
                sampling.map(|sampling| sampling.stop(begin.0, end.0)).unwrap_or_default()
            {
                let alone = |source: &str| integrated(source, joules, seconds, samples, seconds / f64::from(samples));
                let checked = domains.remove(&domain).map(|spent| spent.checked(joules));
                domains.insert(domain, checked.unwrap_or_else(|| alone("apple PSTR")));
            }
        }
        if let Some(wall) = &self.wall {
            let seconds = wall_clock - window.wall_clock;
            let spent = match wall.joules(window.wall_clock, wall_clock) {
                Ok((joules, samples, period)) => integrated(wall::SOURCE, joules, seconds, samples, period),
                Err(why) => Spent::not(wall::SOURCE, "W", seconds, why),
            };
            domains.insert(Domain::System, spent);
        }
        let (after, throttle) = (self.state(window.domain), self.throttle(window.domain));
        Reading {
            opened: window.opened,
            closed,
            domains,
            before: window.before,
            after,
            throttle: throttle.zip(window.throttle).map(|(after, before)| since(&before, after)),
        }
    }

    fn readings(&mut self) -> Vec<(Instant, Vec<Result<u64, String>>)> {
        let read = |meter: &mut Box<dyn super::Meter>| {
            let asked = Instant::now();
            let read = meter.read();
            // A call of several milliseconds says what was in its middle.
            (asked + asked.elapsed() / 2, read)
        };
        self.meters.iter_mut().map(read).collect()
    }

    /// Of what reads the domain; of a whole machine, of whatever says something.
    fn state(&mut self, domain: Domain) -> State {
        let mut state = State::default();
        for meter in &mut self.meters {
            let of = meter.channels().iter().any(|channel| channel.domain == domain);
            if of || domain == Domain::System {
                let State { celsius, pressure, mhz } = meter.state();
                state = State {
                    celsius: state.celsius.or(celsius),
                    pressure: state.pressure.or(pressure),
                    mhz: state.mhz.or(mhz),
                };
            }
        }
        State { celsius: state.celsius.or_else(thermal::host_celsius), ..state }
    }

    fn throttle(&mut self, domain: Domain) -> Option<BTreeMap<String, u64>> {
        let has = |meter: &dyn super::Meter| meter.channels().iter().any(|channel| channel.domain == domain);
        let mut meters = self.meters.iter_mut().filter(|meter| domain == Domain::System || has(meter.as_ref()));
        meters.find_map(|meter| meter.throttle())
    }
}

fn unix_now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

fn counted(channel: &Channel, joules: Result<f64, String>, seconds: f64, period_s: Option<f64>) -> Spent {
    let (joules, reason) = match joules {
        Ok(joules) => (Some(joules), None),
        Err(why) => (None, Some(why)),
    };
    Spent {
        joules,
        reason,
        period_s,
        error: period_s.map(|period| window_error(period, seconds)),
        samples: 2,
        limit_w: channel.limit_w,
        ..Spent::not(&channel.source, channel.unit.name, seconds, "")
    }
}

fn integrated(source: &str, joules: f64, seconds: f64, samples: u32, period: f64) -> Spent {
    Spent {
        joules: Some(joules),
        reason: None,
        period_s: Some(period),
        error: Some(window_error(period, seconds)),
        samples,
        ..Spent::not(source, "W", seconds, "")
    }
}

/// Several counters of one domain (packages of a server) are one value, or none if one of them has none.
fn add(domains: &mut BTreeMap<Domain, Spent>, channel: &Channel, spent: Spent) {
    let both = match domains.remove(&channel.domain) {
        None => spent,
        Some(other) => {
            let joules = other.joules.zip(spent.joules).map(|(a, b)| a + b);
            let period_s = other.period_s.zip(spent.period_s).map(|(a, b)| a.max(b));
            Spent {
                joules,
                reason: other.reason.or(spent.reason),
                source: format!("{}, {}", other.source, spent.source),
                period_s,
                error: period_s.map(|period| window_error(period, other.seconds)),
                samples: other.samples + spent.samples,
                limit_w: other.limit_w.zip(spent.limit_w).map(|(a, b)| a + b),
                ..other
            }
        }
    };
    domains.insert(channel.domain, both);
}

/// Nanoseconds by reason since an earlier reading; a counter that began anew says nothing.
fn since(before: &BTreeMap<String, u64>, after: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let grown = |(reason, ns): (String, u64)| Some((reason.clone(), ns.checked_sub(*before.get(&reason)?)?));
    after.into_iter().filter_map(grown).collect()
}

#[cfg(test)]
pub(super) fn add_for_tests(
    domains: &mut BTreeMap<Domain, Spent>,
    channel: &Channel,
    joules: Result<f64, String>,
    seconds: f64,
) {
    add(domains, channel, counted(channel, joules, seconds, None));
}
