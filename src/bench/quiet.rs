//! Waiting before an execution until the machine is quiet and cool enough to be measured on.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

use super::cooling::World;
use crate::machine::{self, Thermal};

/// What the machine must keep to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// The load average of one minute, a core.
    pub load: f64,
    /// The hottest sensor, in degrees Celsius.
    pub celsius: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { load: 0.5, celsius: 75.0 }
    }
}

/// Why it did not begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotNow {
    Stopped,
    /// In words.
    Busy(String),
}

/// What was seen of the machine; `None` where it does not say, which nobody can wait for.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Seen {
    /// A core.
    load: Option<f64>,
    thermal: Option<Thermal>,
}

impl Limits {
    /// Waits for so long at most; `waits` is told of what, once.
    ///
    /// # Errors
    /// It is still too busy or too hot, or `stop` was set.
    pub fn keep(&self, wait: Duration, stop: &AtomicBool, waits: &mut dyn FnMut(&str)) -> Result<(), NotNow> {
        let begin = Instant::now();
        let world = World {
            thermal: &|| machine::thermal_reading().value,
            now: &|| begin.elapsed(),
            sleep: &sleep,
            stopped: &|| stop.load(Ordering::SeqCst),
        };
        self.keep_in(&world, &|| machine::load_average().value, cores(), wait, waits)
    }

    fn keep_in(
        &self,
        world: &World<'_>,
        load: &dyn Fn() -> Option<f64>,
        cores: f64,
        wait: Duration,
        waits: &mut dyn FnMut(&str),
    ) -> Result<(), NotNow> {
        let look = || self.exceeded(Seen { load: load().map(|load| load / cores), thermal: (world.thermal)() });
        let Some(mut why) = look() else { return Ok(()) };
        waits(&why);
        let (mut looked, mut over) = ((world.now)(), false);
        world.wait(wait, &mut || {
            // A look starts programs on some systems, which is load again.
            if (world.now)().saturating_sub(looked) >= LOOK {
                looked = (world.now)();
                match look() {
                    Some(still) => why = still,
                    None => over = true,
                }
            }
            over
        });
        match (over, (world.stopped)()) {
            (true, _) => Ok(()),
            (false, true) => Err(NotNow::Stopped),
            (false, false) => Err(NotNow::Busy(why)),
        }
    }

    /// What is beyond its limit, in words.
    fn exceeded(&self, seen: Seen) -> Option<String> {
        let busy = seen.load.filter(|load| *load > self.load);
        let busy = busy.map(|load| format!("too busy: a load of {load:.2} a core, {} at most", self.load));
        busy.or_else(|| match seen.thermal? {
            Thermal::Celsius(now) if now > self.celsius => {
                Some(format!("too hot: {now:.0} C, {} at most", self.celsius))
            }
            limited @ Thermal::Pressure { warning, speed_limit } if warning > 0 || speed_limit < 100 => {
                Some(format!("too hot: {limited}"))
            }
            _ => None,
        })
    }
}

const LOOK: Duration = Duration::from_secs(2);

fn cores() -> f64 {
    std::thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// What came of it, seconds waited, and what was told, on a machine of four cores whose load and temperature are those of each
    /// second, stopped at `stop`.
    fn kept(
        load: impl Fn(u64) -> Option<f64>,
        celsius: impl Fn(u64) -> Option<f64>,
        stop: u64,
    ) -> (Result<(), NotNow>, u64, Vec<String>) {
        let clock = Cell::new(Duration::ZERO);
        let now = || clock.get().as_secs();
        let world = World {
            thermal: &|| celsius(now()).map(Thermal::Celsius),
            now: &|| clock.get(),
            sleep: &|time| clock.set(clock.get() + time),
            stopped: &|| now() >= stop,
        };
        let mut told = Vec::new();
        let kept = Limits::default().keep_in(&world, &|| load(now()), 4.0, Duration::from_secs(60), &mut |why| {
            told.push(why.to_owned());
        });
        (kept, now(), told)
    }

    const NEVER: u64 = u64::MAX;

    #[test]
    fn a_quiet_machine_is_not_waited_for_nor_is_one_that_says_nothing() {
        assert_eq!(kept(|_| Some(2.0), |_| Some(75.0), NEVER), (Ok(()), 0, vec![]));
        assert_eq!(kept(|_| None, |_| None, NEVER), (Ok(()), 0, vec![]));
    }

    #[test]
    fn it_waits_until_the_machine_is_quiet_and_no_longer() {
        let calms = |second: u64| Some(12.0 - second as f64);
        let told = vec!["too busy: a load of 3.00 a core, 0.5 at most".to_owned()];
        assert_eq!(kept(calms, |_| None, NEVER), (Ok(()), 10, told));
        let cools = |second: u64| Some(90.0 - second as f64);
        assert_eq!(kept(|_| Some(0.1), cools, NEVER).1, 16, "looked at every other second");
    }

    #[test]
    fn it_gives_up_and_says_why_or_ends_when_stopped() {
        let why = "too hot: 90 C, 75 at most".to_owned();
        let never_cools = || kept(|_| None, |_| Some(90.0), NEVER);
        assert_eq!(never_cools(), (Err(NotNow::Busy(why.clone())), 60, vec![why]));
        assert_eq!(kept(|_| None, |_| Some(90.0), 7).0, Err(NotNow::Stopped));
        assert_eq!(kept(|_| None, |_| Some(90.0), 7).1, 7);
    }

    #[test]
    fn a_mac_that_is_limited_is_too_hot() {
        let seen =
            |warning, speed_limit| Seen { load: None, thermal: Some(Thermal::Pressure { warning, speed_limit }) };
        let exceeded = |seen| Limits::default().exceeded(seen);
        assert_eq!(exceeded(seen(0, 100)), None);
        assert_eq!(exceeded(seen(0, 70)).as_deref(), Some("too hot: warning level 0, speed limit 70 %"));
        assert!(exceeded(seen(1, 100)).is_some());
    }
}
