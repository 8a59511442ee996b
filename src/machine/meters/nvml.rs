//! NVIDIA's boards through NVML, the driver's own library: the energy counter is the value, integrated power its check. The library is
//! loaded when it is asked for; a machine without it has a reason and nothing else.

use std::{collections::BTreeMap, fmt, sync::Arc};

#[cfg(not(target_os = "linux"))]
use super::ELSEWHERE;
use super::{Absent, Channel, MJ, Meter, Powers};
use crate::energy::{Domain, State};

const SOURCE: &str = "nvml";

/// What is asked of a board.
trait Gpu: fmt::Debug + Send + Sync {
    fn detail(&self) -> String;
    fn millijoules(&self) -> Result<u64, String>;
    fn watts(&self) -> Option<f64>;
    fn limit_w(&self) -> Option<f64>;
    fn state(&self) -> State;
    fn throttle(&self) -> Option<BTreeMap<String, u64>>;
}

#[derive(Debug)]
struct Board {
    gpu: Arc<dyn Gpu>,
    channels: [Channel; 1],
}

impl Board {
    fn of(gpu: Arc<dyn Gpu>) -> Result<Board, Absent> {
        gpu.millijoules().map_err(|why| {
            let hint =
                "boards before Volta and most virtual GPUs count no energy; a meter at the wall reads any machine";
            Absent::new(SOURCE, format!("{}: {why}", gpu.detail()), hint)
        })?;
        let limit_w = gpu.limit_w();
        let channel = Channel { domain: Domain::Board, source: SOURCE.to_owned(), unit: MJ, range: None, limit_w };
        Ok(Board { gpu, channels: [channel] })
    }
}

impl Meter for Board {
    fn name(&self) -> &'static str {
        SOURCE
    }

    fn detail(&self) -> String {
        self.gpu.detail()
    }

    fn channels(&self) -> &[Channel] {
        &self.channels
    }

    fn read(&mut self) -> Vec<Result<u64, String>> {
        vec![self.gpu.millijoules()]
    }

    fn powers(&self) -> Option<Box<dyn FnOnce() -> Powers + Send>> {
        let gpu = Arc::clone(&self.gpu);
        Some(Box::new(|| Box::new(move || gpu.watts().map(|watts| (Domain::Board, watts)).into_iter().collect())))
    }

    fn state(&mut self) -> State {
        self.gpu.state()
    }

    fn throttle(&mut self) -> Option<BTreeMap<String, u64>> {
        self.gpu.throttle()
    }
}

#[cfg(target_os = "linux")]
mod here {
    use nvml_wrapper::{
        Device,
        enum_wrappers::device::{Clock, TemperatureSensor},
        enums::device::SampleValue,
        structs::device::FieldId,
        sys_exports::field_id,
    };

    use super::*;
    use crate::machine::nvidia;

    #[derive(Debug)]
    struct Nvidia {
        device: Device<'static>,
        detail: String,
    }

    /// Reasons for which the driver counts nanoseconds, by its field.
    const REASONS: [(&str, u32); 5] = [
        ("sw_power_cap", field_id::NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_POWER_CAP),
        ("sync_boost", field_id::NVML_FI_DEV_CLOCKS_EVENT_REASON_SYNC_BOOST),
        ("sw_thermal", field_id::NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN),
        ("hw_thermal", field_id::NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN),
        ("hw_power_brake", field_id::NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN),
    ];

    impl Nvidia {
        fn field(&self, id: u32) -> Option<u64> {
            let found = self.device.field_values_for(&[FieldId(id)]).ok()?.pop()?.ok()?;
            match found.value.ok()? {
                SampleValue::U32(value) => Some(value.into()),
                SampleValue::U64(value) => Some(value),
                SampleValue::I64(value) => u64::try_from(value).ok(),
                SampleValue::F64(_) => None,
            }
        }
    }

    impl Gpu for Nvidia {
        fn detail(&self) -> String {
            self.detail.clone()
        }

        fn millijoules(&self) -> Result<u64, String> {
            self.device.total_energy_consumption().map_err(|error| format!("its energy counter: {error}"))
        }

        fn watts(&self) -> Option<f64> {
            let instant = self.field(field_id::NVML_FI_DEV_POWER_INSTANT).filter(|milliwatts| *milliwatts > 0);
            instant.map(|milliwatts| milliwatts as f64 / 1e3)
        }

        fn limit_w(&self) -> Option<f64> {
            self.device.enforced_power_limit().ok().map(|milliwatts| f64::from(milliwatts) / 1e3)
        }

        fn state(&self) -> State {
            State {
                celsius: self.device.temperature(TemperatureSensor::Gpu).ok().map(f64::from),
                pressure: None,
                mhz: self.device.clock_info(Clock::SM).ok(),
            }
        }

        fn throttle(&self) -> Option<BTreeMap<String, u64>> {
            let counted = REASONS.iter().filter_map(|(name, id)| Some(((*name).to_owned(), self.field(*id)?)));
            Some(counted.collect::<BTreeMap<String, u64>>()).filter(|reasons| !reasons.is_empty())
        }
    }

    pub(super) fn open() -> Result<Box<dyn Meter>, Absent> {
        let absent = |reason: String, hint: &str| Absent::new(SOURCE, reason, hint);
        let device = nvidia::device().map_err(|(why, hint)| absent(why, hint))?;
        if device.mig_mode().is_ok_and(|mode| mode.current == 1) {
            let why = "the GPU is partitioned (MIG), and its counter is the whole board's".to_owned();
            return Err(absent(why, "a meter at the wall reads any machine"));
        }
        let name = device.name().unwrap_or_else(|_| "a GPU without a name".to_owned());
        let driver = nvidia::driver().map_or_else(String::new, |driver| format!(", driver {driver}"));
        let gpu = Nvidia { detail: format!("{name}{driver}"), device };
        Ok(Box::new(Board::of(Arc::new(gpu))?))
    }
}

/// # Errors
/// Why there is none.
pub(super) fn here() -> Result<Box<dyn Meter>, Absent> {
    #[cfg(target_os = "linux")]
    return here::open();
    #[cfg(not(target_os = "linux"))]
    Err(Absent::new(SOURCE, "NVIDIA's boards are read on Linux", ELSEWHERE))
}

#[cfg(test)]
pub(super) mod tests {
    use std::{
        sync::Mutex,
        time::{Duration, Instant},
    };

    use super::*;

    /// A board that draws `watts` by its counter, which is published every so often, and `says` watts.
    #[derive(Debug)]
    struct Fake {
        begun: Instant,
        period: Duration,
        watts: f64,
        says: f64,
        throttle: Mutex<u64>,
    }

    impl Gpu for Fake {
        fn detail(&self) -> String {
            "a board of a test".to_owned()
        }

        fn millijoules(&self) -> Result<u64, String> {
            let periods = (self.begun.elapsed().as_secs_f64() / self.period.as_secs_f64()).floor();
            Ok(1_000_000 + (periods * self.period.as_secs_f64() * self.watts * 1e3) as u64)
        }

        fn watts(&self) -> Option<f64> {
            Some(self.says)
        }

        fn limit_w(&self) -> Option<f64> {
            Some(700.0)
        }

        fn state(&self) -> State {
            State { celsius: Some(61.0), pressure: None, mhz: Some(1980) }
        }

        fn throttle(&self) -> Option<BTreeMap<String, u64>> {
            let mut ns = self.throttle.lock().unwrap();
            *ns += 5;
            Some(BTreeMap::from([("sw_power_cap".to_owned(), *ns)]))
        }
    }

    pub(in super::super) fn board(period: Duration, watts: f64, says: f64) -> Box<dyn Meter> {
        let gpu = Fake { begun: Instant::now(), period, watts, says, throttle: Mutex::new(100) };
        Box::new(Board::of(Arc::new(gpu)).unwrap())
    }

    #[derive(Debug)]
    struct Old;

    impl Gpu for Old {
        fn detail(&self) -> String {
            "an old board".to_owned()
        }
        fn millijoules(&self) -> Result<u64, String> {
            Err("its energy counter: not supported".to_owned())
        }
        fn watts(&self) -> Option<f64> {
            None
        }
        fn limit_w(&self) -> Option<f64> {
            None
        }
        fn state(&self) -> State {
            State::default()
        }
        fn throttle(&self) -> Option<BTreeMap<String, u64>> {
            None
        }
    }

    #[test]
    fn a_board_that_does_not_count_is_a_reason() {
        let absent = Board::of(Arc::new(Old)).unwrap_err();
        assert_eq!(absent.reason, "an old board: its energy counter: not supported");
        assert!(absent.hint.contains("Volta"));
    }

    /// No machine of the tests has the library, and then that is what is said.
    #[test]
    fn here_is_a_board_or_a_reason() {
        match here() {
            Ok(meter) => assert_eq!(meter.channels()[0].domain, Domain::Board),
            Err(absent) => assert!(!absent.reason.is_empty() && !absent.hint.is_empty()),
        }
    }
}
