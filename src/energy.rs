//! What a window took of energy: rows of `energy.jsonl`, which stand beside those of `runs.jsonl`. A value that is not one is `null` with
//! its reason, never 0. Knows no meter and no statistics.

use std::{collections::BTreeMap, fmt, str::FromStr};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// The schema of a row of `energy.jsonl`.
pub const ENERGY_SCHEMA: &str = "offprint.energy/1";

/// A mean whose window error is larger than this share of it is no claim.
pub const MOST_ERROR: f64 = 0.02;
/// A value and its check that lie further apart than this share of the value do not agree.
const APART: f64 = 0.1;
/// A limit may be passed for a moment, by this share.
const BEYOND_LIMIT: f64 = 1.1;
/// A row that was limited for more than this share of its window was throttled.
const THROTTLED: f64 = 0.01;

/// What a meter sees. They are never added and never compared with each other: a board has its memory in it, a GPU on a chip has not.
/// In this order one is a study's own unless it names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Domain {
    /// All that the machine takes: at the wall, or what its controller says.
    System,
    /// A graphics card with its memory.
    Board,
    /// The GPU of a system on a chip, without memory.
    Gpu,
    /// Processor packages, with a GPU inside them.
    Package,
    /// The processor's cores of a system on a chip.
    Cpu,
    Dram,
    /// The neural engine.
    Ane,
}

impl Domain {
    pub const ALL: [Domain; 7] =
        [Domain::System, Domain::Board, Domain::Gpu, Domain::Package, Domain::Cpu, Domain::Dram, Domain::Ane];

    pub fn name(self) -> &'static str {
        match self {
            Domain::System => "system",
            Domain::Board => "board",
            Domain::Gpu => "gpu",
            Domain::Package => "package",
            Domain::Cpu => "cpu",
            Domain::Dram => "dram",
            Domain::Ane => "ane",
        }
    }

    /// As prose calls it.
    pub fn label(self) -> &'static str {
        match self {
            Domain::System => "the whole machine",
            Domain::Board => "the GPU's board with its memory",
            Domain::Gpu => "the chip's GPU without memory",
            Domain::Package => "the processor's packages without memory",
            Domain::Cpu => "the chip's processor cores without memory",
            Domain::Dram => "memory",
            Domain::Ane => "the neural engine",
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Domain {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Domain::ALL.into_iter().find(|domain| domain.name() == name).ok_or(())
    }
}

/// A source of energy readings on a machine, or why it is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceFacts {
    /// `rapl`, `nvml`, `apple`, `meter`.
    pub source: String,
    pub domains: Vec<Domain>,
    /// What it is, in its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Why there is nothing to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a domain took in a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spent {
    pub joules: Option<f64>,
    /// Why there is no value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where the value comes from.
    pub source: String,
    /// In which the source counts: `mJ`, `uJ`, `nJ`, or `W` where power was integrated.
    pub unit: String,
    /// Between the two readings.
    pub seconds: f64,
    /// How often the source is fresh, as measured at the beginning.
    pub period_s: Option<f64>,
    /// Share of the value that a window's ends may be off by, one standard deviation: 0.41 period / window.
    pub error: Option<f64>,
    /// Readings that the value rests on.
    pub samples: u32,
    /// Watts of the machine with the model loaded and nothing asked of it, measured in the same block.
    pub idle_w: Option<f64>,
    /// What the source can draw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_w: Option<f64>,
    /// The same by the integral of power; only where something may be sampled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_j: Option<f64>,
    /// Do the two agree within a tenth?
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agree: Option<bool>,
}

/// A moment of the machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub celsius: Option<f64>,
    /// macOS: `nominal`, `moderate`, `heavy`, `trapping`, `sleeping`.
    pub pressure: Option<String>,
    /// The GPU's clock.
    pub mhz: Option<u32>,
}

/// One window: a measured run, or requests of one run again and again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnergyRow {
    /// [`ENERGY_SCHEMA`].
    pub schema: String,
    pub run: u32,
    pub order: u32,
    /// Since the moment that its row calls `started_at`.
    pub start_ns: u64,
    pub end_ns: u64,
    /// Answered inside the window.
    pub requests: u32,
    /// Tokens generated in it.
    pub n_gen: u64,
    /// The one of `domains` that `energy_j` and the paper take.
    pub domain: Domain,
    pub domains: BTreeMap<Domain, Spent>,
    pub before: State,
    pub after: State,
    /// Nanoseconds for which the driver held the clock down, by its reason; `null` where it does not count them.
    pub throttle: Option<BTreeMap<String, u64>>,
}

/// What metrics take from a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Use {
    pub domain: Domain,
    /// Gross.
    pub joules: f64,
    /// Without idle power.
    pub net: Option<f64>,
    pub seconds: f64,
    pub requests: f64,
    pub tokens: f64,
    pub error: Option<f64>,
}

/// One standard deviation of a window's energy from ends that fall between two publications, as a share: both ends are off by a uniform part
/// of a period, p / sqrt 6 together.
pub fn window_error(period_s: f64, seconds: f64) -> f64 {
    0.41 * period_s / seconds
}

impl Spent {
    /// One without a value.
    pub fn not(source: &str, unit: &str, seconds: f64, reason: impl Into<String>) -> Spent {
        Spent {
            joules: None,
            reason: Some(reason.into()),
            source: source.to_owned(),
            unit: unit.to_owned(),
            seconds,
            period_s: None,
            error: None,
            samples: 0,
            idle_w: None,
            limit_w: None,
            check_j: None,
            agree: None,
        }
    }

    pub fn watts(&self) -> Option<f64> {
        self.joules.map(|joules| joules / self.seconds)
    }

    /// With what the integral of power says, and whether that agrees.
    pub fn checked(self, check_j: f64) -> Spent {
        let agree = self.joules.map(|joules| (check_j - joules).abs() <= APART * joules);
        Spent { check_j: Some(check_j), agree, ..self }
    }
}

impl EnergyRow {
    /// Of the study's own domain; `None` where it has no value.
    pub fn used(&self) -> Option<Use> {
        let spent = self.domains.get(&self.domain)?;
        let joules = spent.joules?;
        Some(Use {
            domain: self.domain,
            joules,
            net: spent.idle_w.map(|idle| joules - idle * spent.seconds),
            seconds: spent.seconds,
            requests: self.requests.into(),
            tokens: self.n_gen as f64,
            error: spent.error,
        })
    }

    /// Why there is no value of the study's own domain.
    pub fn lacks(&self) -> Option<&str> {
        let Some(spent) = self.domains.get(&self.domain) else { return Some("nothing reads this domain") };
        spent.reason.as_deref().filter(|_| spent.joules.is_none())
    }

    /// Was the machine held back? What the driver counts, and what macOS says.
    pub fn throttled(&self) -> bool {
        let window = (self.end_ns - self.start_ns) as f64;
        let by_driver = self.throttle.iter().flatten().any(|(_, ns)| *ns as f64 > THROTTLED * window);
        let says = [&self.before, &self.after].into_iter().filter_map(|state| state.pressure.as_deref());
        by_driver || says.into_iter().any(|level| level != "nominal")
    }

    /// Is the row one by itself?
    ///
    /// # Errors
    /// Another schema, a number that cannot be, a missing value without its reason.
    pub fn check(&self) -> Result<()> {
        let EnergyRow { schema, run, start_ns, end_ns, .. } = self;
        ensure!(schema == ENERGY_SCHEMA, "schema: expected {ENERGY_SCHEMA}, found {schema}");
        ensure!(start_ns < end_ns, "run {run}: a window that ends after it began, found {start_ns} to {end_ns} ns");
        ensure!(self.requests > 0 && self.n_gen > 0, "run {run}: requests and tokens of a window, found none");
        let seconds = (end_ns - start_ns) as f64 / 1e9;
        for (domain, spent) in &self.domains {
            let at = |what: &str, found: &dyn fmt::Debug| format!("run {run}, {domain}: {what}, found {found:?}");
            ensure!(
                spent.joules.is_none() == spent.reason.is_some(),
                at("a value or a reason", &(spent.joules, &spent.reason))
            );
            // A reading takes some milliseconds of a driver, and lies on either side of the window's end; no counter tells more than its
            // period.
            let slack = spent.period_s.unwrap_or(0.0).max(1e-3);
            let fits = spent.seconds > 0.0 && spent.seconds <= seconds * 1.001 + slack;
            ensure!(fits, at(&format!("readings inside a window of {seconds} s"), &spent.seconds));
            if let Some(joules) = spent.joules {
                ensure!(joules.is_finite() && joules > 0.0, at("joules above 0", &joules));
                let watts = joules / spent.seconds;
                let most = spent.limit_w.map_or(f64::INFINITY, |limit| limit * BEYOND_LIMIT);
                ensure!(watts <= most, at(&format!("no more than the limit of {most} W"), &watts));
            }
            let counted = [spent.period_s, spent.error, spent.idle_w, spent.check_j, spent.limit_w];
            let wrong = counted.into_iter().flatten().find(|value| !(value.is_finite() && *value >= 0.0));
            ensure!(wrong.is_none(), at("numbers of 0 or more", &wrong));
            if let Some((period, error)) = spent.period_s.zip(spent.error) {
                let expected = window_error(period, spent.seconds);
                ensure!(
                    (error - expected).abs() <= 1e-9 + expected * 1e-6,
                    at(&format!("an error of {expected}"), &error)
                );
            }
            let again = spent.check_j.and_then(|check| spent.clone().checked(check).agree);
            ensure!(again == spent.agree, at(&format!("`agree` {again:?} by its numbers"), &spent.agree));
        }
        Ok(())
    }
}

#[cfg(test)]
impl EnergyRow {
    /// For tests: 10 s at 50 W of the package, 8 requests of 16 tokens, a counter that moves every 1 ms, idle at 20 W.
    pub(crate) fn example() -> Self {
        let spent = Spent {
            joules: Some(500.0),
            reason: None,
            period_s: Some(0.001),
            error: Some(window_error(0.001, 10.0)),
            samples: 2,
            idle_w: Some(20.0),
            ..Spent::not("rapl", "uJ", 10.0, "")
        };
        EnergyRow {
            schema: ENERGY_SCHEMA.to_owned(),
            run: 1,
            order: 1,
            start_ns: 1_000_000,
            end_ns: 10_001_000_000,
            requests: 8,
            n_gen: 128,
            domain: Domain::Package,
            domains: BTreeMap::from([(Domain::Package, spent)]),
            before: State::default(),
            after: State::default(),
            throttle: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;

    /// Windows of random phase over a counter that publishes every `period` at constant power: the spread of what they say.
    #[test]
    fn the_bound_of_a_window_is_that_of_a_simulation() {
        let mut random = SplitMix64(20_261_128);
        let mut uniform = || random.unit();
        for (period, seconds) in [(0.1, 1.0), (0.1, 10.0), (2.13, 5.0), (2.13, 10.0), (2.13, 30.0), (2.13, 60.0)] {
            // Counters publish what was used until then; each end of a window has a phase of its own.
            let published = |at: f64, phase: f64| ((at + phase) / period).floor() * period - phase;
            let errors: Vec<f64> = (0..40_000)
                .map(|_| {
                    let begin = uniform() * period;
                    // A window's length is never the same to a period.
                    let length = seconds + (uniform() - 0.5) * period;
                    let phase = uniform() * period;
                    (published(begin + length, phase) - published(begin, phase)) / length - 1.0
                })
                .collect();
            let rms = (errors.iter().map(|error| error * error).sum::<f64>() / errors.len() as f64).sqrt();
            let bound = window_error(period, seconds);
            assert!((rms / bound - 1.0).abs() < 0.05, "period {period}, window {seconds}: {rms} for {bound}");
        }
    }

    #[test]
    fn a_row_is_held_to_its_own_numbers() {
        let found = |change: &dyn Fn(&mut EnergyRow)| {
            let mut row = EnergyRow::example();
            change(&mut row);
            row.check().err().map(|error| error.to_string()).unwrap_or_default()
        };
        fn package(row: &mut EnergyRow) -> &mut Spent {
            row.domains.get_mut(&Domain::Package).unwrap()
        }
        assert_eq!(found(&|_| {}), "");
        for (change, expected) in [
            (&(|row: &mut EnergyRow| row.schema.push('1')) as &dyn Fn(&mut EnergyRow), "schema: expected"),
            (&|row| row.end_ns = row.start_ns, "a window that ends after it began"),
            (&|row| row.n_gen = 0, "requests and tokens"),
            (&|row| package(row).joules = Some(0.0), "joules above 0, found 0.0"),
            (&|row| package(row).joules = Some(f64::NAN), "joules above 0"),
            (&|row| package(row).joules = None, "a value or a reason"),
            (&|row| package(row).reason = Some("why".to_owned()), "a value or a reason"),
            (&|row| package(row).limit_w = Some(45.0), "no more than the limit of 49.5"),
            (&|row| package(row).seconds = 10.1, "readings inside a window"),
            (&|row| package(row).idle_w = Some(-1.0), "numbers of 0 or more"),
            (&|row| package(row).error = Some(0.01), "an error of 0.000041"),
            (&|row| package(row).agree = Some(true), "`agree` None"),
            (&|row| package(row).check_j = Some(440.0), "`agree` Some(false)"),
        ] {
            assert!(found(change).contains(expected), "{expected}: {}", found(change));
        }
    }

    #[test]
    fn what_is_used_is_gross_and_net_of_one_domain() {
        let row = EnergyRow::example();
        let used = row.used().unwrap();
        assert_eq!((used.joules, used.net, used.tokens, used.requests), (500.0, Some(300.0), 128.0, 8.0));
        let other = EnergyRow { domain: Domain::Board, ..row.clone() };
        assert_eq!((other.used(), other.lacks()), (None, Some("nothing reads this domain")));
        assert_eq!(row.lacks(), None);
    }

    #[test]
    fn throttled_is_what_the_driver_counts_or_macos_says() {
        let mut row = EnergyRow::example();
        assert!(!row.throttled());
        row.throttle = Some(BTreeMap::from([("sw_power_cap".to_owned(), 100_000_000)]));
        assert!(!row.throttled(), "a hundredth of the window and no more");
        row.throttle = Some(BTreeMap::from([("sw_power_cap".to_owned(), 100_000_001)]));
        assert!(row.throttled());
        row.throttle = None;
        row.after.pressure = Some("nominal".to_owned());
        assert!(!row.throttled());
        row.after.pressure = Some("heavy".to_owned());
        assert!(row.throttled());
    }

    #[test]
    fn a_check_may_be_a_tenth_away() {
        let spent = EnergyRow::example().domains[&Domain::Package].clone();
        assert_eq!(spent.clone().checked(549.0).agree, Some(true));
        assert_eq!(spent.checked(551.0).agree, Some(false));
    }
}
