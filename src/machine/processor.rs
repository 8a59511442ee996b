//! What tells a processor from others of the same name. Enters: what the system says of it; leaves: `Processor`. Three virtual
//! machines that call themselves `AMD EPYC` can be Zen 3, Zen 4 and Zen 5, and the speed of one says nothing of another's.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Fact;

/// A processor's numbers, as the system says them. Cores that are not of one kind are listed, as `0xd05, 0xd0b`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Processor {
    /// For people: `Zen 3`, where the numbers settle it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `AuthenticAMD`; the implementer's number on Arm, `0x41`; `Apple` on Apple silicon.
    pub vendor: String,
    /// x86: the family; Arm: the architecture; Apple silicon: `hw.cpufamily`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// x86: the model; Arm: the part; Apple silicon: `hw.cpusubfamily`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// x86: the stepping; Arm: variant and revision, `r3p1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stepping: Option<String>,
    /// x86, as the hypervisor tells it where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub microcode: Option<String>,
}

impl Processor {
    /// Is it another processor? What only one of the two tells decides nothing.
    pub fn differs_from(&self, other: &Processor) -> bool {
        let apart = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
        self.vendor != other.vendor
            || apart(&self.family, &other.family)
            || apart(&self.model, &other.model)
            || apart(&self.stepping, &other.stepping)
    }

    /// `AuthenticAMD, family 25, model 1, stepping 1`. Microcode is left out: it is software.
    pub fn numbers(&self) -> String {
        let mut numbers = self.vendor.clone();
        for (what, number) in [("family", &self.family), ("model", &self.model), ("stepping", &self.stepping)] {
            if let Some(number) = number {
                numbers += &format!(", {what} {number}");
            }
        }
        numbers
    }
}

/// `Zen 3 (AuthenticAMD, family 25, model 1, stepping 1)`.
impl fmt::Display for Processor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} ({})", self.numbers()),
            None => f.write_str(&self.numbers()),
        }
    }
}

impl<T: PartialEq> Fact<T> {
    /// What a record says that was made before the question was asked.
    pub(super) fn not_recorded() -> Self {
        Fact::unknown("not recorded: the records are older than the question")
    }

    /// Is the record so old? It is then written as it was read.
    pub fn is_not_recorded(&self) -> bool {
        *self == Fact::not_recorded()
    }
}

/// From the text of Linux's `/proc/cpuinfo`.
pub(super) fn of_cpuinfo(text: &str) -> Fact<Processor> {
    let all = |key: &str| {
        let values = text.lines().filter_map(|line| line.split_once(':')).filter(|(name, _)| name.trim() == key);
        let mut distinct: Vec<&str> = Vec::new();
        for (_, value) in values {
            let value = value.trim();
            if !value.is_empty() && !distinct.contains(&value) {
                distinct.push(value);
            }
        }
        (!distinct.is_empty()).then(|| distinct.join(", "))
    };
    if let Some(vendor) = all("vendor_id") {
        let (family, model, stepping) = (all("cpu family"), all("model"), all("stepping"));
        let name = name(&vendor, &family, &model, &stepping);
        return Fact::known(Processor { name, vendor, family, model, stepping, microcode: all("microcode") });
    }
    match all("CPU implementer") {
        Some(vendor) => Fact::known(Processor {
            vendor,
            family: all("CPU architecture"),
            model: all("CPU part"),
            stepping: revisions(text),
            ..Processor::default()
        }),
        None => Fact::unknown("/proc/cpuinfo has neither vendor nor implementer"),
    }
}

/// Arm's `CPU variant` and `CPU revision`, which belong together: `r3p1`.
fn revisions(text: &str) -> Option<String> {
    let (mut distinct, mut variant) = (Vec::new(), None);
    for (key, value) in text.lines().filter_map(|line| line.split_once(':')) {
        match key.trim() {
            "CPU variant" => variant = u32::from_str_radix(value.trim().trim_start_matches("0x"), 16).ok(),
            "CPU revision" => {
                let revision = variant.take().map(|variant| format!("r{variant}p{}", value.trim()));
                distinct.extend(revision.filter(|revision| !distinct.contains(revision)));
            }
            _ => {}
        }
    }
    (!distinct.is_empty()).then(|| distinct.join(", "))
}

/// From what macOS's `sysctl` says of `machdep.cpu` and `hw.cpufamily`: `name: value` lines.
pub(super) fn of_sysctl(answer: &Result<String, String>) -> Fact<Processor> {
    let lines = match answer {
        Ok(lines) => lines,
        Err(reason) => return Fact::unknown(reason.clone()),
    };
    let entry = |name: &str| {
        let found = lines.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| *key == name);
        found.map(|(_, value)| value.trim().to_owned())
    };
    if let Some(vendor) = entry("machdep.cpu.vendor") {
        let [family, model, stepping] = ["family", "model", "stepping"].map(|key| entry(&format!("machdep.cpu.{key}")));
        let name = name(&vendor, &family, &model, &stepping);
        let microcode = entry("machdep.cpu.microcode_version");
        return Fact::known(Processor { name, vendor, family, model, stepping, microcode });
    }
    // Some versions print the family's 32 bits with a sign.
    let hexadecimal = |text: String| text.parse::<i64>().map_or(text, |number| format!("{:#x}", number as u32));
    match (entry("machdep.cpu.brand_string"), entry("hw.cpufamily")) {
        (Some(brand), Some(family)) if brand.starts_with("Apple ") => Fact::known(Processor {
            vendor: "Apple".to_owned(),
            family: Some(hexadecimal(family)),
            model: entry("hw.cpusubfamily"),
            ..Processor::default()
        }),
        _ => Fact::unknown("sysctl names no vendor and no family of the processor"),
    }
}

/// AMD's family, first and last model, generation. Source: Linux, arch/x86/kernel/cpu/amd.c, `bsp_init_amd`.
const AMD: [(u32, u32, u32, &str); 13] = [
    (0x17, 0x00, 0x2f, "Zen 1"),
    (0x17, 0x50, 0x5f, "Zen 1"),
    (0x17, 0x30, 0x4f, "Zen 2"),
    (0x17, 0x60, 0x7f, "Zen 2"),
    (0x17, 0x90, 0x91, "Zen 2"),
    (0x17, 0xa0, 0xaf, "Zen 2"),
    (0x19, 0x00, 0x0f, "Zen 3"),
    (0x19, 0x20, 0x5f, "Zen 3"),
    (0x19, 0x10, 0x1f, "Zen 4"),
    (0x19, 0x60, 0xaf, "Zen 4"),
    (0x1a, 0x00, 0x2f, "Zen 5"),
    (0x1a, 0x40, 0x4f, "Zen 5"),
    (0x1a, 0x70, 0x7f, "Zen 5"),
];

/// Models of Intel's family 6. Source: Linux, arch/x86/include/asm/intel-family.h.
const INTEL: [(u32, &str); 10] = [
    (0x3f, "Haswell server"),
    (0x4f, "Broadwell server"),
    (0x5e, "Skylake"),
    (0x6a, "Ice Lake server"),
    (0x8d, "Tiger Lake"),
    (0x8f, "Sapphire Rapids"),
    (0x97, "Alder Lake"),
    (0xad, "Granite Rapids"),
    (0xaa, "Meteor Lake"),
    (0xcf, "Emerald Rapids"),
];

/// A name where family and model settle it; 0x55 is Skylake, Cascade Lake or Cooper Lake by its stepping.
fn name(vendor: &str, family: &Option<String>, model: &Option<String>, stepping: &Option<String>) -> Option<String> {
    let number = |text: &Option<String>| text.as_ref()?.parse::<u32>().ok();
    let (family, model) = (number(family)?, number(model)?);
    let name = match (vendor, family) {
        ("AuthenticAMD", _) => {
            let is = |(of, first, last, _): &&(u32, u32, u32, &str)| *of == family && (*first..=*last).contains(&model);
            AMD.iter().find(is)?.3
        }
        ("GenuineIntel", 6) if model == 0x55 => match number(stepping)? {
            0..=4 => "Skylake server",
            5..=7 => "Cascade Lake",
            10..=11 => "Cooper Lake",
            _ => return None,
        },
        ("GenuineIntel", 6) => INTEL.iter().find(|(of, _)| *of == model)?.1,
        _ => return None,
    };
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn x86(vendor: &str, family: u32, model: u32, stepping: u32) -> Processor {
        let text = format!(
            "processor\t: 0\nvendor_id\t: {vendor}\ncpu family\t: {family}\nmodel\t\t: {model}\nmodel name\t: AMD EPYC\n\
             stepping\t: {stepping}\nmicrocode\t: 0x1000065\n"
        );
        of_cpuinfo(&text).value.unwrap()
    }

    #[test]
    fn three_machines_of_one_name_are_told_apart() {
        let [zen3, zen4, zen5] =
            [(25, 1), (25, 17), (26, 2)].map(|(family, model)| x86("AuthenticAMD", family, model, 1));
        assert_eq!(zen3.to_string(), "Zen 3 (AuthenticAMD, family 25, model 1, stepping 1)");
        assert_eq!([&zen4, &zen5].map(|known| known.name.as_deref().unwrap()), ["Zen 4", "Zen 5"]);
        assert!(zen3.differs_from(&zen4) && zen4.differs_from(&zen5) && !zen3.differs_from(&zen3));
        assert_eq!(zen3.microcode.as_deref(), Some("0x1000065"));
    }

    #[test]
    fn a_processor_that_is_in_no_table_has_its_numbers() {
        assert_eq!(x86("GenuineIntel", 6, 207, 2).name.as_deref(), Some("Emerald Rapids"));
        assert_eq!(x86("GenuineIntel", 6, 0x55, 4).name.as_deref(), Some("Skylake server"));
        assert_eq!(x86("GenuineIntel", 6, 0x55, 7).name.as_deref(), Some("Cascade Lake"));
        assert_eq!(x86("GenuineIntel", 19, 1, 0).to_string(), "GenuineIntel, family 19, model 1, stepping 0");
        assert_eq!(x86("AuthenticAMD", 25, 0xb0, 0).name, None);
        assert_eq!(x86("HygonGenuine", 24, 0, 1).name, None);
    }

    #[test]
    fn family_model_or_stepping_make_another_one_and_silence_does_not() {
        let one = x86("AuthenticAMD", 25, 1, 1);
        for other in [
            x86("GenuineIntel", 25, 1, 1),
            x86("AuthenticAMD", 26, 1, 1),
            x86("AuthenticAMD", 25, 2, 1),
            x86("AuthenticAMD", 25, 1, 2),
        ] {
            assert!(one.differs_from(&other) && other.differs_from(&one), "{other}");
        }
        let silent = Processor { stepping: None, microcode: None, name: None, ..one.clone() };
        assert!(!one.differs_from(&silent) && !silent.differs_from(&one));
    }

    #[test]
    fn kinds_of_core_are_listed_once_each() {
        let text = "processor\t: 0\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x2\nCPU part\t: 0xd05\n\
                    CPU revision\t: 0\n\nprocessor\t: 1\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x4\n\
                    CPU part\t: 0xd0b\nCPU revision\t: 1\n\n";
        let board = of_cpuinfo(&text.repeat(2)).value.unwrap();
        assert_eq!(board.to_string(), "0x41, family 8, model 0xd05, 0xd0b, stepping r2p0, r4p1");
        assert_eq!(of_cpuinfo("").reason.as_deref(), Some("/proc/cpuinfo has neither vendor nor implementer"));
    }

    #[test]
    fn a_mac_says_family_and_subfamily() {
        let mac = |sample: &'static str| of_sysctl(&Ok(sample.to_owned())).value;
        let m2 = mac("machdep.cpu.brand_string: Apple M2\nhw.cpufamily: -634136515\nhw.cpusubfamily: 2\n").unwrap();
        assert_eq!(m2.to_string(), "Apple, family 0xda33d83d, model 2");
        let unsigned =
            mac("machdep.cpu.brand_string: Apple M2\nhw.cpufamily: 3660830781\nhw.cpusubfamily: 2\n").unwrap();
        assert_eq!(m2, unsigned);
        let intel = "machdep.cpu.brand_string: Intel(R) Core(TM) i7-8700B CPU @ 3.20GHz\nmachdep.cpu.vendor: GenuineIntel\n\
                     machdep.cpu.family: 6\nmachdep.cpu.model: 158\nmachdep.cpu.stepping: 10\n\
                     machdep.cpu.microcode_version: 222\nhw.cpufamily: 260141638\n";
        assert_eq!(mac(intel).unwrap().to_string(), "GenuineIntel, family 6, model 158, stepping 10");
        assert_eq!(mac("hw.cpufamily: 1\n"), None);
        assert_eq!(of_sysctl(&Err("no sysctl".to_owned())), Fact::unknown("no sysctl"));
    }
}
