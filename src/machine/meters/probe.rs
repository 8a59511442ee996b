//! How often is each counter fresh, and does it move at all? Watched for some seconds before the first run, since no document says.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{Channel, Meters};
use crate::energy::Domain;

/// What a counter was seen to do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Probed {
    /// As records name it.
    pub source: String,
    pub domain: Option<Domain>,
    /// Between two moments at which it moved; of uneven ones, what a moment at random falls in. `None` where it moved less than twice.
    pub period_s: Option<f64>,
    /// While it was watched.
    pub watts: Option<f64>,
    /// It did not move.
    pub frozen: bool,
    /// It could not be read.
    pub error: Option<String>,
}

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(1);

#[derive(Debug, Default)]
struct Watched {
    /// The last count, and when it appeared.
    last: Option<(u64, Instant)>,
    /// The first change: all that is counted begins there.
    first: Option<(u64, Instant)>,
    intervals: Vec<f64>,
    error: Option<String>,
}

impl Watched {
    fn look(&mut self, at: Instant, read: Result<u64, String>) {
        let count = match read {
            Ok(count) => count,
            Err(why) => return self.error = Some(why),
        };
        match self.last {
            Some((before, _)) if before == count => {}
            Some((_, since)) => {
                match self.first {
                    None => self.first = Some((count, at)),
                    Some(_) => self.intervals.push((at - since).as_secs_f64()),
                }
                self.last = Some((count, at));
            }
            None => self.last = Some((count, at)),
        }
    }

    fn found(self, channel: &Channel) -> Probed {
        let sum = |power: i32| self.intervals.iter().map(|interval| interval.powi(power)).sum::<f64>();
        let seen = self.first.zip(self.last).filter(|_| !self.intervals.is_empty());
        let watts = seen.map(|((from, begin), (to, end))| {
            to.saturating_sub(from) as f64 * channel.unit.joules / (end - begin).as_secs_f64()
        });
        Probed {
            source: channel.source.clone(),
            domain: Some(channel.domain),
            // An end at random falls in an interval by its length, and is off by a uniform part of it.
            period_s: (!self.intervals.is_empty()).then(|| (sum(3) / sum(1)).sqrt()),
            watts,
            frozen: self.first.is_none() && self.error.is_none(),
            error: self.error,
        }
    }
}

impl Meters {
    /// Watches every counter; what was found is kept for the windows that follow.
    pub fn probe(&mut self, lasts: Duration, stopped: &dyn Fn() -> bool) {
        let begun = Instant::now();
        let channels = self.meters.iter().map(|meter| meter.channels().len());
        let mut watched: Vec<Vec<Watched>> =
            channels.map(|channels| (0..channels).map(|_| Watched::default()).collect()).collect();
        while begun.elapsed() < lasts && !stopped() {
            for (meter, watched) in self.meters.iter_mut().zip(&mut watched) {
                let asked = Instant::now();
                let read = meter.read();
                let at = asked + asked.elapsed() / 2;
                watched.iter_mut().zip(read).for_each(|(watched, read)| watched.look(at, read));
            }
            thread::sleep(PAUSE);
        }
        let channels = self.meters.iter().map(|meter| meter.channels());
        let found = |(channels, watched): (&[Channel], Vec<Watched>)| -> Vec<Probed> {
            watched.into_iter().zip(channels).map(|(watched, channel)| watched.found(channel)).collect()
        };
        self.probed = channels.zip(watched).map(found).collect();
    }

    /// What the probe found, a counter each.
    pub fn probed(&self) -> impl Iterator<Item = &Probed> {
        self.probed.iter().flatten()
    }
}
