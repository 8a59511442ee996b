//! Waiting before a run: the study's pause, then its thermal gate, until the machine is back in the band it started in. What a
//! wait asks of the world is given to it, so that tests need neither heat nor time.

use std::time::Duration;

use crate::{machine::Thermal, study::Execution};

/// What waiting asks of the world.
pub(super) struct World<'a> {
    /// How hot the machine is; `None` where it does not say.
    pub(super) thermal: &'a dyn Fn() -> Option<Thermal>,
    /// Time since any fixed moment.
    pub(super) now: &'a dyn Fn() -> Duration,
    pub(super) sleep: &'a dyn Fn(Duration),
    pub(super) stopped: &'a dyn Fn() -> bool,
}

/// How often a wait looks up.
const STEP: Duration = Duration::from_millis(100);

impl World<'_> {
    /// Waits as `execution` says; `start` is the reading at the beginning. `waits` is told of each wait, and how long it may last.
    pub(super) fn cool_down(&self, execution: &Execution, start: Option<&Thermal>, waits: &mut dyn FnMut(Duration)) {
        if execution.cooldown_s > 0.0 {
            let pause = Duration::from_secs_f64(execution.cooldown_s);
            waits(pause);
            self.wait(pause, &mut || false);
        }
        // A machine that shows no temperature cannot be waited for; its rows say `thermal: null`.
        if let (Some(limit), Some(start)) = (execution.thermal_gate_s, start) {
            let limit = Duration::from_secs_f64(limit);
            let mut cool = || (self.thermal)().is_none_or(|reading| reading.is_back_at(start));
            if !cool() {
                waits(limit);
                self.wait(limit, &mut cool);
            }
        }
    }

    /// Until `done`, a stop from outside, or the limit.
    pub(super) fn wait(&self, limit: Duration, done: &mut dyn FnMut() -> bool) {
        let begin = (self.now)();
        loop {
            let left = limit.saturating_sub((self.now)().saturating_sub(begin));
            if left.is_zero() || (self.stopped)() || done() {
                return;
            }
            (self.sleep)(STEP.min(left));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::study::{Isolation, Order};

    /// Milliseconds waited, and the limits that were told, on a machine that began at 50 C, shows `thermal` at each moment and is
    /// stopped at `stop`.
    fn waited(
        (cooldown_s, thermal_gate_s): (f64, Option<f64>),
        start: Option<f64>,
        thermal: impl Fn(u64) -> Option<f64>,
        stop: u64,
    ) -> (u64, Vec<u64>) {
        let execution = Execution {
            seed: 0,
            isolation: Isolation::Process,
            order: Order::Blocks,
            cooldown_s,
            thermal_gate_s,
            timeout_s: 1.0,
            kernels: None,
        };
        // A clock that did not begin at zero.
        let clock = Cell::new(Duration::from_secs(1000));
        let ms = || (clock.get() - Duration::from_secs(1000)).as_millis() as u64;
        let world = World {
            thermal: &|| thermal(ms()).map(Thermal::Celsius),
            now: &|| clock.get(),
            sleep: &|time| {
                assert!(!time.is_zero() && time <= STEP);
                clock.set(clock.get() + time);
            },
            stopped: &|| ms() >= stop,
        };
        let mut told = Vec::new();
        let mut waits = |limit: Duration| told.push(limit.as_millis() as u64);
        world.cool_down(&execution, start.map(Thermal::Celsius).as_ref(), &mut waits);
        (ms(), told)
    }

    const NEVER: u64 = u64::MAX;

    #[test]
    fn it_waits_while_the_machine_is_hot_and_no_longer() {
        let cooling = |ms: u64| Some(60.0 - ms as f64 / 1000.0);
        // Back within three degrees of 50 C after seven seconds.
        assert_eq!(waited((0.0, Some(60.0)), Some(50.0), cooling, NEVER), (7000, vec![60_000]));
        assert_eq!(waited((0.0, Some(60.0)), Some(50.0), |_| Some(53.0), NEVER), (0, vec![]));
    }

    #[test]
    fn it_gives_up_at_the_limit_to_the_millisecond() {
        assert_eq!(waited((0.0, Some(0.25)), Some(50.0), |_| Some(90.0), NEVER), (250, vec![250]));
    }

    #[test]
    fn the_pause_comes_first_and_lasts_whatever_the_temperature() {
        let cooling = |ms: u64| Some(if ms < 2500 { 90.0 } else { 50.0 });
        assert_eq!(waited((2.0, Some(60.0)), Some(50.0), cooling, NEVER), (2500, vec![2000, 60_000]));
        assert_eq!(waited((2.0, None), Some(50.0), |_| Some(20.0), NEVER), (2000, vec![2000]));
        assert_eq!(waited((0.0, None), Some(50.0), |_| Some(90.0), NEVER), (0, vec![]));
    }

    #[test]
    fn a_stop_ends_pause_and_gate() {
        assert_eq!(waited((3600.0, None), None, |_| None, 500).0, 500);
        assert_eq!(waited((0.0, Some(3600.0)), Some(50.0), |_| Some(90.0), 300), (300, vec![3_600_000]));
    }

    #[test]
    fn where_no_temperature_can_be_read_nothing_is_waited_for() {
        assert_eq!(waited((0.0, Some(60.0)), None, |_| None, NEVER), (0, vec![]));
        assert_eq!(waited((0.0, Some(60.0)), None, |_| Some(90.0), NEVER), (0, vec![]));
        // A sensor that falls silent ends the wait.
        let silent = |ms: u64| (ms < 1000).then_some(90.0);
        assert_eq!(waited((0.0, Some(60.0)), Some(50.0), silent, NEVER).0, 1000);
    }
}
