//! How hot the machine is, read between runs, never inside one. Linux: the hottest sensor. macOS, which shows no
//! temperature to a user: what `pmset -g therm` says of warnings and of the processor's speed limit, if anything. On Apple
//! silicon it says nothing, throttled or not (exelban/stats#749, macmade/Hot#80), so nothing is known there.

use std::{fmt, fs, path::Path};

use super::{Fact, command, linux};

/// A reading that can be compared with an earlier one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Thermal {
    /// The hottest sensor, in degrees Celsius.
    Celsius(f64),
    /// macOS: warning level (0 is none) and the processor's speed limit in per cent (100 is none).
    Pressure { warning: u32, speed_limit: u32 },
}

impl Thermal {
    /// Is the machine back in the band where it started: at most 3 degrees above, no more limited?
    pub fn is_back_at(&self, start: &Thermal) -> bool {
        match (self, start) {
            (Thermal::Celsius(now), Thermal::Celsius(start)) => *now <= start + 3.0,
            (
                Thermal::Pressure { warning, speed_limit },
                Thermal::Pressure { warning: start_warning, speed_limit: start_limit },
            ) => warning <= start_warning && speed_limit >= start_limit,
            _ => false,
        }
    }
}

impl fmt::Display for Thermal {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Thermal::Celsius(degrees) => write!(f, "{degrees:.0} C"),
            Thermal::Pressure { warning: 0, speed_limit: 100 } => write!(f, "nominal"),
            Thermal::Pressure { warning, speed_limit } => {
                write!(f, "warning level {warning}, speed limit {speed_limit} %")
            }
        }
    }
}

/// The reading as a value.
pub fn thermal_reading() -> Fact<Thermal> {
    if cfg!(target_os = "macos") {
        match command::ask("pmset", &["-g", "therm"]) {
            Ok(answer) => pressure(&answer),
            Err(reason) => Fact::unknown(reason),
        }
    } else {
        hottest(Path::new("/"))
    }
}

/// The reading as records carry it: `54 C`, `nominal`, `warning level 1, speed limit 70 %`.
pub fn thermal() -> Fact<String> {
    let Fact { value, reason } = thermal_reading();
    Fact { value: value.map(|reading| reading.to_string()), reason }
}

/// Thermal zones, or hardware monitors where there is no zone; both in thousandths of a degree.
fn hottest(root: &Path) -> Fact<Thermal> {
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
        Some(degrees) => Fact::known(Thermal::Celsius(degrees)),
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
        let reading = hottest(root(&zones).path()).value.unwrap();
        assert_eq!((reading, reading.to_string().as_str()), (Thermal::Celsius(54.4), "54 C"));
    }

    #[test]
    fn monitors_are_asked_where_there_is_no_zone() {
        let monitors = [("hwmon/hwmon2/temp1_input", "62000\n"), ("hwmon/hwmon2/temp1_crit", "100000\n")];
        assert_eq!(hottest(root(&monitors).path()).value, Some(Thermal::Celsius(62.0)));
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
