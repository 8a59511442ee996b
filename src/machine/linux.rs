//! What Linux says of the machine, in `/proc`, `/sys` and `/etc`. Enters: the folder that stands for `/`, so tests
//! bring their own; leaves: `Hardware`.

use std::{collections::BTreeSet, fs, path::Path};

use super::{Fact, Hardware, processor};

/// Instruction sets that kernels for inference are written for, by the kernel's names.
const FEATURES: [&str; 21] = [
    "sse4_2",
    "avx",
    "f16c",
    "fma",
    "avx2",
    "avx_vnni",
    "avx512f",
    "avx512bw",
    "avx512dq",
    "avx512vl",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
    "asimd",
    "asimddp",
    "bf16",
    "i8mm",
    "sve",
];

pub(super) fn read(root: &Path) -> Hardware {
    let cpuinfo = text(root, "proc/cpuinfo").unwrap_or_default();
    let features = features(&cpuinfo);
    let virtualized = virtualized(root, &cpuinfo);
    Hardware {
        chip: chip(&cpuinfo),
        processor: processor::of_cpuinfo(&cpuinfo),
        machine_model: machine_model(root, virtualized.value),
        cpu_features: features,
        physical_cores: physical_cores(root, "sys/devices/system/cpu/online"),
        logical_cores: logical_cores(root),
        performance_cores: kind_of_core(root, "cpu_core"),
        efficiency_cores: kind_of_core(root, "cpu_atom"),
        gpu: gpu(root),
        memory_bytes: memory(&text(root, "proc/meminfo").unwrap_or_default()),
        os: os(root),
        kernel: match text(root, "proc/sys/kernel/osrelease") {
            Some(release) => Fact::known(format!("Linux {}", release.trim())),
            None => Fact::unknown("/proc/sys/kernel/osrelease cannot be read"),
        },
        power_source: power_source(root),
        low_power_mode: match text(root, "sys/firmware/acpi/platform_profile") {
            Some(profile) => Fact::known(profile.trim() == "low-power"),
            None => Fact::unknown("the firmware offers no platform profile"),
        },
        load_average: load(root),
        virtualized,
    }
}

pub(super) fn load(root: &Path) -> Fact<f64> {
    load_average(&text(root, "proc/loadavg").unwrap_or_default())
}

fn text(root: &Path, path: &str) -> Option<String> {
    fs::read(root.join(path)).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The first value of a `key : value` text.
fn entry<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().filter_map(|line| line.split_once(':')).find(|(name, _)| name.trim() == key).map(|(_, v)| v.trim())
}

fn chip(cpuinfo: &str) -> Fact<String> {
    if let Some(name) = entry(cpuinfo, "model name") {
        return Fact::known(name.to_owned());
    }
    match (entry(cpuinfo, "CPU implementer"), entry(cpuinfo, "CPU part")) {
        (Some(implementer), Some(part)) => Fact::known(format!("Arm implementer {implementer}, part {part}")),
        _ => Fact::unknown("/proc/cpuinfo names no processor"),
    }
}

fn features(cpuinfo: &str) -> Vec<String> {
    let flags = entry(cpuinfo, "flags").or_else(|| entry(cpuinfo, "Features")).unwrap_or_default();
    let present: BTreeSet<&str> = flags.split_whitespace().collect();
    let plain = |name: &str| if name == "asimd" { "neon".to_owned() } else { name.to_owned() };
    FEATURES.into_iter().filter(|name| present.contains(name)).map(plain).collect()
}

/// Numbers of a list such as `0-3,8,10-11`.
fn cpu_list(list: &str) -> Vec<u32> {
    let mut cpus = Vec::new();
    for part in list.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) {
            cpus.extend(first..=last.min(first.saturating_add(4096)));
        }
    }
    cpus
}

fn logical_cores(root: &Path) -> Fact<u32> {
    match text(root, "sys/devices/system/cpu/online").map(|list| cpu_list(&list).len() as u32) {
        Some(cores) if cores > 0 => Fact::known(cores),
        _ => Fact::unknown("/sys/devices/system/cpu/online cannot be read"),
    }
}

/// Cores behind the processors that `list` names: hyper-threads of one core share their `core_cpus_list`.
fn physical_cores(root: &Path, list: &str) -> Fact<u32> {
    let Some(cpus) = text(root, list).map(|list| cpu_list(&list)) else {
        return Fact::unknown(format!("/{list} is absent"));
    };
    let sharing: Option<BTreeSet<String>> = cpus
        .iter()
        .map(|cpu| {
            let topology = format!("sys/devices/system/cpu/cpu{cpu}/topology");
            // Kernels before 5.3 have the older name only.
            text(root, &format!("{topology}/core_cpus_list"))
                .or_else(|| text(root, &format!("{topology}/thread_siblings_list")))
        })
        .collect();
    match sharing {
        Some(cores) if !cores.is_empty() => Fact::known(cores.len() as u32),
        _ => Fact::unknown("/sys/devices/system/cpu says nothing of cores"),
    }
}

/// Intel's hybrid processors are two devices to the kernel.
fn kind_of_core(root: &Path, kind: &str) -> Fact<u32> {
    let cores = physical_cores(root, &format!("sys/devices/{kind}/cpus"));
    if cores.value.is_some() { cores } else { Fact::unknown("the kernel tells no kinds of core apart") }
}

fn memory(meminfo: &str) -> Fact<u64> {
    let kib = entry(meminfo, "MemTotal").and_then(|value| value.strip_suffix(" kB")?.trim().parse::<u64>().ok());
    match kib {
        Some(kib) => Fact::known(kib * 1024),
        None => Fact::unknown("/proc/meminfo has no MemTotal"),
    }
}

fn os(root: &Path) -> Fact<String> {
    let release = text(root, "etc/os-release").or_else(|| text(root, "usr/lib/os-release")).unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    match name {
        Some(name) => Fact::known(name.trim().trim_matches(['"', '\'']).to_owned()),
        None => Fact::unknown("os-release has no PRETTY_NAME"),
    }
}

fn load_average(loadavg: &str) -> Fact<f64> {
    match loadavg.split_whitespace().next().and_then(|first| first.parse().ok()) {
        Some(load) => Fact::known(load),
        None => Fact::unknown("/proc/loadavg cannot be read"),
    }
}

/// Vendor and product from the firmware; serial numbers stand beside them and are left alone.
fn machine_model(root: &Path, virtualized: Option<bool>) -> Fact<String> {
    let named = |file: &str| {
        text(root, file).map(|text| text.trim_matches(['\0', '\n', ' ']).to_owned()).filter(|text| !text.is_empty())
    };
    let vendor = named("sys/class/dmi/id/sys_vendor");
    match (vendor, named("sys/class/dmi/id/product_name"), named("proc/device-tree/model")) {
        (Some(vendor), Some(product), _) => Fact::known(format!("{vendor} {product}")),
        (None, Some(name), _) | (_, None, Some(name)) => Fact::known(name),
        _ if virtualized == Some(true) => Fact::known("virtual machine".to_owned()),
        _ => Fact::unknown("neither DMI nor a device tree names the machine"),
    }
}

fn virtualized(root: &Path, cpuinfo: &str) -> Fact<bool> {
    if let Some(flags) = entry(cpuinfo, "flags") {
        return Fact::known(flags.split_whitespace().any(|flag| flag == "hypervisor"));
    }
    if root.join("proc/device-tree/hypervisor").exists() || root.join("sys/hypervisor/type").exists() {
        return Fact::known(true);
    }
    Fact::unknown("this processor has no flag for it")
}

/// NVIDIA's driver is the only one whose GPUs MLX uses on Linux.
fn gpu(root: &Path) -> Fact<String> {
    let mut names: Vec<String> = folders(root, "proc/driver/nvidia/gpus")
        .iter()
        .filter_map(|gpu| entry(&text(root, &format!("{gpu}/information"))?, "Model").map(str::to_owned))
        .collect();
    names.sort();
    match (names.first(), names.len()) {
        (None, _) => Fact::unknown("no NVIDIA driver is loaded"),
        (Some(name), 1) => Fact::known(name.clone()),
        (Some(_), _) => Fact::known(names.join(", ")),
    }
}

/// Paths of what lies in a folder, sorted, relative to `root`.
pub(super) fn folders(root: &Path, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| format!("{folder}/{}", entry.file_name().to_string_lossy())).collect();
    names.sort();
    names
}

/// Mains that is online wins over a battery that is full.
fn power_source(root: &Path) -> Fact<String> {
    let supplies = folders(root, "sys/class/power_supply");
    let says = |supply: &String, file: &str, wanted: &[&str]| {
        text(root, &format!("{supply}/{file}")).is_some_and(|value| wanted.contains(&value.trim()))
    };
    let mains = |supply: &&String| says(supply, "type", &["Mains", "USB"]);
    // A mouse or a headset has a battery too: its scope is the device's.
    let battery = |supply: &&String| says(supply, "type", &["Battery"]) && !says(supply, "scope", &["Device"]);
    if supplies.iter().filter(mains).any(|supply| says(supply, "online", &["1"])) {
        return Fact::known("ac".to_owned());
    }
    match supplies.iter().find(battery) {
        Some(battery) if says(battery, "status", &["Charging", "Full", "Not charging"]) => Fact::known("ac".to_owned()),
        Some(_) => Fact::known("battery".to_owned()),
        None => Fact::unknown("no power supply is listed, as is usual for servers and virtual machines"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root folder with these files.
    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn a_virtual_machine_as_captured() {
        let root = root(&[
            ("proc/cpuinfo", include_str!("samples/linux-vm-cpuinfo.txt")),
            ("proc/meminfo", include_str!("samples/linux-vm-meminfo.txt")),
            ("etc/os-release", include_str!("samples/linux-debian-os-release.txt")),
            ("proc/loadavg", "0.80 0.46 0.42 3/119 15283\n"),
            ("proc/sys/kernel/osrelease", "6.18.44\n"),
            ("sys/devices/system/cpu/online", "0-1\n"),
            ("sys/devices/system/cpu/cpu0/topology/core_cpus_list", "0\n"),
            ("sys/devices/system/cpu/cpu1/topology/core_cpus_list", "1\n"),
        ]);
        insta::assert_debug_snapshot!(read(root.path()));
    }

    #[test]
    fn an_empty_root_gives_reasons_and_no_value() {
        insta::assert_debug_snapshot!(read(root(&[]).path()));
    }

    #[test]
    fn a_hybrid_laptop_on_battery() {
        let cpus = |cpu: u32, list| (format!("sys/devices/system/cpu/cpu{cpu}/topology/core_cpus_list"), list);
        let topology = [cpus(0, "0-1"), cpus(1, "0-1"), cpus(2, "2-3"), cpus(3, "2-3"), cpus(4, "4"), cpus(5, "5")];
        let mut files = vec![
            ("proc/cpuinfo", "model name\t: Intel(R) Core(TM) Ultra 5\nflags\t\t: sse4_2 avx2 fma avx_vnni\n"),
            ("sys/devices/system/cpu/online", "0-5\n"),
            ("sys/devices/cpu_core/cpus", "0-3\n"),
            ("sys/devices/cpu_atom/cpus", "4,5\n"),
            ("sys/class/dmi/id/sys_vendor", "LENOVO\n"),
            ("sys/class/dmi/id/product_name", "21KC\n"),
            ("sys/class/power_supply/AC/type", "Mains\n"),
            ("sys/class/power_supply/AC/online", "0\n"),
            ("sys/class/power_supply/BAT0/type", "Battery\n"),
            ("sys/class/power_supply/BAT0/status", "Discharging\n"),
            ("sys/firmware/acpi/platform_profile", "low-power\n"),
            ("proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t NVIDIA RTX 500 Ada\nIRQ:   \t\t 16\n"),
        ];
        files.extend(topology.iter().map(|(path, list)| (path.as_str(), *list)));
        insta::assert_debug_snapshot!(read(root(&files).path()));
    }

    #[test]
    fn an_arm_board() {
        let root = root(&[
            ("proc/cpuinfo", "Features\t: fp asimd crc32\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n"),
            ("proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0"),
        ]);
        let board = read(root.path());
        assert_eq!(board.chip, Fact::known("Arm implementer 0x41, part 0xd0b".to_owned()));
        assert_eq!(board.machine_model, Fact::known("Raspberry Pi 5 Model B Rev 1.0".to_owned()));
        assert_eq!(board.cpu_features, ["neon"]);
        assert_eq!(board.virtualized.value, None);
    }

    #[test]
    fn power_is_read_from_what_feeds_the_machine() {
        let source = |files: &[(&str, &str)]| power_source(root(files).path()).value;
        let (mouse, scope) = ("sys/class/power_supply/hid/type", "sys/class/power_supply/hid/scope");
        assert_eq!(source(&[(mouse, "Battery\n"), (scope, "Device\n")]), None);
        let (bat, status) = ("sys/class/power_supply/BAT0/type", "sys/class/power_supply/BAT0/status");
        assert_eq!(source(&[(bat, "Battery\n"), (status, "Full\n")]).as_deref(), Some("ac"));
        let (usb, online) = ("sys/class/power_supply/ucsi/type", "sys/class/power_supply/ucsi/online");
        let charger = [(bat, "Battery\n"), (status, "Discharging\n"), (usb, "USB\n"), (online, "1\n")];
        assert_eq!(source(&charger).as_deref(), Some("ac"));
    }

    #[test]
    fn lists_of_processors() {
        assert_eq!(cpu_list("0-3,8,10-11\n"), [0, 1, 2, 3, 8, 10, 11]);
        assert!(cpu_list("\n").is_empty());
        assert_eq!(cpu_list("0-4294967295").len(), 4097);
    }
}
