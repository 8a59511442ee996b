//! Apple silicon's rails: energy counters of IOReport, read without root, and beside them what the machine's controller says that the whole
//! draws. The rails are a model of the chip, not a meter. On macOS 27 several of them stand still for programs like ours: a rail that has
//! not moved is no value.

use std::collections::BTreeMap;

#[cfg(not(all(target_os = "macos", target_arch = "aarch64")))]
use super::ELSEWHERE;
use super::{Absent, Channel, Meter, Powers, Unit};
use crate::energy::{Domain, State};

const SOURCE: &str = "apple";
const NJ: Unit = Unit { name: "nJ", joules: 1e-9 };
/// Whole rails by the names that drivers give them.
const DOMAINS: [Domain; 4] = [Domain::Gpu, Domain::Cpu, Domain::Dram, Domain::Ane];

/// What a channel of IOReport has counted since it was last asked.
#[derive(Debug, Clone)]
struct Rail {
    group: String,
    channel: String,
    unit: String,
    ticks: i64,
}

/// The rails, and the machine's other sensors.
trait Chip {
    fn rails(&mut self) -> Vec<Rail>;
    fn state(&mut self) -> State;
}

/// Energy since the first reading.
struct Rails {
    chip: Box<dyn Chip>,
    channels: Vec<Channel>,
    /// Nanojoules by domain and group of channels.
    total: BTreeMap<(Domain, &'static str), u64>,
    powers: Option<fn() -> Powers>,
}

impl std::fmt::Debug for Rails {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rails").field("channels", &self.channels).finish_non_exhaustive()
    }
}

const MODEL: &str = "Energy Model";
const CLPC: &str = "CLPC";

/// Which rail a channel is a part of: by whole names or their ends, never by a part of one, since several hundred channels of clusters and
/// cores lie below. Memory of the GPU is told apart and left out.
fn domain(group: &str, channel: &str) -> Option<(Domain, &'static str)> {
    match group {
        MODEL if channel == "GPU Energy" || channel.ends_with("_GPU Energy") => Some((Domain::Gpu, MODEL)),
        MODEL if channel == "CPU Energy" || channel.ends_with("_CPU Energy") => Some((Domain::Cpu, MODEL)),
        MODEL if channel.starts_with("DRAM") => Some((Domain::Dram, MODEL)),
        MODEL if channel.starts_with("ANE") => Some((Domain::Ane, MODEL)),
        CLPC if channel == "CPU Energy" => Some((Domain::Cpu, CLPC)),
        CLPC if channel == "ANE" => Some((Domain::Ane, CLPC)),
        _ => None,
    }
}

fn nanojoules(rail: &Rail) -> Option<u64> {
    let each = match rail.unit.trim() {
        "nJ" => 1,
        "uJ" => 1_000,
        "mJ" => 1_000_000,
        _ => return None,
    };
    u64::try_from(rail.ticks).ok()?.checked_mul(each)
}

impl Rails {
    fn of(chip: Box<dyn Chip>, powers: Option<fn() -> Powers>) -> Result<Rails, Absent> {
        let mut rails = Rails { chip, channels: Vec::new(), total: BTreeMap::new(), powers };
        rails.take();
        let known = |domain: &Domain| rails.total.keys().any(|(known, _)| known == domain);
        let channel = |domain: Domain| Channel {
            domain,
            source: format!("{SOURCE} IOReport"),
            unit: NJ,
            range: None,
            limit_w: None,
        };
        rails.channels = DOMAINS.into_iter().filter(known).map(channel).collect();
        if rails.channels.is_empty() {
            let hint = "virtual machines have none; a meter at the wall reads any machine";
            return Err(Absent::new(SOURCE, "IOReport has no energy channels here", hint));
        }
        Ok(rails)
    }

    fn take(&mut self) {
        for rail in self.chip.rails() {
            if let (Some(place), Some(nj)) = (domain(&rail.group, &rail.channel), nanojoules(&rail)) {
                *self.total.entry(place).or_default() += nj;
            }
        }
    }

    /// The controller's own counter where it moves, since the older one may stand still beside it; never both.
    fn counted(&self, domain: Domain) -> u64 {
        let of = |group| self.total.get(&(domain, group)).copied().unwrap_or(0);
        if of(CLPC) > 0 { of(CLPC) } else { of(MODEL) }
    }
}

impl Meter for Rails {
    fn name(&self) -> &'static str {
        SOURCE
    }

    fn detail(&self) -> String {
        "rails of the chip by IOReport, which model it; the whole machine by its controller (PSTR)".to_owned()
    }

    fn channels(&self) -> &[Channel] {
        &self.channels
    }

    fn read(&mut self) -> Vec<Result<u64, String>> {
        self.take();
        self.channels.iter().map(|channel| Ok(self.counted(channel.domain))).collect()
    }

    fn powers(&self) -> Option<Box<dyn FnOnce() -> Powers + Send>> {
        let make = self.powers?;
        Some(Box::new(make))
    }

    fn state(&mut self) -> State {
        self.chip.state()
    }
}

#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
mod here {
    use macmon::sources::{IOHIDSensors, IOReport, SMC, cfio_integer_value};

    use super::*;
    use crate::machine::thermal;

    struct Mac {
        report: IOReport,
        sensors: Option<IOHIDSensors>,
    }

    impl Chip for Mac {
        fn rails(&mut self) -> Vec<Rail> {
            let Some((channels, _)) = self.report.get_samples(0, 1).pop() else { return Vec::new() };
            let rail = |item: macmon::sources::IOReportIteratorItem| Rail {
                ticks: cfio_integer_value(item.item),
                group: item.group,
                channel: item.channel,
                unit: item.unit,
            };
            channels.map(rail).collect()
        }

        fn state(&mut self) -> State {
            let hottest = self.sensors.as_ref().map(IOHIDSensors::get_metrics).unwrap_or_default();
            State {
                celsius: hottest.into_iter().map(|(_, celsius)| f64::from(celsius)).reduce(f64::max),
                pressure: thermal::pressure_level(),
                mhz: None,
            }
        }
    }

    fn system() -> Powers {
        let mut smc = SMC::new().ok();
        Box::new(move || {
            let watts = smc.as_mut().and_then(|smc| smc.read_float_val("PSTR").ok()).map(f64::from);
            let watts = watts.filter(|watts| watts.is_finite() && *watts > 0.0);
            watts.map(|watts| (Domain::System, watts)).into_iter().collect()
        })
    }

    pub(super) fn open() -> Result<Box<dyn Meter>, Absent> {
        let report = IOReport::new(vec![(MODEL, None), (CLPC, Some("Energy Counters"))]).map_err(|error| {
            let hint = "virtual machines have none; a meter at the wall reads any machine";
            Absent::new(SOURCE, format!("IOReport cannot be asked: {error}"), hint)
        })?;
        let mac = Mac { report, sensors: IOHIDSensors::new().ok() };
        Ok(Box::new(Rails::of(Box::new(mac), Some(system))?))
    }
}

/// # Errors
/// Why there is none.
pub(super) fn here() -> Result<Box<dyn Meter>, Absent> {
    #[cfg(all(target_os = "macos", target_arch = "aarch64"))]
    return here::open();
    #[cfg(not(all(target_os = "macos", target_arch = "aarch64")))]
    Err(Absent::new(SOURCE, "this is no Apple silicon", ELSEWHERE))
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Instant;

    use super::*;

    fn rail(group: &str, channel: &str, unit: &str, ticks: i64) -> Rail {
        Rail { group: group.to_owned(), channel: channel.to_owned(), unit: unit.to_owned(), ticks }
    }

    /// Answers, one a reading; the last one for ever.
    struct Said(Vec<Vec<Rail>>);

    impl Chip for Said {
        fn rails(&mut self) -> Vec<Rail> {
            if self.0.len() > 1 { self.0.remove(0) } else { self.0[0].clone() }
        }

        fn state(&mut self) -> State {
            State { celsius: Some(48.0), pressure: Some("nominal".to_owned()), mhz: None }
        }
    }

    fn read(answers: Vec<Vec<Rail>>) -> BTreeMap<Domain, u64> {
        let mut rails = Rails::of(Box::new(Said(answers)), None).unwrap();
        let counts = rails.read();
        rails.channels.iter().zip(counts).map(|(channel, count)| (channel.domain, count.unwrap())).collect()
    }

    /// A MacBook's channels by name: what lies below a rail is not counted again.
    #[test]
    fn rails_are_summed_by_whole_names() {
        let found = read(vec![vec![
            rail(MODEL, "GPU Energy", "nJ", 5_000),
            rail(MODEL, "GPU SRAM0", "mJ", 9),
            rail(MODEL, "GPU0_0", "mJ", 9),
            rail(MODEL, "ECPU0", "mJ", 9),
            rail(MODEL, "PCPU", "mJ", 9),
            rail(MODEL, "EACC_CPU", "mJ", 9),
            rail(MODEL, "CPU Energy", "mJ", 3),
            rail(MODEL, "DRAM0", "mJ", 1),
            rail(MODEL, "DRAM1", "mJ", 1),
            rail(MODEL, "ANE0", "uJ", 7),
            rail("GPU Stats", "GPU Energy", "nJ", 9),
            rail(MODEL, "CPU Energy", "events", 9),
        ]]);
        let twice = |once: u64| 2 * once;
        assert_eq!(found[&Domain::Gpu], twice(5_000));
        assert_eq!(found[&Domain::Cpu], twice(3_000_000));
        assert_eq!(found[&Domain::Dram], twice(2_000_000));
        assert_eq!(found[&Domain::Ane], twice(7_000));
    }

    #[test]
    fn an_ultra_has_two_dies() {
        let dies = [0, 1].map(|die| rail(MODEL, &format!("DIE_{die}_CPU Energy"), "mJ", 2));
        assert_eq!(read(vec![dies.to_vec()])[&Domain::Cpu], 8_000_000);
    }

    /// macOS 27: the older counters stand still, the controller's own move; or both move, and one of them counts.
    #[test]
    fn the_controller_s_counter_is_taken_alone_where_it_moves() {
        let old = |ticks| rail(MODEL, "CPU Energy", "mJ", ticks);
        let new = |ticks| rail(CLPC, "CPU Energy", "nJ", ticks);
        assert_eq!(read(vec![vec![old(0), new(70)]])[&Domain::Cpu], 140);
        assert_eq!(read(vec![vec![old(9), new(70)]])[&Domain::Cpu], 140);
        assert_eq!(read(vec![vec![old(1), new(0)]])[&Domain::Cpu], 2_000_000);
        assert_eq!(read(vec![vec![old(-1), new(0)]])[&Domain::Cpu], 0, "a negative reading is none");
    }

    #[test]
    fn a_chip_without_channels_is_a_reason() {
        let why = Rails::of(Box::new(Said(vec![vec![rail("PMP", "x", "mJ", 1)]])), None).unwrap_err();
        assert!(why.reason.contains("no energy channels"));
    }

    /// A Mac on which the processor's counter stands still, the GPU's moves at every reading and the machine takes 30 W.
    pub(in super::super) fn mac() -> Box<dyn Meter> {
        struct Half(Instant);
        impl Chip for Half {
            fn rails(&mut self) -> Vec<Rail> {
                let ticks = self.0.elapsed().as_nanos() as i64 * 8;
                self.0 = Instant::now();
                vec![rail(MODEL, "GPU Energy", "nJ", ticks), rail(MODEL, "CPU Energy", "mJ", 0)]
            }
            fn state(&mut self) -> State {
                State { celsius: Some(48.0), pressure: Some("moderate".to_owned()), mhz: None }
            }
        }
        fn system() -> Powers {
            Box::new(|| vec![(Domain::System, 30.0)])
        }
        Box::new(Rails::of(Box::new(Half(Instant::now())), Some(system)).unwrap())
    }
}
