//! Intel's and AMD's counters through Linux's powercap: a folder a zone, `name`, `energy_uj`, `max_energy_range_uj`.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use super::{Absent, Channel, ELSEWHERE, Meter, POWERCAP, UJ};
use crate::{energy::Domain, machine::linux};

const SOURCE: &str = "rapl";
const RULE: &str = "let the group read it: echo 'SUBSYSTEM==\"powercap\", ACTION==\"add\", RUN+=\"/bin/chmod -R g+r,o+r /sys%p\"' | sudo tee /etc/udev/rules.d/60-powercap.rules, and until the next boot: sudo chmod -R o+r /sys/class/powercap/*/";

#[derive(Debug)]
pub(super) struct Rapl {
    files: Vec<PathBuf>,
    channels: Vec<Channel>,
}

/// # Errors
/// Why there is none.
pub(super) fn here() -> Result<Box<dyn Meter>, Absent> {
    let elsewhere = std::env::var_os(POWERCAP).map(PathBuf::from);
    if !cfg!(target_os = "linux") && elsewhere.is_none() {
        return Err(Absent::new(SOURCE, "powercap is Linux's", ELSEWHERE));
    }
    let root = elsewhere.unwrap_or_else(|| PathBuf::from("/sys/class/powercap"));
    Ok(Box::new(open(&root)?))
}

/// Packages, each once, and memory where it lies inside one. `core` and `uncore` are parts of their package, `psys` is it and more, and zones
/// of `intel-rapl-mmio` are the same package again.
fn open(root: &Path) -> Result<Rapl, Absent> {
    let zones = linux::folders(Path::new(""), &root.display().to_string());
    if zones.is_empty() {
        let hint = "virtual machines have none; on a machine of its own the kernel's module is intel_rapl_common: sudo modprobe intel_rapl_msr";
        return Err(Absent::new(SOURCE, format!("{} is not there or empty", root.display()), hint));
    }
    let mut rapl = Rapl { files: Vec::new(), channels: Vec::new() };
    let mut seen = Vec::new();
    for zone in zones.iter().map(Path::new) {
        let id = zone.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let of_intel = id.starts_with("intel-rapl:") || id.starts_with("amd-rapl:");
        let Some(name) = text(&zone.join("name")).filter(|_| of_intel) else { continue };
        let domain = match name.as_str() {
            "dram" => Domain::Dram,
            name if name.starts_with("package") => Domain::Package,
            _ => continue,
        };
        // A name belongs to its zone: several packages have memory each.
        let parent = id.rsplit_once(':').map_or("", |(parent, _)| parent).to_owned();
        let place = if domain == Domain::Package { (String::new(), name.clone()) } else { (parent, name.clone()) };
        if seen.contains(&place) {
            continue;
        }
        let file = zone.join("energy_uj");
        match fs::read_to_string(&file) {
            Ok(count) if count.trim().parse::<u64>().is_ok() => {}
            Ok(_) => continue,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                let reason = format!("{} may be read by root alone, as Linux has it since 5.10", file.display());
                return Err(Absent::new(SOURCE, reason, RULE));
            }
            Err(_) => continue,
        }
        let number = |name: &str| text(&zone.join(name)).and_then(|text| text.parse::<u64>().ok());
        seen.push(place);
        rapl.files.push(file);
        rapl.channels.push(Channel {
            domain,
            source: format!("{SOURCE} {name}"),
            unit: UJ,
            range: number("max_energy_range_uj").filter(|range| *range > 0),
            limit_w: limit(number("constraint_0_max_power_uw"), number("constraint_0_power_limit_uw")),
        });
    }
    if rapl.files.is_empty() {
        let reason = format!("{} has no package and no memory among its zones", root.display());
        return Err(Absent::new(
            SOURCE,
            reason,
            "a newer kernel may know this processor; a meter at the wall reads any machine",
        ));
    }
    Ok(rapl)
}

/// What the package may draw for long: the larger of what its maker and its firmware say. Short peaks go beyond, and small laptops say
/// nonsense, so that twice as much is allowed.
fn limit(most: Option<u64>, now: Option<u64>) -> Option<f64> {
    most.max(now).filter(|uw| *uw >= 1_000_000).map(|uw| 2.0 * uw as f64 / 1e6)
}

fn text(file: &Path) -> Option<String> {
    fs::read_to_string(file).ok().map(|text| text.trim().to_owned())
}

impl Meter for Rapl {
    fn name(&self) -> &'static str {
        SOURCE
    }

    fn detail(&self) -> String {
        let names: Vec<&str> = self.channels.iter().map(|channel| channel.source.as_str()).collect();
        format!("powercap: {}", names.join(", "))
    }

    fn channels(&self) -> &[Channel] {
        &self.channels
    }

    fn read(&mut self) -> Vec<Result<u64, String>> {
        let read = |file: &PathBuf| {
            let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
            text.trim().parse().map_err(|_| format!("{}: expected a number, found {:?}", file.display(), text.trim()))
        };
        self.files.iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::meters::spent;

    /// A powercap folder with these files.
    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    /// A laptop: a package with its parts and memory, the platform above it, and the package again by memory-mapped registers.
    const LAPTOP: &[(&str, &str)] = &[
        ("intel-rapl/enabled", "1\n"),
        ("intel-rapl:0/name", "package-0\n"),
        ("intel-rapl:0/energy_uj", "262143000000\n"),
        ("intel-rapl:0/max_energy_range_uj", "262143328850\n"),
        ("intel-rapl:0/constraint_0_max_power_uw", "28000000\n"),
        ("intel-rapl:0:0/name", "core\n"),
        ("intel-rapl:0:0/energy_uj", "5\n"),
        ("intel-rapl:0:1/name", "uncore\n"),
        ("intel-rapl:0:1/energy_uj", "5\n"),
        ("intel-rapl:0:2/name", "dram\n"),
        ("intel-rapl:0:2/energy_uj", "7\n"),
        ("intel-rapl:0:2/max_energy_range_uj", "65712999613\n"),
        ("intel-rapl:1/name", "psys\n"),
        ("intel-rapl:1/energy_uj", "9\n"),
        ("intel-rapl-mmio:0/name", "package-0\n"),
        ("intel-rapl-mmio:0/energy_uj", "9\n"),
    ];

    fn named(rapl: &Rapl) -> Vec<(Domain, &str)> {
        rapl.channels.iter().map(|channel| (channel.domain, channel.source.as_str())).collect()
    }

    #[test]
    fn packages_and_memory_each_once() {
        let laptop = open(tree(LAPTOP).path()).unwrap();
        assert_eq!(named(&laptop), [(Domain::Package, "rapl package-0"), (Domain::Dram, "rapl dram")]);
        assert_eq!(laptop.channels[0].limit_w, Some(56.0));
        let server = tree(&[
            ("intel-rapl:0/name", "package-0\n"),
            ("intel-rapl:0/energy_uj", "1\n"),
            ("intel-rapl:0:0/name", "dram\n"),
            ("intel-rapl:0:0/energy_uj", "1\n"),
            ("intel-rapl:1/name", "package-1\n"),
            ("intel-rapl:1/energy_uj", "1\n"),
            ("intel-rapl:1:0/name", "dram\n"),
            ("intel-rapl:1:0/energy_uj", "1\n"),
            ("intel-rapl:2/name", "package-1\n"),
            ("intel-rapl:2/energy_uj", "1\n"),
        ]);
        let domains: Vec<Domain> = open(server.path()).unwrap().channels.iter().map(|channel| channel.domain).collect();
        assert_eq!(domains, [Domain::Package, Domain::Dram, Domain::Package, Domain::Dram]);
    }

    #[test]
    fn a_counter_that_begins_anew_is_no_jump() {
        let root = tree(LAPTOP);
        let mut laptop = open(root.path()).unwrap();
        let before = laptop.read()[0].clone().unwrap();
        fs::write(root.path().join("intel-rapl:0/energy_uj"), "1000000\n").unwrap();
        let after = laptop.read()[0].clone().unwrap();
        let joules = spent(&laptop.channels[0], before, after, 1.0, None).unwrap();
        assert!((joules - 1.328_85).abs() < 1e-12, "{joules}");
        // In two hours it may have done so twice.
        let long = spent(&laptop.channels[0], before, after, 7_200.0, None).unwrap_err();
        assert!(long.contains("more than once in 7200 s"), "{long}");
    }

    #[test]
    fn absent_empty_and_forbidden_are_told_apart() {
        let why = |absent: Result<Rapl, Absent>| absent.unwrap_err();
        assert!(why(open(Path::new("/nonexistent"))).reason.contains("not there or empty"));
        let empty =
            tree(&[("intel-rapl/enabled", "0\n"), ("intel-rapl:0/name", "psys\n"), ("intel-rapl:0/energy_uj", "1\n")]);
        assert!(why(open(empty.path())).reason.contains("no package and no memory"));
        let broken = tree(&[("intel-rapl:0/name", "package-0\n"), ("intel-rapl:0/energy_uj", "many\n")]);
        assert!(why(open(broken.path())).reason.contains("no package and no memory"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let root = tree(LAPTOP);
            let file = root.path().join("intel-rapl:0/energy_uj");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
            // Root reads everything: then there is nothing to be seen here, and tests/energy runs it as somebody else.
            if fs::read(&file).is_err() {
                let absent = why(open(root.path()));
                assert!(absent.reason.contains("by root alone") && absent.hint.contains("udev"), "{absent:?}");
            }
        }
    }

    #[test]
    fn a_file_that_goes_or_says_no_number_is_a_reason() {
        let root = tree(LAPTOP);
        let mut laptop = open(root.path()).unwrap();
        fs::write(root.path().join("intel-rapl:0/energy_uj"), "??\n").unwrap();
        fs::remove_file(root.path().join("intel-rapl:0:2/energy_uj")).unwrap();
        let read = laptop.read();
        assert!(read[0].as_ref().unwrap_err().contains("expected a number, found \"??\""), "{read:?}");
        assert!(read[1].as_ref().unwrap_err().contains("No such file"), "{read:?}");
    }
}
