//! Meters of fakes, through the window that runs are measured in.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use super::*;
use crate::energy::Spent;

fn channel(range: Option<u64>, limit_w: Option<f64>) -> Channel {
    Channel { domain: Domain::Package, source: "fake".to_owned(), unit: UJ, range, limit_w }
}

#[test]
fn what_a_counter_may_not_do_is_a_reason() {
    let why = |range, limit, before, after, seconds, period| {
        spent(&channel(range, limit), before, after, seconds, period).unwrap_err()
    };
    assert_eq!(spent(&channel(None, None), 5_000_000, 55_000_000, 1.0, None), Ok(50.0));
    assert_eq!(spent(&channel(Some(10_000_000_000), None), 9_999_000_000, 1_000_000, 1.0, None), Ok(2.0));
    assert!(why(None, None, 7, 6, 1.0, None).contains("went backwards, from 7 to 6 uJ"));
    assert!(why(Some(5), None, 7, 6, 1.0, None).contains("went backwards"), "a count beyond its own range");
    assert!(why(None, None, 7, 7, 12.0, Some(0.1)).contains("stood still for 12.000 s"));
    assert!(why(None, None, 7, 7, 0.5, Some(2.13)).contains("moves every 2.130 s, and the window was 0.500 s"));
    assert!(
        why(None, Some(50.0), 0, 60_000_000, 1.0, None).contains("jumped: 60.0 J in 1.000 s are 60 W, and 55 W can be")
    );
    // A driver that was loaded again began at 0: of a counter with a range that looks like most of the range.
    assert!(why(Some(262_143_328_850), Some(60.0), 9_000_000_000, 0, 1.0, None).contains("jumped"));
    assert!(why(Some(1_000_000), None, 0, 10, 1.0, None).contains("begins anew every 1 J"));
}

/// A counter of `watts` that is published every `period`, and may freeze, go back or end.
#[derive(Debug)]
struct Batches {
    begun: Instant,
    period: f64,
    watts: f64,
    channels: [Channel; 1],
}

impl Batches {
    fn boxed(period: f64, watts: f64) -> Box<dyn Meter> {
        Box::new(Batches { begun: Instant::now(), period, watts, channels: [channel(None, None)] })
    }
}

impl Meter for Batches {
    fn name(&self) -> &'static str {
        "fake"
    }
    fn detail(&self) -> String {
        "a fake".to_owned()
    }
    fn channels(&self) -> &[Channel] {
        &self.channels
    }
    fn read(&mut self) -> Vec<Result<u64, String>> {
        let published = (self.begun.elapsed().as_secs_f64() / self.period).floor() * self.period;
        vec![Ok((published * self.watts * 1e6) as u64)]
    }
}

fn window(meters: &mut Meters, domain: Domain, sample: bool, ms: u64) -> Reading {
    let window = meters.open(domain, sample);
    sleep(Duration::from_millis(ms));
    meters.close(window)
}

fn probed(meters: Vec<Box<dyn Meter>>, ms: u64) -> Meters {
    let mut meters = Meters::of(meters, None, Vec::new());
    meters.probe(Duration::from_millis(ms), &|| false);
    meters
}

/// Batches of 2.1 s, as Apple's: the probe finds the period, and a window that is too short says so instead of 0.
#[test]
fn batches_of_two_seconds() {
    let mut meters = probed(vec![Batches::boxed(2.1, 40.0)], 5_000);
    let found = meters.probed().next().unwrap().clone();
    let period = found.period_s.unwrap();
    assert!((period - 2.1).abs() < 0.1 && (found.watts.unwrap() - 40.0).abs() < 2.0 && !found.frozen, "{found:?}");
    // 0.3 s after a batch there is none for another 1.8 s.
    while meters.meters[0].read()[0] == Ok((4.2 * 40.0 * 1e6) as u64) {
        sleep(Duration::from_millis(5));
    }
    let Reading { domains, .. } = window(&mut meters, Domain::Package, false, 300);
    let Spent { joules, reason, error, .. } = &domains[&Domain::Package];
    assert!(joules.is_none() && reason.as_ref().unwrap().contains("moves every 2."), "{domains:?}");
    assert!(error.unwrap() > 1.0);
}

#[test]
fn a_counter_that_stands_still_is_frozen_and_no_value() {
    let mut meters = probed(vec![Batches::boxed(1e9, 40.0)], 200);
    let found = meters.probed().next().unwrap();
    assert!(found.frozen && found.period_s.is_none() && found.watts.is_none());
    let Reading { domains, .. } = window(&mut meters, Domain::Package, false, 100);
    assert!(domains[&Domain::Package].reason.as_ref().unwrap().contains("stood still for 0.1"), "{domains:?}");
}

/// Counter and integral of a board: the same, or the row says not.
#[test]
fn a_board_s_counter_is_held_to_its_power() {
    for (says, agree) in [(300.0, true), (200.0, false)] {
        let mut meters = probed(vec![nvml::tests::board(Duration::from_millis(20), 300.0, says)], 300);
        let reading = window(&mut meters, Domain::Board, true, 600);
        let board = &reading.domains[&Domain::Board];
        let (joules, check) = (board.joules.unwrap(), board.check_j.unwrap());
        assert!((joules / board.seconds / 300.0 - 1.0).abs() < 0.1, "{board:?}");
        assert!((check / board.seconds / says - 1.0).abs() < 0.02, "{board:?}");
        assert_eq!((board.agree, board.limit_w), (Some(agree), Some(700.0)));
        assert_eq!(reading.throttle.unwrap()["sw_power_cap"], 5);
        assert_eq!((reading.after.celsius, reading.after.mhz), (Some(61.0), Some(1980)));
        // While a run is timed nothing is sampled.
        let timed = window(&mut meters, Domain::Board, false, 100);
        assert_eq!((timed.domains[&Domain::Board].check_j, timed.domains[&Domain::Board].agree), (None, None));
    }
}

/// A Mac's frozen rail is no value and in no sum; the machine's own power stands beside the rails.
#[test]
fn a_frozen_rail_is_no_value_and_the_machine_stands_beside() {
    let mut meters = probed(vec![apple::tests::mac()], 100);
    let frozen: Vec<(Option<Domain>, bool)> = meters.probed().map(|found| (found.domain, found.frozen)).collect();
    assert_eq!(frozen, [(Some(Domain::Gpu), false), (Some(Domain::Cpu), true)]);
    let reading = window(&mut meters, Domain::Gpu, true, 400);
    let of = |domain| &reading.domains[&domain];
    assert!((of(Domain::Gpu).watts().unwrap() - 8.0).abs() < 0.5, "{reading:?}");
    assert!(of(Domain::Cpu).joules.is_none() && of(Domain::Cpu).reason.as_ref().unwrap().contains("stood still"));
    assert!((of(Domain::System).watts().unwrap() - 30.0).abs() < 0.1, "{reading:?}");
    assert_eq!(reading.before.pressure.as_deref(), Some("moderate"));
}

#[test]
fn packages_of_a_server_are_one_domain() {
    let (mut domains, seconds) = (BTreeMap::new(), 1.0);
    for joules in [Ok(3.0), Ok(4.0)] {
        let channel = channel(None, Some(100.0));
        window::add_for_tests(&mut domains, &channel, joules, seconds);
    }
    assert_eq!((domains[&Domain::Package].joules, domains[&Domain::Package].limit_w), (Some(7.0), Some(200.0)));
    window::add_for_tests(&mut domains, &channel(None, None), Err("gone".to_owned()), seconds);
    assert_eq!((domains[&Domain::Package].joules, domains[&Domain::Package].reason.as_deref()), (None, Some("gone")));
}

#[test]
fn sources_and_their_reasons_are_facts() {
    let absent = Absent::new("rapl", "no powercap", "none");
    let meters = Meters::of(vec![nvml::tests::board(Duration::from_millis(20), 1.0, 1.0)], None, vec![absent]);
    assert_eq!(meters.domains(), [Domain::Board]);
    let facts = meters.facts();
    assert_eq!((facts[0].source.as_str(), facts[0].detail.as_deref()), ("nvml", Some("a board of a test")));
    assert_eq!((facts[1].source.as_str(), facts[1].reason.as_deref()), ("rapl", Some("no powercap")));
}
