//! How hot the machine is, read between runs, never inside one. Linux: the hottest sensor, and the GPU that programs compute on. macOS on
//! Apple silicon: the pressure level that the system hands out, since `pmset -g therm` says the same there, throttled or not
//! (exelban/stats#749, macmade/Hot#80); on Intel what that says of warnings and of the processor's speed limit, if anything.

use std::{fmt, fs, path::Path};

use super::{Fact, command, linux, nvidia};

/// A reading that can be compared with an earlier one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Thermal {
    /// The hottest sensor, in degrees Celsius.
    Celsius(f64),
    /// The same, if there is one, and the GPU's.
    WithGpu { host: Option<f64>, gpu: f64 },
    /// macOS on Intel: warning level (0 is none) and the processor's speed limit in per cent (100 is none).
    Pressure { warning: u32, speed_limit: u32 },
    /// macOS on Apple silicon: 0 is nominal; [`LEVELS`].
    Level(u8),
}

/// What macOS calls its levels of thermal pressure.
pub const LEVELS: [&str; 5] = ["nominal", "moderate", "heavy", "trapping", "sleeping"];

/// Degrees above the start that are no heat yet.
const BAND: f64 = 3.0;

impl Thermal {
    /// Is the machine back in the band where it started: at most 3 degrees above, no more limited?
    pub fn is_back_at(&self, start: &Thermal) -> bool {
        let cool = |now: f64, start: f64| now <= start + BAND;
        match (self, start) {
            (Thermal::Celsius(now), Thermal::Celsius(start)) => cool(*now, *start),
            (Thermal::WithGpu { host, gpu }, Thermal::WithGpu { host: start_host, gpu: start_gpu }) => {
                cool(*gpu, *start_gpu) && host.zip(*start_host).is_none_or(|(now, start)| cool(now, start))
            }
            (
                Thermal::Pressure { warning, speed_limit },
                Thermal::Pressure { warning: start_warning, speed_limit: start_limit },
            ) => warning <= start_warning && speed_limit >= start_limit,
            (Thermal::Level(now), Thermal::Level(start)) => now <= start,
            _ => false,
        }
    }
}

impl fmt::Display for Thermal {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Thermal::Celsius(degrees) => write!(f, "{degrees:.0} C"),
            Thermal::WithGpu { host: Some(host), gpu } => write!(f, "{host:.0} C, GPU {gpu:.0} C"),
            Thermal::WithGpu { host: None, gpu } => write!(f, "GPU {gpu:.0} C"),
            Thermal::Pressure { warning: 0, speed_limit: 100 } => write!(f, "nominal"),
            Thermal::Pressure { warning, speed_limit } => {
                write!(f, "warning level {warning}, speed limit {speed_limit} %")
            }
            Thermal::Level(level) => f.write_str(LEVELS.get(usize::from(*level)).unwrap_or(&"unknown")),
        }
    }
}

/// The reading as a value.
pub fn thermal_reading() -> Fact<Thermal> {
    if cfg!(all(target_os = "macos", target_arch = "aarch64")) {
        return level(notified());
    }
    if cfg!(target_os = "macos") {
        return match command::ask("pmset", &["-g", "therm"]) {
            Ok(answer) => pressure(&answer),
            Err(reason) => Fact::unknown(reason),
        };
    }
    let host = hottest(Path::new("/"));
    match (nvidia::celsius(), host) {
        (Some(gpu), Fact { value, .. }) => Fact::known(Thermal::WithGpu { host: value, gpu }),
        (None, Fact { value: Some(celsius), .. }) => Fact::known(Thermal::Celsius(celsius)),
        (None, Fact { reason, .. }) => Fact { value: None, reason },
    }
}

/// The hottest sensor of the machine itself, where it shows one.
pub(super) fn host_celsius() -> Option<f64> {
    if cfg!(target_os = "linux") { hottest(Path::new("/")).value } else { None }
}

/// The reading as records carry it: `54 C`, `54 C, GPU 61 C`, `nominal`, `warning level 1, speed limit 70 %`.
pub fn thermal() -> Fact<String> {
    let Fact { value, reason } = thermal_reading();
    Fact { value: value.map(|reading| reading.to_string()), reason }
}

/// What the system hands out as its level of thermal pressure.
fn level(notified: Result<u64, u32>) -> Fact<Thermal> {
    match notified {
        Ok(level) if level < LEVELS.len() as u64 => Fact::known(Thermal::Level(level as u8)),
        Ok(level) => Fact::unknown(format!("com.apple.system.thermalpressurelevel is {level}, which is no level")),
        Err(status) => Fact::unknown(format!("com.apple.system.thermalpressurelevel cannot be read: status {status}")),
    }
}

/// The level's name, for rows of energy.
#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
pub(super) fn pressure_level() -> Option<String> {
    level(notified()).value.map(|level| level.to_string())
}

#[cfg(target_os = "macos")]
fn notified() -> Result<u64, u32> {
    use std::ffi::{c_char, c_int};

    // Of libSystem, <notify.h>.
    unsafe extern "C" {
        fn notify_register_check(name: *const c_char, token: *mut c_int) -> u32;
        fn notify_get_state(token: c_int, state: *mut u64) -> u32;
        fn notify_cancel(token: c_int) -> u32;
    }
    let (mut token, mut state) = (0, 0);
    // SAFETY: the name ends with a zero, the numbers are ours, and the token is cancelled once if it was given.
    unsafe {
        match notify_register_check(c"com.apple.system.thermalpressurelevel".as_ptr(), &mut token) {
            0 => {}
            status => return Err(status),
        }
        let status = notify_get_state(token, &mut state);
        notify_cancel(token);
        if status == 0 { Ok(state) } else { Err(status) }
    }
}

#[cfg(not(target_os = "macos"))]
fn notified() -> Result<u64, u32> {
    Err(1_000_000)
}

/// Thermal zones, or hardware monitors where there is no zone; both in thousandths of a degree.
fn hottest(root: &Path) -> Fact<f64> {
    let read = |path: &String| fs::read_to_string(root.join(path)).ok()?.trim().parse::<f64>().ok();
    let zones = linux::folders(root, "sys/class/thermal");
    let mut sensors: Vec<String> =
        zones.iter().filter(|zone| zone.contains("thermal_zone")).map(|zone| format!("{zone}/temp")).collect();
    if sensors.is_empty() {
        let monitors = linux::folders(root, "sys/class/hwmon");
        sensors = monitors.iter().flat_map(|monitor| linux::folders(root, monitor)).collect();
        sensors.retain(|file| file.rsplit('/').next().is_some_and(|n| n.starts_with("temp") && n.ends_with("_input")));
    }
    // Sensors that are not wired report 0 or absurd values.
    let plausible = sensors.iter().filter_map(read).map(|milli| milli / 1000.0).filter(|c| (1.0..150.0).contains(c));
    match plausible.reduce(f64::max) {
        Some(degrees) => Fact::known(degrees),
        None => Fact::unknown("no temperature sensor can be read here"),
    }
}

/// `Thermal Warning Level = 1`, `CPU_Speed_Limit = 70`. `Note: No ... has been recorded` is no reading: a throttled M-series Mac
/// says it too.
fn pressure(answer: &str) -> Fact<Thermal> {
    let entry = |key: &str| {
        let mut entries = answer.lines().filter_map(|line| line.split_once('='));
        entries.find(|(name, _)| name.trim() == key).and_then(|(_, value)| value.trim().parse().ok())
    };
    match (entry("Thermal Warning Level"), entry("CPU_Speed_Limit")) {
        (None, None) if answer.contains("Note: No") => Fact::unknown(
            "pmset -g therm has recorded no warning and no speed limit, and on Apple silicon it never does, throttled or not",
        ),
        (None, None) => Fact::unknown("pmset -g therm says nothing of the thermal state"),
        (warning, speed_limit) => {
            Fact::known(Thermal::Pressure { warning: warning.unwrap_or(0), speed_limit: speed_limit.unwrap_or(100) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join("sys/class").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn the_hottest_plausible_zone_counts() {
        let zones = [
            ("thermal/thermal_zone0/temp", "41000\n"),
            ("thermal/thermal_zone1/temp", "54400\n"),
            ("thermal/thermal_zone2/temp", "-274000\n"),
            ("thermal/cooling_device0/temp", "99000\n"),
        ];
        let degrees = hottest(root(&zones).path()).value.unwrap();
        assert_eq!((degrees, Thermal::Celsius(degrees).to_string().as_str()), (54.4, "54 C"));
    }

    #[test]
    fn monitors_are_asked_where_there_is_no_zone() {
        let monitors = [("hwmon/hwmon2/temp1_input", "62000\n"), ("hwmon/hwmon2/temp1_crit", "100000\n")];
        assert_eq!(hottest(root(&monitors).path()).value, Some(62.0));
        assert_eq!(hottest(root(&[]).path()), Fact::unknown("no temperature sensor can be read here"));
    }

    /// The three notes are all that an M-series Mac ever says, at full speed and throttled alike.
    #[test]
    fn macos_says_what_limits_it_or_nothing_is_known() {
        let notes = "Note: No thermal warning level has been recorded\nNote: No performance warning level has been \
                     recorded\nNote: No CPU power status has been recorded\n";
        let limited = "Thermal Warning Level = 1\nNote: No performance warning level has been recorded\n2025-06-22 \
                       10:15:14 -0700 CPU Power notify\n\tCPU_Scheduler_Limit \t= 100\n\tCPU_Available_CPUs \t= 8\n\t\
                       CPU_Speed_Limit \t= 54\n";
        let say = |answer: &str| pressure(answer).value.map(|reading| reading.to_string());
        let Fact { value, reason } = pressure(notes);
        assert!(value.is_none() && reason.is_some_and(|reason| reason.contains("throttled or not")));
        assert_eq!(say(limited).as_deref(), Some("warning level 1, speed limit 54 %"));
        let full = limited.replace("Thermal Warning Level = 1\n", "").replace("= 54", "= 100");
        assert_eq!(say(&full).as_deref(), Some("nominal"), "an Intel Mac that says its limit, and has none");
        assert_eq!(say("pmset: unknown option\n"), None);
        assert_eq!(say("CPU_Scheduler_Limit = 100\n"), None, "another number is no speed limit");
    }

    /// <OSThermalNotification.h>: five levels, and a system may have more tomorrow.
    #[test]
    fn apple_silicon_says_its_level_or_nothing_is_known() {
        let say = |notified| level(notified).value.map(|reading| reading.to_string());
        assert_eq!(say(Ok(0)).as_deref(), Some("nominal"));
        assert_eq!(say(Ok(2)).as_deref(), Some("heavy"));
        assert_eq!(say(Ok(4)).as_deref(), Some("sleeping"));
        assert!(level(Ok(7)).reason.is_some_and(|reason| reason.ends_with("is 7, which is no level")));
        assert!(level(Err(1_000_000)).reason.is_some_and(|reason| reason.contains("status 1000000")));
        assert!(Thermal::Level(0).is_back_at(&Thermal::Level(0)) && !Thermal::Level(1).is_back_at(&Thermal::Level(0)));
    }

    #[test]
    fn a_gpu_that_is_hot_is_waited_for() {
        let at = |host, gpu| Thermal::WithGpu { host, gpu };
        let start = at(Some(40.0), 35.0);
        assert!(at(Some(43.0), 38.0).is_back_at(&start));
        assert!(!at(Some(40.0), 39.0).is_back_at(&start) && !at(Some(44.0), 35.0).is_back_at(&start));
        assert!(at(None, 36.0).is_back_at(&at(None, 35.0)));
        assert_eq!(at(Some(43.6), 61.2).to_string(), "44 C, GPU 61 C");
        assert_eq!(at(None, 61.2).to_string(), "GPU 61 C");
    }

    #[test]
    fn the_band_is_three_degrees_or_no_more_limited() {
        let start = Thermal::Celsius(50.0);
        assert!(Thermal::Celsius(53.0).is_back_at(&start) && !Thermal::Celsius(53.5).is_back_at(&start));
        let nominal = Thermal::Pressure { warning: 0, speed_limit: 100 };
        assert!(nominal.is_back_at(&nominal));
        assert!(!Thermal::Pressure { warning: 0, speed_limit: 90 }.is_back_at(&nominal));
        assert!(!Thermal::Pressure { warning: 1, speed_limit: 100 }.is_back_at(&nominal));
    }
}
