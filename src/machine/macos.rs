//! What macOS says of the machine, through `sysctl`, `sw_vers`, `pmset` and `system_profiler`. Enters: a way to ask a
//! program, so tests bring its answers; leaves: `Hardware`.

use super::{Fact, Hardware, command::Ask, processor};

/// One question for all: each process that is started takes milliseconds.
const NAMES: [&str; 23] = [
    "machdep.cpu.brand_string",
    "machdep.cpu.vendor",
    "machdep.cpu.family",
    "machdep.cpu.model",
    "machdep.cpu.stepping",
    "machdep.cpu.microcode_version",
    "hw.cpufamily",
    "hw.cpusubfamily",
    "hw.model",
    "hw.memsize",
    "hw.physicalcpu",
    "hw.logicalcpu",
    "hw.perflevel0.physicalcpu",
    "hw.perflevel1.physicalcpu",
    "kern.osrelease",
    "kern.hv_vmm_present",
    "vm.loadavg",
    "hw.optional.arm.FEAT_DotProd",
    "hw.optional.arm.FEAT_FP16",
    "hw.optional.arm.FEAT_BF16",
    "hw.optional.arm.FEAT_I8MM",
    "hw.optional.arm.FEAT_SME",
    "hw.optional.arm.FEAT_SME2",
];

pub(super) fn read(ask: Ask) -> Hardware {
    let sysctl = Sysctl(ask("sysctl", &NAMES));
    Hardware {
        chip: sysctl.text("machdep.cpu.brand_string"),
        processor: processor::of_sysctl(&sysctl.0),
        machine_model: sysctl.text("hw.model"),
        cpu_features: sysctl.features(),
        physical_cores: sysctl.number("hw.physicalcpu"),
        logical_cores: sysctl.number("hw.logicalcpu"),
        performance_cores: sysctl.number("hw.perflevel0.physicalcpu"),
        efficiency_cores: sysctl.number("hw.perflevel1.physicalcpu"),
        gpu: gpu(ask("system_profiler", &["SPDisplaysDataType", "-json"])),
        memory_bytes: sysctl.number("hw.memsize"),
        os: os(ask("sw_vers", &[])),
        kernel: prefixed("Darwin ", sysctl.text("kern.osrelease")),
        power_source: power_source(ask("pmset", &["-g", "batt"])),
        low_power_mode: low_power_mode(ask("pmset", &["-g"])),
        load_average: load_average(sysctl.text("vm.loadavg")),
        virtualized: match sysctl.number::<u32>("kern.hv_vmm_present") {
            Fact { value: Some(flag), .. } => Fact::known(flag != 0),
            Fact { reason, .. } => Fact { value: None, reason },
        },
    }
}

pub(super) fn load(ask: Ask) -> Fact<f64> {
    load_average(Sysctl(ask("sysctl", &["vm.loadavg"])).text("vm.loadavg"))
}

/// `name: value` lines.
struct Sysctl(Result<String, String>);

impl Sysctl {
    fn text(&self, name: &str) -> Fact<String> {
        let lines = match &self.0 {
            Ok(lines) => lines,
            Err(reason) => return Fact::unknown(reason.clone()),
        };
        match lines.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| *key == name) {
            Some((_, value)) => Fact::known(value.trim().to_owned()),
            None => Fact::unknown(format!("sysctl knows no {name}")),
        }
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Fact<T> {
        let Fact { value, reason } = self.text(name);
        match value.map(|value| value.parse().map_err(|_| value)) {
            Some(Ok(number)) => Fact::known(number),
            Some(Err(value)) => Fact::unknown(format!("{name} is {value:?}, not a number")),
            None => Fact { value: None, reason },
        }
    }

    fn features(&self) -> Vec<String> {
        let neon = self.text("machdep.cpu.brand_string").value.is_some_and(|chip| chip.starts_with("Apple "));
        let optional = NAMES.into_iter().filter_map(|name| Some((name, name.strip_prefix("hw.optional.arm.FEAT_")?)));
        let present = optional.filter(|(name, _)| self.number::<u32>(name).value == Some(1));
        neon.then(|| "neon".to_owned()).into_iter().chain(present.map(|(_, short)| short.to_lowercase())).collect()
    }
}

fn prefixed(prefix: &str, fact: Fact<String>) -> Fact<String> {
    Fact { value: fact.value.map(|value| format!("{prefix}{value}")), reason: fact.reason }
}

/// `{ 1.52 1.78 1.91 }`: over one, five and fifteen minutes.
fn load_average(answer: Fact<String>) -> Fact<f64> {
    let Some(text) = answer.value else { return Fact { value: None, reason: answer.reason } };
    // The decimal mark follows the locale.
    match text.trim_matches(['{', ' ']).split(' ').next().and_then(|first| first.replace(',', ".").parse().ok()) {
        Some(load) => Fact::known(load),
        None => Fact::unknown(format!("vm.loadavg is {text:?}")),
    }
}

fn os(answer: Result<String, String>) -> Fact<String> {
    let text = match answer {
        Ok(text) => text,
        Err(reason) => return Fact::unknown(reason),
    };
    let entry =
        |key| text.lines().filter_map(|line| line.split_once(':')).find(|(k, _)| *k == key).map(|(_, v)| v.trim());
    match (entry("ProductName"), entry("ProductVersion")) {
        (Some(name), Some(version)) => Fact::known(format!("{name} {version}")),
        _ => Fact::unknown("sw_vers names no product"),
    }
}

/// `Now drawing from 'AC Power'`.
fn power_source(answer: Result<String, String>) -> Fact<String> {
    let text = match answer {
        Ok(text) => text,
        Err(reason) => return Fact::unknown(reason),
    };
    match text.split('\'').nth(1) {
        Some("AC Power") => Fact::known("ac".to_owned()),
        Some("Battery Power") => Fact::known("battery".to_owned()),
        Some("UPS Power") => Fact::known("ups".to_owned()),
        _ => Fact::unknown("pmset -g batt names no source"),
    }
}

/// `lowpowermode 1`, or `powermode 1` on machines that have a high-power mode (2) too.
fn low_power_mode(answer: Result<String, String>) -> Fact<bool> {
    let text = match answer {
        Ok(text) => text,
        Err(reason) => return Fact::unknown(reason),
    };
    let mode = text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        ["lowpowermode", "powermode"].contains(&words.next()?).then(|| words.next()).flatten()
    });
    match mode {
        Some(mode) => Fact::known(mode == "1"),
        None => Fact::unknown("pmset -g names no low power mode"),
    }
}

fn gpu(answer: Result<String, String>) -> Fact<String> {
    let text = match answer {
        Ok(text) => text,
        Err(reason) => return Fact::unknown(reason),
    };
    let displays: serde_json::Value = match serde_json::from_str(&text) {
        Ok(displays) => displays,
        Err(error) => return Fact::unknown(format!("system_profiler's answer is no JSON: {error}")),
    };
    let first = &displays["SPDisplaysDataType"][0];
    match (first["sppci_model"].as_str(), first["sppci_cores"].as_str()) {
        (Some(model), Some(cores)) => Fact::known(format!("{model}, {cores} cores")),
        (Some(model), None) => Fact::known(model.to_owned()),
        _ => Fact::unknown("system_profiler lists no GPU"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SW_VERS: &str = "ProductName:\t\tmacOS\nProductVersion:\t\t26.1\nBuildVersion:\t\t25B78\n";

    fn m4(program: &str, arguments: &[&str]) -> Result<String, String> {
        let answer = match (program, arguments) {
            ("sysctl", _) => include_str!("samples/macos-sysctl-m4.txt"),
            ("sw_vers", _) => SW_VERS,
            ("pmset", ["-g", "batt"]) => "Now drawing from 'AC Power'\n",
            ("pmset", _) => include_str!("samples/macos-pmset-g.txt"),
            ("system_profiler", _) => include_str!("samples/macos-displays-m4.json"),
            _ => return Err(format!("nobody asks {program}")),
        };
        Ok(answer.to_owned())
    }

    #[test]
    fn a_mac_mini() {
        insta::assert_debug_snapshot!(read(&m4));
    }

    #[test]
    fn an_intel_virtual_machine_lacks_kinds_of_core() {
        let vm = read(&|program, arguments| match program {
            "sysctl" => Ok(include_str!("samples/macos-sysctl-intel-vm.txt").to_owned()),
            "system_profiler" => Ok("{\"SPDisplaysDataType\": []}".to_owned()),
            _ => m4(program, arguments),
        });
        assert_eq!(vm.virtualized, Fact::known(true));
        assert_eq!(vm.performance_cores, Fact::unknown("sysctl knows no hw.perflevel0.physicalcpu"));
        assert_eq!(vm.gpu, Fact::unknown("system_profiler lists no GPU"));
        assert!(vm.cpu_features.is_empty());
    }

    #[test]
    fn a_system_without_the_programs_gives_reasons_and_no_value() {
        insta::assert_debug_snapshot!(read(&|program, _| Err(format!("{program} cannot be run: not found"))));
    }

    #[test]
    fn power_and_its_modes() {
        let battery =
            "Now drawing from 'Battery Power'\n -InternalBattery-0 (id=4522083)\t84%; discharging; 5:12 remaining\n";
        assert_eq!(power_source(Ok(battery.to_owned())), Fact::known("battery".to_owned()));
        let mode = |line: &str| low_power_mode(Ok(format!("Currently in use:\n standby 1\n {line}\n"))).value;
        assert_eq!(
            [mode("powermode 2"), mode("powermode 1"), mode("lowpowermode 0")],
            [Some(false), Some(true), Some(false)]
        );
        assert_eq!(mode("womp 1"), None);
        assert_eq!(load_average(Fact::known("{ 1,25 1,00 0,90 }".to_owned())), Fact::known(1.25));
    }
}
